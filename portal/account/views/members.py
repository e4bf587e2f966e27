"""Members of an account and the operator's own staff: list, invite, change role, take access away (A5, A7).

One set of pages for both sides: a manager's own account, the account an administrator looks at, the operator's staff.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.account import selectors
from portal.account.forms import InviteForm, RoleForm
from portal.account.invitations import AlreadyMember, invitation_create, invitation_revoke
from portal.account.second_factor import second_factor_remove
from portal.account.services import (
    NotYourself,
    member_active_set,
    member_role_change,
    security_notice,
)
from portal.lib.errors import BadRequest, NotFound
from portal.tenancy.models import STRONG_ROLES, Member, Role
from portal.tenancy.selectors import tenant_zone
from portal.web.pages import PageView, TenantView
from portal.web.policy import Policy, staff
from portal.web.stepup import ALL, WRITES

MANAGERS: Policy = Policy(who=frozenset({Role.MANAGER.value, Role.ADMIN.value}))


class _Members(PageView):
    """What the pages of both sides share; the scope is entered."""

    of_staff: ClassVar[bool] = False

    def to(self, name: str, **kwargs: Any) -> str:
        """The address of a sibling page on the same side."""
        raise NotImplementedError

    def found(self, public_id: str) -> Member:
        """A member of the scope; NotFound for anybody else's (T6)."""
        member = Member.objects.select_related("user").filter(public_id=public_id).first()
        if member is None:
            raise NotFound
        return member


class _OfAccount(_Members, TenantView):
    """An account's members, for its managers and for the operator's administrators."""

    policy: ClassVar[Policy] = MANAGERS

    def to(self, name: str, **kwargs: Any) -> str:
        """On the customer's side or the staff's."""
        return self.url(f"people:{name}", **kwargs)


class _OfStaff(_Members):
    """The operator's people, for administrators."""

    policy: ClassVar[Policy] = staff(Role.ADMIN)
    of_staff = True

    def to(self, name: str, **kwargs: Any) -> str:
        """Under /ops/settings."""
        return reverse(f"ops:people_staff_{name}", kwargs=kwargs)


class _List(_Members):
    def get(self, request: HttpRequest) -> HttpResponse:
        """Who may sign in, who is invited."""
        members = selectors.member_list()
        proven = selectors.members_with_second_factor(members)
        rows = [
            {
                "name": m.name, "email": m.user.email, "role": m.get_role_display(), "active": m.is_active,
                "second_factor": m.user_id in proven, "mandatory": m.role in STRONG_ROLES,
                "self": m.user_id == self.member.user_id, "url": self.to("member", public_id=m.public_id),
            }
            for m in members
        ]  # fmt: skip
        invitations = [
            {
                "name": i.name, "email": i.email, "role": i.get_role_display(), "until": i.expires_at,
                "revoke_url": self.to("invitation_revoke", public_id=i.public_id),
            }
            for i in selectors.invitation_list(at=self.at)
        ]  # fmt: skip
        context = {"title": _("Staff") if self.of_staff else _("Members"), "rows": rows, "zone": tenant_zone()}
        return self.page(
            "people/members.html", {**context, "invitations": invitations, "invite_url": self.to("invite")}
        )


class _Invite(_Members):
    step_up = ALL

    def get(self, request: HttpRequest) -> HttpResponse:
        """An empty form."""
        return self._form(InviteForm(staff=self.of_staff))

    def post(self, request: HttpRequest) -> HttpResponse:
        """The same answer whether the address has a sign-in somewhere or not (A3)."""
        form = InviteForm(request.POST, staff=self.of_staff)
        if form.is_valid():
            data = form.cleaned_data
            try:
                invitation_create(email=data["email"], name=data["name"], role=data["role"], by=self.member, at=self.at)
            except AlreadyMember as error:
                form.add_error("email", error.sentence())
            else:
                messages.success(request, _("An invitation is on its way to %(email)s.") % {"email": data["email"]})
                return redirect(self.to("members"))
        return self._form(form, 422)

    def _form(self, form: InviteForm, status: int = 200) -> HttpResponse:
        crumbs = [{"label": _("Staff") if self.of_staff else _("Members"), "url": self.to("members")}]
        context = {"title": _("Invite somebody"), "form": form, "crumbs": crumbs, "back_url": self.to("members")}
        return self.page("people/invite.html", context, status)


class _RevokeInvitation(_Members):
    step_up = WRITES

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """Ends it at once."""
        invitation = invitation_revoke(public_id=public_id, by=self.member, at=self.at)
        messages.success(request, _("The invitation of %(email)s is revoked.") % {"email": invitation.email})
        return redirect(self.to("members"))


class _Member(_Members):
    step_up = WRITES

    def get(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """One person, and what can be changed."""
        person = self.found(public_id)
        factor = bool(selectors.members_with_second_factor([person]))
        crumbs = [{"label": _("Staff") if self.of_staff else _("Members"), "url": self.to("members")}]
        return self.page(
            "people/member.html",
            {
                "title": person.name, "subtitle": person.user.email, "person": person, "second_factor": factor,
                "self": person.user_id == self.member.user_id, "crumbs": crumbs,
                "mandatory": person.role in STRONG_ROLES,
                "form": RoleForm(staff=self.of_staff, initial={"role": person.role}),
            },
        )  # fmt: skip

    def post(self, request: HttpRequest, public_id: str) -> HttpResponse:
        """`action`: role, deactivate, reactivate, second_factor_remove."""
        person, action = self.found(public_id), request.POST.get("action", "")
        if action == "role":
            form = RoleForm(request.POST, staff=self.of_staff)
            if not form.is_valid():
                raise BadRequest(detail=_("Choose a role from the list."))
            member_role_change(public_id=public_id, role=form.cleaned_data["role"], by=self.member, at=self.at)
            said = _("%(name)s has a new role and must sign in again.")
        elif action in ("deactivate", "reactivate"):
            member_active_set(public_id=public_id, active=action == "reactivate", by=self.member, at=self.at)
            said = _("%(name)s can sign in again.") if action == "reactivate" else _("%(name)s can no longer sign in.")
        elif action == "second_factor_remove":
            self._second_factor_remove(person)
            said = _("%(name)s must set up a new second factor at the next sign-in.")
        else:
            raise BadRequest(detail=_("This page does not know what to do."))
        messages.success(request, said % {"name": person.name})
        return redirect(self.to("member", public_id=public_id))

    def _second_factor_remove(self, person: Member) -> None:
        if person.user_id == self.member.user_id:
            raise NotYourself
        second_factor_remove(member=person, actor=self.member.label, at=self.at)
        security_notice(member=person, what="SECOND_FACTOR_REMOVED", at=self.at)


class Members(_OfAccount, _List):
    """The list of an account."""


class Invite(_OfAccount, _Invite):
    """Invites a colleague."""


class RevokeInvitation(_OfAccount, _RevokeInvitation):
    """Ends an open invitation."""


class MemberPage(_OfAccount, _Member):
    """One member of an account."""


class Staff(_OfStaff, _List):
    """The operator's people."""


class StaffInvite(_OfStaff, _Invite):
    """Invites somebody of the operator."""


class StaffRevokeInvitation(_OfStaff, _RevokeInvitation):
    """Ends an open invitation of the operator."""


class StaffMember(_OfStaff, _Member):
    """One person of the operator."""
