"""Where in a message something stands: from a position such as `$[3].eventDateTime` to the characters it means.

Pure. For people who look at what was refused; nothing is decided here, and an unknown position marks nothing.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tracking import edifact, x12

_STEP = re.compile(r"\.?([^.\[\]#]+)|\[(\d+)\]")
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
MOST_LINES: Final = 400
_AROUND: Final = 700  # characters of a long line that are shown before and after the mark


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Segmented:
    """A syntax of segments: how its text begins, which segment opens a message, and where each one stands."""

    prefixes: tuple[str, ...]
    opening: str
    spans: Callable[[str], list[tuple[int, int]]]


_SEGMENTED: Final = (
    Segmented(("UNA", "UNB", "UNG", "UNH"), "UNH", edifact.spans),
    Segmented(("ISA", "GS*", "ST*"), "ST", x12.spans),
)
_SEGMENT: Final = re.compile(r"\.[A-Z][A-Z0-9]{1,2}\[(\d+)\]")
_WHOLE: Final = re.compile(r"\$\[\d+\]")
_ANCHOR: Final = re.compile(r"\$\[\d+\](?:\.[A-Z][A-Z0-9]{1,2}\[\d+\])?")


def anchor(position: str) -> str:
    """The part of a position that names the event: `$[3]` of a list or table, `$[0].EQD[9]` of an EDI message.

    Segments are numbered from zero through the whole file, the envelope's first (UNB, ISA) being 0.
    """
    found = _ANCHOR.match(position)
    return found[0] if found else position


def whole(position: str) -> str:
    """The part of a position that names the message of a file, or the event of a list: `$[0]`."""
    found = _WHOLE.match(position)
    return found[0] if found else position


def locate(text: str, position: str) -> Span | None:
    """The characters that a position means: of JSON by path, of a segment or a CSV row by its number; None when it is
    not there.
    """
    begins = text[:64].lstrip("\ufeff \t\r\n")[:3]
    for syntax in _SEGMENTED:
        if begins in syntax.prefixes:
            return _in_segments(text, syntax, position)
    steps: list[str | int] = [
        int(number) if number else name for name, number in _STEP.findall(position.partition("#")[0].removeprefix("$"))
    ]
    start = _BLANK.match(text)
    if start is not None and text[start.end() : start.end() + 1] in ("[", "{"):
        return _in_json(text, start.end(), steps)
    return _in_csv(text, steps) if steps else None


def _in_segments(text: str, syntax: Segmented, position: str) -> Span | None:
    """The last segment that the position names, else the one that opens the message."""
    spans, named = syntax.spans(text), _SEGMENT.findall(position)
    number = _WHOLE.match(position)
    if not named and number is not None:
        spans = [s for s in spans if text.startswith(syntax.opening, s[0])]
        named = [number[0][2:-1]]
    at = int(named[-1][:9]) if named else len(spans)
    return Span(*spans[at]) if at < len(spans) else None


def _in_json(text: str, at: int, steps: list[str | int]) -> Span | None:
    if not steps:
        return _fault(text)
    if text[at] == "{" and steps[0] == 0:
        steps = steps[1:]  # one event by itself counts as a list of one
    found = Span(at, at + 1)
    try:
        for step in steps:
            inner = _child(text, at, step)
            if inner is None:
                return found if found.end > found.start + 1 else None  # a missing field: the object that lacks it
            at = inner
            found = Span(at, _DECODER.raw_decode(text, at)[1])
        return found if found.end > found.start + 1 else Span(at, _DECODER.raw_decode(text, at)[1])
    except (ValueError, IndexError, RecursionError):
        return None


def _fault(text: str) -> Span | None:
    """Where unreadable JSON stops being readable."""
    try:
        json.loads(text)
    except json.JSONDecodeError as fault:
        at = max(0, min(fault.pos, len(text) - 1))
        return Span(at, at + 1)
    except RecursionError:
        return None
    return None


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _child(text: str, at: int, step: str | int) -> int | None:
    """Where the value of a key, or of a place in a list, begins."""
    opening, at, count = text[at], _skip(text, at + 1), 0
    while text[at] not in "]}":
        key: str | int = count
        if opening == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if key == step:
            return at
        _value, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        count += 1
    return None


def _in_csv(text: str, steps: list[str | int]) -> Span | None:
    """A data row, counted from 0 after the header; quoted cells may hold line breaks."""
    if not isinstance(steps[0], int):
        return None
    lines = text.splitlines(keepends=True)
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for number, _row in enumerate(reader):
            if number == steps[0]:
                first = reader.line_num
                next(reader)
                start = sum(len(line) for line in lines[:first])
                return Span(start, start + len("".join(lines[first : reader.line_num]).rstrip("\r\n")))
    except (csv.Error, StopIteration):
        return None
    return None


def raw_lines(text: str, span: Span | None) -> tuple[list[dict[str, Any]], bool]:
    """The text as numbered lines in the form of web/_raw.html, the span marked, and whether something is left out.

    Of a long message the lines around the span are shown, of a very long line the characters around it.
    """
    lines = text.splitlines() or [""]
    starts, at = [], 0
    for line in text.splitlines(keepends=True) or [""]:
        starts.append(at)
        at += len(line)
    first = next((n for n in range(len(starts) - 1, -1, -1) if span and starts[n] <= span.start), 0)
    low = max(0, min(first - MOST_LINES // 4, len(lines) - MOST_LINES))
    shown, cut = [], low > 0 or len(lines) > low + MOST_LINES
    marked = False
    for n in range(low, min(len(lines), low + MOST_LINES)):
        line, begin = lines[n], starts[n]
        entry: dict[str, Any] = {"n": n + 1, "text": line}
        if span is not None and span.start <= begin + len(line) and span.end > begin:
            a, b = max(0, span.start - begin), min(len(line), span.end - begin)
            before, mark, after = line[:a], line[a:b] or " ", line[b:]
            cut = cut or len(before) > _AROUND or len(after) > _AROUND or len(mark) > 4 * _AROUND
            entry |= {
                "text": "", "marked": True, "anchor": not marked, "before": _tail(before),
                "mark": _head(mark, 4 * _AROUND), "after": _head(after, _AROUND),
            }  # fmt: skip
            marked = True
        elif len(line) > 4 * _AROUND:
            entry["text"], cut = _head(line, 4 * _AROUND), True
        shown.append(entry)
    return shown, cut


def _head(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"


def _tail(text: str) -> str:
    return text if len(text) <= _AROUND else "…" + text[-_AROUND:]
