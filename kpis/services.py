"""Writes of kpis: closing a month once and for ever, and telling the account when it can be read.

A close is one transaction in the entered tenant's scope (M1); what it stored is never changed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from kpis import bundle, selectors
from kpis.engine import CloseConfig
from kpis.facts import SnapshotPublished
from kpis.figures import display_pct, stands
from kpis.models import Snapshot, SnapshotRow, SnapshotUnit
from kpis.selectors import JOB_DELAY, PUBLICATION, MonthFigures
from portal.lib.errors import PortalError
from portal.lib.faults import declare, fault
from portal.lib.ids import digest
from portal.lib.periods import Month, utc_text
from portal.outbox.services import emit, enqueue
from portal.tenancy.context import scope
from portal.tenancy.selectors import installation, tenant_current
from portal.tenancy.services import SYSTEM, audit

SCHEDULED: Final = "SCHEDULED"

declare("close.after_snapshot", "a snapshot is written, its figures and units are not; nothing is committed")
declare("close.before_commit", "a month is closed, with its figures, units and audit row, not committed")


class MonthNotOver(PortalError):
    """The month cannot be closed yet."""

    code, status = "month_not_over", 409
    message = gettext_lazy("%(period)s closes on %(opens)s, not before.")


class MonthPending(PortalError):
    """R2.2: some unit's limit lies after the cut."""

    code, status = "month_pending", 409
    message = gettext_lazy(
        "%(period)s cannot close: %(count)s units are still within their limit, for example %(unit)s."
    )


class IngestBehind(PortalError):
    """Messages received by the cut wait to be applied."""

    code, status = "ingest_behind", 409
    message = gettext_lazy("%(period)s cannot close yet: messages received before the cut are still being read.")


class NothingDue(PortalError):
    """No unit is due, so there is nothing to close (X31)."""

    code, status = "nothing_due", 409
    message = gettext_lazy("No unit of this account is due in %(period)s.")


@transaction.atomic
def month_close(*, period: Month, at: datetime, actor: str = SYSTEM, reason: str = SCHEDULED) -> Snapshot:
    """Closes a month of the entered tenant as of its cut; a closed month is returned as it is (R4.1).

    Two callers at once make one snapshot. Raises MonthNotOver, IngestBehind, MonthPending, NothingDue.
    """
    found = selectors.snapshot_newest(str(period))
    if found is not None:
        return found
    config = selectors.config_now()
    cut = selectors.cut_of(period, config)
    if at < cut + JOB_DELAY:
        raise MonthNotOver(period=str(period), opens=utc_text(cut + JOB_DELAY))
    # one close of this tenant at a time: the manifests form a chain
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"kpis.close {scope()}"])
    found = selectors.snapshot_newest(str(period))
    if found is not None:
        return found
    if selectors.ingest_is_behind(cut):
        raise IngestBehind(period=str(period))
    figures = selectors.month_figures(period, as_of=cut, known_at=at, config=config)
    if not figures.units:
        raise NothingDue(period=str(period))
    if figures.pending:
        waiting = figures.pending
        raise MonthPending(period=str(period), count=len(waiting), unit=waiting[0].unit.unit_id)
    return _store(figures, config, at=at, actor=actor, reason=reason)


def _store(figures: MonthFigures, config: CloseConfig, *, at: datetime, actor: str, reason: str) -> Snapshot:
    period = figures.period
    facts = bundle.facts_csv(selectors.fact_lines_of(figures.units))
    kpis = bundle.kpis_json(selectors.kpi_lines_of(figures.cells, period, config))
    last = Snapshot.objects.order_by("-pk").first()
    operator, account = installation(), tenant_current()
    signed = bundle.manifest(
        operator=operator.code if operator else "",
        account=account.code,
        period=str(period),
        version=1,
        as_of=figures.as_of,
        files=[
            bundle.file_entry("facts.csv", facts, len(figures.units)),
            bundle.file_entry("kpis.json", kpis, len(figures.cells)),
        ],
        kpi_definitions={kpi: parts["version"] for kpi, parts in config.definitions.items()},
        previous=last.manifest_digest if last else None,
    )
    snapshot = Snapshot.objects.create(
        period=str(period),
        version=1,
        as_of=figures.as_of,
        closed_at=at,
        published_at=max(at, figures.as_of + PUBLICATION),
        high_water=selectors.high_water(figures.as_of),
        config=config.plain(),
        config_digest=config.digest,
        reason=reason,
        units=len(figures.units),
        facts_sha256=digest(facts),
        kpis_sha256=digest(kpis),
        manifest_digest=digest(signed),
        previous=last.manifest_digest if last else "",
    )
    fault("close.after_snapshot")
    _store_rows(snapshot, figures, config)
    _store_units(snapshot, figures)
    audit(
        action="snapshot.closed",
        actor=actor,
        at=at,
        object_type="snapshot",
        object_id=snapshot.public_id,
        details={"period": str(period), "version": 1, "units": snapshot.units, "facts_sha256": snapshot.facts_sha256},
    )
    enqueue(
        "kpis.publish_snapshot",
        key=snapshot.public_id,
        at=at,
        due_at=snapshot.published_at,
        snapshot=snapshot.public_id,
    )
    fault("close.before_commit")
    return snapshot


