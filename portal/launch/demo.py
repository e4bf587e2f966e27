"""`manage.py demo`: the whole product on this machine, with a seeded world, until Ctrl-C.

Starts and stops processes; the world itself, its logins and its story are commands of portal.demo.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import date
from typing import Any

from portal.launch.database import PROJECT, Databases, ensure_database, migrate_if_behind, var_folder
from portal.launch.errors import LaunchError
from portal.launch.postgres import PostgresServer
from portal.launch.server import tail
from portal.launch.supervise import Supervisor
from portal.launch.surroundings import demo_file
from portal.launch.valkey import ValkeyServer

READY_SECONDS = 90.0
FIRST_PORT = 8000


def main(argv: list[str]) -> int:
    """Run the demo; exit 0 after an orderly end, the story's code with --check, 2 on bad input."""
    options = _options(argv)
    demo = Demo(options)
    try:
        return demo.run()
    except LaunchError as error:
        if demo.stop_asked():
            return 130 if options.check else 0  # an interrupted check proved nothing
        raise error
    finally:
        demo.stop()


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py demo", description="Run the portal with a seeded world.")
    parser.add_argument("--port", type=_port, default=None, help="default: 8000, or the next free one")
    parser.add_argument("--reset", action="store_true", help="throw the demo's data away first")
    parser.add_argument("--check", action="store_true", help="run the story from message to credit, then stop")
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready")
    parser.add_argument("--today", type=_day, default=None, help="YYYY-MM-DD: the day the world is told from")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError("a day is written YYYY-MM-DD") from None


