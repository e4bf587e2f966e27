"""Writes of promises: subscriptions, overrides of entitlements, agreement versions and their approval.

Everything runs in the entered tenant's scope. Members are the operator's people; their public ids are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from portal.lib.periods import Month
from portal.tenancy.models import Member
from portal.tenancy.selectors import installation
from portal.tenancy.services import SYSTEM, audit
from tiers.promises import selectors
from tiers.promises.models import Agreement, EntitlementOverride, Subscription
from tiers.promises.registry import ENTITLEMENTS
from tiers.promises.rules import Lane, Term
from tiers.promises.types import CreditBlock, Tier
from tiers.promises.validation_rules import Draft, Fault, faults

GRACE_DAYS = 5


class SubscriptionOverlap(PortalError):
    """V01: two tiers on one day."""

    code, status = "V01", 422
    message = _("V01: this term overlaps another subscription of the account.")


class TierUnchanged(PortalError):
    """A change that changes nothing."""

    code, status = "tier_unchanged", 409
    message = _("The account already has this tier from that day on.")


class TermInPast(PortalError):
    """V20 for subscriptions."""

    code, status = "V20", 422
    message = _("V20: a change of tier starts today or later.")


class NotFirstOfMonth(PortalError):
    """R5.3: a downgrade takes effect on the first of a month."""

    code, status = "not_first_of_month", 422
    message = _("A downgrade takes effect on the first of a month, on %(earliest)s at the earliest.")


class UnknownEntitlement(PortalError):
    """An override of a key that nobody declares."""

    code, status = "unknown_entitlement", 422
    message = _("There is no entitlement with the key %(key)s.")


class SamePerson(PortalError):
    """V18: the second person is the first."""

    code, status = "V18", 409
    message = _("V18: who prepared an agreement cannot approve it; ask a colleague.")


class AlreadyApproved(PortalError):
    """Nothing left to approve."""

    code, status = "already_approved", 409
    message = _("This agreement is approved already.")


# --- tiers (R5.2, R5.3) ---


@transaction.atomic
def subscription_open(
    *, tier: Tier, valid_from: date, valid_to: date | None = None, at: datetime, actor: str = SYSTEM, reason: str = ""
) -> Subscription:
    """Adds a term as agreed, also in the past: for a new account and for history. Raises SubscriptionOverlap (V01)."""
    try:
        with transaction.atomic():
            row = Subscription.objects.create(
                tier=tier.value,
                valid_from=valid_from,
                valid_to=valid_to,
                created_at=at,
                created_by=actor,
                reason=reason,
            )
    except IntegrityError as fault:
        if "subscription_without_overlap" in str(fault):
            raise SubscriptionOverlap from None
        raise ValidationError({"valid_to": _("V10: the end must lie after the start.")}) from None
    audit(
        action="tier.opened",
        actor=actor,
        at=at,
        object_type="subscription",
        details={"tier": tier.value, "from": str(valid_from), "to": str(valid_to) if valid_to else None},
    )
    return row


def downgrade_earliest(day: date) -> date:
    """The first of the next month (R5.3)."""
    return Month.of(day).next().first_day


@transaction.atomic
def subscription_change(
    *, tier: Tier, at: datetime, on: date | None = None, actor: str = SYSTEM, reason: str = ""
) -> Subscription:
    """Changes the tier: an upgrade today or on the day asked for, a downgrade on the first of a month (R5.3).

    The running term is closed and a new one opened; a term that was to begin later never begins. A downgrade from
    Premium ends the credit agreements on the same day (V03). Raises TierUnchanged, TermInPast, NotFirstOfMonth.
    """
    rows = list(Subscription.objects.select_for_update().order_by("valid_from", "pk"))
    today = selectors.today(at)
    now = selectors.tier_at(today)
    if tier.rank < now.rank:
        start = on or downgrade_earliest(today)
        if start.day != 1 or start < downgrade_earliest(today):
            raise NotFirstOfMonth(earliest=downgrade_earliest(today))
    else:
        start = on or today
        if start < today:
            raise TermInPast
    running = next((r for r in rows if start in Term(r.valid_from, r.valid_to)), None)
    later = [r for r in rows if r.valid_from > start and (r.valid_to is None or r.valid_to > r.valid_from)]
    if running is not None and running.tier == tier.value and running.valid_to is None:
        raise TierUnchanged
    for row in later:
        row.valid_to = row.valid_from
        row.save(update_fields=["valid_to"])
    if running is not None:
        running.valid_to = start
        running.save(update_fields=["valid_to"])
    opened = subscription_open(tier=tier, valid_from=start, at=at, actor=actor, reason=reason)
    if tier != Tier.PREMIUM:
        _end_credit_agreements(start, at, actor)
    return opened


def _end_credit_agreements(day: date, at: datetime, actor: str) -> None:
    for row in Agreement.objects.select_for_update().filter(credit__isnull=False).exclude(approved_by=""):
        if row.valid_to is None or row.valid_to > day:
            row.valid_to = max(day, row.valid_from)
            row.save(update_fields=["valid_to"])
            audit(
                action="agreement.ended",
                actor=actor,
                at=at,
                object_type="agreement",
                object_id=row.public_id,
                details={"on": str(row.valid_to), "because": "the account left Premium (V03)"},
            )


@transaction.atomic
def entitlement_override(
    *, key: str, value: bool, valid_from: date, valid_to: date | None, at: datetime, actor: str, reason: str = ""
) -> EntitlementOverride:
    """A tenant's own value of an entitlement, dated. Raises UnknownEntitlement, SubscriptionOverlap."""
    if key not in ENTITLEMENTS:
        raise UnknownEntitlement(key=key)
    try:
        with transaction.atomic():
            row = EntitlementOverride.objects.create(
                key=key, value=value, valid_from=valid_from, valid_to=valid_to, created_at=at, created_by=actor,
                reason=reason,
            )  # fmt: skip
    except IntegrityError:
        raise SubscriptionOverlap from None
    audit(
        action="entitlement.overridden",
        actor=actor,
        at=at,
        object_type="entitlement",
        object_id=key,
        details={"value": value, "from": str(valid_from), "to": str(valid_to) if valid_to else None},
    )
    return row


