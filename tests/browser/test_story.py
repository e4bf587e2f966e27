"""The product's main job by hand, in a browser: a message becomes a milestone, a refusal is mended, a credit approved.

Each page on the way is judged wide and narrow and kept as a picture in var/screenshots.
"""

from __future__ import annotations

import json
import re
import secrets
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from kpis.services import snapshot_publish
from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import Member, Role
from tests import cast
from tests.browser.desk import Desk
from tests.tiers import world as promises
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tiers.credits.services import credit_send_to_review
from tracking.models import Place, Reference, Shipment, Source

pytestmark = pytest.mark.slow

PICTURES = Path(__file__).resolve().parents[2] / "var" / "screenshots"
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
Open = Callable[..., Desk]


@dataclass
class Tale:
    """An account with a shipment at sea and a month in breach, a carrier with a key, and the operator's people."""

    account: cast.Account
    shipment: Shipment
    box: str
    carrier: Source
    key: str
    staff: dict[Role, Member]
    credit: str


@pytest.fixture(scope="module")
def tale() -> Tale:
    account = cast.account("TALE")
    promises.premium(account)
    staff = {role: cast.person(OPERATOR_ID, role) for role in
             (Role.OPS, Role.ACCOUNT_MANAGER, Role.FINANCE, Role.ADMIN)}  # fmt: skip
    for person in (*staff.values(), account.manager):
        cast.second_factor(person)
    today = clock.now()
    made = shipment(account, due_date=today.date() + timedelta(days=5), booked_at=today - timedelta(days=60),
                    confirmed_at=today - timedelta(days=59))  # fmt: skip
    line = source()
    with as_tenant(OPERATOR_ID):
        _row, key = key_create(label="carrier", at=today, scope="events:write", source_key=line.key)
    left = (today - timedelta(days=30)).strftime("%Y-%m-%dT10:00:00+08:00")
    take(
        line, [equipment("GTIN", number_of(made), left), vessel("DEPA", _booking(made), left, place="CNSHA")], at=today
    )
    return Tale(account, made, number_of(made), line, key, staff, _credit(account, staff[Role.ACCOUNT_MANAGER]))


def _booking(made: Shipment) -> str:
    with as_tenant(made.tenant_id):
        return str(Reference.objects.get(shipment=made, kind="BOOKING").written)


def _credit(account: cast.Account, preparer: Member) -> str:
    """17 of 20 on time in March, promised 95 %, sent to review by the account manager."""
    promises.agree(account, valid_from=date(2026, 1, 1))
    promises.bill(account, promises.month(account, on_time=17, late=3), "9000.00")
    closed = promises.close(account)
    line = promises.assessed(account, closed)[0]
    with as_tenant(account.pk):
        snapshot_publish(public_id=closed.public_id, at=closed.published_at)
        credit_send_to_review(public_id=line.public_id, actor=preparer, at=promises.CHARGES + timedelta(days=1))
    return str(line.public_id)


