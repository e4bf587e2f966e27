"""Signing in, under /accounts: the names are allauth's, which finds its own pages by them.

What is not here is not routed: sign-up, e-mail management, social sign-in, passkeys.
"""

from __future__ import annotations

from django.urls import path, re_path

from portal.account.views import language, second_factor, sign_in

urlpatterns = [
    path("login/", sign_in.SignIn.as_view(), name="account_login"),
    path("logout/", sign_in.SignOut.as_view(), name="account_logout"),
    path("reauthenticate/", sign_in.ConfirmPassword.as_view(), name="account_reauthenticate"),
    path("password/change/", sign_in.ChangePassword.as_view(), name="account_change_password"),
    path("password/reset/", sign_in.Reset.as_view(), name="account_reset_password"),
    path("password/reset/done/", sign_in.ResetDone.as_view(), name="account_reset_password_done"),
    path("password/reset/key/done/", sign_in.ResetFromKeyDone.as_view(), name="account_reset_password_from_key_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>[0-9A-Za-z-]+)/\Z",
        sign_in.ResetFromKey.as_view(),
        name="account_reset_password_from_key",
    ),
    path("security/", second_factor.Security.as_view(), name="mfa_index"),
    path("security/sessions/end/", second_factor.EndSessions.as_view(), name="people_sessions_end"),
    path("language/", language.Language.as_view(), name="people_language"),
    path("2fa/authenticate/", sign_in.SecondStep.as_view(), name="mfa_authenticate"),
    path("2fa/reauthenticate/", sign_in.ConfirmCode.as_view(), name="mfa_reauthenticate"),
    path("2fa/totp/activate/", second_factor.Activate.as_view(), name="mfa_activate_totp"),
    path("2fa/recovery-codes/generate/", second_factor.RecoveryCodes.as_view(), name="mfa_generate_recovery_codes"),
    path("invitation/<str:token>", sign_in.AcceptInvitation.as_view(), name="people_invitation"),
    path("welcome/", sign_in.Welcome.as_view(), name="people_welcome"),
]
