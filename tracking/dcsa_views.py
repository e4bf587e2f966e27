"""GET /dcsa/tnt/v2/events and /dcsa/tnt/v2/event-subscriptions: DCSA Track & Trace 2.2.0 outward.

An API key of an account opens them, with the read API's entitlement; its scope is entered for the request. Everything
that is refused is said in the standard's own error body.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views import View

from portal.lib import clock
from portal.lib.egress import EgressFailed, EgressRefused, addresses_of, target_of
from portal.lib.errors import Busy, NotEntitled, NotFound, PortalError
from portal.tenancy.context import as_tenant
from portal.tenancy.keys import KeyRefused, KnownKey, key_of_request
from portal.tenancy.selectors import tenant_current
from portal.web.middleware import BUSY
from portal.web.policy import READ_KEY, Policy, entitled
from tiers.promises.entitlements.read_api import READ_API
from tracking import dcsaquery, strictjson
from tracking.api import MachineView
from tracking.dcsaevents import API_VERSION, instant
from tracking.dcsaquery import AskedWrong, Query, QueryRefused
from tracking.models import EventSubscription
from tracking.published import Page, event_by_id, events_page
from tracking.services import (
    subscription_change,
    subscription_create,
    subscription_delete,
    subscription_get,
    subscription_secret_set,
)
from tracking.services.subscriptions import ENTITLEMENT
from tracking.signatures import secret_bytes
from tracking.types import Unreadable

log = logging.getLogger("plimsoll.dcsa")

_BODY: Final = strictjson.Limits(bytes=64 * 1024, depth=4, items=2_000, length=200)
_LONGEST_CURSOR: Final = 4_000
_LIST_SALT: Final = "dcsa-subscriptions"
_SALT: Final = "dcsa-events"


class StandardView(MachineView):
    """A door that speaks DCSA 2.2.0: one key, one account, one error body."""

    policy: ClassVar[Policy] = Policy(who=frozenset({READ_KEY}), entitlement=ENTITLEMENT)
    known: KnownKey

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Enters the account of the key; whatever is refused becomes the standard's error body."""
        self.at = clock.now()
        try:
            self.known = key_of_request(request, at=self.at)
            if self.known.scope != "read":
                raise KeyRefused
            with as_tenant(self.known.tenant_id):
                answer = self._answer(request, *args, **kwargs)
        except QueryRefused as refused:
            answer = self.refusal(400, refused.faults)
        except PortalError as error:
            answer = self.refusal(error.status, [_said(error)], error.headers)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") not in BUSY:
                raise
            log.warning("busy: %s", error)
            answer = self.refusal(Busy.status, [_said(Busy())], Busy.headers)
        answer.headers["API-Version"] = API_VERSION
        return answer

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not tenant_current().is_active:
            raise KeyRefused
        if not entitled(ENTITLEMENT, self.at):
            raise NotEntitled(label=READ_API.label)
        asked = request.headers.get("API-Version")
        if asked is not None and asked.strip() != "2":
            raise QueryRefused([AskedWrong("unsupportedVersion", "API-Version holds the major version only: 2.")])
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            return View.dispatch(self, request, *args, **kwargs)  # services make their own transactions
        with transaction.atomic():
            return View.dispatch(self, request, *args, **kwargs)

    def refusal(
        self, status: int, faults: Sequence[AskedWrong], headers: Mapping[str, str] | None = None
    ) -> HttpResponse:
        """The error body of 2.2.0. The address is ours, never the caller's Host; of a wrong key nothing is echoed."""
        log.warning("refused %s at %s", ",".join(f.reason for f in faults), self.request.path)
        path = self.request.path if status == 401 else self.request.get_full_path()
        body = {
            "httpMethod": self.request.method, "requestUri": f"{settings.PUBLIC_URL}{path}",
            "errors": [{"reason": f.reason, "message": f.message} for f in faults],
            "statusCode": status, "statusCodeText": HTTPStatus(status).phrase, "errorDateTime": instant(self.at),
        }  # fmt: skip
        more = {"WWW-Authenticate": "Bearer"} if status == 401 else dict(headers or {})
        return JsonResponse(body, status=status, headers=more)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """405 in the same form."""
        allowed = ", ".join(m.upper() for m in self.http_method_names if hasattr(self, m))
        return self.refusal(405, [AskedWrong("methodNotAllowed", f"Use {allowed}.")], {"Allow": allowed})

    def body(self) -> Any:
        """The JSON body, read within narrow limits (W8). Raises QueryRefused."""
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", ""):
            raise QueryRefused([AskedWrong("invalidBody", "The body is JSON (Content-Type: application/json).")])
        length = self.request.headers.get("Content-Length", "")
        too_long = length.isdigit() and int(length) > _BODY.bytes
        raw = b"" if too_long else self.request.read(_BODY.bytes + 1)
        if too_long or len(raw) > _BODY.bytes:
            raise QueryRefused([AskedWrong("invalidBody", f"The body has at most {_BODY.bytes} bytes.")])
        try:
            return strictjson.loads(raw, limits=_BODY)
        except Unreadable as error:
            raise QueryRefused([AskedWrong("invalidBody", error.detail)]) from None


