"""Home and operation."""

from django.urls import path

from portal.web import api_docs, schema, views

app_name = "web"
urlpatterns = [
    path("", views.Home.as_view(), name="home"),
    path("healthz", views.Healthz.as_view(), name="healthz"),
    path("readyz", views.Readyz.as_view(), name="readyz"),
    path("metrics", views.Metrics.as_view(), name="metrics"),
    path("api/v1/schema", schema.Schema.as_view(), name="api_schema"),
    path("api/v1/docs", api_docs.Docs.as_view(), name="api_docs"),
    path("api/v1/docs/<slug:operation>", api_docs.DocsOperation.as_view(), name="api_docs_operation"),
]
