"""The trading state changes only by events, and the same events give the same state."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import ZERO, amount, parse
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.states import TERMINAL, OrderState
from btcbot.domain.state import (
    MARKS_MAX,
    BalancesSeen,
    BreakersRestored,
    CapitalMoved,
    DayTurned,
    EntriesCounted,
    EntryMade,
    FillBooked,
    Halted,
    HaltLifted,
    LedgerOpened,
    MarkSeen,
    OrderChanged,
    PauseSet,
    PeakRestored,
    SetupChanged,
    StateEvent,
    SubmitMade,
    TicksLearnt,
    TradingState,
    VolatilityPaused,
    apply,
)
from tests.unit.domain.builders import BTC, START, TRY, after, fill, order

WINDOW = timedelta(seconds=60)


def having(*events: StateEvent) -> TradingState:
    state = TradingState(TRY)
    for event in events:
        state = apply(state, event)
    return state


def mark(price: str, seconds: float = 0, pair: str = "BTCTRY") -> MarkSeen:
    return MarkSeen(pair, parse(price), after(seconds), WINDOW)


def test_a_buy_makes_a_position_and_costs_what_it_cost() -> None:
    state = having(FillBooked(fill(quantity="0.01", price="1000000", fee="20", tax="4")))
    assert state.instrument("BTCTRY").position == parse("0.01")
    assert state.instrument("BTCTRY").cash_flow == parse("-10024")
    assert state.pnl == parse("-24")


def test_a_round_trip_leaves_its_result_whatever_the_mark() -> None:
    state = having(
        FillBooked(fill(1, Side.BUY, "0.01", "1000000", fee="24")),
        FillBooked(fill(2, Side.SELL, "0.01", "1010000", fee="24.24")),
        mark("500000"),
    )
    assert (state.instrument("BTCTRY").position, state.pnl) == (0, parse("51.76"))


def test_equity_follows_capital_marks_and_transfers() -> None:
    state = having(LedgerOpened(parse("100000")), FillBooked(fill(quantity="0.01")), mark("1100000"))
    assert (state.equity, state.equity_peak) == (parse("101000"), parse("101000"))
    state = apply(state, mark("900000", 5))
    assert (state.equity, state.equity_peak) == (parse("99000"), parse("101000"))
    state = apply(state, CapitalMoved(parse("-50000")))
    assert (state.equity, state.equity_peak) == (parse("49000"), parse("51000"))


def test_the_peak_of_before_a_restart_is_not_forgotten() -> None:
    assert having(LedgerOpened(parse("100")), PeakRestored(parse("120"))).equity_peak == parse("120")
    assert having(PeakRestored(parse("120")), LedgerOpened(parse("100"))).equity_peak == parse("120")


def test_the_day_s_result_begins_where_the_day_opened() -> None:
    state = having(
        FillBooked(fill(quantity="0.01")),
        mark("1100000"),
        DayTurned(date(2026, 1, 6), parse("1000")),
        mark("1050000", 5),
    )
    assert (state.day, state.day_pnl) == (date(2026, 1, 6), parse("-500"))


def test_marks_are_remembered_for_the_window_and_within_a_bound() -> None:
    state = having(mark("1", 0), mark("2", 30), mark("3", 60))
    assert [price for _, price in state.instrument("BTCTRY").marks] == [2, 3]
    state = having(*(mark("1", n / 1000) for n in range(MARKS_MAX + 9)))
    assert len(state.instrument("BTCTRY").marks) == MARKS_MAX + 1


def test_a_fill_s_price_values_the_position_until_the_next_mark() -> None:
    state = having(mark("9"), FillBooked(fill(price="7")))
    assert state.instrument("BTCTRY").mark == 7
    assert [price for _, price in state.instrument("BTCTRY").marks] == [9]
    assert apply(state, mark("8", 5)).instrument("BTCTRY").mark == 8


def test_an_order_is_at_work_until_it_is_over() -> None:
    working = having(OrderChanged(order()))
    assert [one.order_id for one in working.working("BTCTRY")] == ["order-1"]
    assert working.working("ETHTRY") == ()
    for state in TERMINAL:
        assert apply(working, OrderChanged(order(state=state))).orders == {}


def test_working_orders_are_told_oldest_first() -> None:
    state = having(*(OrderChanged(order(name, at=after(at))) for name, at in (("b", 2), ("c", 1), ("a", 2))))
    assert [one.order_id for one in state.working()] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("changed", "quote", "base"),
    [
        (order(quantity="0.01", price="1000000"), "10024", "0"),
        (order(quantity="0.01", price="1000000", state=OrderState.UNKNOWN), "10024", "0"),
        (order(quantity="0.01", price="1000000", state=OrderState.PARTIAL, filled="0.004"), "6024", "0"),
        (order(quantity="0.01", price="1000000", state=OrderState.CLOSING, filled="0.01"), "0", "0"),
        (order(quantity="0.01", price="1000000", state=OrderState.CANCELED, filled="0.004"), "0", "0"),
        (order(side=Side.SELL, quantity="0.01", state=OrderState.CANCELING, filled="0.004"), "0", "0.006"),
    ],
)
def test_what_may_still_be_used_up_is_reserved(changed: object, quote: str, base: str) -> None:
    assert isinstance(changed, type(order()))
    state = having(OrderChanged(changed))
    assert state.reserved(TRY) == amount(f"{quote} TRY")
    assert state.reserved(BTC) == amount(f"{base} BTC")
    assert state.reserved(TRY, "ETHTRY") == amount("0 TRY")


def test_an_entry_is_counted_once_when_it_is_journaled() -> None:
    steps = [
        order(state=state) for state in (OrderState.INTENT, OrderState.SENDING, OrderState.OPEN, OrderState.FILLED)
    ]
    state = having(*map(OrderChanged, steps))
    assert state.instrument("BTCTRY").entered_at == (START,)
    assert having(OrderChanged(order(side=Side.SELL))).instrument("BTCTRY").entered_at == ()


def test_entries_are_remembered_for_an_hour() -> None:
    state = having(*(OrderChanged(order(f"o{at}", at=after(at))) for at in (0, 1800, 3599)))
    assert len(state.instrument("BTCTRY").entered_at) == 3
    state = apply(state, OrderChanged(order("late", at=after(3600))))
    assert state.instrument("BTCTRY").entered_at == (after(1800), after(3599), after(3600))


def test_an_entry_of_before_a_restart_counts_like_any_other() -> None:
    state = having(EntryMade("BTCTRY", after(-10)), OrderChanged(order()), EntryMade("BTCTRY", START))
    assert state.instrument("BTCTRY").entered_at == (after(-10), START)


def test_entries_of_a_day_are_counted_until_the_next_begins() -> None:
    state = having(DayTurned(START.date(), ZERO), OrderChanged(order()), OrderChanged(order("two", at=after(1))))
    assert state.instrument("BTCTRY").entries_of_day == 2
    again = apply(state, DayTurned(START.date(), ZERO))
    assert again.instrument("BTCTRY").entries_of_day == 2
    tomorrow = apply(state, DayTurned(START.date() + timedelta(days=1), ZERO))
    assert tomorrow.instrument("BTCTRY").entries_of_day == 0


def test_an_order_that_comes_back_from_its_end_is_no_other_entry() -> None:
    state = having(OrderChanged(order()), OrderChanged(order(state=OrderState.CANCELED)))
    back = apply(state, OrderChanged(replace(order(), changed_at=after(60))))
    assert back.orders
    assert back.instrument("BTCTRY").entries_of_day == 1


def test_counts_of_before_a_restart_replace_what_was_counted_so_far() -> None:
    state = having(OrderChanged(order()), EntriesCounted({"ETHTRY": 7}))
    assert state.instrument("BTCTRY").entries_of_day == 0
    assert state.instrument("ETHTRY").entries_of_day == 7


def test_marks_of_before_a_restart_measure_a_jump_and_value_nothing() -> None:
    marks = ((after(-60), parse("900000")), (START, parse("910000")))
    state = having(FillBooked(fill(price="1000000")), BreakersRestored("BTCTRY", marks, after(600)))
    instrument = state.instrument("BTCTRY")
    assert (instrument.marks, instrument.paused_until, instrument.mark) == (marks, after(600), parse("1000000"))
    assert instrument.are_marks_carried
    assert state.equity_peak == 0, "a peak of equity was never there for prices of another time"
    seen = apply(state, mark("905000")).instrument("BTCTRY")
    assert not seen.are_marks_carried


def test_submits_are_remembered_for_a_minute() -> None:
    assert having(*(SubmitMade(after(at)) for at in (0, 1, 59, 60))).submitted_at == (after(1), after(59), after(60))


def test_what_was_paid_counts_from_the_last_time_that_nothing_was_held() -> None:
    bought = FillBooked(fill(1, quantity="0.01", price="1000000"))
    sold = FillBooked(fill(2, side=Side.SELL, quantity="0.01", price="1100000"))
    again = FillBooked(fill(3, quantity="0.02", price="900000"))
    half = FillBooked(fill(4, side=Side.SELL, quantity="0.01", price="950000"))
    held = having(bought, sold, again, half).instrument("BTCTRY")
    assert (held.position, held.stay.bought, held.stay.paid) == (parse("0.01"), parse("0.02"), parse("18000"))
    assert having(bought, sold).instrument("BTCTRY").stay.paid == 0


def test_the_first_reason_to_halt_stays_until_a_person_lifts_it() -> None:
    state = having(Halted("first"), Halted("second"))
    assert state.halt_reason == "first"
    assert apply(state, HaltLifted()).halt_reason is None


def test_pause_balances_and_volatility_are_kept_as_told() -> None:
    state = having(PauseSet(True), BalancesSeen({TRY: parse("5")}), VolatilityPaused("BTCTRY", after(9)))
    assert (state.is_paused, state.available) == (True, {TRY: parse("5")})
    assert state.instrument("BTCTRY").paused_until == after(9)
    assert not apply(state, PauseSet(False)).is_paused


FILLS = st.lists(
    st.builds(
        lambda trade_id, side, quantity, price: fill(trade_id, side, str(quantity), str(price)),
        st.integers(1, 99),
        st.sampled_from(Side),
        st.decimals("0.00000001", "1", places=8),
        st.decimals("1", "9999", places=2),
    ),
    max_size=6,
)


@given(fills=FILLS, chance=st.randoms(use_true_random=False))
def test_fills_in_any_order_give_one_position_and_one_result(fills: list[Fill], chance: Random) -> None:
    first = having(*map(FillBooked, fills), mark("1000"))
    chance.shuffle(fills)
    second = having(*map(FillBooked, fills), mark("1000"))
    assert first.instrument("BTCTRY").position == second.instrument("BTCTRY").position
    assert (first.pnl, first.equity) == (second.pnl, second.equity)


IDEMPOTENT: tuple[StateEvent, ...] = (
    LedgerOpened(parse("100")),
    BalancesSeen({TRY: parse("5")}),
    OrderChanged(order()),
    EntryMade("BTCTRY", START),
    VolatilityPaused("BTCTRY", after(9)),
    EntriesCounted({"BTCTRY": 3}),
    BreakersRestored("BTCTRY", ((START, parse("900000")),), after(9)),
    TicksLearnt(frozenset({"BTCTRY"})),
    SetupChanged(START),
    DayTurned(START.date(), parse("1")),
    PeakRestored(parse("7")),
    Halted("a test"),
    HaltLifted(),
    PauseSet(True),
)


@pytest.mark.parametrize("event", IDEMPOTENT, ids=lambda event: type(event).__name__)
def test_the_same_word_twice_changes_nothing(event: StateEvent) -> None:
    once = apply(having(FillBooked(fill()), OrderChanged(order("other")), mark("900000")), event)
    assert apply(once, event) == once


def test_apply_leaves_the_state_before_it_as_it_was() -> None:
    before = having(FillBooked(fill()), OrderChanged(order()))
    kept = replace(before)
    for event in (FillBooked(fill(2)), OrderChanged(order("other")), mark("1"), SubmitMade(START), Halted("a test")):
        apply(before, event)
    assert before == kept
