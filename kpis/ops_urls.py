"""The staff's look at one account's closed months, under /ops."""

from __future__ import annotations

from django.urls import path

from kpis import views

_ONE = "accounts/<str:account>/snapshots"
urlpatterns = [
    path(_ONE, views.Snapshots.as_view(), name="kpis_snapshots"),
    path(f"{_ONE}/<str:public_id>", views.SnapshotPage.as_view(), name="kpis_snapshot"),
    path(f"{_ONE}/<str:public_id>/facts.csv", views.FactsCsv.as_view(), name="kpis_snapshot_facts"),
    path(f"{_ONE}/<str:public_id>/kpis.json", views.KpisJson.as_view(), name="kpis_snapshot_kpis"),
]
