"""Random public ids, secrets, and the normal form of references.

Public ids are never sequential (T5); codes and references are text from the first byte.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_NOT_REFERENCE = re.compile(r"[^0-9A-Za-z]+")


def public_id() -> str:
    """20 characters of Crockford's base 32: 100 random bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


def secret() -> str:
    """256 random bits as URL-safe text."""
    return secrets.token_urlsafe(32)


def digest(text: str | bytes) -> str:
    """SHA-256 as lower-case hex; enough for secrets of 256 random bits (A6)."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def reference(text: str) -> str:
    """A reference as it is compared: upper case, ASCII letters and digits only."""
    if text.isascii() and text.isalnum():
        return text.upper()
    # first what is left out: a letter such as ß would become two, and what fitted its column would no longer fit
    return _NOT_REFERENCE.sub("", text).upper()
