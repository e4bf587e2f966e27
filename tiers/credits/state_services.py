"""The step of a credit line from state to state, with its record; used by every service of credits.

Who may take which step is decided by the callers.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.utils.translation import gettext_lazy as _

from portal.lib.errors import PortalError
from portal.tenancy.context import scope
from portal.tenancy.models import Member
from portal.tenancy.services import SYSTEM, audit
from tiers.credits.models import CreditLine, CreditTransition
from tiers.credits.state_rules import CreditState, may_move


class WrongState(PortalError):
    """Somebody else was quicker, or the step does not lead from here."""

    code, status = "wrong_state", 409
    message = _("This credit stands at %(state)s, so this step is not possible now.")


def lock(name: str) -> None:
    """One at a time in the entered tenant, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{name} {scope()}"])


def move(line: CreditLine, to: CreditState, *, at: datetime, actor: Member | None, reason: str) -> None:
    """One arrow of 6.5 with its record; the caller holds the row's lock. Raises WrongState."""
    before = CreditState(line.state)
    if not may_move(before, to):
        raise WrongState(state=before.value)
    line.state = to.value
    line.save()
    label = actor.label if actor else SYSTEM
    CreditTransition.objects.create(
        credit=line,
        from_state=before.value,
        to_state=to.value,
        at=at,
        actor=actor.public_id if actor else "",
        actor_label=label,
        reason=reason,
    )
    audit(
        action=f"credit.{to.value.lower()}",
        actor=label,
        at=at,
        object_type="credit",
        object_id=line.public_id,
        details={
            "from": before.value,
            "amount_minor": line.amount_minor,
            "currency": line.currency,
            "period": line.period,
            "agreement": f"{line.agreement_code} v{line.agreement_version}",
            "reason": reason,
        },
    )
