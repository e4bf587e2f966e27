"""Gets the locked packages: into .venv, with hashes, once; then runs the same command there.

Nothing happens when this Python already holds the locked versions, or PLIMSOLL_NO_BOOTSTRAP is set. The check reads
folder names only, so that every command can afford it.
"""

import ast
import os
import re
import sys
from pathlib import Path

from portal.launch.errors import LaunchError

PROJECT = Path(__file__).resolve().parents[2]
VENV = PROJECT / ".venv"
LOCKS = {"run": PROJECT / "requirements.txt", "dev": PROJECT / ".ci" / "requirements-dev.txt"}
STAMP = "plimsoll-stamp"
UNFINISHED = "plimsoll-unfinished"
MARKER = "PLIMSOLL_BOOTSTRAPPED"
NOT_FOR_PIP = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "__PYVENV_LAUNCHER__")
NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|Temporary failure|Network is unreachable|ConnectTimeout|Max retries"
    r"|Connection refused|Could not connect|Failed to establish|ProxyError|No route to host",
    re.IGNORECASE,
)
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)\s*(?:;\s*([^\\#]+))?", re.MULTILINE)


def ensure_packages(argv: list[str], *, script: Path) -> None:
    """Return when the packages are here; else install them and become the same command in .venv. Raises LaunchError."""
    kinds = ["run", "dev"] if argv[:1] == ["test"] else ["run"]
    again = os.environ.pop(MARKER, "")
    if os.environ.get("PLIMSOLL_NO_BOOTSTRAP"):
        return
    inside = os.path.realpath(sys.prefix) == os.path.realpath(VENV)
    if (inside and _stamped(kinds)) or (not (inside and _unfinished()) and not missing(kinds)):
        return
    if again:
        raise LaunchError(f"The packages in {VENV} do not match requirements.txt although they were just installed; "
                          f"remove that folder and start again.")  # fmt: skip
    if not _stamped(kinds):
        _install_once(kinds)
    _become(script)


def missing(kinds: list[str]) -> list[str]:
    """Locked packages that this Python does not hold in the locked version, as `name==version`."""
    held = _held(sys.path)
    return [f"{name}=={version}" for name, version in locked(kinds).items() if held.get(name) != _plain(version)]


def locked(kinds: list[str]) -> dict[str, str]:
    """Name to version of every pin whose marker is true here."""
    pins: dict[str, str] = {}
    for kind in kinds:
        for name, version, marker in _PIN.findall(LOCKS[kind].read_text(encoding="utf-8")):
            if not marker or marker_holds(marker.strip()):
                pins[_normal(name)] = version
    return pins


def marker_holds(marker: str) -> bool:
    """Evaluate an environment marker of the lock (`python_full_version < '3.12' and sys_platform == 'win32'`)."""
    implementation = sys.implementation.name
    known = {
        "python_version": ".".join(map(str, sys.version_info[:2])),
        "python_full_version": ".".join(map(str, sys.version_info[:3])),
        "sys_platform": sys.platform,
        "os_name": os.name,
        "implementation_name": implementation,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}.get(implementation, implementation),
        "platform_machine": os.uname().machine,
        "platform_system": os.uname().sysname,
    }

    def value(node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return known[node.id]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise LaunchError(f"The lock holds a marker this program cannot read: {marker}")

    def holds(node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp):
            answers = [holds(part) for part in node.values]
            return all(answers) if isinstance(node.op, ast.And) else any(answers)
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            raise LaunchError(f"The lock holds a marker this program cannot read: {marker}")
        return _compared(value(node.left), node.ops[0], value(node.comparators[0]))

    return holds(ast.parse(marker, mode="eval").body)


def _compared(left: str, operator: ast.cmpop, right: str) -> bool:
    if isinstance(operator, (ast.In, ast.NotIn)):
        return (left in right) == isinstance(operator, ast.In)
    one, two = _number(left), _number(right)
    if one is None or two is None:
        return (left == right) if isinstance(operator, ast.Eq) else (left != right)
    answers = {ast.Lt: one < two, ast.LtE: one <= two, ast.Gt: one > two, ast.GtE: one >= two, ast.Eq: one == two}
    return answers.get(type(operator), one != two)


def _number(text: str) -> tuple[int, ...] | None:
    parts = text.split(".")
    if not all(part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    while len(numbers) < 3:
        numbers.append(0)
    return tuple(numbers)


def _held(folders: list[str]) -> dict[str, str]:
    """Installed name to version, from the names of the .dist-info folders; the first on the path counts."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            names = os.listdir(folder or ".")
        except OSError:
            continue
        for entry in names:
            if entry.endswith(".dist-info"):
                name, _, version = entry[: -len(".dist-info")].partition("-")
                found.setdefault(_normal(name), _plain(version))
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _plain(version: str) -> str:
    return version.replace("_", "-").lower()


# --- the stamp ------------------------------------------------------------------------------------------------


def _wanted(kinds: list[str]) -> dict[str, str]:
    import hashlib

    return {kind: hashlib.sha256(LOCKS[kind].read_bytes()).hexdigest() for kind in kinds}


def _stamp() -> dict[str, str]:
    try:
        lines = (VENV / STAMP).read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _stamped(kinds: list[str]) -> bool:
    """True when .venv was finished for exactly these locks, and by the Python that it still holds."""
    stamp = _stamp()
    if _unfinished() or any(stamp.get(kind) != digest for kind, digest in _wanted(kinds).items()):
        return False
    if not (VENV / "bin" / "python").exists():
        return False
    return stamp.get("python") in (_version(), _venv_version())


def _unfinished() -> bool:
    return (VENV / UNFINISHED).exists()


def _version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def _venv_version() -> str:
    """The version that .venv's own Python reports; empty when it does not run."""
    import subprocess

    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        shown = subprocess.run([str(VENV / "bin" / "python"), "-I", "-c", code], capture_output=True, text=True,
                               timeout=60, check=False)  # fmt: skip
    except OSError:
        return ""
    return shown.stdout.strip() if shown.returncode == 0 else ""


# --- installing -----------------------------------------------------------------------------------------------


def _install_once(kinds: list[str]) -> None:
    """Make .venv and install, one process at a time; whoever waited finds it done."""
    from portal.launch.locks import file_lock

    if not os.access(PROJECT, os.W_OK):
        raise LaunchError(f"The packages go into {VENV}, but {PROJECT} may not be written; copy the project to a "
                          "folder of your own, or install requirements.txt yourself.")  # fmt: skip
    with file_lock(PROJECT / "var" / "bootstrap.lock", timeout=1800):
        if _stamped(kinds):
            return
        version = _venv_version()
        usable = bool(version) and _number(version) >= (3, 11) and _has_pip()  # type: ignore[operator]
        if not usable:
            _make_venv()
        (VENV / UNFINISHED).touch()
        (VENV / STAMP).unlink(missing_ok=True)
        _pip_install(kinds)
        done = {**_wanted(kinds), "python": _venv_version()}
        fresh = VENV / f"{STAMP}.new"
        fresh.write_text("".join(f"{key}={value}\n" for key, value in done.items()), encoding="ascii")
        (VENV / UNFINISHED).unlink()
        os.replace(fresh, VENV / STAMP)  # last: whatever happens before this line, the next start repeats the work


def _has_pip() -> bool:
    return any(VENV.glob("lib/python*/site-packages/pip/__main__.py"))


def _make_venv() -> None:
    import importlib.util
    import subprocess

    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise LaunchError("This Python comes without its venv and ensurepip modules; install them first "
                          f"(on Debian or Ubuntu: sudo apt-get install {package}).")  # fmt: skip
    _say(f"Making {VENV} (once) ...")
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True,
                          env=_clean_environment(), check=False)  # fmt: skip
    if made.returncode != 0:
        said = (made.stdout + made.stderr).strip().splitlines()
        raise LaunchError(f"The folder {VENV} could not be made: {said[-1] if said else 'no reason given'}")


def _pip_install(kinds: list[str]) -> None:
    import subprocess

    log = PROJECT / "var" / "log" / "install.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-input", "--retries", "2",
               "--progress-bar", "off", "--disable-pip-version-check"]  # fmt: skip
    for kind in kinds:
        command += ["-r", str(LOCKS[kind])]
    total, seen = len(locked(kinds)), 0
    kept: list[str] = []
    _say(f"Installing {total} packages with their hashes checked (about half a minute) ...")
    with open(log, "w", encoding="utf-8") as file, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=_clean_environment(), cwd=PROJECT / "var") as pip:  # fmt: skip
        for line in pip.stdout or []:
            file.write(line)
            kept = [*kept[-200:], line.strip()]
            if line.startswith(("Collecting ", "Requirement already satisfied")):
                seen += 1
                _progress(min(seen, total), total)
            elif line.startswith("Installing collected"):
                _say("\rUnpacking ...                    ")
    if pip.returncode != 0:
        raise LaunchError(_why(kept, log))


def _why(lines: list[str], log: Path) -> str:
    if any(NO_NETWORK.search(line) for line in lines):
        return ("The packages could not be downloaded: the package index does not answer. Check the network (or "
                f"PIP_INDEX_URL and the proxy settings) and start again; pip's own words are in {log}.")  # fmt: skip
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    return f"The packages could not be installed: {errors[0] if errors else 'pip gave no reason'} (whole text: {log})"


def _clean_environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in NOT_FOR_PIP}
    # "0" and not only unset: a user's pip.conf may say `user = true`, which a virtual environment refuses.
    return {**kept, "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore", "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}


def _become(script: Path) -> None:
    """Replace this process by the same command under .venv's Python; the marker allows that once."""
    python = str(VENV / "bin" / "python")
    options = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv)]  # such as -X dev
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONHOME"}
    sys.stderr.flush()
    sys.stdout.flush()
    os.execve(python, [python, *options, str(script), *sys.argv[1:]], {**environment, MARKER: "1"})


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        width = 30 * done // total
        print(f"\r  [{'#' * width}{' ' * (30 - width)}] {done} of {total}", end="", file=sys.stderr, flush=True)
    elif done % 20 == 0 or done == total:
        _say(f"  {done} of {total}")
