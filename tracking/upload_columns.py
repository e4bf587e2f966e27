"""The shapes of the upload wizard's second step: what is asked about each column, and what was answered.

No queries and no clock: the table and what was said before come as arguments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from django.utils.dateformat import format as date_as
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from tracking import tabletimes
from tracking.identifiers import locode_ok
from tracking.tablemappings import BadMapping, TableMapping, suggest_codes
from tracking.tabletext import Table, plain
from tracking.tabletimes import DateOrder
from tracking.types import Classifier, Kind, StatusRule

MOST_VALUES: Final = 60  # different texts of a status or place column that can be explained

FIELD_WORDS: Final[Mapping[str, str | Promise]] = {
    "container": gettext_lazy("Container number"), "booking": gettext_lazy("Booking number"),
    "bill_of_lading": gettext_lazy("Bill of lading"), "shipment_ref": gettext_lazy("Our shipment reference"),
    "status": gettext_lazy("What happened, in the partner's words"),
    "code": gettext_lazy("What happened, as DCSA code"),
    "classifier": gettext_lazy("Actual, estimated or planned"),
    "event_time": gettext_lazy("When: the day, or day and time"), "time_of_day": gettext_lazy("When: the time alone"),
    "zone": gettext_lazy("Time zone of the times"), "place": gettext_lazy("Where: port or place"),
    "facility": gettext_lazy("Where: terminal"), "laden": gettext_lazy("Full or empty"),
    "mode": gettext_lazy("Mode of transport"), "vessel": gettext_lazy("Vessel's name"),
    "vessel_imo": gettext_lazy("Vessel's IMO number"), "voyage": gettext_lazy("Voyage"),
    "transhipment": gettext_lazy("Whether it is a transhipment"),
    "source_event_id": gettext_lazy("The partner's own number of the event"),
    "source_created_at": gettext_lazy("When the partner wrote it"),
    "retracts": gettext_lazy("The number of the event it withdraws"),
}  # fmt: skip

_E, _T, _S = Kind.EQUIPMENT, Kind.TRANSPORT, Kind.SHIPMENT
MEANINGS: Final[Mapping[str, tuple[str | Promise, StatusRule]]] = {
    "GTIN_FULL": (gettext_lazy("Gate in, full"), StatusRule(kind=_E, code="GTIN", laden=True)),
    "GTOT_FULL": (gettext_lazy("Gate out, full"), StatusRule(kind=_E, code="GTOT", laden=True)),
    "GTIN_EMPTY": (gettext_lazy("Gate in, empty (returned)"), StatusRule(kind=_E, code="GTIN", laden=False)),
    "GTOT_EMPTY": (gettext_lazy("Gate out, empty (to be filled)"), StatusRule(kind=_E, code="GTOT", laden=False)),
    "GTIN": (gettext_lazy("Gate in, full or empty as another column says"), StatusRule(kind=_E, code="GTIN")),
    "GTOT": (gettext_lazy("Gate out, full or empty as another column says"), StatusRule(kind=_E, code="GTOT")),
    "LOAD": (gettext_lazy("Loaded on the vessel"), StatusRule(kind=_E, code="LOAD", mode="VESSEL")),
    "DISC": (gettext_lazy("Discharged from the vessel"), StatusRule(kind=_E, code="DISC", mode="VESSEL")),
    "DEPA": (gettext_lazy("Vessel departed"), StatusRule(kind=_T, code="DEPA", mode="VESSEL")),
    "ARRI": (gettext_lazy("Vessel arrived"), StatusRule(kind=_T, code="ARRI", mode="VESSEL")),
    "DEPA_RAIL": (gettext_lazy("Train departed"), StatusRule(kind=_T, code="DEPA", mode="RAIL")),
    "ARRI_RAIL": (gettext_lazy("Train arrived"), StatusRule(kind=_T, code="ARRI", mode="RAIL")),
    "AVPU": (gettext_lazy("Available for collection"), StatusRule(kind=_E, code="AVPU", laden=True)),
    "DROP": (gettext_lazy("Delivered to the customer"), StatusRule(kind=_E, code="DROP", laden=True)),
    "PICK": (gettext_lazy("Picked up at the customer"), StatusRule(kind=_E, code="PICK")),
    "STUF": (gettext_lazy("Packed"), StatusRule(kind=_E, code="STUF", laden=True)),
    "STRP": (gettext_lazy("Unpacked"), StatusRule(kind=_E, code="STRP", laden=True)),
    "HOLD": (gettext_lazy("Held by customs"), StatusRule(kind=_S, code="HOLD", document_type="CUS")),
    "RELS": (gettext_lazy("Released by customs"), StatusRule(kind=_S, code="RELS", document_type="CUS")),
    "FAILED": (gettext_lazy("Delivery failed"), StatusRule(kind=_E, code="DELIVERY_FAILED")),
    "IGNORE": (gettext_lazy("Nothing that is tracked: leave it out"), StatusRule(kind=_S, code="", is_ignored=True)),
}  # fmt: skip
CLASSIFIERS: Final[Mapping[str, str | Promise]] = {
    "ACT": gettext_lazy("It happened"), "EST": gettext_lazy("It is expected"), "PLN": gettext_lazy("It is planned"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody said about the columns, and what is wrong with it: field of the page -> sentence."""

    mapping: TableMapping
    errors: Mapping[str, str]


