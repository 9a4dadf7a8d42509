"""A grid, decision by decision: rungs that rest, rungs that are sold one higher, and when none is worth it."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import Price, Ratio, amount, parse, plain
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.state import FillBooked, OrderChanged, StateEvent
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState, decide, warm_up
from btcbot.strategy.registry import REGISTRY
from tests.unit.domain.builders import LIMITS, MINUTE, TRY, after, around, candle, fill, order, snapshot
from tests.unit.services.test_decision import standing

FEE = Ratio(Decimal("0.0024"))
LOOSE = replace(LIMITS, entry_cooldown=timedelta(), jump_ratio_max=Ratio(Decimal("0.5")), submits_per_second_max=10)


def grid(limits: object = LOOSE, **chosen: object) -> DecisionParams:
    strategy = REGISTRY["grid"].strategy({"spacing_ratio": "0.01", "reference_period": 5, **chosen}, TRY)
    return DecisionParams(strategy, ("BTCTRY",), limits, MINUTE, timedelta(hours=1), FEE)  # type: ignore[arg-type]


def standing_with(to: DecisionParams, *events: StateEvent, close: int = 1_000_000) -> DecisionState:
    history = [candle(minute, close) for minute in range(-30, 0)]
    return warm_up(DecisionState.at(standing(*events).trading), {"BTCTRY": history}, to)


def quoted(plan: CyclePlan, side: Side) -> list[str]:
    return [plain(approved.intent.price) for approved in plan.approved if approved.intent.side is side]


def resting(number: int, price: str, side: Side = Side.BUY, quantity: str = "0.001") -> OrderChanged:
    made = order(f"rung-{number}", side, quantity, price)
    return OrderChanged(replace(made, exchange_order_id=number))


def test_rungs_rest_below_the_reference_each_with_an_ordinal_of_its_own() -> None:
    to = grid()
    plan = decide(standing_with(to), snapshot(after(0), around(1_000_100)), to, "cycle")
    assert quoted(plan, Side.BUY) == ["990000", "980100"]
    assert [approved.intent.decision_id for approved in plan.approved] == ["cycle/BTCTRY/0", "cycle/BTCTRY/1"]
    assert {approved.intent.purpose for approved in plan.approved} == {Purpose.ENTRY}
    assert all(amount("999 TRY") < approved.intent.notional <= amount("1000 TRY") for approved in plan.approved)


def test_no_rung_is_priced_where_it_would_take() -> None:
    """The market lies a tenth below the reference: the first rung rests at the best bid."""
    to = grid()
    plan = decide(standing_with(to), snapshot(after(0), around(900_000)), to, "cycle")
    assert quoted(plan, Side.BUY) == ["899900", "890901"]
    held = FillBooked(fill(quantity="0.001", price="1000000"))
    plan = decide(standing_with(to, held), snapshot(after(0), around(1_100_000)), to, "cycle")
    assert quoted(plan, Side.SELL) == ["1100100", "1111101"], "the ask is far above a rung"


def test_rungs_that_rest_already_are_left_and_others_are_taken_off() -> None:
    to = grid()
    state = standing_with(to, resting(1, "990000"), resting(2, "970000"))
    plan = decide(state, snapshot(after(0), around(1_000_100)), to, "cycle")
    assert quoted(plan, Side.BUY) == ["980100"]
    assert [(wish.order_id, wish.reason) for wish in plan.cancels] == [("rung-2", "the grid has no rung there")]


def test_after_a_fill_the_rungs_hang_from_it_and_what_was_bought_is_offered_one_higher() -> None:
    to = grid()
    bought = FillBooked(fill(quantity="0.001", price="990000"))
    plan = decide(standing_with(to, bought), snapshot(after(0), around(990_100)), to, "cycle")
    assert quoted(plan, Side.SELL) == ["999900"]
    assert quoted(plan, Side.BUY) == ["980100", "970299"]


def test_two_rungs_held_are_offered_on_two_rungs() -> None:
    to = grid()
    bought = [
        FillBooked(replace(fill(number, quantity="0.00101", price=price), exchange_order_id=number))
        for number, price in ((1, "990000"), (2, "980100"))
    ]
    plan = decide(standing_with(to, *bought), snapshot(after(0), around(980_200)), to, "cycle")
    assert quoted(plan, Side.SELL) == ["989901", "999801"]
    assert sum(a.intent.quantity for a in plan.approved if a.intent.side is Side.SELL) == parse("0.00202")


def test_a_full_grid_buys_no_more() -> None:
    to = grid(rungs=2)
    bought = [
        FillBooked(replace(fill(number, quantity="0.001", price="990000"), exchange_order_id=number))
        for number in (1, 2)
    ]
    plan = decide(standing_with(to, *bought), snapshot(after(0), around(990_000)), to, "cycle")
    assert quoted(plan, Side.BUY) == []


def test_a_spacing_that_its_fees_eat_up_buys_nothing_and_says_so() -> None:
    to = grid(spacing_ratio="0.005")
    plan = decide(standing_with(to), snapshot(after(0), around(1_000_100)), to, "cycle")
    assert plan.verdicts == ()
    assert any("no rung bought, a spacing of 0.005 does not earn 0.001 after fees of 0.004812" in n for n in plan.notes)


def test_with_a_cooldown_one_rung_goes_out_and_no_refusal_is_made() -> None:
    to = grid(LIMITS)
    plan = decide(standing_with(to), snapshot(after(0), around(1_000_100)), to, "cycle")
    assert quoted(plan, Side.BUY) == ["990000"]
    assert len(plan.verdicts) == 1


def test_a_stop_takes_the_rungs_off_and_sells_all() -> None:
    to = grid()
    bought = FillBooked(fill(quantity="0.002", price="990000"))
    state = standing_with(to, bought, resting(1, "880000"), resting(2, "999900", Side.SELL))
    plan = decide(state, snapshot(after(0), around(890_000)), to, "cycle")
    (sale,) = plan.approved
    assert (sale.intent.side, sale.intent.quantity) == (Side.SELL, parse("0.001"))
    assert {wish.order_id for wish in plan.cancels} == {"rung-1", "rung-2"}


def test_a_rung_beyond_the_collar_waits() -> None:
    to = grid(spacing_ratio="0.015")
    plan = decide(standing_with(to), snapshot(after(0), around(1_000_100)), to, "cycle")
    assert quoted(plan, Side.BUY) == ["985000"]


@given(
    mids=st.lists(st.integers(900_000, 1_100_000), min_size=1, max_size=25), quotes=st.integers(1, 3),
    rungs=st.integers(1, 4), fills=st.lists(st.booleans(), min_size=25, max_size=25),
)  # fmt: skip
def test_a_grid_never_takes_never_holds_too_much_and_never_offers_a_coin_twice(
    mids: list[int], quotes: int, rungs: int, fills: list[bool]
) -> None:
    """Rungs fill whenever the market comes to them; every approved order rests, and the books stay within the grid."""
    to = grid(quotes=quotes, rungs=rungs)
    state = standing_with(to)
    working: dict[str, OrderRecord] = {}
    for number, mid in enumerate(mids):
        seconds = 60 * number
        for label, resting_order in list(working.items()):
            reached = mid <= resting_order.price if resting_order.side is Side.BUY else mid >= resting_order.price
            if reached and fills[number]:
                del working[label]
                made = fill(
                    number * 100 + len(working), resting_order.side, str(resting_order.quantity),
                    str(resting_order.price), at=after(seconds),
                )  # fmt: skip
                trade = replace(made, exchange_order_id=resting_order.exchange_order_id or 0)
                state = state.after(FillBooked(trade))
                state = state.after(OrderChanged(replace(resting_order, state=OrderState.CANCELED)))
        plan = decide(
            state, snapshot(after(seconds), around(mid, candles=[candle(number - 1, mid)])), to, f"cycle{number}"
        )
        state = plan.state
        for wish in plan.cancels:
            gone = working.pop(wish.order_id)
            state = state.after(OrderChanged(replace(gone, state=OrderState.CANCELED)))
        for place, approved in enumerate(plan.approved):
            wanted = approved.intent
            is_stop = any("is not above the stop" in note for note in plan.notes)
            if wanted.side is Side.BUY:
                assert wanted.price <= Price(Decimal(mid - 100))
            elif not is_stop:
                assert wanted.price >= Price(Decimal(mid + 100))
            label = f"order-{number}-{place}"
            made = order(label, wanted.side, str(wanted.quantity), str(wanted.price), at=after(seconds))
            working[label] = replace(made, exchange_order_id=number * 100 + place + 1)
            state = state.after(OrderChanged(working[label]))
        position = state.trading.instrument("BTCTRY").position
        offered = sum((o.quantity for o in working.values() if o.side is Side.SELL), start=Decimal(0))
        assert offered <= position
        buys = sum(o.side is Side.BUY for o in working.values())
        assert position * Decimal(880_000) <= rungs * 1000
        assert buys <= quotes


@pytest.mark.parametrize("reference", [float("nan"), float("inf"), -1.0, 0.0])
def test_a_reference_that_is_no_price_hangs_no_rung(reference: float, monkeypatch: pytest.MonkeyPatch) -> None:
    to = grid()
    monkeypatch.setattr(type(to.strategy), "grid_reference", lambda *_: reference)
    plan = decide(standing_with(to), snapshot(after(0), around(1_000_100)), to, "cycle")
    assert plan.verdicts == ()


def test_a_grid_that_holds_without_any_candle_still_sells_and_buys_nothing() -> None:
    to = grid()
    bare = DecisionState.at(standing(FillBooked(fill(quantity="0.001", price="990000"))).trading)
    plan = decide(bare, snapshot(after(0), around(990_100)), to, "cycle")
    assert quoted(plan, Side.SELL) == ["999900"]
    assert quoted(plan, Side.BUY) == []
