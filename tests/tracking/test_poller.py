"""Fetching from carriers: nothing is lost, nothing counts twice, whatever the other side does (G1, G2, O3, O6)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import override_settings

from portal.outbox.handlers import TryAgain
from portal.outbox.models import OutboxRow, RowState
from portal.outbox.runner import run_due
from portal.tenancy.context import OPERATOR_ID, as_tenant
from tests.concurrency.acts import KILLED
from tests.servers import ROOT
from tests.tracking.messages import equipment, number_of, shipment, source
from tests.tracking.publisher import ERROR, Publisher
from tracking import feeds
from tracking.models import InboundMessage, Poll, SightingRow, Source
from tracking.poller import connection_try, poll_run, polls_enqueue
from tracking.services import PollSpec, poll_pause, poll_save

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)
pytestmark = pytest.mark.req("G1", "G2")


class Line:
    """A carrier whose events about one shipment are fetched."""

    def __init__(self, account, carrier: Publisher, *, page: int = 10, **more) -> None:
        self.account, self.carrier, self.source = account, carrier, source()
        self.shipment = shipment(account)
        self.number = number_of(self.shipment)
        spec = {
            "base_url": carrier.url, "token_url": f"{carrier.url}/token" if carrier.needs_token else "",
            "client_id": carrier.client_id, "secret": carrier.secret, "page_size": page, **more,
        }  # fmt: skip
        with as_tenant(OPERATOR_ID):
            poll_save(PollSpec(**spec), source=self.source, since=SINCE, at=NOW, actor="Ada")

    def happens(self, count: int, *, created: datetime = NOW - timedelta(hours=3), code: str = "GTIN") -> None:
        """So many events, a minute apart, created from an instant on."""
        for n in range(count):
            moment = (created + timedelta(minutes=n)).isoformat()
            self.carrier.events.append(equipment(code, self.number, "2026-03-10T09:30:00+08:00", created=moment))

    def run(self, at: datetime = NOW, **more) -> None:
        with as_tenant(OPERATOR_ID):
            poll_run(source=self.source.key, at=at, **more)

    @property
    def poll(self) -> Poll:
        with as_tenant(OPERATOR_ID):
            return Poll.objects.get(source=self.source)

    def messages(self) -> list[InboundMessage]:
        with as_tenant(OPERATOR_ID):
            return list(InboundMessage.objects.filter(source=self.source).order_by("pk"))

    def apply(self, at: datetime = NOW) -> None:
        from tracking.ingest import message_process

        with as_tenant(OPERATOR_ID):
            for message in self.messages():
                message_process(public_id=message.public_id, at=at)

    def told(self) -> Counter[str]:
        """How often each event took effect."""
        with as_tenant(self.account.pk):
            return Counter(SightingRow.objects.filter(source=self.source.key).values_list("source_event_id", flat=True))

    def all_is_there_once(self) -> bool:
        self.apply()
        return self.told() == Counter({e["eventID"]: 1 for e in self.carrier.events})


@pytest.fixture
def carrier():
    with Publisher() as publisher:
        yield publisher


@pytest.mark.parametrize("bare_cursor", [False, True])
def test_all_pages_are_fetched_and_kept_as_they_were_sent(acme, bare_cursor) -> None:
    with Publisher(bare_cursor=bare_cursor) as carrier:
        line = Line(acme, carrier, filters={"equipmentEventTypeCode": "GTIN,GTOT"})
        line.happens(35)
        line.run()
        assert [int(a["limit"]) for a in carrier.asked] == [10, 10, 10, 10]
        assert {a["equipmentEventTypeCode"] for a in carrier.asked} == {"GTIN,GTOT"}
        assert [m.channel for m in line.messages()] == ["POLL"] * 4
        assert line.all_is_there_once()
        assert (line.poll.failures, line.poll.next_at) == (0, NOW + timedelta(minutes=15))


def test_the_plus_of_an_offset_is_percent_encoded(acme, carrier) -> None:
    line = Line(acme, carrier)
    line.run()
    assert "eventCreatedDateTime:gte=2026-03-08T10:00:00.000%2B00:00" in carrier.raw[0]


def test_the_next_window_overlaps_the_last_one_and_a_late_event_is_found(acme, carrier) -> None:
    line = Line(acme, carrier, overlap_minutes=60)
    line.happens(3, created=NOW - timedelta(minutes=30))
    line.run()
    assert line.poll.window_from == NOW - timedelta(minutes=28)
    line.happens(1, created=NOW - timedelta(minutes=50))  # created before, visible now
    line.run(NOW + timedelta(minutes=15))
    assert carrier.asked[-1]["eventCreatedDateTime:gte"] == (NOW - timedelta(minutes=88)).isoformat(
        timespec="milliseconds"
    )
    assert line.all_is_there_once()


def test_a_quiet_carrier_fills_nothing(acme, carrier) -> None:
    line = Line(acme, carrier)
    line.happens(2)
    for n in range(4):
        line.run(NOW + timedelta(minutes=15 * n))
    assert carrier.pages == 4 and len(line.messages()) == 1


@pytest.mark.parametrize("newest_first", [False, True])
def test_pages_that_shift_while_they_are_read_lose_nothing(acme, newest_first) -> None:
    with Publisher(newest_first=newest_first) as carrier:
        line = Line(acme, carrier, page=4)
        line.happens(10)
        news = iter(range(6))

        def more() -> None:
            if next(news, None) is not None:
                line.happens(1, created=NOW - timedelta(minutes=1))

        carrier.meanwhile = more
        line.run()
        carrier.meanwhile = lambda: None
        line.run(NOW + timedelta(minutes=15))
        assert line.all_is_there_once() and len(carrier.events) == 13


def test_a_clock_that_runs_ahead_makes_nothing_be_skipped(acme, carrier) -> None:
    line = Line(acme, carrier)
    line.happens(1, created=NOW + timedelta(days=30))
    line.run()
    assert line.poll.window_from <= NOW


# --- tokens ---


@pytest.mark.parametrize("in_header", [False, True])
def test_a_token_is_asked_for_once_and_kept(acme, carrier, in_header) -> None:
    carrier.basic = in_header
    line = Line(acme, carrier, page=2, secret_in="HEADER" if in_header else "BODY")
    line.happens(6)
    line.run()
    line.run(NOW + timedelta(minutes=15))
    assert len(carrier.tokens) == 1 and carrier.pages > 3
    assert "token-1" not in line.poll.token and carrier.secret not in line.poll.secret, "sealed"
    line.run(NOW + timedelta(hours=2))
    assert len(carrier.tokens) == 2, "the first one is over"


def test_a_token_that_is_refused_in_the_middle_is_replaced_once(acme, carrier) -> None:
    line = Line(acme, carrier, page=3)
    line.happens(9)
    calls = iter(range(100))
    carrier.meanwhile = lambda: carrier.expire_tokens() if next(calls) == 0 else None
    line.run()
    assert line.all_is_there_once() and len(carrier.tokens) == 2 and line.poll.failures == 0


def test_wrong_credentials_need_a_person(acme, carrier) -> None:
    line = Line(acme, carrier, secret="something else")
    line.run()
    assert line.poll.needs_person and "invalid_client" in line.poll.last_error
    assert line.poll.next_at >= NOW + timedelta(minutes=15), "not faster than what works"
    assert "something else" not in str(line.poll.runs) + line.poll.last_error


def test_a_token_that_is_never_accepted_needs_a_person_and_is_not_asked_for_again_and_again(acme, carrier) -> None:
    line = Line(acme, carrier)
    carrier.refuse(401)
    carrier.refuse(401)
    line.run()
    assert line.poll.needs_person and len(carrier.tokens) == 2 and carrier.pages == 2


# --- what carriers do wrong ---


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda c: c.refuse(503, Retry_After="7200"), "HTTP 503"),
        (lambda c: c.refuse(429), "HTTP 429"),
        (lambda c: c.refuse(500, b"<html>oops</html>"), "oops"),
        (lambda c: c.cut_short(), "cut off"),
        (lambda c: c.refuse(200, b'[{"eventID": '), "cannot be read"),
        (lambda c: c.refuse(200, b"<html>login</html>"), "cannot be read"),
        (lambda c: c.refuse(200, {"events": []}), "not a list"),
        (lambda c: c.refuse(200, b"[" * 5000), "cannot be read"),
        (lambda c: c.refuse(200, b"[]", Content_Encoding="gzip"), "compressed"),
        (lambda c: c.refuse(302, Location="http://127.0.0.1:1/"), "HTTP 302"),
        (lambda c: c.refuse(400, ERROR), "invalidQuery: Unknown value XYZ for eventType"),
        (lambda c: c.refuse(200, b"[]", Next_Page="https://elsewhere.example.com/v2/events"), "another host"),
        (lambda c: c.refuse(200, b"[]", Next_Page="http://127.0.0.1:9/v2/events?cursor=1"), "cannot be called"),
    ],
)
def test_what_is_wrong_is_said_and_tried_again_and_nothing_is_lost(acme, carrier, wrong, says) -> None:
    line = Line(acme, carrier, page=5)
    line.happens(12)
    wrong(carrier)
    line.run()
    assert says in line.poll.last_error and line.poll.failures == 1 and line.poll.window_from == SINCE
    assert line.messages() == [] and line.poll.next_at > NOW
    line.run(line.poll.next_at)
    assert line.all_is_there_once() and line.poll.failures == 0 and not line.poll.needs_person


def test_a_fault_in_the_middle_goes_on_where_it_was(acme, carrier) -> None:
    line = Line(acme, carrier, page=5)
    line.happens(20)
    pages = iter(range(100))
    carrier.meanwhile = lambda: carrier.refuse(503) if next(pages) == 1 else None
    line.run()
    assert (len(line.messages()), line.poll.window_from, line.poll.failures) == (2, SINCE, 1)
    before = carrier.pages
    line.run(line.poll.next_at)
    assert carrier.asked[before]["cursor"] == "10", "the pages before are not asked for again"
    assert line.all_is_there_once() and line.poll.window_from == NOW - timedelta(hours=3) + timedelta(minutes=19)


def test_a_cursor_that_has_grown_too_old_begins_the_window_anew(acme, carrier) -> None:
    line = Line(acme, carrier, page=5)
    line.happens(20)
    pages = iter(range(100))
    carrier.meanwhile = lambda: carrier.refuse(400, ERROR) if next(pages) == 1 else None
    line.run()
    assert not line.poll.needs_person and line.poll.next_page == ""
    line.run(line.poll.next_at)
    assert line.all_is_there_once() and line.poll.failures == 0


def test_a_slow_carrier_is_left_in_time(acme, carrier, monkeypatch) -> None:
    from tracking import poller

    monkeypatch.setattr(poller, "_REQUEST", 0.4)
    line = Line(acme, carrier)
    line.happens(2)
    carrier.sleep(1.5)
    line.run()
    assert "too long" in line.poll.last_error and line.messages() == []


@pytest.mark.req("O5")
@pytest.mark.parametrize(
    ("said", "hours"),
    [("7200", 2), ("Sun, 15 Mar 2026 15:00:00 GMT", 3), ("999999999", 24), ("soon", 0), ("-5", 0), ("0", 0)],
)
@pytest.mark.parametrize("status", [413, 429, 503])
def test_retry_after_is_honoured(acme, carrier, status, said, hours) -> None:
    line, least = Line(acme, carrier), timedelta(hours=hours)
    carrier.refuse(status, Retry_After=said)
    line.run()
    assert max(least, timedelta(seconds=40)) <= line.poll.next_at - NOW <= max(least, timedelta(seconds=80))
    assert not line.poll.needs_person


@pytest.mark.req("O5")
def test_pauses_double_up_to_six_hours_and_a_person_is_called_in_the_end(acme, carrier) -> None:
    line, at, pauses = Line(acme, carrier), NOW, []
    for n in range(12):
        carrier.refuse(500)
        line.run(at)
        pauses.append(line.poll.next_at - at)
        assert line.poll.needs_person is (n >= 4)
        at = line.poll.next_at
    for n, pause in enumerate(pauses):
        due = min(timedelta(minutes=2**n), timedelta(hours=6))
        assert due * 0.74 <= pause <= due * 1.26
    assert len(set(pauses[9:])) == 3, "spread, so that failures do not come back together"
    line.run(at)
    assert line.poll.failures == 0 and not line.poll.needs_person


def test_a_window_is_not_read_before_its_time_nor_while_it_is_paused(acme, carrier) -> None:
    line = Line(acme, carrier)
    line.run()
    line.run(NOW + timedelta(minutes=14))
    assert carrier.pages == 1
    with as_tenant(OPERATOR_ID):
        poll_pause(source=line.source, paused=True, at=NOW, actor="Ada")
    line.run(NOW + timedelta(hours=1))
    assert carrier.pages == 1
    with as_tenant(OPERATOR_ID):
        poll_pause(source=line.source, paused=False, at=NOW, actor="Ada")
    line.run(NOW + timedelta(hours=1))
    assert carrier.pages == 2


@pytest.mark.req("G13")
def test_nothing_is_fetched_that_there_is_no_room_for(acme, carrier) -> None:
    line = Line(acme, carrier)
    line.happens(3)
    with override_settings(INGEST_DISK="/", INGEST_LEAST_FREE_MB=10**12), pytest.raises(TryAgain) as later:
        line.run()
    assert later.value.due_at == NOW + timedelta(minutes=1) and carrier.pages == 0
    line.run(NOW + timedelta(minutes=1))
    assert line.all_is_there_once()


# --- as work of the outbox ---


def rows(line: Line) -> list[OutboxRow]:
    with as_tenant(OPERATOR_ID):
        return list(OutboxRow.objects.filter(name="tracking.poll", payload__source=line.source.key))


def ask_what_is_due(at: datetime) -> None:
    with as_tenant(OPERATOR_ID), transaction.atomic():
        polls_enqueue(at=at)


@pytest.mark.req("O6")
def test_two_schedulers_ask_once_and_a_run_that_was_given_up_is_due_again(acme, carrier) -> None:
    line = Line(acme, carrier)
    for _n in range(2):
        ask_what_is_due(NOW + timedelta(minutes=1))
    assert len(rows(line)) == 1
    with as_tenant(OPERATOR_ID):
        OutboxRow.objects.filter(pk=rows(line)[0].pk).update(state=RowState.DEAD)
    ask_what_is_due(NOW + timedelta(minutes=2))
    assert len(rows(line)) == 1
    ask_what_is_due(NOW + timedelta(hours=1))
    assert len(rows(line)) == 2


def test_a_long_window_is_put_back_between_its_pages_and_goes_on(acme, carrier) -> None:
    line = Line(acme, carrier, page=5)
    line.happens(20)
    for _turn in range(3):
        with pytest.raises(TryAgain) as more:
            line.run(works=0)
        assert more.value.due_at == NOW
    line.run(works=0)
    assert carrier.pages == 4 and line.all_is_there_once()


@pytest.mark.req("O3", "O5")
def test_the_outbox_runs_it_and_one_bad_carrier_delays_no_other(acme, globex, carrier) -> None:
    good, bad = Line(acme, carrier, page=5), Line(globex, carrier, base_url=f"{carrier.url}/nothing")
    good.happens(12)
    ask_what_is_due(NOW)
    run_due(at=NOW)
    assert good.told() == Counter({e["eventID"]: 1 for e in carrier.events})
    assert bad.poll.needs_person and "HTTP 404" in bad.poll.last_error
    assert {row.state for row in (*rows(good), *rows(bad))} == {RowState.DONE}


@pytest.mark.req("O3")
def test_a_run_that_was_overtaken_stores_nothing_more(acme, carrier) -> None:
    line = Line(acme, carrier, page=5)
    line.happens(20)
    once = iter([True])

    def overtake() -> None:
        if next(once, False):
            line.run()  # another worker reads the whole window meanwhile

    carrier.meanwhile = overtake
    line.run()
    assert len(line.messages()) == 4 and line.all_is_there_once()
    assert line.poll.window_from == NOW - timedelta(hours=3) + timedelta(minutes=19)


def test_settings_that_change_under_way_begin_anew(acme, carrier) -> None:
    line = Line(acme, carrier, page=5)
    line.happens(20)

    def change() -> None:
        carrier.meanwhile = lambda: None
        with as_tenant(OPERATOR_ID):
            spec = PollSpec(
                base_url=carrier.url, token_url=f"{carrier.url}/token", client_id=carrier.client_id, page_size=7
            )
            poll_save(spec, source=line.source, since=SINCE, at=NOW, actor="Ada")

    carrier.meanwhile = change
    line.run()
    assert line.messages() == [] and line.poll.page_size == 7
    line.run()
    assert line.all_is_there_once(), "with the secret that was kept"


def test_a_secret_goes_to_nobody_else_than_it_was_entered_for(acme, carrier) -> None:
    line = Line(acme, carrier)
    with as_tenant(OPERATOR_ID):
        spec = PollSpec(base_url=carrier.url, token_url=f"{carrier.url}/other", client_id=carrier.client_id)
        assert poll_save(spec, source=line.source, since=SINCE, at=NOW, actor="Eve").secret == ""


@pytest.mark.req("O11")
@pytest.mark.slow
@pytest.mark.parametrize("point", ["poll.after_answer:1", "poll.after_answer:3", "poll.before_commit:1",
                                   "poll.before_commit:4", "poll.after_page:1", "poll.after_page:3"])  # fmt: skip
def test_kill_9_at_any_point_loses_nothing_and_doubles_nothing(acme, carrier, point) -> None:
    line = Line(acme, carrier, page=5)
    line.happens(20)
    act = (
        "import django; django.setup()\n"
        "import sys; from datetime import datetime\n"
        "from portal.tenancy.context import OPERATOR_ID, as_tenant\n"
        "from tracking.poller import poll_run\n"
        "with as_tenant(OPERATOR_ID): poll_run(source=sys.argv[1], at=datetime.fromisoformat(sys.argv[2]))\n"
    )
    environment = {
        **os.environ,
        **carrier.environment,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PLIMSOLL_FAULT": point,
    }
    died = subprocess.run([sys.executable, "-W", "ignore", "-c", act, line.source.key, NOW.isoformat()],
                          cwd=ROOT, env=environment, check=False)  # fmt: skip
    assert died.returncode == KILLED
    kept = len(line.messages())
    assert kept == {"after_answer": 0, "before_commit": 0, "after_page": 1}[point[5:-2]] + int(point[-1]) - 1
    asked = carrier.pages
    line.run()
    assert carrier.pages - asked == 4 - kept, "what is stored is not asked for again"
    assert len(line.messages()) == 4 and line.all_is_there_once()
    assert line.poll.window_from == NOW - timedelta(hours=3) + timedelta(minutes=19)


# --- trying the connection ---


def test_trying_the_connection_asks_for_one_event_and_stores_nothing(acme, carrier) -> None:
    line = Line(acme, carrier)
    line.happens(3)
    before = line.poll
    told = connection_try(before, at=NOW)
    assert (told["error"], told["events"], told["has_more"]) == ("", 1, True)
    assert carrier.asked[0]["limit"] == "1" and line.messages() == [] and line.poll.fence == before.fence
    with as_tenant(OPERATOR_ID):
        assert Source.objects.get(pk=line.source.pk).last_heard_at is None
    carrier.refuse(400, ERROR)
    assert "Unknown value XYZ" in connection_try(before, at=NOW)["error"]


@pytest.mark.parametrize(
    ("told", "word"),
    [("/v2/events?cursor=7", "cursor=7"), ("<https://c.example.com/v2/events?cursor=7>; rel=next", "cursor=7"),
     ("?cursor=7", "cursor=7"), ("a+b/c==", "cursor=a%2Bb%2Fc%3D%3D"), ("  ", "")],
)  # fmt: skip
def test_a_next_page_is_a_link_or_a_cursor(told, word) -> None:
    answer = feeds.Answer(200, {"next-page": told}, b"[]")
    page = feeds.page_of(answer, asked="https://c.example.com/v2/events?eventCreatedDateTime:gte=1&cursor=3", at=NOW)
    assert page.next_page.endswith(word) and bool(page.next_page) is bool(word)
