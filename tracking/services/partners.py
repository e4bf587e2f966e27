"""Writes about how a source is read and believed: its settings, its partner table, its keys (event standards 7.8).

What is stored stays as it is: a change counts for messages that come, and events that are replayed, from then on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import NotFound, PortalError
from portal.tenancy.context import OPERATOR_ID, scope
from portal.tenancy.keys import key_create, key_revoke
from portal.tenancy.models import ApiKey
from portal.tenancy.selectors import tenant_id_of_code
from portal.tenancy.services import audit
from tracking import codes
from tracking.models import AcknowledgementKind, PartnerCode, Source, ZoneRule
from tracking.partners import ANCHORAGE, RANK, code_lists, own_rank, settings_as_of
from tracking.registry import ADAPTERS, AUTO
from tracking.services.sources import source_setting_set
from tracking.statuses import OWN_CODES
from tracking.timing import zone_or_none
from tracking.types import Classifier, Kind, SourceKind

PLACE_ROLES: Final = ("POL", "POD", "PRE", "PDE", "TSP", "ANCH")
VALID_KEYS: Final = 2  # of one source at a time: the old one and its successor (A6)
RANKS: Final = (1, 999)
SILENCES: Final = (5, 525_600)  # minutes
_CARRIER: Final = re.compile(r"[A-Z0-9]{2,10}", re.ASCII)
_INBOX: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_PLAIN: Final = (
    "name", "kind", "format", "future_act_as_est", "zone_rule", "zone", "strict_envelope", "all_or_nothing",
    "books_shipments", "acknowledges", "carriers", "mapping", "silent_after_minutes", "inbox",
)  # fmt: skip


class Refused(PortalError):
    """What somebody wants a source to be cannot be: `faults` says why, field by field."""

    code, status = "source_settings_refused", 422
    message = gettext_lazy("%(detail)s")

    def __init__(self, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        super().__init__(detail=" ".join(self.faults.values()))


class TooManySourceKeys(PortalError):
    """Two keys of the source are valid already."""

    code, status = "too_many_source_keys", 409
    message = gettext_lazy("This source has two valid keys already. Revoke one of them first.")


# --- settings ---


@transaction.atomic
def source_update(*, key: str, changes: Mapping[str, Any], at: datetime, actor: str) -> Source:
    """Changes what is named in `changes`: any field of a source that people set, `accounts` by their codes, `rank` and
    `arrival_is_anchorage`. The last two take part in what is derived, so they are new rows, never overwritten (R1.9).

    Raises Refused with a sentence for every field; then nothing is changed.
    """
    source = Source.objects.select_for_update().get(key=key)
    believed = settings_as_of(None)
    before = {name: getattr(source, name) for name in (*_PLAIN, "account_ids", ANCHORAGE)}
    before[RANK] = believed.get((key, RANK))
    wanted = {**before, **changes}
    if wanted["zone_rule"] == ZoneRule.PLACE:
        wanted["zone"] = ""
    faults = _faults(source, wanted)
    if "accounts" in changes:
        wanted["account_ids"], unknown = _accounts(changes["accounts"])
        faults |= {"accounts": unknown} if unknown else {}
    if faults:
        raise Refused(faults)
    changed = [name for name in before if before[name] != wanted[name]]
    for name in set(changed) - {RANK}:
        setattr(source, name, wanted[name])
    for name in (RANK, ANCHORAGE):
        if name in changed:
            source_setting_set(key=key, name=name, value=wanted[name], at=at, actor=actor)
    if changed:
        source.save()
        details = {name: [before[name], wanted[name]] for name in changed}
        audit(action="source.changed", actor=actor, at=at, object_type="source", object_id=key, details=details)
    return source


def _faults(source: Source, wanted: Mapping[str, Any]) -> dict[str, str]:
    zone, format_, silent = wanted["zone"], wanted["format"], wanted["silent_after_minutes"]
    carriers = [c for c in wanted["carriers"] if not _CARRIER.fullmatch(c)]
    others = Source.objects.exclude(pk=source.pk).filter(inbox=wanted["inbox"]).exclude(inbox="")
    said = {
        "name": "" if 0 < len(wanted["name"].strip()) <= 120 else _("A name of 1 to 120 characters is needed."),
        "kind": "" if wanted["kind"] in list(SourceKind) else _("There is no kind %(k)s.") % {"k": wanted["kind"]},
        "format": "" if format_ in (*ADAPTERS.keys(), AUTO, source.format)
        else _("No format is called %(name)s.") % {"name": format_},
        "zone_rule": "" if wanted["zone_rule"] in ZoneRule.values else _("There is no such rule."),
        "zone": _zone_fault(wanted["zone_rule"], zone),
        "acknowledges": _acknowledgement_fault(format_, wanted["acknowledges"]),
        "carriers": _("%(code)s is no carrier code: 2 to 10 letters and digits.") % {"code": carriers[0][:20]}
        if carriers else "",
        "silent_after_minutes": "" if silent is None or SILENCES[0] <= silent <= SILENCES[1]
        else _("From %(least)d to %(most)d minutes.") % {"least": SILENCES[0], "most": SILENCES[1]},
        "inbox": _inbox_fault(wanted["inbox"], taken=others.exists()),
        "mapping": "" if isinstance(wanted["mapping"], dict) else _("A mapping has names and what they mean."),
        "rank": rank_fault(wanted[RANK]),
    }  # fmt: skip
    return {name: fault for name, fault in said.items() if fault}


def _zone_fault(rule: str, zone: str) -> str:
    if zone and zone_or_none(zone) is None:
        return _("There is no time zone called %(zone)s; their names look like Europe/Amsterdam.") % {"zone": zone[:64]}
    return _("Name the zone in which this source writes all its times.") if rule == ZoneRule.FIXED and not zone else ""


def _acknowledgement_fault(format_: str, wanted: str) -> str:
    if wanted not in AcknowledgementKind.values:
        return _("There is no such acknowledgement.")
    plain = format_ in ("csv", "table", "json") or format_.startswith("dcsa")
    return _("Only EDIFACT and X12 have acknowledgements; this format has none.") if wanted and plain else ""


def _inbox_fault(inbox: str, *, taken: bool) -> str:
    if inbox and not _INBOX.fullmatch(inbox):
        return _("A folder has lower-case letters, digits, - and _ only.")
    return _("Another source has this folder already.") if taken else ""


def rank_fault(rank: int | None) -> str:
    """What is wrong with a rank; empty when nothing is."""
    low, high = RANKS
    return (
        "" if rank is None or low <= rank <= high else _("A rank is %(low)d to %(high)d.") % {"low": low, "high": high}
    )


def _accounts(wanted: Sequence[str]) -> tuple[list[int], str]:
    """Their ids, and what is wrong with the codes."""
    if wanted and scope() != OPERATOR_ID:
        return [], _("A source of one account reports on that account only; leave this empty.")
    found = {code: tenant_id_of_code(code) for code in wanted}
    unknown = [code for code, tenant_id in found.items() if tenant_id in (None, OPERATOR_ID)]
    if unknown:
        return [], _("There is no account with the code %(code)s.") % {"code": ", ".join(unknown)[:100]}
    return sorted({tenant_id for tenant_id in found.values() if tenant_id is not None}), ""


@transaction.atomic
def source_rank_override(*, key: str, rank: int | None, at: datetime, actor: str) -> None:
    """The entered account's own word on the rank of an operator's source; None takes it back (R1.9)."""
    if fault := rank_fault(rank):
        raise Refused({"rank": fault})
    if own_rank(key) != rank:
        source_setting_set(key=key, name=RANK, value=rank, at=at, actor=actor)


@transaction.atomic
def source_close(*, key: str, at: datetime, actor: str) -> Source:
    """Its doors answer as if it were not there; what it reported stays. Closing a closed one changes nothing."""
    return _switch(key, at, actor, is_active=False)


@transaction.atomic
def source_open(*, key: str, at: datetime, actor: str) -> Source:
    """Opens a closed source again."""
    return _switch(key, at, actor, is_active=True)


def _switch(key: str, at: datetime, actor: str, *, is_active: bool) -> Source:
    source = Source.objects.select_for_update().get(key=key)
    if source.is_active != is_active:
        source.is_active = is_active
        source.save(update_fields=["is_active"])
        action = "source.opened" if is_active else "source.closed"
        audit(action=action, actor=actor, at=at, object_type="source", object_id=key)
    return source


# --- the partner table ---


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLine:
    """What a code of a list means when this source sends it, as somebody wrote it down."""

    listed: str
    code: str
    agency: str = ""
    kind: str = Kind.EQUIPMENT.value
    event_code: str = ""
    classifier: str = Classifier.ACT.value
    laden: bool | None = None
    mode: str = ""
    place_role: str = ""
    document_type: str = ""
    is_ignored: bool = False
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What there is one line of."""
        return self.listed, self.agency, self.code


