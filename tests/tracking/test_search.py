"""Finding a shipment by whatever somebody has in hand, and nobody else's."""

from __future__ import annotations

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
    response = client_of(account.member).get("/shipments", {"q": q})
    assert response.status_code == 200
    return refs(response.content.decode())


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
    assert "NOPE-9" in text


def test_a_list_longer_than_the_most_says_what_was_left_out(acme) -> None:
    terms = Terms.read(" ".join(f"R{n}" for n in range(MOST_REFERENCES + 7)))
    assert (len(terms.listed), terms.dropped) == (MOST_REFERENCES, 7)
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
    assert client_of(account.member).get(f"/shipments?{query}").status_code == 200


def test_a_filter_survives_its_address() -> None:
    asked = {"q": "AB C", "standing": "late", "status": "BOOKED", "lane": "CNSHA-NLRTM", "month": "2026-03",
             "arriving": "7", "unheard": "1", "sort": "promised"}  # fmt: skip
    assert ShipmentFilter.read(asked).params() == asked
