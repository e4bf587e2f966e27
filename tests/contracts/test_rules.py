"""Our own lint rules: each catches what it must, lets pass what it must, and the tree keeps them all.

The rules stand in .ci/rules.
"""

from __future__ import annotations

import sys

import pytest

from tests.servers import ROOT

sys.path.insert(0, str(ROOT / ".ci"))

from rules import RULES, Rule
from rules.rule import product_files

FILES = [*product_files(".py"), *product_files(".html")]


def _ids(rule: Rule) -> str:
    return rule.key


@pytest.mark.parametrize(("rule", "line"), [(r, line) for r in RULES for line in r.bad], ids=lambda v: str(v)[:60])
def test_a_rule_catches_what_it_must(rule: Rule, line: str) -> None:
    assert rule.findings(line, rule.example_path), line


@pytest.mark.parametrize(("rule", "line"), [(r, line) for r in RULES for line in r.good], ids=lambda v: str(v)[:60])
def test_a_rule_lets_pass_what_it_must(rule: Rule, line: str) -> None:
    assert [str(f) for f in rule.findings(line, rule.example_path)] == []


@pytest.mark.parametrize("rule", RULES, ids=_ids)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    found = [f for path in FILES if rule.applies(path) for f in rule.findings((ROOT / path).read_text("utf-8"), path)]
    assert [str(f) for f in found] == []


@pytest.mark.parametrize("rule", RULES, ids=_ids)
def test_no_excuse_outlives_its_file(rule: Rule) -> None:
    assert [name for name in rule.listed if not (ROOT / name).exists()] == []
    idle = [
        name
        for name in rule.listed
        if name.endswith(".py") and not list(rule.find((ROOT / name).read_text("utf-8"), name))
    ]
    assert idle == [], "no longer needed on the list"


def test_rules_have_different_names() -> None:
    keys = [rule.key for rule in RULES]
    assert len(keys) == len(set(keys))


def test_a_migration_with_a_good_name_passes() -> None:
    named = next(r for r in RULES if r.key == "migration-is-named")
    assert named.findings("x = 1", "tracking/migrations/0002_functions.py") == []
    assert named.findings("x = 1", "tracking/migrations/0002_alter_leg_mode_and_more.py")
