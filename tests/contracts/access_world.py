"""The principals and objects that the access matrix opens doors with.

Every route parameter has a maker here; a route with an unknown parameter turns the suite red.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from kpis.services import month_close, snapshot_publish
from portal.account.invitations import invitation_create
from portal.lib import clock, ids
from portal.lib.periods import Month
from portal.notify.models import BellNotice, Delivery
from portal.notify.notices import unsubscribe_token
from portal.shares.services import share_create
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import KnownKey, key_create
from portal.tenancy.models import ApiKey, Member, Role
from portal.web.checks import Route
from portal.webhooks.deliveries import ping_send
from portal.webhooks.services import endpoint_create
from tests import cast
from tests.doors import client_of
from tests.tiers import world as promises
from tests.tracking.messages import box, equipment, number_of, shipment, source, take
from tracking.dcsaevents import event_id
from tracking.dcsaquery import SubscriptionAsked
from tracking.facts import MilestoneReached
from tracking.filters import ShipmentFilter
from tracking.freetime import FreeKind, Term
from tracking.models import BatchAction, ExceptionCase, Quarantined, SightingRow
from tracking.papers import PaperKind
from tracking.services import (
    Entry,
    batch_start,
    comment_post,
    document_add,
    entry_record,
    evidence_store,
    export_ask,
    export_build,
    free_term_set,
    subscription_create,
    upload_begin,
    upload_import,
    view_save,
)

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
PEOPLE = ("STANDARD_MEMBER", "STANDARD_MANAGER", "PRIORITY_MEMBER", "PRIORITY_MANAGER", "PREMIUM_MEMBER",
          "PREMIUM_MANAGER", "OPS", "ACCOUNT_MANAGER", "FINANCE", "ADMIN")  # fmt: skip
PRINCIPALS = ("ANONYMOUS", "SHARE_LINK", *PEOPLE, "KEY_READ", "KEY_SOURCE")


@dataclass
class Side:
    """An account with one of everything."""

    account: cast.Account
    shipment: Any
    key: str
    objects: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    """Three accounts by tier, one that is a stranger to all, the staff, a source."""

    tiers: dict[str, Side]
    stranger: Side
    staff: dict[str, Member]
    source_key: str
    source: Any
    stranger_source: Any
    quarantined: str
    message: str
    desk: dict[str, str] = field(default_factory=dict)

    def principal(self, name: str) -> tuple[Member | None, str]:
        """(person, key) of a principal."""
        if name == "ANONYMOUS":
            return None, ""
        if name == "SHARE_LINK":
            # opening it leaves nothing behind that other doors could take (`_shares`), so it is tried as a key
            return None, self.tiers["PREMIUM"].objects["shares:view:token"]
        if name == "KEY_READ":
            return None, self.tiers["PREMIUM"].key
        if name == "KEY_SOURCE":
            return None, self.source_key
        if name in self.staff:
            return self.staff[name], ""
        tier, role = name.split("_")
        side = self.tiers[tier]
        return (side.account.manager if role == "MANAGER" else side.account.member), ""

    def client(self, name: str) -> Any:
        """A fresh session for each cell: some doors end it."""
        person, key = self.principal(name)
        return client_of(person, key=key)

    def side_of(self, name: str) -> Side:
        """Whose objects are the principal's own; the staff and keys look at the Premium account."""
        return self.tiers.get(name.split("_")[0], self.tiers["PREMIUM"])


def _side(code: str, tier: str) -> Side:
    from tiers.promises.services import subscription_open
    from tiers.promises.types import Tier

    account = cast.account(code)
    made = shipment(account, due_date=date(2026, 2, 20))
    with as_tenant(account.pk):
        if tier != "STANDARD":
            subscription_open(tier=Tier(tier), valid_from=date(2026, 1, 1), at=cast.START)
        _key, text = key_create(label="read", at=clock.now())
    return Side(account, made, text)


def build() -> World:
    """One world a worker; committed like everything else."""
    cast.operator()
    line, other_line = source(), source()
    sides = {t: _side(t[:4], t) for t in ("STANDARD", "PRIORITY", "PREMIUM")}
    stranger = _side("STRANGER", "PREMIUM")
    for side in (*sides.values(), stranger):
        take(line, [
            equipment("GTIN", number_of(side.shipment), "2026-01-28T09:30:00+08:00"),
            equipment("DROP", number_of(side.shipment), "2026-02-19T09:30:00Z", place="NLRTM"),
        ], at=NOW)  # fmt: skip
    waiting = take(line, [equipment("GTIN", box(), "2026-01-28T09:30:00+08:00")], at=NOW)
    staff = {r.value: cast.person(OPERATOR_ID, r) for r in (Role.OPS, Role.ACCOUNT_MANAGER, Role.FINANCE, Role.ADMIN)}
    with as_tenant(OPERATOR_ID):
        _key, source_key = key_create(label="feed", at=clock.now(), scope="events:write", source_key=line.key)
        quarantined = Quarantined.objects.filter(message=waiting).values_list("public_id", flat=True)[0]
    world = World(sides, stranger, staff, source_key, line, other_line, quarantined, waiting.public_id)
    for side in (*sides.values(), stranger):
        _objects(side)
    for side in (sides["PREMIUM"], stranger):
        _money(side)
    world.desk = _desk(world)
    return world


