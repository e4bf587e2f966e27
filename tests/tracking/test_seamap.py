"""Lines on the globe and on the map: lengths, the Pacific in one piece, frames, marks that come together."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.clusters import clusters
from tracking.earth import Way, continuous, great_circle, km_between, near, thinned
from tracking.livemap_pages import Area
from tracking.seamap import RATIO, Frame, centred, east_of, labelled, project, unproject

SHANGHAI, ROTTERDAM, LOS_ANGELES, YOKOHAMA = (121.5, 31.2), (4.5, 51.9), (-118.3, 33.7), (139.6, 35.4)
_lon, _lat = st.floats(-180, 180), st.floats(-57, 79)
_points = st.lists(st.tuples(_lon, _lat), min_size=2, max_size=30)


def test_distances_are_those_of_the_globe() -> None:
    assert km_between(SHANGHAI, ROTTERDAM) == pytest.approx(8_940, abs=40)
    assert km_between((179.5, 0), (-179.5, 0)) == pytest.approx(111.2, abs=0.1)


def test_the_pacific_is_crossed_in_one_piece() -> None:
    line = great_circle(YOKOHAMA, LOS_ANGELES)
    assert line[0] == YOKOHAMA
    assert line[-1][0] == pytest.approx(LOS_ANGELES[0] + 360)
    assert max(abs(b[0] - a[0]) for a, b in pairwise(line)) < 20
    back = great_circle(LOS_ANGELES, YOKOHAMA)
    assert back[-1][0] == pytest.approx(YOKOHAMA[0] - 360)
    frame = Frame.around(line, ratio=RATIO, least=10)
    assert frame.width < 180 * 20  # the ocean, not the world
    assert all(0 <= part <= 100 for p in line for part in frame.percent(p))
    assert len(frame.worlds) == 2  # land on both sides of 180 degrees


def test_a_way_is_walked_by_its_length() -> None:
    way = Way.of([(0, 0), (10, 0), (40, 0)])
    assert way.km == pytest.approx(km_between((0, 0), (40, 0)))
    assert way.at(0.5)[0] == pytest.approx(20)
    behind, ahead = way.cut(0.5)
    assert behind == [(0, 0), (10, 0), way.at(0.5)]
    assert ahead == [way.at(0.5), (40, 0)]


@given(_points, st.floats(-1, 2))
def test_nobody_is_ever_off_the_way(points, share: float) -> None:
    way = Way.of(continuous(points))
    x, y = way.at(share)
    assert min(p[0] for p in way.points) - 1e-9 <= x <= max(p[0] for p in way.points) + 1e-9
    assert min(p[1] for p in way.points) - 1e-9 <= y <= max(p[1] for p in way.points) + 1e-9
    assert way.at(-5) == pytest.approx(way.points[0])
    assert way.at(9) == pytest.approx(way.points[-1])


@given(_points)
def test_a_thinner_line_keeps_its_ends_and_stays_close(points) -> None:
    kept = thinned(points, 0.5)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert set(kept) <= set(points)
    assert thinned(points, 0) == points or len(kept) <= len(points)


@given(_lon, _lat)
def test_the_map_and_the_globe_agree(lon: float, lat: float) -> None:
    assert unproject(*project((lon, lat))) == pytest.approx((lon, lat), abs=1e-6)
    assert -180 <= near(lon, 0) <= 180


@given(_points, st.floats(1, 60))
def test_a_frame_holds_all_it_is_made_for(points, least: float) -> None:
    west = centred([lon for lon, _lat in points])
    moved = [(east_of(lon, west), lat) for lon, lat in points]
    frame = Frame.around(moved, ratio=RATIO, least=least)
    assert frame.width / frame.height == pytest.approx(RATIO)
    if frame.width < 280 * 20:  # closer than the whole world
        assert all(-1e-6 <= part <= 100 + 1e-6 for p in moved for part in frame.percent(p))


def test_the_globe_is_cut_where_nothing_is() -> None:
    assert -180 < centred([YOKOHAMA[0], LOS_ANGELES[0], -175]) < 180
    west = centred([YOKOHAMA[0], LOS_ANGELES[0]])
    assert east_of(LOS_ANGELES[0], west) - east_of(YOKOHAMA[0], west) == pytest.approx(102.1)


def test_words_keep_clear_of_each_other_and_of_the_edge() -> None:
    near_the_edge = labelled([(97, 50, "Rotterdam")])[0]
    assert near_the_edge.anchor == "end"
    first, second = labelled([(50, 50, "Antwerpen"), (53, 50, "Rotterdam")])
    assert (first.anchor, second.anchor, first.is_clear) == ("end", "start", True)
    crowd = labelled([(50, 50, "Antwerpen")], around=[(0, 0, 100, 100)])
    assert not crowd[0].is_clear


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=60))
def test_marks_come_together_until_none_touch_and_none_is_lost(marks) -> None:
    found = clusters([(x, y, n) for n, (x, y) in enumerate(marks)], near=5)
    assert sorted(n for c in found for n in c.members) == list(range(len(marks)))
    assert all(((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5 > 4.99 for a, b in combinations(found, 2))


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "0,0,0,0", "0,10,20,5", "181,0,1,1", "0,0,1e9,1", "0,0,1,91"])
def test_what_is_no_part_of_the_world_is_not_guessed_at(text: str) -> None:
    assert Area.read(text) is None


def test_a_part_of_the_world_may_lie_across_180_degrees() -> None:
    area = Area.read("170,-10,-170,10")
    assert area is not None
    assert [area.holds((lon, 0)) for lon in (175, -175, 165, -165, 535)] == [True, True, False, False, True]
    assert area.text() == "170,-10,-170,10"
    around = Area.around([(178, 1), (182, 2)], pad=0.1)
    assert Area.read(around.text()).holds((-178.5, 1.5))
