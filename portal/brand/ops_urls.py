"""The administrator's page of the look."""

from __future__ import annotations

from django.urls import path

from portal.brand import views

urlpatterns = [path("settings/brand", views.Edit.as_view(), name="brand_edit")]
