"""Endpoints of an account and their log, under /settings/webhooks."""

from __future__ import annotations

from django.urls import path

from portal.webhooks import read_api
from portal.webhooks.views import endpoints, log, reference

app_name = "webhooks"
urlpatterns = [
    path("api/v1/webhooks", read_api.Endpoints.as_view(), name="api_webhooks"),
    path("api/v1/webhooks/<str:public_id>/deliveries", read_api.Deliveries.as_view(), name="api_deliveries"),
    path("settings/webhooks", endpoints.Endpoints.as_view(), name="endpoints"),
    path("settings/webhooks/new", endpoints.NewEndpoint.as_view(), name="endpoint_new"),
    path("settings/webhooks/deliveries", log.Deliveries.as_view(), name="deliveries"),
    path("settings/webhooks/deliveries/<str:public_id>", log.DeliveryPage.as_view(), name="delivery"),
    path("settings/webhooks/deliveries/<str:public_id>/again", log.ReplayDelivery.as_view(), name="delivery_replay"),
    path("settings/webhooks/reference", reference.Reference.as_view(), name="reference"),
    path("settings/webhooks/reference/schemas.json", reference.Schemas.as_view(), name="schemas"),
    path("settings/webhooks/<str:public_id>", endpoints.EndpointPage.as_view(), name="endpoint"),
    path("settings/webhooks/<str:public_id>/change", endpoints.ChangeEndpoint.as_view(), name="endpoint_change"),
    path("settings/webhooks/<str:public_id>/secret", endpoints.RotateSecret.as_view(), name="secret_rotate"),
    path("settings/webhooks/<str:public_id>/again", log.ReplayRange.as_view(), name="replay"),
    path("settings/webhooks/<str:public_id>/remove", endpoints.RemoveEndpoint.as_view(), name="endpoint_remove"),
]
