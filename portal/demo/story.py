"""The product's main job, told on the running demo step by step: from a carrier's message to a credit.

Everything a person or a partner does goes over HTTP with a real sign-in; the database is only asked what to talk
about, and whether its invariants hold.
"""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.core.management import call_command
from django.db.models import Sum

from kpis.types import HITS
from portal.checks.invariants import invariant_breaches
from portal.demo import people
from portal.demo.messages import local_text
from portal.demo.visitor import Answer, Visitor
from portal.demo_inbox import inbox_folder, mail_files, mail_read
from portal.lib import clock, ids
from portal.tenancy.context import as_tenant
from portal.tenancy.selectors import tenant_current, tenant_id_of_code
from tiers.credits.models import CreditLine, LedgerEntry
from tracking.models import Shipment
from tracking.signatures import signature

PATIENCE: Final = 60.0  # seconds for a worker to take up what it was given
_DISCHARGED: Final = re.compile(r"Discharged (?:(?!to come).){1,200}? actual")
SHIPPER, OPS, FINANCE = "mara@acme.example", "olga.ops@meridian.example", "fay.finance@meridian.example"


class NotSo(Exception):  # noqa: N818 - the end of the story
    """A step saw something else than it must."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step and what it saw."""

    name: str
    saw: str
    seconds: float


