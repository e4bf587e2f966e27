"""The events of a history applied by several processes at once, and the milestones of what they touched.

Each process takes whole sources, since versions of one source's events wait for each other anyway; then accounts, one
after another. What is applied, and how, is the loader's (backfill.py).
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from django.db import connections
from django.utils.translation import gettext_lazy as _

from portal.lib.children import FRESH, child
from portal.lib.errors import PortalError
from portal.lib.faults import declare, fault
from portal.outbox.selectors import active_tenants
from portal.tenancy.context import as_tenant
from tracking.eventfile import EventFile
from tracking.ingest.touched import touched_derive
from tracking.models import InboundMessage, Quarantined, Source
from tracking.types import Unreadable

_COUNTS: Final = ("received", "accepted", "duplicate", "quarantined")
declare("history.after_batch", "a batch of a history is applied and not told of")
_PORTIONS: Final = 20  # derived between two looks at whether more waits


class LoaderLost(PortalError):
    """A process of the load ended before its work; a second load takes up what it has not stored."""

    code, status = "loader_lost", 500
    message = _("A process of the load ended before its work (exit code %(exit)s). Load the folder again to go on.")


@dataclass(slots=True)
class Counted:
    """What became of events, and of how many accounts the milestones are worked out."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    accounts: int = 0

    def add(self, other: Counted) -> None:
        """Both together."""
        for name in (*_COUNTS, "accounts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons.update(other.reasons)


Apply = Callable[..., InboundMessage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be done, the same for every process."""

    events: EventFile
    sources: Mapping[str, Source]
    apply: Apply  # source, body, at; a function of a module, so that another process finds it
    at: datetime
    batch: int

    def plain(self) -> dict[str, Any]:
        """Plain values from which another process makes the same work."""
        where = {key: (source.tenant_id, source.pk) for key, source in self.sources.items()}
        apply = (self.apply.__module__, self.apply.__qualname__)
        return {"events": self.events.plain(), "sources": where, "apply": apply, "at": self.at, "batch": self.batch}

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> Work:
        """From what `plain` gave."""
        sources, (module, name) = {}, values["apply"]
        for key, (tenant_id, pk) in values["sources"].items():
            with as_tenant(tenant_id):
                sources[key] = Source.objects.get(pk=pk)
        return cls(events=EventFile.of_plain(values["events"]), sources=sources, at=values["at"],
                   apply=getattr(import_module(module), name), batch=values["batch"])  # fmt: skip

    def applied(self, of: Collection[str]) -> Iterator[Counted]:
        """The batches of these sources, each one message and one transaction."""
        for key, body in self.events.batches(self.batch, of=of):
            source = self.sources[key]
            with as_tenant(source.tenant_id):
                message = self.apply(source=source, body=body, at=self.at)
                fault("history.after_batch")
                counted = Counted(**{name: getattr(message, f"events_{name}") for name in _COUNTS})
                if message.events_quarantined:
                    waiting = Quarantined.objects.filter(message=message)
                    counted.reasons.update(waiting.values_list("reason", flat=True))
            yield counted

    def derived(self, accounts: Iterator[int]) -> Iterator[Counted]:
        """What the batches noted, account by account; the portal's workers may share in it."""
        for tenant_id in accounts:
            with as_tenant(tenant_id):
                while not touched_derive(at=self.at, portions=_PORTIONS):
                    pass
            yield Counted(accounts=1)


def work_do(work: Work, *, workers: int, tell: Callable[[Counted], None]) -> Counted:
    """All of it, in this process or in as many children as have a batch to do; `tell` hears of each step.

    Raises Unreadable; LoaderLost when a child is gone.
    """
    done = Counted()

    def said(more: Counted) -> None:
        done.add(more)
        tell(done)

    workers = min(workers, len(work.sources), len(work.events) // work.batch)
    if workers > 1:
        _share(work, workers, said)
        done.accounts = 0
    else:
        for more in work.applied(work.sources):
            said(more)
    for more in work.derived(iter(active_tenants())):  # after children: the little that they left to each other
        said(more)
    return done


def _share(work: Work, workers: int, tell: Callable[[Counted], None]) -> None:
    connections.close_all()  # it only listens from here on
    plain = work.plain()
    turn, applied = FRESH.Value("q", 0), FRESH.Barrier(workers)
    children: dict[Connection, Any] = {}
    try:
        for share in _shares(work.events.sources, workers):
            mine, its = FRESH.Pipe(duplex=False)
            children[mine] = child(f"{__name__}.share_do", plain, share, turn, applied, its)
            children[mine].start()
            its.close()  # or its end would never be heard
        _listen(dict(children), tell)
    finally:
        for pipe, process in children.items():
            process.terminate()
            process.join()
            pipe.close()


def _listen(children: dict[Connection, Any], tell: Callable[[Counted], None]) -> None:
    """Until all have hung up."""
    while children:
        for pipe in wait(list(children)):
            assert isinstance(pipe, Connection)
            try:
                said = pipe.recv()
            except EOFError:
                process = children.pop(pipe)
                process.join()
                if process.exitcode:
                    raise LoaderLost(exit=process.exitcode) from None
                continue
            if not isinstance(said, Counted):
                raise Unreadable(*said)
            tell(said)


def _shares(sources: Mapping[str, int], workers: int) -> list[list[str]]:
    """The sources, so that everybody gets about as many rows: the largest first, to whom has least."""
    shares: list[list[str]] = [[] for _n in range(workers)]
    loads = [0] * workers
    for key, rows in sorted(sources.items(), key=lambda item: -item[1]):
        least = loads.index(min(loads))
        shares[least].append(key)
        loads[least] += rows
    return shares


def share_do(plain: dict[str, Any], share: list[str], turn: Any, applied: Any, pipe: Connection) -> None:
    """What one child does: its sources, then, when all have done theirs, the accounts whose turn it is."""
    work = Work.of_plain(plain)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends us
    try:
        for counted in work.applied(share):
            pipe.send(counted)
        applied.wait()  # a shipment may hear from several sources: it is worked out once all have spoken
        for counted in work.derived(_in_turn(turn)):
            pipe.send(counted)
    except Unreadable as unreadable:
        pipe.send((unreadable.code, unreadable.detail))
    finally:
        connections.close_all()


def _in_turn(turn: Any) -> Iterator[int]:
    """The accounts that no other process has taken."""
    accounts = active_tenants()
    while True:
        with turn.get_lock():
            nth, turn.value = turn.value, turn.value + 1
        if nth >= len(accounts):
            return
        yield accounts[nth]