def _objects(side: Side) -> None:
    """One of everything that has an address of its own."""
    with as_tenant(side.account.pk):
        row = SightingRow.objects.filter(shipment=side.shipment).first()
        side.objects["sighting"] = str(row.pk if row else 0)
        snapshot = month_close(period=Month(2026, 2), at=NOW).public_id
        snapshot_publish(public_id=snapshot, at=NOW)
        for page in ("snapshot", "snapshot_facts", "snapshot_kpis", "api_snapshot", "api_snapshot_units",
                     "api_snapshot_file"):  # fmt: skip
            side.objects[f"kpis:{page}:public_id"] = snapshot
        side.objects["kpis:api_snapshot_file:name"] = "facts.csv"
        pages = "shipment events event entry entry_withdraw evidence cutoff booking promise cancel".split()
        talk = "documents document document_show document_withdraw comments comment_withdraw changes".split()
        systems = "api_shipment api_containers api_milestones api_events api_event api_position".split()
        for page in (*pages, *talk, *systems, "api_documents", "api_document_file", "api_comments"):
            side.objects[f"tracking:{page}:public_id"] = side.shipment.public_id
        file = evidence_store(shipment=side.shipment, name="pod.pdf", body=b"%PDF-1.7 signed", at=NOW, actor="OPS")
        side.objects["tracking:evidence:evidence"] = file.public_id
        _papers(side)
        by_hand = Entry(code="GTOT", local="2026-02-18T10:00", place="NLRTM", laden=True, evidence=file.public_id)
        entry_record(shipment=side.shipment, entry=by_hand, at=NOW, actor="OPS")
        side.objects["tracking:follow:public_id"] = side.shipment.public_id
        view = view_save(owner=side.account.member, name="Late", wanted=ShipmentFilter(standing="late"), shared=False,
                         default_for="", at=NOW)  # fmt: skip
        side.objects["tracking:view:public_id"] = view.public_id
        file = export_ask(member=side.account.member, wanted=ShipmentFilter(), total=1, at=clock.now())
        export_build(public_id=file.public_id, at=clock.now())
        for page in ("export", "export_file"):
            side.objects[f"tracking:{page}:public_id"] = file.public_id
        side.objects["people:member:public_id"] = side.account.member.public_id
        key, _text = key_create(label="spare", at=clock.now())
        side.objects["people:key_revoke:public_id"] = key.public_id
        bell = BellNotice.objects.create(
            member=side.account.manager, key=ids.digest(nothing()), fact_key="tracking.milestone_reached",
            fact=MilestoneReached.example().plain(), recorded_at=clock.now(),
        )  # fmt: skip
        side.objects["notices:open:public_id"] = bell.public_id
        mail = Delivery.objects.values_list("public_id", flat=True).first()
        side.objects["notify:delivery:public_id"] = mail or nothing()
        made = invitation_create(email=_address(), name="Ina", role="MEMBER", by=side.account.manager, at=clock.now())
        side.objects["people:invitation_revoke:public_id"] = made.invitation.public_id
        side.objects["people:invitation:token"] = made.url.rstrip("/").rsplit("/", 1)[1]
        side.objects["notices:unsubscribe:token"] = unsubscribe_token(
            tenant_id=side.account.pk, member=side.account.member.public_id, fact_key="tracking.milestone_reached"
        )
        _shares(side)
        _systems(side)
        side.objects["tracking:api_exception:public_id"] = _case(side)  # late: a derivation takes it back
        _webhooks(side)
        for page in ("ingest_message", "ingest_acknowledgement"):  # the message lives in its source's scope
            side.objects[f"tracking:{page}:public_id"] = nothing()


