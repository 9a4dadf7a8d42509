"""What evidence makes of an order, word for word: the step, what the order knows afterwards, and what is new."""

from dataclasses import replace

import pytest

from btcbot.domain.money import parse
from btcbot.domain.orders.evidence import (
    AbsenceProven,
    AbsentOnce,
    Accepted,
    AcceptedOtherwise,
    AnsweredForAnother,
    CancelSent,
    CancelTurnedDown,
    CancelWanted,
    Evidence,
    NoByteLeft,
    Reappeared,
    Restarted,
    Seen,
    Silent,
    Traded,
    TurnedDown,
    VenueStatus,
)
from btcbot.domain.orders.life import Step, advance
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderEvent as E
from btcbot.domain.orders.states import OrderState as S
from tests.unit.domain.builders import START, after, fill, listed, order

AT = after(60)
SENDING = order(quantity="0.010", price="1000000", state=S.SENDING)
UNKNOWN, OPEN = replace(SENDING, state=S.UNKNOWN), replace(SENDING, state=S.OPEN, exchange_order_id=7)
CANCELING = replace(OPEN, state=S.CANCELING)
PART = fill(1, quantity="0.004", price="1000000")
OTHER_PART = fill(2, quantity="0.006", price="999999")
CLOSED = replace(OPEN, state=S.CLOSING, is_seen_closed=True, left_seen=parse("0.006"))
CANCELED = replace(CLOSED, state=S.CANCELED, filled=parse("0.004"), trade_ids=frozenset({1}))

ROWS: tuple[tuple[OrderRecord, Evidence, tuple[E, S, bool, str], dict[str, object]], ...] = (
    (SENDING, Accepted(7, None), (E.ACCEPTED, S.OPEN, False, "exchange order 7"), {"exchange_order_id": 7}),
    (
        SENDING, AcceptedOtherwise(8, "price"),
        (E.ACCEPTED_OTHERWISE, S.OPEN, True, "exchange order 8 has another price"), {"exchange_order_id": 8},
    ),
    (
        SENDING, AnsweredForAnother("'BB-X'"),
        (E.ANSWERED_FOR_ANOTHER, S.UNKNOWN, True, "the answer is about 'BB-X'"), {},
    ),
    (SENDING, TurnedDown("no money"), (E.TURNED_DOWN, S.TURNED_DOWN, False, "no money"), {"reason": "no money"}),
    (SENDING, Silent("timeout"), (E.SILENT, S.UNKNOWN, False, "timeout"), {"reason": "timeout"}),
    (SENDING, NoByteLeft("refused"), (E.NO_BYTE_LEFT, S.NOT_SENT, False, "refused"), {"reason": "refused"}),
    (SENDING, Restarted(), (E.RESTARTED, S.UNKNOWN, False, "the process that owned it ended"), {}),
    (
        UNKNOWN, AbsentOnce(START),
        (E.ABSENT_ONCE, S.UNKNOWN, False, f"complete reading at {START.isoformat()}"), {"absent_evidence": 1},
    ),
    (replace(UNKNOWN, absent_evidence=4), AbsentOnce(START),
     (E.ABSENT_ONCE, S.UNKNOWN, False, f"complete reading at {START.isoformat()}"), {"absent_evidence": 5}),
    (UNKNOWN, AbsenceProven("a person"), (E.ABSENCE_PROVEN, S.ABSENT_SEALED, False, "a person"), {}),
    (OPEN, CancelWanted("too old"), (E.CANCEL_WANTED, S.CANCEL_INTENT, False, "too old"), {"reason": "too old"}),
    (replace(OPEN, state=S.CANCEL_INTENT, cancels_sent=1), CancelSent(),
     (E.CANCEL_SENT, S.CANCELING, False, ""), {"cancels_sent": 2}),
    (CANCELING, CancelTurnedDown("not found"), (E.CANCEL_TURNED_DOWN, S.CANCELING, False, "not found"), {}),
    (
        OPEN, Traded((PART, OTHER_PART)),
        (E.TRADED, S.PARTIAL, False, "0.004 @ 1000000, 0.006 @ 999999"),
        {"filled": parse("0.010"), "trade_ids": frozenset({1, 2}), "exchange_order_id": 7},
    ),
    (
        replace(UNKNOWN, trade_ids=frozenset({5}), filled=parse("0.001")), Traded((PART,)),
        (E.TRADED, S.PARTIAL, False, "0.004 @ 1000000"),
        {"filled": parse("0.005"), "trade_ids": frozenset({1, 5}), "exchange_order_id": 7},
    ),
    (
        UNKNOWN, Seen(listed(exchange_order_id=9)), (E.SEEN_OPEN, S.OPEN, False, "untouched, 0.010 left"),
        {"exchange_order_id": 9, "left_seen": parse("0.010")},
    ),
    (
        OPEN, Seen(listed(left="0.006", status=VenueStatus.PARTIAL)),
        (E.SEEN_PARTIAL, S.PARTIAL, False, "partial, 0.006 left"), {"left_seen": parse("0.006")},
    ),
    (
        OPEN, Seen(listed(left="0.006", status=VenueStatus.CANCELED, is_open=False)),
        (E.SEEN_CLOSED, S.CLOSING, False, "canceled, 0.006 left"),
        {"left_seen": parse("0.006"), "is_seen_closed": True},
    ),
    (
        replace(OPEN, left_seen=parse("0.004"), state=S.PARTIAL),
        Seen(listed(left="0.006", status=VenueStatus.PARTIAL)),
        (E.SEEN_PARTIAL, S.PARTIAL, False, "partial, 0.006 left"), {"left_seen": parse("0.004")},
    ),
    (
        CANCELED, Reappeared(listed(left="0.005", status=VenueStatus.PARTIAL)),
        (E.REAPPEARED, S.OPEN, True, "listed as open again, 0.005 left"),
        {"left_seen": parse("0.005"), "is_seen_closed": False},
    ),
)  # fmt: skip


