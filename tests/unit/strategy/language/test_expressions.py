"""The language can only look back, knows its warm-up, and means the same in both evaluators, to the last bit."""

import math
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
    Columns,
    Condition,
    Program,
    Series,
    Value,
    crosses_above,
    crosses_below,
    ema,
    node_of,
    sma,
    warm_up,
)
from btcbot.strategy.language.nodes import Constant, in_order
from tests.unit.domain.builders import MINUTE, START, candle

FIELDS = st.sampled_from([OPEN, HIGH, LOW, CLOSE, VOLUME])
NUMBERS = st.sampled_from([0.0, 1.0, -2.5, 1e300]).map(Constant)


def grown(below: st.SearchStrategy[Series]) -> st.SearchStrategy[Series]:
    return st.one_of(
        st.tuples(below, below).map(lambda pair: pair[0] + pair[1]),
        st.tuples(below, below).map(lambda pair: pair[0] - pair[1]),
        st.tuples(below, below).map(lambda pair: pair[0] * pair[1]),
        st.tuples(below, below).map(lambda pair: pair[0] / pair[1]),
        st.tuples(below, st.integers(1, 5)).map(lambda pair: sma(*pair)),
        st.tuples(below, st.integers(1, 5)).map(lambda pair: ema(*pair)),
        st.tuples(below, st.integers(1, 4)).map(lambda pair: pair[0].previous(pair[1])),
    )


SERIES = st.recursive(st.one_of(FIELDS, NUMBERS), grown, max_leaves=6)
TAME = st.recursive(
    FIELDS,
    lambda below: st.one_of(
        st.tuples(below, below).map(lambda pair: pair[0] - pair[1]),
        st.tuples(below, st.integers(1, 5)).map(lambda pair: sma(*pair)),
        st.tuples(below, st.integers(1, 5)).map(lambda pair: ema(*pair)),
        st.tuples(below, st.integers(1, 4)).map(lambda pair: pair[0].previous(pair[1])),
    ),
    max_leaves=4,
)
COMPARISONS = st.tuples(SERIES, SERIES).flatmap(
    lambda pair: st.sampled_from(
        [
            pair[0] < pair[1],
            pair[0] <= pair[1],
            pair[0] > pair[1],
            pair[0] >= pair[1],
            crosses_above(*pair),
            crosses_below(*pair),
        ]
    )
)
CONDITIONS = st.recursive(
    COMPARISONS,
    lambda below: st.one_of(
        st.tuples(below, below).map(lambda pair: pair[0] & pair[1]),
        st.tuples(below, below).map(lambda pair: pair[0] | pair[1]),
        below.map(lambda condition: ~condition),
    ),
    max_leaves=3,
)
PRICES = st.decimals("0.01", "100000", places=2)


@st.composite
def histories(draw: st.DrawFn) -> list[Candle]:
    """Up to thirty candles; some minutes are missing."""
    candles, minute = [], 0
    for _ in range(draw(st.integers(0, 30))):
        minute += draw(st.sampled_from([1, 1, 1, 2, 7]))
        low, body, other, high = sorted(draw(st.tuples(PRICES, PRICES, PRICES, PRICES)))
        volume = draw(st.decimals("0", "1000", places=3))
        candles.append(Candle(START + minute * MINUTE, body, high, low, other, volume))
    return candles


def streamed(expression: Series | Condition, candles: list[Candle]) -> list[Value]:
    program = Program(expression)
    state, values = program.initial(), []
    for one in candles:
        state = program.step(state, one)
        values.append(program.value(state, expression))
    return values


def bits(values: list[Value]) -> list[str]:
    """Floats as their exact digits, so that 0.0 and -0.0 differ."""
    return [value.hex() if isinstance(value, float) else repr(value) for value in values]


def closing(*closes: float) -> list[Candle]:
    return [candle(minute, Decimal(str(close))) for minute, close in enumerate(closes)]


@given(expression=st.one_of(SERIES, CONDITIONS), candles=histories())
def test_streaming_and_batch_are_equal_to_the_last_bit(expression: Series | Condition, candles: list[Candle]) -> None:
    assert bits(streamed(expression, candles)) == bits(list(Columns(candles).of(expression)))


@given(expression=st.one_of(SERIES, CONDITIONS), candles=histories(), end=st.integers(0, 30))
def test_no_value_depends_on_a_later_candle(expression: Series | Condition, candles: list[Candle], end: int) -> None:
    whole = Columns(candles).of(expression)
    assert bits(list(Columns(candles[:end]).of(expression))) == bits(list(whole[:end]))


