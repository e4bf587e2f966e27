"""Canonical JSON (R4.8) and strict reading of JSON that others send (W8).

Canonical: keys sorted, no spaces, UTF-8 unescaped, no floats.
"""

from __future__ import annotations

import json
from typing import Any


def canonical_bytes(value: Any) -> bytes:
    """Canonical bytes of text, integers, booleans, null, lists and objects; TypeError on anything else."""
    _check(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _check(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("Canonical JSON holds no floats; write decimals as text.")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str) or not key.isascii():
                raise TypeError("Canonical JSON has ASCII text keys only.")
            _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    elif value is not None and not isinstance(value, str | int):
        raise TypeError(f"Canonical JSON cannot hold {type(value).__name__}.")
