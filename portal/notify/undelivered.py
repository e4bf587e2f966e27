"""Addresses that mail does not reach: what came back, what follows from it, and how it is lifted again (O10).

Reading the reports of mail servers stands in bounces.py. A report only ever speaks against the address that the mail
it names was sent to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from portal.notify.bounces import NotAReport, Outcome, Report, report_read
from portal.notify.models import Bounce, BounceKind, Delivery, Phase, SuppressedAddress
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member
from portal.tenancy.selectors import tenant_id_of_public_id
from portal.tenancy.services import audit

SOFT_LIMIT: Final = 3  # mails that were given up, one after another
SOFT_WITHIN: Final = timedelta(days=14)
ACTOR: Final = "mail server"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a report led to; `suppressed` says that the address is left alone from now on."""

    outcome: Outcome
    email: str
    status: str
    suppressed: bool
    known: bool  # the same had been reported before


def bounce_take(*, raw: bytes, at: datetime) -> Taken:
    """Takes in a message that a mail server sent back; taken twice it counts once.

    Raises NotAReport when it is none, or is about no mail that we sent.
    """
    report = report_read(raw)
    tenant_id = tenant_id_of_public_id(report.owner)
    if tenant_id is None:
        raise NotAReport("The report names no mail of this portal.")
    with as_tenant(tenant_id), transaction.atomic():
        delivery = _meant(report)
        if delivery is None:
            raise NotAReport("The report names no mail of this portal.")
        return _take(report, delivery, at)


def _meant(report: Report) -> Delivery | None:
    """The mail that both names agree on, of those that were handed to a server."""
    rows = Delivery.objects.select_for_update(of=("self",))
    if report.key:
        rows = rows.filter(key__startswith=report.key)
    if report.delivery:
        rows = rows.filter(public_id=report.delivery)
    return rows.filter(attempts__gt=0).first()


def _take(report: Report, delivery: Delivery, at: datetime) -> Taken:
    email = delivery.email.lower()
    if report.outcome == Outcome.NONE:
        return Taken(outcome=report.outcome, email=email, status=report.status, suppressed=False, known=False)
    row = Bounce(
        delivery=delivery, email=email, kind=BounceKind(report.outcome.value), status=report.status,
        diagnostic=report.diagnostic, received_at=at,
    )  # fmt: skip
    made = not Bounce.objects.filter(delivery=delivery).exists()
    if made:
        row.save()
        _undelivered(delivery, report, at)
    suppressed = report.outcome != Outcome.SOFT or _too_often(email, at)
    if suppressed and made:
        address_suppress(email=email, reason=_reason(report), status=report.status, actor=ACTOR, at=at)
    return Taken(outcome=report.outcome, email=email, status=report.status, suppressed=suppressed, known=not made)


def _undelivered(delivery: Delivery, report: Report, at: datetime) -> None:
    """A server took the mail, so it is not lost; but it reached nobody. What was uncertain is now known."""
    if report.outcome != Outcome.COMPLAINT and delivery.phase in (Phase.SENT, Phase.UNCERTAIN):
        delivery.phase, delivery.reason, delivery.changed_at = Phase.FAILED, f"came back: {_reason(report)}", at
        delivery.save(update_fields=["phase", "reason", "changed_at"])


def _too_often(email: str, at: datetime) -> bool:
    """Whether so many mails were given up within two weeks that the next ones would be, too."""
    rows = Bounce.objects.filter(email=email, kind=BounceKind.SOFT, received_at__gt=at - SOFT_WITHIN)
    return rows.count() >= SOFT_LIMIT


def _reason(report: Report) -> str:
    if report.outcome == Outcome.COMPLAINT:
        return f"complaint: {report.diagnostic}"
    return " ".join(word for word in (report.status, report.diagnostic) if word)[:200] or "refused"


def address_suppress(*, email: str, reason: str, actor: str, at: datetime, status: str = "") -> bool:
    """No further mail of this account to this address (O10); the first reason stays. False when it was so already."""
    if SuppressedAddress.objects.filter(email=email.lower()).exists():
        return False
    row = SuppressedAddress(email=email.lower(), reason=reason[:200], created_at=at)
    SuppressedAddress.objects.bulk_create([row], ignore_conflicts=True)
    audit(action="address.suppressed", actor=actor, at=at, details={"status": status}, **_whose(email))
    return True


@transaction.atomic
def address_release(*, email: str, actor: str, at: datetime) -> bool:
    """The address works again, and what came back before counts no more; False when it was not suppressed."""
    gone, _by_model = SuppressedAddress.objects.filter(email=email.lower()).delete()
    if gone:
        Bounce.objects.filter(email=email.lower(), kind=BounceKind.SOFT).delete()
        audit(action="address.released", actor=actor, at=at, **_whose(email))
    return bool(gone)


def _whose(email: str) -> dict[str, Any]:
    """Whom the trail names: the person, never the address, which the trail would keep for ever."""
    member = Member.objects.filter(user__email=email.lower()).values_list("public_id", flat=True).first()
    return {"object_type": "member" if member else "address", "object_id": member or ""}
