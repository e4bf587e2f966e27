"""Start-up check: every route has a policy (W1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from portal.web.policy import OTHERS, Policy


@dataclass(frozen=True)
class Route:
    """One address of the portal."""

    name: str  # with namespaces, for example `tracking:shipment`
    pattern: str  # as written, for example `shipments/<str:public_id>`
    parameters: tuple[str, ...]
    methods: tuple[str, ...]
    policy: Policy | None


def _policy(view: Any, name: str) -> Policy | None:
    found = getattr(getattr(view, "view_class", None) or getattr(view, "cls", None) or view, "policy", None)
    return found if isinstance(found, Policy) else OTHERS.get(name)


def _methods(view: Any) -> tuple[str, ...]:
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if cls is None:
        return tuple(m.upper() for m in getattr(view, "methods", ("GET", "POST")))
    names = [m for m in cls.http_method_names if hasattr(cls, m) and m not in ("options", "head")]
    return tuple(n.upper() for n in names)


def routes(patterns: Sequence[Any] | None = None, prefix: str = "", names: str = "") -> Iterator[Route]:
    """Every route of the URL resolver, depth first."""
    for entry in get_resolver().url_patterns if patterns is None else patterns:
        text = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            inner = f"{names}{entry.namespace}:" if entry.namespace else names
            yield from routes(entry.url_patterns, text, inner)
        elif isinstance(entry, URLPattern):
            name = f"{names}{entry.name or entry.lookup_str}"
            parameters = tuple(entry.pattern.converters) or tuple(entry.pattern.regex.groupindex)
            yield Route(name, text, parameters, _methods(entry.callback), _policy(entry.callback, name))


@register()
def every_route_has_a_policy(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """portal.E001 for each route that says not who may open it."""
    return [
        Error(f"The route {r.name} ({r.pattern}) has no policy.", id="portal.E001")
        for r in routes()
        if r.policy is None
    ]
