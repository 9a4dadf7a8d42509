"""The channels `orderbook` and `obdiff` (protocol 10.2 to 10.4).

A pair's book is looked at once per batch, for all who joined it: what differs from the batch before is the difference
for everybody. `CS` is each subscription's own, so a frame is made without it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from btcbot.sandbox.floor import Floor
from btcbot.sandbox.shown_books import ShownBooks
from btcbot.simulation.books import Depth, Levels
from btcbot.simulation.listings import Listing

FULL, DIFFERENCE = 431, 432
CHANGED, NEW, GONE = 0, 1, 3
BOOK_CHANNELS: Final = ("orderbook", "obdiff")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A book frame without its CS."""

    kind: int
    tail: str

    def text(self, sequence: int) -> str:
        return f'[{self.kind},{{"CS":{sequence},{self.tail}'


class FeedBooks:
    """What the followers of each pair were shown last."""

    def __init__(self, floor: Floor, books: ShownBooks) -> None:
        self._floor = floor
        self._books = books
        self._shown: dict[str, Depth] = {}
        self._before: dict[str, Depth] = {}
        self._full: dict[tuple[str, str], Numbered] = {}  # whole books that somebody asked for since the last batch

    def look(self, pairs: Collection[str]) -> None:
        """Once per batch: the books of the pairs that somebody follows, and of no others."""
        self._before = self._shown
        self._full.clear()
        self._shown = {pair: self._books.depth(pair) for pair in pairs if pair in self._floor.listings}

    def full(self, pair: str, channel: str) -> Numbered:
        """The book as it was at the last batch, so that the next difference continues it."""
        known = self._full.get((pair, channel))
        if known is not None:
            return known
        depth = self._shown.get(pair)
        if depth is None:
            depth = self._shown[pair] = self._books.depth(pair)
        listing = self._floor.listings[pair]
        asks, bids = (_levels(listing, levels) for levels in (depth.asks, depth.bids))
        frame = self._full[pair, channel] = Numbered(FULL, _tail(pair, channel, FULL, asks, bids))
        return frame

    def changed(self, pair: str) -> bool:
        return pair in self._shown and (self._shown[pair] != self._before.get(pair) or pair in self._books.still)

    def difference(self, pair: str) -> Numbered | None:
        """What changed since the last batch; nothing for a book that did not, or was not followed then."""
        listing, now, before = self._floor.listings[pair], self._shown[pair], self._before.get(pair)
        if before is None:
            return None
        asks, bids = _changes(listing, before.asks, now.asks), _changes(listing, before.bids, now.bids)
        if not asks and not bids and pair not in self._books.still:
            return None
        return Numbered(DIFFERENCE, _tail(pair, "obdiff", DIFFERENCE, asks, bids))

    def frames(self, joined: Mapping[str, Collection[str]]) -> dict[tuple[str, str], Numbered]:
        """By topic, from the pairs that were joined in each of the two channels."""
        frames: dict[tuple[str, str], Numbered] = {}
        for pair in joined["obdiff"]:
            if pair in self._shown and (frame := self.difference(pair)) is not None:
                frames["obdiff", pair] = frame
        for pair in joined["orderbook"]:
            if self.changed(pair):
                frames["orderbook", pair] = self.full(pair, "orderbook")
        return frames


def _tail(pair: str, channel: str, kind: int, asks: str, bids: str) -> str:
    return f'"PS":"{pair}","AO":[{asks}],"BO":[{bids}],"channel":"{channel}","event":"{pair}","type":{kind}}}]'


def _levels(listing: Listing, levels: Levels) -> str:
    return ",".join(
        f'{{"A":"{listing.quantity_text(lots)}","P":"{listing.price_text(ticks)}"}}' for ticks, lots in levels.items()
    )


def _changes(listing: Listing, before: Levels, now: Levels) -> str:
    """What became of each level: changed or new with its whole amount, gone with the amount that it had."""
    entries = [
        (ticks, NEW if ticks not in before else CHANGED, lots) for ticks, lots in now.items() - before.items()
    ] + [(ticks, GONE, before[ticks]) for ticks in before.keys() - now.keys()]
    return ",".join(
        f'{{"CP":{kind},"P":"{listing.price_text(ticks)}","A":"{listing.quantity_text(lots)}"}}'
        for ticks, kind, lots in sorted(entries)
    )
