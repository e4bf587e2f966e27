"""The shapes of the upload wizard's third step: what each row of the file becomes, and the rows that need somebody.

No queries and no clock: table, mapping and trials come as arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tracking import wording
from tracking.ingest import Rehearsed
from tracking.reasons import Reason, sentence
from tracking.tablemappings import TableMapping
from tracking.tabletext import Table, shown
from tracking.types import Classifier
from tracking.upload_columns import CLASSIFIERS, FIELD_WORDS

MOST_SHOWN: Final = 50  # rows of the preview
MOST_FIXED: Final = 20  # rows that can be corrected on one page
_OUTCOMES: Final[Mapping[str, tuple[str, str | Promise]]] = {
    "event": ("ok", gettext_lazy("Becomes an event")), "known": ("neutral", gettext_lazy("Known already")),
    "waits": ("warn", gettext_lazy("Waits for a shipment")), "aside": ("neutral", gettext_lazy("Left out")),
    "bad": ("late", gettext_lazy("Cannot be used")),
}  # fmt: skip


def outcome(trial: Rehearsed) -> str:
    """What would become of a row: event, known, waits, aside, bad."""
    refused = trial.item.refused
    if refused is None:
        return "event" if trial.item.accepted else "known"
    if refused.code == Reason.NO_MATCHING_SHIPMENT:
        return "waits"
    return "aside" if refused.code == Reason.NOT_TRACKED else "bad"


def by_row(trials: Sequence[Rehearsed]) -> list[tuple[int, Rehearsed]]:
    """(number of the row, its trial) in the order of the file."""
    numbered = [(int(t.item.position[2 : t.item.position.index("]")]), t) for t in trials]
    return sorted(numbered, key=lambda pair: pair[0])


def preview_context(
    table: Table, mapping: TableMapping, trials: Sequence[Rehearsed], corrections: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The sentence with its numbers, the rows that need somebody, and the first rows as they would be."""
    rows = by_row(trials)
    counts = Counter(outcome(trial) for _n, trial in rows)
    troubled = [(n, t) for n, t in rows if outcome(t) in ("bad", "waits")]
    was = {(c["row"], c["column"]): c for c in corrections}
    shipments = {met.public_id for _n, t in rows if outcome(t) == "event" for met in t.met}
    return {
        "counts": [
            {"label": _OUTCOMES[key][1], "tone": _OUTCOMES[key][0], "value": counts[key]}
            for key in _OUTCOMES if counts[key]
        ],
        "sentence": _sentence(counts, len(rows), len(shipments)),
        "submit": ngettext("Import %(good)d of %(all)d row", "Import %(good)d of %(all)d rows", len(rows))
        % {"good": counts["event"], "all": len(rows)}
        if counts["event"]
        else _("Import anyway"),
        "is_worth_it": counts["event"] > 0,
        "troubled": [_troubled(n, t, table, mapping, was) for n, t in troubled[:MOST_FIXED]],
        "more_troubled": max(0, len(troubled) - MOST_FIXED),
        "rows": [_row(n, t, table) for n, t in rows[:MOST_SHOWN]], "all_rows": len(rows),
        "unknown_texts": sorted({
            table.rows[n].cells[at] for n, t in rows
            if t.item.refused and t.item.refused.code == Reason.UNKNOWN_CODE
            and (at := table.at(mapping.columns.get("status", ""))) is not None and at < len(table.rows[n].cells)
        })[:10],
        "corrected": [
            {"line": table.rows[c["row"]].line, **c} for c in corrections if c["row"] < len(table.rows)
        ],
    }  # fmt: skip


