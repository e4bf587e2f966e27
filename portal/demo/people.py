"""Who lives in the demo world: logins, sources, and where their secrets are kept for whoever runs the demo.

The secrets are known on purpose; production never has these people.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from portal.launch.database import var_folder
from portal.tenancy.models import STRONG_ROLES, Role
from tracking.types import SourceKind

PASSWORD: Final = "load-line-1876"  # noqa: S105 - printed for everybody to read
OPERATOR: Final = "MERIDIAN"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a sign-in; `account` is empty for the operator's people."""

    email: str
    name: str
    role: Role
    account: str = ""
    tier: str = ""

    @property
    def totp_secret(self) -> str | None:
        """The same every time; None for whoever signs in by password alone."""
        if self.role not in STRONG_ROLES:
            return None
        return base64.b32encode(hashlib.sha256(f"plimsoll demo {self.email}".encode()).digest()[:20]).decode()

    def plain(self) -> dict[str, Any]:
        """As `demo --json` prints it."""
        return {
            "login": self.email, "password": PASSWORD, "totp_secret": self.totp_secret, "role": self.role.value.lower(),
            "account": self.account or None, "tier": self.tier or None,
        }  # fmt: skip


PEOPLE: Final = (
    Person("olga.ops@meridian.example", "Olga Visser", Role.OPS),
    Person("adam.sales@meridian.example", "Adam Brandt", Role.ACCOUNT_MANAGER),
    Person("fay.finance@meridian.example", "Fay Okafor", Role.FINANCE),
    Person("finn.finance@meridian.example", "Finn Larsen", Role.FINANCE),
    Person("ada.admin@meridian.example", "Ada de Groot", Role.ADMIN),
    Person("mara@acme.example", "Mara Lindqvist", Role.MANAGER, "ACME", "PREMIUM"),
    Person("max@acme.example", "Max Ferrer", Role.MEMBER, "ACME", "PREMIUM"),
    Person("gina@globex.example", "Gina Rossi", Role.MANAGER, "GLOBEX", "PRIORITY"),
    Person("gus@globex.example", "Gus Novak", Role.MEMBER, "GLOBEX", "PRIORITY"),
    Person("ida@initech.example", "Ida Wong", Role.MANAGER, "INITECH", "STANDARD"),
    Person("ivo@initech.example", "Ivo Petrov", Role.MEMBER, "INITECH", "STANDARD"),
)


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of events; `account` names the customer whose own system it is."""

    key: str
    name: str
    kind: SourceKind
    account: str = ""

    @property
    def dcsa_secret(self) -> str:
        """32 bytes in Base64, the same every time."""
        return base64.b64encode(hashlib.sha256(f"plimsoll demo {self.key}".encode()).digest()).decode()


FEEDS: Final = (
    Feed("maeu", "MAEU carrier feed", SourceKind.CARRIER),
    Feed("hlcu", "HLCU carrier feed", SourceKind.CARRIER),
    Feed("rtm-ect", "Rotterdam container terminal", SourceKind.TERMINAL),
    Feed("ham-cta", "Hamburg container terminal", SourceKind.TERMINAL),
    Feed("fxt", "Felixstowe container terminal", SourceKind.TERMINAL),
    Feed("haulier", "Haulier's delivery app", SourceKind.AGGREGATOR),
    Feed("globex-tms", "Globex transport management", SourceKind.AGGREGATOR, "GLOBEX"),
)


def secrets_file() -> Path:
    """Keys of the demo's sources: they are stored nowhere else in readable form."""
    return var_folder() / "demo" / "world.json"


def secrets_write(known: dict[str, Any]) -> None:
    """Readable by the owner only, replaced as a whole."""
    path = secrets_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(known, file)
    fresh.replace(path)


def secrets_read() -> dict[str, Any]:
    """What was written, or nothing."""
    try:
        found = json.loads(secrets_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