def line_of(row: PartnerCode) -> CodeLine:
    """A stored line."""
    return CodeLine(**{name: getattr(row, name) for name in CodeLine.__slots__})


def line_faults(line: CodeLine) -> dict[str, str]:
    """What is wrong with a line, field by field, in words."""
    said = {
        "listed": "" if line.listed in code_lists() else _("There is no list %(name)s; there are %(names)s.")
        % {"name": line.listed[:20] or "—", "names": ", ".join(code_lists())},
        "code": "" if 0 < len(line.code) <= 40 and line.code.isprintable()
        else _("A code of 1 to 40 characters is needed."),
        "agency": "" if len(line.agency) <= 16 and line.agency.isprintable()
        else _("An agency has at most 16 characters."),
        "note": "" if len(line.note) <= 200 else _("A note has at most 200 characters."),
        **({} if line.is_ignored else _meaning_faults(line)),
    }  # fmt: skip
    if line.is_ignored and line.event_code:
        said["event_code"] = _("A code that is ignored has no event; leave it empty.")
    return {name: fault for name, fault in said.items() if fault}


def _meaning_faults(line: CodeLine) -> dict[str, str]:
    papers, is_paper = sorted(codes.DOCUMENTS), line.kind == Kind.SHIPMENT
    paper = ""
    said_by_message = line.listed in OWN_CODES and not line.document_type
    if is_paper and line.document_type not in codes.DOCUMENTS and not said_by_message:
        paper = _("An event of a document says which: one of %(list)s.") % {"list": ", ".join(papers)}
    elif not is_paper and line.document_type:
        paper = _("Only events of kind SHIPMENT have a document.")
    return {
        "kind": "" if line.kind in list(Kind) else _("A kind is one of %(list)s.") % {"list": ", ".join(Kind)},
        "event_code": _event_fault(line),
        "classifier": "" if line.classifier in list(Classifier)
        else _("A classifier is one of %(list)s.") % {"list": ", ".join(Classifier)},
        "laden": _("Only events of kind EQUIPMENT are laden or empty.")
        if line.laden is not None and line.kind != Kind.EQUIPMENT else "",
        "mode": "" if line.mode in ("", *codes.MODES)
        else _("A mode is one of %(list)s.") % {"list": ", ".join(sorted(codes.MODES))},
        "place_role": "" if line.place_role in ("", *PLACE_ROLES)
        else _("A role of a place is one of %(list)s.") % {"list": ", ".join(PLACE_ROLES)},
        "document_type": paper,
    }  # fmt: skip