class Demo:
    """One run of the demo: servers, data, processes, and their end."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.folder = var_folder() / "demo"
        self.supervisor = Supervisor(self.folder, say=self.say)
        self.databases: Databases | None = None
        self.valkey: ValkeyServer | None = None
        self.environment: dict[str, str] = {}
        self.url = ""

    def say(self, text: str) -> None:
        """Tell the person; standard output stays free for --json."""
        print(text, file=sys.stderr if self.options.json else sys.stdout, flush=True)

    def stop_asked(self) -> bool:
        return self.supervisor.stop_asked()

    def run(self) -> int:
        began = time.monotonic()
        self.supervisor.lock()
        self.supervisor.catch_signals()
        if self.options.reset or self._was_interrupted():
            self._reset()
        free_port(self.options.port)  # say at once when the port that was asked for is taken
        self._servers()
        self._surroundings()
        self._world()
        self._processes(self._surroundings())  # minutes may have passed, and another program may have come
        self._await_ready()
        told = self._tell(time.monotonic() - began)
        if self.options.check:
            return self._command(["demo_story", *(["--json"] if self.options.json else [])], own_output=True)
        if told:
            self.supervisor.run()
        self.say("Stopping ...")
        return 0

    def _was_interrupted(self) -> bool:
        """A history that was told by half cannot be continued; it is thrown away and told anew."""
        return (self.folder / "seeding").exists() and not os.environ.get("DATABASE_URL")

    # --- what it stands on -----------------------------------------------------------------------------------

    def _reset(self) -> None:
        if os.environ.get("DATABASE_URL"):
            raise LaunchError("--reset empties the embedded database only; DATABASE_URL names another one.")
        var = var_folder()
        server = PostgresServer(var / "pg")
        if not server.stop() or not ValkeyServer(var / "valkey").stop():
            raise LaunchError("Another command is using the demo's database; wait for it to end, then reset.")
        for folder in {server.home, server.root, server.socket_folder, var / "valkey"}:
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("seeded", "seeding", "beat", "migrated", "world"):
            for path in self.folder.glob(f"{name}*"):
                path.unlink()
        shutil.rmtree(var_folder() / "inbox", ignore_errors=True)
        demo_file().unlink(missing_ok=True)

    def _servers(self) -> None:
        self.say("Starting the database ...")
        self.databases = ensure_database(need_owner=True)
        if self.databases.server is not None:
            self.supervisor.keep(self._keep(self.databases.server))
        if not os.environ.get("CELERY_BROKER_URL"):
            self.valkey = ValkeyServer(var_folder() / "valkey")
            self.valkey.start()
            self.supervisor.keep(self._keep(self.valkey))

    def _keep(self, server: PostgresServer | ValkeyServer) -> Callable[[], None]:
        def check() -> None:
            if not server.running():
                self.say(f"{server.label} is down, starting it again")
                server.start()

        return check

    def _surroundings(self) -> int:
        """The environment of every process, written down for the commands that join this demo; the web port."""
        assert self.databases is not None
        port = free_port(self.options.port)
        self.url = f"http://localhost:{port}"
        shared = {"PLIMSOLL_MODE": "demo", "PUBLIC_URL": self.url}
        if self.valkey is not None:
            shared["CELERY_BROKER_URL"] = self.valkey.url()
        if not os.environ.get("EMAIL_URL"):
            shared["EMAIL_URL"] = f"smtp://127.0.0.1:{free_port(None, first=2525)}"
        if self.options.today:
            shared["PLIMSOLL_TODAY"] = self.options.today
        self.environment = {**os.environ, **shared, **self.databases.environment(), "PLIMSOLL_NO_BOOTSTRAP": "1"}
        descriptor = os.open(demo_file(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"url": self.url, "environment": shared}, file)
        return port

    # --- what it shows ---------------------------------------------------------------------------------------

    def _world(self) -> None:
        assert self.databases is not None
        embedded = self.databases.embedded
        stamp = var_folder() / "pg" / "migrated" if embedded else self.folder / "migrated"
        self.say("Checking the tables ...")
        migrate_if_behind(self.databases, stamp=stamp, environment=self.environment)
        seeded = self.folder / "seeded"
        if embedded and seeded.exists():
            return
        if self._command(["seed_demo_world", "--needed"]) == 0:
            self.say("Telling the demo world's history through the real doors (up to 3 minutes, once) ...")
            today = ["--today", self.options.today] if self.options.today else []
            (self.folder / "seeding").touch()
            if self._command(["seed_demo_world", *today]) != 0:
                raise LaunchError("The demo world could not be made; what went wrong stands above.", exit_code=1)
            (self.folder / "seeding").unlink()
        if embedded:
            seeded.touch()

    def _processes(self, port: int) -> None:
        """Everything that production runs too. The order is the order of stopping: doors first, then what they feed."""
        self.say("Starting web, dispatcher, scheduler and workers ...")
        python = sys.executable
        children = {name: value for name, value in self.environment.items() if name != "DATABASE_OWNER_URL"}
        celery = [python, "-m", "celery", "-A", "portal"]
        add = self.supervisor.add
        add("web", [python, "-m", "gunicorn", "-k", "gthread", "--workers", "2", "--threads", "4", "--bind",
                    f"127.0.0.1:{port}", "--graceful-timeout", "5", "--no-control-socket",
                    "--limit-request-line", "8190", "portal.wsgi:application"], children)  # fmt: skip
        add("dispatcher", [python, str(PROJECT / "manage.py"), "dispatcher"], children)
        add("scheduler", [*celery, "beat", "-s", str(self.folder / "beat"), "--pidfile=", "-l", "info"], children)
        worker = [*celery, "worker", "--without-gossip", "--without-mingle", "-l", "info"]
        add("worker", [*worker, "-Q", "plimsoll", "-c", "2"], children)
        add("caller", [*worker, "-Q", "plimsoll_calls", "-P", "threads", "-c", "8", "-n", "caller@%h"], children)
        if not os.environ.get("EMAIL_URL"):
            mail_port = self.environment["EMAIL_URL"].rpartition(":")[2]
            add("inbox", [python, "-m", "portal.demo_inbox", "--port", mail_port], children)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.stop_asked():
            self.supervisor.tend()
            if _answers(f"{self.url.replace('localhost', '127.0.0.1')}/readyz"):
                return
            web = self.supervisor.children[0]
            if time.monotonic() > deadline or web.falls >= 3:
                raise LaunchError(f"The portal did not become ready; its log {web.log} ends with: {tail(web.log)}",
                                  exit_code=1)  # fmt: skip
            time.sleep(0.1)

    def _tell(self, seconds: float) -> bool:
        """Print address and logins; false when asked to stop meanwhile."""
        if self.stop_asked():
            return False
        words = [sys.executable, str(PROJECT / "manage.py"), "demo_logins", "--json"]
        shown = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False,
                               start_new_session=True)  # fmt: skip
        try:
            known: dict[str, Any] = json.loads(shown.stdout)
        except ValueError:
            raise LaunchError(f"The demo's logins cannot be read: {shown.stderr.strip()[-300:]}", exit_code=1) from None
        if self.options.json:
            print(json.dumps({"url": self.url, **known}), flush=True)
        else:
            print(f"\nReady after {seconds:.0f} s: {self.url}\n")
            for user in known.get("users", []):
                print("  " + _login_line(user))
            print(f"\nOne-time codes: python3 manage.py demo_code EMAIL     Mail: {self.url}/demo/inbox")
            print("Ctrl-C stops everything and keeps the data.\n", flush=True)
        return True

    def _command(self, words: list[str], *, own_output: bool = False) -> int:
        """Run one of our commands to its end; a request to stop is passed on. Raises LaunchError when stopped."""
        output = None if own_output or not self.options.json else sys.stderr
        child = subprocess.Popen([sys.executable, str(PROJECT / "manage.py"), *words], env=self.environment,
                                 stdin=subprocess.DEVNULL, stdout=output, start_new_session=True)  # fmt: skip
        asked_at = 0.0
        while child.poll() is None:
            if self.stop_asked():
                if not asked_at:
                    child.send_signal(signal.SIGINT)
                    asked_at = time.monotonic()
                elif time.monotonic() - asked_at > 10:
                    child.kill()
            if self.supervisor.children:
                self.supervisor.tend()
            time.sleep(0.05)
        if self.stop_asked():
            raise LaunchError("Stopped.", exit_code=130)
        return child.returncode

    def stop(self) -> None:
        """Processes first, then the servers they stand on; each server ends with its last user."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # impatient keys must not leave servers behind
        self.supervisor.stop(18.0)
        if self.valkey is not None:
            self.valkey.stop()
        if self.databases is not None:
            self.databases.stop()
        self.supervisor.unlock()


def free_port(wanted: int | None, *, first: int = FIRST_PORT) -> int:
    """`wanted`, or the first free loopback port from `first`; raises LaunchError when there is none."""
    for port in [wanted] if wanted else range(first, first + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except PermissionError:
                raise LaunchError(f"Port {port} needs rights this user does not have; choose one from 1024.") from None
            except OSError:
                continue
    raise LaunchError(f"Port {wanted} is taken by another program; choose another with --port."
                      if wanted else "No free port was found.")  # fmt: skip


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _login_line(user: dict[str, Any]) -> str:
    about = ", ".join(str(user[key]) for key in ("role", "account", "tier") if user.get(key))
    code = "  (asks for a one-time code)" if user.get("totp_secret") else ""
    return f"{user['login']:<34} {user['password']:<22} {about}{code}"
