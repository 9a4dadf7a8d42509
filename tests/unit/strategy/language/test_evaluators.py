"""One declaration, two evaluators, the same floats to the last bit; and a state that can be kept and gone back to."""

import inspect
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from btcbot.domain.market import Candle
from btcbot.strategy import language
from btcbot.strategy.language import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    VOLUME,
    Columns,
    Condition,
    Expression,
    Program,
    ProgramState,
    Series,
    crosses_above,
    crosses_below,
)
from btcbot.strategy.language import nodes as kinds
from btcbot.strategy.language.nodes import (
    Accumulated,
    Choice,
    Constant,
    Extreme,
    Extremum,
    Lasting,
    OfPair,
    OnTimeframe,
    Operator,
    Since,
    Smoothed,
    Smoother,
    Statistic,
    Windowed,
    node_of,
)
from tests.unit.domain.builders import MINUTE, START
from tests.unit.strategy.language.words import (
    EXAMPLES,
    OTHER,
    bits,
    generated,
    in_columns,
    recorded,
    states,
    streamed,
)

FIELDS = st.sampled_from([OPEN, HIGH, LOW, CLOSE, VOLUME])
NUMBERS = st.sampled_from([0.0, 1.0, -2.5, 1e300, 1e-300]).map(Constant)
PERIODS = st.integers(1, 5)
ARITHMETIC = st.sampled_from(tuple(Operator))


def comparisons(series: st.SearchStrategy[Series]) -> st.SearchStrategy[Condition]:
    return st.tuples(series, series).flatmap(
        lambda pair: st.sampled_from(
            [
                pair[0] < pair[1], pair[0] <= pair[1], pair[0] > pair[1], pair[0] >= pair[1],
                crosses_above(*pair), crosses_below(*pair),
            ]
        )
    )  # fmt: skip


def conditions(series: st.SearchStrategy[Series]) -> st.SearchStrategy[Condition]:
    return st.recursive(
        comparisons(series),
        lambda below: st.one_of(
            st.tuples(below, below).map(lambda pair: pair[0] & pair[1]),
            st.tuples(below, below).map(lambda pair: pair[0] | pair[1]),
            below.map(lambda condition: ~condition),
            st.builds(Lasting, below, PERIODS),
        ),
        max_leaves=2,
    )


def grown(below: st.SearchStrategy[Series]) -> st.SearchStrategy[Series]:
    return st.one_of(
        st.builds(kinds.Arithmetic, ARITHMETIC, below, below),
        st.builds(Smoothed, st.sampled_from(tuple(Smoother)), below, PERIODS),
        st.builds(Windowed, st.sampled_from(tuple(Statistic)), below, st.integers(2, 6)),
        st.builds(Extreme, st.sampled_from(tuple(Extremum)), below, PERIODS),
        st.builds(Accumulated, below),
        st.builds(kinds.Previous, below, PERIODS),
        st.builds(Choice, comparisons(below), below, below),
        st.builds(Since, comparisons(below), PERIODS),
    )


def with_samples(below: st.SearchStrategy[Series]) -> st.SearchStrategy[Series]:
    on_timeframe = st.builds(OnTimeframe, st.sampled_from([3 * MINUTE, 6 * MINUTE]), below)
    return st.one_of(below, on_timeframe, st.builds(OfPair, st.just(OTHER), st.one_of(below, on_timeframe)))


OWN_RECORDINGS = "RECORDED_CANDLES"
CANDLES_MAX = 5_000
EVERYTHING = tuple(expression for examples in EXAMPLES.values() for expression in examples)

PLAIN = st.recursive(st.one_of(FIELDS, NUMBERS), grown, max_leaves=5)
SERIES = st.recursive(with_samples(PLAIN), grown, max_leaves=3)
EXPRESSIONS = st.one_of(SERIES, conditions(SERIES))
PRICES = st.one_of(st.decimals("0.01", "100000", places=2), st.sampled_from(["1", "1e-250", "1e250"]).map(Decimal))


BARS = st.tuples(PRICES, PRICES, PRICES, PRICES, st.integers(0, 10**6), st.sampled_from([1, 1, 1, 2, 7]))
HISTORIES = st.tuples(st.integers(0, 5), st.lists(BARS, max_size=30)).map(lambda drawn: history(*drawn))
WHATEVER = settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine an expression takes long to draw


def history(minute: int, drawn: list[tuple[Decimal, Decimal, Decimal, Decimal, int, int]]) -> list[Candle]:
    """Candles of which some minutes are missing."""
    candles = []
    for *prices, volume, minutes in drawn:
        low, body, other, high = sorted(prices)
        candles.append(Candle(START + minute * MINUTE, body, high, low, other, Decimal(volume) / 1000))
        minute += minutes
    return candles


def test_every_word_is_tried() -> None:
    words = {
        name for name in language.__all__
        if inspect.isfunction(getattr(language, name)) or isinstance(getattr(language, name), Series)
    }  # fmt: skip
    assert words - {"warm_up", "candles_needed", "node_of"} == set(EXAMPLES)


