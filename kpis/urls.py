"""The addresses of kpis on the customer's side."""

from __future__ import annotations

from django.urls import path

from kpis import read_api, views

app_name = "kpis"
urlpatterns = [
    path("kpis/so-far", views.SoFar.as_view(), name="so_far"),
    path("snapshots", views.Snapshots.as_view(), name="snapshots"),
    path("snapshots/<str:public_id>", views.SnapshotPage.as_view(), name="snapshot"),
    path("snapshots/<str:public_id>/facts.csv", views.FactsCsv.as_view(), name="snapshot_facts"),
    path("snapshots/<str:public_id>/kpis.json", views.KpisJson.as_view(), name="snapshot_kpis"),
    path("api/v1/kpis", read_api.Kpis.as_view(), name="api_kpis"),
    path("api/v1/snapshots", read_api.Snapshots.as_view(), name="api_snapshots"),
    path("api/v1/snapshots/<str:public_id>", read_api.SnapshotApi.as_view(), name="api_snapshot"),
    path("api/v1/snapshots/<str:public_id>/units", read_api.Units.as_view(), name="api_snapshot_units"),
    path(
        "api/v1/snapshots/<str:public_id>/files/<str:name>", read_api.SnapshotFile.as_view(), name="api_snapshot_file"
    ),
]
