"""Money is exact, keeps its asset, and is rounded only where the function says which way."""

from decimal import Decimal, Inexact
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import (
    Amount,
    MalformedNumber,
    MixedAssets,
    amount,
    divide_down,
    parse,
    plain,
    round_down,
    round_half_even,
    round_ratio,
    round_up,
    total,
)
from tests.unit.domain.builders import BTC, BTC_TRY, TRY

NUMBERS = st.decimals("-1e12", "1e12", places=12)
POSITIVE = st.decimals("0.00000001", "1e9", places=8)
STEPS = st.sampled_from(["1", "0.01", "0.00000001", "5", "0.25", "1000"]).map(Decimal)


@given(wish=NUMBERS, step=STEPS)
def test_rounding_stays_within_one_step_on_the_side_it_names(wish: Decimal, step: Decimal) -> None:
    down, up, even = round_down(wish, step), round_up(wish, step), round_half_even(wish, step)
    assert down <= wish < down + step
    assert up - step < wish <= up
    assert even in (down, up)
    assert abs(even - wish) <= step / 2
    assert down % step == up % step == 0


@given(step=STEPS, steps=st.integers(-(10**9), 10**9))
def test_what_is_on_the_grid_is_left_as_it_is(step: Decimal, steps: int) -> None:
    wish = step * steps
    assert round_down(wish, step) == round_up(wish, step) == round_half_even(wish, step) == wish


@given(wish=st.decimals(0, 100, places=12))
def test_rounding_never_orders_more_or_bids_higher_than_was_wished(wish: Decimal) -> None:
    quantity = BTC_TRY.quantity_down(wish)
    assert quantity <= wish < quantity + BTC_TRY.lot_step
    assert BTC_TRY.price_down(wish) <= wish <= BTC_TRY.price_up(wish)
    assert BTC_TRY.is_on_grid(BTC_TRY.price_up(wish), quantity)


def test_an_off_grid_order_is_seen() -> None:
    assert not BTC_TRY.is_on_grid(parse("0.5"), parse("1"))
    assert not BTC_TRY.is_on_grid(parse("1"), parse("0.000000001"))


@pytest.mark.parametrize(
    ("number", "expected"), [("0.5", "0"), ("1.5", "2"), ("2.5", "2"), ("-0.5", "0"), ("0.51", "1")]
)
def test_a_tie_goes_to_even(number: str, expected: str) -> None:
    assert round_half_even(parse(number), parse("1")) == parse(expected)


@given(numerator=POSITIVE, denominator=POSITIVE, step=STEPS)
def test_a_quotient_is_never_more_than_it_is(numerator: Decimal, denominator: Decimal, step: Decimal) -> None:
    quotient = divide_down(numerator, denominator, step)
    assert quotient * denominator <= numerator < (quotient + step) * denominator


@given(numerator=NUMBERS, denominator=POSITIVE)
def test_a_ratio_is_right_to_fifty_digits(numerator: Decimal, denominator: Decimal) -> None:
    exact = Fraction(numerator) / Fraction(denominator)
    assert abs(Fraction(round_ratio(numerator, denominator)) - exact) <= abs(exact) / 10**50


def test_an_operation_that_would_lose_a_digit_is_an_error() -> None:
    with pytest.raises(Inexact):
        parse("1") / parse("3")
    with pytest.raises(Inexact):
        parse("1" + "0" * 29 + ".1") * parse("1" + "0" * 29 + ".00000000000000000000000000001")


def test_a_float_does_not_mix_with_money() -> None:
    with pytest.raises(ArithmeticError):
        assert parse("1") < 1.5


@given(number=st.decimals("-1e20", "1e20", places=10))
def test_what_is_written_is_read_back(number: Decimal) -> None:
    assert parse(plain(number)) == number
    assert "E" not in plain(number)


@pytest.mark.parametrize(("number", "text"), [("1.500", "1.5"), ("100", "100"), ("0.000", "0"), ("-0.10", "-0.1")])
def test_plain_numbers_have_no_needless_zeros(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "1e3", "1,5", "1.", ".5", "NaN", "Infinity", "--1", "0x1", "1_000", "١", "1.2.3", "1" * 31,
     "0." + "0" * 31, "1\n"],
)  # fmt: skip
def test_a_number_is_plain_or_refused(text: str) -> None:
    with pytest.raises(MalformedNumber, match="not a plain decimal number"):
        parse(text)


@given(first=NUMBERS, second=NUMBERS)
def test_amounts_of_one_asset_add_and_compare_like_their_numbers(first: Decimal, second: Decimal) -> None:
    one, other = Amount(first, TRY), Amount(second, TRY)
    assert (one + other).number == first + second
    assert one - other == -(other - one)
    assert (one < other, one <= other) == (first < second, first <= second)
    assert total([one, other], TRY) == one + other


def test_two_assets_never_mix() -> None:
    lira, coin = amount("10 TRY"), amount("1 BTC")
    for mix in (lira.__add__, lira.__sub__, lira.__lt__, lira.__le__):
        with pytest.raises(MixedAssets, match="1 BTC was used as an amount of TRY"):
            mix(coin)
    with pytest.raises(MixedAssets):
        lira.of(BTC)
    with pytest.raises(MixedAssets):
        total([lira, coin], TRY)


def test_nothing_adds_up_to_zero_of_the_asset() -> None:
    assert total([], TRY) == amount("0 TRY")


@given(number=st.decimals("-1e12", "1e12", places=8))
def test_an_amount_is_read_as_it_is_written(number: Decimal) -> None:
    assert amount(str(Amount(number, TRY))) == Amount(number, TRY)
