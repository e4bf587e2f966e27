"""What is sent: one JSON object a fact, with its links, and its description for machines and people (H2).

The same fact gives the same bytes. Which endpoint wants what stands in deliveries.py.
"""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final, get_type_hints

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.lib.facts import Audience, Fact, all_facts
from portal.lib.jsontext import canonical_bytes

MOST_BYTES: Final = 20_000
PING: Final = "webhooks.ping"
_LONG: Final = 500  # characters to which texts are cut when a body would be too long
_OWN: Final = "webhooks."  # what we tell about endpoints goes to people
_TO_ACCOUNTS: Final = (Audience.FOLLOWERS, Audience.MANAGERS, Audience.SYSTEMS)
_NOT_DATA: Final = frozenset({"occurred_at", "path", "link", "email"})  # said elsewhere, or not for systems
_JSON_TYPES: Final[dict[Any, dict[str, Any]]] = {
    str: {"type": "string"}, int: {"type": "integer"}, bool: {"type": "boolean"},
    list[str]: {"type": "array", "items": {"type": "string"}},
}  # fmt: skip
_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"

# The version of what a kind sends; it grows when a field is taken away or means something else, never for a new field.
VERSIONS: Final[dict[str, int]] = {}
LABELS: Final[dict[str, str | Promise]] = {
    "tracking.milestone_reached": _("A shipment reached a milestone"),
    "tracking.milestone_changed": _("The time of a milestone was corrected or withdrawn"),
    "tracking.eta_changed": _("A shipment is expected at another time"),
    "tracking.exception_raised": _("Something goes wrong with a shipment"),
    "tracking.exception_worsened": _("A shipment at risk is later still"),
    "tracking.exception_cleared": _("What went wrong with a shipment is over"),
    "tracking.exceptions_grouped": _("Many shipments of one ship or place, in one message"),
    "kpis.snapshot_published": _("A month's service report is ready"),
    "credits.credit_approved": _("A service credit is approved"),
    "tracking.subscription_ended": _("Events are no longer sent to a DCSA subscription"),
    PING: _("A test"),
}


def kinds() -> dict[str, type[Fact]]:
    """The kinds of facts that endpoints may ask for, by key: those meant for accounts, in the order of LABELS."""
    found = {
        key: kind for key, kind in all_facts().items()
        if kind.audience in _TO_ACCOUNTS and not key.startswith(_OWN)
    }  # fmt: skip
    return {key: found[key] for key in dict.fromkeys([*LABELS, *found]) if key in found}


def kind_says(key: str) -> str:
    """The kind in a few words."""
    known = LABELS.get(key)
    return str(known) if known is not None else first_line(key)


def first_line(key: str) -> str:
    """What a kind of fact means, as its declaration says."""
    kind = all_facts().get(key)
    return (kind.__doc__ or "").strip().split("\n")[0].replace("`", "") if kind is not None else key


def version_of(key: str) -> int:
    """The version of what the kind sends."""
    return VERSIONS.get(key, 1)


def body_of(fact: Fact, *, account: str, base: str, test: bool = False) -> bytes:
    """The bytes for a fact of the account with this code; `base` is the portal's own address.

    At most 20,000 bytes: texts are cut where a fact says more, and `shortened` says so.
    """
    data = {name: value for name, value in fact.plain().items() if name not in _NOT_DATA}
    path = str(getattr(fact, "path", "") or "/")
    return _fitting({
        "type": fact.key, "version": version_of(fact.key), "timestamp": instant(fact.occurred_at), "account": account,
        "data": data, "links": {"portal": base + (path if path.startswith("/") else "/")},
        **({"test": True} if test else {}),
    })  # fmt: skip


def ping_body(*, endpoint: str, account: str, base: str, at: datetime) -> bytes:
    """The bytes of a ping: what an endpoint must answer before it is used."""
    return canonical_bytes({
        "type": PING, "version": 1, "timestamp": instant(at), "account": account, "data": {"endpoint": endpoint},
        "links": {"portal": f"{base}/settings/webhooks/{endpoint}"}, "test": True,
    })  # fmt: skip


def _fitting(whole: dict[str, Any]) -> bytes:
    body = canonical_bytes(whole)
    if len(body) <= MOST_BYTES:
        return body
    most = _LONG
    while len(body) > MOST_BYTES:
        body = canonical_bytes({**whole, "data": _cut(whole["data"], most), "shortened": True})
        most //= 2
    return body


def _cut(value: Any, most: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(inner, most) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(inner, most) for inner in value[: max(most // 10, 1)]]
    if isinstance(value, str) and len(value) > most:
        return value[: max(most - 1, 0)] + "…"
    return value


def instant(at: datetime) -> str:
    """ISO 8601 in UTC, to the second or, where there are any, the microsecond."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def about(fact: Fact) -> str:
    """What a fact speaks of, as a person would look for it: a reference, a month; at most 80 characters."""
    return str(getattr(fact, "reference", "") or getattr(fact, "period", "") or "")[:80]


def sample(key: str, *, account: str, base: str, test: bool = False) -> bytes:
    """An example of a kind, as it would be sent; KeyError for a kind that is not offered."""
    return body_of(kinds()[key].example(), account=account, base=base, test=test)


def shown(body: bytes) -> str:
    """A body so that a person can read it."""
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False)


def portal_path(body: bytes, *, base: str) -> str:
    """The address in the portal that a body names, without `base`; empty when it was made under another one."""
    link = str(json.loads(body)["links"]["portal"])
    return link.removeprefix(base) if link.startswith(f"{base}/") else ""


def schema_of(key: str) -> dict[str, Any]:
    """The JSON Schema of what a kind sends; further fields may come."""
    kind = kinds()[key]
    hints = get_type_hints(kind)
    data = {
        f.name: _JSON_TYPES.get(hints[f.name], {})
        for f in fields(kind) if f.name not in _NOT_DATA
    }  # fmt: skip
    return {
        "$schema": _SCHEMA, "title": key, "description": first_line(key), "type": "object",
        "required": ["type", "version", "timestamp", "account", "data", "links"],
        "properties": {
            "type": {"const": key}, "version": {"const": version_of(key)},
            "timestamp": {"type": "string", "format": "date-time"}, "account": {"type": "string"},
            "data": {"type": "object", "required": sorted(data), "properties": data},
            "links": {"type": "object", "properties": {"portal": {"type": "string", "format": "uri"}}},
            "test": {"type": "boolean"}, "shortened": {"type": "boolean"},
        },
    }  # fmt: skip
