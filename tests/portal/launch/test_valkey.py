"""The embedded Valkey: found again on its port, safe from strangers, alive after a crash, never the reason to stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from portal.launch.valkey import ValkeyServer

pytestmark = pytest.mark.slow  # servers and processes of their own; the inner loop goes without
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    made = ValkeyServer(tmp_path / "vk")
    made.start()
    yield made
    made.stop()


def client(server: ValkeyServer) -> redis.Redis:
    return redis.Redis.from_url(server.url())


def test_what_was_queued_survives_a_kill_on_the_same_port(server: ValkeyServer) -> None:
    with client(server) as link:
        link.rpush("queue", "one", "two")
        link.wait(0, 0)
        link.config_set("appendfsync", "always")
        link.rpush("queue", "three")
    port, pid = server.port, server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    again = ValkeyServer(server.root)
    again.start()
    try:
        assert again.port == port
        with client(again) as link:
            assert link.lrange("queue", 0, -1) == [b"one", b"two", b"three"]
    finally:
        again.stop()


def test_a_stranger_without_the_password_is_refused(server: ValkeyServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link:
        link.sendall(b"PING\r\n")
        assert link.recv(100).startswith(b"-NOAUTH")
    assert (server.root / "password").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_left_to_its_taker(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / "vk")
    server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", server.port)) as taker:
        server.start()
        assert server.port != taker.getsockname()[1]
        assert server.running()
        server.stop()


def test_an_unreadable_log_is_set_aside(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path / "vk")
    server.start()
    server.stop()
    for path in (server.root / "appendonlydir").glob("*.manifest"):
        path.write_text("not a manifest\n")
    server.start()
    assert server.running()
    assert list(server.root.glob("damaged-*"))
    server.stop()


def test_three_starts_at_once_give_one_server(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from portal.launch.valkey import ValkeyServer\n"
        "server = ValkeyServer(Path(sys.argv[1])); server.start(); print(server.url(), flush=True)\n"
        "input(); server.stop()"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "vk")], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(3)
    ]  # fmt: skip
    addresses = {child.stdout.readline().strip() for child in children if child.stdout}
    assert len(addresses) == 1
    assert "" not in addresses
    for child in children:
        child.communicate("\n")
    assert not ValkeyServer(tmp_path / "vk").running(), "the last to leave stops it"
