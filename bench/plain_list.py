"""The other side of bench/lists.py: the page of the same rows as django-tables2 is usually written.

Template columns and date columns, the default template, pages by offset, a count, a form of filters over it. It exists
only here; `application` serves it beside the portal's own pages.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

import django_tables2 as tables  # noqa: E402
from django import forms  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import path  # noqa: E402

from portal.urls import urlpatterns as portal_urls  # noqa: E402
from portal.web.pages import TenantView  # noqa: E402
from portal.web.policy import Policy, customers  # noqa: E402
from tracking.models import Shipment  # noqa: E402

_PAGE = """{% extends "base.html" %}{% load render_table from django_tables2 %}{% block content %}
<form>{{ form.as_p }}<button>Show</button></form>{% render_table table %}{% endblock content %}"""


class PlainTable(tables.Table):
    """Eleven columns, as the documentation of django-tables2 shows them."""

    ref = tables.TemplateColumn('<a href="/shipments/{{ record.public_id }}">{{ record.ref }}</a>')
    status = tables.TemplateColumn('<span class="badge">{{ record.status }}</span>')
    route = tables.TemplateColumn("{{ record.pol }} → {{ record.pod }}", empty_values=())
    carrier = tables.Column()
    lane = tables.Column()
    branch = tables.Column()
    due_at = tables.DateTimeColumn()
    eta_at = tables.DateTimeColumn()
    final_at = tables.DateTimeColumn()
    milestone = tables.TemplateColumn("{{ record.milestone }}")
    last_heard_at = tables.DateTimeColumn()

    class Meta:
        template_name = "django_tables2/table.html"


class Filters(forms.Form):
    """The lanes and states that can be chosen."""

    lane = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False, choices=[(s, s) for s in ("", "BOOKED", "UNDER_WAY", "ARRIVED", "DONE")])

    def __init__(self, *args: Any, lanes: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lane"].choices = [("", "all"), *((lane, lane) for lane in lanes)]


_LANES: dict[int, list[str]] = {}  # asked once: neither side is to be measured by its list of lanes


class PlainList(TenantView):
    """Signed in and in the account's scope like the portal's own page."""

    policy: ClassVar[Policy] = customers()

    def get(self, request: HttpRequest) -> HttpResponse:
        """`?page=` counts pages."""
        if self.account.pk not in _LANES:
            _LANES[self.account.pk] = list(Shipment.objects.order_by("lane").values_list("lane", flat=True).distinct())
        found = Shipment.objects.order_by("-due_at", "-id")
        for name in ("lane", "status"):
            if request.GET.get(name):
                found = found.filter(**{name: request.GET[name]})
        table = PlainTable(found)
        table.paginate(page=int(request.GET.get("page", 1)), per_page=50)
        form = Filters(request.GET, lanes=_LANES[self.account.pk])
        template = engines["django"].from_string(_PAGE)
        return HttpResponse(template.render({"table": table, "form": form, "title": "Plain"}, request))


urlpatterns = [path("plain", PlainList.as_view(), name="plain"), *portal_urls]
settings.ROOT_URLCONF = "plain_list"
settings.INSTALLED_APPS = [*settings.INSTALLED_APPS]
application = get_wsgi_application()
