"""What the columns of a spreadsheet mean: the mapping that is saved with a source, checked, and guessed honestly.

Pure values: JSON in, JSON out. Reading a table by it is the adapter's business (adapters/table.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tracking import codes, identifiers, tabletimes
from tracking.codes import kind_of
from tracking.tabletext import DELIMITERS, ENCODINGS, plain
from tracking.tabletimes import DateOrder
from tracking.types import Classifier, Kind, StatusRule

# What a column, or a constant for all rows, can be.
FIELDS: Final = (
    "container", "booking", "bill_of_lading", "shipment_ref", "status", "code", "kind", "classifier", "event_time",
    "time_of_day", "zone", "place", "facility", "laden", "mode", "transhipment", "vessel", "vessel_imo", "voyage",
    "source_event_id", "source_created_at", "retracts",
)  # fmt: skip
REFERENCES: Final = ("container", "booking", "bill_of_lading", "shipment_ref")
CONSTANTS: Final = ("status", "code", "kind", "classifier", "place", "facility", "laden", "mode", "transhipment")
_TEXTS: Final = ("dates", "zone", "sheet", "delimiter", "encoding")
_KNOWN: Final = frozenset({"columns", "constants", "codes", "places", *_TEXTS})
_MOST_VALUES: Final = 400
_MOST_TEXT: Final = 200


class BadMapping(ValueError):
    """A saved mapping that says nothing, or what cannot be; says where."""

    def __init__(self, where: str, detail: str) -> None:
        self.where, self.detail = where, detail
        super().__init__(f"{where}: {detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMapping:
    """Which column is which field, what stands for all rows, what its codes mean, how its times are written."""

    columns: Mapping[str, str] = field(default_factory=dict)  # field -> the column's name
    constants: Mapping[str, str] = field(default_factory=dict)  # field -> the value of every row
    codes: Mapping[str, StatusRule] = field(default_factory=dict)  # what the status column says, in plain form
    places: Mapping[str, str] = field(default_factory=dict)  # what the place column says, in plain form -> its code
    dates: str = ""  # a DateOrder; empty: nobody has said
    zone: str = ""  # IANA, of all times; empty: the zone of the place
    sheet: str = ""
    delimiter: str = ""  # empty: found
    encoding: str = ""  # empty: UTF-8, or what the bytes say

    @classmethod
    def read(cls, data: Any) -> TableMapping:
        """The mapping in its saved form; also an unfinished one. Raises BadMapping for what cannot be."""
        if not isinstance(data, Mapping):
            raise BadMapping("mapping", "An object is expected.")
        if unknown := sorted(set(map(str, data)) - _KNOWN):
            raise BadMapping(str(unknown[0])[:40], "There is no such part of a mapping.")
        made = cls(
            columns=_texts(data, "columns", FIELDS),
            constants=_texts(data, "constants", CONSTANTS),
            codes={plain(code): rule for code, rule in _rules(data)},
            places={plain(name): identifiers.place(code) for name, code in _texts(data, "places").items()},
            **{name: _text(data, name) for name in _TEXTS},
        )
        _check(made)
        return made

    def lacks(self) -> tuple[str, ...]:
        """What must still be said before a row can be an event: reference, what, classifier, event_time, dates."""
        said = self.columns.keys() | self.constants.keys()
        return tuple(
            name
            for name, is_there in (
                ("reference", bool(self.columns.keys() & {*REFERENCES, "retracts"})),
                ("what", bool(said & {"status", "code"})),
                ("classifier", bool(said & {"status", "classifier"})),
                ("event_time", "event_time" in self.columns),
                ("dates", bool(self.dates)),
            )
            if not is_there
        )

    def as_json(self) -> dict[str, Any]:
        """The saved form."""
        told: dict[str, Any] = {
            "columns": dict(self.columns), "constants": dict(self.constants),
            "codes": {code: rule_as_json(rule) for code, rule in self.codes.items()}, "places": dict(self.places),
            "dates": self.dates, "zone": self.zone, "sheet": self.sheet, "delimiter": self.delimiter,
            "encoding": self.encoding,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value}

    def fits(self, header: Iterable[str]) -> bool:
        """Whether the columns that it names are all there."""
        return {plain(name) for name in self.columns.values()} <= {plain(name) for name in header}


def rule_as_json(rule: StatusRule) -> dict[str, Any]:
    """One line of the value table as it is saved."""
    if rule.is_ignored:
        return {"is_ignored": True}
    told = {
        "kind": str(rule.kind), "code": rule.code, "classifier": str(rule.classifier), "laden": rule.laden,
        "mode": rule.mode, "place_role": rule.place_role, "document_type": rule.document_type,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def rule_of(data: Any, where: str) -> StatusRule:
    """The line back from its saved form. Raises BadMapping."""
    if not isinstance(data, Mapping):
        raise BadMapping(where, "An object is expected.")
    if data.get("is_ignored") is True:
        return StatusRule(kind=Kind.SHIPMENT, code="", is_ignored=True)
    code = str(data.get("code", "")).upper()
    usual = kind_of(code)
    if usual is None:
        raise BadMapping(where, f"{code[:40]!a} is no code of an event.")
    laden = data.get("laden")
    if laden is not None and not isinstance(laden, bool):
        raise BadMapping(where, "laden is true or false.")
    classifier = str(data.get("classifier", Classifier.ACT))
    if classifier not in list(Classifier):
        raise BadMapping(where, f"{classifier[:40]!a} is neither ACT, EST nor PLN.")
    kind = str(data.get("kind", usual))
    if kind not in list(Kind) or (code != codes.DELIVERY_FAILED and kind != usual):
        raise BadMapping(where, f"{code} is no event of {kind[:40]!a}.")
    mode, role, paper = (str(data.get(name) or "")[:16] or None for name in ("mode", "place_role", "document_type"))
    return StatusRule(kind=Kind(kind), code=code, classifier=Classifier(classifier), laden=laden, mode=mode,
                      place_role=role, document_type=paper)  # fmt: skip


# --- reading ---


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name, "")
    if not isinstance(value, str) or len(value) > _MOST_TEXT or "\0" in value:
        raise BadMapping(name, f"Text of at most {_MOST_TEXT} characters is expected.")
    return value


def _texts(data: Mapping[str, Any], name: str, known: Iterable[str] | None = None) -> dict[str, str]:
    value = data.get(name, {})
    if not isinstance(value, Mapping) or len(value) > _MOST_VALUES:
        raise BadMapping(name, f"An object of at most {_MOST_VALUES} entries is expected.")
    for key, inner in value.items():
        if not (isinstance(key, str) and isinstance(inner, str) and inner.strip()) or "\0" in key + inner:
            raise BadMapping(f"{name}.{str(key)[:40]}", "Text is expected.")
        if known is not None and key not in known:
            raise BadMapping(f"{name}.{key[:40]}", "There is no such field.")
        if max(len(key), len(inner)) > _MOST_TEXT:
            raise BadMapping(f"{name}.{key[:40]}", f"Text of at most {_MOST_TEXT} characters is expected.")
    return dict(value)


def _rules(data: Mapping[str, Any]) -> list[tuple[str, StatusRule]]:
    value = data.get("codes", {})
    if not isinstance(value, Mapping) or len(value) > _MOST_VALUES:
        raise BadMapping("codes", f"An object of at most {_MOST_VALUES} entries is expected.")
    if any("\0" in str(code) for code in value):
        raise BadMapping("codes", "A text holds characters that cannot be stored.")
    return [(str(code), rule_of(rule, f"codes.{str(code)[:40]}")) for code, rule in value.items()]


def _check(made: TableMapping) -> None:
    if made.dates and made.dates not in list(DateOrder):
        raise BadMapping("dates", f"One of {', '.join(DateOrder)} is expected.")
    if made.zone and not tabletimes.is_zone(made.zone):
        raise BadMapping("zone", f"{made.zone[:40]!a} is no time zone such as Asia/Shanghai.")
    if made.delimiter and made.delimiter not in DELIMITERS:
        raise BadMapping("delimiter", "Comma, semicolon, tab or | is expected.")
    if made.encoding and made.encoding not in ENCODINGS:
        raise BadMapping("encoding", f"One of {', '.join(ENCODINGS)} is expected.")
    if both := sorted(made.columns.keys() & made.constants.keys()):
        raise BadMapping(f"constants.{both[0]}", "It is a column already.")
    used = [plain(name) for name in made.columns.values()]
    if doubled := sorted({name for name in used if used.count(name) > 1}):
        raise BadMapping("columns", f"The column {doubled[0][:40]!a} is two things at once.")


# --- guessing ---

_NAMES: Final[Mapping[str, str]] = {
    word: name
    for name, words in {
        "container": "container,container no,container number,container nr,container id,cntr,cntr no,cntr nr,"
                     "cntr number,ctr,ctr no,ctnr,ctnr no,cont no,cont nr,equipment,equipment no,equipment number,"
                     "unit no,unit number,box,box no,box number",
        "booking": "booking,booking no,booking nr,booking number,booking ref,booking reference,bkg,bkg no,bkg nr,"
                   "bkg number,carrier booking",
        "bill_of_lading": "bill of lading,b/l,b/l no,b/l number,bl,bl no,bl number,mbl,mbl no,hbl,hbl no,master bill,"
                          "house bill,bol",
        "shipment_ref": "shipment,shipment no,shipment number,shipment ref,shipment reference,shipment id,"
                        "file no,file number,job no,job number",
        "status": "status,event,event type,event description,move,move type,movement,movement type,activity,milestone",
        "code": "code,event code,status code",
        "classifier": "classifier,event classifier",
        "time_of_day": "time,local time,event time,time of event,hour",
        "zone": "time zone,timezone,tz,zone,utc offset,offset",
        "place": "port,place,location,locode,unlocode,un/locode,un locode,port code,location code,port of event",
        "facility": "terminal,facility,terminal code,facility code,depot",
        "laden": "full/empty,empty/full,f/e,e/f,fe,laden,laden/empty,load status,full or empty",
        "mode": "mode,transport mode,mode of transport",
        "transhipment": "transhipment,transshipment,t/s",
        "vessel": "vessel,vessel name,ship,ship name,mother vessel",
        "vessel_imo": "imo,imo no,imo number,vessel imo",
        "voyage": "voyage,voyage no,voyage number,voy,voy no",
        "source_event_id": "event id,eventid,message id",
    }.items()
    for word in words.split(",")
}  # fmt: skip
_DATE_WORDS: Final = frozenset({"date", "time", "timestamp", "datetime", "when", "day"})
# Days of something else than what happened, or of what is only expected.
_OTHER_DAYS: Final = frozenset(
    "created updated update report print printed booking due free expiry requested order invoice last planned "
    "estimated expected eta etd issue issued".split()
)
# Phrases that mean one thing wherever they are met; everything else is asked.
_PHRASES: Final[Mapping[str, StatusRule]] = {
    phrase: rule
    for phrases, rule in (
        ("gate in full,gated in full,full gate in", StatusRule(kind=Kind.EQUIPMENT, code="GTIN", laden=True)),
        ("gate out full,gated out full,full gate out", StatusRule(kind=Kind.EQUIPMENT, code="GTOT", laden=True)),
        ("gate out empty,empty gate out,empty pickup,empty pick up,empty released to shipper",
         StatusRule(kind=Kind.EQUIPMENT, code="GTOT", laden=False)),
        ("gate in empty,empty gate in,empty return,empty returned,empty in,returned empty",
         StatusRule(kind=Kind.EQUIPMENT, code="GTIN", laden=False)),
        ("loaded on vessel,loaded on board,vessel loaded", StatusRule(kind=Kind.EQUIPMENT, code="LOAD", mode="VESSEL")),
        ("discharged,discharged from vessel,vessel discharged",
         StatusRule(kind=Kind.EQUIPMENT, code="DISC", mode="VESSEL")),
        ("vessel departed,vessel departure,atd", StatusRule(kind=Kind.TRANSPORT, code="DEPA", mode="VESSEL")),
        ("vessel arrived,vessel arrival,ata", StatusRule(kind=Kind.TRANSPORT, code="ARRI", mode="VESSEL")),
        ("etd", StatusRule(kind=Kind.TRANSPORT, code="DEPA", mode="VESSEL", classifier=Classifier.EST)),
        ("eta", StatusRule(kind=Kind.TRANSPORT, code="ARRI", mode="VESSEL", classifier=Classifier.EST)),
        ("delivered,delivered to consignee,delivered to customer", StatusRule(kind=Kind.EQUIPMENT, code="DROP",
                                                                              laden=True)),
        ("available,available for pickup,available for pick up", StatusRule(kind=Kind.EQUIPMENT, code="AVPU",
                                                                            laden=True)),
    )
    for phrase in phrases.split(",")
}  # fmt: skip


def suggest(header: Sequence[str], sample_rows: Sequence[Sequence[str]]) -> TableMapping:
    """A mapping as far as names and values leave no doubt; the rest stays open, as `lacks` says.

    Days that could be read in two ways leave `dates` open: somebody must be asked.
    """
    values = {name: [row[n] for row in sample_rows if n < len(row) and row[n]] for n, name in enumerate(header)}
    columns: dict[str, str] = {}
    for what in FIELDS:
        named = [name for name in header if _NAMES.get(plain(name).strip(" .:")) == what or _named(name) == what]
        sure = [name for name in named if _fits(what, values[name])]
        if len(sure) == 1:
            columns[what] = sure[0]
    if "container" not in columns:
        boxes = [name for name in header if values[name] and all(map(_is_box, values[name]))]
        columns |= {"container": boxes[0]} if len(boxes) == 1 else {}
    _times(header, values, columns)
    made = TableMapping(columns={name: columns[name] for name in FIELDS if name in columns})
    when = columns.get("event_time")
    orders = tabletimes.orders(values[when]) if when else ()
    return replace(
        made,
        dates=str(orders[0]) if len(orders) == 1 else "",
        codes=suggest_codes(values.get(columns.get("status", ""), ())),
    )


def suggest_codes(texts: Iterable[str]) -> dict[str, StatusRule]:
    """What texts mean that mean one thing wherever they are met."""
    found = {}
    for text in texts:
        rule = _PHRASES.get(" ".join(plain(text).replace("-", " ").replace("(", " ").replace(")", " ").split()))
        code = text.strip().upper()
        if rule is None and (kind := kind_of(code)) is not None:
            rule = StatusRule(kind=kind, code=code)
        if rule is not None:
            found[plain(text)] = rule
    return found


def _named(name: str) -> str | None:
    """`Cntr No.` and `CNTR_NR` are `cntr no`."""
    return _NAMES.get(" ".join(_words(name)))


def _words(name: str) -> list[str]:
    return plain(name).replace("_", " ").replace(".", " ").replace("#", " no ").replace(":", " ").split()


def _fits(what: str, values: Sequence[str]) -> bool:
    """Whether what stands in the column can be what its name says; an empty column says nothing."""
    if not values:
        return False
    if what == "container":
        return sum(map(_is_box, values)) * 2 > len(values)
    if what == "code":
        return all(kind_of(value.upper()) is not None for value in values)
    if what == "classifier":
        return all(value.upper() in list(Classifier) for value in values)
    if what == "time_of_day":
        return all(_is_clock(value) for value in values)
    return what != "laden" or all(laden(value) is not None for value in values)


def _is_box(value: str) -> bool:
    return identifiers.container_ok(identifiers.container(value))


def _is_clock(value: str) -> bool:
    try:
        return bool(tabletimes.clock(value))
    except ValueError:
        return False


def _times(header: Sequence[str], values: Mapping[str, list[str]], columns: dict[str, str]) -> None:
    """The one column of days whose name says so; of two nobody knows which is meant."""
    dated = []
    for name in header:
        words = set(_words(name))
        if words & _DATE_WORDS and not words & _OTHER_DAYS and name not in columns.values():
            dated += [name] if any(tabletimes.orders([value]) for value in values[name]) else []
    if len(dated) == 1:
        columns["event_time"] = dated[0]


_LADEN: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("laden", "full", "f", "l", "loaded", "yes", "true"), True),
    **dict.fromkeys(("empty", "e", "mt", "m", "no", "false"), False),
}


def laden(text: str) -> bool | None:
    """Whether a cell says that the box is full; None for what says neither."""
    return _LADEN.get(plain(text))


_CLASSIFIERS: Final[Mapping[str, Classifier]] = {
    **dict.fromkeys(("act", "actual", "a"), Classifier.ACT),
    **dict.fromkeys(("est", "estimated", "estimate", "e", "expected"), Classifier.EST),
    **dict.fromkeys(("pln", "planned", "plan", "p", "scheduled"), Classifier.PLN),
}


def classifier(text: str) -> Classifier | None:
    """Whether a cell says planned, estimated or actual; None for what says none of them."""
    return _CLASSIFIERS.get(plain(text))
