"""The catalogue holds what the models promise: every table, view, function and foreign key is walled or listed.

Derived from the models and the database, so a new table is in at once (T1, T2, T3, T5, I8).
"""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from portal.checks.walls import OPERATOR_WIDE, wall_breaches, wall_text, walled_models

pytestmark = [pytest.mark.walls, pytest.mark.req("T3")]

# SECURITY DEFINER functions, each with the reason why it must pass the wall.
DEFINER = {
    "plimsoll_membership": "which tenant a user belongs to, at sign-in and on each request: ids only",
    "plimsoll_tenant_of_public_id": "the tenant that a key or link names: an id only",
    "plimsoll_tenant_of_code": "the tenant of an account code, for commands: an id only",
    "plimsoll_scope_of_source": "whose source a door names: an id only",
    "plimsoll_tenants_of_references": "which tenants a message concerns: ids only",
    "plimsoll_tenants_of_events": "which tenants hold versions of an event: ids only",
    "plimsoll_search_part": "search by part: filters by the scope's tenant itself",
    "plimsoll_due_outbox": "what the dispatcher publishes: ids only",
    "plimsoll_active_tenants": "whom to ask what is due: ids only",
    "plimsoll_outbox_gauges": "counts for /metrics: no rows",
    "plimsoll_delivery_gauges": "counts for /metrics: no rows",
    "plimsoll_ingest_gauges": "counts for /metrics: no rows",
    "plimsoll_webhook_gauges": "counts for /metrics: no rows",
}


