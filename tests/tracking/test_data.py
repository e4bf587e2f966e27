"""The places and carriers that ship with the product: zones exist, and the known errors of the sources are mended."""

from __future__ import annotations

import csv
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

import tracking
from tracking.history import PlaceRow, places
from tracking.identifiers import locode_ok

DATA = Path(tracking.__file__).parent / "data"


def _places() -> dict[str, PlaceRow]:
    with (DATA / "places.csv").open("rb") as file:
        found = list(places(file))
    assert all(isinstance(row, PlaceRow) for row in found)
    return {row.code: row for row in found if isinstance(row, PlaceRow)}


PLACES = _places()


@pytest.mark.parametrize(
    ("code", "zone"),
    [
        ("ARRIC", "America/Argentina/Buenos_Aires"), ("BRMAO", "America/Manaus"), ("AUMEL", "Australia/Melbourne"),
        ("BMSOU", "Atlantic/Bermuda"), ("BOPBU", "America/La_Paz"), ("CDBOA", "Africa/Kinshasa"),
        ("CDMAT", "Africa/Kinshasa"), ("CLCAP", "America/Santiago"), ("DZAAE", "Africa/Algiers"),
        ("DZGHA", "Africa/Algiers"), ("FRLPE", "Europe/Paris"), ("GBBAD", "Europe/London"), ("JPONA", "Asia/Tokyo"),
        ("JPYWT", "Asia/Tokyo"), ("MDGIU", "Europe/Chisinau"), ("MOMFM", "Asia/Macau"), ("PTHOR", "Atlantic/Azores"),
        ("USDET", "America/Detroit"), ("VEGUB", "America/Caracas"), ("VNHPH", "Asia/Ho_Chi_Minh"),
        ("INBOM", "Asia/Kolkata"), ("NLRTM", "Europe/Amsterdam"), ("CNSHA", "Asia/Shanghai"),
    ],
)  # fmt: skip
def test_a_port_lies_in_the_zone_of_its_place(code: str, zone: str) -> None:
    assert PLACES[code].zone == zone


@pytest.mark.parametrize(
    ("code", "lat", "lon"),
    [
        ("CNYTN", 22.6, 114.3), ("BRVDC", -1.5, -48.8), ("CDBOA", -5.9, 13.1), ("CDMAT", -5.8, 13.5),
        ("DZAAE", 36.9, 7.8), ("PAMIT", 9.4, -79.9), ("BMSOU", 32.3, -64.9), ("CLCAP", -36.7, -73.1),
        ("ISESK", 65.1, -14.1), ("REPDG", -20.9, 55.3), ("VEGUB", 11.7, -70.2), ("ANGSB", 18.1, -63.1),
        ("ARDDC", -34.0, -59.2), ("AUGOV", -12.2, 136.6), ("BRITQ", -2.6, -44.3), ("CNPUT", 25.4, 119.0),
        ("CNSWA", 23.4, 116.7), ("CNTAP", 22.8, 113.7), ("CNZHA", 21.2, 110.4), ("COPBO", 12.2, -72.2),
        ("EGEDK", 31.1, 29.8), ("FRHON", 49.4, 0.2), ("IDBUR", 1.2, 104.0), ("PEGSM", -13.8, -76.3),
        ("PESNX", -15.2, -75.2), ("QAMES", 25.1, 51.6), ("THMAT", 12.7, 101.2), ("THPKN", 13.6, 100.6),
        ("UYCYR", -34.5, -57.8), ("VEPSU", 10.5, -64.2),
    ],
)  # fmt: skip
def test_a_port_lies_where_it_lies(code: str, lat: float, lon: float) -> None:
    place = PLACES[code]
    assert place.lat is not None
    assert place.lon is not None
    assert abs(float(place.lat) - lat) < 0.2
    assert abs(float(place.lon) - lon) < 0.2


def test_every_place_has_a_code_a_name_and_a_zone_that_exists() -> None:
    assert len(PLACES) > 1_650
    for code, place in PLACES.items():
        assert locode_ok(code)
        assert place.name
        assert place.country == code[:2]
        assert place.zone in available_timezones()


def test_no_zone_is_half_a_world_away_from_its_place() -> None:
    """A zone's clock follows the sun within a few hours; a port in the zone of another continent does not."""
    from datetime import datetime

    for place in PLACES.values():
        if place.lon is not None:
            offset = ZoneInfo(place.zone).utcoffset(datetime(2026, 1, 15))  # noqa: DTZ001
            assert offset is not None
            off = (offset.total_seconds() / 3_600 - float(place.lon) / 15 + 12) % 24 - 12
            assert abs(off) < 3.5, place


def test_the_carriers_have_both_codes() -> None:
    with (DATA / "carriers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(r["smdg"], r["scac"]) for r in rows} >= {("MSK", "MAEU"), ("MSC", "MSCU"), ("ZIM", "ZIMU")}
    assert len(rows) == 9
