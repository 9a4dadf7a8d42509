"""Fees against figures that were worked out by hand, and against the published rate."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import Asset, parse, use_money_context
from btcbot.simulation.fees import RATES, charge


@pytest.mark.parametrize(
    ("notional", "quote", "role", "fee", "tax"),
    [
        ("1000", "TRY", "taker", "2", "0.4"),
        ("1000", "TRY", "maker", "1", "0.2"),
        ("1000", "USDT", "taker", "1.16666667", "0.23333333"),
        ("1000", "USDT", "maker", "0.83333333", "0.16666667"),
        ("0.00000150", "TRY", "taker", "0", "0"),
    ],
)
def test_fee_and_tax_are_five_and_one_sixth_of_the_published_rate(
    notional: str, quote: str, role: str, fee: str, tax: str
) -> None:
    rates = RATES[Asset(quote)]
    taken = charge(parse(notional), rates.taker if role == "taker" else rates.maker)
    assert (taken.fee, taken.tax) == (parse(fee), parse(tax))


@given(st.decimals(min_value="0.00000001", max_value="100000000", places=12))
def test_rounding_is_half_even_to_the_last_digit(notional: Decimal) -> None:
    use_money_context()
    rate = RATES[Asset("USDT")].taker
    taken = charge(notional, rate)
    exact = Fraction(notional) * Fraction(rate)
    assert Fraction(taken.fee) == Fraction(round(exact * 5 / 6 * 10**8), 10**8)
    assert Fraction(taken.tax) == Fraction(round(exact / 6 * 10**8), 10**8)