@pytest.mark.parametrize(("before", "evidence", "step", "learnt"), ROWS)
def test_evidence_makes_one_step_and_is_learnt(
    before: OrderRecord, evidence: Evidence, step: tuple[E, S, bool, str], learnt: dict[str, object]
) -> None:
    now, steps, fresh = advance(before, evidence, AT)
    event, state, is_alarm, detail = step
    assert steps == (Step(before.state, event, state, is_alarm, detail),)
    assert now == replace(before, state=state, changed_at=AT, **learnt)  # type: ignore[arg-type]
    assert fresh == (evidence.fills if isinstance(evidence, Traded) else ())


@pytest.mark.parametrize(
    ("left", "trades", "event", "state"),
    [("0", (PART, OTHER_PART), E.FILLED_AND_ADDED_UP, S.FILLED), ("0.006", (PART,), E.GONE_AND_ADDED_UP, S.CANCELED)],
)
def test_an_order_ends_with_a_step_of_its_own_once_its_trades_add_up(
    left: str, trades: tuple[object, ...], event: E, state: S
) -> None:
    before = replace(CLOSED, left_seen=parse(left))
    now, steps, _ = advance(before, Traded(trades), AT)  # type: ignore[arg-type]
    filled = parse("0.010") - parse(left)
    assert steps[1:] == (Step(S.CLOSING, event, state, False, f"filled {filled} of 0.010"),)
    assert (now.state, now.changed_at, now.filled) == (state, AT, filled)


def test_a_trade_that_comes_twice_at_once_is_booked_once() -> None:
    now, steps, fresh = advance(OPEN, Traded((PART, PART)), AT)
    assert (fresh, now.filled, len(steps)) == ((PART,), parse("0.004"), 1)


@pytest.mark.parametrize(
    ("before", "evidence"),
    [
        (replace(OPEN, trade_ids=frozenset({1}), filled=parse("0.004")), Traded((PART,))),
        (replace(OPEN, left_seen=parse("0.010")), Seen(listed())),
        (CANCELED, Seen(listed(left="0.010"))),
        (CANCELED, Seen(listed(left="0.006", status=VenueStatus.CANCELED, is_open=False))),
    ],
)
def test_news_that_says_nothing_new_changes_nothing(before: OrderRecord, evidence: Evidence) -> None:
    assert advance(before, evidence, AT) == (before, (), ())


@pytest.mark.parametrize("changes", [{"is_seen_closed": False}, {"left_seen": None}, {"filled": parse("0.003")}])
def test_an_order_does_not_end_before_everything_adds_up(changes: dict[str, object]) -> None:
    waiting = replace(replace(CLOSED, filled=parse("0.004")), **changes)  # type: ignore[arg-type]
    assert advance(waiting, Silent("late"), AT)[0].state is S.CLOSING
