"""What tracking tells: facts about shipments, as plain values.

Who is told, how and whether still, is portal.notify's business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from portal.lib.facts import Act, Audience, Fact, fact
from tracking.commented import CommentPosted, CustomerWrote, DocumentAdded, Mentioned

_SEVERE: Final = frozenset({"HIGH", "CRITICAL"})
_IN_STEPS: Final = "ETA_SLIP"  # each day later is a case of its own (8.1): of a shipment the last one counts


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
    is_core: bool = True  # one of the critical five of its chain (5.1)

    @property
    def object_key(self) -> str:
        """Once for each shipment and milestone."""
        return f"{self.shipment}:{self.milestone}"

    @property
    def needs(self) -> tuple[str, ...]:
        """What lies between the critical five is for accounts that see every event."""
        return super().needs if self.is_core else (*super().needs, "live_tracking")

    @classmethod
    def example(cls) -> MilestoneReached:
        """An arrival at Rotterdam."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 6, 40, tzinfo=UTC), shipment="0123456789abcdefghjk",
            reference="MRD-2026-00417", milestone="VESSEL_ARRIVED", node="NLRTM", local_time="12 Mar 2026 07:40 CET",
            next_step="DISCHARGED", path="/shipments/0123456789abcdefghjk",
        )  # fmt: skip


@fact("tracking.milestone_changed", audience=Audience.SYSTEMS, entitlement="live_tracking")
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


@fact("tracking.eta_changed", audience=Audience.SYSTEMS, entitlement="live_tracking")
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


@dataclass(frozen=True, kw_only=True)
class ExceptionFact(Fact):
    """What the facts about one exception of a shipment have in common."""

    case: str  # public id
    shipment: str  # public id
    reference: str
    code: str  # of domain rules 8.1
    severity: str  # LOW to CRITICAL
    node: str  # code of the place; empty where it is none
    since: str  # when it truly began, as read at the place, with its zone
    delay_hours: int  # predicted beyond the promise, 0 when none
    call: str  # the vessel call or place that many may speak of at once (R8.5)
    path: str

    @property
    def matter(self) -> str:
        """One case; moves of an arrival are one matter of their shipment."""
        return f"slip:{self.shipment}" if self.code == _IN_STEPS else f"case:{self.case}"

    @property
    def is_urgent(self) -> bool:
        """Quiet hours delay low and medium, never high (R8.5)."""
        return self.severity in _SEVERE

    @classmethod
    def values(cls) -> dict[str, Any]:
        """Of an example: a shipment at risk, four days late."""
        return {
            "occurred_at": datetime(2026, 3, 12, 9, 30, tzinfo=UTC), "case": "abcdefghjk0123456789",
            "shipment": "0123456789abcdefghjk", "reference": "MRD-2026-00417", "code": "AT_RISK",
            "severity": "HIGH", "node": "NLRTM", "since": "12 Mar 2026 10:30 CET", "delay_hours": 96,
            "call": "9321483 NLRTM", "path": "/shipments/0123456789abcdefghjk",
        }  # fmt: skip


@fact("tracking.exception_raised", audience=Audience.FOLLOWERS, entitlement="exception_alerts")
class ExceptionRaised(ExceptionFact):
    """Something went wrong with a shipment, or is about to; told once each time (R8.5)."""

    act: ClassVar[Act] = Act.BEGINS

    opening: int  # the first time, or after it had ended
    is_over: bool  # learned only afterwards

    @property
    def object_key(self) -> str:
        """Once for each time that it begins."""
        return f"{self.case}:{self.opening}"

    @classmethod
    def example(cls) -> ExceptionRaised:
        """A shipment at risk."""
        return cls(opening=1, is_over=False, **cls.values())


@fact("tracking.exception_worsened", audience=Audience.FOLLOWERS, entitlement="exception_alerts")
class ExceptionWorsened(ExceptionFact):
    """A shipment at risk is expected a day later than when it was last told, and twelve hours have passed (R8.5)."""

    times: int  # how often it got worse

    @property
    def object_key(self) -> str:
        """Once for each time that it got worse."""
        return f"{self.case}:{self.times}"

    @classmethod
    def example(cls) -> ExceptionWorsened:
        """The same shipment, later still."""
        return cls(times=1, **cls.values())


