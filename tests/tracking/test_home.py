"""The home page: what needs attention, what is missing and since when, what is new since the last visit."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from urllib.parse import unquote

import pytest
from django.db import connection

from portal.lib import clock
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Role
from tests import cast
from tests.contracts.test_query_counts import asked
from tests.doors import client_of
from tests.tracking.messages import equipment, number_of, shipment, source, take, vessel
from tests.tracking.pages import NOW, journey, refs, tiered
from tracking.models import NewsSeen, Shipment
from tracking.services import news_opened


def home(member, at: datetime = NOW) -> str:
    with clock.set_to(at):
        answer = client_of(member).get("/")
    assert answer.status_code == 200
    return answer.content.decode()


def section(html: str, heading: str) -> str:
    """A card's words."""
    found = re.search(rf'<section class="card" aria-labelledby="{heading}">(.*?)</section>', html, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split()) if found else ""


# --- since the last visit ---


def test_the_first_visit_shows_what_was_heard_last(acme) -> None:
    tiered(acme, "PRIORITY")
    made = journey(acme, source())
    said = section(home(acme.member), "recent-h")
    assert said.startswith("Last heard")
    assert made.ref in said


def test_a_later_visit_shows_what_was_reached_and_whose_estimate_moved(acme) -> None:
    tiered(acme, "PRIORITY")
    line = source()
    made, other = journey(acme, line), journey(acme, line)
    home(acme.member, NOW - timedelta(days=1))
    take(line, [equipment("GTOT", number_of(made), "2026-03-15T09:00:00+01:00", place="NLRTM")],
         at=NOW - timedelta(hours=2))  # fmt: skip
    take(line, [equipment("DROP", number_of(other), "2026-03-20T10:00:00+01:00", place="NLRTM", cls="EST",
                          created="2026-03-18T12:00:00Z")], at=NOW - timedelta(hours=1))  # fmt: skip
    page = home(acme.member)
    said = section(page, "recent-h")
    assert "Since your last visit" in said
    assert "14 Mar 13:00 CET" in said
    assert f"Gate out, full {made.ref} Rotterdam 15 Mar 09:00 CET" in said
    assert f"Expected 2 days later {other.ref} instead of 18 Mar 10:00 CET 20 Mar 10:00 CET" in said
    assert said.index(other.ref) < said.index(made.ref)  # newest first
    assert "Loaded on the vessel" not in said  # old news
    assert f'href="/shipments/{made.public_id}"' in page


def test_nothing_new_is_said_as_such(acme) -> None:
    tiered(acme, "PRIORITY")
    journey(acme, source())
    home(acme.member, NOW - timedelta(days=1))
    assert "Nothing new" in section(home(acme.member), "recent-h")


@pytest.mark.req("R5.1")
def test_a_standard_account_hears_of_the_critical_five_only(acme) -> None:
    line = source()
    made = journey(acme, line)
    home(acme.member, NOW - timedelta(days=1))
    take(line, [
        equipment("DISC", number_of(made), "2026-03-15T08:00:00+01:00", place="NLRTM"),
        equipment("GTOT", number_of(made), "2026-03-15T09:00:00+01:00", place="NLRTM"),
        equipment("DROP", number_of(made), "2026-03-20T10:00:00+01:00", place="NLRTM", cls="EST",
                  created="2026-03-18T12:00:00Z"),
    ], at=NOW - timedelta(hours=1))  # fmt: skip
    said = section(home(acme.member), "recent-h")
    assert "Gate out, full" in said
    assert "Discharged" not in said
    assert "later" not in said


def opened(member, *minutes: int) -> list[datetime | None]:
    with as_tenant(member.tenant_id):
        return [news_opened(member=member, at=NOW + timedelta(minutes=m)) for m in minutes]


def test_looking_around_is_one_visit_and_what_was_new_stays_new(acme) -> None:
    first = NOW
    assert opened(acme.member, 0, 10, 40, 69) == [None, None, None, None]
    assert opened(acme.member, 600, 605, 630) == [first + timedelta(minutes=69)] * 3
    assert opened(acme.member, 500) == [first + timedelta(minutes=69)]  # an older clock changes nothing
    assert opened(acme.member, 660) == [first + timedelta(minutes=69)]
    assert opened(acme.member, 691) == [first + timedelta(minutes=660)]


def test_two_pages_at_once_see_the_same_visit(acme) -> None:
    opened(acme.member, 0)

    def look(n: int) -> datetime | None:
        try:
            return opened(acme.member, 600 + n % 2)[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(look, range(24))) == {NOW}


def test_a_visit_is_the_persons_own(acme) -> None:
    journey(acme, source())
    home(acme.member, NOW - timedelta(days=1))
    assert "Last heard" in section(home(acme.manager), "recent-h")  # the colleague's visit is none of theirs
    with as_tenant(acme.pk):
        assert NewsSeen.objects.count() == 2


# --- what is missing ---


def test_what_is_missing_is_said_with_the_time_since_when(acme) -> None:
    tiered(acme, "PRIORITY")
    made = journey(acme, source())
    page = home(acme.member)
    said = section(page, "missing-h")
    assert f"No arrival heard {made.ref} expected 10 Mar 10:00 CET" in said
    listed = client_of(acme.member)
    address = re.search(r'id="missing-h">.*?href="([^"]+)"', page, re.DOTALL)[1]
    with clock.set_to(NOW):
        assert refs(listed.get(unquote(address)).content.decode()) == [made.ref]


