"""What a source's own JSON means, as its mapping says it: where the events stand, and which path holds which field.

Pure: a mapping is read and checked here, and events and values are looked up by its paths; what becomes of them is the
adapter's business. The meanings of codes in a partner table win over those of a mapping.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tracking import codes
from tracking.fields import type_name
from tracking.reasons import Reason, sentence
from tracking.types import Classifier, Kind, StatusRule, Unreadable

PLAIN_JSON: Final = "plain"
JSON_API: Final = "json_api"
OFFSET, UTC, LOCAL = "offset", "utc", "local"  # what a time without words of its own means
FIELDS: Final = (
    "id", "event", "classifier", "time", "zone", "created", "retracts", "container", "booking", "bill", "shipment_ref",
    "place", "place_name", "facility", "vessel", "imo", "voyage", "transport_call", "laden", "mode", "reason",
)  # fmt: skip
_CONSTANT: Final = frozenset(FIELDS) - {"id", "event", "time", "created", "retracts", "container"}
_KNOWN: Final = (
    "envelope", "events", "event_types", "fields", "constants", "codes", "classifiers", "laden", "times",
    "utc_without_zone_is_local",
)  # fmt: skip
_CODE_WORDS: Final = ("code", "kind", "classifier", "laden", "mode", "place_role", "document_type", "ignored", "says")
_ROLES: Final = ("POL", "POD", "PRE", "PDE", "TSP", "ANCH")
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d{1,6}|\*)\]")
_PATH: Final = re.compile(r"(?:\$|\^+|@[^.\[\]]+)?(?:(?:^|\.)[^.\[\]@^$]+|\[(?:\d{1,6}|\*)\])*")
_LONGEST: Final = 200
_MOST_CODES: Final = 2_000
_MOST_EVENTS: Final = 50_000  # of one message, however they are nested


class BadMapping(ValueError):
    """A mapping that cannot be used; the sentence names the word that is wrong."""


@dataclass(frozen=True, slots=True)
class Path:
    """A way to a value: `a.b[0]` from the event, `$.a` from the message, `^.a` from what holds the list of events (`^^`
    one further out), `@port.a` from the resource that a relationship of JSON:API names.
    """

    text: str
    start: str = ""  # "", "$", "@", or as many ^ as it goes out
    relation: str = ""
    steps: tuple[str | int, ...] = ()

    @classmethod
    def read(cls, text: object, what: str) -> Path:
        """The path from its written form; `what` names it in a fault."""
        if not isinstance(text, str) or len(text) > _LONGEST or not _PATH.fullmatch(text.strip()):
            raise BadMapping(f"{what} is {_shown(text)}; a path such as attributes.timestamp or $.data.id is expected.")
        text = text.strip()
        if not text or text in ("$", "^"):
            raise BadMapping(f"{what} is empty; a path such as attributes.timestamp is expected.")
        start = re.match(r"\$|\^+|@[^.\[\]]+|", text)
        head = start[0] if start else ""
        found = _STEP.findall(text[len(head) :])
        steps = tuple(name or (int(number) if number != "*" else "*") for name, number in found)
        return cls(text, head[:1] if head.startswith("@") else head, head[1:] if head.startswith("@") else "", steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonMapping:
    """How one source's JSON is read. `events` may hold `[*]`: containers[*].events is a list in each container."""

    envelope: str = PLAIN_JSON
    events: Path | None = None  # None: the message is the list, or the one event
    event_types: tuple[str, ...] = ()  # JSON:API: the types of resources that are events
    fields: Mapping[str, Path] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, StatusRule] = field(default_factory=dict)  # by name in upper case
    classifiers: Mapping[str, Classifier] = field(default_factory=dict)
    laden: Mapping[str, bool] = field(default_factory=dict)
    times: str = OFFSET
    utc_without_zone_is_local: bool = False

    @classmethod
    def read(cls, data: object) -> JsonMapping:
        """The mapping from the JSON that people edit. Raises BadMapping: an unknown word, a missing one, a bad path."""
        words = _object(data, "The mapping")
        _only(words, _KNOWN, "The mapping")
        envelope = _one_of(words.get("envelope", PLAIN_JSON), (PLAIN_JSON, JSON_API), "envelope")
        types = _texts(words.get("event_types", []), "event_types")
        if envelope == JSON_API and not types:
            raise BadMapping("event_types is missing; with the envelope json_api it lists the types that are events.")
        constants = _constants(words.get("constants", {}))
        made = cls(
            envelope=envelope,
            events=_events(words.get("events")),
            event_types=types,
            fields=_fields(words.get("fields"), constants),
            constants=constants,
            codes=_codes(words.get("codes", {})),
            classifiers=_classifiers(words.get("classifiers", {})),
            laden=_laden(words.get("laden", {})),
            times=_one_of(words.get("times", OFFSET), (OFFSET, UTC, LOCAL), "times"),
            utc_without_zone_is_local=_flag(words.get("utc_without_zone_is_local", False), "utc_without_zone_is_local"),
        )
        if made.utc_without_zone_is_local and made.times == LOCAL:
            raise BadMapping("utc_without_zone_is_local says nothing where times is local: all of them are.")
        return made


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadMapping(f"{what} is {_shown(value)}; an object is expected.")
    return value


