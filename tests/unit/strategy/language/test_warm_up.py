"""How many candles an expression needs is known before the first one; then its value is there, and may be trusted."""

from datetime import timedelta
from decimal import Decimal

import pytest

from btcbot.domain.market import Candle
from btcbot.strategy.language import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    OWN,
    VOLUME,
    Expression,
    Needs,
    Program,
    adx,
    atr,
    bars_since,
    candles_needed,
    choose,
    crosses_above,
    crosses_below,
    ema,
    highest,
    holds_for,
    macd,
    obv,
    of_pair,
    on_timeframe,
    rising,
    rsi,
    sma,
    stochastic,
    vwap,
    warm_up,
    wilder,
)
from btcbot.strategy.language.nodes import Constant
from tests.unit.domain.builders import MINUTE, START
from tests.unit.strategy.language.words import EXAMPLES, OTHER, QUARTER, closing, states, streamed

FADED = 125  # candles after which a seed of Wilder's 14 weighs at most 0.0001: (13/14)^125


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
        (wilder(CLOSE, 14), 1 + FADED),
        (rsi(CLOSE, 14), 2 + FADED),
        (atr(14), 2 + FADED),
        (adx(14).adx, 2 + 2 * FADED),
        (macd(CLOSE, 1, 3, 8).signal, 15 + 37),
        (stochastic(14, 3, 2).d, 14 + 2 + 1),
        (obv(), 2),
        (vwap(20), 20),
        (highest(CLOSE, 20), 20),
        (rising(CLOSE, 3), 4),
        (holds_for(CLOSE > 1.0, 3), 3),
        (bars_since(CLOSE > 1.0), 101),
        (choose(CLOSE > 1.0, sma(CLOSE, 9), 0.0), 9),
        (crosses_above(ema(CLOSE, 3), ema(CLOSE, 8)), 39),
        (crosses_below(CLOSE, sma(CLOSE, 4)), 5),
        (~((sma(CLOSE, 9) < CLOSE) & (VOLUME > 0.0)), 9),
        ((HIGH - LOW < 1.0) | (CLOSE.previous() <= OPEN), 2),
    ],
)
def test_the_warm_up_follows_from_the_expression(expression: Expression, candles: int) -> None:
    assert warm_up(expression) == candles


@pytest.mark.parametrize(
    ("expression", "needs"),
    [
        (on_timeframe(MINUTE, sma(CLOSE, 5)), {OWN: 5}),
        (on_timeframe(QUARTER, CLOSE), {OWN: 15 + 14}),
        (on_timeframe(QUARTER, Constant(1.0)), {OWN: 14}),
        (on_timeframe(QUARTER, sma(CLOSE, 5)), {OWN: 75 + 14}),
        (sma(on_timeframe(QUARTER, CLOSE), 5), {OWN: 15 + 14 + 4}),
        (on_timeframe(QUARTER, on_timeframe(4 * QUARTER, CLOSE)), {OWN: (4 + 3) * 15 + 14}),
        (of_pair(OTHER, sma(CLOSE, 5)), {OWN: 1, OTHER: 5}),
        (sma(of_pair(OTHER, sma(CLOSE, 5)), 3), {OWN: 3, OTHER: 7}),
        (of_pair(OTHER, on_timeframe(QUARTER, sma(CLOSE, 2))), {OWN: 1, OTHER: 30 + 14}),
        (CLOSE - of_pair(OTHER, CLOSE) + of_pair("AVAXTRY", sma(CLOSE, 3)), {OWN: 1, OTHER: 1, "AVAXTRY": 3}),
    ],
)
def test_the_warm_up_reaches_through_timeframes_and_pairs(expression: Expression, needs: Needs) -> None:
    assert candles_needed((expression,), MINUTE) == needs
    assert candles_needed((expression, sma(CLOSE, 2)), MINUTE) == {**needs, OWN: max(needs[OWN], 2)}


def test_nothing_needs_nothing() -> None:
    assert candles_needed(()) == {OWN: 0}


def zigzag(begin: int, count: int) -> list[Candle]:
    """Candles that move and trade, so that nothing is divided by zero."""
    candles = []
    for minute in range(begin, begin + count):
        close = Decimal(100 + 10 * (minute % 2)) + Decimal(minute) / 10
        candles.append(Candle(START + minute * MINUTE, close, close + 1, close - 1, close, Decimal(1 + minute % 3)))
    return candles


@pytest.mark.parametrize("word", sorted(set(EXAMPLES) - {"of_pair", "bars_since"}))
@pytest.mark.parametrize("begin", [0, 1, 7, 14])
def test_a_value_is_there_once_the_warm_up_is_over(word: str, begin: int) -> None:
    """Wherever in a timeframe's candle a process begins."""
    for expression in EXAMPLES[word]:
        assert streamed(expression, zigzag(begin, warm_up(expression, MINUTE)))[-1] is not None


def test_a_program_is_warm_when_all_that_it_looks_at_is() -> None:
    expression = crosses_above(on_timeframe(QUARTER, sma(CLOSE, 2)), of_pair(OTHER, sma(CLOSE, 3)))
    program = Program(expression)
    needs = program.needs(MINUTE)
    assert needs == {OWN: 45, OTHER: 4}
    ours, theirs = closing(*range(1, 61)), closing(*range(1, 61))
    warm = [program.is_warm(state, MINUTE) for state in states(program, ours, {OTHER: theirs})]
    assert warm == [False] * 44 + [True] * 16
    late = [program.is_warm(state, MINUTE) for state in states(program, ours, {OTHER: theirs[50:]})]
    assert late == [False] * 53 + [True] * 7
    assert program.seen(states(program, ours, {OTHER: theirs[50:]})[52]) == {OWN: 53, OTHER: 3}


def test_two_emas_that_began_apart_agree_after_the_warm_up() -> None:
    average = ema(CLOSE, 8)
    common = [100.0] * warm_up(average)
    early = streamed(average, closing(200.0, *common))[-1]
    late = streamed(average, closing(*common))[-1]
    assert abs(early - late) <= 0.0001 * 100.0


def test_a_timeframe_needs_the_interval_of_our_own_candles() -> None:
    with pytest.raises(ValueError, match="needs the interval of our own"):
        warm_up(on_timeframe(timedelta(hours=1), CLOSE))
