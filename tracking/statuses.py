"""What status codes of EDI messages mean where a partner has not said otherwise: the starting values of partner tables.

Our own reading of public guides and samples, as data in data/status_codes.csv; a partner's own line always wins.
Carriers' IFTSTA and railways' 322 use the letters of 315 too, so these lists fall back on that one.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from msgspec import structs

from tracking.codes import BY_KIND, LADEN
from tracking.types import CanonicalEvent, Classifier, Kind, Partner, StatusRule

_FILE: Final = Path(__file__).resolve().parent / "data" / "status_codes.csv"
_FALLS_BACK: Final[Mapping[str, tuple[str, ...]]] = {"iftsta": ("x12_315",), "x12_322": ("x12_315",)}
OWN_CODES: Final = ("dcsa", "dcsa_3", "csv")  # formats that write canonical codes themselves


@cache
def standard() -> Mapping[tuple[str, str], StatusRule]:
    """(list, code) -> its meaning, from the file that ships with the product."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return {(row["listed"], row["code"]): _rule(row) for row in csv.DictReader(file)}


def _rule(row: Mapping[str, str]) -> StatusRule:
    return StatusRule(
        kind=Kind(row["kind"] or Kind.SHIPMENT), code=row["event_code"],
        classifier=Classifier(row["classifier"] or Classifier.ACT), laden=LADEN.get(row["laden"]),
        mode=row["mode"] or None, place_role=row["place_role"] or None, document_type=row["document_type"] or None,
        is_ignored=row["is_ignored"] == "yes", says=row["says"],
    )  # fmt: skip


def meaning(partner: Partner, listed: str, code: str, agency: str = "") -> tuple[StatusRule, str] | None:
    """What a code means for this partner, and by which rule in words; None when nobody has said.

    `code` and `agency` as sent, in upper case. The words go to the test bench: `partner table: iftsta VD`.
    """
    lists = (listed, *_FALLS_BACK.get(listed, ()))
    for name in lists:
        own = partner.rule(name, code, agency)
        if own is not None:
            return own, f"partner table: {name} {code}"
    for name in lists:
        found = standard().get((name, code))
        if found is not None:
            return found, f"standard table: {name} {code}, {found.says}"
    return None


def own_meaning(partner: Partner, listed: str, code: str, agency: str = "") -> tuple[StatusRule, str] | None:
    """What the partner says of a code in a format that writes canonical codes itself; None: it means what it says."""
    rule = partner.rule(listed, code.upper(), agency) if partner.status and code else None
    return None if rule is None else (rule, f"partner table: {listed} {code.upper()}")


def as_meant(event: CanonicalEvent, rule: StatusRule, words: str) -> CanonicalEvent:
    """The event as the partner means it. Whether it is planned, estimated or actual says the message itself."""
    return structs.replace(
        event, kind=rule.kind, code=rule.code, rule=words,
        laden=event.laden if rule.laden is None else rule.laden, mode=rule.mode or event.mode,
        place_role=rule.place_role or event.place_role, document_type=rule.document_type or event.document_type,
    )  # fmt: skip


def lists() -> tuple[str, ...]:
    """Every list of which something is known without any partner, by name."""
    return tuple(sorted({listed for listed, _code in standard()} | set(_FALLS_BACK) | set(OWN_CODES)))


def standard_of(listed: str) -> dict[str, StatusRule]:
    """The meanings of one list where a partner has not said otherwise, also those that it falls back on."""
    if listed in OWN_CODES:
        return {code: StatusRule(kind=kind, code=code) for kind, codes in BY_KIND.items() for code in sorted(codes)}
    names = (*reversed(_FALLS_BACK.get(listed, ())), listed)
    return {code: rule for name in names for (of, code), rule in standard().items() if of == name}
