"""What webhooks tell people: that an endpoint was switched off, that something could not be delivered.

Mail only; no endpoint is told about endpoints.
"""

from __future__ import annotations

from datetime import UTC, datetime

from portal.lib.facts import Audience, Fact, fact


@fact("webhooks.endpoint_disabled", audience=Audience.MANAGERS)
class EndpointDisabled(Fact):
    """An endpoint of the account was switched off by us: it said that it is gone, or failed for five days."""

    endpoint: str  # public id
    label: str
    host: str
    reason: str  # GONE or FAILING
    since: str  # when it began to fail, in the account's zone; empty for GONE
    last: str  # how the last attempt ended, in words
    unsent: int  # deliveries that wait for it
    path: str

    @property
    def object_key(self) -> str:
        """Once each time."""
        return f"{self.endpoint}:{self.occurred_at.isoformat()}"

    @classmethod
    def example(cls) -> EndpointDisabled:
        """One that has failed since last week."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 9, tzinfo=UTC), endpoint="0123456789abcdefghjk", label="Our TMS",
            host="tms.example.com", reason="FAILING", since="7 Mar 2026 10:00 CET", last="answered 502", unsent=14,
            path="/settings/webhooks/0123456789abcdefghjk",
        )  # fmt: skip


@fact("webhooks.deliveries_given_up", audience=Audience.MANAGERS)
class DeliveriesGivenUp(Fact):
    """An event was given up for an endpoint that takes others: told once a day and endpoint."""

    endpoint: str  # public id
    label: str
    host: str
    day: str  # YYYY-MM-DD, UTC
    kind: str  # what it was, in words
    about: str  # reference or month, or empty
    last: str  # how the last attempt ended, in words
    path: str

    @property
    def object_key(self) -> str:
        """Once a day and endpoint."""
        return f"{self.endpoint}:{self.day}"

    @classmethod
    def example(cls) -> DeliveriesGivenUp:
        """A month's report that was never taken."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 9, tzinfo=UTC), endpoint="0123456789abcdefghjk", label="Our TMS",
            host="tms.example.com", day="2026-03-12", kind="A month's service report is ready", about="2026-02",
            last="answered 500", path="/settings/webhooks/0123456789abcdefghjk",
        )  # fmt: skip
