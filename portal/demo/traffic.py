"""A forwarder's traffic as history files: accounts, shipments, events, seeded, the same for the same seed and day.

Standard library only, knows no tables. Shape: accounts by Zipf 1.1, 300 lanes, 12 carriers, 60 ports, 18 months, 12
events a shipment; 2 % duplicates, 3 % out of order, 4 % of actuals missing, 1 % corrected.
"""

from __future__ import annotations

import bisect
import csv
import heapq
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

SIZES = {"S": 50_000, "M": 500_000, "L": 2_000_000}
MONTHS, LANES, CARRIERS = 18, 300, 12
DUPLICATES, OUT_OF_ORDER, MISSING, CORRECTED = 0.02, 0.03, 0.04, 0.01
ORIGINS = (
    "CNSHA CNNGB CNYTN CNQIN CNXMN CNTXG CNDLC HKHKG TWKHH KRPUS JPTYO JPYOK JPUKB SGSIN MYPKG MYTPP THLCH VNSGN VNHPH "
    "IDJKT PHMNL INNSA INMUN INMAA LKCMB BDCGP PKKHI AEJEA SAJED EGPSD"
).split()
DESTINATIONS = (
    "NLRTM BEANR DEHAM DEBRV GBFXT GBSOU FRLEH ESVLC ESBCN ITGOA GRPIR PLGDN SEGOT DKAAR FIHEL NOOSL PTSIE USLAX USLGB "
    "USNYC USSAV USCHS USHOU USSEA CAVAN CAMTR MXVER BRSSZ COCTG ZADUR"
).split()
ZONES = {
    "NLRTM": "Europe/Amsterdam", "BEANR": "Europe/Brussels", "DEHAM": "Europe/Berlin", "DEBRV": "Europe/Berlin",
    "GBFXT": "Europe/London", "GBSOU": "Europe/London", "FRLEH": "Europe/Paris", "ESVLC": "Europe/Madrid",
    "ESBCN": "Europe/Madrid", "ITGOA": "Europe/Rome", "GRPIR": "Europe/Athens", "PLGDN": "Europe/Warsaw",
    "SEGOT": "Europe/Stockholm", "DKAAR": "Europe/Copenhagen", "FIHEL": "Europe/Helsinki", "NOOSL": "Europe/Oslo",
    "PTSIE": "Europe/Lisbon", "USLAX": "America/Los_Angeles", "USLGB": "America/Los_Angeles",
    "USNYC": "America/New_York", "USSAV": "America/New_York", "USCHS": "America/New_York",
    "USHOU": "America/Chicago", "USSEA": "America/Los_Angeles", "CAVAN": "America/Vancouver",
    "CAMTR": "America/Toronto", "MXVER": "America/Mexico_City", "BRSSZ": "America/Sao_Paulo",
    "COCTG": "America/Bogota", "ZADUR": "Africa/Johannesburg",
}  # fmt: skip
CARRIER_CODES = ("MAEU", "MSCU", "CMDU", "COSU", "HLCU", "ONEY", "EGLV", "HDMU", "YMLU", "ZIMU", "WHLC", "PABV")
PREFIXES = ("MSKU", "MSCU", "CMAU", "CSNU", "HLXU", "ONEU", "EISU", "HMMU", "YMMU", "ZIMU", "WHSU", "PCIU")
VERTICALS, BRANCHES = ("Retail", "Industrial", "Consumer", "Health", "Chemicals"), ("Rotterdam", "Singapore", "Houston")
LETTER_VALUES = dict(
    zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", (n for n in range(10, 39) if n % 11), strict=True)
)  # ISO 6346: multiples of 11 are left out


@dataclass(frozen=True, slots=True)
class Lane:
    """A pair of ports with its usual days at sea."""

    pol: str
    pod: str
    days: int


def check_digit(text: str) -> str:
    """The last digit of a container number."""
    total = sum((LETTER_VALUES[c] if c.isalpha() else int(c)) * 2**i for i, c in enumerate(text))
    return str(total % 11 % 10)


def imo(number: int) -> str:
    """A vessel's number with its check digit."""
    text = f"{number:06d}"
    return text + str(sum(int(c) * (7 - i) for i, c in enumerate(text)) % 10)


