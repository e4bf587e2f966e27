"""Readers of the history files beside `events.csv`: shipments, charges, accounts, places.

Pure: rows in, frozen rows or refusals out; nothing is stored and nobody is asked. Extra columns are refused by name,
columns may stand in any order, the text is UTF-8 with or without a byte order mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final, TypeVar
from zoneinfo import available_timezones

from tracking import cells, csvtable, identifiers
from tracking.csvtable import Row
from tracking.fields import Fault
from tracking.reasons import Reason
from tracking.types import UNKNOWN_MODES, FinalMilestone, Load, Mode, Refusal

_FINALS: Final = {final.value: final for final in FinalMilestone}
_LOADS: Final = {load.value: load for load in Load}
_MODES: Final = {
    **{mode.value: mode for mode in Mode},
    "OCEAN": Mode.SEA,
    "VESSEL": Mode.SEA,
    "AIR CHARTER": Mode.AIR,
    "TRUCK": Mode.ROAD,
    # nothing is known of the way, so nothing is asked of it but its end, as of a lorry's
    **dict.fromkeys(sorted(UNKNOWN_MODES), Mode.ROAD),
}
_CANCELLED_BY: Final = {who: who for who in ("CUSTOMER", "CARRIER", "OPERATOR")}
_ZONES: Final = frozenset(available_timezones())

SHIPMENT_COLUMNS: Final = (
    "account", "shipment_ref", "final_milestone", "pol", "pod", "final_place", "carrier", "booked_at", "confirmed_at",
    "due_date", "due_at", "tol_days", "tol_hours", "containers", "hbl", "mbl", "booking", "po_numbers", "branch",
    "vertical", "trade", "mode", "load", "vessel_imo", "voyage", "transhipments", "cancelled_at", "cancelled_by",
)  # fmt: skip
CHARGE_COLUMNS: Final = ("account", "shipment_ref", "container", "code", "amount", "currency", "recorded_at")
ACCOUNT_COLUMNS: Final = ("account", "name", "tier", "valid_from", "zone")
PLACE_COLUMNS: Final = ("code", "name", "country", "zone", "lat", "lon")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentRow:
    """A shipment as booked. Exactly one of `due_date` and `due_at` is given; instants are aware UTC."""

    position: str
    account: str
    ref: str
    final_milestone: FinalMilestone
    pol: str
    pod: str
    final_place: str
    carrier: str
    booked_at: datetime | None
    confirmed_at: datetime | None
    due_date: date | None
    due_at: datetime | None
    tol_days: int
    tol_hours: int
    containers: tuple[str, ...]  # normal form
    hbl: str
    mbl: str
    booking: str
    po_numbers: tuple[str, ...]
    branch: str
    vertical: str
    trade: str
    mode: Mode
    load: Load
    mode_as_written: str
    vessel_imo: str
    voyage: str
    transhipments: tuple[str, ...]
    cancelled_at: datetime | None
    cancelled_by: str
    warnings: tuple[str, ...] = ()

    def spec(self) -> dict[str, Any]:
        """What describes the shipment inside its account: every field but position, account and warnings."""
        own = ("position", "account", "warnings")
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in own}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRow:
    """A charge of a shipment or of one of its containers; the amount may be negative (a correction)."""

    position: str
    account: str
    shipment_ref: str
    container: str
    code: str
    amount: Decimal
    currency: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account and, when `tier` is given, the tier it has from a day on."""

    position: str
    account: str
    name: str
    tier: str
    valid_from: date | None
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceRow:
    """A place with a UN/LOCODE, or with a code of the operator's own."""

    position: str
    code: str
    name: str
    country: str
    zone: str
    lat: Decimal | None
    lon: Decimal | None


R = TypeVar("R")


def shipments(file: BinaryIO) -> Iterator[ShipmentRow | Refusal]:
    """Rows of `shipments.csv`. Raises Unreadable for the file as a whole."""
    needed = ("account", "shipment_ref", "final_milestone")
    return shipments_of(csvtable.rows(file, columns=SHIPMENT_COLUMNS, needed=needed))


def shipments_of(rows: Iterator[Row | Refusal]) -> Iterator[ShipmentRow | Refusal]:
    """Shipments of rows that were read already."""
    return _read(rows, shipment_of)


def charges(file: BinaryIO) -> Iterator[ChargeRow | Refusal]:
    """Rows of `charges.csv`. Raises Unreadable for the file as a whole."""
    needed = ("account", "shipment_ref", "code", "amount", "currency", "recorded_at")
    return _read(csvtable.rows(file, columns=CHARGE_COLUMNS, needed=needed), _charge)


def accounts(file: BinaryIO) -> Iterator[AccountRow | Refusal]:
    """Rows of `accounts.csv`. Raises Unreadable for the file as a whole."""
    return _read(csvtable.rows(file, columns=ACCOUNT_COLUMNS, needed=("account",)), _account)


def places(file: BinaryIO) -> Iterator[PlaceRow | Refusal]:
    """Rows of `places.csv`. Raises Unreadable for the file as a whole."""
    return _read(csvtable.rows(file, columns=PLACE_COLUMNS, needed=("code",)), _place)


def _read(rows: Iterator[Row | Refusal], make: Callable[[Row], R]) -> Iterator[R | Refusal]:
    for row in rows:
        if isinstance(row, Refusal):
            yield row
            continue
        try:
            yield make(row)
        except Fault as fault:
            yield row.refusal(fault)


