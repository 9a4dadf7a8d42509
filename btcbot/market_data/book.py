"""One order book kept by differences (protocol 10.4), without any input or output.

1. A full frame replaces everything. Updates before one are ignored.
2. An update whose number is the next is applied: an amount is the whole amount at its price; a removal has none.
3. An older number is ignored. A number beyond the next is a gap: the book is worthless until a new full frame. Where
   `is_strict` is off, numbers only have to rise, and jumps are counted (open question E1; `numbering` says when).
   Older numbers and nothing else for a while, or a full frame with an older number that nobody asked for: whatever the
   exchange counts, it is not this book any more. It is treated like a gap.
4. After every frame the book has to make sense: positive numbers, best bid below best ask, no more levels than the
   exchange ever shows. One that does not is treated like a gap.
5. A change or a removal of a price that is not there is taken as it comes, and counted.

An update costs what it changes, whatever the size of the book.
"""

from bisect import bisect_left, insort
from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.market import Book, Level
from btcbot.exchange.wire import CHANGED, NEW, REMOVED, BookFullFrame, BookUpdateFrame, LevelChange, LevelItem

LEVELS_MAX = 100  # a side; a level pushed out of this window arrives as a removal
DEPTH_SHOWN = 20
OLDER_MAX = 8  # older numbers in a row, each in a batch of its own: six seconds


class Taken(StrEnum):
    """What became of a frame."""

    APPLIED = "applied"
    IGNORED = "ignored"
    GAPPED = "gapped"  # an update is missing
    IMPOSSIBLE = "impossible"  # the frame, or the book that it makes, cannot be


class KeptBook:
    def __init__(self) -> None:
        self.is_strict = True
        self.jumps = 0  # numbers left out while they only had to rise
        self.strays = 0  # changes and removals of prices that were not there
        self._bids = _Side()
        self._asks = _Side()
        self._number: int | None = None
        self._older = 0  # numbers that were older, in a row

    @property
    def is_whole(self) -> bool:
        """Whether there is a book at all: a full frame, and no gap since."""
        return self._number is not None

    def invalidate(self) -> None:
        """Forget everything: only a full frame makes a book again."""
        self._number = None
        self._older = 0
        self._bids, self._asks = _Side(), _Side()

    def replace(self, frame: BookFullFrame) -> Taken:
        is_older = self._number is not None and frame.change_set < self._number
        self._bids, self._asks = _Side(), _Side()
        is_sound = self._bids.fill(frame.bids) and self._asks.fill(frame.asks) and not is_older
        self._number, self._older = frame.change_set, 0
        return self._judged(is_sound)

    def update(self, frame: BookUpdateFrame) -> Taken:
        if self._number is None:
            return Taken.IGNORED
        if frame.change_set <= self._number:
            return self._ignored()
        if frame.change_set != self._number + 1:
            if self.is_strict:
                self.invalidate()
                return Taken.GAPPED
            self.jumps += 1
        is_sound = self._apply(self._bids, frame.bids) and self._apply(self._asks, frame.asks)
        self._number, self._older = frame.change_set, 0
        return self._judged(is_sound)

    def touch(self) -> tuple[Decimal | None, Decimal | None]:
        """Best bid and best ask."""
        bids, asks = self._bids.prices, self._asks.prices
        return bids[-1] if bids else None, asks[0] if asks else None

    def top(self, depth: int = DEPTH_SHOWN) -> Book:
        """The best levels of both sides, best first."""
        bids, asks = self._bids.prices[: -depth - 1 : -1], self._asks.prices[:depth]
        return Book(self._bids.levels(bids), self._asks.levels(asks))

    def _apply(self, side: "_Side", changes: Collection[LevelChange]) -> bool:
        """Apply changes, each as often as it comes; false when one cannot be."""
        for change in changes:
            kind = change.kind
            if kind == REMOVED:
                self.strays += not side.remove(change.price)
            elif kind in (CHANGED, NEW):
                if not (change.price > 0 and change.amount > 0):
                    return False
                is_known = side.put(change.price, change.amount)
                self.strays += kind == CHANGED and not is_known
            else:
                return False
        return True

    def _ignored(self) -> Taken:
        self._older += 1
        if self._older <= OLDER_MAX:
            return Taken.IGNORED
        self.invalidate()
        return Taken.IMPOSSIBLE

    def _judged(self, is_sound: bool) -> Taken:
        best_bid, best_ask = self.touch()
        is_crossed = best_bid is not None and best_ask is not None and best_bid >= best_ask
        if not is_sound or is_crossed or max(len(self._bids.prices), len(self._asks.prices)) > LEVELS_MAX:
            self.invalidate()
            return Taken.IMPOSSIBLE
        return Taken.APPLIED


class _Side:
    """Amounts by price, and the prices from low to high."""

    def __init__(self) -> None:
        self.prices: list[Decimal] = []
        self._amounts: dict[Decimal, Decimal] = {}

    def fill(self, items: Collection[LevelItem]) -> bool:
        """False when an item cannot be, or a price comes twice."""
        self._amounts = {item.price: item.amount for item in items}
        self.prices = sorted(self._amounts)
        is_positive = all(price > 0 and amount > 0 for price, amount in self._amounts.items())
        return is_positive and len(self.prices) == len(items)

    def put(self, price: Decimal, amount: Decimal) -> bool:
        """Whether there was a level at this price before."""
        is_known = price in self._amounts
        self._amounts[price] = amount
        if not is_known:
            insort(self.prices, price)
        return is_known

    def remove(self, price: Decimal) -> bool:
        """Whether there was one."""
        if self._amounts.pop(price, None) is None:
            return False
        del self.prices[bisect_left(self.prices, price)]
        return True

    def levels(self, prices: Collection[Decimal]) -> tuple[Level, ...]:
        return tuple(Level(price, self._amounts[price]) for price in prices)
