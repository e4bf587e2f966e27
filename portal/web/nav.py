"""The navigation: each app registers its entries at start; a person sees those whose doors would open.

Hiding a link is comfort, not protection; the doors check for themselves (R5.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

from portal.tenancy.models import Member
from portal.web.policy import Policy, entitled


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry: `order` sorts inside the section; the policy is the door's own."""

    section: str | Promise
    label: str | Promise
    route: str
    icon: str
    policy: Policy
    order: int = 100


_items: list[NavItem] = []
_search: list[tuple[str, Policy]] = []


def search_register(route: str, policy: Policy) -> None:
    """The list that the search box of every customer's page asks, with its door's policy."""
    _search[:] = [(route, policy)]


def search_for(member: Member, at: datetime) -> str:
    """Where this person's search box leads; empty where there is none."""
    for route, policy in _search:
        if not member.is_staff and policy.allows(member.role, unsafe=False) and (
            policy.entitlement is None or entitled(policy.entitlement, at)
        ):  # fmt: skip
            return reverse(route)
    return ""


@dataclass(frozen=True, slots=True)
class Bell:
    """The bell of every page: the list behind it, where its count is asked for again, and how many wait."""

    url: str
    poll_url: str
    count: int
    is_more: bool  # counting ended there

    @property
    def tag(self) -> str:
        """What the count is known by: an answer with the same one has nothing new (an ETag)."""
        return f'W/"bell-{self.count}"'


_bell: list[tuple[str, str, int, Callable[[Member, datetime], int]]] = []


def bell_register(route: str, poll_route: str, most: int, count: Callable[[Member, datetime], int]) -> None:
    """The app of notices names its list, the address of the bell itself, and how it counts up to `most`."""
    _bell[:] = [(route, poll_route, most, count)]


def bell_for(member: Member, at: datetime) -> Bell | None:
    """The bell of this person; None while nothing is registered."""
    for route, poll_route, most, count in _bell:
        unread = count(member, at)
        return Bell(url=reverse(route), poll_url=reverse(poll_route), count=unread, is_more=unread >= most)
    return None


def nav_register(*items: NavItem) -> None:
    """Called by each app's start."""
    for item in items:
        if item not in _items:
            _items.append(item)
    _items.sort(key=lambda i: i.order)


def nav_for(request: HttpRequest, member: Member, at: datetime) -> list[dict[str, Any]]:
    """Sections with their entries for this person, in the form base.html takes."""
    sections: dict[str, dict[str, Any]] = {}
    for item in _items:
        if not item.policy.allows(member.role, unsafe=False):
            continue
        if item.policy.entitlement and not member.is_staff and not entitled(item.policy.entitlement, at):
            continue
        url = reverse(item.route)
        active = request.path == url or (url != "/" and request.path.startswith(url.rstrip("/") + "/"))
        section = sections.setdefault(str(item.section), {"label": item.section, "items": []})
        section["items"].append({"label": item.label, "url": url, "icon": item.icon, "active": active})
    return list(sections.values())