# --- agreements (R5.4, 5.2) ---


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSpec:
    """An agreement version as a person states it. Places are codes; dates are local in the tenant's zone."""

    code: str
    origins: Sequence[str]
    destinations: Sequence[str]
    target: Decimal
    valid_from: date
    valid_to: date | None = None
    mode: str = "SEA"
    final_milestone: str = ""
    kpi: str = "OTD"
    unit: str = "SHIPMENT"
    tol_days: int = 0
    tol_hours: int = 0
    early_hours: int | None = None
    credit: CreditBlock | None = None
    note: str = ""

    @property
    def lane(self) -> Lane:
        """The lane in the form of the rules."""
        return Lane(
            origins=frozenset(self.origins),
            destinations=frozenset(self.destinations),
            mode=self.mode,
            final=self.final_milestone or None,
        )


def _draft_of(row: Agreement) -> Draft:
    return Draft(
        code=row.code,
        version=row.version,
        lane=selectors.lane_of(row),
        kpi=row.kpi,
        unit=row.unit,
        target=row.target,
        term=Term(row.valid_from, row.valid_to),
        tol_days=row.tol_days,
        tol_hours=row.tol_hours,
        early_hours=row.early_hours,
        credit=row.block,
    )


def agreement_faults(*, spec: AgreementSpec, at: datetime) -> list[Fault]:
    """What speaks against the agreement today, errors and warnings (5.2)."""
    places = selectors.places_known({*spec.origins, *spec.destinations})
    rows = [r for r in Agreement.objects.all() if r.valid_to is None or r.valid_to > r.valid_from]
    found = installation()
    grace = int((found.parameters if found else {}).get("grace_days", GRACE_DAYS))
    draft = Draft(
        code=spec.code,
        version=1 + max((r.version for r in rows if r.code == spec.code), default=0),
        lane=spec.lane,
        kpi=spec.kpi,
        unit=spec.unit,
        target=spec.target,
        term=Term(spec.valid_from, spec.valid_to),
        tol_days=spec.tol_days,
        tol_hours=spec.tol_hours,
        early_hours=spec.early_hours,
        credit=spec.credit,
    )
    listed = faults(
        draft,
        others=[_draft_of(r) for r in rows],
        subscriptions=selectors.subscriptions(),
        places=places,
        today=selectors.today(at),
        grace_days=grace,
    )
    if spec.unit != "SHIPMENT":
        listed.append(Fault("V12", "unit", _("Months are counted by shipment; containers are not offered yet.")))
    return listed


