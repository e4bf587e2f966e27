"""`events.csv` of a history on disk, however large: where its rows lie, and batches of them, shipment by shipment.

The order of arrival changes nothing (G3), so rows of one shipment go together: it is then derived once, not ten times.
Where the rows lie is sorted on disk and never held in memory; what a row means is read by the adapter that every door
uses.
"""

from __future__ import annotations

import csv
import heapq
import io
import os
import struct
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from portal.lib import ids
from tracking import csvtable
from tracking.adapters.csv_events import COLUMNS, NEEDED
from tracking.reasons import Reason
from tracking.types import Unreadable

NO_SOURCE: Final = "history"  # rows that name none
_LINES_OF_A_ROW: Final = 10  # as in csvtable: a quoted cell may hold line ends
_REFERENCES: Final = ("shipment_ref", "booking", "container")  # the surest first
_TIMES: Final = ("recorded_at", "source_created_at", "event_time")  # when a row was learned: the first that is given


class Neighbours:
    """Which shipments stand near each other: a number by reference, those of one account together.

    Holds 8 bytes a reference and a shipment. It only decides what is batched together, so two references that share
    40 bits of their hashes do no harm.
    """

    _SHIPMENT: Final = 24  # bits

    def __init__(self) -> None:
        self._accounts: dict[str, int] = {}
        self._numbers, self._packed = array("Q"), array("Q")
        self._is_sorted = True

    def add(self, account: str, references: Iterable[str]) -> None:
        """The next shipment, by everything it is called."""
        nth = len(self._numbers)
        number = self._accounts.setdefault(account.upper(), len(self._accounts))
        self._numbers.append((number << 32) + nth)
        self._packed.extend(self._hash(ref) | nth & self._mask for text in references if (ref := ids.reference(text)))
        self._is_sorted = False

    def find(self, reference: str) -> int | None:
        """The number of the shipment that is called so."""
        if not self._is_sorted:
            self._packed, self._is_sorted = array("Q", sorted(self._packed)), True
        wanted = self._hash(reference)
        at = bisect_left(self._packed, wanted)
        if at == len(self._packed) or self._packed[at] >> self._SHIPMENT != wanted >> self._SHIPMENT:
            return None
        return self._numbers[self._packed[at] & self._mask]

    @property
    def _mask(self) -> int:
        return (1 << self._SHIPMENT) - 1

    def _hash(self, reference: str) -> int:
        return (hash(reference) & ((1 << 40) - 1)) << self._SHIPMENT


