"""The plan of the demo world: accounts, lanes, shipments and what happens to them. Seeded, the same every time.

Pure: dates are relative to `today`; nothing here knows a door or a table.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from portal.lib.periods import Month, close_at

SEED: Final = 1876  # the year of the load line
CLOSED_MONTHS: Final = 4
GRACE_DAYS: Final = 5
CREDIT_READY_DAYS: Final = 12  # close + charge cut-off, with a day to spare


@dataclass(frozen=True, slots=True)
class Spot:
    """An inland town that is in no list of ports."""

    code: str
    name: str
    country: str
    zone: str
    lat: str
    lon: str


INLAND: Final = (
    Spot("NLTLB", "Tilburg", "NL", "Europe/Amsterdam", "51.56000", "5.09000"),
    Spot("GBDVT", "Daventry", "GB", "Europe/London", "52.26000", "-1.16000"),
)


ZONES: Final = {
    "CNSHA": "Asia/Shanghai", "CNNGB": "Asia/Shanghai", "SGSIN": "Asia/Singapore", "NLRTM": "Europe/Amsterdam",
    "DEHAM": "Europe/Berlin", "GBFXT": "Europe/London", **{spot.code: spot.zone for spot in INLAND},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane with its usual transit: days at sea, days from berth to the door, carrier and ports."""

    pol: str
    pod: str
    final: str  # CY or DOOR
    place: str
    carrier: str
    vessel: str
    imo: str
    sea_days: int
    branch: str
    trade: str

    @property
    def code(self) -> str:
        """`CNSHA-NLRTM`."""
        return f"{self.pol}-{self.pod}"


SHANGHAI_ROTTERDAM: Final = Lane(
    "CNSHA", "NLRTM", "DOOR", "NLTLB", "MAEU", "Meridian Star", "9778791", 31, "Rotterdam", "Asia-Europe"
)
SINGAPORE_HAMBURG: Final = Lane(
    "SGSIN", "DEHAM", "CY", "DEHAM", "HLCU", "Kestrel Express", "9501370", 27, "Singapore", "Asia-Europe"
)
NINGBO_FELIXSTOWE: Final = Lane(
    "CNNGB", "GBFXT", "DOOR", "GBDVT", "MAEU", "Northern Gannet", "9632064", 33, "Rotterdam", "Asia-Europe"
)
LANES: Final = (SHANGHAI_ROTTERDAM, SINGAPORE_HAMBURG, NINGBO_FELIXSTOWE)


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """An account, its tier, and how many shipments fall due a month on each lane."""

    code: str
    name: str
    tier: str
    vertical: str
    monthly: tuple[tuple[Lane, int], ...]


