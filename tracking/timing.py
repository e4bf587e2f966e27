"""When an event happened: offset, facility zone, plausibility (R1.5, R1.6, X07 to X09).

Pure; the zone of a place and the present instant come as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import structs

from portal.lib.periods import local_midnight, zone_named
from tracking.reasons import Reason
from tracking.types import CanonicalEvent, Classifier, Precision

_LEAD: Final = timedelta(minutes=15)
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Timed:
    """An event with its instant, or the reason why it has none that can be used."""

    event: CanonicalEvent
    at: datetime | None
    zone: str = ""
    refused: Reason | None = None


def zone_or_none(name: str | None) -> ZoneInfo | None:
    """The IANA zone, or None when there is none of that name."""
    try:
        return zone_named(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def timed(
    event: CanonicalEvent, *, place_zone: str | None, recorded_at: datetime, future_act_as_est: bool = False
) -> Timed:
    """The event with its UTC instant; a retraction needs none (R1.4)."""
    zone = zone_or_none(event.zone) or zone_or_none(place_zone)
    name = zone.key if zone else ""
    if event.retracts and not event.local:
        return Timed(event, None, name)
    warnings = list(event.warnings)
    instant = event.time
    if instant is None:
        if zone is None:
            return Timed(event, None, refused=Reason.NO_ZONE)
        found = _local_instant(event, zone, warnings)
        if found is None:
            return Timed(event, None, refused=Reason.BAD_TIME)
        instant = found
    elif zone is not None and event.offset_minutes is not None and event.precision != Precision.DAY:
        stated = timedelta(minutes=event.offset_minutes)
        if instant.astimezone(zone).utcoffset() != stated:
            warnings.append(Reason.OFFSET_DIFFERS_FROM_ZONE)
    if not _EARLIEST <= instant <= recorded_at + _AHEAD:
        return Timed(event, instant, name, refused=Reason.IMPLAUSIBLE_TIME)
    classifier = event.classifier
    if classifier == Classifier.ACT and instant > recorded_at + _LEAD:
        if not future_act_as_est:
            return Timed(event, instant, name, refused=Reason.FUTURE_ACTUAL)
        classifier = Classifier.EST
        warnings.append(Reason.FUTURE_ACT_AS_EST)
    if classifier != event.classifier or len(warnings) > len(event.warnings):
        event = structs.replace(event, classifier=classifier, warnings=tuple(warnings))
    return Timed(event, instant, name)


def _local_instant(event: CanonicalEvent, zone: ZoneInfo, warnings: list[str]) -> datetime | None:
    """A local time without offset, read in the facility's zone, first occurrence when the clocks go back (R1.6)."""
    try:
        if event.precision == Precision.DAY:
            return local_midnight(date.fromisoformat(event.local.strip()[:10]), zone)
        naive = datetime.fromisoformat(event.local.strip())
    except ValueError:
        return None
    if naive.tzinfo is not None:
        return naive.astimezone(UTC)
    local = naive.replace(tzinfo=zone, fold=0)
    warnings.append(Reason.ZONE_FROM_FACILITY)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) != naive:
        warnings.append(Reason.SKIPPED_LOCAL_TIME)
    elif local.utcoffset() != naive.replace(tzinfo=zone, fold=1).utcoffset():
        warnings.append(Reason.AMBIGUOUS_LOCAL_TIME)
    return instant
