"""What the operator writes around the mails to one account, with a mail as it would look."""

from __future__ import annotations

from typing import ClassVar, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.brand.selectors import look
from portal.notify.forms import WordingForm
from portal.notify.models import MailWording
from portal.notify.notices import Notice, Reader, notice_render
from portal.notify.preferences import wording_set
from portal.tenancy.models import Role
from portal.web.pages import TenantView
from portal.web.policy import Policy, staff
from tracking.facts import MilestoneReached

_WRITERS: Final = frozenset({Role.ADMIN.value, Role.ACCOUNT_MANAGER.value})


class Wording(TenantView):
    """A greeting and a closing for each language; what happened is told in words that are the same for everybody."""

    policy: ClassVar[Policy] = staff(write=_WRITERS)

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """As it stands."""
        return self._show(WordingForm(said=self._said()))

    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Stores what was changed."""
        form = WordingForm(request.POST, said=self._said())
        if not form.is_valid():
            return self._show(form, status=400)
        for code in form.languages:
            wording_set(language=code, greeting=form.cleaned_data[f"greeting-{code}"],
                        closing=form.cleaned_data[f"closing-{code}"], actor=self.member.label, at=self.at)  # fmt: skip
        messages.success(request, _("Saved. It stands in the next mail."))
        return HttpResponseRedirect(request.path)

    @staticmethod
    def _said() -> dict[str, tuple[str, str]]:
        return {row.language: (row.greeting, row.closing) for row in MailWording.objects.all()}

    def _show(self, form: WordingForm, status: int = 200) -> HttpResponse:
        account = reverse("ops:promises_account", kwargs={"account": self.account.public_id})
        return self.page("notify/wording.html", {
            "title": _("Mails to this account"), "form": form, "preview": self._preview(),
            "crumbs": [{"label": _("Accounts"), "url": reverse("ops:promises_accounts")},
                       {"label": self.account.name, "url": account}],
            "may_write": self.policy.allows(self.member.role, unsafe=True),
        }, status=status)  # fmt: skip

    def _preview(self) -> Notice:
        found = look()
        greeting, closing = self._said().get(settings.LANGUAGE_CODE, ("", ""))
        reader = Reader(
            brand=found.name, ink=found.ink, account=self.account.name, name=self.member.name,
            language=settings.LANGUAGE_CODE, unsubscribe_token="", greeting=greeting, closing=closing,
        )  # fmt: skip
        return notice_render(MilestoneReached.example(), reader)