class Story:
    """One telling; each step returns one sentence of what it saw, or raises NotSo."""

    def __init__(self, *, base: str, keys: dict[str, str]) -> None:
        self.base, self.keys = base, keys
        self.machine = Visitor(base)
        self.visitors: dict[str, Visitor] = {}
        acme = tenant_id_of_code("ACME")
        if acme is None:
            raise NotSo("there is no demo world here; `manage.py demo` makes one")
        self.tenant_id = acme
        self.shipment, self.box, self.booking, self.account = self._subject()
        self.arrival = self._arrival()

    @property
    def steps(self) -> list[tuple[str, Callable[[], str]]]:
        """In the order of the telling."""
        return [
            ("a carrier's message comes in", self.message_comes_in),
            ("the same message again", self.message_comes_again),
            ("a signed callback", self.callback_comes_in),
            ("the shipper sees the milestone", self.shipper_sees_it),
            ("the shipper gets a mail", self.mail_arrives),
            ("operations sees what could not be read", self.ops_sees_quarantine),
            ("the closed month can be counted again", self.month_is_recounted),
            ("finance approves the credit", self.credit_is_approved),
            ("the shipper sees the credit", self.shipper_sees_credit),
            ("the ledger adds up", self.ledger_adds_up),
            ("the invariants hold", self.invariants_hold),
        ]

    def tell(self, said: Callable[[Step], None]) -> list[Step]:
        """Runs the steps; NotSo carries the name of the one that failed."""
        told = []
        for name, step in self.steps:
            began = time.monotonic()
            try:
                saw = step()
            except NotSo as fault:
                raise NotSo(f"{name}: {fault}") from None
            told.append(Step(name, saw, round(time.monotonic() - began, 1)))
            said(told[-1])
        return told

    # --- what it is about ---

    def _subject(self) -> tuple[Shipment, str, str, str]:
        """A shipment of Acme at sea whose arrival was not told yet."""
        with as_tenant(self.tenant_id):
            found = (
                Shipment.objects.filter(milestone="VESSEL_DEPARTED", carrier="MAEU", pod="NLRTM", final_at=None)
                .order_by("due_at", "ref").first()
            )  # fmt: skip
            if found is None:
                raise NotSo("no shipment of Acme is at sea any more; start the demo with --reset")
            boxes = found.containers.order_by("number").values_list("number", flat=True)
            booking = found.references.filter(kind="BOOKING").values_list("written", flat=True)
            return found, str(boxes[0]), str(booking[0]), tenant_current().public_id

    def _event(self, kind: str, code: str, at: datetime, **more: Any) -> dict[str, Any]:
        return {
            "eventID": ids.public_id(), "eventType": kind, "eventClassifierCode": "ACT",
            "eventDateTime": local_text(at, self.shipment.pod), "eventCreatedDateTime": clock.now().isoformat(),
            "documentReferences": [{"documentReferenceType": "BKG", "documentReferenceValue": self.booking}],
            f"{kind.lower()}EventTypeCode": code, **more,
        }  # fmt: skip

    def _arrival(self) -> bytes:
        """The vessel's arrival, and an event with a code that is in no list."""
        at = clock.now() - timedelta(minutes=20)
        call = {
            "transportCallID": "story", "modeOfTransport": "VESSEL", "UNLocationCode": self.shipment.pod,
            "exportVoyageNumber": self.shipment.voyage, "vessel": {"vesselIMONumber": self.shipment.vessel_imo},
        }  # fmt: skip
        good = self._event("TRANSPORT", "ARRI", at, transportCall=call)
        odd = self._event("EQUIPMENT", "LIFT", at, **self._box())
        return json.dumps([good, odd]).encode()

    def _box(self) -> dict[str, Any]:
        return {
            "equipmentReference": self.box, "emptyIndicatorCode": "LADEN",
            "eventLocation": {"UNLocationCode": self.shipment.pod},
        }  # fmt: skip

    # --- machines ---

    def _post(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.keys['maeu']}", "Content-Type": "application/json"}
        answer = self.machine.send("/ingest/maeu", self.arrival, headers)
        _so(answer.status == 200, f"POST /ingest/maeu answered {answer.status}: {answer.text[:200]}")
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def message_comes_in(self) -> str:
        """Two events: one is taken, one waits with its reason."""
        counts = self._post()
        _so((counts["accepted"], counts["quarantined"]) == (1, 1), f"accepted and quarantined are {counts}")
        return (
            f"200: received {counts['received']}, accepted {counts['accepted']}, quarantined {counts['quarantined']} "
            f"({', '.join(counts['quarantined_by_reason'])})"
        )

    def message_comes_again(self) -> str:
        """Nothing is applied twice."""
        counts = self._post()
        _so(counts["accepted"] == 0 and counts["duplicate"] >= 1, f"the repeat was counted as {counts}")
        return f"200: accepted 0, duplicate {counts['duplicate']}"

    def callback_comes_in(self) -> str:
        """204 once the bytes are durable; a wrong signature is refused."""
        event = self._event("EQUIPMENT", "DISC", clock.now() - timedelta(minutes=5), **self._box())
        body = json.dumps([event]).encode()
        secret = next(feed.dcsa_secret for feed in people.FEEDS if feed.key == "maeu")
        headers = {"Content-Type": "application/json", "Notification-Signature": signature(body, secret)}
        answer = self.machine.send("/dcsa/callbacks/maeu", body, headers)
        _so(answer.status == 204, f"the callback was answered with {answer.status}: {answer.text[:200]}")
        headers["Notification-Signature"] = "sha256=" + "0" * 64
        refused = self.machine.send("/dcsa/callbacks/maeu", body, headers)
        _so(refused.status == 401, f"a wrong signature was answered with {refused.status}")
        return "204; with a wrong signature 401"

    # --- people ---

    def _as(self, login: str) -> Visitor:
        if login not in self.visitors:
            visitor = Visitor(self.base)
            person = next(p for p in people.PEOPLE if p.email == login)
            page = visitor.sign_in(login, people.PASSWORD, _code_of(login) if person.totp_secret else None)
            _so(page.status == 200 and "/accounts/" not in page.url, f"{login} could not sign in: {page.words[:200]}")
            self.visitors[login] = visitor
        return self.visitors[login]

    def _page(self, login: str, path: str) -> Answer:
        page = self._as(login).get(path)
        _so(page.status == 200, f"{path} answered {page.status} to {login}")
        return page

    def shipper_sees_it(self) -> str:
        """Found by its container number; the time line says what was heard by post and by callback, and from whom."""
        found = self._page(SHIPPER, f"/shipments?q={self.box}").words
        _so(self.shipment.ref in found, f"{self.shipment.ref} is not found by {self.box}")
        path = f"/shipments/{self.shipment.public_id}"

        def discharged() -> str:
            words = self._page(SHIPPER, path).words
            return words if _DISCHARGED.search(words) else ""

        page = _until(discharged, f"the discharge to show on {path}")
        for word in (self.shipment.ref, "Vessel arrived", "maeu"):
            _so(word in page, f"the page of {self.shipment.ref} does not say {word!r}")
        return f"{self.shipment.ref}, found by {self.box}: vessel arrived and discharged, with source and time heard"

    def mail_arrives(self) -> str:
        """In the demo's SMTP sink, with the shipment in its subject."""
        return f"to {SHIPPER}: {self._mail(self.shipment.ref)}"

    def _mail(self, words: str) -> str:
        """The subject of the shipper's newest mail with these words in its subject, once it has come."""

        def found() -> str:
            for path in mail_files(inbox_folder())[:300]:
                mail = mail_read(path)
                if SHIPPER in str(mail["To"]) and words in str(mail["Subject"]):
                    return str(mail["Subject"])
            return ""

        return _until(found, f"a mail about {words}")

    def ops_sees_quarantine(self) -> str:
        """The event with the unknown code stands in the list with its reason."""
        page = self._page(OPS, "/ops/quarantine").words
        _so("unknown_code" in page, "the quarantine does not show the unknown code")
        return "reason unknown_code: a code is not in the list that it belongs to"

    # --- the month and its credit ---

    def month_is_recounted(self) -> str:
        """facts.csv of the newest closed month, counted here, agrees with the page."""
        snapshots = self._page(SHIPPER, "/snapshots")
        path = _first_link(snapshots, "/snapshots/")
        page = self._page(SHIPPER, path)
        rows = list(csv.DictReader(io.StringIO(self._page(SHIPPER, f"{path}/facts.csv").body.decode())))
        num = sum(row["outcome"] in HITS for row in rows)
        den = sum(row["outcome"] != "EXCLUDED" for row in rows)
        _so(den > 0 and f"{num} of {den}" in page.words, f"the page does not say {num} of {den}")
        return f"facts.csv has {len(rows)} units, {num} of {den} on time; the page says the same"

    def _credit(self) -> CreditLine:
        with as_tenant(self.tenant_id):
            found = CreditLine.objects.filter(amount_minor__gt=0).order_by("-period", "-id").first()
        if found is None:
            raise NotSo("no credit was assessed")
        return found

    def credit_is_approved(self) -> str:
        """By a second person, who did not send it to review."""
        line = self._credit()
        amount = f"{line.amount:,f} {line.currency}"
        if line.state not in ("COMPUTED", "IN_REVIEW"):
            return f"{amount} for {line.lane}, {line.period}: was approved by {line.approved_label} before"
        path = f"/ops/accounts/{self.account}/credits/{line.public_id}"
        page = self._page(FINANCE, path)
        answer = self._as(FINANCE).submit(page, f"{path}/approve", {})
        _so(answer.status == 200, f"approving was answered with {answer.status}")
        line = self._credit()
        _so(line.state == "APPROVED", f"the credit is {line.state} after the approval: {answer.words[:300]}")
        return (
            f"{amount} for {line.lane}, {line.period}: sent to review by {line.prepared_label}, "
            f"approved by {line.approved_label}"
        )

    def shipper_sees_credit(self) -> str:
        """With every step of the sum, and by mail."""
        line = self._credit()
        page = self._page(SHIPPER, f"/credits/{line.public_id}").words
        for word in (f"{line.amount:,f}", "Share of the base", "Lane cap", "Approved"):
            _so(word in page, f"the credit's page does not say {word!r}")
        told = self._mail(f"{line.amount:,f}")
        return f"{len(line.steps)} steps from charges to {line.amount:,f} {line.currency}; mail: {told}"

    def ledger_adds_up(self) -> str:
        """Debits and credits of the account come to nothing."""
        with as_tenant(self.tenant_id):
            legs = LedgerEntry.objects.count()
            total = LedgerEntry.objects.aggregate(s=Sum("minor"))["s"]
        _so(legs >= 2 and total == 0, f"{legs} legs add up to {total}")
        return f"{legs} legs add up to 0"

    def invariants_hold(self) -> str:
        """Asked of everything that is stored."""
        breaches = list(invariant_breaches(at=clock.now()))
        _so(not breaches, f"{len(breaches)} breaches, the first is {breaches[:1]}")
        return "no breaches"


def _so(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise NotSo(otherwise)


def _until(found: Callable[[], str], what: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if answer := found():
            return answer
        time.sleep(0.5)
    raise NotSo(f"waited {PATIENCE:.0f} s for {what}")


def _code_of(login: str) -> Callable[[], str]:
    def code() -> str:
        out = io.StringIO()
        with redirect_stdout(out):
            call_command("demo_code", login, stdout=out)
        return out.getvalue().strip()

    return code


def _first_link(page: Answer, prefix: str) -> str:
    for part in page.text.split('href="')[1:]:
        path = part.partition('"')[0]
        if path.startswith(prefix) and "/" not in path[len(prefix) :] and "." not in path and len(path) > len(prefix):
            return path
    raise NotSo(f"{page.url} has no link to {prefix}…")
