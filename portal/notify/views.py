"""What a person is told: the settings page, and the way out of a kind of mail without a sign-in (RFC 8058)."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from portal.lib import clock
from portal.lib.errors import BadRequest, NotFound
from portal.notify.forms import NoticesForm
from portal.notify.models import MailMode
from portal.notify.notices import unsubscribe_read
from portal.notify.preferences import habits_set, mail_stop, preset_set, wishes_set
from portal.notify.selectors import suppressed_of
from portal.notify.wishes import Wish, habits_row, wishes_of
from portal.notify.wording import PRESSING, kind_label, kinds_for
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member, Role
from portal.tenancy.selectors import tenant_zone
from portal.web.pages import PageView
from portal.web.policy import Policy, public, signed_in
from tracking.facets import choices

_PRESETS: Final = {
    "all": (gettext_lazy("Everything at once"), gettext_lazy("A mail for each piece of news.")),
    "calm": (gettext_lazy("What goes wrong at once"), gettext_lazy("The rest in one mail a day.")),
    "bell": (gettext_lazy("No mails"), gettext_lazy("Only in the portal, under the bell.")),
}  # fmt: skip


class NoticeSettings(PageView):
    """What a person is told and how; nothing here touches mails asked for once, such as a new password."""

    policy: ClassVar[Policy] = signed_in()

    def _kinds(self) -> list[str]:
        return kinds_for(is_staff=self.member.is_staff, is_manager=self.member.role == Role.MANAGER)

    def _form(self, data: Any = None) -> NoticesForm:
        habits = habits_row(self.member.pk)
        lanes = [] if self.member.is_staff else choices().values["lane"]
        return NoticesForm(
            data, kinds=self._kinds(), said=wishes_of(self.member.pk), habits=habits, zone=self.member.zone,
            usual_zone=tenant_zone().key, lanes=sorted({*lanes, *(habits.lanes if habits else [])}),
            for_staff=self.member.is_staff,
        )  # fmt: skip

    def get(self, request: HttpRequest) -> HttpResponse:
        """The choices as they stand."""
        return self._show(self._form())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores what was changed, or one of the presets (`preset`: all, calm, bell)."""
        preset = request.POST.get("preset", "")
        if preset:
            if preset not in _PRESETS:
                raise BadRequest(detail=_("This step is not known."))
            preset_set(member=self.member, wishes=self._preset(preset), daily=preset == "calm", at=self.at)
            return self._saved(request)
        form = self._form(request.POST)
        if not form.is_valid():
            return self._show(form, status=400)
        data = form.cleaned_data
        with transaction.atomic():
            wishes_set(member=self.member, wishes=form.changed_wishes(), at=self.at)
            habits_set(
                member=self.member, lanes=data.get("lanes", []), zone=data["zone"], at=self.at,
                **{name: data[name] for name in ("digest", "digest_hour", "digest_weekday", "quiet_from", "quiet_to",
                                                 "quiet_weekend")},
            )  # fmt: skip
        return self._saved(request)

    @staticmethod
    def _saved(request: HttpRequest) -> HttpResponse:
        messages.success(request, _("Saved. It holds from the next piece of news on, and for what waits."))
        return HttpResponseRedirect(reverse("notices:settings"))

    def _preset(self, preset: str) -> dict[str, Wish]:
        """What a preset says about every kind; of which shipments stays as it was said."""
        said, found = wishes_of(self.member.pk), {}
        for key in self._kinds():
            before = said.get(key, Wish())
            mail = {
                "all": MailMode.NOW,
                "calm": MailMode.NOW if key in PRESSING else MailMode.DIGEST,
                "bell": MailMode.OFF,
            }[preset]
            found[key] = Wish(mail=mail.value, bell=True, which=before.which, always=before.always)
        return found

    def _show(self, form: NoticesForm, status: int = 200) -> HttpResponse:
        back = suppressed_of(self.member.user.email)
        return self.page("notify/settings.html", {
            "title": _("What I am told"), "form": form, "rows": form.rows(), "came_back": back,
            "email": self.member.user.email,
            "presets": [{"value": key, "label": label, "says": says} for key, (label, says) in _PRESETS.items()],
            "addresses_url": reverse("notices:addresses") if self.member.role == Role.MANAGER else "",
        }, status=status)  # fmt: skip


@method_decorator(csrf_exempt, name="dispatch")
class Unsubscribe(View):
    """Turns one kind of mail off for the person its token names; reading the page changes nothing (W5)."""

    policy: ClassVar[Policy] = public()

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Asks once."""
        _tenant_id, _member, fact_key = self._read(token)
        return self._page(request, fact_key, done=False)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Mail programs post here by themselves (one click); so does the button."""
        tenant_id, public_id, fact_key = self._read(token)
        with as_tenant(tenant_id), transaction.atomic():
            member = Member.objects.filter(public_id=public_id).first()
            if member is None:
                raise NotFound
            mail_stop(member=member, fact_key=fact_key, at=clock.now())
        return self._page(request, fact_key, done=True)

    @staticmethod
    def _read(token: str) -> tuple[int, str, str]:
        found = unsubscribe_read(token)
        if found is None:
            raise NotFound
        return found

    @staticmethod
    def _page(request: HttpRequest, fact_key: str, *, done: bool) -> HttpResponse:
        return render(request, "notify/unsubscribe.html", {"kind": kind_label(fact_key)[0], "done": done})
