"""PgBouncer in transaction mode before the test cluster, for as long as a test needs it.

It refuses to run as root, so it runs as whoever runs the cluster.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from portal.launch.server import NOBODY, user_namespace_works
from tests.processes import wait_for

PORT = 6432
_CONFIG = """
[databases]
* = host={socket} port=5432
[pgbouncer]
listen_addr =
listen_port = {port}
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 100
ignore_startup_parameters = extra_float_digits,options
logfile = {folder}/log
pidfile = {folder}/pid
"""


def program() -> str | None:
    """Where it is installed, or None."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def pooler(*, size: int) -> Iterator[dict[str, str]]:
    """The run-time addresses through a pooler with `size` server connections, as environment variables."""
    binary = program()
    assert binary is not None
    folder = Path(tempfile.mkdtemp(prefix="plpb-", dir="/tmp"))
    variables = ("DATABASE_URL", "DATABASE_OPERATOR_URL")
    addresses = {name: urlsplit(os.environ[name]) for name in variables}
    socket = parse_qs(addresses["DATABASE_URL"].query)["host"][0]
    (folder / "users").write_text("".join(f'"{a.username}" ""\n' for a in addresses.values()))
    (folder / "ini").write_text(_CONFIG.format(socket=socket, folder=folder, port=PORT, size=size))
    as_root = os.geteuid() == 0
    in_namespace = as_root and not os.environ.get("PLIMSOLL_PG_AS_NOBODY") and user_namespace_works()
    as_nobody = as_root and not in_namespace
    if as_nobody:
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    prefix = ["unshare", "-U", "--map-user=1000"] if in_namespace else []
    running = subprocess.Popen(
        [*prefix, binary, "-q", str(folder / "ini")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, user=NOBODY if as_nobody else None, group=NOBODY if as_nobody else None,
        extra_groups=[] if as_nobody else None,
    )  # fmt: skip
    try:
        wait_for(lambda: (folder / f".s.PGSQL.{PORT}").exists(), what="PgBouncer")
        through = {name: a._replace(query=f"host={folder}&port={PORT}").geturl() for name, a in addresses.items()}
        yield {**through, "DATABASE_POOLER": "1"}
    finally:
        running.terminate()
        running.wait(timeout=10)
        shutil.rmtree(folder, ignore_errors=True)
