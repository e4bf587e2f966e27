"""The pages of exceptions: the desk's inbox, one case and what is done about it, and what a customer may see."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import shipment, source, take, vessel
from tests.tracking.pages import many, tiered
from tracking.exception_reads import exceptions_open_count
from tracking.models import ExceptionCase, ExceptionStep, OwnerRule, Shipment

NOW = datetime(2026, 3, 1, 9, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


def rolled(account: cast.Account, src=None) -> tuple[Shipment, ExceptionCase]:
    """Its ship left without it."""
    made = shipment(account)
    with as_tenant(account.pk):
        booking = made.references.get(kind="BOOKING").written
    take(src or source(), [vessel("DEPA", booking, "2026-02-28T10:00:00+08:00", place="CNSHA")], at=NOW)
    with as_tenant(account.pk):
        return made, ExceptionCase.objects.get(shipment=made, code="ROLLOVER")


def text(response) -> str:
    assert response.status_code == 200, response.content[-2000:]
    return re.sub(r"\s+", " ", response.content.decode())


def ops(role: Role = Role.OPS) -> cast.Member:
    cast.operator()
    return cast.person(OPERATOR_ID, role, name="Olga Ops")


# --- the customer ---


@pytest.mark.req("R5.1")
def test_a_customer_with_alerts_reads_what_since_when_and_who_takes_care(acme) -> None:
    tiered(acme, "PRIORITY")
    made, case = rolled(acme)
    olga = client_of(ops())
    olga.post(f"/ops/exceptions/{case.public_id}/acknowledge")
    note = {"note": "Space is booked on the next sailing.", "for_customer": "on"}
    olga.post(f"/ops/exceptions/{case.public_id}/note", note)
    olga.post(f"/ops/exceptions/{case.public_id}/note", {"note": "The line owes us one."})
    page = text(client_of(acme.member).get(f"/shipments/{made.public_id}"))
    assert "Rolled to another sailing" in page
    assert "Olga Ops takes care of it." in page
    assert "Space is booked on the next sailing." in page
    assert "28 Feb 2026 22:10" not in page
    assert "28 Feb 2026 22:00 CST" in page, "twelve hours after the ship left, as read there"
    assert re.search(r"#diamond\"/></svg>High<", page), "severity in a word and a shape"
    assert "The line owes us one." not in page
    assert "/ops/" not in page


@pytest.mark.req("R5.1")
def test_a_standard_account_sees_no_exceptions_anywhere(acme) -> None:
    made, _case = rolled(acme)
    client = client_of(acme.member)
    assert "Rolled" not in text(client.get(f"/shipments/{made.public_id}"))
    many(acme, 3)
    everything, asked = text(client.get("/shipments")), text(client.get("/shipments?exceptions=open"))
    assert everything.count("rowlink") == asked.count("rowlink") == 4
    assert "Open exceptions" not in asked


def test_the_list_of_shipments_finds_those_with_an_open_exception(acme) -> None:
    tiered(acme, "PRIORITY")
    made, _case = rolled(acme)
    many(acme, 3)
    page = text(client_of(acme.member).get("/shipments?exceptions=open"))
    assert re.findall(r'class="rowlink ref" href="[^"]*">([^<]*)<', page) == [made.ref]
    assert "Open exceptions" in page
    with as_tenant(acme.pk):
        assert exceptions_open_count() == 1


# --- the desk ---


def test_the_inbox_lists_the_cases_of_all_accounts_by_each_filter(acme, globex) -> None:
    tiered(acme, "PREMIUM")
    _made, one = rolled(acme)
    _made, other = rolled(globex)
    person = ops()
    client = client_of(person)

    def listed(query: str) -> set[str]:
        page = text(client.get(f"/ops/exceptions?{query}"))
        return {c.public_id for c in (one, other) if f"/ops/exceptions/{c.public_id}" in page}

    mine = f"account={acme.tenant.public_id}"
    assert listed(mine) == {one.public_id}
    assert listed(f"{mine}&severity=HIGH") == {one.public_id}
    assert listed(f"{mine}&severity=CRITICAL") == set()
    assert listed(f"{mine}&code=ROLLOVER") == {one.public_id}
    assert listed(f"{mine}&code=STALE") == set()
    assert listed(f"{mine}&owner=desk") == {one.public_id}
    assert listed(f"{mine}&owner=me") == set()
    assert listed(f"{mine}&overdue=1") == set()
    client.post(f"/ops/exceptions/{one.public_id}/take")
    assert listed("owner=me") == {one.public_id}
    with clock.set_to(NOW.replace(hour=11)):
        client = client_of(person)
        assert listed(f"{mine}&overdue=1") == {one.public_id}
    done = {"resolution": "DEALT_WITH", "reason": "loaded on the next ship"}
    client.post(f"/ops/exceptions/{one.public_id}/resolve", done)
    assert listed(mine) == set()
    assert listed(f"{mine}&state=RESOLVED") == {one.public_id}
    assert listed(f"{mine}&state=ALL") == {one.public_id}
    assert client.get("/ops/exceptions?older=zz.nonsense&severity=x&owner=%00&code=1").status_code == 200


@pytest.mark.req("R0.8")
def test_a_page_of_the_inbox_is_one_recorded_crossing(acme) -> None:
    rolled(acme)
    client = client_of(ops())

    def crossings() -> int:
        with as_tenant(OPERATOR_ID):
            return AuditEntry.objects.filter(
                action="tenancy.crossed", details__reason__startswith="exceptions:"
            ).count()

    before = crossings()
    client.get("/ops/exceptions")
    assert crossings() == before + 1


def test_the_inbox_pages_by_key(acme) -> None:
    made, _case = rolled(acme)
    with as_tenant(acme.pk):
        ExceptionCase.objects.bulk_create(
            ExceptionCase(shipment=made, code="STALE", occurrence=f"{n}", started_at=NOW, severity=1, noticed_at=NOW,
                          changed_at=NOW)
            for n in range(70)
        )  # fmt: skip
    client, seen, query = client_of(ops()), [], f"account={acme.tenant.public_id}"
    for _page in range(3):
        page = text(client.get(f"/ops/exceptions?{query}"))
        seen += re.findall(r'class="rowlink" href="/ops/exceptions/(\w+)"', page)
        older = re.search(r'href="\?([^"]*older=[^"]*)"', page)
        if older is None:
            break
        query = older.group(1).replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 71


def test_a_case_says_what_is_known_and_everything_done_is_kept(acme) -> None:
    tiered(acme, "PREMIUM")
    made, case = rolled(acme)
    person, colleague = ops(), cast.person(OPERATOR_ID, Role.ACCOUNT_MANAGER, name="Adam Account")
    client, url = client_of(person), f"/ops/exceptions/{case.public_id}"
    page = text(client.get(url))
    assert made.ref in page
    assert "Answer due in 1 hour" in page
    assert "601W" in page
    client.post(f"{url}/acknowledge")
    client.post(f"{url}/assign", {"owner": colleague.public_id})
    page = text(client.get(url))
    assert "Adam Account" in page
    assert "Acknowledge</button>" not in page
    refused = client.post(f"{url}/resolve", {"resolution": "FALSE_ALARM", "reason": " "})
    assert refused.status_code == 422
    client.post(f"{url}/resolve", {"resolution": "FALSE_ALARM", "reason": "It was aboard all the time."})
    page = text(client.get(url))
    assert "It was aboard all the time." in page
    assert "Resolve</button>" not in page
    with as_tenant(acme.pk):
        kinds = list(ExceptionStep.objects.filter(case=case).order_by("pk").values_list("kind", flat=True))
        assert AuditEntry.objects.filter(action="exception.resolved", object_id=case.public_id).count() == 1
    assert kinds == ["ACKNOWLEDGED", "ASSIGNED", "RESOLVED"]
    again = client.post(f"{url}/resolve", {"resolution": "FALSE_ALARM", "reason": "twice"}, follow=True)
    assert "has ended already" in text(again)


def test_finance_reads_and_changes_nothing(acme) -> None:
    _made, case = rolled(acme)
    client = client_of(cast.person(OPERATOR_ID, Role.FINANCE))
    page = text(client.get(f"/ops/exceptions/{case.public_id}"))
    assert "Acknowledge</button>" not in page
    for act in ("acknowledge", "take", "assign", "note", "resolve"):
        assert client.post(f"/ops/exceptions/{case.public_id}/{act}").status_code == 403


def test_an_admin_names_owners_and_the_rule_before_ends_there(acme) -> None:
    olga, admin = ops(), client_of(cast.person(OPERATOR_ID, Role.ADMIN))
    form = {"kind": "ACCOUNT", "account": acme.tenant.public_id, "owner": olga.public_id, "valid_from": "2026-02-01"}
    assert admin.post("/ops/settings/owners", form).status_code == 302
    assert admin.post("/ops/settings/owners", {**form, "valid_from": "2026-04-01"}).status_code == 302
    with as_tenant(acme.pk):
        days = list(OwnerRule.objects.order_by("pk").values_list("valid_from", "valid_to"))
    assert [(a.isoformat(), b and b.isoformat()) for a, b in days] == [
        ("2026-02-01", "2026-04-01"),
        ("2026-04-01", None),
    ]
    page = text(admin.get("/ops/settings/owners"))
    assert acme.tenant.name in page
    assert rolled(acme)[1].owner_name == "Olga Ops"
    for wrong, says in (
        ({**form, "account": ""}, "Choose the account."), ({**form, "kind": "LANE"}, "Say which lane or branch."),
        ({**form, "deputy": olga.public_id}, "A deputy is somebody else."), ({**form, "owner": "nobody"}, "nobody"),
    ):  # fmt: skip
        refused = admin.post("/ops/settings/owners", wrong)
        assert refused.status_code == 422
        assert says in refused.content.decode()
    assert client_of(olga).post("/ops/settings/owners", form).status_code == 403


def test_the_inbox_and_a_case_ask_as_often_for_many_rows_as_for_few(acme) -> None:
    from tests.contracts.test_query_counts import asked

    made, case = rolled(acme)
    client = client_of(ops())
    addresses = (f"/ops/exceptions?account={acme.tenant.public_id}", f"/ops/exceptions/{case.public_id}")
    before = []
    for address in addresses:
        client.get(address)
        before.append(len(asked(client, address)))
    with as_tenant(acme.pk):
        ExceptionCase.objects.bulk_create(
            ExceptionCase(shipment=made, code="STALE", occurrence=f"{n}", started_at=NOW, severity=1, noticed_at=NOW,
                          changed_at=NOW)
            for n in range(40)
        )  # fmt: skip
        ExceptionStep.objects.bulk_create(
            ExceptionStep(case=case, kind="COMMENTED", at=NOW, actor="x", note=str(n)) for n in range(40)
        )
    assert [len(asked(client, address)) for address in addresses] == before
    assert before[0] <= 15


def test_a_cutoff_is_entered_as_read_at_the_terminal_and_counts_at_once(acme) -> None:
    tiered(acme, "PRIORITY")
    made, client = shipment(acme), client_of(ops())
    url = f"/ops/accounts/{acme.tenant.public_id}/shipments/{made.public_id}"
    assert "Cut-off" in text(client.get(url))
    refused = client.post(f"{url}/cutoff", {"day": "2026-03-02", "clock_time": ""})
    assert refused.status_code == 422
    assert "Say at what time." in refused.content.decode()
    client.post(f"{url}/cutoff", {"day": "2026-03-02", "clock_time": "05:00"})
    with as_tenant(acme.pk):
        case = ExceptionCase.objects.get(shipment=made)
        assert Shipment.objects.get(pk=made.pk).cutoff_at == datetime(2026, 3, 1, 21, tzinfo=UTC), "Shanghai's five"
    assert (case.code, case.state, case.started_at) == ("CUTOFF_RISK", "OPEN", datetime(2026, 3, 1, 9, tzinfo=UTC))
    assert "2 Mar 2026 05:00 CST" in text(client.get(url))
    assert 'value="05:00"' in text(client.get(f"{url}/cutoff"))
    client.post(f"{url}/cutoff", {"day": "", "clock_time": ""})
    with as_tenant(acme.pk):
        assert ExceptionCase.objects.get(shipment=made).state == "WITHDRAWN"
        made.refresh_from_db()
    shipment(acme, ref=made.ref, containers=(), booking=f"BKG{made.ref[2:]}")
    assert made.cutoff_at is None


# --- systems ---


@pytest.mark.req("T6", "R8.1")
def test_systems_read_the_cases_their_account_may_see(acme, globex) -> None:
    tiered(acme, "PREMIUM")
    tiered(globex, "PREMIUM")
    (_made, mine), (_other, theirs) = rolled(acme), rolled(globex)
    with as_tenant(acme.pk):
        client = client_of(None, key=key_create(label="s", at=clock.now())[1])
    listed = client.get("/api/v1/exceptions").json()["items"]
    assert [row["id"] for row in listed] == [mine.public_id]
    assert (listed[0]["severity"], listed[0]["state"], listed[0]["note"]) == ("HIGH", "OPEN", None)
    one = client.get(f"/api/v1/exceptions/{mine.public_id}").json()
    assert one == listed[0]
    assert one["shipment"]["id"] == _made.public_id
    assert client.get(f"/api/v1/exceptions/{theirs.public_id}").status_code == 404
    for asked, number in (("severity=CRITICAL", 0), ("severity=HIGH", 1), ("code=ROLLOVER", 1), ("state=CLEARED", 0),
                          (f"shipment={_made.public_id}", 1), (f"shipment={_other.public_id}", 0)):  # fmt: skip
        assert len(client.get(f"/api/v1/exceptions?{asked}").json()["items"]) == number, asked
