"""The addresses of kpis on the customer's side."""

from __future__ import annotations

from django.urls import path

from kpis import views

app_name = "kpis"
urlpatterns = [
    path("kpis/so-far", views.SoFar.as_view(), name="so_far"),
    path("snapshots", views.Snapshots.as_view(), name="snapshots"),
    path("snapshots/<str:public_id>", views.SnapshotPage.as_view(), name="snapshot"),
    path("snapshots/<str:public_id>/facts.csv", views.FactsCsv.as_view(), name="snapshot_facts"),
    path("snapshots/<str:public_id>/kpis.json", views.KpisJson.as_view(), name="snapshot_kpis"),
]