def shipment_of(row: Row) -> ShipmentRow:
    """What one row says. Raises Fault at the column that is wrong."""
    final = cells.code(row, "final_milestone", _FINALS)
    if final is None:
        raise Fault(Reason.MISSING_FIELD, row.at("final_milestone"))
    due_date, due_at = cells.day(row, "due_date"), cells.exact_instant(row, "due_at")
    if due_date is None and due_at is None:
        raise Fault(Reason.MISSING_FIELD, row.at("due_date"), "A due date or a due instant is needed.")
    if due_date is not None and due_at is not None:
        raise Fault(Reason.BAD_VALUE, row.at("due_at"), "A due date and a due instant are both given.")
    containers = tuple(identifiers.container(number) for number in cells.listed(row, "containers", 20))
    for number in containers:
        if len(number) > 16:
            raise Fault(Reason.TOO_LONG, row.at("containers"))
    imo = identifiers.imo(cells.text(row, "vessel_imo", 12))
    if len(imo) > 8:
        raise Fault(Reason.TOO_LONG, row.at("vessel_imo"))
    return ShipmentRow(
        position=row.at(),
        account=cells.needed(row, "account"),
        ref=cells.needed(row, "shipment_ref"),
        final_milestone=final,
        pol=cells.place(row, "pol"),
        pod=cells.place(row, "pod"),
        final_place=cells.place(row, "final_place"),
        carrier=identifiers.upper(cells.text(row, "carrier", 32)),
        booked_at=cells.instant(row, "booked_at"),
        confirmed_at=cells.instant(row, "confirmed_at"),
        due_date=due_date,
        due_at=due_at,
        tol_days=cells.whole(row, "tol_days") or 0,
        tol_hours=cells.whole(row, "tol_hours") or 0,
        containers=tuple(dict.fromkeys(containers)),
        hbl=cells.text(row, "hbl"),
        mbl=cells.text(row, "mbl"),
        booking=cells.text(row, "booking"),
        po_numbers=cells.listed(row, "po_numbers"),
        branch=cells.text(row, "branch", 32),
        vertical=cells.text(row, "vertical"),
        trade=cells.text(row, "trade"),
        mode=cells.code(row, "mode", _MODES) or Mode.SEA,
        load=_load(row, final),
        mode_as_written=cells.text(row, "mode", 40),
        vessel_imo=imo,
        voyage=cells.text(row, "voyage", 50),
        transhipments=tuple(identifiers.place(code) for code in cells.listed(row, "transhipments", 16)),
        cancelled_at=cells.instant(row, "cancelled_at"),
        cancelled_by=cells.code(row, "cancelled_by", _CANCELLED_BY) or "",
        warnings=_doubts(containers, imo),
    )


def _load(row: Row, final: FinalMilestone) -> Load:
    """FCL unless the row says LCL, which cannot be promised to the yard."""
    load = cells.code(row, "load", _LOADS) or Load.FCL
    if load == Load.LCL and final == FinalMilestone.CY:
        raise Fault(Reason.BAD_VALUE, row.at("load"), "LCL is promised to the warehouse (CFS) or to the door.")
    return load


def _doubts(containers: tuple[str, ...], imo: str) -> tuple[str, ...]:
    found: list[str] = [Reason.CONTAINER_CHECK_DIGIT for n in containers if not identifiers.container_ok(n)]
    return (*found, Reason.IMO_CHECK_DIGIT) if imo and not identifiers.imo_ok(imo) else tuple(found)


def _charge(row: Row) -> ChargeRow:
    amount, recorded_at = cells.decimal(row, "amount"), cells.instant(row, "recorded_at")
    if amount is None or recorded_at is None:
        raise Fault(Reason.MISSING_FIELD, row.at("amount" if amount is None else "recorded_at"))
    currency = cells.needed(row, "currency").upper()
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha()):
        raise Fault(Reason.BAD_VALUE, row.at("currency"), f"It is {currency[:20]!a}; three letters are expected.")
    if abs(amount) > 10**14 - 1:
        raise Fault(Reason.BAD_VALUE, row.at("amount"), "It is larger than can be kept.")
    code = cells.needed(row, "code", 32).upper()
    if len(code) > 32:
        raise Fault(Reason.TOO_LONG, row.at("code"))
    container = identifiers.container(cells.text(row, "container", 20))
    if len(container) > 16:
        raise Fault(Reason.TOO_LONG, row.at("container"))
    return ChargeRow(
        position=row.at(),
        account=cells.needed(row, "account"),
        shipment_ref=cells.needed(row, "shipment_ref"),
        container=container,
        code=code,
        amount=amount,
        currency=currency,
        recorded_at=recorded_at,
    )


def _account(row: Row) -> AccountRow:
    account = cells.needed(row, "account")
    return AccountRow(
        position=row.at(),
        account=account,
        name=cells.text(row, "name", 120) or account,
        tier=cells.text(row, "tier", 32).upper(),
        valid_from=cells.day(row, "valid_from"),
        zone=_zone(row),
    )


def _place(row: Row) -> PlaceRow:
    code = cells.needed(row, "code", 16)
    lat, lon = cells.decimal(row, "lat"), cells.decimal(row, "lon")
    for column, value, most in (("lat", lat, 90), ("lon", lon, 180)):
        if value is not None and abs(value) > most:
            raise Fault(Reason.BAD_VALUE, row.at(column), f"It lies beyond {most} degrees.")
    country = cells.text(row, "country", 2).upper()
    return PlaceRow(
        position=row.at(),
        code=identifiers.place(code),
        name=cells.text(row, "name", 120) or code,
        country=country or (code[:2].upper() if identifiers.locode_ok(identifiers.place(code)) else ""),
        zone=_zone(row),
        lat=lat,
        lon=lon,
    )


def _zone(row: Row) -> str:
    zone = cells.text(row, "zone")
    if zone and zone not in _ZONES:
        raise Fault(Reason.BAD_VALUE, row.at("zone"), f"There is no time zone {zone[:40]!a}.")
    return zone
