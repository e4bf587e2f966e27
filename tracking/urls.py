"""The addresses of tracking: the customer's pages and the machine doors."""

from __future__ import annotations

from django.urls import path

from tracking import (
    api,
    booking_api,
    dcsa_views,
    entry_views,
    exception_api,
    export_views,
    follow_views,
    list_views,
    read_api,
    saved_views,
    shipment_views,
    subscription_views,
    views,
)

app_name = "tracking"
urlpatterns = [
    path("shipments", views.Shipments.as_view(), name="shipments"),
    path("shipments.csv", export_views.ShipmentsCsv.as_view(), name="shipments_csv"),
    path("shipments.xlsx", export_views.ShipmentsXlsx.as_view(), name="shipments_xlsx"),
    path("shipments/counts", list_views.ShipmentCounts.as_view(), name="shipments_counts"),
    path("shipments/filters", list_views.ShipmentFilters.as_view(), name="shipments_filters"),
    path("shipments/columns", list_views.ShipmentColumns.as_view(), name="shipments_columns"),
    path("shipments/follow", follow_views.FollowShipments.as_view(), name="shipments_follow"),
    path("shipments/views", saved_views.Views.as_view(), name="views"),
    path("shipments/views/new", saved_views.NewView.as_view(), name="view_new"),
    path("shipments/views/<str:public_id>", saved_views.View.as_view(), name="view"),
    path("shipments/exports", export_views.Exports.as_view(), name="exports"),
    path("shipments/exports/<str:public_id>", export_views.ExportPage.as_view(), name="export"),
    path("shipments/exports/<str:public_id>/file", export_views.ExportFile.as_view(), name="export_file"),
    path("shipments/<str:public_id>", shipment_views.ShipmentPage.as_view(), name="shipment"),
    path("shipments/<str:public_id>/follow", follow_views.FollowShipment.as_view(), name="follow"),
    path("shipments/<str:public_id>/events", shipment_views.Events.as_view(), name="events"),
    path("shipments/<str:public_id>/events/<int:number>", shipment_views.Event.as_view(), name="event"),
    path("shipments/<str:public_id>/evidence/<str:evidence>", entry_views.EvidenceFile.as_view(), name="evidence"),
    path("ingest/<str:source>", api.IngestDoor.as_view(), name="ingest"),
    path("ingest/<str:source>/shipments", booking_api.BookingsDoor.as_view(), name="ingest_shipments"),
    path("ingest/<str:source>/messages/<str:public_id>", api.IngestMessage.as_view(), name="ingest_message"),
    path(
        "ingest/<str:source>/messages/<str:public_id>/acknowledgement",
        api.IngestAcknowledgement.as_view(),
        name="ingest_acknowledgement",
    ),
    path("api/v1/shipments", read_api.Shipments.as_view(), name="api_shipments"),
    path("api/v1/shipments/<str:public_id>", read_api.Shipment.as_view(), name="api_shipment"),
    path("api/v1/shipments/<str:public_id>/containers", read_api.Containers.as_view(), name="api_containers"),
    path("api/v1/shipments/<str:public_id>/milestones", read_api.Milestones.as_view(), name="api_milestones"),
    path("api/v1/shipments/<str:public_id>/events", read_api.Events.as_view(), name="api_events"),
    path("api/v1/shipments/<str:public_id>/events/<int:number>", read_api.Event.as_view(), name="api_event"),
    path("api/v1/exceptions", exception_api.Exceptions.as_view(), name="api_exceptions"),
    path("api/v1/exceptions/<str:public_id>", exception_api.ExceptionOne.as_view(), name="api_exception"),
    path("dcsa/callbacks/<str:source>", api.DcsaCallback.as_view(), name="dcsa_callback"),
    path("settings/subscriptions", subscription_views.Subscriptions.as_view(), name="subscriptions"),
    path("dcsa/tnt/v2/events", dcsa_views.Events.as_view(), name="dcsa_events"),
    path("dcsa/tnt/v2/events/<str:event_id>", dcsa_views.Event.as_view(), name="dcsa_event"),
    path("dcsa/tnt/v2/event-subscriptions", dcsa_views.Subscriptions.as_view(), name="dcsa_subscriptions"),
    path(
        "dcsa/tnt/v2/event-subscriptions/<str:subscription_id>",
        dcsa_views.Subscription.as_view(),
        name="dcsa_subscription",
    ),
    path(
        "dcsa/tnt/v2/event-subscriptions/<str:subscription_id>/secret",
        dcsa_views.SubscriptionSecret.as_view(),
        name="dcsa_subscription_secret",
    ),
]
