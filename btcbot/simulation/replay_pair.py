"""One pair out of messages: what a feed says of it, whether it was recorded or is heard just now."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from btcbot.simulation.books import EMPTY, MINUTE_MS, PRINTS_KEPT, Bar, Depth, Print
from btcbot.simulation.listings import Listing
from btcbot.simulation.replay import steps_of

BOOK_LEVELS = 200  # of each side: more than are shown, for who trades through the shown ones
BARS_KEPT = 6_000

RecordedLevels = Sequence[tuple[str, str]]  # price and quantity, as text; quantity 0: the level is gone


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    pair: str
    at_ms: int
    number: int
    bids: RecordedLevels
    asks: RecordedLevels


@dataclass(frozen=True, slots=True)
class BookUpdate:
    pair: str
    at_ms: int
    number: int
    bids: RecordedLevels
    asks: RecordedLevels


@dataclass(frozen=True, slots=True)
class TapeTrade:
    pair: str
    at_ms: int
    number: int
    price: str
    quantity: str
    is_buy: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """From here on a pair's book is not known, or nobody's."""

    pair: str | None
    at_ms: int


Message = BookSnapshot | BookUpdate | TapeTrade | Gap


class TapedPair:
    """What messages make of one pair: its book, its tape and its minutes."""

    def __init__(self, listing: Listing) -> None:
        self.tape: deque[Print] = deque(maxlen=PRINTS_KEPT)
        self.is_whole = False
        self._listing = listing
        self._bars: dict[int, Bar] = {}  # by the moment at which each was opened
        self._bars_from_ms, self._bars_until_ms = 0, -1
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._depth: Depth | None = EMPTY  # none: to be sorted when somebody asks

    def forget(self) -> None:
        self.is_whole, self._depth = False, EMPTY
        self._bids.clear()
        self._asks.clear()

    def take(self, message: BookSnapshot | BookUpdate) -> None:
        """Apply a whole book, or a difference to one; a difference to nothing says nothing."""
        if isinstance(message, BookSnapshot):
            self.forget()
            self.is_whole = True
        if not self.is_whole:
            return
        listing = self._listing
        for side, levels in ((self._bids, message.bids), (self._asks, message.asks)):
            for price, quantity in levels:
                ticks, lots = steps_of(price, listing.price_decimals), steps_of(quantity, listing.lot_decimals)
                if lots:
                    side[ticks] = lots
                else:
                    side.pop(ticks, None)
        self._depth = None

    def depth(self) -> Depth:
        if self._depth is None:
            bids, asks = self._bids, self._asks
            self._depth = Depth(
                {ticks: bids[ticks] for ticks in islice(sorted(bids, reverse=True), BOOK_LEVELS)},
                {ticks: asks[ticks] for ticks in islice(sorted(asks), BOOK_LEVELS)},
            )
        return self._depth

    def touch(self) -> tuple[int | None, int | None]:
        """Best bid and best ask."""
        depth = self.depth()
        return next(iter(depth.bids), None), next(iter(depth.asks), None)

    def bars(self, from_ms: int, until_ms: int) -> Sequence[Bar]:
        first = max(-(-from_ms // MINUTE_MS) * MINUTE_MS, self._bars_from_ms)
        opened = range(first, min(until_ms, self._bars_until_ms) + 1, MINUTE_MS)
        return [bar for opened_ms in opened if (bar := self._bars.get(opened_ms)) is not None]

    def keep(self, bar: Bar) -> None:
        """A minute as somebody else summed it."""
        self._bars[bar.opened_ms] = bar
        if len(self._bars) > BARS_KEPT:
            del self._bars[min(self._bars)]
        if not self._bars_from_ms <= bar.opened_ms <= self._bars_until_ms:
            self._bars_from_ms, self._bars_until_ms = min(self._bars), max(self._bars)

    def print(self, trade: TapeTrade, at_ms: int) -> Print | None:
        """On the tape and into its minute; nothing for less than a lot."""
        listing = self._listing
        ticks, lots = steps_of(trade.price, listing.price_decimals), steps_of(trade.quantity, listing.lot_decimals)
        if not lots:
            return None
        print_ = Print(listing.pair, at_ms, trade.number, ticks, lots, trade.is_buy)
        self.tape.append(print_)
        opened_ms = at_ms // MINUTE_MS * MINUTE_MS
        bar = self._bars.get(opened_ms)
        if bar is None:
            self.keep(Bar(opened_ms, ticks, ticks, ticks, ticks, lots))
        else:
            high, low = max(bar.high, ticks), min(bar.low, ticks)
            self.keep(Bar(opened_ms, bar.open, high, low, ticks, bar.volume + lots))
        return print_
