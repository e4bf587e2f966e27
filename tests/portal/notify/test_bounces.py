"""What mail servers send back stops mail to the address that the mail had gone to, and to no other."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.notify.bounces import NotAReport, Outcome, report_read
from portal.notify.models import Delivery, Phase, SuppressedAddress
from portal.notify.undelivered import bounce_take
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests.cast import Account, person, sign_in
from tests.portal.notify.post import AT, FACT, deliveries, only_member, run, tell
from tests.processes import Sink

KEY = "k" * 40


def dsn(
    mail: Delivery | None,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    to: str = "",
    whole: bool = True,
    code: str = "smtp; 550 5.1.1 no such person",
) -> bytes:
    """A delivery status notification as Postfix and others write it; with `to` the return path names the mail."""
    parts = [
        "Content-Type: text/plain\n\nThis is the mail system. Your message could not be delivered.",
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.com\n\n"
        f"Final-Recipient: rfc822; ana@example.com\nAction: {action}\n"
        f"{f'Status: {status}' if status else 'X-None: 1'}\nDiagnostic-Code: {code}\n",
    ]
    if mail is not None:
        kind = "message/rfc822" if whole else "text/rfc822-headers"
        headers = f"From: portal@localhost\nMessage-ID: {mail.message_id}\nSubject: x\n"
        parts.append(f"Content-Type: {kind}\n\n{headers}" + ("\nbody\n" if whole else ""))
    head = (
        f"From: MAILER-DAEMON@mx.example.com\nTo: {to or 'portal@localhost'}\nMIME-Version: 1.0\n"
        "Subject: Undelivered Mail Returned to Sender\n"
        'Content-Type: multipart/report; report-type=delivery-status;\n\tboundary="b.1"\n\n'
    )
    return (head + "".join(f"--b.1\n{part}\n" for part in parts) + "--b.1--\n").replace("\n", "\r\n").encode()


def arf(mail: Delivery) -> bytes:
    """A complaint as mailbox providers send it."""
    return (
        b"From: <fbl@example.com>\r\nTo: <portal@localhost>\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: text/plain\r\n\r\nThis is a complaint.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        b"Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        b"Message-ID: " + mail.message_id.encode() + b"\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n"
    )


def sent(account: Account, n: int = 0) -> Delivery:
    """A mail that a server took."""
    tell(account, replace(FACT, shipment=f"{n:020}"), AT + timedelta(hours=n))
    run(account, AT + timedelta(hours=n))
    return deliveries(account)[-1]


def suppressed(account: Account) -> list[tuple[str, str]]:
    with as_tenant(account.pk):
        return list(SuppressedAddress.objects.values_list("email", "reason"))


@pytest.mark.req("O10")
@pytest.mark.parametrize("whole", [True, False])
def test_a_mail_that_is_refused_for_good_stops_mail_to_its_address(acme: Account, sink: Sink, whole: bool) -> None:
    only_member(acme)
    mail = sent(acme)
    taken = bounce_take(raw=dsn(mail, whole=whole), at=AT)
    assert (taken.outcome, taken.email, taken.suppressed, taken.known) == (
        Outcome.HARD, acme.member.user.email, True, False,
    )  # fmt: skip
    assert bounce_take(raw=dsn(mail), at=AT).known
    assert suppressed(acme) == [(acme.member.user.email, "5.1.1 smtp; 550 5.1.1 no such person")]
    (back,) = deliveries(acme)
    assert back.phase == Phase.FAILED
    assert back.reason.startswith("came back: 5.1.1")
    assert sent(acme, 1).reason == "suppressed_address"
    with as_tenant(acme.pk):
        (entry,) = AuditEntry.objects.filter(action="address.suppressed")
        assert (entry.object_id, entry.details) == (acme.member.public_id, {"status": "5.1.1"})
        assert acme.member.user.email not in json.dumps(entry.details)


@pytest.mark.req("O10")
def test_a_mail_that_is_given_up_counts_and_the_third_one_stops(acme: Account, sink: Sink) -> None:
    only_member(acme)
    mails = [sent(acme, n) for n in range(4)]
    late = {"action": "delayed", "status": "4.4.1"}
    assert bounce_take(raw=dsn(mails[0], **late), at=AT).outcome == Outcome.NONE
    assert deliveries(acme)[0].phase == Phase.SENT, "delayed is not lost"
    full = {"status": "4.2.2", "code": "smtp; 452 4.2.2 mailbox full"}
    for mail in mails[:2]:
        for _twice in range(2):
            assert not bounce_take(raw=dsn(mail, **full), at=AT).suppressed
    assert bounce_take(raw=dsn(mails[3], **full), at=AT + timedelta(days=15)).suppressed is False
    assert suppressed(acme) == []
    assert bounce_take(raw=dsn(mails[2], **full), at=AT).suppressed
    assert [email for email, _reason in suppressed(acme)] == [acme.member.user.email]


@pytest.mark.req("O10")
def test_a_complaint_stops_mail_too(acme: Account, sink: Sink) -> None:
    only_member(acme)
    taken = bounce_take(raw=arf(sent(acme)), at=AT)
    assert (taken.outcome, taken.suppressed) == (Outcome.COMPLAINT, True)
    assert deliveries(acme)[0].phase == Phase.SENT, "it did arrive"
    assert suppressed(acme)[0][1] == "complaint: abuse"


@pytest.mark.req("O10")
def test_the_return_path_names_the_mail_where_its_headers_did_not_come_back(acme: Account, sink: Sink) -> None:
    only_member(acme)
    senders: list[str] = []

    async def handle_mail(server, session, envelope, address, options):  # type: ignore[no-untyped-def]
        senders.append(address)
        envelope.mail_from = address
        return "250 OK"

    sink.handle_MAIL = handle_mail  # type: ignore[attr-defined]
    with override_settings(MAIL_BOUNCES="bounces@portal.example.com"):
        mail = sent(acme)
    (address,) = senders
    assert address == f"bounces+{acme.tenant.public_id}-{mail.public_id}@portal.example.com"
    assert len(address.partition("@")[0]) <= 64
    assert bounce_take(raw=dsn(None, to=f"<{address.upper()}>"), at=AT).suppressed


@pytest.mark.req("O10", "T1")
def test_a_report_speaks_against_nobody_but_the_mails_own_reader(acme: Account, globex: Account, sink: Sink) -> None:
    for account in (acme, globex):
        only_member(account)
    mail, other = sent(acme), sent(globex)
    forged = replace_owner(mail, globex)
    for raw in (
        forged, dsn(None), dsn(None, to=f"bounces+{globex.tenant.public_id}-{mail.public_id}@x.example"),
        dsn(None, to=f"bounces+{'0' * 20}-{mail.public_id}@x.example"), b"", b"\xff\x00", b"Subject: hello\n\nhi",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n--b--", b"x" * 1_000_001,
    ):  # fmt: skip
        with pytest.raises(NotAReport):
            bounce_take(raw=raw, at=AT)
    assert (suppressed(acme), suppressed(globex)) == ([], [])
    # both names must agree
    with pytest.raises(NotAReport):
        bounce_take(raw=dsn(mail, to=f"bounces+{acme.tenant.public_id}-{other.public_id}@x.example"), at=AT)


def replace_owner(mail: Delivery, account: Account) -> bytes:
    """A Message-ID that names another account."""
    key, _dot, rest = mail.message_id.partition(".")
    return dsn(Delivery(message_id=f"{key}.{account.tenant.public_id}{rest[20:]}"))


@given(st.binary(max_size=400), st.integers(0, 3000), st.integers(0, 60))
@settings(max_examples=150)
def test_whatever_comes_is_a_report_or_is_said_to_be_none(noise: bytes, where: int, cut: int) -> None:
    raw = dsn(Delivery(message_id=f"<{'a' * 40}.{'0' * 20}@localhost>"))
    for damaged in (noise, raw[:where] + noise + raw[where + cut :]):
        try:
            report = report_read(damaged)
        except NotAReport:
            continue
        assert report.owner == "0" * 20


@pytest.mark.req("O10")
def test_the_command_reads_a_pipe(acme: Account, sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_member(acme)
    raw = dsn(sent(acme))

    def said(*words: str) -> str:
        out = io.StringIO()
        call_command("bounce_intake", *words, stdout=out)
        return out.getvalue()

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
    assert said() == f"{acme.member.user.email}: hard 5.1.1; mail to it stops.\n"
    file = tmp_path / "back.eml"
    file.write_bytes(raw)
    assert json.loads(said("--json", str(file))) == {
        "outcome": "HARD", "email": acme.member.user.email, "status": "5.1.1", "suppressed": True, "known": True,
    }  # fmt: skip
    file.write_bytes(b"nothing")
    for bad in (str(file), str(tmp_path / "missing")):
        with pytest.raises(CommandError) as refused:
            said(bad)
        assert refused.value.returncode == 2


@pytest.mark.req("O10", "W1")
def test_the_door_opens_to_its_key_alone(acme: Account, sink: Sink) -> None:
    only_member(acme)
    raw, client = dsn(sent(acme)), Client(enforce_csrf_checks=True)

    def posted(body: bytes, key: str = KEY) -> int:
        return client.post(
            "/notices/bounces", body, content_type="message/rfc822", headers={"Authorization": f"Bearer {key}"}
        ).status_code

    assert posted(raw) == 404  # nobody set a key
    with override_settings(BOUNCE_KEY=KEY):
        assert posted(raw, "k" * 39) == 404
        assert client.get("/notices/bounces").status_code == 405
        assert posted(b"Subject: hello") == 422
        assert posted(b"x" * 1_000_001) == 413
        assert suppressed(acme) == []
        assert posted(raw) == 200
    assert len(suppressed(acme)) == 1


@pytest.mark.req("O10", "L1")
def test_managers_and_the_desk_see_it_and_lift_it(acme: Account, globex: Account, sink: Sink) -> None:
    for account in (acme, globex):
        bounce_take(raw=dsn(sent(account)), at=AT)
    address = suppressed(acme)[0][0]
    manager = sign_in(Client(), acme.manager)
    page = manager.get("/settings/addresses").content.decode()
    assert address in page
    assert suppressed(globex)[0][0] not in page
    assert sign_in(Client(), acme.member).get("/settings/addresses").status_code == 403
    reader = acme.member if address == acme.member.user.email else acme.manager
    assert "comes back" in sign_in(Client(), reader).get("/settings/notices").content.decode()
    assert manager.post("/settings/addresses", {"email": address}).status_code == 302
    assert manager.post("/settings/addresses", {"email": suppressed(globex)[0][0]}).status_code == 404
    assert suppressed(acme) == []
    ops, finance = (sign_in(Client(), person(OPERATOR_ID, role)) for role in (Role.OPS, Role.FINANCE))
    there = suppressed(globex)[0][0]
    assert there in ops.get("/ops/addresses").content.decode()
    assert "It works again" not in finance.get("/ops/addresses").content.decode()
    body = {"owner": globex.tenant.public_id, "email": there}
    assert finance.post("/ops/addresses", body).status_code == 403
    assert ops.post("/ops/addresses", {**body, "owner": acme.tenant.public_id}).status_code == 404
    assert ops.post("/ops/addresses", body).status_code == 302
    assert suppressed(globex) == []
    with as_tenant(globex.pk):
        assert AuditEntry.objects.filter(action="address.released").count() == 1
