"""Gathers the tables of promises and credits for Django; imported by nobody."""

from tiers.credits.models import ChargeLine, CreditLine, CreditTransition, LedgerEntry, LedgerTransaction
from tiers.promises.models import Agreement, EntitlementOverride, Subscription

__all__ = [
    "Agreement",
    "ChargeLine",
    "CreditLine",
    "CreditTransition",
    "EntitlementOverride",
    "LedgerEntry",
    "LedgerTransaction",
    "Subscription",
]
