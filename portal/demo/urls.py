"""Addresses that only the demo and the tests have; portal.urls leaves them out in production."""

from django.urls import path

from portal.demo import inbox_views

app_name = "demo"
urlpatterns = [
    path("inbox", inbox_views.Inbox.as_view(), name="inbox"),
    path("inbox/<str:name>", inbox_views.Letter.as_view(), name="letter"),
    path("inbox/<str:name>/html", inbox_views.LetterHtml.as_view(), name="letter_html"),
]
