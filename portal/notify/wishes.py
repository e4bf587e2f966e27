"""What people want to be told: their words, the shipments they follow, the lanes they work on.

Asked for many people and shipments in a constant number of statements; nothing here looks at rights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from portal.lib.facts import Fact
from portal.notify.models import MailMode, NoticeHabits, NoticePreference, Which
from portal.notify.timing import Habits
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_zone
from tracking.selectors import followers_of, lanes_of


@dataclass(frozen=True, slots=True)
class Wish:
    """One person's word about one kind of notice; without one it comes at once, everywhere, about everything."""

    mail: str = MailMode.NOW.value
    bell: bool = True
    which: str = Which.ALL.value
    always: bool = False


_DEFAULT = Wish()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What some people said about some kinds of notice and shipments."""

    said: dict[tuple[int, str], Wish] = field(default_factory=dict)  # by member and fact key
    followed: dict[str, set[int]] = field(default_factory=dict)  # members by shipment
    lane: dict[str, str] = field(default_factory=dict)  # by shipment
    lanes: dict[int, frozenset[str]] = field(default_factory=dict)  # by member

    def of(self, member: int, fact_key: str) -> Wish:
        """The person's word."""
        return self.said.get((member, fact_key), _DEFAULT)

    def narrowed(self, member: int, fact: Fact, *, by_mail: bool) -> Fact | None:
        """What is left of the fact when only shipments count that the person wants to hear of; None: nothing."""

        def wants(fact_key: str, shipment: str) -> bool:
            wish = self.of(member, fact_key)
            is_on = wish.mail != MailMode.OFF if by_mail else wish.bell
            return (is_on or fact_key == fact.key) and self._is_one(member, wish, shipment)

        return fact.for_reader(wants)

    def _is_one(self, member: int, wish: Wish, shipment: str) -> bool:
        if wish.which == Which.FOLLOWED:
            return member in self.followed.get(shipment, ())
        if wish.which == Which.LANES:
            return self.lane.get(shipment, "") in self.lanes.get(member, ())
        return True


def wishes_about(facts: Iterable[Fact], *, members: Iterable[int]) -> Wishes:
    """What these people of the entered tenant said about these facts; at most four statements."""
    listed, people = list(facts), list(members)
    concerns = {about for fact in listed for about in fact.concerns}
    keys = {fact.key for fact in listed} | {key for key, _shipment in concerns}
    said = {
        (row.member_id, row.fact_key): Wish(mail=row.mail, bell=row.bell, which=row.which, always=row.always)
        for row in NoticePreference.objects.filter(member__in=people, fact_key__in=keys)
    }
    narrow = {wish.which for wish in said.values()}
    shipments = {shipment for _key, shipment in concerns}
    by_lane = Which.LANES in narrow and bool(shipments)
    return Wishes(
        said=said,
        followed=followers_of(shipments, among=people) if Which.FOLLOWED in narrow and shipments else {},
        lane=lanes_of(shipments) if by_lane else {},
        lanes=_lanes_chosen(people) if by_lane else {},
    )


def _lanes_chosen(members: list[int]) -> dict[int, frozenset[str]]:
    rows = NoticeHabits.objects.filter(member__in=members).values_list("member_id", "lanes")
    return {member: frozenset(lanes) for member, lanes in rows}


def wishes_of(member: int) -> dict[str, Wish]:
    """All that one person said, by kind."""
    rows = NoticePreference.objects.filter(member=member)
    return {
        row.fact_key: Wish(mail=row.mail, bell=row.bell, which=row.which, always=row.always) for row in rows
    }  # fmt: skip


def habits_row(member: int) -> NoticeHabits | None:
    """The person's hours and lanes as stored."""
    return NoticeHabits.objects.filter(member=member).first()


def habits_read(row: NoticeHabits | None) -> Habits:
    """The same as rules take them."""
    if row is None:
        return Habits()
    return Habits(
        digest=row.digest, digest_hour=row.digest_hour, digest_weekday=row.digest_weekday, quiet_from=row.quiet_from,
        quiet_to=row.quiet_to, quiet_weekend=row.quiet_weekend,
    )  # fmt: skip


def zone_of(member: Member) -> ZoneInfo:
    """The person's own zone, else the account's, else the operator's."""
    return ZoneInfo(member.zone) if member.zone else tenant_zone()
