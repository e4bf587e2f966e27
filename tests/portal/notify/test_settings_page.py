"""A person says what is told, where, of which shipments and when; the page says what is missing, at the field."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from portal.notify.models import MailWording
from portal.notify.wishes import Wish, habits_row, wishes_of, zone_of
from portal.notify.wording import PRESSING, kinds_for
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Member, Role
from tests.cast import Account, operator, person, sign_in
from tests.portal.notify.post import FACT, run, tell
from tests.processes import Sink
from tests.tracking.messages import shipment

PAGE = "/settings/notices"


def as_shown(client: Client) -> dict[str, Any]:
    """What the browser would send if nothing were changed."""
    page = client.get(PAGE).content.decode()
    found: dict[str, Any] = {}
    for select in re.findall(r'<select name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', select[1])
        found[select[0]] = chosen.group(1) if chosen else re.search(r'<option value="([^"]*)"', select[1]).group(1)
    for box in re.findall(r"<input type=\"(?:checkbox|time)\"[^>]*>", page):
        name = re.search(r'name="([^"]+)"', box).group(1)
        value = re.search(r'value="([^"]*)"', box)
        if "checkbox" not in box:
            found[name] = value.group(1) if value else ""
        elif " checked" in box:
            found.setdefault(name, []).append(value.group(1) if value else "on")
    return found


def said(member: Member) -> dict[str, Wish]:
    with as_tenant(member.tenant_id):
        return wishes_of(member.pk)


def test_what_is_shown_is_what_holds_and_what_is_changed_is_stored(acme: Account) -> None:
    made = shipment(acme)
    client = sign_in(Client(), acme.member)
    form = as_shown(client)
    assert client.post(PAGE, form).status_code == 302
    assert said(acme.member) == {}, "nothing was changed"
    key = "tracking.milestone_reached"
    form |= {
        f"mail-{key}": "DIGEST", f"which-{key}": "LANES", f"always-{key}": "on", "lanes": [made.lane],
        "digest": "WEEKLY", "digest_weekday": "4", "digest_hour": "16", "quiet_from": "21:30", "quiet_to": "06:45",
        "quiet_weekend": "on", "zone": "Asia/Shanghai",
    }  # fmt: skip
    del form[f"bell-{key}"]
    assert client.post(PAGE, form, follow=True).status_code == 200
    assert said(acme.member) == {key: Wish(mail="DIGEST", bell=False, which="LANES", always=True)}
    with as_tenant(acme.pk):
        row = habits_row(acme.member.pk)
        assert (row.digest, row.digest_weekday, row.digest_hour, row.lanes) == ("WEEKLY", 4, 16, [made.lane])
        assert (str(row.quiet_from), str(row.quiet_to), row.quiet_weekend) == ("21:30:00", "06:45:00", True)
        assert zone_of(Member.objects.get(pk=acme.member.pk)).key == "Asia/Shanghai"
    again = as_shown(client)
    assert {name: again[name] for name in ("digest", "quiet_from", "zone", f"which-{key}")} == {
        "digest": "WEEKLY", "quiet_from": "21:30", "zone": "Asia/Shanghai", f"which-{key}": "LANES",
    }  # fmt: skip
    assert f"bell-{key}" not in again


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"quiet_from": "22:00"}, "quiet_to", "or leave both empty"),
        ({"quiet_from": "22:00", "quiet_to": "22:00"}, "quiet_to", "for ever"),
        ({"quiet_from": "25:00", "quiet_to": "22:00"}, "quiet_from", "valid time"),
        ({"mail-tracking.exception_raised": "DIGEST"}, "digest", "how often"),
        ({"digest": "HOURLY"}, "digest", "valid choice"),
        ({"digest_hour": "24"}, "digest_hour", "valid choice"),
        ({"zone": "Mars/Olympus"}, "zone", "valid choice"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_stored(
    acme: Account, changes: dict[str, str], field: str, says: str
) -> None:
    client = sign_in(Client(), acme.member)
    answer = client.post(PAGE, {**as_shown(client), "mail-tracking.milestone_reached": "OFF", **changes})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Nothing is saved yet" in page
    assert says in re.search(rf'id="id_{field}_error".*?</p>', page, re.S).group(0)
    assert said(acme.member) == {}


def test_lanes_need_a_lane_and_belong_to_the_account(acme: Account, globex: Account) -> None:
    shipment(acme)
    other = shipment(globex, pod="DEHAM", final_place="DEHAM")
    client = sign_in(Client(), acme.member)
    form = {**as_shown(client), "which-tracking.milestone_reached": "LANES"}
    assert client.post(PAGE, form).status_code == 400
    assert client.post(PAGE, {**form, "lanes": [other.lane]}).status_code == 400
    assert other.lane not in client.get(PAGE).content.decode()


def test_one_press_sets_everything_and_keeps_which_shipments(acme: Account) -> None:
    client = sign_in(Client(), acme.manager)
    key = "tracking.milestone_reached"
    client.post(PAGE, {**as_shown(client), f"which-{key}": "FOLLOWED"})
    kinds = kinds_for(is_staff=False, is_manager=True)
    assert client.post(PAGE, {"preset": "calm"}).status_code == 302
    assert {k: w.mail for k, w in said(acme.manager).items()} == {
        k: "NOW" if k in PRESSING else "DIGEST" for k in kinds
    }  # fmt: skip
    assert said(acme.manager)[key].which == "FOLLOWED"
    with as_tenant(acme.pk):
        assert habits_row(acme.manager.pk).digest == "DAILY"
    client.post(PAGE, {"preset": "bell"})
    assert {w.mail for w in said(acme.manager).values()} == {"OFF"}
    client.post(PAGE, {"preset": "all"})
    assert {w.mail for w in said(acme.manager).values()} == {"NOW"}
    assert client.post(PAGE, {"preset": "loud"}).status_code == 400


def test_each_role_is_asked_about_its_own_kinds(acme: Account) -> None:
    operator()
    member, manager = (sign_in(Client(), m).get(PAGE).content.decode() for m in (acme.member, acme.manager))
    staff = sign_in(Client(), person(OPERATOR_ID, Role.OPS)).get(PAGE).content.decode()
    assert "A service credit is approved" in manager
    assert "A service credit is approved" not in member.split("<main")[1]
    assert "A source has fallen silent" in staff
    assert "Those I follow" not in staff
    assert "My lanes" not in staff


def test_what_was_said_before_is_kept_by_the_migration(acme: Account) -> None:
    moved = importlib.import_module("portal.notify.migrations.0004_wishes").MOVED
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "create temp table notify_noticepreference"
            " (id bigserial, tenant_id bigint, member_id bigint, fact_key text,"
            " channel text, wanted bool, mail text default 'NOW', bell bool default true, which text default 'ALL',"
            " always bool default false, changed_at timestamptz default now(),"
            " unique (tenant_id, member_id, fact_key, channel)) on commit drop"
        )
        cursor.execute(
            "insert into notify_noticepreference (tenant_id, member_id, fact_key, channel, wanted) values"
            " (1, 1, 'a.b', 'MAIL', false), (1, 1, 'c.d', 'MAIL', true), (1, 1, 'c.d.followed', 'MAIL', true),"
            " (1, 2, 'a.b.followed', 'MAIL', true), (1, 3, 'a.b.followed', 'MAIL', false)"
        )
        for statement in moved:
            cursor.execute(statement.replace("%", "%%"), [])
        cursor.execute("select member_id, fact_key, mail, which from notify_noticepreference order by 1, 2")
        assert cursor.fetchall() == [
            (1, "a.b", "OFF", "ALL"), (1, "c.d", "NOW", "FOLLOWED"), (2, "a.b", "NOW", "FOLLOWED"),
        ]  # fmt: skip


def test_the_operator_writes_around_an_accounts_mails(acme: Account, globex: Account, sink: Sink) -> None:
    address = f"/ops/accounts/{acme.tenant.public_id}/settings/mails"
    lee, finance = (sign_in(Client(), person(OPERATOR_ID, role)) for role in (Role.ACCOUNT_MANAGER, Role.FINANCE))
    said = {"greeting-en": "Dear {name},", "closing-en": "Call <b>Lee</b>: +31 10 1234"}
    assert finance.post(address, said).status_code == 403
    assert lee.post(address, {**said, "greeting-en": "x" * 201}).status_code == 400
    assert lee.post(address, said).status_code == 302
    assert "Call &lt;b&gt;Lee&lt;/b&gt;" in lee.get(address).content.decode()
    for account in (acme, globex):
        tell(account, FACT)
        run(account)
    parts = sink.to(acme.member.user.email)[0].get_payload()
    plain, html = (part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in parts)
    assert plain.startswith(f"Dear {acme.member.name},\n\nMRD-2026-00417: ")
    assert "\n\nCall <b>Lee</b>: +31 10 1234\n\n-- \n" in plain
    assert "Call &lt;b&gt;Lee&lt;/b&gt;" in html
    assert "Lee" not in sink.to(globex.member.user.email)[0].as_string()
    with as_tenant(acme.pk):
        assert AuditEntry.objects.filter(action="mail.wording_set").count() == 1
    lee.post(address, {"greeting-en": "", "closing-en": ""})
    with as_tenant(acme.pk):
        assert not MailWording.objects.exists()
