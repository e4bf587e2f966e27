"""The EDIFACT readers: raw files against their outcome, odd envelopes, partner tables, and whatever may come."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.adapters.mutations import WORDS, answered, damaged, holds
from tracking import edifact
from tracking.edifact import interchange, syntax
from tracking.management.commands.canonical import _lines
from tracking.positions import locate
from tracking.reasons import WARNINGS, Reason
from tracking.registry import ADAPTERS, recognised
from tracking.types import PLAIN, CanonicalEvent, Classifier, Kind, Parsed, Partner, StatusRule, Unreadable

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "edifact"
FILES = sorted(GOLDEN.glob("*.edi"))
FORMATS = ("iftsta", "codeco", "coarri")
STRICT = Partner(strict_envelope=True)


def raw(name: str) -> bytes:
    return (GOLDEN / f"{name}.edi").read_bytes()


def told(*segments: str, type_: str = "IFTSTA", partner: Partner = PLAIN) -> Parsed:
    """One message of these segments, without an envelope."""
    lines = [f"UNH+1+{type_}:D:00B:UN", *segments]
    text = "'\n".join([*lines, f"UNT+{len(lines) + 1}+1"]) + "'"
    return edifact.parse(text.encode(), partner=partner)


def status(*segments: str, sts: str = "STS+1+OA::ZZZ", box: str = "EQD+CN+ONEU4815163+45G1++3+5",
           partner: Partner = PLAIN) -> CanonicalEvent:  # fmt: skip
    """The first event of one status with what it needs."""
    parsed = told("BGM+23+D1+9", sts, "RFF+BM:B1", "DTM+334:202603050800:203", *segments, box, partner=partner)
    assert not parsed.refusals, parsed.refusals
    return parsed.events[0]


@pytest.mark.req("G6", "G8", "R1.2", "R1.6", "X08")
@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_a_raw_file_says_what_stands_beside_it(path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text("utf-8"))
    assert list(_lines(path.read_bytes(), "auto")) == expected


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_it_is_recognised_by_its_first_event_message_and_read_alike_by_all_three(path: Path) -> None:
    whole = path.read_bytes()
    found = recognised(whole)
    assert found is not None
    assert found.key in FORMATS
    assert [a.key for a in ADAPTERS if a.recognises(whole)] == [found.key]
    first = list(_lines(whole, "iftsta"))
    assert all(list(_lines(whole, key)) == first for key in FORMATS)


def test_what_is_no_event_message_is_recognised_by_none() -> None:
    for other in (
        b"",
        b"UN",
        b"UNB+UNOA:1+A+B",
        b"UNH+1+INVOIC:D:96A:UN'",
        b"ISA*00*",
        b"[{}]",
        b"\xff" * 99,
        b"UNA:+",
    ):
        assert not [a for a in ADAPTERS if a.key in FORMATS and a.recognises(other)]


# --- characters and separators ---


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("charset-latin-1", "AUSGELIEFERT AN MÜLLER + SÖHNE, IT'S OUT"), ("charset-utf-8", "已提柜 Straße"),
        ("charset-cyrillic", "Выдан"), ("charset-not-as-declared", "GRÖSSE"), ("charset-not-utf-8", "GRÖSSE"),
    ],
)  # fmt: skip
def test_text_is_read_in_the_character_set_of_its_interchange(name: str, words: str) -> None:
    assert [e.reason for e in edifact.parse(raw(name)).events] == [words]


def test_each_interchange_of_a_file_has_its_own_separators_and_characters() -> None:
    found = edifact.parse(raw("two-interchanges"))
    assert [e.reason for e in found.events] == [None, "bereit für Sie", None]
    assert [e.character_set for e in found.envelopes] == ["UNOC:3", "UNOW:4", "UNOA:1"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A?+B", "A+B"), ("A?:B", "A:B"), ("A?'B", "A'B"), ("A??", "A?"), ("A???'", "A?'"), ("?A", "A"),
        ("A B ", "A B"), ("A\r\nB", "AB"),
    ],
)  # fmt: skip
def test_a_released_character_is_text(written: str, read: str) -> None:
    assert status(sts=f"STS+1+OA::ZZZ:{written}").reason == read


def test_without_a_release_character_the_question_mark_is_text() -> None:
    text = "UNA:+. *'UNH+1+CODECO:D:95B:UN'BGM+36+A??+9'EQD+CN+ONEU4815163+++3+5'DTM+7:202603050800:203'UNT+5+1'"
    assert edifact.parse(text.encode()).events[0].source_event_id == "A??/ONEU4815163/GTOT/"


def test_an_advice_that_cannot_be_meant_is_left_aside() -> None:
    body = "UNH+1+CODECO:D:95B:UN'BGM+36+A+9'EQD+CN+ONEU4815163+++3+5'DTM+7:202603050800:203'UNT+5+1'"
    for advice in ("UNA++++++", "UNAab.? c", "UNA:+.:*'", "UNA:+.? ?"):
        assert len(edifact.parse((advice + body).encode()).events) == 1


@given(text=st.text("UNABHZT+:?'\n\x1d\x1c ~", max_size=120))
def test_spans_are_what_the_reader_numbers(text: str) -> None:
    spans = edifact.spans(text)
    found = list(syntax.segments(text.encode()))
    assert [text[a:b].replace("\n", "") for a, b in spans] == [s.text for s in found]
    assert [s.number for s in found] == list(range(len(spans)))
    assert all(a < b for a, b in spans)
    assert all(b <= c for (_a, b), (c, _d) in itertools.pairwise(spans))


# --- envelopes ---


@pytest.mark.req("G8")
def test_an_envelope_tells_who_which_and_whether_it_fits() -> None:
    [found] = edifact.parse(raw("mixed-types")).envelopes
    assert (found.sender, found.sender_qualifier, found.receiver, found.reference) == ("HUB", "14", "FWD", "MIX1")
    assert (found.wants_acknowledgement, found.is_test) == (True, True)
    assert [(p.type, p.reference, p.is_refused) for p in found.parts] == [
        ("INVOIC", "4", True), ("COARRI", "1", False), ("CODECO", "2", False), ("IFTSTA", "3", False),
        ("CONTRL", "5", False),
    ]  # fmt: skip
    grouped = edifact.parse(raw("groups")).envelopes[0].parts
    assert [(p.group, p.group_type, p.group_faults) for p in grouped] == [
        ("G01", "COARRI", ()), ("G02", "CODECO", ("control_count",)), ("G03", "IFTSTA", ("control_reference",)),
    ]  # fmt: skip


@pytest.mark.req("G8")
@pytest.mark.parametrize(
    ("name", "refused", "read"),
    [
        ("wrong-counts", {"$[0].UNT[6]", "$[1].UNT[12]", "$[2].UNZ[22]"}, 0),
        ("wrong-interchange", {"$[0].UNZ[7]"}, 0),
        ("groups", {"$[1].UNE[16]", "$[2].UNE[27]"}, 1),
        ("no-trailers", {"$[0].UNH[6]", "$[1].UNB[12]", "$[2].UNT[21]"}, 0),
        ("no-envelope", {"$[0].UNH[0]", "$[1].UNH[6]"}, 0),
        ("mixed-types", set(), 3),
    ],
)
def test_a_strict_partner_refuses_what_its_envelope_does_not_fit(name: str, refused: set[str], read: int) -> None:
    found = edifact.parse(raw(name), partner=STRICT)
    assert {r.position for r in found.refusals if r.code == Reason.ENVELOPE_REFUSED} == refused
    assert len(found.events) == read
    lenient = edifact.parse(raw(name))
    assert not [r for r in lenient.refusals if r.code == Reason.ENVELOPE_REFUSED]
    assert {w for e in lenient.events for w in e.warnings} <= WARNINGS


@pytest.mark.parametrize(
    ("whole", "code"),
    [
        (b"", Reason.EMPTY), (b"\xef\xbb\xbf \r\n\x1a", Reason.EMPTY), (b"UNZ+1+1'", Reason.BAD_ENVELOPE),
        (b"ISA*00*", Reason.BAD_ENVELOPE), (b"UNB+UNOA:1+A+B+260310:0915+1'UNZ+0+1'", Reason.BAD_ENVELOPE),
        (b"UNB+UNOA:1+A", Reason.TRUNCATED_MESSAGE), (b"UNA:+.? '", Reason.BAD_ENVELOPE),
        (b"UNB", Reason.TRUNCATED_MESSAGE),
    ],
)  # fmt: skip
def test_a_file_without_a_message_is_refused_as_a_whole(whole: bytes, code: Reason) -> None:
    with pytest.raises(Unreadable) as fault:
        edifact.parse(whole)
    assert (fault.value.code, bool(fault.value.detail)) == (code, True)


@pytest.mark.req("G7")
def test_bombs_are_stopped_by_limits() -> None:
    small = syntax.Limits(bytes=400, segments=20, elements=5, components=4, length=60, messages=3)
    good = b"UNH+1+CODECO:D:95B'BGM+36+1+9'UNT+3+1'"
    for bomb, code in ((good * 20, Reason.TOO_LARGE), (b"UNH+1'" + b"A01'" * 30, Reason.TOO_MANY_ITEMS),
                       (b"UNH+1'" * 6, Reason.TOO_MANY_ITEMS)):  # fmt: skip
        with pytest.raises(Unreadable) as fault:
            interchange.read(bomb, small)
        assert fault.value.code == code
    for segment, code in (("+" * 9, Reason.BAD_SEGMENT), (":" * 9, Reason.BAD_SEGMENT), ("x" * 99, Reason.TOO_LONG)):
        [message] = interchange.read(good[:-8] + f"FTX{segment}'".encode() + good[-8:], small).messages
        assert message.broken is not None
        assert message.broken[0] == code


@pytest.mark.req("G7")
def test_reading_takes_no_longer_than_the_file_is_long() -> None:
    for long in (b"UNH+1+IFTSTA'FTX+" + b"?" * 300_000 + b"'", b"UNH+1+IFTSTA'" + b"?'" * 200_000,
                 b"UNH+1+IFTSTA'" + b"'" * 300_000, b"UNA:+.? '" * 50_000):  # fmt: skip
        answered(edifact.parse, long)


@pytest.mark.req("G7")
def test_a_long_head_is_not_repeated_for_every_box_and_a_file_has_so_many_events_at_most() -> None:
    head = [f"LOC+9+CN{n:03d}" for n in range(5_000)]
    boxes = [f"EQD+CN+ONEU{n:07d}+++3+5'DTM+203:202603050800:203" for n in range(5_000)]
    found = told("BGM+44+1+9", *head, *boxes, type_="COARRI").events
    assert len(found) == 5_000
    assert max(len(str(e.payload)) for e in found[::99]) < 4_000
    names = [f"RFF+BN:B{n}" for n in range(500)]
    found = told("BGM+23+1+9", "STS+1+OA", "DTM+334:202603050800:203", *names, *boxes, *head).events
    assert len(found) == 5_000
    assert max(len(str(e.payload)) for e in found[::99]) < 12_000
    many = [f"RFF+EQ:ONEU{n:07d}" for n in range(60_000)]
    with pytest.raises(Unreadable) as fault:
        told("BGM+23+1+9", "STS+1+OA", "DTM+334:202603050800:203", *many)
    assert fault.value.code == Reason.TOO_MANY_ITEMS


# --- what a status means ---


@pytest.mark.req("R1.0")
def test_the_payload_holds_no_references_and_parties_of_others() -> None:
    found = edifact.parse(raw("iftsta-consignments")).events
    plain = [json.dumps(e.payload) for e in found]
    for foreign in ("NOBODYS", "SOMEBODY ELSE", "FIRST CONSIGNEE", "TGHU8899008"):
        assert not [text for text in plain if foreign in text]
    assert ["HLCUSHA260300001" in text for text in plain] == [True, False, False]
    assert ["HLXU4455669" in text for text in plain] == [False, True, False]


def test_references_find_the_shipment_by_booking_bill_and_order() -> None:
    one, two, three = edifact.parse(raw("iftsta-consignments")).events
    assert (one.booking, one.bill_of_lading, one.references) == (
        "11111111", "HLCUSHA260300001", (("FF", "F-1"), ("PO", "PO-901")),
    )  # fmt: skip
    assert two.references == (("BKG", "22222223"),)
    assert (three.container, three.booking, three.mode) == (None, None, "VESSEL")


RULE = StatusRule(kind=Kind.EQUIPMENT, code="GTOT", classifier=Classifier.ACT, laden=True)


@pytest.mark.parametrize(
    ("key", "sts", "agency"),
    [
        (("iftsta", "ZZZ", "Q9"), "STS+1+Q9::ZZZ:OUT", ""), (("iftsta", "", "Q9"), "STS+1+Q9::HS", ""),
        (("iftsta", "", "BOX PAINTED BLUE"), "STS+1+:::Box painted blue", ""),
        (("x12_315", "", "Q9"), "STS+1+q9::HS", ""),
    ],
)  # fmt: skip
def test_the_partner_says_what_its_codes_and_its_words_mean(key: tuple[str, str, str], sts: str, agency: str) -> None:
    found = status(sts=sts, partner=Partner(status={key: RULE}))
    assert (found.code, found.laden) == ("GTOT", True)
    assert found.rule.startswith("partner table")


def test_another_agencys_code_is_another_code() -> None:
    parsed = told("BGM+23+D1+9", "STS+1+Q9::HS", "RFF+BM:B1", "DTM+334:202603050800:203",
                  partner=Partner(status={("iftsta", "ZZZ", "Q9"): RULE}))  # fmt: skip
    assert [r.code for r in parsed.refusals] == [Reason.UNKNOWN_CODE]


def test_the_partner_says_what_its_reports_mean() -> None:
    rule = StatusRule(kind=Kind.EQUIPMENT, code="AVPU")
    box = ("EQD+CN+ONEU4815163+++3+5", "DTM+7:202603050800:203")
    found = told("BGM+98+D1+9", *box, type_="CODECO", partner=Partner(status={("codeco", "", "98"): rule})).events
    assert [(e.code, e.rule) for e in found] == [("AVPU", "partner table: codeco 98")]
    ignored = Partner(status={("codeco", "", "36"): StatusRule(kind=Kind.EQUIPMENT, code="", is_ignored=True)})
    assert [r.code for r in told("BGM+36+D1+9", *box, type_="CODECO", partner=ignored).refusals] == [Reason.NOT_TRACKED]


@pytest.mark.parametrize(
    ("sts", "tdt", "mode", "warned"),
    [
        ("VD::ZZZ", (), "VESSEL", False), ("24::22", ("TDT+20+1W+1",), "VESSEL", False),
        ("24::22", ("TDT+30++3",), "TRUCK", False), ("24::22", ("TDT+30++8+++++:::BARGE 7",), "BARGE", False),
        ("VD::ZZZ", ("TDT+30++8",), "BARGE", False), ("24::22", (), "MULTIMODAL", True),
        ("24::22", ("TDT+20+1W++++++9839284:146",), "VESSEL", True), ("P::ZZZ", ("TDT+20+1W+1",), "MULTIMODAL", False),
        ("P::ZZZ", ("TDT+1++2",), "RAIL", False),
    ],
)  # fmt: skip
def test_only_a_ship_departs_as_a_ship(sts: str, tdt: tuple[str, ...], mode: str, warned: bool) -> None:
    found = status("LOC+175+CNSHA", "LOC+9+CNSHA", *tdt, sts=f"STS+1+{sts}")
    assert (found.mode, Reason.NO_MODE in found.warnings) == (mode, warned)


def test_of_several_legs_the_one_that_ends_or_begins_there_is_meant() -> None:
    legs = ("TDT+10+B1+8", "LOC+9+CNWUH", "LOC+11+CNSHA", "TDT+20+031W+1+++++9839284:146", "LOC+9+CNSHA",
            "LOC+11+SGSIN", "TDT+20+107W+1+++++V7AB3:103::ONE AQUILA", "LOC+9+SGSIN", "LOC+11+NLRTM")  # fmt: skip
    left = status("LOC+175+CNSHA", *legs, sts="STS+1+VD::ZZZ")
    onward = status("LOC+175+SGSIN", *legs, sts="STS+1+VD::ZZZ")
    assert (left.voyage, left.place_role, left.pol, left.pod) == ("031W", "POL", "CNSHA", "NLRTM")
    assert (onward.voyage, onward.vessel, onward.place_role) == ("107W", "ONE AQUILA", "TSP")


@pytest.mark.parametrize(
    ("tdt", "vessel", "imo", "warned"),
    [
        ("9839284:146:11:ONE INNOVATION", "ONE INNOVATION", "9839284", False), ("V7AB3:103", "V7AB3", None, False),
        ("V7AB3:103::ONE AQUILA", "ONE AQUILA", None, False), (":::ONE AQUILA", "ONE AQUILA", None, False),
        ("9999999:146", None, "9999999", True), ("IMO9839284", None, "9839284", False),
        ("1234568", "1234568", None, False),
    ],
)  # fmt: skip
def test_a_vessel_is_known_by_number_call_sign_or_name(tdt: str, vessel: str, imo: str, warned: bool) -> None:
    found = status("LOC+175+CNSHA", f"TDT+20+031W+1+++++{tdt}", sts="STS+1+VD::ZZZ")
    assert (found.vessel, found.vessel_imo, Reason.IMO_CHECK_DIGIT in found.warnings) == (vessel, imo, warned)


def test_an_event_that_names_nothing_is_refused() -> None:
    parsed = told("BGM+23+D1+9", "STS+1+OA::ZZZ", "DTM+334:202603050800:203", "LOC+175+NLRTM")
    assert [r.code for r in parsed.refusals] == [Reason.NO_REFERENCE]


def test_a_box_may_stand_before_its_status_and_the_status_after_its_box() -> None:
    body = ("STS+1+OA::ZZZ", "RFF+BM:B1", "EQD+CN+ONEU4815163+++3+5", "DTM+334:202603050800:203", "LOC+175+NLRTM")
    [after] = told("BGM+23+D1+9", "CNI+1", *body).events
    before = ("EQD+CN+TCNU6234207+++3+5", "RFF+EQ:ONEU4815163", "STS+1+OA::ZZZ", "DTM+334:202603050800:203")
    found = told("BGM+23+D1+9", "CNI+1", *before).events
    assert (after.container, after.place, after.local, after.laden) == (
        "ONEU4815163",
        "NLRTM",
        "2026-03-05T08:00",
        True,
    )
    assert [(e.container, e.laden) for e in found] == [("TCNU6234207", True), ("ONEU4815163", None)]


@pytest.mark.req("R1.6")
def test_a_box_named_under_the_status_is_meant_and_not_that_of_the_head() -> None:
    found = edifact.parse(raw("iftsta-rail-departure")).events
    assert [(e.container, e.container_ok, e.mode) for e in found] == [("TRHU4561222", False, "RAIL")]


# --- corrections ---


@pytest.mark.req("R1.3", "R1.4")
def test_a_replacement_and_a_cancellation_find_the_event_of_their_document() -> None:
    first, again, renumbered = edifact.parse(raw("iftsta-correction")).events
    assert first.source_event_id == again.source_event_id == renumbered.source_event_id
    assert first.payload != again.payload
    assert first.source_created_at and again.source_created_at
    assert first.source_created_at < again.source_created_at
    withdrawn = edifact.parse(raw("iftsta-cancellation")).events[0]
    assert (withdrawn.retracts, withdrawn.time, withdrawn.payload) == (first.source_event_id, None, {})
    gate_in = edifact.parse(raw("codeco-gate-in-full")).events[0]
    assert edifact.parse(raw("codeco-withdrawn")).events[0].retracts == gate_in.source_event_id


def test_one_number_for_all_messages_of_a_shipment_keeps_its_ports_apart() -> None:
    ids = {e.source_event_id for e in edifact.parse(raw("iftsta-transhipment")).events}
    ids |= {e.source_event_id for e in edifact.parse(raw("iftsta-vessel-departure")).events}
    assert len(ids) == 7


def test_without_a_number_the_happening_itself_stands_for_it() -> None:
    parsed = told("BGM+23++9", "STS+1+OA::ZZZ", "RFF+BM:B1", "DTM+334:202603050800:203")
    assert [e.source_event_id for e in parsed.events] == [None]


# --- whatever may come ---


SEPARATORS = b"+:'?*~\n"


def mutated(raw: bytes, dice: random.Random) -> bytes:
    """A file with segments doubled, lost and moved, elements replaced, separators exchanged, or bytes damaged."""
    parts = raw.split(b"'")
    for _time in range(dice.randint(0, 3)):
        at, act = dice.randrange(len(parts)), dice.randrange(5)
        if act == 0:
            parts.insert(dice.randrange(len(parts) + 1), parts[at])
        elif act == 1 and len(parts) > 1:
            del parts[at]
        elif act == 2:
            elements = parts[at].split(b"+")
            elements[dice.randrange(len(elements))] = dice.choice((*WORDS, "UNT", "203", "2", "\x1d")).encode()
            parts[at] = b"+".join(elements)
        elif act == 3:
            parts[at] = parts[at].replace(b":", b"+")
        else:
            one, other = dice.choice(SEPARATORS), dice.choice(SEPARATORS)
            parts[at] = parts[at].replace(bytes([one]), bytes([other]))
    made = b"'".join(parts)
    if dice.random() < 0.1:
        made = made.replace(b"'", dice.choice((b"~", b"\n", b"''", b"?'")))
    return damaged(made, dice) if dice.random() < 0.6 else made


def _holds(whole: bytes, partner: Partner) -> bool:
    """Every message of a file has its outcome, which can be stored and found in the text; whether it was read."""
    [a.recognises(whole) for a in ADAPTERS]
    found = answered(edifact.parse, whole, partner)
    if found is None:
        return False
    holds(found)
    outcomes = (*found.events, *found.refusals)
    messages = interchange.read(whole).messages
    assert {item.position.partition("]")[0] for item in outcomes} >= {f"$[{n}" for n in range(len(messages))}
    text = whole.decode("utf-8", "replace")
    assert all(locate(text, item.position) for item in outcomes)
    assert max((len(item.position) for item in outcomes), default=0) <= 120
    for event in found.events:
        assert max(len(event.source_event_id or ""), len(event.retracts or "")) <= 512
        assert max(len(event.facility or ""), len(event.voyage or "")) <= 50
        assert len(event.vessel_imo or "") <= 8
    return True


@pytest.mark.req("G6", "G7")
@pytest.mark.parametrize("seed", range(7))
def test_a_damaged_file_gives_events_and_reasons_and_no_surprise(seed: int) -> None:
    dice = random.Random(seed)
    files = [p.read_bytes() for p in FILES]
    read = [_holds(mutated(dice.choice(files), dice), STRICT if dice.random() < 0.2 else PLAIN) for _run in range(100)]
    assert 10 < sum(read) < 100, "the damage leaves something to read, and something to refuse"
