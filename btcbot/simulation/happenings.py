"""All that can happen to accounts and orders. The venue's state is what these add up to, in order, and nothing else.

So a record of them is the venue's memory: applied again from the first on, they give the same accounts, orders and ids.
A field with a default came later: a line of an older record is read without it.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.money import ZERO, Asset
from btcbot.domain.orders.intents import Side


class Method(StrEnum):
    LIMIT = "limit"
    MARKET = "market"
    STOP_LIMIT = "stoplimit"
    STOP_MARKET = "stopmarket"

    @property
    def is_stop(self) -> bool:
        """It waits for its stop price, and becomes another order there."""
        return self in (Method.STOP_LIMIT, Method.STOP_MARKET)

    @property
    def has_limit(self) -> bool:
        return self in (Method.LIMIT, Method.STOP_LIMIT)


class Liquidity(StrEnum):
    MAKER = "maker"
    TAKER = "taker"


class Means(StrEnum):
    """What a transfer is made in."""

    CRYPTO = "crypto"
    FIAT = "fiat"


class Direction(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


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
class PairFrozen:
    """No order is taken, matched or triggered; cancels go on."""

    pair: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class PairThawed:
    pair: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AccountOpened:
    account_id: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class AccountFunded:
    """Money out of nothing, for a beginning. It opens an account that is not known yet."""

    account_id: int
    asset: Asset
    number: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class FeeTierSet:
    """What orders of the account pay from now on; those that are open go on as they were (see `fees.TIERS`)."""

    account_id: int
    tier: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class WithdrawalRequested:
    """The money is held until `due_ms`; then it leaves, as a `Transferred` with the same number."""

    transfer_id: int
    account_id: int
    means: Means
    asset: Asset
    number: Decimal
    fee: Decimal
    tax: Decimal
    due_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Transferred:
    """A deposit brings `number` less fee and tax; a withdrawal takes `number` and both beside it."""

    transfer_id: int
    account_id: int
    direction: Direction
    means: Means
    asset: Asset
    number: Decimal
    fee: Decimal
    tax: Decimal
    at_ms: int


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """`quantity` is base; for a market or stop-market buy quote to spend, fee included (protocol 6.2), unless
    `is_in_base` says otherwise. `held` is what it may cost.

    With `stop_order_id` it is what a stop became: that order is canceled by this happening, and its hold goes over to
    this one (protocol 6.4).
    """

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
    stop_price: Decimal = ZERO
    is_in_base: bool = False
    stop_order_id: int = 0


@dataclass(frozen=True, slots=True)
class OrderMatched:
    """One match of one of our accounts' orders. `released` is how much of the order's hold it ends.

    A trade between two of our accounts is two of these, one for each order; `counter_order_id` names the other one, and
    is 0 where the market was met.
    """

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
    counter_order_id: int = 0


@dataclass(frozen=True, slots=True)
class CancelAccepted:
    """A receipt: the cancel takes effect at `due_ms`, unless the order is filled by then (protocol 5.3).

    What the order then holds is released `release_ms` later.
    """

    order_id: int
    due_ms: int
    at_ms: int
    release_ms: int = 300


@dataclass(frozen=True, slots=True)
class OrderCanceled:
    """What was left does not trade any more. Its hold stays until `HoldReleased`, which is due at `release_due_ms`."""

    order_id: int
    at_ms: int
    release_due_ms: int = 0


@dataclass(frozen=True, slots=True)
class OrderClosed:
    """A market order is done: a buy has spent its amount, up to what buys not one grain more; or it closes with a rest
    (`MarketRest.CLOSED`). Limit orders close by their last match.
    """

    order_id: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class HoldReleased:
    order_id: int
    number: Decimal
    at_ms: int


Happening = (
    PairListed
    | PairFrozen
    | PairThawed
    | AccountOpened
    | AccountFunded
    | FeeTierSet
    | WithdrawalRequested
    | Transferred
    | OrderAccepted
    | OrderMatched
    | CancelAccepted
    | OrderCanceled
    | OrderClosed
    | HoldReleased
)
