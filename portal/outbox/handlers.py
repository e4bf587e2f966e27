"""Who does the work: handlers by name, listeners of facts, and what asks whether something is due.

An app registers its own in `jobs.py`; nobody imports another app's jobs.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.utils.module_loading import autodiscover_modules

from portal.lib.facts import Fact

Work = Callable[[dict[str, Any], datetime], None]
Listener = Callable[[Fact, datetime, datetime], None]
Due = Callable[[datetime], None]


class TryAgain(Exception):  # noqa: N818 - it is an answer, not an error
    """A handler's answer: not now, but at `due_at`; `counts` says whether it was one of the bounded attempts."""

    def __init__(self, reason: str, *, due_at: datetime, counts: bool = False) -> None:
        super().__init__(reason)
        self.due_at, self.counts = due_at, counts


@dataclass(frozen=True, slots=True)
class Handler:
    """`work(payload, at)` runs in the row's scope, in the transaction that marks the row done; or in its own ones."""

    name: str
    work: Work
    own_transactions: bool
    calls_out: bool


@dataclass(frozen=True, slots=True)
class DueCheck:
    """`ask(at)` looks at the database and enqueues what is due, once per key (O6)."""

    name: str
    ask: Due
    each_tenant: bool


_handlers: dict[str, Handler] = {}
_listeners: dict[str, Listener] = {}
_due: dict[str, DueCheck] = {}


def handler(name: str, *, own_transactions: bool = False, calls_out: bool = False) -> Callable[[Work], Work]:
    """Registers a plain function `(payload, at) -> None` for work of this name.

    By default everything it writes is committed together with the row's end, or not at all (O3); it must not have
    effects outside the database. With `own_transactions` it keeps its own order and must bear being run twice. With
    `calls_out` it mostly waits for somebody else's machine: it has a queue of its own, so that nothing waits behind it.
    """

    def register(work: Work) -> Work:
        made = Handler(name=name, work=work, own_transactions=own_transactions, calls_out=calls_out)
        _once(_handlers, name, made, work)
        return work

    return register


def on_fact(name: str) -> Callable[[Listener], Listener]:
    """Registers `(fact, recorded_at, at) -> None`, called for each fact in the transaction that marks its row done."""

    def register(listener: Listener) -> Listener:
        _once(_listeners, name, listener, listener)
        return listener

    return register


def due_work(name: str, *, each_tenant: bool = True) -> Callable[[Due], Due]:
    """Registers `(at) -> None`, asked every minute: looks at the database, enqueues what is due by unique key (O6).

    Called in one transaction inside the scope of each active tenant (the operator's too), or once without a scope.
    """

    def register(ask: Due) -> Due:
        _once(_due, name, DueCheck(name=name, ask=ask, each_tenant=each_tenant), ask)
        return ask

    return register


def _once(registry: dict[str, Any], name: str, entry: Any, function: Callable[..., Any]) -> None:
    known = registry.get(name)
    if known is not None and _place(known) != _place(function):
        raise RuntimeError(f"two functions are registered for {name!r}")
    registry[name] = entry


def _place(entry: Any) -> tuple[str, str]:
    function = getattr(entry, "work", None) or getattr(entry, "ask", None) or entry
    return function.__module__, function.__qualname__


def handler_of(name: str) -> Handler | None:
    """The handler of this name, or None."""
    load_jobs()
    return _handlers.get(name)


def listeners() -> list[Listener]:
    """All listeners of facts, by name."""
    load_jobs()
    return [_listeners[name] for name in sorted(_listeners)]


def due_checks() -> list[DueCheck]:
    """All checks of what is due, by name."""
    load_jobs()
    return [_due[name] for name in sorted(_due)]


def handler_names() -> list[str]:
    """The names of all work, for `describe jobs`."""
    load_jobs()
    return sorted(_handlers)


def load_facts() -> None:
    """Imports each app's facts, at start."""
    _load("facts")


@cache
def load_jobs() -> None:
    """Imports each app's jobs, when the first row is run: doors that only write rows need not know them."""
    _load("jobs")


def _load(module: str) -> None:
    autodiscover_modules(module)
    for part in ("tiers.promises", "tiers.credits"):  # the two halves of one Django app
        if importlib.util.find_spec(f"{part}.{module}") is not None:
            importlib.import_module(f"{part}.{module}")
