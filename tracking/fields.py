"""Reading the fields of a JSON object that others send: type, length and code are checked, faults say where.

Knows no standard; which fields an event has is the adapters' business.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from tracking.reasons import Reason, sentence
from tracking.types import Subject

# Characters: the standard's limits, and for ids what can be kept. Names are DCSA's; others may have 100.
MOST: Final = {
    "eventID": 500, "equipmentReference": 15, "facilityCode": 32, "facilityCodeListProvider": 16, "UNLocationCode": 16,
    "vesselIMONumber": 12, "vesselName": 80, "transportCallID": 100, "documentID": 100, "delayReasonCode": 16,
    "documentReferenceValue": 64, "carrierBookingReference": 64, "transportDocumentReference": 64,
    "referenceValue": 100, "eventDateTime": 64, "eventCreatedDateTime": 64,
    "exportVoyageNumber": 50, "importVoyageNumber": 50, "carrierVoyageNumber": 50,
}  # fmt: skip
MOST_USUAL: Final = 100
_REMARK: Final = 250  # free text is never a reason to refuse; more than this is cut
_FRAGMENT: Final = 2_000
LARGEST: Final = 64 * 1024  # characters of one event, without the lists of what it refers to

Fields = Mapping[str, Any]


class Fault(Exception):
    """What is wrong with one event, and where; adapters turn it into a refusal."""

    def __init__(self, reason: Reason, where: str, more: str = "", *, subject: Subject | None = None) -> None:
        self.reason, self.where, self.subject = reason, where, subject
        self.detail = f"{sentence(reason)} {more}".strip()
        super().__init__(self.detail)


def object_of(value: Any, where: str) -> Fields:
    """The object at this place."""
    if not isinstance(value, dict):
        raise Fault(Reason.WRONG_TYPE, where, f"It is {type_name(value)}; an object is expected.")
    return value


def part_of(data: Fields, name: str, at: str) -> Fields | None:
    """The object in a field; None when it is absent or null."""
    value = data.get(name)
    return None if value is None else object_of(value, f"{at}.{name}")


def text_of(data: Fields, name: str, at: str) -> str | None:
    """The text of a field, trimmed; None when it is absent, null or blank."""
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Fault(Reason.WRONG_TYPE, f"{at}.{name}", f"It is {type_name(value)}; text is expected.")
    text = value.strip()
    if len(text) > MOST.get(name, MOST_USUAL):
        raise Fault(Reason.TOO_LONG, f"{at}.{name}", f"It has {len(text)} characters.")
    return text or None


def remark_of(data: Fields, names: tuple[str, ...], at: str) -> str | None:
    """The first of these fields that holds free text, cut to what is kept."""
    for name in names:
        value = data.get(name)
        if value is not None and not isinstance(value, str):
            raise Fault(Reason.WRONG_TYPE, f"{at}.{name}", f"It is {type_name(value)}; text is expected.")
        if value and value.strip():
            return value.strip()[:_REMARK]
    return None


def optional_code(data: Fields, name: str, at: str, known: frozenset[str]) -> str | None:
    """The code of a field in upper case, one of a list; None when it is absent."""
    text = text_of(data, name, at)
    if text is None:
        return None
    code = text.upper()
    if code not in known:
        raise Fault(Reason.UNKNOWN_CODE, f"{at}.{name}", f"It is {text[:40]!a}.")
    return code


def code_of(data: Fields, name: str, at: str, known: frozenset[str]) -> str:
    """The code of a field that must be there."""
    code = optional_code(data, name, at, known)
    if code is None:
        raise Fault(Reason.MISSING_FIELD, f"{at}.{name}")
    return code


def flag_of(data: Fields, name: str, at: str) -> bool | None:
    """True or false; None when it is absent."""
    value = data.get(name)
    if value is not None and not isinstance(value, bool):
        raise Fault(Reason.WRONG_TYPE, f"{at}.{name}", f"It is {type_name(value)}; true or false is expected.")
    return value


def fits(value: str, most: int, where: str) -> None:
    """Refuses what is too long to be kept."""
    if len(value) > most:
        raise Fault(Reason.TOO_LONG, where, f"At most {most} characters are read.")


def storable(item: Any, at: str) -> None:
    """Refuses text with a NUL or half a surrogate pair, which cannot be stored anywhere."""
    text = json.dumps(item, ensure_ascii=False)
    if ("\\u0000" in text and _has_nul(item)) or not _encodes(text):
        raise Fault(Reason.BAD_TEXT, at)


def bounded(item: Fields, at: str, *, counted: Callable[[Fields], Fields]) -> None:
    """Refuses an event that is larger than any is: it would be stored with each shipment that it concerns.

    `counted`: the part of it that is stored so.
    """
    try:
        if 2 * len(_encoded(item)) <= LARGEST:  # blanks between its parts take no more room than the parts
            return
    except (OverflowError, ValueError, msgspec.MsgspecError):
        pass
    size = len(json.dumps(counted(item), ensure_ascii=False))
    if size > LARGEST:
        raise Fault(Reason.TOO_LONG, at, f"The event has {size} characters; {LARGEST} are read.")


_encoded: Final = msgspec.json.Encoder().encode


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(_has_nul(inner) for inner in value)
    return isinstance(value, str) and "\0" in value


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fragment(item: Any) -> str:
    """The item as JSON in ASCII, shortened: whatever was sent can be shown and stored."""
    return json.dumps(item, indent=1)[:_FRAGMENT]


def type_name(value: Any) -> str:
    """The JSON type of a value, for a sentence."""
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
