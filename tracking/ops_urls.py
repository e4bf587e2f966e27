"""The addresses of tracking on the operator's desk, collected under the namespace `ops`."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from tracking import (
    bench_views,
    booking_views,
    code_views,
    entry_views,
    exception_views,
    export_views,
    list_views,
    ops_views,
    partner_views,
    place_views,
    poll_views,
    quarantine_views,
    readiness_views,
    shipment_views,
    source_views,
    upload_views,
    views,
)


class _AnyCode(StringConverter):
    """A code as an event wrote it: it may hold a stroke or a line break, and its page must be found all the same."""

    regex = r"[\s\S]+"


register_converter(_AnyCode, "anycode")

_ACCOUNT = "accounts/<str:account>/shipments"
_ITEM = "quarantine/<str:public_id>"
_CASE = "exceptions/<str:public_id>"
_SOURCE = "sources/<str:source>"

_UPLOAD = "sources/<str:source>/upload"

urlpatterns = [
    path("exceptions", exception_views.Inbox.as_view(), name="tracking_exceptions"),
    path(_CASE, exception_views.Case.as_view(), name="tracking_exception"),
    path(f"{_CASE}/acknowledge", exception_views.Acknowledge.as_view(), name="tracking_exception_acknowledge"),
    path(f"{_CASE}/take", exception_views.Take.as_view(), name="tracking_exception_take"),
    path(f"{_CASE}/assign", exception_views.Assign.as_view(), name="tracking_exception_assign"),
    path(f"{_CASE}/note", exception_views.Note.as_view(), name="tracking_exception_note"),
    path(f"{_CASE}/resolve", exception_views.Resolve.as_view(), name="tracking_exception_resolve"),
    path("settings/owners", exception_views.Owners.as_view(), name="tracking_owners"),
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
    path("settings/places", place_views.Codes.as_view(), {"kind": "places"}, name="tracking_places"),
    path("settings/places/<str:kind>", place_views.Codes.as_view(), name="tracking_codes"),
    path("settings/places/<str:kind>/new", place_views.CodeNew.as_view(), name="tracking_code_new"),
    path("settings/places/<str:kind>/<anycode:code>", place_views.Code.as_view(), name="tracking_code"),
    path(_SOURCE, partner_views.SourcePage.as_view(), name="tracking_source"),
    path(f"{_SOURCE}/edit", partner_views.SourceEdit.as_view(), name="tracking_source_edit"),
    path(f"{_SOURCE}/state", partner_views.SourceState.as_view(), name="tracking_source_state"),
    path(f"{_SOURCE}/rank", partner_views.SourceRanks.as_view(), name="tracking_source_rank"),
    path(f"{_SOURCE}/keys/new", partner_views.SourceKeyNew.as_view(), name="tracking_source_key_new"),
    path(
        f"{_SOURCE}/keys/<str:public_id>/revoke",
        partner_views.SourceKeyRevoke.as_view(),
        name="tracking_source_key_revoke",
    ),
    path(f"{_SOURCE}/secret", partner_views.SourceSecret.as_view(), name="tracking_source_secret"),
    path(f"{_SOURCE}/codes", code_views.PartnerTable.as_view(), name="tracking_source_codes"),
    path(f"{_SOURCE}/codes.csv", code_views.PartnerTableCsv.as_view(), name="tracking_source_codes_csv"),
    path(f"{_SOURCE}/codes/import", code_views.PartnerTableImport.as_view(), name="tracking_source_codes_import"),
    path(f"{_SOURCE}/codes/line", code_views.PartnerLine.as_view(), name="tracking_source_code"),
    path(f"{_SOURCE}/codes/remove", code_views.PartnerLineRemove.as_view(), name="tracking_source_code_remove"),
    path(f"{_SOURCE}/bench", bench_views.Bench.as_view(), name="tracking_source_bench"),
    path("sources/<str:source>/poll", poll_views.PollPage.as_view(), name="tracking_source_poll"),
    path(_UPLOAD, upload_views.Upload.as_view(), name="tracking_upload"),
    path(f"{_UPLOAD}/<str:public_id>/columns", upload_views.UploadColumns.as_view(), name="tracking_upload_columns"),
    path(f"{_UPLOAD}/<str:public_id>/preview", upload_views.UploadPreview.as_view(), name="tracking_upload_preview"),
    path(f"{_UPLOAD}/<str:public_id>/import", upload_views.UploadImport.as_view(), name="tracking_upload_import"),
    path(f"{_UPLOAD}/<str:public_id>/result", upload_views.UploadResult.as_view(), name="tracking_upload_result"),
    path(f"{_UPLOAD}/<str:public_id>/original", upload_views.UploadOriginal.as_view(), name="tracking_upload_original"),
    path(f"{_UPLOAD}/<str:public_id>/discard", upload_views.UploadDiscard.as_view(), name="tracking_upload_discard"),
    path(_ACCOUNT, views.Shipments.as_view(), name="tracking_shipments"),
    path("shipments/many", booking_views.ManyShipments.as_view(), name="tracking_bookings"),
    path(f"{_ACCOUNT}/new", booking_views.NewShipment.as_view(), name="tracking_booking_new"),
    path(f"{_ACCOUNT}/<str:public_id>/booking", booking_views.EditShipment.as_view(), name="tracking_booking"),
    path(f"{_ACCOUNT}/<str:public_id>/promise", booking_views.ChangePromise.as_view(), name="tracking_promise"),
    path(f"{_ACCOUNT}/<str:public_id>/cancel", booking_views.CancelShipment.as_view(), name="tracking_cancel"),
    path(f"{_ACCOUNT}.csv", export_views.ShipmentsCsv.as_view(), name="tracking_shipments_csv"),
    path(f"{_ACCOUNT}.xlsx", export_views.ShipmentsXlsx.as_view(), name="tracking_shipments_xlsx"),
    path(f"{_ACCOUNT}/counts", list_views.ShipmentCounts.as_view(), name="tracking_shipments_counts"),
    path(f"{_ACCOUNT}/filters", list_views.ShipmentFilters.as_view(), name="tracking_shipments_filters"),
    path(f"{_ACCOUNT}/columns", list_views.ShipmentColumns.as_view(), name="tracking_shipments_columns"),
    path(f"{_ACCOUNT}/<str:public_id>", shipment_views.ShipmentPage.as_view(), name="tracking_shipment"),
    path(f"{_ACCOUNT}/<str:public_id>/events", shipment_views.Events.as_view(), name="tracking_events"),
    path(f"{_ACCOUNT}/<str:public_id>/events/<int:number>", shipment_views.Event.as_view(), name="tracking_event"),
    path(f"{_ACCOUNT}/<str:public_id>/cutoff", exception_views.Cutoff.as_view(), name="tracking_cutoff"),
    path(f"{_ACCOUNT}/<str:public_id>/entry", entry_views.NewEntry.as_view(), name="tracking_entry"),
    path(
        f"{_ACCOUNT}/<str:public_id>/events/<int:number>/withdraw",
        entry_views.WithdrawEntry.as_view(),
        name="tracking_entry_withdraw",
    ),
    path(
        f"{_ACCOUNT}/<str:public_id>/evidence/<str:evidence>",
        entry_views.EvidenceFile.as_view(),
        name="tracking_evidence",
    ),
]
