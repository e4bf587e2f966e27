"""`python bench/scms.py DELIVERIES.csv OUT`: the SCMS delivery history (USAID) as history files for `load_history`.

Needs Python alone. Every order line becomes a door shipment; its country is one place with a zone; days stay days.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path

ACCOUNT = "SCMS"
SOURCE = "scms"
LAYOUTS = ("%d-%b-%y", "%m/%d/%y", "%Y-%m-%d")
COUNTRIES = {
    "Angola": ("AO", "Africa/Luanda"), "Benin": ("BJ", "Africa/Porto-Novo"), "Botswana": ("BW", "Africa/Gaborone"),
    "Cameroon": ("CM", "Africa/Douala"), "Côte d'Ivoire": ("CI", "Africa/Abidjan"),
    "Ethiopia": ("ET", "Africa/Addis_Ababa"), "Ghana": ("GH", "Africa/Accra"), "Guyana": ("GY", "America/Guyana"),
    "Haiti": ("HT", "America/Port-au-Prince"), "Kazakhstan": ("KZ", "Asia/Almaty"), "Kenya": ("KE", "Africa/Nairobi"),
    "Kyrgyzstan": ("KG", "Asia/Bishkek"), "Lebanon": ("LB", "Asia/Beirut"), "Lesotho": ("LS", "Africa/Maseru"),
    "Mozambique": ("MZ", "Africa/Maputo"), "Namibia": ("NA", "Africa/Windhoek"), "Nigeria": ("NG", "Africa/Lagos"),
    "Pakistan": ("PK", "Asia/Karachi"), "Rwanda": ("RW", "Africa/Kigali"), "Senegal": ("SN", "Africa/Dakar"),
    "Sierra Leone": ("SL", "Africa/Freetown"), "South Africa": ("ZA", "Africa/Johannesburg"),
    "Sudan": ("SD", "Africa/Khartoum"), "Swaziland": ("SZ", "Africa/Mbabane"),
    "Tanzania": ("TZ", "Africa/Dar_es_Salaam"), "Uganda": ("UG", "Africa/Kampala"),
    "Vietnam": ("VN", "Asia/Ho_Chi_Minh"), "Zambia": ("ZM", "Africa/Lusaka"), "Zimbabwe": ("ZW", "Africa/Harare"),
}  # fmt: skip


def day(text: str) -> date | None:
    """The day in any of the layouts; None for words such as "Date Not Captured"."""
    for layout in LAYOUTS:
        try:
            return datetime.strptime(text.strip(), layout).date()  # noqa: DTZ007 - days have no zone
        except ValueError:
            continue
    return None


def needed(line: dict[str, str], column: str) -> date:
    """The day of a column that every line must have."""
    found = day(line[column])
    if found is None:
        raise SystemExit(f"line {line['ID']}: {column} is {line[column]!r}, which is no day")
    return found


def shipment(line: dict[str, str]) -> dict[str, str]:
    """A door shipment with the promised day; the order day is its booking when it is a day before that."""
    promised, ordered = needed(line, "Scheduled Delivery Date"), day(line["PO Sent to Vendor Date"])
    booked = ordered if ordered is not None and ordered < promised else None
    return {
        "account": ACCOUNT, "shipment_ref": f"SCMS-{line['ID']}", "final_milestone": "DOOR",
        "final_place": place(line), "due_date": promised.isoformat(), "booked_at": booked.isoformat() if booked else "",
        "booking": line["ASN/DN #"], "po_numbers": line["PO / SO #"], "vertical": line["Vendor"][:64].strip(),
        "mode": line["Shipment Mode"],
    }  # fmt: skip


def event(line: dict[str, str]) -> dict[str, str]:
    """The delivery, to the day, learned on the day it was recorded."""
    return {
        "source": SOURCE, "source_event_id": f"delivered-{line['ID']}", "shipment_ref": f"SCMS-{line['ID']}",
        "account": ACCOUNT, "kind": "EQUIPMENT", "code": "DROP", "classifier": "ACT", "laden": "true",
        "event_time": needed(line, "Delivered to Client Date").isoformat(),
        "recorded_at": needed(line, "Delivery Recorded Date").isoformat(), "place": place(line),
    }  # fmt: skip


def place(line: dict[str, str]) -> str:
    """The code of the country's place: our own, since the file names no town."""
    return f"{COUNTRIES[line['Country']][0]}SCMS"


def places(lines: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    """One place a country."""
    for country in sorted({line["Country"] for line in lines}):
        code, zone = COUNTRIES[country]
        yield {"code": f"{code}SCMS", "name": country, "country": code, "zone": zone}


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """UTF-8 with a header."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def convert(source: Path, out: Path) -> int:
    """Writes the four files; returns the number of lines."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    out.mkdir(parents=True, exist_ok=True)
    account = {"account": ACCOUNT, "name": "SCMS delivery history", "tier": "PRIORITY", "valid_from": "2006-01-01",
               "zone": "UTC"}  # fmt: skip
    write(out / "accounts.csv", [account])
    write(out / "places.csv", list(places(lines)))
    write(out / "shipments.csv", [shipment(line) for line in lines])
    write(out / "events.csv", [event(line) for line in lines])
    return len(lines)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    print(f"{convert(Path(sys.argv[1]), Path(sys.argv[2]))} lines")
