"""The list of shipments as a file: for each column of the page, what it becomes in CSV and XLSX.

Values are typed: text, whole numbers, days, instants in UTC. Codes instead of words, except where the words say more;
what is unknown stays empty. No queries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from portal.lib.periods import utc_text
from tracking.selectors import place_of
from tracking.standing import Prospect, Standing

Row = Mapping[str, Any]
Value = str | int | date | datetime | None
Cell = Callable[[Row, Prospect, datetime], Value]


def zone_of(row: Row) -> str:
    """The zone of the final place; empty where it is unknown."""
    return place_of(row["final_place_place"], row["final_place"])[1]


def prospect(row: Row) -> Prospect:
    """What the row says about its promise."""
    return Prospect(
        status=row["status"], punctuality=row["punctuality"], due_at=row["due_at"], due_date=row["due_date"],
        eta_at=row["eta_at"], final_at=row["final_at"], final_milestone=row["final_milestone"],
        zone=ZoneInfo(zone_of(row) or "UTC"),
    )  # fmt: skip


def _plain(name: str) -> Cell:
    return lambda row, _seen, _now: row[name]


def _joined(name: str) -> Cell:
    return lambda row, _seen, _now: "|".join(row[name])


_FIELDS: Final[dict[str, dict[str, Cell]]] = {
    "shipment": {"shipment": _plain("ref")},
    "promise": {
        "standing": lambda _row, seen, now: Standing(seen.standing(now)).value,
        "standing_in_words": lambda _row, seen, now: seen.words(now),
    },
    "status": {"status": _plain("status")},
    "route": {
        "mode": _plain("mode"), "origin": _plain("pol"),
        "destination": lambda row, _seen, _now: row["final_place"] or row["pod"], "lane": _plain("lane"),
    },
    "promised": {"promised_date": _plain("due_date"), "promised_until_utc": _plain("due_at")},
    "expected": {
        "expected_utc": lambda row, _seen, _now: row["eta_at"] if row["final_at"] is None else None,
        "actual_utc": _plain("final_at"),
    },
    "last": {"last_event": _plain("latest"), "last_event_utc": _plain("latest_at")},
    "boxes": {"containers": _joined("boxes")},
    "carrier": {"carrier": _plain("carrier")},
    "mode": {"mode": _plain("mode")},
    "pol": {"port_of_loading": _plain("pol")},
    "pod": {"port_of_discharge": _plain("pod")},
    "final": {"final_place": _plain("final_place")},
    "booking": {"booking": _joined("ref_booking")},
    "hbl": {"house_bill": _joined("ref_hbl")},
    "mbl": {"master_bill": _joined("ref_mbl")},
    "po": {"purchase_orders": _joined("ref_po")},
    "vessel": {"vessel_imo": _plain("vessel_imo"), "voyage": _plain("voyage")},
    "branch": {"branch": _plain("branch")},
    "vertical": {"vertical": _plain("vertical")},
    "booked": {"booked_utc": _plain("booked_at")},
    "heard": {"last_heard_utc": _plain("last_heard_at")},
}  # fmt: skip


class ListFile:
    """The columns of one view as a file."""

    def __init__(self, columns: Sequence[str], *, now: datetime) -> None:
        fields: dict[str, Cell] = {}
        for column in columns:
            for name, cell in _FIELDS[column].items():
                fields.setdefault(name, cell)
        self.heads, self._cells, self._now = tuple(fields), tuple(fields.values()), now
        self._judged = "promise" in columns

    def values(self, row: Row) -> list[Value]:
        """The row's typed values."""
        seen: Any = prospect(row) if self._judged else None
        now = self._now
        return [cell(row, seen, now) for cell in self._cells]

    def texts(self, row: Row) -> list[str]:
        """The row as text: days and instants in ISO 8601."""
        return [
            value if isinstance(value, str) else "" if value is None
            else utc_text(value) if isinstance(value, datetime) else str(value)
            for value in self.values(row)
        ]  # fmt: skip
