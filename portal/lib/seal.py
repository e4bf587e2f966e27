"""Seals secrets at rest with AES-GCM under SEAL_KEY; the sealed form carries the key's id for rotation (P6)."""

from __future__ import annotations

import base64
import hashlib
import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings


def _key() -> bytes:
    return bytes.fromhex(settings.SEAL_KEY)


def key_id() -> str:
    """The first 8 hex digits of the key's digest."""
    return hashlib.sha256(_key()).hexdigest()[:8]


def seal(text: str) -> str:
    """`s1.<key id>.<base64 of nonce and ciphertext>`."""
    nonce = secrets.token_bytes(12)
    sealed = AESGCM(_key()).encrypt(nonce, text.encode(), key_id().encode())
    return f"s1.{key_id()}.{base64.b64encode(nonce + sealed).decode()}"


def unseal(sealed: str) -> str:
    """The text; ValueError when it was sealed under another key or changed."""
    version, known, body = sealed.split(".", 2)
    if version != "s1" or known != key_id():
        raise ValueError("This secret was sealed with another key.")
    raw = base64.b64decode(body)
    return AESGCM(_key()).decrypt(raw[:12], raw[12:], known.encode()).decode()
