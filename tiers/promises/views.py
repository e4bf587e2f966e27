"""The operator's pages of promises: what each tier includes, agreements over accounts, one agreement, a new one.

One question to the domain, one answer. The account's own page stands in tiers.credits.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from portal.lib.periods import local_date
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone
from portal.web.pages import CrossingView, TenantView
from portal.web.policy import Policy, staff
from portal.web.retelling import decimal_mark
from portal.web.stepup import WRITES
from tiers.promises import selectors, services
from tiers.promises.forms import AgreementForm
from tiers.promises.models import TIER_LABELS, Agreement
from tiers.promises.registry import ENTITLEMENTS
from tiers.promises.types import Group, Tier

TERMS: Final = frozenset({Role.ADMIN.value, Role.ACCOUNT_MANAGER.value})


class Tiers(CrossingView):
    """The matrix of entitlements, and how many accounts each tier has."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "accounts by tier"

    def get(self, request: HttpRequest) -> HttpResponse:
        """What the code declares; exceptions of single accounts below."""
        lines = selectors.account_lines(at=self.at)
        day = local_date(self.at, operator_zone())
        words = _tier_words()
        accounts = reverse("ops:promises_accounts")
        return self.page("tiers/ops/tiers.html", {
            "title": _("Tiers"),
            "subtitle": _("Each tier includes the ones before it."),
            "tiers": [
                {"label": TIER_LABELS[t], "for_whom": words[t][0], "promise": words[t][1],
                 "accounts": sum(line.tier == t for line in lines), "accounts_url": f"{accounts}?tier={t.value}"}
                for t in Tier
            ],
            "groups": [{"label": label, "rows": _switches(group)} for group, label in _groups().items()],
            "overrides": [
                {"account": tenant.name, "label": _override(row.key, row.value), "from": row.valid_from,
                 "to": row.valid_to, "url": reverse("ops:promises_account", kwargs={"account": tenant.public_id})}
                for row, tenant in selectors.overrides_of_all(day)
            ],
        })  # fmt: skip


def _tier_words() -> dict[Tier, tuple[str, str]]:
    return {
        Tier.STANDARD: (_("Price-sensitive, simple flows"), _("A reasonable on-time target and basic tracking")),
        Tier.PRIORITY: (
            _("Tighter delivery windows"),
            _("Higher on-time targets on selected lanes, faster exception handling"),
        ),
        Tier.PREMIUM: (
            _("Strategic accounts"),
            _("Ambitious on-time goals where the data support them, re-routing before a disruption costs days"),
        ),
    }


def _groups() -> dict[Group, str]:
    return {Group.TRACKING: _("Tracking"), Group.FIGURES: _("Figures and promises"), Group.SYSTEMS: _("Systems")}


def _switches(group: Group) -> list[dict[str, Any]]:
    return [
        {
            "key": switch.key,
            "label": switch.label,
            "says": switch.says,
            "cells": [{"included": switch.default[t], "note": switch.notes.get(t, "")} for t in Tier],
        }
        for switch in sorted(ENTITLEMENTS, key=lambda s: [not s.default[t] for t in Tier])
        if switch.group == group
    ]


def _override(key: str, value: bool) -> str:
    switch = ENTITLEMENTS.get(key)
    label = switch.label if switch else key
    return (_("%(label)s: on") if value else _("%(label)s: off")) % {"label": label}


class Agreements(CrossingView):
    """All agreements with their accounts."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "agreements of all accounts"

    def get(self, request: HttpRequest) -> HttpResponse:
        """By account; what waits for a second person is said first."""
        day = local_date(self.at, operator_zone())
        found = selectors.agreements_of_all()
        waiting = sum(not row.approved_by for row, _tenant in found)
        return self.page("tiers/ops/agreements.html", {
            "title": _("Agreements"),
            "subtitle": _("Targets by lane, in versions; a second person puts each in force."),
            "waiting": waiting,
            "rows": [
                {"account": tenant.name, "lane": row.lane, "code": row.code, "version": row.version, "kpi": row.kpi,
                 "target": _plain(row), "from": row.valid_from, "to": row.valid_to, "credit": bool(row.credit),
                 "state": selectors.agreement_state(row, day),
                 "url": reverse("ops:promises_agreement",
                                kwargs={"account": tenant.public_id, "public_id": row.public_id})}
                for row, tenant in found
            ],
        })  # fmt: skip


def _plain(row: Agreement) -> str:
    return decimal_mark(f"{row.target.normalize():f}")


class AgreementNew(TenantView):
    """States a new agreement, or the next version of one; contradictions stand beside their fields (5.2)."""

    policy: ClassVar[Policy] = staff(Role.ACCOUNT_MANAGER, write=TERMS)
    step_up: ClassVar[frozenset[str]] = WRITES | {"GET"}  # a long form must not be lost on the way

    def get(self, request: HttpRequest) -> HttpResponse:
        """Empty, or filled from the version named by `from`."""
        row = selectors.agreement_get(request.GET.get("from", ""))
        return self._page(AgreementForm(initial=_initial(row) if row else {}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores the version; it is in force once a second person approves it."""
        form = AgreementForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=422)
        try:
            row, warnings = services.agreement_prepare(spec=form.spec(), preparer=self.member, at=self.at)
        except ValidationError as fault:
            form.refuse(fault)
            return self._page(form, status=422)
        messages.success(request, _("Prepared. A second person puts it in force."))
        for warning in warnings:
            messages.warning(request, str(warning))
        return HttpResponseRedirect(self.url("promises:agreement", public_id=row.public_id))

    def _page(self, form: AgreementForm, status: int = 200) -> HttpResponse:
        account = self.url("promises:account")
        return self.page("tiers/ops/agreement_form.html", {
            "title": _("New agreement"),
            "subtitle": self.account.name,
            "crumbs": [{"label": _("Accounts"), "url": reverse("ops:promises_accounts")},
                       {"label": self.account.name, "url": account}],
            "form": form,
            "back_url": account,
        }, status=status)  # fmt: skip


