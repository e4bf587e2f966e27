"""The addresses of tracking on the operator's desk, collected under the namespace `ops`."""

from __future__ import annotations

from django.urls import path

from tracking import ops_views, quarantine_views, readiness_views, shipment_views, source_views, views

_ACCOUNT = "accounts/<str:account>/shipments"
_ITEM = "quarantine/<str:public_id>"

urlpatterns = [
    path("quarantine", quarantine_views.Quarantine.as_view(), name="tracking_quarantine"),
    path("quarantine/many", quarantine_views.QuarantineBulk.as_view(), name="tracking_quarantine_bulk"),
    path(
        "quarantine/many/<str:batch>", quarantine_views.QuarantineBatchPage.as_view(), name="tracking_quarantine_batch"
    ),
    path(_ITEM, quarantine_views.QuarantineItem.as_view(), name="tracking_quarantine_item"),
    path(f"{_ITEM}/replay", quarantine_views.QuarantineReplay.as_view(), name="tracking_quarantine_replay"),
    path(f"{_ITEM}/discard", quarantine_views.QuarantineDiscard.as_view(), name="tracking_quarantine_discard"),
    path(f"{_ITEM}/correct", quarantine_views.QuarantineCorrect.as_view(), name="tracking_quarantine_correct"),
    path(f"{_ITEM}/map", quarantine_views.QuarantineMap.as_view(), name="tracking_quarantine_map"),
    path(f"{_ITEM}/zone", quarantine_views.QuarantineZone.as_view(), name="tracking_quarantine_zone"),
    path("messages/<str:public_id>", ops_views.Message.as_view(), name="tracking_message"),
    path("messages/<str:public_id>/raw", ops_views.MessageRaw.as_view(), name="tracking_message_raw"),
    path("readiness", readiness_views.Readiness.as_view(), name="tracking_readiness"),
    path("readiness.csv", readiness_views.ReadinessCsv.as_view(), name="tracking_readiness_csv"),
    path("readiness/units", readiness_views.ReadinessUnits.as_view(), name="tracking_readiness_units"),
    path("sources", source_views.Sources.as_view(), name="tracking_sources"),
    path("sources/new", source_views.NewSource.as_view(), name="tracking_source_new"),
    path(_ACCOUNT, views.Shipments.as_view(), name="tracking_shipments"),
    path(f"{_ACCOUNT}.csv", views.ShipmentsCsv.as_view(), name="tracking_shipments_csv"),
    path(f"{_ACCOUNT}/<str:public_id>", shipment_views.ShipmentPage.as_view(), name="tracking_shipment"),
    path(f"{_ACCOUNT}/<str:public_id>/events", shipment_views.Events.as_view(), name="tracking_events"),
    path(f"{_ACCOUNT}/<str:public_id>/events/<int:number>", shipment_views.Event.as_view(), name="tracking_event"),
]
