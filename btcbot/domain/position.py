"""One stay in a position: what the position rules remember of it, from its first fill until it is left.

All but `floor` is a pure function of the fills that were booked, so a start knows it from the books. The floor comes
from readings of the book; it is kept with each cycle's commit, and it only ever rises: no restart loosens a stop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType

from btcbot.domain.money import ZERO, Asset
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side

ENTRY_ORDERS_MAX = 64  # as many are told apart; no rule counts further

# What is worth less cannot be sold: the exchange's smallest order, per quote. A position of it counts as left.
DUST: Mapping[Asset, Decimal] = MappingProxyType({Asset("TRY"): Decimal(100), Asset("USDT"): Decimal(10)})


@dataclass(frozen=True, slots=True)
class Stay:
    """What our fills made of the stay in one instrument that is going on, and of the end of the one before."""

    opened_at: datetime | None = None  # time of its first fill; nothing while there is no position
    bought: Decimal = ZERO  # base, in all its buys
    paid: Decimal = ZERO  # quote that these cost, without fees and tax
    cash_before: Decimal = ZERO  # the instrument's cash flow when it began
    entry_orders: tuple[int, ...] = ()  # the exchange's numbers of the orders that were bought with
    floor: Decimal | None = None  # the highest level that trailing, break-even and indicator stops have come to
    last_price: Decimal | None = None  # of the last fill, also after the end
    last_bought_at: datetime | None = None  # also after the end
    last_bought_price: Decimal | None = None  # also after the end
    last_sold_at: datetime | None = None  # also after the end
    left_at: datetime | None = None  # when the stay before ended
    left_price: Decimal | None = None  # of the fill that ended it
    left_result: Decimal | None = None  # what it earned, after fees and tax

    @property
    def is_open(self) -> bool:
        return self.opened_at is not None

    @property
    def entries(self) -> int:
        return len(self.entry_orders)

    def after(self, fill: Fill, position: Decimal, cash_before: Decimal, cash_flow: Decimal) -> "Stay":
        """The stay after a fill that left this position, and moved the cash flow from one number to the other."""
        if fill.side is Side.BUY:
            return self._after_buy(fill, cash_before)
        sold = replace(self, last_price=fill.price, last_sold_at=fill.time_exchange)
        if not self.is_open or not is_left(fill.pair, position, fill.price):
            return sold
        return replace(
            sold, opened_at=None, bought=ZERO, paid=ZERO, cash_before=ZERO, entry_orders=(), floor=None,
            left_at=fill.time_exchange, left_price=fill.price, left_result=cash_flow - self.cash_before,
        )  # fmt: skip

    def with_assigned(self, quantity: Decimal, price: Decimal, at: datetime, cash_before: Decimal) -> "Stay":
        """The stay with coins that an operator assigned: as if they had been bought at the price of that moment."""
        stay = replace(self, bought=self.bought + quantity, paid=self.paid + quantity * price, last_price=price)
        return stay if self.is_open else replace(stay, opened_at=at, cash_before=cash_before)

    def _after_buy(self, fill: Fill, cash_before: Decimal) -> "Stay":
        orders = self.entry_orders
        if fill.exchange_order_id not in orders:
            orders = (*orders, fill.exchange_order_id)[-ENTRY_ORDERS_MAX:]
        stay = replace(
            self, bought=self.bought + fill.quantity, paid=self.paid + fill.notional, entry_orders=orders,
            last_price=fill.price, last_bought_price=fill.price, last_bought_at=fill.time_exchange,
        )  # fmt: skip
        return stay if self.is_open else replace(stay, opened_at=fill.time_exchange, cash_before=cash_before)


NO_STAY = Stay()


def is_left(pair: str, position: Decimal, price: Decimal) -> bool:
    """Whether nothing is left of a position but what could not be sold."""
    return position <= 0 or position * price < dust_of(pair)


def dust_of(pair: str) -> Decimal:
    """By the quote that a pair's code ends with; nothing is dust in a quote that is not known."""
    for asset, least in DUST.items():
        if pair.endswith(asset):
            return least
    return ZERO