def _only(words: Mapping[str, Any], known: tuple[str, ...], what: str) -> None:
    for word in words:
        if word not in known:
            raise BadMapping(f"{what} has the word {_shown(word)}, which is not known. Known are {', '.join(known)}.")


def _one_of(value: object, known: tuple[str, ...], what: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise BadMapping(f"{what} is {_shown(value)}; one of {', '.join(known)} is expected.")
    return value


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise BadMapping(f"{what} is {_shown(value)}; true or false is expected.")
    return value


def _texts(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise BadMapping(f"{what} is {_shown(value)}; a list of names is expected.")
    return tuple(value)


def _events(value: object) -> Path | None:
    if value is None or value == "":
        return None
    path = Path.read(value, "events")
    if path.start not in ("", "$"):
        raise BadMapping("events begins with ^ or @; it is a path from the message, such as data.events.")
    return path


def _fields(value: object, constants: Mapping[str, str]) -> Mapping[str, Path]:
    words = _object(value, "fields")
    _only(words, FIELDS, "fields")
    found = {name: Path.read(path, f"fields.{name}") for name, path in words.items()}
    for name in ("event", "time"):
        if name not in found:
            raise BadMapping(f"fields.{name} is missing; without it nothing is an event.")
    for name, path in found.items():
        if "*" in path.steps:
            raise BadMapping(f"fields.{name} has [*], which only events may have: a field is one value.")
        if name in constants:
            raise BadMapping(f"{name} stands in fields and in constants; one of them is enough.")
    if not {"container", "booking", "bill", "shipment_ref"} & found.keys() and not {"imo", "voyage"} <= found.keys():
        raise BadMapping("fields names no container, booking, bill or shipment_ref, so no event finds a shipment.")
    return found


def _constants(value: object) -> Mapping[str, str]:
    words = _object(value, "constants")
    _only(words, tuple(name for name in FIELDS if name in _CONSTANT), "constants")
    for name, text in words.items():
        if not isinstance(text, str) or not text.strip():
            raise BadMapping(f"constants.{name} is {_shown(text)}; text is expected.")
    return {name: text.strip() for name, text in words.items()}


def _codes(value: object) -> Mapping[str, StatusRule]:
    words = _object(value, "codes")
    if len(words) > _MOST_CODES:
        raise BadMapping(f"codes has {len(words)} lines; {_MOST_CODES} are allowed.")
    found = {}
    for name, rule in words.items():
        what = f"codes.{name}"
        found[name.strip().upper()] = _rule(_object(rule, what), what)
    return found


def _rule(words: Mapping[str, Any], what: str) -> StatusRule:
    _only(words, _CODE_WORDS, what)
    says = words.get("says", "")
    if not isinstance(says, str):
        raise BadMapping(f"{what}.says is {_shown(says)}; text is expected.")
    if _flag(words.get("ignored", False), f"{what}.ignored"):
        return StatusRule(kind=Kind.SHIPMENT, code="", is_ignored=True, says=says)
    code = words.get("code")
    usual = codes.kind_of(code) if isinstance(code, str) else None
    if not isinstance(code, str) or usual is None:
        raise BadMapping(f"{what}.code is {_shown(code)}; a code such as GTIN or ARRI is expected.")
    document = words.get("document_type")
    if document is not None:
        _one_of(document, tuple(sorted(codes.DOCUMENTS)), f"{what}.document_type")
    elif usual == Kind.SHIPMENT:
        raise BadMapping(f"{what}.document_type is missing; {code} speaks of a document.")
    laden = words.get("laden")
    return StatusRule(
        kind=Kind(_one_of(words.get("kind", str(usual)), (str(usual),), f"{what}.kind")),
        code=code,
        classifier=Classifier(_one_of(words.get("classifier", "ACT"), tuple(Classifier), f"{what}.classifier")),
        laden=None if laden is None else codes.LADEN[_one_of(laden, tuple(codes.LADEN), f"{what}.laden")],
        mode=_optional(words, "mode", tuple(sorted(codes.MODES)), what),
        place_role=_optional(words, "place_role", _ROLES, what),
        document_type=document,
        says=says,
    )


def _optional(words: Mapping[str, Any], name: str, known: tuple[str, ...], what: str) -> str | None:
    value = words.get(name)
    return None if value is None else _one_of(value, known, f"{what}.{name}")


def _classifiers(value: object) -> Mapping[str, Classifier]:
    words = _object(value, "classifiers")
    known = tuple(Classifier)
    return {name.upper(): Classifier(_one_of(c, known, f"classifiers.{name}")) for name, c in words.items()}


def _laden(value: object) -> Mapping[str, bool]:
    words = _object(value, "laden")
    known = tuple(codes.LADEN)
    return {name.upper(): codes.LADEN[_one_of(word, known, f"laden.{name}")] for name, word in words.items()}


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- looking values up ---


def value_at(data: Any, steps: tuple[str | int, ...]) -> Any:
    """The value to which the steps lead; None when there is none."""
    for step in steps:
        if isinstance(step, int):
            data = data[step] if isinstance(data, list) and step < len(data) else None
        else:
            data = data.get(step) if isinstance(data, Mapping) else None
        if data is None:
            return None
    return data


def spread(
    data: Any, steps: tuple[str | int, ...], around: tuple[Any, ...] = ()
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every value to which steps with `[*]` lead, with what it stands in, the innermost object first."""
    for n, step in enumerate(steps):
        if step == "*":
            for entry in data if isinstance(data, list) else ():
                yield from spread(entry, steps[n + 1 :], around)
            return
        if isinstance(data, Mapping):
            around = (data, *around)
        data = value_at(data, (step,))
    yield data, around


# --- where the events stand ---


@dataclass(frozen=True, slots=True)
class Beside:
    """The resources that came along in a JSON:API document."""

    by_key: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    alone: Mapping[str, Any] = field(default_factory=dict)  # by type, where there is one of it

    @classmethod
    def of(cls, along: Any) -> Beside:
        resources = [r for r in (along if isinstance(along, list) else []) if isinstance(r, dict)]
        counts = Counter(str(r.get("type")) for r in resources)
        alone = {str(r.get("type")): r for r in resources if counts[str(r.get("type"))] == 1}
        return cls({(str(r.get("type")), str(r.get("id"))): r for r in resources}, alone)


@dataclass(frozen=True, slots=True)
class Spot:
    """One event in its message: itself, the message, what it stands in, and the resources beside it."""

    item: Any
    root: Any
    around: tuple[Any, ...] = ()
    beside: Beside = field(default_factory=Beside)


@dataclass(frozen=True, slots=True)
class Lack:
    """What stands in the place of an event and is none."""

    item: Any
    where: str
    more: str
    reason: Reason = Reason.WRONG_TYPE


def spots(root: Any, mapping: JsonMapping) -> list[Spot | Lack]:
    """Every event of a message in its order, or what stands in its place.

    Raises Unreadable: wrong_top_level, bad_mapping (nothing stands where the mapping says), too_many_items.
    """
    found = _json_api(root, mapping) if mapping.envelope == JSON_API else _plain(root, mapping)
    if len(found) > _MOST_EVENTS:
        raise Unreadable(Reason.TOO_MANY_ITEMS, f"The message holds {len(found)} events; {_MOST_EVENTS} are allowed.")
    return found


def _plain(root: Any, mapping: JsonMapping) -> list[Spot | Lack]:
    steps, said = (mapping.events.steps, mapping.events.text) if mapping.events else ((), "the top")
    found: list[Spot | Lack] = []
    there = False
    for value, around in spread(root, steps):
        there = there or value is not None
        if isinstance(value, list):
            found += [Spot(item, root, around) for item in value]
        elif isinstance(value, dict):
            found.append(Spot(value, root, around))
        elif value is not None:
            found.append(Lack(value, "", f"At {said} stands {type_name(value)}; a list of events is expected."))
    if not there and not _holds_none(root, steps):
        raise Unreadable(Reason.BAD_MAPPING, f"{sentence(Reason.BAD_MAPPING)} There is nothing at {said}.")
    return found


def _holds_none(root: Any, steps: tuple[str | int, ...]) -> bool:
    """Whether the list in which the events' lists would stand is there and empty."""
    return "*" in steps and value_at(root, steps[: steps.index("*")]) == []


def _json_api(root: Any, mapping: JsonMapping) -> list[Spot | Lack]:
    """The resources that are events: in `data`, or named by a resource there and sent along in `included`."""
    if not isinstance(root, dict) or "data" not in root:
        raise Unreadable(Reason.WRONG_TOP_LEVEL, "The message is no JSON:API document: it has no `data`.")
    data, beside = root["data"], Beside.of(root.get("included"))
    found: list[Spot | Lack] = []
    for entry in data if isinstance(data, list) else [data]:
        if not isinstance(entry, dict):
            found.append(Lack(entry, "", f"It is {type_name(entry)}; a resource is expected."))
        elif entry.get("type") in mapping.event_types:
            found.append(Spot(entry, root, (), beside))
        else:
            found += _sent_along(entry, root, beside, mapping, alone=not isinstance(data, list))
    return found


def _sent_along(
    entry: Mapping[str, Any], root: Any, beside: Beside, mapping: JsonMapping, *, alone: bool
) -> list[Spot | Lack]:
    """The events that a notification speaks of; without them it says only that there is something to ask for."""
    relations = entry.get("relationships")
    named = [
        (str(link.get("type")), str(link.get("id")))
        for relation in (relations.values() if isinstance(relations, dict) else ())
        for link in _links(relation)
        if link.get("type") in mapping.event_types
    ]
    if not named and alone:
        named = [key for key in beside.by_key if key[0] in mapping.event_types]
    if not named:
        asked = _name((str(entry.get("type")), str(entry.get("id"))))
        return [_lack(entry, f"No event came along. A further call is needed for {asked}.")]
    return [
        Spot(beside.by_key[key], root, (entry,), beside)
        if key in beside.by_key
        else _lack({"type": key[0], "id": key[1]}, f"A further call is needed: ask its sender for {_name(key)}.")
        for key in dict.fromkeys(named)
    ]


def _lack(item: Any, more: str) -> Lack:
    return Lack(item, ".included", more, Reason.MISSING_FIELD)


def _links(relation: Any) -> list[Mapping[str, Any]]:
    data = relation.get("data") if isinstance(relation, dict) else None
    return [link for link in (data if isinstance(data, list) else [data]) if isinstance(link, dict)]


def _name(key: tuple[str, str]) -> str:
    return ascii(f"{key[0][:60]} {key[1][:80]}")
