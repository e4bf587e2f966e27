"""The EDIFACT syntax: characters to segments, elements and components, whatever the service string advice says.

Knows no message. Reads what is there: line breaks anywhere, several advices in one file, bytes of another character
set than the one declared. What is broken is marked, never repaired.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from tracking.reasons import Reason


@dataclass(frozen=True, slots=True)
class Syntax:
    """The separators in force; an empty `release` means that there is none."""

    component: str = ":"
    element: str = "+"
    release: str = "?"
    terminator: str = "'"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file and one segment may have at most."""

    bytes: int = 32 * 1024 * 1024
    segments: int = 250_000
    elements: int = 100
    components: int = 50
    length: int = 4_000  # characters of a segment
    messages: int = 50_000
    events: int = 50_000


LIMITS: Final = Limits()
DEFAULT: Final = Syntax()
LEVEL_B: Final = Syntax(component="\x1f", element="\x1d", release="", terminator="\x1c")
ADVICE: Final = 9  # characters of UNA and what it advises
_BLANK: Final = re.compile("[ \t\r\n\x00\x1a\ufeff]*")
_AFTER_ADVICE: Final = re.compile(r"\s*UN[BGH]")
_TAG: Final = re.compile(r"[A-Z][A-Z0-9]{2}", re.ASCII)
NO_TAG: Final = "SEG"  # in positions, for a segment whose tag cannot be read

