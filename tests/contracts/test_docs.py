"""The documents tell the truth: what the code declares stands in them, and what they name exists.

What the sentences say is for people to read.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from django.apps import apps
from django.urls import get_resolver

from tests.servers import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
OURS = ("portal", "tracking", "kpis", "tiers")
# set by the surroundings, not by whoever runs Plimsoll
NOT_OURS = {"CI", "DJANGO_SETTINGS_MODULE", "DJANGO_ALLOW_ASYNC_UNSAFE", "DEBIAN_FRONTEND", "PLIMSOLL_TEST_ADMIN"}


def text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def rows(name: str) -> set[str]:
    """The code words of the first column of every table of the page."""
    return {
        w
        for line in text(name).splitlines()
        if line.startswith("| `")
        for w in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def generator() -> ModuleType:
    loader = SourceFileLoader("plimsoll_docs", str(ROOT / ".ci" / "docs"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date() -> None:
    # in a process of its own: other tests declare handlers and facts of theirs in this one
    check = subprocess.run([sys.executable, ROOT / ".ci" / "docs", "--check"], capture_output=True, text=True, cwd=ROOT)
    assert check.returncode == 0, "run .ci/docs"


def variables() -> set[str]:
    """Every variable that our code reads from the environment."""
    found = set()
    for root in OURS:
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                    called = ast.unparse(node.func)
                    if called.startswith("env.") or called in ("os.environ.get", "os.getenv", "_database"):
                        found.add(str(node.args[0].value))
                subscript = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load)
                if subscript and ast.unparse(node.value) == "os.environ" and isinstance(node.slice, ast.Constant):
                    found.add(str(node.slice.value))
    return {name for name in found if re.fullmatch(r"[A-Z][A-Z_]+", name)} - NOT_OURS


def test_every_variable_is_explained_and_every_explained_one_is_read() -> None:
    explained = {name for name in rows("operations.md") if re.fullmatch(r"[A-Z][A-Z_]+", name)}
    read = variables()
    assert read - explained == set(), "missing in docs/operations.md"
    assert explained - read == set(), "explained in docs/operations.md and read nowhere"


def test_every_table_has_its_word() -> None:
    known = rows("glossary.md")
    models = {m.__name__ for m in apps.get_models() if m.__module__.split(".")[0] in OURS}
    assert models - known == set(), "missing in docs/glossary.md"
    named = {name for name in known if re.fullmatch(r"[A-Z][A-Za-z]+", name)}
    assert named - models == set(), "in docs/glossary.md, and no such table"


def test_one_word_has_one_meaning() -> None:
    words = [line.split("|")[1].strip() for line in text("glossary.md").splitlines() if line.startswith("| ")]
    words = [w for w in words if w not in ("word", "table", "---")]
    assert sorted({w for w in words if words.count(w) > 1}) == []


def test_every_default_of_an_agreement_has_its_row() -> None:
    from tiers.promises.types import CreditBlock

    known = {w for line in text("parameters.md").splitlines() for w in re.findall(r"`([a-z_0-9]+)`", line)}
    block = CreditBlock()
    for name in ("min_volume", "base_scope", "stacking", "repeat_multiplier", "max_pct", "min_payout", "claim_mode"):
        line = next(line for line in text("parameters.md").splitlines() if line.startswith(f"| `{name}`"))
        assert str(getattr(block, name)) in line, name
    from kpis.registry import KPIS

    for kpi in KPIS:
        for name, value in kpi.parameters.items():
            if name in ("heard_within_days", "eta_milestone"):  # part of the definition, not to be changed
                continue
            assert name in known, f"{name} of {kpi.key}"
            line = next(line for line in text("parameters.md").splitlines() if f"`{name}`" in line)
            assert value in line, f"{name}: default {value}"


def test_every_key_of_the_installations_parameters_has_its_row() -> None:
    read = set()
    for root in OURS:
        for path in (ROOT / root).rglob("*.py"):
            source = path.read_text("utf-8")
            if "found.parameters" in source:
                read |= set(re.findall(r"(?:own|else {}\))\.get\(\"([a-z_]+)\"", source))
    said = {
        re.findall(r"`([a-z_0-9]+)`", line)[0]
        for line in text("parameters.md").splitlines()
        if line.startswith("| `") and "| installation |" in line
    }
    assert read == said


def test_every_requirement_has_its_reason() -> None:
    known = rows("adr/0009-requirements.md")
    wanted = {
        re.split(r"[\[><=~ ;#]", line)[0].lower()
        for line in (ROOT / "requirements.in").read_text("utf-8").splitlines()
        if line and not line.startswith(("#", "-"))
    }
    assert wanted == known


def test_the_files_of_a_closed_month_are_explained() -> None:
    from kpis.bundle import FACT_COLUMNS
    from kpis.types import Outcome

    known = rows("evidence.md")
    assert {*FACT_COLUMNS, *(o.value for o in Outcome)} - known == set()
    assert {"kpi", "kpi_version", "dims", "num", "den", "excluded", "unknown", "value"} - known == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_what_a_page_names_exists(page: Path) -> None:
    """Links lead somewhere; files, tests and functions that are named are there."""
    content = page.read_text("utf-8")
    missing = []
    for target in re.findall(r"(?:\]\(|src=\"|srcset=\")([^)\"\s]+)", content):
        if not target.startswith(("http", "#")) and not (page.parent / target.partition("#")[0]).exists():
            missing.append(target)
    for name in re.findall(r"`((?:portal|tracking|kpis|tiers|tests|docs|bench|\.ci)/[\w./-]+)`", content):
        if not (ROOT / name).exists():
            missing.append(name)
    for name, function in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", content):
        if not (ROOT / name).exists() or f"def {function}(" not in (ROOT / name).read_text("utf-8"):
            missing.append(f"{name}::{function}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    if page.name == "CHANGELOG.md":
        return
    made = generator()
    known = {*made.command_names(), "demo", "test", "roles", "migrate", "collectstatic", "makemigrations", "check"}
    named = set(re.findall(r"manage\.py ([a-z_]+)", page.read_text("utf-8")))
    assert named - known == set()


def test_every_address_that_architecture_names_is_routed() -> None:
    content = text("architecture.md")
    named = set(re.findall(r"`(?:GET |POST )?(/[a-z_/<>]*)`", content))
    routes = {re.sub(r"<(\w+:)?(\w+)>", "<>", "/" + r).rstrip("/") for r in _routes(get_resolver().url_patterns)}
    wanted = {re.sub(r"<\w+>", "<>", name).rstrip("/") for name in named}
    assert wanted - routes - {""} == set()


def _routes(patterns: list[object], before: str = "") -> list[str]:
    found = []
    for pattern in patterns:
        own = before + str(getattr(pattern, "pattern", ""))
        found += _routes(pattern.url_patterns, own) if hasattr(pattern, "url_patterns") else [own]
    return found


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(p.name[:4]) for p in sorted((DOCS / "adr").glob("[0-9]*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
    for path in (DOCS / "adr").glob("[0-9]*.md"):
        content = path.read_text("utf-8")
        assert content.startswith(f"# {int(path.name[:4])}. ")
        assert all(part in content for part in ("Status: ", "## Decision"))
