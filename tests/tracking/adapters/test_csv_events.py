"""The CSV reader: raw files against their outcome, and one bad row that never spoils the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracking.adapters import csv_events
from tracking.management.commands.canonical import _lines
from tracking.registry import recognised

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "csv"
FILES = sorted(GOLDEN.glob("*.csv"))


@pytest.mark.req("G6", "R1.6")
@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_a_raw_file_says_what_stands_beside_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    lines = list(_lines(path.read_bytes(), "csv"))
    shown = [{name: line.get(name) for name in want} for line, want in zip(lines, expected, strict=True)]
    assert shown == expected


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_it_is_recognised_by_its_first_line(path: Path) -> None:
    found = recognised(path.read_bytes())
    assert found is not None
    assert found.key == "csv"


def test_columns_may_stand_in_any_order() -> None:
    head, *rows = (GOLDEN / "journey.csv").read_text("utf-8").splitlines()
    turned = "\n".join(",".join(reversed(line.split(","))) for line in (head, *rows)) + "\n"
    straight = csv_events.parse((GOLDEN / "journey.csv").read_bytes()).events
    found = csv_events.parse(turned.encode()).events
    assert [(e.code, e.local, e.booking) for e in found] == [(e.code, e.local, e.booking) for e in straight]
