"""The staff's look at what leaves the house: what waits, what needs a person, and pausing it all.

Lists cross tenants; whatever is decided is written inside one.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.lib.errors import BadRequest, NotFound
from portal.notify.models import Delivery, Phase
from portal.notify.selectors import dead_newest, deliveries_newest, delivery_gauges
from portal.notify.services import delivery_resolve, sending_set
from portal.notify.wording import kind_label
from portal.outbox.models import OutboxRow
from portal.outbox.runner import row_retry
from portal.outbox.selectors import outbox_gauges
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.models import Role, Tenant
from portal.tenancy.selectors import installation, operator_zone, tenant_id_of_public_id
from portal.tenancy.services import audit
from portal.web.pages import CrossingView, PageView, pager, position
from portal.web.policy import Policy, staff

PAGE = 50
DEAD = "DEAD"
TONES = {
    Phase.QUEUED: "neutral", Phase.CLAIMED: "info", Phase.HANDED_OVER: "info", Phase.SENT: "ok",
    Phase.UNCERTAIN: "warn", Phase.FAILED: "late", Phase.SUPPRESSED: "neutral", Phase.HELD: "info",
    Phase.COLLECTED: "ok",
}  # fmt: skip
REASONS = {
    "stale": gettext_lazy("Too old to be news when its turn came"),
    "suppressed_address": gettext_lazy("The address bounced before"),
    "account_inactive": gettext_lazy("The account is closed"),
    "member_inactive": gettext_lazy("The person has left"),
    "address_changed": gettext_lazy("The person has another address now"),
    "role_changed": gettext_lazy("The person has another role now"),
    "not_wanted": gettext_lazy("The person does not want this mail"),
    "not_followed": gettext_lazy("The person wants to hear of other shipments only"),
    "overtaken": gettext_lazy("Newer news of the same stood in its place while it waited"),
    "over_before_told": gettext_lazy("It was over before its beginning was told"),
    "nothing_left": gettext_lazy("Nothing of it was left to tell"),
    "not_entitled": gettext_lazy("Not part of the account's tier"),
}
WRITERS = frozenset({Role.OPS.value, Role.ADMIN.value})


class OutboxPage(CrossingView):
    """Everything that leaves the house, of all accounts: backlog, dead letters, uncertain mails."""

    policy: ClassVar[Policy] = staff(write=WRITERS)
    crossing_reason: ClassVar[str] = "outbox: what waits and what needs a person, over all accounts"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Newest first, by phase."""
        phase = request.GET.get("phase", "")
        if phase not in ("", DEAD, *Phase.values):
            raise BadRequest(detail=_("There is no such phase."))
        before, after = position(request, "older"), position(request, "newer")
        asked: dict[str, Any] = {"before": before, "after": after, "most": PAGE + 1}
        found: list[Any] = dead_newest(**asked) if phase == DEAD else deliveries_newest(phase=phase, **asked)
        more = len(found) > PAGE
        kept = found[-PAGE:] if after is not None else found[:PAGE]
        older = str(kept[-1].pk) if kept and (more or after is not None) else None
        newer = str(kept[0].pk) if kept and (before is not None or (after is not None and more)) else None
        make = self._dead_row if phase == DEAD else self._row
        return self.page("outbox/outbox.html", {
            "title": _("Outbox"), "subtitle": _("What leaves the house, and what waits for a person"),
            "rows": [make(row) for row in kept], "pager": pager(request, older=older, newer=newer),
            **self._state(phase),
        })  # fmt: skip

    def post(self, request: HttpRequest) -> HttpResponse:
        """`do` is pause, resume or retry."""
        do, _colon, about = request.POST.get("do", "").partition(":")
        if do in ("pause", "resume"):
            sending_set(paused=do == "pause", actor=self.member.label, at=self.at)
            messages.success(request, _("Sending is paused.") if do == "pause" else _("Sending goes on."))
        elif do == "retry":
            self._retry(request, about)
        else:
            raise BadRequest(detail=_("This step is not known."))
        return HttpResponseRedirect(reverse("ops:notify_outbox"))

    def _retry(self, request: HttpRequest, about: str) -> None:
        owner, _slash, row = about.partition("/")
        tenant_id = tenant_id_of_public_id(owner)
        if tenant_id is None or not (row.isascii() and row.isdigit() and len(row) <= 18):
            raise NotFound
        with as_tenant(tenant_id):
            if not row_retry(row_id=int(row), at=self.at):
                raise NotFound
            audit(action="outbox.retried", actor=self.member.label, at=self.at, object_type="outbox", object_id=row)
        messages.success(request, _("It is tried again now."))

    def _state(self, phase: str) -> dict[str, Any]:
        found, counts, letters = installation(), outbox_gauges(), delivery_gauges()
        here = reverse("ops:notify_outbox")
        paused = found is not None and found.sending_paused
        uncertain, dead = letters["deliveries_uncertain"], counts["outbox_dead"]
        minutes = counts["outbox_oldest_seconds"] // 60
        return {
            "tiles": [
                {"label": _("Waiting"), "value": counts["outbox_waiting"], "note": _("facts and work")},
                {"label": _("Oldest that is due"), "value": minutes, "unit": ngettext("minute", "minutes", minutes),
                 "tone": "warn" if minutes >= 5 and not paused else ""},
                {"label": _("Uncertain"), "value": uncertain, "tone": "warn" if uncertain else "",
                 "href": f"{here}?phase={Phase.UNCERTAIN}", "proof": _("List")},
                {"label": _("Given up"), "value": dead, "tone": "late" if dead else "",
                 "href": f"{here}?phase={DEAD}", "proof": _("List")},
            ],
            "chips": [
                {"label": _("All mails"), "url": here, "active": not phase},
                *({"label": p.label, "url": f"{here}?phase={p}", "active": phase == p} for p in Phase),
                {"label": _("Given up"), "url": f"{here}?phase={DEAD}", "active": phase == DEAD},
            ],
            "paused": self._resume(here, letters["deliveries_queued"]) if paused else None,
            "pause": self._pause(here),
        }  # fmt: skip

    def _may_write(self) -> str:
        allowed = self.policy.allows(self.member.role, unsafe=True)
        return "" if allowed else _("Operations and administrators may pause and resume sending.")

    def _pause(self, here: str) -> dict[str, Any]:
        return {
            "action": here, "submit": _("Pause sending"), "danger": True, "blocked": self._may_write(),
            "hidden": [{"name": "do", "value": "pause"}],
            "sentence": _("No mail leaves until somebody resumes. Nothing is lost; what is older than 72 hours then is "
                          "dropped with that reason."),
        }  # fmt: skip

    def _resume(self, here: str, queued: int) -> dict[str, Any]:
        sentence = ngettext("%(n)d mail waits and goes out when you resume.",
                            "%(n)d mails wait and go out when you resume.", queued) % {"n": queued}  # fmt: skip
        return {"sentence": sentence, "confirm": {
            "action": here, "submit": _("Resume sending"), "blocked": self._may_write(), "sentence": sentence,
            "hidden": [{"name": "do", "value": "resume"}],
        }}  # fmt: skip

    def _row(self, delivery: Delivery) -> dict[str, Any]:
        owner: Tenant = delivery.tenant
        phase = Phase(delivery.phase)
        return {
            "url": reverse("ops:notify_delivery", kwargs={"owner": owner.public_id, "public_id": delivery.public_id}),
            "what": delivery.subject or kind_label(delivery.fact_key)[0], "fact": delivery.fact_key,
            "to": delivery.email, "account": owner.name, "phase": {"tone": TONES[phase], "label": phase.label},
            "error": REASONS.get(delivery.reason, delivery.reason), "attempts": delivery.attempts,
            "at": delivery.recorded_at, "zone": operator_zone(), "actions": [],
        }  # fmt: skip

    def _dead_row(self, row: OutboxRow) -> dict[str, Any]:
        owner: Tenant = row.tenant
        return {
            "what": row.name, "fact": row.key, "to": "", "account": owner.name,
            "phase": {"tone": "late", "label": _("Given up")}, "error": row.reason, "attempts": row.attempts,
            "at": row.created_at, "zone": operator_zone(),
            "actions": [] if self._may_write() else [
                {"action": reverse("ops:notify_outbox"), "submit": _("Try again"), "name": "do",
                 "value": f"retry:{owner.public_id}/{row.pk}"},
            ],
        }  # fmt: skip


