"""How a source is read and believed can be changed: every change audited, what cannot be is said in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.lib.errors import NotFound
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import KeyRefused, key_check
from portal.tenancy.models import ApiKey, AuditEntry
from tests import cast
from tests.cast import START
from tests.doors import client_of
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tracking import services
from tracking.models import PartnerCode, Quarantined, SightingRow, Source, SourceSetting
from tracking.partners import KIND_RANKS, partner_of, priority, settings_as_of
from tracking.services import CodeLine
from tracking.types import SourceKind

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
ADA = "Ada (Administrator)"
HEAD = "list,agency,code,kind,event_code,classifier,laden,mode,place_role,document_type,ignored,note\n"


def audited(src: Source, action: str) -> list[dict]:
    with as_tenant(src.tenant_id):
        rows = AuditEntry.objects.filter(action=action, object_id=src.key).order_by("id")
        assert all(r.actor == ADA for r in rows)
        return [r.details for r in rows]


def change(src: Source, **changes) -> Source:
    with as_tenant(src.tenant_id):
        return services.source_update(key=src.key, changes=changes, at=NOW, actor=ADA)


def refused(src: Source, **changes) -> dict[str, str]:
    with as_tenant(src.tenant_id):
        before = Source.objects.filter(pk=src.pk).values().get()
    with pytest.raises(services.Refused) as told:
        change(src, **changes)
    with as_tenant(src.tenant_id):
        assert Source.objects.filter(pk=src.pk).values().get() == before
    return told.value.faults


def code(src: Source, **line) -> PartnerCode:
    with as_tenant(src.tenant_id):
        return services.partner_code_set(key=src.key, line=CodeLine(**line), at=NOW, actor=ADA)


def load(src: Source, text: str) -> services.Imported:
    with as_tenant(src.tenant_id):
        return services.partner_codes_import(key=src.key, body=text.encode(), at=NOW, actor=ADA)


def lines(src: Source) -> list[tuple[str, ...]]:
    with as_tenant(src.tenant_id):
        return list(services.partner_codes_rows(src))


# --- settings ---


@pytest.mark.req("L1", "R1.5", "R1.6", "G11")
def test_a_change_of_settings_is_audited_with_what_stood_there_before(acme) -> None:
    src = source()
    changed = change(
        src, name="Harbour 7", kind="terminal", zone_rule="FIXED", zone="America/Los_Angeles", future_act_as_est=True,
        strict_envelope=True, accounts=[acme.tenant.code.lower()], carriers=["MAEU"], silent_after_minutes=90,
        inbox="harbour-7",
    )  # fmt: skip
    assert changed.account_ids == [acme.pk]
    assert (changed.zone, changed.silent_after_minutes, changed.inbox) == ("America/Los_Angeles", 90, "harbour-7")
    (told,) = audited(src, "source.changed")
    assert told["name"] == ["Test line", "Harbour 7"]
    assert told["account_ids"] == [[], [acme.pk]]
    assert told["silent_after_minutes"] == [None, 90]
    assert "format" not in told, "what stayed is not told"
    change(src, name="Harbour 7")
    assert len(audited(src, "source.changed")) == 1, "nothing changed, nothing audited"


@pytest.mark.req("R1.6")
@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"zone_rule": "FIXED", "zone": ""}, "zone", "Name the zone"),
        ({"zone_rule": "FIXED", "zone": "Amsterdam"}, "zone", "no time zone called Amsterdam"),
        ({"zone_rule": "FIXED", "zone": "../../etc/passwd"}, "zone", "no time zone called"),
        ({"zone_rule": "MOON"}, "zone_rule", "no such rule"),
        ({"name": "  "}, "name", "name of 1 to 120"),
        ({"kind": "gossip"}, "kind", "no kind gossip"),
        ({"format": "smoke-signs"}, "format", "No format is called smoke-signs"),
        ({"accounts": ["NOBODY-HERE"]}, "accounts", "no account with the code NOBODY-HERE"),
        ({"accounts": ["meridian"]}, "accounts", "no account with the code meridian"),
        ({"carriers": ["MAEU", "Mae rsk"]}, "carriers", "Mae rsk is no carrier code"),
        ({"silent_after_minutes": 0}, "silent_after_minutes", "From 5 to"),
        ({"inbox": "../secrets"}, "inbox", "lower-case letters"),
        ({"rank": 0}, "rank", "A rank is 1 to 999"),
        ({"acknowledges": "CONTRL"}, "acknowledges", "Only EDIFACT and X12"),
    ],
)
def test_what_cannot_be_is_said_at_its_field_and_nothing_is_stored(changes, field: str, words: str) -> None:
    faults = refused(source(), name="New name", **changes) if "name" not in changes else refused(source(), **changes)
    assert list(faults) == [field]
    assert words in faults[field]


def test_two_sources_never_share_a_folder() -> None:
    folder = f"in-{box().lower()}"
    change(source(), inbox=folder)
    assert "Another source" in refused(source(), inbox=folder)["inbox"]


@pytest.mark.req("R1.0", "G11")
def test_an_accounts_own_source_names_no_accounts(acme, globex) -> None:
    src = source(tenant_id=acme.pk)
    assert "that account only" in refused(src, accounts=[globex.tenant.code])["accounts"]
    assert change(src, name="Own feed", accounts=[]).name == "Own feed"


@pytest.mark.req("R1.9", "R4.3")
def test_rank_and_anchorage_are_dated_rows_and_what_held_before_can_still_be_asked() -> None:
    src = source(SourceKind.CARRIER)
    change(src, rank=5, arrival_is_anchorage=True)
    with as_tenant(OPERATOR_ID):
        before, now = settings_as_of(NOW - timedelta(days=1)), settings_as_of(None)
        assert (src.key, "rank") not in before
        assert now[src.key, "rank"] == 5
        assert now[src.key, "arrival_is_anchorage"] is True
        assert priority(now).index(src.key) < priority(now).index("terminal")
        services.source_update(key=src.key, changes={"rank": None}, at=NOW, actor=ADA)
        assert src.key not in priority(settings_as_of(None))
        assert [r.value for r in SourceSetting.objects.filter(source_key=src.key, name="rank").order_by("id")] == [
            5, None,
        ]  # fmt: skip
    assert audited(src, "source.setting_changed")[0]["value"] in (5, True)


@pytest.mark.req("R1.9")
def test_an_account_may_rank_a_source_otherwise_and_take_it_back(acme, globex) -> None:
    src = source()
    change(src, rank=500)

    def rank(account: cast.Account) -> int:
        with as_tenant(account.pk):
            return settings_as_of(None)[src.key, "rank"]

    with as_tenant(acme.pk):
        services.source_rank_override(key=src.key, rank=1, at=NOW, actor=ADA)
        services.source_rank_override(key=src.key, rank=1, at=NOW, actor=ADA)
        assert SourceSetting.objects.filter(source_key=src.key).count() == 1, "said twice is said once"
        with pytest.raises(services.Refused):
            services.source_rank_override(key=src.key, rank=1000, at=NOW, actor=ADA)
    assert (rank(acme), rank(globex)) == (1, 500)
    with as_tenant(acme.pk):
        services.source_rank_override(key=src.key, rank=None, at=NOW, actor=ADA)
    assert rank(acme) == 500, "taken back, the operator's word counts again"
    assert KIND_RANKS["carrier"] == 20


@pytest.mark.req("L1")
def test_a_closed_source_takes_nothing_keeps_its_key_and_can_be_opened() -> None:
    src = source()
    with as_tenant(OPERATOR_ID):
        _key, text = services.source_key_issue(key=src.key, label="feed", at=START, actor=ADA)

    def send() -> int:
        sent = client_of(None, key=text).post(f"/ingest/{src.key}", b"[]", content_type="application/json")
        return sent.status_code

    assert send() == 200
    with as_tenant(OPERATOR_ID):
        for _twice in range(2):
            services.source_close(key=src.key, at=NOW, actor=ADA)
        with pytest.raises(services.SourceExists):
            services.source_create(key=src.key, name="Other", kind=SourceKind.CARRIER, at=NOW)
    assert send() == 404
    with as_tenant(OPERATOR_ID):
        services.source_open(key=src.key, at=NOW, actor=ADA)
    assert send() == 200
    assert (len(audited(src, "source.closed")), len(audited(src, "source.opened"))) == (1, 1)


# --- keys ---


@pytest.mark.req("A6", "L1")
def test_a_key_has_one_successor_until_it_is_revoked() -> None:
    src, other = source(), source()
    with as_tenant(OPERATOR_ID):
        old, old_text = services.source_key_issue(key=src.key, label="feed", at=START, actor=ADA)
        _new, new_text = services.source_key_issue(key=src.key, label="feed 2", at=START, actor=ADA)
        with pytest.raises(services.TooManySourceKeys):
            services.source_key_issue(key=src.key, label="feed 3", at=START, actor=ADA)
        with pytest.raises(NotFound):
            services.source_key_revoke(key=other.key, public_id=old.public_id, at=NOW, actor=ADA)
        assert key_check(old_text, at=NOW).source_key == src.key
        services.source_key_revoke(key=src.key, public_id=old.public_id, at=NOW, actor=ADA)
        services.source_key_issue(key=src.key, label="feed 3", at=NOW, actor=ADA)
        assert ApiKey.objects.filter(source_key=src.key, revoked_at=None).count() == 2
        assert AuditEntry.objects.filter(action="key.revoked", object_id=old.public_id, actor=ADA).count() == 1
    with pytest.raises(KeyRefused):
        key_check(old_text, at=NOW)
    assert key_check(new_text, at=NOW).source_key == src.key


# --- the partner table ---


@pytest.mark.req("L1")
def test_a_line_is_added_changed_and_removed_with_what_stood_there_before() -> None:
    src = source()
    code(src, listed="dcsa", code="GTIN", event_code="GTOT")
    code(src, listed="dcsa", code="GTIN", event_code="AVPU", note="their yard")
    code(src, listed="dcsa", code="GTIN", event_code="AVPU", note="their yard")
    first, second = audited(src, "source.code_set")
    assert first["before"] is None
    assert (second["before"]["event_code"], second["after"]["event_code"]) == ("GTOT", "AVPU")
    with as_tenant(OPERATOR_ID):
        row = PartnerCode.objects.get(source=src)
        assert (row.changed_by, row.note) == (ADA, "their yard")
        services.partner_code_remove(key=src.key, listed="dcsa", agency="", code="GTIN", at=NOW, actor=ADA)
        assert not partner_of(src).status
        with pytest.raises(NotFound):
            services.partner_code_remove(key=src.key, listed="dcsa", agency="", code="GTIN", at=NOW, actor=ADA)
    assert audited(src, "source.code_removed")[0]["before"]["event_code"] == "AVPU"


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ({"listed": "morse"}, "listed", "no list morse"),
        ({"code": ""}, "code", "1 to 40"),
        ({"event_code": ""}, "event_code", "Say which event"),
        ({"event_code": "FLOAT"}, "event_code", "FLOAT is no code of an event"),
        ({"kind": "TRANSPORT"}, "event_code", "GTIN is an event of kind EQUIPMENT, not of TRANSPORT"),
        ({"is_ignored": True}, "event_code", "leave it empty"),
        ({"classifier": "PERHAPS"}, "classifier", "one of PLN, EST, ACT"),
        ({"mode": "CAMEL"}, "mode", "one of BARGE"),
        ({"place_role": "MOON"}, "place_role", "one of POL"),
        ({"document_type": "BKG"}, "document_type", "Only events of kind SHIPMENT"),
        ({"kind": "SHIPMENT", "event_code": "CONF"}, "document_type", "says which"),
        ({"kind": "TRANSPORT", "event_code": "ARRI", "laden": True}, "laden", "Only events of kind EQUIPMENT"),
        ({"note": "x" * 201}, "note", "at most 200"),
    ],
)
def test_a_line_that_means_nothing_is_refused_in_words(line, field: str, words: str) -> None:
    src = source()
    with pytest.raises(services.Refused) as told:
        code(src, **{"listed": "x12_315", "code": "I", "event_code": "GTIN", **line})
    assert list(told.value.faults) == [field]
    assert words in told.value.faults[field]
    assert lines(src) == []


def test_a_delivery_that_failed_has_no_standard_code_and_can_be_meant() -> None:
    src = source()
    code(src, listed="x12_315", code="AH", event_code="DELIVERY_FAILED")
    assert lines(src)[0][3:5] == ("EQUIPMENT", "DELIVERY_FAILED")


def test_a_file_is_taken_in_whole_and_comes_out_as_it_went_in() -> None:
    src = source()
    code(src, listed="x12_315", code="VA", kind="TRANSPORT", event_code="ARRI")
    text = HEAD + (
        "x12_315,,va,TRANSPORT,ARRI,EST,,VESSEL,,,,\n"
        "iftsta,22,DL,,DROP,,FULL,TRUCK,PDE,,,delivered\n"
        "x12_315,,XX,,,,,,,,yes,nothing\n"
        "csv,,'=DONE,SHIPMENT,CMPL,ACT,,,,BKG,,\n"
    )
    assert load(src, text) == services.Imported(added=3, changed=1, same=0)
    out = lines(src)
    assert ("iftsta", "22", "DL", "EQUIPMENT", "DROP", "ACT", "LADEN", "TRUCK", "PDE", "", "", "delivered") in out
    assert ("x12_315", "", "XX", "", "", "", "", "", "", "", "yes", "nothing") in out
    assert [row[2] for row in out if row[0] == "csv"] == ["=DONE"]
    again = HEAD + "".join(",".join(row) + "\n" for row in out)
    assert load(src, again) == services.Imported(added=0, changed=0, same=4)
    assert len(audited(src, "source.codes_imported")) == 1
    assert len(audited(src, "source.codes_imported")[0]["lines"]) == 4


def test_bad_lines_are_named_and_nothing_of_the_file_is_stored() -> None:
    src = source()
    text = HEAD + (
        "x12_315,,I,,GTIN,,,,,,,\n"
        "x12_315,,AE,,LOOP,,,,,,,\n"
        "x12_315,,AF,,LOAD,,PERHAPS,,,,,\n"
        "x12_315,,I,,GTOT,,,,,,,\n"
        "x12_315,AF\n"
    )
    with pytest.raises(services.BadLines) as told:
        load(src, text)
    faults = dict(told.value.faults)
    assert list(faults) == [3, 4, 5, 6]
    assert faults[3].startswith("event_code: LOOP is no code of an event")
    assert faults[4].startswith("laden:")
    assert "stand in the file before" in faults[5]
    assert lines(src) == []
    assert audited(src, "source.codes_imported") == []


@pytest.mark.parametrize("body", ["", "list,colour\nx,y\n", "code\nI\n", "\xff\xfe", "list;code\na;b\n"])
def test_a_file_that_is_no_partner_table_is_refused_as_a_whole(body: str) -> None:
    src = source()
    with as_tenant(OPERATOR_ID), pytest.raises(services.BadLines) as told:
        services.partner_codes_import(key=src.key, body=body.encode("latin-1"), at=NOW, actor=ADA)
    assert told.value.faults[0][0] == 1


# --- what it does ---


def test_an_own_line_changes_what_a_code_means_from_then_on(acme) -> None:
    src, made = source(), shipment(acme)
    number = number_of(made)
    told = equipment("GTIN", number, "2026-03-01T10:00:00+08:00", id="first")
    take(src, [told], at=NOW)
    code(src, listed="dcsa", code="GTIN", event_code="AVPU")
    take(src, [equipment("GTIN", number, "2026-03-02T10:00:00+08:00", id="second")], at=NOW)
    with as_tenant(acme.pk):
        stored = dict(SightingRow.objects.filter(shipment=made).values_list("source_event_id", "code"))
    assert stored == {"first": "GTIN", "second": "AVPU"}, "what is stored stays as it was"


def test_a_code_of_the_partners_own_is_usable_once_it_is_mapped(acme) -> None:
    src, made = source(), shipment(acme)
    event = equipment("GATE", number_of(made), "2026-03-01T10:00:00+08:00")
    message = take(src, [event], at=NOW)
    assert message.events_quarantined == 1
    code(src, listed="dcsa", code="GATE", event_code="GTIN")
    with as_tenant(OPERATOR_ID):
        item = Quarantined.objects.get(message=message)
        assert item.reason == "unknown_code"
        services.quarantine_replay(public_id=item.public_id, at=NOW, actor=ADA)
    with as_tenant(acme.pk):
        assert SightingRow.objects.get(shipment=made).code == "GTIN"


def test_an_ignored_code_is_kept_and_set_aside_at_once() -> None:
    src = source(format="csv")
    code(src, listed="csv", code="INSP", is_ignored=True)
    row = f"container,code,classifier,event_time,laden\n{box()},INSP,ACT,2026-03-01T10:00:00Z,true\n"
    message = take(src, row.encode(), at=NOW)
    with as_tenant(OPERATOR_ID):
        item = Quarantined.objects.get(message=message)
    assert (item.reason, item.state, item.position) == ("not_tracked", "DISCARDED", "$[0].code")


def test_a_row_of_a_table_means_what_the_partner_means(acme) -> None:
    src, made = source(format="csv"), shipment(acme)
    code(src, listed="csv", code="TOR", event_code="DROP", laden=True, place_role="PDE")
    row = f"container,code,classifier,event_time,place\n{number_of(made)},tor,EST,2026-03-01T10:00:00Z,NLRTM\n"
    take(src, row.encode(), at=NOW)
    with as_tenant(acme.pk):
        stored = SightingRow.objects.get(shipment=made)
    assert (stored.code, stored.laden, stored.place_role, stored.classifier) == ("DROP", True, "PDE", "EST")
