"""The quarantine workbench: the list, one item, and every decision about one or many (G5, G12).

Lists cross tenants, each saying why; what is decided is written inside the one tenant that owns the item. Decisions
about many are work of the outbox: the page that shows their progress can be left.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final

from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.lib import ids
from portal.lib.errors import NotFound, PortalError
from portal.tenancy.context import across_tenants, as_tenant
from portal.tenancy.models import Role
from portal.tenancy.selectors import operator_zone
from portal.web.pages import CrossingView, PageView, pager
from portal.web.policy import Policy, staff
from portal.web.tables import Cursor
from tracking import crossings, services
from tracking import quarantine_pages as pages
from tracking.crossings import Chosen, QuarantineFilter
from tracking.forms import CodeForm, CorrectionForm, DiscardForm, ZoneForm
from tracking.models import BatchAction, Quarantined, QuarantineState
from tracking.partners import partner_of
from tracking.reasons import Reason, sentence
from tracking.registry import adapter_for
from tracking.types import Kind, Unreadable

WRITERS: Final = frozenset({Role.OPS.value, Role.ADMIN.value})
ITEM_REASON: Final = "quarantine: one event that could not be used, with its message"
MANY_REASON: Final = "quarantine: the events that one decision is about, over all sources"


class Quarantine(CrossingView):
    """What could not be used, of all sources: newest first, by state, reason, source, code and age."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "quarantine: events that could not be used, over all sources"

    def get(self, request: HttpRequest) -> HttpResponse:
        """One page of the list, with boxes to choose from it for who may decide."""
        wanted = QuarantineFilter.read(request.GET)
        page = crossings.quarantine_page(wanted, cursor=Cursor.read(request.GET), now=self.at)
        counts = crossings.quarantine_counts(wanted, now=self.at)
        zone, matching = operator_zone(), counts.states.get(QuarantineState.OPEN, 0)
        may_choose = self.member.role in WRITERS and wanted.state == QuarantineState.OPEN and page.rows
        return self.page("tracking/ops/quarantine.html", {
            "title": _("Quarantine"),
            "subtitle": _("Events that could not be used. Their bytes are kept; each can be replayed or set aside."),
            "chips": pages.states(wanted, counts.states), "menus": pages.menus(wanted, counts),
            "rows": [pages.row(row, zone) for row in page.rows],
            "bulk": {
                "action": reverse("ops:tracking_quarantine_bulk"), "until": self.at.isoformat(),
                "hidden": [{"name": k, "value": v} for k, v in wanted.params().items()],
                "all_label": _("All %(n)d that match") % {"n": matching} if matching > len(page.rows) else "",
            } if may_choose else None,
            "empty": {} if wanted.params() == {} else
                {"title": _("Nothing here"), "text": _("No item matches all of these filters."),
                 "action": {"label": _("All open items"), "url": pages.quarantine_url()}},
            "pager": pager(request, older=page.older, newer=page.newer),
        })  # fmt: skip


class QuarantineItem(CrossingView):
    """One refused event: why, where in the message, what was tried, what can be done."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = ITEM_REASON

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The item with its place in the message marked."""
        row = crossings.quarantine_item(public_id)
        if row is None:
            raise NotFound
        return item_page(self, row)


def item_page(
    view: PageView, row: Quarantined, *, discard: Form | None = None, answer: Form | None = None, status: int = 200
) -> HttpResponse:
    """The page of an item, also with a refused form on it; run inside a crossing."""
    may_write = view.member.role in WRITERS
    context = pages.item_context(row, may_write=may_write)
    if context["confirm"] is None:
        return view.page("tracking/ops/quarantine_item.html", context, status)
    context["discard"] = {
        "action": pages.item_url(row.public_id, "discard"), "submit": _("Set aside"), "danger": True,
        "sentence": _("The event is given up and never tried again. Its bytes and your reason stay."),
        "fields": discard or DiscardForm(),
    }  # fmt: skip
    if row.code and row.reason in (Reason.UNKNOWN_CODE, Reason.NO_ZONE):
        context["answer"] = _answer(row, crossings.waiting_alike(row), answer)
    return view.page("tracking/ops/quarantine_item.html", context, status)