class ResolveForm(forms.Form):
    """How one knows what became of a mail."""

    reason = forms.CharField(
        label=gettext_lazy("How do you know?"),
        max_length=400,
        help_text=gettext_lazy("For example: found in the mail server's log, queue id 4F2A."),
    )


class DeliveryPage(PageView):
    """One mail: where it stands, and for an uncertain one a person's decision."""

    policy: ClassVar[Policy] = staff(write=WRITERS)

    def get(self, request: HttpRequest, owner: str, public_id: str) -> HttpResponse:
        """Its story; the look into the account is recorded (R0.8)."""
        tenant_id = self._tenant(owner)
        if tenant_id != OPERATOR_ID:
            audit(action="account.entered", actor=self.member.label, at=self.at, object_type="account",
                  object_id=owner, details={"page": "ops:notify_delivery"})  # fmt: skip
        return self._show(tenant_id, owner, public_id, ResolveForm(), status=200)

    def post(self, request: HttpRequest, owner: str, public_id: str) -> HttpResponse:
        """`sent` is yes or no; both need a reason."""
        tenant_id, form = self._tenant(owner), ResolveForm(request.POST)
        sent = request.POST.get("sent", "yes")
        if sent not in ("yes", "no"):
            raise BadRequest(detail=_("This step is not known."))
        if not form.is_valid():
            return self._show(tenant_id, owner, public_id, form, status=400)
        with as_tenant(tenant_id):
            delivery_resolve(public_id=public_id, sent=sent == "yes", actor=self.member.label,
                             reason=form.cleaned_data["reason"], at=self.at)  # fmt: skip
        said = _("Recorded as sent.") if sent == "yes" else _("It goes out again under its own key.")
        messages.success(request, said)
        return HttpResponseRedirect(request.path)

    @staticmethod
    def _tenant(owner: str) -> int:
        tenant_id = tenant_id_of_public_id(owner)
        if tenant_id is None:
            raise NotFound
        return tenant_id

    def _show(self, tenant_id: int, owner: str, public_id: str, form: ResolveForm, *, status: int) -> HttpResponse:
        with as_tenant(tenant_id), transaction.atomic():
            delivery = Delivery.objects.select_related("tenant", "digest").filter(public_id=public_id).first()
        if delivery is None:
            raise NotFound
        phase = Phase(delivery.phase)
        return self.page("notify/delivery.html", {
            "title": delivery.subject or kind_label(delivery.fact_key)[0], "delivery": delivery,
            "crumbs": [{"label": _("Outbox"), "url": reverse("ops:notify_outbox")}, {"label": delivery.email}],
            "phase": {"tone": TONES[phase], "label": phase.label}, "zone": operator_zone(),
            "reason": REASONS.get(delivery.reason, delivery.reason), "told_by": self._told_by(delivery, owner),
            "confirm": self._confirm(form) if phase == Phase.UNCERTAIN else None,
        }, status=status)  # fmt: skip

    @staticmethod
    def _told_by(delivery: Delivery, owner: str) -> str:
        """The address of the mail that tells this one with others."""
        if delivery.digest is None:
            return ""
        return reverse("ops:notify_delivery", kwargs={"owner": owner, "public_id": delivery.digest.public_id})

    def _confirm(self, form: ResolveForm) -> dict[str, Any]:
        allowed = self.policy.allows(self.member.role, unsafe=True)
        return {
            "action": "", "fields": form, "submit": _("It was sent"), "hidden": [],
            "others": [{"submit": _("It was not sent: send it again"), "name": "sent", "value": "no", "action": ""}],
            "sentence": _("The mail was handed over and no answer was kept, so nobody can know from here whether it "
                          "arrived. Look in the mail server's log for its Message-ID, then say what you found."),
            "blocked": "" if allowed else _("Operations and administrators decide this."),
        }  # fmt: skip
