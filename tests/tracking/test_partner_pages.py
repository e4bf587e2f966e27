"""The pages of one source on the desk: who may, what is refused in words, and a bench that stores nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import StreamingHttpResponse

from portal.lib import clock
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import AuditEntry, Role
from tests import cast
from tests.doors import client_of
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tests.tracking.pages import NOW
from tracking import services
from tracking.bench_pages import _map_url
from tracking.models import PartnerCode, Source
from tracking.partners import settings_as_of
from tracking.reasons import Reason, sentence
from tracking.registry import ADAPTERS
from tracking.services import CodeLine
from tracking.types import FinalMilestone, Load, Refusal

STAFF = (Role.OPS, Role.ACCOUNT_MANAGER, Role.FINANCE, Role.ADMIN)
READ = ("", "/codes", "/codes.csv", "/bench", "/rank")
WRITE = ("/edit", "/codes/line", "/keys/new", "/secret")


@pytest.fixture(autouse=True)
def _march():
    with clock.set_to(NOW):
        yield


@pytest.fixture(scope="module")
def staff() -> dict[Role, Any]:
    cast.operator()
    return {role: cast.person(OPERATOR_ID, role) for role in STAFF}


@pytest.fixture
def admin(staff):
    return client_of(staff[Role.ADMIN])


def text_of(response, status: int = 200) -> str:
    assert response.status_code == status, response.content[-2000:]
    return response.content.decode()


def plain(html: str) -> str:
    """What a reader reads."""
    main = html.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"<(svg|script).*?</\1>", "", main, flags=re.DOTALL)))


def line(src: Source, **told: Any) -> None:
    with as_tenant(src.tenant_id):
        services.partner_code_set(key=src.key, line=CodeLine(**told), at=NOW, actor="test")


def settings_form(src: Source, **changes: Any) -> dict[str, Any]:
    form = {"name": src.name, "kind": src.kind, "format": src.format, "zone_rule": src.zone_rule, "zone": src.zone,
            "rank": "", "acknowledges": "", "accounts": "", "carriers": "", "silent_after_minutes": "",
            "inbox": ""}  # fmt: skip
    return {**form, **changes}


# --- who may ---


@pytest.mark.req("T6", "T7")
def test_the_staff_reads_and_only_admins_change(acme, staff) -> None:
    src = source()
    for role, person in staff.items():
        client = client_of(person)
        for page in READ:
            assert client.get(f"/ops/sources/{src.key}{page}").status_code == 200, (role, page)
        for page in WRITE:
            wanted = 200 if role == Role.ADMIN else 403
            assert client.get(f"/ops/sources/{src.key}{page}").status_code == wanted, (role, page)
            assert role == Role.ADMIN or client.post(f"/ops/sources/{src.key}{page}").status_code == 403
        for page in ("/state", "/codes/remove", "/codes/import", "/rank"):
            assert role == Role.ADMIN or client.post(f"/ops/sources/{src.key}{page}").status_code == 403
        shown = text_of(client.get(f"/ops/sources/{src.key}"))
        assert ("/edit" in shown) == (role == Role.ADMIN)
    customer = client_of(acme.manager)
    assert {customer.get(f"/ops/sources/{src.key}{page}").status_code for page in (*READ, *WRITE)} == {404}
    assert client_of(staff[Role.ADMIN]).get("/ops/sources/nothing-here").status_code == 404
    assert client_of(staff[Role.ADMIN]).get("/ops/sources/a%00b").status_code == 404


@pytest.mark.req("R0.8", "L1")
def test_looking_at_an_accounts_own_source_is_noted(acme, admin) -> None:
    src = source(tenant_id=acme.pk)
    assert acme.tenant.name in text_of(admin.get(f"/ops/sources/{src.key}"))
    with as_tenant(OPERATOR_ID):
        assert AuditEntry.objects.filter(action="account.entered", object_id=src.key).count() == 1
    assert admin.get(f"/ops/sources/{src.key}/rank").status_code == 404
    line(src, listed="dcsa", code="GTIN", event_code="AVPU")
    assert "AVPU" in text_of(admin.get(f"/ops/sources/{src.key}/codes"))


def test_every_format_that_is_read_can_be_chosen(admin) -> None:
    text = text_of(admin.get("/ops/sources/new"))
    offered = set(re.findall(r'<option value="([^"]+)"', text.partition('name="format"')[2].partition("</select>")[0]))
    assert offered == {*ADAPTERS.keys(), "auto"}


# --- one source ---


def test_a_source_shows_its_doors_its_settings_and_what_it_sent(acme, admin) -> None:
    src = source(secret="c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlYw==")
    take(src, [equipment("GTIN", box(), "2026-03-01T10:00:00+08:00")], at=NOW)
    with as_tenant(OPERATOR_ID):
        services.source_update(key=src.key, at=NOW, actor="test", changes={
            "accounts": [acme.tenant.code], "zone_rule": "FIXED", "zone": "Asia/Tokyo", "rank": 7,
        })  # fmt: skip
    shown = plain(text_of(admin.get(f"/ops/sources/{src.key}")))
    for words in (f"/ingest/{src.key}", f"/dcsa/callbacks/{src.key}", "Asia/Tokyo", acme.tenant.code, "Rank 7",
                  "One event of this source waits in quarantine", "One callback secret is valid"):  # fmt: skip
        assert words in shown, words
    assert f'href="/ops/sources/{src.key}"' in text_of(admin.get("/ops/sources"))


def test_settings_are_stored_and_what_cannot_be_is_said_at_its_field(acme, admin) -> None:
    src = source()
    address = f"/ops/sources/{src.key}/edit"
    bad = admin.post(address, settings_form(src, zone_rule="FIXED", zone="Mars/Olympus", accounts="NO-SUCH", rank="0"))
    shown = plain(text_of(bad, 422))
    for words in ("no time zone called Mars/Olympus", "no account with the code NO-SUCH", "A rank is 1 to 999"):
        assert words in shown
    good = settings_form(
        src, name="Berth 4", zone_rule="FIXED", zone="Asia/Tokyo", accounts=f" {acme.tenant.code.lower()}\n",
        carriers="maeu, cmdu", rank="3", strict_envelope="on",
    )  # fmt: skip
    shown = plain(text_of(admin.post(address, good, follow=True)))
    assert "from now on" in shown
    assert "MAEU, CMDU" in shown
    with as_tenant(OPERATOR_ID):
        now = Source.objects.get(pk=src.pk)
        assert settings_as_of(None)[src.key, "rank"] == 3
    assert (now.name, now.zone, now.account_ids, now.strict_envelope) == ("Berth 4", "Asia/Tokyo", [acme.pk], True)
    again = text_of(admin.get(address))
    assert acme.tenant.code in again, "the form opens as the source is"
    assert 'value="3"' in again


def test_a_source_is_closed_and_opened_from_its_page(admin) -> None:
    src = source()
    page = f"/ops/sources/{src.key}"
    assert admin.post(f"{page}/state", {}).status_code == 400
    assert "Closed" in plain(text_of(admin.post(f"{page}/state", {"open": "no"}, follow=True)))
    assert "Open the source" in text_of(admin.get(page)), "a closed source is still found"
    assert "The source is open" in plain(text_of(admin.post(f"{page}/state", {"open": "yes"}, follow=True)))


@pytest.mark.req("R1.9")
def test_one_account_ranks_a_source_otherwise(acme, globex, admin) -> None:
    src = source()
    page = f"/ops/sources/{src.key}/rank"
    assert "A rank is 1 to 999" in plain(
        text_of(admin.post(page, {"account": acme.tenant.public_id, "rank": "5000"}), 422)
    )
    shown = plain(text_of(admin.post(page, {"account": acme.tenant.public_id, "rank": "4"}, follow=True)))
    assert re.search(rf"{acme.tenant.name} .*?4", shown)
    with as_tenant(acme.pk):
        assert settings_as_of(None)[src.key, "rank"] == 4
    with as_tenant(globex.pk):
        assert (src.key, "rank") not in settings_as_of(None)
    assert "No account says otherwise" in plain(
        text_of(admin.post(page, {"account": acme.tenant.public_id, "rank": ""}, follow=True))
    )


@pytest.mark.req("A5", "A6", "G10")
def test_keys_and_secrets_are_made_on_the_page_shown_once_and_need_a_fresh_proof(staff, admin) -> None:
    src = source()
    page = f"/ops/sources/{src.key}"
    (key,) = re.findall(r'<code class="secret">([^<]+)', text_of(admin.post(f"{page}/keys/new", {"label": "feed"})))
    assert key.startswith("plm_")
    shown = text_of(admin.get(page))
    assert key not in shown
    assert "feed" in shown
    sent = client_of(None, key=key).post(f"/ingest/{src.key}", b"[]", content_type="application/json")
    assert sent.status_code == 200
    admin.post(f"{page}/keys/new", {"label": "feed 2"})
    full = text_of(admin.post(f"{page}/keys/new", {"label": "feed 3"}), 422)
    assert "two valid keys already" in full
    revoke = re.findall(rf'href="({page}/keys/[^"]+/revoke)"', shown)[0]
    assert "stops working at once" in text_of(admin.get(revoke))
    assert "opens nothing any more" in text_of(admin.post(revoke, follow=True))
    assert client_of(None, key=key).get(f"/ingest/{src.key}/messages/x").status_code == 401
    (secret,) = re.findall(r'<code class="secret">([^<]+)', text_of(admin.post(f"{page}/secret")))
    assert len(secret) >= 40
    assert secret not in text_of(admin.get(page))
    tired = client_of(staff[Role.ADMIN])
    session = tired.session
    session["proven_at"] -= 15 * 60
    session.save()
    for asked in (tired.get(f"{page}/keys/new"), tired.post(f"{page}/secret"), tired.post(revoke)):
        assert asked.status_code == 302
        assert "reauthenticate" in asked["Location"]


def test_a_key_of_another_source_cannot_be_revoked_here(admin) -> None:
    src, other = source(), source()
    with as_tenant(OPERATOR_ID):
        key, _text = services.source_key_issue(key=other.key, label="theirs", at=NOW, actor="test")
    address = f"/ops/sources/{src.key}/keys/{key.public_id}/revoke"
    assert admin.get(address).status_code == 404
    assert admin.post(address).status_code == 404


# --- the partner table ---


def test_a_standard_line_is_overridden_changed_and_given_back(admin) -> None:
    src = source(format="x12_315")
    page = f"/ops/sources/{src.key}/codes"
    table = text_of(admin.get(page))
    assert "No line of its own" in table
    override = re.findall(rf'href="({page}/line\?[^"]*code=VA)"', table)[0].replace("&amp;", "&")
    form = text_of(admin.get(override))
    assert re.search(r'<option value="ARRI" selected>', form), "the standard meaning is filled in"
    told = {"listed": "x12_315", "code": "va", "kind": "TRANSPORT", "event_code": "GTIN", "classifier": "ACT"}
    assert "GTIN is an event of kind EQUIPMENT" in plain(text_of(admin.post(f"{page}/line", told), 422))
    told |= {"event_code": "ARRI", "classifier": "EST", "note": "they send estimates"}
    shown = plain(text_of(admin.post(f"{page}/line", told, follow=True)))
    assert "they send estimates" in shown
    assert "Arrived, estimated" in shown
    assert "overridden above" in shown
    with as_tenant(OPERATOR_ID):
        assert PartnerCode.objects.get(source=src).code == "VA"
    gone = {"listed": "x12_315", "code": "VA", "agency": ""}
    assert "means again" in plain(text_of(admin.post(f"{page}/remove", gone, follow=True)))
    assert admin.post(f"{page}/remove", gone).status_code == 404


def test_a_table_goes_out_as_a_file_and_comes_in_again_and_bad_lines_are_named(admin) -> None:
    src, other = source(), source()
    line(src, listed="dcsa", code="GATE", event_code="GTIN", laden=True)
    answer = admin.get(f"/ops/sources/{src.key}/codes.csv")
    assert isinstance(answer, StreamingHttpResponse)
    body = b"".join(answer)
    page = f"/ops/sources/{other.key}/codes/import"
    done = admin.post(page, {"file": SimpleUploadedFile("t.csv", body)}, follow=True)
    assert "Lines added: 1, changed: 0" in plain(text_of(done))
    bad = body + b"dcsa,,GOTE,EQUIPMENT,GONE,ACT,,,,,,\n"
    shown = plain(text_of(admin.post(page, {"file": SimpleUploadedFile("t.csv", bad)}), 422))
    assert "Line 3: event_code: GONE is no code of an event" in shown
    assert admin.post(page, {}).status_code == 422
    with as_tenant(OPERATOR_ID):
        assert PartnerCode.objects.filter(source=other).count() == 1


# --- the bench ---


def rows() -> Counter[str]:
    """How many rows each table holds, over all accounts; each test database has one worker."""
    found: Counter[str] = Counter()
    from portal.tenancy.context import across_tenants

    with across_tenants(reason="test: counting rows", actor="test", at=NOW):
        for model in apps.get_models(include_auto_created=True):
            found[model._meta.db_table] = model._base_manager.count()
    return found


def try_it(client, src: Source, events: Any, status: int = 200) -> str:
    text = events if isinstance(events, str) else json.dumps(events, indent=1)
    return text_of(client.post(f"/ops/sources/{src.key}/bench", {"text": text}), status)


@pytest.mark.req("R1.0", "R0.8", "G5")
def test_the_bench_says_what_would_become_of_a_message_and_stores_nothing(acme, globex, staff) -> None:
    client = client_of(staff[Role.OPS])
    src, mine, theirs = source(), shipment(acme), shipment(globex)
    number = number_of(mine)
    wrong = f"{number_of(theirs)[:-1]}{(int(number_of(theirs)[-1]) + 1) % 10}"
    client.get(f"/ops/sources/{src.key}/bench")
    before = rows()
    html = try_it(client, src, [
        equipment("GTIN", number, "2026-03-01T10:00:00+08:00"),
        equipment("DROP", number_of(theirs), "2026-03-10T10:00", place="NLRTM"),
        equipment("GTIN", wrong, "2026-03-01T10:00:00+08:00"),
        equipment("GATE", number, "2026-03-01T10:00:00+08:00"),
        equipment("GTIN", number, "2027-01-01T10:00:00+08:00"),
    ])  # fmt: skip
    after = rows()
    # the two crossings of this test and of the page, and nothing else anywhere
    assert after - before == Counter({AuditEntry._meta.db_table: 2})
    assert before - after == Counter()
    first, second, third, fourth, fifth = (plain(f"<main>{part}") for part in re.split(r'id="item-\d+-h"', html)[1:])
    for words in ("Gate in, full (actual)", "2026-03-01T10:00:00+08:00", "offset +08:00", "1 Mar 2026 02:00 UTC",
                  "CNSHA", "Shanghai", number, "its check digit fits", mine.ref, acme.tenant.name,
                  "Gate in, full, CNSHA", "DCSA 2.2 EQUIPMENT GTIN", "Would be stored"):  # fmt: skip
        assert words in first, words
    assert "10 Mar 2026 10:00 CET" in second
    assert "10 Mar 2026 09:00 UTC" in second
    assert "the time zone of the place is used" in second
    assert theirs.ref in second
    assert globex.tenant.name in second
    assert "its check digit does not fit" in third
    assert "The check digit of the container number does not fit." in third
    assert "No shipment has any of the references" in third
    assert "A code is not in the list" in fourth
    assert "Would wait in quarantine" in fourth
    assert "its time lies in the future" in fifth


def test_a_refusal_is_marked_in_the_text_and_leads_to_the_line_that_mends_it(admin, staff) -> None:
    src = source()
    event = equipment("GATE", box(), "2026-03-01T10:00:00+08:00")
    html = try_it(admin, src, [event])
    assert "<mark>&quot;GATE&quot;</mark>" in html
    assert html.count('id="marked"') == 0, "several excerpts on one page share no id"
    address = re.findall(r'href="([^"]+)">Map this code', html)[0].replace("&amp;", "&")
    form = text_of(admin.get(address))
    assert 'value="GATE"' in form
    assert re.search(r'<option value="dcsa" selected>', form)
    assert "Map this code" not in try_it(client_of(staff[Role.OPS]), src, [event])
    odd = {**event, "equipmentEventTypeCode": "GTIN", "emptyIndicatorCode": "HALF"}
    assert "Map this code" not in try_it(admin, src, [odd]), "what is no status code has no line"


@pytest.mark.parametrize(
    ("key", "position", "detail", "wanted"),
    [
        ("x12_315", "$[0].B4[2]", "It is 'QQ' in the list x12_315.", "listed=x12_315&code=QQ"),
        ("x12_315", "$[1].AT7[9]", "It is 'QQ' in the list x12_214.", "listed=x12_214&code=QQ"),
        ("iftsta", "$[0].STS[8]", "It is 'zz' of 'ZZZ', in words 'arrived'.", "listed=iftsta&code=ZZ"),
        ("iftsta", "$[0].STS[8]", "There is no code.", ""),
        ("x12_214", "$[0].AT7[5]", "The code of its time zone is 'Q7'.", ""),
        ("dcsa", "$[0].equipmentEventTypeCode", "It is 'GATE'.", "listed=dcsa&code=GATE"),
        ("dcsa", "$[0].documentTypeCode", "It is 'XYZ'.", ""),
        ("dcsa", "$[0].emptyIndicatorCode", "It is 'HALF'.", ""),
        ("csv", "$[0].code", "It is 'GATE' of EQUIPMENT.", "listed=csv&code=GATE"),
        ("csv", "$[0].mode", "It is 'CAMEL'; one of BARGE is expected.", ""),
    ],
)
def test_only_a_status_code_can_be_mapped_and_in_the_list_that_it_stands_in(key, position, detail, wanted) -> None:
    refused = Refusal(code=Reason.UNKNOWN_CODE, position=position, detail=f"{sentence(Reason.UNKNOWN_CODE)} {detail}")
    assert _map_url(refused, Source(key="any"), key).partition("?")[2] == wanted


def test_the_bench_says_what_the_partner_table_changes(acme, admin) -> None:
    src, made = source(), shipment(acme)
    line(src, listed="dcsa", code="GTIN", event_code="DROP", place_role="PDE")
    line(src, listed="dcsa", code="DISC", is_ignored=True)
    html = plain(try_it(admin, src, [
        equipment("GTIN", number_of(made), "2026-03-01T10:00:00+01:00", place="NLRTM"),
        equipment("LOAD", number_of(made), "2026-02-01T10:00:00+08:00"),
        equipment("DISC", number_of(made), "2026-03-02T10:00:00+01:00", place="NLRTM"),
    ]))  # fmt: skip
    first, second, third = re.split(r"\s[123]\. ", html)[1:]
    assert "Dropped off, full (actual)" in first
    assert "partner table: dcsa GTIN" in first
    assert "By the standard meanings it would be: Gate in, full (actual) · EQUIPMENT GTIN" in first
    assert "Delivered, NLRTM" in first
    assert "standard meanings" not in second
    assert "Would be set aside" in third
    assert "By the standard meanings it would be: Discharged, full (actual)" in third


@pytest.mark.req("G11")
def test_the_bench_knows_whom_a_source_may_report_on(acme, globex, admin) -> None:
    src, made = source(), shipment(acme)
    with as_tenant(OPERATOR_ID):
        services.source_update(key=src.key, changes={"accounts": [globex.tenant.code]}, at=NOW, actor="test")
    html = plain(try_it(admin, src, [equipment("GTIN", number_of(made), "2026-03-01T10:00:00+08:00")]))
    assert "This source may not report on the shipment" in html
    assert "this source may not report on it" in html


@pytest.mark.req("R1.0")
def test_the_bench_of_an_accounts_own_source_looks_at_that_account_only(acme, globex, admin) -> None:
    src, theirs = source(tenant_id=acme.pk), shipment(globex)
    html = plain(try_it(admin, src, [equipment("GTIN", number_of(theirs), "2026-03-01T10:00:00+08:00")]))
    assert theirs.ref not in html
    assert "No shipment has any of the references" in html


@pytest.mark.req("R1.0")
def test_the_bench_shows_all_cargo_that_travels_in_one_box(acme, globex, admin) -> None:
    common = {"load": Load.LCL, "final_milestone": FinalMilestone.CFS, "containers": (box(),)}
    mine, more, theirs = shipment(acme, **common), shipment(acme, **common), shipment(globex, **common)
    number = number_of(mine)
    html = plain(try_it(admin, source(), [equipment("LOAD", number, "2026-02-01T10:00:00+08:00")]))
    for one in (mine, more, theirs):
        assert one.ref in html


def test_a_message_that_came_can_be_tried_again(acme, admin) -> None:
    src, other, made = source(), source(), shipment(acme)
    message = take(src, [equipment("GTIN", number_of(made), "2026-03-01T10:00:00+08:00", id="one")], at=NOW)
    html = plain(text_of(admin.get(f"/ops/sources/{src.key}/bench?message={message.public_id}")))
    assert made.ref in html
    assert "told before" in html
    assert admin.get(f"/ops/sources/{other.key}/bench?message={message.public_id}").status_code == 404
    odd = take(src, b"\xff\xfe\x00garbage", at=NOW)
    assert "cannot" in plain(text_of(admin.get(f"/ops/sources/{src.key}/bench?message={odd.public_id}"))).lower()


@pytest.mark.req("R1.4")
def test_a_withdrawal_finds_what_it_withdraws_also_without_any_reference(acme, admin) -> None:
    src, made = source(format="csv"), shipment(acme)
    with as_tenant(OPERATOR_ID):
        services.source_update(key=src.key, changes={"carriers": ["MAEU"]}, at=NOW, actor="test")
    head = "source_event_id,container,code,classifier,event_time,laden,retracts\n"
    take(src, f"{head}e-1,{number_of(made)},GTIN,ACT,2026-03-01T10:00:00Z,true,\n".encode(), at=NOW)
    html = plain(try_it(admin, src, f"{head}e-2,,,,,,e-1\n"))
    for words in ("A withdrawal", made.ref, "told before", "Would be stored"):
        assert words in html, words


@pytest.mark.req("W8")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 5000, "nested deeper"),
        ("[" + ",".join(["{}"] * 6000) + "]", "6000 items; 5000 are allowed"),
        ("hello", "The message is not valid JSON"),
        ('[{"a": 1', "ends before it is complete"),
        ("code,classifier,event_time\n" + "GTIN,ACT,x\n" * 6000, "at most 5000 rows"),
        ('[{"eventType": "EQUIPMENT\\u0000"}]', "characters that cannot be stored"),
        ("<script>alert(1)</script>", "Reader"),
    ],
)
def test_the_limits_of_the_doors_hold_on_the_bench(admin, text: str, words: str) -> None:
    html = try_it(admin, source(), text)
    assert words in plain(html)
    assert "<script>alert" not in html


def test_an_empty_bench_and_a_message_of_too_many_bytes_are_refused(admin) -> None:
    src = source()
    try_it(admin, src, "", status=422)
    big = admin.post(f"/ops/sources/{src.key}/bench", {"text": "x" * (5 * 1024 * 1024 + 10)})
    assert big.status_code in (400, 413, 422)


def test_a_long_message_is_shown_in_part(admin) -> None:
    html = try_it(admin, source(), [equipment("GTIN", box(), "2026-03-01T10:00:00+08:00") for _ in range(60)])
    assert "10 more are not" in plain(html)
    assert html.count("Would wait in quarantine") == 50


def test_the_bench_asks_the_database_as_often_for_many_events_as_for_few(acme, admin) -> None:
    from django.test.utils import CaptureQueriesContext

    src, counts = source(), []
    made = [shipment(acme) for _ in range(12)]
    for some in (made[:2], made):
        events = [equipment("GTIN", number_of(s), "2026-03-01T10:00:00+08:00") for s in some]
        try_it(admin, src, events)
        with CaptureQueriesContext(connection) as asked:
            try_it(admin, src, events)
        counts.append(len(asked.captured_queries))
    assert counts[0] == counts[1]
