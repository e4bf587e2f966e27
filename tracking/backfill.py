"""Back-fill from history files (design: history files): places, accounts, shipments, events, charges, in this order.

The same path as any message: raw bytes kept, events through one ingest run a batch, recorded when the file says and
marked as backfilled; nothing is told to anybody (R1.1). Reading the files is in history.py and eventfile.py.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.lib import ids
from portal.lib.errors import PortalError
from portal.lib.periods import local_midnight, zone_named
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.selectors import operator_exists, tenant_id_of_code
from portal.tenancy.services import tenant_create
from tiers.promises.selectors import subscription_rows
from tiers.promises.services import subscription_open
from tiers.promises.types import Tier
from tracking import history
from tracking.adapters import csv_events
from tracking.eventfile import EventFile, Neighbours
from tracking.history import AccountRow, ChargeRow, ShipmentRow
from tracking.ingest import HISTORY, Run, message_finish, own_tenant
from tracking.manyhands import Counted, Work, work_do
from tracking.models import InboundMessage, Place, RawBody, Shipment, Source
from tracking.reasons import Reason
from tracking.selectors import source_scope
from tracking.services import ShipmentSpec, shipments_register, source_create
from tracking.types import Refusal, SourceKind, Unreadable

BATCH: Final = 1_000
FILES: Final = ("places.csv", "accounts.csv", "shipments.csv", "events.csv", "charges.csv")
_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,31}", re.ASCII)
_ALWAYS: Final = date(2000, 1, 1)  # a tier without a first day
_SHIPMENT_BATCHES: Final = 10  # registered at once: they fall to many accounts, a few statements each


class UnreadableHistory(PortalError):
    """A file as a whole cannot be read; nothing was stored."""

    code, status = "unreadable_history", 422
    message = _("%(file)s: %(detail)s")


class NoHistory(PortalError):
    """The folder holds none of the files."""

    code, status = "no_history", 422
    message = _("%(folder)s holds none of the history files: %(files)s.")


class NotSetUp(PortalError):
    """There is no operator yet, in whose scope sources and messages are kept."""

    code, status = "not_set_up", 409
    message = _("This installation is not set up yet: run `manage.py setup` first.")


@dataclass(slots=True)
class Loaded:
    """What one load did; refused rows of every file but events, whose refusals wait in quarantine."""

    places: int = 0
    accounts: int = 0
    sources: int = 0
    shipments: int = 0
    shipments_known: int = 0
    charges: int = 0
    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0
    quarantined_by_reason: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, Refusal]] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Counts by name; refused rows by reason."""
        counts = {name: getattr(self, name) for name in self.__slots__ if name not in ("refused",)}
        counts["quarantined_by_reason"] = dict(sorted(self.quarantined_by_reason.items()))
        counts["refused"] = dict(sorted(Counter(str(r.code) for _file, r in self.refused).items()))
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge line with its shipment found. `source_key` names it, so that a second load counts it once."""

    shipment_id: int
    row: ChargeRow
    source_key: str


_keep_charges: list[Callable[[Sequence[Charge]], int]] = []


def charges_kept_by(keep: Callable[[Sequence[Charge]], int]) -> None:
    """Registers what stores the charges of the entered account (called once, when the app that owns them starts)."""
    _keep_charges[:] = [keep]


def history_load(
    *, folder: Path, at: datetime, tell: Callable[[str], None], batch: int = BATCH, workers: int = 1
) -> Loaded:
    """Loads a folder of history files; a second load of the same files changes nothing (R1.2).

    Every header is checked before anything is stored. `tell` takes sentences about progress. Each batch is one
    transaction; with more than one worker, that many processes share the events. Raises NoHistory, NotSetUp,
    UnreadableHistory, LoaderLost.
    """
    present = [name for name in FILES if (folder / name).is_file()]
    if not present:
        raise NoHistory(folder=folder, files=", ".join(FILES))
    if not operator_exists():
        raise NotSetUp
    loader = _Loader(folder, present, at, tell, batch, workers)
    try:
        loader.check()
        for name in present:
            loader.load(name)
    finally:
        loader.close()
    return loader.done


@transaction.atomic
def history_apply(*, source: Source, body: bytes, at: datetime) -> InboundMessage:
    """One batch of event rows as one message of its source, in the entered scope; all of it or nothing (G1, G2)."""
    raw, _made = RawBody.objects.get_or_create(
        source=source, sha256=ids.digest(body), defaults={"body": body, "received_at": at}
    )
    message = InboundMessage.objects.create(
        source=source, raw=raw, channel=HISTORY, content_type="text/csv", file_name="events.csv", received_at=at
    )
    run = Run(source=source, message=message, at=at, own_tenant=own_tenant(), is_backfill=True, quiet=True)
    items = run.apply(csv_events.parse(body))
    message_finish(message, items, at)
    newest = max((i.recorded_at for i in items if i.recorded_at is not None), default=None)
    if newest is not None:
        unheard = Q(last_heard_at=None) | Q(last_heard_at__lt=newest)
        Source.objects.filter(unheard, pk=source.pk).update(last_heard_at=newest)
    return message


_READERS: Final[dict[str, Callable[[BinaryIO], Iterator[Any]]]] = {
    "places.csv": history.places,
    "accounts.csv": history.accounts,
    "shipments.csv": history.shipments,
    "charges.csv": history.charges,
}


@contextmanager
def _named(file: str) -> Iterator[None]:
    try:
        yield
    except Unreadable as fault:
        raise UnreadableHistory(file=file, detail=fault.detail) from None


def _place(row: ShipmentRow) -> str:
    return row.final_place or row.pod


def _kind(key: str) -> SourceKind:
    """A key that begins with the name of a kind is of that kind; others are carriers' feeds."""
    first = re.split(r"[^a-z]", key.lower(), maxsplit=1)[0]
    return SourceKind(first) if first in set(SourceKind) else SourceKind.CARRIER


