"""Reads of tenancy, among them the narrow look-ups that run before a scope is known.

Each look-up without a scope is one SECURITY DEFINER function that answers ids only (T3).
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import JSONObject

from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from portal.tenancy.models import Installation, Member, Tenant


def _one(sql: str, argument: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, [argument])
        return cursor.fetchone()


def next_tenant_id() -> int:
    """The id of a tenant that is about to be made; the scope must be entered before its row can be."""
    return int(_one("select nextval(pg_get_serial_sequence(%s, 'id'))", "tenancy_tenant")[0])


def membership_of(user_id: int) -> tuple[int, int] | None:
    """(tenant id, member id) of an active user, asked at sign-in and on each request."""
    row = _one("select tenant_id, member_id from plimsoll_membership(%s)", user_id)
    return None if row is None else (int(row[0]), int(row[1]))


def membership_beside(user_id: int) -> RawSQL:
    """The same as `[tenant id, member id]` or None, as an expression: asked in the statement that reads the user."""
    sql = "(select array[m.tenant_id, m.member_id] from plimsoll_membership(%s) m)"
    return RawSQL(sql, [user_id])  # noqa: S611 - a constant; the id is a parameter


def tenant_id_of_public_id(public_id: str) -> int | None:
    """The tenant that an API key or a share link names."""
    row = None if "\0" in public_id else _one("select plimsoll_tenant_of_public_id(%s)", public_id)
    return None if row is None or row[0] is None else int(row[0])


def tenant_id_of_code(code: str) -> int | None:
    """The tenant with this account code, for commands and the operator's doors."""
    row = _one("select plimsoll_tenant_of_code(%s)", code.upper())
    return None if row is None or row[0] is None else int(row[0])


def tenant_current() -> Tenant:
    """The tenant whose scope is entered."""
    return Tenant.objects.get(pk=scope())


def installation() -> Installation | None:
    """The operator's own row, or None before `setup`."""
    return Installation.objects.filter(pk=1).first()


def operator_zone() -> ZoneInfo:
    """The operator's zone; UTC before `setup`."""
    found = installation()
    return ZoneInfo(found.zone if found else "UTC")


def tenant_zone() -> ZoneInfo:
    """The entered tenant's zone, else the operator's (R5.2)."""
    own = Tenant.objects.values_list("zone", flat=True).get(pk=scope())
    return ZoneInfo(own) if own else operator_zone()


def member_get(member_id: int) -> Member | None:
    """An active member of the entered scope with the user attached, and `brand`, what every page is headed with."""
    shown = JSONObject(name="name", accent="accent", logo_digest="logo_digest")
    brand = Subquery(Installation.objects.filter(pk=1).values(shown=shown))
    found = Member.objects.select_related("user", "tenant").annotate(brand=brand)
    return found.filter(pk=member_id, is_active=True).first()


def operator_exists() -> bool:
    """Whether `setup` has run."""
    with as_tenant(OPERATOR_ID):
        return Tenant.objects.exists()
