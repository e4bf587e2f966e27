"""`python bench/facts.py`: events and what is derived of them both current, against the insert alone (mark B5).

A burst tells of a few thousand shipments in messages of 1,000 events. First side: applied, the shipments noted. Second:
the notes drained by the workers' own code. Then four writers of large and small messages and two drains on the same
shipments at once. At the end every stored row is compared with a full derivation.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from datetime import UTC, datetime
from typing import Any

from stage import dcsa, feed, operator, places, stage, traffic

BATCH = 1_000
AT = datetime(2026, 6, 1, tzinfo=UTC)


def main() -> None:
    """Command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--shipments", type=int, default=4_000)
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--workers", type=int, default=2, help="processes that drain")
    given = reader.parse_args()
    with stage() as here:
        operator()
        places()
        feed("warm")
        (tenant,), (stream,) = traffic(tenants=1, shipments=given.shipments, seed=5, prefix="F")
        bodies = [
            json.dumps([dcsa(row) for row in stream[n : n + BATCH]]).encode() for n in range(0, len(stream), BATCH)
        ]
        for n in range(given.rounds + 2):
            feed(f"line-{n}")
        _apply("line-0", bodies[:1])  # the first plans are made
        _drain(tenant, given.workers)
        here.sql("vacuum analyze")
        inserts, drains = [], []
        for n in range(given.rounds):  # another source tells all of it: everything is derived anew
            began = time.perf_counter()
            _apply(f"line-{n}", bodies)
            inserts.append(time.perf_counter() - began)
            began = time.perf_counter()
            _drain(tenant, given.workers)
            drains.append(time.perf_counter() - began)
        whole, alone = (
            statistics.median(i + d for i, d in zip(inserts, drains, strict=True)),
            statistics.median(inserts),
        )
        events = len(stream)
        print(f"{events:,} events of {given.shipments:,} shipments, {given.rounds} rounds, medians")
        print(f"insert alone {alone:.2f} s ({events / alone:,.0f} ev/s); events and facts {whole:.2f} s")
        print(f"both current in {whole / alone:.2f}x the insert alone (B5: <= 4)")
        print(f"drained {events / statistics.median(drains):,.0f} ev/s by {given.workers} processes (B5: >= 10,000)")
        _together(tenant, given.rounds, bodies[: max(8, len(bodies) // 4)])
        print(f"four writers and two drains at once: no error; differences to a full derivation: {_differing(tenant)}")


def _fresh() -> None:
    from django.db import connections

    connections.close_all()


def _apply(key: str, bodies: list[bytes]) -> None:
    from django.db import OperationalError

    from portal.tenancy.context import OPERATOR_ID, as_tenant
    from tracking.ingest import message_process, message_receive
    from tracking.models import Source

    with as_tenant(OPERATOR_ID):
        source = Source.objects.get(key=key)
        for body in bodies:
            message = message_receive(source=source, body=body, channel="HTTP", at=AT, content_type="application/json")
            for _n in range(50):
                try:
                    message_process(public_id=message.public_id, at=AT)
                    break
                except OperationalError:  # a lock that took too long: the outbox would come again
                    continue
            else:
                raise AssertionError("never applied")


def _drain(tenant: int, workers: int) -> None:
    _fresh()
    jobs = [multiprocessing.get_context("fork").Process(target=_drain_one, args=(tenant,)) for _n in range(workers)]
    _all(jobs)


def _drain_one(tenant: int) -> None:
    from portal.tenancy.context import as_tenant
    from tracking.ingest.touched import touched_derive

    with as_tenant(tenant):
        while not touched_derive(at=AT, portions=50):
            pass


def _all(jobs: list[Any]) -> None:
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
        assert job.exitcode == 0, f"a process ended with {job.exitcode}"


def _together(tenant: int, first: int, bodies: list[bytes]) -> None:
    """Two sources, each sent by two writers in different orders and sizes; two drains run beside them."""
    small = [json.dumps(json.loads(body)[n : n + 40]).encode() for body in bodies[:4] for n in range(0, BATCH, 40)]
    writers = [(first, bodies), (first, bodies[::-1]), (first + 1, bodies[::2]), (first + 1, small)]
    _fresh()
    fork = multiprocessing.get_context("fork")
    jobs = [fork.Process(target=_apply, args=(f"line-{n}", listed)) for n, listed in writers]
    jobs += [fork.Process(target=_drain_for, args=(tenant, 20.0)) for _n in range(2)]
    _all(jobs)
    _drain(tenant, 2)


def _drain_for(tenant: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _drain_one(tenant)
        time.sleep(0.05)


def _differing(tenant: int) -> int:
    from django.db import transaction

    from portal.tenancy.context import as_tenant
    from tracking.derivation import stale
    from tracking.models import Shipment, Touched

    found = last = 0
    with as_tenant(tenant), transaction.atomic():
        assert not Touched.objects.exists()
        while page := list(Shipment.objects.filter(pk__gt=last).order_by("pk")[:1_000]):
            last = page[-1].pk
            found += len(stale(page, at=AT))
    return found


if __name__ == "__main__":
    os.environ.setdefault("PLIMSOLL_NO_BOOTSTRAP", "1")
    main()
