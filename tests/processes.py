"""Real processes for tests: worker, dispatcher, beat, web, and an SMTP sink that counts what it accepted.

Each is started by a test with the environment of its database and broker, and ends with it.
"""

from __future__ import annotations

import contextlib
import email
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

logging.getLogger("mail.log").setLevel(logging.WARNING)
ROOT = Path(__file__).resolve().parent.parent
PYTHON = [sys.executable, "-W", "ignore"]


def wait_for(condition: Callable[[], Any], *, seconds: float = 15.0, what: str = "the condition") -> Any:
    """Polls until the condition is truthy and returns it; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.05)


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One of our processes in a session of its own, with its log in a file."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        self.name, self.command, self.environment = name, command, environment
        self.log = Path(tempfile.mkdtemp(prefix="plp-")) / f"{name}.log"
        self.child: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it (again)."""
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command, cwd=ROOT, stdin=subprocess.DEVNULL,
                env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **self.environment},
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.child is not None
        return self.child.pid

    def alive(self) -> bool:
        """Whether the main process runs."""
        return self.child is not None and self.child.poll() is None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Sends the whole process group the signal (kill -9 by default) and waits for the main process."""
        if self.child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, number)
        self.child.wait(timeout=30)

    def stop(self, seconds: float = 15.0) -> float:
        """SIGTERM to the main process; returns how long it took; kills what is left."""
        if self.child is None:
            return 0.0
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            self.child.terminate()
        try:
            self.child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        took = time.monotonic() - began
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        return took

    def children(self) -> list[int]:
        """Process ids of its direct children."""
        found = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False)
        return [int(line) for line in found.stdout.split()]

    def kill_child(self) -> bool:
        """kill -9 to its newest child alone, as the kernel does when memory runs out; False when it has none."""
        children = self.children()
        with contextlib.suppress(ProcessLookupError):
            if children:
                os.kill(children[-1], signal.SIGKILL)
                return True
        return False

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")


def worker(*, pool: str = "solo", concurrency: int = 1, queue: str = "", **environment: str) -> Process:
    """A Celery worker of every queue or of one; `solo` dies as a whole, `prefork` has children."""
    command = [*PYTHON, "-m", "celery", "-A", "portal", "worker", "-P", pool, "-c", str(concurrency),
               "--without-gossip", "--without-mingle", "-l", "info"]  # fmt: skip
    if queue:
        command += ["-Q", queue, "-n", f"{queue}@%h"]
    return Process("worker", command, environment)


def dispatcher(**environment: str) -> Process:
    """The dispatcher."""
    return Process("dispatcher", [*PYTHON, "-m", "django", "dispatcher"], environment)


def beat(**environment: str) -> Process:
    """Celery beat with a schedule file of its own."""
    folder = tempfile.mkdtemp(prefix="plb-")
    return Process(
        "beat", [*PYTHON, "-m", "celery", "-A", "portal", "beat", "-s", f"{folder}/beat", "--pidfile="], environment
    )


def web(port: int, **environment: str) -> Process:
    """gunicorn with two threads."""
    command = [*PYTHON, "-m", "gunicorn", "-k", "gthread", "--workers", "1", "--threads", "2", "--bind",
               f"127.0.0.1:{port}", "--no-control-socket",
               "--limit-request-line", "8190", "portal.wsgi:application"]  # fmt: skip
    return Process("web", command, environment)


@contextlib.contextmanager
def running(*processes: Process) -> Iterator[None]:
    """Ends them with the block."""
    try:
        yield
    finally:
        for process in processes:
            process.stop(5.0)


class Sink:
    """An SMTP server on loopback that keeps what it accepted and answers by the recipient's local part.

    `refuse-550...` and `later-451...` are refused at RCPT, the second one `self.later` times; `drop-...` is accepted
    at DATA and the connection then closed without an answer; `slow-...` waits `self.slow` seconds after DATA.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.accepted: list[tuple[str, Message]] = []
        self.tries: Counter[str] = Counter()
        self.later, self.slow = 1, 0.5
        self._lock = threading.Lock()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    @property
    def url(self) -> str:
        """For EMAIL_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> Sink:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        """By address pattern."""
        with self._lock:
            self.tries[address] += 1
            tries = self.tries[address]
        if address.startswith("refuse-550"):
            return "550 5.1.1 no such person"
        if address.startswith("later-451") and tries <= self.later:
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keeps the mail, then answers, or not."""
        import asyncio

        message = email.message_from_bytes(envelope.content)
        with self._lock:
            self.accepted += [(address, message) for address in envelope.rcpt_tos]
        first = envelope.rcpt_tos[0]
        if first.startswith("drop-"):
            server.transport.abort()
            return "421 gone"
        if first.startswith("slow-"):
            await asyncio.sleep(self.slow)
        return "250 OK"

    def by_message_id(self) -> Counter[str]:
        """How often each Message-ID was accepted."""
        with self._lock:
            return Counter(str(message["Message-ID"]) for _, message in self.accepted)

    def to(self, address: str) -> list[Message]:
        """What one address received."""
        with self._lock:
            return [message for recipient, message in self.accepted if recipient == address]
