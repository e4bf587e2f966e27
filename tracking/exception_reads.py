"""Reads of exceptions: an account's own, and over all accounts for the desk.

The desk's reads run inside a crossing only, which says why and leaves its audit row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from portal.tenancy.models import Member, Role, Tenant, TenantKind
from portal.web.tables import Cursor, Page, instant_of, keyset_page
from tracking.exceptions import Code, Severity
from tracking.models import CaseState, ExceptionCase, ExceptionStep, OwnerRule, Shipment

MOST_COUNTED: Final = 1_000
MOST_STEPS: Final = 200
MOST_VALUES: Final = 60
MINE: Final = "me"
DESK: Final = "desk"


# --- of the entered account ---


def exceptions_open_count() -> int:
    """How many exceptions of the entered account are open, up to MOST_COUNTED; the caller asks for the entitlement."""
    return ExceptionCase.objects.filter(state=CaseState.OPEN).order_by()[:MOST_COUNTED].count()


def cases_of(shipment: Shipment) -> list[ExceptionCase]:
    """The cases of a shipment that hold or held, the open ones first, the most severe first; each with the latest note
    that is meant for the customer as `told` (`note`, `at`), or None. One query.
    """
    return sorted(
        cases_seen().filter(shipment=shipment),
        key=lambda c: (c.state != CaseState.OPEN, -c.severity, -c.started_at.timestamp(), c.pk),
    )


def cases_seen() -> QuerySet[ExceptionCase]:
    """The cases of the entered account that hold or held, with their shipment and the latest note for the customer."""
    notes = ExceptionStep.objects.filter(case=OuterRef("pk"), is_for_customer=True).exclude(note="").order_by("-pk")
    rows = ExceptionCase.objects.exclude(state=CaseState.WITHDRAWN).select_related("shipment")
    return rows.annotate(told=Subquery(notes.values(told=JSONObject(note="note", at="at"))[:1]))


def case_seen(public_id: str) -> ExceptionCase | None:
    """One of them."""
    return cases_seen().filter(public_id=public_id).first()


# --- over all accounts, inside a crossing ---


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case with what was done about it, oldest first."""

    case: ExceptionCase
    steps: Sequence[ExceptionStep] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFilter:
    """Which cases: by state, severity (and above), owner, account, code; empty text: all."""

    state: str = CaseState.OPEN
    severity: str = ""
    owner: str = ""  # public id of one of the staff, `me`, or `desk`
    account: str = ""  # public id
    code: str = ""
    overdue: str = ""  # 1: the first response is overdue

    @classmethod
    def read(cls, params: Mapping[str, str]) -> InboxFilter:
        """From the address; what is unknown is not asked, an unknown state is the open ones."""
        state, severity, code = params.get("state", ""), params.get("severity", ""), params.get("code", "")
        return cls(
            state=state if state in (*CaseState.values, "ALL") else CaseState.OPEN,
            severity=severity if severity in Severity.__members__ else "",
            owner=_word(params, "owner"),
            account=_word(params, "account"),
            code=code if code in list(Code) else "",
            overdue="1" if params.get("overdue") == "1" else "",
        )

    def params(self, **changes: str) -> dict[str, str]:
        """For links; the open ones need not be named."""
        named = ("state", "severity", "owner", "account", "code", "overdue")
        asked = {**{name: getattr(self, name) for name in named}, **changes}
        return {k: v for k, v in asked.items() if v and (k, v) != ("state", CaseState.OPEN)}


def _word(params: Mapping[str, str], name: str) -> str:
    word = params.get(name, "")
    return word if word.isascii() and word.isalnum() and len(word) <= 26 else ""