def post(portal: str, tale: Tale, events: list[dict[str, Any]]) -> dict[str, Any]:
    """The carrier's system sends a message."""
    request = urllib.request.Request(
        f"{portal}/ingest/{tale.carrier.key}", data=json.dumps(events).encode(),
        headers={"Authorization": f"Bearer {tale.key}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def keep(desk: Desk, name: str) -> None:
    """Judges the page wide and narrow and keeps both pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for size in (NARROW, WIDE):
        desk.page.set_viewport_size(size)  # type: ignore[arg-type]
        assert desk.judge() == []
        desk.page.screenshot(path=PICTURES / f"{name}-{size['width']}.png", full_page=True)


def signed_in(desk: Open, person: Member) -> Desk:
    """Through the front door, with a code where the role needs one."""
    made = desk()
    strong = person.role != Role.MEMBER
    made.sign_in(person.user.email, cast.PASSWORD, cast.TOTP_SECRET if strong else "")
    expect(made.page.locator("nav.side")).to_be_attached()
    return made


@pytest.mark.req("G1", "G2", "A2")
def test_a_shipper_finds_a_box_and_sees_what_the_carrier_just_told(desk: Open, portal: str, tale: Tale) -> None:
    now = (clock.now() - timedelta(minutes=15)).isoformat(timespec="seconds")
    counts = post(portal, tale, [vessel("ARRI", _booking(tale.shipment), now, place="NLRTM")])
    assert (counts["accepted"], counts["quarantined"]) == (1, 0)
    shipper = signed_in(desk, tale.account.manager)
    keep(shipper, "home")
    search = shipper.page.get_by_label("Find by any reference")
    search.fill(tale.box)
    search.press("Enter")
    keep(shipper, "shipments")
    shipper.page.locator("main a.rowlink").first.click()
    expect(shipper.page.locator("h1")).to_contain_text(tale.shipment.ref)
    line = shipper.page.locator("main").get_by_text(re.compile("Vessel arrived")).first
    expect(line).to_be_visible()
    assert tale.carrier.key in shipper.text()
    keep(shipper, "shipment")


@pytest.mark.req("G5", "R1.6")
def test_operations_reads_why_an_event_waits_mends_it_and_replays(desk: Open, portal: str, tale: Tale) -> None:
    place = f"XX{secrets.token_hex(3).upper()}"
    local = (clock.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S")  # no offset
    counts = post(portal, tale, [equipment("INSP", tale.box, local, place=place)])
    assert counts["quarantined_by_reason"] == {"no_zone": 1}
    ops = signed_in(desk, tale.staff[Role.OPS])
    ops.open("/ops/quarantine")
    keep(ops, "quarantine")
    ops.page.locator("main tr", has_text=tale.carrier.key).first.locator("a.rowlink").click()
    expect(ops.page.locator("main")).to_contain_text("no_zone")
    keep(ops, "quarantine-item")
    Place.objects.create(code=place, name="A new inspection yard", country="NL", zone="Europe/Amsterdam")
    ops.page.get_by_role("button", name="Replay").click()
    expect(ops.page.locator("h1")).to_contain_text("Replayed")


@pytest.mark.req("M7")
def test_finance_approves_a_credit_and_the_shipper_sees_every_step(desk: Open, tale: Tale) -> None:
    finance = signed_in(desk, tale.staff[Role.FINANCE])
    finance.open("/ops/credits?state=IN_REVIEW")
    keep(finance, "credits-desk")
    finance.open(f"/ops/accounts/{tale.account.tenant.public_id}/credits/{tale.credit}")
    keep(finance, "credit-desk")
    finance.page.get_by_role("button", name=re.compile("Approve")).click()
    expect(finance.page.locator("main")).to_contain_text("Approved and posted")
    shipper = desk(tale.account.manager)
    shipper.open(f"/credits/{tale.credit}")
    for word in ("Approved", "Share of the base", "1,350.00", "CREDITS_PAYABLE"):
        expect(shipper.page.locator("main")).to_contain_text(word)
    keep(shipper, "credit")
    shipper.open("/snapshots")
    keep(shipper, "snapshots")
    shipper.page.locator("main a[href^='/snapshots/']").first.click()
    expect(shipper.page.locator("main")).to_contain_text("17 of 20")
    keep(shipper, "snapshot")


@pytest.mark.req("R5.3")
def test_an_admin_changes_a_tier_from_a_page(desk: Open, tale: Tale) -> None:
    plain = cast.account("PLAIN")
    admin = signed_in(desk, tale.staff[Role.ADMIN])
    admin.open("/ops/accounts")
    keep(admin, "accounts")
    admin.open(f"/ops/accounts/{plain.tenant.public_id}")
    admin.page.get_by_label("New tier").select_option("PRIORITY")
    keep(admin, "account")
    admin.page.get_by_role("button", name=re.compile("[Cc]hange")).click()
    expect(admin.page.locator("main")).to_contain_text("Priority")
    admin.open("/ops/tiers")
    keep(admin, "tiers")
