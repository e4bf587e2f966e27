"""What manage.py does with its words: get the packages, find the database, hand over to Django.

Knows which commands need no database; knows nothing of what a command does.
"""

import os
import sys
from pathlib import Path

from portal.launch.errors import LaunchError

PROJECT = Path(__file__).resolve().parents[2]

# These read no database; on a fresh clone they start nothing.
WITHOUT_DATABASE = {
    *("help", "--help", "-h", "version", "--version", "check", "diffsettings"),
    *("makemigrations", "makemessages", "compilemessages", "collectstatic", "findstatic"),
    *("canonical", "check_cases", "describe", "routes", "faultpoints", "verify"),
}
# These want the owner's role and must not be preceded by an automatic migration.
OF_THE_OWNER = {"migrate", "showmigrations", "sqlmigrate", "sqlflush", "sqlsequencereset", "optimizemigration"}


def main(argv: list[str]) -> int:
    """Run one command; the exit code. Expected failures are one sentence on standard error, never a traceback."""
    try:
        return _dispatch(argv)
    except LaunchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _dispatch(argv: list[str]) -> int:
    command = argv[0] if argv else "help"
    if command == "roles":  # an administrator may have nothing but Python and psql
        from portal.launch import roles

        return roles.main(argv[1:])
    from portal.launch.bootstrap import ensure_packages

    ensure_packages(argv, script=PROJECT / "manage.py")
    if command == "test":
        from portal.launch import testing

        return testing.main(argv[1:])
    if command == "demo":
        from portal.launch import demo

        return demo.main(argv[1:])
    return django_command(argv)


def django_command(argv: list[str]) -> int:
    """Give Django its surroundings and the command; an embedded database is left when the command ends."""
    command = argv[0] if argv else "help"
    if command in WITHOUT_DATABASE or "--help" in argv or "-h" in argv:
        from portal.launch.surroundings import local_environment

        local_environment()
        return _run_django(argv)
    import signal

    from portal.launch.surroundings import prepare

    databases = prepare(need_owner=command in OF_THE_OWNER, migrate=command not in OF_THE_OWNER)
    if databases.embedded:
        # Without this, a plain kill would skip the `finally` below and leave the server behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if command in OF_THE_OWNER and not any(word.startswith("--database") for word in argv):
        argv = [*argv, "--database", "owner"]
    try:
        return _run_django(argv)
    finally:
        databases.stop()


def _run_django(argv: list[str]) -> int:
    import warnings

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    # makemigrations asks the database for its history, and says so when there is none to ask
    warnings.filterwarnings("ignore", message="Got an error checking a consistent migration history")
    try:
        from django.core.management import execute_from_command_line

        execute_from_command_line(["manage.py", *argv])
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None or "--traceback" in argv:
            raise
        raise LaunchError(sentence) from None
    return 0


def _sentence(error: Exception) -> str | None:
    """The plain words of a failure that is the surroundings' fault or expected; None for a fault of ours."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"ImproperlyConfigured", "EnvironmentFault"}:
        return f"The configuration is incomplete: {error}"
    if "PortalError" in kinds:
        return str(error)
    if "OperationalError" in kinds and "connect" in str(error).lower():
        return f"The database does not answer: {str(error).splitlines()[0]}"
    return None
