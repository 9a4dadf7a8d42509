"""What was learnt of an order. Each kind says who spoke; `life.advance` turns it into steps of the table."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.money import Price, Quantity
from btcbot.domain.orders.intents import Side


class VenueStatus(StrEnum):
    """An order's status in the exchange's words (protocol 6.5). `PARTIAL` may also stay after a cancel."""

    UNTOUCHED = "untouched"
    PARTIAL = "partial"
    CLOSED = "closed"
    CANCELED = "canceled"
    OTHER = "other"  # never seen; treated as open until a listing says otherwise


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order as the exchange lists it. `is_listed_open` is decided by openOrders, not by the status."""

    exchange_order_id: int
    client_order_id: str | None
    pair: str
    side: Side
    price: Price
    quantity: Quantity
    left: Decimal
    status: VenueStatus
    is_listed_open: bool
    time_exchange: datetime | None

    @property
    def executed(self) -> Decimal:
        return self.quantity - self.left

    @property
    def is_closed(self) -> bool:
        """No longer rests: not in openOrders, and its status is final or a partial that was canceled (protocol 6.5)."""
        return (
            not self.is_listed_open
            and self.status is not VenueStatus.UNTOUCHED
            and self.status is not VenueStatus.OTHER
        )


# The exchange's word for a price with more decimals, or on a finer grid, than it takes of this pair.
PRICE_OFF_ITS_GRID = "FAILED_INVALID_PRICE_SCALE"


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of our order. Fee and tax are what the exchange took, in quote, never negative."""

    trade_id: int
    exchange_order_id: int
    client_order_id: str | None
    pair: str
    side: Side
    price: Price
    quantity: Quantity
    fee: Decimal
    tax: Decimal
    time_exchange: datetime

    @property
    def notional(self) -> Decimal:
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Accepted:
    """The strict success predicate held: HTTP 200, `success`, and every field echoed (reliability, finding 3)."""

    exchange_order_id: int
    time_exchange: datetime | None


@dataclass(frozen=True, slots=True)
class AcceptedOtherwise:
    """The exchange took an order of ours, but says that it is another one than we sent. It rests; a person looks."""

    exchange_order_id: int
    what: str  # the fields that differ


@dataclass(frozen=True, slots=True)
class AnsweredForAnother:
    """An answer under another label: answers get mixed up. Of this order it proves nothing, and a person looks."""

    label: str


@dataclass(frozen=True, slots=True)
class TurnedDown:
    """The exchange refused with a message from the allow-list. Not a proof: one complete lookup follows."""

    message: str


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer, or one that proves nothing: timeout, HTML, 5xx, an unknown message, a mismatched echo."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoByteLeft:
    """The request provably failed before its first byte: a refused connection, an unknown host, a blocked submit."""

    reason: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The process that may have sent it is gone."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A listing of the exchange shows it."""

    order: VenueOrder


@dataclass(frozen=True, slots=True)
class Reappeared:
    """Listed as open long after it was over: longer than any listing lags."""

    order: VenueOrder


@dataclass(frozen=True, slots=True)
class AbsentOnce:
    """One complete reading without it: every page of all three sources and the balances, begun after the last send."""

    read_at: datetime


@dataclass(frozen=True, slots=True)
class AbsenceProven:
    """Enough complete readings over the quiet time with exact holds, or a person's `seal`."""

    by: str


@dataclass(frozen=True, slots=True)
class Traded:
    """Trades of this order, in any order, repeated or new."""

    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class CancelWanted:
    reason: str


@dataclass(frozen=True, slots=True)
class CancelSent:
    """Made durable before the cancel leaves."""


@dataclass(frozen=True, slots=True)
class CancelReceipt:
    """The exchange took the cancel in. What became of the order is read, never concluded from this (rule 3)."""


@dataclass(frozen=True, slots=True)
class CancelTurnedDown:
    message: str


Answer = Accepted | AcceptedOtherwise | AnsweredForAnother | TurnedDown | Silent | NoByteLeft
Evidence = (
    Answer | Restarted | Seen | Reappeared | AbsentOnce | AbsenceProven | Traded | CancelWanted | CancelSent
    | CancelTurnedDown
)  # fmt: skip