def _sentence(counts: Counter[str], rows: int, shipments: int) -> str:
    """What the import will do, with its numbers."""
    parts = [
        ngettext("%(n)d row becomes an event", "%(n)d rows become events", counts["event"]) % {"n": counts["event"]}
        + " "
        + ngettext("of %(n)d shipment.", "of %(n)d shipments.", shipments) % {"n": shipments}
        if counts["event"]
        else _("No row becomes an event.")
    ]
    told: tuple[tuple[str, Callable[[int], str]], ...] = (
        ("known", lambda n: ngettext("%(n)d row is known already and changes nothing.",
                                     "%(n)d rows are known already and change nothing.", n)),
        ("waits", lambda n: ngettext(
            "%(n)d row waits in quarantine: no shipment has its references yet.",
            "%(n)d rows wait in quarantine: no shipment has their references yet.", n)),
        ("bad", lambda n: ngettext("%(n)d row cannot be used and goes to quarantine.",
                                   "%(n)d rows cannot be used and go to quarantine.", n)),
        ("aside", lambda n: ngettext("%(n)d row says nothing that is tracked and is left out.",
                                     "%(n)d rows say nothing that is tracked and are left out.", n)),
    )  # fmt: skip
    parts += [words(counts[key]) % {"n": counts[key]} for key, words in told if counts[key]]
    return " ".join(parts)


def _troubled(
    number: int, trial: Rehearsed, table: Table, mapping: TableMapping, was: Mapping[tuple[int, str], Mapping[str, Any]]
) -> dict[str, Any]:
    """A row that somebody should look at: why, and its cells to be corrected in place, the bad one marked."""
    refused = trial.item.refused
    assert refused is not None
    row = table.rows[number]
    bad, kind, event = refused.position.partition("].")[2], outcome(trial), trial.item.event
    is_mistyped = kind == "waits" and event is not None and Reason.CONTAINER_CHECK_DIGIT in event.warnings
    cells = []
    placed = sorted((at, field) for field, name in mapping.columns.items() if (at := table.at(name)) is not None)
    for at, field in placed:
        own = table.header[at]
        is_bad = shown(own) == bad if kind == "bad" else field == "container" and is_mistyped
        corrected = was.get((number, own))
        cells.append({
            "id": f"cell-{number}-{at}", "name": f"cell:{number}:{at}", "label": own,
            "means": FIELD_WORDS.get(field, ""),
            "value": row.cells[at] if at < len(row.cells) else "", "is_bad": is_bad,
            "was": corrected["was"] if corrected else None,
        })  # fmt: skip
    why = str(sentence(refused.code))
    more = refused.detail.removeprefix(why).strip()
    if is_mistyped:
        more = _("Its check digit does not fit either: perhaps it is mistyped.")
    return {
        "line": row.line, "number": number, "why": why, "more": more, "cells": [] if row.fault else cells,
        "tone": _OUTCOMES[kind][0], "label": _OUTCOMES[kind][1], "text": " ".join(row.cells)[:300] if row.fault else "",
    }  # fmt: skip


def _row(number: int, trial: Rehearsed, table: Table) -> dict[str, Any]:
    """One row of the preview: what it says, in our words, and whom it reaches."""
    item, kind = trial.item, outcome(trial)
    event = item.event
    told: dict[str, Any] = {
        "line": table.rows[number].line, "tone": _OUTCOMES[kind][0], "label": _OUTCOMES[kind][1],
        "why": str(sentence(item.refused.code)) if item.refused and kind != "waits" else "",
        "met": [
            {"ref": m.ref, "account": m.account_name,
             "url": reverse("ops:tracking_shipment", kwargs={"account": m.account, "public_id": m.public_id})}
            for m in trial.met[:3]
        ],
        "more": max(0, len(trial.met) - 3),
    }  # fmt: skip
    if event is None:
        return {**told, "as_written": "; ".join(cell for cell in table.rows[number].cells if cell)[:160]}
    return {
        **told, "what": _words(event.code, event.laden, event.classifier),
        "ref": event.container or event.booking or event.bill_of_lading or event.shipment_ref or "",
        "at": item.at, "zone": item.zone, "precision": "day" if event.precision == "day" else "minute",
        "local": event.local, "place": event.place or "", "facility": event.facility or "",
        "warnings": [str(sentence(w)) for w in event.warnings if w != Reason.ZONE_FROM_FACILITY],
    }  # fmt: skip


def _words(code: str, laden: bool | None, classifier: str) -> str:
    told = str({**wording.MILESTONES, **wording.EVENTS}.get(code) or code or _("Withdrawal"))
    if laden is not None and code in ("GTIN", "GTOT"):
        told = _("%(what)s, full") % {"what": told} if laden else _("%(what)s, empty") % {"what": told}
    return told if classifier == Classifier.ACT else f"{told} ({str(CLASSIFIERS[str(classifier)]).lower()})"