def _said(error: PortalError) -> AskedWrong:
    """A refusal of ours as the standard writes reasons: `not_found` is notFound."""
    first, *others = error.code.split("_")
    return AskedWrong(first + "".join(map(str.capitalize, others)), error.sentence())


def _pairs(request: HttpRequest) -> list[tuple[str, str]]:
    return [(name, value) for name, values in request.GET.lists() for value in values]


# --- events ---


class Events(StandardView):
    """GET /v2/events: the account's events that fit the filters, page by page."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """A JSON array; the neighbouring pages stand in headers, each as a link that needs nothing beside it."""
        query, start, way = _asked(_pairs(request))
        page = events_page(query, start=start, backwards=way in ("prev", "last"))
        return JsonResponse(list(page.events), safe=False, headers=_links(query, page, start, way))


class Event(StandardView):
    """GET /v2/events/{eventID}, which 2.2.0 calls deprecated."""

    def get(self, request: HttpRequest, event_id: str) -> HttpResponse:
        """The newest version of the event; 404 when there is none of the account's, or it was withdrawn."""
        if request.GET:
            raise QueryRefused([AskedWrong("unknownParameter", "One event takes no parameters.")])
        try:
            found = event_by_id(UUID(event_id))
        except ValueError:
            found = None
        if found is None:
            raise NotFound
        return JsonResponse(found)


Start = tuple[Any, ...] | None


def _asked(pairs: Iterable[tuple[str, str]]) -> tuple[Query, Start, str]:
    """The question, where its page begins, and which way it goes from there. Raises QueryRefused."""
    listed = list(pairs)
    cursors = [value for name, value in listed if name == "cursor"]
    others = [pair for pair in listed if pair[0] != "cursor"]
    if not cursors:
        return dcsaquery.query_of(others), None, "next"
    if len(cursors) > 1:
        raise QueryRefused([AskedWrong("repeatedParameter", "'cursor' may be given once.")])
    held = _opened(cursors[0], _SALT)
    limit = [pair for pair in others if pair[0] == "limit"] or [("limit", str(held["limit"]))]
    asked = [(str(name), str(value)) for name, value in held["asked"]]
    beside = [pair for pair in others if pair[0] != "limit"]
    if beside and sorted(beside) != sorted(asked):
        raise QueryRefused([AskedWrong("invalidCursor", "This cursor belongs to other parameters; it needs none.")])
    key = held["key"]
    start = None if key is None else (*(datetime.fromisoformat(text) for text in key[:-1]), int(key[-1]))
    return dcsaquery.query_of([*asked, *limit]), start, str(held["way"])


def _opened(cursor: str, salt: str) -> dict[str, Any]:
    """What stands in a cursor of ours; nobody else can write one."""
    try:
        if len(cursor) > _LONGEST_CURSOR:
            raise signing.BadSignature
        return dict(signing.Signer(salt=salt).unsign_object(cursor))
    except (signing.BadSignature, ValueError, TypeError):
        raise QueryRefused([AskedWrong("invalidCursor", "This cursor is none of ours; begin without one.")]) from None


def _sealed(held: dict[str, Any], salt: str) -> str:
    return signing.Signer(salt=salt).sign_object(held, compress=True)


def _links(query: Query, page: Page, start: Start, way: str) -> dict[str, str]:
    """The headers of a page: the current one always, its neighbours and the ends where there are any."""

    def link(way: str, key: Start) -> str:
        written = None if key is None else [*(at.isoformat() for at in key[:-1]), key[-1]]
        cursor = _sealed({"asked": query.asked, "limit": query.limit, "way": way, "key": written}, _SALT)
        return f"{settings.PUBLIC_URL}{reverse('tracking:dcsa_events')}?{urlencode({'cursor': cursor})}"

    links = {"Current-Page": link(way, start)}
    if page.after and page.last is not None:
        links["Next-Page"] = link("next", page.last)
        links["Last-Page"] = link("last", None)
    if page.before and page.first is not None:
        links["Prev-Page"] = link("prev", page.first)
        links["First-Page"] = link("next", None)
    return links


