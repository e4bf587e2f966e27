"""The X12 readers: raw messages against their outcome, partner tables, envelopes, and whatever may come."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.tracking.adapters.mutations import WORDS, answered, damaged, holds
from tracking import x12, x12_messages
from tracking.management.commands.canonical import _lines
from tracking.matching import natural_key, part_of, payload_digest
from tracking.reasons import Reason
from tracking.registry import ADAPTERS, recognised
from tracking.types import Classifier, Kind, Partner, StatusRule, Unreadable

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "x12"
MESSAGES = sorted(GOLDEN.glob("*.x12"))
KEYS = ("x12_315", "x12_214", "x12_322")


def raw(name: str) -> bytes:
    return (GOLDEN / f"{name}.x12").read_bytes()


def mended(name: str, *changes: tuple[str, str]) -> bytes:
    text = raw(name).decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


@pytest.mark.req("G6", "G8", "R1.6")
@pytest.mark.parametrize("path", MESSAGES, ids=[p.stem for p in MESSAGES])
def test_a_raw_message_says_what_stands_beside_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    lines = list(_lines(path.read_bytes(), "x12_315"))
    shown = [{name: line.get(name) for name in want} for line, want in zip(lines, expected, strict=True)]
    assert shown == expected


@pytest.mark.parametrize("path", MESSAGES, ids=[p.stem for p in MESSAGES])
def test_any_of_the_three_readers_says_the_same(path: Path) -> None:
    assert len({repr(answered(ADAPTERS[key].parse, path.read_bytes())) for key in KEYS}) == 1


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("sample-315-discharge", "x12_315"), ("sample-322-rail-outgate", "x12_322"), ("truck-attempts", "x12_214"),
        ("ocean-bare-transaction", "x12_315"), ("nothing-inside", "x12_315"), ("rail-odd-units", "x12_322"),
    ],
)  # fmt: skip
def test_a_message_is_recognised_by_its_first_transaction(name: str, key: str) -> None:
    found = recognised(raw(name))
    assert found is not None
    assert found.key == key


def test_a_type_that_nobody_reads_is_recognised_as_x12_and_named() -> None:
    other = mended("ocean-available", ("ST*315*", "ST*997*"))
    found = recognised(other)
    assert found is not None
    (refusal,) = found.parse(other).refusals
    assert (refusal.code, "'997'" in refusal.detail) == (Reason.UNSUPPORTED_FORMAT, True)


@pytest.mark.parametrize("other", [b"ST,code,place\nx,y,z", b"GS;a;b", b"STATUS*1*2", b"UNB+UNOA:1'", b'[{"ST": 1}]'])
def test_a_table_whose_first_column_is_named_like_a_segment_is_not_taken_for_x12(other: bytes) -> None:
    assert not any(ADAPTERS[key].recognises(other) for key in KEYS)


# --- what the partner says ---


def test_the_partner_table_has_the_last_word_on_a_code() -> None:
    own = StatusRule(kind=Kind.EQUIPMENT, code="GTIN", classifier=Classifier.ACT, says="in at the yard")
    (event,) = x12_messages.parse(raw("ocean-available"), partner=Partner(status={("x12_315", "", "AV"): own})).events
    assert (event.code, event.rule) == ("GTIN", "partner table: x12_315 AV")


def test_a_place_is_known_by_name_or_number_only_from_the_partner_table() -> None:
    table = {"CI:MIAMI": "USMIA", "LOS ANGELES": "USLAX", "D:2709": "USLGB", "EDISON, NJ": "USNYC"}
    partner = Partner(mapping={"places": table})
    arrived = x12_messages.parse(raw("ocean-city-names"), partner=partner).events[0]
    assert (arrived.place, arrived.place_role) == ("USMIA", "POD")
    assert Reason.UNKNOWN_PLACE not in arrived.warnings
    assert x12_messages.parse(raw("ocean-schedule-codes"), partner=partner).events[1].place == "USLGB"
    assert x12_messages.parse(raw("truck-journey"), partner=partner).events[-1].place == "USNYC"
    assert x12_messages.parse(raw("truck-journey"), partner=Partner(mapping={"places": ["x"]})).events[0].place is None


# --- what is sent again ---


@pytest.mark.req("R1.2")
def test_a_message_sent_again_under_new_numbers_is_the_same_happening() -> None:
    first = x12_messages.parse(raw("ocean-arrival-by-lines")).events[0]
    again = x12_messages.parse(
        mended(
            "ocean-arrival-by-lines", ("*5501\n", "*5502\n"), ("000000101", "000000102"), ("*0900*", "*1130*"),
            ("*7*X*", "*8*X*"), ("GE*1*7", "GE*1*8"),
        )
    ).events[0]  # fmt: skip
    assert first.source_event_id is again.source_event_id is None
    assert payload_digest(first.payload) == payload_digest(again.payload)
    assert natural_key("line", first, first.time) == natural_key("line", again, again.time)
    assert first.source_created_at != again.source_created_at


@pytest.mark.req("R1.2", "R1.9")
def test_the_same_estimate_told_later_is_a_later_version_of_the_same_event() -> None:
    first, again = (
        x12_messages.parse(message).events[1]
        for message in (raw("ocean-departure-with-eta"), mended("ocean-departure-with-eta", ("*0900*", "*1130*")))
    )
    assert natural_key("line", first, None) == natural_key("line", again, None)
    assert payload_digest(first.payload) != payload_digest(again.payload)


def test_an_estimate_is_not_told_beside_what_has_happened_or_what_it_is_about() -> None:
    done = mended(
        "ocean-departure-with-eta",
        ("DTM*139*20260321*0600*LT~", "DTM*139*20260321*0600*LT~\nDTM*140*20260321*0545*LT~"),
    )
    assert [e.code for e in x12_messages.parse(done).events] == ["DEPA"]
    city = mended("ocean-departure-with-eta", ("R4*D*UN*USLAX*", "R4*D*CI*LOS ANGELES*"))
    assert [e.code for e in x12_messages.parse(city).events] == ["DEPA"]


def test_two_boxes_of_one_bill_released_at_once_are_two_happenings() -> None:
    one, two = (x12_messages.parse(m).events[3] for m in (
        raw("ocean-holds-and-releases"), mended("ocean-holds-and-releases", ("MSCU*482913", "TGHU*703318")),
    ))  # fmt: skip
    assert one.code == two.code == "RELS"
    assert natural_key("line", one, None) != natural_key("line", two, None)


@pytest.mark.req("R1.0")
def test_a_shipments_part_leaves_out_the_references_of_others() -> None:
    shared = mended(
        "ocean-available", ("N9*BN*BKG100234~", "N9*BN*BKG100234~\nN9*BN*BKGOTHER~\nN9*4F*77*ANOTHER SHIPPER~")
    )
    (event,) = x12_messages.parse(shared).events
    assert ("BKG", "BKGOTHER") in event.references
    part = json.dumps(part_of(event.payload, frozenset({("BOOKING", "BKG100234")})))
    assert "BKG100234" in part
    assert "BKGOTHER" not in part
    assert "ANOTHER SHIPPER" not in part


def test_the_hauliers_own_number_never_hides_a_box_or_a_booking() -> None:
    delivered = x12_messages.parse(raw("truck-journey")).events[-1]
    assert (delivered.shipment_ref, delivered.booking, delivered.container) == (None, "BKG100234", "MSCU4829130")
    assert ("SI", "SHP-4471") in delivered.references
    assert x12_messages.parse(raw("truck-trailer")).events[0].shipment_ref == "SHP-4472"


def test_a_failed_delivery_says_why() -> None:
    assert [e.reason for e in x12_messages.parse(raw("truck-attempts")).events] == ["A1", "BS", "B1", "NS"]


# --- envelopes ---


@pytest.mark.req("G8")
def test_a_strict_partner_has_transactions_refused_whose_envelope_does_not_fit() -> None:
    strict = Partner(strict_envelope=True)
    for name in ("ocean-wrong-controls", "ocean-no-trailers"):
        parsed = x12_messages.parse(raw(name), partner=strict)
        assert [r.code for r in parsed.refusals] == [Reason.ENVELOPE_REFUSED] * 2
        assert not parsed.events
    one_wrong = mended("ocean-wrong-controls", ("GE*3*", "GE*2*"), ("000000102", "000000101"))
    own = x12_messages.parse(one_wrong, partner=strict)
    assert [(r.code, r.position) for r in own.refusals] == [(Reason.ENVELOPE_REFUSED, "$[0].ST[2]")]
    assert "control_count, control_reference" in own.refusals[0].detail
    assert [e.container for e in own.events] == ["TGHU7033180"]
    assert len(x12_messages.parse(raw("ocean-unpadded"), partner=strict).events) == 1, "padding is no control"


@pytest.mark.req("G8")
def test_an_envelope_says_who_wrote_to_whom_and_what_became_of_each_transaction() -> None:
    (envelope,) = x12_messages.parse(raw("mixed-transactions")).envelopes
    assert (envelope.syntax, envelope.sender, envelope.receiver) == ("X12", "OCEANLINE", "FORWARDER")
    assert (envelope.reference, envelope.sender_qualifier, envelope.is_test) == ("000000101", "ZZ", False)
    parts = [(p.type, p.reference, p.group, p.group_type, p.version, p.is_refused) for p in envelope.parts]
    assert parts == [
        ("315", "0001", "7", "QO", "004010", False), ("214", "0002", "7", "QO", "004010", False),
        ("322", "0003", "7", "QO", "004010", False), ("990", "0004", "7", "QO", "004010", True),
    ]  # fmt: skip
    assert [e.sender for e in x12_messages.parse(raw("ocean-two-interchanges")).envelopes] == ["OCEANLINE", "OTHERLINE"]
    assert x12_messages.parse(raw("ocean-bare-transaction")).envelopes == ()


@pytest.mark.parametrize("path", MESSAGES, ids=[p.stem for p in MESSAGES])
def test_every_position_leads_to_its_segment_in_the_text(path: Path) -> None:
    parsed = answered(x12_messages.parse, path.read_bytes())
    if parsed is None:
        return
    text = x12.decoded(path.read_bytes())
    spans = x12.spans(text)
    assert [text[a:b] for a, b in spans[:1]] != [""]
    for item in (*parsed.events, *parsed.refusals):
        tag, number = item.position.partition(".")[2].rstrip("]").split("[")
        start, end = spans[int(number)]
        assert tag == "SEG" or text[start:end].startswith(tag)
    positions = [e.position for e in parsed.events]
    assert len(positions) == len(set(positions))


@pytest.mark.req("G7")
@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", Reason.EMPTY), (b" \r\n", Reason.EMPTY), (b"\0\0", Reason.EMPTY), (b"ISA", Reason.TRUNCATED_MESSAGE),
        (b"ISA*00*", Reason.TRUNCATED_MESSAGE), (b"[]", Reason.BAD_ENVELOPE), (b"UNB+UNOA:1+A+B'", Reason.BAD_ENVELOPE),
        (b"ST*315", Reason.TRUNCATED_MESSAGE), (b"~" * 50, Reason.BAD_ENVELOPE),
        (b"ST*315*1~" + b"B4~" * 600_001, Reason.TOO_MANY_ITEMS), (b"x" * (64 * 1024 * 1024 + 1), Reason.TOO_LARGE),
    ],
    ids=lambda value: value[:12].decode() if isinstance(value, bytes) else value,
)  # fmt: skip
def test_what_cannot_be_read_as_a_whole_is_refused_with_its_reason(message: bytes, code: Reason) -> None:
    with pytest.raises(Unreadable) as fault:
        x12_messages.parse(message)
    assert (fault.value.code, bool(fault.value.detail)) == (code, True)


@pytest.mark.req("G7")
def test_what_is_beyond_any_message_is_refused_without_the_next_one() -> None:
    for change, code in (
        ("B4" + "*X" * 300 + "~\nB4***", Reason.TOO_LONG),
        ("B4*" + "X" * 20_000 + "~\nB4***", Reason.TOO_LONG),
        ("M7*1~\n" * 10_050 + "B4***", Reason.TOO_MANY_ITEMS),
        ("B4*\x07~\nB4***", Reason.BAD_TEXT),
    ):
        text = raw("ocean-port-between").decode().replace("B4***", change, 1)
        parsed = x12_messages.parse(text.encode())
        assert [r.code for r in parsed.refusals] == [code]
        assert [e.code for e in parsed.events] == ["DEPA"]


@pytest.mark.req("G7")
def test_a_small_message_never_becomes_a_large_one() -> None:
    text = raw("truck-appointments").decode()
    many = text.replace("LX*1~", "L11*9*PO~\n" * 200 + "LX*1~" + "\nAT7*D1*NS***20260309*0815*ET~" * 200)
    (refusal,) = x12_messages.parse(many.encode()).refusals
    assert (refusal.code, refusal.position) == (Reason.TOO_MANY_ITEMS, "$[0].ST[2]")
    alone = text.replace("LX*1~", "LX*1~" + "\nAT7*D1*NS***20260309*0815*ET~" * 200)
    assert len(x12_messages.parse(alone.encode()).events) == 201
    isa, rest = raw("ocean-available").decode().split("~\n", 1)
    files = (f"{isa}~\n{rest}" * 3_000).encode()
    assert len(x12_messages.parse(files).envelopes) == 3_000


# --- whatever may come (G7) ---


def _mutated(message: bytes, dice: random.Random) -> bytes:
    """One to four segments or elements replaced, left out, doubled or exchanged."""
    text = x12.decoded(message)
    sign = "~" if "~" in text else "\n"
    segments = [s.split("*") for s in text.split(sign)]
    for _time in range(dice.randint(1, 4)):
        at = dice.randrange(len(segments))
        act, within = dice.randrange(6), dice.randrange(len(segments[at]))
        if act == 0:
            del segments[at]
        elif act == 1:
            segments.insert(dice.randrange(len(segments)), list(segments[at]))
        elif act == 2:
            del segments[at][within]
        elif act == 3:
            segments[at].insert(within, dice.choice(WORDS))
        else:
            segments[at][within] = dice.choice(WORDS)
        segments = [s for s in segments if s] or [[""]]
    return sign.join("*".join(s) for s in segments).encode()


@pytest.mark.req("G6", "G7")
@pytest.mark.parametrize("seed", range(4))
def test_a_mutated_message_gives_events_or_a_reason(seed: int) -> None:
    dice = random.Random(seed)
    messages = [path.read_bytes() for path in MESSAGES]
    strict = Partner(strict_envelope=True)
    for run in range(175):
        found = _mutated(dice.choice(messages), dice)
        if run % 3 == 0:
            found = damaged(found, dice)
        for key in KEYS:
            ADAPTERS[key].recognises(found)
        parsed = answered(x12_messages.parse, found, strict if run % 5 == 0 else None)
        if parsed is not None:
            holds(parsed)
            assert len({e.position for e in parsed.events}) == len(parsed.events)
            assert all(item.position.startswith("$[") for item in (*parsed.events, *parsed.refusals))
