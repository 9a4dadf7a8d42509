"""An order's life as a blotter: each row is one piece of news and what must be true after it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import ZERO, parse
from btcbot.domain.orders.evidence import (
    AbsenceProven,
    AbsentOnce,
    Accepted,
    CancelSent,
    CancelTurnedDown,
    CancelWanted,
    Evidence,
    NoByteLeft,
    Restarted,
    Seen,
    Silent,
    Traded,
    TurnedDown,
    VenueStatus,
)
from btcbot.domain.orders.life import advance
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import IllegalTransition, OrderEvent, OrderState, next_state
from tests.unit.domain.builders import START, after, fill, listed, order

PLAIN: dict[str, Evidence] = {
    "accepted": Accepted(7, None),
    "turned_down": TurnedDown("not enough balance"),
    "silent": Silent("timeout"),
    "no_byte_left": NoByteLeft("connection refused"),
    "restarted": Restarted(),
    "absent_once": AbsentOnce(START),
    "absence_proven": AbsenceProven("five readings"),
    "cancel_wanted": CancelWanted("too old"),
    "cancel_sent": CancelSent(),
    "cancel_turned_down": CancelTurnedDown("not found"),
}
RECHECKS = {"sending": OrderEvent.RECHECK_PASSED, "recheck_failed": OrderEvent.RECHECK_FAILED}


def play(blotter: str) -> OrderRecord:
    """Seconds, news, its number  ->  state, filled, and ALARM when a bell must ring. Returns the order at the end.

    The order is a buy of 0.010. `seen` and `closed` are followed by what is left of it by the listing, `traded` by a
    quantity and, for a trade that was seen before, `#` and its number.
    """
    current = order(quantity="0.010", price="1000000", state=OrderState.INTENT)
    numbers = count(1)
    for line in filter(None, map(str.strip, blotter.splitlines())):
        news, _, expected = (part.strip() for part in line.partition("->"))
        seconds, name, *args = news.split()
        if expected == "impossible":
            with pytest.raises(IllegalTransition):
                _after(current, name, args, float(seconds), numbers)
            continue
        current, rang = _after(current, name, args, float(seconds), numbers)
        state, filled, *bell = expected.split()
        assert (str(current.state), current.filled, rang) == (state, parse(filled), bell == ["ALARM"]), line
    return current


def _after(
    current: OrderRecord, name: str, args: list[str], seconds: float, numbers: Iterator[int]
) -> tuple[OrderRecord, bool]:
    if name in RECHECKS:
        return replace(current, state=next_state(current.state, RECHECKS[name]), changed_at=after(seconds)), False
    changed, steps, _ = advance(current, _evidence(name, args, numbers), after(seconds))
    return changed, any(step.is_alarm for step in steps)


def _evidence(name: str, args: list[str], numbers: Iterator[int]) -> Evidence:
    match name, args:
        case "seen", [left]:
            status = VenueStatus.UNTOUCHED if parse(left) == parse("0.010") else VenueStatus.PARTIAL
            return Seen(listed(left=left, status=status))
        case "closed", [left]:
            status = VenueStatus.CLOSED if parse(left) == 0 else VenueStatus.CANCELED
            return Seen(listed(left=left, status=status, is_open=False))
        case "traded", [quantity]:
            return Traded((fill(next(numbers), quantity=quantity),))
        case "traded", [quantity, again]:
            return Traded((fill(int(again.removeprefix("#")), quantity=quantity),))
        case _:
            return PLAIN[name]


def test_an_order_that_is_taken_at_once() -> None:
    play("""
        0  sending          ->  sending  0
        1  accepted         ->  open     0
        2  traded   0.010   ->  partial  0.010
        3  closed   0       ->  filled   0.010
    """)


def test_an_order_lost_in_a_timeout_is_found_by_reconciliation() -> None:
    found = play("""
         0  sending         ->  sending  0
         5  silent          ->  unknown  0
         6  absent_once     ->  unknown  0
         7  seen    0.010   ->  open     0
         9  traded  0.004   ->  partial  0.004
        12  traded  0.006   ->  partial  0.010
        13  closed  0       ->  filled   0.010
    """)
    assert (found.exchange_order_id, found.absent_evidence) == (7, 1)


def test_an_order_that_never_arrived_is_sealed_by_proof_only() -> None:
    play("""
          0  sending         ->  sending        0
         15  silent          ->  unknown        0
         16  absent_once     ->  unknown        0
         60  absent_once     ->  unknown        0
         70  restarted       ->  unknown        0
        900  absence_proven  ->  absent_sealed  0
        901  restarted       ->  absent_sealed  0
    """)


def test_an_order_that_turns_up_after_its_seal_rings_a_bell() -> None:
    play("""
          0  sending         ->  sending        0
         15  silent          ->  unknown        0
        900  absence_proven  ->  absent_sealed  0
        999  seen    0.010   ->  open           0      ALARM
    """)


def test_a_refusal_is_believed_after_one_complete_reading() -> None:
    play("""
        0  sending          ->  sending      0
        1  turned_down      ->  turned_down  0
        2  absent_once      ->  rejected     0
        3  seen     0.006   ->  partial      0      ALARM
    """)


def test_a_refused_order_that_is_there_all_the_same() -> None:
    play("""
        0  sending          ->  sending      0
        1  turned_down      ->  turned_down  0
        2  seen     0.010   ->  open         0
    """)


def test_nothing_left_this_machine() -> None:
    play("""
        0  sending          ->  sending   0
        1  no_byte_left     ->  not_sent  0
        2  traded   0.010   ->  partial   0.010  ALARM
    """)
    play("""
        0  recheck_failed   ->  not_sent  0
        1  sending          ->  impossible
    """)
    play("""
        0  restarted        ->  not_sent  0
        1  sending          ->  impossible
    """)


def test_a_process_that_died_while_sending_does_not_know() -> None:
    play("""
        0  sending          ->  sending  0
        1  restarted        ->  unknown  0
        2  sending          ->  impossible
        3  closed   0.010   ->  canceled 0
    """)


def test_a_cancel_that_comes_too_late() -> None:
    play("""
        0  sending          ->  sending        0
        1  accepted         ->  open           0
        2  cancel_wanted    ->  cancel_intent  0
        3  cancel_sent      ->  canceling      0
        4  traded   0.010   ->  canceling      0.010
        5  closed   0       ->  filled         0.010
    """)


def test_a_cancel_without_effect_is_repeated() -> None:
    repeated = play("""
         0  sending             ->  sending        0
         1  accepted            ->  open           0
         2  cancel_wanted       ->  cancel_intent  0
         3  cancel_sent         ->  canceling      0
         4  seen       0.010    ->  canceling      0
        20  cancel_wanted       ->  cancel_intent  0
        21  cancel_sent         ->  canceling      0
        22  cancel_turned_down  ->  canceling      0
        23  closed     0.010    ->  canceled       0
    """)
    assert repeated.cancels_sent == 2


def test_a_restart_between_wish_and_cancel_may_have_sent_it() -> None:
    play("""
        0  sending          ->  sending        0
        1  accepted         ->  open           0
        2  cancel_wanted    ->  cancel_intent  0
        3  restarted        ->  canceling      0
    """)


def test_an_order_is_over_when_its_trades_add_up() -> None:
    """The exchange says closed before it shows the trades."""
    play("""
        0  sending          ->  sending   0
        1  accepted         ->  open      0
        2  closed   0.004   ->  closing   0
        3  traded   0.002   ->  closing   0.002
        4  traded   0.002 #1 ->  closing  0.002
        5  traded   0.004   ->  canceled  0.006
    """)


def test_a_trade_after_the_end_is_booked_and_rings_a_bell() -> None:
    play("""
        0  sending          ->  sending   0
        1  accepted         ->  open      0
        2  closed   0.010   ->  canceled  0
        3  traded   0.003   ->  closing   0.003  ALARM
        4  closed   0.007   ->  canceled  0.003
    """)


def test_an_older_view_does_not_undo_a_newer_one() -> None:
    end = play("""
        0  sending          ->  sending   0
        1  seen     0.004   ->  partial   0
        2  seen     0.010   ->  partial   0
        3  traded   0.006   ->  partial   0.006
        4  closed   0.004   ->  canceled  0.006
        5  seen     0.004   ->  canceled  0.006
    """)
    assert end.left_seen == parse("0.004")


@pytest.mark.parametrize("news", ["accepted", "silent", "turned_down", "absence_proven", "cancel_sent"])
def test_nothing_answers_what_was_not_sent(news: str) -> None:
    play(f"0  {news}  ->  impossible")


def test_news_that_says_nothing_new_makes_no_step() -> None:
    open_order = play("""
        0  sending          ->  sending   0
        1  accepted         ->  open      0
        2  seen     0.010   ->  open      0
        3  traded   0.001   ->  partial   0.001
    """)
    for evidence in (Seen(listed(left="0.010")), Traded((fill(1, quantity="0.001"),))):
        assert advance(open_order, evidence, after(9)) == (open_order, (), ())


def test_fills_in_any_order_give_one_order() -> None:
    news = [
        Traded((fill(1, quantity="0.004"),)),
        Traded((fill(2, quantity="0.003"), fill(1, quantity="0.004"))),
        Traded((fill(3, quantity="0.003"),)),
        Seen(listed(left="0", status=VenueStatus.CLOSED, is_open=False)),
    ]
    ends = set()
    for arrangement in permutations(news):
        current, booked = order(quantity="0.010", state=OrderState.OPEN), ZERO
        for evidence in arrangement:
            current, _, fresh = advance(current, evidence, after(1))
            booked += sum((trade.quantity for trade in fresh), start=ZERO)
        ends.add((current.state, current.filled, booked, current.trade_ids))
    assert ends == {(OrderState.FILLED, parse("0.010"), parse("0.010"), frozenset({1, 2, 3}))}


EVIDENCE = st.one_of(
    st.sampled_from(list(PLAIN.values())),
    st.tuples(st.sampled_from(["0", "0.004", "0.010"]), st.booleans()).map(
        lambda pair: Seen(listed(left=pair[0], status=VenueStatus.PARTIAL, is_open=pair[1]))
    ),
    st.lists(st.integers(1, 5), max_size=3).map(
        lambda ids: Traded(tuple(fill(trade_id, quantity="0.002") for trade_id in ids))
    ),
)


@given(
    news=st.lists(EVIDENCE, max_size=12), start=st.sampled_from([s for s in OrderState if s is not OrderState.ORPHAN])
)
def test_whatever_comes_the_record_only_gets_truer(news: list[Evidence], start: OrderState) -> None:
    current = order(quantity="0.010", state=start)
    for evidence in news:
        try:
            changed, steps, fresh = advance(current, evidence, after(1))
        except IllegalTransition:
            continue
        assert changed.filled == current.filled + sum((trade.quantity for trade in fresh), start=ZERO)
        assert changed.trade_ids >= current.trade_ids
        assert changed.state is (steps[-1].after if steps else current.state)
        assert OrderState.INTENT not in {step.after for step in steps}
        assert OrderState.SENDING not in {step.after for step in steps}
        if changed.left_seen is not None and current.left_seen is not None:
            assert changed.left_seen <= current.left_seen
        if changed.state in (OrderState.FILLED, OrderState.CANCELED) and current.state is not changed.state:
            assert changed.left_seen is not None
            assert changed.filled == changed.quantity - changed.left_seen
        again, _, fresh_again = (
            advance(changed, evidence, after(1)) if isinstance(evidence, Traded) else (changed, (), ())
        )
        assert (again, fresh_again) == (changed, ())
        current = changed
