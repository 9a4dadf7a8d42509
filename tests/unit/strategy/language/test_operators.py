"""What the words mean, on candles that can be checked with a pencil; and what cannot be written."""

import math
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.market import Candle
from btcbot.strategy.language import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    Expression,
    Program,
    Series,
    Value,
    absolute,
    adx,
    bars_since,
    choose,
    crosses_above,
    crosses_below,
    donchian,
    ema,
    falling,
    highest,
    holds_for,
    larger,
    macd,
    node_of,
    obv,
    of_pair,
    on_timeframe,
    rate_of_change,
    rising,
    rsi,
    slope,
    sma,
    smaller,
    stdev,
    stochastic,
    total,
    true_range,
    vwap,
    wilder,
    wma,
)
from btcbot.strategy.language.nodes import VALUE_MAX, Constant
from tests.unit.domain.builders import MINUTE, START
from tests.unit.strategy.language.words import OTHER, closing, streamed

HOUR = timedelta(hours=1)
UNDEFINED_AT_TWO = CLOSE / (CLOSE - 2.0)


def bars(*rows: tuple[float, float, float, float, float], begin: int = 0) -> list[Candle]:
    """Candles of open, high, low, close, volume, a minute apart."""
    return [
        Candle(START + minute * MINUTE, *(Decimal(str(number)) for number in row))
        for minute, row in enumerate(rows, begin)
    ]


@pytest.mark.parametrize(
    ("closes", "crossed"),
    [
        ((1, 2), [None, False]),
        ((3, 1, 3), [None, False, True]),
        ((3, 2, 3), [None, False, True]),  # from touching to above
        ((1, 2, 2), [None, False, False]),  # to touching only
        ((1, 3, 4, 5), [None, True, False, False]),  # one candle long
        ((1, 3, 1, 3), [None, True, False, True]),
    ],
)
def test_a_cross_is_true_for_one_candle(closes: tuple[int, ...], crossed: list[bool | None]) -> None:
    assert streamed(crosses_above(CLOSE, Constant(2.0)), closing(*closes)) == crossed
    assert streamed(crosses_below(Constant(2.0), CLOSE), closing(*closes)) == crossed


def test_what_cannot_be_computed_is_undefined_and_spreads() -> None:
    ratio = CLOSE / (CLOSE - 2.0)
    assert streamed(ratio, closing(1, 2, 3)) == [-1.0, None, 3.0]
    assert streamed(ratio > 0.0, closing(1, 2, 3)) == [False, None, True]
    assert streamed((ratio > 0.0) | (CLOSE > 0.0), closing(1, 2, 3)) == [True, None, True]
    assert streamed(~(ratio > 0.0), closing(1, 2, 3)) == [True, None, False]
    assert streamed(sma(ratio, 2), closing(1, 2, 3, 4)) == [None, None, None, 2.5]
    assert streamed(ema(ratio, 1), closing(1, 2, 3)) == [-1.0, None, 3.0]
    assert streamed(Constant(1e300) * 1e300, closing(1)) == [None]


def test_numbers_stand_on_either_side() -> None:
    reversed_ones = (1.0 + CLOSE, 5.0 - CLOSE, 2.0 * CLOSE, 6.0 / CLOSE)
    assert [streamed(expression, closing(2))[0] for expression in reversed_ones] == [3.0, 3.0, 4.0, 3.0]


def test_a_condition_has_no_truth_of_its_own() -> None:
    with pytest.raises(TypeError, match="join conditions with &"):
        bool(CLOSE > 1.0)


@pytest.mark.parametrize("period", [0, -1, 1001, 2.0, True])
def test_periods_are_bounded_and_cannot_reach_forward(period: int) -> None:
    for build in (sma, ema, highest, Series.previous):
        with pytest.raises(ValueError, match="1 to 1000 candles"):
            build(CLOSE, period)
    for build in (holds_for, bars_since):
        with pytest.raises(ValueError, match="1 to 1000 candles"):
            build(CLOSE > 1.0, period)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 2 * VALUE_MAX])
