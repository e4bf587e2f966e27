"""Writes of partner tables: what a code means when a source sends it (event standards 7.8)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from portal.tenancy.services import audit
from tracking.models import PartnerCode, Source
from tracking.types import Classifier, Kind


@transaction.atomic
def partner_code_set(
    *,
    source: Source,
    listed: str,
    agency: str,
    code: str,
    kind: Kind,
    event_code: str,
    classifier: Classifier,
    laden: bool | None,
    mode: str,
    place_role: str,
    document_type: str,
    is_ignored: bool,
    note: str,
    at: datetime,
    actor: str,
) -> PartnerCode:
    """The line of a code in the source's own scope, new or changed; what was read by it before stays as it is."""
    row, _made = PartnerCode.objects.update_or_create(
        source=source, listed=listed, agency=agency, code=code,
        defaults={
            "kind": Kind(kind).value, "event_code": "" if is_ignored else event_code,
            "classifier": Classifier(classifier).value, "laden": laden, "mode": mode, "place_role": place_role,
            "document_type": document_type, "is_ignored": is_ignored, "note": note[:200], "changed_at": at,
            "changed_by": actor,
        },
    )  # fmt: skip
    means = "" if is_ignored else event_code
    audit(action="source.code_changed", actor=actor, at=at, object_type="source", object_id=source.key,
          details={"list": listed, "agency": agency, "code": code, "means": means})  # fmt: skip
    return row
