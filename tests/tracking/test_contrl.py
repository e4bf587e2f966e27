"""CONTRL: what a partner is told about its interchange, read back by our own reader of envelopes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracking import edifact
from tracking.acknowledgements import contrl, wants_contrl
from tracking.edifact import interchange
from tracking.types import Envelope, EnvelopePart, Partner

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "edifact"
AT = datetime(2026, 3, 11, 6, 5, tzinfo=UTC)


def answer(name: str, *, strict: bool = False) -> tuple[list[str], bytes]:
    """The segments of the answer to the first interchange of a file, and its bytes."""
    parsed = edifact.parse((GOLDEN / f"{name}.edi").read_bytes(), partner=Partner(strict_envelope=strict))
    written = contrl(parsed.envelopes[0], at=AT, reference="PL42")
    return written.decode("utf-8").removesuffix("'").split("'"), written


@pytest.mark.req("G8")
def test_an_interchange_that_fits_is_acknowledged() -> None:
    segments, written = answer("iftsta-vessel-departure")
    assert segments == [
        "UNB+UNOA:2+FORWARDER:ZZZ+ONEY:ZZZ+260311:0605+PL42",
        "UNH+1+CONTRL:D:3:UN",
        "UCI+26031001+ONEY:ZZZ+FORWARDER:ZZZ+7",
        "UCM+1+IFTSTA:D:00B:UN+7",
        "UNT+4+1",
        "UNZ+1+PL42",
    ]
    [message] = interchange.read(written).messages
    assert not message.faults


@pytest.mark.req("G8")
@pytest.mark.parametrize(
    ("name", "strict", "outcomes"),
    [
        ("mixed-types", False, ["UCI+MIX1+HUB:14+FWD:14+7", "UCM+4+INVOIC:D:00B:UN+4+14", "UCM+1+COARRI:D:95B:UN+7",
                                "UCM+2+CODECO:D:95B:UN+7", "UCM+3+IFTSTA:D:00B:UN+7"]),
        ("truncated", False, ["UCI+G1+HUB+FWD+7", "UCM+1+COARRI:D:95B:UN+7", "UCM+2+CODECO:D:95B:UN+7",
                              "UCM+3+IFTSTA:D:00B:UN+4+13"]),
        ("groups", True, ["UCI+G1+HUB+FWD+7", "UCF+G01+++7", "UCM+1+COARRI:D:95B:UN+7", "UCF+G02+++4+29",
                          "UCM+2+CODECO:D:95B:UN+4+29", "UCF+G03+++4+28", "UCM+3+IFTSTA:D:00B:UN+4+28"]),
        ("wrong-interchange", True, ["UCI+G1+HUB+FWD+4+29", "UCM+1+COARRI:D:95B:UN+4+18"]),
        ("wrong-interchange", False, ["UCI+G1+HUB+FWD+7", "UCM+1+COARRI:D:95B:UN+7"]),
        ("iftsta-unknown-status", False, ["UCI+W1+ONEY:ZZZ+FORWARDER:ZZZ+7", "UCM+1+IFTSTA:D:00B:UN+7"]),
    ],
)  # fmt: skip
def test_each_message_has_its_outcome(name: str, strict: bool, outcomes: list[str]) -> None:
    segments, written = answer(name, strict=strict)
    assert [s for s in segments if s.startswith("UC")] == outcomes
    [message] = interchange.read(written).messages
    assert not message.faults, "its own counts and references fit"
    assert segments[-2] == f"UNT+{len(segments) - 2}+1"


@pytest.mark.req("G8")
def test_a_test_is_answered_as_a_test_in_the_same_syntax_and_characters() -> None:
    envelope = Envelope(
        syntax="EDIFACT", sender="GRÖSSE+1'", receiver="?", reference="A:B", sender_qualifier="", is_test=True,
        character_set="UNOY:4", parts=(EnvelopePart(reference="1", type="IFTSTA", version="D:00B:UN"),),
    )  # fmt: skip
    written = contrl(envelope, at=AT, reference="7")
    assert written.startswith(b"UNB+UNOY:4+??+GR\xc3\x96SSE?+1?'+20260311:0605+7++++++1'UNH+1+CONTRL:4:1:UN'UCI+A?:B+")
    [back] = edifact.parse(written).envelopes
    assert (back.receiver, back.sender, back.is_test) == ("GRÖSSE+1'", "?", True)
    latin = contrl(Envelope(syntax="EDIFACT", sender="汉\0\n", receiver="B", reference="1"), at=AT, reference="7")
    assert latin.startswith(b"UNB+UNOC:3+B+.+260311:0605+7'")


def test_an_acknowledgement_is_never_acknowledged() -> None:
    [mixed] = edifact.parse((GOLDEN / "mixed-types.edi").read_bytes()).envelopes
    assert wants_contrl(mixed)
    own = edifact.parse(contrl(mixed, at=AT, reference="1")).envelopes
    assert [wants_contrl(e) for e in own] == [False]
