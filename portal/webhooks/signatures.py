"""Signatures of webhooks as the Standard Webhooks specification has them (H1).

HMAC-SHA256 over `id.timestamp.body`, in Base64 behind `v1,`; one for each secret that is valid, with a space between.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
_NEW_BYTES: Final = 32
_LEAST_BYTES, _MOST_BYTES = 24, 64


def secret_new() -> str:
    """A new secret: `whsec_` and 32 random bytes in Base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def secret_bytes(secret: str) -> bytes:
    """The key inside a secret; ValueError when it is none of 24 to 64 bytes."""
    try:
        raw = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("The secret is not Base64.") from None
    if not secret.startswith(PREFIX) or not _LEAST_BYTES <= len(raw) <= _MOST_BYTES:
        raise ValueError("A secret is whsec_ and 24 to 64 bytes in Base64.")
    return raw


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,` and the Base64 of the digest."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()).decode()


def headers(valid: Iterable[str], *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt; `timestamp` is in seconds since 1970, UTC."""
    signed = [signature(secret, message_id=message_id, timestamp=timestamp, body=body) for secret in valid]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signed),
    }