def answer_of(posted: Mapping[str, str], table: Table, before: TableMapping) -> Answer:
    """The mapping that the form says; what it cannot be is left out and named."""
    errors: dict[str, str] = {}
    columns: dict[str, str] = {}
    for n, name in enumerate(table.header):
        what = posted.get(f"col-{n}", "")
        if what not in FIELD_WORDS:
            continue
        if what in columns:
            errors[f"col-{n}"] = _("The column “%(other)s” is this already.") % {"other": columns[what]}
        else:
            columns[what] = name
    constants = {name: text for name in ("place", "laden", "classifier") if name not in columns
                 and (text := posted.get(f"const-{name}", "").strip())}  # fmt: skip
    if constants.get("place") and not _is_place(constants["place"]):
        errors["const-place"] = _("A place is a code such as NLRTM.")
    meaning = posted.get("const-status", "")
    codes = _codes_said(posted, before)
    if meaning in MEANINGS and not columns.keys() & {"status", "code"}:
        constants["status"] = meaning.lower()
        codes[meaning.lower()] = _rule(meaning, posted.get("const-status-is", "ACT"))
        constants.pop("classifier", None)
    places = _places_said(posted, before, errors)
    wanted = replace(
        before, columns=columns, constants=constants, codes=codes, places=places,
        dates=_dates_said(posted, columns, before),
        zone=posted.get("zone", "").strip() if posted.get("zone-is") == "fixed" else "",
    )  # fmt: skip
    if posted.get("zone-is") == "fixed" and not (wanted.zone and tabletimes.is_zone(wanted.zone)):
        errors["zone"] = _("Write a time zone such as Europe/Amsterdam.")
        wanted = replace(wanted, zone="")
    try:
        return Answer(TableMapping.read(wanted.as_json()), errors)
    except BadMapping as fault:
        return Answer(before, {**errors, "": str(fault)})


def _dates_said(posted: Mapping[str, str], columns: Mapping[str, str], before: TableMapping) -> str:
    """The order that was chosen; that of before holds for the same column only."""
    same = columns.get("event_time") == before.columns.get("event_time")
    said = posted.get("dates", before.dates if same else "")
    return said if said in list(DateOrder) else ""


def _codes_said(posted: Mapping[str, str], before: TableMapping) -> dict[str, StatusRule]:
    codes = dict(before.codes)
    for key, meaning in posted.items():
        text = key.removeprefix("code:")
        if text == key:
            continue
        if meaning in MEANINGS:
            codes[text] = _rule(meaning, posted.get(f"is:{text}", "ACT"))
        elif meaning == "":
            codes.pop(text, None)
    return codes


def _places_said(posted: Mapping[str, str], before: TableMapping, errors: dict[str, str]) -> dict[str, str]:
    places = dict(before.places)
    for key, code in posted.items():
        text = key.removeprefix("place:")
        if text == key:
            continue
        places.pop(text, None)
        if code.strip():
            if _is_place(code):
                places[text] = code.strip().upper()
            else:
                errors[key] = _("A place is a code such as NLRTM.")
    return places


def _is_place(text: str) -> bool:
    """A UN/LOCODE, or a code of the operator's own: short, and one word."""
    code = text.strip()
    return 2 < len(code) <= 16 and code.isascii() and code.replace("-", "").replace("_", "").isalnum()


