"""Shipments in the form that systems read: the declared shapes of answers, and rows and dossiers put into them.

Decides nothing and asks nothing of the database; what pages show comes from the same selectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from portal.web.apishapes import Shape, anything, day, exact, flag, instant, many, number, one, text, texts, word
from tracking.dossier import Dossier, EventState
from tracking.earth import Point, near
from tracking.freetime import FreeKind, FreeTime
from tracking.milestones import MilestoneFacts, bind
from tracking.models import EtaRow, ReferenceKind, SightingRow
from tracking.seaways import Drawn, Line
from tracking.selectors import Beside
from tracking.standing import Prospect, Standing
from tracking.story import Step, StepKind
from tracking.types import Classifier, FinalMilestone, Kind, Milestone, Mode, Precision
from tracking.whereabouts import Where, Whereabouts
from tracking.wording import SOURCE_KINDS, STATUSES

_UTC: Final = ZoneInfo("UTC")


class PlaceShape(Shape):
    """A place."""

    code = text("UN/LOCODE, or a code of the forwarder's own.")
    name = text("Its name; its code where the name is unknown.")
    zone = text("Its time zone; empty where it is unknown.")


class ShipmentRow(Shape):
    """A shipment as lists show it."""

    id = text("Names the shipment in addresses; never reused.")
    reference = text("The forwarder's shipment number.")
    status = word("Where the journey stands.", STATUSES)
    standing = word("How it stands against its promise at this moment; provisional.", Standing)
    mode = word("The main mode.", Mode)
    carrier = text("Code of the carrier; empty where none is known.")
    pol = one(PlaceShape, "Port or place of loading.", null=True)
    pod = one(PlaceShape, "Port of discharge.", null=True)
    final_place = one(PlaceShape, "Where the promise ends.", null=True)
    lane = text("First and last place; `?` for what is unknown.")
    final_milestone = word("What the promise ends with.", FinalMilestone)
    due_at = instant("The promised limit.")
    due_date = day("The promised day at the final place, where a day was promised.")
    eta_at = instant("The best known time of the final milestone.")
    final_at = instant("When the final milestone was reached.")
    last_heard_at = instant("When anything was last heard.")
    containers = texts("Numbers of the containers that belong to it now.")
    latest_milestone = word("The latest milestone reached.", Milestone, null=True)
    latest_milestone_at = instant("When it was reached.")


class SearchShape(Shape):
    """What a search for `q` did."""

    how = word("By which comparison: exact, by beginning, by a part; null: nothing was found.",
               ("exact", "starting", "part"), null=True)  # fmt: skip
    unknown = texts("Which references of a list were not found.")
    has_more = flag("Whether more shipments match than a search returns.")


class ReferenceShape(Shape):
    """A reference of a shipment."""

    kind = word("What it names.", [k for k in ReferenceKind if k != ReferenceKind.VOYAGE])
    value = text("As it was written.")


class PromiseShape(Shape):
    """A promise that was made, whether it binds or not."""

    milestone = word("What was promised.", Milestone)
    place = one(PlaceShape, "Where.")
    due_date = day("The promised day, local to the place.")
    due_at = instant("The promised instant.")
    tolerance_days = number("Days that are added.")
    tolerance_hours = number("Hours that are added.")
    asked_by = word("Who asked for it.", ("ORIGINAL", "CUSTOMER", "OPERATOR"))
    reason = text("Why it was changed; empty for the first.")
    made_at = instant("When it was made.")
    recorded_at = instant("When it was recorded.")
    is_binding = flag("Whether it is what the forwarder is measured by.")


class LegShape(Shape):
    """A leg of the plan."""

    sequence = number("Its place in the plan.")
    origin = text("Code of the place it leaves from.")
    destination = text("Code of the place it goes to.")
    mode = text("How; empty where it is unknown.")
    voyage = text("Voyage number, or empty.")
    vessel_imo = text("IMO number of the vessel, or empty.")


class EtaMoveShape(Shape):
    """The final milestone was expected at `eta_at` from `from_at` on."""

    from_at = instant("From when on.")
    eta_at = instant("When it was expected.")
    source = text("Who said so.")


class ShipmentShape(ShipmentRow):
    """A shipment with all that its page shows, but for containers, milestones and events."""

    voyage = text("Voyage number, or empty.")
    vessel_imo = text("IMO number of the vessel, or empty.")
    branch = text("The forwarder's branch, or empty.")
    booked_at = instant("When it was booked.")
    confirmed_at = instant("When the booking was confirmed.")
    cancelled_at = instant("When it was cancelled.")
    transhipments = many(PlaceShape, "Where it changes vessels.")
    references = many(ReferenceShape, "Everything it is called.")
    promises = many(PromiseShape, "Its promises, the newest first.")
    legs = many(LegShape, "The newest plan.")
    eta_moves = many(EtaMoveShape, "How the estimate moved, the oldest first; only where every event may be seen.")
    has_conflict = flag("Whether sources disagree by more than six hours; null where not every event may be seen.",
                        null=True)  # fmt: skip


class ContainerMilestoneShape(Shape):
    """What holds for one milestone of one container."""

    milestone = word("Which.", Milestone)
    place = one(PlaceShape, "Where.", null=True)
    at = instant("When it was reached.")
    estimated_at = instant("When it is estimated.")
    planned_at = instant("When it is planned.")
    precision = word("Of `at`: a minute, or a local day.", Precision)
    source = text("Who reported `at`; empty while it is not reached.")


class FreeTimeShape(Shape):
    """The days that a container may stay without charge, at the terminal of import or out of it."""

    kind = word("What is charged beyond them.", FreeKind)
    began_on = day("The local day from which they are counted.")
    last_free_day = day("The last local day without charge.")
    ended_on = day("The local day on which the count stopped; null while it runs.")
    days_beyond = number("Days beyond the last free one of a count that has stopped; null while it runs.", null=True)


class ContainerShape(Shape):
    """A container of a shipment."""

    number = text("Its number.")
    removed_at = instant("When another took its place.")
    on_hold = flag("Whether customs or anybody else holds it; null where not every event may be seen.", null=True)
    milestones = many(ContainerMilestoneShape, "What was heard of it, in the order of the journey.")
    free_time = many(FreeTimeShape, "Its free days, where they are agreed and every event may be seen.")


class BoxTimeShape(Shape):
    """When one container reached a milestone."""

    container = text("Its number.")
    at = instant("When; null: not heard.")


class MilestoneShape(Shape):
    """A step of the journey, over all containers."""

    milestone = word("Which.", Milestone)
    state = word("Reached, expected, or expected before now and not heard.", StepKind)
    place = one(PlaceShape, "Where.", null=True)
    at = instant("When it was reached by the last container, or is expected.")
    precision = word("Of `at`: a minute, or a local day.", Precision)
    estimated_at = instant("When it is estimated.")
    planned_at = instant("When it was planned.")
    source = text("Who reported `at`; empty where nobody did.")
    heard_at = instant("When we heard it.")
    event = number("The number of the event behind `at`.", null=True)
    containers_reached = number("How many containers have it.")
    containers_total = number("Of how many.")
    apart = many(BoxTimeShape, "The containers' own times, where they differ.")
    is_final = flag("Whether the promise ends with it.")
    is_late = flag("Whether it lies beyond the promised limit.")
    is_conflict = flag("Whether sources disagree about it.")


class PositionShape(Shape):
    """Where a shipment is, said no more exactly than it is known."""

    where = word("At `place`; under way from there to `towards`; overdue there; or not known.", Where)
    place = one(PlaceShape, "Where it is, or left from.", null=True)
    towards = one(PlaceShape, "Where it is under way to.", null=True)
    since = instant("When it came to `place`, or left it.")
    expected_at = instant("When it is expected at the place it is under way to.")
    is_estimate = flag("Whether the position is worked out from the schedule: nobody reported it.")
    latitude = exact("Of the position, in degrees, two decimals; null where it is not known.")
    longitude = exact("The same, from -180 to 180.")
    km_covered = number("How far on its way, if the schedule holds.", null=True)
    km_total = number("How long that way is.", null=True)
    line = word("What the way is: of ships, or straight because that of ships is not known (yet) or it is none.", Drawn,
                null=True)  # fmt: skip
    last_heard_at = instant("When anything was last heard.")


class EventRow(Shape):
    """An event as a source reported it."""

    number = number("Its place among everything heard of the shipment, from 1; it never changes.")
    state = word("Whether it holds.", EventState)
    kind = word("What it is about.", Kind)
    code = text("What happened, in the code of DCSA; empty for a withdrawal.")
    classifier = word("Actual, estimated or planned.", Classifier)
    at = instant("When it happened or is expected; null for a withdrawal.")
    precision = word("Of `at`: a minute, or a local day.", Precision)
    local = text("The time as it was written.")
    container = text("Number of the container; empty: all of the shipment.")
    place = one(PlaceShape, "Where.", null=True)
    facility = text("Code of the terminal or depot, or empty.")
    laden = flag("Whether the container was full.", null=True)
    milestone = word("The milestone it speaks of, if any.", Milestone, null=True)
    mode = text("Of transport, or empty.")
    vessel = text("Name of the vessel, or empty.")
    vessel_imo = text("IMO number of the vessel, or empty.")
    voyage = text("Voyage number, or empty.")
    document_type = text("Which paper it is about, or empty.")
    reason = text("The reason given, or empty.")
    source = text("Who reported it.")
    source_kind = word("What kind of source that is.", SOURCE_KINDS)
    source_event_id = text("Its id at the source, or empty.")
    source_created_at = instant("When the source wrote it.")
    heard_at = instant("When we heard it.")
    warnings = texts("Codes of what we were not sure about when we read it.")


class EventShape(EventRow):
    """An event with its part of the message."""

    retracts = text("The id of the event that it withdraws, or empty.")
    payload_hash = text("SHA-256 of the payload, as hexadecimal digits.")
    payload = anything("This shipment's part of the message it came in.")


# --- rows of lists ---


def _place_of(code: str, around: Beside) -> dict[str, str] | None:
    if not code:
        return None
    name, zone = around.places.get(code, (code, ""))
    return {"code": code, "name": name, "zone": zone}


def shipment_row(row: Mapping[str, Any], around: Beside, *, now: datetime) -> dict[str, Any]:
    """A lean row of the list's selector in the shape of ShipmentRow."""
    prospect = Prospect(
        status=row["status"], punctuality=row["punctuality"], due_at=row["due_at"], due_date=row["due_date"],
        eta_at=row["eta_at"], final_at=row["final_at"], final_milestone=row["final_milestone"], zone=_UTC,
    )  # fmt: skip
    return {
        "id": row["public_id"],
        "reference": row["ref"],
        "status": row["status"],
        "standing": prospect.standing(now).value,
        "mode": row["mode"],
        "carrier": row["carrier"],
        "pol": _place_of(row["pol"], around),
        "pod": _place_of(row["pod"], around),
        "final_place": _place_of(row["final_place"], around),
        "lane": row["lane"],
        "final_milestone": row["final_milestone"],
        "due_at": row["due_at"],
        "due_date": row["due_date"],
        "eta_at": row["eta_at"],
        "final_at": row["final_at"],
        "last_heard_at": row["last_heard_at"],
        "containers": around.boxes[row["id"]],
        "latest_milestone": row["latest"] or None,
        "latest_milestone_at": row["latest_at"],
    }


