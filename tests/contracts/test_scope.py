"""The scope refuses, restores and never leaks: managers, transactions, nested use, errors, streams."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.utils import IntegrityError, ProgrammingError

from portal.tenancy.context import (
    OPERATOR_ID,
    CrossTenantWrite,
    NoTenantScope,
    across_tenants,
    as_tenant,
    keep_scope,
    scope_or_none,
)
from portal.tenancy.models import AuditEntry, Member, Role, Tenant
from portal.tenancy.services import audit
from tests.cast import START, person

pytestmark = [pytest.mark.walls]


def raw_count(table: str = "tenancy_member") -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table}")
        return int(cursor.fetchone()[0])


@pytest.mark.req("T1")
@pytest.mark.parametrize(
    "ask",
    [
        lambda: Member.objects.exists(),
        lambda: Member.objects.count(),
        lambda: list(Member.objects.all()),
        lambda: Member.objects.first(),
        lambda: Member.objects.explain(),
        lambda: Member.objects.aggregate(),
        lambda: list(Member.objects.iterator()),
        lambda: Member.objects.in_bulk(),
        lambda: Member.objects.values_list("pk"),
        lambda: Member.objects.create(name="x"),
        lambda: Member.objects.bulk_create([Member(name="x")]),
        lambda: Member.objects.update(name="x"),
        lambda: Member.objects.get_or_create(name="x"),
        lambda: Member(name="x").save(),
        lambda: Tenant.objects.exists(),
        lambda: Member._base_manager.exists(),
    ],
)
def test_nothing_is_answered_without_a_scope(ask) -> None:
    with pytest.raises(NoTenantScope):
        ask()


@pytest.mark.req("T1")
async def _async_exists() -> None:
    with pytest.raises(NoTenantScope):
        await Member.objects.aexists()


@pytest.mark.req("T1")
def test_async_calls_are_refused_too() -> None:
    import asyncio

    asyncio.run(_async_exists())


@pytest.mark.req("T1")
def test_a_query_built_inside_a_scope_cannot_run_outside_it(acme) -> None:
    with as_tenant(acme.pk):
        rows = Member.objects.all()
        inner = Member.objects.filter(pk=OuterRef("pk"))
    for ask in (rows.count, rows.exists, lambda: list(rows), lambda: rows.update(name="x"), rows.delete, rows.explain):
        with pytest.raises(NoTenantScope):
            ask()
    from portal.tenancy.models import User

    with pytest.raises(NoTenantScope):
        list(User.objects.filter(Exists(inner)))


@pytest.mark.req("T1", "T4")
def test_each_scope_sees_its_own_rows_only(acme, globex) -> None:
    with as_tenant(acme.pk):
        assert set(Member.objects.values_list("pk", flat=True)) == {acme.manager.pk, acme.member.pk}
        assert raw_count() == 2
        with as_tenant(globex.pk):
            assert set(Member.objects.values_list("pk", flat=True)) == {globex.manager.pk, globex.member.pk}
            assert raw_count() == 2
        assert raw_count() == 2
    assert raw_count() == 0
    assert scope_or_none() is None


@pytest.mark.req("T4")
def test_a_scope_changed_inside_a_transaction_is_restored_also_after_errors(acme, globex) -> None:
    def names() -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute("select id from tenancy_tenant")
            return {row[0] for row in cursor.fetchall()}

    with as_tenant(acme.pk), transaction.atomic():
        assert names() == {acme.pk}
        with pytest.raises(ZeroDivisionError), as_tenant(globex.pk):
            assert names() == {globex.pk}
            _ = 1 / 0
        assert names() == {acme.pk}
        with pytest.raises(IntegrityError), transaction.atomic(), as_tenant(globex.pk):
            with connection.cursor() as cursor:
                cursor.execute("insert into tenancy_user (email, password, is_active) values (%s, '', true)",
                               [globex.member.user.email])  # fmt: skip
        assert names() == {acme.pk}
        with as_tenant(globex.pk):
            with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("insert into tenancy_user (email, password, is_active) values (%s, '', true)",
                               [globex.member.user.email])  # fmt: skip
            assert names() == {globex.pk}
        assert names() == {acme.pk}
    assert names() == set()


@pytest.mark.req("T1")
def test_rows_of_another_tenant_cannot_be_written(acme, globex) -> None:
    with as_tenant(acme.pk):
        with pytest.raises(CrossTenantWrite):
            Member(tenant_id=globex.pk, name="x").save()
        with pytest.raises(CrossTenantWrite):
            AuditEntry.objects.bulk_create([AuditEntry(tenant_id=globex.pk, at=START, actor="x", action="x")])
        with pytest.raises(CrossTenantWrite):
            globex.member.save()
        with pytest.raises(ProgrammingError, match="row-level security"), connection.cursor() as cursor:
            cursor.execute(
                "insert into tenancy_auditentry (tenant_id, at, actor, action, object_type, object_id, details) "
                "values (%s, now(), 'x', 'x', '', '', '{}')",
                [globex.pk],
            )


@pytest.mark.req("T5")
def test_a_row_cannot_point_into_another_account(acme, globex) -> None:
    from portal.tenancy.models import Invitation

    with as_tenant(acme.pk), pytest.raises(IntegrityError, match="invited_by_owner"):
        Invitation.objects.create(
            email="a@example.com", name="A", role=Role.MEMBER, token_hash="0" * 64, invited_by_id=globex.member.pk,
            created_at=START, expires_at=START,
        )  # fmt: skip


@pytest.mark.req("T2", "L1")
def test_a_crossing_reads_every_account_writes_nothing_and_is_recorded(acme, globex) -> None:
    reason = f"test {acme.tenant.code}"
    with across_tenants(reason=reason, actor="ops@example.com", at=START):
        assert {acme.pk, globex.pk} <= set(Member.objects.values_list("tenant_id", flat=True))
        with pytest.raises(NoTenantScope):
            Member(name="x").save()
        with as_tenant(acme.pk):
            assert set(Member.objects.values_list("tenant_id", flat=True)) == {acme.pk}
            audit(action="test.wrote", actor="x", at=START)
    with as_tenant(OPERATOR_ID):
        entry = AuditEntry.objects.filter(action="tenancy.crossed", details__reason=reason).get()
        assert entry.actor == "ops@example.com"


@pytest.mark.req("T2")
def test_the_operators_connection_cannot_write(acme) -> None:
    from django.db import connections
    from django.db.utils import InternalError

    with pytest.raises(InternalError, match="read-only"), connections["operator"].cursor() as cursor:
        cursor.execute("update tenancy_member set name = 'x'")


@pytest.mark.req("G12", "L1")
@pytest.mark.parametrize("statement", ["update {} set actor = 'x'", "delete from {}", "truncate {}"])
@pytest.mark.parametrize("role", ["default", "owner"])
def test_the_audit_trail_refuses_change(acme, statement, role) -> None:
    from django.db import connections
    from django.db.utils import DatabaseError

    with as_tenant(acme.pk):
        with pytest.raises(DatabaseError), connections[role].cursor() as cursor:
            cursor.execute(statement.format("tenancy_auditentry"))
        assert AuditEntry.objects.exists()


@pytest.mark.req("T4")
def test_a_stream_keeps_its_scope_and_leaves_none_behind(acme, globex) -> None:
    for _n in range(3):
        person(acme.pk, Role.MEMBER)
    with as_tenant(acme.pk):
        rows = keep_scope(m.pk for m in Member.objects.iterator(chunk_size=1))
    seen = []
    for pk in rows:
        assert scope_or_none() is None
        with as_tenant(globex.pk):
            pass
        seen.append(pk)
    assert len(seen) == 5
    assert not connection.in_atomic_block
