"""The product's main job by hand, in a browser, with everything running that production runs.

A message becomes a milestone and a mail, a refusal is mended, a month is checked, a credit approved, a tier changed.
Also by people in a hurry: mistyped, pasted, clicked twice. Every page on the way is judged.
"""

from __future__ import annotations

import csv
import json
import re
import secrets
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Locator, expect

from kpis.models import Snapshot
from kpis.services import snapshot_publish
from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Member, Role
from tests import cast, processes
from tests.browser.desk import Desk
from tests.doors import session_of
from tests.processes import Sink, running, wait_for
from tests.tiers import world as promises
from tests.tracking.messages import box, equipment, number_of, shipment, source, take, vessel
from tiers.credits.models import LedgerTransaction
from tracking.models import Reference, Shipment, Source

pytestmark = pytest.mark.slow
Open = Callable[..., Desk]


@dataclass
class Tale:
    """An account with a shipment at sea and a month in breach, and the operator's people."""

    account: cast.Account
    shipment: Shipment
    box: str
    booking: str
    carrier: Source
    staff: dict[Role, Member]
    credit: str
    snapshot: Snapshot


@pytest.fixture(scope="module")
def tale() -> Tale:
    """A fresh one; every test of this file uses a part of its own."""
    account = cast.account("TALE")
    promises.premium(account)
    roles = (Role.OPS, Role.ACCOUNT_MANAGER, Role.FINANCE, Role.ADMIN)
    staff = {role: cast.person(OPERATOR_ID, role) for role in roles}
    for person in (*staff.values(), account.manager):
        cast.second_factor(person)
    made, line = at_sea(account), source()
    booking = booking_of(made)
    left = ago(days=30)
    take(line, [equipment("GTIN", number_of(made), left), vessel("DEPA", booking, left, place="CNSHA")], at=clock.now())
    snapshot, credit = breach(account)
    return Tale(account, made, number_of(made), booking, line, staff, credit, snapshot)


def at_sea(account: cast.Account, **more: Any) -> Shipment:
    """A shipment that is promised in five days."""
    now = clock.now()
    return shipment(account, due_date=now.date() + timedelta(days=5), booked_at=now - timedelta(days=60),
                    confirmed_at=now - timedelta(days=59), **more)  # fmt: skip


def ago(**span: float) -> str:
    """An instant as a carrier writes it."""
    return (clock.now() - timedelta(**span)).isoformat(timespec="seconds")


def booking_of(made: Shipment) -> str:
    with as_tenant(made.tenant_id):
        return str(Reference.objects.get(shipment=made, kind="BOOKING").written)


def breach(account: cast.Account) -> tuple[Snapshot, str]:
    """17 of 20 on time in March, promised 95 %: closed, published, worked out."""
    promises.agree(account, valid_from=date(2026, 1, 1))
    promises.bill(account, promises.month(account, on_time=17, late=3), "9000.00")
    closed = promises.close(account)
    line = promises.assessed(account, closed)[0]
    with as_tenant(account.pk):
        snapshot_publish(public_id=closed.public_id, at=closed.published_at)
    return closed, str(line.public_id)


@pytest.fixture(scope="module")
def post_office(portal: str) -> Iterator[Sink]:
    """Worker and dispatcher, and the server that takes their mail."""
    with Sink() as sink:
        surroundings = {"EMAIL_URL": sink.url, "PUBLIC_URL": portal}
        with running(processes.worker(**surroundings), processes.dispatcher(**surroundings)):
            yield sink


# --- what people do ---


def signed_in(desk: Open, person: Member, *, ahead: int = 0) -> Desk:
    """Through the front door, with a code where the role needs one; a second time soon, with the code after it."""
    made = desk()
    made.sign_in(person.user.email, cast.PASSWORD, "" if person.role == Role.MEMBER else cast.TOTP_SECRET, ahead=ahead)
    expect(made.page.locator("nav.side")).to_be_attached()
    return made


def a_while_ago(desk: Desk, person: Member) -> Desk:
    """Somebody who signed in a quarter of an hour ago: money needs a fresh proof (A5)."""
    key = session_of(person)
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key=key)
    session["proven_at"] -= 15 * 60
    session.save()
    desk.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": desk.address}])
    return desk


def good(desk: Desk) -> None:
    """Nothing is wrong with the page as it stands."""
    assert desk.judge() == []


def main(desk: Desk) -> Locator:
    return desk.page.locator("main")


def press(desk: Desk, name: str) -> None:
    desk.page.get_by_role("button", name=re.compile(name)).click()


