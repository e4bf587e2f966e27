"""DCSA Notification-Signature: HMAC-SHA256 over the raw bytes of a callback, and its named failures (G10).

Holds no secrets and stores nothing; replay is stopped by deduplication, since nothing in the signature says when.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_HEADER: Final = re.compile(r"\s*([A-Za-z0-9_+-]+)=([0-9A-Fa-f]+)\s*", re.ASCII)
SHORTEST: Final = 32  # bytes of a decoded secret
LONGEST: Final = 64


class Fault(StrEnum):
    """What can be wrong with a signature."""

    MISSING = "signature_missing"
    REPEATED = "signature_repeated"
    MALFORMED = "signature_malformed"
    UNKNOWN_TYPE = "signature_unknown_type"
    MISMATCH = "signature_mismatch"
    NO_SECRET = "signature_no_secret"  # noqa: S105 - the name of a fault


_SENTENCES: Final[dict[Fault, Promise]] = {
    Fault.MISSING: _("The header Notification-Signature is missing."),
    Fault.REPEATED: _("The header Notification-Signature must be sent once."),
    Fault.MALFORMED: _("The header Notification-Signature must be written as sha256=<hex>."),
    Fault.UNKNOWN_TYPE: _("The signature must be of the type sha256."),
    Fault.MISMATCH: _("The signature does not fit the body."),
    Fault.NO_SECRET: _("No shared secret is agreed with this source."),
}


class SignatureFault(ValueError):
    """A signature that must not be trusted; `fault` names why, the text says it to the sender."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(_SENTENCES[fault]))


def secret_bytes(secret: str) -> bytes:
    """The decoded secret, 32 to 64 bytes; ValueError when it is not Base64 of that length."""
    try:
        key = base64.b64decode(secret.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("A secret is written in Base64.") from None
    if not SHORTEST <= len(key) <= LONGEST:
        raise ValueError(f"A secret has {SHORTEST} to {LONGEST} bytes once decoded, not {len(key)}.")
    return key


def signature(body: bytes, secret: str) -> str:
    """The header's value for a body: `sha256=` and 64 lower-case hex digits. ValueError for an unusable secret."""
    return "sha256=" + hmac.new(secret_bytes(secret), body, hashlib.sha256).hexdigest()


def verify(body: bytes, header: str | Sequence[str] | None, secrets: Sequence[str]) -> None:
    """Raises SignatureFault unless the header fits the raw bytes under one of the valid secrets.

    `header` is the value as received, or all values; servers join repeated headers by a comma. Every secret is tried,
    in constant time, so that the time taken does not tell which one fitted.
    """
    values = [header] if isinstance(header, str) else list(header or ())
    if not any(v.strip() for v in values):
        raise SignatureFault(Fault.MISSING)
    if len(values) > 1 or "," in values[0]:
        raise SignatureFault(Fault.REPEATED)
    written = _HEADER.fullmatch(values[0])
    if written is None:
        raise SignatureFault(Fault.MALFORMED)
    if written[1].lower() != "sha256":
        raise SignatureFault(Fault.UNKNOWN_TYPE)
    if not secrets:
        raise SignatureFault(Fault.NO_SECRET)
    given = f"sha256={written[2].lower()}".encode()
    fits = [hmac.compare_digest(given, signature(body, secret).encode()) for secret in secrets]
    if not any(fits):
        raise SignatureFault(Fault.MISMATCH)