def _initial(row: Agreement) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("code", "mode", "final_milestone", "kpi", "target", "tol_days", "tol_hours", "note")
    }
    values.update(origins=", ".join(row.origins), destinations=", ".join(row.destinations))
    values["valid_from"] = services.first_of_next_month(row.valid_from)
    block = row.block
    if block is not None:
        values.update({n: v for n, v in block.plain().items() if n in AgreementForm.base_fields and v is not None})
        values.update(has_credit=True, credit_mode=block.mode, charge_codes=", ".join(block.charge_codes))
        values["bands"] = "\n".join(
            f"{'*' if a is None else a} - {'*' if b is None else b}: {pct}" for a, b, pct in block.bands
        )
    return values


class AgreementPage(TenantView):
    """One version: its terms, who prepared and approved it, and for the second person the button."""

    policy: ClassVar[Policy] = staff(write=TERMS)
    step_up: ClassVar[frozenset[str]] = WRITES

    def _row(self, public_id: str) -> Agreement:
        row = selectors.agreement_get(public_id)
        if row is None:
            raise NotFound
        return row

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The page."""
        row = self._row(public_id)
        day = selectors.today(self.at)
        account = self.url("promises:account")
        new_url = f"{self.url('promises:agreement_new')}?from={row.public_id}"
        return self.page("tiers/ops/agreement.html", {
            "title": row.lane,
            "subtitle": _("%(code)s, version %(n)s") % {"code": row.code, "n": row.version},
            "crumbs": [{"label": _("Accounts"), "url": reverse("ops:promises_accounts")},
                       {"label": self.account.name, "url": account}],
            "state": selectors.agreement_state(row, day),
            "facts": _facts(row),
            "terms": _terms(row),
            "confirm": self._confirm(row) if not row.approved_by else None,
            "new_url": new_url if self.member.role in TERMS else "",
        })  # fmt: skip

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Approves (V18)."""
        self._row(public_id)
        try:
            services.agreement_approve(public_id=public_id, approver=self.member, at=self.at)
        except PortalError as refused:
            messages.error(request, refused.sentence())
        else:
            messages.success(request, _("In force from its first day on."))
        return HttpResponseRedirect(request.path)

    def _confirm(self, row: Agreement) -> dict[str, Any]:
        blocked = ""
        if self.member.role not in TERMS:
            blocked = _("Your role looks on here; an account manager or administrator approves.")
        elif row.prepared_by == self.member.public_id:
            blocked = _("You prepared this version, so a colleague approves it (V18).")
        sentence = _(
            "Approving promises %(account)s %(target)s %% on %(lane)s from %(day)s on. Months are judged by it."
        )
        return {
            "action": "",
            "sentence": sentence % {
                "account": self.account.name, "target": _plain(row), "lane": row.lane, "day": row.valid_from,
            },
            "submit": _("Approve"),
            "blocked": blocked,
        }  # fmt: skip


def _facts(row: Agreement) -> list[dict[str, Any]]:
    modes = {"SEA": _("Sea"), "AIR": _("Air"), "RAIL": _("Rail"), "ROAD": _("Road")}
    return [
        {"label": _("Figure"), "value": row.kpi},
        {"label": _("Target"), "value": f"{_plain(row)} %"},
        {"label": _("Origins"), "value": ", ".join(row.origins)},
        {"label": _("Destinations"), "value": ", ".join(row.destinations)},
        {"label": _("Mode"), "value": modes.get(row.mode, row.mode)},
        {"label": _("Agreed final milestone"), "value": row.final_milestone or _("any")},
        {"label": _("From"), "value": str(row.valid_from)},
        {"label": _("Until"), "value": str(row.valid_to) if row.valid_to else _("open")},
        {"label": _("Prepared by"), "value": row.prepared_label},
        {"label": _("Approved by"), "value": row.approved_label or _("nobody yet")},
        *([{"label": _("Note"), "value": row.note}] if row.note else []),
    ]


def _terms(row: Agreement) -> list[dict[str, Any]]:
    block = row.block
    if block is None:
        return []
    labels = {
        str(name): str(field.label) for name, field in AgreementForm.base_fields.items() if hasattr(block, str(name))
    }
    facts = [{"label": _("How a miss becomes money"), "value": block.mode}]
    for name, value in block.plain().items():
        if name not in labels or value in (None, [], ""):
            continue
        if name == "bands":
            value = "; ".join(f"{a or '*'} - {b or '*'}: {pct} %" for a, b, pct in value)
        elif isinstance(value, list):
            value = ", ".join(value)
        facts.append({"label": labels[name], "value": str(value)})
    return facts