# --- subscriptions ---


def _json(found: EventSubscription) -> dict[str, Any]:
    """As the standard writes it; the secret is never shown."""
    return {"subscriptionID": str(found.subscription_id), "callbackUrl": found.callback_url, **found.filters}


def _may_be_called(url: str) -> None:
    """The address is public, speaks https, and its name is known (H6). Raises QueryRefused."""
    try:
        addresses_of(target_of(url))
    except (EgressRefused, EgressFailed) as error:
        raise QueryRefused([AskedWrong("invalidCallbackUrl", f"callbackUrl: {error.sentence()}")]) from None


def _fit_secret(secret: str) -> None:
    try:
        secret_bytes(secret)
    except ValueError as error:
        raise QueryRefused([AskedWrong("invalidSecret", f"secret: {error}")]) from None


class Subscriptions(StandardView):
    """GET and POST /v2/event-subscriptions."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The account's active subscriptions; an ended one is still found by its id."""
        limit, cursor, sort = dcsaquery.page_of_list(_pairs(request))
        skip = 0
        if cursor:
            held = _opened(cursor, _LIST_SALT)
            skip, limit, sort = int(held["skip"]), int(held["limit"]), str(held["sort"])
        order = "-subscription_id" if sort.endswith(":DESC") else "subscription_id"
        listed = list(EventSubscription.objects.filter(is_active=True).order_by(order))  # at most fifty
        found = [_json(subscription) for subscription in listed[skip : skip + limit]]
        return JsonResponse(found, safe=False, headers=_list_links(skip, limit, sort, len(listed)))

    def post(self, request: HttpRequest) -> HttpResponse:
        """201 with the subscription. The first callback to its address is an empty one."""
        asked = dcsaquery.subscription_of(self.body(), with_secret=True)
        _fit_secret(asked.secret)
        _may_be_called(asked.callback_url)
        made = subscription_create(asked, key=self.known, at=self.at)
        where = reverse("tracking:dcsa_subscription", args=[made.subscription_id])
        return JsonResponse(_json(made), status=201, headers={"Location": f"{settings.PUBLIC_URL}{where}"})


def _list_links(skip: int, limit: int, sort: str, count: int) -> dict[str, str]:
    def link(skip: int) -> str:
        cursor = _sealed({"skip": skip, "limit": limit, "sort": sort}, _LIST_SALT)
        return f"{settings.PUBLIC_URL}{reverse('tracking:dcsa_subscriptions')}?{urlencode({'cursor': cursor})}"

    links = {"Current-Page": link(skip)}
    if skip + limit < count:
        links |= {"Next-Page": link(skip + limit), "Last-Page": link((count - 1) // limit * limit)}
    if skip:
        links |= {"Prev-Page": link(max(0, skip - limit)), "First-Page": link(0)}
    return links


class Subscription(StandardView):
    """GET, PUT and DELETE /v2/event-subscriptions/{subscriptionID}."""

    def get(self, request: HttpRequest, subscription_id: str) -> HttpResponse:
        """One subscription; 404 when the account has none of this id."""
        return JsonResponse(_json(subscription_get(subscription_id)))

    def put(self, request: HttpRequest, subscription_id: str) -> HttpResponse:
        """Address and filters anew; filters that are not given do not filter any more. An ended one begins again."""
        subscription_get(subscription_id)
        asked = dcsaquery.subscription_of(self.body(), with_secret=False, subscription_id=subscription_id)
        _may_be_called(asked.callback_url)
        return JsonResponse(_json(subscription_change(subscription_id, asked, key=self.known, at=self.at)))

    def delete(self, request: HttpRequest, subscription_id: str) -> HttpResponse:
        """204; nothing more is sent."""
        subscription_delete(subscription_id, key=self.known, at=self.at)
        return HttpResponse(status=204)


class SubscriptionSecret(StandardView):
    """PUT /v2/event-subscriptions/{subscriptionID}/secret."""

    def put(self, request: HttpRequest, subscription_id: str) -> HttpResponse:
        """204; callbacks are signed with the new secret from now on."""
        subscription_get(subscription_id)
        secret = dcsaquery.secret_of(self.body())
        _fit_secret(secret)
        subscription_secret_set(subscription_id, secret, key=self.known, at=self.at)
        return HttpResponse(status=204)
