"""`python bench/ingest.py`: events through the HTTP door against an indexed COPY of the same rows (marks B4 and B6).

gunicorn with 2 workers, 2 client processes, one feed each. Every round sends new batches, then the rows that were
stored are taken out and copied into the same table again, with all its keys, by one connection that row security does
not hold up. Nothing else of the portal runs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
from stage import ROOT, Stage, busy_of, dcsa, feed, mixed, operator, places, stage, traffic

BATCH = 1_000
_gunicorn: list[int] = []


@dataclass
class Kind:
    """One kind of batches: of one account, or of many in turn."""

    name: str
    batches: list[bytes]
    rates: list[float] = field(default_factory=list)
    copies: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    web: list[float] = field(default_factory=list)  # processor microseconds an event: the portal
    database: list[float] = field(default_factory=list)  # and the database behind it
    copying: list[float] = field(default_factory=list)  # and of COPY


def main() -> None:
    """Command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--batches", type=int, default=20, help="of 1,000 events, a round")
    reader.add_argument("--shipments", type=int, default=20_000)
    reader.add_argument("--tenants", type=int, nargs="*", default=[1, 20, 100])
    reader.add_argument("--one-feed", action="store_true", help="both clients send as one source: its versions wait")
    given = reader.parse_args()
    with stage() as here:
        operator()
        places()
        keys = [(f"feed-{n}", feed(f"feed-{n}")) for n in range(2)]
        if given.one_feed:  # versions of one source wait for each other
            keys = [keys[0]] * 2
        kinds = [_kind(count, given) for count in given.tenants]
        with _web() as port:
            for kind in kinds:  # the first plans are made, and the tables are known not to be empty
                _send(port, keys, [kind.batches.pop(0) for _n in range(2)])
            here.sql("vacuum analyze")
            for number in range(given.rounds):
                for kind in kinds:
                    _round(here, port, keys, kind, number, given.batches)
        for kind in kinds:
            _tell(kind)
        _shape(here)


def _kind(tenants: int, given: Any) -> Kind:
    _ids, told = traffic(tenants=tenants, shipments=given.shipments, seed=7 * tenants, prefix=f"K{tenants}X")
    stream = told[0] if tenants == 1 else mixed(told, 1)
    wanted = (given.rounds * given.batches + 2) * BATCH
    assert len(stream) >= wanted, f"{len(stream)} events for {wanted}: take more shipments"
    bodies = [
        json.dumps([dcsa(row) for row in stream[n : n + BATCH]], separators=(",", ":")).encode()
        for n in range(0, wanted, BATCH)
    ]
    return Kind(f"{tenants} account{'s' if tenants > 1 else ''}", bodies)


class _web:
    """gunicorn for the block."""

    def __enter__(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        command = [sys.executable, "-W", "ignore", "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}",
                   "--no-control-socket", "--log-level", "warning", "portal.wsgi:application"]  # fmt: skip
        self.child = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), start_new_session=True)
        _gunicorn[:] = [self.child.pid]
        for _n in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        return port

    def __exit__(self, *_: object) -> None:
        self.child.terminate()
        self.child.wait(20)


def _round(here: Stage, port: int, keys: list[tuple[str, str]], kind: Kind, number: int, batches: int) -> None:
    bodies = kind.batches[number * batches : (number + 1) * batches]
    last = _newest(here)
    web, database = busy_of(_gunicorn[0]), here.busy()
    took, answers = _send(port, keys, bodies)
    kind.web.append((busy_of(_gunicorn[0]) - web) / batches / BATCH * 1e6)
    kind.database.append((here.busy() - database) / batches / BATCH * 1e6)
    assert all(a["accepted"] + a["duplicate"] == a["received"] for a in answers), answers[0]
    kind.rates.append(batches * BATCH / took)
    again, repeated = _send(port, keys, bodies)
    assert all(a["duplicate"] == a["received"] for a in repeated), "the second time all is known"
    kind.again.append(again / took)
    stored = _newest(here)
    rate, busy = _copy(here, last, stored)
    kind.copies.append(rate)
    kind.copying.append(busy)
    here.sql("vacuum tracking_sightingrow")


def _newest(here: Stage) -> int:
    return int(here.sql("select coalesce(max(id), 0) from tracking_sightingrow")[0][0])


def _send(port: int, keys: list[tuple[str, str]], bodies: list[bytes]) -> tuple[float, list[dict[str, Any]]]:
    """Two client processes share the batches; seconds from the first byte to the last answer, and the answers."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(_warm, range(2))
        began = time.perf_counter()
        found = pool.starmap(_client, [(port, *keys[n], bodies[n::2]) for n in range(2)], chunksize=1)
        took = time.perf_counter() - began
    return took, [answer for part in found for answer in part]


def _warm(_n: int) -> None:
    time.sleep(0.05)


def _client(port: int, source: str, key: str, bodies: list[bytes]) -> list[dict[str, Any]]:
    answers = []
    for body in bodies:
        door = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        door.request("POST", f"/ingest/{source}", body=body,
                     headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})  # fmt: skip
        answer = door.getresponse()
        text = answer.read()
        assert answer.status == 200, (answer.status, text[:500])
        answers.append(json.loads(text))
        door.close()
    return answers


def _copy(here: Stage, first: int, last: int) -> tuple[float, float]:
    """Takes rows out and copies them in again, with every key and reference checked: rows a second, and processor
    microseconds a row.
    """
    with psycopg.connect(here.admin) as admin:
        with (
            admin.cursor() as cursor,
            cursor.copy(
                f"copy (select * from tracking_sightingrow where id > {first} and id <= {last} order by id) to stdout"
            ) as out,
        ):
            blocks = [bytes(block) for block in out]
        admin.execute("set local session_replication_role = replica")  # the table keeps what it has, but not from us
        gone = admin.execute("delete from tracking_sightingrow where id > %s and id <= %s", [first, last]).rowcount
        admin.commit()
    here.sql("vacuum tracking_sightingrow")
    body = b"".join(blocks)
    with psycopg.connect(here.admin) as admin:
        began, busy = time.perf_counter(), here.busy()
        with admin.cursor() as cursor, cursor.copy("copy tracking_sightingrow from stdin") as into:
            into.write(body)
        admin.commit()
        return gone / (time.perf_counter() - began), (here.busy() - busy) / max(gone, 1) * 1e6


def _tell(kind: Kind) -> None:
    ratio = statistics.median(r / c for r, c in zip(kind.rates, kind.copies, strict=True))
    again = statistics.median(kind.again)
    print(
        f"batches of {kind.name:<13} HTTP {statistics.median(kind.rates):8,.0f} ev/s   "
        f"indexed COPY {statistics.median(kind.copies):8,.0f} ev/s   ratio {ratio:.2f} (B4: >= 0.40)   "
        f"sent again {again:.2f} of the first time (B6: <= 1.50)",
        flush=True,
    )
    web, database, copying = (statistics.median(listed) for listed in (kind.web, kind.database, kind.copying))
    print(
        f"    processor time an event: portal {web:.0f} us + database {database:.0f} us; COPY {copying:.0f} us. "
        f"With this machine to itself that is {(os.cpu_count() or 1) * copying / (web + database):.2f} at most",
        flush=True,
    )


def _shape(here: Stage) -> None:
    rows, size = here.sql(
        "select count(*), pg_total_relation_size('tracking_sightingrow') / greatest(count(*), 1) "
        "from tracking_sightingrow"
    )[0]
    print(f"{rows:,} events stored, {size:,} bytes each with their keys")


if __name__ == "__main__":
    main()
