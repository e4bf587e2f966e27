"""A position leads people to the very characters that were refused, in every message there is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.positions import anchor, locate, raw_lines, whole

_EVENTS = '[ {"a": 1, "when": "x, ] \\" }"},\n  {"a": {"b": [10, 20]}, "when": "2026"} ]'


def marked(text: str, position: str) -> str | None:
    span = locate(text, position)
    return None if span is None else text[span.start : span.end]


@pytest.mark.parametrize(
    ("position", "wanted"),
    [
        ("$[0].a", "1"), ("$[0].when", '"x, ] \\" }"'), ("$[1].a.b[1]", "20"), ("$[1].a.b", "[10, 20]"),
        ("$[1]", '{"a": {"b": [10, 20]}, "when": "2026"}'), ("$[1].when#2", '"2026"'),
        ("$[1].missing", '{"a": {"b": [10, 20]}, "when": "2026"}'), ("$[9].a", None), ("nonsense", None),
    ],
)  # fmt: skip
def test_a_path_marks_its_value_and_a_missing_field_the_object_that_lacks_it(position: str, wanted: str | None) -> None:
    assert marked(_EVENTS, position) == wanted


def test_one_event_by_itself_is_a_list_of_one() -> None:
    assert marked('{"eventID": "x", "eventDateTime": "bad"}', "$[0].eventDateTime") == '"bad"'


def test_unreadable_json_is_marked_where_it_stops() -> None:
    span = locate('[{"a": 1, "b": }]', "$")
    assert span is not None
    assert span.start == 15


def test_a_csv_row_is_counted_after_its_header_and_may_hold_line_breaks() -> None:
    text = 'code,note\nGTIN,"two\nlines"\nLOAD,bad\n'
    assert marked(text, "$[0].code") == 'GTIN,"two\nlines"'
    assert marked(text, "$[1].code") == "LOAD,bad"
    assert marked(text, "$[2].code") is None


_EDI = "UNA:+.? '\nUNB+UNOC:3+A+B'\nUNH+1+IFTSTA'\nSTS+1+IT?'S'\nEQD+CN'\nUNT+4+1'\nUNH+2+CODECO'\nBGM+3"


@pytest.mark.parametrize(
    ("position", "wanted"),
    [
        ("$[0].STS[2]", "STS+1+IT?'S"), ("$[0].STS[2].EQD[3]", "EQD+CN"), ("$[0].STS[2].EQD[3]#2", "EQD+CN"),
        ("$[1].SEG[0]", "UNB+UNOC:3+A+B"), ("$[1]", "UNH+2+CODECO"), ("$[1].BGM[6]", "BGM+3"), ("$[0].EQD[9]", None),
        ("$[7]", None), ("$", None), ("$[0].EQD[99999999999999999999]", None),
    ],
)  # fmt: skip
def test_a_segment_is_marked_by_its_number_and_a_message_by_its_first(position: str, wanted: str | None) -> None:
    assert marked(_EDI, position) == wanted
    assert marked("\ufeff\r\n" + _EDI, position) == wanted


@pytest.mark.parametrize(
    ("position", "wanted"),
    [("$[0].B4[3]", "B4*1*2"), ("$[1]", "ST*322*2"), ("$[0].B4[3].DTM[4]", "SE*2*1"), ("$[2]", None)],
)
def test_so_it_is_in_x12(position: str, wanted: str | None) -> None:
    head = "ISA*00*          *00*          *ZZ*S              *ZZ*R              *220101*1021*U*00401*1*0*P*>~\n"
    text = f"{head}GS*QO*A*B*1*1*1*X*1~ST*315*1~B4*1*2~SE*2*1~ST*322*2~SE*2*2~"
    assert marked(text, position) == wanted
    assert marked("ST*315*1~B4*1~", "$[0].B4[1]") == "B4*1"


def test_a_position_tells_the_event_and_the_message_it_belongs_to() -> None:
    assert anchor("$[0].STS[2].EQD[3].DTM[4]") == "$[0].STS[2]"
    assert anchor("$[3].eventDateTime") == "$[3]"
    assert (whole("$[12].STS[2].EQD[3]"), whole("$[3].a"), whole("$")) == ("$[12]", "$[3]", "$")


_SIGNS = 'ab"\\ ]},{[:é\n'
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(_SIGNS, max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


_LIST = st.lists(st.dictionaries(st.sampled_from("xyz"), _VALUES, max_size=3), min_size=1, max_size=4)


@given(events=_LIST, data=st.data())
def test_what_is_marked_is_the_value_at_the_path(events, data) -> None:
    text = json.dumps(events, indent=data.draw(st.sampled_from([None, 2])))
    number = data.draw(st.integers(0, len(events) - 1))
    if events[number]:
        key = data.draw(st.sampled_from(sorted(events[number])))
        assert json.loads(marked(text, f"$[{number}].{key}") or "") == events[number][key]


@given(text=st.text(max_size=300), position=st.text(max_size=30))
def test_no_text_and_no_position_breaks_it(text: str, position: str) -> None:
    lines, _cut = raw_lines(text, locate(text, position))
    assert lines


def test_of_a_long_message_the_lines_around_the_place_are_shown() -> None:
    text = json.dumps([{"n": n} for n in range(2_000)], indent=1)
    lines, cut = raw_lines(text, locate(text, "$[1500].n"))
    assert cut
    assert len(lines) == 400
    assert [line["mark"] for line in lines if line.get("marked")] == ["1500"]
    assert sum(bool(line.get("anchor")) for line in lines) == 1


def test_of_a_very_long_line_the_characters_around_the_place_are_shown() -> None:
    text = json.dumps([{"n": n} for n in range(20_000)])
    lines, cut = raw_lines(text, locate(text, "$[9000].n"))
    assert cut
    assert len(json.dumps(lines)) < 4_000
    assert lines[0]["mark"] == "9000"