def _answer(row: Quarantined, alike: Chosen, form: Form | None) -> dict[str, Any]:
    """The form that explains a code, or gives a place its zone, once for all that wait for it."""
    waiting = pages.events(alike.count)
    if row.reason == Reason.NO_ZONE:
        said = _("%(place)s gets a time zone, for all sources; then %(events)s that wait for it are tried again.")
        return {
            "title": _("Give %(place)s its zone") % {"place": row.code}, "submit": _("Set zone and replay"),
            "action": pages.item_url(row.public_id, "zone"), "fields": form or ZoneForm(),
            "sentence": said % {"place": row.code, "events": waiting},
        }  # fmt: skip
    said = _("%(code)s gets a line in the partner table of %(source)s; then %(events)s that wait for it "
             "are tried again.")  # fmt: skip
    return {
        "title": _("Say what %(code)s means") % {"code": row.code}, "submit": _("Map code and replay"),
        "action": pages.item_url(row.public_id, "map"), "fields": form or CodeForm(kind=_kind(row)),
        "sentence": said % {"code": row.code, "source": row.source.name, "events": waiting},
    }  # fmt: skip


def _kind(row: Quarantined) -> str:
    """The kind of event that the message itself states; a line of the partner table cannot change it."""
    return row.agency if row.agency in list(Kind) else ""


# --- decisions about one item ---


class _Decide(PageView):
    """A decision about one item, written inside the tenant that owns it."""

    policy: ClassVar[Policy] = staff(Role.OPS)
    http_method_names = ["post"]

    def item(self, public_id: str) -> Quarantined:
        """The item, found by a crossing; raises NotFound."""
        reason = "quarantine: whose item this is, before it is decided about"
        with across_tenants(reason=reason, actor=self.member.label, at=self.at):
            row = crossings.quarantine_item(public_id)
        if row is None:
            raise NotFound
        return row

    def owner(self, public_id: str) -> int:
        """The tenant of the item; raises NotFound."""
        return int(self.item(public_id).tenant_id)

    def back(self, public_id: str) -> HttpResponseRedirect:
        """To the item."""
        return HttpResponseRedirect(pages.item_url(public_id))

    def again(self, public_id: str, **forms: Form) -> HttpResponse:
        """The item's page with a form that was refused."""
        with across_tenants(reason=ITEM_REASON, actor=self.member.label, at=self.at):
            row = crossings.quarantine_item(public_id)
            assert row is not None
            return item_page(self, row, **forms, status=422)

    def replay_alike(self, row: Quarantined, because: str) -> HttpResponse:
        """Starts the replay of all that waited for the same answer, each scope's part inside it."""
        with across_tenants(reason=MANY_REASON, actor=self.member.label, at=self.at):
            alike = crossings.waiting_alike(row)
        batch = batch_begin(alike, BatchAction.REPLAY, because, at=self.at, actor=self.member.label)
        return HttpResponseRedirect(pages.batch_url(batch)) if batch else self.back(row.public_id)


def batch_begin(chosen: Chosen, action: BatchAction, reason: str, *, at: datetime, actor: str) -> str:
    """The address word of a new decision about these items, one part inside each tenant that owns some; or nothing."""
    batch = ids.public_id()
    for tenant_id, items in sorted(chosen.items.items()):
        with as_tenant(tenant_id):
            services.batch_start(batch=batch, action=action, items=items, reason=reason, at=at, actor=actor)
    return batch if chosen.items else ""


class QuarantineReplay(_Decide):
    """Tries one item again."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Says whether it fits now."""
        try:
            with as_tenant(self.owner(public_id)):
                row = services.quarantine_replay(public_id=public_id, at=self.at, actor=self.member.label)
        except services.AlreadyDecided as error:
            messages.error(request, error.sentence())
            return self.back(public_id)
        if row.state == QuarantineState.REPLAYED:
            messages.success(request, _("The event was applied."))
        else:
            messages.warning(request, _("It still cannot be used: %(why)s") % {"why": sentence(row.reason)})
        return self.back(public_id)


class QuarantineDiscard(_Decide):
    """Gives one item up, with a reason."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Needs a reason; without one the page says so."""
        form, owner = DiscardForm(request.POST), self.owner(public_id)
        if not form.is_valid():
            return self.again(public_id, discard=form)
        try:
            with as_tenant(owner):
                services.quarantine_discard(
                    public_id=public_id, reason=form.cleaned_data["reason"], at=self.at, actor=self.member.label
                )
        except PortalError as error:
            messages.error(request, error.sentence())
        else:
            messages.success(request, _("The event was set aside."))
        return self.back(public_id)


