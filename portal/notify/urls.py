"""What a person is told, and the way out without a sign-in."""

from django.urls import path

from portal.notify import views

app_name = "notices"
urlpatterns = [
    path("settings/notices", views.NoticeSettings.as_view(), name="settings"),
    path("notices/unsubscribe/<str:token>", views.Unsubscribe.as_view(), name="unsubscribe"),
]