# --- one shipment ---


def _place(found: Dossier, code: str | None) -> dict[str, str] | None:
    return {"code": code, "name": found.name_of(code), "zone": found.zone_of(code)} if code else None


def shipment_more(found: Dossier, moves: Sequence[EtaRow]) -> dict[str, Any]:
    """What ShipmentShape has beyond its row."""
    s = found.shipment
    return {
        "voyage": s.voyage, "vessel_imo": s.vessel_imo, "branch": s.branch, "booked_at": s.booked_at,
        "confirmed_at": s.confirmed_at, "cancelled_at": s.cancelled_at,
        "transhipments": [_place(found, code) for code in s.transhipments],
        "references": [{"kind": r.kind, "value": r.written} for r in found.references],
        "promises": [
            {
                "milestone": c.milestone,
                "place": {"code": c.place, "name": found.name_of(c.place), "zone": c.zone},
                "due_date": c.due_date, "due_at": c.due_at, "tolerance_days": c.tol_days,
                "tolerance_hours": c.tol_hours, "asked_by": c.asked_by, "reason": c.reason, "made_at": c.made_at,
                "recorded_at": c.recorded_at, "is_binding": c.is_binding,
            }
            for c in found.commitments
        ],
        "legs": [
            {"sequence": leg.sequence, "origin": leg.origin, "destination": leg.destination, "mode": leg.mode,
             "voyage": leg.voyage, "vessel_imo": leg.vessel_imo}
            for leg in found.legs
        ],
        "eta_moves": [{"from_at": m.published_at, "eta_at": m.eta_at, "source": m.source} for m in moves],
        "has_conflict": None if found.core is not None else bool(found.facts.conflicts),
    }  # fmt: skip


