"""Which database a command works on: the one of the environment, else the embedded one of var/.

Gives addresses and makes roles; it never touches tables. Migrations run as a child process (Django stays out).
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from portal.launch.errors import LaunchError
from portal.launch.locks import file_lock
from portal.launch.postgres import PostgresServer
from portal.launch.roles import ensure_roles, role_names

PROJECT = Path(__file__).resolve().parents[2]
DATABASE = "plimsoll"
HINT = "Let an administrator run the output of `python3 manage.py roles --sql` and set all three."


def var_folder() -> Path:
    """Where the embedded servers keep their files: PLIMSOLL_VAR, else var/ beside manage.py."""
    return Path(os.environ.get("PLIMSOLL_VAR") or PROJECT / "var")


@dataclass(frozen=True)
class Databases:
    """Three addresses of one database, by role; `stop` leaves the embedded server (it ends with its last user)."""

    app: str
    owner: str
    operator: str
    stop: Callable[[], object]
    embedded: bool
    server: PostgresServer | None = None

    def environment(self) -> dict[str, str]:
        """The variables that settings read; an unknown address is left out."""
        named = {"DATABASE_URL": self.app, "DATABASE_OWNER_URL": self.owner, "DATABASE_OPERATOR_URL": self.operator}
        return {name: url for name, url in named.items() if url}


def ensure_database(*, prefix: str = "", need_owner: bool = False, make: bool = True) -> Databases:
    """Addresses from the environment, or the embedded server, started or joined, with its roles.

    With DATABASE_URL alone the roles are made over it (`make`); `need_owner` for migrations. Raises LaunchError.
    """
    app = os.environ.get("DATABASE_URL", "")
    owner = os.environ.get("DATABASE_OWNER_URL", "")
    operator = os.environ.get("DATABASE_OPERATOR_URL", "")
    if not app:
        if owner or operator:
            raise LaunchError("DATABASE_URL is missing beside DATABASE_OWNER_URL or DATABASE_OPERATOR_URL.")
        return embedded_database()
    for name, url in (("DATABASE_URL", app), ("DATABASE_OWNER_URL", owner), ("DATABASE_OPERATOR_URL", operator)):
        if url and urlsplit(url).scheme not in ("postgresql", "postgres"):
            raise LaunchError(f"{name} must begin with postgresql://.")
    if operator and (owner or not need_owner):  # web hosts need not hold the owner's address
        return Databases(app, owner, operator, _nothing, embedded=False)
    if owner or operator or not make:
        missing = "DATABASE_OPERATOR_URL" if not operator else "DATABASE_OWNER_URL"
        raise LaunchError(f"{missing} is not set beside DATABASE_URL. {HINT}")
    return derived_databases(admin_url=app, prefix=prefix)


def derived_databases(*, admin_url: str, prefix: str = "") -> Databases:
    """Make the roles over an administrator's address and give the three addresses of the same database."""
    import psycopg  # here, not above: the launcher itself must load before any package is installed

    try:
        with psycopg.connect(admin_url, connect_timeout=10) as connection:
            row = connection.execute(
                "SELECT rolsuper OR (rolcreaterole AND rolbypassrls) FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        raise LaunchError(f"DATABASE_URL does not answer: {str(error).splitlines()[0]}") from None
    if not row or not row[0]:
        raise LaunchError(
            f"The user of DATABASE_URL may not make roles, and DATABASE_OWNER_URL and DATABASE_OPERATOR_URL "
            f"are not set. {HINT}"
        )
    passwords = ensure_roles(admin_url=admin_url, prefix=prefix)
    names = role_names(prefix)
    app, owner, operator = (
        _with_user(admin_url, name, passwords.get(name, "")) for name in (names.app, names.owner, names.operator)
    )
    for url in (app, owner, operator):
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.Error as error:
            raise LaunchError(f"A role was made but may not sign in: {str(error).splitlines()[0]}. {HINT}") from None
    return Databases(app, owner, operator, _nothing, embedded=False)


def embedded_database(root: Path | None = None) -> Databases:
    """The embedded server's database `plimsoll`, started or joined, with roles; not yet migrated."""
    server = PostgresServer(root or var_folder() / "pg")
    server.start()
    try:
        create_database(server, DATABASE)
    except BaseException:
        server.stop()
        raise
    names = role_names()
    return Databases(
        app=server.url(names.app, DATABASE),
        owner=server.url(names.owner, DATABASE),
        operator=server.url(names.operator, DATABASE),
        stop=server.stop,
        embedded=True,
        server=server,
    )


def create_database(server: PostgresServer, name: str, prefix: str = "") -> None:
    """Make database and roles on our own server where they are missing; quick when they are there."""
    import psycopg  # here, not above: the launcher itself must load before any package is installed

    done = server.home / f"made-{prefix}{name}"
    recipe = hashlib.sha256((Path(__file__).parent / "roles.py").read_bytes()).hexdigest()
    with file_lock(server.root / "roles.lock"):
        if done.exists() and done.read_text(encoding="ascii") == recipe:
            return
        with psycopg.connect(server.superuser_url(), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if not found:
                connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        ensure_roles(admin_url=server.superuser_url(name), prefix=prefix)
        done.write_text(recipe, encoding="ascii")


def migrate_if_behind(databases: Databases, *, stamp: Path, environment: dict[str, str]) -> bool:
    """Run the migrations as the owner when any migration file or the lock changed since `stamp`; true when it ran."""
    state = migrations_fingerprint(databases.owner)
    with file_lock(stamp.with_suffix(".lock"), timeout=600):
        if stamp.exists() and stamp.read_text(encoding="ascii") == state:
            return False
        command = [sys.executable, str(PROJECT / "manage.py"), "migrate", "--database", "owner", "--verbosity", "0"]
        done = subprocess.run(command, env={**os.environ, **environment, **databases.environment()}, cwd=PROJECT,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # fmt: skip
        if done.returncode != 0:
            log = var_folder() / "log" / "migrate.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(done.stdout + done.stderr, encoding="utf-8")
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise LaunchError(f"The database could not be migrated: {' '.join(last)} (whole text: {log})", exit_code=1)
        stamp.write_text(state, encoding="ascii")
        return True


def migrations_fingerprint(where: str) -> str:
    """Changes when a migration of ours, the lock, or the address changes."""
    digest = hashlib.sha256(where.encode())
    files = [path for app in ("portal", "tracking", "kpis", "tiers") for path in (PROJECT / app).rglob("*.py")]
    made_by = ("roles.py", "walls.py")  # what a migration runs lives there
    for path in sorted(path for path in files if path.parent.name == "migrations" or path.name in made_by):
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    digest.update((PROJECT / "requirements.txt").read_bytes())
    return digest.hexdigest()


def _with_user(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    secret = f":{quote(password, safe='')}" if password else ""
    # urlunsplit drops the two slashes of an empty host with some paths: write the user in, which keeps them
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}{secret}@{host}"))


def _nothing() -> None:
    """An outside server is not ours to stop."""
