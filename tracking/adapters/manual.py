"""What people enter by hand at the desk: one event as JSON, written by our own page and read like any message (R1.12).

Closed to partners: no door takes it, whatever a source sends.
"""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from tracking import codes, identifiers, strictjson
from tracking.fields import Fault, Fields, code_of, flag_of, fragment, object_of, optional_code, remark_of, text_of
from tracking.instants import Written, written
from tracking.reasons import Reason
from tracking.types import PLAIN, Adapter, CanonicalEvent, Classifier, Kind, Parsed, Partner, Refusal

_CODES: Final = codes.EQUIPMENT | codes.TRANSPORT | {codes.DELIVERY_FAILED}
_ROLES: Final = frozenset({"POL", "POD", "PRE", "PDE"})
_AT: Final = "$[0]"


def parse(raw: bytes, *, content_type: str | None = None, partner: Partner = PLAIN) -> Parsed:
    """The one event of an entry, or its withdrawal. Raises Unreadable when it is not JSON."""
    item = strictjson.loads(raw)
    try:
        return Parsed(events=(_event(object_of(item, _AT)),))
    except Fault as fault:
        return Parsed(
            refusals=(Refusal(code=fault.reason, position=fault.where, detail=fault.detail, fragment=fragment(item)),)
        )


def recognises(raw: bytes) -> bool:
    """Never by its look."""
    return False


def _event(data: Fields) -> CanonicalEvent:
    entry, retracts = text_of(data, "id", _AT), text_of(data, "withdraws", _AT)
    common: dict[str, Any] = {
        "position": f"{_AT}.time", "account": _needed(data, "account"), "shipment_ref": _needed(data, "shipment"),
        "entered_by": _needed(data, "entered_by"), "source_created_at": _written(data, "entered_at").time,
        "reason": remark_of(data, ("note",), _AT), "payload": dict(data), "rule": "entered by hand",
    }  # fmt: skip
    if retracts is not None:
        return CanonicalEvent(
            kind=Kind.EQUIPMENT, code="", classifier=Classifier.ACT, local="", time=None, retracts=retracts, **common
        )
    code = code_of(data, "code", _AT, _CODES)
    when, number = _written(data, "time"), text_of(data, "container", _AT)
    container = identifiers.container(number) if number else None
    return CanonicalEvent(
        kind=codes.kind_of(code) or Kind.EQUIPMENT, code=code,
        classifier=Classifier(code_of(data, "classifier", _AT, frozenset(Classifier))), local=when.local,
        time=when.time, precision=when.precision, offset_minutes=when.offset_minutes, container=container,
        container_ok=identifiers.container_ok(container) if container else None, laden=flag_of(data, "laden", _AT),
        place=identifiers.place(_needed(data, "place")), place_role=optional_code(data, "place_role", _AT, _ROLES),
        mode=optional_code(data, "mode", _AT, codes.MODES), source_event_id=entry,
        evidence_ref=text_of(data, "evidence", _AT) or "", **common,
    )  # fmt: skip


def _needed(data: Fields, name: str) -> str:
    text = text_of(data, name, _AT)
    if text is None:
        raise Fault(Reason.MISSING_FIELD, f"{_AT}.{name}")
    return text


def _written(data: Fields, name: str) -> Written:
    try:
        return written(_needed(data, name))
    except ValueError as fault:
        raise Fault(Reason.BAD_TIME, f"{_AT}.{name}", str(fault)) from None


MANUAL = Adapter(key="manual", label=_("Entered by hand"), parse=parse, recognises=recognises, is_own=True)