def post(portal: str, carrier: str, key: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """A partner's system sends a message."""
    request = urllib.request.Request(
        f"{portal}/ingest/{carrier}", data=json.dumps(events).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def find(desk: Desk, text: str) -> None:
    """Types into the search box, as pasted."""
    search = desk.page.get_by_label("Find by any reference")
    search.fill(text)
    search.press("Enter")


def link_in(mail: Any) -> str:
    """The first address in the plain part of a mail."""
    text = mail.get_payload()[0].get_payload(decode=True).decode()
    return re.search(r"https?://\S+", text).group()  # type: ignore[union-attr]


# --- the story ---


@pytest.mark.req("A2", "A6", "G1", "G2", "O1")
def test_a_new_source_reports_and_the_shipper_reads_it_on_the_page_and_in_the_mail(
    desk: Open, portal: str, post_office: Sink, tale: Tale
) -> None:
    admin = signed_in(desk, tale.staff[Role.ADMIN])
    carrier, key = add_source(admin)
    counts = post(portal, carrier, key, [vessel("ARRI", tale.booking, ago(minutes=15), place="NLRTM")])
    assert (counts["accepted"], counts["quarantined"]) == (1, 0)

    shipper = signed_in(desk, tale.account.member)
    good(shipper)
    find(shipper, tale.box)
    expect(shipper.page.locator("h1")).to_contain_text(tale.shipment.ref)
    arrived = main(shipper).locator("li", has_text="Vessel arrived").first
    expect(arrived).to_contain_text(carrier)
    expect(arrived).to_contain_text("heard")
    good(shipper)
    opened = shipper.page.url

    def about() -> list[Any]:
        mails = post_office.to(tale.account.member.user.email)
        return [m for m in mails if m["Subject"] == f"{tale.shipment.ref}: Vessel arrived, NLRTM"]

    (mail,) = wait_for(about, seconds=90, what="the mail about the arrival")
    shipper.page.goto(link_in(mail))
    assert shipper.page.url == opened


def add_source(admin: Desk) -> tuple[str, str]:
    """(key in addresses, secret) of a carrier that the admin adds; the secret is on one page, once."""
    carrier = f"line-{secrets.token_hex(4)}"
    admin.open("/ops/sources")
    admin.page.get_by_role("link", name="New source").click()
    good(admin)
    admin.page.get_by_label("Name").fill("Northern Line")
    admin.page.get_by_label("Key", exact=True).fill(carrier)
    admin.page.get_by_label("Kind").select_option("carrier")
    press(admin, "Add the source")
    good(admin)
    key = admin.page.locator("code.secret").first.inner_text()
    admin.page.get_by_role("link", name="I have stored them").click()
    expect(main(admin)).to_contain_text(carrier)
    assert key not in admin.page.content()
    good(admin)
    return carrier, key


@pytest.mark.req("G5", "R1.6", "R1.10")
def test_operations_reads_why_an_event_waits_and_replays_it_once_it_can_be_used(desk: Open, tale: Tale) -> None:
    unknown = box()
    take(tale.carrier, [equipment("GTIN", unknown, ago(days=2))], at=clock.now())
    ops = signed_in(desk, tale.staff[Role.OPS])
    ops.open("/ops/quarantine?reason=no_matching_shipment")
    good(ops)
    main(ops).locator("tr", has_text=unknown).locator("a.rowlink").click()
    expect(ops.page.locator("h1")).to_contain_text("No shipment has any of the references")
    expect(main(ops)).to_contain_text("no_matching_shipment")
    expect(ops.page.locator(".raw .is-marked")).to_contain_text(unknown)
    good(ops)
    press(ops, "Replay")
    expect(main(ops)).to_contain_text("It still cannot be used")
    good(ops)
    made = at_sea(tale.account, containers=(unknown,))
    if ops.page.get_by_role("button", name="Replay").is_visible():
        press(ops, "Replay")
    else:
        ops.page.reload()
    expect(ops.page.locator("h1")).to_contain_text("Replayed")
    good(ops)
    shipper = desk(tale.account.member)
    shipper.open(f"/shipments/{made.public_id}")
    expect(main(shipper).locator("li", has_text="Gate in, full").first).to_contain_text(tale.carrier.key)


@pytest.mark.req("R4.2", "R4.3")
def test_a_closed_month_can_be_counted_again_from_the_file_beside_it(desk: Open, tale: Tale) -> None:
    manager = signed_in(desk, tale.account.manager)
    manager.open("/snapshots")
    good(manager)
    main(manager).locator("a[href^='/snapshots/']", has_text="March 2026").click()
    expect(main(manager)).to_contain_text("17 of 20")
    good(manager)
    with manager.page.expect_download() as download:
        manager.page.get_by_role("link", name=re.compile(r"facts\.csv")).first.click()
    with open(download.value.path(), newline="", encoding="utf-8") as file:
        counted = Counter(row["outcome"] for row in csv.DictReader(file))
    assert counted["ON_TIME"] == 17
    assert sum(counted.values()) == 20


@pytest.mark.req("A5", "M7", "V18")
def test_a_credit_goes_from_sales_over_finance_to_the_shipper_once(desk: Open, post_office: Sink, tale: Tale) -> None:
    at = f"/ops/accounts/{tale.account.tenant.public_id}/credits/{tale.credit}"
    sales = signed_in(desk, tale.staff[Role.ACCOUNT_MANAGER])
    sales.open(at)
    good(sales)
    press(sales, "Send to review")
    expect(main(sales)).to_contain_text("Sent to review.")
    expect(main(sales)).to_contain_text("Your role looks on here")
    good(sales)

    finance = a_while_ago(desk(), tale.staff[Role.FINANCE])
    finance.open("/ops/credits?state=IN_REVIEW")
    good(finance)
    finance.open(at)
    press(finance, "Approve")
    expect(finance.page.locator("h1")).to_contain_text("Confirm that it is you")
    good(finance)
    finance.confirm(cast.TOTP_SECRET)
    finance.page.wait_for_url(f"**{at}")
    finance.page.get_by_role("button", name=re.compile("Approve")).dblclick()
    expect(main(finance)).to_contain_text("Approved and posted.")
    good(finance)
    with as_tenant(tale.account.pk):
        assert LedgerTransaction.objects.count() == 1

    shipper = desk(tale.account.member)
    shipper.open("/credits")
    good(shipper)
    main(shipper).locator("a[href^='/credits/']").first.click()
    for words in ("Approved", "17 of 20 on time", "Share of the base", "1,350.00 USD", "CREDITS_PAYABLE"):
        expect(main(shipper)).to_contain_text(words)
    good(shipper)
    manager = tale.account.manager.user.email
    told = wait_for(lambda: [m for m in post_office.to(manager) if "1,350.00" in m["Subject"]], seconds=90,
                    what="the mail about the credit")  # fmt: skip
    assert len(told) == 1


@pytest.mark.req("R5.2", "R5.3")
def test_an_admin_sees_what_a_tier_brings_before_it_does(desk: Open, tale: Tale) -> None:
    plain = cast.account("PLAIN")
    shipper = signed_in(desk, plain.member)
    assert shipper.page.get_by_role("link", name="KPI snapshots").count() == 0
    assert shipper.open("/snapshots").status == 403
    expect(shipper.page.locator("h1")).to_contain_text("Your service tier does not include this")
    good(shipper)

    admin = signed_in(desk, tale.staff[Role.ADMIN], ahead=1)
    admin.open(f"/ops/accounts?q={plain.tenant.code}")
    good(admin)
    main(admin).locator("a.rowlink").first.click()
    good(admin)
    admin.page.get_by_label("New tier").select_option("PRIORITY")
    press(admin, "See what changes")
    expect(main(admin)).to_contain_text(f"{plain.tenant.name} goes from Standard to Priority on")
    expect(main(admin)).to_contain_text("Monthly KPI snapshots")
    good(admin)
    assert shipper.open("/snapshots").status == 403
    press(admin, "Confirm the change")
    expect(admin.page.locator("h1")).to_contain_text("Priority")
    good(admin)
    assert shipper.open("/snapshots").status == 200
    good(shipper)


# --- people in a hurry ---


@pytest.mark.req("A1", "A2", "A3")
def test_a_wrong_password_and_a_wrong_code_are_said_in_words(desk: Open, tale: Tale) -> None:
    person = cast.person(OPERATOR_ID, Role.OPS)
    cast.second_factor(person)
    hurried = desk()
    hurried.sign_in(person.user.email, "not-the-passphrase")
    expect(main(hurried)).to_contain_text("do not belong together")
    good(hurried)
    hurried.sign_in(person.user.email.upper(), cast.PASSWORD)
    expect(hurried.page.locator("h1")).to_contain_text("Your code")
    good(hurried)
    hurried.page.get_by_label("Code").fill("12 34 5")
    press(hurried, "Continue")
    expect(hurried.page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    good(hurried)
    hurried.type_code(cast.TOTP_SECRET, spaced=True)
    expect(hurried.page.locator("nav.side")).to_be_attached()


@pytest.mark.parametrize("way", ["lower case and blanks", "a pasted list", "a part", "nothing of ours"])
def test_the_search_takes_what_is_pasted(desk: Open, tale: Tale, way: str) -> None:
    other = at_sea(tale.account)
    shipper = desk(tale.account.member)
    shipper.open("/")
    box_ = tale.box
    typed, found = {
        "lower case and blanks": (f"  {box_[:4].lower()} {box_[4:10]}-{box_[10]} ", [tale.shipment.ref]),
        "a pasted list": (f"{box_}, {other.ref.lower()};ZZZU9999999", [tale.shipment.ref, other.ref]),
        "a part": (box_[3:], [tale.shipment.ref]),
        "nothing of ours": ("ZZZU9999999", []),
    }[way]
    find(shipper, typed)
    for ref in found:
        expect(main(shipper)).to_contain_text(ref)
    if not found or way == "a pasted list":
        expect(main(shipper)).to_contain_text("ZZZU9999999")
    good(shipper)


def test_an_address_that_is_not_there_says_so(desk: Open, tale: Tale) -> None:
    shipper = desk(tale.account.member)
    assert shipper.open("/shipments/nothing").status == 404
    assert "Traceback" not in shipper.page.content()
    good(shipper)
