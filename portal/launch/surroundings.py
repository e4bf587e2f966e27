"""What a command finds in its environment when nobody set it: mode, database, broker, mail of this checkout.

Only fills gaps; a variable that is set always wins.
"""

import json
import os
from pathlib import Path

from portal.launch.database import Databases, ensure_database, migrate_if_behind, var_folder


def demo_file() -> Path:
    """Where the demo writes the addresses of its processes, for the commands that join it."""
    return var_folder() / "demo.json"


def local_environment() -> None:
    """Without DATABASE_URL this is a demo, never production; a demo that ran here gives its addresses."""
    if os.environ.get("DATABASE_URL"):
        return
    os.environ.setdefault("PLIMSOLL_MODE", "demo")
    try:
        known = json.loads(demo_file().read_text(encoding="utf-8")).get("environment", {})
    except (OSError, ValueError):
        known = {}
    for name, value in known.items():
        os.environ.setdefault(name, value)


def prepare(*, need_owner: bool = False, migrate: bool = True) -> Databases:
    """Find or start the database and put its addresses into the environment; an embedded one is migrated."""
    local_environment()
    databases = ensure_database(need_owner=need_owner)
    try:
        if databases.embedded and migrate:
            migrate_if_behind(databases, stamp=var_folder() / "pg" / "migrated", environment={})
    except BaseException:
        databases.stop()
        raise
    os.environ.update(databases.environment())
    return databases
