"""What tracking tells: facts about shipments, as plain values.

Who is told, how and whether still, is portal.notify's business.
"""

from __future__ import annotations

from datetime import UTC, datetime

from portal.lib.facts import Audience, Fact, fact


@fact("tracking.milestone_reached", audience=Audience.FOLLOWERS, entitlement="milestone_emails")
class MilestoneReached(Fact):
    """A shipment reached a milestone for the first time; later corrections of its time are no second news."""

    shipment: str  # public id
    reference: str
    milestone: str  # a name of domain rules 1.1
    node: str  # code of the place
    local_time: str  # as read at the place, with its zone
    next_step: str  # name of the next milestone of the chain, or empty
    path: str

    @property
    def object_key(self) -> str:
        """Once for each shipment and milestone."""
        return f"{self.shipment}:{self.milestone}"

    @classmethod
    def example(cls) -> MilestoneReached:
        """An arrival at Rotterdam."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 6, 40, tzinfo=UTC), shipment="0123456789abcdefghjk",
            reference="MRD-2026-00417", milestone="VESSEL_ARRIVED", node="NLRTM", local_time="12 Mar 2026 07:40 CET",
            next_step="DISCHARGED", path="/shipments/0123456789abcdefghjk",
        )  # fmt: skip


@fact("tracking.milestone_changed", audience=Audience.NOBODY)
class MilestoneChanged(Fact):
    """The time of a milestone that was reached is another one now, or it was withdrawn: `now` is empty then."""

    shipment: str  # public id
    reference: str
    milestone: str
    was: str  # instants in UTC, ISO 8601
    now: str
    path: str

    @property
    def object_key(self) -> str:
        """Once for each change."""
        return f"{self.shipment}:{self.milestone}:{self.was}:{self.now}:{self.occurred_at.isoformat()}"

    @classmethod
    def example(cls) -> MilestoneChanged:
        """An arrival that turned out to be a day earlier."""
        return cls(
            occurred_at=datetime(2026, 3, 13, 9, tzinfo=UTC), shipment="0123456789abcdefghjk",
            reference="MRD-2026-00417", milestone="VESSEL_ARRIVED", was="2026-03-13T06:40:00+00:00",
            now="2026-03-12T06:40:00+00:00", path="/shipments/0123456789abcdefghjk",
        )  # fmt: skip


@fact("tracking.eta_changed", audience=Audience.NOBODY)
class EtaChanged(Fact):
    """The final milestone of a shipment under way is expected at another time than before (`was` empty: the first)."""

    shipment: str  # public id
    reference: str
    was: str  # instants in UTC, ISO 8601
    now: str
    path: str

    @property
    def object_key(self) -> str:
        """Once for each move."""
        return f"{self.shipment}:{self.was}:{self.now}:{self.occurred_at.isoformat()}"

    @classmethod
    def example(cls) -> EtaChanged:
        """A delivery expected two days later."""
        return cls(
            occurred_at=datetime(2026, 3, 1, 9, tzinfo=UTC), shipment="0123456789abcdefghjk",
            reference="MRD-2026-00417", was="2026-03-12T06:40:00+00:00", now="2026-03-14T06:40:00+00:00",
            path="/shipments/0123456789abcdefghjk",
        )  # fmt: skip


@fact("tracking.derivation_differed", audience=Audience.STAFF)
class DerivationDiffered(Fact):
    """The nightly check found derived state that differed from the record, and mended it: a defect of ours."""

    account: str  # its code
    count: int
    references: str  # the first of them
    path: str

    @property
    def object_key(self) -> str:
        """Once a run and account."""
        return f"{self.account}:{self.occurred_at.isoformat()}"

    @classmethod
    def example(cls) -> DerivationDiffered:
        """One shipment."""
        return cls(occurred_at=datetime(2026, 3, 13, 2, tzinfo=UTC), account="ACME", count=1,
                   references="MRD-2026-00417", path="/ops")  # fmt: skip
