"""What one says to a DCSA 2.2 publisher and what its answers mean: addresses, pages, tokens, faults in words.

Pure: nothing is sent from here and nothing stored; the way out is portal.lib.egress, the state stands in poller.py.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from django.utils.translation import gettext as _

from portal.lib.egress import Answer, target_of
from tracking import strictjson
from tracking.instants import written
from tracking.types import Unreadable

CREATED: Final = "eventCreatedDateTime"
API_VERSION: Final = "2"
FILTERS: Final = frozenset(
    {
        "eventType", "shipmentEventTypeCode", "documentTypeCode", "transportEventTypeCode", "equipmentEventTypeCode",
        "carrierBookingReference", "transportDocumentReference", "equipmentReference", "transportCallID",
        "vesselIMONumber", "exportVoyageNumber", "carrierServiceCode", "UNLocationCode", "sort",
    }
)  # fmt: skip
FIRST_WAIT: Final = timedelta(minutes=1)
LONGEST_WAIT: Final = timedelta(hours=6)
LONGEST_ASKED_WAIT: Final = timedelta(hours=24)  # more than that is not waited, whatever Retry-After says
_TOKEN_SPARE: Final = timedelta(seconds=30)
_DEFAULT_TOKEN_LIFE: Final = 300
_VISIBLE: Final = re.compile(r"[!-~]{1,8000}", re.ASCII)


class FeedFault(Exception):
    """The publisher did not give what was asked for. `sentence` is for people; `after` is how long it wants peace."""

    def __init__(
        self, sentence: str, *, needs_person: bool = False, after: timedelta | None = None, status: int = 0
    ) -> None:
        super().__init__(sentence)
        self.sentence, self.needs_person, self.after, self.status = sentence, needs_person, after, status


@dataclass(frozen=True, slots=True)
class FeedPage:
    """One page of events, as sent."""

    body: bytes
    events: int
    newest: datetime | None  # the newest eventCreatedDateTime in it
    next_page: str  # the address of the next page; empty: this was the last one


def first_page(base_url: str, *, since: datetime, filters: Mapping[str, str], size: int) -> str:
    """The address of everything created since an instant. The + of an offset is percent-encoded (1.2)."""
    wanted = {**filters, f"{CREATED}:gte": since.astimezone(UTC).isoformat(timespec="milliseconds"), "limit": str(size)}
    return f"{base_url.rstrip('/')}/v2/events?{urlencode(wanted, safe=':,', quote_via=quote)}"


def page_of(answer: Answer, *, asked: str, at: datetime) -> FeedPage:
    """Reads a page. Raises FeedFault when it is none."""
    if answer.status != 200:
        raise fault_of(answer, at=at)
    try:
        events = strictjson.loads(answer.body)
    except Unreadable as error:
        raise FeedFault(_("The answer cannot be read: %(why)s") % {"why": error.detail}) from None
    if not isinstance(events, list):
        raise FeedFault(_("The answer is not a list of events: %(text)s") % {"text": excerpt(answer.body)})
    return FeedPage(answer.body, len(events), newest(events), _next_page(answer.headers.get("next-page", ""), asked))


def newest(events: Iterable[Any]) -> datetime | None:
    """The newest instant at which one of the events was created, by its own word."""
    found: datetime | None = None
    for event in events:
        text = event.get(CREATED) if isinstance(event, dict) else None
        if not isinstance(text, str):
            continue
        try:
            created = written(text).time
        except ValueError:
            continue
        if created is not None and (found is None or created > found):
            found = created
    return found


def _next_page(told: str, asked: str) -> str:
    """The header holds a link or a bare cursor. A link to another host is not followed: the token would go there."""
    word = told.strip().removeprefix("<").partition(">")[0].strip()
    if not word:
        return ""
    if word.startswith(("http://", "https://", "/", "?")):
        link = urljoin(asked, word)
    else:
        parts = urlsplit(asked)
        query = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k != "cursor"]
        link = urlunsplit(parts._replace(query=urlencode([*query, ("cursor", word)], safe=":,", quote_via=quote)))
    if target_of(link).origin != target_of(asked).origin:
        raise FeedFault(_("Its next page lies at another host, which is not followed."), needs_person=True)
    if link == asked:
        raise FeedFault(_("Its next page is the same page again."))
    return link


# --- tokens ---


def token_request(*, client_id: str, secret: str, scope: str, in_header: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body of a client-credentials request (RFC 6749, 4.4)."""
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if in_header:
        pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": client_id, "client_secret": secret}
    return headers, urlencode(form).encode()


