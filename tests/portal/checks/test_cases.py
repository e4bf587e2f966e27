"""The worked examples hold, and the runner lets nothing slip through."""

from __future__ import annotations

import json
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal.checks.cases import KINDS, kind_of, read_cases, run_case

GOLDEN = Path(__file__).parents[2] / "golden" / "domain" / "cases.json"
CASES = [case for case in read_cases(GOLDEN) if kind_of(case) in KINDS]
LATER = {"simulator", "extra_dwell", "manifest", "config"}  # kinds whose rules come with later issues


@pytest.mark.req("R0.1", "R0.2", "R0.4", "R0.5", "R2.2", "R2.4", "R2.10", "R2.15", "R2.17", "R6.3", "R6.10")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_worked_example_holds(case: dict[str, Any]) -> None:
    failure = run_case(case)
    assert failure is None, failure.line()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_wrong_expectation_and_an_unknown_field_fail(case: dict[str, Any]) -> None:
    for name in case["expected"]:
        wrong = deepcopy(case)
        wrong["expected"][name] = "wrong"
        failure = run_case(wrong)
        assert failure is not None
        assert failure.field.startswith(name)
    strange = deepcopy(case)
    strange["input"]["surprise"] = 1
    failure = run_case(strange)
    assert failure is not None
    assert failure.field == "input.surprise"


def test_every_kind_of_the_format_is_known_or_waits_for_its_rules() -> None:
    assert {kind_of(case) for case in read_cases(GOLDEN)} - LATER == set(KINDS.keys())


@pytest.mark.parametrize(
    "case",
    [
        {"id": "a", "kind": "unheard_of", "input": {}, "expected": {}},
        {"id": "b", "kind": "close_at", "input": {"period": "2026-13", "grace_days": 5}, "expected": {}},
        {"id": "c", "kind": "close_at", "input": {"period": "2026-03"}, "expected": {}},
        {"id": "d", "kind": "close_at", "input": {"period": "2026-03", "grace_days": True}, "expected": {}},
        {"id": "e", "kind": "close_at", "input": [], "expected": {}},
        {"id": "f", "kind": "close_at", "input": {"period": "2026-03", "grace_days": 5}},
        {"id": "g", "kind": "wilson", "input": {"x": 1, "n": 0}, "expected": {}},
        {"id": "h", "kind": "charge_split", "input": {"minor": 1, "containers": 0}, "expected": {"parts": []}},
        {"id": "i", "kind": "close_at", "input": {"period": "2026-03", "grace_days": 5}, "expected": {"more": 1}},
        {"id": "j", "kind": "failures_left", "input": {"rows": [[1, 0.5, 1]]}, "expected": {}},
        "no case at all",
        {"id": "k", "kind": ["close_at"]},
    ],
)
def test_nothing_is_skipped(case: Any) -> None:
    failure = run_case(case)
    assert failure is not None
    assert "\n" not in failure.line()


def run(*arguments: str) -> tuple[int, list[str]]:
    """Exit status and printed lines."""
    out = StringIO()
    try:
        call_command("check_cases", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, [str(error)]
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue().splitlines()
    return 0, out.getvalue().splitlines()


def test_the_command_counts_and_answers_with_its_exit_status(tmp_path: Path) -> None:
    good = {"id": "fine", "kind": "close_at", "input": {"period": "2026-03", "grace_days": 5}}
    good["expected"] = {"close_at": "2026-04-06T12:00:00Z"}
    bad = {**good, "id": "off", "expected": {"close_at": "2026-04-07T12:00:00Z"}}
    file = tmp_path / "own.json"
    file.write_text(json.dumps({"version": 1, "rules": "own", "cases": [good, bad]}))
    status, lines = run(str(file))
    assert status == 1
    assert lines == [
        'off close_at close_at: expected "2026-04-07T12:00:00Z", found "2026-04-06T12:00:00Z"',
        "1 passed, 1 failed",
    ]
    assert run("--kind", "display_pct,credit", str(GOLDEN)) == (0, ["46 passed, 0 failed"])
    status, lines = run("--json", str(file))
    assert (status, json.loads(lines[0])["failed"]) == (1, 1)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2, "cases": []}', '{"version": 1, "cases": 3}', "[" * 99_999]
)
def test_a_file_that_holds_no_cases_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    status, lines = run(str(file))
    assert status == 2
    assert "bad.json" in lines[0]
    assert run(str(tmp_path / "none.json"))[0] == 2
    assert run("--kind", "nosuch", str(GOLDEN))[0] == 2
