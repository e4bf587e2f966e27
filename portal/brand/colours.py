"""An operator's accent made fit to read on every ground, by the contrast of WCAG 2.2 (1.4.3, 1.4.11).

Pure: `#rrggbb` in and out. What is too pale on white is darkened, what is too dark on the night's ground is lightened,
keeping its hue; people choose one colour, not eight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

DEFAULT: Final = "#0b5683"
_FORM: Final = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_DAY: Final = ("#ffffff", "#f6f8fa", "#eff3f6")  # the grounds of portal.css that text in the accent stands on
_NIGHT: Final = ("#0a1119", "#101a25", "#152230")
_LEAST: Final = 4.5
_STEPS: Final = 50
_Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Accent:
    """The tokens of one theme."""

    accent: str
    strong: str  # under the pointer
    soft: str  # a ground that text in the accent stands on
    on: str  # text on a ground of the accent


@dataclass(frozen=True, slots=True)
class Accents:
    """Both themes, and whether the chosen colour had to be changed to be read by day."""

    day: Accent
    night: Accent
    moved: bool


def is_colour(text: str) -> bool:
    """Whether it is `#rrggbb` in small letters."""
    return bool(_FORM.fullmatch(text))


def contrast(one: str, other: str) -> float:
    """1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def accents(chosen: str) -> Accents:
    """What both themes use of a chosen colour."""
    day_soft = mixed(chosen, "#ffffff", 88)
    day = _readable(chosen, "#000000", (*_DAY, day_soft))
    night_soft = mixed(chosen, "#0a1119", 72)
    night = _readable(chosen, "#ffffff", (*_NIGHT, night_soft))
    return Accents(
        day=Accent(accent=day, strong=mixed(day, "#000000", 25), soft=day_soft, on="#ffffff"),
        night=Accent(accent=night, strong=mixed(night, "#ffffff", 40), soft=night_soft, on="#06131f"),
        moved=day != chosen,
    )


def sheet(chosen: str) -> str:
    """The style sheet that sets the tokens."""
    found = accents(chosen)
    day, night = found.day, found.night
    pairs = (("accent", day.accent, night.accent), ("accent-strong", day.strong, night.strong),
             ("accent-soft", day.soft, night.soft), ("on-accent", day.on, night.on))  # fmt: skip
    return ":root {\n" + "".join(f"  --{name}: light-dark({a}, {b});\n" for name, a, b in pairs) + "}\n"


def mixed(colour: str, other: str, share: int) -> str:
    """`share` per cent of the other."""
    parts = zip(_rgb(colour), _rgb(other), strict=True)
    return "#" + "".join(f"{(a * (100 - share) + b * share + 50) // 100:02x}" for a, b in parts)


def _readable(chosen: str, towards: str, grounds: tuple[str, ...]) -> str:
    for step in range(_STEPS + 1):
        tried = mixed(chosen, towards, step * 100 // _STEPS)
        if all(contrast(tried, ground) >= _LEAST for ground in grounds):
            return tried
    return towards


def _rgb(colour: str) -> _Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    def part(value: int) -> float:
        c = value / 255
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    red, green, blue = (part(v) for v in _rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
