"""The operator's commands show what waits for a person and take the person's word."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portal.notify.models import Delivery, Phase
from portal.outbox.models import OutboxRow, RowState
from portal.tenancy.context import as_tenant
from portal.tenancy.models import AuditEntry, Installation
from tests.cast import Account
from tests.portal.notify.test_pages import dead, lost


def said(*words: str) -> str:
    """What the command prints."""
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@pytest.mark.req("O5", "O7")
def test_list_shows_dead_letters_and_uncertain_mails_of_all_accounts(acme: Account, globex: Account) -> None:
    row, mail = dead(acme), lost(globex)
    lines = [json.loads(line) for line in said("outbox", "list", "--json").splitlines()]
    assert {(line["kind"], line["id"]) for line in lines} >= {("row", row.pk), ("mail", mail.public_id)}
    assert mail.public_id in said("outbox", "list", "--phase", "UNCERTAIN")


def test_retry_takes_up_what_is_named_and_nothing_else(acme: Account) -> None:
    first, second = dead(acme), dead(acme)
    assert said("outbox", "retry", str(first.pk)) == "1 tried again.\n"
    with as_tenant(acme.pk):
        assert OutboxRow.objects.get(pk=first.pk).state == RowState.PENDING
        assert OutboxRow.objects.get(pk=second.pk).state == RowState.DEAD
        assert AuditEntry.objects.filter(action="outbox.retried").count() == 1
    for bad in (["outbox", "retry"], ["outbox", "retry", str(first.pk)]):
        with pytest.raises(CommandError) as refused:
            said(*bad)
        assert refused.value.returncode == 2


def test_resolve_needs_an_uncertain_mail_and_a_reason(acme: Account) -> None:
    mail = lost(acme)
    assert "sent" in said("outbox", "resolve", mail.public_id, "--sent", "--reason", "log", "--actor", "Ops")
    with as_tenant(acme.pk):
        assert Delivery.objects.get(pk=mail.pk).phase == Phase.SENT
        assert AuditEntry.objects.get(action="delivery.resolved").actor == "Ops"
    for bad in (mail.public_id, "nothing"):
        with pytest.raises(CommandError) as refused:
            said("outbox", "resolve", bad, "--sent", "--reason", "log")
        assert refused.value.returncode == 2


@pytest.mark.req("P5")
def test_pause_and_resume_say_what_is_so(acme: Account) -> None:
    try:
        assert said("pause_sending") == "Sending is paused.\n"
        assert said("pause_sending") == "Sending was paused already.\n"
        assert Installation.objects.get().sending_paused
    finally:
        assert said("resume_sending") == "Sending is on.\n"


def test_faultpoints_lists_every_point() -> None:
    names = set(json.loads(said("faultpoints", "--json")))
    assert names >= {"outbox.after_claim", "dispatcher.after_mark", "notify.after_handover", "notify.before_sent"}