def _papers(side: Side) -> None:
    """A document and a comment of the customer's, and an hour old: what is shown, withdrawn or taken back stays."""
    at, by = NOW - timedelta(hours=1), side.account.manager
    kept = document_add(shipment=side.shipment, kind=PaperKind.PACKING_LIST, name="list.pdf", body=b"%PDF-1.7 list",
                        by=by, at=at)  # fmt: skip
    for page in ("document", "document_show", "document_withdraw", "api_document_file"):
        side.objects[f"tracking:{page}:document"] = kept.public_id
    said = comment_post(shipment=side.shipment, text="When does it arrive?", by=by, at=at)
    side.objects["tracking:comment_withdraw:comment"] = said.public_id
    days = {"kind": FreeKind.DEMURRAGE, "place": "NLRTM", "free_days": 5}
    for page, year in (("term", 2026), ("remove", 2027)):
        term = free_term_set(term=Term(**days, first_day=date(year, 1, 1)), by="OPS", at=NOW)
        side.objects[f"tracking:freedays_{page}:public_id"] = term.public_id


def _shares(side: Side) -> None:
    """A link that is opened and one that is revoked; opening it sets no cookie."""
    made = [share_create(shipment=side.shipment, label=label, days=90, by=side.account.manager, at=clock.now())
            for label in ("Consignee", "Warehouse")]  # fmt: skip
    side.objects["shares:view:token"] = made[0][1]
    side.objects["shares:shipment:public_id"] = side.shipment.public_id
    side.objects["shares:revoke:public_id"] = made[1][0].public_id
    opened = client_of(None).get(f"/s/{made[0][1]}")
    assert (opened.status_code, dict(opened.cookies)) == (200, {})


def _systems(side: Side) -> None:
    """An event as customers' systems name it, and a subscription for each route: one of them ends it."""
    row = SightingRow.objects.filter(shipment=side.shipment).order_by("pk")[0]
    side.objects["tracking:dcsa_event:event_id"] = str(event_id(side.shipment.public_id, row.source, row.event_key))
    key = KnownKey(side.account.pk, "TMS", "read", "", ApiKey.objects.filter(scope="read")[0].public_id)
    for page in ("dcsa_subscription", "dcsa_subscription_secret"):
        asked = SubscriptionAsked(callback_url="https://tms.example.com/dcsa", secret="A" * 43 + "=")
        made = subscription_create(asked, key=key, at=NOW)
        side.objects[f"tracking:{page}:subscription_id"] = str(made.subscription_id)


def _webhooks(side: Side) -> None:
    """An endpoint with a message on its way; and one to be taken away, whose page stays for nobody else."""
    for pages in (("api_deliveries", "endpoint", "endpoint_change", "secret_rotate", "replay"), ("endpoint_remove",)):
        made, _secret = endpoint_create(
            label="TMS", url="https://tms.example.com/hook", kinds=["tracking.milestone_reached"], actor="OPS",
            at=clock.now(),
        )  # fmt: skip
        ping = ping_send(endpoint=made, at=clock.now())
        for page in pages:
            side.objects[f"webhooks:{page}:public_id"] = made.public_id
    for page in ("delivery", "delivery_replay"):
        side.objects[f"webhooks:{page}:public_id"] = ping.public_id


def _money(side: Side) -> None:
    """An agreement and a credit of a Premium account."""
    agreement = promises.agree(side.account)
    made = promises.month(side.account, on_time=17, late=3)
    promises.bill(side.account, made, "9000.00")
    line = promises.assessed(side.account, promises.close(side.account))[0]
    side.objects["promises:agreement:public_id"] = agreement.public_id
    side.objects["credits:api_credit:public_id"] = line.public_id
    for page in ("", "_review", "_approve", "_reject", "_issue", "_apply"):
        side.objects[f"credits:credit{page}:public_id"] = line.public_id


def _address() -> str:
    return f"{secrets.token_hex(6)}@example.com"


def _desk(world: World) -> dict[str, str]:
    """Objects of the operator's own scope."""
    with as_tenant(OPERATOR_ID):
        made = invitation_create(email=_address(), name="Otto", role="OPS", by=world.staff["ADMIN"], at=clock.now())
        spare_key, _text = key_create(label="spare", at=clock.now(), scope="events:write", source_key=world.source.key)
    spare = cast.person(OPERATOR_ID, Role.OPS)
    sheets = source(format="table")
    open_ones, done = ("columns", "preview"), ("import", "result", "original", "discard")
    return {
        "tracking:upload:source": sheets.key,
        **{f"tracking:upload_{step}:public_id": _upload(sheets) for step in open_ones},
        **dict.fromkeys([f"tracking:upload_{step}:public_id" for step in done], _upload(sheets, imported=True)),
        "people:staff_member:public_id": spare.public_id,
        "people:staff_invitation_revoke:public_id": made.invitation.public_id,
        **{
            f"tracking:quarantine_{p}:public_id": world.quarantined
            for p in (
                "item",
                "replay",
                "discard",
                "correct",
                "map",
                "zone",
            )
        },
        **{
            f"tracking:exception{act}:public_id": _case(world.tiers["PREMIUM"])
            for act in ("", "_acknowledge", "_take", "_assign", "_note", "_resolve")
        },
        "tracking:quarantine_batch:batch": _batch(world),
        "tracking:message:public_id": world.message,
        "tracking:source_key_revoke:public_id": spare_key.public_id,
        "tracking:message_raw:public_id": world.message,
        **{f"demo:{p}:name": "nothing-here" for p in ("letter", "letter_html")},
        "brand:sheet:mark": "nothing-here",
        "brand:logo:digest": "nothing-here",  # nobody chose a look
    }


