"""What a list of shipments was asked for: read from the address, written back into links.

No models and no clock. An unknown value is dropped, never an error: an old link still opens a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from portal.lib import ids
from tracking.standing import Standing
from tracking.wording import STATUSES

MOST_REFERENCES: Final = 200
_CODE = re.compile(r"^[A-Za-z0-9?._ /-]{1,40}$")
_MONTH = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$", re.ASCII)
_BREAKS = re.compile(r"[\s,;]+")
OLDEST_FIRST: Final = "promised"  # the value of `sort`; newest promised first is the default


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentFilter:
    """Which shipments, in which order. Empty text: not asked."""

    q: str = ""
    standing: str = ""
    status: str = ""
    lane: str = ""
    month: str = ""
    arriving: str = ""  # days ahead
    due: bool = False  # whose promise has come due
    unheard: bool = False  # an expected milestone has passed without a word
    sort: str = ""

    @classmethod
    def read(cls, params: Mapping[str, str]) -> ShipmentFilter:
        """From the query part of an address."""
        standing, status = params.get("standing", ""), params.get("status", "")
        lane, month, arriving = params.get("lane", ""), params.get("month", ""), params.get("arriving", "")
        return cls(
            q=params.get("q", "").replace("\x00", "").strip()[:8_000],
            standing=standing if standing in list(Standing) else "",
            status=status if status in STATUSES else "",
            lane=lane if _CODE.match(lane) else "",
            month=month if _MONTH.match(month) else "",
            arriving=arriving if arriving in ("7", "14", "30") else "",
            due=params.get("due") == "past",
            unheard=params.get("unheard") == "1",
            sort=OLDEST_FIRST if params.get("sort") == OLDEST_FIRST else "",
        )

    def params(self) -> dict[str, str]:
        """What stands in the address; nothing for what was not asked."""
        named = {
            "q": self.q, "standing": self.standing, "status": self.status, "lane": self.lane, "month": self.month,
            "arriving": self.arriving, "due": "past" if self.due else "",
            "unheard": "1" if self.unheard else "", "sort": self.sort,
        }  # fmt: skip
        return {name: value for name, value in named.items() if value}

    def url(self, base: str, **changes: object) -> str:
        """The address of the list with some of it changed; always its first page."""
        asked = replace(self, **changes).params()  # type: ignore[arg-type]
        return f"{base}?{urlencode(asked)}" if asked else base

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the order was asked."""
        return bool(self.params().keys() - {"sort"})

    @property
    def oldest_first(self) -> bool:
        """The order of the promised day."""
        return self.sort == OLDEST_FIRST


@dataclass(frozen=True, slots=True)
class Terms:
    """What was typed into the search box, in normal form: as one reference, and as a pasted list."""

    whole: str
    listed: tuple[tuple[str, str], ...]  # (normal form, as written), without repeats
    dropped: int = 0  # how many were beyond the most

    @classmethod
    def read(cls, text: str) -> Terms:
        """References are separated by blanks, commas, semicolons or lines; one may also hold blanks itself."""
        seen: dict[str, str] = {}
        for written in _BREAKS.split(text):
            normal = ids.reference(written)
            if normal:
                seen.setdefault(normal, written)
        pairs = list(seen.items())
        return cls(ids.reference(text)[:64], tuple(pairs[:MOST_REFERENCES]), max(0, len(pairs) - MOST_REFERENCES))

    @property
    def is_list(self) -> bool:
        """Whether several references were given."""
        return len(self.listed) > 1
