"""Comments on a shipment: who reads them, who is told, what is taken back, and that internal notes stay internal."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from portal.lib import clock
from portal.notify.notices import Reader, notice_render
from portal.notify.services import deliveries_create
from portal.outbox.models import OutboxRow, RowKind
from portal.shares.services import share_create
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Member, Role
from portal.webhooks.payloads import kinds
from tests import cast
from tests.apiworld import key_of
from tests.doors import client_of
from tests.tracking.messages import shipment
from tests.tracking.pages import tiered
from tracking.commented import CommentPosted, Mentioned
from tracking.mentions import Person, named, parts
from tracking.models import Comment, CommentWithdrawal, OwnerKind, Shipment
from tracking.services import (
    CommentEmpty,
    NotForThem,
    TooLate,
    comment_post,
    comment_withdraw,
    exception_comment,
    owner_set,
    shipments_follow,
)

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


def staff(name: str = "Olga Ops", role: Role = Role.OPS) -> Member:
    cast.operator()
    return cast.person(OPERATOR_ID, role, name=name)


def other(name: str) -> Member:
    """One of the staff whose name nobody else has: tests share one desk."""
    return staff(f"{name} {secrets.token_hex(4)}")


def post(ship: Shipment, by: Member, text: str, **more) -> Comment:
    with as_tenant(ship.tenant_id):
        return comment_post(shipment=ship, text=text, by=by, **{"at": NOW, **more})


def told(comment: Comment) -> dict[tuple[str, str], set[str]]:
    """(fact, side) -> the members it names, from the outbox of both scopes."""
    found: dict[tuple[str, str], set[str]] = {}
    for tenant_id, side in ((comment.tenant_id, "account"), (OPERATOR_ID, "desk")):
        with as_tenant(tenant_id):
            for row in OutboxRow.objects.filter(kind=RowKind.FACT, name__startswith="tracking."):
                if row.payload.get("comment") == comment.public_id:
                    found[row.name.removeprefix("tracking."), side] = set(row.payload.get("members", []))
    return found


def words(response) -> str:
    assert response.status_code == 200, response.content[-1500:]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


# --- names in a text ---


def test_the_longest_name_behind_an_at_counts_and_an_address_names_nobody() -> None:
    ann, anna, wei = Person("1", "Ann Li", False), Person("2", "Ann Li-Wong", True), Person("3", "王伟", False)
    people = [ann, anna, wei]
    assert named("@Ann Li-Wong and @王伟, please", people) == [anna, wei]
    assert named("@ann li: see above", people) == [ann]
    assert named("mail@Ann Li or @Ann Lisa, @", people) == []
    assert [p.text for p in parts("hi @Ann Li!", ["Ann Li"]) if p.is_mention] == ["@Ann Li"]
    assert "".join(p.text for p in parts("a @Ann Li b @x @Ann Li", ["Ann Li"])) == "a @Ann Li b @x @Ann Li"


# --- written and read ---


def test_both_sides_talk_and_each_knows_who_is_who(acme) -> None:
    ship, olga = shipment(acme), staff()
    customer, desk = client_of(acme.member), client_of(olga)
    base = f"/shipments/{ship.public_id}"
    ops = f"/ops/accounts/{acme.tenant.public_id}{base}"
    assert customer.post(f"{base}/comments", {"text": "Can it come on Friday?"}).status_code == 302
    assert desk.post(f"{ops}/comments", {"text": "Yes, at ten.", "readers": "customer"}).status_code == 302
    theirs, ours = words(customer.get(base)), words(desk.get(ops))
    assert "Olga Ops your forwarder" in theirs and "Yes, at ten." in theirs
    assert f"{acme.member.name} the customer" in ours and "Can it come on Friday?" in ours


@pytest.mark.req("X1")
def test_what_is_written_is_shown_as_text_and_never_run(acme) -> None:
    ship = shipment(acme)
    post(ship, acme.member, "<script>alert(1)</script>\n<b>@nobody</b> {{ 7|add:7 }}")
    page = client_of(acme.member).get(f"/shipments/{ship.public_id}").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;<br>&lt;b&gt;@nobody&lt;/b&gt; {{ 7|add:7 }}" in page
    assert "<script>alert" not in page


def test_posting_from_the_page_answers_with_the_thread_alone_and_a_fault_at_its_field(acme) -> None:
    ship = shipment(acme)
    client, path = client_of(acme.member), f"/shipments/{ship.public_id}/comments"
    part = client.post(path, {"text": "Hello"}, headers={"HX-Request": "true"})
    assert part.status_code == 200
    assert "<html" not in part.content.decode() and 'id="comments"' in part.content.decode()
    assert client.post(path, {"text": "  "}).status_code == 422
    assert "field-error" in client.post(path, {"text": ""}, headers={"HX-Request": "true"}).content.decode()
    assert client.post(path, {"text": "x" * 4001}).status_code == 422
    with as_tenant(acme.pk):
        assert Comment.objects.count() == 1
        with pytest.raises(CommentEmpty):
            comment_post(shipment=ship, text=" \n", by=acme.member, at=NOW)


def test_a_long_thread_is_read_page_by_page(acme) -> None:
    ship = shipment(acme)
    for n in range(45):
        post(ship, acme.member, f"number {n:02d}.")
    client, seen = client_of(acme.member), []
    path = f"/shipments/{ship.public_id}/comments"
    while path:
        page = client.get(path).content.decode()
        seen = [*re.findall(r"number (\d\d)\.", page), *seen]
        earlier = re.search(r'href="([^"]*before=[^"]*)"', page)
        path = earlier.group(1) if earlier else ""
    assert seen == [f"{n:02d}" for n in range(45)]
    assert client.get(f"/shipments/{ship.public_id}/comments?before=nonsense").status_code == 200


# --- taken back ---


def test_an_author_takes_a_comment_back_within_minutes_and_not_later(acme) -> None:
    ship = shipment(acme)
    slip, old = post(ship, acme.member, "Wrong box."), post(ship, acme.member, "Early.", at=NOW - timedelta(minutes=16))
    client, base = client_of(acme.member), f"/shipments/{ship.public_id}/comments"
    assert client.get(f"{base}/{slip.public_id}/withdraw").status_code == 200
    assert client.post(f"{base}/{slip.public_id}/withdraw").status_code == 302
    page = words(client.get(base))
    assert "Wrong box." not in page and f"Withdrawn by {acme.member.name}." in page
    client.post(f"{base}/{old.public_id}/withdraw")
    assert "Early." in words(client.get(base))
    with as_tenant(acme.pk):
        with pytest.raises(TooLate):
            comment_withdraw(shipment=ship, public_id=old.public_id, by=acme.member, at=NOW)
        assert Comment.objects.get(pk=slip.pk).text == "Wrong box.", "the record keeps it"
        assert CommentWithdrawal.objects.count() == 1
    assert client_of(acme.manager).post(f"{base}/{old.public_id}/withdraw").status_code == 404


def test_the_desk_withdraws_with_a_reason(acme) -> None:
    ship, olga = shipment(acme), staff()
    rude = post(ship, acme.member, "Something rude.")
    path = f"/ops/accounts/{acme.tenant.public_id}/shipments/{ship.public_id}/comments/{rude.public_id}/withdraw"
    desk = client_of(olga)
    assert desk.post(path).status_code == 422
    assert desk.post(path, {"why": "Not fit to read."}).status_code == 302
    page = words(client_of(acme.member).get(f"/shipments/{ship.public_id}/comments"))
    assert "Withdrawn by Olga Ops. Not fit to read." in page
    assert "Olga Ops withdrew a comment" in words(client_of(acme.member).get(f"/shipments/{ship.public_id}/changes"))
    assert client_of(staff("Finn", Role.FINANCE)).post(path, {"why": "x"}).status_code == 403


# --- who is told ---


def test_who_is_named_is_told_so_followers_hear_of_it_and_nobody_twice(acme) -> None:
    ship, olga = shipment(acme), staff()
    others = [cast.person(acme.pk, Role.MEMBER, name=name) for name in ("Fay Follower", "Nils Named", "Ina Idle")]
    with as_tenant(acme.pk):
        shipments_follow(member=others[0], shipments=[ship.pk], at=NOW)
        shipments_follow(member=others[1], shipments=[ship.pk], at=NOW)
    said = post(ship, olga, "@Nils Named: it is on the truck.")
    assert told(said) == {
        ("mentioned", "account"): {others[1].public_id}, ("comment_posted", "account"): {others[0].public_id},
    }  # fmt: skip
    answer = post(ship, others[1], "Thank you.")
    assert told(answer) == {
        ("comment_posted", "account"): {others[0].public_id}, ("comment_posted", "desk"): {olga.public_id},
    }  # fmt: skip


def test_a_question_reaches_the_owner_and_where_nobody_is_at_it_the_desk(acme, globex) -> None:
    alone = post(shipment(acme), acme.member, "Is anybody there?")
    assert told(alone) == {("customer_wrote", "desk"): set()}
    olga = staff()
    with as_tenant(globex.pk):
        owner_set(
            kind=OwnerKind.ACCOUNT, about="", owner=olga.public_id, deputy="", valid_from=NOW.date(), actor="x", at=NOW
        )
    assert told(post(shipment(globex), globex.member, "Hello?")) == {("comment_posted", "desk"): {olga.public_id}}
    with as_tenant(OPERATOR_ID):
        Member.objects.filter(pk=olga.pk).update(is_active=False)
    assert told(post(shipment(globex), globex.member, "Hello?")) == {("customer_wrote", "desk"): set()}, "she has left"


@pytest.mark.req("O9")
def test_a_mail_goes_to_the_members_that_the_fact_names_and_to_no_other_account(acme, globex) -> None:
    said = post(shipment(acme), acme.manager, f"@{acme.member.name} please look.")
    fact = Mentioned(occurred_at=NOW, comment=said.public_id, reference="R", account="", author="A", text="t",
                     path="/x", members=[acme.member.public_id, globex.member.public_id])  # fmt: skip
    with as_tenant(acme.pk):
        from django.db import transaction

        with transaction.atomic():
            assert deliveries_create(fact=fact, recorded_at=NOW, at=NOW) == 1


def test_a_customer_can_name_those_of_the_staff_who_answered_and_no_others(acme) -> None:
    ship, olga, otto = shipment(acme), other("Olga Owl"), other("Otto Other")
    post(ship, olga, "Good morning.")
    page = client_of(acme.member).get(f"/shipments/{ship.public_id}/comments").content.decode()
    assert f"{olga.name} (your forwarder)" in page and otto.name not in page
    said = post(ship, acme.member, f"@{olga.name} and @{otto.name}", named_ids=[otto.public_id])
    assert told(said)["mentioned", "desk"] == {olga.public_id}


# --- internal notes ---


@pytest.mark.req("T7", "T9")
def test_an_internal_note_leaves_the_desk_by_no_door(acme) -> None:
    tiered(acme, "PREMIUM")
    ship, olga, otto = shipment(acme), other("Olga Owl"), other("Otto Other")
    with as_tenant(acme.pk):
        shipments_follow(member=acme.member, shipments=[ship.pk], at=NOW)
    desk, base = client_of(olga), f"/shipments/{ship.public_id}"
    ops = f"/ops/accounts/{acme.tenant.public_id}{base}"
    assert desk.post(f"{ops}/comments", {"text": f"CANARY they pay late, @{otto.name}"}).status_code == 302
    with as_tenant(acme.pk):
        note = Comment.objects.get()
        _link, token = share_create(shipment=ship, label="x", days=9, by=acme.manager, at=NOW)
    assert note.is_internal, "what is not said to be for the customer is internal"
    assert told(note) == {("mentioned", "desk"): {otto.public_id}}
    with as_tenant(acme.pk):
        assert not OutboxRow.objects.filter(payload__icontains="CANARY").exists()
        assert not AuditEntry.objects.filter(details__icontains=note.public_id).exists()
    key = client_of(None, key=key_of(acme))
    pages = (base, f"{base}/comments", f"{base}/comments?before={note.public_id}", f"{base}/changes",
             f"{base}/documents", f"{base}/events", "/", "/shipments", "/settings/audit", f"/s/{token}")  # fmt: skip
    for client in (client_of(acme.manager), client_of(acme.member)):
        for page in pages:
            text = client.get(page).content.decode().replace(page, "")  # its own address it may repeat
            assert "CANARY" not in text and note.public_id not in text and "Olga Owl" not in text, page
        assert client.get(f"{base}/comments/{note.public_id}/withdraw").status_code == 404
        assert client.post(f"{base}/comments/{note.public_id}/withdraw").status_code == 404
        assert "CANARY" not in b"".join(client.get("/shipments.csv").streaming_content).decode()
    assert key.get(f"/api/v1{base}/comments").json()["items"] == []
    assert "CANARY" not in key.get(f"/api/v1{base}").content.decode()
    assert "CANARY" in desk.get(ops).content.decode()
    assert {"tracking.mentioned", "tracking.comment_posted", "tracking.customer_wrote"}.isdisjoint(kinds())


def test_a_later_comment_for_the_customer_does_not_tell_of_the_note_before_it(acme) -> None:
    ship, olga, otto = shipment(acme), other("Olga Owl"), other("Otto Other")
    post(ship, otto, "CANARY margin is thin", is_internal=True)
    post(ship, olga, "Your box is out.")
    page = client_of(acme.member).get(f"/shipments/{ship.public_id}/comments").content.decode()
    assert "Your box is out." in page
    assert "CANARY" not in page and "Otto Other" not in page, "nor who wrote it, among those that can be named"


def test_nobody_of_the_account_is_named_in_an_internal_note(acme) -> None:
    ship, olga = shipment(acme), staff()
    with pytest.raises(NotForThem, match=re.escape(acme.member.name)):
        post(ship, olga, f"@{acme.member.name} is difficult", is_internal=True)
    assert post(ship, acme.member, "mine", is_internal=True).is_internal is False


@pytest.mark.req("T7")
def test_a_note_on_an_exception_that_is_not_for_the_customer_is_not_in_its_audit_trail(acme) -> None:
    from tests.tracking.test_exception_pages import rolled

    tiered(acme, "PRIORITY")
    _made, case = rolled(acme)
    with as_tenant(acme.pk):
        exception_comment(public_id=case.public_id, note="CANARY the line owes us", for_customer=False, actor=staff(),
                          at=NOW)  # fmt: skip
    assert "CANARY" not in client_of(acme.manager).get("/settings/audit").content.decode()


def test_mails_say_who_wrote_what_and_escape_it() -> None:
    said = {**CommentPosted.values(), "text": "<b>x</b> & y", "members": []}
    notice = notice_render(CommentPosted(**said), Reader("Meridian", "Acme", "Mara", "en", ""))
    assert "<b>x</b> & y" in notice.text and "&lt;b&gt;x&lt;/b&gt; &amp; y" in notice.html
    assert notice.subject == "MRD-2026-00417: Mara Jansen wrote"


def test_the_audit_trail_knows_of_a_comment_and_not_of_its_text(acme) -> None:
    said = post(shipment(acme), acme.member, "private words")
    with as_tenant(acme.pk):
        entry = AuditEntry.objects.get(action="comment.posted")
    assert entry.details == {"comment": said.public_id}
