"""An order at the venue, and what the venue says no with."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum

from btcbot.domain.money import ZERO, divide_down, parse
from btcbot.domain.orders.intents import Side
from btcbot.simulation.fees import Rates
from btcbot.simulation.happenings import Method, OrderAccepted, OrderMatched

SHOWN_STEP = parse("0.0000000000000001")  # quantities that are worked out are shown with sixteen decimals


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
    LABEL_IN_USE = ("FAILED_SET_ORDER_UNEXPECTED", 1117)  # no source has a word for it
    LIMIT_NOT_PLACED = ("FAILED_LIMIT_ORDER", 1120)
    MARKET_NOT_EXECUTED = ("FAILED_MARKET_ORDER", 1118)
    PRICE_SCALE = ("FAILED_INVALID_PRICE_SCALE", 1126)
    QUANTITY_SCALE = ("FAILED_INVALID_QUANTITY_SCALE", 1127)
    STOP_SCALE = ("FAILED_INVALID_STOP_PRICE_SCALE", 1128)
    STOP_ABOVE_ASK = ("FAILED_STOP_PRICE_GREATER_THAN_BEST_ASK", 1124)
    STOP_BELOW_BID = ("FAILED_STOP_PRICE_LESS_THAN_BEST_BID", 1125)
    PRICE_ABOVE = ("PRICE_MUST_BE_LESS_THAN_MAXPRICE", 1226)
    PRICE_FAR_ABOVE = ("ORDER_MAX_PRICE_EXCEEDED", 1226)  # the numbers of these two are not known
    PRICE_FAR_BELOW = ("ORDER_MIN_PRICE_EXCEEDED", 1227)
    TOO_SMALL = ("FAILED_MIN_TOTAL_AMOUNT", 1123)
    BALANCE = ("BALANCE_NOT_ENOUGH", 1055)
    BALANCE_HELD = ("FAILED_ORDER_WITH_OPEN_ORDERS", 1122)
    CANCEL_UNKNOWN = ("NO_ORDER_MATCHES_YOUR_REQUEST", 1052)
    CANCEL_TOO_LATE = ("ORDER_COULD_NOT_BE_CANCELED", 1051)
    CANCEL_BLOCKED = ("ORDER_CANCEL_BLOCKED", 1051)  # its number is not known

    @property
    def message(self) -> str:
        return self.value[0]

    @property
    def code(self) -> int:
        return self.value[1]


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for. Quantity is quote for a market buy, and for a stop-market buy (A8: or base).

    A market order needs no price; one that was sent is looked at and not used (protocol 5.2).
    """

    pair: str
    side: Side
    method: Method
    price: Decimal
    quantity: Decimal
    client_order_id: str
    stop_price: Decimal = ZERO


@dataclass(slots=True, eq=False)
class Order:
    """As it stands. Changed by applied happenings only; `queue_ahead` alone is the market's doing."""

    accepted: OrderAccepted
    rates: Rates  # of the account when the order was asked for
    ticks: int  # its limit; 0 for a market order
    stop_ticks: int  # where it waits; 0 for an order that is no stop
    left_grains: int  # where the quantity is quote: 0, its end is decided by what it may spend
    held: Decimal
    updated_ms: int
    filled: Decimal = ZERO
    spent: Decimal = ZERO  # quote with fee and tax
    first_price: Decimal = ZERO
    is_canceled: bool = False
    is_closed: bool = False
    has_taken: bool = False
    cancel_due_ms: int | None = None
    release_ms: int = 0  # from the end that its cancel brings to the release of its hold
    queue_ahead: int | None = None  # the market's grains before it at its price; None: not yet seen against a book
    matches: tuple[OrderMatched, ...] = ()  # oldest first

    @property
    def is_open(self) -> bool:
        return not self.is_canceled and not self.is_closed

    @property
    def is_in_quote(self) -> bool:
        """Its quantity is money to spend."""
        accepted = self.accepted
        return accepted.side is Side.BUY and not accepted.method.has_limit and not accepted.is_in_base

    @property
    def is_paid_as_it_goes(self) -> bool:
        """A market buy: its hold is what it may spend, at whatever prices it meets."""
        return self.accepted.method is Method.MARKET and self.accepted.side is Side.BUY

    @property
    def is_market_buy(self) -> bool:
        """One whose quantity is money to spend."""
        return self.is_paid_as_it_goes and self.is_in_quote

    @property
    def amount(self) -> Decimal:
        """Base ordered; for a market buy what was filled (protocol 6.5), for a stop that will be one what its money
        would buy at the stop price, as in the only capture of one (protocol 6.4).
        """
        if not self.is_in_quote:
            return self.accepted.quantity
        if self.is_market_buy:
            return self.filled
        return divide_down(self.accepted.quantity, self.accepted.stop_price * (1 + self.rates.taker), SHOWN_STEP)

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
