"""Whether an account may see credits: its pages and its systems alike. What is owed is shown, and paid, after a
downgrade too (R5.3).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from portal.web.policy import entitled
from tiers.credits.models import CreditLine

KEY: Final = "service_credits"


def may_enter(*, at: datetime) -> bool:
    """Entitled now, or with credits from when it was."""
    return entitled(KEY, at) or CreditLine.objects.exists()
