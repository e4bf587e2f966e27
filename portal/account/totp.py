"""One-time codes by time (RFC 6238: SHA-1, 30 seconds, 6 digits), pure.

That a code counts once is kept by portal.account.second_factor.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

PERIOD: Final = 30  # seconds
DIGITS: Final = 6
TOLERANCE: Final = 1  # steps before and after, for clocks that run apart
_SECRET = re.compile(r"\A[A-Z2-7]{16,64}\Z")


def secret_new() -> str:
    """160 random bits as Base32 without padding."""
    return base64.b32encode(secrets.token_bytes(20)).decode().rstrip("=")


def secret_fits(secret: str) -> bool:
    """Whether the text is a Base32 secret of 80 bits or more."""
    return _SECRET.match(secret) is not None


def step_at(at: datetime) -> int:
    """The number of the 30-second step that holds the instant (aware)."""
    return int(at.timestamp()) // PERIOD


def code_of_step(secret: str, step: int) -> str:
    """Six digits."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    mac = hmac.digest(key, step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0x0F
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def code_at(secret: str, at: datetime) -> str:
    """The code that an authenticator app shows at the instant."""
    return code_of_step(secret, step_at(at))


def step_of_code(secret: str, code: str, *, at: datetime, after: int = -1) -> int | None:
    """The step whose code this is, within the tolerance and later than `after`; None when there is none."""
    now, found = step_at(at), None
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        same = hmac.compare_digest(code_of_step(secret, step).encode(), code.encode())
        if same and step > after and found is None:
            found = step
    return found


def address(secret: str, *, issuer: str, label: str) -> str:
    """The otpauth:// address that the QR code carries."""
    query = urlencode({"secret": secret, "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(f'{issuer}:{label}')}?{query}"
