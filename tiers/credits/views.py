"""Pages of credits: the customer's list and receipt, the staff's list over accounts, and the steps of the review.

One question to the domain, one answer. Shaping is in tables.py, words in wording.py.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from kpis.tables import month_name
from portal.lib.errors import NotFound, PortalError
from portal.lib.money import decimals, from_minor
from portal.tenancy.models import Role
from portal.web.pages import CrossingView, TenantView
from portal.web.policy import ACCOUNT, STAFF, Policy, staff
from portal.web.stepup import WRITES
from tiers.credits import permissions, selectors, services, tables, wording
from tiers.credits.forms import ReasonForm
from tiers.credits.models import CreditLine
from tiers.credits.state_rules import CreditState

CREDITS: Final = Policy(who=ACCOUNT | STAFF, entitlement="service_credits")
FINANCE: Final = staff(Role.FINANCE, write=frozenset({Role.FINANCE.value}))
PREPARE: Final = staff(
    Role.FINANCE, Role.ACCOUNT_MANAGER, write=frozenset({Role.FINANCE.value, Role.ACCOUNT_MANAGER.value})
)


class CreditView(TenantView):
    """A page about credits. Credits owed are paid, and shown, after a downgrade too (R5.3)."""

    policy: ClassVar[Policy] = CREDITS

    def is_entitled(self, key: str, **kwargs: Any) -> bool:
        """Entitled now, or with credits from when it was."""
        return permissions.may_enter(at=self.at)

    def credit(self, public_id: str) -> CreditLine:
        """One line of the account; NotFound otherwise."""
        found = selectors.credit_get(public_id)
        if found is None:
            raise NotFound
        return found


class Credits(CreditView):
    """Every assessed month of every promise, newest first."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """All lines of the account."""
        lines = selectors.credit_list()
        return self.page("tiers/credits.html", {
            "title": _("Service credits"),
            "subtitle": _("Worked out from each closed month, unasked. There is nothing to claim."),
            "rows": [
                tables.credit_row(line, url=self.url("credits:credit", public_id=line.public_id)) for line in lines
            ],
            "tiles": _tiles(lines),
        })  # fmt: skip


def _tiles(lines: list[CreditLine]) -> list[dict[str, Any]]:
    """What was approved, and what is under way, by currency."""
    tiles = []
    for label, states in (
        (_("Approved"), ("APPROVED", "ISSUED", "APPLIED")),
        (_("Being reviewed"), ("COMPUTED", "IN_REVIEW")),
    ):
        sums: dict[str, int] = {}
        for line in lines:
            if line.state in states and line.amount_minor:
                sums[line.currency] = sums.get(line.currency, 0) + line.amount_minor
        tiles += [
            {
                "label": label,
                "value": wording.grouped(from_minor(minor, currency), decimals(currency)),
                "unit": currency,
                "tone": "money",
            }
            for currency, minor in sorted(sums.items())
        ]
    return tiles


class CreditPage(CreditView):
    """One line: the sentence with the numbers, the receipt, the units behind it, who decided, the postings."""

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The line, and for staff its next step."""
        line = self.credit(public_id)
        snapshot_url = self.url("kpis:snapshot", public_id=line.snapshot.public_id)
        measured = None
        if line.den:
            measured = {"value": Decimal(100 * line.num) / line.den, "target": line.target}
        return self.page("tiers/credit.html", {
            "title": _("%(lane)s, %(month)s") % {"lane": line.lane, "month": month_name(line.period)},
            "crumbs": [{"label": _("Service credits"), "url": self.url("credits:credits")}],
            "state": wording.state(line),
            "amount": line.amount if line.amount_minor else None,
            "currency": line.currency,
            "sentence": wording.sentence(line, self.account.name),
            "loadline": measured,
            "callouts": self._callouts(line),
            "steps": wording.receipt(line),
            "failed": tables.evidence(line, url=self._shipment, all_url=snapshot_url),
            "history": tables.history(line, staff=self.member.is_staff),
            "ledger": tables.ledger(line),
            "agreement": tables.agreement_facts(line),
            "downloads": [
                {"label": "facts.csv", "url": self.url("kpis:snapshot_facts", public_id=line.snapshot.public_id),
                 "note": _("every unit of the closed month")},
            ],
            **(self._next(line) if self.member.is_staff else {}),
        })  # fmt: skip

    def _shipment(self, public_id: str) -> str:
        return f"{self.url('tracking:shipments')}/{public_id}"

    def _callouts(self, line: CreditLine) -> list[dict[str, Any]]:
        if line.state == CreditState.REJECTED:
            return [{"tone": "late", "title": _("Rejected"), "text": line.reason}]
        if not self.member.is_staff and line.state in ("COMPUTED", "IN_REVIEW") and line.amount_minor:
            text = _("A second person of finance checks the amount; then it is credited. You need do nothing.")
            return [{"tone": "info", "text": text}]
        return []

    def _next(self, line: CreditLine) -> dict[str, Any]:
        step = {
            CreditState.COMPUTED: self._review,
            CreditState.IN_REVIEW: self._decide,
            CreditState.APPROVED: self._issue,
            CreditState.ISSUED: self._apply,
        }.get(CreditState(line.state))
        confirm = step(line) if step is not None and line.amount_minor else None
        return {"confirm": confirm, "confirm_title": _("Next step")} if confirm else {}

    def _step_url(self, line: CreditLine, step: str) -> str:
        return self.url(f"credits:credit_{step}", public_id=line.public_id)

    def _words(self, line: CreditLine) -> dict[str, str]:
        return {
            "amount": wording.money(line.amount_minor, line.currency),
            "account": self.account.name,
            "month": month_name(line.period),
        }

    def _blocked(self, roles: frozenset[str], line: CreditLine | None = None) -> str:
        if self.member.role not in roles:
            return _("Your role looks on here; finance takes this step.")
        if line is not None and line.prepared_by == self.member.public_id:
            return _("You sent this line to review, so another person of finance decides.")
        return ""

    def _review(self, line: CreditLine) -> dict[str, Any]:
        sentence = _("Sends %(amount)s for %(account)s, %(month)s, to review. Another person of finance then decides.")
        return {
            "action": self._step_url(line, "review"),
            "sentence": sentence % self._words(line),
            "submit": _("Send to review"),
            "blocked": self._blocked(services.PREPARERS),
        }

    def _decide(self, line: CreditLine) -> dict[str, Any]:
        sentence = _("Approving credits %(account)s with %(amount)s for %(month)s and tells its managers by mail.")
        return {
            "action": self._step_url(line, "approve"),
            "sentence": sentence % self._words(line),
            "points": [
                _("Sent to review by %(who)s") % {"who": line.prepared_label},
                _("Posts debit CREDIT_COST, credit CREDITS_PAYABLE; a posting is never changed"),
            ],
            "submit": _("Approve %(amount)s") % self._words(line),
            "blocked": self._blocked(services.APPROVERS, line),
            "fields": ReasonForm(),
            "others": [{"action": self._step_url(line, "reject"), "submit": _("Reject"), "danger": True}],
        }

    def _issue(self, line: CreditLine) -> dict[str, Any]:
        return {
            "action": self._step_url(line, "issue"),
            "sentence": _("Issuing gives %(account)s the credit of %(amount)s.") % self._words(line),
            "submit": _("Issue"),
            "blocked": self._blocked(services.APPROVERS),
        }

    def _apply(self, line: CreditLine) -> dict[str, Any]:
        sentence = _("Sets %(amount)s off against what %(account)s owes: debit CREDITS_PAYABLE, credit RECEIVABLE.")
        return {
            "action": self._step_url(line, "apply"),
            "sentence": sentence % self._words(line),
            "submit": pgettext("to set off", "Set off"),
            "blocked": self._blocked(services.APPROVERS),
        }


