"""Pages of a shipment's comments: the thread page by page, a comment posted, one withdrawn.

Posting from the shipment's page puts the new thread into its place (htmx); without scripts the page comes back.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.lib.errors import NotFound, PortalError
from portal.web.policy import ACCOUNT, STAFF, Policy
from tracking import comment_pages as pages
from tracking import services
from tracking.comment_forms import CommentForm, CommentWithdrawForm
from tracking.comment_pages import DESK
from tracking.comment_reads import comment_known, people_of
from tracking.dossier import Dossier
from tracking.models import Comment
from tracking.shipment_views import OneShipment

TALKING: Final = Policy(who=ACCOUNT | STAFF, entitlement="portal_core")


class Comments(OneShipment):
    """What was said about a shipment, and the form to say more."""

    policy: ClassVar[Policy] = TALKING

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """The newest page, or what came before a comment (`before`)."""
        found = self.dossier(public_id)
        return self._page(found, self._panel(found, before=request.GET.get("before", "")[:26]))

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Puts it on record; the thread comes back, with what was refused at its field."""
        found = self.dossier(public_id)
        people = people_of(found.shipment, reader=self.member)
        form = CommentForm(request.POST, people=people, is_staff=self.member.is_staff, me=self.member.public_id)
        if form.is_valid():
            try:
                made = services.comment_post(
                    shipment=found.shipment, text=form.cleaned_data["text"], by=self.member, at=self.at,
                    is_internal=form.is_internal, named_ids=form.cleaned_data.get("named", []),
                )  # fmt: skip
            except PortalError as error:
                form.add_error("text", error.sentence())
            else:
                if self._is_part(request):
                    return self._part(self._panel(found), said=_("Posted."))
                here = self.url("tracking:comments", public_id=public_id)
                return HttpResponseRedirect(f"{here}#c-{made.public_id}")
        answer = self._panel(found, form=form)
        # htmx puts no answer of an error in place, and the words at the field are what the reader needs
        return self._part(answer) if self._is_part(request) else self._page(found, answer, 422)

    def _panel(self, found: Dossier, **more: Any) -> dict[str, Any]:
        return pages.panel(found, reader=self.member, at=self.at, url=self.url, **more)

    @staticmethod
    def _is_part(request: HttpRequest) -> bool:
        return request.headers.get("HX-Request") == "true"

    def _part(self, context: dict[str, Any], *, said: str = "") -> HttpResponse:
        """The thread alone, in place of the one before it: who writes goes on writing."""
        context["form"].fields["text"].widget.attrs["autofocus"] = True
        return render(self.request, "tracking/_comments.html", {"comments": {**context, "said": said}, "at": self.at})

    def _page(self, found: Dossier, context: dict[str, Any], status: int = 200) -> HttpResponse:
        subtitle = (
            _("Between the customer and you; internal notes are marked, and the customer never reads them.")
            if self.member.is_staff
            else _("Between you and your forwarder.")
        )
        return self.page("tracking/comments.html", {
            "title": _("Comments"), "crumbs": self.crumbs(found), "comments": context, "subtitle": subtitle,
        }, status)  # fmt: skip


class CommentWithdraw(OneShipment):
    """A comment is shown no more: taken back by its author, or withdrawn by the desk with a reason."""

    policy: ClassVar[Policy] = Policy(who=ACCOUNT | STAFF, entitlement="portal_core", write=ACCOUNT | DESK)

    def get(self, request: HttpRequest, public_id: str, comment: str) -> HttpResponse:
        """What will happen, in a sentence."""
        return self._form(public_id, comment, CommentWithdrawForm())

    def post(self, request: HttpRequest, public_id: str, comment: str) -> HttpResponse:
        """The author needs no reason within minutes; the desk does."""
        found = self.dossier(public_id)
        row = self._comment(found, comment)
        form = CommentWithdrawForm(request.POST)
        why = form.cleaned_data["why"] if form.is_valid() else ""
        try:
            services.comment_withdraw(
                shipment=found.shipment, public_id=row.public_id, by=self.member, at=self.at, why=why
            )
        except services.NoteNeeded:
            return self._form(public_id, comment, form, 422)
        except NotFound:
            raise
        except PortalError as error:
            messages.error(request, error.sentence())
        else:
            messages.success(request, _("The comment was withdrawn."))
        return HttpResponseRedirect(self.url("tracking:comments", public_id=public_id))

    def _comment(self, found: Dossier, comment: str) -> Comment:
        row = comment_known(found.shipment, comment, internal=self.member.is_staff)
        mine = row is not None and row.author == self.member.public_id
        if row is None or not (mine or self.member.role in DESK):
            raise NotFound
        return row

    def _form(self, public_id: str, comment: str, form: CommentWithdrawForm, status: int = 200) -> HttpResponse:
        found = self.dossier(public_id)
        row = self._comment(found, comment)
        own = row.author == self.member.public_id and self.at - row.posted_at <= services.TAKE_BACK
        return self.page("tracking/comment_withdraw.html", {
            "title": _("Take the comment back") if own else _("Withdraw the comment"), "crumbs": self.crumbs(found),
            "form": None if own else form, "text": pages.text_of(row),
            "sentence": _("It will be shown no more, only that it was withdrawn, and by whom. Mails that were sent "
                          "cannot be called back."),
            "cancel_url": self.url("tracking:comments", public_id=public_id),
        }, status)  # fmt: skip
