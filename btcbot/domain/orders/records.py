"""An order as the journal holds it.

Two types open doors. A `JournaledOrder` says "this is durable, and this process made it so": only a journal constructs
one, and a submit accepts nothing else. An order read back from the database is an `OrderRecord`, which no submit takes.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from btcbot.domain.money import ZERO, Amount, Price, Quantity
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.orders.states import TERMINAL, UNRESOLVED, OrderState


@dataclass(frozen=True, slots=True)
class JournaledOrder:
    """A durable order of this process, on its way to the wire."""

    order_id: str
    client_order_id: str
    pair: str
    side: Side
    quantity: Quantity
    price: Price
    state: OrderState  # INTENT, then SENDING


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """All that is known of an order: what was wanted, where it stands, what the exchange showed of it."""

    order_id: str
    client_order_id: str
    decision_id: str
    pair: str
    side: Side
    purpose: Purpose
    quantity: Quantity
    price: Price
    reservation: Amount
    state: OrderState
    created_at: datetime
    changed_at: datetime
    exchange_order_id: int | None = None
    left_seen: Decimal | None = None  # what the exchange last said is unfilled
    is_seen_closed: bool = False
    trade_ids: frozenset[int] = frozenset()
    filled: Decimal = ZERO  # the sum of the trades booked
    absent_evidence: int = 0
    cancels_sent: int = 0
    reason: str = ""

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @property
    def is_unresolved(self) -> bool:
        return self.state in UNRESOLVED

    @property
    def left(self) -> Decimal:
        """What may still trade, at worst."""
        return ZERO if self.is_terminal else max(self.quantity - self.filled, ZERO)
