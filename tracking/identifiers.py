"""Container numbers (ISO 6346), IMO numbers and UN/LOCODEs: normal forms and check digits.

A number that fails its check digit is still the number that was sent: callers warn, they do not refuse.
"""

from __future__ import annotations

import re
from typing import Final

_CONTAINER: Final = re.compile(r"[A-Z]{3}[UJZR][0-9]{7}", re.ASCII)
_IMO: Final = re.compile(r"[0-9]{7}", re.ASCII)
_LOCODE: Final = re.compile(r"[A-Z]{2}[A-Z2-9]{3}", re.ASCII)
_FILLING: Final = re.compile(r"[\s./_-]+")

# Letters count 10 to 38, leaving out the multiples of 11 (ISO 6346).
_LETTERS: Final = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (n for n in range(10, 39) if n % 11), strict=True))


def upper(text: str) -> str:
    """Upper case letter for letter: ß, which would become two, stays, so that what fits its column goes on fitting."""
    return text.upper() if text.isascii() else "".join(c.upper() if len(c.upper()) == 1 else c for c in text)


def container(text: str) -> str:
    """A container number as it is compared: upper case, without spaces, hyphens and dots."""
    return upper(_FILLING.sub("", text))


def container_digit(prefix: str) -> int:
    """The check digit of the first ten characters; a remainder of 10 counts as 0."""
    values = (_LETTERS[c] if c in _LETTERS else int(c) for c in prefix[:10])
    return sum(value << place for place, value in enumerate(values)) % 11 % 10


def container_ok(number: str) -> bool:
    """Whether a number in normal form is written as ISO 6346 says and its check digit fits.

    Whether such a box exists is another question.
    """
    return _CONTAINER.fullmatch(number) is not None and container_digit(number) == int(number[10])


def imo(text: str) -> str:
    """An IMO number as it is compared: without the letters IMO, spaces and hyphens."""
    return upper(_FILLING.sub("", text)).removeprefix("IMO")


def imo_ok(number: str) -> bool:
    """Seven ASCII digits, the last of them the last digit of the weighted sum (weights 7 to 2)."""
    if _IMO.fullmatch(number) is None:
        return False
    return sum(int(digit) * (7 - place) for place, digit in enumerate(number[:6])) % 10 == int(number[6])


def place(text: str) -> str:
    """A place code as it is compared: trimmed, upper case; the space some write after the country is dropped."""
    code = upper(text.strip())
    joined = code.replace(" ", "")
    return joined if locode_ok(joined) else code


def locode_ok(code: str) -> bool:
    """Whether it is written like a UN/LOCODE: two letters, then three of A-Z and 2-9."""
    return _LOCODE.fullmatch(code) is not None
