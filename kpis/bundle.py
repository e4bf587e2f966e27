"""The files of a closed month, byte for byte (R4.7, R4.8): facts.csv, kpis.json, the manifest that names them.

Pure; the same functions serve the close, the download, the re-computation and the evidence bundle.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from portal.lib.ids import digest
from portal.lib.jsontext import canonical_bytes
from portal.lib.periods import utc_text

FACT_COLUMNS: Final = (
    "unit_id",
    "lane",
    "due_period",
    "limit_utc",
    "limit_op",
    "final_utc",
    "basis",
    "outcome",
)
SCHEMA: Final = "kpi-snapshot-manifest/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactLine:
    """A row of facts.csv."""

    unit_id: str
    lane: str
    due_period: str
    limit_utc: datetime
    limit_op: str
    final_utc: datetime | None
    basis: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiLine:
    """An entry of kpis.json."""

    kpi: str
    kpi_version: str
    dims: Mapping[str, str]
    period: str
    num: int
    den: int
    excluded: int
    unknown: int
    value: str | None


def facts_csv(lines: Iterable[FactLine]) -> bytes:
    """UTF-8, LF, header, final newline, quotes only where needed; sorted by unit_id bytewise."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FACT_COLUMNS)
    for line in sorted(lines, key=lambda one: one.unit_id.encode()):
        writer.writerow(
            [
                line.unit_id,
                line.lane,
                line.due_period,
                utc_text(line.limit_utc),
                line.limit_op,
                utc_text(line.final_utc) if line.final_utc else "",
                line.basis,
                line.outcome,
            ]
        )
    return text.getvalue().encode()


def kpis_json(lines: Iterable[KpiLine]) -> bytes:
    """Canonical JSON with a final newline: by KPI, the whole account before its lanes."""
    ordered = sorted(lines, key=lambda one: (one.kpi, sorted(one.dims.items())))
    rows: list[dict[str, Any]] = [
        {
            "kpi": line.kpi,
            "kpi_version": line.kpi_version,
            "dims": dict(line.dims),
            "period": line.period,
            "num": line.num,
            "den": line.den,
            "excluded": line.excluded,
            "unknown": line.unknown,
            "value": line.value,
        }
        for line in ordered
    ]
    return canonical_bytes(rows) + b"\n"


def file_entry(name: str, content: bytes, rows: int) -> dict[str, Any]:
    """How the manifest names a file."""
    return {"name": name, "bytes": len(content), "rows": rows, "sha256": digest(content)}


def manifest(
    *,
    operator: str,
    account: str,
    period: str,
    version: int,
    as_of: datetime,
    files: Iterable[Mapping[str, Any]],
    kpi_definitions: Mapping[str, str],
    previous: str | None,
    key_id: str | None = None,
) -> bytes:
    """Canonical bytes of the manifest; `previous` is the digest of the account's preceding one (R4.9)."""
    body: dict[str, Any] = {
        "schema": SCHEMA,
        "operator": operator,
        "account": account,
        "period": period,
        "version": version,
        "as_of": utc_text(as_of),
        "files": sorted((dict(f) for f in files), key=lambda f: str(f["name"])),
        "kpi_definitions": dict(kpi_definitions),
        "previous": previous,
    }
    if key_id is not None:
        body["key_id"] = key_id
    return canonical_bytes(body)
