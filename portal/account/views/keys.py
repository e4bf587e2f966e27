"""API keys of an account: list, make (shown once), revoke (A5, A6)."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.account import selectors
from portal.account.forms import KeyForm
from portal.account.keys import TooManyKeys, key_issue, key_revoke
from portal.lib.errors import NotFound
from portal.tenancy.models import ApiKey, Role
from portal.tenancy.selectors import tenant_zone
from portal.web.pages import TenantView
from portal.web.policy import Policy
from portal.web.stepup import ALL, WRITES

_MANAGER = Policy(who=frozenset({Role.MANAGER.value}))


class Keys(TenantView):
    """Valid keys with their last use, and those that ended."""

    policy: ClassVar[Policy] = _MANAGER

    def get(self, request: HttpRequest) -> HttpResponse:
        """The list."""
        valid, ended = selectors.key_list(at=self.at)
        context = {"title": _("API keys"), "keys": valid, "ended": ended, "new_url": reverse("people:key_new")}
        return self.page("people/keys.html", {**context, "zone": tenant_zone()})


class NewKey(TenantView):
    """Makes a key and shows it once."""

    policy: ClassVar[Policy] = _MANAGER
    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """A form; `?label=` is filled in when a key is to be replaced."""
        return self._form(KeyForm(initial={"label": request.GET.get("label", "")[:80], "days": "365"}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """The key in the answer itself: it is stored nowhere."""
        form = KeyForm(request.POST)
        if form.is_valid():
            try:
                key, text = key_issue(
                    label=form.cleaned_data["label"], at=self.at, actor=self.member.label,
                    expires_at=form.expires_at(self.at),
                )  # fmt: skip
            except TooManyKeys as error:
                form.add_error("label", error.sentence())
            else:
                made = {"title": _("Your new key"), "key": key, "text": text, "zone": tenant_zone()}
                return self.page("people/key_made.html", made)
        return self._form(form, 422)

    def _form(self, form: KeyForm, status: int = 200) -> HttpResponse:
        crumbs = [{"label": _("API keys"), "url": reverse("people:keys")}]
        return self.page("people/key_new.html", {"title": _("New API key"), "form": form, "crumbs": crumbs}, status)


class RevokeKey(TenantView):
    """Ends a key at once; says what will happen first."""

    policy: ClassVar[Policy] = _MANAGER
    step_up = WRITES

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The sentence and the button."""
        key = self._key(public_id)
        crumbs = [{"label": _("API keys"), "url": reverse("people:keys")}]
        context = {"title": _("Revoke a key"), "key": key, "crumbs": crumbs, "zone": tenant_zone()}
        return self.page("people/key_revoke.html", context)

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Revokes it."""
        key = self._key(public_id)
        key_revoke(public_id=public_id, at=self.at, actor=self.member.label)
        messages.success(request, _("The key “%(label)s” opens nothing any more.") % {"label": key.label})
        return redirect("people:keys")

    def _key(self, public_id: str) -> ApiKey:
        key = ApiKey.objects.filter(public_id=public_id, scope="read").first()
        if key is None:
            raise NotFound
        return key
