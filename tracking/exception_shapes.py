"""Exceptions in the form that systems read."""

from __future__ import annotations

from typing import Any

from portal.web.apishapes import Shape, instant, number, one, text, word
from tracking.exceptions import Code, Severity
from tracking.models import CaseState, ExceptionCase


class CaseShipment(Shape):
    """The shipment that an exception is about."""

    id = text("Names the shipment in addresses.")
    reference = text("The forwarder's shipment number.")


class CaseNote(Shape):
    """What the desk says is being done."""

    text = text("Its words.")
    at = instant("When it was written.")


class ExceptionShape(Shape):
    """Something that goes, or went, wrong with a shipment."""

    id = text("Names the exception in addresses; never reused.")
    shipment = one(CaseShipment, "Which shipment.")
    code = word("What it is.", Code)
    place = text("Code of the place or leg; empty where it concerns the whole shipment.")
    state = word("Whether it holds.", [s for s in CaseState if s != CaseState.WITHDRAWN])
    severity = word("How bad it is.", [s.name for s in Severity])
    started_at = instant("When it truly began, whenever it was heard of.")
    cleared_at = instant("When it was over.")
    noticed_at = instant("When it was first seen here.")
    delay_seconds = number("The largest delay beyond the promise that was predicted while it lasted.", null=True)
    owner = text("Who takes care of it; empty: the operations desk.")
    respond_by = instant("By when the desk answers, where that is promised.")
    acknowledged_at = instant("When the desk took note of it.")
    note = one(CaseNote, "The latest word of the desk to you.", null=True)


def exception_row(case: ExceptionCase) -> dict[str, Any]:
    """A case of `cases_seen`."""
    told: dict[str, Any] | None = getattr(case, "told", None)
    return {
        "id": case.public_id, "shipment": {"id": case.shipment.public_id, "reference": case.shipment.ref},
        "code": case.code, "place": case.node, "state": case.state, "severity": Severity(case.severity).name,
        "started_at": case.started_at, "cleared_at": case.cleared_at, "noticed_at": case.noticed_at,
        "delay_seconds": case.delay_seconds, "owner": case.owner_name, "respond_by": case.respond_by,
        "acknowledged_at": case.acknowledged_at,
        "note": {"text": told["note"], "at": told["at"]} if told else None,
    }  # fmt: skip
