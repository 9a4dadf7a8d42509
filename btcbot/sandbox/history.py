"""Orders and balances as they were a while ago: views of the exchange lag behind each other (B1, protocol 6.8)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from btcbot.domain.money import ZERO, Asset
from btcbot.simulation.accounts import BalanceChange
from btcbot.simulation.happenings import AccountFunded
from btcbot.simulation.orders import Order
from btcbot.simulation.venue import News, Venue

KEPT_MS = 900_000  # a view that lags more shows what it showed then
CHANGES_MAX = 20_000


class History:
    """What happened lately. After a restart it begins anew, as if the views had caught up meanwhile."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._changes: deque[tuple[int, BalanceChange]] = deque(maxlen=CHANGES_MAX)
        self._ended: deque[Order] = deque(maxlen=CHANGES_MAX)

    def remember(self, news: News) -> None:
        at_ms = news.happening.at_ms
        if not isinstance(news.happening, AccountFunded):  # a beginning, which no view misses
            self._changes.extend((at_ms, change) for change in news.changes)
        while self._changes and self._changes[0][0] < at_ms - KEPT_MS:
            self._changes.popleft()
        for name in ("order_id", "stop_order_id"):
            order = self._venue.orders.get(getattr(news.happening, name, 0))
            if order is not None and not order.is_open and (not self._ended or self._ended[-1] is not order):
                self._ended.append(order)
        while self._ended and self._ended[0].updated_ms < at_ms - KEPT_MS:
            self._ended.popleft()

    def open_orders(self, account_id: int, pair: str | None, moment_ms: int) -> Iterator[Order]:
        """Those that were open at a moment, as they were, oldest first."""
        orders = {order.accepted.order_id: order for order in self._venue.open_orders_of(account_id, pair)}
        for order in self._ended:
            accepted = order.accepted
            if order.updated_ms > moment_ms and accepted.account_id == account_id and pair in (None, accepted.pair):
                orders[accepted.order_id] = order
        was = (as_of(orders[order_id], moment_ms) for order_id in sorted(orders))
        return (order for order in was if order is not None and order.is_open)

    def balance(self, account_id: int, asset: Asset, moment_ms: int) -> tuple[Decimal, Decimal]:
        """Total and hold at a moment."""
        account = self._venue.accounts[account_id]
        total, held = account.total(asset), account.held(asset)
        for at_ms, change in reversed(self._changes):
            if at_ms <= moment_ms:
                break
            if change.account_id == account_id and change.asset == asset:
                total, held = total - change.total_change, held - change.held_change
        return total, held


def as_of(order: Order, moment_ms: int) -> Order | None:
    """An order as it was at a moment; nothing if it was not there yet.

    Nothing happens to an order after its end: if it changed since the moment, it was open then.
    """
    if order.accepted.at_ms > moment_ms:
        return None
    if order.updated_ms <= moment_ms:
        return order
    matches = tuple(match for match in order.matches if match.at_ms <= moment_ms)
    return replace(
        order,
        matches=matches,
        filled=sum((match.quantity for match in matches), ZERO),
        spent=sum((match.price * match.quantity + match.fee + match.tax for match in matches), ZERO),
        first_price=matches[0].price if matches else ZERO,
        updated_ms=matches[-1].at_ms if matches else order.accepted.at_ms,
        is_canceled=False,
        is_closed=False,
    )
