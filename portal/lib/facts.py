"""What happened, as frozen records in the past tense (house rule: facts are declared, then emitted by services).

Storing and sending them is portal.outbox's business. Fields are plain JSON values: text, integers, booleans.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, TypeVar, dataclass_transform


class Audience(StrEnum):
    """Who is told by default; rights and preferences are checked when sending (O9)."""

    FOLLOWERS = "FOLLOWERS"  # every active member of the tenant who wants it: of all shipments, or of followed ones
    MANAGERS = "MANAGERS"  # the tenant's managers
    STAFF = "STAFF"  # the operator's staff: the fact must be emitted in the operator's scope
    PERSON = "PERSON"  # one address, named in the fact's field `email`
    MEMBERS = "MEMBERS"  # the active members of the scope that the fact's field `members` names, by public id
    SYSTEMS = "SYSTEMS"  # no person: the systems of the tenant that asked for it
    NOBODY = "NOBODY"  # recorded, nobody is told


class Act(StrEnum):
    """What a fact does to its matter: an end that follows an untold beginning is no news, nor is that beginning."""

    BEGINS = "BEGINS"
    CHANGES = "CHANGES"  # stands in place of what was told before
    ENDS = "ENDS"


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that happened to one tenant and cannot be undone. Subclasses add JSON-plain fields."""

    occurred_at: datetime  # aware, UTC; when it happened, not when we heard

    key: ClassVar[str]
    audience: ClassVar[Audience]
    entitlement: ClassVar[str | None]
    act: ClassVar[Act] = Act.CHANGES

    @property
    def object_key(self) -> str:
        """Which object and version it speaks of; with the fact key it names the notification once (O7)."""
        raise NotImplementedError(f"{type(self).__name__} must say its object_key")

    @property
    def needs(self) -> tuple[str, ...]:
        """The entitlements without which nobody of the tenant is told (R5.1); a kind may need more for some of it."""
        return () if self.entitlement is None else (self.entitlement,)

    @property
    def matter(self) -> str:
        """What it is news of: later news of the same overtakes it while it waits. Empty: it stands for itself."""
        return ""

    @property
    def is_urgent(self) -> bool:
        """Whether nobody's quiet hours hold it back (R8.5)."""
        return False

    @property
    def concerns(self) -> tuple[tuple[str, str], ...]:
        """(key of a kind of fact, public id) of each shipment it speaks of; empty when it speaks of none."""
        shipment = getattr(self, "shipment", "")
        return ((self.key, shipment),) if shipment else ()

    def for_reader(self, wants: Callable[[str, str], bool]) -> Fact | None:
        """What is left of it for somebody who wants to hear only some of what it `concerns`; None: nothing."""
        return self if all(wants(*about) for about in self.concerns) else None

    def plain(self) -> dict[str, Any]:
        """JSON values by field name."""
        data = {f.name: getattr(self, f.name) for f in fields(self)}  # plain values: nothing to copy deeper
        data["occurred_at"] = self.occurred_at.isoformat()
        return data

    @classmethod
    def read(cls, data: dict[str, Any]) -> Fact:
        """The fact back from its plain form; unknown fields of later versions are ignored."""
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in data.items() if name in known}
        kept["occurred_at"] = datetime.fromisoformat(kept["occurred_at"])
        return cls(**kept)

    @classmethod
    def example(cls) -> Fact:
        """A specimen for template tests and docs; subclasses give one."""
        raise NotImplementedError(f"{cls.__name__} needs an example")


F = TypeVar("F", bound=Fact)
_FACTS: dict[str, type[Fact]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True)
def fact(key: str, *, audience: Audience, entitlement: str | None = None) -> Callable[[type[F]], type[F]]:
    """Declares a fact under its key, for example `tracking.milestone_reached`. Doubles are refused at start-up."""

    def declare(cls: type[F]) -> type[F]:
        frozen = dataclass(frozen=True, kw_only=True)(cls)
        if _FACTS.get(key, frozen).__qualname__ != frozen.__qualname__:
            raise RuntimeError(f"two facts have the key {key!r}")
        frozen.key, frozen.audience, frozen.entitlement = key, audience, entitlement
        _FACTS[key] = frozen
        return frozen

    return declare


def fact_class(key: str) -> type[Fact]:
    """The class of a fact key; KeyError when no app declares it."""
    return _FACTS[key]


def all_facts() -> dict[str, type[Fact]]:
    """Every declared fact by key, sorted."""
    return dict(sorted(_FACTS.items()))
