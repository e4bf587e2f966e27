"""The three database roles and what each may do, as SQL that may be run again and again.

`plimsoll_owner` owns the tables and migrates, `plimsoll_app` serves people and owns nothing, `plimsoll_operator`
sees across tenants and reads only. Tables and policies are not made here: migrations do that.
"""

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from portal.launch.errors import LaunchError

EXTENSIONS = ("btree_gin", "btree_gist", "pg_trgm")


@dataclass(frozen=True)
class RoleNames:
    """The names of the three roles in one installation; tests put `test_` in front."""

    owner: str
    app: str
    operator: str


def role_names(prefix: str = "") -> RoleNames:
    return RoleNames(f"{prefix}plimsoll_owner", f"{prefix}plimsoll_app", f"{prefix}plimsoll_operator")


def roles_sql(*, database: str, prefix: str = "", passwords: dict[str, str] | None = None) -> str:
    """SQL for an administrator connected to `database`; works on PostgreSQL 15 and newer (T1, D1).

    `passwords` maps role names to passwords; without it the roles are left without one.
    """
    names = role_names(prefix)
    owner, app, operator = (_name(name) for name in (names.owner, names.app, names.operator))
    parts = [_role_sql(names.owner, "NOBYPASSRLS"), _role_sql(names.app, "NOBYPASSRLS")]
    parts.append(_role_sql(names.operator, "BYPASSRLS"))
    parts += [f"ALTER ROLE {_name(role)} PASSWORD {_text(word)};" for role, word in (passwords or {}).items()]
    parts.append(f"""
-- Limits (D1): nobody waits long for a lock, nobody keeps a transaction open while idle.
ALTER ROLE {owner} SET lock_timeout = '2s';
ALTER ROLE {owner} SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE {app} SET lock_timeout = '2s';
ALTER ROLE {app} SET statement_timeout = '30s';
ALTER ROLE {app} SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE {operator} SET lock_timeout = '2s';
ALTER ROLE {operator} SET statement_timeout = '120s';
ALTER ROLE {operator} SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE {operator} SET default_transaction_read_only = on;

-- The owner may hand functions to the operator role (SECURITY DEFINER); it does not get BYPASSRLS by that.
GRANT {operator} TO {owner};

GRANT CONNECT, TEMPORARY ON DATABASE {_name(database)} TO {owner}, {app}, {operator};
ALTER SCHEMA public OWNER TO {owner};
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO {app}, {operator};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO {operator};
""")
    parts += [f"CREATE EXTENSION IF NOT EXISTS {name};" for name in EXTENSIONS]
    return "\n".join(parts) + "\n"


def _role_sql(role: str, bypass: str) -> str:
    # NOSUPERUSER and the like are said at creation only: ALTER ROLE ... NOSUPERUSER needs a superuser even as a no-op.
    return f"""DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {_text(role)}) THEN
    CREATE ROLE {_name(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE {bypass};
  END IF;
END $$;"""


def ensure_roles(*, admin_url: str, prefix: str = "") -> dict[str, str]:
    """Run the SQL over `admin_url` in its database; returns the passwords set (empty where the server trusts).

    Raises LaunchError when the administrator may not do it. Safe to run at once from several processes.
    """
    import psycopg  # here, not above: the launcher itself must load before any package is installed

    database = unquote(urlsplit(admin_url).path.lstrip("/")) or "postgres"
    passwords = derived_passwords(admin_url, prefix)
    for attempt in range(10):
        try:
            with psycopg.connect(admin_url) as connection:
                row = connection.execute("SELECT current_database()").fetchone()
                sql = roles_sql(database=row[0] if row else database, prefix=prefix, passwords=passwords)
                connection.execute("SET LOCAL client_min_messages = warning")
                connection.execute(sql.encode())
            return passwords
        except (psycopg.errors.InternalError_, psycopg.errors.UniqueViolation, psycopg.errors.LockNotAvailable):
            time.sleep(0.1 * (attempt + 1))  # somebody else is making the same roles at this moment
        except psycopg.Error as error:
            raise LaunchError(
                f"The roles could not be made in {database}: {str(error).splitlines()[0]}. "
                "Let an administrator run the output of `python3 manage.py roles --sql`."
            ) from None
    raise LaunchError(f"The roles could not be made in {database}: others kept changing them.")


def main(argv: list[str]) -> int:
    """`manage.py roles --sql [--database NAME] [--prefix test_]`: print the SQL, or without --sql run it."""
    import argparse
    import os

    parser = argparse.ArgumentParser(
        prog="manage.py roles", description="The database roles: print their SQL, or make them over DATABASE_URL."
    )
    parser.add_argument("--sql", action="store_true", help="print the SQL for an administrator; connects to nothing")
    parser.add_argument("--database", default="", help="its name; default: that of DATABASE_URL, else plimsoll")
    parser.add_argument("--prefix", default="", help="in front of the role names, for example test_")
    options = parser.parse_args(argv)
    url = os.environ.get("DATABASE_URL", "")
    named = options.database or unquote(urlsplit(url).path.lstrip("/")) or "plimsoll"
    if options.sql:
        print(f"-- Run as an administrator, connected to {named}. Then give each role a way to sign in, for example")
        print(f"-- ALTER ROLE {role_names(options.prefix).app} PASSWORD '...';")
        print(roles_sql(database=named, prefix=options.prefix), end="")
        return 0
    if not url:
        raise LaunchError("Set DATABASE_URL to an administrator's address, or print the SQL with --sql.")
    ensure_roles(admin_url=url, prefix=options.prefix)
    print(", ".join(vars(role_names(options.prefix)).values()) + " are ready.")
    return 0


def derived_passwords(admin_url: str, prefix: str = "") -> dict[str, str]:
    """One password a role, worked out from the administrator's: the same every time, stored nowhere."""
    secret = unquote(urlsplit(admin_url).password or "")
    if not secret:
        return {}
    names = role_names(prefix)
    return {
        role: hmac.new(secret.encode(), f"plimsoll role {role}".encode(), hashlib.sha256).hexdigest()[:40]
        for role in (names.owner, names.app, names.operator)
    }


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
