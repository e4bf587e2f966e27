"""The list of shipments as a file: for each column of the page, what it becomes in CSV and XLSX.

Codes instead of words, except where the words say more; days and instants (UTC) in ISO 8601; what is unknown stays
empty. The database writes nearly all of it: a file may have hundreds of thousands of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db.models import Case, F, Func, TextField, Value, When
from django.db.models.functions import Cast, Coalesce, NullIf

from portal.lib.periods import zone_named
from tracking.filters import ShipmentFilter
from tracking.selectors import (
    KIND_OF_COLUMN,
    boxes_of,
    latest_of,
    place_of,
    references_of,
    shipment_lines,
    zones_of_places,
)
from tracking.standing import Prospect, Standing

Row = Mapping[str, Any]


def zone_of(row: Row) -> str:
    """The zone of the final place; empty where it is unknown."""
    return place_of(row["final_place_place"], row["final_place"])[1]


def prospect(row: Row) -> Prospect:
    """What the row says about its promise."""
    return Prospect(
        status=row["status"], punctuality=row["punctuality"], due_at=row["due_at"], due_date=row["due_date"],
        eta_at=row["eta_at"], final_at=row["final_at"], final_milestone=row["final_milestone"],
        zone=zone_named(zone_of(row) or "UTC"),
    )  # fmt: skip


class _Instant(Func):
    """An instant as files have it, to the second in UTC."""

    template = "to_char(%(expressions)s at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
    output_field = TextField()


class _Day(Func):
    """A local day."""

    template = "to_char(%(expressions)s, 'YYYY-MM-DD')"
    output_field = TextField()


def _joined(values: Any) -> Func:
    return Func(values, Value("|"), function="array_to_string", output_field=TextField())


def _fields(*, every_event: bool) -> dict[str, dict[str, Any]]:
    """Column -> heads with what stands below them; None: worked out by Standing."""
    latest = latest_of(every_event=every_event)
    return {
        "shipment": {"shipment": F("ref")},
        "promise": {"standing": None, "standing_in_words": None},
        "status": {"status": F("status")},
        "route": {
            "mode": F("mode"), "origin": F("pol"),
            "destination": Coalesce(NullIf(F("final_place"), Value("")), F("pod")), "lane": F("lane"),
        },
        "promised": {"promised_date": _Day(F("due_date")), "promised_until_utc": _Instant(F("due_at"))},
        "expected": {
            "expected_utc": Case(When(final_at__isnull=True, then=_Instant(F("eta_at")))),
            "actual_utc": _Instant(F("final_at")),
        },
        "last": {"last_event": latest["latest"], "last_event_utc": _Instant(latest["latest_at"])},
        "boxes": {"containers": _joined(boxes_of())},
        "carrier": {"carrier": F("carrier")},
        "mode": {"mode": F("mode")},
        "pol": {"port_of_loading": F("pol")},
        "pod": {"port_of_discharge": F("pod")},
        "final": {"final_place": F("final_place")},
        **{column: {head: _joined(references_of(KIND_OF_COLUMN[column]))} for column, head in _REFERENCES.items()},
        "vessel": {"vessel_imo": F("vessel_imo"), "voyage": F("voyage")},
        "branch": {"branch": F("branch")},
        "vertical": {"vertical": F("vertical")},
        "booked": {"booked_utc": _Instant(F("booked_at"))},
        "heard": {"last_heard_utc": _Instant(F("last_heard_at"))},
    }  # fmt: skip


_REFERENCES: Final = {"booking": "booking", "hbl": "house_bill", "mbl": "master_bill", "po": "purchase_orders"}
_NAMED_ALONE: Final = frozenset({Standing.DONE_ON_TIME, Standing.NO_PROMISE, Standing.CANCELLED})
_JUDGED: Final = (
    "status", "punctuality", "due_at", "due_date", "eta_at", "final_at", "final_milestone", "final_place",
)  # fmt: skip


def file_heads(columns: Sequence[str]) -> tuple[str, ...]:
    """The heads of a file with these columns of the page; what two columns share stands once."""
    fields = _fields(every_event=True)
    return tuple(dict.fromkeys(head for column in columns for head in fields[column]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFile:
    """One view as a file, as of `now`, with what its reader may see."""

    wanted: ShipmentFilter
    now: datetime
    every_event: bool
    follower: int | None

    @property
    def heads(self) -> tuple[str, ...]:
        """Its first line."""
        return file_heads(self.wanted.columns)

    def texts(self) -> Iterator[list[str | None]]:
        """Its rows as text."""
        found = _fields(every_event=self.every_event)
        fields = {head: field for column in self.wanted.columns for head, field in found[column].items()}
        plain = [field for field in fields.values() if field is not None]
        # as text: Python reads an instant out of it four times as quickly as the driver does
        judged = [Cast(F(name), TextField()) for name in _JUDGED] if "standing" in fields else []
        lines = shipment_lines(
            self.wanted, [*judged, *plain], now=self.now, every_event=self.every_event, follower=self.follower
        )
        if not judged:
            return map(list, lines)
        return self._judged(lines, list(fields).index("standing"))

    def _judged(self, lines: Iterator[tuple[Any, ...]], at: int) -> Iterator[list[str | None]]:
        """The rows with standing and words in their place."""
        zones = {code: zone_named(zone) for code, zone in zones_of_places().items() if zone}
        utc, now, count, instant = zone_named("UTC"), self.now, len(_JUDGED), datetime.fromisoformat
        fixed: dict[Standing, str] = {}  # the words of these say no more than their name
        for line in lines:
            status, punctuality, due_at, due_date, eta_at, final_at, final_milestone, final_place = line[:count]
            seen = Prospect(
                status=status, punctuality=punctuality, due_at=instant(due_at) if due_at else None,
                due_date=date.fromisoformat(due_date) if due_date else None,
                eta_at=instant(eta_at) if eta_at else None, final_at=instant(final_at) if final_at else None,
                final_milestone=final_milestone, zone=zones.get(final_place, utc),
            )  # fmt: skip
            standing = seen.standing(now)
            words = fixed.get(standing) or seen.words(now)
            if standing in _NAMED_ALONE:
                fixed[standing] = words
            own: list[str | None] = list(line[count:])
            own[at:at] = (standing.value, words)
            yield own

    def values(self) -> Iterator[list[str | date | None]]:
        """Its rows with days and instants as such."""
        kinds = [(n, read) for n, head in enumerate(self.heads) if (read := _reader(head)) is not None]
        for row in self.texts():
            typed: list[str | date | None] = list(row)
            for n, read in kinds:
                text = row[n]
                typed[n] = read(text) if text else None
            yield typed


def _reader(head: str) -> Callable[[str], date] | None:
    if head.endswith("_utc"):
        return datetime.fromisoformat
    return date.fromisoformat if head.endswith("_date") else None
