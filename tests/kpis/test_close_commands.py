"""The close by hand and by the scheduler: what they print, what they store, how they end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from kpis import jobs
from kpis.models import Snapshot
from portal.outbox.handlers import TryAgain
from portal.outbox.models import OutboxRow
from portal.tenancy.context import as_tenant
from tests.kpis.world import CUT, JOB, w1
from tests.tiers import world
from tiers.credits import jobs as credit_jobs
from tiers.credits.models import CreditLine

pytestmark = [pytest.mark.walls]


def run(*arguments: str) -> list[dict[str, Any]]:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_close_month_prints_one_object_a_snapshot_and_the_same_again(acme) -> None:
    w1(acme)
    code = acme.tenant.code
    (answer,) = run("close_month", "2026-03", "--account", code)
    with as_tenant(acme.pk):
        snapshot = Snapshot.objects.get()
    assert answer == {
        "account": code, "period": "2026-03", "version": 1, "snapshot": snapshot.public_id,
        "as_of": "2026-04-06T12:00:00Z",
    }  # fmt: skip
    assert [a["period"] for a in run("close_month", "2026-01..2026-05", "--account", code)] == ["2026-03", "2026-04"]
    assert run("close_month", "2026-03", "--account", code) == [answer]


@pytest.mark.req("P10")
def test_as_of_prints_what_was_known_and_stores_nothing(acme) -> None:
    w1(acme)
    (answer,) = run("close_month", "2026-03", "--account", acme.tenant.code, "--as-of", "2026-04-06T14:00:00+02:00")
    assert (answer["as_of"], answer["version"], answer["snapshot"]) == ("2026-04-06T12:00:00Z", None, None)
    otd = next(c for c in answer["kpis"] if c["kpi"] == "OTD" and not c["dims"])
    assert (otd["num"], otd["den"], otd["excluded"], otd["unknown"], otd["value"]) == (4, 10, 1, 1, "0.400000")
    with as_tenant(acme.pk):
        assert not Snapshot.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("2026-3",), ("2026-05..2026-03",), ("2026-03", "--account", "NO-SUCH"), ("2026-03", "--as-of", "yesterday"),
        ("2026-03", "--as-of", "2026-04-06T12:00:00"),
    ],
)  # fmt: skip
def test_bad_input_is_a_sentence_and_exit_code_2(arguments) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("close_month", *arguments)
    assert refused.value.returncode == 2


@pytest.mark.req("M3", "I5")
def test_recompute_says_same_and_ends_well(acme) -> None:
    w1(acme)
    (closed,) = run("close_month", "2026-03", "--account", acme.tenant.code)
    (answer,) = run("recompute", closed["snapshot"])
    assert (answer["same"], answer["differences"], answer["account"]) == (True, [], acme.tenant.code)
    with pytest.raises(CommandError) as refused:
        call_command("recompute", "no-such-snapshot")
    assert refused.value.returncode == 2


@pytest.mark.parametrize("what", ["kpis", "entitlements", "facts", "jobs", "adapters"])
def test_describe_prints_each_registry(what) -> None:
    assert run("describe", what)


@pytest.mark.req("O6", "M4", "P25")
def test_the_scheduler_derives_close_publication_and_credits_from_the_database(acme) -> None:
    world.premium(acme)
    world.agree(acme)
    world.bill(acme, world.month(acme, on_time=17, late=3), "9000.00")

    def asked(name: str) -> list[dict[str, Any]]:
        return list(OutboxRow.objects.filter(name=name).values_list("payload", flat=True))

    with as_tenant(acme.pk):
        from django.db import transaction

        for _twice in range(2):  # two schedulers
            with transaction.atomic():
                jobs.months_due(JOB)
                credit_jobs.credits_due(JOB)
        assert asked("kpis.close_month") == [{"month": "2026-03"}]
        jobs.close_month({"month": "2026-03"}, JOB)
        snapshot = Snapshot.objects.get()
        assert OutboxRow.objects.get(name="kpis.publish_snapshot").due_at == CUT + timedelta(days=1)
        jobs.publish_snapshot({"snapshot": snapshot.public_id}, snapshot.published_at)
        assert asked("credits.assess") == []
        for _twice in range(2):
            with transaction.atomic():
                credit_jobs.credits_due(world.CHARGES)
        assert asked("credits.assess") == [{"snapshot": snapshot.public_id}]
        for _twice in range(2):
            credit_jobs.assess({"snapshot": snapshot.public_id}, world.CHARGES)
        assert CreditLine.objects.count() == 1


def test_a_month_that_cannot_close_yet_is_tried_again(acme) -> None:
    from datetime import date

    from tests.kpis.world import due

    due(acme, "P1", due_date=date(2026, 3, 31), tol_days=30)
    with as_tenant(acme.pk), pytest.raises(TryAgain) as later:
        jobs.close_month({"month": "2026-03"}, JOB)
    assert later.value.due_at == datetime(2026, 4, 6, 13, 15, tzinfo=UTC)
