"""Strict reading of JSON that others send: limits first, then parsing, and a place for every fault (W8).

Knows nothing of events. Duplicate keys, NaN, Infinity and numbers of too many digits are refused.
"""

from __future__ import annotations

import json
import math
import re
import threading
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import msgspec

from tracking.reasons import Reason
from tracking.types import Unreadable

# A string in quotes, closed or not (possessive: one pass whatever the input); then the marks that give structure.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z|\\\Z)'
_STRINGS: Final = re.compile(_STRING, re.DOTALL)
_MARKS: Final = re.compile(_STRING + rb"|[\[\]{},:]", re.DOTALL)
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
# What may stand at the end of a document that was cut off (possessive too, so the longest beginnings come first).
_CUT_SHORT: Final = re.compile(
    r"\s*+(?:-|\.|[eE][+-]?+|tru|tr|t|fals|fal|fa|f|nul|nu|n|\"(?:[^\"\\]|\\.)*+\\?+)?+\s*+", re.DOTALL
)
_MAX_DIGITS: Final = 40
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()
_GLANCE: Final = 64 * 1024
_MOST_KEYS: Final = 1_000  # that a look at what a message is goes through
_AT_A_TIME: Final = 50_000  # strings that are taken out at once: each costs memory until they are gone
_NOT_MARKS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_BLANKS: Final = b" \t\r\n"
_DIGITS_ALIKE: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER: Final = b"0" * _MAX_DIGITS
_UNUSUAL: Final = object()
_read, _write = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may have at most."""

    bytes: int = 64 * 1024 * 1024
    depth: int = 32
    items: int = 1_000_000  # values in the whole document
    length: int = 200_000  # entries of one list, wherever it stands


FILE: Final = Limits()
DOOR: Final = Limits(bytes=5 * 1024 * 1024, items=500_000, length=5_000)  # POST /ingest: up to 5,000 events


def loads(raw: bytes, *, limits: Limits = FILE) -> Any:
    """The value of a JSON document in UTF-8 (a byte order mark is skipped).

    Raises Unreadable: too_large, empty, not_utf8, too_deep, too_many_items, truncated_json, not_json, duplicate_key,
    bad_number. For a document that was cut off, `position` is the path of the value in which it ends.
    """
    if _kept.raw is raw and limits is FILE:
        value = _kept.value
        forget()
        return value
    usual = _usual(raw, limits)
    return usual if usual is not _UNUSUAL else _careful(raw, limits)


def check(raw: bytes, *, limits: Limits) -> None:
    """Raises what `loads` raises, and keeps the value for the next reader of these very bytes in this thread.

    A door judges what it takes before it is stored, and reads it after: once is enough. Call `forget` in the end.
    """
    value = loads(raw, limits=limits)
    _kept.raw, _kept.value = raw, value


def forget() -> None:
    """Lets go of what `check` kept."""
    _kept.raw = _kept.value = None


class _Kept(threading.local):
    raw: bytes | None = None
    value: Any = None


_kept: Final = _Kept()


def _usual(raw: bytes, limits: Limits) -> Any:
    """The value of a document that is as it should be, read the quick way; _UNUSUAL: to be read the careful way.

    What reads back as it was written, blanks apart, holds no key twice, no odd number and no escape.
    """
    if len(raw) > limits.bytes or b"\\" in raw or _LONG_NUMBER in raw.translate(_DIGITS_ALIKE):
        return _UNUSUAL
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > limits.items or not _is_shallow(raw, limits.depth):
        return _UNUSUAL
    try:
        value = _read(raw)
        again = _write(value)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return _UNUSUAL
    if again != raw and again.translate(None, _BLANKS) != raw.translate(None, _BLANKS):
        return _UNUSUAL
    longest = _longest([value]) if raw.count(b",") >= limits.length else 0
    return value if longest <= limits.length else _UNUSUAL


def _is_shallow(raw: bytes, depth: int) -> bool:
    """Whether it is certainly nested no deeper; each turn takes away the innermost one or two levels."""
    marks = raw.translate(None, _NOT_MARKS).replace(b'""', b"")
    for _turn in range(depth // 2):
        if not marks:
            return True
        marks = marks.replace(b"{}", b"").replace(b"[]", b"")
    return not marks


def _careful(raw: bytes, limits: Limits) -> Any:
    _measure(raw, limits)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        if fault.reason == "unexpected end of data":
            raise _cut(raw) from None
        raise Unreadable(Reason.NOT_UTF8, f"The message is not UTF-8 text: byte {fault.start} is wrong.") from None
    if not text.strip():
        raise Unreadable(Reason.EMPTY, "The message is empty.")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
    except json.JSONDecodeError as fault:
        if _CUT_SHORT.fullmatch(text, fault.pos):
            raise _cut(raw) from None
        raise Unreadable(
            Reason.NOT_JSON, f"The message is not valid JSON: {fault.msg}, line {fault.lineno}, column {fault.colno}."
        ) from None
    except RecursionError:
        raise Unreadable(Reason.TOO_DEEP, "The message is nested too deep.") from None
    longest = _longest([value]) if raw.count(b",") >= limits.length else 0
    if longest > limits.length:
        raise Unreadable(Reason.TOO_MANY_ITEMS, f"The message holds {longest} items; {limits.length} are allowed.")
    return value


def first(raw: bytes) -> Any:
    """The first item of a list at the top, or of the list `events` of an object; else the object. None: who knows.

    For a look at what a message is, before it is read: no limits, no faults, and no more read than needed.
    """
    for part in (raw[:_GLANCE], raw) if len(raw) > _GLANCE else (raw,):
        try:
            return _first(part.decode("utf-8-sig", "ignore"))
        except (ValueError, IndexError, RecursionError):
            continue
    return None


def _first(text: str) -> Any:
    at = _past_blank(text, 0)
    if text[at] == "[":
        at = _past_blank(text, at + 1)
        return None if text[at] == "]" else _DECODER.raw_decode(text, at)[0]
    found: dict[str, Any] = {}
    for _key in range(_MOST_KEYS):
        if text[at] not in "{," or text[at := _past_blank(text, at + 1)] == "}":
            break
        key, at = _DECODER.raw_decode(text, at)
        at = _past_blank(text, _past_blank(text, at) + 1)
        if key == "events" and text[at] == "[":
            return _first(text[at:])
        found[str(key)], at = _DECODER.raw_decode(text, at)
        at = _past_blank(text, at)
    return found


def _past_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _measure(raw: bytes, limits: Limits) -> None:
    """Counts bytes, items and depth before anything is built."""
    if len(raw) > limits.bytes:
        raise Unreadable(Reason.TOO_LARGE, f"The message has {len(raw)} bytes; {limits.bytes} are allowed.")
    bare, taken = raw, _AT_A_TIME
    while taken == _AT_A_TIME:
        bare, taken = _STRINGS.subn(b"", bare, count=_AT_A_TIME)
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > limits.items:
        raise Unreadable(Reason.TOO_MANY_ITEMS, f"The message holds more than {limits.items} values.")
    depth = 0
    for mark in bare.translate(None, _NOT_BRACKETS):
        depth += 1 if mark in b"[{" else -1
        if depth > limits.depth:
            raise Unreadable(Reason.TOO_DEEP, f"The message is nested deeper than {limits.depth} levels.")
        if depth < 0:  # no JSON, as its reader will say
            return


def _longest(value: Any) -> int:
    """The length of the longest list in a value."""
    longest, waiting = 0, [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, list):
            longest = max(longest, len(inner))
        else:
            inner = inner.values()
        waiting += [part for part in inner if isinstance(part, list | dict)]
    return longest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        name = next(key for key, _value in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable(Reason.DUPLICATE_KEY, f"The key {name[:80]!a} occurs twice in one object.")
    return found


def _integer(text: str) -> int:
    return int(text) if len(text) <= _MAX_DIGITS else _too_many_digits(text)


def _number(text: str) -> float:
    number = float(text) if len(text) <= _MAX_DIGITS else _too_many_digits(text)
    if not math.isfinite(number):
        raise Unreadable(Reason.BAD_NUMBER, f"The number {text} is too large.")
    return number


def _too_many_digits(text: str) -> NoReturn:
    raise Unreadable(Reason.BAD_NUMBER, f"The number {text[:20]}… has {len(text)} digits; {_MAX_DIGITS} are allowed.")


def _constant(text: str) -> NoReturn:
    raise Unreadable(Reason.BAD_NUMBER, f"{text} is not a number that JSON knows.")


def _cut(raw: bytes) -> Unreadable:
    path = path_at_end(raw)
    line = raw.count(b"\n") + 1
    return Unreadable(
        Reason.TRUNCATED_JSON,
        f"The JSON ends at byte {len(raw)} (line {line}) inside {path}, before it is complete.",
        position=path,
    )


def path_at_end(raw: bytes) -> str:
    """The path of the value in which a document that was cut off ends, for example `$[3].transportCall`."""
    steps: list[str | int] = []  # an index inside a list, the last key inside an object
    last = b""
    for found in _MARKS.finditer(raw):
        mark = found[0]
        if mark == b"[":
            steps.append(0)
        elif mark == b"{":
            steps.append("")
        elif mark in (b"]", b"}"):
            del steps[-1:]
        elif mark == b"," and steps:
            steps[-1] = steps[-1] + 1 if isinstance(steps[-1], int) else ""
        elif mark == b":" and steps and isinstance(steps[-1], str):
            steps[-1] = last.strip(b'"').decode("utf-8", "replace")[:60]
        last = mark
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps if step != "")