def container_rows(found: Dossier, clocks: Mapping[str, Sequence[FreeTime]]) -> list[dict[str, Any]]:
    """The containers, by number. `clocks`: their free time."""
    told = {part.container: part for part in found.facts.containers}
    rows = []
    for box in sorted(found.containers, key=lambda b: b.number):
        part = told.get(box.number)
        seen = [m for m in part.milestones if found.core is None or m.milestone in found.core] if part else []
        held = any(hold.end is None for hold in part.holds) if part else False
        rows.append({
            "number": box.number, "removed_at": box.removed_at, "on_hold": held if found.core is None else None,
            "milestones": [_container_milestone(found, m) for m in seen],
            "free_time": [
                {"kind": c.kind, "began_on": c.began, "last_free_day": c.last_free, "ended_on": c.ended,
                 "days_beyond": c.charged_days}
                for c in clocks.get(box.number, ())
            ],
        })  # fmt: skip
    return rows


def _container_milestone(found: Dossier, told: MilestoneFacts) -> dict[str, Any]:
    act = told.act
    return {
        "milestone": told.milestone, "place": _place(found, told.node), "at": act.time if act else None,
        "estimated_at": told.est.time if told.est else None, "planned_at": told.pln.time if told.pln else None,
        "precision": act.precision if act else Precision.MINUTE, "source": act.source if act else "",
    }  # fmt: skip