def ask(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def ids_of(thing: Any) -> str:
    return str(getattr(thing, "_meta", thing) and thing._meta.db_table)


def test_every_table_is_walled_or_listed_with_a_reason() -> None:
    tables = {
        r[0]
        for r in ask(
            "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        )
    }
    walled = {m._meta.db_table for m in walled_models()}
    assert tables - walled - OPERATOR_WIDE.keys() == set()
    assert walled & OPERATOR_WIDE.keys() == set()
    assert OPERATOR_WIDE.keys() - tables == set(), "a listed table is gone"


@pytest.mark.req("T1", "I8")
@pytest.mark.parametrize("model", walled_models(), ids=ids_of)
def test_row_security_is_on_forced_and_one_plain_equality(model) -> None:
    table = model._meta.db_table
    column = "id" if model.owner_field == "id" else "tenant_id"
    assert ask("select relrowsecurity, relforcerowsecurity from pg_class where oid = %s::regclass", table) == [
        (True, True)
    ]
    policies = ask("select permissive, roles::text, cmd, qual, with_check from pg_policies where tablename = %s", table)
    assert len(policies) == 1
    permissive, roles, cmd, using, check = policies[0]
    assert (permissive, roles, cmd) == ("PERMISSIVE", "{public}", "ALL")
    assert using == check
    assert using.replace("(", "").replace(")", "") == wall_text(column)


@pytest.mark.req("I8")
def test_the_check_that_runs_in_production_sees_a_wall_taken_down() -> None:
    assert list(wall_breaches()) == []
    with connections["owner"].cursor() as cursor:
        cursor.execute("alter table notify_delivery no force row level security")
        try:
            assert [b["what"] for b in wall_breaches()] == ["row security is not forced"]
        finally:
            cursor.execute("alter table notify_delivery force row level security")


@pytest.mark.req("T5")
@pytest.mark.parametrize("model", [m for m in walled_models() if m.owner_field == "tenant_id"], ids=ids_of)
def test_keys_and_indexes_begin_with_the_tenant(model) -> None:
    table = model._meta.db_table
    rows = ask(
        """select i.relname, x.indisunique, x.indisprimary,
                  (select array_agg(coalesce(a.attname, '?') order by k.n)
                   from unnest(x.indkey) with ordinality k(att, n)
                   left join pg_attribute a
                     on a.attrelid = x.indrelid and a.attnum = k.att)
           from pg_index x join pg_class i on i.oid = x.indexrelid where x.indrelid = %s::regclass""",
        table,
    )
    assert any(columns[0] == "tenant_id" for _n, _u, _p, columns in rows), "no index begins with the tenant"
    alone = {"id", "public_id", "user_id", "token_hash", "key"}  # surrogate keys and random or installation-wide ids
    for name, unique, _primary, columns in rows:
        if unique and columns[0] != "tenant_id":
            assert len(columns) == 1 and columns[0] in alone, f"{name} does not begin with the tenant"


@pytest.mark.req("T5")
def test_foreign_keys_between_tenant_tables_carry_the_tenant() -> None:
    walled = {m._meta.db_table for m in walled_models() if m.owner_field == "tenant_id"}
    rows = ask(
        """select c.conname, c.conrelid::regclass::text, c.confrelid::regclass::text,
                  (select array_agg(a.attname::text order by k.n) from unnest(c.conkey) with ordinality k(att, n)
                   join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.att)
           from pg_constraint c where c.contype = 'f'"""
    )
    for name, child, parent, columns in rows:
        if child in walled and parent in walled:
            assert columns[0] == "tenant_id" and len(columns) == 2, f"{name} does not carry the tenant"
        elif child in walled and parent == "tenancy_tenant":
            assert columns == ["tenant_id"]


@pytest.mark.req("T5")
@pytest.mark.parametrize("model", [m for m in walled_models() if m.owner_field == "tenant_id"], ids=ids_of)
def test_every_relation_of_the_model_is_a_constraint_in_the_database(model) -> None:
    for field in model._meta.local_fields:
        to = field.remote_field.model if field.remote_field else None
        if to is None or getattr(to, "owner_field", "") != "tenant_id":
            continue
        found = ask(
            """select 1 from pg_constraint c where c.contype = 'f' and c.conrelid = %s::regclass
               and c.confrelid = %s::regclass and %s in (select attname::text from pg_attribute
               where attrelid = c.conrelid and attnum = any(c.conkey))""",
            model._meta.db_table, to._meta.db_table, field.column,
        )  # fmt: skip
        assert found, f"{model.__name__}.{field.name} has no composite foreign key"


@pytest.mark.parametrize("model", [m for m in walled_models() if getattr(m, "append_only", False)], ids=ids_of)
@pytest.mark.req("G12", "M2")
def test_append_only_tables_refuse_change(model) -> None:
    rows = ask(
        "select tgname, tgtype from pg_trigger where tgrelid = %s::regclass and not tgisinternal", model._meta.db_table
    )
    kinds = 0
    for _name, kind in rows:
        kinds |= kind
    assert kinds & 8 and kinds & 16 and kinds & 32, "DELETE, UPDATE and TRUNCATE must be refused"


def test_views_run_as_their_reader_and_there_are_no_materialised_ones() -> None:
    assert ask("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'm'") == []
    views = ask("select relname, coalesce(array_to_string(reloptions, ','), '') from pg_class "
                "where relnamespace = 'public'::regnamespace and relkind = 'v'")  # fmt: skip
    assert [name for name, options in views if "security_invoker=true" not in options] == []


def test_definer_functions_are_listed_owned_by_the_operator_role_and_closed_to_the_public() -> None:
    rows = ask(
        """select proname, pg_get_userbyid(proowner), coalesce(array_to_string(proconfig, ','), ''),
                  has_function_privilege('public', oid, 'execute')
           from pg_proc where pronamespace = 'public'::regnamespace and prosecdef"""
    )
    assert {r[0] for r in rows} == set(DEFINER)
    for name, owner, config, public in rows:
        assert owner == settings.DATABASES["operator"]["USER"], name
        assert "search_path" in config, name
        assert not public, f"{name} may be called by anybody"


@pytest.mark.req("T2")
def test_the_roles_can_do_what_they_should_and_no_more() -> None:
    app, operator, owner = (settings.DATABASES[a]["USER"] for a in ("default", "operator", "owner"))
    rows = {
        r[0]: r[1:] for r in ask("select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles")
    }
    assert rows[app] == (False, False, False, False)
    assert rows[operator] == (False, True, False, False)
    assert rows[owner] == (False, False, False, False)
    # what a session keeps to itself, such as the table in which large messages wait for a moment, is behind no wall
    owned = ask("select count(*) from pg_class where relpersistence <> 't' "
                "and relowner = (select oid from pg_roles where rolname = %s)", app)  # fmt: skip
    assert owned == [(0,)]
    assert ask("select pg_has_role(%s, %s, 'member')", app, operator) == [(False,)]
    assert ask("select has_schema_privilege(%s, 'public', 'create')", app) == [(False,)]


@pytest.mark.req("D1")
def test_the_running_role_gives_up_in_time() -> None:
    with connections["default"].cursor() as cursor:
        found = {}
        for name in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"show {name}")
            found[name] = cursor.fetchone()[0]
    assert found["lock_timeout"] == "2s"
    assert found["statement_timeout"] != "0"
    assert found["idle_in_transaction_session_timeout"] != "0"
