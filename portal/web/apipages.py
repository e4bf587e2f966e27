"""Pages of API lists: cursors that nobody can make up, and pages by the keys of their rows (W9).

No offsets and no counts: page 400 costs what page 1 costs.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

import msgspec
from django.db.models import Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from portal.tenancy.context import scope
from portal.web.apiquery import BadParameter

_MAC: Final = 12  # bytes
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: behind the row of these keys, or before it."""

    keys: tuple[Any, ...]
    back: bool = False


@dataclass(frozen=True, slots=True)
class ApiPage:
    """One page and the places of its neighbours, None where there is none."""

    rows: Sequence[Any]
    next: Place | None = None
    previous: Place | None = None


def _mac(body: bytes, purpose: str) -> bytes:
    words = b"\0".join([str(scope()).encode(), purpose.encode(), body])
    return salted_hmac("portal.web.apipages", words, algorithm="sha256").digest()[:_MAC]


def cursor_write(place: Place | None, purpose: str) -> str | None:
    """A place as an opaque text that holds for one list in one order, and for the entered account alone."""
    if place is None:
        return None
    body = msgspec.json.encode([int(place.back), *place.keys])
    return base64.urlsafe_b64encode(_mac(body, purpose) + body).decode().rstrip("=")


def cursor_read(text: str | None, purpose: str) -> Place | None:
    """The place behind the text. Raises BadParameter for what we did not write, or wrote for another list."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    mac, body = raw[:_MAC], raw[_MAC:]
    if not hmac.compare_digest(mac, _mac(body, purpose)):
        raise BadParameter("cursor", _("is not one of this list in this order."))
    back, *keys = msgspec.json.decode(body)
    return Place(tuple(keys), bool(back))


def _beyond(keys: Sequence[str], values: Sequence[Any], *, back: bool) -> Q:
    """Rows after the values in the order of the keys (before them with `back`)."""
    found = Q()
    for n, key in enumerate(keys):
        falling = key.startswith("-") != back
        same = {k.lstrip("-"): v for k, v in zip(keys[:n], values, strict=False)}
        found |= Q(**same, **{f"{key.lstrip('-')}__{'lt' if falling else 'gt'}": values[n]})
    return found


def key_page(
    found: QuerySet[Any, Any],
    keys: Sequence[str],
    place: Place | None,
    size: int,
    *,
    of: Callable[[Any], tuple[Any, ...]],
) -> ApiPage:
    """A page of `found` by keys that are never null and together unique; `of` takes them from a row."""
    back = place is not None and place.back
    if place is not None:
        found = found.filter(_beyond(keys, place.keys, back=back))
    order = [key.lstrip("-") if key.startswith("-") == back else f"-{key.lstrip('-')}" for key in keys]
    rows = list(found.order_by(*order)[: size + 1])
    return _cut(rows, place, size, of)


def list_page(
    items: Iterable[T], place: Place | None, size: int, *, of: Callable[[T], tuple[Any, ...]], falling: bool = False
) -> ApiPage:
    """The same for a short list that is in memory already."""
    ordered = sorted(items, key=of, reverse=falling)
    if place is None:
        return _cut(ordered[: size + 1], None, size, of)
    after = [i for i in ordered if of(i) != place.keys and (of(i) > place.keys) != falling]
    before = [i for i in reversed(ordered) if of(i) != place.keys and (of(i) < place.keys) != falling]
    return _cut((before if place.back else after)[: size + 1], place, size, of)


def _cut(rows: list[Any], place: Place | None, size: int, of: Callable[[Any], tuple[Any, ...]]) -> ApiPage:
    more, rows = len(rows) > size, rows[:size]
    back = place is not None and place.back
    if back:
        rows.reverse()
    if not rows:
        return ApiPage([])
    first, last = tuple(_plain(k) for k in of(rows[0])), tuple(_plain(k) for k in of(rows[-1]))
    return ApiPage(
        rows,
        next=Place(last) if more or back else None,
        previous=Place(first, back=True) if (more if back else place is not None) else None,
    )


def _plain(key: Any) -> Any:
    return key.isoformat() if isinstance(key, date | datetime) else key
