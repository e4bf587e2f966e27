"""The embedded PostgreSQL as its users meet it: start, share, crash, come back; on 18 and, where installed, on 15.

The server of the whole run is not touched: each test has its own cluster.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal.launch.errors import LaunchError
from portal.launch.postgres import PostgresServer, debian_bin, postgres_bin

pytestmark = pytest.mark.slow  # servers and processes of their own; the inner loop goes without
ROOT = Path(__file__).resolve().parents[3]
BINARIES = list(dict.fromkeys(folder for folder in (postgres_bin(), debian_bin()) if folder is not None))


@pytest.fixture(params=BINARIES, ids=lambda folder: folder.parent.name)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PostgresServer]:
    made = PostgresServer(tmp_path / "pg", bin_dir=request.param)
    made.start()
    yield made
    made.stop()


def test_it_answers_with_the_settings_we_rely_on(server: PostgresServer) -> None:
    with psycopg.connect(server.superuser_url()) as admin:
        shown = {name: admin.execute(f"SHOW {name}").fetchone()[0] for name in  # type: ignore[index]
                 ("jit", "timezone", "max_connections", "listen_addresses", "fsync", "server_encoding")}  # fmt: skip
        order = admin.execute("SELECT string_agg(x, '' ORDER BY x) FROM unnest(ARRAY['a','B','b','A']) x").fetchone()
    assert shown == {"jit": "off", "timezone": "UTC", "max_connections": "200", "listen_addresses": "",
                     "fsync": "on", "server_encoding": "UTF8"}  # fmt: skip
    assert order == ("ABab",)  # by code point, so that sorting is the same on every machine


def test_only_its_owner_gets_to_the_socket(server: PostgresServer) -> None:
    assert server.socket_folder.stat().st_mode & 0o077 == 0


def test_committed_rows_survive_a_kill(server: PostgresServer) -> None:
    with psycopg.connect(server.superuser_url()) as admin:
        admin.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.start()
    with psycopg.connect(server.superuser_url()) as admin:
        assert admin.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_a_second_user_joins_and_the_last_one_to_leave_stops_it(server: PostgresServer) -> None:
    second = PostgresServer(server.root, bin_dir=server._given_bin)
    first_pid = server.pid
    second.start()
    assert second.pid == first_pid
    assert server.stop() is False, "somebody else still works on it"
    assert second.running()
    assert second.stop() is True
    assert not second.running()


def test_a_pid_file_of_another_program_does_not_keep_it_down(server: PostgresServer) -> None:
    lines = (server.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (server.data / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        server.start()
        assert server.running()
        stranger.kill()


def test_a_cluster_of_another_version_is_refused_in_words(server: PostgresServer) -> None:
    server.stop()
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(LaunchError, match="was made by PostgreSQL 9"):
        server.start()


def test_three_starts_at_once_give_one_server(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from portal.launch.postgres import PostgresServer\n"
        "server = PostgresServer(Path(sys.argv[1])); server.start(); print(server.pid, flush=True); input()"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "pg")], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(3)
    ]  # fmt: skip
    pids = {child.stdout.readline().strip() for child in children if child.stdout}
    assert len(pids) == 1
    assert "" not in pids
    for child in children:
        child.communicate("\n")
    assert PostgresServer(tmp_path / "pg").stop()
    assert not PostgresServer(tmp_path / "pg").running()


def test_a_long_path_gets_a_short_socket_folder(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / ("very-long-name-" * 6) / "pg", fast=True)
    server.start()
    try:
        assert len(str(server.socket_folder)) < 80
        with psycopg.connect(server.superuser_url()) as admin:
            assert admin.execute("SHOW fsync").fetchone() == ("off",)
    finally:
        server.stop()


def test_a_path_with_spaces_and_quotes_works(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "it's here", fast=True)
    server.start()
    with psycopg.connect(server.superuser_url()) as admin:
        assert admin.execute("SELECT 1").fetchone() == (1,)
    assert server.stop()


def test_root_without_user_namespaces_runs_it_as_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIMSOLL_PG_AS_NOBODY", "1")
    server = PostgresServer(tmp_path / "pg", fast=True)
    server.start()
    try:
        assert server.data.stat().st_uid == (65534 if os.geteuid() == 0 else os.geteuid())
        with psycopg.connect(server.superuser_url()) as admin:
            assert admin.execute("SELECT 1").fetchone() == (1,)
    finally:
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 20
