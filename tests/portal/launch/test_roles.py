"""What each database role may do, tried on a real server; and the addresses that commands get."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal.launch.database import Databases, create_database, derived_databases, embedded_database, ensure_database
from portal.launch.errors import LaunchError
from portal.launch.postgres import PostgresServer, debian_bin, postgres_bin
from portal.launch.roles import ensure_roles, roles_sql

pytestmark = pytest.mark.slow  # servers and processes of their own; the inner loop goes without
BINARIES = list(dict.fromkeys(folder for folder in (postgres_bin(), debian_bin()) if folder is not None))


@pytest.fixture(scope="module", params=BINARIES, ids=lambda folder: folder.parent.name)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    made = PostgresServer(tmp_path_factory.mktemp("roles") / "pg", bin_dir=request.param, fast=True)
    made.start()
    create_database(made, "plimsoll")
    with psycopg.connect(made.url("plimsoll_owner", "plimsoll")) as owner:
        owner.execute("CREATE TABLE thing (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int)")
        owner.execute("ALTER TABLE thing ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        owner.execute("CREATE POLICY wall ON thing USING (tenant_id = current_setting('app.tenant_id')::int)")
    yield made
    made.stop()


@pytest.mark.req("T1", "D1")
def test_the_app_writes_rows_but_owns_nothing(server: PostgresServer) -> None:
    with psycopg.connect(server.url("plimsoll_app", "plimsoll")) as app:
        app.execute("SET LOCAL app.tenant_id = '1'")
        app.execute("INSERT INTO thing (tenant_id) VALUES (1)")
        app.execute("UPDATE thing SET tenant_id = 1")
        app.commit()
        for refused in ("CREATE TABLE other (id int)", "ALTER TABLE thing ADD x int", "TRUNCATE thing",
                        "DROP TABLE thing", "ALTER TABLE thing DISABLE ROW LEVEL SECURITY",
                        "SET ROLE plimsoll_operator"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(refused)
            app.rollback()
        limits = [app.execute(f"SHOW {name}").fetchone() for name in
                  ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")]  # fmt: skip
        assert limits == [("2s",), ("30s",), ("1min",)]


@pytest.mark.req("T1")
def test_the_operator_sees_over_the_wall_and_only_reads(server: PostgresServer) -> None:
    with psycopg.connect(server.url("plimsoll_app", "plimsoll")) as app:
        app.execute("SET LOCAL app.tenant_id = '7'")
        app.execute("INSERT INTO thing (tenant_id) VALUES (7)")
    with psycopg.connect(server.url("plimsoll_operator", "plimsoll")) as operator:
        assert operator.execute("SELECT count(*) FROM thing WHERE tenant_id = 7").fetchone() == (1,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            operator.execute("DELETE FROM thing")
        operator.rollback()
        operator.execute("SET default_transaction_read_only = off")
        operator.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            operator.execute("DELETE FROM thing")


@pytest.mark.req("T1")
def test_the_owner_stands_behind_the_wall_too_and_may_hand_functions_over(server: PostgresServer) -> None:
    with psycopg.connect(server.url("plimsoll_owner", "plimsoll")) as owner:
        flags = owner.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user").fetchone()
        assert flags == (False, False)
        owner.execute("CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public "
                      "AS 'SELECT count(*) FROM thing WHERE tenant_id = 99'")  # fmt: skip
        owner.execute("GRANT CREATE ON SCHEMA public TO plimsoll_operator")
        owner.execute("ALTER FUNCTION peek() OWNER TO plimsoll_operator")
        owner.execute("REVOKE CREATE ON SCHEMA public FROM plimsoll_operator")
        assert owner.execute("SELECT peek()").fetchone() == (0,)
        owner.rollback()


def test_the_sql_may_be_run_again_with_a_prefix_beside(server: PostgresServer) -> None:
    for prefix in ("", "", "test_"):
        ensure_roles(admin_url=server.superuser_url("plimsoll"), prefix=prefix)
    with psycopg.connect(server.superuser_url()) as admin:
        names = {row[0] for row in admin.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE '%plimsoll%'")}
    assert {"plimsoll_app", "test_plimsoll_app", "test_plimsoll_owner", "test_plimsoll_operator"} <= names
    ensure_roles(admin_url=server.superuser_url("plimsoll"))
    assert "CREATE EXTENSION IF NOT EXISTS pg_trgm" in roles_sql(database="x")


def test_an_administrators_address_alone_gives_three(server: PostgresServer) -> None:
    with psycopg.connect(server.superuser_url("plimsoll")) as admin:
        admin.execute("CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'p@ss/word'")
    address = server.url("boss", "plimsoll").replace("boss@", "boss:p%40ss%2Fword@")
    made = derived_databases(admin_url=address)
    with psycopg.connect(made.app) as app:
        assert app.execute("SELECT current_user").fetchone() == ("plimsoll_app",)
    assert made == derived_databases(admin_url=address), "the same passwords every time"
    assert "p%40ss" not in made.app


def test_without_the_rights_one_sentence_names_the_way(server: PostgresServer) -> None:
    with pytest.raises(LaunchError, match=r"manage.py roles --sql"):
        derived_databases(admin_url=server.url("plimsoll_app", "plimsoll"))


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_addresses_of_the_environment_are_taken_as_they_are(bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("DATABASE_URL", "postgresql://a@h/x")
    bare_environment.setenv("DATABASE_OPERATOR_URL", "postgresql://o@h/x")
    found = ensure_database()
    assert (found.app, found.owner, found.operator) == ("postgresql://a@h/x", "", "postgresql://o@h/x")
    assert "DATABASE_OWNER_URL" not in found.environment(), "web hosts need not hold the owner's address"
    with pytest.raises(LaunchError, match="DATABASE_OWNER_URL is not set"):
        ensure_database(need_owner=True)


@pytest.mark.parametrize("address", ["mysql://x", "sqlite:///x", "nonsense"])
def test_another_kind_of_database_is_refused_in_words(address: str, bare_environment: pytest.MonkeyPatch) -> None:
    bare_environment.setenv("DATABASE_URL", address)
    with pytest.raises(LaunchError, match="must begin with postgresql://"):
        ensure_database()


def test_without_addresses_the_embedded_server_is_shared_and_ends_with_its_last_user(
    tmp_path: Path, bare_environment: pytest.MonkeyPatch
) -> None:
    first: Databases = embedded_database(tmp_path / "pg")
    second = embedded_database(tmp_path / "pg")
    assert (first.app, first.owner) == (second.app, second.owner)
    second.stop()
    with psycopg.connect(first.app) as app:
        assert app.execute("SELECT 1").fetchone() == (1,)
    first.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first.app)
    assert os.environ.get("DATABASE_URL") is None
