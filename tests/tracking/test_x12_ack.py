"""The 997 that answers an interchange: counts, verdicts, sender and receiver exchanged, and read by our own reader."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tracking import x12, x12_messages
from tracking.types import Envelope, EnvelopePart, Partner
from tracking.x12_ack import acknowledge_997

pytestmark = pytest.mark.req("G8")
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "x12"
AT = datetime(2026, 3, 10, 23, 30, tzinfo=timezone(timedelta(hours=-5)))


def answer(name: str, *, strict: bool = False) -> list[str]:
    """The lines of the answer to the first interchange of a message."""
    parsed = x12_messages.parse((GOLDEN / f"{name}.x12").read_bytes(), partner=Partner(strict_envelope=strict))
    return acknowledge_997(parsed.envelopes[0], at=AT, control_number=42).decode().split("~\n")


def middle(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("AK")]


def test_what_was_taken_is_accepted_under_its_own_numbers() -> None:
    assert middle(answer("ocean-holds-and-releases"))[:3] == ["AK1*QO*7", "AK2*315*0001", "AK5*A"]
    assert middle(answer("ocean-holds-and-releases"))[-1] == "AK9*A*6*6*6"
    assert middle(answer("truck-appointments")) == ["AK1*QM*7", "AK2*214*0001", "AK5*E*5", "AK9*E*1*1*1"]


def test_controls_that_do_not_fit_are_noted_and_for_a_strict_partner_refused() -> None:
    # GE states 3 where 2 came: the group's own fault, beside the first transaction's
    assert middle(answer("ocean-wrong-controls")) == [
        "AK1*QO*7", "AK2*315*0001", "AK5*E*4*3", "AK2*315*0002", "AK5*A", "AK9*E*3*2*2*5",
    ]  # fmt: skip
    assert middle(answer("ocean-wrong-controls", strict=True)) == [
        "AK1*QO*7", "AK2*315*0001", "AK5*R*4*3", "AK2*315*0002", "AK5*R", "AK9*R*3*2*0*5",
    ]  # fmt: skip


def test_what_is_not_read_or_was_cut_off_is_rejected_beside_what_was_taken() -> None:
    assert middle(answer("mixed-transactions"))[-3:] == ["AK2*990*0004", "AK5*R*1", "AK9*P*4*4*3"]
    assert middle(answer("ocean-cut-off"))[-3:] == ["AK2*315*0002", "AK5*R*2", "AK9*P*2*2*1*3"]


def test_a_code_that_we_have_yet_to_map_is_no_fault_of_the_sender() -> None:
    said = middle(answer("ocean-unknown-codes"))
    assert said[1:5] == ["AK2*315*0001", "AK5*A", "AK2*315*0002", "AK5*A"]
    assert said[-5:] == ["AK2*310*0004", "AK5*R*1", "AK2*315*0005", "AK5*R*5", "AK9*P*5*5*3"]


def test_the_answer_goes_back_to_the_sender_in_an_envelope_that_fits() -> None:
    parsed = x12_messages.parse((GOLDEN / "ocean-unpadded.x12").read_bytes())
    raw = acknowledge_997(parsed.envelopes[0], at=AT, control_number=42)
    isa, gs = raw.decode().split("~\n")[:2]
    assert (len(isa), isa[32:50], isa[51:69]) == (105, "ZZ*FORWARDER      ", "ZZ*OCEANLINE      ")
    assert isa.endswith("260311*0430*U*00401*000000042*0*P*>"), "in UTC"
    assert gs == "GS*FA*FORWARDER*OCEANLINE*20260311*0430*42*X*004010"
    found = x12.read(raw)
    assert [(t.type, t.warnings, t.refused) for t in found.transactions] == [("997", (), None)]


def test_each_group_has_its_own_answer() -> None:
    parts = tuple(
        EnvelopePart(reference=reference, type=kind, group=group, group_type=name, group_count=count)
        for reference, kind, group, name, count in (
            ("0001", "315", "7", "QO", 2), ("0002", "315", "7", "QO", 2), ("0001", "214", "8", "QM", 1),
        )
    )  # fmt: skip
    theirs = Envelope(syntax="X12", sender="A~B*C", receiver="US", reference="1", is_test=True, parts=parts)
    raw = acknowledge_997(theirs, at=AT, control_number=1)
    found = x12.read(raw)
    assert [[s.as_list()[1:] for s in t.body if s.tag in ("AK1", "AK9")] for t in found.transactions] == [
        [["QO", "7"], ["A", "2", "2", "2"]], [["QM", "8"], ["A", "1", "1", "1"]],
    ]  # fmt: skip
    assert not any(t.warnings for t in found.transactions)
    assert found.interchanges[0].head.get(8) == "ABC", "nothing of theirs ends a segment of ours"
    assert found.interchanges[0].head.get(15) == "T"


@pytest.mark.parametrize("number", [0, -1, 1_000_000_000])
def test_a_control_number_has_nine_digits_at_most(number: int) -> None:
    envelope = Envelope(syntax="X12", sender="A", receiver="B", reference="1")
    with pytest.raises(ValueError, match="control number"):
        acknowledge_997(envelope, at=AT, control_number=number)
