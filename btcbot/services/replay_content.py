"""What one decision came to, as one text: two decisions are the same when their texts are.

Numbers are written by value, so that the text does not depend on how many zeros a number was read with. Of the state
it holds all that the next decision leans on; of the marks within the volatility window and of the indicators' memories
it holds their ends, which no difference inside can leave untouched for long.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from btcbot.domain.money import Amount, plain
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.position import Stay
from btcbot.domain.signals import Signal
from btcbot.domain.state import InstrumentState, TradingState
from btcbot.risk.gate import Refused
from btcbot.services.decision import CyclePlan, DecisionState
from btcbot.strategy.strategy import IndicatorState

N = TypeVar("N", bound=str)


def decision_hash(plan: CyclePlan, inputs: str | None, state: str | None) -> str:
    """Stands for the whole decision and for what is kept of its inputs: a change of either is seen."""
    texts = (content_of(plan), inputs or "", state or "")
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def content_of(plan: CyclePlan) -> str:
    """The decision as canonical JSON."""
    return json.dumps(parts_of(plan), separators=(",", ":"), ensure_ascii=False)


def parts_of(plan: CyclePlan) -> dict[str, object]:
    """The parts of a decision by name, so that a difference can be said where it is."""
    return {
        "signals": [_signal(signal) for signal in plan.signals],
        "verdicts": [_verdict(verdict) for verdict in plan.verdicts],
        "cancels": [[wish.order_id, wish.reason] for wish in plan.cancels],
        "notes": list(plan.notes),
        "halt_reason": plan.halt_reason,
        "stops": _by_name(plan.stops),
        "failures": [[failure.pair, failure.error, failure.in_a_row] for failure in plan.failures],
        "state": _state(plan.state),
    }


def _signal(signal: Signal) -> list[object]:
    return [signal.pair, signal.direction, repr(signal.confidence), _amount(signal.notional), signal.reason]


def _verdict(verdict: ApprovedOrderIntent | Refused) -> list[object]:
    intent = verdict.intent
    wanted = [
        intent.decision_id, intent.side, intent.purpose, plain(intent.quantity), plain(intent.price),
        plain(intent.reference_price),
    ]  # fmt: skip
    if isinstance(verdict, Refused):
        return [*wanted, "refused", verdict.named_reasons()]
    return [*wanted, "approved", _amount(verdict.reservation)]


def _state(state: DecisionState) -> list[object]:
    return [
        _trading(state.trading),
        {pair: _indicators(each) for pair, each in sorted(state.indicators.items())},
        {pair: _moment(seen) for pair, seen in sorted(state.candles_seen.items())},
        _by_name(state.suspects),
        *_watching(state),
    ]


def _watching(state: DecisionState) -> Iterator[list[object]]:
    """Nothing, where the strategy looks at no other pair."""
    watching = state.watching
    if watching.seen or watching.held_back:
        yield [
            {pair: _moment(seen) for pair, seen in sorted(watching.seen.items())},
            {pair: [_moment(candle.opened_at) for candle in held] for pair, held in sorted(watching.held_back.items())},
        ]


def _indicators(state: IndicatorState) -> list[object]:
    return [state.candles, repr(state.program.values), repr(state.said)]


def _trading(state: TradingState) -> list[object]:
    return [
        plain(state.capital),
        {pair: _instrument(each) for pair, each in sorted(state.instruments.items())},
        [_order(order) for _, order in sorted(state.orders.items())],
        _by_name(state.available),
        [_moment(at) for at in state.submitted_at],
        None if state.day is None else state.day.isoformat(),
        plain(state.day_opening_pnl),
        plain(state.equity_peak),
        [len(state.fees.ratios), plain(state.fees.highest)],
        sorted(state.ticked),
        state.halt_reason,
        state.is_paused,
    ]


def _instrument(state: InstrumentState) -> list[object]:
    marks = state.marks
    return [
        plain(state.position), plain(state.cash_flow), _stay(state.stay),
        None if state.mark is None else plain(state.mark),
        [len(marks), *(_moment(at) for at, _ in (marks[:1] + marks[-1:]))],
        None if state.paused_until is None else _moment(state.paused_until),
        [_moment(at) for at in state.entered_at],
        state.entries_of_day, state.are_marks_carried,
    ]  # fmt: skip


def _stay(stay: Stay) -> list[object]:
    numbers = (
        stay.bought, stay.paid, stay.cash_before, stay.floor, stay.last_price, stay.last_bought_price, stay.left_price,
        stay.left_result,
    )  # fmt: skip
    moments = (stay.opened_at, stay.last_bought_at, stay.last_sold_at, stay.left_at)
    return [
        *(None if number is None else plain(number) for number in numbers),
        *(None if moment is None else _moment(moment) for moment in moments), list(stay.entry_orders),
    ]  # fmt: skip


def _order(order: OrderRecord) -> list[object]:
    return [
        order.order_id, order.state, order.side, order.purpose, plain(order.quantity), plain(order.price),
        _amount(order.reservation), plain(order.filled), None if order.left_seen is None else plain(order.left_seen),
        order.exchange_order_id, order.cancels_sent, _moment(order.created_at), _moment(order.changed_at), order.reason,
    ]  # fmt: skip


def _by_name(numbers: Mapping[N, Decimal]) -> dict[N, str]:
    return {name: plain(number) for name, number in sorted(numbers.items())}


def _amount(amount: Amount | None) -> list[str] | None:
    return None if amount is None else [plain(amount.number), amount.asset]


def _moment(moment: datetime) -> str:
    return moment.isoformat()
