"""The real servers of a test run: PostgreSQL with the three roles and a migrated template, and Valkey.

A migrated cluster is kept under var/ by the hash of what makes it, so that the inner loop starts in a second.
PLIMSOLL_PG_BIN runs on another PostgreSQL than the wheel's.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from portal.launch.postgres import PostgresServer, postgres_bin
from portal.launch.roles import ensure_roles, role_names
from portal.launch.valkey import ValkeyServer

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "plimsoll_template"


class Servers:
    """What one run starts and stops."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="plt-"))
        self.bin_dir = postgres_bin()
        self.postgres = PostgresServer(self.folder / "pg", bin_dir=self.bin_dir, fast=True)
        self.valkey = ValkeyServer(self.folder / "vk")

    def start(self) -> None:
        """A migrated template database and an empty broker."""
        cache = ROOT / "var" / "test-cluster" / _fingerprint(self.bin_dir)
        cache.parent.mkdir(parents=True, exist_ok=True)
        with open(cache.parent / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (cache / "ready").exists():
                self._make(cache)
            shutil.copytree(cache / "data", self.postgres.data, symlinks=True)
        self.postgres.data.chmod(0o700)
        self.postgres.start()
        self.valkey.start()

    def _make(self, cache: Path) -> None:
        for old in cache.parent.iterdir():  # one is kept for each PostgreSQL
            if old.is_dir() and old.name.partition("-")[0] == cache.name.partition("-")[0]:
                shutil.rmtree(old)
        maker = PostgresServer(Path(tempfile.mkdtemp(prefix="plm-")) / "pg", bin_dir=self.bin_dir, fast=True)
        maker.start()
        try:
            with psycopg.connect(maker.superuser_url(), autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {TEMPLATE}")
            ensure_roles(admin_url=maker.superuser_url(TEMPLATE), prefix="test_")
            subprocess.run(
                [sys.executable, "-W", "ignore", "-m", "django", "migrate", "--database", "owner", "--verbosity", "0"],
                check=True, cwd=ROOT, env={**os.environ, **urls(maker, TEMPLATE), "PLIMSOLL_MODE": "test",
                                           "DJANGO_SETTINGS_MODULE": "portal.settings", "PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        finally:
            maker.stop()
        shutil.copytree(maker.data, cache / "data", symlinks=True)
        shutil.rmtree(maker.root.parent, ignore_errors=True)
        (cache / "ready").touch()

    def stop(self) -> None:
        """Stops both and removes their folder."""
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _fingerprint(bin_dir: Path) -> str:
    which, total = hashlib.sha256(str(bin_dir).encode()).hexdigest()[:8], hashlib.sha256()
    watched = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/*/migrations/*.py")]
    for path in sorted([*watched, ROOT / "portal/tenancy/walls.py", ROOT / "portal/launch/roles.py"]):
        total.update(path.as_posix().encode() + path.read_bytes())
    return f"{which}-{total.hexdigest()[:16]}"


def urls(postgres: PostgresServer, database: str) -> dict[str, str]:
    """The three database addresses as environment variables."""
    names = role_names("test_")
    return {
        "DATABASE_URL": postgres.url(names.app, database),
        "DATABASE_OPERATOR_URL": postgres.url(names.operator, database),
        "DATABASE_OWNER_URL": postgres.url(names.owner, database),
    }


def copy_template(superuser_url: str, database: str) -> None:
    """One database a worker, copied from the migrated template."""
    with psycopg.connect(superuser_url, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(7)")
        admin.execute(f"CREATE DATABASE {database} TEMPLATE {TEMPLATE} STRATEGY file_copy")
