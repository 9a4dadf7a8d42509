"""How evidence moves an order through the table: pure, so that both journals and every test share it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

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
    Fill,
    NoByteLeft,
    Reappeared,
    Restarted,
    Seen,
    Silent,
    Traded,
    TurnedDown,
    VenueOrder,
)
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import ALARMS, OrderEvent, OrderState, next_state


@dataclass(frozen=True, slots=True)
class Step:
    """One transition, as it is written to the history."""

    before: OrderState
    event: OrderEvent
    after: OrderState
    is_alarm: bool
    detail: str


def advance(
    order: OrderRecord, evidence: Evidence, at: datetime
) -> tuple[OrderRecord, tuple[Step, ...], tuple[Fill, ...]]:
    """The order as it is after this evidence, the steps taken, and the trades that are new.

    Evidence that says nothing new makes no step: a trade that is booked already, an open listing of an open order.
    Raises `IllegalTransition` where the table has no such step.
    """
    steps: list[Step] = []
    fresh = tuple(new_fills(order, evidence))
    for event, detail in _events_of(order, evidence, fresh):
        before = order.state
        order = _learnt(order, evidence, fresh)
        order = replace(order, state=next_state(before, event), changed_at=at)
        steps.append(Step(before, event, order.state, (before, event) in ALARMS, detail))
    ending = _ending(order)
    if ending is not None:
        before, order = order.state, replace(order, state=next_state(order.state, ending), changed_at=at)
        steps.append(Step(before, ending, order.state, False, f"filled {order.filled} of {order.quantity}"))
    return order, tuple(steps), fresh


def new_fills(order: OrderRecord, evidence: Evidence) -> Iterator[Fill]:
    """Trades in the evidence that are not booked yet, each once."""
    if not isinstance(evidence, Traded):
        return
    seen = set(order.trade_ids)
    for fill in evidence.fills:
        if fill.trade_id not in seen:
            seen.add(fill.trade_id)
            yield fill


def _events_of(order: OrderRecord, evidence: Evidence, fresh: tuple[Fill, ...]) -> Iterator[tuple[OrderEvent, str]]:
    match evidence:
        case Accepted(exchange_order_id):
            yield OrderEvent.ACCEPTED, f"exchange order {exchange_order_id}"
        case AcceptedOtherwise(exchange_order_id, what):
            yield OrderEvent.ACCEPTED_OTHERWISE, f"exchange order {exchange_order_id} has another {what}"
        case AnsweredForAnother(label):
            yield OrderEvent.ANSWERED_FOR_ANOTHER, f"the answer is about {label}"
        case TurnedDown(message):
            yield OrderEvent.TURNED_DOWN, message
        case Silent(reason):
            yield OrderEvent.SILENT, reason
        case NoByteLeft(reason):
            yield OrderEvent.NO_BYTE_LEFT, reason
        case Restarted():
            yield OrderEvent.RESTARTED, "the process that owned it ended"
        case AbsentOnce(read_at):
            yield OrderEvent.ABSENT_ONCE, f"complete reading at {read_at.isoformat()}"
        case AbsenceProven(by):
            yield OrderEvent.ABSENCE_PROVEN, by
        case CancelWanted(reason):
            yield OrderEvent.CANCEL_WANTED, reason
        case CancelSent():
            yield OrderEvent.CANCEL_SENT, ""
        case CancelTurnedDown(message):
            yield OrderEvent.CANCEL_TURNED_DOWN, message
        case Traded():
            if fresh:
                yield OrderEvent.TRADED, ", ".join(f"{fill.quantity} @ {fill.price}" for fill in fresh)
        case Reappeared(venue):
            yield OrderEvent.REAPPEARED, f"listed as open again, {venue.left} left"
        case Seen(venue):
            if not _is_old_news(order, evidence):
                if venue.is_closed:
                    event = OrderEvent.SEEN_CLOSED
                else:
                    event = OrderEvent.SEEN_PARTIAL if venue.executed > 0 else OrderEvent.SEEN_OPEN
                yield event, f"{venue.status}, {venue.left} left"


def _is_old_news(order: OrderRecord, seen: Seen) -> bool:
    venue = seen.order
    if order.exchange_order_id != venue.exchange_order_id or order.is_seen_closed != venue.is_closed:
        return order.is_terminal and order.is_seen_closed and not venue.is_closed
    return order.left_seen == _left_of(order, venue)


def _learnt(order: OrderRecord, evidence: Evidence, fresh: tuple[Fill, ...]) -> OrderRecord:
    match evidence:
        case Accepted(exchange_order_id) | AcceptedOtherwise(exchange_order_id):
            return replace(order, exchange_order_id=exchange_order_id)
        case Reappeared(venue):
            return replace(order, left_seen=_left_of(order, venue), is_seen_closed=False)
        case Seen(venue):
            # Filled amounts never go down: an older view does not overrule a newer one (open question B1).
            left = _left_of(order, venue)
            left = left if order.left_seen is None else min(order.left_seen, left)
            return replace(
                order, exchange_order_id=venue.exchange_order_id, left_seen=left,
                is_seen_closed=order.is_seen_closed or venue.is_closed,
            )  # fmt: skip
        case Traded():
            return replace(
                order, exchange_order_id=fresh[0].exchange_order_id,
                trade_ids=order.trade_ids | {fill.trade_id for fill in fresh},
                filled=sum((fill.quantity for fill in fresh), start=order.filled),
            )  # fmt: skip
        case AbsentOnce():
            return replace(order, absent_evidence=order.absent_evidence + 1)
        case CancelSent():
            return replace(order, cancels_sent=order.cancels_sent + 1)
        case TurnedDown(reason) | Silent(reason) | NoByteLeft(reason) | CancelWanted(reason):
            return replace(order, reason=reason)
        case _:
            return order


def _ending(order: OrderRecord) -> OrderEvent | None:
    """Over only when the exchange says closed and the trades add up to what it says was executed."""
    if order.state is not OrderState.CLOSING or not order.is_seen_closed or order.left_seen is None:
        return None
    if order.filled != order.quantity - order.left_seen:
        return None
    return OrderEvent.FILLED_AND_ADDED_UP if order.left_seen <= 0 else OrderEvent.GONE_AND_ADDED_UP


def _left_of(order: OrderRecord, venue: VenueOrder) -> Decimal:
    """What is left of the order as we meant it: below zero when the exchange executed more than we asked for."""
    return order.quantity - venue.executed