# Code levels of UNB and the character sets that they stand for. A and B are ASCII, whose letters may come in either
# case; X changes its set on the way, so only its ASCII is sure.
_CHARSETS: Final = {
    "UNOA": "ascii", "UNOB": "ascii", "UNOC": "iso8859-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5",
    "UNOF": "iso8859-7", "UNOG": "iso8859-3", "UNOH": "iso8859-4", "UNOI": "iso8859-6", "UNOJ": "iso8859-8",
    "UNOK": "iso8859-9", "UNOL": "iso8859-15", "UNOW": "utf-8", "UNOX": "ascii", "UNOY": "utf-8",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; `number` counts from zero through the file, the advice left out. `elements[0]` is the tag's."""

    number: int
    tag: str
    elements: tuple[tuple[str, ...], ...]
    text: str  # as received, without its terminator
    is_closed: bool = True  # False: the file ends inside it
    fault: Reason | None = None  # why it cannot be read

    def get(self, element: int, component: int = 0) -> str:
        """A component without the blanks around it; empty when it is not there."""
        try:
            return self.elements[element][component].strip()
        except IndexError:
            return ""

    def code(self, element: int, component: int = 0) -> str:
        """The same in upper case."""
        return self.get(element, component).upper()

    @property
    def step(self) -> str:
        """Its name in a position: `EQD[9]`."""
        return f"{self.tag}[{self.number}]"


def charset_of(level: str) -> str:
    """The character set of a code level such as UNOC; ASCII for one that is not known."""
    return _CHARSETS.get(level, "ascii")


def spans(text: str) -> list[tuple[int, int]]:
    """Where each segment stands in the text, by its number; terminators and advices are left out."""
    return [(start, end) for start, end, _syntax, _closed in _pieces(text)]


def segments(raw: bytes, limits: Limits = LIMITS) -> Iterator[Segment]:
    """The segments of a file in their order. Never raises; a segment that breaks a limit carries its fault."""
    text = raw.decode("latin-1")  # one character a byte: separators are ASCII in every character set that is read
    charset = ""
    for number, (start, end, syntax, is_closed) in enumerate(_pieces(text)):
        piece = text[start:end]
        if piece.startswith("UNB"):
            charset = _CHARSETS.get(piece[4:8].upper(), "")
        yield _segment(number, _decoded(piece, charset), syntax, is_closed, limits)


def _pieces(text: str) -> Iterator[tuple[int, int, Syntax, bool]]:
    """(start, end, separators, whether its terminator came) of every segment that is not blank."""
    syntax, is_advised, is_first = DEFAULT, False, True
    at, size = _past_blanks(text, 0), len(text)
    while at < size:
        if text.startswith("UNA", at) and _AFTER_ADVICE.match(text, at + ADVICE):
            syntax, is_advised = _advice(text[at + 3 : at + ADVICE]) or DEFAULT, True
            at = _past_blanks(text, at + ADVICE)
            continue
        if text.startswith("UNB", at):
            syntax = syntax if is_advised else _sniffed(text[at + 3 : at + 4], syntax)
            is_advised = False
        elif is_first and not is_advised:
            syntax = _sniffed(text[at + 3 : at + 4], syntax)
        is_first = False
        end = _end(text, at, syntax)
        if end < 0:
            yield at, len(text.rstrip("\r\n\t \x00\x1a")), syntax, False
            return
        if end > at:
            yield at, end, syntax, True
        at = _past_blanks(text, end + 1)


def _past_blanks(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _advice(given: str) -> Syntax | None:
    """The separators of a service string advice; None when they cannot be told apart or from text."""
    component, element, _decimal, release, _reserved, terminator = tuple(given)
    release = "" if release == " " else release
    marks = [component, element, terminator, *release]
    if len(set(marks)) < len(marks) or any(not m.isascii() or m.isalnum() or m == " " for m in marks):
        return None
    return Syntax(component, element, release, terminator)


def _sniffed(mark: str, before: Syntax) -> Syntax:
    """Without an advice: the usual separators, or those of level B, as what follows UNB says."""
    return {DEFAULT.element: DEFAULT, LEVEL_B.element: LEVEL_B}.get(mark, before)


def _end(text: str, at: int, syntax: Syntax) -> int:
    """Where the next terminator stands that is not released; -1 when there is none."""
    end = text.find(syntax.terminator, at)
    while syntax.release and end >= 0:
        released = end
        while released > at and text[released - 1] == syntax.release:
            released -= 1
        if (end - released) % 2 == 0:
            return end
        end = text.find(syntax.terminator, end + 1)
    return end


def _decoded(piece: str, charset: str) -> str:
    """The text of bytes: in the set declared, else in UTF-8, else as Latin-1, which any byte is."""
    if piece.isascii():
        return piece
    raw = piece.encode("latin-1")
    for name in (charset, "utf-8"):
        try:
            return raw.decode(name) if name else raw.decode("utf-8")
        except UnicodeDecodeError:
            continue
    return piece


def _segment(number: int, text: str, syntax: Syntax, is_closed: bool, limits: Limits) -> Segment:
    if len(text) > limits.length:
        return Segment(number, _tag(text[:3]), (), text[: limits.length], is_closed, Reason.TOO_LONG)
    body = text.replace("\r", "").replace("\n", "") if "\n" in text or "\r" in text else text
    elements = _split(body, syntax)
    tag = _tag(elements[0][0].strip())
    fault = None
    if tag == NO_TAG or len(elements) > limits.elements or max(map(len, elements)) > limits.components:
        fault = Reason.BAD_SEGMENT
    elif "\0" in body:
        fault = Reason.BAD_TEXT
    return Segment(number, tag, elements, body, is_closed, fault)


def _tag(text: str) -> str:
    return text if _TAG.fullmatch(text) else NO_TAG


def _split(body: str, syntax: Syntax) -> tuple[tuple[str, ...], ...]:
    if not syntax.release or syntax.release not in body:
        mark = syntax.component
        return tuple([tuple(e.split(mark)) if mark in e else (e,) for e in body.split(syntax.element)])
    elements: list[tuple[str, ...]] = []
    components: list[str] = []
    value = ""
    for found in _marks(syntax).finditer(body):
        mark = found[0]
        if mark == syntax.element:
            elements.append((*components, value))
            components, value = [], ""
        elif mark == syntax.component:
            components.append(value)
            value = ""
        else:
            value += mark[1:] if mark[0] == syntax.release else mark
    return (*elements, (*components, value))


@cache
def _marks(syntax: Syntax) -> re.Pattern[str]:
    """Runs of plain text, released characters and separators, one after the other without a gap."""
    release, rest = re.escape(syntax.release), re.escape(syntax.component + syntax.element)
    return re.compile(f"{release}.?|[{rest}]|[^{release}{rest}]+", re.DOTALL)
