"""All that can happen to accounts and orders. The venue's state is what these add up to, in order, and nothing else.

So a record of them is the venue's memory: applied again from the first on, they give the same accounts, orders and ids.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.money import Asset
from btcbot.domain.orders.intents import Side


class Method(StrEnum):
    LIMIT = "limit"
    MARKET = "market"


class Liquidity(StrEnum):
    MAKER = "maker"
    TAKER = "taker"


@dataclass(frozen=True, slots=True)
class PairListed:
    """A pair with its grids, once: what was ordered on them must mean the same after a restart."""

    pair: str
    pair_id: int
    base: Asset
    quote: Asset
    price_decimals: int
    lot_decimals: int
    notional_min: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class AccountFunded:
    account_id: int
    asset: Asset
    number: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """`quantity` is base; for a market buy quote to spend, fee included (protocol 6.2). `held` is what it may cost."""

    order_id: int
    account_id: int
    pair: str
    side: Side
    method: Method
    price: Decimal  # zero for a market order
    quantity: Decimal
    held: Decimal
    client_order_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class OrderMatched:
    """One match of one of our accounts' orders. `released` is how much of the order's hold it ends."""

    trade_id: int
    order_id: int
    account_id: int
    pair: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    tax: Decimal
    liquidity: Liquidity
    released: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class CancelAccepted:
    """A receipt: the cancel takes effect at `due_ms`, unless the order is filled by then (protocol 5.3)."""

    order_id: int
    due_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class OrderCanceled:
    """What was left does not trade any more. Its hold stays until `HoldReleased`."""

    order_id: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class OrderClosed:
    """A market buy has spent its amount, up to what buys not one lot more. Limit orders close by their last match."""

    order_id: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class HoldReleased:
    order_id: int
    number: Decimal
    at_ms: int


Happening = (
    PairListed
    | AccountFunded
    | OrderAccepted
    | OrderMatched
    | CancelAccepted
    | OrderCanceled
    | OrderClosed
    | HoldReleased
)