@given(expression=st.one_of(SERIES, CONDITIONS), candles=histories())
def test_a_step_changes_nothing_that_was_before(expression: Series | Condition, candles: list[Candle]) -> None:
    program = Program(expression)
    state = program.initial()
    for one in candles:
        assert program.step(state, one) == program.step(state, one)
        state = program.step(state, one)
    assert state.candles == len(candles)


@pytest.mark.parametrize(
    ("expression", "candles"),
    [
        (Constant(1.0), 0),
        (CLOSE, 1),
        (CLOSE + 1.0, 1),
        (sma(CLOSE, 5), 5),
        (sma(sma(CLOSE, 5), 3), 7),
        (CLOSE.previous(3), 4),
        (ema(CLOSE, 1), 2),  # alpha is 1: one further value forgets the seed
        (ema(CLOSE, 3), 15),  # 0.5 ** 14 is the first power at or below 0.0001
        (ema(CLOSE, 8), 38),  # (7/9) ** 37
        (crosses_above(ema(CLOSE, 3), ema(CLOSE, 8)), 39),
        (crosses_below(CLOSE, sma(CLOSE, 4)), 5),
        (~((sma(CLOSE, 9) < CLOSE) & (VOLUME > 0.0)), 9),
        ((HIGH - LOW < 1.0) | (CLOSE.previous() <= OPEN), 2),
    ],
)
def test_the_warm_up_follows_from_the_expression(expression: Series | Condition, candles: int) -> None:
    assert warm_up(expression) == candles


@given(expression=TAME, close=PRICES)
def test_what_never_divides_is_defined_from_its_warm_up_on(expression: Series, close: Decimal) -> None:
    values = streamed(expression, [candle(minute, close) for minute in range(warm_up(expression) + 3)])
    assert None not in values[max(warm_up(expression) - 1, 0) :]


@given(closes=st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40), period=st.integers(1, 30))
def test_the_ema_is_its_closed_form(closes: list[float], period: int) -> None:
    """The seed weighs (1 - a)^k, each later value a·(1 - a)^(k - j)."""
    alpha = 2.0 / (period + 1)
    last = len(closes) - 1
    expected = closes[0] * (1 - alpha) ** last
    expected += sum(alpha * (1 - alpha) ** (last - at) * close for at, close in enumerate(closes) if at > 0)
    assert math.isclose(streamed(ema(CLOSE, period), closing(*closes))[-1], expected, rel_tol=1e-9)


@given(closes=st.lists(st.floats(0.01, 1e6), min_size=1, max_size=20), period=st.integers(1, 8))
def test_the_sma_is_the_mean_of_its_window(closes: list[float], period: int) -> None:
    value = streamed(sma(CLOSE, period), closing(*closes))[-1]
    if len(closes) < period:
        assert value is None
    else:
        assert math.isclose(value, math.fsum(closes[-period:]) / period, rel_tol=1e-12)


def test_two_emas_that_began_apart_agree_after_the_warm_up() -> None:
    average = ema(CLOSE, 8)
    common = [100.0] * warm_up(average)
    early = streamed(average, closing(200.0, *common))[-1]
    late = streamed(average, closing(*common))[-1]
    assert abs(early - late) <= 0.0001 * 100.0


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


def test_shared_parts_are_computed_once() -> None:
    fast = ema(CLOSE, 3)
    assert len(in_order((crosses_above(fast, CLOSE), fast < CLOSE, ema(CLOSE, 3)))) == 4


def test_numbers_stand_on_either_side() -> None:
    reversed_ones = (1.0 + CLOSE, 5.0 - CLOSE, 2.0 * CLOSE, 6.0 / CLOSE)
    assert [streamed(expression, closing(2))[0] for expression in reversed_ones] == [3.0, 3.0, 4.0, 3.0]


def test_a_condition_has_no_truth_of_its_own() -> None:
    with pytest.raises(TypeError, match="join conditions with &"):
        bool(CLOSE > 1.0)


@pytest.mark.parametrize("period", [0, -1, 1001])
def test_periods_are_bounded_and_cannot_reach_forward(period: int) -> None:
    for build in (sma, ema, Series.previous):
        with pytest.raises(ValueError, match="1 to 1000 candles"):
            build(CLOSE, period)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_constant_is_finite(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Constant(number)


def test_a_class_from_elsewhere_is_not_an_expression() -> None:
    class Tomorrow(Series):
        pass

    with pytest.raises(TypeError, match="Tomorrow is not an expression"):
        node_of(Tomorrow())
