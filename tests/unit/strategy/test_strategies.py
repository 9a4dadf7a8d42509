"""From a choice in the settings to signals."""

import random
from decimal import Decimal

import pytest

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import amount
from btcbot.domain.profiles import StrategyChoice
from btcbot.domain.signals import Direction
from btcbot.services.strategy_loading import load_strategy
from btcbot.strategy.shipped.ema_cross import EmaCrossParams, ema_cross
from btcbot.strategy.strategy import Strategy
from tests.unit.domain.builders import TRY, candle


def strategy(**params: object) -> Strategy:
    return ema_cross(EmaCrossParams(**params), TRY)


def directions(made: Strategy, closes: list[int]) -> list[Direction]:
    state, said = made.initial(), []
    for minute, close in enumerate(closes):
        state = made.step("BTCTRY", state, candle(minute, close))
        said.append(made.signal("BTCTRY", state).direction)
    return said


def test_the_cross_buys_once_and_sells_as_long_as_it_lies_below() -> None:
    made = strategy(fast=1, slow=2)
    falling, rising = [100] * made.warm_up + [90, 80], [100, 120, 130]
    said = directions(made, falling + rising + [100, 90])
    assert said[: made.warm_up] == [Direction.HOLD] * made.warm_up
    assert said[made.warm_up :] == [
        Direction.SELL, Direction.SELL, Direction.BUY, Direction.HOLD, Direction.HOLD, Direction.SELL, Direction.SELL,
    ]  # fmt: skip


def test_there_is_no_signal_before_the_warm_up() -> None:
    made = strategy(fast=3, slow=8)
    assert made.warm_up == 39
    closes = [1000 + (-1) ** minute * minute * 10 for minute in range(39)]
    assert set(directions(made, closes)[:38]) == {Direction.HOLD}


def test_a_buy_carries_the_notional_and_the_numbers() -> None:
    made = strategy(fast=1, slow=2, notional="750.5")
    state = made.initial()
    for minute, close in enumerate([*([100] * made.warm_up), 90, 120]):
        state = made.step("BTCTRY", state, candle(minute, close))
    signal = made.signal("BTCTRY", state)
    assert (signal.direction, signal.notional) == (Direction.BUY, amount("750.5 TRY"))
    assert signal.reason.startswith("ema_cross: fast=120.0, slow=")


@pytest.mark.parametrize("seed", range(5))
def test_the_shipped_parameters_trade_often(seed: int) -> None:
    """Five pairs over 200 candles: far more than the twenty orders that a rehearsal of ten minutes is to show."""
    chance = random.Random(seed)
    entries = 0
    for _ in range(5):
        price, closes = 1_000_000.0, []
        for _ in range(239):
            price *= 1 + chance.gauss(0, 0.001)
            closes.append(int(price))
        entries += directions(strategy(), closes)[39:].count(Direction.BUY)
    assert entries >= 30


def test_a_choice_in_the_settings_becomes_a_strategy() -> None:
    choice = StrategyChoice("ema_cross", (("fast", "5"), ("notional", "2000"), ("slow", "20")))
    built = load_strategy(choice, TRY)
    assert built == strategy(fast=5, slow=20, notional=Decimal(2000))
    assert load_strategy(StrategyChoice("ema_cross", ()), TRY) == strategy()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("ema_crss", (), "did you mean ema_cross"),
        ("momentum", (), "there is bollinger_reversion, dca"),
        ("ema_cross", (("fast", "0"),), "fast"),
        ("ema_cross", (("fast", "true"),), "fast"),
        ("ema_cross", (("fast", '"3"'),), "fast"),
        ("ema_cross", (("fast", "3.0"),), "fast"),
        ("ema_cross", (("fast", "9"),), "fast (9) must be below slow (8)"),
        ("ema_cross", (("slow", "401"),), "slow"),
        ("ema_cross", (("period", "3"),), "period"),
        ("ema_cross", (("notional", "0"),), "notional"),
        ("ema_cross", (("notional", "true"),), "notional"),
        ("ema_cross", (("notional", "NaN"),), "notional"),
        ("ema_cross", (("notional", '"1e3"'),), "notional"),
        ("ema_cross", (("notional", '"1,5"'),), "notional"),
        ("ema_cross", (("notional", "-5"),), "notional"),
        ("ema_cross", (("fast", "3,"),), "is not JSON"),
    ],
)
def test_a_bad_choice_is_one_line_that_names_it(name: str, params: tuple[tuple[str, str], ...], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_strategy(StrategyChoice(name, params), TRY)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
