"""Persons named in a comment as `@Name`: found in its text, and the text cut at them for showing.

Pure. Who may be named is said by the caller; nothing here knows who may see a shipment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be named: public id, name, and on which side."""

    id: str
    name: str
    is_staff: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text; `is_mention` where it names somebody."""

    text: str
    is_mention: bool = False


def named(text: str, people: Iterable[Person]) -> list[Person]:
    """Those whose full name stands in the text behind an @, in the order of the list; the longest name counts."""
    by_name: dict[str, list[Person]] = {}
    for person in people:
        by_name.setdefault(person.name, []).append(person)
    hit = {part.text[1:].casefold() for part in parts(text, list(by_name)) if part.is_mention}
    return [person for name, own in by_name.items() if name.casefold() in hit for person in own]


def parts(text: str, names: Sequence[str]) -> list[Part]:
    """The text cut at `@Name`, case ignored; an @ inside a word, as in an address, names nobody."""
    ordered = sorted({n for n in names if n}, key=len, reverse=True)
    found: list[Part] = []
    plain, at = 0, text.find("@")
    while at != -1:
        name = _name_at(text, at, ordered)
        if name:
            if plain < at:
                found.append(Part(text[plain:at]))
            found.append(Part(text[at : at + 1 + len(name)], is_mention=True))
            plain = at + 1 + len(name)
        at = text.find("@", max(at + 1, plain))
    if plain < len(text):
        found.append(Part(text[plain:]))
    return found


def _name_at(text: str, at: int, names: Sequence[str]) -> str:
    """The name that stands there whole, or nothing."""
    if at and text[at - 1].isalnum():
        return ""
    for name in names:
        end = at + 1 + len(name)
        if text[at + 1 : end].casefold() == name.casefold() and not (end < len(text) and text[end].isalnum()):
            return name
    return ""
