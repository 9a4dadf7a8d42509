"""The one holder of the trading state: every change of the journal passes through it and is applied at once.

It is a `Journal` itself, so that whoever journals cannot forget to tell the state.
"""

from collections.abc import Mapping, Sequence

from btcbot.domain.events import Event
from btcbot.domain.fees import WORST_PUBLISHED, is_as_expected, paid_ratio
from btcbot.domain.orders.evidence import Evidence, Fill, Seen
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.domain.orders.life import new_fills
from btcbot.domain.orders.records import JournaledOrder, OrderRecord
from btcbot.domain.ports import Journal, Observer
from btcbot.domain.state import FillBooked, OrderChanged, StateEvent
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState
from btcbot.services.replay_tape import DecisionTape


class TradingBook:
    def __init__(self, journal: Journal, state: DecisionState, observer: Observer) -> None:
        self._journal = journal
        self._observer = observer
        self.state = state
        self.tape = DecisionTape()

    def take(self, event: StateEvent) -> None:
        """Apply one event to the trading state."""
        self.state = self.state.after(event)
        self.tape.took(event)

    def decided(self, plan: CyclePlan, params: DecisionParams) -> None:
        """Go on from what a decision made of the state."""
        self.tape.decided(self.state, plan, params)
        self.state = plan.state

    def intent(self, approved: ApprovedOrderIntent) -> JournaledOrder:
        order = self._journal.intent(approved)
        self._observer.observed(
            Event.ORDER_JOURNALED, order_id=order.order_id, client_order_id=order.client_order_id, pair=order.pair,
            side=str(order.side), quantity=order.quantity, price=order.price,
            decision_id=approved.intent.decision_id,
        )  # fmt: skip
        self.take(OrderChanged(self._journal.get(order.order_id)))
        return order

    def not_sent(self, order: JournaledOrder, reason: str) -> OrderRecord:
        return self._changed(self._journal.not_sent(order, reason))

    def sending(self, order: JournaledOrder) -> JournaledOrder:
        sending = self._journal.sending(order)
        self.take(OrderChanged(self._journal.get(order.order_id)))
        return sending

    def record(self, order_id: str, evidence: Evidence) -> OrderRecord:
        before = self._journal.get(order_id)
        fresh = tuple(new_fills(before, evidence))
        after = self._journal.record(order_id, evidence)
        for fill in fresh:
            self._look_at_fee(fill)
            self.take(FillBooked(fill))
            self._observer.observed(
                Event.FILL_BOOKED, order_id=order_id, trade_id=fill.trade_id, pair=fill.pair, side=str(fill.side),
                price=fill.price, quantity=fill.quantity, fee=fill.fee, tax=fill.tax,
            )  # fmt: skip
        if after == before:
            return after
        return self._changed(after, before)

    def adopt(self, evidence: Evidence) -> OrderRecord:
        assert isinstance(evidence, Seen), "an orphan is adopted on sight"
        return self._changed(self._journal.adopt(evidence))

    def get(self, order_id: str) -> OrderRecord:
        return self._journal.get(order_id)

    def by_label(self, client_order_id: str) -> OrderRecord | None:
        return self._journal.by_label(client_order_id)

    def by_exchange_id(self, exchange_order_id: int) -> OrderRecord | None:
        return self._journal.by_exchange_id(exchange_order_id)

    def unfinished(self) -> Sequence[OrderRecord]:
        return self._journal.unfinished()

    def counters(self) -> Mapping[str, int]:
        return self._journal.counters()

    def _look_at_fee(self, fill: Fill) -> None:
        """A rate that nobody knew is told once: from then on it is one that was paid lately."""
        published = WORST_PUBLISHED.get(self.state.trading.currency)
        if published is not None and not is_as_expected(fill, self.state.trading.fees, published):
            self._observer.observed(
                Event.FEE_DIFFERED, pair=fill.pair, trade_id=fill.trade_id, charged=paid_ratio(fill),
                published=published, fee=fill.fee, tax=fill.tax, notional=fill.notional,
                note="orders are planned with the highest rate paid lately; a fee in another asset shows in the ledger",
            )  # fmt: skip

    def _changed(self, order: OrderRecord, before: OrderRecord | None = None) -> OrderRecord:
        self.take(OrderChanged(order))
        if before is None or before.state is not order.state or before.filled != order.filled:
            self._observer.observed(
                Event.ORDER_MOVED, order_id=order.order_id, client_order_id=order.client_order_id, pair=order.pair,
                side=str(order.side), before=None if before is None else str(before.state), state=str(order.state),
                filled=order.filled, quantity=order.quantity, exchange_order_id=order.exchange_order_id,
                reason=order.reason,
            )  # fmt: skip
        return order
