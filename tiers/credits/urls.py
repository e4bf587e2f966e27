"""The addresses of credits on the customer's side."""

from __future__ import annotations

from django.urls import path

from tiers.credits import read_api, views

app_name = "credits"
urlpatterns = [
    path("credits", views.Credits.as_view(), name="credits"),
    path("credits/<str:public_id>", views.CreditPage.as_view(), name="credit"),
    path("api/v1/credits", read_api.Credits.as_view(), name="api_credits"),
    path("api/v1/credits/<str:public_id>", read_api.Credit.as_view(), name="api_credit"),
]
