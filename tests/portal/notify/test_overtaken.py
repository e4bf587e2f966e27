"""Of what waits only the news that still stands is told: never an end without its beginning, never old after new."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.lib.facts import Act
from portal.notify.rules import OVER, OVERTAKEN, News, overtaken

B, C, E = Act.BEGINS, Act.CHANGES, Act.ENDS


def news(waiting: str, *, told: str = "") -> list[News[int]]:
    """`told` came before what waits; B begins, C changes, E ends."""
    acts = {"B": B, "C": C, "E": E}
    return [News(n, acts[letter], n < len(told)) for n, letter in enumerate(told + waiting)]


@pytest.mark.req("O9")
@pytest.mark.parametrize(
    ("waiting", "told", "dropped"),
    [
        ("B", "", {}),
        ("BE", "", {0: OVER, 1: OVER}),
        ("BCE", "", {0: OVER, 1: OVER, 2: OVER}),
        ("BC", "", {0: OVERTAKEN}),
        ("BB", "", {0: OVERTAKEN}),  # an arrival that moved twice
        ("BEB", "", {0: OVERTAKEN, 1: OVERTAKEN}),
        ("E", "B", {}),
        ("CE", "B", {1: OVERTAKEN}),
        ("EB", "B", {1: OVERTAKEN}),
        ("EBE", "B", {1: OVERTAKEN, 2: OVERTAKEN}),
        ("BE", "BE", {2: OVER, 3: OVER}),
        ("E", "", {}),  # its beginning was told in another way
        ("CCC", "", {0: OVERTAKEN, 1: OVERTAKEN}),
    ],
)
def test_what_need_not_be_told(waiting: str, told: str, dropped: dict[int, str]) -> None:
    assert overtaken(news(waiting, told=told)) == dropped


def test_what_waits_behind_newer_news_that_was_told_is_never_told() -> None:
    listed = [News(0, B, told=False), News(1, C, told=True), News(2, E, told=False)]
    assert overtaken(listed) == {0: OVERTAKEN}


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Act], list[bool]]:
    """What happened to a case, in order, and after which of it the person was told of what waited."""
    acts: list[Act] = []
    for _n in range(draw(st.integers(1, 8))):
        is_open = bool(acts) and acts[-1] != E
        acts.append(draw(st.sampled_from([C, E])) if is_open else B)
    return acts, draw(st.lists(st.booleans(), min_size=len(acts), max_size=len(acts)))


@pytest.mark.req("O9")
@given(lives())
@settings(max_examples=500)
def test_a_person_knows_how_it_stands_whenever_told_and_hears_of_it_once(life: tuple[list[Act], list[bool]]) -> None:
    acts, collected = life
    listed: list[News[int]] = []
    heard: list[int] = []
    for n, act in enumerate(acts):
        listed.append(News(n, act, told=False))
        if not (collected[n] or n == len(acts) - 1):
            continue
        dropped = overtaken(listed)
        now = [one.key for one in listed if not one.told and one.key not in dropped]
        assert len(now) <= 1, "one word about one matter"
        listed = [News(one.key, one.act, told=True) for one in listed if one.told or one.key in now]
        heard += now
        known_open = bool(heard) and acts[heard[-1]] != E
        assert known_open == (act != E), "what the person believes is so"
    assert heard == sorted(set(heard)), "in order, each at most once"
    ends = [n for n in heard if acts[n] == E]
    assert all(any(acts[m] != E for m in heard if m < n) for n in ends), "no end of what nobody told"
