"""What the exchange takes of a trade (protocol 7): fee and tax in quote, for maker and taker, by quote asset and tier.

Published rates include the tax. Net fee = 5/6 of it, tax = 1/6 (VAT of 20 % on the net fee), each rounded to eight
decimals, half even.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import Asset, Ratio, parse, round_half_even, round_ratio

FEE_STEP = parse("0.00000001")


@dataclass(frozen=True, slots=True)
class Rates:
    """Tax included, as published."""

    maker: Ratio
    taker: Ratio


@dataclass(frozen=True, slots=True)
class Tier:
    """What an account pays that traded for so much within 30 days."""

    volume_min: Decimal  # TRY
    rates: Mapping[Asset, Rates]


def _rates(text: str) -> Rates:
    """`0.12 / 0.24`: maker and taker in percent."""
    maker, taker = (Ratio(parse(percent).scaleb(-2)) for percent in text.split(" / "))
    return Rates(maker, taker)


def _tier(volume_min: str, lira: str, dollar: str) -> Tier:
    return Tier(parse(volume_min), {Asset("TRY"): _rates(lira), Asset("USDT"): _rates(dollar)})


TIERS = (
    _tier("0", "0.12 / 0.24", "0.10 / 0.14"),
    _tier("5000000", "0.11 / 0.21", "0.08 / 0.13"),
    _tier("25000000", "0.10 / 0.19", "0.06 / 0.11"),
    _tier("100000000", "0.08 / 0.17", "0.05 / 0.09"),
    _tier("250000000", "0.06 / 0.15", "0.04 / 0.07"),
    _tier("500000000", "0.04 / 0.12", "0.03 / 0.05"),
    _tier("1000000000", "0.02 / 0.10", "0.02 / 0.03"),
    _tier("2000000000", "0.01 / 0.08", "0.01 / 0.02"),
)
RATES = TIERS[0].rates  # of an account that nothing was said about


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
