"""The addresses of credits on the customer's side."""

from __future__ import annotations

from django.urls import path

from tiers.credits import views

app_name = "credits"
urlpatterns = [
    path("credits", views.Credits.as_view(), name="credits"),
    path("credits/<str:public_id>", views.CreditPage.as_view(), name="credit"),
]
