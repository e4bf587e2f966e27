"""Child processes of the demo: started, watched, restarted after a crash, stopped in order.

Each child has a process group of its own, so that Ctrl-C in the terminal reaches the supervisor alone. Servers
(PostgreSQL, Valkey) are not children: their starters stop them after everything here has ended.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from portal.launch.errors import LaunchError
from portal.launch.locks import take_or_none

STOP_SECONDS = 25.0  # all children together; the servers get what is left of 30
CALM_SECONDS = 20.0  # a child that lived this long starts again at once
LONGEST_PAUSE = 15.0
KEEP_SECONDS = 2.0


@dataclass
class Child:
    """One supervised program: what to run, where its output goes, how often it fell."""

    name: str
    argv: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    falls: int = 0
    due: float = 0.0  # when to start it again, on the monotonic clock
    restarts: int = 0
    history: list[int] = field(default_factory=list)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Holds the lock of `folder`, starts children and stops them in the order they were added."""

    def __init__(self, folder: Path, *, say: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.children: list[Child] = []
        self._say = say or (lambda text: print(text, file=sys.stderr, flush=True))
        self._asked_to_stop = False
        self._lock: int | None = None
        self._kept = 0.0
        self._keepers: list[Callable[[], object]] = []

    def lock(self) -> None:
        """Be the only supervisor of this folder; raises LaunchError naming the process that already is."""
        self._lock = take_or_none(self.folder / "supervisor.lock")
        pid_file = self.folder / "supervisor.pid"
        if self._lock is None:
            raise LaunchError(f"A demo is already running here (process {_read(pid_file)}); stop it with Ctrl-C there, "
                              f"or `kill -INT {_read(pid_file)}`.", exit_code=1)  # fmt: skip
        pid_file.write_text(str(os.getpid()), encoding="ascii")
        for line in _read(self.folder / "children.pids").split():  # left over when a supervisor was killed with -9
            _kill_group_of_ours(line)

    def unlock(self) -> None:
        if self._lock is not None:
            (self.folder / "supervisor.pid").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def catch_signals(self) -> None:
        """From now on SIGINT and SIGTERM ask for an orderly end."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    def stop_asked(self) -> bool:
        return self._asked_to_stop

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop = True

    def add(self, name: str, argv: list[str], environment: dict[str, str]) -> Child:
        """Start a child now; its output is appended to `<folder>/log/<name>.log`."""
        child = Child(name, argv, environment, self.folder / "log" / f"{name}.log")
        child.log.parent.mkdir(parents=True, exist_ok=True)
        self.children.append(child)
        self._launch(child)
        return child

    def keep(self, check: Callable[[], object]) -> None:
        """Call `check` every two seconds: for the servers, which are nobody's children."""
        self._keepers.append(check)

    def _launch(self, child: Child) -> None:
        with open(child.log, "ab") as log:
            child.process = subprocess.Popen(child.argv, env=child.environment, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        child.started = time.monotonic()
        self._write_pids()

    def _write_pids(self) -> None:
        pids = [str(child.process.pid) for child in self.children if child.process is not None]
        (self.folder / "children.pids").write_text("\n".join(pids), encoding="ascii")

    def tend(self) -> None:
        """One round: notice the fallen, start again what is due."""
        now = time.monotonic()
        for child in self.children:
            if child.alive():
                continue
            if child.process is not None:
                code = child.process.returncode
                child.history.append(code)
                _signal(child, signal.SIGKILL)  # what it left behind would hold its port or its tasks
                child.falls = 1 if now - child.started > CALM_SECONDS else child.falls + 1
                pause = min(LONGEST_PAUSE, 0.5 * 2 ** (child.falls - 1))
                child.due, child.process = now + pause, None
                self._say(f"{child.name} ended ({_how(code)}), starts again in {pause:.1f} s; log: {child.log}")
            elif now >= child.due:
                child.restarts += 1
                self._launch(child)
        if now - self._kept > KEEP_SECONDS:
            self._kept = now
            for check in self._keepers:
                check()

    def run(self, until: Callable[[], bool] | None = None, *, pause: float = 0.2) -> None:
        """Tend the children until asked to stop, or until `until` is true."""
        while not self._asked_to_stop and not (until is not None and until()):
            self.tend()
            time.sleep(pause)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End the children one after the other, in the order they were added; kill what has not left in time."""
        deadline = time.monotonic() + seconds
        for position, child in enumerate(self.children):
            if child.alive():
                share = (deadline - time.monotonic()) / (len(self.children) - position)
                _signal(child, signal.SIGTERM)
                _await_end(child, time.monotonic() + max(share, 1.0))
        self.kill_all()

    def kill_all(self) -> None:
        """SIGKILL to every child's whole group; nothing of ours survives it."""
        for child in self.children:
            _signal(child, signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
        (self.folder / "children.pids").unlink(missing_ok=True)


def _signal(child: Child, number: signal.Signals) -> None:
    """SIGTERM goes to the child, which tells its own; SIGKILL to its whole group."""
    if child.process is None:
        return
    try:
        if number == signal.SIGKILL:
            os.killpg(child.process.pid, number)
        else:
            child.process.send_signal(number)
    except (ProcessLookupError, PermissionError):
        pass


def _await_end(child: Child, deadline: float) -> None:
    while child.alive() and time.monotonic() < deadline:
        time.sleep(0.05)


def _kill_group_of_ours(pid: str) -> None:
    """Kill a left-over group, only when its leader still is a Python of this project (numbers are reused)."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return
    if pid.isdigit() and any(word in words for word in (b"portal", b"manage.py")):
        try:
            os.killpg(int(pid), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
