"""Shipments as a booking system, a spreadsheet or a person tells of them: rows of the columns of `shipments.csv`.

Pure: bytes or fields in, frozen rows or refusals out. What a shipment may look like is decided in history.py alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tracking import history, strictjson
from tracking.csvtable import Row, read
from tracking.fields import Fault, fragment, type_name
from tracking.history import SHIPMENT_COLUMNS, ShipmentRow
from tracking.reasons import Reason
from tracking.types import Refusal, Unreadable

LISTS: Final = frozenset({"containers", "po_numbers", "transhipments"})
NEEDED: Final = ("account", "shipment_ref", "final_milestone")
MOST: Final = 1_000  # rows of one message: they are stored while the sender waits

Told = ShipmentRow | Refusal


def of_csv(raw: bytes) -> list[Told]:
    """The rows of a CSV text. Raises Unreadable for the text as a whole, also when it has more rows than MOST."""
    return _few(history.shipments_of(read(raw, columns=SHIPMENT_COLUMNS, needed=NEEDED)))


def of_json(raw: bytes) -> list[Told]:
    """The items of a JSON list, or of the list `shipments` of an object, each with the columns as its names.

    Values are texts or whole numbers; a column that holds several takes a list of texts too; null is an empty cell.
    Raises Unreadable for the message as a whole, also when it has more items than MOST.
    """
    value = strictjson.loads(raw, limits=strictjson.DOOR)
    if isinstance(value, dict) and set(value) == {"shipments"}:
        value = value["shipments"]
    if not isinstance(value, list):
        raise Unreadable(Reason.WRONG_TOP_LEVEL, "A list of shipments is expected, or an object with only that list.")
    return _few(_of_item(item, n) for n, item in enumerate(value))


def of_fields(fields: Mapping[str, str]) -> Told:
    """One row from texts by column; empty ones are absent."""
    return _read(lambda: Row(0, {name: text for name, value in fields.items() if (text := value.strip())}, ""), 0, "")


def _few(rows: Iterator[Told]) -> list[Told]:
    listed: list[Told] = []
    for row in rows:
        if len(listed) == MOST:
            raise Unreadable(Reason.TOO_MANY_ITEMS, f"One message may hold {MOST} shipments; send them in parts.")
        listed.append(row)
    return listed


def _of_item(item: Any, number: int) -> Told:
    return _read(lambda: Row(number, _cells(item, number), ""), number, fragment(item))


def _read(row: Callable[[], Row], number: int, shown: str) -> Told:
    try:
        return history.shipment_of(row())
    except Fault as fault:
        return Refusal(code=fault.reason, position=fault.where, detail=fault.detail, fragment=shown)


def _cells(item: Any, number: int) -> dict[str, str]:
    if not isinstance(item, dict):
        raise Fault(Reason.WRONG_TYPE, f"$[{number}]", f"It is {type_name(item)}; an object is expected.")
    cells = {}
    for name, value in item.items():
        where = f"$[{number}].{name[:60]}"
        if name not in SHIPMENT_COLUMNS:
            raise Fault(Reason.UNKNOWN_COLUMN, where, f"{name[:60]!a}")
        if text := _cell(name, value, where).strip():
            cells[name] = text
    return cells


def _cell(name: str, value: Any, where: str) -> str:
    if value is None:
        return ""
    if name in LISTS and isinstance(value, list):
        return "|".join(_text(part, where, apart="|") for part in value)
    return _text(value, where)


def _text(value: Any, where: str, *, apart: str = "") -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Fault(Reason.WRONG_TYPE, where, f"It is {type_name(value)}; a text is expected.")
    text = str(value)
    if "\0" in text or (apart and apart in text):
        raise Fault(Reason.BAD_TEXT, where)
    return text
