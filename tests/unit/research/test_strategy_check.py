"""The check finds each promise that a strategy breaks, and says what to do next."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest

from btcbot.domain.market import Candle
from btcbot.domain.money import Ratio, amount
from btcbot.domain.signals import Signal
from btcbot.research.strategy_check import check, made_up_candles
from btcbot.strategy.code import CandleView, Code
from btcbot.strategy.language import CLOSE, obv, of_pair, sma
from btcbot.strategy.protection import PositionRules, StopLoss
from btcbot.strategy.registry import REGISTRY
from btcbot.strategy.strategy import NEVER, Strategy
from tests.unit.domain.builders import MINUTE, TRY

STOP = PositionRules(stop_loss=StopLoss(Ratio(Decimal("0.05"))))


def coded(make: Callable[[], Callable[[CandleView], Signal]], candles: int = 3) -> Callable[[], Strategy]:
    def build() -> Strategy:
        code = Code("test:Test", "0" * 64, "{}", candles, make())
        return Strategy("test", NEVER, NEVER, amount("1500 TRY"), False, (("close", CLOSE),), STOP, code=code)

    return build


def broken(make: Callable[[], Strategy]) -> dict[str, str]:
    findings = check(make, TRY, MINUTE)
    assert [finding.name for finding in findings] == [
        "purity", "determinism", "no failure", "streaming = batch", "warm-up", "smoke run"
    ]  # fmt: skip
    assert all(finding.is_kept or finding.next_step for finding in findings)
    return {finding.name: finding.what for finding in findings if not finding.is_kept}


@pytest.mark.parametrize("name", ["donchian_breakout", "grid"])
def test_what_ships_keeps_every_promise(name: str) -> None:
    assert broken(lambda: REGISTRY[name].strategy({}, TRY)) == {}


def test_a_strategy_that_looks_at_another_pair_keeps_them_too() -> None:
    leads = of_pair("ETHTRY", sma(CLOSE, 5)) < of_pair("ETHTRY", CLOSE)
    make = Strategy("pair", leads, ~leads, amount("1500 TRY"), False, (), STOP)
    assert broken(lambda: make) == {}


def up(view: CandleView) -> Signal:
    return view.buy() if view.candles[0].close < view.last.close else view.sell()


def test_honest_code_keeps_every_promise() -> None:
    assert broken(coded(lambda: up)) == {}


def test_code_that_counts_its_calls_is_neither_pure_nor_determined() -> None:
    def make() -> Callable[[CandleView], Signal]:
        calls = count()
        return lambda view: view.buy() if next(calls) % 6 == 0 else view.hold()

    found = broken(coded(make))
    assert "purity" in found
    assert "asked again" in found["purity"]
    assert "determinism" in found


def test_code_that_mixes_its_pairs_up_is_found() -> None:
    def make() -> Callable[[CandleView], Signal]:
        seen: list[str] = []

        def on_candle(view: CandleView) -> Signal:
            mixed = bool(seen) and seen[-1] != view.pair
            seen.append(view.pair)
            return view.buy() if mixed else view.hold()

        return on_candle

    assert "determinism" in broken(coded(make))


def test_code_that_raises_now_and_then_is_found_with_its_first_candle() -> None:
    def fails(view: CandleView) -> Signal:
        if view.last.volume % 5 == 0:
            raise KeyError("volume")
        return view.hold()

    assert "KeyError: 'volume'" in broken(coded(lambda: fails))["no failure"]


def test_code_that_changes_a_candle_is_found() -> None:
    def changes(view: CandleView) -> Signal:
        object.__setattr__(view.last, "close", view.last.close + 1)
        return view.hold()

    assert "changed the candles" in broken(coded(lambda: changes))["purity"]


def test_the_level_of_a_sum_without_end_is_not_warmed_up() -> None:
    level = obv() > 0.0
    dishonest = Strategy("level", level, ~level, amount("1500 TRY"), False, (), STOP)
    assert "warm-up" in broken(lambda: dishonest)


def test_a_notional_below_the_smallest_order_is_told() -> None:
    tiny = replace(REGISTRY["ema_cross"].strategy({}, TRY), notional=amount("1 TRY"))
    finding = check(lambda: tiny, TRY, MINUTE)[-1]
    assert "no order at all" in finding.what


def test_made_up_candles_are_candles_and_the_same_each_time() -> None:
    candles = made_up_candles("BTCTRY", 500, MINUTE)
    assert candles == made_up_candles("BTCTRY", 500, MINUTE)
    assert candles != made_up_candles("ETHTRY", 500, MINUTE)
    assert all(_is_one(candle) for candle in candles)


def _is_one(candle: Candle) -> bool:
    return 0 < candle.low <= min(candle.open, candle.close) <= max(candle.open, candle.close) <= candle.high
