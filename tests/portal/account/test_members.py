"""Members: invited once, changed by others only, never those of another account."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta

import pytest

from portal.account import invitations
from portal.account.invitations import InvitationOver, invitation_accept, invitation_create
from portal.account.services import member_create
from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Invitation, Member, Role, User
from tests import cast
from tests.portal.account import doors
from tests.portal.account.test_limits import _in_threads

MEMBERS = "/settings/members"


def address() -> str:
    return f"new.{secrets.token_hex(5)}@example.com"


def invite(browser, email: str, role: str = "MEMBER"):
    return browser.post(f"{MEMBERS}/invite", {"name": "New Colleague", "email": email, "role": role})


@pytest.mark.req("A3", "L1")
def test_invitation_from_the_managers_page_to_the_first_page(acme):
    browser, email = cast.sign_in(doors.client(), acme.manager), address()
    assert browser.get(f"{MEMBERS}/invite").status_code == 200
    assert invite(browser, email.upper())["Location"] == MEMBERS
    assert email in browser.get(MEMBERS).content.decode()
    path = doors.fact_paths(acme.pk, "people.invited")[-1]

    guest = doors.client()
    assert guest.get(path).status_code == guest.get(path).status_code == 200  # looking uses nothing up
    name = 'Jo "the box" <b>Example</b>'
    weak = guest.post(path, {"name": name, "password1": "plimsoll plimsoll", "password2": "plimsoll plimsoll"})
    assert weak.status_code == 422
    done = guest.post(path, {"name": name, "password1": cast.PASSWORD, "password2": cast.PASSWORD})
    assert done["Location"] == "/accounts/welcome/"
    assert guest.get("/accounts/welcome/").status_code == 200
    with as_tenant(acme.pk):
        member = Member.objects.select_related("user").get(user__email=email)
    assert (member.role, member.name) == ("MEMBER", name)
    assert doors.password_step(guest, member)["Location"] == "/"
    assert guest.get("/").status_code == 200
    assert "<b>Example" not in browser.get(MEMBERS).content.decode()

    assert doors.client().get(path).status_code == 404  # used once
    for action in ("invitation.created", "invitation.accepted"):
        assert doors.audited(acme.pk, action)


@pytest.mark.req("A3")
def test_ended_revoked_unknown_and_used_invitations_answer_alike(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    paths = []
    for _turn in range(3):
        invite(browser, address())
        paths.append(doors.fact_paths(acme.pk, "people.invited")[-1])
    with as_tenant(acme.pk):
        revoked = Invitation.objects.order_by("-pk")[0]
        used = Invitation.objects.order_by("-pk")[1]
    assert browser.post(f"/settings/invitations/{revoked.public_id}/revoke")["Location"] == MEMBERS
    form = {"name": "Jo", "password1": cast.PASSWORD, "password2": cast.PASSWORD}
    assert doors.client().post(paths[1], form).status_code == 302
    assert used.email

    def body(answer) -> tuple[int, str]:
        # but for what is its own: the language's form goes back to this address, with a token of this answer
        own = r'value="[^"]*/invitation/[^"]*"|name="csrfmiddlewaretoken" value="[^"]*"'
        return answer.status_code, re.sub(r"[0-9a-z]{20}", "ID", re.sub(own, "OWN", answer.content.decode()))

    with clock.set_to(clock.now() + timedelta(days=8)):
        ended = body(doors.client().get(paths[0]))
        ended_post = body(doors.client().post(paths[0], form))
    others = [body(doors.client().get(p)) for p in (*paths[1:], "/accounts/invitation/nothing", paths[0][:-3] + "xyz")]
    assert ended[0] == 404
    assert {ended, ended_post, *others} == {ended}


@pytest.mark.req("A3")
def test_inviting_an_address_of_somebody_else_looks_the_same_and_makes_no_second_sign_in(acme, globex):
    browser = cast.sign_in(doors.client(), acme.manager)
    known, unknown = globex.member.user.email, address()
    answers = [invite(browser, email) for email in (known, unknown)]
    assert {(a.status_code, a["Location"]) for a in answers} == {(302, MEMBERS)}
    page = browser.get(MEMBERS).content.decode()
    assert known in page
    assert unknown in page
    paths = doors.fact_paths(acme.pk, "people.invited")[-2:]
    shown = doors.client().get(paths[0])
    assert "You have a sign-in already" in shown.content.decode()
    form = {"name": "Twice", "password1": cast.PASSWORD, "password2": cast.PASSWORD}
    assert doors.client().post(paths[0], form).status_code == 302
    assert User.objects.filter(email=known).count() == 1
    with as_tenant(acme.pk):
        assert not Member.objects.filter(user__email=known).exists()


@pytest.mark.req("A3")
def test_an_invitation_accepted_from_many_sides_makes_one_member(acme):
    with as_tenant(acme.pk):
        made = invitation_create(email=address(), name="Race", role="MEMBER", by=acme.manager, at=clock.now())
    token = made.url.rpartition("/")[2]

    def accept(_number: int) -> bool:
        try:
            invitation_accept(token=token, name="Race", password=cast.PASSWORD, at=clock.now())
        except InvitationOver:
            return False
        return True

    assert sum(_in_threads(8, accept)) == 1


@pytest.mark.req("A3")
def test_inviting_again_ends_the_earlier_link(acme):
    browser, email = cast.sign_in(doors.client(), acme.manager), address()
    invite(browser, email)
    invite(browser, email)
    first, second = doors.fact_paths(acme.pk, "people.invited")[-2:]
    assert doors.client().get(first).status_code == 404
    assert doors.client().get(second).status_code == 200


@pytest.mark.req("A3")
def test_fifty_invitations_a_day(acme):
    at = clock.now()
    with as_tenant(acme.pk):
        for _turn in range(invitations.limits.INVITE.tries):
            invitations.limits.slot_take(invitations.limits.INVITE, f"tenant {acme.pk}", at=at)
    answer = invite(cast.sign_in(doors.client(), acme.manager), address())
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 86_000


def test_a_colleague_is_not_invited_twice(acme):
    answer = invite(cast.sign_in(doors.client(), acme.manager), acme.member.user.email)
    assert answer.status_code == 422
    assert "has this e-mail address already" in answer.content.decode()


@pytest.mark.req("T8")
@pytest.mark.parametrize("role", ["ADMIN", "OPS", "FINANCE", "manager", ""])
def test_roles_of_the_other_side_cannot_be_given(acme, role):
    browser = cast.sign_in(doors.client(), acme.manager)
    assert invite(browser, address(), role).status_code == 422
    page = f"{MEMBERS}/{acme.member.public_id}"
    assert browser.post(page, {"action": "role", "role": role}).status_code == 400
    with as_tenant(acme.pk):
        assert Member.objects.get(pk=acme.member.pk).role == "MEMBER"


@pytest.mark.req("A5", "A7")
def test_manager_changes_role_access_and_second_factor_of_others_only(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    page, own = f"{MEMBERS}/{acme.member.public_id}", f"{MEMBERS}/{acme.manager.public_id}"
    assert browser.get(page).status_code == browser.get(own).status_code == 200
    for form in (
        {"action": "role", "role": "MANAGER"}, {"action": "second_factor_remove"}, {"action": "deactivate"},
        {"action": "reactivate"},
    ):  # fmt: skip
        assert browser.post(page, form)["Location"] == page
        assert browser.get(page).status_code == 200
        if form["action"] != "reactivate":
            assert browser.post(own, form).status_code == 409
    assert browser.post(page, {"action": "promote"}).status_code == 400
    for action in ("member.role_changed", "second_factor.removed", "member.deactivated", "member.reactivated"):
        assert doors.audited(acme.pk, action)


def test_the_last_manager_stays(acme):
    deputy = cast.person(acme.pk, Role.MANAGER)
    admin = cast.sign_in(doors.client(), cast.person(OPERATOR_ID, Role.ADMIN))
    base = f"/ops/accounts/{acme.tenant.public_id}/settings/members"
    assert admin.get(base).status_code == 200
    first = admin.post(f"{base}/{acme.manager.public_id}", {"action": "role", "role": "MEMBER"})
    assert first.status_code == 302
    last = admin.post(f"{base}/{deputy.public_id}", {"action": "deactivate"})
    assert last.status_code == 409
    assert "last person who can manage members" in last.content.decode()


@pytest.mark.req("A5")
@pytest.mark.parametrize("method", ["get", "post"])
def test_stale_proof_is_asked_for_again(acme, method):
    browser = cast.sign_in(doors.client(), acme.manager)
    began = browser.session.session_key
    later = clock.now() + timedelta(minutes=11)
    with clock.set_to(later):
        answer = getattr(browser, method)(f"{MEMBERS}/invite")
        confirm = answer["Location"]
        assert confirm.startswith("/accounts/2fa/reauthenticate/?next=")
        assert browser.get(confirm).status_code == 200
        page = browser.post(confirm, {"code": doors.code(later)})
        assert page.status_code == 302
        assert page["Location"] == (f"{MEMBERS}/invite" if method == "get" else "/")
        assert browser.session.session_key != began  # a new id at step-up
        assert browser.get(f"{MEMBERS}/invite").status_code == 200
    with as_tenant(acme.pk):
        assert not Invitation.objects.exists()


@pytest.mark.req("A5")
def test_step_up_by_password(acme):
    browser = cast.sign_in(doors.client(), acme.manager)
    with clock.set_to(clock.now() + timedelta(minutes=11)):
        url = f"/accounts/reauthenticate/?next={MEMBERS}/invite"
        assert browser.post(url, {"password": "wrong wrong wrong"}).status_code == 200
        assert browser.get(f"{MEMBERS}/invite").status_code == 302
        assert browser.post(url, {"password": cast.PASSWORD})["Location"] == f"{MEMBERS}/invite"
        assert browser.get(f"{MEMBERS}/invite").status_code == 200


@pytest.mark.req("T6", "T7")
def test_members_of_another_account_do_not_exist(acme, globex):
    browser = cast.sign_in(doors.client(), acme.manager)
    with as_tenant(globex.pk):
        theirs = invitation_create(email=address(), name="X", role="MEMBER", by=globex.manager, at=clock.now())

    def seen(answer) -> tuple[int, str]:
        text = re.sub(r'value="[0-9A-Za-z]{64}"', "TOKEN", answer.content.decode())
        return answer.status_code, re.sub(r"[0-9a-z]{20}", "ID", text)

    foreign, nothing = globex.member.public_id, "0" * 20
    for ask in (
        lambda pid: browser.get(f"{MEMBERS}/{pid}"),
        lambda pid: browser.post(f"{MEMBERS}/{pid}", {"action": "deactivate"}),
    ):
        assert seen(ask(foreign)) == seen(ask(nothing))
        assert ask(foreign).status_code == 404
    revoke = [browser.post(f"/settings/invitations/{pid}/revoke") for pid in (theirs.invitation.public_id, nothing)]
    assert seen(revoke[0]) == seen(revoke[1])
    assert browser.get(f"/ops/accounts/{globex.tenant.public_id}/settings/members").status_code == 404


@pytest.mark.req("T7")
def test_who_may_open_the_pages(acme):
    people = {
        "manager": acme.manager, "member": acme.member, "admin": cast.person(OPERATOR_ID, Role.ADMIN),
        "ops": cast.person(OPERATOR_ID, Role.OPS), "finance": cast.person(OPERATOR_ID, Role.FINANCE),
    }  # fmt: skip
    account = f"/ops/accounts/{acme.tenant.public_id}/settings/members"
    wanted = {
        MEMBERS: {"manager": 200, "member": 403, "admin": 404, "ops": 403, "finance": 403},
        "/settings/keys": {"manager": 200, "member": 403, "admin": 404, "ops": 404, "finance": 404},
        "/settings/keys/new": {"manager": 200, "member": 403, "admin": 404, "ops": 404, "finance": 404},
        "/settings/audit": {"manager": 200, "member": 403, "admin": 404, "ops": 404, "finance": 404},
        "/ops/settings/members": {"manager": 404, "member": 404, "admin": 200, "ops": 403, "finance": 403},
        "/ops/settings/audit": {"manager": 404, "member": 404, "admin": 200, "ops": 403, "finance": 403},
        "/accounts/security/": dict.fromkeys(people, 200),
        "/accounts/password/change/": dict.fromkeys(people, 200),
        account: {"manager": 404, "member": 404, "admin": 200, "ops": 403, "finance": 403},
    }
    got = {page: {} for page in wanted}
    for who, member in people.items():
        browser = cast.sign_in(doors.client(), member)
        for page in wanted:
            got[page][who] = browser.get(page).status_code
    assert got == wanted
    anonymous = doors.client()
    for page in wanted:
        assert anonymous.get(page)["Location"].startswith(doors.LOGIN)


def test_admin_invites_the_first_manager_of_an_account(acme):
    admin = cast.sign_in(doors.client(), cast.person(OPERATOR_ID, Role.ADMIN))
    base, email = f"/ops/accounts/{acme.tenant.public_id}/settings/members", address()
    form = {"name": "First", "email": email, "role": "MANAGER"}
    assert admin.post(f"{base}/invite", form)["Location"] == base
    with as_tenant(acme.pk):
        assert Invitation.objects.get(email=email).invited_by is None
    assert (
        admin.post("/ops/settings/members/invite", form | {"email": address()}).status_code == 422
    )  # not a staff role
    staff = form | {"email": address(), "role": "OPS"}
    assert admin.post("/ops/settings/members/invite", staff)["Location"] == "/ops/settings/members"


@pytest.mark.req("A2", "L1")
def test_seeded_member_with_second_factor_signs_in(acme):
    member = member_create(
        tenant_id=acme.pk, email=address(), name="Seeded", role=Role.MANAGER, password=cast.PASSWORD, at=clock.now(),
        totp_secret=cast.TOTP_SECRET,
    )  # fmt: skip
    browser = doors.client()
    assert doors.password_step(browser, member)["Location"] == doors.CODE
    assert browser.post(doors.CODE, {"code": doors.code(clock.now())})["Location"] == "/"
    assert doors.audited(acme.pk, "member.created")