@pytest.mark.parametrize("word", EXAMPLES)
def test_both_evaluators_are_equal_for_every_word(word: str) -> None:
    candles, others = generated(400, seed=1), {OTHER: generated(500, seed=2)}
    different = set()
    for expression in EXAMPLES[word]:
        values = bits(streamed(expression, candles, others))
        assert values == bits(in_columns(expression, candles, others))
        different |= set(values) - {"None"}
    assert len(different) > 1


@pytest.mark.slow
def test_both_evaluators_are_equal_on_long_recordings() -> None:
    """On the recordings that `RECORDED_CANDLES` names, separated by colons, or on generated ones."""
    names = os.environ.get(OWN_RECORDINGS)
    recordings = [recorded(Path(name), CANDLES_MAX) for name in names.split(":")] if names else []
    for candles in recordings or [generated(CANDLES_MAX, seed=6), generated(CANDLES_MAX, seed=7, is_gapped=False)]:
        others = {OTHER: candles[5::3]}  # a thinner market, a few minutes late
        program, columns = Program(*EVERYTHING), Columns(candles, MINUTE, others)
        after = states(program, candles, others)
        for expression in EVERYTHING:
            values = [program.value(state, expression) for state in after]
            assert bits(values) == bits(list(columns.of(expression)))


@pytest.mark.parametrize(
    "look", [kinds.OnTimeframe(3 * MINUTE, kinds.Constant(1.0)), kinds.OfPair(OTHER, kinds.Constant(1.0))]
)
def test_not_even_a_constant_is_seen_on_candles_of_which_none_has_closed(look: Expression) -> None:
    candles = generated(2, seed=1, is_gapped=False)
    assert streamed(look, candles[:1], {OTHER: []}) == in_columns(look, candles[:1], {OTHER: []}) == [None]


@given(expression=EXPRESSIONS, candles=HISTORIES, other=HISTORIES)
@WHATEVER
def test_both_evaluators_are_equal_for_whatever_can_be_written(
    expression: Expression, candles: list[Candle], other: list[Candle]
) -> None:
    others = {OTHER: other}
    assert bits(streamed(expression, candles, others)) == bits(in_columns(expression, candles, others))


@given(expression=EXPRESSIONS, candles=HISTORIES, other=HISTORIES, end=st.integers(0, 30))
@WHATEVER
def test_no_value_depends_on_a_later_candle(
    expression: Expression, candles: list[Candle], other: list[Candle], end: int
) -> None:
    whole = in_columns(expression, candles, {OTHER: other})
    seen = candles[:end]
    known = [one for one in other if seen and one.opened_at <= seen[-1].opened_at]
    assert bits(in_columns(expression, seen, {OTHER: known})) == bits(whole[:end])


@given(expression=EXPRESSIONS, candles=HISTORIES, other=HISTORIES)
@WHATEVER
def test_a_step_changes_nothing_that_was_before(
    expression: Expression, candles: list[Candle], other: list[Candle]
) -> None:
    program = Program(expression)
    state, kept = program.initial(), []
    for one in candles:
        written = json.dumps(state.written())
        new = {OTHER: other[len(kept) : len(kept) + 1]}
        once, again = program.step(state, one, MINUTE, new), program.step(state, one, MINUTE, new)
        assert once == again
        assert json.dumps(state.written()) == written
        kept.append((state, written))
        state = again
    assert [json.dumps(before.written()) for before, _ in kept] == [written for _, written in kept]
    assert state.candles == len(candles)


def test_an_older_state_goes_on_as_if_nothing_had_come_after_it() -> None:
    """Through cuts of the shared past, with every word at once."""
    program = Program(*EVERYTHING)
    candles, other = generated(700, seed=3), generated(700, seed=4)
    straight = states(program, candles[:600], {OTHER: other})
    at = 250
    for begin in (at, at + 1, at + 90):
        state = straight[begin]
        for one in candles[begin + 50 : begin + 90]:  # another future than the one that came
            state = program.step(state, one, MINUTE)
    again = states(program, candles[:600], {OTHER: other})
    assert again[-1] == straight[-1]
    assert straight[at] == again[at]


@given(expression=EXPRESSIONS, candles=HISTORIES, other=HISTORIES)
@settings(WHATEVER, max_examples=50)
def test_a_state_can_be_written_down_and_goes_on_where_it_was(
    expression: Expression, candles: list[Candle], other: list[Candle]
) -> None:
    program = Program(expression)
    state = program.initial()
    for one in candles:
        read = ProgramState.read(json.loads(json.dumps(state.written())))
        assert read == state
        state = program.step(state, one, MINUTE, {OTHER: other[:2]})
        assert program.step(read, one, MINUTE, {OTHER: other[:2]}) == state


def test_a_state_equals_no_other_kind_of_thing() -> None:
    assert Program(CLOSE).initial() != "a state"


def test_shared_parts_are_computed_once() -> None:
    fast = language.ema(CLOSE, 3)
    assert len(kinds.in_order((crosses_above(fast, CLOSE), fast < CLOSE, language.ema(CLOSE, 3)))) == 4


def test_parts_of_a_program_have_values_too() -> None:
    fast = language.ema(CLOSE, 3)
    program = Program(fast < CLOSE)
    state = program.step(program.initial(), generated(1, seed=5)[0])
    assert program.value(state, fast) == program.value(state, CLOSE)
    with pytest.raises(KeyError):
        program.value(state, LOW)
    assert node_of(fast) is fast
