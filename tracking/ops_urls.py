"""The addresses of tracking on the operator's desk, collected under the namespace `ops`."""

from __future__ import annotations

from django.urls import path

from tracking import shipment_views, views

_ACCOUNT = "accounts/<str:account>/shipments"

urlpatterns = [
    path(_ACCOUNT, views.Shipments.as_view(), name="tracking_shipments"),
    path(f"{_ACCOUNT}.csv", views.ShipmentsCsv.as_view(), name="tracking_shipments_csv"),
    path(f"{_ACCOUNT}/<str:public_id>", shipment_views.ShipmentPage.as_view(), name="tracking_shipment"),
    path(f"{_ACCOUNT}/<str:public_id>/events", shipment_views.Events.as_view(), name="tracking_events"),
    path(f"{_ACCOUNT}/<str:public_id>/events/<int:number>", shipment_views.Event.as_view(), name="tracking_event"),
]
