"""Recorded books and tapes, shown again level by level and trade by trade: a `Source` of one pair or many.

It begins with the first moment at which every pair has a whole book; what came before fills the tape. There is no other
history. Messages are read as they are needed, so a record may be as long as it likes. Where the record has a gap, the
books are empty until the next whole one: what nobody saw is not shown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import gcd

from btcbot.simulation.books import Bar, Depth, Print
from btcbot.simulation.listings import Listing
from btcbot.simulation.replay import (
    PRICE_PLACES,
    QUANTITY_PLACES,
    Rerun,
    UnusableRecord,
    decimals_of,
    recorded_listing,
    steps_of,
)
from btcbot.simulation.replay_pair import BookSnapshot, BookUpdate, Gap, Message, TapedPair, TapeTrade

BEGINNING_MS_MAX = 60_000  # from the first whole book to that of the last pair


def books_of_one_pair(pair: str, messages: Iterable[Message], rerun: Rerun) -> "RecordedBooks":
    """A record that says nothing of grids: they are read off its first whole book.

    Updates that were recorded before it count if their numbers are higher.
    """
    rest = iter(messages)
    missed: list[BookUpdate] = []
    for message in rest:
        if isinstance(message, BookSnapshot):
            break
        if isinstance(message, BookUpdate):
            missed.append(message)
    else:
        raise UnusableRecord("the recorded messages hold no snapshot of a book")
    prices = [steps_of(price, PRICE_PLACES) for price, _ in (*message.bids, *message.asks)]
    listing = recorded_listing(pair, decimals_of(gcd(*prices), PRICE_PLACES), QUANTITY_PLACES)
    newer = [
        BookUpdate(pair, message.at_ms, update.number, update.bids, update.asks)
        for update in missed
        if update.number > message.number
    ]
    return RecordedBooks({pair: listing}, chain([message], newer, rest), rerun)


class RecordedBooks:
    """Some pairs' recorded books and tapes."""

    def __init__(self, listings: Mapping[str, Listing], messages: Iterable[Message], rerun: Rerun) -> None:
        self.listings = listings
        self.is_ended = False
        self._messages: Iterator[Message] = iter(messages)
        self._rerun = rerun
        self._pairs = {pair: TapedPair(listing) for pair, listing in listings.items()}
        self._cursor_ms = 0
        self._played_ms: int | None = None  # recorded time up to which all was played
        self._next: Message | None = next(self._messages, None)
        self._cursor_ms = self._begin()

    def advance(self, now_ms: int) -> Sequence[Print]:
        """Trades from before the last call, or before the first one, are past: `recent` alone tells them."""
        until_ms = self._rerun.recorded(now_ms, self._cursor_ms)
        played_ms, self._played_ms = self._played_ms, until_ms
        prints: list[Print] = []
        while self._next is not None and self._next.at_ms <= until_ms:
            print_ = self._play(self._next)
            if print_ is not None and played_ms is not None and self._next.at_ms > played_ms:
                prints.append(print_)
            self._next = next(self._messages, None)
        if self._next is None and not self.is_ended:
            self.is_ended = True
            for pair in self._pairs.values():
                pair.forget()
        return prints

    def depth(self, pair: str) -> Depth:
        return self._pairs[pair].depth()

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        return self._pairs[pair].bars(from_ms, until_ms)

    def recent(self, pair: str) -> Sequence[Print]:
        return tuple(self._pairs[pair].tape)

    def _begin(self) -> int:
        """Read until every pair has a whole book; the recorded time that this is."""
        began_ms: int | None = None
        trades: list[TapeTrade] = []
        while (message := self._next) is not None:
            if began_ms is not None and message.at_ms > began_ms + BEGINNING_MS_MAX:
                break
            if isinstance(message, TapeTrade):
                trades.append(message)
            else:
                self._play(message)
            if isinstance(message, BookSnapshot):
                began_ms = message.at_ms if began_ms is None else began_ms
            self._next = next(self._messages, None)
            if all(pair.is_whole for pair in self._pairs.values()):
                self._cursor_ms = message.at_ms
                for trade in trades:
                    self._play(trade)
                return message.at_ms
        missing = ", ".join(name for name, pair in self._pairs.items() if not pair.is_whole)
        raise UnusableRecord(f"the record begins without a whole book of {missing}")

    def _play(self, message: Message) -> Print | None:
        if isinstance(message, Gap):
            for pair in self._pairs.values() if message.pair is None else (self._pairs[message.pair],):
                pair.forget()
            return None
        pair = self._pairs[message.pair]
        if not isinstance(message, TapeTrade):
            pair.take(message)
            return None
        return pair.print(message, self._rerun.redated(message.at_ms, self._cursor_ms))
