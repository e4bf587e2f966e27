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