class QuarantineMap(_Decide):
    """Says once what a code means, and tries all again that waited for it."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The line goes to the partner table of the item's source."""
        row = self.item(public_id)
        form = CodeForm(request.POST, kind=_kind(row))
        if row.reason != Reason.UNKNOWN_CODE or not row.code:
            raise NotFound
        if not form.is_valid():
            return self.again(public_id, answer=form)
        line = services.CodeLine(listed=row.listed, agency=row.agency, code=row.code, **form.line())
        try:
            with as_tenant(row.tenant_id):
                services.partner_code_set(key=row.source.key, line=line, at=self.at, actor=self.member.label)
        except services.Refused as error:
            form.add_error(None, error.sentence())
            return self.again(public_id, answer=form)
        return self.replay_alike(row, f"{row.listed} {row.code}")


class QuarantineZone(_Decide):
    """Gives a place its zone once, and tries all again that waited for it."""

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The zone holds for all sources."""
        row, form = self.item(public_id), ZoneForm(request.POST)
        if row.reason != Reason.NO_ZONE or not row.code:
            raise NotFound
        if not form.is_valid():
            return self.again(public_id, answer=form)
        zone = form.cleaned_data["zone"]
        services.place_zone_set(code=row.code, zone=zone, at=self.at, actor=self.member.label)
        return self.replay_alike(row, f"{row.code} {zone}")


class QuarantineCorrect(CrossingView):
    """One item's own part of its message as text to be mended; sent, it is a new message of the same source."""

    policy: ClassVar[Policy] = staff(Role.OPS)
    crossing_reason: ClassVar[str] = ITEM_REASON

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The event as it came, in a box."""
        row = self._row(public_id)
        return self._form(row, CorrectionForm(before=pages.correctable(row)))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """What the reader still refuses is said here; nothing is sent before it can be read."""
        with across_tenants(reason=ITEM_REASON, actor=self.member.label, at=self.at):
            row = self._row(public_id)
        form = CorrectionForm(request.POST, before=pages.correctable(row))
        if not form.is_valid():
            return self._form(row, form, status=422)
        body = form.cleaned_data["text"].encode(pages.message_text(row)[1], errors="replace")
        with as_tenant(row.tenant_id):
            for fault in _faults(row, body):
                form.add_error("text", fault)
            if form.errors:
                return self._form(row, form, status=422)
            made = services.quarantine_correct(
                public_id=public_id, body=body, reason=form.cleaned_data["reason"], at=self.at, actor=self.member.label
            )
        said = _("Sent as a new message: %(accepted)d accepted, %(known)d known before, %(waiting)d in quarantine.")
        messages.success(request, said % {
            "accepted": made.events_accepted, "known": made.events_duplicate, "waiting": made.events_quarantined,
        })  # fmt: skip
        return HttpResponseRedirect(reverse("ops:tracking_message", kwargs={"public_id": made.public_id}))

    def _row(self, public_id: str) -> Quarantined:
        row = crossings.quarantine_item(public_id)
        if row is None or row.state != QuarantineState.OPEN or not pages.correctable(row):
            raise NotFound
        return row

    def _form(self, row: Quarantined, form: CorrectionForm, status: int = 200) -> HttpResponse:
        item_url = pages.item_url(row.public_id)
        return self.page("tracking/ops/quarantine_correct.html", {
            "title": _("Correct an event"), "form": form, "cancel_url": item_url, "action": self.request.path,
            "crumbs": [{"label": _("Quarantine"), "url": pages.quarantine_url()},
                       {"label": str(sentence(row.reason)).rstrip("."), "url": item_url}],
            "reason": {"text": row.detail, "position": row.position}, "source": row.source.name,
        }, status)  # fmt: skip


def _faults(row: Quarantined, body: bytes) -> list[str]:
    """What the source's reader says against a text, with the place; nothing when it can be read."""
    reader = adapter_for(row.source.format, row.message.content_type, row.message.file_name)
    try:
        refused = reader.parse(body, partner=partner_of(row.source)).refusals
    except Unreadable as error:
        return [f"{error.position}: {error.detail}"]
    return [f"{r.position}: {r.detail}" for r in refused[:20]]


# --- decisions about many ---


