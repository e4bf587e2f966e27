"""Writes about sources: a new one, its secrets."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from portal.lib import seal
from portal.lib.errors import PortalError
from portal.tenancy.services import SYSTEM, audit
from tracking.models import Source, SourceSetting
from tracking.partners import ANCHORAGE
from tracking.services.rederivation import rederivation_ask
from tracking.types import SourceKind


class SourceExists(PortalError):
    """Two sources cannot share a key."""

    code, status = "source_exists", 409
    message = _("There is already a source with the key %(key)s.")


def dcsa_secret() -> str:
    """A new callback secret: 32 random bytes in Base64, as DCSA subscriptions want it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@transaction.atomic
def source_create(
    *,
    key: str,
    name: str,
    kind: SourceKind,
    at: datetime,
    format: str = "dcsa",
    secret: str = "",
    future_act_as_est: bool = False,
    arrival_is_anchorage: bool = False,
    actor: str = SYSTEM,
) -> Source:
    """A source in the entered scope: the operator's, or a tenant's own (R1.0). Raises SourceExists."""
    from tracking.selectors import source_scope

    if source_scope(key) is not None:
        raise SourceExists(key=key)
    try:
        with transaction.atomic():
            source = Source.objects.create(
                key=key, name=name, kind=kind.value, format=format, created_at=at, future_act_as_est=future_act_as_est,
                arrival_is_anchorage=arrival_is_anchorage, dcsa_secrets=[seal.seal(secret)] if secret else [],
            )  # fmt: skip
    except IntegrityError:  # a closed source keeps its key
        raise SourceExists(key=key) from None
    if arrival_is_anchorage:
        source_setting_set(key=key, name=ANCHORAGE, value=True, at=at, actor=actor)
    audit(action="source.created", actor=actor, at=at, object_type="source", object_id=key)
    return source


@transaction.atomic
def source_setting_set(*, key: str, name: str, value: Any, at: datetime, actor: str) -> SourceSetting:
    """From now on the source is believed so, in the entered scope; what held before stays for what was derived then.

    Shipments that heard of the source are worked out anew by the outbox.
    """
    row = SourceSetting.objects.create(source_key=key, name=name, value=value, recorded_at=at, recorded_by=actor)
    audit(action="source.setting_changed", actor=actor, at=at, object_type="source", object_id=key,
          details={"name": name, "value": value})  # fmt: skip
    rederivation_ask(at=at, source=key)
    return row


@transaction.atomic
def source_secret_rotate(*, key: str, at: datetime, actor: str) -> str:
    """Adds a new callback secret before the old ones; the two newest stay valid (G10). Returns it once."""
    source = Source.objects.select_for_update().get(key=key)
    fresh = dcsa_secret()
    source.dcsa_secrets = [seal.seal(fresh), *source.dcsa_secrets][:2]
    source.save(update_fields=["dcsa_secrets"])
    audit(action="source.secret_rotated", actor=actor, at=at, object_type="source", object_id=key)
    return fresh
