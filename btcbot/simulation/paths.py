"""A pair whose price follows a path: what it prints, its minute bars and the book around it.

Everything is a function of the path, a key and the time, so the past needs no memory and a restart goes on as it was.
- Time has a point every `SLOT_MS`. At each point at most one trade prints.
- A minute bar is what the path's prints say, so tape and candles agree.
- The book hangs on a grid of cells around the path: each cell has a fixed odd price and a quantity that changes now
  and then, each cell at moments of its own.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from btcbot.simulation.books import EMPTY, MINUTE_MS, PRINTS_KEPT, Bar, Depth, Print
from btcbot.simulation.chance import chance
from btcbot.simulation.listings import Listing

SLOT_MS = 6_000
SLOTS_PER_MINUTE = MINUTE_MS // SLOT_MS
LEVELS = 40  # each side
REFRESH_MS = 45_000  # how long a cell keeps its quantity
CATCH_UP_SLOTS_MAX = 400  # prints of a longer silence are not told one by one
BARS_KEPT = 6_000
HALF_SPREAD = 0.00022  # of the price, before the cells widen it
CELL = 0.0002  # width of a cell as a fraction of the price
_TAPE, _ODD_PRICE, _BID, _ASK = 101, 102, 103, 104


class Path(Protocol):
    """Where the price is. All in steps of the listing."""

    def at(self, at_ms: int) -> float:
        """The price at a moment."""
        ...

    def traded(self, slot: int) -> int | None:
        """The quantity that prints at a point; nothing when the path does not say, and then chance does."""
        ...

    def has_begun(self, slot: int) -> bool:
        """Whether there is a price at this point yet."""
        ...


class PathStream:
    """One pair's market. `lots_typical` is the usual quantity of a level."""

    def __init__(self, listing: Listing, path: Path, key: int, home_ticks: float, lots_typical: float) -> None:
        self.listing = listing
        self.depth = EMPTY
        self.tape: deque[Print] = deque(maxlen=PRINTS_KEPT)
        self._path = path
        self._key = key
        self._cell = max(1, round(home_ticks * CELL))
        self._lots_typical = lots_typical
        self._quantities: dict[tuple[int, int], tuple[int, int]] = {}  # by side and cell: until when, and how much
        self._stands: tuple[tuple[int, int], int] | None = None  # the touch of the depth, and until when it is right
        self._bars: dict[int, Bar] = {}

    def printed(self, slot: int) -> Print:
        """What is printed at a point: at the touch, or at the path itself where the path knows the quantity."""
        throw = chance(self._key, _TAPE, slot)
        is_buy = bool(throw & 1)
        at_ms = slot * SLOT_MS
        mid = self._path.at(at_ms)
        lots = self._path.traded(slot)
        if lots is None:
            lots = self._lots(throw >> 1, 0.6)
            bid_cell, ask_cell = self._touch(mid)
            ticks = self._price(ask_cell if is_buy else bid_cell)
        else:
            ticks = round(mid)
        return Print(self.listing.pair, at_ms, self._number(slot), ticks, lots, is_buy)

    def bar(self, minute: int, slot_last: int) -> Bar | None:
        """One minute as far as it has run; nothing before the path begins."""
        known = self._bars.get(minute)
        if known is not None:
            return known
        first = minute * SLOTS_PER_MINUTE
        end = first + SLOTS_PER_MINUTE
        if not self._path.has_begun(min(end - 1, slot_last)):
            return None
        prints = [self.printed(slot) for slot in range(first, min(end, slot_last + 1)) if self._path.has_begun(slot)]
        if not prints:
            return None
        prices = [print_.ticks for print_ in prints]
        volume = sum(print_.lots for print_ in prints)
        bar = Bar(minute * MINUTE_MS, prices[0], max(prices), min(prices), prices[-1], volume)
        if end <= slot_last + 1:
            if len(self._bars) >= BARS_KEPT:
                self._bars.clear()
            self._bars[minute] = bar
        return bar

    def begin(self, slot: int) -> None:
        """Fill the tape with what was printed before the first look."""
        earlier = range(slot - PRINTS_KEPT + 1, slot + 1)
        prints = (self.printed(before) for before in earlier if self._path.has_begun(before))
        self.tape.extend(print_ for print_ in prints if print_.lots)

    def move(self, now_ms: int) -> None:
        """Rebuild the book around where the path is now, unless it still stands there as it was."""
        bid_cell, ask_cell = touch = self._touch(self._path.at(now_ms))
        if self._stands is not None and self._stands[0] == touch and now_ms < self._stands[1]:
            return
        if len(self._quantities) > 20 * LEVELS:
            self._quantities.clear()
        bids = range(bid_cell, max(bid_cell - LEVELS, 0), -1)
        asks = range(ask_cell, ask_cell + LEVELS)
        self.depth = Depth(
            {self._price(cell): self._quantity(_BID, cell, now_ms) for cell in bids},
            {self._price(cell): self._quantity(_ASK, cell, now_ms) for cell in asks},
        )
        cells = (*((_BID, cell) for cell in bids), *((_ASK, cell) for cell in asks))
        self._stands = touch, min(self._quantities[cell][0] for cell in cells)

    def close(self) -> None:
        self.depth, self._stands = EMPTY, None

    def _touch(self, mid: float) -> tuple[int, int]:
        """The best cell of each side: its whole width lies beyond half a spread from the path."""
        half = mid * HALF_SPREAD
        bid_cell = math.floor((mid - half) / self._cell) - (1 if self._cell > 1 else 0)
        return bid_cell, math.ceil((mid + half) / self._cell)

    def _price(self, cell: int) -> int:
        return cell * self._cell + chance(self._key, _ODD_PRICE, cell) % self._cell

    def _quantity(self, kind: int, cell: int, now_ms: int) -> int:
        known = self._quantities.get((kind, cell))
        if known is not None and known[0] > now_ms:
            return known[1]
        start = chance(self._key, kind, cell) % REFRESH_MS
        turn = (now_ms - start) // REFRESH_MS
        lots = self._lots(chance(self._key, kind, (cell << 32) ^ turn), 0.9)
        self._quantities[kind, cell] = ((turn + 1) * REFRESH_MS + start, lots)
        return lots

    def _lots(self, throw: int, spread: float) -> int:
        """A quantity around the typical one: most within a factor of three of it, a few far larger."""
        bell = sum((throw >> shift) & 0xFFFF for shift in (0, 16, 32)) / 0xFFFF - 1.5  # -1.5 … 1.5
        return max(1, round(self._lots_typical * math.exp(2.0 * spread * bell)))

    def _number(self, slot: int) -> int:
        """Trade numbers rise with time and have eighteen digits, as at the exchange."""
        return 100_000_000_000_000_000 + slot * 1_000 + self.listing.pair_id % 1_000