class EventFile:
    """The rows of one file by source. Raises Unreadable when its header is wrong or it is not UTF-8.

    `neighbours`: rows of shipments that stand near each other are batched together. To be closed after use.
    """

    def __init__(self, path: Path, neighbours: Neighbours | None = None) -> None:
        self.path, self._neighbours = path, neighbours or Neighbours()
        self._index: IO[bytes]
        self._number_of: dict[str, int] = {}
        self._counts: list[int] = []
        index = _Index()
        with path.open("rb") as file:
            self._header = file.readline()
            csvtable.rows(io.BytesIO(self._header), columns=COLUMNS, needed=NEEDED)
            names = self._header.decode("utf-8-sig").strip("\r\n").lower().split(",")
            self._column = {name.strip().strip('"'): n for n, name in enumerate(names)}
            with index:
                self._read(file, index)
                self._index = index.sorted()

    def close(self) -> None:
        """Forgets where the rows lie."""
        self._index.close()

    def plain(self) -> dict[str, Any]:
        """Plain values from which another process reads the same rows, as long as this is not closed."""
        return {**vars(self), "_neighbours": None, "_index": self._index.name}

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> EventFile:
        """From what `plain` gave."""
        events = cls.__new__(cls)
        vars(events).update(values, _neighbours=Neighbours(), _index=open(values["_index"], "rb"))  # noqa: SIM115
        return events

    def __len__(self) -> int:
        return sum(self._counts)

    @property
    def sources(self) -> dict[str, int]:
        """How many rows each source has."""
        return dict(zip(self._number_of, self._counts, strict=True))

    def batches(self, size: int, *, of: Collection[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """(source, header and at most `size` rows of it), each shipment's rows in the order they were learned in.

        `of`: these sources only. Several processes may read their parts of one file at once.
        """
        first = 0
        with self.path.open("rb") as file:
            for source, count in self.sources.items():
                if of is None or source in of:
                    for n in range(first, first + count, size):
                        yield source, self._text(file, n, min(size, first + count - n))
                first += count

    def _text(self, file: BinaryIO, first: int, count: int) -> bytes:
        parts = [self._header.rstrip(b"\r\n")]
        for offset, length in _places(self._index, first, count):
            file.seek(offset)
            parts.append(file.read(length).rstrip(b"\r\n"))
        return b"\n".join([*parts, b""])

    def _read(self, file: BinaryIO, index: _Index) -> None:
        offset, number, ahead = len(self._header), 1, list[bytes]()
        while line := ahead.pop(0) if ahead else file.readline():
            number += 1
            if line.count(b'"') % 2:
                line, ahead = _joined(line, ahead, file)
            if line.strip():
                try:
                    index.add(*self._place(line.decode()), offset, len(line))
                except UnicodeDecodeError as fault:
                    raise Unreadable(
                        Reason.NOT_UTF8, f"The file is not UTF-8 text: byte 0x{line[fault.start]:02x} in line {number}."
                    ) from None
            offset += len(line)

    def _place(self, text: str) -> tuple[int, int, int]:
        """Among its source's rows: the source's number, the shipment's, the instant."""
        cells = text.strip("\r\n").split(",") if '"' not in text else next(csv.reader([text]), [])
        named = self._cell(cells, "source")
        key = named if 0 < len(named) <= 40 and "\0" not in named else NO_SOURCE
        source = self._number_of.setdefault(key, len(self._counts))
        if source == len(self._counts):
            self._counts.append(0)
        self._counts[source] += 1
        references = (ids.reference(self._cell(cells, name)) for name in _REFERENCES)
        group = next((n + 1 for r in references if r and (n := self._neighbours.find(r)) is not None), 0)
        return source, group, _instant(next(filter(None, (self._cell(cells, name) for name in _TIMES)), ""))

    def _cell(self, cells: list[str], name: str) -> str:
        at = self._column.get(name, len(cells))
        return cells[at].strip() if at < len(cells) else ""


# --- where the rows lie, sorted ---

_ROW: Final = struct.Struct(">IQQQI")  # source, shipment, instant, offset, length: sorts as bytes
_PLACE: Final = struct.Struct(">20xQI")
_PART: Final = 200_000


class _Index:
    """Rows in the order of what they are; parts that are sorted already lie on disk."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._parts: list[IO[bytes]] = []

    def __enter__(self) -> _Index:
        return self

    def __exit__(self, *_fault: object) -> None:
        for part in self._parts:
            part.close()

    def add(self, source: int, group: int, instant: int, offset: int, length: int) -> None:
        """The next row of the file."""
        self._held.append(_ROW.pack(source, group, instant, offset, length))
        if len(self._held) == _PART:
            self._parts.append(_kept(sorted(self._held)))
            self._held = []

    def sorted(self) -> IO[bytes]:
        """All rows in a file that is gone when it is closed."""
        held, self._held = sorted(self._held), []
        return _kept(heapq.merge(*map(_rows, self._parts), held) if self._parts else held)


def _kept(rows: Iterable[bytes]) -> IO[bytes]:
    """In a file that is gone when it is closed."""
    file = tempfile.NamedTemporaryFile(prefix="plimsoll-")  # noqa: SIM115 - it lives as long as the index
    file.writelines(rows)
    file.flush()
    return file


def _rows(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while row := file.read(_ROW.size):
        yield row


def _places(file: IO[bytes], first: int, count: int) -> Iterator[tuple[int, int]]:
    """(offset, length) of rows by their place in the order; moves no position that another process shares."""
    rows = os.pread(file.fileno(), count * _ROW.size, first * _ROW.size)
    return _PLACE.iter_unpack(rows)  # type: ignore[return-value]


def _joined(line: bytes, ahead: list[bytes], file: BinaryIO) -> tuple[bytes, list[bytes]]:
    """A row whose quoted cell holds line ends; lines that do not complete it are given back."""
    taken = [*ahead, *islice(iter(file.readline, b""), max(0, _LINES_OF_A_ROW - 1 - len(ahead)))]
    for n in range(1, len(taken) + 1):
        whole = line + b"".join(taken[:n])
        if whole.count(b'"') % 2 == 0:
            return whole, taken[n:]
    return line, taken


def _instant(written: str) -> int:
    """Microseconds since the year 1, for ordering alone; what cannot be read comes first and is refused when it is."""
    try:
        instant = datetime.fromisoformat(written)
    except ValueError:
        return 0
    return max(0, ((instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - _FIRST) // datetime.resolution)


_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
