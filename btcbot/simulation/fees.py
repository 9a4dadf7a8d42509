"""What the exchange takes of a trade (protocol 7): fee and tax in quote, for maker and taker, by quote asset.

Published rates include the tax. Net fee = 5/6 of it, tax = 1/6 (VAT of 20 % on the net fee), each rounded to eight
decimals, half even.
"""

from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import Asset, Ratio, parse, round_half_even, round_ratio

FEE_STEP = parse("0.00000001")


@dataclass(frozen=True, slots=True)
class Rates:
    """Tax included, as published."""

    maker: Ratio
    taker: Ratio


RATES = {
    Asset("TRY"): Rates(Ratio(parse("0.0012")), Ratio(parse("0.0024"))),
    Asset("USDT"): Rates(Ratio(parse("0.0010")), Ratio(parse("0.0014"))),
}


@dataclass(frozen=True, slots=True)
class Charge:
    fee: Decimal
    tax: Decimal

    @property
    def total(self) -> Decimal:
        return self.fee + self.tax


def charge(notional: Decimal, rate: Ratio) -> Charge:
    """Fee and tax on a notional, at a published rate."""
    taken = notional * rate
    return Charge(
        round_half_even(round_ratio(taken * 5, Decimal(6)), FEE_STEP),
        round_half_even(round_ratio(taken, Decimal(6)), FEE_STEP),
    )