@fact("tracking.exception_cleared", audience=Audience.FOLLOWERS, entitlement="exception_alerts")
class ExceptionCleared(ExceptionFact):
    """An exception has ended: what ends it was heard, a person dealt with it, or it turned out never to have been."""

    act: ClassVar[Act] = Act.ENDS

    opening: int
    because: str  # heard, resolved, withdrawn

    @property
    def object_key(self) -> str:
        """Once for each time that it ends."""
        return f"{self.case}:{self.opening}"

    @classmethod
    def example(cls) -> ExceptionCleared:
        """The same shipment, in time after all."""
        return cls(opening=1, because="heard", **cls.values())


@fact("tracking.exceptions_grouped", audience=Audience.FOLLOWERS, entitlement="exception_alerts")
class ExceptionsGrouped(Fact):
    """What was told beyond the first ten messages about one vessel call or place within an hour, in one (R8.5)."""

    node: str  # code of the place
    call: str
    count: int
    references: list[str]  # with the two lists below, one entry a change
    codes: list[str]
    kinds: list[str]  # raised, worsened, cleared
    path: str
    shipments: list[str] = field(default_factory=list)  # public ids, likewise; empty when they were not noted yet

    @property
    def object_key(self) -> str:
        """Once for each hour of a call."""
        return f"{self.call}:{self.occurred_at.isoformat()}"

    @property
    def concerns(self) -> tuple[tuple[str, str], ...]:
        """Each line is of its own kind and shipment."""
        return tuple((f"tracking.exception_{kind}", s) for kind, s in zip(self.kinds, self.shipments, strict=False))

    def for_reader(self, wants: Callable[[str, str], bool]) -> Fact | None:
        """The lines that the reader wants to hear of."""
        kept = [n for n, about in enumerate(self.concerns) if wants(*about)]
        if len(kept) == len(self.concerns):
            return self
        if not kept:
            return None
        return replace(
            self, count=len(kept), references=[self.references[n] for n in kept], codes=[self.codes[n] for n in kept],
            kinds=[self.kinds[n] for n in kept], shipments=[self.shipments[n] for n in kept],
        )  # fmt: skip

    @classmethod
    def example(cls) -> ExceptionsGrouped:
        """Two more of one ship."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 10, 30, tzinfo=UTC), node="NLRTM", call="9321483 NLRTM", count=2,
            references=["MRD-2026-00418", "MRD-2026-00419"], codes=["ETA_SLIP", "AT_RISK"],
            kinds=["raised", "cleared"], path="/shipments?exceptions=open",
            shipments=["0123456789abcdefghjm", "0123456789abcdefghjn"],
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

    act: ClassVar[Act] = Act.BEGINS

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

    @property
    def matter(self) -> str:
        """This silence."""
        return f"silence:{self.source}:{self.began}"

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

    act: ClassVar[Act] = Act.ENDS

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

    @property
    def matter(self) -> str:
        """This silence."""
        return f"silence:{self.source}:{self.began}"

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
            address="https://tms.example.com/dcsa", because="failing",
            why="tms.example.com gave no answer: it took too long.", since="07 Mar 2026 07:40 CET", waiting=12,
            path="/settings/subscriptions",
        )  # fmt: skip


@fact("tracking.export_ready", audience=Audience.PERSON)
class ExportReady(Fact):
    """The workbook that somebody asked for can be fetched; told to that person."""

    export: str  # public id
    rows: int
    email: str
    path: str

    @property
    def object_key(self) -> str:
        """Once for each file."""
        return self.export

    @classmethod
    def example(cls) -> ExportReady:
        """A large list."""
        return cls(occurred_at=datetime(2026, 3, 12, 9, 40, tzinfo=UTC), export="0123456789abcdefghjk", rows=48_211,
                   email="mara@example.com", path="/shipments/exports/0123456789abcdefghjk")  # fmt: skip


__all__ = [
    "CommentPosted",
    "CustomerWrote",
    "DerivationDiffered",
    "DocumentAdded",
    "EtaChanged",
    "ExceptionCleared",
    "ExceptionFact",
    "ExceptionRaised",
    "ExceptionWorsened",
    "ExceptionsGrouped",
    "ExportReady",
    "Mentioned",
    "MilestoneChanged",
    "MilestoneReached",
    "SourceHeardAgain",
    "SourceSilent",
    "SubscriptionEnded",
]
