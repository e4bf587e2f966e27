"""The addresses of tracking on the operator's desk, collected under the namespace `ops`."""

from __future__ import annotations

from django.urls import path

from tracking import (
    bench_views,
    code_views,
    entry_views,
    ops_views,
    partner_views,
    place_views,
    poll_views,
    shipment_views,
    source_views,
    views,
)

_ACCOUNT = "accounts/<str:account>/shipments"
_ITEM = "quarantine/<str:public_id>"
_SOURCE = "sources/<str:source>"

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
    path("settings/places", place_views.Codes.as_view(), {"kind": "places"}, name="tracking_places"),
    path("settings/places/<str:kind>", place_views.Codes.as_view(), name="tracking_codes"),
    path("settings/places/<str:kind>/new", place_views.CodeNew.as_view(), name="tracking_code_new"),
    path("settings/places/<str:kind>/<str:code>", place_views.Code.as_view(), name="tracking_code"),
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
    path(_ACCOUNT, views.Shipments.as_view(), name="tracking_shipments"),
    path(f"{_ACCOUNT}.csv", views.ShipmentsCsv.as_view(), name="tracking_shipments_csv"),
    path(f"{_ACCOUNT}/<str:public_id>", shipment_views.ShipmentPage.as_view(), name="tracking_shipment"),
    path(f"{_ACCOUNT}/<str:public_id>/events", shipment_views.Events.as_view(), name="tracking_events"),
    path(f"{_ACCOUNT}/<str:public_id>/events/<int:number>", shipment_views.Event.as_view(), name="tracking_event"),
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
