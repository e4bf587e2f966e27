"""Settings pages of an account, under /settings."""

from __future__ import annotations

from django.urls import path

from portal.account.views import keys, members, trail

app_name = "people"
urlpatterns = [
    path("settings/members", members.Members.as_view(), name="members"),
    path("settings/members/invite", members.Invite.as_view(), name="invite"),
    path("settings/members/<str:public_id>", members.MemberPage.as_view(), name="member"),
    path("settings/invitations/<str:public_id>/revoke", members.RevokeInvitation.as_view(), name="invitation_revoke"),
    path("settings/keys", keys.Keys.as_view(), name="keys"),
    path("settings/keys/new", keys.NewKey.as_view(), name="key_new"),
    path("settings/keys/<str:public_id>/revoke", keys.RevokeKey.as_view(), name="key_revoke"),
    path("settings/audit", trail.Trail.as_view(), name="audit"),
]
