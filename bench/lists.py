"""`python bench/lists.py`: the list of shipments against a plain django-tables2 page (marks B7, B8, B10, B12, B14).

Two accounts, a small one and a large one, with the same mix of shipments. Pages are measured in process through the
whole middleware, both sides in turn, signed in; requests a second through gunicorn with 2 workers; the CSV against COPY
of the same rows and columns by the database itself.
"""

from __future__ import annotations

import argparse
import http.client
import multiprocessing
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
from stage import ROOT, Stage, operator, places, stage

_CLIENTS = 4


def main() -> None:
    """Command line."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--large", type=int, default=30_000, help="shipments of the large account (M: 106,000)")
    reader.add_argument("--small", type=int, default=3_000, help="and of the small one (S: 10,700)")
    reader.add_argument("--others", type=int, default=20_000, help="shipments of other accounts beside them")
    reader.add_argument("--rounds", type=int, default=5)
    reader.add_argument("--pages", type=int, default=20, help="requests a round and side")
    reader.add_argument("--seconds", type=float, default=4.0, help="of requests through gunicorn, a side")
    given = reader.parse_args()
    with stage() as here:
        operator()
        places()
        members = {name: _account(name) for name in ("LARGE", "SMALL", "OTHER")}
        for name, count in (("OTHER", given.others), ("SMALL", given.small), ("LARGE", given.large)):
            _fill(here, members[name].tenant_id, count)
        here.sql("vacuum analyze")
        cookies = {name: _session(member) for name, member in members.items()}
        sys.path.insert(0, str(ROOT / "bench"))
        import plain_list  # noqa: F401  # from here on both sides can be asked

        _pages(given, cookies)
        _flat(given, cookies, members)
        _search(here, given, members["LARGE"].tenant_id)
        _throughput(given, cookies["LARGE"])
        _csv(here, given, cookies["LARGE"], members["LARGE"].tenant_id)


# --- who is there ---


def _account(code: str) -> Any:
    from portal.tenancy.context import as_tenant
    from portal.tenancy.models import Member, Role, User
    from portal.tenancy.services import tenant_create
    from tiers.promises.services import subscription_open
    from tiers.promises.types import Tier

    at = datetime.now(UTC)
    tenant = tenant_create(code=code, name=code, zone="UTC", at=at)
    with as_tenant(tenant.pk):
        subscription_open(tier=Tier.PRIORITY, valid_from=date(2025, 1, 1), at=at)  # every event: as COPY reads them
        user = User.objects.create(email=f"{code.lower()}@example.com", password="!")
        return Member.objects.create(user=user, name=code, role=Role.MEMBER, created_at=at)


def _session(member: Any) -> str:
    """A cookie as after a sign-in."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from portal.account.sessions import session_begin

    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(member.user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = member.user.get_session_auth_hash()
    session_begin(session, at=datetime.now(UTC), second_factor=None)
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


# 18 months of shipments, nine in ten done: what lists read, written at once. Deriving it is other benches' business.
_SHIPMENTS = """
with codes(ports) as (select array_agg(code order by md5(code)) from tracking_place),
numbered as (
  select n, abs(hashint8(n::bigint)) %% 1000003 as h, n::double precision / %(count)s as share
  from generate_series(1, %(count)s) n
), made as (
  select n, h, share < 0.9 as done, timestamptz '2025-05-01' + share * interval '600 days' as day,
    ports[1 + h %% 9] as pol, ports[10 + h / 9 %% 10] as pod
  from numbered, codes
)
insert into tracking_shipment (tenant_id, public_id, ref, final_milestone, mode, load, mode_as_written, pol, pod,
  final_place, transhipments, carrier, voyage, vessel_imo, branch, vertical, trade, booked_at, cancelled_by, lane,
  created_at, due_at, due_is_exclusive, due_date, due_period, milestone, milestone_at, status, eta_at, final_at,
  punctuality, last_event_at, last_heard_at)
select %(t)s, substr(md5('p' || %(t)s || n), 1, 20), 'MRD-' || %(t)s || '-' || lpad(n::text, 7, '0'), 'CY', 'SEA',
  'FCL', '', pol, pod, pod, '{}',
  ('{MAEU,HLCU,MSCU,CMDU,ONEY,EGLV,COSU,YMLU,ZIMU,HDMU,OOLU,PILU}'::text[])[1 + h %% 12],
  '6' || h %% 90, '9321483', ('{Rotterdam,Singapore,Hamburg}'::text[])[1 + h %% 3],
  ('{Automotive,Retail,Chemicals,Food}'::text[])[1 + h %% 4], '', day - interval '45 days', '', pol || '-' || pod,
  day - interval '45 days', case when h %% 50 > 0 then day end, true, case when h %% 50 > 0 then (day)::date end,
  case when h %% 50 > 0 then to_char(day, 'YYYY-MM') else '' end,
  case when done then 'CY_AVAILABLE'
    else ('{GATE_IN_FULL,LOADED,VESSEL_DEPARTED,VESSEL_ARRIVED}'::text[])[1 + h %% 4] end,
  day - interval '3 days',
  case when done then 'DONE' when h %% 97 = 0 then 'CANCELLED' when h %% 4 = 3 then 'ARRIVED' else 'UNDER_WAY' end,
  day + make_interval(hours => h %% 96 - 72), case when done then day + make_interval(hours => h %% 96 - 72) end,
  case when not done then case when h %% 96 > 72 then 'AT_RISK' else 'OPEN' end
    when h %% 96 > 72 then 'LATE' else 'ON_TIME' end, day - interval '3 days', day - interval '2 days'
from made
"""
_BOXES = """
insert into tracking_container (tenant_id, shipment_id, number)
select tenant_id, id, 'MSKU' || lpad((id %% 10000000)::text, 7, '0') from tracking_shipment where tenant_id = %(t)s
"""
_REFERENCES = """
insert into tracking_reference (tenant_id, shipment_id, kind, value, written)
select s.tenant_id, s.id, k.kind, k.value, k.value from tracking_shipment s
cross join lateral (values ('SHIPMENT', replace(s.ref, '-', '')),
  ('CONTAINER', 'MSKU' || lpad((s.id %% 10000000)::text, 7, '0')),
  ('BOOKING', 'BKG' || upper(substr(md5('b' || s.id), 1, 9))), ('HBL', 'MERH' || lpad(s.id::text, 8, '0')),
  ('MBL', s.carrier || upper(substr(md5('m' || s.id), 1, 10))),
  ('PO', '45' || lpad(((s.id * 7919) %% 100000000)::text, 8, '0'))
) k(kind, value) where s.tenant_id = %(t)s
"""


def _fill(here: Stage, tenant_id: int, count: int) -> None:
    began = time.perf_counter()
    for text in (_SHIPMENTS, _BOXES, _REFERENCES):
        here.sql(text, {"t": tenant_id, "count": count})
    print(f"{count:,} shipments in {time.perf_counter() - began:.0f} s", flush=True)


# --- measuring ---


def _client(cookie: str) -> Any:
    from django.test import Client

    client = Client(SERVER_NAME="localhost")
    client.cookies.load(cookie)
    return client


def _ask(client: Any, address: str) -> tuple[float, bytes]:
    began = time.perf_counter()
    answer = client.get(address)
    took = time.perf_counter() - began
    assert answer.status_code == 200, (address, answer.status_code, answer.content[:300])
    return took * 1e3, answer.content


def _timed(client: Any, address: str, times: int) -> list[float]:
    return [_ask(client, address)[0] for _n in range(times)]


def _p(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def _pages(given: Any, cookies: dict[str, str]) -> None:
    """B7: the first page of the large account."""
    client = _client(cookies["LARGE"])
    sides: dict[str, list[float]] = {"/shipments?view=all": [], "/plain": []}
    sizes = {}
    for address in sides:
        _timed(client, address, 3)
        sizes[address] = len(_ask(client, address)[1])
    ratios: list[tuple[float, float]] = []
    for _round in range(given.rounds):
        now = {address: _timed(client, address, given.pages) for address in sides}
        for address, times in now.items():
            sides[address] += times
        own, plain = now["/shipments?view=all"], now["/plain"]
        ratios.append((_p(own, 0.5) / _p(plain, 0.5), _p(own, 0.95) / _p(plain, 0.95)))
    for address, times in sides.items():
        size = f"{sizes[address] / 1024:5.1f} KiB"
        print(f"{address:<22} p50 {_p(times, 0.5):6.1f} ms  p95 {_p(times, 0.95):6.1f} ms  {size}")
    p50, p95 = (statistics.median(r[n] for r in ratios) for n in (0, 1))
    print(f"B7: ratio p50 {p50:.2f}, p95 {p95:.2f} (<= 0.35); {sizes['/shipments?view=all'] / 1024:.1f} KiB (<= 60)")
    counts = _timed(client, "/shipments/counts", given.pages)
    print(f"    the counts that come after it: p50 {_p(counts, 0.5):.1f} ms, p95 {_p(counts, 0.95):.1f} ms", flush=True)


def _flat(given: Any, cookies: dict[str, str], members: dict[str, Any]) -> None:
    """B8: pages of the large account against the same pages of the small one."""
    asked = {
        "first page": "view=all", "status": "status=UNDER_WAY", "late": "standing=late", "lane": "lane={lane}",
        "pol": "pol={pol}", "carrier": "carrier=HLCU", "branch": "branch=Hamburg", "last event": "milestone=LOADED",
        "month": "month=2025-09", "window": "due_from=2025-09-01&due_to=2025-09-07", "by estimate": "sort=-expected",
        "by news": "sort=-heard", "deepest page": "view=all&newer={last}",
    }  # fmt: skip
    clients = {name: _client(cookies[name]) for name in ("LARGE", "SMALL")}
    places = {name: _values(members[name].tenant_id) for name in clients}
    times: dict[str, dict[str, list[float]]] = {what: {"LARGE": [], "SMALL": []} for what in asked}
    for round_ in range(given.rounds * given.pages // 2 + 2):
        for what, query in asked.items():
            for name, client in clients.items():  # in turn, request by request: what else runs here hits both
                took, _page = _ask(client, f"/shipments?{query.format(**places[name])}")
                times[what][name] += [took] if round_ > 1 else []
    told = {what: _p(by["LARGE"], 0.5) / _p(by["SMALL"], 0.5) for what, by in times.items()}
    for what, ratio in told.items():
        large, small = (_p(times[what][name], 0.5) for name in ("LARGE", "SMALL"))
        print(f"    {what:<14} large {large:5.1f} ms  small {small:5.1f} ms  ratio {ratio:.2f}")
    plain = [f"/plain?page={n}" for n in (1, given.large // 50 - 1)]
    deep = [_p(_timed(clients["LARGE"], address, 5), 0.5) for address in plain]
    print(f"B8: highest ratio large to small {max(told.values()):.2f} (<= 1.15); "
          f"plain page: first {deep[0]:.0f} ms, last {deep[1]:.0f} ms", flush=True)  # fmt: skip


def _values(tenant_id: int) -> dict[str, str]:
    """What the pages of this account are asked for: one lane, one port, and the cursor of its oldest row."""
    from urllib.parse import quote

    from portal.tenancy.context import as_tenant
    from tracking.models import Shipment

    with as_tenant(tenant_id):
        middle = Shipment.objects.filter(status="UNDER_WAY").order_by("id").first()
        last = Shipment.objects.filter(due_at__isnull=True).order_by("id").first()
    return {"lane": middle.lane, "pol": middle.pol, "last": quote(f"{last.public_id}.")}


def _search(here: Stage, given: Any, tenant_id: int) -> None:
    """B10: exactly, by beginning and by part, as the portal's role under row security; LIKE behind the same wall."""
    from django.db import connection

    from portal.tenancy.context import as_tenant
    from tracking.filters import Terms
    from tracking.search import search

    sql = "select value from tracking_reference where tenant_id = %s order by md5(value) limit 300"
    values = [row[0] for row in here.sql(sql, [tenant_id])]
    dice = random.Random(1)
    kinds: dict[str, Callable[[str], str]] = {
        "exact": lambda v: v, "beginning": lambda v: v[: dice.randint(5, len(v) - 1)],
        "part": lambda v: v[(start := dice.randint(1, len(v) - 6)) : start + dice.randint(4, 6)],
    }  # fmt: skip
    worst = 0.0
    with as_tenant(tenant_id):
        for kind, cut in kinds.items():
            terms = [Terms.read(cut(value)) for value in values]
            times = [_clocked(lambda term=term: search(term)) for term in terms]
            worst = max(worst, _p(times, 0.95))
            print(f"    search {kind:<10} p50 {_p(times, 0.5):5.2f} ms  p95 {_p(times, 0.95):5.2f} ms")

        def like(value: str) -> None:
            with connection.cursor() as cursor:
                cursor.execute("select distinct shipment_id from tracking_reference where value like %s limit 1001",
                               [f"%{value[2:8]}%"])  # fmt: skip
                cursor.fetchall()

        plain = [_clocked(lambda value=value: like(value)) for value in values[:10]]
        with connection.cursor() as cursor:
            idle = [_clocked(lambda: cursor.execute("select 1")) for _n in range(300)]
    print(f"B10: p95 {worst:.1f} ms (<= 10); a plain LIKE under row security p50 {_p(plain, 0.5):.0f} ms", flush=True)
    print(f"    how busy this machine is: select 1 took p50 {_p(idle, 0.5):.2f} ms, p95 {_p(idle, 0.95):.2f} ms")


def _clocked(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def _throughput(given: Any, cookie: str) -> None:
    """B12: requests a second through two workers, and what a worker weighs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "gunicorn", "--workers", "2", "--bind", f"127.0.0.1:{port}",
               "--no-control-socket", "--log-level", "warning", "--chdir", str(ROOT / "bench"),
               "plain_list:application"]  # fmt: skip
    web = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True)
    try:
        rates: dict[str, list[float]] = {"/shipments?view=all": [], "/plain": []}
        _answers(port)
        for round_ in range(3):
            for address, found in rates.items():
                rate = _rate(port, cookie, address, 1.0 if not round_ else given.seconds)
                found += [rate] if round_ else []
        memory = _memory(web.pid)
    finally:
        web.terminate()
        web.wait(20)
    own, plain = (statistics.median(found) for found in rates.values())
    print(f"B12: {own:.0f} requests/s against {plain:.0f}: {own / plain:.1f}x (>= 4); "
          f"a worker {memory:.0f} MB (<= 130)", flush=True)  # fmt: skip


def _answers(port: int) -> None:
    for _n in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)


def _rate(port: int, cookie: str, address: str, seconds: float) -> float:
    with multiprocessing.get_context("fork").Pool(_CLIENTS) as pool:
        return sum(pool.starmap(_knock, [(port, cookie, address, seconds)] * _CLIENTS)) / seconds


def _knock(port: int, cookie: str, address: str, seconds: float) -> int:
    ends, count = time.perf_counter() + seconds, 0
    while time.perf_counter() < ends:
        door = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        door.request("GET", address, headers={"Cookie": cookie})
        answer = door.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        door.close()
        count += 1
    return count


def _memory(pid: int) -> float:
    """Resident megabytes of the heaviest worker."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
    heavy = [
        int(line.split()[1]) / 1024
        for child in found
        for line in Path(f"/proc/{child}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return max(heavy, default=0.0)


_COPY = """
copy (select ref, carrier, punctuality, status, mode, pol, final_place, lane, due_date, due_at, eta_at, final_at,
  milestone, milestone_at, (select string_agg(c.number, '|') from tracking_container c where c.tenant_id = s.tenant_id
  and c.shipment_id = s.id and c.removed_at is null) from tracking_shipment s order by due_at desc nulls last, id desc)
to stdout with (format csv)
"""


def _csv(here: Stage, given: Any, cookie: str, tenant_id: int) -> None:
    """B14: the CSV of the whole account, streamed, against COPY of the same rows as the same role in the same scope."""
    client, ratios, own, copied = _client(cookie), [], [], []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for round_ in range(4):
        began, lines = time.perf_counter(), 0
        for block in client.get("/shipments.csv?view=all"):
            lines += block.count(b"\n")
        took = time.perf_counter() - began
        assert lines == given.large + 1, lines
        with psycopg.connect(os.environ["DATABASE_URL"]) as app:
            app.execute("select set_config('app.tenant_id', %s, true)", [str(tenant_id)])
            began, size = time.perf_counter(), 0
            with app.cursor() as cursor, cursor.copy(_COPY) as out:
                for part in out:
                    size += len(part)
            copy_took = time.perf_counter() - began
        if round_:
            own.append(given.large / took)
            copied.append(given.large / copy_took)
            ratios.append(copy_took / took)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"B14: {statistics.median(own):,.0f} rows/s against COPY {statistics.median(copied):,.0f}: "
          f"{statistics.median(ratios):.2f} (>= 0.3); memory grew by {grown:.0f} MB", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
