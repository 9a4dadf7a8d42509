"""An order at the venue, and what the venue says no with."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum

from btcbot.domain.money import ZERO
from btcbot.domain.orders.intents import Side
from btcbot.simulation.happenings import Method, OrderAccepted


class Status(StrEnum):
    """In the exchange's spelling (protocol 6.5)."""

    UNTOUCHED = "Untouched"
    PARTIAL = "Partial"
    CLOSED = "Closed"
    CANCELED = "Canceled"


class Refusal(Enum):
    """Message and number of each refusal (protocol 8, numbers of May 2024)."""

    PAIR_UNKNOWN = ("PAIR_NOT_FOUND", 1037)
    PARAMETER = ("FAILED_ORDER_PARAMETER", 1121)
    METHOD = ("ORDER_METHOD_NOT_SUPPORTED", 1134)
    LIMIT_CLOSED = ("FAILED_LIMIT_ORDER", 1120)
    MARKET_CLOSED = ("FAILED_MARKET_ORDER", 1118)
    PRICE_SCALE = ("FAILED_INVALID_PRICE_SCALE", 1126)
    QUANTITY_SCALE = ("FAILED_INVALID_QUANTITY_SCALE", 1127)
    PRICE_ABOVE = ("PRICE_MUST_BE_LESS_THAN_MAXPRICE", 1226)
    PRICE_BELOW = ("PRICE_MUST_BE_LESS_THAN_MINPRICE", 1227)
    TOO_SMALL = ("FAILED_MIN_TOTAL_AMOUNT", 1123)
    BALANCE = ("BALANCE_NOT_ENOUGH", 1055)
    BALANCE_HELD = ("FAILED_ORDER_WITH_OPEN_ORDERS", 1122)
    CANCEL_UNKNOWN = ("NO_ORDER_MATCHES_YOUR_REQUEST", 1052)
    CANCEL_TOO_LATE = ("ORDER_COULD_NOT_BE_CANCELED", 1051)

    @property
    def message(self) -> str:
        return self.value[0]

    @property
    def code(self) -> int:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for. `quantity` is quote for a market buy; `price` is zero for a market order."""

    pair: str
    side: Side
    method: Method
    price: Decimal
    quantity: Decimal
    client_order_id: str


@dataclass(slots=True, eq=False)
class Order:
    """As it stands. Changed by applied happenings only; `queue_ahead` alone is the market's doing."""

    accepted: OrderAccepted
    ticks: int
    left_lots: int  # for a market buy: 0, its end is decided by what it may spend
    held: Decimal
    updated_ms: int
    filled: Decimal = ZERO
    spent: Decimal = ZERO  # quote with fee and tax
    first_price: Decimal = ZERO
    is_canceled: bool = False
    is_closed: bool = False
    cancel_due_ms: int | None = None
    queue_ahead: int | None = None  # displayed lots before it at its price; None: not yet seen against a book

    @property
    def is_open(self) -> bool:
        return not self.is_canceled and not self.is_closed

    @property
    def is_market_buy(self) -> bool:
        return self.accepted.method is Method.MARKET and self.accepted.side is Side.BUY

    @property
    def amount(self) -> Decimal:
        """Base ordered; for a market buy what was filled (protocol 6.5)."""
        return self.filled if self.is_market_buy else self.accepted.quantity

    @property
    def left(self) -> Decimal:
        return self.amount - self.filled

    @property
    def status(self) -> Status:
        if self.is_closed:
            return Status.CLOSED
        if self.is_canceled:
            return Status.CANCELED
        return Status.PARTIAL if self.filled else Status.UNTOUCHED
