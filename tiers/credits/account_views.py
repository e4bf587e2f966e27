"""The operator's accounts: the list over them, and one with its tier, agreements and figures.

Tiers and agreements are changed in tiers.promises; this page stands above because it shows figures and credits too.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.dateformat import format as date_as
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from kpis import selectors as kpi_selectors
from kpis import tables as kpi_tables
from kpis import wording as kpi_wording
from portal.lib.errors import PortalError
from portal.lib.money import from_minor
from portal.tenancy.models import Role
from portal.tenancy.selectors import tenant_zone
from portal.web.pages import CrossingView, TenantView
from portal.web.policy import Policy, staff
from portal.web.stepup import WRITES
from tiers.credits import selectors, wording
from tiers.promises import selectors as promises
from tiers.promises import services as promise_services
from tiers.promises.forms import TierForm
from tiers.promises.models import TIER_LABELS, Agreement
from tiers.promises.preview import TierPreview, subscription_preview
from tiers.promises.rules import Term
from tiers.promises.selectors import AccountLine
from tiers.promises.types import Tier

TERMS = frozenset({Role.ADMIN.value, Role.ACCOUNT_MANAGER.value})


def _day_format() -> str:
    return pgettext("date, Django format letters", "j M Y")


class Accounts(CrossingView):
    """Every account with its tier, what is under way, the last closed month and this year's credits."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "list of accounts"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Found by name or code, narrowed by tier; five queries whatever their number."""
        q, tier = request.GET.get("q", "").strip()[:80], request.GET.get("tier", "")
        wanted = Tier(tier) if tier in set(Tier) else None
        lines = promises.account_lines(at=self.at, q=q, tier=wanted)
        beside = selectors.beside_accounts([line.tenant.pk for line in lines], at=self.at)
        own = reverse("ops:promises_accounts")

        def chip(code: str) -> str:
            asked = {k: v for k, v in (("q", q), ("tier", code)) if v}
            return f"{own}?{urlencode(asked)}" if asked else own

        return self.page("tiers/ops/accounts.html", {
            "title": _("Accounts"),
            "search": {"action": own, "value": q, "label": _("Find an account"),
                       "hidden": [{"name": "tier", "value": tier}] if wanted else []},
            "chips": [{"label": _("All"), "url": chip(""), "active": wanted is None}] + [
                {"label": label, "url": chip(t.value), "active": wanted == t} for t, label in TIER_LABELS.items()
            ],
            "rows": [self._row(line, beside[line.tenant.pk]) for line in lines],
        })  # fmt: skip

    def _row(self, line: AccountLine, beside: selectors.Beside) -> dict[str, Any]:
        since = _("since %(day)s") % {"day": date_as(line.since, _day_format())} if line.since else ""
        otd = None
        if beside.otd is not None:
            shown = kpi_tables.figure(beside.otd, staff=True, min_n=int(beside.otd.snapshot.config["min_n_percent"]))
            url = reverse(
                "ops:kpis_snapshot",
                kwargs={"account": line.tenant.public_id, "public_id": beside.otd.snapshot.public_id},
            )
            otd = {"value": shown["value"], "grade": shown["grade"], "url": url}
        credits_ = None
        if beside.credits:
            currency, minor = sorted(beside.credits.items())[0]
            credits_ = {"amount": from_minor(minor, currency), "currency": currency}
        attention = {"tone": "warn", "label": _("Credit to review")} if beside.waiting else None
        return {
            "url": reverse("ops:promises_account", kwargs={"account": line.tenant.public_id}),
            "name": line.tenant.name,
            "code": line.tenant.code,
            "tier": {"label": TIER_LABELS[line.tier]},
            "since": since,
            "open_shipments": beside.under_way,
            "otd": otd,
            "credits": credits_,
            "attention": attention,
        }


