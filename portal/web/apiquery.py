"""What an address of the API may ask: each parameter is declared once, to be read and to be documented (W8, T9).

What is not declared, stands there twice, or has another form than declared is refused by name. No models, no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError

MOST: Final = 200  # of one page (W9)
USUAL: Final = 50


class BadParameter(PortalError):
    """A parameter of the address is unknown, repeated, or not of its form; the answer names it."""

    code, status = "bad_parameter", 400
    message = _("The parameter %(parameter)s %(why)s")

    def __init__(self, parameter: str, why: object) -> None:
        shown = parameter[:80]
        super().__init__(parameter=shown, why=why)
        self.members = {"parameter": shown}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter: a text of a form, one or more words of a list, a whole number, a day, or yes and no."""

    name: str
    says: str
    choices: tuple[str, ...] = ()
    several: bool = False  # comma-separated choices, each once
    pattern: str = ""  # the whole text
    longest: int = 100
    least: int | None = None  # a whole number from here
    most: int | None = None  # to there
    flag: bool = False
    is_day: bool = False
    usual: Any = None  # what holds when it is left out
    example: str = ""

    def read(self, text: str) -> Any:
        """The value; raises BadParameter."""
        if self.flag:
            return self._word(text, ("true", "false")) == "true"
        if self.least is not None and self.most is not None:
            return self._number(text, self.least, self.most)
        if self.several:
            words = text.split(",")
            if len(set(words)) != len(words):
                raise BadParameter(self.name, _("names something twice."))
            return tuple(self._word(word, self.choices) for word in words)
        if self.choices:
            return self._word(text, self.choices)
        if self.is_day:
            return _day(self.name, text)
        if not 1 <= len(text) <= self.longest:
            raise BadParameter(self.name, _("must have 1 to %(n)d characters.") % {"n": self.longest})
        if self.pattern and not re.fullmatch(self.pattern, text, re.ASCII):
            raise BadParameter(self.name, _("does not have the form %(form)s.") % {"form": self.pattern})
        return text

    def _word(self, text: str, words: Iterable[str]) -> str:
        if text not in words:
            raise BadParameter(self.name, _("must be one of: %(words)s.") % {"words": ", ".join(words)})
        return text

    def _number(self, text: str, least: int, most: int) -> int:
        if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise BadParameter(
                self.name, _("must be a whole number from %(least)d to %(most)d.") % {"least": least, "most": most}
            )
        return int(text)

    def example_value(self) -> Any:
        """The example as what it stands for."""
        found = self.read(self.example)
        return list(found) if isinstance(found, tuple) else found

    def schema(self) -> dict[str, Any]:
        """The same in JSON Schema."""
        if self.flag:
            return {"type": "boolean", "default": bool(self.usual)}
        if self.is_day:
            return {"type": "string", "format": "date"}
        if self.least is not None:
            return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.usual}
        if self.several:
            words = {"type": "string", "enum": list(self.choices)}
            return {"type": "array", "items": words, "minItems": 1, "uniqueItems": True}
        if self.choices:
            told: dict[str, Any] = {"type": "string", "enum": list(self.choices)}
            return {**told, "default": self.usual} if self.usual is not None else told
        told = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return {**told, "pattern": f"^(?:{self.pattern})$"} if self.pattern else told


def _day(name: str, text: str) -> str:
    try:
        date.fromisoformat(text if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII) else "")
    except ValueError:
        raise BadParameter(name, _("is no day of the calendar, such as 2026-03-15.")) from None
    return text


LIMIT: Final = Parameter(
    name="limit", says="How many items one page holds.", least=1, most=MOST, usual=USUAL, example="50"
)
CURSOR: Final = Parameter(
    name="cursor",
    says="`next` or `previous` of an answer: the page after or before it. It holds for the same address and order.",
    pattern=r"[A-Za-z0-9_-]+",
    longest=300,
)


def month(says: str) -> Parameter:
    """A local month."""
    return Parameter(name="month", says=says, pattern=r"[0-9]{4}-(?:0[1-9]|1[0-2])", longest=7, example="2026-03")


def lane() -> Parameter:
    """A lane by its code."""
    says = "First and last place."
    return Parameter(name="lane", says=says, pattern=r"[A-Za-z0-9?._ /-]{1,40}", longest=40, example="CNSHA-NLRTM")


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of one address."""

    parameters: tuple[Parameter, ...]

    @classmethod
    def of(
        cls,
        *parameters: Parameter,
        fields: Iterable[str] = (),
        orders: tuple[str, ...] = (),
        paged: bool = False,
    ) -> Query:
        """Its own parameters, and those that every list shares; the first order is the usual one."""
        shared: list[Parameter] = []
        if orders:
            says = "In which order; with a minus sign from the last to the first."
            shared.append(Parameter(name="order", says=says, choices=orders, usual=orders[0], example=orders[-1]))
        if paged:
            shared += [LIMIT, CURSOR]
        names = tuple(fields)
        if names:
            says = "Only these fields, separated by commas."
            example = ",".join(names[:2])
            shared.append(Parameter(name="fields", says=says, choices=names, several=True, example=example))
        return cls((*parameters, *shared))

    def read(self, params: QueryDict) -> Mapping[str, Any]:
        """Every declared parameter with its value or what is usual. Raises BadParameter, naming the first fault."""
        known = {p.name: p for p in self.parameters}
        found: dict[str, Any] = {name: p.usual for name, p in known.items()}
        for name, texts in params.lists():
            if name not in known:
                raise BadParameter(name, _("is not known here."))
            if len(texts) > 1:
                raise BadParameter(name, _("stands there more than once."))
            found[name] = known[name].read(texts[0])
        return found
