"""One order book kept by differences (protocol 10.4), without any input or output.

1. A full frame replaces everything. Updates before one are ignored.
2. An update whose number is the next is applied: an amount is the whole amount at its price; a removal has none.
3. An older number is ignored. A number beyond the next is a gap: the book is worthless until a new full frame.
4. After every frame the book has to make sense: positive numbers, best bid below best ask, no more levels than the
   exchange ever shows. One that does not is treated like a gap.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.market import Book, Level
from btcbot.exchange.wire import CHANGED, NEW, REMOVED, BookFullFrame, BookUpdateFrame, LevelChange, LevelItem

LEVELS_MAX = 100  # a side; a level pushed out of this window arrives as a removal
DEPTH_SHOWN = 20


class Taken(StrEnum):
    """What became of a frame."""

    APPLIED = "applied"
    IGNORED = "ignored"
    GAPPED = "gapped"  # an update is missing
    IMPOSSIBLE = "impossible"  # the frame, or the book that it makes, cannot be


class KeptBook:
    def __init__(self) -> None:
        self._bids: dict[Decimal, Decimal] = {}
        self._asks: dict[Decimal, Decimal] = {}
        self._number: int | None = None

    @property
    def is_whole(self) -> bool:
        """Whether there is a book at all: a full frame, and no gap since."""
        return self._number is not None

    def invalidate(self) -> None:
        """Forget everything: only a full frame makes a book again."""
        self._number = None
        self._bids, self._asks = {}, {}

    def replace(self, frame: BookFullFrame) -> Taken:
        self._bids, self._asks = _levels(frame.bids), _levels(frame.asks)
        self._number = frame.change_set
        is_repeating = len(self._bids) != len(frame.bids) or len(self._asks) != len(frame.asks)
        return self._judged(is_repeating)

    def update(self, frame: BookUpdateFrame) -> Taken:
        if self._number is None or frame.change_set <= self._number:
            return Taken.IGNORED
        if frame.change_set != self._number + 1:
            self.invalidate()
            return Taken.GAPPED
        is_foreign = not (_apply(self._bids, frame.bids) and _apply(self._asks, frame.asks))
        self._number = frame.change_set
        return self._judged(is_foreign)

    def touch(self) -> tuple[Decimal | None, Decimal | None]:
        """Best bid and best ask."""
        return max(self._bids, default=None), min(self._asks, default=None)

    def top(self) -> Book:
        """The best levels of both sides, best first."""
        bids = sorted(self._bids.items(), reverse=True)[:DEPTH_SHOWN]
        asks = sorted(self._asks.items())[:DEPTH_SHOWN]
        return Book(tuple(Level(*level) for level in bids), tuple(Level(*level) for level in asks))

    def _judged(self, is_impossible: bool) -> Taken:
        best_bid, best_ask = self.touch()
        is_crossed = best_bid is not None and best_ask is not None and best_bid >= best_ask
        sides = (self._bids, self._asks)
        if is_impossible or is_crossed or any(len(side) > LEVELS_MAX or not _is_positive(side) for side in sides):
            self.invalidate()
            return Taken.IMPOSSIBLE
        return Taken.APPLIED


def _levels(items: Iterable[LevelItem]) -> dict[Decimal, Decimal]:
    return {item.price: item.amount for item in items}


def _apply(side: dict[Decimal, Decimal], changes: Iterable[LevelChange]) -> bool:
    """Apply changes, each as often as it comes; false when one is of a kind that does not exist."""
    for change in changes:
        if change.kind == REMOVED:
            side.pop(change.price, None)
        elif change.kind in (CHANGED, NEW):
            side[change.price] = change.amount
        else:
            return False
    return True


def _is_positive(side: Mapping[Decimal, Decimal]) -> bool:
    return all(price > 0 and amount > 0 for price, amount in side.items())
