"""A partner whose messages must not be lost: journeys of two accounts, letters, and a sender that never gives up.

What the letters must lead to is written down here, independent of the product's rules.
"""

from __future__ import annotations

import http.client
import json
import random
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.lib.ids import digest
from portal.tenancy.context import OPERATOR_ID, as_tenant
from portal.tenancy.keys import key_create
from tests.cast import Account
from tests.tracking.messages import box, equipment, shipment, source, vessel
from tracking.models import Shipment
from tracking.services import dcsa_secret
from tracking.signatures import signature

# what a carrier reports of a box to a door in Rotterdam, and the milestone that it proves
STEPS = (
    ("GTIN", "CNSHA", "GATE_IN_FULL"), ("DEPA", "CNSHA", "VESSEL_DEPARTED"), ("ARRI", "NLRTM", "VESSEL_ARRIVED"),
    ("GTOT", "NLRTM", "GATE_OUT_FULL"), ("DROP", "NLRTM", "DELIVERED"),
)  # fmt: skip


@dataclass(frozen=True)
class Journey:
    """A shipment, and the milestones that it must have in the end."""

    account: Account
    shipment: Shipment
    expected: dict[str, datetime]
    events: list[dict[str, Any]]


def journey(account: Account, chance: random.Random) -> Journey:
    """A door shipment on which everything happened within the last hours, so that all of it is news."""
    now = datetime.now(UTC).replace(microsecond=0)
    number, booking = box(), f"K{secrets.token_hex(6).upper()}"
    voyage = f"V{secrets.token_hex(4).upper()}"  # of its own: what a vessel does concerns everybody on its voyage
    made = shipment(
        account, containers=(number,), booking=booking, voyage=voyage, due_date=(now + timedelta(days=2)).date(),
        booked_at=now - timedelta(days=2), confirmed_at=now - timedelta(days=2),
    )  # fmt: skip
    at, events, expected = now - timedelta(hours=10), [], {}
    for code, place, milestone in STEPS[: chance.randint(2, len(STEPS))]:  # some are still under way
        at += timedelta(seconds=chance.randint(1800, 5400))
        text = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        if code in ("DEPA", "ARRI"):
            event = vessel(code, booking, text, place=place)
            event["transportCall"]["exportVoyageNumber"] = voyage
        else:
            event = equipment(code, number, text, place=place)
        events.append(event)
        expected[milestone] = at
    return Journey(account=account, shipment=made, expected=expected, events=events)


@dataclass(frozen=True)
class Letter:
    """One message, always sent with the same bytes; `key` is its Idempotency-Key, if it has one."""

    body: bytes
    door: str  # HTTP or CALLBACK
    key: str
    events: int
    strangers: int  # events that match nobody and must be quarantined

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return digest(self.body)


def letters(journeys: list[Journey], chance: random.Random) -> list[Letter]:
    """Every event once or twice, in no order, mixed over accounts, with strangers among them, through both doors."""
    events = [event for found in journeys for event in found.events]
    events += chance.sample(events, len(events) // 5)  # told twice
    chance.shuffle(events)
    an_hour_ago = f"{datetime.now(UTC) - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    written: list[Letter] = []
    number = 0
    while events:
        batch, events = events[: (size := chance.randint(1, 5))], events[size:]
        strangers = [equipment("GTIN", box(), an_hour_ago)] if chance.random() < 0.3 else []
        number += 1
        door = chance.choice(("HTTP", "CALLBACK"))
        key = f"letter-{number}-{secrets.token_hex(4)}" if door == "HTTP" and chance.random() < 0.5 else ""
        body = json.dumps(batch + strangers).encode()
        written.append(Letter(body, door, key, len(batch) + len(strangers), len(strangers)))
    return written


@dataclass
class Sender:
    """Delivers letters over HTTP on several threads; an answer that does not come means the same letter again."""

    address: str
    waiting: list[Letter]
    threads: int = 2
    acked: list[tuple[Letter, str]] = field(default_factory=list)  # with the message's public id, where it was told
    tries: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """The partner becomes known to the portal."""
        self.secret = dcsa_secret()
        self.source = source(secret=self.secret)
        with as_tenant(OPERATOR_ID):
            _row, self.key = key_create(
                label="feed", at=datetime.now(UTC), scope="events:write", source_key=self.source.key
            )
        self._tokens, self._lock, self._over = threading.Semaphore(0), threading.Lock(), threading.Event()
        self._running = [threading.Thread(target=self._work, daemon=True) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()

    def release(self, count: int) -> None:
        """So many more letters may go out."""
        self._tokens.release(count)

    def finish(self, *, seconds: float) -> None:
        """Waits until every letter has its answer."""
        deadline = time.monotonic() + seconds
        for thread in self._running:
            thread.join(timeout=max(0.1, deadline - time.monotonic()))
        alive = sum(thread.is_alive() for thread in self._running)
        assert not alive, f"letters without an answer: {len(self.waiting)} + {alive}, answers: {self.statuses}"

    def stop(self) -> None:
        """Gives up, after a failed test."""
        self._over.set()
        self._tokens.release(self.threads)

    def _work(self) -> None:
        while not self._over.is_set():
            with self._lock:
                if not self.waiting:
                    return
            if not self._tokens.acquire(timeout=0.2):
                continue
            with self._lock:
                letter = self.waiting.pop() if self.waiting else None
            while letter is not None and not self._over.is_set() and not self._deliver(letter):
                time.sleep(0.15)

    def _deliver(self, letter: Letter) -> bool:
        if letter.door == "CALLBACK":
            path, headers = "/dcsa/callbacks/", {"Notification-Signature": signature(letter.body, self.secret)}
        else:
            path, headers = "/ingest/", {"Authorization": f"Bearer {self.key}"}
            if letter.key:
                headers["Idempotency-Key"] = letter.key
        request = urllib.request.Request(
            f"http://{self.address}{path}{self.source.key}", data=letter.body, method="POST",
            headers={"Content-Type": "application/json", **headers},
        )  # fmt: skip
        with self._lock:
            self.tries[letter.sha256] += 1
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, told = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, told = refused.code, b""
        except (OSError, http.client.HTTPException):  # nobody there, or died while answering
            return False
        with self._lock:
            self.statuses[status] += 1
            if status in (200, 202, 204):
                self.acked.append((letter, json.loads(told)["message"] if told else ""))
        return status in (200, 202, 204)
