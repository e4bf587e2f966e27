"""The desk's lists of codes: what is new comes first, an admin names and accepts it, mistakes are told by the field."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

import pytest

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take
from tests.tracking.test_masterdata import code
from tracking.models import Carrier, Place, Terminal, Vessel
from tracking.place_views import codes_url

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
PLACE = {"name": "Port of Somewhere", "country": "xx", "zone": "Asia/Singapore", "lat": "1.25", "lon": "103.75"}


@pytest.fixture
def admin():
    return client_of(cast.person(OPERATOR_ID, Role.ADMIN))


def test_a_code_that_an_event_brought_is_looked_at_and_accepted(acme, admin) -> None:
    port, line = code(), source()
    take(line, [equipment("DISC", number_of(shipment(acme)), "2026-02-10T10:00:00+08:00", place=port)], at=NOW)
    with clock.set_to(NOW):
        waiting = admin.get("/ops/settings/places?review=1").content.decode()
        assert port in waiting and line.key in waiting
        page = admin.get(f"/ops/settings/places/places/{port}").content.decode()
        assert f"First named by the source {line.key}" in page
        saved = admin.post(f"/ops/settings/places/places/{port}", PLACE)
        assert saved.status_code == 302
        admin.get("/ops/settings/places")  # the message that it was saved is told once
        assert f"{port}</a>" not in admin.get("/ops/settings/places?review=1").content.decode()
    place = Place.objects.get(code=port)
    assert (place.name, place.country, place.zone, place.needs_review) == (
        "Port of Somewhere", "XX", "Asia/Singapore", False,
    )  # fmt: skip


@pytest.mark.parametrize("odd", ["A/B/../{}", "A\n{}", "?{}", "#{}", "%2F{}", "🚢{}"])
def test_a_code_in_any_letters_has_its_page(acme, admin, odd: str) -> None:
    port, line = odd.format(code()), source()
    take(line, [equipment("DISC", number_of(shipment(acme)), "2026-02-10T10:00:00+08:00", place=port)], at=NOW)
    with clock.set_to(NOW):
        (place,) = Place.objects.filter(code__endswith=port[-5:].upper(), needs_review=True)
        assert admin.get(f"/ops/settings/places?{urlencode({'q': place.code})}").status_code == 200
        address = codes_url("places") + "/" + quote(place.code, safe="")
        assert line.key in admin.get(address).content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zone": "Europe/Rotterdam"}, "There is no time zone Europe/Rotterdam"),
        ({"alias_of": "QQQQQ"}, "There is no place QQQQQ"),
        ({"alias_of": "cnsgh"}, "CNSGH is itself another code of CNSHA"),
        ({"lat": "99"}, "less than or equal to 90"),
        ({"name": ""}, "This field is required"),
        ({"country": "Holland"}, "Enter a valid value"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_beside_the_field_and_changes_nothing(admin, change, words) -> None:
    port = code()
    with clock.set_to(NOW):
        answer = admin.post("/ops/settings/places/places/new", {"code": port, **PLACE, **change})
    assert (answer.status_code, words in answer.content.decode()) == (422, True)
    assert not Place.objects.filter(code=port).exists()


def test_each_kind_is_added_once(admin) -> None:
    mark = secrets.token_hex(2).upper()
    with clock.set_to(NOW):
        for kind, data, model in (
            ("terminals", {"place": "nlrtm", "code": f"T{mark}", "name": "Top", "provider": "smdg"}, Terminal),
            ("carriers", {"code": f"Z{mark}", "name": "Zed Line", "smdg": "ZED"}, Carrier),
            ("vessels", {"imo": f"9{secrets.randbelow(10**6):06d}", "name": "EVER GREEN", "call_sign": "abc1"}, Vessel),
        ):
            assert admin.post(f"/ops/settings/places/{kind}/new", data).status_code == 302, kind
            again = admin.post(f"/ops/settings/places/{kind}/new", data)
            assert "in the list already" in again.content.decode()
            assert model.objects.filter(name=data["name"]).exists()
    assert Terminal.objects.get(place="NLRTM", code=f"T{mark}").provider == "SMDG"


def test_a_hurried_search_finds_or_says_that_nothing_fits(admin) -> None:
    with clock.set_to(NOW):
        assert "NLRTM" in admin.get("/ops/settings/places?q=rotter").content.decode()
        assert "MAEU" in admin.get("/ops/settings/places/carriers?q=maersk").content.decode()
        for text in ("%00", "' or 1=1 --", "x" * 500, "%F0%9F%9A%A2"):
            assert admin.get(f"/ops/settings/places?q={text}").status_code == 200
        assert admin.get("/ops/settings/places/ships").status_code == 404


def test_only_an_admin_writes(acme) -> None:
    with clock.set_to(NOW):
        ops = client_of(cast.person(OPERATOR_ID, Role.OPS))
        assert ops.get("/ops/settings/places").status_code == 200
        assert "New place" not in ops.get("/ops/settings/places").content.decode()
        assert ops.post("/ops/settings/places/places/NLRTM", PLACE).status_code == 403
        assert client_of(acme.manager).get("/ops/settings/places").status_code == 404
