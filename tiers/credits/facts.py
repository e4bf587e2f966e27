"""What credits tell: that an amount was approved for an account.

Amounts are text with their currency; who is told stands in portal.notify.
"""

from __future__ import annotations

from datetime import UTC, datetime

from portal.lib.facts import Audience, Fact, fact


@fact("credits.credit_approved", audience=Audience.MANAGERS)
class CreditApproved(Fact):
    """A second person approved a credit; it will be paid without a claim."""

    credit: str  # public id
    amount: str  # for example "1,240.00", rounded as posted
    currency: str
    lane: str
    period: str  # YYYY-MM
    path: str

    @property
    def object_key(self) -> str:
        """Once for each credit."""
        return self.credit

    @classmethod
    def example(cls) -> CreditApproved:
        """A breached lane in March."""
        return cls(
            occurred_at=datetime(2026, 4, 8, 9, 30, tzinfo=UTC), credit="0123456789abcdefghjk", amount="1,240.00",
            currency="USD", lane="CNSHA–NLRTM", period="2026-03", path="/credits/0123456789abcdefghjk",
        )  # fmt: skip
