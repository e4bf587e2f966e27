"""The first start on a fresh machine: packages installed once, with hashes, and plain words when that cannot be.

Runs manage.py in a small copy of the project whose lock names one tiny wheel, so that no network is needed.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from portal.launch.bootstrap import locked, marker_holds, missing

ROOT = Path(__file__).resolve().parents[3]
VERSION = ".".join(map(str, sys.version_info[:3]))
PROBE = """
import os, sys
from portal.launch.bootstrap import ensure_packages
from portal.launch.errors import LaunchError
from pathlib import Path
def main(argv):
    try:
        ensure_packages(argv, script=Path(sys.argv[0]).resolve())
        import probe_package
    except LaunchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(sys.prefix, probe_package.__file__, os.environ.get("PLIMSOLL_BOOTSTRAPPED"))
    return 0
"""


def wheel(folder: Path, version: str = "1.0") -> str:
    """A wheel with one module; returns its sha256."""
    folder.mkdir(exist_ok=True)
    path = folder / f"probe_package-{version}-py3-none-any.whl"
    info = f"probe_package-{version}.dist-info"
    files = {
        "probe_package.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: probe-package\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b'=').decode()},"
        f"{len(text)}\n"
        for name, text in files.items()
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Project:
    """A copy of manage.py and the launcher with a lock of one package."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "portal").mkdir(parents=True)
        (root / ".ci").mkdir()
        (root / "portal" / "__init__.py").touch()
        shutil.copytree(ROOT / "portal" / "launch", root / "portal" / "launch")
        shutil.copy(ROOT / "manage.py", root)
        (root / "portal" / "launch" / "cli.py").write_text(PROBE)
        (root / ".ci" / "requirements-dev.txt").write_text("# nothing more\n")
        self.lock("1.0")

    def lock(self, version: str, digest: str = "") -> None:
        digest = digest or wheel(self.root.parent / "wheels", version)
        (self.root / "requirements.txt").write_text(
            f"probe-package=={version} \\\n    --hash=sha256:{digest}\nnever==1 ; sys_platform == 'win32' \\\n"
            f"    --hash=sha256:{digest}\n"
        )

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PLIMSOLL", "PIP", "PYTHON"))}
        return {**kept, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.root.parent / "wheels"), **extra}

    def run(self, *words: str, python: str = sys.executable, **extra: str) -> subprocess.CompletedProcess[str]:
        command = [python, "manage.py", *words]
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(**extra),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose packages are installed, by three first starts at once, in a hostile environment."""
    project = Project(tmp_path_factory.mktemp("first") / "with space")
    hostile = project.environment(PIP_TARGET="/nonexistent", PIP_USER="1", PYTHONPATH="/nonexistent")
    children = [
        subprocess.Popen([sys.executable, "manage.py", "version"], cwd=project.root, env=hostile, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]  # fmt: skip
    for child in children:
        said, complaints = child.communicate(timeout=120)
        assert child.returncode == 0, complaints
        assert str(project.root / ".venv") in said
        assert said.strip().endswith("None"), "the marker of the one re-exec does not leak to children"
    return project


@pytest.mark.slow
def test_three_first_starts_install_once_and_the_next_is_quick(made: Project) -> None:
    stamp = (made.root / ".venv" / "plimsoll-stamp").read_text()
    assert f"python={VERSION}" in stamp
    before = (made.root / "var" / "log" / "install.log").stat().st_mtime_ns
    assert made.run("version").returncode == 0
    assert (made.root / "var" / "log" / "install.log").stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_changed_lock_is_installed_and_a_half_finished_install_is_repeated(made: Project) -> None:
    made.lock("1.1")
    assert made.run("version").returncode == 0
    assert (made.root / ".venv").joinpath("plimsoll-stamp").exists()
    held = list((made.root / ".venv").glob("lib/*/site-packages/probe_package-*.dist-info"))
    assert [path.name for path in held] == ["probe_package-1.1.dist-info"]
    (made.root / ".venv" / "plimsoll-stamp").unlink()  # as after a kill in the middle
    (made.root / ".venv" / "plimsoll-unfinished").touch()
    inside = made.run("version", python=str(made.root / ".venv" / "bin" / "python"))
    assert inside.returncode == 0
    assert not (made.root / ".venv" / "plimsoll-unfinished").exists()


@pytest.mark.slow
def test_a_package_with_another_hash_is_refused(made: Project) -> None:
    made.lock("1.2", digest="0" * 64)
    wheel(made.root.parent / "wheels", "1.2")
    refused = made.run("version")
    assert refused.returncode == 2
    assert "could not be installed" in refused.stderr
    assert "Traceback" not in refused.stderr
    made.lock("1.1")
    assert made.run("version").returncode == 0


@pytest.mark.slow
def test_a_stamp_of_another_python_is_not_believed(made: Project) -> None:
    path = made.root / ".venv" / "plimsoll-stamp"
    path.write_text(path.read_text().replace(VERSION, "3.9.9"))
    assert made.run("version").returncode == 0
    assert f"python={VERSION}" in path.read_text()


@pytest.mark.slow
def test_without_network_one_sentence_says_so(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    failed = project.run("version", PIP_NO_INDEX="", PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_FIND_LINKS="")
    assert failed.returncode == 2
    assert "the package index does not answer" in failed.stderr.splitlines()[-1]
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_what_to_install(module: str, tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv = ['manage.py', 'version']\n"
    code += "import runpy; runpy.run_path('manage.py', run_name='__main__')"
    failed = subprocess.run([sys.executable, "-c", code], cwd=project.root, env=project.environment(),
                            capture_output=True, text=True, check=False)  # fmt: skip
    assert failed.returncode == 2
    assert "sudo apt-get install python3" in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1
    assert not (project.root / ".venv").exists(), "the folder is not made before it is known to work"


def test_nothing_happens_when_told_not_to(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    left = project.run("version", PLIMSOLL_NO_BOOTSTRAP="1")
    assert "probe_package" in left.stderr  # it went straight on and found the package missing
    assert not (project.root / ".venv").exists()


def test_at_most_one_re_exec(tmp_path: Path) -> None:
    project = Project(tmp_path / "p")
    failed = project.run("version", PLIMSOLL_BOOTSTRAPPED="1")
    assert failed.returncode == 2
    assert "do not match requirements.txt" in failed.stderr


def test_manage_py_speaks_plainly_to_old_pythons() -> None:
    source = (ROOT / "manage.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 4))
    assert 'f"' not in source
    old = [path for name in ("python2.7", "python3.6", "python3.8", "python3.10") if (path := shutil.which(name))]
    for python in old:
        told = subprocess.run([python, str(ROOT / "manage.py"), "demo"], capture_output=True, text=True, check=False)
        if "pyenv" in told.stderr:  # a name without an interpreter behind it
            continue
        assert told.returncode == 2, python
        assert told.stderr.startswith("Plimsoll needs Python 3.11 or newer"), python
        assert len(told.stderr.splitlines()) == 1


def test_this_python_holds_the_locked_versions() -> None:
    assert missing(["run", "dev"]) == []
    assert "django" in locked(["run"])
    assert "colorama" not in locked(["run"]), "for Windows only"


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("python_full_version < '3.11'", False),
        ("python_full_version >= '3.11' and sys_platform != 'win32'", True),
        ("(python_version < '3' or implementation_name == 'cpython') and os_name == 'posix'", True),
        ("platform_python_implementation == 'PyPy'", False),
        ("sys_platform in 'linux darwin'", True),
    ],
)
def test_markers_of_the_lock(marker: str, holds: bool) -> None:
    assert marker_holds(marker) is holds


def test_the_check_costs_less_than_fifty_milliseconds() -> None:
    code = (
        "import time; began = time.process_time()\n"
        "import portal.launch.cli; from portal.launch.bootstrap import ensure_packages; from pathlib import Path\n"
        "ensure_packages(['version'], script=Path('manage.py')); print(time.process_time() - began)"
    )
    shown = [
        float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        for _ in range(5)
    ]
    assert min(shown) < 0.05, json.dumps(shown)
