"""Base of the API's doors: who reads, how often, what was asked, and the answer as JSON.

Each app brings its own in read_api.py, with the shapes of its answers in shapes.py; what their pages show comes from
the same selectors. Nothing is written through the API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

import msgspec
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.lib import clock
from portal.lib.errors import Forbidden, NotEntitled, PortalError
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import KeyRefused, key_of_request
from portal.tenancy.limits import call_take
from portal.tenancy.models import Member
from portal.web.apipages import ApiPage, Place, cursor_read, cursor_write
from portal.web.apiquery import Query
from portal.web.apishapes import Shape
from portal.web.pages import entitlement_word
from portal.web.policy import ACCOUNT, READ_KEY, Policy, entitled

READERS: Final = Policy(who=ACCOUNT | {READ_KEY}, entitlement="read_api")


class MethodNotAllowed(PortalError):
    """Another method than GET or HEAD."""

    code, status = "method_not_allowed", 405
    message = _("The API is for reading: use GET.")
    headers: Mapping[str, str] = {"Allow": "GET, HEAD"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks: a key, or a person whose session came along."""

    tenant_id: int
    principal: str  # as policies name it
    subject: str  # whose calls are counted
    label: str  # how records name it


class AlwaysJson(BaseContentNegotiation):
    """There is one form of answer, whatever was asked for."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        """Nothing is sent to us."""
        return parsers[0]

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        """JSON."""
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """One address of the API: read-only, inside the scope of whoever reads, in one transaction.

    `shape` declares the answer (or an item of the list), `query` what may be asked, `says` the documentation.
    """

    policy: ClassVar[Policy] = READERS
    needs: ClassVar[str]  # the entitlement of what it tells, beside the API's own
    tag: ClassVar[str]
    operation: ClassVar[str]
    summary: ClassVar[str]
    says: ClassVar[str] = ""
    shape: ClassVar[type[Shape] | None]  # None: a file, of those that `files` names or of a kind in `media`
    files: ClassVar[tuple[str, ...]] = ()
    media: ClassVar[tuple[str, ...]] = ("text/csv", "application/json")
    query: ClassVar[Query] = Query.of()
    is_list: ClassVar[bool] = False
    beside: ClassVar[Mapping[str, tuple[type[Shape], str]]] = {}  # what stands beside the items, or null
    authentication_classes = ()
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head"]
    at: datetime
    reader: Reader
    asked: Mapping[str, Any]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]
        """Refuses before anything is looked up: other methods, unknown keys, too many calls, what is not included."""
        self.at = clock.now()
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed
        self.reader = reader_of(request, at=self.at)
        most = settings.API_CALLS_A_MINUTE
        with as_tenant(self.reader.tenant_id):
            left = call_take(self.reader.subject, most=most, together=settings.API_ACCOUNT_CALLS_A_MINUTE, at=self.at)
            with transaction.atomic():
                response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        response.headers["RateLimit-Limit"], response.headers["RateLimit-Remaining"] = str(most), str(left)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who may, and whether what was asked can be read."""
        super().initial(request, *args, **kwargs)
        if not self.policy.allows(self.reader.principal, unsafe=False):
            raise Forbidden
        own = self.policy.entitlement
        if own is not None and not entitled(own, self.at):
            raise NotEntitled(label=entitlement_word(own))
        if not self.may_see():
            raise NotEntitled(label=entitlement_word(self.needs))
        self.asked = self.query.read(request._request.GET)

    def may_see(self) -> bool:
        """Whether the account may see what is told here; what stays after a downgrade says more (R5.3)."""
        return entitled(self.needs, self.at)

    def json(self, value: Any) -> HttpResponse:
        """The answer."""
        return HttpResponse(msgspec.json.encode(value), content_type="application/json")

    def one(self, value: Mapping[str, Any]) -> HttpResponse:
        """One object, of the fields that were asked for."""
        return self.json(self._chosen(value))

    def many(self, rows: Iterable[Mapping[str, Any]], **beside: Any) -> HttpResponse:
        """All of a short list."""
        return self.json({"items": [self._chosen(row) for row in rows], **beside})

    def _chosen(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        fields = self.asked.get("fields")
        return row if fields is None else {name: row[name] for name in fields}


class ListApiView(ApiView):
    """A list in pages, with cursors to its neighbours in the answer and in the Link header."""

    is_list: ClassVar[bool] = True

    @property
    def place(self) -> Place | None:
        """Where the page begins. Raises BadParameter."""
        return cursor_read(self.asked["cursor"], self._purpose)

    @property
    def size(self) -> int:
        """How many items were asked for."""
        return int(self.asked["limit"])

    @property
    def _purpose(self) -> str:
        return f"{self.request._request.path} {self.asked.get('order') or ''}"

    def page(self, found: ApiPage, rows: Iterable[Mapping[str, Any]], **beside: Any) -> HttpResponse:
        """The rows of a page in the form of `shape`."""
        cursors = {"next": cursor_write(found.next, self._purpose),
                   "previous": cursor_write(found.previous, self._purpose)}  # fmt: skip
        response = self.many(rows, **cursors, **beside)
        request = self.request._request
        kept = {name: value for name, value in request.GET.items() if name != "cursor"}
        links = [
            f'<{request.path}?{urlencode({**kept, "cursor": cursor})}>; rel="{"prev" if rel == "previous" else rel}"'
            for rel, cursor in cursors.items()
            if cursor is not None
        ]
        if links and sum(map(len, links)) < 4_000:  # a pasted list of references would not fit into a header
            response["Link"] = ", ".join(links)
        return response


def reader_of(request: HttpRequest, *, at: datetime) -> Reader:
    """A key where one is given, else the person who is signed in. Raises KeyRefused."""
    member: Member | None = getattr(request, "member", None)
    if member is not None and "Authorization" not in request.headers:
        return Reader(member.tenant_id, member.role, f"member:{member.public_id}", member.label)
    known = key_of_request(request, at=at)
    if known.scope != "read":
        raise KeyRefused
    return Reader(known.tenant_id, READ_KEY, f"key:{known.public_id}", f"key {known.label}")
