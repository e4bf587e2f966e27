"""Partner tables: how a source is read and how far it is believed, from its rows (event standards 7.8).

Reads only; the rows are changed by services, and the meaning of a code is asked by the adapters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from portal.tenancy.context import OPERATOR_ID, as_tenant, scope
from tracking import statuses
from tracking.models import PartnerCode, PlaceSetting, Source, SourceSetting, ZoneRule
from tracking.registry import ADAPTERS
from tracking.types import SOURCE_PRIORITY, Classifier, Kind, Partner, StatusRule

KIND_RANKS: Final[Mapping[str, int]] = {kind: 10 * n for n, kind in enumerate(SOURCE_PRIORITY, start=1)}
RANK: Final = "rank"
ANCHORAGE: Final = "arrival_is_anchorage"
AVPU: Final = "sends_avpu"


def partner_of(source: Source) -> Partner:
    """The source's partner table in the form that adapters read; one query in the source's own scope."""
    rows = PartnerCode.objects.filter(source=source)
    return Partner(
        status={(r.listed, r.agency, r.code): status_rule(r) for r in rows},
        zone=source.zone or None if source.zone_rule == ZoneRule.FIXED else None,
        strict_envelope=source.strict_envelope,
        mapping=source.mapping or {},
    )


def status_rule(row: PartnerCode) -> StatusRule:
    """One line of a partner table."""
    return StatusRule(
        kind=Kind(row.kind), code=row.event_code, classifier=Classifier(row.classifier), laden=row.laden,
        mode=row.mode or None, place_role=row.place_role or None, document_type=row.document_type or None,
        is_ignored=row.is_ignored, says=row.note,
    )  # fmt: skip


def settings_as_of(as_of: datetime | None) -> dict[tuple[str, str], Any]:
    """(source key, name) -> value in force as of an instant (None: now), for the entered account: its own word first,
    else the operator's. Such settings take part in what is derived, so they are never overwritten (R4.3, P10).
    An account's word is taken back by a row without a value.
    """
    found: dict[tuple[str, str], Any] = {}
    with as_tenant(OPERATOR_ID):
        found.update(_newest(as_of))
    if scope() != OPERATOR_ID:
        found.update({about: value for about, value in _newest(as_of).items() if value is not None})
    return found


def _newest(as_of: datetime | None) -> dict[tuple[str, str], Any]:
    rows = SourceSetting.objects.order_by("recorded_at", "id")
    if as_of is not None:
        rows = rows.filter(recorded_at__lte=as_of)
    return {(key, name): value for key, name, value in rows.values_list("source_key", "name", "value")}


def priority(settings: Mapping[tuple[str, str], Any]) -> tuple[str, ...]:
    """Source keys and kinds, best first (R1.9): kinds rank 10, 20, ... in their default order, sources as set."""
    ranked = [(rank, kind) for kind, rank in KIND_RANKS.items()]
    ranked += [(int(value), key) for (key, name), value in settings.items() if name == RANK and value is not None]
    return tuple(name for _rank, name in sorted(ranked, key=lambda pair: (pair[0], pair[1])))


def anchoring(settings: Mapping[tuple[str, str], Any]) -> frozenset[str]:
    """Sources whose ARRI means the anchorage."""
    return frozenset(key for (key, name), value in settings.items() if name == ANCHORAGE and value)


def codes_of(source: Source) -> Iterable[PartnerCode]:
    """The lines of a partner table in the order of a page."""
    return PartnerCode.objects.filter(source=source).order_by("listed", "code", "agency")


def own_rank(key: str) -> int | None:
    """The rank that the entered scope itself gave the source, whatever the operator says; None: it gave none."""
    row = SourceSetting.objects.filter(source_key=key, name=RANK).order_by("recorded_at", "id").last()
    return None if row is None or row.value is None else int(row.value)


def code_lists() -> tuple[str, ...]:
    """The lists that a line of a partner table can belong to: those of the standard table, and every format."""
    return tuple(sorted({*statuses.lists(), *ADAPTERS.keys()}))


def avpu_places(codes: Iterable[str], as_of: datetime | None) -> frozenset[str]:
    """Of these places, those whose terminals were said to report availability as of an instant (None: now) (1.1)."""
    rows = PlaceSetting.objects.filter(place__in=set(codes), name=AVPU).order_by("recorded_at", "id")
    if as_of is not None:
        rows = rows.filter(recorded_at__lte=as_of)
    newest = dict(rows.values_list("place", "value"))
    return frozenset(place for place, value in newest.items() if value)