def milestone_rows(found: Dossier) -> list[dict[str, Any]]:
    """The steps of the time line that are milestones, in their order."""
    return [_milestone(found, step) for step in found.steps if step.milestone is not None]


def _milestone(found: Dossier, step: Step) -> dict[str, Any]:
    heard = step.heard
    return {
        "milestone": step.milestone, "state": step.kind, "place": _place(found, step.node), "at": step.at,
        "precision": step.precision, "estimated_at": step.estimated.time if step.estimated else None,
        "planned_at": step.planned.time if step.planned else None, "source": heard.source if heard else "",
        "heard_at": heard.recorded_at if heard else None,
        "event": found.number_of(heard.sighting_id) if heard else None,
        "containers_reached": step.reached, "containers_total": step.boxes,
        "apart": [{"container": b.container, "at": b.at} for b in step.apart],
        "is_final": step.is_final, "is_late": step.is_late, "is_conflict": step.is_conflict,
    }  # fmt: skip


def position(found: Dossier, here: Whereabouts, line: Line | None, point: Point | None) -> dict[str, Any]:
    """In the shape of PositionShape."""
    is_estimate = here.share is not None and line is not None
    return {
        "where": here.where, "place": _place(found, here.place), "towards": _place(found, here.towards),
        "since": here.since, "expected_at": here.expected, "is_estimate": is_estimate,
        "latitude": f"{point[1]:.2f}" if point else None, "longitude": f"{near(point[0], 0):.2f}" if point else None,
        "km_covered": round(line.way.km * here.share) if line is not None and here.share is not None else None,
        "km_total": round(line.way.km) if line is not None else None, "line": line.drawn if line is not None else None,
        "last_heard_at": found.shipment.last_heard_at,
    }  # fmt: skip


def event_row(found: Dossier, number: int) -> dict[str, Any]:
    """The n-th event in the shape of EventRow."""
    row: SightingRow = found.rows[number - 1]
    bound = bind(found.sightings[number - 1], found.journey)
    return {
        "number": number, "state": found.state_of(number), "kind": row.kind, "code": row.code,
        "classifier": row.classifier, "at": row.event_time, "precision": row.precision, "local": row.local_text,
        "container": row.container, "place": _place(found, row.place), "facility": row.facility, "laden": row.laden,
        "milestone": bound[0] if bound else None, "mode": row.mode, "vessel": row.vessel,
        "vessel_imo": row.vessel_imo, "voyage": row.voyage, "document_type": row.document_type,
        "reason": row.reason, "source": row.source, "source_kind": row.source_kind,
        "source_event_id": row.source_event_id, "source_created_at": row.source_created_at,
        "heard_at": row.recorded_at, "warnings": row.warnings,
    }  # fmt: skip


def event_more(row: SightingRow) -> dict[str, Any]:
    """What EventShape has beyond its row."""
    return {"retracts": row.retracts, "payload_hash": row.payload_hash, "payload": row.payload}