def _store_rows(snapshot: Snapshot, figures: MonthFigures, config: CloseConfig) -> None:
    rows = []
    for cell in figures.cells:
        low, high = cell.bounds
        rows.append(
            SnapshotRow(
                snapshot=snapshot,
                kpi=cell.kpi,
                kpi_version=config.definitions[cell.kpi]["version"],
                dims={"lane": cell.lane} if cell.lane else {},
                lane=cell.lane,
                num=cell.counts.num,
                den=cell.counts.den,
                excluded=cell.counts.excluded,
                unknown=cell.counts.unknown,
                gross_num=cell.gross.num,
                gross_den=cell.gross.den,
                excluded_by_reason=dict(cell.excluded_by_reason),
                grade=cell.graded.grade.value,
                grade_reasons=list(cell.graded.reasons),
                value=cell.value,
                low=low,
                high=high,
                more=dict(cell.more),
            )
        )
    SnapshotRow.objects.bulk_create(rows)


def _store_units(snapshot: Snapshot, figures: MonthFigures) -> None:
    SnapshotUnit.objects.bulk_create(
        [
            SnapshotUnit(
                snapshot=snapshot,
                shipment_id=j.unit.shipment_id,
                unit_id=j.unit.unit_id,
                lane=j.unit.lane,
                due_period=str(j.verdict.period),
                due_date=j.unit.commitment.due_day,
                zone=str(j.unit.commitment.zone),
                limit_utc=j.verdict.limit.utc,
                limit_op=j.verdict.limit.op.value,
                final_utc=j.verdict.final_utc,
                basis=j.basis,
                outcome=j.outcome.value,
                reason=j.reason.value if j.reason else "",
                required=list(j.slots.required),
                captured=list(j.slots.captured),
                conflicts=j.conflicts,
                slots=j.captured,
                covered_from=j.unit.covered_from,
                tier=j.unit.tier,
                dims=dict(j.unit.dims),
                last_heard_at=j.last_heard_at,
            )
            for j in figures.units
        ],
        batch_size=2_000,
    )


@transaction.atomic
def snapshot_publish(*, public_id: str, at: datetime) -> Snapshot:
    """Tells the account, once, that a closed month can be read (4.1)."""
    snapshot = Snapshot.objects.get(public_id=public_id)
    emit(
        SnapshotPublished(
            occurred_at=snapshot.published_at,
            snapshot=snapshot.public_id,
            period=snapshot.period,
            version=snapshot.version,
            summary=summary(snapshot),
            path=f"/snapshots/{snapshot.public_id}",
        ),
        at=at,
    )
    return snapshot


def summary(snapshot: Snapshot) -> str:
    """One sentence: the on-time figure of the whole account and its grade, as customers may read it (R3.1, R0.6).

    It becomes part of a fact, so it is English whoever asks; a notice says it in its reader's language.
    """
    with override("en"):
        return _summary(snapshot)


def _summary(snapshot: Snapshot) -> str:
    row = SnapshotRow.objects.get(snapshot=snapshot, kpi="OTD", lane="")
    if row.grade == "C":
        return _("%(den)s units; on-time delivery is not published, because the data are not complete enough.") % {
            "den": row.den
        }
    counted = {"num": row.num, "den": row.den, "grade": row.grade}
    if not stands(row.den, min_n=int(snapshot.config["min_n_percent"])):
        return _("On-time delivery: %(num)s of %(den)s units, data grade %(grade)s.") % counted
    shown = {**counted, "pct": display_pct(row.num, row.den)}
    return _("On-time delivery %(pct)s %% (%(num)s of %(den)s units), data grade %(grade)s.") % shown
