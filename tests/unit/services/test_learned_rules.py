"""What the exchange taught us is planned with: what our fills paid, and a price grid coarser than the published one."""

from dataclasses import replace
from datetime import timedelta

from btcbot.domain.fees import FILLS_MIN
from btcbot.domain.money import parse, round_ratio
from btcbot.domain.orders.evidence import PRICE_OFF_ITS_GRID, Fill
from btcbot.domain.orders.intents import ApprovedOrderIntent, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.state import BalancesSeen, FillBooked, LedgerOpened, OrderChanged, StateEvent, TradingState, apply
from btcbot.persistence.sqlite.live_store import TradingHistory
from btcbot.services.decision import DecisionParams, DecisionState, decide, warm_up
from btcbot.services.live_wiring import restored_state
from btcbot.strategy.shipped.ema_cross import EmaCrossParams, ema_cross
from tests.unit.domain.builders import BTC_TRY, FEE_RATIO, LIMITS, MINUTE, TRY, after, around, candle, fill, order
from tests.unit.domain.builders import snapshot as seen

STRATEGY = ema_cross(EmaCrossParams(fast=1, slow=2), TRY)
PARAMS = DecisionParams(STRATEGY, ("BTCTRY",), LIMITS, MINUTE, timedelta(seconds=60), FEE_RATIO)
TICKED = replace(BTC_TRY, price_tick=parse("10"))
REFUSED = replace(order(state=OrderState.TURNED_DOWN, at=after(-7200)), reason=PRICE_OFF_ITS_GRID)


def round_trips(count: int) -> tuple[Fill, ...]:
    """Bought and sold again at the same price, for 0.18 % each time."""
    return tuple(
        fill(n, Side.SELL if n % 2 else Side.BUY, quantity="0.001", fee="1.5", tax="0.3", at=after(-7200))
        for n in range(count)
    )


def bought(state: TradingState, mid: int = 1_000_000) -> ApprovedOrderIntent:
    """The entry that a cross upwards makes of this state."""
    for event in (LedgerOpened(parse("100000")), BalancesSeen({TRY: parse("100000")})):
        state = apply(state, event)
    falling = [candle(-2 - STRATEGY.warm_up + n, 999_000 - n) for n in range(STRATEGY.warm_up + 1)]
    warm = warm_up(DecisionState.at(state), {"BTCTRY": falling}, PARAMS)
    plan = decide(warm, seen(after(0), around(mid, TICKED, [candle(-1, 1_010_000)])), PARAMS, "cycle")
    assert len(plan.approved) == 1, plan
    (approved,) = plan.approved
    return approved


def over(refused: OrderRecord) -> tuple[OrderRecord, OrderRecord]:
    """Turned down, then proven absent."""
    return refused, replace(refused, state=OrderState.REJECTED)


def after_events(*events: StateEvent) -> TradingState:
    state = TradingState(TRY)
    for event in events:
        state = apply(state, event)
    return state


def fee_ratio_of(approved: ApprovedOrderIntent) -> str:
    return f"{round_ratio(approved.reservation.number, approved.intent.notional.number) - 1:.4f}"


def test_reservations_are_made_with_the_rate_that_our_fills_paid_once_there_are_enough() -> None:
    few, enough = round_trips(FILLS_MIN - 2), round_trips(FILLS_MIN)
    assert fee_ratio_of(bought(after_events(*map(FillBooked, few)))) == "0.0024"
    assert fee_ratio_of(bought(after_events(*map(FillBooked, enough)))) == "0.0018"


def test_a_restart_plans_with_the_same_rate() -> None:
    history = TradingHistory((), round_trips(FILLS_MIN), (), {TRY: parse("100000")}, (), None)
    assert fee_ratio_of(bought(restored_state(history, TRY, timedelta(minutes=1)))) == "0.0018"


def test_prices_keep_to_the_ticks_of_a_pair_that_once_refused_one_between_them() -> None:
    """Open question A11: the order is not sent again; the next decision has learned."""
    between = bought(TradingState(TRY), mid=1_000_005).intent
    assert between.price % TICKED.price_step == 0
    assert between.price % 10 == 5
    assert bought(after_events(*map(OrderChanged, over(REFUSED))), mid=1_000_005).intent.price % 10 == 0


def test_another_refusal_teaches_nothing_about_prices() -> None:
    refused = replace(REFUSED, reason="BALANCE_NOT_ENOUGH")
    assert bought(after_events(*map(OrderChanged, over(refused))), mid=1_000_005).intent.price % 10 == 5


def test_what_was_learned_is_kept_when_the_order_is_over() -> None:
    state = after_events(*map(OrderChanged, over(REFUSED)))
    assert state.ticked == {"BTCTRY"}
    assert state.orders == {}


def test_a_hint_that_is_finer_or_does_not_fit_changes_nothing() -> None:
    for tick in ("0.1", "1", "2.5"):
        instrument = replace(BTC_TRY, price_tick=parse(tick))
        assert instrument.on_ticks() is instrument
    assert BTC_TRY.on_ticks() is BTC_TRY