class _Loader:
    """One load on its way."""

    def __init__(
        self, folder: Path, present: list[str], at: datetime, tell: Callable[[str], None], batch: int, workers: int
    ) -> None:
        self.folder, self.present, self.at, self.tell = folder, present, at, tell
        self.batch, self.workers = batch, workers
        self.done = Loaded()
        self.tenants: dict[str, int | None] = {}
        self.events: EventFile | None = None
        self.near = Neighbours()

    def check(self) -> None:
        """Reads every header and the text of every file, and where the events lie, before anything is stored."""
        for name in self.present:
            if name != "events.csv":
                with _named(name), (self.folder / name).open("rb") as file:
                    for row in _READERS[name](file):
                        if isinstance(row, ShipmentRow):
                            self.near.add(row.account, (row.ref, row.booking, *row.containers))
        if "events.csv" in self.present:
            with _named("events.csv"):
                self.events = EventFile(self.folder / "events.csv", self.near)

    def close(self) -> None:
        """Lets go of what was kept on disk."""
        if self.events is not None:
            self.events.close()

    def load(self, name: str) -> None:
        """One file whole."""
        steps = {"places.csv": self.places, "accounts.csv": self.accounts, "shipments.csv": self.shipments,
                 "events.csv": self.sightings, "charges.csv": self.charges}  # fmt: skip
        with _named(name):
            steps[name]()

    def _chunks(self, name: str, *, batches: int = 1) -> Iterator[list[Any]]:
        """Rows of a file by the batch, or several; refused ones are kept apart."""
        with (self.folder / name).open("rb") as file:
            rows = _READERS[name](file)
            while chunk := list(islice(rows, self.batch * batches)):
                self.done.refused += [(name, row) for row in chunk if isinstance(row, Refusal)]
                yield [row for row in chunk if not isinstance(row, Refusal)]

    def _refuse(self, file: str, row: Any, reason: Reason, detail: str) -> None:
        self.done.refused.append((file, Refusal(code=reason, position=row.position, detail=detail)))

    # --- the small files ---

    def places(self) -> None:
        """Makes places that are not known; one that is known without a zone gets it."""
        for rows in self._chunks("places.csv"):
            known = {p.code: p for p in Place.objects.filter(code__in=[r.code for r in rows])}
            fresh = {r.code: Place(code=r.code, name=r.name, country=r.country, zone=r.zone, lat=r.lat, lon=r.lon)
                     for r in rows if r.code not in known}  # fmt: skip
            self.done.places += len(Place.objects.bulk_create(fresh.values(), ignore_conflicts=True))
            for row in rows:
                if row.code in known and row.zone and not known[row.code].zone:
                    Place.objects.filter(code=row.code, zone="").update(zone=row.zone)

    def accounts(self) -> None:
        """Makes accounts that are not known, and the tiers they had; a term ends where the next one begins."""
        terms: dict[int, list[AccountRow]] = defaultdict(list)
        for rows in self._chunks("accounts.csv"):
            for row in rows:
                tenant_id = self._tenant(row, "accounts.csv", name=row.name, zone=row.zone)
                if tenant_id is not None and row.tier:
                    terms[tenant_id].append(row)
        for tenant_id, listed in terms.items():
            with as_tenant(tenant_id):
                self._tiers(sorted(listed, key=lambda r: r.valid_from or _ALWAYS))

    def _tiers(self, rows: list[AccountRow]) -> None:
        known = {(s.tier, s.valid_from) for s in subscription_rows()}
        for row, following in pairwise([*rows, None]):
            assert row is not None
            begins, ends = row.valid_from or _ALWAYS, (following.valid_from or _ALWAYS) if following else None
            if (row.tier, begins) in known:
                continue
            try:
                subscription_open(tier=Tier(row.tier), valid_from=begins, valid_to=ends, at=self.at)
            except ValueError:
                self._refuse("accounts.csv", row, Reason.UNKNOWN_CODE, f"There is no tier {row.tier[:20]!a}.")
            except PortalError as fault:
                self._refuse("accounts.csv", row, Reason.BAD_VALUE, str(fault))

    def _tenant(self, row: Any, file: str, *, name: str = "", zone: str = "", make: bool = True) -> int | None:
        """The account that a row names, made when it is not known; None when its code cannot be one."""
        code = row.account.upper()
        if code not in self.tenants:
            found = tenant_id_of_code(code)
            if found is None and make and _CODE.fullmatch(code):
                found = tenant_create(code=code, name=name or row.account, zone=zone, at=self.at).pk
                self.done.accounts += 1
            self.tenants[code] = None if found == OPERATOR_ID else found
        if self.tenants[code] is None:
            self._refuse(file, row, Reason.UNKNOWN_ACCOUNT, f"The account {row.account[:40]!a} cannot be used.")
        return self.tenants[code]

    # --- shipments ---

    def shipments(self) -> None:
        """Registers shipments by account; one whose final place has no known zone is refused (R1.16)."""
        count = 0
        for rows in self._chunks("shipments.csv", batches=_SHIPMENT_BATCHES):
            zones = dict(Place.objects.filter(code__in={_place(r) for r in rows}).values_list("code", "zone"))
            by_tenant: dict[int, dict[str, ShipmentSpec]] = defaultdict(dict)
            for row in rows:
                tenant_id = self._tenant(row, "shipments.csv")
                if not zones.get(_place(row)):
                    detail = f"The time zone of its final place {_place(row) or '?'} is not known."
                    self._refuse("shipments.csv", row, Reason.NO_ZONE, detail)
                elif tenant_id is not None:
                    by_tenant[tenant_id][row.ref] = self._spec(row, zone_named(zones[_place(row)]))
            for tenant_id, specs in sorted(by_tenant.items()):
                with as_tenant(tenant_id), transaction.atomic():
                    known = Shipment.objects.filter(ref__in=list(specs)).count()
                    shipments_register(specs=list(specs.values()), at=self.at)
                self.done.shipments += len(specs) - known
                self.done.shipments_known += known
            count += len(rows)
            self.tell(f"shipments.csv: {count} rows")

    def _spec(self, row: ShipmentRow, zone: ZoneInfo) -> ShipmentSpec:
        """A promise of which no booking is known was made at the start of its day at the latest."""
        due = local_midnight(row.due_date, zone) if row.due_date else row.due_at
        assert due is not None
        return ShipmentSpec(**row.spec(), made_at=min(due, self.at))

    # --- events ---

    def sightings(self) -> None:
        """Applies the events batch by batch, each one message of its source, and works out the milestones."""
        assert self.events is not None
        sources = {key: self._source(key) for key in self.events.sources}
        work = Work(events=self.events, sources=sources, apply=history_apply, at=self.at, batch=self.batch)
        counted = work_do(work, workers=self.workers, tell=self._tell_events)
        for name in ("received", "accepted", "duplicate", "quarantined"):
            setattr(self.done, name, getattr(counted, name))
        self.done.quarantined_by_reason.update(counted.reasons)

    def _tell_events(self, done: Counted) -> None:
        assert self.events is not None
        if done.accounts:
            self.tell(f"events.csv: milestones of {done.accounts} accounts")
        else:
            self.tell(f"events.csv: {done.received} of {len(self.events)} rows")

    def _source(self, key: str) -> Source:
        """The source of that key; one that is not known becomes the operator's, its kind read off its name."""
        where = source_scope(key)
        with as_tenant(OPERATOR_ID if where is None else where):
            if where is not None:
                return Source.objects.get(key=key)
            self.done.sources += 1
            return source_create(key=key, name=key, kind=_kind(key), format="csv", at=self.at)

    # --- charges ---

    def charges(self) -> None:
        """Stores charge lines with their shipment; equal lines of one file are told apart by their number."""
        seen: Counter[str] = Counter()
        for rows in self._chunks("charges.csv"):
            by_tenant: dict[int, list[ChargeRow]] = defaultdict(list)
            for row in rows:
                tenant_id = self._tenant(row, "charges.csv", make=False)
                if tenant_id is not None:
                    by_tenant[tenant_id].append(row)
            for tenant_id, listed in sorted(by_tenant.items()):
                with as_tenant(tenant_id), transaction.atomic():
                    self._charges(listed, seen)

    def _charges(self, rows: list[ChargeRow], seen: Counter[str]) -> None:
        found = dict(Shipment.objects.filter(ref__in={r.shipment_ref for r in rows}).values_list("ref", "pk"))
        kept = []
        for row in rows:
            if row.shipment_ref not in found:
                self._refuse("charges.csv", row, Reason.NO_MATCHING_SHIPMENT,
                             f"The account has no shipment {row.shipment_ref[:40]!a}.")  # fmt: skip
                continue
            parts = (row.account.upper(), row.shipment_ref, row.container, row.code, f"{row.amount.normalize():f}",
                     row.currency, row.recorded_at.isoformat())  # fmt: skip
            line = ids.digest("\x1f".join(parts))
            seen[line] += 1
            kept.append(Charge(shipment_id=found[row.shipment_ref], row=row, source_key=f"history:{line}:{seen[line]}"))
        if kept and _keep_charges:
            self.done.charges += _keep_charges[0](kept)
