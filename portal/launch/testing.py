"""`manage.py test [fast|all|nightly|mutation] [pytest arguments]`: everything that CI runs, in one place.

Runs tools and reports; servers for tests are started by tests/conftest.py. A step is a plain function.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from portal.launch.errors import LaunchError

PROJECT = Path(__file__).resolve().parents[2]
MODES = ("fast", "all", "nightly", "mutation")
PACKAGES = ["portal", "tracking", "kpis", "tiers"]
OLDEST = Path("/usr/lib/postgresql/15/bin")  # the oldest PostgreSQL that is supported


def main(argv: list[str]) -> int:
    """Run the steps of a mode; exit code of the first that failed. pytest's closing line is the last line."""
    mode, arguments = (argv[0], argv[1:]) if argv and argv[0] in MODES else ("all", argv)
    os.chdir(PROJECT)
    if mode == "fast":
        return run_pytest(["-m", "not slow and not browser and not nightly", *arguments])
    if mode == "mutation":
        return mutation(arguments)
    codes = [_timed(label, step) for label, step in STEPS]
    left_out = provide()
    for part in left_out:
        print(f"left out: {part}", flush=True)
    if left_out and os.environ.get("CI") == "true":
        print("CI=true: a part that is left out counts as failed", flush=True)
        codes.append(1)
    failed = [label for (label, _), code in zip(STEPS, codes, strict=False) if code]
    if failed:
        print(f"failed so far: {', '.join(failed)}", flush=True)
    marks = [] if mode == "nightly" else ["-m", "not nightly"]
    if not arguments and (OLDEST / "postgres").exists():
        oldest = marks if mode == "nightly" else ["-m", "walls and not nightly"]
        codes.append(run_pytest(["-q", *oldest], PLIMSOLL_PG_BIN=str(OLDEST)))
    codes.append(run_pytest([*marks, *arguments]))
    return next((code for code in codes if code), 0)


# --- steps ----------------------------------------------------------------------------------------------------


def ruff_format() -> int:
    return _tool("ruff", "format", "--check", "--output-format", "concise", ".")


def ruff_check() -> int:
    return _tool("ruff", "check", "--output-format", "concise", ".")


def types() -> int:
    return _tool("mypy", "--no-error-summary", "manage.py", *_present(PACKAGES))


def imports() -> int:
    return _program("lint-imports", "--no-cache", "--no-logo")


def templates() -> int:
    return _tool("djlint", *_present(PACKAGES), "--lint", "--quiet")


def migrations() -> int:
    return _python("manage.py", "makemigrations", "--check", "--dry-run")


STEPS: list[tuple[str, Callable[[], int]]] = [
    ("format", ruff_format),
    ("lint", ruff_check),
    ("types", types),
    ("imports", imports),
    ("templates", templates),
    ("migrations", migrations),
]


def run_pytest(arguments: list[str], **extra: str) -> int:
    """pytest with its output passed through, on all cores unless told how; nothing collected (5) fails too."""
    if not any(word.startswith(("-n", "--numprocesses", "--pdb", "-p")) or "::" in word for word in arguments):
        arguments = ["-n", str(min(os.cpu_count() or 1, 4)), *arguments]
    return _python("-m", "pytest", *arguments, extra=extra, quiet=False)


def mutation(arguments: list[str]) -> int:
    """Change rules one at a time and see that a test turns red."""
    script = PROJECT / "tests" / "mutation" / "run.py"
    if not script.exists():
        raise LaunchError("There is no mutation run yet: tests/mutation/run.py is missing.")
    return _python(str(script), *arguments, quiet=False)


def _timed(label: str, step: Callable[[], int]) -> int:
    print(f"{label:<12} ", end="", flush=True)
    began = time.monotonic()
    code = step()
    if code:
        print(f"{label:<12} FAILED", end="")
    else:
        print("ok", end="")
    print(f" in {time.monotonic() - began:.1f} s", flush=True)
    return code


def _tool(module: str, *words: str) -> int:
    return _python("-m", module, *words)


def _program(name: str, *words: str) -> int:
    """A tool that has no `-m` form, from the folder of this Python."""
    return _run([str(Path(sys.executable).parent / name), *words], {}, quiet=True)


def _python(*words: str, extra: dict[str, str] | None = None, quiet: bool = True) -> int:
    return _run([sys.executable, *words], extra or {}, quiet=quiet)


def _run(command: list[str], extra: dict[str, str], *, quiet: bool) -> int:
    """Run a tool; a quiet one shows its words only when it fails."""
    environment = {**os.environ, "PLIMSOLL_MODE": "test", "PLIMSOLL_NO_BOOTSTRAP": "1", **extra}
    environment.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's synchronous fixtures run in a loop
    if not quiet:
        return subprocess.run(command, env=environment, check=False).returncode
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)  # fmt: skip
    if done.returncode:
        print(f"\n{done.stdout.rstrip()}", flush=True)
    return done.returncode


def _present(names: list[str]) -> list[str]:
    return [name for name in names if (PROJECT / name).is_dir()]


# --- what the tests need beside Python --------------------------------------------------------------------------


def chromium_path() -> str | None:
    """PLIMSOLL_CHROMIUM, else a browser on PATH, else one that Playwright already holds; None when there is none."""
    override = os.environ.get("PLIMSOLL_CHROMIUM")
    if override:
        return override
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    held = sorted(Path.home().glob(".cache/ms-playwright/chromium-*/chrome-linux*/chrome"))
    return str(held[-1]) if held else None


def provide() -> list[str]:
    """Install what is missing, as root on Debian; returns the parts of the suite that stay out, with the reason."""
    wanted: dict[str, tuple[Callable[[], bool], str]] = {
        "chromium": (lambda: chromium_path() is not None, "browser tests (no Chromium; set PLIMSOLL_CHROMIUM)"),
        "postgresql-15": (lambda: (OLDEST / "postgres").exists(), "the run on PostgreSQL 15 (not installed)"),
        "pgbouncer": (lambda: _pgbouncer() is not None, "the tests through PgBouncer (not installed)"),
    }
    absent = [package for package, (present, _) in wanted.items() if not present()]
    if absent and os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get"):
        _apt_install(absent)
    return [label for package, (present, label) in wanted.items() if not present()]


def _pgbouncer() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")


def _apt_install(packages: list[str]) -> None:
    """apt-get without questions, and without any service or cluster being started."""
    print(f"installing   {' '.join(packages)}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-y", "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Use-Pty=0"]
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")  # 101: "this action is not allowed"
        policy.chmod(0o755)
    with tempfile.TemporaryFile() as words:

        def call(*rest: str) -> int:
            return subprocess.run([*apt, *rest], env=environment, stdout=words, stderr=words, check=False).returncode

        try:
            call("update")
            if any(package.startswith("postgresql") for package in packages):
                call("install", "--no-install-recommends", "postgresql-common")
                _no_cluster()
            for package in packages:  # one by one: a package this release lacks must not keep out the others
                if call("install", "--no-install-recommends", package):
                    words.seek(0)
                    print(words.read().decode(errors="replace").strip()[-500:], flush=True)
        finally:
            if ours:
                policy.unlink(missing_ok=True)


def _no_cluster() -> None:
    """Debian makes and starts a cluster with each server package; we bring our own."""
    settings = Path("/etc/postgresql-common/createcluster.conf")
    if settings.exists():
        lines = [
            line for line in settings.read_text(encoding="utf-8").splitlines() if "create_main_cluster" not in line
        ]
        settings.write_text("\n".join([*lines, "create_main_cluster = false", ""]), encoding="utf-8")
