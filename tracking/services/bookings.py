"""Shipments that a booking system, a file or a person tells of: which become new, which change, which are refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import tenant_current, tenant_id_of_code
from portal.tenancy.services import audit_all
from tracking.history import ShipmentRow
from tracking.models import Place
from tracking.reasons import Reason, sentence
from tracking.services.shipments import ShipmentSpec, UnknownPlace, shipments_put
from tracking.types import Refusal

_LOCK: Final = "select pg_advisory_xact_lock(hashtextextended('bookings', %s))"


class NotForBookings(PortalError):
    """The source may report events, and that is all."""

    code, status = "not_for_bookings", 403
    message = _("This source may not register shipments; an administrator allows it on the page of the source.")


class Outcome(StrEnum):
    """What came of a row."""

    MADE = "made"
    CHANGED = "changed"
    SAME = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """What came of one row; `public_id` is the shipment's, `reason` one of the closed list (refused rows)."""

    position: str
    outcome: Outcome
    account: str = ""
    ref: str = ""
    public_id: str = ""
    account_id: str = ""  # the account's public id, of rows that were taken
    reason: str = ""
    detail: str = ""
    warnings: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As the door answers it: what is empty is left out."""
        told = {
            "position": self.position, "outcome": self.outcome.value, "account": self.account,
            "shipment_ref": self.ref, "id": self.public_id, "reason": self.reason, "detail": self.detail,
            "warnings": list(self.warnings),
        }  # fmt: skip
        return {name: value for name, value in told.items() if value}


class _Rehearsed(Exception):
    """Undoes what a rehearsal stored."""


def bookings_take(
    *, rows: Sequence[ShipmentRow | Refusal], at: datetime, actor: str, tenants: Collection[int] = (),
    rehearse: bool = False,
) -> list[Booked]:  # fmt: skip
    """What came of each row, in their order; the rows of one account are stored together.

    `tenants`: the accounts that may be written to; empty: all. The same rows again change nothing, and what was
    promised is never overwritten (R1.16). `rehearse`: nothing is stored, the answer is the same but for the ids.
    """
    done: dict[int, Booked] = {}
    by_tenant: dict[int, list[tuple[int, ShipmentRow]]] = defaultdict(list)
    known: dict[str, int | None] = {}
    clocked = _with_clock({_final(row) for row in rows if isinstance(row, ShipmentRow)})
    seen: set[tuple[str, str]] = set()
    for n, row in enumerate(rows):
        if isinstance(row, Refusal):
            done[n] = Booked(position=row.position, outcome=Outcome.REFUSED, reason=row.code, detail=row.detail)
            continue
        code = row.account.upper()
        tenant_id = known.setdefault(code, tenant_id_of_code(code))
        reason, detail = _refused(row, tenant_id, tenants, seen)
        if not reason and _final(row) not in clocked:
            reason, detail = Reason.NO_ZONE, str(UnknownPlace(place=_final(row) or "?"))
        if reason or tenant_id is None:
            done[n] = _refusal(row, reason, detail)
        else:
            by_tenant[tenant_id].append((n, row))
    for tenant_id, listed in sorted(by_tenant.items()):
        done.update(_take(tenant_id, listed, at, actor, rehearse))
    return [done[n] for n in range(len(rows))]


def _refused(
    row: ShipmentRow, tenant_id: int | None, tenants: Collection[int], seen: set[tuple[str, str]]
) -> tuple[str, str]:
    """(reason, more to say) when the row cannot be used whatever the account holds."""
    is_foreign = bool(tenants) and tenant_id not in tenants
    if tenant_id is None or tenant_id == OPERATOR_ID or is_foreign:
        return Reason.UNKNOWN_ACCOUNT, ""  # nobody learns here who else is a customer (T6)
    if (row.account.upper(), row.ref) in seen:
        return Reason.BAD_VALUE, "The shipment stands twice in this message."
    seen.add((row.account.upper(), row.ref))
    return "", ""


def _refusal(row: ShipmentRow, reason: str, more: str) -> Booked:
    return Booked(
        position=row.position, outcome=Outcome.REFUSED, account=row.account, ref=row.ref, reason=reason,
        detail=more or str(sentence(reason)),
    )  # fmt: skip


def _take(
    tenant_id: int, listed: Sequence[tuple[int, ShipmentRow]], at: datetime, actor: str, rehearse: bool
) -> dict[int, Booked]:
    done: dict[int, Booked] = {}
    try:
        with as_tenant(tenant_id), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_LOCK, [tenant_id])  # two that book the same shipment at once take turns
            account_id = tenant_current().public_id
            specs = [ShipmentSpec(**row.spec()) for _n, row in listed]
            put = shipments_put(specs=specs, at=at, actor=actor, tell=True)
            for (n, row), shipment in zip(listed, put.shipments, strict=True):
                outcome = Outcome.MADE if row.ref in put.made else (
                    Outcome.CHANGED if row.ref in put.changed else Outcome.SAME
                )  # fmt: skip
                done[n] = Booked(
                    position=row.position, outcome=outcome, account=row.account, ref=row.ref, account_id=account_id,
                    public_id="" if rehearse and outcome is Outcome.MADE else shipment.public_id, warnings=row.warnings,
                )  # fmt: skip
            for action, refs in (("shipment.registered", put.made), ("shipment.changed", put.changed)):
                ids = [s.public_id for s in put.shipments if s.ref in refs]
                audit_all(action=action, actor=actor, at=at, object_type="shipment", object_ids=ids)
            if rehearse:
                raise _Rehearsed
    except _Rehearsed:
        pass
    return done


def _final(row: ShipmentRow) -> str:
    return row.final_place or row.pod


def _with_clock(codes: Collection[str]) -> set[str]:
    """The places whose zone is known: without one, a promised day has no end (R1.16)."""
    rows = list(Place.objects.filter(code__in=codes).values_list("code", "zone", "alias_of"))
    aliases = {alias for _code, _zone, alias in rows if alias}
    real = set(Place.objects.filter(code__in=aliases).exclude(zone="").values_list("code", flat=True))
    return {code for code, zone, alias in rows if zone or alias in real}
