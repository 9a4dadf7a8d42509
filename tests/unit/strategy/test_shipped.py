"""The strategies that ship: what they say on markets that a person can read, and what their parameters promise."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.market import Candle
from btcbot.domain.money import Ratio, amount
from btcbot.domain.profiles import StrategyChoice
from btcbot.domain.signals import Direction
from btcbot.services.strategy_loading import load_strategy
from btcbot.strategy.registry import REGISTRY
from btcbot.strategy.strategy import Strategy
from tests.unit.domain.builders import MINUTE, START, TRY

NAMES = sorted(REGISTRY)


def made(name: str, **params: object) -> Strategy:
    return REGISTRY[name].strategy(params, TRY)


def candles(closes: Sequence[float], spread: float = 1) -> list[Candle]:
    prices = [Decimal(str(close)) for close in closes]
    wide = Decimal(str(spread))
    return [
        Candle(START + number * MINUTE, price, price + wide, price - wide, price, Decimal(1))
        for number, price in enumerate(prices)
    ]


def directions(strategy: Strategy, closes: Sequence[float]) -> list[Direction]:
    state, said = strategy.initial(), []
    for candle in candles(closes):
        state = strategy.step("BTCTRY", state, candle)
        said.append(strategy.signal("BTCTRY", state).direction)
    return said


def calm(strategy: Strategy) -> list[float]:
    """As many candles as the warm-up takes, going to and fro."""
    return [1000 + number % 2 for number in range(strategy.warm_up)]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_described_bounded_and_protected(name: str) -> None:
    recipe = REGISTRY[name]
    strategy = made(name)
    assert strategy.name == name
    assert recipe.about
    assert strategy.rules.has_stop
    assert strategy.warm_up <= 1_000
    for parameter, field in recipe.params.model_fields.items():
        assert field.description, parameter
        assert not field.is_required(), f"{parameter} has a default"
        if field.annotation is not bool:
            kinds = {type(bound).__name__ for bound in field.metadata}
            assert kinds & {"Gt", "Ge"}, f"{parameter} has no lower bound"
            assert kinds & {"Lt", "Le"}, f"{parameter} has no upper bound"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_said_before_the_warm_up(name: str) -> None:
    strategy = made(name)
    said = directions(strategy, calm(strategy))
    assert set(said[:-1]) <= {Direction.HOLD}


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_can_choose_it(name: str) -> None:
    assert load_strategy(StrategyChoice(name, ()), TRY) == made(name)


def last(strategy: Strategy, *tail: float) -> list[Direction]:
    return directions(strategy, [*calm(strategy), *tail])[-len(tail) :]


def test_rsi_buys_the_turn_out_of_the_oversold_and_sells_the_recovery() -> None:
    strategy = made("rsi_reversion", period=3)
    falling, rising = [990 - 5 * n for n in range(8)], [960 + 6 * n for n in range(6)]
    said = last(strategy, *falling, *rising)
    assert Direction.BUY not in said[:8]
    assert said[8:].count(Direction.BUY) == 1
    assert said[-1] is Direction.SELL


def test_rsi_with_a_trend_does_not_buy_below_it() -> None:
    strategy = made("rsi_reversion", period=3, trend=20)
    assert Direction.BUY not in last(strategy, *[990 - 5 * n for n in range(8)], *[960 + 3 * n for n in range(6)])


def test_donchian_buys_the_breakout_and_sells_the_breakdown() -> None:
    strategy = made("donchian_breakout")
    assert last(strategy, 1001, 1010, 1020) == [Direction.HOLD, Direction.BUY, Direction.BUY]
    assert last(strategy, 1010, 1020, 980)[-1] is Direction.SELL


def test_donchian_has_its_stop_three_true_ranges_away_and_sizes_by_it() -> None:
    strategy = made("donchian_breakout")
    state = strategy.initial()
    for candle in candles([*calm(strategy), 1010]):
        state = strategy.step("BTCTRY", state, candle)
    distance = strategy.stop_distance(state)
    assert distance is not None
    assert 0.006 < distance < 0.011
    stop_ratio = strategy.rules.stop_ratio(distance)
    assert stop_ratio is not None
    wished = strategy.wished(state, Decimal(1000))
    assert wished.number * stop_ratio <= Decimal(5) < wished.number * stop_ratio + Decimal("0.01")
    assert strategy.wished(state, Decimal(10) ** 9) == amount("3000 TRY")


def test_bollinger_buys_the_way_back_above_the_lower_band_and_sells_at_the_middle() -> None:
    strategy = made("bollinger_reversion", period=10)
    said = last(strategy, 985, 980, 990, 1001)
    assert said[:2] == [Direction.HOLD, Direction.HOLD]
    assert Direction.BUY in said[2:3]
    assert said[-1] is Direction.SELL


def test_dca_always_wants_in_or_only_on_a_dip() -> None:
    assert last(made("dca"), 900, 1100) == [Direction.BUY, Direction.BUY]
    assert last(made("dca", dip_period=20), 900, 1100) == [Direction.BUY, Direction.HOLD]


def test_wind_down_never_wants_in() -> None:
    assert Direction.BUY not in last(made("wind_down"), *range(900, 1100, 10))


def test_a_grid_is_worth_it_only_above_its_fees() -> None:
    grid = made("grid").grid
    assert grid is not None
    assert grid.is_worth_it(Ratio(Decimal("0.0024")))
    assert not grid.is_worth_it(Ratio(Decimal("0.0036")))
    exact = made("grid", spacing_ratio="0.1", earns_ratio="0.0475").grid
    assert exact is not None
    assert exact.costs(Ratio(Decimal("0.025"))) == Decimal("0.0525")
    assert exact.is_worth_it(Ratio(Decimal("0.025")))
    assert not exact.is_worth_it(Ratio(Decimal("0.0250001")))


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("rsi_reversion", {"oversold": 49, "recovered": 40}, "oversold (49) must be below recovered (40)"),
        ("donchian_breakout", {"exit_period": 30}, "exit_period (30) must not be above entry_period (20)"),
        ("dca", {"budget": 100}, "budget (100) must not be below notional (250)"),
        ("grid", {"earns_ratio": "0.1"}, "what a rung earns is 0 up to below 0.008, not 0.1"),
        ("bollinger_reversion", {"width": "9"}, "width"),
    ],
)
def test_parameters_that_contradict_each_other_are_one_line(name: str, params: dict[str, Any], message: str) -> None:
    texts = tuple((key, f'"{value}"' if isinstance(value, str) else str(value)) for key, value in params.items())
    with pytest.raises(ConfigurationError) as refused:
        load_strategy(StrategyChoice(name, texts), TRY)
    assert message in str(refused.value)