class QuarantineBulk(CrossingView):
    """Chosen items, or all that match a filter: what would be done to how many, then the work of doing it."""

    policy: ClassVar[Policy] = staff(Role.OPS)
    crossing_reason: ClassVar[str] = MANY_REASON

    def get(self, request: HttpRequest) -> HttpResponse:
        """Says what will happen, with the numbers, before it does."""
        return self._review(self._chosen(), DiscardForm(prefix="why"))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Starts the work and shows its progress."""
        with across_tenants(reason=MANY_REASON, actor=self.member.label, at=self.at):
            chosen = self._chosen()
        form = DiscardForm(request.POST, prefix="why")  # the filter has a reason of its own
        if self._action == BatchAction.DISCARD and not form.is_valid():
            return self._review(chosen, form, status=422)
        reason = form.cleaned_data["reason"] if self._action == BatchAction.DISCARD else ""
        batch = batch_begin(chosen, self._action, reason, at=self.at, actor=self.member.label)
        if not batch:
            messages.warning(request, _("Nothing was chosen that still waits."))
            return HttpResponseRedirect(pages.quarantine_url())
        return HttpResponseRedirect(pages.batch_url(batch))

    @property
    def _asked(self) -> Any:
        return self.request.POST if self.request.method == "POST" else self.request.GET

    @property
    def _action(self) -> BatchAction:
        return BatchAction.DISCARD if self._asked.get("action") == BatchAction.DISCARD else BatchAction.REPLAY

    def _chosen(self) -> Chosen:
        everything = self._asked.get("all") == "1"
        wanted = QuarantineFilter.read(self._asked) if everything else None
        try:
            until = min(datetime.fromisoformat(self._asked.get("until", "")).astimezone(self.at.tzinfo), self.at)
        except (ValueError, OverflowError):
            until = self.at
        named = [text for text in self._asked.getlist("item") if text.isascii() and text.isalnum()][:1_000]
        return crossings.quarantine_chosen(wanted, named, until=until, now=self.at)

    def _review(self, chosen: Chosen, form: Form, status: int = 200) -> HttpResponse:
        discard = self._action == BatchAction.DISCARD
        events = pages.events(chosen.count)
        kept = ("all", "until", "state", "reason", "source", "code", "age", "action")
        hidden = [{"name": n, "value": self._asked.get(n, "")} for n in kept if self._asked.get(n)]
        hidden += [{"name": "item", "value": text} for text in self._asked.getlist("item")[:1_000]]
        said = (
            _("%(events)s will be given up and never tried again. Their bytes and your reason stay.") if discard
            else _("%(events)s will be read and matched again. What fits now is applied; what does not stays here.")
        )  # fmt: skip
        return self.page("tracking/ops/quarantine_bulk.html", {
            "title": _("Set aside %(events)s") % {"events": events} if discard
            else _("Replay %(events)s") % {"events": events},
            "crumbs": [{"label": _("Quarantine"), "url": pages.quarantine_url()}],
            "reasons": [{"label": str(sentence(k)), "value": str(n)} for k, n in _most(chosen.reasons)],
            "sources": [{"label": k, "value": str(n)} for k, n in _most(chosen.sources)],
            "confirm": {
                "action": reverse("ops:tracking_quarantine_bulk"), "submit": _("Set aside") if discard else _("Replay"),
                "sentence": said % {"events": events}, "hidden": hidden, "danger": discard,
                "fields": form if discard else None, "cancel_url": pages.quarantine_url(),
                "points": [_("It is work in the background: you can leave the page, and come back to it.")],
            } if chosen.count else None,
        }, status)  # fmt: skip


def _most(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:12]


class QuarantineBatchPage(CrossingView):
    """How far a decision about many items has come, and what became of them."""

    policy: ClassVar[Policy] = staff()
    crossing_reason: ClassVar[str] = "quarantine: the progress of one decision, over all scopes it concerns"

    def get(self, request: HttpRequest, batch: str) -> HttpResponse:
        """The page, or for its own refresh only the part that changes."""
        parts = crossings.batch_parts(batch)
        if not parts:
            raise NotFound
        context = pages.batch_context(parts, self.at)
        only_part = request.headers.get("HX-Request") == "true"
        template = "tracking/ops/_quarantine_batch.html" if only_part else "tracking/ops/quarantine_batch.html"
        return self.page(template, context)