def test_each_shipment_is_named_once_with_what_was_expected_last(acme) -> None:
    tiered(acme, "PRIORITY")
    line = source()
    made = journey(acme, line)
    with clock.set_to(NOW + timedelta(days=10)):
        said = section(home(acme.member, NOW + timedelta(days=10)), "missing-h")
    assert said.count(made.ref) == 1
    assert "No delivery heard" in said


def test_a_finished_shipment_misses_nothing(acme) -> None:
    tiered(acme, "PRIORITY")
    line = source()
    made = journey(acme, line)
    take(line, [equipment("DROP", number_of(made), "2026-03-14T10:00:00+01:00", place="NLRTM")], at=NOW)
    assert section(home(acme.member), "missing-h") == ""


# --- the first day ---


def test_a_new_account_is_told_what_comes_next(acme) -> None:
    member, manager = home(acme.member), home(acme.manager)
    assert "Your first shipment appears here" in member
    assert "tile-value" not in member
    assert "Invite colleagues" not in member
    assert 'href="/settings/members/invite"' in manager
    shipment(acme, due_date=date(2026, 4, 20))
    assert "Your first shipment appears here" not in home(acme.member)


def test_an_account_of_old_shipments_only_is_no_new_one(acme) -> None:
    line = source()
    made = journey(acme, line)
    take(line, [equipment("DROP", number_of(made), "2026-02-20T10:00:00+01:00", place="NLRTM")],
         at=datetime(2026, 2, 21, tzinfo=UTC))  # fmt: skip
    assert "Your first shipment appears here" not in home(acme.member)


# --- quick, and walled ---


def test_a_later_visit_asks_as_often_for_much_news_as_for_little(acme, globex) -> None:
    counts = []
    for account, number in ((acme, 1), (globex, 12)):
        tiered(account, "PRIORITY")
        line = source()
        made = [journey(account, line) for _ in range(number)]
        home(account.manager, NOW - timedelta(days=1))
        for one in made:
            with as_tenant(account.pk):
                booking = Shipment.objects.get(pk=one.pk).references.get(kind="BOOKING").written
            take(line, [vessel("ARRI", booking, "2026-03-14T20:00:00+01:00", place="NLRTM")],
                 at=NOW - timedelta(hours=1))  # fmt: skip
        client = client_of(account.manager)
        with clock.set_to(NOW):
            client.get("/")
            counts.append(len(asked(client, "/")))
    assert counts[0] == counts[1]
    assert counts[0] <= 26


@pytest.mark.req("T10")
def test_news_and_gaps_of_others_are_not_seen(acme, globex) -> None:
    for account in (acme, globex):
        tiered(account, "PRIORITY")
    theirs = journey(globex, source())
    journey(acme, source())
    home(acme.member, NOW - timedelta(days=60))
    assert theirs.ref not in home(acme.member)


# --- the staff ---


@pytest.mark.parametrize(
    ("role", "seen", "unseen"),
    [
        (Role.OPS, ["In quarantine", "Silent sources", "Codes to look at", "Late shipments"], ["Credits to approve"]),
        (Role.ACCOUNT_MANAGER, ["Late shipments", "Credits to approve"], ["In quarantine", "Codes to look at"]),
        (Role.FINANCE, ["Credits to approve", "Credits to send to review"], ["Late shipments", "In quarantine"]),
        (Role.ADMIN, ["In quarantine", "Codes to look at", "Late shipments"], []),
    ],
)
def test_the_desk_shows_each_role_its_own(role: Role, seen: list[str], unseen: list[str]) -> None:
    cast.operator()
    page = home(cast.person(1, role))
    for words in seen:
        assert words in page
    for words in unseen:
        assert words not in page


def test_the_desk_counts_quarantine_by_reason_and_each_leads_to_its_items() -> None:
    from tests.tracking.messages import box

    ops = cast.person(1, Role.OPS)
    take(source(), [equipment("GTIN", box(), "2026-03-01T10:00:00+08:00")], at=NOW)
    page = home(ops)
    assert "In quarantine, by reason" in page
    address = re.search(r'href="(/ops/quarantine\?reason=[a-z_]+)"', page)
    assert address is not None
    assert client_of(ops).get(address[1]).status_code == 200


def test_a_closed_account_is_no_figure_of_the_desk(acme, globex) -> None:
    from portal.tenancy.models import Tenant

    for account in (acme, globex):
        journey(account, source(), due_date=date(2026, 3, 1))
    with as_tenant(globex.pk):
        Tenant.objects.filter(pk=globex.pk).update(is_active=False)
    page = home(cast.person(1, Role.OPS))
    assert acme.tenant.public_id in page
    assert globex.tenant.public_id not in page, "its pages answer as if they were not there"


def test_what_is_late_says_what_is_expected(acme) -> None:
    tiered(acme, "PRIORITY")
    journey(acme, source(), due_date=date(2026, 3, 1))
    page = re.sub(r"<[^>]+>|\s+", " ", home(acme.member))
    assert re.search(r"last: Vessel departed\s+·\s+expected\s+18 Mar", page)
