"""`events.csv` of a history on disk, however large: where its rows lie, and batches of them, shipment by shipment.

The order of arrival changes nothing (G3), so rows of one shipment go together: it is then derived once, not ten times.
Keeps a few numbers a row in memory, never the rows; what a row means is read by the adapter that every door uses.
"""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from portal.lib import ids
from tracking import csvtable
from tracking.adapters.csv_events import COLUMNS, NEEDED
from tracking.reasons import Reason
from tracking.types import Unreadable

NO_SOURCE: Final = "history"  # rows that name none
_LINES_OF_A_ROW: Final = 10  # as in csvtable: a quoted cell may hold line ends
_REFERENCES: Final = ("shipment_ref", "booking", "container")  # the surest first
_TIMES: Final = ("recorded_at", "source_created_at", "event_time")  # when a row was learned: the first that is given


class EventFile:
    """The rows of one file by source. Raises Unreadable when its header is wrong or it is not UTF-8.

    `neighbours`: a number by reference in normal form; rows with near numbers are batched together.
    """

    def __init__(self, path: Path, neighbours: Mapping[str, int] | None = None) -> None:
        self.path, self._neighbours = path, neighbours or {}
        self.sources: list[str] = []
        self._number_of: dict[str, int] = {}
        self._offset, self._length = array("Q"), array("L")
        self._time, self._source, self._group = array("d"), array("L"), array("l")
        with path.open("rb") as file:
            self._header = file.readline()
            csvtable.rows(io.BytesIO(self._header), columns=COLUMNS, needed=NEEDED)
            names = self._header.decode("utf-8-sig").strip("\r\n").lower().split(",")
            self._column = {name.strip().strip('"'): n for n, name in enumerate(names)}
            self._index(file)

    def __len__(self) -> int:
        return len(self._offset)

    def batches(self, size: int) -> Iterator[tuple[str, bytes]]:
        """(source, header and at most `size` rows of it), each shipment's rows in the order they were learned in."""
        by_source: list[list[int]] = [[] for _s in self.sources]
        rows = sorted(range(len(self)), key=self._time.__getitem__)
        rows.sort(key=self._group.__getitem__)  # twice by one number each: a pair for every row would take the memory
        for row in rows:
            by_source[self._source[row]].append(row)
        del rows
        chunks = [listed[n : n + size] for listed in by_source for n in range(0, len(listed), size)]
        with self.path.open("rb") as file:
            for rows in chunks:
                yield self.sources[self._source[rows[0]]], self._text(file, rows)

    def _text(self, file: BinaryIO, rows: list[int]) -> bytes:
        parts = [self._header.rstrip(b"\r\n")]
        for row in rows:
            file.seek(self._offset[row])
            parts.append(file.read(self._length[row]).rstrip(b"\r\n"))
        return b"\n".join([*parts, b""])

    def _index(self, file: BinaryIO) -> None:
        offset, number, ahead = len(self._header), 1, list[bytes]()
        while line := ahead.pop(0) if ahead else file.readline():
            number += 1
            if line.count(b'"') % 2:
                line, ahead = _joined(line, ahead, file)
            if line.strip():
                try:
                    self._add(line.decode(), offset, len(line))
                except UnicodeDecodeError as fault:
                    raise Unreadable(
                        Reason.NOT_UTF8, f"The file is not UTF-8 text: byte 0x{line[fault.start]:02x} in line {number}."
                    ) from None
            offset += len(line)

    def _add(self, text: str, offset: int, length: int) -> None:
        cells = text.strip("\r\n").split(",") if '"' not in text else next(csv.reader([text]), [])
        named = self._cell(cells, "source")
        key = named if 0 < len(named) <= 40 and "\0" not in named else NO_SOURCE
        source = self._number_of.setdefault(key, len(self.sources))
        if source == len(self.sources):
            self.sources.append(key)
        self._offset.append(offset)
        self._length.append(length)
        self._source.append(source)
        references = (ids.reference(self._cell(cells, name)) for name in _REFERENCES)
        self._group.append(next((self._neighbours[r] for r in references if r in self._neighbours), -1))
        self._time.append(_seconds(next(filter(None, (self._cell(cells, name) for name in _TIMES)), "")))

    def _cell(self, cells: list[str], name: str) -> str:
        at = self._column.get(name, len(cells))
        return cells[at].strip() if at < len(cells) else ""


def _joined(line: bytes, ahead: list[bytes], file: BinaryIO) -> tuple[bytes, list[bytes]]:
    """A row whose quoted cell holds line ends; lines that do not complete it are given back."""
    taken = [*ahead, *islice(iter(file.readline, b""), max(0, _LINES_OF_A_ROW - 1 - len(ahead)))]
    for n in range(1, len(taken) + 1):
        whole = line + b"".join(taken[:n])
        if whole.count(b'"') % 2 == 0:
            return whole, taken[n:]
    return line, taken


def _seconds(written: str) -> float:
    """For ordering alone; what cannot be read comes first and is refused when it is."""
    try:
        instant = datetime.fromisoformat(written)
    except ValueError:
        return 0.0
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
