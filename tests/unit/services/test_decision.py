"""What one decision makes of the market, of our own orders and of its own earlier verdicts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.market import Candle, MarketSnapshot, MarketView
from btcbot.domain.money import amount, parse
from btcbot.domain.orders.intents import ApprovedOrderIntent, Purpose, Side
from btcbot.domain.orders.states import OrderState
from btcbot.domain.signals import Direction
from btcbot.domain.state import (
    BalancesSeen,
    DayTurned,
    FillBooked,
    Halted,
    LedgerOpened,
    OrderChanged,
    PauseSet,
    StateEvent,
    TradingState,
    apply,
)
from btcbot.risk.gate import Refused
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState, decide, warm_up
from btcbot.strategy.shipped.ema_cross import EmaCrossParams, ema_cross
from tests.unit.domain.builders import (
    BIDS,
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
    levels,
    market,
    order,
    snapshot,
)

STRATEGY = ema_cross(EmaCrossParams(fast=1, slow=2), TRY)
PARAMS = DecisionParams(STRATEGY, ("BTCTRY", "ETHTRY"), LIMITS, MINUTE, timedelta(seconds=60), FEE_RATIO)
WARM = STRATEGY.warm_up
FALLING = [1_000_000] * WARM + [999_000]  # the last of these closes one minute before START
FLAT = [1_000_000] * (WARM + 1)


def history(closes: Sequence[int], end: int = -2) -> list[Candle]:
    """Candles of which the last one opens `end` minutes from the start."""
    first = end - len(closes) + 1
    return [candle(first + place, close) for place, close in enumerate(closes)]


def standing(*events: StateEvent, closes: Sequence[int] = FALLING, pairs: Sequence[str] = ("BTCTRY",)) -> DecisionState:
    """100,000 TRY and warm indicators, then these events."""
    trading = TradingState(TRY)
    for event in (LedgerOpened(parse("100000")), BalancesSeen({TRY: parse("100000")}), *events):
        trading = apply(trading, event)
    return warm_up(DecisionState.at(trading), {pair: history(closes) for pair in pairs}, PARAMS)


def decided(state: DecisionState, *views: MarketView, params: DecisionParams = PARAMS, seconds: float = 0) -> CyclePlan:
    return decide(state, snapshot(after(seconds), *views), params, "cycle")


def only(plan: CyclePlan) -> ApprovedOrderIntent:
    assert len(plan.approved) == 1, plan
    return plan.approved[0]


def refusals(plan: CyclePlan) -> list[tuple[str, ...]]:
    return [
        tuple(reason.name for reason in verdict.reasons) for verdict in plan.verdicts if isinstance(verdict, Refused)
    ]


UP, DOWN = candle(-1, 1_010_000), candle(-1, 990_000)  # both close at START
HOLDING = FillBooked(fill(quantity="0.002", price="1000000", at=after(-600)))


def test_a_cross_upwards_buys_for_the_notional() -> None:
    plan = decided(standing(), around(1_000_000, candles=[UP]))
    wanted = only(plan).intent
    assert (wanted.side, wanted.purpose, wanted.price) == (Side.BUY, Purpose.ENTRY, parse("1000100"))
    assert wanted.decision_id == "cycle/BTCTRY/0"
    assert wanted.reference_price == parse("1000000")
    assert amount("1499.99 TRY") < wanted.notional <= amount("1500 TRY")
    assert [signal.direction for signal in plan.signals] == [Direction.BUY]


def test_a_position_is_sold_whole_once_the_strategy_wants_out() -> None:
    plan = decided(standing(HOLDING), around(1_000_000, candles=[DOWN]))
    wanted = only(plan).intent
    assert (wanted.side, wanted.purpose) == (Side.SELL, Purpose.EXIT)
    assert (wanted.quantity, wanted.price) == (parse("0.002"), parse("999900"))


@pytest.mark.parametrize(("bid", "sells"), [("950001", False), ("950000", True)])
def test_a_stop_ends_a_position_between_candles_and_whatever_the_signal_says(bid: str, sells: bool) -> None:
    """Five per cent below a million."""
    calm = replace(PARAMS, limits=replace(LIMITS, jump_ratio_max=Decimal("0.2")))
    held = decided(standing(HOLDING, closes=FLAT), around(1_000_000), params=calm)
    assert (held.verdicts, held.stops) == ((), {"BTCTRY": parse("950000")})
    plan = decided(held.state, market(bids=levels(f"3 @ {bid}"), asks=levels("3 @ 950100")), params=calm, seconds=5)
    assert bool(plan.approved) is sells
    if sells:
        assert only(plan).intent.purpose is Purpose.EXIT
        assert plan.stops == {}, "what was acted on asks for no decision of its own"
        assert "BTCTRY: the bid 950000 is not above the stop 950000" in plan.notes
    assert decided(standing(), around(1_000_000)).stops == {}


def test_a_crossed_stop_calls_an_entry_in_its_way_back() -> None:
    calm = replace(PARAMS, limits=replace(LIMITS, jump_ratio_max=Decimal("0.2")))
    state = standing(HOLDING, OrderChanged(order(quantity="0.001", price="940000")), closes=FLAT)
    plan = decided(state, around(940_000), params=calm)
    assert [wish.reason for wish in plan.cancels] == ["the strategy wants out"]


def test_nothing_is_sold_that_is_not_held() -> None:
    plan = decided(standing(), around(1_000_000, candles=[DOWN]))
    assert (plan.verdicts, [signal.direction for signal in plan.signals]) == ((), [Direction.SELL])


def test_a_signal_lasts_until_the_next_candle_and_is_reported_once() -> None:
    first = decided(standing(PauseSet(True)), around(1_000_000, candles=[UP]))
    assert refusals(first) == [("trading_paused",)]
    second = decided(first.state.after(PauseSet(False)), around(1_000_000), seconds=5)
    assert second.signals == ()
    assert only(second).intent.side is Side.BUY


def test_an_entry_on_an_old_candle_is_not_made() -> None:
    first = decided(standing(PauseSet(True)), around(1_000_000, candles=[UP]))
    later = decided(first.state.after(PauseSet(False)), around(1_000_000), seconds=120)
    assert later.verdicts == ()
    assert "BTCTRY: buy not tried, its candle closed 0:02:00 ago" in later.notes


def test_an_exit_on_an_old_candle_is_made_all_the_same() -> None:
    first = decided(standing(HOLDING, PauseSet(True)), market(bids=(), candles=[DOWN]))
    assert first.verdicts == ()
    assert only(decided(first.state, around(1_000_000), seconds=600)).intent.side is Side.SELL


def test_a_position_is_not_added_to_unless_the_parameters_say_so() -> None:
    held = standing(HOLDING)
    plan = decided(held, around(1_000_000, candles=[UP]))
    assert plan.verdicts == ()
    assert "BTCTRY: buy not tried, 0.002 is held already" in plan.notes
    adding = replace(PARAMS, strategy=ema_cross(EmaCrossParams(fast=1, slow=2, adds_to_position=True), TRY))
    assert only(decided(held, around(1_000_000, candles=[UP]), params=adding)).intent.side is Side.BUY


def test_dust_is_left_alone_and_counts_as_flat() -> None:
    dusty = standing(FillBooked(fill(quantity="0.00009", at=after(-600))))
    assert decided(dusty, around(1_000_000, candles=[DOWN])).verdicts == ()
    assert only(decided(dusty, around(1_000_000, candles=[UP]))).intent.side is Side.BUY


def test_no_second_entry_while_one_is_working() -> None:
    resting = standing(OrderChanged(order(quantity="0.001", at=after(-50))))
    plan = decided(resting, around(1_000_000, candles=[UP]))
    assert plan.verdicts == ()
    assert "BTCTRY: buy not tried, one is working already" in plan.notes


def test_exits_go_before_entries_and_each_is_judged_after_the_others() -> None:
    state = standing(
        FillBooked(fill(quantity="0.01", pair="ETHTRY", price="1000000", at=after(-600))), pairs=("BTCTRY", "ETHTRY")
    )
    tight = replace(PARAMS, limits=replace(LIMITS, open_orders_max=1))
    plan = decided(state, around(1_000_000, candles=[UP]), around(1_000_000, ETH_TRY, candles=[DOWN]), params=tight)
    assert [verdict.intent.pair for verdict in plan.verdicts] == ["ETHTRY", "BTCTRY"]
    assert refusals(plan) == [("open_orders_at_max",)]
    assert plan.state.trading.orders == {}


def test_nothing_is_priced_beyond_the_collar() -> None:
    """A book so wide that its best prices lie outside; the spread is no matter here."""
    wide = market(bids=levels("1 @ 970000"), asks=levels("1 @ 1030000"), candles=[UP])
    plan = decided(standing(), wide)
    assert plan.verdicts == ()
    assert "BTCTRY: buy not tried, no ask within the collar or no room within the caps" in plan.notes
    wide = market(bids=levels("1 @ 970000"), asks=levels("1 @ 1030000"), candles=[DOWN])
    plan = decided(standing(HOLDING), wide)
    assert plan.verdicts == ()
    assert "BTCTRY: sell not tried, no bid within the collar" in plan.notes


def test_two_entries_share_what_is_left_of_the_exposure() -> None:
    shared = replace(PARAMS, limits=replace(LIMITS, exposure_max=amount("2000 TRY")))
    state = standing(pairs=("BTCTRY", "ETHTRY"))
    plan = decided(state, around(1_000_000, candles=[UP]), around(1_000_000, ETH_TRY, candles=[UP]), params=shared)
    first, second = (verdict.reservation for verdict in plan.approved)
    assert first + second <= amount("2000 TRY")
    assert amount("400 TRY") < second < amount("500 TRY")


def test_a_halt_stops_every_submit_and_calls_resting_orders_back() -> None:
    state = standing(HOLDING, Halted("a test"), OrderChanged(order(side=Side.SELL, quantity="0.001", price="1005000")))
    plan = decided(state, around(1_000_000, candles=[DOWN]))
    assert plan.verdicts == ()
    assert plan.halt_reason is None
    assert [(wish.order_id, wish.reason) for wish in plan.cancels] == [("order-1", "trading is halted")]


def test_a_pause_stops_entries_and_lets_exits_go_on() -> None:
    assert refusals(decided(standing(PauseSet(True)), around(1_000_000, candles=[UP]))) == [("trading_paused",)]
    assert only(decided(standing(HOLDING, PauseSet(True)), around(1_000_000, candles=[DOWN])))


@pytest.mark.parametrize(("price", "trips"), [("960001", False), ("960000", True)])
def test_the_day_s_loss_asks_for_a_halt_and_nothing_is_sent(price: str, trips: bool) -> None:
    """Of 0.05 BTC bought at a million, 2,000 TRY are lost at 960,000."""
    state = standing(FillBooked(fill(quantity="0.05", price="1000000", at=after(-600))))
    opened = decided(state, around(1_000_000)).state
    plan = decided(opened, around(int(price), candles=[DOWN]), seconds=5)
    assert (plan.halt_reason is not None) is trips
    assert bool(plan.approved) is not trips
    if trips:
        assert str(plan.halt_reason).startswith("day_loss_at_max")


def test_the_drawdown_asks_for_a_halt() -> None:
    state = standing(FillBooked(fill(quantity="0.1", price="1000000", at=after(-600))))
    opened = decided(state, around(1_000_000)).state
    loose = replace(PARAMS, limits=replace(LIMITS, day_loss_max=amount("99999 TRY"), jump_ratio_max=Decimal("0.2")))
    plan = decided(opened, around(900_000), params=loose, seconds=5)
    assert str(plan.halt_reason).startswith("drawdown_at_max")


def test_no_breaker_speaks_before_every_position_is_valued() -> None:
    """After a restart the only price known is that of an old fill; a loss by it would be an invention."""
    state = standing(
        FillBooked(fill(quantity="0.01", price="1000000", at=after(-600))),
        FillBooked(fill(trade_id=2, side=Side.SELL, quantity="0.009", price="700000", at=after(-500))),
        DayTurned(START.date(), parse("0")),
        pairs=("BTCTRY", "ETHTRY"),
    )
    plan = decided(state, around(1_000_000, ETH_TRY, candles=[UP]))
    assert plan.halt_reason is None
    assert refusals(plan) == [("mark_missing", "day_loss_at_max")]
    valued = decided(plan.state, around(1_000_000), around(1_000_000, ETH_TRY), seconds=5)
    assert str(valued.halt_reason).startswith("day_loss_at_max")


def test_the_day_turns_at_midnight_in_its_zone() -> None:
    evening = (START.replace(hour=20, minute=59, second=59) - START).total_seconds()
    first = decided(standing(), around(1_000_000), seconds=evening)
    assert first.state.trading.day == date(2026, 1, 5)
    second = decided(first.state, around(1_000_000), seconds=evening + 1)
    assert second.state.trading.day == date(2026, 1, 6)


def test_a_new_day_opens_with_the_result_so_far_and_waits_for_a_fit_reading() -> None:
    state = decided(standing(HOLDING), around(1_100_000)).state
    restarted = replace(
        state,
        trading=replace(
            state.trading,
            instruments={"BTCTRY": replace(state.trading.instrument("BTCTRY"), marks=())},
        ),
    )
    midnight = 15 * 3600
    waiting = decided(restarted, market(bids=()), seconds=midnight)
    assert waiting.state.trading.day == date(2026, 1, 5)
    turned = decided(waiting.state, around(1_200_000), seconds=midnight + 5).state.trading
    assert (turned.day, turned.day_opening_pnl, turned.day_pnl) == (date(2026, 1, 6), parse("400"), 0)


def test_a_jump_is_believed_when_the_next_reading_confirms_it() -> None:
    first = decided(standing(), around(1_000_000))
    jumped = decided(first.state, around(1_100_000, candles=[UP]), seconds=5)
    assert jumped.state.trading.instrument("BTCTRY").mark == 1_000_000
    assert refusals(jumped) == [("price_jumped",)]
    confirmed = decided(jumped.state, around(1_101_000), seconds=10)
    assert confirmed.state.trading.instrument("BTCTRY").mark == 1_101_000
    assert confirmed.state.suspects == {}
    assert refusals(confirmed) == [("volatility_pause_on",)]


def test_a_spike_that_is_gone_at_the_next_reading_leaves_no_trace() -> None:
    first = decided(standing(), around(1_000_000))
    spike = decided(first.state, around(2_000_000), seconds=5)
    back = decided(spike.state, around(1_000_100), seconds=10)
    assert back.state.trading.instrument("BTCTRY").mark == 1_000_100
    assert back.state.suspects == {}
    assert back.state.trading.instrument("BTCTRY").paused_until is None
    assert back.state.trading.equity_peak == 100_000


def test_a_fast_move_pauses_entries() -> None:
    plan = decided(standing(), around(1_000_000))
    plan = decided(plan.state, around(1_030_000), seconds=20)
    assert plan.state.trading.instrument("BTCTRY").paused_until is None
    plan = decided(plan.state, around(1_060_000, candles=[UP]), seconds=40)
    assert plan.state.trading.instrument("BTCTRY").paused_until == after(40) + timedelta(minutes=15)
    assert refusals(plan) == [("volatility_pause_on",)]


@pytest.mark.parametrize(
    "unfit",
    [
        market(bids=(), candles=[UP]),
        market(bids=levels("1 @ 1000200"), candles=[UP]),
        market(bids=levels("NaN @ 999900"), candles=[UP]),
        market(bids=(*BIDS, *levels("1 @ sNaN")), candles=[UP]),
        market(age_seconds=11, candles=[UP]),
        market(is_gapped=True, candles=[UP]),
    ],
)
def test_an_unfit_market_gives_no_order_no_mark_and_a_reason(unfit: MarketView) -> None:
    for state in (standing(), standing(HOLDING)):
        plan = decided(state, unfit)
        assert plan.approved == ()
        assert plan.state.trading.instrument("BTCTRY").marks == ()
        assert any(note.startswith("BTCTRY: no mark taken: ") for note in plan.notes)


def test_a_pair_without_a_view_does_nothing_and_says_so() -> None:
    state = decided(standing(PauseSet(True)), around(1_000_000, candles=[UP])).state.after(PauseSet(False))
    plan = decided(state, seconds=5)
    assert plan.verdicts == ()
    assert "BTCTRY: buy not tried: market_missing (pair=BTCTRY)" in plan.notes


def test_a_cold_pair_has_no_signal_and_says_so() -> None:
    cold = warm_up(standing(pairs=()), {"BTCTRY": history(FLAT[:4])}, PARAMS)
    plan = decided(cold, around(1_000_000, candles=[UP]))
    assert plan.verdicts == ()
    assert f"BTCTRY: warming up, 5 of {WARM} candles" in plan.notes


def test_a_backfill_without_candles_leaves_the_pair_cold() -> None:
    cold = standing(pairs=())
    assert warm_up(cold, {"BTCTRY": []}, PARAMS) == cold


def test_candles_that_come_twice_or_late_change_nothing() -> None:
    state = decided(standing(), around(1_000_000, candles=[UP])).state
    again = decided(state, around(1_000_000, candles=[candle(-2, 5), UP, candle(-1, 7)]), seconds=1)
    assert again.state.indicators == state.indicators
    assert again.signals == ()


def test_a_gap_in_the_candles_is_noted_and_stepped_over() -> None:
    plan = decided(standing(), around(1_000_000, candles=[candle(3, 1_010_000)]), seconds=240)
    assert any("no candles between" in note for note in plan.notes)
    assert plan.state.candles_seen["BTCTRY"] == START + 3 * MINUTE


def test_a_candle_that_has_not_closed_is_not_looked_at() -> None:
    plan = decided(standing(), around(1_000_000, candles=[candle(0, 1_010_000)]), seconds=59)
    assert plan.signals == ()
    assert plan.state.candles_seen["BTCTRY"] == START - 2 * MINUTE
    assert "BTCTRY: 1 candles have not closed yet by our clock" in plan.notes


@pytest.mark.parametrize(
    "broken",
    [
        replace(UP, close=Decimal("NaN")),
        replace(UP, open=Decimal(0)),
        replace(UP, low=Decimal(-1)),
        replace(UP, high=Decimal("Infinity")),
        replace(UP, volume=Decimal(-1)),
        replace(UP, volume=Decimal("NaN")),
        replace(UP, high=UP.close - 1),
        replace(UP, low=UP.close + 1),
    ],
)
def test_a_malformed_candle_is_left_out(broken: Candle) -> None:
    state = standing()
    plan = decided(state, around(1_000_000, candles=[broken]))
    assert plan.state.indicators == state.indicators
    assert plan.approved == ()
    assert any("was left out" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("state", "seconds", "closes", "reason"),
    [
        (OrderState.OPEN, 60, 1_000_000, None),
        (OrderState.OPEN, 61, 1_000_000, "resting for 0:01:01"),
        (OrderState.PARTIAL, 61, 1_000_000, "resting for 0:01:01"),
        (OrderState.UNKNOWN, 61, 1_000_000, None),
        (OrderState.CLOSING, 61, 1_000_000, None),
        (OrderState.CANCELING, 14, 1_000_000, None),
        (OrderState.CANCELING, 15, 1_000_000, "no effect of the last cancel in 0:00:15"),
        (OrderState.OPEN, 60, 990_000, "the strategy wants out"),
    ],
)
def test_what_rests_too_long_or_in_the_way_is_canceled(
    state: OrderState, seconds: float, closes: int, reason: str | None
) -> None:
    resting = standing(OrderChanged(order(quantity="0.001", state=state)), closes=FLAT)
    plan = decided(resting, around(1_000_000, candles=[candle(-1, closes)]), seconds=seconds)
    assert [wish.reason for wish in plan.cancels] == ([] if reason is None else [reason])


@pytest.mark.parametrize(("view", "canceled"), [(market(age_seconds=30), False), (market(age_seconds=30.1), True)])
def test_a_silent_market_takes_resting_orders_off_the_book(view: MarketView, canceled: bool) -> None:
    resting = standing(OrderChanged(order(quantity="0.001")), closes=FLAT)
    assert bool(decided(resting, view, seconds=5).cancels) is canceled
    assert [wish.reason for wish in decided(resting, seconds=5).cancels] == ["the market is silent"]


def test_an_exit_waits_until_the_entry_in_its_way_is_proven_gone() -> None:
    in_the_way = standing(HOLDING, OrderChanged(order(quantity="0.001", price="999900")))
    plan = decided(in_the_way, around(1_000_000, candles=[DOWN]))
    assert plan.verdicts == ()
    assert (
        "BTCTRY: sell not tried, an entry of ours at 999900 is the best bid, and its cancel comes first" in plan.notes
    )
    assert [wish.reason for wish in plan.cancels] == ["the strategy wants out"]


PRICES = st.integers(900_000, 1_100_000)


@given(
    moves=st.lists(st.tuples(PRICES, st.booleans(), st.booleans()), min_size=1, max_size=12),
)
def test_a_decision_is_repeatable_and_stays_within_every_cap(moves: list[tuple[int, bool, bool]]) -> None:
    state = standing(pairs=("BTCTRY", "ETHTRY"))
    for number, (mid, has_candles, is_filled) in enumerate(moves):
        candles = [candle(-1 + number, mid)] if has_candles else []
        seen = MarketSnapshot(
            after(60 * number),
            {
                "BTCTRY": around(mid, candles=candles),
                "ETHTRY": around(2_000_000 - mid, ETH_TRY, candles=candles),
            },
        )
        plan = decide(state, seen, PARAMS, f"c{number}")
        assert plan == decide(state, seen, PARAMS, f"c{number}")
        state = plan.state
        for approved in plan.approved:
            wanted = approved.intent
            assert wanted.notional <= LIMITS.order_notional_max or wanted.purpose is Purpose.EXIT
            if is_filled:
                bought = fill(1, wanted.side, str(wanted.quantity), str(wanted.price), pair=wanted.pair)
                state = state.after(FillBooked(bought))
        assert len({verdict.intent.decision_id for verdict in plan.verdicts}) == len(plan.verdicts)
        for instrument in state.trading.instruments.values():
            assert instrument.position >= 0
            assert instrument.position * (instrument.mark or 0) <= LIMITS.position_notional_max.number * 2