ACCOUNTS: Final = (
    AccountPlan("ACME", "Acme Outdoor", "PREMIUM", "Retail",
                ((SHANGHAI_ROTTERDAM, 24), (SINGAPORE_HAMBURG, 10), (NINGBO_FELIXSTOWE, 8))),
    AccountPlan("GLOBEX", "Globex Instruments", "PRIORITY", "Industrial",
                ((SHANGHAI_ROTTERDAM, 6), (SINGAPORE_HAMBURG, 10))),
    AccountPlan("INITECH", "Initech Home", "STANDARD", "Consumer", ((NINGBO_FELIXSTOWE, 8),)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that a source will report: what, where, when it happened, and when it was told."""

    told_at: datetime
    source: str
    code: str
    classifier: str
    at: datetime
    place: str
    laden: bool | None = None


@dataclass(slots=True)
class ShipmentPlan:
    """One shipment of the story."""

    account: str
    ref: str
    lane: Lane
    booked_at: datetime
    confirmed_at: datetime
    due_date: date
    containers: tuple[str, ...]
    booking: str
    house_bill: str
    po_number: str
    voyage: str
    vertical: str
    freight: tuple[tuple[str, str], ...]  # charge code, amount in USD
    happenings: list[Happening] = field(default_factory=list)
    outcome: str = "ON_TIME"


@dataclass(frozen=True, slots=True)
class World:
    """The whole story, from the day the portal was set up until `today`."""

    today: datetime
    closed: tuple[Month, ...]
    breach: Month  # the month in which Acme's promise is missed
    shipments: tuple[ShipmentPlan, ...]  # what is confirmed by today

    @property
    def start(self) -> datetime:
        """When the portal was set up: before the first shipment of the first month was booked."""
        return datetime.combine(self.closed[0].shift(-3).first_day, time(8), UTC)


def months(today: datetime) -> tuple[tuple[Month, ...], Month]:
    """The last four months that are closed by now, and the newest of them whose charges are frozen too."""
    month = Month(today.year, today.month)
    while close_at(month, grace_days=GRACE_DAYS) + timedelta(hours=1) > today:
        month = month.shift(-1)
    closed = tuple(month.shift(-n) for n in reversed(range(CLOSED_MONTHS)))
    ready = [m for m in closed if close_at(m, grace_days=GRACE_DAYS) + timedelta(days=CREDIT_READY_DAYS) <= today]
    return closed, ready[-1]


def world(today: datetime) -> World:
    """The plan for a given instant; the same every time."""
    dice = random.Random(SEED)  # noqa: S311 - a story, not a secret
    closed, breach = months(today)
    plans: list[ShipmentPlan] = []
    last = Month(today.year, today.month).shift(1)
    month = closed[0]
    while month <= last:
        for account in ACCOUNTS:
            for lane, many in account.monthly:
                plans += _month(account, lane, many, month, dice, missed=month == breach, lively=month > closed[-1])
        month = month.next()
    for plan in plans:
        _live(plan, dice, today)
    return World(today, closed, breach, tuple(p for p in plans if p.confirmed_at <= today))


def _month(
    account: AccountPlan, lane: Lane, many: int, month: Month, dice: random.Random, *, missed: bool, lively: bool
) -> Iterator[ShipmentPlan]:
    days = (month.next().first_day - month.first_day).days
    late = _late_count(account, lane, many, missed) + (1 if lively and many >= 8 else 0)
    lates = set(dice.sample(range(many), late))
    for n in range(many):
        due = month.first_day + timedelta(days=min(days - 1, n * days // many + dice.randrange(2)))
        outcome = "LATE" if n in lates else "ON_TIME"
        yield _shipment(account, lane, month, n, due, outcome, dice)


def _late_count(account: AccountPlan, lane: Lane, many: int, missed: bool) -> int:
    if account.code == "ACME" and lane is SHANGHAI_ROTTERDAM:
        return 3 if missed else 0  # 21 of 24 is 87.5 %: the promise of 95 % is missed
    return 1 if many >= 8 else 0


def _shipment(
    account: AccountPlan, lane: Lane, month: Month, n: int, due: date, outcome: str, dice: random.Random
) -> ShipmentPlan:
    transit = lane.sea_days + (4 if lane.final == "DOOR" else 2)
    departed = datetime.combine(due, time(9), UTC) - timedelta(days=transit + 2)
    booked = departed - timedelta(days=21, hours=dice.randrange(20))
    number = f"{account.code[:2]}{month.year % 100:02d}{month.month:02d}{lane.pol[2:]}{n:02d}"
    boxes = tuple(container_number(dice) for _ in range(2 if dice.random() < 0.15 else 1))
    freight = dice.randrange(3_100, 4_400) * len(boxes)
    return ShipmentPlan(
        account=account.code, ref=f"MF-{number}", lane=lane, booked_at=booked,
        confirmed_at=booked + timedelta(hours=20), due_date=due, containers=boxes,
        booking=f"{lane.carrier[:3]}{dice.randrange(10**8, 10**9)}", house_bill=f"MFH{dice.randrange(10**7, 10**8)}",
        po_number=f"PO-{dice.randrange(40_000, 90_000)}", voyage=f"{dice.randrange(100, 999)}W",
        vertical=account.vertical, freight=(("FRT", f"{freight}.00"), ("BAF", f"{freight // 10}.50")),
        outcome=outcome,
    )  # fmt: skip


_LETTERS: Final = dict(
    zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (n for n in range(10, 39) if n % 11), strict=True)
)  # ISO 6346 leaves out the multiples of 11


def container_number(dice: random.Random) -> str:
    """A container number with a right check digit (ISO 6346)."""
    text = dice.choice(("MSKU", "HLXU", "TGHU", "TCLU")) + f"{dice.randrange(10**6):06d}"
    total = sum((_LETTERS[c] if c.isalpha() else int(c)) * 2**i for i, c in enumerate(text))
    return text + str(total % 11 % 10)


TOLD_AFTER: Final = {"rtm-ect": 1, "ham-cta": 1, "fxt": 1, "haulier": 1, "maeu": 2, "hlcu": 3, "globex-tms": 2}
TERMINALS: Final = {"NLRTM": "rtm-ect", "DEHAM": "ham-cta", "GBFXT": "fxt"}


@dataclass(frozen=True, slots=True)
class Course:
    """When things really happen to a shipment; `slip` is how much later than first expected it arrives."""

    gate_in: datetime
    departed: datetime
    arrived: datetime
    discharged: datetime
    out: datetime
    handed_over: datetime  # the final milestone: delivered, or available at the terminal
    empty: datetime
    slip: timedelta


def _course(plan: ShipmentPlan, dice: random.Random) -> Course:
    """Counted back from the promised day, a day or two early; a late one slips by four to seven days at sea."""
    lane, is_door = plan.lane, plan.lane.final == "DOOR"
    slip = timedelta(days=dice.randrange(4, 8), hours=5) if plan.outcome == "LATE" else timedelta(0)
    noon = datetime.combine(plan.due_date, time(14, 20), ZoneInfo(ZONES[lane.place])).astimezone(UTC)
    handed_over = noon - timedelta(days=dice.randrange(1, 3), minutes=dice.randrange(300))
    arrived = handed_over - timedelta(days=3 if is_door else 2, hours=dice.randrange(8))
    departed = arrived - timedelta(days=lane.sea_days, hours=dice.randrange(12))
    out = handed_over - timedelta(hours=7) if is_door else handed_over + timedelta(days=2)
    return Course(
        gate_in=departed - timedelta(days=2, hours=dice.randrange(10)), departed=departed, arrived=arrived + slip,
        discharged=arrived + slip + timedelta(hours=9 + dice.randrange(8)), out=out + slip,
        handed_over=handed_over + slip,
        empty=(handed_over if is_door else out) + slip + timedelta(days=3, hours=dice.randrange(20)), slip=slip,
    )  # fmt: skip


def _live(plan: ShipmentPlan, dice: random.Random, today: datetime) -> None:
    """What is told of a shipment by carrier, terminal and haulier; only what was told by `today` stays."""
    lane, course = plan.lane, _course(plan, dice)
    carrier, terminal = lane.carrier.lower(), TERMINALS[lane.pod]
    is_door = lane.final == "DOOR"
    told: list[Happening] = []

    def tell(source: str, code: str, at: datetime, place: str, laden: bool | None = None, cls: str = "ACT",
             when: datetime | None = None) -> None:  # fmt: skip
        told_at = when or at + timedelta(hours=TOLD_AFTER[source], minutes=dice.randrange(50))
        told.append(Happening(told_at, source, code, cls, at, place, laden))

    def expect(arrival: datetime, final: datetime, when: datetime) -> None:
        """The carrier's estimates of the arrival and, from whoever plans it, of the end."""
        planner = "globex-tms" if plan.account == "GLOBEX" else carrier
        tell(carrier, "ARRI", arrival, lane.pod, cls="EST", when=when)
        tell(planner, "DROP" if is_door else "AVPU", final, lane.place, True, cls="EST", when=when)

    first = course.arrived - course.slip
    tell(carrier, "ARRI", first, lane.pod, cls="PLN", when=plan.confirmed_at + timedelta(hours=6))
    tell(carrier, "GTIN", course.gate_in, lane.pol, True)
    tell(carrier, "LOAD", course.departed - timedelta(hours=7), lane.pol, True)
    tell(carrier, "DEPA", course.departed, lane.pol)
    expect(first + timedelta(hours=6), course.handed_over - course.slip, course.departed + timedelta(days=1))
    if course.slip:
        expect(course.arrived, course.handed_over, course.departed + timedelta(days=lane.sea_days - 9))
    tell(carrier, "ARRI", course.arrived, lane.pod)
    tell(terminal, "DISC", course.discharged, lane.pod, True)
    if is_door:
        planned = course.handed_over + timedelta(hours=1)
        tell("haulier", "DROP", planned, lane.place, True, cls="EST", when=course.arrived + timedelta(hours=4))
        tell("haulier", "DROP", course.handed_over, lane.place, True)
    else:
        tell(terminal, "AVPU", course.handed_over, lane.pod, True)
    tell(terminal, "GTOT", course.out, lane.pod, True)
    tell(carrier, "GTIN", course.empty, lane.pod, False)
    plan.happenings = sorted((h for h in told if h.told_at <= today), key=lambda h: h.told_at)
