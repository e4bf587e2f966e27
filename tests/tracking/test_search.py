"""Finding a shipment by whatever somebody has in hand, and nobody else's."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.tenancy.context import as_tenant
from tests.doors import client_of
from tests.tracking.messages import box, shipment
from tests.tracking.pages import refs
from tracking.filters import MOST_REFERENCES, ShipmentFilter, Terms
from tracking.search import search


@pytest.fixture
def found(acme):
    made = shipment(
        acme, ref="MER-77001", containers=(box(), box()), booking="BKQX881", mbl="MAEU55512345", hbl="MERH-90-11",
        po_numbers=("PO 4711/a", "4500098765"),
    )  # fmt: skip
    for n in range(3):
        shipment(acme, ref=f"OTHER-{n}", booking=f"ZZ{n}91")
    return acme, made


def listed(account, q: str) -> list[str]:
    """References of the list, or the one that was led to."""
    response = client_of(account.member).get("/shipments", {"q": q}, follow=True)
    assert response.status_code == 200
    text = response.content.decode()
    led = re.search(r"<title>(\S+) ·", text) if response.redirect_chain else None
    return [led[1]] if led else refs(text)


@pytest.mark.parametrize(
    "typed",
    ["MER-77001", "mer 77001", "BKQX881", "MAEU55512345", "merh9011", "PO 4711/a", "po4711A", "4500098765"],
)
def test_any_reference_finds_its_shipment_however_it_is_written(found, typed: str) -> None:
    account, _made = found
    assert listed(account, typed) == ["MER-77001"]


def test_each_container_finds_it_with_and_without_blanks(found) -> None:
    account, made = found
    with as_tenant(account.pk):
        numbers = list(made.containers.values_list("number", flat=True))
    for number in numbers:
        assert listed(account, number) == ["MER-77001"]
        assert listed(account, f"{number[:4]} {number[4:10]}-{number[10]}") == ["MER-77001"]


def test_a_beginning_finds_when_nothing_is_exactly_that(found) -> None:
    account, _made = found
    assert listed(account, "MER7700") == ["MER-77001"]
    assert listed(account, "bk") == ["MER-77001"] or "MER-77001" in listed(account, "bk")


def test_a_part_of_four_characters_finds_and_three_do_not(found) -> None:
    account, _made = found
    assert listed(account, "5551234") == ["MER-77001"]
    assert listed(account, "X881") == ["MER-77001"]
    assert listed(account, "881") == []


def test_an_exact_reference_leads_straight_to_its_shipment_and_anything_less_to_a_list(found) -> None:
    account, made = found
    client = client_of(account.member)
    led = client.get("/shipments", {"q": "bkq x881"})
    assert (led.status_code, led["Location"]) == (302, f"/shipments/{made.public_id}")
    for less in ("q=BKQX88", "q=BKQX881&standing=late", "q=BKQX881,OTHER-1", "q=BKQX881+NOPE"):
        assert client.get(f"/shipments?{less}").status_code == 200


def test_signs_of_a_pattern_are_only_signs(found) -> None:
    account, _made = found
    for typed in ("%%%%", "____", "MER_77%", "'; --", "\\", "*"):
        assert "OTHER-1" not in listed(account, typed)


def test_a_pasted_list_finds_each_and_names_what_it_does_not_know(found) -> None:
    account, _made = found
    client = client_of(account.member)
    text = client.get("/shipments", {"q": "MER-77001, OTHER-1\nNOPE-9;OTHER-2"}).content.decode()
    assert set(refs(text)) == {"MER-77001", "OTHER-1", "OTHER-2"}
    assert "1 of 4 references was not found" in text
    assert "Not found: NOPE-9" in text


def test_a_line_of_a_pasted_list_may_hold_blanks_and_is_named_as_it_was_written(found) -> None:
    account, made = found
    with as_tenant(account.pk):
        number = made.containers.order_by("number").values_list("number", flat=True)[0]
    pasted = f"PO 4711/a\r\n{number[:4]} {number[4:10]} {number[10]}\r\nPO 9999\tOTHER-1\r\n\r\n"
    client = client_of(account.member)
    answer = client.post("/shipments", {"q": pasted}, follow=True)
    text = answer.content.decode()
    assert answer.redirect_chain[0][0].startswith("/shipments?q=PO+4711/a,")  # an address that can be shared
    assert set(refs(text)) == {"MER-77001", "OTHER-1"}
    assert "Not found: PO 9999" in text


def test_a_list_of_which_nothing_is_known_says_so_by_name(found) -> None:
    account, _made = found
    client = client_of(account.member)
    for typed in ("NOPE-1,NOPE-2", "NOPE-1 NOPE-2"):
        assert "Not found: NOPE-1, NOPE-2" in client.get("/shipments", {"q": typed}).content.decode()


def test_200_long_references_pasted_at_once_are_answered(acme) -> None:
    known = [shipment(acme, ref=f"LONGREF-{n:03d}-ABCDEFG").ref for n in range(3)]
    pasted = "\n".join([*known, *(f"UNKNOWN-{n:03d}-ABCDEFG" for n in range(197))])
    text = client_of(acme.member).post("/shipments", {"q": pasted}, follow=True).content.decode()
    assert set(refs(text)) == set(known)
    assert "197 of 200 references were not found" in text
    assert "UNKNOWN-196-ABCDEFG" in text


def test_more_text_than_an_address_holds_is_refused_in_words(acme) -> None:
    answer = client_of(acme.member).post("/shipments", {"q": "\n".join(f"R{n:09d}" for n in range(900))})
    assert answer.status_code == 422
    assert "6000 at once are read" in answer.content.decode()


def test_a_list_longer_than_the_most_says_what_was_left_out(acme) -> None:
    terms = Terms.read(" ".join(f"R{n}" for n in range(MOST_REFERENCES + 7)))
    assert (len(terms.listed[0].words), terms.dropped) == (MOST_REFERENCES, 7)
    lines = Terms.read("\n".join(f"R{n}" for n in range(MOST_REFERENCES + 7)))
    assert (len(lines.listed), lines.dropped) == (MOST_REFERENCES, 7)
    text = client_of(acme.member).get("/shipments", {"q": " ".join(f"R{n}" for n in range(207))}).content.decode()
    assert "the last 7 were left out" in text


@pytest.mark.req("T1", "T3")
@pytest.mark.parametrize("typed", ["MER-77001", "MER77", "5551234", "MER-77001 BKQX881"])
def test_nobody_finds_what_belongs_to_another_account(found, globex, typed: str) -> None:
    shipment(globex, ref="GLX-1")
    assert listed(globex, typed) == []


def test_a_search_is_one_statement(found) -> None:
    account, _made = found
    for typed in ("MER-77001", "MER77", "5551234", "nothing here", "OTHER-1 OTHER-2"):
        with as_tenant(account.pk), CaptureQueriesContext(connection) as asked:
            search(Terms.read(typed))
        assert len([q for q in asked.captured_queries if q["sql"] not in ("BEGIN", "COMMIT")]) == 1


@pytest.mark.parametrize(
    "query",
    ["standing=nonsense", "month=2026-13", "lane=<script>", "arriving=999", "sort=id", "older=x.y", "newer=..", "q=%00",
     "older=aaaa.not-a-time", "status=%F0%9F%9A%A2", "older=aaaa.",
     "older=a.9999-12-31", "newer=a.0001-01-01T00:00:00%2B14:00", "older=a.2026-01-01"],
)  # fmt: skip
def test_an_address_that_makes_no_sense_still_opens_a_list(found, query: str) -> None:
    account, _made = found
    assert client_of(account.member).get(f"/shipments?{query}", follow=True).status_code == 200


@pytest.mark.req("W8", "T9")
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("standing=nonsense", "“nonsense” is no value of “standing”"),
        ("status=LOST", "Possible: ARRIVED, BOOKED, CANCELLED, DONE, UNDER_WAY."),
        ("month=2026-13", "Possible: 2026-03."),
        ("due_from=2026-02-30", "“2026-02-30” is no value of “due_from”"),
        ("due_from=2026-03-02&due_to=2026-03-01", "ends before it begins"),
        ("lane=A&lane=B", "“lane” is given 2 times"),
        ("lanes=A", "“lanes” is no filter of this list"),
        ("sort=id", "“id” is no value of “sort”"),
        ("cols=shipment,secret", "There is no column “secret”"),
        ("tenant__name=x", "“tenant__name” is no filter"),
        ("milestone=TS_LOADED", "Your service tier shows the core milestones"),
    ],
)
def test_what_an_address_asks_and_we_do_not_know_is_said_on_the_page_and_refused_in_a_file(
    found, query: str, said: str
) -> None:
    account, _made = found
    client = client_of(account.member)
    answer = client.get(f"/shipments?{query}")
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert len(refs(answer.content.decode())) == 4  # left out, not guessed at
    for ending in ("csv", "xlsx"):
        refused = client.get(f"/shipments.{ending}?{query}")
        assert refused.status_code == 400
        assert said in refused.content.decode()


def test_a_filter_survives_its_address() -> None:
    asked = {"q": "AB C", "standing": "late", "status": "BOOKED", "milestone": "LOADED", "lane": "CNSHA-NLRTM",
             "pol": "CNSHA", "pod": "NLRTM", "carrier": "MAEU", "branch": "Genève", "vertical": "Cars & parts",
             "month": "2026-03", "due_from": "2026-03-01", "due_to": "2026-03-31", "arriving": "7",
             "eta_from": "2026-03-01", "eta_to": "2026-03-01", "unheard": "1", "followed": "1", "sort": "promised",
             "cols": "shipment,po,route", "view": "all"}  # fmt: skip
    read = ShipmentFilter.read(asked)
    assert read.params() == asked
    assert read.problems == ()
    assert ShipmentFilter.read(dict(parse_qsl(read.query()))) == read
