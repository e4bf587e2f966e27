"""Freshness: a rhythm is learned from messages, silence is told once, an account sees its own part only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.template.loader import render_to_string
from hypothesis import given
from hypothesis import strategies as st

from portal.lib import clock
from portal.outbox.models import OutboxRow
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, across_tenants, as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tests.tracking.pages import NOW, tiered
from tracking import rhythm
from tracking.freshness import feeds, freshness_of, freshness_panel, share_words, span
from tracking.models import HeardFrom, Source, SourceDay
from tracking.services import silence_note
from tracking.types import SourceKind

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def noise(number: str = "") -> list[dict]:
    """A message that says something small."""
    return [equipment("GTOT", number or box(), "2026-03-01T10:00:00+08:00")]


def every(src: Source, gap: timedelta, *, until: datetime, count: int, number: str = "") -> None:
    """So many messages with this gap, the last one at `until`."""
    for n in range(count):
        take(src, noise(number), at=until - gap * (count - 1 - n))


def fresh(src: Source, at: datetime):
    with as_tenant(src.tenant_id):
        return freshness_of([Source.objects.get(pk=src.pk)], at=at)[src.pk]


# --- arithmetic ---


@given(st.lists(st.integers(0, 60 * 24 * 60), max_size=200))
def test_a_rank_names_the_bucket_in_which_the_exact_one_lies(minutes: list[int]) -> None:
    counts = rhythm.histogram(timedelta(minutes=m) for m in minutes)
    assert sum(counts) == len(minutes)
    for share in (50, 90):
        found = rhythm.rank(counts, share)
        if not minutes:
            assert found is None
            continue
        exact = sorted(minutes)[-(-len(minutes) * share // 100) - 1]
        upper = next((b for b in rhythm.BOUNDS if exact <= b), None)
        assert found.minutes == upper


def test_a_latency_of_exactly_a_bound_belongs_below_it() -> None:
    assert [rhythm.bucket(timedelta(minutes=m)) for m in (0, 1, 2, 4)] == [0, 0, 1, 2]
    assert rhythm.bucket(timedelta(minutes=1, seconds=1)) == 1
    assert rhythm.bucket(-timedelta(hours=3)) == 0
    assert rhythm.bucket(timedelta(days=400)) == rhythm.BUCKETS - 1


def test_a_batch_counts_once_and_gaps_below_twenty_teach_nothing() -> None:
    daily = [96 * n + extra for n in range(22) for extra in (0, 0, 1)]  # a batch that takes twenty minutes, each day
    learned = rhythm.rhythm(daily)
    assert (learned.gaps, learned.p90) == (43, 15 * MINUTE * 95)
    assert learned.limit == 3 * 15 * MINUTE * 95
    assert rhythm.rhythm(range(20)) == rhythm.Rhythm(19)
    assert rhythm.rhythm(range(20)).limit == DAY
    assert rhythm.rhythm(range(21)).limit == HOUR  # never below an hour
    assert rhythm.rhythm(range(0, 96 * 3 * 30, 96 * 3)).limit == 7 * DAY  # nor above a week


@pytest.mark.parametrize(("length", "words"), [
    (90 * MINUTE, "90 min"), (3 * HOUR, "3 h"), (47 * HOUR, "47 h"), (2 * DAY, "2 days"),
    (timedelta(0), "under a minute"),
])  # fmt: skip
def test_a_span_is_said_in_whole_units(length: timedelta, words: str) -> None:
    assert span(length) == words


def test_a_share_of_few_is_a_count_and_of_nothing_no_figure() -> None:
    assert share_words(0, 0) is None
    assert share_words(3, 9) == "3 of 9"
    assert share_words(1, 40) == "2.5 %"
    assert share_words(1, 800) == "0.1 %"


# --- counted as messages come ---


def test_a_day_counts_what_came_and_how_late(acme) -> None:
    src, made = source(), shipment(acme)
    number = number_of(made)
    at = datetime(2026, 3, 14, 10, 20, tzinfo=UTC)
    event = equipment("GTIN", number, (at - 90 * MINUTE).isoformat())
    plan = equipment("LOAD", number, (at + DAY).isoformat(), cls="EST")
    take(src, [event, plan, {"eventType": "NONSENSE"}], at=at)
    take(src, [event], at=at + 20 * MINUTE)
    take(src, [equipment("GTIN", "MSKU0000000", (at - HOUR).isoformat())], at=at + DAY)
    with as_tenant(OPERATOR_ID):
        first, second = SourceDay.objects.filter(source=src).order_by("day")
        assert (first.day, first.messages, first.received, first.accepted, first.duplicate, first.quarantined) == (
            date(2026, 3, 14), 2, 4, 2, 1, 1,
        )  # fmt: skip
        assert first.quarters == [41, 42]
        assert sum(first.latency) == 1  # the estimate happened nowhere yet, and what was known counts once
        assert rhythm.rank(first.latency, 50).minutes == 120
        assert (second.messages, second.quarantined, second.warned) == (1, 1, 0)


def test_history_that_is_loaded_is_no_sign_of_life(acme) -> None:
    from tracking.ingest import HISTORY

    src = source()
    take(src, noise(number_of(shipment(acme))), at=NOW, channel=HISTORY)
    with as_tenant(OPERATOR_ID):
        assert not SourceDay.objects.filter(source=src).exists()
    with as_tenant(acme.pk):
        assert not HeardFrom.objects.filter(source_key=src.key).exists()


# --- silence ---


def test_silence_is_judged_by_the_rhythm_that_was_learned() -> None:
    src = source()
    assert fresh(src, cast.START + 23 * HOUR).is_silent is False
    assert fresh(src, cast.START + 25 * HOUR).is_silent is True  # never heard, for a day
    every(src, 2 * HOUR, until=NOW, count=22)
    learned = fresh(src, NOW + 6 * HOUR)
    assert (learned.rhythm.median, learned.limit, learned.is_silent) == (2 * HOUR, 6 * HOUR, False)
    assert fresh(src, NOW + 6 * HOUR + MINUTE).is_silent is True
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=src.pk).update(silent_after_minutes=30)
    assert fresh(src, NOW + 31 * MINUTE).is_silent is True  # what is set for it wins
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=src.pk).update(is_active=False)
    assert fresh(src, NOW + 9 * DAY).is_silent is False


def test_people_are_never_called_silent() -> None:
    src = source(SourceKind.MANUAL)
    assert fresh(src, NOW + 90 * DAY).is_silent is False
    with as_tenant(OPERATOR_ID):
        silence_note(at=NOW + 90 * DAY)
        assert Source.objects.get(pk=src.pk).silent_since is None


def facts(src: Source, name: str) -> list[OutboxRow]:
    with as_tenant(OPERATOR_ID):
        return [r for r in OutboxRow.objects.filter(name=name).order_by("id") if r.payload.get("source") == src.key]


def test_a_silence_is_told_once_and_its_end_too(acme) -> None:
    src = source(tenant_id=acme.pk)  # an account's own: its staff fact stands in the operator's scope
    every(src, HOUR, until=NOW, count=25)
    with as_tenant(acme.pk):
        assert silence_note(at=NOW + 2 * HOUR) == 0
        assert silence_note(at=NOW + 4 * HOUR) == 1
        assert [silence_note(at=NOW + n * HOUR) for n in (5, 50)] == [0, 0]
    told = facts(src, "tracking.source_silent")
    assert [(t.payload["usual"], t.payload["limit"], t.payload["was_heard"]) for t in told] == [("60 min", "3 h", True)]
    assert told[0].payload["occurred_at"] == (NOW + 3 * HOUR).isoformat()
    take(src, noise(), at=NOW + 51 * HOUR)
    with as_tenant(acme.pk):
        assert silence_note(at=NOW + 51 * HOUR + MINUTE) == 1
        assert silence_note(at=NOW + 52 * HOUR) == 0
    again = facts(src, "tracking.source_heard_again")
    assert [a.payload["silent_for"] for a in again] == [span(51 * HOUR)]
    with as_tenant(acme.pk):  # the next silence is another one
        assert silence_note(at=NOW + 60 * DAY) == 1
    assert len(facts(src, "tracking.source_silent")) == 2


def test_a_source_that_never_spoke_is_told_of_only_when_somebody_waits_for_it() -> None:
    loaded, awaited = source(), source()
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=awaited.pk).update(silent_after_minutes=60)
        silence_note(at=NOW)
    assert facts(loaded, "tracking.source_silent") == []
    assert [f.payload["was_heard"] for f in facts(awaited, "tracking.source_silent")] == [False]


def test_a_replay_is_no_news_from_the_source(acme) -> None:
    src, number = source(), box()
    take(src, noise(number), at=NOW - 5 * HOUR)
    shipment(acme, containers=(number,))
    run_due(at=NOW)
    with as_tenant(acme.pk):
        assert HeardFrom.objects.get().heard_at == NOW - 5 * HOUR


def test_the_staff_get_a_mail_about_a_silence() -> None:
    from portal.notify.models import Delivery

    src, person = source(), cast.person(OPERATOR_ID, Role.OPS)
    take(src, noise(), at=NOW)
    later = NOW + 25 * HOUR
    with as_tenant(OPERATOR_ID):
        silence_note(at=later)
    run_due(at=later)
    with as_tenant(OPERATOR_ID):
        mails = Delivery.objects.filter(member=person, fact_key="tracking.source_silent")
        assert [m.fact["source"] for m in mails if m.fact["source"] == src.key] == [src.key]


# --- shown ---


@pytest.mark.req("R0.3")
def test_the_desk_sees_rhythm_latency_and_shares(acme) -> None:
    cast.operator()
    src, silent = source(), source()
    number = number_of(shipment(acme))
    every(src, 2 * HOUR, until=NOW, count=22, number=number)
    take(src, [{"eventType": "NONSENSE"}], at=NOW)
    take(silent, noise(), at=NOW - 3 * DAY)
    desk = client_of(cast.person(OPERATOR_ID, Role.OPS))
    with clock.set_to(NOW + 14 * MINUTE):
        page = desk.get("/ops/sources?sort=silence").content.decode()
    row = page[page.index(f">{src.key}<") :]
    row = row[: row.index("</tr>")]
    assert "14 min ago" in row
    assert "Comes every 2 h, nine times in ten within 2 h; called silent after 6 h." in row
    assert "4.3 % held" in row  # one of twenty-three
    assert 'role="img" aria-label="Events came on' in row
    assert page.index(f">{silent.key}<") < page.index(f">{src.key}<")
    assert 'aria-sort="descending"' in page
    with across_tenants(reason="test", actor="test", at=NOW):
        panel = freshness_panel(Source.objects.get(pk=src.pk), NOW + 14 * MINUTE)
    text = render_to_string("tracking/ops/_freshness.html", panel)
    assert "Last heard 14 min ago" in text
    assert "more than 32 days" not in text
    with across_tenants(reason="test", actor="test", at=NOW):
        nothing = render_to_string("tracking/ops/_freshness.html", freshness_panel(source(), NOW))
    assert "Nothing came in the last 28 days." in nothing
    assert "no data" in nothing


@pytest.mark.req("R0.8")
def test_an_account_sees_when_it_was_told_something_and_nothing_of_others(acme, globex) -> None:
    for account in (acme, globex):
        tiered(account, "PRIORITY")
    src = source()
    mine, theirs = shipment(acme), shipment(globex)
    take(src, noise(number_of(mine)), at=NOW - 3 * HOUR)
    take(src, noise(number_of(theirs)), at=NOW - 14 * MINUTE)
    with clock.set_to(NOW):
        page = client_of(acme.member).get(f"/shipments/{mine.public_id}").content.decode()
        home = client_of(acme.member).get("/").content.decode()
        other = client_of(globex.member).get("/").content.decode()
    assert "Last heard from Test line 3 h ago." in page
    assert "Last heard from Test line 3 h ago." in home
    assert "Last heard from Test line 14 min ago." in other
    with as_tenant(acme.pk):
        assert [f.is_silent for f in feeds(at=NOW + 30 * DAY)] == [False]  # nothing is learned from one message


def test_a_feed_that_an_account_is_used_to_says_that_it_is_silent(acme) -> None:
    src, made = source(), shipment(tiered(acme, "PRIORITY"))
    every(src, HOUR, until=NOW, count=70, number=number_of(made))
    with as_tenant(acme.pk):
        assert len(HeardFrom.objects.get().slots) == rhythm.MOST_SLOTS
    with clock.set_to(NOW + 3 * HOUR + MINUTE):
        page = client_of(acme.member).get(f"/shipments/{made.public_id}").content.decode()
    assert "Nothing from Test line for 3 h, which usually reports every 60 min: what is shown may be behind." in page
    with clock.set_to(NOW + 2 * HOUR):
        page = client_of(acme.member).get(f"/shipments/{made.public_id}").content.decode()
    assert "Last heard from Test line 2 h ago." in page


@pytest.mark.req("P1")
def test_metrics_count_what_waits_and_who_is_silent() -> None:
    from tracking.selectors import ingest_gauges

    src = source()
    before = ingest_gauges()
    take(src, [{"eventType": "NONSENSE"}], at=NOW)
    with as_tenant(OPERATOR_ID):
        Source.objects.filter(pk=src.pk).update(silent_since=NOW)
    after = ingest_gauges()
    assert after["quarantine_open"] == before["quarantine_open"] + 1
    assert after["sources_silent"] == before["sources_silent"] + 1
