"""Reads the environment: text, flags, numbers, database and mail addresses; plain sentences when one is wrong.

Standard library only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit


class EnvironmentFault(ValueError):
    """A variable of the environment is missing or cannot be read; the message names it."""


def text(name: str, default: str) -> str:
    """The variable's text, or the default when it is unset or empty."""
    return os.environ.get(name) or default


def flag(name: str, default: bool) -> bool:
    """1, true, yes, on or 0, false, no, off."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise EnvironmentFault(f"{name} must be 1 or 0, not {value!r}.")


def number(name: str, default: int) -> int:
    """A whole number."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.isascii() or not value.lstrip("-").isdigit():
        raise EnvironmentFault(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def words(name: str, default: str) -> list[str]:
    """A list separated by spaces or commas."""
    return text(name, default).replace(",", " ").split()


def numbers(name: str, default: str) -> list[int]:
    """Whole numbers separated by spaces or commas."""
    listed = words(name, default)
    if not all(word.isascii() and word.isdigit() for word in listed):
        raise EnvironmentFault(f"{name} must be whole numbers separated by spaces.")
    return [int(word) for word in listed]


_CLOSED: Final = (".localhost", ".local", ".internal", ".intranet", ".lan", ".private", ".home.arpa", ".test")


def is_closed_host(entry: str) -> bool:
    """Whether `host`, `host:port` or `[address]:port` can only be a host of a closed network, judged by its name."""
    host = entry[1:].partition("]")[0] if entry.startswith("[") else entry.partition(":")[0]
    try:
        return not ip_address(host).is_global
    except ValueError:
        # a name of digits and dots may still be read as an address
        return not host.replace(".", "").isdigit() and ("." not in host or host.lower().endswith(_CLOSED))


def database(name: str) -> dict[str, Any]:
    """A `postgresql://user:password@host:port/name?host=/socket/folder` address as Django's settings.

    Unset gives an address that nothing answers at, so that commands without a database still start.
    """
    url = os.environ.get(name, "")
    if not url:
        return {"NAME": "plimsoll", "USER": "plimsoll_app", "HOST": "/nonexistent", "OPTIONS": {}}
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise EnvironmentFault(f"{name} must begin with postgresql://.")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    return {
        "NAME": unquote(parts.path.lstrip("/")) or "plimsoll",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", None) or parts.hostname or "",
        "PORT": str(query.pop("port", None) or parts.port or ""),
        "OPTIONS": query,
    }


@dataclass(frozen=True)
class Mail:
    """Where mail is handed over."""

    host: str
    port: int
    user: str
    password: str
    tls: bool
    starttls: bool


def mail(name: str) -> Mail:
    """`smtp://user:password@host:port`, `smtp+tls://` for STARTTLS, `smtps://` for TLS from the first byte."""
    parts = urlsplit(os.environ.get(name) or "smtp://127.0.0.1:25")
    if parts.scheme not in ("smtp", "smtp+tls", "smtps"):
        raise EnvironmentFault(f"{name} must begin with smtp://, smtp+tls:// or smtps://.")
    default_port = {"smtp": 25, "smtp+tls": 587, "smtps": 465}[parts.scheme]
    return Mail(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or default_port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp+tls",
    )
