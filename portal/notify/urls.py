"""What a person is told, where it does not arrive, and the way out without a sign-in."""

from django.urls import path

from portal.notify import address_views, bell_views, views

app_name = "notices"
urlpatterns = [
    path("notices", bell_views.NoticeList.as_view(), name="list"),
    path("notices/bell", bell_views.BellCount.as_view(), name="bell"),
    path("notices/read", bell_views.NoticesRead.as_view(), name="read"),
    path("notices/bounces", address_views.BounceDoor.as_view(), name="bounces"),
    path("notices/open/<str:public_id>", bell_views.NoticeOpen.as_view(), name="open"),
    path("settings/notices", views.NoticeSettings.as_view(), name="settings"),
    path("settings/addresses", address_views.Addresses.as_view(), name="addresses"),
    path("notices/unsubscribe/<str:token>", views.Unsubscribe.as_view(), name="unsubscribe"),
]
