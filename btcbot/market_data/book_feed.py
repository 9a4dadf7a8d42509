"""Keeps the books of all pairs from the WebSocket feed, and repairs them: leave and join, then a new connection.

Each pair joins `obdiff` for the book and `ticker`, which repeats about every 760 ms whether or not anything changed and
so proves that a quiet book is current (protocol 10.2 to 10.4).
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

from pydantic import TypeAdapter

from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.exchange.answers import shaped
from btcbot.exchange.stream import Stream
from btcbot.exchange.wire import (
    ACK,
    BOOK_FULL,
    BOOK_UPDATE,
    TICKER_PAIR,
    AckFrame,
    BookFullFrame,
    BookUpdateFrame,
    TickerFrame,
)
from btcbot.market_data.book import Taken
from btcbot.market_data.pair_book import PairBook

T = TypeVar("T")
FIRST_FRAME_SECONDS_MAX = 5.0  # from a join to the full frame
DROPS_PERIOD_SECONDS = 60.0  # a new connection for one pair's sake, at most this often: the others lose theirs too
TICK_SECONDS = 1.0

_ACK: TypeAdapter[AckFrame] = TypeAdapter(AckFrame)
_FULL: TypeAdapter[BookFullFrame] = TypeAdapter(BookFullFrame)
_UPDATE: TypeAdapter[BookUpdateFrame] = TypeAdapter(BookUpdateFrame)
_TICKER: TypeAdapter[TickerFrame] = TypeAdapter(TickerFrame)


class BookFeed:
    def __init__(
        self, url: str, books: Mapping[str, PairBook], clock: Clock, sleeper: Sleeper, observer: Observer
    ) -> None:
        self._books = books
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer
        channels = [(channel, pair) for pair in books for channel in ("obdiff", "ticker")]
        self._stream = Stream(url, channels, self, clock, sleeper, observer, name="market")
        self._awaited_since: dict[str, float] = {}  # pairs that joined and have no full frame yet
        self._was_rejoined: set[str] = set()
        self._to_leave: set[str] = set()
        self._to_join: set[str] = set()
        self._work = asyncio.Event()
        self._dropped_at: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream.run())
            tasks.create_task(self._repair())
            tasks.create_task(self._watch())

    def disprove(self, pair: str, reason: str) -> None:
        """What else is known contradicts this book: make it anew."""
        self._books[pair].break_off()
        self._ask_again(pair, reason)

    # ------------------------------------------------------------------------------ what the stream tells

    def connected(self) -> None:
        now = self._clock.monotonic()
        self._awaited_since = dict.fromkeys(self._books, now)
        self._was_rejoined.clear()
        self._to_leave.clear()
        self._to_join.clear()

    def lost(self) -> None:
        self._awaited_since.clear()
        for book in self._books.values():
            book.break_off()

    def frame(self, kind: int, body: dict[str, object]) -> None:
        now = self._clock.monotonic()
        if kind == BOOK_UPDATE:
            update = shaped(_UPDATE, body, "an order book update")
            if (book := self._books.get(update.pair)) is not None:
                self._judge(update.pair, book.update(update, now))
        elif kind == TICKER_PAIR:
            ticker = shaped(_TICKER, body, "a ticker")
            if (book := self._books.get(ticker.pair)) is not None:
                self._compare(ticker.pair, book, ticker, now)
        elif kind == BOOK_FULL:
            full = shaped(_FULL, body, "an order book")
            if (book := self._books.get(full.pair)) is not None and full.channel in (None, "obdiff"):
                self._full(full, book, now)
        elif kind == ACK:
            self._acknowledged(shaped(_ACK, body, "an acknowledgement"))

    def _full(self, full: BookFullFrame, book: PairBook, now: float) -> None:
        taken = book.replace(full, now)
        if taken is Taken.APPLIED:
            self._awaited_since.pop(full.pair, None)
            if full.pair in self._was_rejoined:
                self._was_rejoined.discard(full.pair)
                self._observer.observed(Event.BOOK_RESYNCED, pair=full.pair, number=full.change_set)
        self._judge(full.pair, taken)

    def _judge(self, pair: str, taken: Taken) -> None:
        if taken in (Taken.GAPPED, Taken.IMPOSSIBLE):
            self._ask_again(pair, str(taken))

    def _compare(self, pair: str, book: PairBook, ticker: TickerFrame, now: float) -> None:
        if not book.compare(_or_nothing(ticker.bid), _or_nothing(ticker.ask), now):
            self.disprove(pair, "the ticker contradicts it")

    def _acknowledged(self, ack: AckFrame) -> None:
        """`ok` proves nothing. That a leave was heard is what a new join has to wait for."""
        verb, _, channel = ack.message.partition("|")
        name, _, pair = channel.partition(":")
        if verb == "leave" and name == "obdiff" and pair in self._books:
            self._to_join.add(pair)
            self._work.set()

    # ---------------------------------------------------------------------------------------- repairs

    def _ask_again(self, pair: str, reason: str) -> None:
        if pair in self._was_rejoined:
            return
        self._was_rejoined.add(pair)
        self._awaited_since[pair] = self._clock.monotonic()
        self._observer.observed(Event.BOOK_GAPPED, pair=pair, reason=reason)
        self._to_leave.add(pair)
        self._work.set()

    async def _repair(self) -> None:
        """Send what the frame handlers, which cannot wait, have asked for."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._to_leave:
                await self._stream.join(("obdiff", self._to_leave.pop()), join=False)
            while self._to_join:
                await self._stream.join(("obdiff", self._to_join.pop()))

    async def _watch(self) -> None:
        """A join that brings no full frame: join again once, then a new connection."""
        while True:
            await self._sleeper.sleep(TICK_SECONDS)
            now = self._clock.monotonic()
            overdue = [pair for pair, since in self._awaited_since.items() if now - since > FIRST_FRAME_SECONDS_MAX]
            for pair in overdue:
                if pair not in self._was_rejoined:
                    self._ask_again(pair, "no full frame after the join")
                elif self._dropped_at is None or now - self._dropped_at > DROPS_PERIOD_SECONDS:
                    self._dropped_at = now
                    self._observer.observed(Event.BOOK_GAPPED, pair=pair, reason="no full frame after joining again")
                    self._stream.abandon()
                    break


def _or_nothing(price: Decimal) -> Decimal | None:
    return price if price > 0 else None