def _event_fault(line: CodeLine) -> str:
    if not line.event_code:
        return _("Say which event the code means, or that it is ignored.")
    found = codes.kind_of(line.event_code)
    if found is None:
        return _("%(code)s is no code of an event.") % {"code": line.event_code[:24]}
    if found != line.kind:
        return _("%(code)s is an event of kind %(is)s, not of %(not)s.") % {
            "code": line.event_code, "is": found.value, "not": line.kind[:12],
        }  # fmt: skip
    return ""


@transaction.atomic
def partner_code_set(*, key: str, line: CodeLine, at: datetime, actor: str) -> PartnerCode:
    """Adds the line, or changes the one of the same list, agency and code. Raises Refused."""
    if faults := line_faults(line):
        raise Refused(faults)
    source = Source.objects.select_for_update().get(key=key)
    row, before = code_store(source, line, at=at, actor=actor)
    after = asdict(line)
    if before != after:
        audit(action="source.code_set", actor=actor, at=at, object_type="source", object_id=key,
              details={"before": before, "after": after})  # fmt: skip
    return row


def code_store(
    source: Source, line: CodeLine, *, at: datetime, actor: str
) -> tuple[PartnerCode, dict[str, Any] | None]:
    """The stored line and what stood there before; the caller audits."""
    listed, agency, code = line.key
    row = PartnerCode.objects.filter(source=source, listed=listed, agency=agency, code=code).first()
    before = asdict(line_of(row)) if row else None
    if before == asdict(line) and row is not None:
        return row, before
    row = row or PartnerCode(source=source)
    for name, value in asdict(line).items():
        setattr(row, name, value)
    row.changed_at, row.changed_by = at, actor[:200]
    row.save()
    return row, before


@transaction.atomic
def partner_code_remove(*, key: str, listed: str, agency: str, code: str, at: datetime, actor: str) -> None:
    """From now on the code means what the standard table says. Raises NotFound."""
    row = PartnerCode.objects.select_for_update(of=("self",)).filter(
        source__key=key, listed=listed, agency=agency, code=code
    ).first()  # fmt: skip
    if row is None:
        raise NotFound
    before = asdict(line_of(row))
    row.delete()
    audit(action="source.code_removed", actor=actor, at=at, object_type="source", object_id=key,
          details={"before": before})  # fmt: skip


# --- keys ---


def valid_keys(at: datetime) -> Q:
    """Keys that open a door now."""
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=at))


@transaction.atomic
def source_key_issue(*, key: str, label: str, at: datetime, actor: str) -> tuple[ApiKey, str]:
    """A further key of the source, beside at most one other valid one; its text is never shown again (A6)."""
    Source.objects.select_for_update().get(key=key)  # two pages at once must not make a third key
    if ApiKey.objects.filter(valid_keys(at), source_key=key).count() >= VALID_KEYS:
        raise TooManySourceKeys
    return key_create(label=label, at=at, scope="events:write", source_key=key, actor=actor)


@transaction.atomic
def source_key_revoke(*, key: str, public_id: str, at: datetime, actor: str) -> ApiKey:
    """Ends one key of the source at once. Raises NotFound for a key of anything else."""
    if not ApiKey.objects.filter(public_id=public_id, source_key=key, scope="events:write").exists():
        raise NotFound
    return key_revoke(public_id=public_id, at=at, actor=actor)
