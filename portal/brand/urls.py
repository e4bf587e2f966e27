"""The style sheet and the picture that every page names, also those before the sign-in."""

from __future__ import annotations

from django.urls import path

from portal.brand import views

app_name = "brand"
urlpatterns = [
    path("brand/<str:mark>.css", views.Sheet.as_view(), name="sheet"),
    path("brand/<str:digest>.png", views.Logo.as_view(), name="logo"),
]
