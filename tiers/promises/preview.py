"""What a change of tier would do, found by doing it and taking it back: the preview cannot differ from the deed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.utils.functional import Promise

from tiers.promises.models import Agreement
from tiers.promises.registry import ENTITLEMENTS
from tiers.promises.selectors import tier_at, today
from tiers.promises.services import subscription_change
from tiers.promises.types import Tier


@dataclass(frozen=True, slots=True)
class TierPreview:
    """From when, what the account gets and loses by its tier, and which credit agreements end that day."""

    before: Tier
    after: Tier
    start: date
    gains: tuple[str | Promise, ...]
    loses: tuple[str | Promise, ...]
    ends: tuple[str, ...]


def subscription_preview(*, tier: Tier, at: datetime, on: date | None = None) -> TierPreview:
    """Nothing is kept. Raises what `subscription_change` raises (R5.3)."""
    before = tier_at(today(at))
    running = _credit_agreements()
    with transaction.atomic():
        start = subscription_change(tier=tier, at=at, on=on).valid_from
        ended = {code: end for code, end in _credit_agreements().items() if end != running.get(code)}
        transaction.set_rollback(True)
    has, gets = _features(before), _features(tier)
    return TierPreview(
        before=before, after=tier, start=start, ends=tuple(sorted(ended)),
        gains=tuple(label for key, label in gets.items() if key not in has),
        loses=tuple(label for key, label in has.items() if key not in gets),
    )  # fmt: skip


def _credit_agreements() -> dict[str, date | None]:
    rows = Agreement.objects.filter(credit__isnull=False).exclude(approved_by="")
    return {f"{row.code} v{row.version}": row.valid_to for row in rows}


def _features(tier: Tier) -> dict[str, str | Promise]:
    return {switch.key: switch.label for switch in ENTITLEMENTS if switch.default[tier]}
