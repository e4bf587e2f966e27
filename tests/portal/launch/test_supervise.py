"""The supervisor with real processes: crashes are mended, an end is orderly, nothing survives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.launch.demo import free_port
from portal.launch.errors import LaunchError
from portal.launch.supervise import Supervisor

pytestmark = pytest.mark.slow  # servers and processes of their own; the inner loop goes without
ROOT = Path(__file__).resolve().parents[3]
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
ORDERLY = (
    "import signal, sys, time, pathlib\n"
    "def leave(*_): open(sys.argv[1], 'a').write(sys.argv[2] + ' '); sys.exit(0)\n"
    "signal.signal(signal.SIGTERM, leave); print('up', flush=True); time.sleep(600)"
)
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, told: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path, say=told.append)
    made.lock()
    yield made
    made.kill_all()
    made.unlock()


def start(supervisor: Supervisor, name: str, code: str, *words: str) -> None:
    child = supervisor.add(name, [sys.executable, "-c", code, *words], dict(os.environ))
    wait(lambda: child.log.exists() and b"up" in child.log.read_bytes(), supervisor)


def wait(until: Callable[[], bool], supervisor: Supervisor | None = None, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it did not happen in time"
        if supervisor is not None:
            supervisor.tend()
        time.sleep(0.02)


def test_a_killed_child_is_started_again_and_said_so(supervisor: Supervisor, told: list[str]) -> None:
    start(supervisor, "worker", SLEEPER)
    child = supervisor.children[0]
    assert child.process is not None
    os.kill(child.process.pid, signal.SIGKILL)
    wait(lambda: child.restarts == 1 and child.alive(), supervisor)
    assert "worker ended (signal SIGKILL)" in told[0]


def test_a_child_that_keeps_falling_is_tried_ever_more_slowly(supervisor: Supervisor, told: list[str]) -> None:
    supervisor.add("bad", [sys.executable, "-c", "raise SystemExit(3)"], dict(os.environ))
    wait(lambda: len(told) >= 3, supervisor)
    assert [line.partition("starts again in ")[2].partition(" s")[0] for line in told[:3]] == ["0.5", "1.0", "2.0"]


def test_children_stop_in_the_order_in_which_they_were_added(supervisor: Supervisor, tmp_path: Path) -> None:
    for name in ("web", "dispatcher", "scheduler", "worker"):
        start(supervisor, name, ORDERLY, str(tmp_path / "order"), name)
    supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["web", "dispatcher", "scheduler", "worker"]


def test_a_stubborn_child_and_its_own_children_are_killed_in_time(supervisor: Supervisor, tmp_path: Path) -> None:
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n" + STUBBORN
    )
    start(supervisor, "stubborn", code)
    process = supervisor.children[0].process
    assert process is not None
    began = time.monotonic()
    supervisor.stop(2.0)
    assert time.monotonic() - began < 5
    wait(lambda: not living_in_group(process.pid))


def living_in_group(group: int) -> list[str]:
    """Processes of a group; zombies that nobody reaps in a bare container do not count."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [row[-1] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


def test_a_second_supervisor_is_told_plainly(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=f"already running here .process {os.getpid()}"):
        Supervisor(tmp_path).lock()


def test_what_a_killed_supervisor_left_behind_is_ended_by_the_next(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from portal.launch.supervise import Supervisor\n"
        "made = Supervisor(Path(sys.argv[1])); made.lock()\n"
        "words = [sys.executable, '-c', 'import time; time.sleep(600) # portal']\n"
        "child = made.add('portal', words, dict(os.environ))\n"
        "print(child.process.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE,
                          text=True) as first:  # fmt: skip
        assert first.stdout is not None
        orphan = int(first.stdout.readline())
        first.kill()
    following = Supervisor(tmp_path)
    following.lock()
    following.unlock()
    wait(lambda: _gone(orphan))


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_ctrl_c_reaches_only_the_supervisor(supervisor: Supervisor) -> None:
    start(supervisor, "web", SLEEPER)
    process = supervisor.children[0].process
    assert process is not None
    assert os.getpgid(process.pid) == process.pid != os.getpgid(0)


def test_a_taken_port_is_refused_or_passed_over() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taker:
        port = taker.getsockname()[1]
        with pytest.raises(LaunchError, match=f"Port {port} is taken"):
            free_port(port)
        assert free_port(None, first=port) > port