class World:
    """Accounts, lanes, ships of one seed."""

    def __init__(self, *, shipments: int, accounts: int, seed: int, start: datetime, prefix: str = "B") -> None:
        self.dice = random.Random(seed)  # noqa: S311 - traffic, not a secret
        self.shipments, self.start, self.prefix = shipments, start, prefix
        self.accounts = [f"{prefix}{n:04d}" for n in range(1, accounts + 1)]
        weights = [1 / n**1.1 for n in range(1, accounts + 1)]
        self.cumulative = list(itertools.accumulate(weights))
        pairs = [(o, d) for o in ORIGINS for d in DESTINATIONS]
        self.lanes = [Lane(o, d, self.dice.randrange(14, 38)) for o, d in self.dice.sample(pairs, LANES)]
        self.ships = {c: [imo(self.dice.randrange(900_000, 990_000)) for _ in range(15)] for c in CARRIER_CODES}

    def account(self) -> str:
        """One account; the first has about a fifth of everything at 200 accounts."""
        at = bisect.bisect(self.cumulative, self.dice.random() * self.cumulative[-1])
        return self.accounts[min(at, len(self.accounts) - 1)]

    def rows(self) -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
        """Each shipment with its events, unsorted."""
        for number in range(self.shipments):
            row = self.shipment(number)
            yield self.texts(row), list(self.events(row, number))

    def shipment(self, number: int) -> dict[str, Any]:
        """A shipment as booked."""
        dice, lane = self.dice, self.dice.choice(self.lanes)
        booked = self.start + timedelta(minutes=dice.randrange(MONTHS * 30 * 24 * 60))
        door = dice.random() < 0.5
        departs = booked + timedelta(days=14 + dice.random() * 7)
        arrives = departs + timedelta(days=lane.days)
        due = (arrives + timedelta(days=7 if door else 4)).date()
        carrier = dice.randrange(CARRIERS)
        box = f"{PREFIXES[carrier]}{(number * 7_919 + dice.randrange(7_919)) % 1_000_000:06d}"
        return {
            "account": self.account(), "shipment_ref": f"{self.prefix}{booked:%y}-{number:07d}",
            "final_milestone": "DOOR" if door else "CY", "pol": lane.pol, "pod": lane.pod, "final_place": lane.pod,
            "carrier": CARRIER_CODES[carrier], "booked_at": booked, "confirmed_at": booked + timedelta(hours=20),
            "due_date": due, "containers": box + check_digit(box), "booking": f"BK{self.prefix}{number:08d}",
            "hbl": f"HB{self.prefix}{number:08d}", "po_numbers": f"PO{dice.randrange(10**6):06d}",
            "branch": dice.choice(BRANCHES), "vertical": dice.choice(VERTICALS),
            "trade": f"{lane.pol[:2]}-{lane.pod[:2]}", "mode": "SEA",
            "vessel_imo": dice.choice(self.ships[CARRIER_CODES[carrier]]), "voyage": f"{dice.randrange(100, 999)}W",
            "departs": departs, "days": lane.days,
        }  # fmt: skip

    @staticmethod
    def texts(row: dict[str, Any]) -> dict[str, str]:
        """The row of shipments.csv."""
        written = {k: v for k, v in row.items() if k not in ("departs", "days")}
        return {k: stamp(v) if isinstance(v, datetime) else str(v) for k, v in written.items()}

    def events(self, row: dict[str, Any], number: int) -> Iterator[dict[str, Any]]:
        """About 12: plan, estimates, the milestones; some missing, corrected, repeated or told late."""
        dice, pol, pod = self.dice, row["pol"], row["pod"]
        slip = timedelta(days=max(0.0, dice.gauss(-0.5, 1.6)))
        away = row["departs"] + timedelta(hours=dice.gauss(0, 9))
        there = away + timedelta(days=row["days"]) + slip
        out = there + timedelta(days=1.2 + dice.random() * 2)
        door = row["final_milestone"] == "DOOR"
        planned = row["departs"] + timedelta(days=row["days"])
        told: list[tuple[str, str, datetime, str, bool | None, datetime | None]] = [
            ("DEPA", "PLN", row["departs"], pol, None, row["confirmed_at"] + timedelta(hours=2)),
            ("ARRI", "PLN", planned, pod, None, row["confirmed_at"] + timedelta(hours=2)),
            ("GTIN", "ACT", away - timedelta(days=2), pol, True, None),
            ("LOAD", "ACT", away - timedelta(hours=8), pol, True, None),
            ("DEPA", "ACT", away, pol, None, None),
            ("ARRI", "EST", planned + slip / 2, pod, None, away + timedelta(days=1)),
            ("ARRI", "EST", there, pod, None, there - timedelta(days=3)),
            ("ARRI", "ACT", there, pod, None, None),
            ("DISC", "ACT", there + timedelta(hours=11), pod, True, None),
            ("AVPU", "ACT", there + timedelta(hours=20), pod, True, None),
            ("GTOT", "ACT", out, pod, True, None),
        ]
        if door:
            told.append(("DROP", "ACT", out + timedelta(hours=7), pod, True, None))
        told.append(("GTIN", "ACT", out + timedelta(days=2 + dice.random() * 5), pod, False, None))
        for n, (code, cls, at, place, laden, known) in enumerate(told):
            if cls == "ACT" and dice.random() < MISSING:
                continue
            yield from self.told(row, f"E{self.prefix}{number:07d}-{n:02d}", code, cls, at, place, laden, known)

    def told(
        self, row: dict[str, Any], key: str, code: str, cls: str, at: datetime, place: str, laden: bool | None,
        known: datetime | None,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """One event as its source tells it, and perhaps once more, or corrected."""
        dice = self.dice
        at = at.replace(second=0, microsecond=0)
        delay = timedelta(hours=dice.expovariate(1 / 3)) + timedelta(minutes=2)
        if dice.random() < OUT_OF_ORDER:
            delay += timedelta(days=1 + dice.random() * 6)
        recorded = (known or at) + delay
        vessel_call = code in ("DEPA", "ARRI")
        event = {
            "source": row["carrier"].lower(), "source_event_id": key, "shipment_ref": "",
            "container": "" if vessel_call else row["containers"], "booking": row["booking"],
            "kind": "TRANSPORT" if vessel_call else "EQUIPMENT", "code": code, "classifier": cls,
            "event_time": at, "source_created_at": recorded - timedelta(minutes=1), "recorded_at": recorded,
            "place": place, "laden": "" if laden is None else str(laden).lower(),
            "mode": "VESSEL" if vessel_call else "", "vessel_imo": row["vessel_imo"] if vessel_call else "",
            "voyage": row["voyage"] if vessel_call else "",
        }  # fmt: skip
        yield event
        if dice.random() < DUPLICATES:
            yield {**event, "recorded_at": recorded + timedelta(hours=dice.expovariate(1 / 12))}
        if dice.random() < CORRECTED:
            later = recorded + timedelta(hours=1 + dice.expovariate(1 / 24))
            moved = at - timedelta(minutes=dice.randrange(10, 400))
            yield {
                **event,
                "event_time": moved,
                "source_created_at": later - timedelta(minutes=1),
                "recorded_at": later,
            }


def stamp(instant: datetime) -> str:
    """UTC to the second."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def generate(
    out: Path, *, shipments: int, accounts: int, seed: int, until: datetime, prefix: str = "B"
) -> dict[str, int]:
    """Writes the files; what would be learned after `until` is left out. Returns how many rows of each."""
    out.mkdir(parents=True, exist_ok=True)
    start = until - timedelta(days=MONTHS * 30 + 60)
    world = World(shipments=shipments, accounts=accounts, seed=seed, start=start, prefix=prefix)
    names: list[str] = []
    events = Sorter(out)
    with (out / "shipments.csv").open("w", encoding="utf-8", newline="") as file:
        writer: Any = None
        for row, told in world.rows():
            writer = writer or _writer(file, row)
            writer.writerow(row.values())
            for event in told:
                names = names or list(event)
                if event["recorded_at"] <= until:
                    texts = [stamp(v) if isinstance(v, datetime) else v for v in event.values()]
                    events.add(f"{event['recorded_at']:%Y%m%d%H%M%S%f}", ",".join(texts))
    with (out / "events.csv").open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(names) + "\n")
        file.writelines(events.lines())
    return {**_small_files(out, world, start), "shipments": shipments, "events": events.count}


class Sorter:
    """Lines in the order of their keys, equal ones in that of adding; on disk beyond a part, so memory stays flat."""

    PART = 200_000

    def __init__(self, folder: Path) -> None:
        self.count, self._folder = 0, folder
        self._held: list[str] = []
        self._parts: list[Path] = []

    def add(self, key: str, line: str) -> None:
        """One line; keys are as long as each other."""
        self._held.append(f"{key}{self.count:012d}\t{line}\n")
        self.count += 1
        if len(self._held) >= self.PART:
            self._parts.append(self._folder / f".part-{len(self._parts)}")
            self._parts[-1].write_text("".join(sorted(self._held)), encoding="utf-8")
            self._held.clear()

    def lines(self) -> Iterator[str]:
        """All lines with their line ends; the parts on disk are gone afterwards."""
        files = [path.open(encoding="utf-8") for path in self._parts]
        try:
            for line in heapq.merge(*files, sorted(self._held)):
                yield line.partition("\t")[2]
        finally:
            for file in files:
                file.close()
            for path in self._parts:
                path.unlink()


def _writer(file: Any, row: dict[str, str]) -> Any:
    writer = csv.writer(file)
    writer.writerow(row)
    return writer


def _small_files(out: Path, world: World, start: datetime) -> dict[str, int]:
    tiers = ("PREMIUM", "PRIORITY", "STANDARD", "STANDARD")
    with (out / "accounts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["account", "name", "tier", "valid_from", "zone"])
        for n, code in enumerate(world.accounts):
            writer.writerow([code, f"Bench account {n + 1}", tiers[n % 4], f"{start:%Y-%m-%d}", "UTC"])
    with (out / "places.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["code", "name", "country", "zone"])
        for code, zone in ZONES.items():
            writer.writerow([code, code, code[:2], zone])
    return {"accounts": len(world.accounts), "places": len(ZONES)}
