"""However people's words, clocks and news mix: each piece of news reaches a person in one mail at most."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.notify.models import Delivery, Phase
from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from tests import cast
from tests.cast import Account
from tests.portal.notify.post import AT, FACT, deliveries, lives, only_member, run, says, tell
from tests.processes import Sink
from tracking.facts import ExceptionCleared, ExceptionRaised

RAISED = replace(ExceptionRaised.example(), occurred_at=AT, severity="LOW")
CLEARED = replace(ExceptionCleared.example(), occurred_at=AT, severity="LOW")
KEYS = (FACT.key, RAISED.key, CLEARED.key)
STEPS = st.one_of(
    st.tuples(st.just("news"), st.sampled_from(["milestone", "raised", "cleared"])),
    st.tuples(st.just("wait"), st.integers(1, 30)),
    st.tuples(st.just("mail"), st.sampled_from(["NOW", "DIGEST", "OFF"])),
    st.tuples(st.just("quiet"), st.booleans()),
    st.tuples(st.just("digest"), st.sampled_from(["DAILY", "WEEKLY"])),
)


class Life:
    """One account with one person, taken through steps by the clock."""

    def __init__(self) -> None:
        self.account: Account = cast.account("ONCE")
        only_member(self.account)
        self.at, self.news, self.open = AT, 0, 0
        self.habits: dict[str, Any] = {"digest": "DAILY"}
        lives(self.account.member, **self.habits)

    def step(self, kind: str, value: Any) -> None:
        """One thing happens; what is due then is done."""
        if kind == "news":
            self.tell(value)
        elif kind == "wait":
            for _hour in range(value):
                self.at += timedelta(hours=1)
                run(self.account, self.at)
        elif kind == "mail":
            says(self.account.member, *KEYS, mail=value, at=self.at)
        else:
            more = {"quiet_weekend": value} if kind == "quiet" else {"digest": value}
            self.habits |= more
            lives(self.account.member, at=self.at, **self.habits)
        run(self.account, self.at)

    def tell(self, what: str) -> None:
        self.news += 1
        if what == "milestone":
            tell(self.account, replace(FACT, shipment=f"{self.news:020}", occurred_at=self.at), self.at)
            return
        if what == "raised":
            self.open += 1
        made = RAISED if what == "raised" else CLEARED
        tell(self.account, replace(made, opening=max(self.open, 1), occurred_at=self.at), self.at)


@pytest.mark.slow
@pytest.mark.req("O7", "O9", "I4")
@given(st.lists(STEPS, min_size=3, max_size=12))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_piece_of_news_is_in_one_mail_at_most(sink: Sink, steps: list[tuple[str, Any]]) -> None:
    life = Life()
    for kind, value in steps:
        life.step(kind, value)
    life.step("wait", 30)
    life.step("quiet", False)
    life.step("wait", 24 * 8)  # past every digest that anything could wait for
    rows = deliveries(life.account)
    mails = sink.to(life.account.member.user.email)
    sent = {d.message_id for d in rows if d.phase == Phase.SENT}
    assert Counter(str(mail["Message-ID"]) for mail in mails) == Counter(sent), "each mail left once"
    for row in rows:
        assert row.phase in (Phase.SENT, Phase.COLLECTED, Phase.SUPPRESSED), "all news has come to its end"
        assert (row.phase == Phase.COLLECTED) == (row.digest_id is not None and row.reason == "")
        assert row.phase != Phase.SUPPRESSED or row.reason
    with as_tenant(life.account.pk), transaction.atomic():
        assert not OutboxRow.objects.filter(name="notify.digest", state="PENDING").exists()
        collected = Delivery.objects.filter(phase=Phase.COLLECTED).values_list("digest__phase", flat=True)
        assert set(collected) <= {"SENT"}
