"""A backtest decides as live does, sees nothing of the future, books every fill, and adds up."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from btcbot.domain.money import Ratio, amount, parse
from btcbot.domain.orders.intents import Side
from btcbot.domain.profiles import RiskLimits
from btcbot.research.backtest import BacktestRun, HistoryTooShort, run_backtest
from btcbot.research.history import History
from btcbot.research.limits import shipped_limits, without_breakers
from btcbot.services.decision import DecisionParams
from btcbot.simulation.generator import CHARACTERS
from btcbot.strategy.protection import PositionRules, Rung, TakeProfit
from btcbot.strategy.shipped.ema_cross import EmaCrossParams, ema_cross
from btcbot.strategy.strategy import Strategy
from tests.unit.domain.builders import FEE_RATIO, TRY
from tests.unit.research.recordings import HOUR, LISTING, flat, hours, walk, without

STRATEGY = ema_cross(EmaCrossParams(fast=1, slow=2), TRY)
CAPITAL = amount("20000 TRY")
LIMITS = without_breakers(shipped_limits(TRY, CHARACTERS), CAPITAL)
WARM = STRATEGY.warm_up


def run(*histories: History, limits: RiskLimits = LIMITS, strategy: Strategy = STRATEGY) -> BacktestRun:
    pairs = tuple(history.pair for history in histories)
    params = DecisionParams(strategy, pairs, limits, HOUR, timedelta(seconds=60), FEE_RATIO)
    return run_backtest(histories, {pair: CHARACTERS[pair].listing for pair in pairs}, params, CAPITAL)


def trip(*texts: str) -> History:
    """Flat until warm, then what the test says."""
    return hours(*flat(WARM), *texts)


def sides(of: BacktestRun) -> list[Side]:
    return [each.fill.side for each in of.executions]


def test_a_closed_candle_is_acted_on_in_the_next_one_at_its_prices() -> None:
    """The candle that crosses closes at a million; the next one opens two percent lower, and there it is bought."""
    history = trip("990000 990000 990000 990000", "990000 1000000 990000 1000000", "980000 981000 979000 980000")
    first = run(history).executions[0].fill
    opened_at = history.candles[-1].opened_at
    assert opened_at < first.time_exchange < opened_at + timedelta(seconds=5)
    assert first.price == parse("980245")  # the ask of the next candle, not of the one that gave the signal
    assert (first.fee + first.tax) == pytest.approx(first.notional * FEE_RATIO, abs=Decimal("0.0000001"))


@pytest.mark.parametrize("seed", range(2))
def test_what_comes_later_changes_nothing_that_was_done_before(seed: int) -> None:
    """No look-ahead: another future after an hour, and everything up to that hour stays as it was."""
    history, cut = walk(seed), 120
    other = replace(history, candles=(*history.candles[:cut], *walk(seed + 100).candles[cut:]))
    ends_at = history.candles[cut].opened_at
    one, two = run(history), run(other)
    before = [each for each in one.executions if each.fill.time_exchange <= ends_at]
    assert before == [each for each in two.executions if each.fill.time_exchange <= ends_at]
    assert len(before) > 10
    assert [p for p in one.points if p.at <= ends_at] == [p for p in two.points if p.at <= ends_at]
    assert one.executions != two.executions


@pytest.mark.parametrize("seed", range(2))
def test_the_same_candles_give_the_same_run_and_it_adds_up(seed: int) -> None:
    history = walk(seed)
    told = run(history)
    assert told == run(history)
    fills = [each.fill for each in told.executions]
    assert len(fills) > 20
    signs = [(1 if fill.side is Side.BUY else -1, fill) for fill in fills]
    held = sum((sign * fill.quantity for sign, fill in signs), start=Decimal(0))
    cash = CAPITAL.number + sum((-sign * fill.notional - fill.fee - fill.tax for sign, fill in signs), start=Decimal(0))
    assert held >= 0
    assert told.points[-1].equity == cash + told.points[-1].exposure
    assert len(told.points) == told.candles + 1 == len(history.candles) - WARM + 1


def test_a_stop_is_left_near_its_level_and_not_at_the_low() -> None:
    entry = ("990000 990000 990000 990000", "990000 1000000 990000 1000000", "1000000 1001000 999000 1001000")
    told = run(trip(*entry, "1001000 1001000 800000 990000"))
    bought, sold = told.executions[0].fill, told.executions[-1].fill
    assert sides(told)[0] is Side.BUY
    assert sides(told)[-1] is Side.SELL
    assert bought.price * Decimal("0.945") < sold.price <= bought.price * Decimal("0.951")
    assert timedelta() < sold.time_exchange - told.ends_at + HOUR < 2 * HOUR / 3


def test_a_stop_that_the_market_jumps_over_is_left_where_it_lands() -> None:
    entry = ("990000 990000 990000 990000", "990000 1000000 990000 1000000", "1000000 1001000 999000 1001000")
    told = run(trip(*entry, "900000 901000 899000 900000"))
    assert told.executions[-1].fill.side is Side.SELL
    assert told.executions[-1].fill.price < 900_000


def test_a_stop_that_no_bid_is_left_for_waits_for_bids_and_asks_again_at_a_measured_pace() -> None:
    """All that the thin book bids is taken by the first sale; the rest goes when the market shows new bids."""
    entry = ("990000 990000 990000 990000", "990000 1000000 990000 1000000 3", "1000000 1001000 999000 1001000 0.002")
    told = run(trip(*entry, "1001000 1001000 900000 900000 0.002", "900000 901000 899000 900000 3"))
    sold = [each.fill for each in told.executions if each.fill.side is Side.SELL]
    bought = [each.fill for each in told.executions if each.fill.side is Side.BUY]
    left = sum(one.quantity for one in bought) - sum(one.quantity for one in sold)
    assert 0 <= left * 900_000 < LISTING.notional_min, "what is left is too little to be sold"
    assert len({one.time_exchange for one in sold}) > 1
    assert told.decisions < 400


def test_a_rung_is_taken_near_its_price_and_not_at_the_high() -> None:
    """Bought near a million, the ladder sells all at two percent more; the candle goes on to ten percent."""
    ladder = PositionRules(take_profit=TakeProfit((Rung(Ratio(parse("0.02")), Ratio(Decimal(1))),)))
    entry = ("990000 990000 990000 990000", "990000 1000000 990000 1000000", "1000000 1001000 999000 1001000")
    history = trip(*entry, "1001000 1100000 1000500 1090000")
    told = run(history, strategy=replace(STRATEGY, rules=ladder))
    bought, sold = told.executions[0].fill, told.executions[-1].fill
    assert sold.side is Side.SELL
    assert bought.price * Decimal("1.018") < sold.price < bought.price * Decimal("1.022")


def test_without_volume_nothing_is_bought() -> None:
    dry = [f"{text} 0" for text in ("990000 990000 990000 990000", "990000 1000000 990000 1000000")]
    told = run(trip(*dry, "1000000 1000000 1000000 1000000 0"))
    assert told.executions == ()


def test_a_hole_is_told_and_nothing_happens_in_it() -> None:
    history = without(walk(1), 100, 130)
    told = run(history)
    (gap,) = told.gaps["BTCTRY"]
    assert (gap.opened_at, gap.candles) == (history.candles[99].opened_at + HOUR, 30)
    within = [
        each for each in told.executions
        if gap.opened_at + timedelta(seconds=5) < each.fill.time_exchange < gap.opened_at + 30 * HOUR
    ]  # fmt: skip
    assert within == []


def test_pairs_share_the_capital() -> None:
    histories = (walk(1), walk(2, pair="ETHTRY"))
    told = run(*histories)
    assert told.pairs == ("BTCTRY", "ETHTRY")
    assert {each.fill.pair for each in told.executions} == {"BTCTRY", "ETHTRY"}
    assert told == run(*reversed(histories))


def test_a_breaker_that_trips_ends_the_run() -> None:
    told = run(walk(1), limits=replace(LIMITS, day_loss_max=amount("10 TRY")))
    assert told.halt is not None
    assert told.halt.reason.startswith("day_loss_at_max")
    assert told.ends_at < run(walk(1)).ends_at
    assert max(each.fill.time_exchange for each in told.executions) <= told.halt.at


def test_what_the_gate_turns_away_is_counted_by_its_reason() -> None:
    told = run(walk(1), limits=replace(LIMITS, entry_cooldown=timedelta(days=2)))
    assert told.refusals["entry_too_soon"] > 0


def test_a_recording_that_ends_before_anything_is_decided_is_refused() -> None:
    with pytest.raises(HistoryTooShort, match="warms up on"):
        run(hours(*flat(WARM)))