def test_a_constant_is_finite(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Constant(number)


def test_a_class_from_elsewhere_is_not_an_expression() -> None:
    class Tomorrow(Series):
        pass

    with pytest.raises(TypeError, match="Tomorrow is not an expression"):
        node_of(Tomorrow())


@pytest.mark.parametrize(
    ("expression", "closes", "values"),
    [
        (sma(CLOSE, 2), (1, 3, 7), [None, 2.0, 5.0]),
        (ema(CLOSE, 3), (1, 3, 7), [1.0, 2.0, 4.5]),
        (wilder(CLOSE, 4), (1, 5, 6), [1.0, 2.0, 3.0]),
        (wma(CLOSE, 2), (1, 4, 7), [None, 3.0, 6.0]),
        (highest(CLOSE, 2), (5, 3, 1, 4), [None, 5.0, 3.0, 4.0]),
        (total(CLOSE, 3), (1, 2, 3, 4), [None, None, 6.0, 9.0]),
        (stdev(CLOSE, 2), (1, 3, 3), [None, 1.0, 0.0]),
        (slope(CLOSE, 3), (1, 3, 5, 4), [None, None, 2.0, 0.5]),
        (rate_of_change(CLOSE, 1), (2, 3, 0.75), [None, 50.0, -75.0]),
        (rsi(CLOSE, 1), (2, 3, 3, 1), [None, 100.0, None, 0.0]),
        (macd(CLOSE, 1, 3, 1).line, (1, 3), [0.0, 1.0]),
        (rising(CLOSE, 2), (1, 2, 3, 3), [None, None, True, False]),
        (falling(CLOSE, 2), (3, 2, 1, 1), [None, None, True, False]),
        (holds_for(CLOSE > 2.0, 2), (3, 3, 1, 3, 3), [None, True, False, False, True]),
        (holds_for(UNDEFINED_AT_TWO > 0.0, 2), (3, 3, 2, 3, 3), [None, True, None, None, True]),
        (bars_since(CLOSE > 2.0, 2), (1, 3, 1, 1, 1, 3), [None, 0.0, 1.0, 2.0, None, 0.0]),
        (bars_since(UNDEFINED_AT_TWO > 0.0, 3), (3, 2, 1), [0.0, None, 2.0]),
        (larger(CLOSE, 2.0), (1, 3), [2.0, 3.0]),
        (smaller(CLOSE, 2.0), (1, 3), [1.0, 2.0]),
        (absolute(CLOSE - 2.0), (1, 2, 4), [1.0, 0.0, 2.0]),
        (choose(CLOSE > 1.0, CLOSE, -1.0), (1, 3), [-1.0, 3.0]),
        (choose(UNDEFINED_AT_TWO > 0.0, 1.0, -1.0), (1, 2, 3), [-1.0, None, 1.0]),
        (-CLOSE, (1, 2), [-1.0, -2.0]),
        (true_range(), (1, 4, 2), [None, 3.0, 2.0]),
    ],
)  # fmt: skip
def test_a_word_means_what_it_says(expression: Expression, closes: tuple[float, ...], values: list[Value]) -> None:
    assert streamed(expression, closing(*closes)) == values


def test_words_over_whole_candles() -> None:
    candles = bars((10, 12, 8, 11, 2), (11, 15, 11, 14, 1), (14, 14, 9, 10, 4), (10, 10, 10, 10, 0))
    assert streamed(true_range(), candles) == [None, 4.0, 5.0, 0.0]
    assert streamed(obv(), candles) == [None, 1.0, -3.0, -3.0]
    assert streamed(donchian(2).upper, candles) == [None, 15.0, 15.0, 14.0]
    assert streamed(donchian(2).middle, candles) == [None, 11.5, 12.0, 11.5]
    assert streamed(stochastic(2, 1, 1).k, candles)[1:3] == [100.0 * 6 / 7, 100.0 / 6]
    assert streamed(vwap(2), candles)[1] == pytest.approx((31 / 3 * 2 + 40 / 3) / 3)
    assert streamed(adx(1).plus_di, candles) == [None, 75.0, 0.0, None]
    assert streamed(adx(1).minus_di, candles) == [None, 0.0, 40.0, None]


def test_a_timeframe_is_seen_through_its_last_closed_candle() -> None:
    candles = bars(*((minute, minute + 2, minute - 1, minute + 1, 1) for minute in range(10, 18)))
    three = 3 * MINUTE
    assert streamed(on_timeframe(three, OPEN), candles) == [None, None, 10, 10, 10, 13, 13, 13]
    assert streamed(on_timeframe(three, HIGH), candles) == [None, None, 14, 14, 14, 17, 17, 17]
    assert streamed(on_timeframe(three, LOW), candles) == [None, None, 9, 9, 9, 12, 12, 12]
    assert streamed(on_timeframe(three, CLOSE), candles) == [None, None, 13, 13, 13, 16, 16, 16]
    assert streamed(on_timeframe(three, VOLUME), candles) == [None, None, 3, 3, 3, 3, 3, 3]


def test_a_timeframe_begins_with_its_first_whole_candle() -> None:
    late = bars(*((minute, minute, minute, minute, 1) for minute in range(10, 18)), begin=1)
    assert streamed(on_timeframe(3 * MINUTE, OPEN), late) == [None, None, None, None, 12, 12, 12, 15]


def test_a_timeframe_goes_over_what_is_missing() -> None:
    """Its last candle missing, it is closed by the next one; what was not there is not made up."""
    candles = bars(*((minute, minute, minute, minute, 1) for minute in range(10)))
    holed = [one for number, one in enumerate(candles) if number not in (2, 3, 6, 7, 8)]
    assert streamed(on_timeframe(3 * MINUTE, CLOSE), holed) == [None, None, 1, 5, 5]
    assert streamed(on_timeframe(3 * MINUTE, VOLUME), holed) == [None, None, 2, 2, 2]


def test_a_candle_that_no_float_can_hold_is_undefined_in_its_timeframe_too() -> None:
    huge = Decimal(10) ** 400
    candles = [
        *bars((1, 1, 1, 1, 1), (1, 1, 1, 1, 1)),
        Candle(START + 2 * MINUTE, Decimal(1), huge, Decimal(1), huge, huge),
    ]
    assert streamed(on_timeframe(3 * MINUTE, HIGH), candles) == [None, None, None]
    assert streamed(on_timeframe(3 * MINUTE, LOW), candles) == [None, None, 1.0]


def test_another_pair_is_seen_as_it_was_when_ours_closed() -> None:
    ours, theirs = closing(1, 2, 3, 4), closing(10, 20, 30, 40)
    assert streamed(of_pair(OTHER, CLOSE), ours, {OTHER: theirs}) == [10, 20, 30, 40]
    assert streamed(of_pair(OTHER, CLOSE), ours, {OTHER: theirs[1:3]}) == [None, 20, 30, 30]
    assert streamed(of_pair(OTHER, sma(CLOSE, 2)), ours[2:], {OTHER: theirs}) == [25, 35]
    assert streamed(of_pair(OTHER, CLOSE), ours) == [None] * 4


@pytest.mark.parametrize(
    ("write", "hint"),
    [
        (lambda: on_timeframe(HOUR, of_pair(OTHER, CLOSE)), "write of_pair"),
        (lambda: on_timeframe(HOUR, ema(of_pair(OTHER, CLOSE), 3)), "write of_pair"),
        (lambda: of_pair(OTHER, CLOSE - of_pair("BTCTRY", CLOSE)), "third pair"),
        (lambda: of_pair("", CLOSE), "BTCTRY"),
        (lambda: on_timeframe(timedelta(), CLOSE), "longer than nothing"),
        (lambda: on_timeframe(HOUR, on_timeframe(90 * MINUTE, CLOSE)), "not made of whole candles"),
        (lambda: macd(CLOSE, 26, 12, 9), "shorter period"),
        (lambda: slope(CLOSE, 1), "no slope"),
    ],
)
def test_what_makes_no_sense_cannot_be_written(write: Callable[[], object], hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        write()


@pytest.mark.parametrize(("timeframe", "interval"), [(HOUR, None), (90 * MINUTE, HOUR), (MINUTE, HOUR)])
def test_a_timeframe_is_made_of_whole_candles(timeframe: timedelta, interval: timedelta | None) -> None:
    program = Program(on_timeframe(timeframe, CLOSE))
    with pytest.raises(ValueError, match="candles of"):
        program.needs(interval)
    with pytest.raises(ValueError, match="candles of"):
        program.step(program.initial(), closing(1)[0], interval)


@given(closes=st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40), period=st.integers(1, 30))
def test_the_ema_is_its_closed_form(closes: list[float], period: int) -> None:
    """The seed weighs (1 - a)^k, each later value a·(1 - a)^(k - j)."""
    alpha = 2.0 / (period + 1)
    last = len(closes) - 1
    expected = closes[0] * (1 - alpha) ** last
    expected += math.fsum(alpha * (1 - alpha) ** (last - at) * close for at, close in enumerate(closes) if at > 0)
    assert math.isclose(streamed(ema(CLOSE, period), closing(*closes))[-1], expected, rel_tol=1e-9)


def test_one_zero_is_as_good_as_another() -> None:
    assert math.copysign(1.0, Constant(-0.0).number) == 1.0
    assert repr(Constant(1).number) == "1.0"