class AccountPage(TenantView):
    """One account: tier with its history, agreements, the way to its pages; the tier is changed here."""

    policy: ClassVar[Policy] = staff(write=TERMS)
    step_up: ClassVar[frozenset[str]] = WRITES

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page."""
        return self._page(TierForm(today=promises.today(self.at)))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Says first what a change of tier does, then does it (R5.3); a refusal stands beside the form."""
        form = TierForm(request.POST, today=promises.today(self.at))
        if not form.is_valid():
            return self._page(form, status=422)
        tier, on = Tier(form.cleaned_data["tier"]), form.cleaned_data["on"]
        try:
            if "confirmed" not in request.POST:
                return self._page(form, preview=subscription_preview(tier=tier, on=on, at=self.at))
            row = promise_services.subscription_change(
                tier=tier, on=on, reason=form.cleaned_data["reason"], at=self.at, actor=self.member.label
            )
        except PortalError as refused:
            form.add_error("on" if refused.code != "tier_unchanged" else "tier", refused.sentence())
            return self._page(form, status=422)
        said = _("%(tier)s from %(day)s on.") % {
            "tier": TIER_LABELS[Tier(row.tier)],
            "day": date_as(row.valid_from, _day_format()),
        }
        messages.success(request, said)
        return HttpResponseRedirect(request.path)

    def _confirm(self, preview: TierPreview, form: TierForm) -> dict[str, Any]:
        """The change in a sentence, and what it brings, takes away and ends."""
        said = _("%(account)s goes from %(before)s to %(after)s on %(day)s.") % {
            "account": self.account.name, "before": TIER_LABELS[preview.before], "after": TIER_LABELS[preview.after],
            "day": date_as(preview.start, _day_format()),
        }  # fmt: skip
        lists = ((_("Gets: %(what)s"), preview.gains), (_("Loses: %(what)s"), preview.loses),
                 (_("Credit agreements that end: %(what)s"), preview.ends))  # fmt: skip
        given = form.cleaned_data
        return {
            "action": "", "sentence": said, "submit": _("Confirm the change"),
            "points": [line % {"what": ", ".join(str(name) for name in names)} for line, names in lists if names],
            "hidden": [{"name": "confirmed", "value": "yes"}, {"name": "tier", "value": given["tier"]},
                       {"name": "on", "value": preview.start.isoformat()},
                       {"name": "reason", "value": given["reason"]}],
            "cancel_url": self.request.path,
        }  # fmt: skip

    def _page(self, form: TierForm, status: int = 200, preview: TierPreview | None = None) -> HttpResponse:
        day = promises.today(self.at)
        now = promises.tier_at(day)
        may_change = self.member.role in TERMS
        sentence = _("An upgrade starts today or later. A downgrade starts on the first of a month, on %(day)s at the "
                     "earliest, and ends credit agreements that day.")  # fmt: skip
        earliest = promise_services.downgrade_earliest(day)
        return self.page("tiers/ops/account.html", {
            "title": self.account.name,
            "crumbs": [{"label": _("Accounts"), "url": reverse("ops:promises_accounts")}],
            "subtitle": self.account.code,
            "tier": {"label": TIER_LABELS[now]},
            "tiles": self._tiles(),
            "links": self._links(may_change),
            "subscriptions": self._subscriptions(day),
            "tier_form": {"form": form, "action": "", "sentence": sentence % {"day": date_as(earliest, _day_format())}}
            if may_change and preview is None else None,
            "confirm": self._confirm(preview, form) if preview is not None else None,
            "agreements": [self._agreement(row, day) for row in promises.agreement_rows()],
            "facts": [
                {"label": _("Code"), "value": self.account.code, "mono": True},
                {"label": _("Time zone"), "value": str(tenant_zone())},
                {"label": _("Since"), "value": date_as(self.account.created_at, _day_format())},
            ],
        }, status=status)  # fmt: skip

    def _tiles(self) -> list[dict[str, Any]]:
        closed = kpi_selectors.snapshot_list()
        if not closed:
            return []
        newest = closed[0]
        min_n = int(newest.config["min_n_percent"])
        url = self.url("kpis:snapshot", public_id=newest.public_id)
        tiles = []
        for row in kpi_selectors.rows_of([newest])[newest.pk]:
            if not row.lane:
                shown = kpi_tables.figure(row, staff=True, min_n=min_n)
                name = kpi_tables.month_name(newest.period)
                tiles.append({**kpi_tables.tile(shown, href=url), "label": f"{shown['label']}, {name}"})
        return tiles

    def _links(self, may_change: bool) -> list[dict[str, Any]]:
        links: list[dict[str, Any]] = [
            {"label": _("Shipments"), "url": self.url("tracking:shipments"), "icon": "ship"},
            {"label": _("Snapshots"), "url": self.url("kpis:snapshots"), "icon": "snapshot"},
            {"label": _("Credits"), "url": self.url("credits:credits"), "icon": "coin"},
            {"label": _("Members"), "url": self.url("people:members"), "icon": "users"},
        ]
        if may_change:
            mails = reverse("ops:notices_wording", kwargs={"account": self.account.public_id})
            links.append({"label": _("Mails"), "url": mails, "icon": "mail"})
            url = self.url("promises:agreement_new")
            links.append({"label": _("New agreement"), "url": url, "icon": "plus"})
        return links

    def _subscriptions(self, day: Any) -> list[dict[str, Any]]:
        return [
            {
                "tier": TIER_LABELS[Tier(row.tier)],
                "from": row.valid_from,
                "to": row.valid_to,
                "note": row.reason,
                "current": day in Term(row.valid_from, row.valid_to),
            }
            for row in reversed(promises.subscription_rows())
        ]

    def _agreement(self, row: Agreement, day: Any) -> dict[str, Any]:
        block = row.block
        return {
            "lane": row.lane,
            "kpi": kpi_wording.KPIS[row.kpi],
            "target": wording.plain(row.target),
            "from": row.valid_from,
            "to": row.valid_to,
            "credit": block.mode.replace("_", " ").lower() if block else "",
            "version": row.version,
            "url": self.url("promises:agreement", public_id=row.public_id),
            "state": promises.agreement_state(row, day),
        }