def _upload(sheets: Any, *, imported: bool = False) -> str:
    """A spreadsheet that waits half done, or one that was imported: that stays whatever is pressed."""
    raw = f"Container,Status,Date\n{box()},DISC,2026-03-01\n".encode()
    with as_tenant(OPERATOR_ID):
        draft = upload_begin(source=sheets, body=raw, file_name="a.csv", at=NOW, actor="test")
        if imported:
            upload_import(public_id=draft.public_id, at=NOW, actor="test")
    return str(draft.public_id)


def _batch(world: World) -> str:
    """A decision about many quarantined events."""
    with as_tenant(OPERATOR_ID):
        item = Quarantined.objects.get(public_id=world.quarantined).pk
        return batch_start(batch=nothing(), action=BatchAction.REPLAY, items=[item], reason="", at=NOW,
                           actor="test").batch  # fmt: skip


def _case(side: Side) -> str:
    """An exception of the side's shipment."""
    with as_tenant(side.account.pk):
        found, _made = ExceptionCase.objects.get_or_create(
            shipment=side.shipment, code="ROLLOVER", node="CNSHA",
            defaults={"started_at": NOW, "severity": 3, "noticed_at": NOW, "changed_at": NOW},
        )  # fmt: skip
        return found.public_id


def nothing() -> str:
    """A public id that nobody has."""
    return ids.public_id()


def token() -> str:
    """A token that nobody has."""
    return secrets.token_urlsafe(32)


def arguments(world: World, route: Route, principal: str, relation: str) -> dict[str, str]:
    """The route's parameters for an own, another one's, or an unknown object; KeyError names what has no maker."""
    own = world.side_of(principal)
    side = {"own": own, "other": world.stranger}.get(relation)
    return {name: _value(world, route, name, side, relation) for name in route.parameters}


def _value(world: World, route: Route, name: str, side: Side | None, relation: str) -> str:
    if name in ("uidb36", "key"):
        return "zz"  # a reset link is a secret of its own: every made-up one is refused alike
    if name in ("kind", "code") and "tracking_code" in route.name:  # lists that belong to the operator alone
        return {"kind": "places", "code": "NLRTM"}[name] if relation == "own" else "nothing-here"
    if name == "operation":
        return "shipments" if relation == "own" else "nothing-here"  # the same for everybody
    if name == "number":
        known = "3" if route.name.endswith("_withdraw") else "1"  # the third event was entered by hand
        return known if side is not None else "999999"
    if side is None and name in ("event_id", "subscription_id"):
        return str(uuid4())
    if side is None:
        return token() if name == "token" else "nothing-here" if name == "source" else nothing()
    if name in ("account", "owner"):
        # the staff may enter any account: for them only an unknown one is another
        return str(side.account.tenant.public_id) if relation == "own" else nothing()
    if name == "source" and route.name.startswith("ops:tracking_upload"):
        return world.desk["tracking:upload:source"] if relation == "own" else "nothing-here"
    if name == "source" and relation == "other" and route.name.startswith("ops:"):
        return "nothing-here"  # the staff may look at every source: for them only an unknown one is another
    if name == "source":
        return str((world.source if relation == "own" else world.stranger_source).key)
    if relation == "other" and route.name.startswith("ops:"):
        return nothing() if "account" not in route.parameters else _object(world, route, name, side)
    return _object(world, route, name, side)


def _object(world: World, route: Route, name: str, side: Side) -> str:
    plain = route.name.removeprefix("ops:")
    keys = (f"{plain}:{name}", f"{plain.replace('_', ':', 1)}:{name}")
    made = next((found[key] for key in keys for found in (side.objects, world.desk) if key in found), None)
    if (
        made is None
        and plain.startswith(("credits", "promises"))
        and not side.objects.get("promises:agreement:public_id")
    ):
        return nothing()  # an account below Premium has none
    if made is None:
        raise KeyError(f"The access matrix has no object for {route.name}'s parameter {name!r}; add one in _objects.")
    return made
