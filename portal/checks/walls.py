"""What the database's catalogue must say of every table: walled by its tenant, or listed with a reason (T1, T3, I8).

Derived from the models, so a new table is in at once. Tests of the walls read the same list.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.apps import apps
from django.db import connection, models

from portal.tenancy.owned import TenantOwned

# Tables without a tenant, each with the reason why it holds nothing of any customer (R0.8).
OPERATOR_WIDE: Final = {
    "django_migrations": "which migrations ran",
    "django_content_type": "Django's list of models",
    "django_session": "sign-in sessions: signed ids, read before a scope is known",
    "auth_permission": "Django's list of permissions, unused",
    "auth_group": "Django's groups, unused",
    "auth_group_permissions": "Django's groups, unused",
    "account_emailaddress": "allauth: addresses of sign-in identities, read before a scope is known",
    "account_emailconfirmation": "allauth: unused, people come by invitation",
    "mfa_authenticator": "allauth: sealed second factors of sign-in identities, read before a scope is known",
    "tenancy_user": "sign-in identities: e-mail and password hash only, read before a scope is known",
    "tenancy_installation": "the one operator",
    "tenancy_attemptwindow": "tries by keyed digest, counted before a scope is known",
    "brand_logo": "the one operator's logo, shown to everybody",
    "tracking_place": "ports and places: operator-wide master data",
    "tracking_placesetting": "what is believed of a place, dated: operator-wide master data",
    "tracking_terminal": "terminals and depots: operator-wide master data",
    "tracking_carrier": "who moves boxes: operator-wide master data",
    "tracking_vessel": "ships by IMO number: operator-wide master data",
    "outbox_heartbeat": "when each kind of process last worked",
}

_TABLES: Final = """
select c.relname, c.relrowsecurity, c.relforcerowsecurity
  from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by c.relname
"""
_POLICIES: Final = "select tablename, permissive, roles::text, cmd, qual, with_check from pg_policies"


def walled_models() -> list[type[models.Model]]:
    """Every model whose rows belong to a tenant."""
    return [
        m for m in apps.get_models(include_auto_created=True) if issubclass(m, TenantOwned) or hasattr(m, "owner_field")
    ]


def wall_text(column: str) -> str:
    """The one plain equality that a policy must be, without its brackets."""
    return f"{column} = NULLIFcurrent_setting'app.tenant_id'::text, true, ''::text::bigint"


def wall_breaches() -> Iterator[dict[str, Any]]:
    """I8: row security is on, forced and complete for every tenant table; one JSON-plain object a breach."""

    def breach(table: str, what: str) -> dict[str, Any]:
        return {"invariant": "I8", "table": table, "what": what}

    owners = {m._meta.db_table: m.owner_field for m in walled_models()}  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = {str(name): (bool(on), bool(forced)) for name, on, forced in cursor.fetchall()}
        cursor.execute(_POLICIES)
        policies: dict[str, list[tuple[Any, ...]]] = {}
        for row in cursor.fetchall():
            policies.setdefault(str(row[0]), []).append(tuple(row[1:]))
    for table in sorted(tables.keys() - owners.keys() - OPERATOR_WIDE.keys()):
        yield breach(table, "neither walled nor listed as operator-wide")
    for table, owner in sorted(owners.items()):
        on, forced = tables.get(table, (False, False))
        if table not in tables:
            yield breach(table, "missing")
            continue
        if not (on and forced):
            yield breach(table, "row security is off" if not on else "row security is not forced")
        if not _is_one_wall(policies.get(table, []), "id" if owner == "id" else "tenant_id"):
            yield breach(table, "its policy is not the one plain equality with the entered tenant")


def _is_one_wall(policies: list[tuple[Any, ...]], column: str) -> bool:
    if len(policies) != 1:
        return False
    permissive, roles, command, using, check = policies[0]
    if (permissive, roles, command) != ("PERMISSIVE", "{public}", "ALL") or using is None or using != check:
        return False
    return str(using).replace("(", "").replace(")", "") == wall_text(column)