class PathMarket:
    """Several pairs, each on its path: a `Source`."""

    def __init__(self, streams: Sequence[PathStream], ends_ms: int | None) -> None:
        self.listings: Mapping[str, Listing] = {stream.listing.pair: stream.listing for stream in streams}
        self.is_ended = False
        self._streams = {stream.listing.pair: stream for stream in streams}
        self._ends_ms = ends_ms
        self._now_ms: int | None = None

    def advance(self, now_ms: int) -> Sequence[Print]:
        if self._ends_ms is not None and now_ms >= self._ends_ms:
            self.is_ended, now_ms = True, self._ends_ms - 1
        slot = now_ms // SLOT_MS
        if self._now_ms is None:
            for stream in self._streams.values():
                stream.begin(slot)
        before = slot if self._now_ms is None else self._now_ms // SLOT_MS
        self._now_ms = now_ms
        prints: list[Print] = []
        for at in range(max(before + 1, slot - CATCH_UP_SLOTS_MAX), slot + 1):
            prints.extend(print_ for stream in self._streams.values() if (print_ := stream.printed(at)).lots)
        for print_ in prints:
            self._streams[print_.pair].tape.append(print_)
        for stream in self._streams.values():
            if self.is_ended:
                stream.close()
            else:
                stream.move(now_ms)
        return prints

    def depth(self, pair: str) -> Depth:
        return self._streams[pair].depth

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        if self._now_ms is None:
            return ()
        stream, slot = self._streams[pair], self._now_ms // SLOT_MS
        minutes = range(-(-from_ms // MINUTE_MS), min(until_ms, self._now_ms) // MINUTE_MS + 1)
        return [bar for minute in minutes if (bar := stream.bar(minute, slot)) is not None]

    def recent(self, pair: str) -> Sequence[Print]:
        return tuple(self._streams[pair].tape)
