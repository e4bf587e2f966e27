"""Money as Decimal or minor units, rounded once, half-up (R0.4, R6.7).

No floats; the currency's decimals are ISO 4217's.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from typing import Final

# ISO 4217 minor units that differ from 2 (facts of the standard).
_DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
}
_WIDE = Context(prec=60)


def decimals(currency: str) -> int:
    """How many decimals the currency has: JPY 0, USD 2, KWD 3."""
    return _DECIMALS.get(currency, 2)


def half_up(value: Decimal | Fraction, places: int) -> Decimal:
    """Rounds exactly once, away from zero at the tie."""
    exact = Fraction(value)
    scaled = abs(exact) * 10**places
    whole = scaled.numerator * 2 // scaled.denominator
    whole = (whole + 1) // 2
    with localcontext(_WIDE):
        return Decimal(-whole if exact < 0 else whole).scaleb(-places)


def to_minor(amount: Decimal | Fraction, currency: str) -> int:
    """Minor units of an amount, rounded half-up (R6.7)."""
    return int(half_up(amount, decimals(currency)).scaleb(decimals(currency), _WIDE))


def from_minor(minor: int, currency: str) -> Decimal:
    """The amount with exactly the currency's decimals."""
    return (
        Decimal(minor)
        .scaleb(-decimals(currency), _WIDE)
        .quantize(Decimal(1).scaleb(-decimals(currency)), rounding=ROUND_HALF_UP, context=_WIDE)
    )
