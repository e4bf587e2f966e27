"""The staff's look at what leaves the house; included under the namespace `ops`."""

from django.urls import path

from portal.notify import address_views, ops_views, wording_views

urlpatterns = [
    path("outbox", ops_views.OutboxPage.as_view(), name="notify_outbox"),
    path("addresses", address_views.DeskAddresses.as_view(), name="notify_addresses"),
    path("accounts/<str:account>/settings/mails", wording_views.Wording.as_view(), name="notices_wording"),
    path("outbox/<str:owner>/<str:public_id>", ops_views.DeliveryPage.as_view(), name="notify_delivery"),
]
