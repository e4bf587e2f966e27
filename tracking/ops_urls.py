"""The addresses of tracking on the operator's desk, collected under the namespace `ops`."""

from __future__ import annotations

from django.urls import path

from tracking import ops_views, shipment_views, source_views, upload_views, views

_ACCOUNT = "accounts/<str:account>/shipments"
_ITEM = "quarantine/<str:public_id>"
_UPLOAD = "sources/<str:source>/upload"

urlpatterns = [
    path("quarantine", ops_views.Quarantine.as_view(), name="tracking_quarantine"),
    path(_ITEM, ops_views.QuarantineItem.as_view(), name="tracking_quarantine_item"),
    path(f"{_ITEM}/replay", ops_views.QuarantineReplay.as_view(), name="tracking_quarantine_replay"),
    path(
        "quarantine/<str:public_id>/discard", ops_views.QuarantineDiscard.as_view(), name="tracking_quarantine_discard"
    ),
    path("messages/<str:public_id>", ops_views.Message.as_view(), name="tracking_message"),
    path("messages/<str:public_id>/raw", ops_views.MessageRaw.as_view(), name="tracking_message_raw"),
    path("sources", source_views.Sources.as_view(), name="tracking_sources"),
    path("sources/new", source_views.NewSource.as_view(), name="tracking_source_new"),
    path(_UPLOAD, upload_views.Upload.as_view(), name="tracking_upload"),
    path(f"{_UPLOAD}/<str:public_id>/columns", upload_views.UploadColumns.as_view(), name="tracking_upload_columns"),
    path(f"{_UPLOAD}/<str:public_id>/preview", upload_views.UploadPreview.as_view(), name="tracking_upload_preview"),
    path(f"{_UPLOAD}/<str:public_id>/import", upload_views.UploadImport.as_view(), name="tracking_upload_import"),
    path(f"{_UPLOAD}/<str:public_id>/result", upload_views.UploadResult.as_view(), name="tracking_upload_result"),
    path(f"{_UPLOAD}/<str:public_id>/original", upload_views.UploadOriginal.as_view(), name="tracking_upload_original"),
    path(f"{_UPLOAD}/<str:public_id>/discard", upload_views.UploadDiscard.as_view(), name="tracking_upload_discard"),
    path(_ACCOUNT, views.Shipments.as_view(), name="tracking_shipments"),
    path(f"{_ACCOUNT}.csv", views.ShipmentsCsv.as_view(), name="tracking_shipments_csv"),
    path(f"{_ACCOUNT}/<str:public_id>", shipment_views.ShipmentPage.as_view(), name="tracking_shipment"),
    path(f"{_ACCOUNT}/<str:public_id>/events", shipment_views.Events.as_view(), name="tracking_events"),
    path(f"{_ACCOUNT}/<str:public_id>/events/<int:number>", shipment_views.Event.as_view(), name="tracking_event"),
]
