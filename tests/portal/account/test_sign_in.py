"""Every way in, with and without a second factor; what ends a session."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from portal.account import totp
from portal.account.services import (
    member_active_set,
    member_role_change,
    password_reset_request,
    password_reset_send,
)
from portal.lib import clock
from portal.outbox.models import OutboxRow
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role, User
from tests import cast
from tests.portal.account import doors


@pytest.mark.req("A2", "L1")
def test_member_signs_in_with_password(acme):
    browser = doors.client()
    answer = doors.password_step(browser, acme.member)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert doors.signed_in(browser)
    assert browser.get("/").status_code == 200
    assert doors.audited(acme.pk, "sign_in.succeeded")[-1].details == {"second_factor": False}


@pytest.mark.req("A2", "A4")
def test_manager_signs_in_with_password_and_code(acme):
    cast.second_factor(acme.manager)
    browser = doors.client()
    answer = doors.password_step(browser, acme.manager)
    assert (answer.status_code, answer["Location"]) == (302, doors.CODE)
    assert not doors.signed_in(browser)
    assert browser.get("/").status_code == 302  # the password alone opens nothing
    before = browser.session.session_key
    page = browser.get(doors.CODE)
    assert page.status_code == 200
    answer = browser.post(doors.CODE, {"code": doors.code(clock.now())})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert doors.signed_in(browser)
    assert browser.session.session_key != before  # a new id at login
    assert browser.get("/settings/members").status_code == 200
    assert doors.audited(acme.pk, "sign_in.succeeded")[-1].details == {"second_factor": True}


@pytest.mark.req("A2")
def test_strong_role_without_second_factor_reaches_only_the_set_up(acme):
    browser = doors.client()
    doors.password_step(browser, acme.manager)
    for address in ("/", "/settings/members", "/settings/keys", "/accounts/security/"):
        answer = browser.get(address)
        assert (answer.status_code, answer["Location"]) == (302, "/accounts/2fa/totp/activate/")
    assert browser.get("/", headers={"Accept": "application/json"}).status_code == 403
    assert browser.get("/accounts/2fa/totp/activate/").status_code == 200
    assert browser.post("/accounts/logout/").status_code == 302
    assert not doors.signed_in(browser)


@pytest.mark.req("A2", "L1")
def test_set_up_shows_secret_once_and_recovery_codes_work_once(acme):
    browser = doors.client()
    doors.password_step(browser, acme.manager)
    page = browser.get("/accounts/2fa/totp/activate/").content.decode()
    secret = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)[1].replace(" ", "")
    assert "data:image/svg+xml;base64," in page
    wrong = browser.post("/accounts/2fa/totp/activate/", {"code": "000000"})
    assert wrong.status_code == 422
    at = clock.now()
    done = browser.post("/accounts/2fa/totp/activate/", {"code": totp.code_at(secret, at)})
    codes = re.findall(r"<li><code>([0-9a-z-]{19})</code></li>", done.content.decode())
    assert len(codes) == 10
    assert browser.get("/settings/members").status_code == 200
    assert doors.audited(acme.pk, "second_factor.activated")

    other = doors.client()
    doors.password_step(other, acme.manager)
    # the code of the set-up counts as used
    assert other.post(doors.CODE, {"code": totp.code_at(secret, at)}).status_code == 200
    assert other.post(doors.CODE, {"code": codes[0].upper()}).status_code == 302
    assert doors.signed_in(other)
    assert doors.audited(acme.pk, "second_factor.recovery_code_used")[-1].details == {"left": 9}

    third = doors.client()
    doors.password_step(third, acme.manager)
    assert third.post(doors.CODE, {"code": codes[0]}).status_code == 200
    assert not doors.signed_in(third)


@pytest.mark.req("A2")
def test_code_cannot_be_used_twice_nor_an_older_one(acme):
    cast.second_factor(acme.manager)
    first, second = doors.client(), doors.client()
    used = doors.code(clock.now())
    doors.password_step(first, acme.manager)
    assert first.post(doors.CODE, {"code": used}).status_code == 302
    doors.password_step(second, acme.manager)
    assert second.post(doors.CODE, {"code": used}).status_code == 200
    assert second.post(doors.CODE, {"code": doors.code(clock.now(), steps=-1)}).status_code == 200
    assert not doors.signed_in(second)
    later = doors.code(clock.now(), steps=1)
    assert second.post(doors.CODE, {"code": later}).status_code == 302


@pytest.mark.req("A2")
def test_code_step_needs_the_password_first(acme):
    cast.second_factor(acme.manager)
    browser = doors.client()
    for answer in (browser.get(doors.CODE), browser.post(doors.CODE, {"code": doors.code(clock.now())})):
        assert (answer.status_code, answer["Location"]) == (302, doors.LOGIN)
    assert not doors.signed_in(browser)


@pytest.mark.req("A2")
def test_session_opened_before_the_second_factor_ends(acme):
    """A thief with the password alone is out as soon as the owner sets the second factor up."""
    thief = doors.client()
    doors.password_step(thief, acme.manager)
    cast.second_factor(acme.manager)
    answer = thief.get("/settings/members")
    assert answer.status_code == 302
    assert not doors.signed_in(thief)


@pytest.mark.req("A4")
def test_password_reset_by_mail_ends_sessions_and_keeps_the_second_factor(acme):
    old = cast.sign_in(doors.client(), acme.manager)
    assert old.get("/settings/members").status_code == 200
    browser = doors.client()
    answer = browser.post("/accounts/password/reset/", {"email": acme.manager.user.email.upper()})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/password/reset/done/")
    assert password_reset_send(email=acme.manager.user.email, at=clock.now())  # the worker's part
    path = doors.fact_paths(acme.pk, "people.password_reset_requested")[-1]
    page = browser.get(path, follow=True)
    form = page.redirect_chain[-1][0]
    assert browser.post(form, {"password1": "short", "password2": "short"}).status_code == 200
    new = "an entirely different sentence"
    answer = browser.post(form, {"password1": new, "password2": new})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/password/reset/key/done/")
    assert not doors.signed_in(browser)
    assert old.get("/settings/members").status_code == 302
    assert "no longer works" in browser.get(path, follow=True).content.decode()
    assert doors.password_step(doors.client(), acme.manager).status_code == 200  # the old password
    again = doors.client()
    assert doors.password_step(again, acme.manager, new)["Location"] == doors.CODE
    assert doors.audited(acme.pk, "password.reset")


@pytest.mark.req("A4", "L1")
def test_password_change_needs_the_present_one_and_ends_sessions(acme):
    browser, other = cast.sign_in(doors.client(), acme.member), cast.sign_in(doors.client(), acme.member)
    new = "seventeen geese on the quay"
    form = {"oldpassword": "not it at all!", "password1": new, "password2": new}
    assert browser.post("/accounts/password/change/", form).status_code == 200
    answer = browser.post("/accounts/password/change/", form | {"oldpassword": cast.PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, doors.LOGIN)
    assert other.get("/").status_code == 302
    assert doors.password_step(browser, acme.member, new).status_code == 302
    assert doors.audited(acme.pk, "password.changed")


@pytest.mark.req("A3", "L1")
def test_failed_sign_in_is_recorded_without_naming_strangers(acme):
    doors.password_step(doors.client(), acme.member, "wrong wrong wrong")
    row = doors.audited(acme.pk, "sign_in.failed")[-1]
    assert row.object_id == acme.member.public_id
    stranger = "nobody.at.all@example.net"
    doors.client().post(doors.LOGIN, {"login": stranger, "password": "wrong wrong wrong"})
    row = doors.audited(OPERATOR_ID, "sign_in.failed")[-1]
    assert row.actor.startswith("unknown ")
    assert stranger not in str(row.__dict__)


@pytest.mark.req("A7", "A4")
def test_role_loss_counts_on_the_next_request(acme):
    deputy = cast.person(acme.pk, Role.MANAGER)
    browser = cast.sign_in(doors.client(), deputy)
    assert browser.get("/settings/keys").status_code == 200
    with as_tenant(acme.pk):
        member_role_change(public_id=deputy.public_id, role="MEMBER", by=acme.manager, at=clock.now())
    answer = browser.get("/settings/keys")
    assert answer.status_code == 302
    assert answer["Location"].startswith(doors.LOGIN)
    cast.sign_in(browser, deputy)
    assert browser.get("/settings/keys").status_code == 403


@pytest.mark.req("A7", "A4")
def test_deactivated_member_is_out_and_cannot_come_back(acme):
    browser = cast.sign_in(doors.client(), acme.member)
    with as_tenant(acme.pk):
        member_active_set(public_id=acme.member.public_id, active=False, by=acme.manager, at=clock.now())
    assert browser.get("/").status_code == 302
    refused = doors.password_step(doors.client(), acme.member)
    assert refused.status_code == 200
    assert not password_reset_send(email=acme.member.user.email, at=clock.now())


@pytest.mark.req("A4")
@pytest.mark.parametrize(
    ("role", "minutes", "out"),
    [(Role.OPS, 29, False), (Role.OPS, 31, True), (Role.MANAGER, 31, True), (Role.MEMBER, 60, False)],
)
def test_idle_session_ends_for_strong_roles(acme, role, minutes, out):
    tenant = OPERATOR_ID if role is Role.OPS else acme.pk
    browser = cast.sign_in(doors.client(), cast.person(tenant, role))
    with clock.set_to(clock.now() + timedelta(minutes=minutes)):
        assert (browser.get("/").status_code == 302) is out


@pytest.mark.req("A4")
def test_session_ends_after_twelve_hours_however_busy(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    began = clock.now()
    for quarter in range(1, 48):
        with clock.set_to(began + timedelta(minutes=15 * quarter)):
            assert browser.get("/").status_code == 200
    with clock.set_to(began + timedelta(hours=12, minutes=1)):
        assert browser.get("/").status_code == 302


@pytest.mark.req("A4")
def test_person_ends_all_own_sessions(acme):
    here, there = cast.sign_in(doors.client(), acme.member), cast.sign_in(doors.client(), acme.member)
    assert here.post("/accounts/security/sessions/end/").status_code == 302
    assert there.get("/").status_code == 302


@pytest.mark.req("W5")
@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_sign_in_never_leads_outside(acme, target):
    answer = doors.client().post(
        f"{doors.LOGIN}?next={target}", {"login": acme.member.user.email, "password": cast.PASSWORD, "next": target}
    )
    assert answer["Location"] == "/"


@pytest.mark.req("W5", "A2")
def test_next_survives_the_second_step(acme):
    cast.second_factor(acme.manager)
    browser = doors.client()
    browser.post(doors.LOGIN, {"login": acme.manager.user.email, "password": cast.PASSWORD, "next": "/settings/keys"})
    assert browser.post(doors.CODE, {"code": doors.code(clock.now())})["Location"] == "/settings/keys"


@pytest.mark.req("A3")
def test_reset_leaves_one_row_of_the_same_form_for_anybody(acme):
    at = clock.now()
    with as_tenant(OPERATOR_ID):
        before = OutboxRow.objects.filter(name="people.password_reset").count()
    for address in (acme.member.user.email, "stranger@example.net"):
        password_reset_request(email=address, at=at)
    with as_tenant(OPERATOR_ID):
        assert OutboxRow.objects.filter(name="people.password_reset").count() == before + 2
    assert not password_reset_send(email="stranger@example.net", at=at)


@pytest.mark.req("A1")
def test_passwords_are_kept_as_argon2id():
    user = User.objects.create_user(f"hash.{cast.secrets.token_hex(4)}@example.com", cast.PASSWORD)
    assert user.password.startswith("argon2$argon2id$")


@pytest.mark.parametrize(
    "address", ["/accounts/signup/", "/accounts/email/", "/accounts/social/connections/", "/accounts/password/set/"]
)
def test_there_is_no_open_sign_up(acme, address):
    assert doors.client().get(address).status_code == 404
    assert doors.client().post(address).status_code == 404


@pytest.mark.req("W5")
@pytest.mark.parametrize(
    "address",
    [
        doors.LOGIN, "/accounts/logout/", "/accounts/password/reset/", "/accounts/password/change/",
        "/accounts/2fa/totp/activate/", "/accounts/security/sessions/end/", "/settings/members/invite",
        "/settings/keys/new",
    ],
)  # fmt: skip
def test_no_form_is_taken_without_its_token(acme, address):
    browser = Client(enforce_csrf_checks=True)
    cast.sign_in(browser, acme.manager)
    assert browser.post(address, {}).status_code == 403
    assert doors.signed_in(browser)


@pytest.mark.req("A4")
def test_reading_changes_nothing(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    for address in ("/accounts/logout/", "/accounts/security/sessions/end/"):
        assert browser.get(address).status_code in (200, 405)
    assert doors.signed_in(browser)