def token_of(answer: Answer, *, at: datetime) -> tuple[str, datetime]:
    """The token and until when it is used. Raises FeedFault; refused credentials need a person."""
    told = _object(answer.body)
    if answer.status != 200:
        if answer.status in (400, 401, 403):
            why = " ".join(str(told[k])[:200] for k in ("error", "error_description") if told.get(k))
            raise FeedFault(
                _("The token end point refuses our credentials: %(why)s") % {"why": why or f"HTTP {answer.status}"},
                needs_person=True, status=answer.status,
            )  # fmt: skip
        fault = fault_of(answer, at=at)
        sentence = _("The token end point: %(why)s") % {"why": fault.sentence}
        raise FeedFault(sentence, needs_person=fault.needs_person, after=fault.after, status=fault.status)
    token, life = told.get("access_token"), told.get("expires_in", _DEFAULT_TOKEN_LIFE)
    if not isinstance(token, str) or not _VISIBLE.fullmatch(token):
        raise FeedFault(_("The token end point answered without a token."))
    if str(told.get("token_type", "bearer")).lower() != "bearer":
        raise FeedFault(_("The token end point gave a token of a kind that is not known."), needs_person=True)
    seconds = int(life) if isinstance(life, int) or (isinstance(life, str) and life.isdigit()) else _DEFAULT_TOKEN_LIFE
    return token, at + max(timedelta(seconds=min(seconds, 86_400)) - _TOKEN_SPARE, timedelta(0))


def _object(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


# --- faults ---


def fault_of(answer: Answer, *, at: datetime) -> FeedFault:
    """What an answer that is no page means: to be tried again, or a matter for a person."""
    status = answer.status
    words = error_words(answer)
    if status in (413, 429, 503):
        said = _("It asks for less, or later (HTTP %(status)d). %(words)s")
        sentence = (said % {"status": status, "words": words}).strip()
        return FeedFault(sentence, after=retry_after(answer, at=at), status=status)
    if status >= 500 or status == 408:
        said = _("It is in trouble itself (HTTP %(status)d). %(words)s")
        return FeedFault((said % {"status": status, "words": words}).strip(), status=status)
    said = _("It refuses the request (HTTP %(status)d). %(words)s")
    return FeedFault((said % {"status": status, "words": words}).strip(), needs_person=True, status=status)


def error_words(answer: Answer) -> str:
    """The error body of DCSA 2.2 (1.6) as one line; of anything else its beginning."""
    told = _object(answer.body)
    listed = told.get("errors")
    words = [
        ": ".join(str(entry[k])[:200] for k in ("reason", "message") if entry.get(k))
        for entry in (listed if isinstance(listed, list) else [])[:5]
        if isinstance(entry, dict)
    ]
    return "; ".join(word for word in words if word) or str(told.get("statusCodeText") or "")[:200] or (
        excerpt(answer.body) if not told else ""
    )  # fmt: skip


def excerpt(body: bytes) -> str:
    """The beginning of a text, on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in body[:200].decode("utf-8", "replace")).split())


def retry_after(answer: Answer, *, at: datetime) -> timedelta | None:
    """How long a 413, 429 or 503 wants to be left alone: seconds, or a date of HTTP; None when it does not say."""
    text = answer.headers.get("retry-after", "").strip()
    wait = timedelta(seconds=min(int(text), 10**7)) if text.isascii() and text.isdigit() and len(text) < 20 else None
    if wait is None and text:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - at
    return None if wait is None else min(max(wait, timedelta(0)), LONGEST_ASKED_WAIT)


def wait_after(failures: int, *, spread: float, asked: timedelta) -> timedelta:
    """1 min, 2 min, 4 min ... at most 6 h, times `spread`; never sooner than `asked`."""
    return max(min(FIRST_WAIT * 2 ** min(max(failures, 1) - 1, 12), LONGEST_WAIT) * spread, asked)
