"""Invitation and reset reach the mailbox through worker, dispatcher and a real SMTP server; their links open."""

from __future__ import annotations

import secrets

import pytest
from django.conf import settings

from tests import cast, processes
from tests.portal.account import doors


@pytest.mark.slow
@pytest.mark.req("A3", "O1")
def test_links_arrive_by_mail_and_open(acme):
    guest = f"mail.{secrets.token_hex(4)}@example.com"
    with (
        processes.Sink() as sink,
        processes.running(processes.worker(EMAIL_URL=sink.url), processes.dispatcher(EMAIL_URL=sink.url)),
    ):
        cast.sign_in(doors.client(), acme.manager).post(
            "/settings/members/invite", {"name": "Guest", "email": guest, "role": "MEMBER"}
        )
        doors.client().post("/accounts/password/reset/", {"email": acme.member.user.email})
        for address, says in ((guest, "invites you"), (acme.member.user.email, "new password")):
            mail = processes.wait_for(lambda address=address: sink.to(address), seconds=30, what="the mail")[0]
            assert says in mail["Subject"]
            text = mail.get_payload()[0].get_payload(decode=True).decode()
            link = next(line for line in text.splitlines() if line.startswith(settings.PUBLIC_URL))
            page = doors.client().get(link.removeprefix(settings.PUBLIC_URL), follow=True)
            assert page.status_code == 200
            assert 'name="password1"' in page.content.decode()
