"""The operator's desk: accounts, and credits over accounts and of one."""

from __future__ import annotations

from django.urls import path

from tiers.credits import account_views, views

_ONE = "accounts/<str:account>/credits"
urlpatterns = [
    path("credits", views.AllCredits.as_view(), name="credits_all"),
    path(_ONE, views.Credits.as_view(), name="credits_credits"),
    path(f"{_ONE}/<str:public_id>", views.CreditPage.as_view(), name="credits_credit"),
    path(f"{_ONE}/<str:public_id>/review", views.Review.as_view(), name="credits_credit_review"),
    path(f"{_ONE}/<str:public_id>/approve", views.Approve.as_view(), name="credits_credit_approve"),
    path(f"{_ONE}/<str:public_id>/reject", views.Reject.as_view(), name="credits_credit_reject"),
    path(f"{_ONE}/<str:public_id>/issue", views.Issue.as_view(), name="credits_credit_issue"),
    path(f"{_ONE}/<str:public_id>/apply", views.Apply.as_view(), name="credits_credit_apply"),
    path("accounts", account_views.Accounts.as_view(), name="promises_accounts"),
    path("accounts/<str:account>", account_views.AccountPage.as_view(), name="promises_account"),
]