class CreditStep(CreditView):
    """A step of the review: POST only, with a fresh proof of who it is (A5); the answer is the line's page."""

    policy: ClassVar[Policy] = FINANCE
    step_up: ClassVar[frozenset[str]] = WRITES
    done: ClassVar[Any]
    take: ClassVar[Callable[..., CreditLine]]

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Takes the step; a refusal is said on the line's page and changes nothing."""
        self.credit(public_id)
        try:
            type(self).take(public_id=public_id, actor=self.member, at=self.at, **self.more(request))
        except PortalError as refused:
            messages.error(request, refused.sentence())
        else:
            messages.success(request, str(self.done))
        return HttpResponseRedirect(self.url("credits:credit", public_id=public_id))

    def more(self, request: HttpRequest) -> dict[str, Any]:
        """What else the step needs from the form."""
        return {}


class Review(CreditStep):
    """Sends a computed line to review."""

    policy: ClassVar[Policy] = PREPARE
    step_up: ClassVar[frozenset[str]] = frozenset()
    done = gettext_lazy("Sent to review.")
    take = staticmethod(services.credit_send_to_review)


class Approve(CreditStep):
    """The second person's yes."""

    done = gettext_lazy("Approved and posted.")
    take = staticmethod(services.credit_approve)


class Reject(CreditStep):
    """The second person's no, with a reason."""

    done = gettext_lazy("Rejected.")
    take = staticmethod(services.credit_reject)

    def more(self, request: HttpRequest) -> dict[str, Any]:
        """The reason."""
        form = ReasonForm(request.POST)
        return {"reason": form.cleaned_data["reason"] if form.is_valid() else ""}


class Issue(CreditStep):
    """Gives the credit to the customer."""

    done = gettext_lazy("Issued.")
    take = staticmethod(services.credit_issue)


class Apply(CreditStep):
    """Sets it off."""

    done = gettext_lazy("Set off.")
    take = staticmethod(services.credit_apply)


class AllCredits(CrossingView):
    """The operator's list over accounts."""

    policy: ClassVar[Policy] = staff(Role.FINANCE, Role.ACCOUNT_MANAGER)
    crossing_reason: ClassVar[str] = "credits of all accounts"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Narrowed by state; what waits for a person comes first in the chips."""
        asked = request.GET.get("state", "")
        wanted = asked if asked in wording.STATES else ""
        lines = selectors.credit_lines_of_all(state=wanted)
        own = reverse("ops:credits_all")
        chips: list[dict[str, Any]] = [{"label": _("All"), "url": own, "active": not wanted}]
        chips += [
            {"label": wording.STATES[code][1], "url": f"{own}?state={code}", "active": wanted == code}
            for code in (CreditState.IN_REVIEW, CreditState.COMPUTED, CreditState.APPROVED, CreditState.ISSUED,
                         CreditState.HELD_DATA, CreditState.HELD_CHARGES, CreditState.MET, CreditState.REJECTED)
        ]  # fmt: skip
        return self.page("tiers/credits.html", {
            "title": _("Credits"),
            "subtitle": _("What closed months owe, over all accounts."),
            "chips": chips,
            "show_account": True,
            "rows": [
                tables.credit_row(line, account=tenant.name, url=reverse(
                    "ops:credits_credit", kwargs={"account": tenant.public_id, "public_id": line.public_id}))
                for line, tenant in lines
            ],
            "empty": {"title": _("No credits here"), "text": _("Months are assessed once their charges are in.")},
        })  # fmt: skip
