"""The operator's side, under /ops: staff, the members of one account, the operator's audit trail."""

from __future__ import annotations

from django.urls import path

from portal.account.views import members, trail

_ONE = "accounts/<str:account>/settings"
urlpatterns = [
    path("settings/members", members.Staff.as_view(), name="people_staff_members"),
    path("settings/members/invite", members.StaffInvite.as_view(), name="people_staff_invite"),
    path("settings/members/<str:public_id>", members.StaffMember.as_view(), name="people_staff_member"),
    path(
        "settings/invitations/<str:public_id>/revoke", members.StaffRevokeInvitation.as_view(),
        name="people_staff_invitation_revoke",
    ),
    path("settings/audit", trail.StaffTrail.as_view(), name="people_audit"),
    path(f"{_ONE}/members", members.Members.as_view(), name="people_members"),
    path(f"{_ONE}/members/invite", members.Invite.as_view(), name="people_invite"),
    path(f"{_ONE}/members/<str:public_id>", members.MemberPage.as_view(), name="people_member"),
    path(
        f"{_ONE}/invitations/<str:public_id>/revoke", members.RevokeInvitation.as_view(),
        name="people_invitation_revoke",
    ),
]  # fmt: skip
