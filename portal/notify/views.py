"""What a person is told: the settings page, and the way out of a kind of mail without a sign-in (RFC 8058)."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from portal.lib import clock
from portal.lib.errors import NotFound
from portal.notify.notices import unsubscribe_read
from portal.notify.selectors import only_followed_by, unwanted_by
from portal.notify.services import preference_set
from portal.notify.wording import FOLLOWED, is_about_a_shipment, kind_label, kinds_for
from portal.tenancy.context import as_tenant
from portal.tenancy.models import Member, Role
from portal.web.pages import PageView
from portal.web.policy import Policy, public, signed_in


class NoticesForm(forms.Form):
    """One checkbox for each kind of notice."""

    def __init__(self, keys: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keys = keys
        for key in keys:
            label, says = kind_label(key)
            self.fields[key] = forms.BooleanField(required=False, label=label, help_text=says)


class NoticeSettings(PageView):
    """Which mails a person wants; nothing here touches those asked for once, such as a new password."""

    policy: ClassVar[Policy] = signed_in()

    def _form(self, data: Any = None) -> NoticesForm:
        kinds = kinds_for(is_staff=self.member.is_staff, is_manager=self.member.role == Role.MANAGER)
        off, only = unwanted_by(self.member), only_followed_by(self.member)
        now = {}
        for key in kinds:
            now[key] = key not in off
            if not self.member.is_staff and is_about_a_shipment(key):
                now[f"{key}{FOLLOWED}"] = f"{key}{FOLLOWED}" in only
        return NoticesForm(list(now), data, initial=now)

    def get(self, request: HttpRequest) -> HttpResponse:
        """The choices as they stand."""
        return self.page("notify/settings.html", {"title": _("Notices"), "form": self._form()})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Stores what was changed."""
        form = self._form(request.POST)
        if not form.is_valid():
            return self.page("notify/settings.html", {"title": _("Notices"), "form": form}, status=400)
        for key in form.keys:
            if form.cleaned_data[key] != form.initial[key]:
                preference_set(member=self.member, fact_key=key, wanted=form.cleaned_data[key], at=self.at)
        messages.success(request, _("Saved. It holds from the next mail on."))
        return HttpResponseRedirect(reverse("notices:settings"))


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
            preference_set(member=member, fact_key=fact_key, wanted=False, at=clock.now())
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
