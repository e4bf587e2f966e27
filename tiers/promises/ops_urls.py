"""The operator's desk: tiers and agreements, under /ops."""

from __future__ import annotations

from django.urls import path

from tiers.promises import views

_ONE = "accounts/<str:account>/agreements"
urlpatterns = [
    path("tiers", views.Tiers.as_view(), name="promises_tiers"),
    path("agreements", views.Agreements.as_view(), name="promises_agreements"),
    path(f"{_ONE}/new", views.AgreementNew.as_view(), name="promises_agreement_new"),
    path(f"{_ONE}/<str:public_id>", views.AgreementPage.as_view(), name="promises_agreement"),
]
