"""The command `canonical` as people run it: lines, exit codes, no database; and the registry behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tracking.reasons import QUARANTINE, WARNINGS, WHOLE_MESSAGE, Reason, sentence
from tracking.registry import ADAPTERS, adapter_for
from tracking.types import Unreadable

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "dcsa"
KEYS = [
    "message", "position", "kind", "code", "classifier", "container", "container_ok", "laden", "place", "facility",
    "place_role", "local", "zone", "time", "booking", "bill_of_lading", "voyage", "vessel", "vessel_imo", "pol", "pod",
    "source_event_id", "source_created_at", "milestone", "warnings",
]  # fmt: skip
CSV = "shipment_ref,code,classifier,event_time,place,laden\nS-1,DROP,ACT,2026-03-29T10:00,NLRTM,true\n"


def canonical(*words: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, lines, standard error; with a database address at which nothing answers."""
    env = {**os.environ, "PLIMSOLL_NO_BOOTSTRAP": "1"}
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_OPERATOR_URL"):
        env[name] = "postgresql://nobody@127.0.0.1:1/nothing"
    done = subprocess.run(
        [sys.executable, "manage.py", "canonical", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_file_is_printed_line_by_line_without_a_database() -> None:
    code, lines, err = canonical("--format", "dcsa", str(GOLDEN / "sample-events.json"))
    assert (code, len(lines), err) == (0, 7, "")
    assert list(lines[0]) == KEYS


def test_several_files_are_told_apart_and_their_formats_recognised(tmp_path: Path) -> None:
    table, odd = tmp_path / "e.csv", tmp_path / "odd.bin"
    table.write_text(CSV)
    odd.write_bytes(b"\x89PNG")
    names = [str(GOLDEN / "faults.json"), str(table), str(odd)]
    code, lines, _err = canonical(*names)
    assert code == 0
    assert {line["file"] for line in lines} == set(names)
    by_file = {name: [line for line in lines if line["file"] == name] for name in names}
    assert len(by_file[names[0]]) == 24
    assert [line["position"].partition("]")[0] for line in by_file[names[0]]] == [f"$[{n}" for n in range(24)]
    (row,) = by_file[names[1]]
    assert (row["message"], row["time"], row["milestone"]) == ("csv", "2026-03-29T08:00:00Z", "DELIVERED")
    assert by_file[names[2]][0]["refused"] == "unsupported_format"


def test_json_is_read_by_the_mapping_that_is_given(tmp_path: Path) -> None:
    folder, wrong = ROOT / "tests" / "golden" / "json", tmp_path / "wrong.json"
    words = ("--format", "json", "--mapping", str(folder / "single.mapping.json"), str(folder / "single-event.json"))
    code, (line,), err = canonical(*words)
    assert (code, line["message"], line["code"], err) == (0, "json", "GTOT", "")
    code, (line,), _err = canonical(*words[:2], words[4])
    assert (code, line["refused"]) == (0, "no_mapping")
    wrong.write_text("{")
    code, lines, err = canonical(*words[:3], str(wrong), words[4])
    assert (code, lines, "is no mapping" in err, "Traceback" in err) == (2, [], True, False)


@pytest.mark.parametrize("format_", ["dcsa", "dcsa_3", "json", "csv", "auto"])
def test_whatever_is_refused_the_command_succeeds(tmp_path: Path, format_: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"[{")
    code, (line,), err = canonical("--format", format_, str(path))
    assert (code, err) == (0, "")
    assert list(line) == ["refused", "position", "detail"]


def test_a_path_that_cannot_be_read_gives_2_and_one_sentence(tmp_path: Path) -> None:
    table = tmp_path / "e.csv"
    table.write_text(CSV)
    code, lines, err = canonical(str(tmp_path / "missing"), str(table), str(tmp_path))
    assert (code, len(lines)) == (2, 1)
    assert len(err.splitlines()) == 2
    assert "Traceback" not in err


# --- the registry ---


def test_the_bytes_have_the_last_word_over_the_declared_format() -> None:
    raw = (GOLDEN / "one-event.json").read_bytes()
    assert adapter_for("csv", "text/csv", "x.csv").parse(raw).events[0].code == "GTIN"
    assert adapter_for("dcsa", "application/json").parse(CSV.encode()).events[0].code == "DROP"
    assert adapter_for("nothing known").parse(raw).received == 1


def test_bytes_that_look_like_nothing_are_refused_by_the_declared_reader() -> None:
    with pytest.raises(Unreadable) as fault:
        adapter_for("dcsa").parse(b"\x00\x01")
    assert fault.value.code == Reason.NOT_JSON
    with pytest.raises(Unreadable) as fault:
        adapter_for("nothing known").parse(b"\x00\x01")
    assert fault.value.code == Reason.UNSUPPORTED_FORMAT


def test_every_adapter_is_found_under_its_format() -> None:
    assert {"dcsa", "csv"} <= set(ADAPTERS.keys())


# --- the closed list ---


def test_every_reason_is_of_one_sort_and_has_a_sentence() -> None:
    sorts = [WHOLE_MESSAGE, QUARANTINE, WARNINGS]
    for reason in Reason:
        assert sum(reason in sort for sort in sorts) == 1
        assert len(reason) <= 40
        assert str(sentence(reason)).endswith(".")
