"""Orders that wait: for somebody to meet them (`Resting`), or for their stop price (`WaitingStops`).

Both find their first order at once and lose any order without looking at the others: with fifty clients at the
exchange's limits a pair may have thousands of them.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterator, Sequence

from btcbot.domain.orders.intents import Side
from btcbot.simulation.orders import Order


class Resting:
    """One side of a book: by price, and at a price by time."""

    def __init__(self, side: Side) -> None:
        self._sign = -1 if side is Side.BUY else 1  # with it the best price is the least
        self._keys: list[int] = []
        self._levels: dict[int, dict[int, Order]] = {}  # by price in ticks, orders by id: the order in which they came

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, order: Order) -> None:
        """The order is the latest that came."""
        level = self._levels.get(order.ticks)
        if level is None:
            level = self._levels[order.ticks] = {}
            insort(self._keys, self._sign * order.ticks)
        level[order.accepted.order_id] = order

    def remove(self, order: Order) -> None:
        level = self._levels[order.ticks]
        del level[order.accepted.order_id]
        if not level:
            del self._levels[order.ticks]
            del self._keys[bisect_left(self._keys, self._sign * order.ticks)]

    @property
    def best(self) -> int | None:
        return self._sign * self._keys[0] if self._keys else None

    def prices(self, limit_ticks: int | None = None) -> Sequence[int]:
        """Best first, down to the limit with it. A copy: orders may leave while it is gone through."""
        end = len(self._keys) if limit_ticks is None else bisect_right(self._keys, self._sign * limit_ticks)
        return [self._sign * key for key in self._keys[:end]]

    def at(self, ticks: int) -> Collection[Order]:
        """The orders at a price, oldest first. Whoever lets orders leave while going through them takes a copy."""
        level = self._levels.get(ticks)
        return level.values() if level is not None else ()

    def lasts(self) -> Iterator[tuple[int, Order]]:
        """Each price with its last order."""
        return ((ticks, next(reversed(level.values()))) for ticks, level in self._levels.items())


class WaitingStops:
    """One side's stops. A rising price reaches the lowest stop buy first, a falling one the highest stop sell."""

    def __init__(self, side: Side) -> None:
        self._sign = 1 if side is Side.BUY else -1
        self._keys: list[tuple[int, int]] = []  # stop price and id: the next to fire is the least
        self._orders: dict[int, Order] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def add(self, order: Order) -> None:
        insort(self._keys, self._key(order))
        self._orders[order.accepted.order_id] = order

    def remove(self, order: Order) -> None:
        del self._orders[order.accepted.order_id]
        del self._keys[bisect_left(self._keys, self._key(order))]

    def reached(self, ticks: int) -> Order | None:
        """The next one to fire at a price; nobody when the price has not come so far."""
        if not self._keys or self._keys[0][0] > self._sign * ticks:
            return None
        return self._orders[self._keys[0][1]]

    def _key(self, order: Order) -> tuple[int, int]:
        return self._sign * order.stop_ticks, order.accepted.order_id
