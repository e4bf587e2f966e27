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


@fact("tracking.source_silent", audience=Audience.STAFF)
class SourceSilent(Fact):
    """Nothing came from a source for longer than it usually takes; told once for each silence."""

    source: str  # key
    name: str
    began: str  # instant of its last message, or of its making: names the silence
    since: str  # the same in the operator's zone
    was_heard: bool  # False: it never sent anything yet
    limit: str  # after how long it counts as silent, in words
    usual: str  # its median gap in words; empty until known
    path: str

    @property
    def object_key(self) -> str:
        """Once for each silence."""
        return f"{self.source}:{self.began}"

    @classmethod
    def example(cls) -> SourceSilent:
        """A carrier that usually reports every half hour."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 9, 40, tzinfo=UTC), source="maersk", name="Maersk",
            began="2026-03-12T06:40:00+00:00", since="12 Mar 2026 07:40 CET", was_heard=True, limit="3 h",
            usual="30 min", path="/ops/sources",
        )  # fmt: skip


@fact("tracking.source_heard_again", audience=Audience.STAFF)
class SourceHeardAgain(Fact):
    """A source that was told to be silent has sent a message."""

    source: str
    name: str
    began: str  # of the silence that ended
    heard: str  # when, in the operator's zone
    silent_for: str  # in words
    path: str

    @property
    def object_key(self) -> str:
        """Once for each silence."""
        return f"{self.source}:{self.began}"

    @classmethod
    def example(cls) -> SourceHeardAgain:
        """The end of that silence."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 14, 5, tzinfo=UTC), source="maersk", name="Maersk",
            began="2026-03-12T06:40:00+00:00", heard="12 Mar 2026 15:05 CET", silent_for="7 h", path="/ops/sources",
        )  # fmt: skip


@fact("tracking.subscription_ended", audience=Audience.MANAGERS)
class SubscriptionEnded(Fact):
    """Events are no longer sent to an address of the account: nobody took them, or the key behind it ended."""

    subscription: str  # its UUID
    address: str
    because: str  # failing, gone, key_ended
    why: str  # the last thing that went wrong, in words
    since: str  # from when on nothing was taken, in the account's zone
    waiting: int  # callbacks that are kept until it begins again
    path: str

    @property
    def object_key(self) -> str:
        """Once for each end."""
        return f"{self.subscription}:{self.occurred_at.isoformat()}"

    @classmethod
    def example(cls) -> SubscriptionEnded:
        """A system that did not answer for five days."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 6, 40, tzinfo=UTC), subscription="b80d923d-e8ac-4c34-9506-55d3de347034",
            address="https://tms.example.com/dcsa", because="failing", why="tms.example.com gave no answer",
            since="07 Mar 2026 07:40 CET", waiting=12, path="/settings/subscriptions",
        )  # fmt: skip