@transaction.atomic
def agreement_prepare(*, spec: AgreementSpec, preparer: Member, at: datetime) -> tuple[Agreement, list[Fault]]:
    """Stores the next version, not in force until a second person approves it; gives the warnings with it.

    Raises ValidationError, a message beside each field, each beginning with its code (5.2).
    """
    found = agreement_faults(spec=spec, at=at)
    errors: dict[str, list[str]] = {}
    for fault in found:
        if not fault.is_warning:
            errors.setdefault(fault.field, []).append(str(fault))
    if errors:
        raise ValidationError(errors)
    newest = Agreement.objects.filter(code=spec.code).order_by("-version").first()
    row = Agreement.objects.create(
        code=spec.code,
        version=newest.version + 1 if newest else 1,
        origins=sorted(spec.origins),
        destinations=sorted(spec.destinations),
        mode=spec.mode,
        final_milestone=spec.final_milestone,
        kpi=spec.kpi,
        unit=spec.unit,
        target=spec.target,
        tol_days=spec.tol_days,
        tol_hours=spec.tol_hours,
        early_hours=spec.early_hours,
        credit=spec.credit.plain() if spec.credit else None,
        valid_from=spec.valid_from,
        valid_to=spec.valid_to,
        note=spec.note,
        created_at=at,
        prepared_by=preparer.public_id,
        prepared_label=preparer.label,
    )
    audit(
        action="agreement.prepared",
        actor=preparer.label,
        at=at,
        object_type="agreement",
        object_id=row.public_id,
        details=_terms_of(row),
    )
    return row, [f for f in found if f.is_warning]


def _terms_of(row: Agreement) -> dict[str, Any]:
    return {
        "code": row.code,
        "version": row.version,
        "lane": row.lane,
        "kpi": row.kpi,
        "target": f"{row.target:f}",
        "from": str(row.valid_from),
        "to": str(row.valid_to) if row.valid_to else None,
        "credit": row.credit,
    }


@transaction.atomic
def agreement_approve(*, public_id: str, approver: Member, at: datetime) -> Agreement:
    """Puts a prepared version in force; the version before it ends where this one starts (R5.4).

    Raises SamePerson (V18), AlreadyApproved; Agreement.DoesNotExist outside the entered scope.
    """
    row = Agreement.objects.select_for_update().get(public_id=public_id)
    if row.approved_by:
        raise AlreadyApproved
    if row.prepared_by == approver.public_id:
        raise SamePerson
    row.approved_by, row.approved_label, row.approved_at = approver.public_id, approver.label, at
    row.save(update_fields=["approved_by", "approved_label", "approved_at"])
    for earlier in Agreement.objects.select_for_update().filter(code=row.code, version__lt=row.version):
        if earlier.valid_to is None or earlier.valid_to > row.valid_from:
            earlier.valid_to = max(row.valid_from, earlier.valid_from)
            earlier.save(update_fields=["valid_to"])
    audit(
        action="agreement.approved",
        actor=approver.label,
        at=at,
        object_type="agreement",
        object_id=row.public_id,
        details=_terms_of(row),
    )
    return row


def first_of_next_month(day: date) -> date:
    """Where a new version may start."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
