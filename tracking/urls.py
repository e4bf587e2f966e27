"""The addresses of tracking: the customer's pages and the machine doors."""

from __future__ import annotations

from django.urls import path

from tracking import api, dcsa_views, entry_views, shipment_views, subscription_views, views

app_name = "tracking"
urlpatterns = [
    path("shipments", views.Shipments.as_view(), name="shipments"),
    path("shipments.csv", views.ShipmentsCsv.as_view(), name="shipments_csv"),
    path("shipments/<str:public_id>", shipment_views.ShipmentPage.as_view(), name="shipment"),
    path("shipments/<str:public_id>/events", shipment_views.Events.as_view(), name="events"),
    path("shipments/<str:public_id>/events/<int:number>", shipment_views.Event.as_view(), name="event"),
    path("shipments/<str:public_id>/evidence/<str:evidence>", entry_views.EvidenceFile.as_view(), name="evidence"),
    path("ingest/<str:source>", api.IngestDoor.as_view(), name="ingest"),
    path("ingest/<str:source>/messages/<str:public_id>", api.IngestMessage.as_view(), name="ingest_message"),
    path(
        "ingest/<str:source>/messages/<str:public_id>/acknowledgement",
        api.IngestAcknowledgement.as_view(),
        name="ingest_acknowledgement",
    ),
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
