"""The journal of a backtest: the same life of orders as the durable one, kept in memory and gone with the process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from btcbot.domain.ledger import LedgerEntry, entries_of_fill
from btcbot.domain.money import Asset
from btcbot.domain.orders.evidence import Evidence, Fill
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.domain.orders.journaling import (
    Holdings,
    OrderUnknown,
    ReservationLimits,
    ReservationRefused,
    adopted,
    require_reservable,
)
from btcbot.domain.orders.labels import Label
from btcbot.domain.orders.life import Step, advance
from btcbot.domain.orders.records import JournaledOrder, OrderRecord
from btcbot.domain.orders.states import OrderEvent, OrderState, next_state
from btcbot.domain.ports import Clock, Ids

EPOCH = 0  # one process, one life


class MemoryJournal:
    """`domain.ports.Journal` under the same contract suite as the durable one.

    `fills` and `entries` are what was booked, `steps` every transition, each in the order in which it happened.
    """

    def __init__(self, limits: ReservationLimits, deployment_id: str, clock: Clock, ids: Ids) -> None:
        self._limits = limits
        self._deployment_id = deployment_id
        self._clock = clock
        self._ids = ids
        self._orders: dict[str, OrderRecord] = {}  # oldest first
        self._unfinished: dict[str, OrderRecord] = {}  # those of them that are not over
        self._decisions: set[str] = set()  # that made an order
        self._places: dict[str, int] = {}  # the order in which they came
        self._by_label: dict[str, str] = {}
        self._by_exchange_id: dict[int, str] = {}
        self._assets: dict[str, tuple[Asset, Asset]] = {}  # base and quote, by order id
        self._holdings = Holdings()
        self._sequence = 0
        self.fills: list[Fill] = []
        self.entries: list[LedgerEntry] = []
        self.steps: list[tuple[str, Step]] = []

    def intent(self, approved: ApprovedOrderIntent) -> JournaledOrder:
        """Take the order in and hold its reservation, or raise `ReservationRefused`."""
        wanted = approved.intent
        if wanted.decision_id in self._decisions:
            raise ReservationRefused(f"decision {wanted.decision_id} has made its one order already")
        require_reservable(approved, self.unfinished(), self._holdings, self._limits)
        at = self._clock.now()
        self._sequence += 1
        order = OrderRecord(
            order_id=self._ids.new(), client_order_id=str(Label(self._deployment_id, EPOCH, self._sequence)),
            decision_id=wanted.decision_id, pair=wanted.pair, side=wanted.side, purpose=wanted.purpose,
            quantity=wanted.quantity, price=wanted.price, reservation=approved.reservation, state=OrderState.INTENT,
            created_at=at, changed_at=at,
        )  # fmt: skip
        self._decisions.add(order.decision_id)
        self._assets[order.order_id] = (wanted.instrument.base, wanted.instrument.quote)
        return _journaled(self._keep(order, ()))

    def not_sent(self, order: JournaledOrder, reason: str) -> OrderRecord:
        """INTENT → NOT_SENT, with its reason; the reservation ends."""
        return self._recheck(order.order_id, OrderEvent.RECHECK_FAILED, reason)

    def sending(self, order: JournaledOrder) -> JournaledOrder:
        """INTENT → SENDING. Succeeds once per order: only who gets this answer may send."""
        return _journaled(self._recheck(order.order_id, OrderEvent.RECHECK_PASSED, ""))

    def record(self, order_id: str, evidence: Evidence) -> OrderRecord:
        """Apply what was learnt of an order; new trades enter the ledger with it."""
        before = self.get(order_id)
        after, steps, fresh = advance(before, evidence, self._clock.now())
        self._book(order_id, fresh)
        return self._keep(after, steps)

    def adopt(self, evidence: Evidence) -> OrderRecord:
        """Give a venue order that bears our label the record that it lacks."""
        currency = self._limits.exposure_max.asset
        _, order, steps, label, base = adopted(
            evidence, self._ids.new(), self._deployment_id, currency, self._clock.now(), self.by_label
        )
        if label.epoch == EPOCH:
            self._sequence = max(self._sequence, label.sequence)  # no label of ours is given twice
        self._assets[order.order_id] = (base, currency)
        return self._keep(order, steps)

    def get(self, order_id: str) -> OrderRecord:
        if order_id not in self._orders:
            raise OrderUnknown(f"there is no order {order_id}")
        return self._orders[order_id]

    def by_label(self, client_order_id: str) -> OrderRecord | None:
        return self._known(self._by_label.get(client_order_id))

    def by_exchange_id(self, exchange_order_id: int) -> OrderRecord | None:
        return self._known(self._by_exchange_id.get(exchange_order_id))

    def unfinished(self) -> Sequence[OrderRecord]:
        """Every order that is not over, oldest first."""
        return tuple(sorted(self._unfinished.values(), key=lambda order: self._places[order.order_id]))

    def counters(self) -> Mapping[str, int]:
        """How many orders are in each state; a state without orders counts zero."""
        states = [order.state for order in self._orders.values()]
        return {str(state): states.count(state) for state in OrderState}

    def _recheck(self, order_id: str, event: OrderEvent, reason: str) -> OrderRecord:
        before = self.get(order_id)
        after = replace(
            before,
            state=next_state(before.state, event),
            changed_at=self._clock.now(),
            reason=reason or before.reason,
        )
        return self._keep(after, (Step(before.state, event, after.state, False, reason),))

    def _book(self, order_id: str, fills: Sequence[Fill]) -> None:
        base, quote = self._assets[order_id]
        for fill in fills:
            self.fills.append(fill)
            self.entries.extend(entries_of_fill(fill, base, quote))
            self._holdings = self._holdings.after(fill)

    def _keep(self, order: OrderRecord, steps: Sequence[Step]) -> OrderRecord:
        order_id = order.order_id
        self._orders[order_id] = order
        self._places.setdefault(order_id, len(self._places))
        self._by_label.setdefault(order.client_order_id, order_id)
        if order.exchange_order_id is not None:
            self._by_exchange_id.setdefault(order.exchange_order_id, order_id)
        if order.is_terminal:
            self._unfinished.pop(order_id, None)
        else:
            self._unfinished[order_id] = order
        self.steps.extend((order_id, step) for step in steps)
        return order

    def _known(self, order_id: str | None) -> OrderRecord | None:
        return None if order_id is None else self._orders[order_id]


def _journaled(order: OrderRecord) -> JournaledOrder:
    return JournaledOrder(
        order.order_id, order.client_order_id, order.pair, order.side, order.quantity, order.price, order.state
    )
