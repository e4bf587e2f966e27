"""The desk's pages about one source: what it is, how it is read and believed, its keys and secrets.

Admins change, everybody of the staff reads. Its partner table is in code_views.py, its test bench in bench_views.py.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from portal.lib.errors import BadRequest, NotFound
from portal.tenancy.context import OPERATOR_ID, across_tenants, as_tenant
from portal.tenancy.models import ApiKey, Role, Tenant
from portal.tenancy.selectors import operator_zone, tenant_id_of_public_id
from portal.tenancy.services import audit
from portal.web.pages import PageView
from portal.web.policy import Policy, staff
from portal.web.stepup import ALL, WRITES
from tracking import crossings, partner_pages, services
from tracking.freshness import freshness_panel
from tracking.models import PartnerCode, Quarantined, QuarantineState, Source
from tracking.partner_forms import RankForm, SourceEditForm, SourceKeyForm
from tracking.partner_pages import page_url
from tracking.partners import KIND_RANKS, RANK, own_rank, settings_as_of
from tracking.quarantine_pages import quarantine_url
from tracking.quarantine_views import WRITERS
from tracking.selectors import source_scope

READERS: Final = staff(write=frozenset({Role.ADMIN.value}))
ADMINS: Final = staff(Role.ADMIN)
POLLED: Final = frozenset({"dcsa", "dcsa_3", "auto"})  # formats that carriers publish to be fetched


class SourceView(PageView):
    """A page about one source (kwarg `source`), in the scope that it belongs to; an account's own is noted (R0.8)."""

    policy: ClassVar[Policy] = READERS
    source: Source

    def enter(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Finds whose source it is and enters there."""
        key = kwargs.pop("source")
        owner = None if "\0" in key else source_scope(key) or self._owner_of_closed(key)
        if owner is None:
            raise NotFound
        if owner != OPERATOR_ID:
            with transaction.atomic():
                page = request.resolver_match.view_name if request.resolver_match else ""
                audit(action="account.entered", actor=self.member.label, at=self.at, object_type="source",
                      object_id=key, details={"page": page})  # fmt: skip
        with as_tenant(owner):
            self.source = Source.objects.select_related("tenant").get(key=key)
            return super().enter(request, *args, **kwargs)

    def _owner_of_closed(self, key: str) -> int | None:
        with as_tenant(OPERATOR_ID):
            if Source.objects.filter(key=key).exists():
                return OPERATOR_ID
        with across_tenants(reason="sources: whose closed source this is", actor=self.member.label, at=self.at):
            return crossings.source_owner(key)

    @property
    def may_edit(self) -> bool:
        """Whether this person may change what is shown."""
        return self.member.role == Role.ADMIN.value

    def to(self, name: str) -> HttpResponseRedirect:
        """On to another page of the same source."""
        return HttpResponseRedirect(page_url(name, self.source))

    def below(self, title: str) -> dict[str, Any]:
        """Title, way and source of a page below the source's own."""
        return {"title": title, "source": self.source, "crumbs": partner_pages.crumbs(self.source),
                "back_url": page_url("source", self.source)}  # fmt: skip

    def account_codes(self) -> list[str]:
        """The accounts it may report on, by code; a crossing, since they are others' names."""
        if not self.source.account_ids:
            return []
        reason = "sources: the names of the accounts that a source may report on"
        with across_tenants(reason=reason, actor=self.member.label, at=self.at):
            return sorted(t.code for t in crossings.tenants_named(self.source.account_ids).values())


class SourcePage(SourceView):
    """One source: facts, doors, settings, keys, what it sent lately."""

    @property
    def may_upload(self) -> bool:
        """A spreadsheet by hand, by those who write at the desk."""
        return self.source.format == "table" and self.source.is_active and self.member.role in WRITERS

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page; panels of others stand in tracking/ops/_source_panels.html."""
        source, zone = self.source, operator_zone()
        rank = settings_as_of(None).get((source.key, RANK))
        waiting = Quarantined.objects.filter(source=source, state=QuarantineState.OPEN).count()
        return self.page("tracking/ops/source.html", {
            **self.below(source.name), "crumbs": partner_pages.crumbs(source, here=True), "may_edit": self.may_edit,
            "state": {"tone": "ok", "label": pgettext("a source", "Open")} if source.is_active
            else {"tone": "neutral", "label": _("Closed")},
            "facts": partner_pages.facts(source, zone), "doors": partner_pages.doors(source),
            "said": partner_pages.settings_in_words(source, rank=rank, accounts=self.account_codes()),
            "keys": partner_pages.keys(source, at=self.at, may_edit=self.may_edit), "zone": zone,
            "secrets": len(source.dcsa_secrets), "messages_lately": partner_pages.lately(source),
            "own_codes": PartnerCode.objects.filter(source=source).count(), "waiting": waiting,
            "quarantine_url": quarantine_url(source=source.key), "switch": self._switch() if self.may_edit else None,
            "is_shared": source.tenant_id == OPERATOR_ID, **freshness_panel(source, self.at),
            "poll_url": page_url("source_poll", source) if self.may_edit and source.format in POLLED else "",
            "upload_url": page_url("upload", source) if self.may_upload else "",
            **{f"{name}_url": page_url(f"source_{name}", source)
               for name in ("edit", "codes", "bench", "rank", "secret", "key_new")},
        })  # fmt: skip

    def _switch(self) -> dict[str, Any]:
        told = {"action": page_url("source_state", self.source)}
        if self.source.is_active:
            sentence = _("Its doors answer as if it did not exist. What it reported stays, also what waits.")
            return told | {"sentence": sentence, "submit": _("Close the source"), "danger": True,
                           "hidden": [{"name": "open", "value": "no"}]}  # fmt: skip
        sentence = _("Its doors take messages again, with the keys it has.")
        return told | {
            "sentence": sentence,
            "submit": _("Open the source"),
            "hidden": [{"name": "open", "value": "yes"}],
        }


class SourceEdit(SourceView):
    """Everything about a source that people set."""

    policy: ClassVar[Policy] = ADMINS

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form as it stands."""
        return self._form(self._filled())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores all of it, or says field by field what cannot be."""
        form = self._filled(request.POST)
        if form.is_valid():
            try:
                services.source_update(key=self.source.key, changes=form.changes(), at=self.at, actor=self.member.label)
            except services.Refused as error:
                form.tell(error.faults)
            else:
                messages.success(request, _("Stored. It counts for what comes, and what is replayed, from now on."))
                return self.to("source")
        return self._form(form, 422)

    def _filled(self, data: Any = None) -> SourceEditForm:
        form = SourceEditForm.of(self.source, rank=own_rank(self.source.key), accounts=self.account_codes(), data=data)
        if self.source.tenant_id != OPERATOR_ID:
            form.fields["accounts"].disabled = True
            form.fields["accounts"].help_text = _("A source of one account reports on that account only.")
        return form

    def _form(self, form: SourceEditForm, status: int = 200) -> HttpResponse:
        return self.page("tracking/ops/source_form.html", {
            **self.below(_("Settings of %(name)s") % {"name": self.source.name}), "form": form, "submit": _("Store"),
            "affects": _("Nothing that is stored changes. Messages that come, and events that are replayed, are read "
                         "by the new settings; shipments follow a new rank when they next hear something."),
        }, status)  # fmt: skip


class SourceState(SourceView):
    """Closes a source, or opens it again."""

    policy: ClassVar[Policy] = ADMINS
    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """`open` says which."""
        wanted = request.POST.get("open")
        if wanted not in ("yes", "no"):
            raise BadRequest(detail=_("Say whether it is to be open: yes or no."))
        change = services.source_open if wanted == "yes" else services.source_close
        change(key=self.source.key, at=self.at, actor=self.member.label)
        messages.success(request, _("The source is open.") if wanted == "yes" else _("The source is closed."))
        return self.to("source")


class SourceRanks(SourceView):
    """What single accounts say of an operator's source: whom they believe first (R1.9)."""

    _told: list[tuple[Tenant, int]]

    def get(self, request: HttpRequest) -> HttpResponse:
        """The accounts that gave a rank of their own, and the form."""
        return self._page(RankForm(accounts=self._accounts()))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Written in the account's own scope."""
        form = RankForm(request.POST, accounts=self._accounts())
        if form.is_valid():
            owner = tenant_id_of_public_id(form.cleaned_data["account"])
            assert owner is not None  # the form offers known accounts only
            try:
                with as_tenant(owner):
                    services.source_rank_override(
                        key=self.source.key, rank=form.cleaned_data["rank"], at=self.at, actor=self.member.label
                    )
            except services.Refused as error:
                form.tell(error.faults)
            else:
                messages.success(request, _("Stored for this account."))
                return self.to("source_rank")
        return self._page(form, 422)

    def _accounts(self) -> list[tuple[str, str]]:
        """The accounts to choose from; a source of one account has no other that could rank it."""
        if self.source.tenant_id != OPERATOR_ID:
            raise NotFound
        reason = "sources: the accounts that may rank a source, and those that did"
        with across_tenants(reason=reason, actor=self.member.label, at=self.at):
            self._told = crossings.ranks_of(self.source.key)
            return [(t.public_id, t.name) for t in crossings.accounts()]

    def _page(self, form: RankForm, status: int = 200) -> HttpResponse:
        rank = own_rank(self.source.key)
        usual = KIND_RANKS.get(self.source.kind, 0)
        return self.page("tracking/ops/source_rank.html", {
            **self.below(_("Rank by account")), "form": form if self.may_edit else None,
            "told": [{"label": t.name, "value": str(rank)} for t, rank in self._told],
            "usual": _("For everybody else its rank is %(rank)d.") % {"rank": usual if rank is None else rank},
        }, status)  # fmt: skip


class SourceKeyNew(SourceView):
    """A further key, shown once; the one before it opens the doors until it is revoked (A5, A6)."""

    policy: ClassVar[Policy] = ADMINS
    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form."""
        return self._form(SourceKeyForm(initial={"label": self.source.name[:80]}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """The key in the answer itself: it is stored nowhere."""
        form = SourceKeyForm(request.POST)
        if form.is_valid():
            try:
                _key, text = services.source_key_issue(
                    key=self.source.key, label=form.cleaned_data["label"], at=self.at, actor=self.member.label
                )
            except services.TooManySourceKeys as error:
                form.add_error(None, error.sentence())
            else:
                return self.page("tracking/ops/source_made.html", {
                    **self.below(_("New key")), "key": text, "list_url": page_url("source", self.source),
                    "ingest_url": partner_pages.doors(self.source)[0]["value"].removeprefix("POST "),
                })  # fmt: skip
        return self._form(form, 422)

    def _form(self, form: SourceKeyForm, status: int = 200) -> HttpResponse:
        affects = _("It is shown once. The present key opens the doors until you revoke it: hand over, then revoke.")
        context = {"form": form, "submit": _("Make the key"), "affects": affects}
        return self.page("tracking/ops/source_form.html", {**self.below(_("New key")), **context}, status)


class SourceKeyRevoke(SourceView):
    """Ends one key at once; says what will happen first."""

    policy: ClassVar[Policy] = ADMINS
    step_up = WRITES

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The sentence and the button."""
        key = ApiKey.objects.filter(public_id=public_id, source_key=self.source.key).first()
        if key is None:
            raise NotFound
        sentence = _("The key “%(label)s” (%(prefix)s) stops working at once; what sends with it is refused.")
        return self.page("tracking/ops/source_confirm.html", {**self.below(_("Revoke a key")), "confirm": {
            "action": request.path, "sentence": sentence % {"label": key.label, "prefix": key.prefix},
            "submit": _("Revoke the key"), "danger": True, "cancel_url": page_url("source", self.source),
        }})  # fmt: skip

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Revokes it."""
        key = services.source_key_revoke(key=self.source.key, public_id=public_id, at=self.at, actor=self.member.label)
        messages.success(request, _("The key “%(label)s” opens nothing any more.") % {"label": key.label})
        return self.to("source")


class SourceSecret(SourceView):
    """A new secret for callbacks, shown once; the newest before it stays valid (A5, G10)."""

    policy: ClassVar[Policy] = ADMINS
    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """What will happen."""
        held = len(self.source.dcsa_secrets)
        points = [_("The new secret is shown once.")]
        points += [_("The present one stays valid until the next change.")] if held else []
        points += [_("The one before it stops working now.")] if held > 1 else []
        return self.page("tracking/ops/source_confirm.html", {**self.below(_("New callback secret")), "confirm": {
            "action": request.path, "sentence": _("The partner signs its callbacks with this secret."),
            "points": points, "submit": _("Make the secret"), "cancel_url": page_url("source", self.source),
        }})  # fmt: skip

    def post(self, request: HttpRequest) -> HttpResponse:
        """The secret in the answer itself: it is kept sealed."""
        secret = services.source_secret_rotate(key=self.source.key, at=self.at, actor=self.member.label)
        self.source.refresh_from_db()
        told = [d["value"].removeprefix("POST ") for d in partner_pages.doors(self.source)]
        return self.page("tracking/ops/source_made.html", {
            **self.below(_("New callback secret")), "secret": secret, "ingest_url": told[0], "callback_url": told[1],
            "list_url": page_url("source", self.source),
        })  # fmt: skip