def _rule(meaning: str, classifier: str) -> StatusRule:
    rule = MEANINGS[meaning][1]
    return replace(rule, classifier=Classifier(classifier) if classifier in list(Classifier) else Classifier.ACT)


def _meaning_of(rule: StatusRule | None) -> str:
    if rule is None:
        return ""
    plain_rule = replace(rule, classifier=Classifier.ACT)
    exact = next((key for key, (_l, known) in MEANINGS.items() if known == plain_rule), "")
    same = (k for k, (_l, known) in MEANINGS.items() if (known.code, known.is_ignored) == (rule.code, rule.is_ignored))
    return exact or next(same, "")


def columns_context(
    table: Table,
    mapping: TableMapping,
    errors: Mapping[str, str],
    *,
    asked: bool,
    place_names: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """What the columns page shows. `asked`: the answers were judged, so what is missing is said.

    `place_names`: what the place column says, in plain form, to the codes of the places that are called so.
    """
    of_column = {plain(name): field for field, name in mapping.columns.items()}
    open_ones = mapping.lacks() if asked else ()
    status = _status(table, mapping)
    dates = _dates(table, mapping)
    return {
        "columns": [_column(n, name, table, of_column, errors) for n, name in enumerate(table.header)],
        "sheets": [{"value": s, "selected": s == table.sheet} for s in table.sheets] if len(table.sheets) > 1 else [],
        "missing": [{"text": _LACKS[name], "at": _ASKED_AT.get(name, "columns-h")} for name in open_ones
                    if name != "classifier" or "what" not in open_ones],
        "has_errors": bool(errors),
        "values": status, "too_many_values": len(status) > MOST_VALUES,
        "places": _places(table, mapping, errors, place_names),
        "what": _what(mapping, asked and "what" in open_ones),
        "classifier": _classifier(mapping, asked and "classifier" in open_ones),
        "dates": dates, "dates_error": _LACKS["dates"] if asked and "dates" in open_ones and dates else "",
        "place_constant": {"value": mapping.constants.get("place", ""), "error": errors.get("const-place", "")}
        if "place" not in mapping.columns else None,
        "zone": {"is_fixed": bool(mapping.zone) or "zone" in errors, "value": mapping.zone,
                 "error": errors.get("zone", ""), "is_column": "zone" in mapping.columns},
        "encoding": mapping.encoding, "error": errors.get("", ""),
    }  # fmt: skip


_LACKS: Final[Mapping[str, str | Promise]] = {
    "reference": gettext_lazy("Say which column names the container, booking, bill of lading or shipment."),
    "what": gettext_lazy("Say which column tells what happened, or what happened in all rows."),
    "classifier": gettext_lazy("Say whether the rows happened or are expected."),
    "event_time": gettext_lazy("Say which column tells when it happened."),
    "dates": gettext_lazy("Say in which order day and month are written."),
}
_ASKED_AT: Final[Mapping[str, str]] = {"what": "what-h", "dates": "dates-h", "classifier": "all-h"}


def _column(n: int, name: str, table: Table, of_column: Mapping[str, str], errors: Mapping[str, str]) -> dict[str, Any]:
    chosen = of_column.get(plain(name), "")
    values = [row.cells[n] for row in table.rows if n < len(row.cells) and row.cells[n]]
    return {
        "n": n, "name": name, "samples": [value[:60] for value in dict.fromkeys(values)][:3],
        "options": [{"value": key, "label": word, "selected": key == chosen} for key, word in FIELD_WORDS.items()],
        "chosen": chosen, "error": errors.get(f"col-{n}", ""),
    }  # fmt: skip


def _counted(table: Table, column: str) -> list[tuple[str, int]]:
    """The different texts of a column, the most frequent first; texts that differ by case alone are one."""
    texts: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for cell in table.column(column):
        if cell:
            texts.setdefault(plain(cell), cell)
            counts[plain(cell)] += 1
    return [(texts[key], n) for key, n in counts.most_common()]


def _status(table: Table, mapping: TableMapping) -> list[dict[str, Any]]:
    if "status" not in mapping.columns:
        return []
    counted = _counted(table, mapping.columns["status"])
    known = {**suggest_codes(text for text, _n in counted), **mapping.codes}
    rows = []
    for text, count in counted[: MOST_VALUES + 1]:
        rule = known.get(plain(text))
        chosen = _meaning_of(rule)
        classifier = str(rule.classifier) if rule else "ACT"
        rows.append({
            "key": plain(text)[:200], "text": text[:80], "count": count,
            "options": [{"value": k, "label": label, "selected": k == chosen} for k, (label, _r) in MEANINGS.items()],
            "classifiers": [{"value": k, "label": v, "selected": k == classifier} for k, v in CLASSIFIERS.items()],
        })  # fmt: skip
    return rows


def _places(
    table: Table, mapping: TableMapping, errors: Mapping[str, str], names: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """The texts of the place column that are no codes, each with the code that it stands for."""
    if "place" not in mapping.columns:
        return []
    rows = []
    for text, count in _counted(table, mapping.columns["place"])[:MOST_VALUES]:
        key = plain(text)
        if locode_ok(text.strip().upper().replace(" ", "")) and key not in mapping.places:
            continue
        codes = names.get(key, ())
        rows.append({
            "key": key[:200], "text": text[:80], "count": count,
            "value": mapping.places.get(key, "") or (codes[0] if len(codes) == 1 else ""),
            "several": codes if len(codes) > 1 else (), "error": errors.get(f"place:{key}", ""),
        })  # fmt: skip
    return rows


def _what(mapping: TableMapping, is_missing: bool) -> dict[str, Any] | None:
    """The one thing that happened in all rows, when no column tells."""
    if mapping.columns.keys() & {"status", "code"}:
        return None
    rule = mapping.codes.get(mapping.constants.get("status", ""))
    chosen, classifier = _meaning_of(rule), str(rule.classifier) if rule else "ACT"
    return {
        "options": [{"value": k, "label": label, "selected": k == chosen} for k, (label, _r) in MEANINGS.items()
                    if k != "IGNORE"],
        "classifiers": [{"value": k, "label": v, "selected": k == classifier} for k, v in CLASSIFIERS.items()],
        "error": _LACKS["what"] if is_missing else "",
    }  # fmt: skip


def _classifier(mapping: TableMapping, is_missing: bool) -> dict[str, Any] | None:
    """Whether all rows happened, when DCSA codes alone are given."""
    if "code" not in mapping.columns or "classifier" in mapping.columns:
        return None
    chosen = mapping.constants.get("classifier", "")
    return {
        "options": [{"value": k, "label": v, "selected": k == chosen} for k, v in CLASSIFIERS.items()],
        "error": _LACKS["classifier"] if is_missing else "",
    }  # fmt: skip


def _dates(table: Table, mapping: TableMapping) -> list[dict[str, Any]]:
    """The orders in which the days can be read, each with what the first of them would mean; empty: nothing to ask."""
    if "event_time" not in mapping.columns:
        return []
    values = [value for value in table.column(mapping.columns["event_time"]) if value]
    orders = tabletimes.orders(values) or tuple(DateOrder)
    if len(orders) == 1 and mapping.dates in ("", orders[0]):
        return []
    if orders == (DateOrder.ISO,):
        return []
    told = []
    for order in orders:
        examples = [(value, meant) for value in values if (meant := _meant(value, order))]
        if examples:
            # the first that would be another day in another order says most
            clear = (e for e in examples if any(_meant(e[0], other) not in (None, e[1]) for other in orders))
            value, meant = next(clear, examples[0])
            told.append({"value": str(order), "selected": mapping.dates == order, "written": value[:40],
                         "means": date_as(meant, _long_date())})  # fmt: skip
    return told


def _meant(value: str, order: DateOrder) -> date | None:
    try:
        return date.fromisoformat(tabletimes.iso(value, order)[:10])
    except ValueError:
        return None


def sure_dates(table: Table, mapping: TableMapping) -> TableMapping:
    """The mapping with the one order in which its days can be read, when nobody has said one and there is one."""
    if mapping.dates or "event_time" not in mapping.columns:
        return mapping
    orders = tabletimes.orders(table.column(mapping.columns["event_time"]))
    return replace(mapping, dates=str(orders[0])) if len(orders) == 1 else mapping


def _long_date() -> str:
    return pgettext("date with the month in full, Django format letters", "j F Y")
