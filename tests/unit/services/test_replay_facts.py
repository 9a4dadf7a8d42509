"""What is written of a state or an event is read back as it was, to the last digit."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import Asset, amount
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import StrategyChoice
from btcbot.domain.state import (
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
    VolatilityPaused,
    apply,
)
from btcbot.services.decision import DecisionParams, DecisionState, decide, warm_up
from btcbot.services.replay_facts import form_of, from_text, to_text
from btcbot.services.replay_tape import Beginning, read_beginning
from btcbot.services.strategy_loading import load_strategy
from tests.unit.domain.builders import FEE_RATIO, LIMITS, START, around, candle, fill, order, snapshot, trading

numbers = st.decimals(allow_nan=False, allow_infinity=False, places=8)
moments = st.timedeltas(timedelta(), timedelta(days=999)).map(lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since)
spans = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=3))
events = st.one_of(
    st.builds(LedgerOpened, numbers), st.builds(CapitalMoved, numbers), st.builds(PeakRestored, numbers),
    st.builds(EntryMade, st.text(max_size=8), moments),
    st.builds(EntriesCounted, st.dictionaries(st.text(max_size=8), st.integers(0, 999), max_size=3)),
    st.builds(TicksLearnt, st.frozensets(st.text(max_size=8), max_size=3)), st.builds(SetupChanged, moments),
    st.builds(
        BreakersRestored, st.text(max_size=8), st.lists(st.tuples(moments, numbers), max_size=3).map(tuple),
        st.none() | moments,
    ),
    st.builds(SubmitMade, moments),
    st.builds(BalancesSeen, st.dictionaries(st.sampled_from([Asset("TRY"), Asset("BTC")]), numbers)),
    st.builds(MarkSeen, st.text(max_size=8), numbers, moments, spans),
    st.builds(VolatilityPaused, st.text(max_size=8), moments),
    st.builds(DayTurned, st.dates(min_value=date(2026, 1, 1)), numbers), st.builds(Halted, st.text()),
    st.just(HaltLifted()), st.builds(PauseSet, st.booleans()), st.just(FillBooked(fill(quantity="0.0010"))),
    st.just(OrderChanged(order(state=OrderState.PARTIAL))),
)  # fmt: skip


@given(events)
def test_an_event_is_read_back_as_it_was(event: StateEvent) -> None:
    text = to_text(StateEvent, event)
    again = _read(text)
    assert again == event
    if not isinstance(event, TicksLearnt):  # a set is shown in the order in which it was made
        assert repr(again) == repr(event), "a zero more or less is another text somewhere"
    assert to_text(StateEvent, again) == text


def _read(text: str) -> StateEvent:
    event: StateEvent = form_of(StateEvent).read(json.loads(text))
    return event


def test_the_exponent_of_a_number_is_kept() -> None:
    event = LedgerOpened(Decimal("100.500"))
    assert str(_read(to_text(StateEvent, event)).capital) == "100.500"  # type: ignore[union-attr]


def test_a_field_that_holds_its_default_is_left_out_and_comes_back() -> None:
    short = to_text(OrderRecord, order())
    assert '"reason"' not in short
    assert from_text(OrderRecord, short) == order()


def test_a_state_with_its_parameters_is_whole_and_decides_alike() -> None:
    params = DecisionParams(
        load_strategy(StrategyChoice("ema_cross", ()), Asset("TRY")), ("BTCTRY",), LIMITS, timedelta(minutes=1),
        timedelta(seconds=60), FEE_RATIO,
    )  # fmt: skip
    state = DecisionState.at(apply(trading("0.005"), OrderChanged(order())))
    state = warm_up(state, {"BTCTRY": [candle(minute, 1_000_000 + minute) for minute in range(-60, 0)]}, params)
    read = read_beginning(to_text(Beginning, Beginning(params, state)))
    assert read.state == state
    assert read.params == params
    seen = snapshot(START, around(1_000_100))
    assert decide(read.state, seen, read.params, "c") == decide(state, seen, params, "c")


def test_another_text_is_refused() -> None:
    with pytest.raises(LookupError):
        _read('{"is":"NoSuchEvent"}')
    with pytest.raises(ValueError, match="Halted has no because"):
        _read('{"is":"Halted","because":"x"}')
    with pytest.raises(TypeError):
        _read('{"is":"Halted"}')


def test_a_type_without_a_form_is_refused() -> None:
    @dataclass
    class Strange:
        what: bytes

    with pytest.raises(TypeError, match="no form"):
        to_text(Strange, Strange(b""))
    assert to_text(type(amount("1 TRY")), amount("1 TRY")) == '{"number":"1","asset":"TRY"}'
