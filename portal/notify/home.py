"""What the desk's home page says about what leaves the house: only what needs a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.notify.models import Phase
from portal.notify.selectors import delivery_gauges
from portal.outbox.selectors import outbox_gauges
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import installation

_ACTING: Final = frozenset({Role.OPS.value, Role.ADMIN.value})


def desk(member: Member, at: datetime) -> dict[str, Any]:
    """Entries of the list `attention` for those who may act: dead letters, uncertain mails, a pause."""
    if member.role not in _ACTING:
        return {}
    here, found = reverse("ops:notify_outbox"), installation()
    uncertain, dead = delivery_gauges()["deliveries_uncertain"], outbox_gauges()["outbox_dead"]
    entries: list[dict[str, Any]] = []
    if dead:
        label = ngettext("%(n)d piece of work was given up", "%(n)d pieces of work were given up", dead) % {"n": dead}
        entries.append(
            {"tone": "late", "label": label, "why": _("Look why, then try it again."), "url": f"{here}?phase=DEAD"}
        )
    if uncertain:
        label = ngettext("%(n)d mail is uncertain", "%(n)d mails are uncertain", uncertain) % {"n": uncertain}
        why = _("Handed over, and no answer was kept: say whether it was sent.")
        entries.append({"tone": "warn", "label": label, "why": why, "url": f"{here}?phase={Phase.UNCERTAIN}"})
    if found is not None and found.sending_paused:
        entries.append({"tone": "warn", "label": _("Sending is paused"), "why": _("No mail leaves."), "url": here})
    return {"attention": entries}
