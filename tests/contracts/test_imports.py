"""Who may import whom, where import-linter cannot look: outside packages, and whether every package has its place.

The layers themselves stand in pyproject.toml and are checked by `lint-imports`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import ROOT

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
CONTRACTS = {contract["id"]: contract for contract in SETTINGS["contracts"]}
PURE = [*CONTRACTS["pure"]["source_modules"], "portal.lib.money", "portal.lib.periods", "portal.lib.jsontext"]
# started by hand or by another program, never imported by ours
NOT_IN_SPINE = {
    "portal.settings": "Django loads it by name",
    "portal.celery_settings": "Celery loads it by name",
}


def files_of(module: str) -> Iterator[Path]:
    path = ROOT / module.replace(".", "/")
    if path.is_dir():
        yield from (p for p in sorted(path.rglob("*.py")) if "migrations" not in p.parts)
    else:
        yield path.with_suffix(".py")


def imports_of(path: Path, *, top_level: bool = False) -> Iterator[str]:
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", [*files_of("portal.launch"), *files_of("portal.env"), ROOT / "manage.py"], ids=str)
def test_the_launcher_starts_before_anything_is_installed(path: Path) -> None:
    """At the top of a file only the standard library; what is installed later is imported where it is needed."""
    ours = {name for name in imports_of(path, top_level=True) if not name.startswith("portal.")}
    assert {name for name in ours if name.split(".")[0] not in sys.stdlib_module_names} == set()
    assert {name for name in imports_of(path) if name.split(".")[0] in ("tracking", "kpis", "tiers")} == set()


def test_the_parts_that_print_a_sentence_need_no_new_python() -> None:
    ast.parse((ROOT / "manage.py").read_text("utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("module", PURE)
def test_rules_are_values_in_values_out(module: str) -> None:
    refused = ("django.db", "django.conf", "django.http", "django.core.cache", "os", "random", "secrets", "requests")
    for path in files_of(module):
        found = {name for name in imports_of(path) if any(name == r or name.startswith(f"{r}.") for r in refused)}
        assert found == set(), path


def test_every_package_has_its_place_in_the_spine() -> None:
    placed = {
        part.strip(" ()") for layer in CONTRACTS["spine"]["layers"] for part in layer.replace("|", ":").split(":")
    }
    packages = [
        f"{root}.{p.stem}"
        for root in ("portal", "tiers")
        for p in sorted((ROOT / root).iterdir())
        if (p.suffix == ".py" or (p / "__init__.py").exists()) and p.stem not in ("__init__", "apps", "migrations")
    ]
    assert [name for name in packages if name not in placed and name not in NOT_IN_SPINE] == []


def test_every_app_is_held_to_the_kinds() -> None:
    held = set(CONTRACTS["kinds"]["containers"])
    apps = {p.parent.relative_to(ROOT).as_posix().replace("/", ".") for p in ROOT.glob("*/*/models.py")}
    apps |= {p.parent.name for p in ROOT.glob("*/models.py")} - {"tiers"}
    apps |= {p.parent.parent.name for p in ROOT.glob("*/models/__init__.py")}
    assert apps - held == set()
    assert CONTRACTS["kinds"]["exhaustive"]


def test_nobody_imports_what_puts_everything_together() -> None:
    top = ("portal.urls", "portal.celery", "portal.wsgi", "tiers.models")
    found = [
        (path.relative_to(ROOT).as_posix(), name)
        for root in ("portal", "tracking", "kpis", "tiers")
        for path in files_of(root)
        for name in imports_of(path)
        if name in top
    ]
    assert found == []


def test_an_import_against_the_spine_is_noticed(tmp_path: Path) -> None:
    """The contract itself is tried: a copy with one wrong import must break it."""
    for root in ("portal", "tracking", "kpis", "tiers"):
        for path in files_of(root):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    for package in ROOT.glob("*/**/migrations/__init__.py"):
        if package.relative_to(ROOT).parts[0] in ("portal", "tracking", "kpis", "tiers"):
            (tmp_path / package.relative_to(ROOT).parent).mkdir(parents=True, exist_ok=True)
            (tmp_path / package.relative_to(ROOT)).touch()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    wrong = tmp_path / "portal" / "tenancy" / "selectors.py"
    wrong.write_text(wrong.read_text("utf-8") + "\nfrom kpis import engine  # noqa\n", encoding="utf-8")
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(program), "--no-cache", "--no-logo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "portal.tenancy is not allowed to import kpis" in done.stdout
