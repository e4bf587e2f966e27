"""A piece of page says exactly what it was given: times with their zone, money undamaged, absence in words.

Does not judge how it looks.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from portal.web.templatetags import ui


def test_a_time_is_shown_at_its_place_and_keeps_the_utc_instant() -> None:
    shown = ui.time_at(datetime(2026, 3, 12, 13, 5, tzinfo=UTC), "Europe/Amsterdam")
    assert 'datetime="2026-03-12T13:05:00Z"' in shown
    assert 'title="12 Mar 2026 13:05 UTC"' in shown
    assert shown.endswith(">12 Mar 2026 14:05 CET</time>")


def test_a_time_with_another_offset_is_the_same_instant() -> None:
    local = datetime(2026, 3, 12, 21, 5, tzinfo=timezone(timedelta(hours=8)))
    assert ui.time_at(local, "Europe/Amsterdam") == ui.time_at(local.astimezone(UTC), "Europe/Amsterdam")


def test_a_zone_without_letters_is_named_by_its_distance_from_utc() -> None:
    assert "UTC+08" in ui.time_at(datetime(2026, 3, 12, 13, 5, tzinfo=UTC), "Asia/Singapore")


def test_day_precision_shows_the_local_day_and_no_hour() -> None:
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
    assert ui.time_at(late, "Europe/Amsterdam", "day") == '<time datetime="2026-04-01">1 Apr 2026</time>'
    assert ui.time_at(date(2026, 3, 5)) == '<time datetime="2026-03-05">5 Mar 2026</time>'


def test_a_time_without_zone_is_refused_and_an_absent_one_is_said() -> None:
    with pytest.raises(ValueError, match="zone"):
        ui.time_at(datetime(2026, 3, 12, 13, 5), "UTC")  # noqa: DTZ001
    assert "no time" in ui.time_at(None)


@pytest.mark.parametrize(
    ("amount", "currency", "shown"),
    [
        (Decimal("4217.50"), "EUR", "4,217.50\u00a0EUR"),
        (Decimal("1234568"), "JPY", "1,234,568\u00a0JPY"),
        (Decimal("406.173"), "KWD", "406.173\u00a0KWD"),
        (Decimal("-120.00"), "USD", "\u2212120.00\u00a0USD"),
    ],
)
def test_money_keeps_the_decimals_it_came_with(amount: Decimal, currency: str, shown: str) -> None:
    assert shown in ui.money(amount, currency)


@pytest.mark.req("R0.3", "R0.6")
def test_no_data_is_never_shown_as_zero_and_small_groups_stay_counts() -> None:
    assert "no data" in ui.percent(None)
    assert "no data" in ui.money(None, "EUR")
    assert "7 of 8" in ui.percent("7 of 8")
    assert "%" not in ui.percent("7 of 8")


@pytest.mark.req("R0.5")
def test_a_percentage_is_shown_as_the_rules_worded_it() -> None:
    assert "96.96\u202f%" in ui.percent("96.96")


def test_a_status_is_a_word_and_a_shape() -> None:
    shown = ui.badge("late", "Late <2 d>")
    assert "icons.svg#diamond" in shown
    assert "Late &lt;2 d&gt;" in shown


def test_a_load_line_is_drawn_without_inline_style_and_only_with_a_value() -> None:
    assert ui.loadline(None, "97") == ""
    drawn = ui.loadline("96.96", "97", "96.96", "97.40")
    assert "style=" not in drawn
    assert 'x="69.60%"' in drawn
