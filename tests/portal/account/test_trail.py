"""The audit trail page: newest first, whole, one account's only (L1)."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

import pytest
from django.db import transaction

from portal.account import selectors
from portal.lib import clock
from portal.lib.errors import BadRequest
from portal.tenancy.context import as_tenant
from portal.tenancy.services import audit
from tests import cast
from tests.portal.account import doors


@pytest.mark.req("L1", "W9")
def test_pages_hold_every_row_once_also_at_one_instant(acme):
    at, mark = clock.now(), f"test.{secrets.token_hex(3)}"
    with as_tenant(acme.pk):
        with transaction.atomic():
            for number in range(120):
                audit(action=f"{mark}.a", actor="x", at=at + timedelta(seconds=number // 60), details={"n": number})
        seen, older = [], None
        pages = []
        while True:
            page = selectors.audit_page(older=older, prefix=mark)
            pages.append(page)
            seen += [row.details["n"] for row in page.rows]
            older = page.older
            if older is None:
                break
        assert seen == list(range(119, -1, -1))
        assert [len(page.rows) for page in pages] == [50, 50, 20]
        back = selectors.audit_page(newer=pages[1].newer, prefix=mark)
        assert [row.pk for row in back.rows] == [row.pk for row in pages[0].rows]
        assert back.newer is None


@pytest.mark.req("W8", "W6")
@pytest.mark.parametrize("cursor", ["x", "AAAA", "%00", "MjAyNi0wMS0wMSAx", "9" * 300])
def test_a_wrong_cursor_is_refused_in_words(acme, cursor):
    with as_tenant(acme.pk), pytest.raises(BadRequest):
        selectors.audit_page(older=cursor)
    browser = cast.sign_in(doors.client(), acme.manager)
    assert browser.get("/settings/audit", {"older": cursor}).status_code == 400


@pytest.mark.req("L1", "T6")
def test_manager_sees_own_account_only(acme, globex):
    doors.password_step(doors.client(), globex.member, "wrong wrong wrong")
    doors.password_step(doors.client(), acme.member, "wrong wrong wrong")
    page = cast.sign_in(doors.client(), acme.manager).get("/settings/audit?kind=sign_in").content.decode()
    assert acme.member.name in page
    assert globex.member.name not in page
    assert "Sign-in failed" in page
    kinds = set(re.findall(r'<span class="sub mono">([a-z_.]+)</span>', page))
    assert kinds <= {"sign_in.failed", "sign_in.succeeded"}