def inbox_page(wanted: InboxFilter, *, me: Member, cursor: Cursor | None, now: datetime) -> Page[ExceptionCase]:
    """The newest first, with account and shipment in words."""
    rows = _cases(wanted, me, now).values(
        "id", "public_id", "code", "node", "state", "severity", "started_at", "cleared_at", "delay_seconds", "owner",
        "owner_name", "respond_by", "acknowledged_at", "shipment__ref", "shipment__public_id", "tenant__name",
        "tenant__public_id",
    )  # fmt: skip
    return keyset_page(rows, key="started_at", cursor=cursor, parse=instant_of, write=datetime.isoformat)


def _cases(wanted: InboxFilter, me: Member, now: datetime) -> QuerySet[ExceptionCase]:
    rows: QuerySet[ExceptionCase] = ExceptionCase.objects.all()
    if wanted.state != "ALL":
        rows = rows.filter(state=wanted.state)
    if wanted.severity:
        rows = rows.filter(severity__gte=Severity[wanted.severity])
    if wanted.owner:
        named = {MINE: me.public_id, DESK: ""}.get(wanted.owner, wanted.owner)
        rows = rows.filter(owner=named)
    if wanted.account:
        rows = rows.filter(tenant__public_id=wanted.account)
    if wanted.code:
        rows = rows.filter(code=wanted.code)
    return rows.filter(overdue(now)) if wanted.overdue else rows


def overdue(now: datetime) -> Q:
    """Open, nobody took note of it, and the first response was due."""
    return Q(state=CaseState.OPEN, acknowledged_at__isnull=True, respond_by__lt=now)


@dataclass(frozen=True, slots=True)
class InboxCounts:
    """How many by state, severity, owner, account and code, each as if only that filter were changed; most first."""

    states: dict[str, int]
    severities: dict[int, int]
    owners: dict[tuple[str, str], int]  # (public id, name)
    accounts: dict[tuple[str, str], int]  # (public id, name)
    codes: dict[str, int]
    overdue: int


def inbox_counts(wanted: InboxFilter, *, me: Member, now: datetime) -> InboxCounts:
    """Six counts in six statements."""

    def by(*columns: str, **without: str) -> list[tuple[object, ...]]:
        rows = _cases(replace(wanted, **without), me, now).order_by()
        return list(rows.values_list(*columns).annotate(n=Count("id")).order_by("-n", *columns)[:MOST_VALUES])

    return InboxCounts(
        states={str(row[0]): int(str(row[1])) for row in by("state", state="ALL")},
        severities={int(str(row[0])): int(str(row[1])) for row in by("severity", severity="")},
        owners={(str(row[0]), str(row[1])): int(str(row[2])) for row in by("owner", "owner_name", owner="")},
        accounts={
            (str(row[0]), str(row[1])): int(str(row[2]))
            for row in by("tenant__public_id", "tenant__name", account="")
        },
        codes={str(row[0]): int(str(row[1])) for row in by("code", code="")},
        overdue=_cases(replace(wanted, overdue="", state=CaseState.OPEN), me, now).filter(overdue(now)).count(),
    )  # fmt: skip


def case_item(public_id: str) -> CaseFile | None:
    """One case with its account, its shipment and its history."""
    case = ExceptionCase.objects.filter(public_id=public_id).select_related("tenant", "shipment").first()
    if case is None:
        return None
    steps = ExceptionStep.objects.filter(case=case).order_by("-pk")[:MOST_STEPS]
    return CaseFile(case, list(steps)[::-1])


def staff_members() -> list[Member]:
    """The operator's active people who may own a case, by name."""
    owning = (Role.OPS, Role.ACCOUNT_MANAGER, Role.ADMIN)
    rows = Member.objects.filter(tenant__kind=TenantKind.OPERATOR, is_active=True, role__in=owning)
    return list(rows.order_by("name", "pk"))


def owner_rules() -> list[tuple[OwnerRule, Tenant]]:
    """Who owns what from when to when, rules of today and to come first, with the scope they hold in; 500 at most."""
    rows = OwnerRule.objects.select_related("tenant").order_by(F("valid_to").desc(nulls_first=True), "kind", "about")
    return [(row, row.tenant) for row in rows[:500]]
