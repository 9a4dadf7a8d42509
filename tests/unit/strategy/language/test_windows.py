"""A window's statistic is the float nearest to its exact value: whoever computes it, however long it has been kept."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.strategy.language import (
    CLOSE,
    VOLUME,
    Program,
    Series,
    Value,
    highest,
    lowest,
    slope,
    sma,
    stdev,
    total,
    wma,
)
from btcbot.strategy.language.exact import FINISHES, sum_of, whole
from btcbot.strategy.language.nodes import VALUE_MAX, Statistic
from btcbot.strategy.language.values import Bar
from tests.unit.domain.builders import MINUTE, START

NUMBERS = st.one_of(
    st.floats(-1e6, 1e6), st.floats(-VALUE_MAX, VALUE_MAX), st.sampled_from([0.0, -0.0, 5e-324, 0.1, VALUE_MAX])
)
UNDEFINED = math.inf  # as the close of a bar: no float holds it


def over(expression: Series, closes: Sequence[float]) -> list[Value]:
    """The expression over bars of these closes, of any floats whatever."""
    program = Program(expression)
    state, values = program.initial(), []
    for minute, close in enumerate(closes):
        bar: Bar = (None, None, None, None if close == UNDEFINED else close, None)
        state = program.after(state, START + minute * MINUTE, bar, MINUTE)
        values.append(program.value(state, expression))
    return values


def mean_of(window: list[Fraction]) -> Fraction:
    return sum(window, start=Fraction()) / len(window)


def weighted_mean_of(window: list[Fraction]) -> Fraction:
    return sum((place * value for place, value in enumerate(window, 1)), start=Fraction()) / sum(
        range(1, len(window) + 1)
    )


def slope_of(window: list[Fraction]) -> Fraction:
    middle = Fraction(len(window) - 1, 2)
    rise = sum(((place - middle) * value for place, value in enumerate(window)), start=Fraction())
    return rise / sum((place - middle) ** 2 for place in range(len(window)))


def variance_of(window: list[Fraction]) -> Fraction:
    mean = mean_of(window)
    return mean_of([(value - mean) ** 2 for value in window])


EXACT: dict[str, tuple[Callable[[Series, int], Series], Callable[[list[Fraction]], Fraction]]] = {
    "sma": (sma, mean_of),
    "wma": (wma, weighted_mean_of),
    "total": (total, lambda window: mean_of(window) * len(window)),
    "slope": (slope, slope_of),
    "highest": (highest, max),
    "lowest": (lowest, min),
}


def nearest(exact: Fraction) -> Value:
    value = exact.numerator / exact.denominator
    return value if abs(value) <= VALUE_MAX else None


@pytest.mark.parametrize("word", EXACT)
@given(closes=st.lists(st.one_of(NUMBERS, NUMBERS, st.just(UNDEFINED)), max_size=60), period=st.integers(2, 9))
def test_a_value_is_the_float_nearest_to_the_exact_one(word: str, closes: list[float], period: int) -> None:
    build, exact = EXACT[word]
    for end, value in enumerate(over(build(CLOSE, period), closes), 1):
        window = closes[max(end - period, 0) : end]
        if len(window) < period or UNDEFINED in window:
            assert value is None
        else:
            assert value == nearest(exact([Fraction(close) for close in window]))


@given(closes=st.lists(st.floats(-1e150, 1e150), max_size=40), period=st.integers(1, 9))
def test_a_deviation_is_the_root_of_the_variance_rounded_once(closes: list[float], period: int) -> None:
    for end, value in enumerate(over(stdev(CLOSE, period), closes), 1):
        window = closes[max(end - period, 0) : end]
        if len(window) < period:
            assert value is None
        else:
            variance = variance_of([Fraction(close) for close in window])
            assert value == math.sqrt(variance.numerator / variance.denominator)


def test_what_no_float_can_hold_is_undefined() -> None:
    assert over(stdev(CLOSE, 2), [VALUE_MAX, -VALUE_MAX]) == [None, None]
    assert over(total(CLOSE, 2), [VALUE_MAX, VALUE_MAX, -VALUE_MAX]) == [None, None, 0.0]
    assert over(slope(CLOSE, 2), [-VALUE_MAX, VALUE_MAX, VALUE_MAX]) == [None, None, 0.0]
    assert sum_of(1, 1 << 2000, 0, 0) is None


@given(value=NUMBERS)
def test_a_float_is_a_whole_number_at_its_scale(value: float) -> None:
    number, scale = whole(value)
    assert Fraction(number, 2**scale) == Fraction(value)


def test_every_statistic_is_finished_by_something() -> None:
    assert set(FINISHES) == set(Statistic)


@pytest.mark.parametrize("word", EXACT)
def test_a_value_does_not_depend_on_when_a_process_began(word: str) -> None:
    """After an odyssey through huge and tiny numbers, to the last bit: a sum of floats would have lost it all."""
    build, _ = EXACT[word]
    window = [100_000.01, 99_999.99, 0.1, 0.2, 0.3]
    odyssey = [1e300, -3.7, 1e-300, 5e-324, 1 / 3, -1e300, *(1e17 / (number + 1) for number in range(500))]
    assert over(build(CLOSE, 5), odyssey + window)[-1] == over(build(CLOSE, 5), window)[-1]


def test_one_series_may_be_looked_at_over_many_periods() -> None:
    closes = [float(number * number % 17) for number in range(300)]
    together = Program(*(sma(CLOSE, period) + CLOSE.previous(period) for period in (2, 7, 30, 100)), VOLUME)
    state = together.initial()
    for minute, close in enumerate(closes):
        state = together.after(state, START + minute * MINUTE, (None, None, None, close, None), MINUTE)
    for period in (2, 7, 30, 100):
        alone = over(sma(CLOSE, period) + CLOSE.previous(period), closes)
        assert together.value(state, sma(CLOSE, period) + CLOSE.previous(period)) == alone[-1]
