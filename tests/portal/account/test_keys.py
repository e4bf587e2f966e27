"""Keys: shown once, kept hashed, ended at once, never anybody else's (A6)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from portal.account.keys import KeyAuthentication, TooManyKeys, key_issue
from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import KeyRefused, key_check, key_create, key_of_request
from portal.tenancy.models import ApiKey
from tests import cast
from tests.portal.account import doors
from tests.portal.account.test_limits import _in_threads

KEYS = "/settings/keys"


def make(browser, label: str = "TMS", days: str = "90"):
    answer = browser.post(f"{KEYS}/new", {"label": label, "days": days})
    found = re.search(r'<code class="secret">(plm_[0-9A-Za-z_-]+)</code>', answer.content.decode())
    return answer, found[1] if found else ""


@pytest.mark.req("A6", "L1")
def test_manager_makes_a_key_that_is_shown_once_and_kept_hashed(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    answer, text = make(browser)
    assert answer.status_code == 200
    known = key_check(text, at=clock.now())
    assert (known.tenant_id, known.label, known.scope) == (acme.pk, "TMS", "read")
    page = browser.get(KEYS).content.decode()
    assert text not in page
    assert text.split("_")[2] in page  # the searchable prefix
    with as_tenant(acme.pk):
        row = ApiKey.objects.get(public_id=known.public_id)
    assert text.split("_", 3)[3] not in str(row.__dict__)
    assert row.last_used_at is not None
    assert doors.audited(acme.pk, "key.created")


@pytest.mark.req("A6")
def test_two_keys_of_one_name_for_rotation_and_no_third(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    (_a, old), (_b, new) = make(browser), make(browser, "tms")
    assert key_check(old, at=clock.now())
    assert key_check(new, at=clock.now())
    third, text = make(browser)
    assert (third.status_code, text) == (422, "")
    public_id = key_check(old, at=clock.now()).public_id
    assert browser.get(f"{KEYS}/{public_id}/revoke").status_code == 200
    assert browser.post(f"{KEYS}/{public_id}/revoke")["Location"] == KEYS
    with pytest.raises(KeyRefused):
        key_check(old, at=clock.now())
    assert key_check(new, at=clock.now())
    assert make(browser)[1]
    assert doors.audited(acme.pk, "key.revoked")


@pytest.mark.req("A6")
def test_no_third_key_under_concurrency(acme):
    at = clock.now()

    def one(_number: int) -> bool:
        with as_tenant(acme.pk):
            try:
                key_issue(label="Race", at=at, actor="test", expires_at=None)
            except TooManyKeys:
                return False
        return True

    assert sum(_in_threads(12, one)) == 2


@pytest.mark.req("A6")
def test_key_ends_at_its_instant(acme):
    at = clock.now()
    with as_tenant(acme.pk):
        _key, text = key_create(label="short", at=at, expires_at=at + timedelta(days=1))
    assert key_check(text, at=at + timedelta(hours=23, minutes=59))
    with pytest.raises(KeyRefused):
        key_check(text, at=at + timedelta(days=1))


@pytest.mark.req("A6")
def test_use_is_noted_at_most_once_a_minute(acme):
    at = clock.now()
    with as_tenant(acme.pk):
        key, text = key_create(label="busy", at=at)

        def used():
            return ApiKey.objects.get(pk=key.pk).last_used_at

        for seconds, noted in ((0, 0), (30, 0), (59, 0), (61, 61)):
            key_check(text, at=at + timedelta(seconds=seconds))
            assert used() == at + timedelta(seconds=noted)


@pytest.mark.req("A6", "T6")
def test_a_key_opens_its_own_account_only(acme, globex):
    with as_tenant(acme.pk):
        _key, text = key_create(label="a", at=clock.now())
    _plm, _tenant, prefix, secret = text.split("_", 3)
    forged = f"plm_{globex.tenant.public_id}_{prefix}_{secret}"
    for wrong in (
        forged,
        text[:-1] + ("A" if text[-1] != "A" else "B"),
        text + " ",
        "",
        "plm_",
        text.upper(),
        "plm_" + "0" * 80,
    ):
        with pytest.raises(KeyRefused) as refused:
            key_check(wrong, at=clock.now())
        assert refused.value.sentence() == KeyRefused().sentence()


@pytest.mark.req("A6")
def test_keys_count_in_the_header_only(acme):
    with as_tenant(acme.pk):
        _key, text = key_create(label="a", at=clock.now())
    bearer = {"Authorization": f"Bearer {text}"}
    make_request = RequestFactory().get
    assert key_of_request(make_request("/x", headers=bearer), at=clock.now()).tenant_id == acme.pk
    for request in (
        make_request(f"/x?key={text}"), make_request(f"/x?key={text}", headers=bearer), make_request("/x"),
        make_request("/x", headers={"Authorization": f"Basic {text}"}),
        make_request("/x", headers={"Cookie": f"key={text}"}),
    ):  # fmt: skip
        with pytest.raises(KeyRefused):
            key_of_request(request, at=clock.now())
    holder, known = KeyAuthentication().authenticate(Request(make_request("/x", headers=bearer)))
    assert holder.is_authenticated
    assert known.tenant_id == acme.pk


@pytest.mark.req("T6")
def test_keys_of_another_account_do_not_exist(acme, globex):
    with as_tenant(globex.pk):
        key, text = key_create(label="theirs", at=clock.now())
    browser = cast.sign_in(doors.client(), acme.manager)
    assert "theirs" not in browser.get(KEYS).content.decode()
    assert browser.get(f"{KEYS}/{key.public_id}/revoke").status_code == 404
    assert browser.post(f"{KEYS}/{key.public_id}/revoke").status_code == 404
    assert key_check(text, at=clock.now())


@pytest.mark.req("A5")
def test_keys_need_a_fresh_proof(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    with as_tenant(acme.pk):
        key, text = key_create(label="kept", at=clock.now())
    with clock.set_to(clock.now() + timedelta(minutes=11)):
        assert browser.get(KEYS).status_code == 200
        for answer in (browser.get(f"{KEYS}/new"), make(browser)[0], browser.post(f"{KEYS}/{key.public_id}/revoke")):
            assert answer.status_code == 302
            assert "reauthenticate" in answer["Location"]
    assert key_check(text, at=clock.now())
