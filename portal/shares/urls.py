"""The addresses of share links: the link itself, and the pages on which they are made, listed and revoked."""

from __future__ import annotations

from django.urls import path

from portal.shares import views

app_name = "shares"
urlpatterns = [
    path("s/<str:token>", views.SharedShipment.as_view(), name="view"),
    path("shipments/<str:public_id>/shares", views.ShipmentShares.as_view(), name="shipment"),
    path("settings/shares", views.Shares.as_view(), name="shares"),
    path("settings/shares/<str:public_id>/revoke", views.RevokeShare.as_view(), name="revoke"),
]
