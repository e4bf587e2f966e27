"""The addresses of tracking on the operator's desk, collected under the namespace `ops`."""

from __future__ import annotations

from django.urls import path

from tracking import views

_ACCOUNT = "accounts/<str:account>/shipments"

urlpatterns = [
    path(_ACCOUNT, views.Shipments.as_view(), name="tracking_shipments"),
    path(f"{_ACCOUNT}.csv", views.ShipmentsCsv.as_view(), name="tracking_shipments_csv"),
]
