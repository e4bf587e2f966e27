"""What may be asked of us in the words of DCSA Track & Trace 2.2.0: filters, times, sorting, pages, subscriptions.

Pure: reads what was asked and names everything that is wrong with it, one fault a parameter. Which events fit stands in
published.py, how they are written in dcsaevents.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tracking import identifiers
from tracking.instants import written

KINDS: Final = ("SHIPMENT", "TRANSPORT", "EQUIPMENT")
SHIPMENT_CODES: Final = tuple("RECE DRFT PENA PENU REJE APPR ISSU SURR SUBM VOID CONF REQS CMPL HOLD RELS".split())
DOCUMENTS: Final = tuple("CBR BKG SHI SRM TRD ARN VGM CAS CUS DGD OOG".split())
TRANSPORT_CODES: Final = ("ARRI", "DEPA")
EQUIPMENT_CODES: Final = tuple("LOAD DISC GTIN GTOT STUF STRP PICK DROP INSP RSEA RMVD".split())

CREATED: Final = "eventCreatedDateTime"
HAPPENED: Final = "eventDateTime"
OPERATORS: Final = ("gte", "gt", "lte", "lt", "eq")
USUAL_LIMIT: Final = 100
MOST: Final = 1_000  # events of a page; more may be asked for and is answered in pages
_LARGEST_INT: Final = 2**31 - 1

# lists by name: which values, and of which kind of event they speak
_LISTS: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "eventType": ("kinds", KINDS, ""),
    "shipmentEventTypeCode": ("shipment_codes", SHIPMENT_CODES, "SHIPMENT"),
    "documentTypeCode": ("documents", DOCUMENTS, "SHIPMENT"),
    "transportEventTypeCode": ("transport_codes", TRANSPORT_CODES, "TRANSPORT"),
    "equipmentEventTypeCode": ("equipment_codes", EQUIPMENT_CODES, "EQUIPMENT"),
}
# texts by name: where they go, how long they may be, their normal form
_TEXTS: Final[Mapping[str, tuple[str, int, Callable[[str], str]]]] = {
    "carrierBookingReference": ("bookings", 35, str.strip),
    "bookingReference": ("bookings", 35, str.strip),
    "transportDocumentReference": ("bills", 20, str.strip),
    "transportCallID": ("calls", 100, str.strip),
    "vesselIMONumber": ("vessels", 7, str.strip),
    "exportVoyageNumber": ("voyages", 50, str.strip),
    "carrierVoyageNumber": ("voyages", 50, str.strip),
    "carrierServiceCode": ("services", 5, str.strip),
    "UNLocationCode": ("places", 5, identifiers.place),
    "equipmentReference": ("boxes", 15, identifiers.container),
}
_FORMS: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "vesselIMONumber": (re.compile(r"[0-9]{7}", re.ASCII), "an IMO number has seven digits"),
    "UNLocationCode": (re.compile(r"[A-Z]{2}[A-Z0-9]{3}", re.ASCII), "a UN location code has five characters: NLRTM"),
}
# words of 2.2.0 that it calls deprecated and that nothing of ours answers to: said, never silently ignored
_GONE: Final[Mapping[str, str]] = {
    "transportDocumentID": "It is deprecated in 2.2.0; use transportDocumentReference.",
    "scheduleID": "It is deprecated in 2.2.0, added by mistake; there is nothing that it would filter.",
    "transportDocumentTypeCode": "It is deprecated in 2.2.0; whether a document is a bill of lading or a sea waybill "
    "is not kept here.",
}
_PAGING: Final = ("limit", "cursor", "sort")


@dataclass(frozen=True, slots=True)
class AskedWrong:
    """One thing that is wrong with a request: a short reason for programs, a sentence for people."""

    reason: str
    message: str


class QueryRefused(ValueError):
    """The request cannot be answered; `faults` says everything that is wrong with it."""

    def __init__(self, faults: Sequence[AskedWrong]) -> None:
        super().__init__("; ".join(f.message for f in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which events are wanted. Everything that is given must fit (AND); of a list of codes one is enough (OR)."""

    kinds: frozenset[str] = frozenset()
    shipment_codes: frozenset[str] = frozenset()
    documents: frozenset[str] = frozenset()
    transport_codes: frozenset[str] = frozenset()
    equipment_codes: frozenset[str] = frozenset()
    # two names for one thing may both be given: then both must fit
    bookings: tuple[str, ...] = ()
    bills: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    vessels: tuple[str, ...] = ()
    voyages: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    boxes: tuple[str, ...] = ()

    @property
    def about_calls(self) -> bool:
        """Whether something is asked that only a transport call can answer."""
        return bool(self.calls or self.vessels or self.voyages or self.services)

    @property
    def names_shipments(self) -> bool:
        """Whether a reference narrows it to few shipments."""
        return bool(self.bookings or self.bills or self.boxes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole question: what is wanted, created when, in which order, how many a page."""

    filters: Filters = Filters()
    created: tuple[tuple[str, datetime], ...] = ()  # (operator, instant)
    sort: tuple[tuple[str, bool], ...] = ((CREATED, False),)  # (field, descending)
    limit: int = USUAL_LIMIT
    asked: tuple[tuple[str, str], ...] = ()  # as written, without limit and cursor: what a cursor carries along


@dataclass(slots=True)
class _Reading:
    faults: list[AskedWrong] = field(default_factory=list)
    found: dict[str, Any] = field(default_factory=dict)

    def wrong(self, reason: str, message: str) -> None:
        self.faults.append(AskedWrong(reason, message))

    def filters(self) -> Filters:
        """The filters read, once nothing was wrong with them."""
        self._contradictions()
        if self.faults:
            raise QueryRefused(self.faults)
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in self.found.items()}
        return Filters(**read)

    def codes(self, name: str, values: Sequence[str]) -> None:
        """A list of codes; each must be one of the standard's."""
        kept, known, _kind = _LISTS[name]
        unknown = [v for v in values if v not in known]
        if unknown:
            said = "an empty value" if not unknown[0] else f"the value {_short(unknown[0])}"
            self.wrong("invalidValue", f"{name} does not know {said}; it is one of {', '.join(known)}.")
        else:
            self.found[kept] = frozenset(values)

    def text(self, name: str, value: str) -> None:
        """A text that must be equal."""
        kept, most, normal = _TEXTS[name]
        value = normal(value)
        form = _FORMS.get(name)
        if not value:
            self.wrong("invalidValue", f"{name} is empty.")
        elif len(value) > most:
            self.wrong("invalidValue", f"{name} has at most {most} characters.")
        elif not value.isprintable():
            self.wrong("invalidValue", f"{name} holds characters that cannot be shown.")
        elif form and not form[0].fullmatch(value):
            self.wrong("invalidValue", f"{name} is {_short(value)}; {form[1]}.")
        else:
            self.found.setdefault(kept, []).append(value)

    def _contradictions(self) -> None:
        """A code of a kind of event that eventType leaves out can never be met."""
        kinds = self.found.get("kinds")
        for name, (kept, _values, kind) in _LISTS.items():
            if kinds and kind and kept in self.found and kind not in kinds:
                listed = ",".join(k for k in KINDS if k in kinds)
                self.wrong("contradictoryFilters", f"{name} speaks of {kind} events, and eventType asks for {listed}.")


def _short(value: str) -> str:
    return f"{value[:40]!a}" + ("…" if len(value) > 40 else "")


# --- GET /v2/events ---


def query_of(pairs: Iterable[tuple[str, str]]) -> Query:
    """The question in the parameters of an address, without `cursor`. Raises QueryRefused."""
    reading, seen = _Reading(), set[str]()
    created: list[tuple[str, datetime]] = []
    limit, asked = USUAL_LIMIT, list[tuple[str, str]]()
    sort: tuple[tuple[str, bool], ...] = ((CREATED, False),)
    for name, value in pairs:
        word = CREATED if name == f"{CREATED}:eq" else name
        if word in seen:
            reading.wrong("repeatedParameter", f"{_short(name)} may be given once.")
            continue
        seen.add(word)
        if name == "limit":
            limit = _limit(reading, value)
            continue
        asked.append((name, value))
        if name in _LISTS:
            reading.codes(name, value.split(","))
        elif name in _TEXTS:
            reading.text(name, value)
        elif name == "sort":
            sort = _sort(reading, value)
        elif name == CREATED or name.startswith(f"{CREATED}:"):
            _created(reading, name, value, created)
        else:
            _unknown(reading, name)
    _one_range(reading, created)
    filters = reading.filters()
    if sort[0][0] == HAPPENED and not filters.names_shipments:
        raise QueryRefused([AskedWrong("invalidSort", f"Sorting by {HAPPENED} needs carrierBookingReference, "
                                       "transportDocumentReference or equipmentReference beside it.")])  # fmt: skip
    return Query(filters=filters, created=tuple(created), sort=sort, limit=limit, asked=tuple(asked))


def _unknown(reading: _Reading, name: str) -> None:
    if name in _GONE:
        reading.wrong("deprecatedParameter", f"{name} is not offered. {_GONE[name]}")
    else:
        reading.wrong("unknownParameter", f"There is no parameter {_short(name)}.")


def _limit(reading: _Reading, value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > 10 or not 1 <= int(value) <= _LARGEST_INT:
        reading.wrong("invalidValue", "limit is a whole number from 1 on.")
        return USUAL_LIMIT
    return min(int(value), MOST)


def _sort(reading: _Reading, value: str) -> tuple[tuple[str, bool], ...]:
    found: dict[str, bool] = {}
    for part in value.split(","):
        name, colon, direction = part.partition(":")
        if name not in (CREATED, HAPPENED):
            reading.wrong("invalidSort", f"Events are sorted by {CREATED} or {HAPPENED}, not by {_short(name)}.")
        elif colon and direction not in ("ASC", "DESC"):
            reading.wrong("invalidSort", f"The direction of {name} is ASC or DESC, not {_short(direction)}.")
        elif name in found:
            reading.wrong("invalidSort", f"{name} stands in sort twice.")
        else:
            found[name] = direction == "DESC"
    return tuple(found.items()) or ((CREATED, False),)


_DATE_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_LOST_PLUS: Final = re.compile(r" (\d\d:\d\d)\Z", re.ASCII)


def _created(reading: _Reading, name: str, value: str, created: list[tuple[str, datetime]]) -> None:
    operator = name.partition(":")[2] if ":" in name else "eq"
    if operator not in OPERATORS:
        known = ", ".join(f":{o}" for o in OPERATORS)
        reading.wrong("unknownParameter", f"{CREATED} knows the operators {known}, not {_short(operator)}.")
        return
    text = _LOST_PLUS.sub(r"+\1", value)  # a + that was not percent-encoded arrives as a blank: nothing else is meant
    try:
        instant = written(text).time if _DATE_TIME.fullmatch(text) else None
    except ValueError:
        instant = None
    if instant is None:
        reading.wrong(
            "invalidValue", f"{name} is {_short(value)}; a date and time with its offset is needed, such as "
            "2021-04-01T14:12:56%2B01:00 (the + is written %2B in an address)."
        )  # fmt: skip
        return
    created.append((operator, instant))


def _one_range(reading: _Reading, created: Sequence[tuple[str, datetime]]) -> None:
    """A lower end above the upper one is a slip; a range that is merely empty is answered with nothing."""
    lower = [at for operator, at in created if operator in ("gte", "gt", "eq")]
    upper = [at for operator, at in created if operator in ("lte", "lt", "eq")]
    if lower and upper and max(lower) > min(upper):
        reading.wrong("contradictoryFilters", f"The range of {CREATED} ends before it begins.")


# --- subscriptions ---


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionAsked:
    """The body of a subscription, read."""

    callback_url: str
    secret: str = ""
    filters: Filters = Filters()
    written: Mapping[str, Any] = field(default_factory=dict)  # the filters in the standard's words


def filters_of(told: Mapping[str, Any]) -> Filters:
    """The filters of a subscription, as they are kept."""
    reading = _Reading()
    _read_filters(reading, told)
    return reading.filters()


def subscription_of(body: Any, *, with_secret: bool, subscription_id: str = "") -> SubscriptionAsked:
    """Reads the body of POST (with its secret) or PUT (without; its own id may stand in it). Raises QueryRefused."""
    if not isinstance(body, dict):
        raise QueryRefused([AskedWrong("invalidBody", "The body is one JSON object.")])
    reading, told = _Reading(), dict(body)
    url, secret, own = told.pop("callbackUrl", None), told.pop("secret", None), told.pop("subscriptionID", None)
    if not isinstance(url, str) or not url:
        reading.wrong("missingField", "callbackUrl is needed: where the events are sent to.")
    if with_secret and (not isinstance(secret, str) or not secret):
        reading.wrong("missingField", "secret is needed: 32 to 64 bytes, written in Base64.")
    if not with_secret and secret is not None:
        reading.wrong("invalidField", "secret is changed at …/secret only, and stands in no other PUT.")
    if own is not None and (with_secret or own != subscription_id):
        reading.wrong("invalidField", "subscriptionID is given by us and stays what it is.")
    _read_filters(reading, told)
    filters = reading.filters()
    return SubscriptionAsked(callback_url=str(url), secret=str(secret or ""), filters=filters, written=told)


def secret_of(body: Any) -> str:
    """Reads the body of PUT …/secret. Raises QueryRefused."""
    if not isinstance(body, dict) or set(body) != {"secret"} or not isinstance(body["secret"], str):
        raise QueryRefused([AskedWrong("invalidBody", 'The body is {"secret": "…"} and nothing else.')])
    return str(body["secret"])


def _read_filters(reading: _Reading, told: Mapping[str, Any]) -> None:
    for name, value in told.items():
        if name in _LISTS:
            if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
                reading.codes(name, value)
            else:
                reading.wrong("invalidField", f"{name} is a list of codes.")
        elif name in _TEXTS:
            if isinstance(value, str):
                reading.text(name, value)
            else:
                reading.wrong("invalidField", f"{name} is a text.")
        elif name in _GONE:
            reading.wrong("deprecatedField", f"{name} is not offered. {_GONE[name]}")
        else:
            reading.wrong("unknownField", f"A subscription has no field {_short(name)}.")


def page_of_list(pairs: Iterable[tuple[str, str]]) -> tuple[int, str, str]:
    """(limit, cursor, sort) of the list of subscriptions. Raises QueryRefused."""
    reading, found = _Reading(), {"limit": str(USUAL_LIMIT), "cursor": "", "sort": ""}
    seen: set[str] = set()
    for name, value in pairs:
        if name not in _PAGING:
            reading.wrong("unknownParameter", f"There is no parameter {_short(name)}.")
        elif name in seen:
            reading.wrong("repeatedParameter", f"{name} may be given once.")
        else:
            seen.add(name)
            found[name] = value
    limit = _limit(reading, found["limit"])
    if found["sort"] not in ("", "subscriptionID", "subscriptionID:ASC", "subscriptionID:DESC"):
        reading.wrong("invalidSort", "Subscriptions are sorted by subscriptionID, ASC or DESC.")
    if reading.faults:
        raise QueryRefused(reading.faults)
    return limit, found["cursor"], found["sort"]
