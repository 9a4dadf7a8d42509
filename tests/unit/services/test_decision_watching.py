"""Decisions that look at other pairs and longer candles: what they wait for, and what they do without."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from btcbot.domain.market import Book, Candle, MarketView
from btcbot.domain.money import amount, parse
from btcbot.domain.signals import Direction
from btcbot.domain.state import BalancesSeen, FillBooked, LedgerOpened, StateEvent, TradingState, apply
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState, decide, warm_up
from btcbot.services.replay_content import content_of
from btcbot.services.replay_facts import to_text
from btcbot.services.replay_tape import Beginning, read_beginning
from btcbot.strategy.language import CLOSE, Columns, Series, ema, of_pair, on_timeframe, sma
from btcbot.strategy.strategy import Strategy
from tests.unit.domain.builders import (
    BTC_TRY,
    ETH_TRY,
    FEE_RATIO,
    LIMITS,
    MINUTE,
    START,
    TRY,
    after,
    around,
    candle,
    fill,
    snapshot,
)

USDT = replace(BTC_TRY, pair="USDTTRY")
LEVEL = of_pair("USDTTRY", sma(CLOSE, 2))
WATCHING = Strategy("watching", LEVEL > 35.0, LEVEL < 30.0, amount("1500 TRY"), False, (("level", LEVEL),))
PARAMS = DecisionParams(WATCHING, ("BTCTRY",), LIMITS, MINUTE, timedelta(seconds=60), FEE_RATIO)
HOLDING = FillBooked(fill(quantity="0.002", price="1000000", at=after(-600)))


def watched(*candles: Candle) -> MarketView:
    """A pair of which only candles are known."""
    return MarketView(USDT, Book((), ()), timedelta(), candles, is_gapped=False)


def standing(*events: StateEvent, theirs: Sequence[int] = (30, 30), params: DecisionParams = PARAMS) -> DecisionState:
    """One candle of ours and some of theirs, the last of each opened two minutes before the start."""
    trading = TradingState(TRY)
    for event in (LedgerOpened(parse("100000")), BalancesSeen({TRY: parse("100000")}), *events):
        trading = apply(trading, event)
    history = [candle(minute - 1 - len(theirs), close) for minute, close in enumerate(theirs)]
    candles = {"BTCTRY": [candle(-2, 1_000_000)], "USDTTRY": history}
    return warm_up(DecisionState.at(trading), candles, params)


def decided(state: DecisionState, *views: MarketView, params: DecisionParams = PARAMS, seconds: float = 0) -> CyclePlan:
    return decide(state, snapshot(after(seconds), *views), params, "cycle")


OURS, THEIRS, THEIR_FALL = candle(-1, 1_000_000), candle(-1, 50), candle(-1, 20)


def test_a_strategy_says_which_history_it_needs() -> None:
    assert PARAMS.history == {"BTCTRY": 1, "USDTTRY": 2}
    assert PARAMS.watched_only == ("USDTTRY",)
    both = replace(PARAMS, pairs=("BTCTRY", "USDTTRY"))
    assert both.history == {"BTCTRY": 1, "USDTTRY": 2}
    assert both.watched_only == ()


def test_a_candle_sees_what_another_pair_closed_with_it() -> None:
    plan = decided(standing(), around(1_000_000, candles=[OURS]), watched(THEIRS))
    assert [signal.direction for signal in plan.signals] == [Direction.BUY]
    assert "level=40.0" in plan.signals[0].reason
    assert [verdict.intent.pair for verdict in plan.approved] == ["BTCTRY"]
    assert plan.state.candles_seen == {"BTCTRY": OURS.opened_at, "USDTTRY": THEIRS.opened_at}


def test_a_candle_waits_for_the_other_pair_and_is_not_lost() -> None:
    waiting = decided(standing(), around(1_000_000, candles=[OURS]))
    assert waiting.signals == ()
    assert waiting.notes[0] == f"BTCTRY: the candle of {OURS.opened_at.isoformat()} waits for USDTTRY"
    assert waiting.state.candles_seen["BTCTRY"] == OURS.opened_at - MINUTE
    # Whether or not the market shows it again.
    for shown in ((), (OURS,)):
        plan = decided(waiting.state, around(1_000_000, candles=shown), watched(THEIRS), seconds=5)
        assert [signal.direction for signal in plan.signals] == [Direction.BUY]
        assert plan.state.watching.held_back == {"BTCTRY": ()}


def test_candles_that_waited_are_taken_in_their_order() -> None:
    second = candle(0, 1_000_000)
    state = decided(standing(), around(1_000_000, candles=[OURS])).state
    state = decided(state, around(1_000_000, candles=[OURS, second]), watched(THEIRS), seconds=61).state
    assert state.candles_seen["BTCTRY"] == OURS.opened_at
    state = decided(state, around(1_000_000), watched(candle(0, 60)), seconds=65).state
    assert state.candles_seen["BTCTRY"] == second.opened_at
    assert state.indicators["BTCTRY"].candles == 3
    assert WATCHING.numbers(state.indicators["BTCTRY"]) == {"level": 55.0}


def test_a_silent_pair_stops_entries_and_not_exits() -> None:
    """After two intervals without it ours is taken in: too old for an entry, never for an exit."""
    before = decided(standing(theirs=(50, 50)), around(1_000_000, candles=[OURS]), seconds=119).state
    assert before.candles_seen["BTCTRY"] < OURS.opened_at
    plan = decided(before, around(1_000_000), seconds=120)
    assert [signal.direction for signal in plan.signals] == [Direction.BUY]
    assert plan.approved == ()
    assert any("goes without USDTTRY" in note for note in plan.notes)
    assert any("buy not tried, its candle closed 0:02:00 ago" in note for note in plan.notes)

    leaving = decided(standing(HOLDING, theirs=(20, 20)), around(1_000_000, candles=[OURS]), seconds=120)
    assert [verdict.intent.side for verdict in leaving.approved] == ["sell"]


def test_what_comes_too_late_is_still_taken_in_by_the_next_candle() -> None:
    state = decided(standing(), around(1_000_000, candles=[OURS]), seconds=120).state
    later = [candle(0, 1_000_000)]
    state = decided(state, around(1_000_000, candles=later), watched(THEIRS, candle(0, 60)), seconds=125).state
    assert WATCHING.numbers(state.indicators["BTCTRY"]) == {"level": 55.0}


def test_a_pair_without_history_is_waited_for() -> None:
    state = standing(theirs=())
    assert "BTCTRY" not in state.indicators
    plan = decided(state, around(1_000_000, candles=[OURS]), watched(THEIR_FALL))
    assert plan.state.indicators["BTCTRY"].candles == 2
    assert "BTCTRY: warming up, 1 of 1 candles, 1 of 2 of USDTTRY" in plan.notes
    assert plan.signals[0].direction is Direction.HOLD


@pytest.mark.parametrize(("pairs", "notes"), [(("BTCTRY",), 1), (("BTCTRY", "USDTTRY"), 1)])
def test_a_malformed_candle_of_a_watched_pair_is_left_out_and_told_once(pairs: tuple[str, ...], notes: int) -> None:
    params = replace(PARAMS, pairs=pairs)
    absurd = replace(THEIRS, high=Decimal(1))
    plan = decided(standing(params=params), around(1_000_000, candles=[OURS]), watched(absurd), params=params)
    assert sum("was left out" in note for note in plan.notes) == notes
    assert WATCHING.numbers(plan.state.indicators["BTCTRY"]) == {"level": 30.0}


def test_a_pair_that_is_traded_can_be_watched_and_watch_itself() -> None:
    own = of_pair("BTCTRY", ema(CLOSE, 2))
    strategy = Strategy(
        "mirror", own > 0.0, own < 0.0, amount("1500 TRY"), False, (("own", own), ("same", ema(CLOSE, 2)))
    )
    params = replace(PARAMS, strategy=strategy, pairs=("BTCTRY", "ETHTRY"))
    state = DecisionState.at(standing().trading)
    for minute in range(5):
        ours = around(1_000_000, candles=[candle(minute - 1, 1_000_000 + minute)])
        theirs = around(100_000, ETH_TRY, candles=[candle(minute - 1, 100_000 - minute)])
        state = decided(state, ours, theirs, params=params, seconds=60 * minute).state
    numbers = {pair: strategy.numbers(state.indicators[pair]) for pair in params.pairs}
    assert numbers["BTCTRY"]["own"] == numbers["BTCTRY"]["same"] == numbers["ETHTRY"]["own"]
    assert numbers["ETHTRY"]["same"] != numbers["ETHTRY"]["own"]


def test_live_sees_what_history_shows_whatever_comes_first() -> None:
    """Candles of both pairs in any order within three minutes of their close give what whole columns give."""
    shown: Series = on_timeframe(3 * MINUTE, sma(CLOSE, 2)) - of_pair(
        "USDTTRY", on_timeframe(3 * MINUTE, ema(CLOSE, 3))
    )
    strategy = replace(WATCHING, shown=(("shown", shown),))
    params = replace(PARAMS, strategy=strategy)
    ours = [candle(minute, 1_000_000 + minute * minute % 7) for minute in range(40)]
    theirs = [candle(minute, 30 + minute * minute % 5) for minute in range(-3, 40)]
    state, seen = DecisionState.at(standing().trading), []
    for minute in range(41):
        for seconds, is_theirs in ((2, minute % 3 == 0), (30, minute % 3 != 0), (59, False)):
            own_since = state.candles_seen.get("BTCTRY")
            now = START + minute * MINUTE + timedelta(seconds=seconds)
            new = [
                one
                for one in ours
                if one.opened_at + MINUTE <= now and (own_since is None or one.opened_at > own_since)
            ]
            other_since = state.candles_seen.get("USDTTRY")
            others = [
                one for one in theirs
                if one.opened_at + MINUTE <= now and (other_since is None or one.opened_at > other_since)
            ]  # fmt: skip
            plan = decide(
                state,
                snapshot(now, around(1_000_000, candles=new), watched(*(others if is_theirs else ()))),
                params,
                "c",
            )
            state = plan.state
            if plan.signals:
                seen.append(strategy.numbers(state.indicators["BTCTRY"])["shown"])
    assert seen == list(Columns(ours, MINUTE, {"USDTTRY": theirs}).of(shown))[: len(seen)]
    assert len(seen) >= 39


def test_what_waits_is_written_down_and_goes_on_alike() -> None:
    state = decided(standing(), around(1_000_000, candles=[OURS])).state
    again = read_beginning(to_text(Beginning, Beginning(PARAMS, state)))
    assert again.state == state
    assert again.params == PARAMS
    views = (around(1_000_000), watched(THEIRS))
    assert decided(again.state, *views, params=again.params) == decided(state, *views)
    held = json.loads(content_of(decided(standing(), around(1_000_000, candles=[OURS]))))["state"][-1]
    assert held == [
        {"USDTTRY": (OURS.opened_at - MINUTE).isoformat()}, {"BTCTRY": [OURS.opened_at.isoformat()]},
    ]  # fmt: skip


def test_a_strategy_is_asked_on_candles_of_the_interval_that_is_traded_on() -> None:
    longer = Strategy(
        "longer", on_timeframe(timedelta(hours=1), CLOSE) > 1.0, CLOSE < 0.0, amount("1 TRY"), False, ()
    )  # fmt: skip
    assert longer.over(MINUTE).warm_up == 60 + 59
    assert replace(PARAMS, strategy=longer, candle_interval=timedelta(minutes=15)).strategy.warm_up == 4 + 3
    with pytest.raises(ValueError, match="not made of whole candles"):
        replace(PARAMS, strategy=longer, candle_interval=timedelta(hours=4))


def test_a_candle_of_a_watched_pair_that_is_shown_again_counts_once() -> None:
    state = decided(standing(), around(1_000_000), watched(THEIRS)).state
    plan = decided(state, around(1_000_000, candles=[OURS]), watched(THEIRS), seconds=5)
    assert WATCHING.numbers(plan.state.indicators["BTCTRY"]) == {"level": 40.0}
