"""Keeps the books of all pairs from the WebSocket feed, and repairs them: leave and join, then a new connection.

Each pair joins `obdiff` for the book and `ticker`, which repeats about every 760 ms whether or not anything changed and
so proves that a quiet book is current (protocol 10.2 to 10.4). What arrives counts, never that a socket is open.
"""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

from btcbot.domain.events import Event
from btcbot.domain.market import Book
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.exchange.errors import Malformed
from btcbot.exchange.frame_text import kind_of, pair_of, read_frame
from btcbot.exchange.stream import RENEW_SECONDS, Channel, Stream
from btcbot.exchange.wire import BOOK_FULL, BOOK_UPDATE, AckFrame, BookFullFrame, BookUpdateFrame, TickerFrame
from btcbot.market_data.book import Taken
from btcbot.market_data.cross_check import Verdict
from btcbot.market_data.pair_book import PairBook
from btcbot.market_data.subscriptions import Subscriptions

TICKER_SILENT_SECONDS_MAX = 10.0  # it repeats every 0.76 s
STALLED_SECONDS_MAX = 15.0  # without anything on any channel, whatever the socket says
DROPS_PERIOD_SECONDS = 60.0  # a new connection at most this often: every book is lost with the old one
TICK_SECONDS = 1.0


class BookFeed:
    def __init__(
        self,
        url: str,
        books: Mapping[str, PairBook],
        clock: Clock,
        sleeper: Sleeper,
        observer: Observer,
        *,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._books = books
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer
        channels = [(channel, pair) for pair in books for channel in ("obdiff", "ticker")]
        self._subscriptions = Subscriptions(channels)
        self._stream = Stream(
            url, channels, self, clock, sleeper, observer, name="market", renew_seconds=renew_seconds
        )  # fmt: skip
        self._to_send: dict[Channel, bool] = {}  # to join, or to leave
        self._work = asyncio.Event()
        self._dropped_at: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream.run())
            tasks.create_task(self._repair())
            tasks.create_task(self._watch())

    def check(self, pair: str, book: Book, at: float) -> None:
        """Take a whole book from REST, true at `at`, and hold the kept one against it."""
        kept, now = self._books[pair], self._clock.monotonic()
        verdict = kept.read(book, at, now)
        if verdict is Verdict.AGREES and kept.numbering.agreed(now):
            self._observer.observed(Event.BOOK_NUMBERS_RELAXED, pair=pair)
        elif verdict is Verdict.DISPROVED:
            self._contradicted(pair, "REST")

    # ------------------------------------------------------------------------------ what the stream tells

    def connected(self) -> None:
        self._subscriptions.joined_all(self._clock.monotonic())
        self._to_send.clear()

    def lost(self) -> None:
        self._subscriptions.lost()
        for book in self._books.values():
            book.break_off()

    def frame(self, text: bytes) -> None:
        try:
            frame = read_frame(text)
        except Malformed:
            self._missed(text)
            raise
        now = self._clock.monotonic()
        match frame:
            case BookUpdateFrame(pair=pair) if pair in self._books:
                self._judge(pair, self._books[pair].update(frame, now), now)
            case TickerFrame(pair=pair) if pair in self._books:
                self._compare(frame, self._books[pair], now)
            case BookFullFrame(pair=pair, channel=None | "obdiff") if pair in self._books:
                self._begun(pair, self._books[pair].replace(frame, now), now)
            case AckFrame():
                self._acknowledged(frame, now)
            case _:
                pass  # nothing that we joined

    def _begun(self, pair: str, taken: Taken, now: float) -> None:
        """A whole book came. One that cannot be is asked for again by the watch, when the next may be another."""
        is_answer = self._subscriptions.served(("obdiff", pair), now)
        if is_answer and taken is Taken.APPLIED:
            self._observer.observed(Event.BOOK_RESYNCED, pair=pair, strays=self._books[pair].kept.strays)

    def _judge(self, pair: str, taken: Taken, now: float) -> None:
        channel = ("obdiff", pair)
        if taken is Taken.APPLIED:
            self._subscriptions.served(channel, now)
        elif taken is not Taken.IGNORED:
            self._begin_anew(channel, now, taken)

    def _compare(self, ticker: TickerFrame, book: PairBook, now: float) -> None:
        self._subscriptions.served(("ticker", ticker.pair), now)
        if not book.compare(_or_nothing(ticker.bid), _or_nothing(ticker.ask), now):
            self._contradicted(ticker.pair, "the ticker")

    def _acknowledged(self, ack: AckFrame, now: float) -> None:
        """`ok` proves nothing, but a refused join was a second one: only leaving first brings data."""
        verb, _, topic = ack.message.partition("|")
        name, _, pair = topic.partition(":")
        channel = (name, pair)
        if verb == "leave" and self._subscriptions.left(channel, now):
            if name == "obdiff":
                self._books[pair].break_off()  # whatever came of it while leaving is kept no longer
            self._send(channel, join=True)
        elif verb == "join" and not ack.ok:
            self._begin_anew(channel, now, "the join was refused")

    # ---------------------------------------------------------------------------------------- repairs

    def _missed(self, text: bytes) -> None:
        """A frame that cannot be read may have changed the book that it names; any book, if it names none."""
        try:
            if kind_of(text) not in (BOOK_FULL, BOOK_UPDATE):
                return
        except Malformed:
            pass
        named = pair_of(text)
        for pair in self._books:
            if named in (pair, None):
                self._disprove(pair, "a frame of it could not be read")

    def _contradicted(self, pair: str, by: str) -> None:
        if self._books[pair].numbering.contradicted(self._clock.monotonic()):
            self._restored(pair, f"{by} contradicts the book")
        self._disprove(pair, f"{by} contradicts it")

    def _disprove(self, pair: str, reason: str) -> None:
        """This book is not the exchange's: make it anew."""
        self._books[pair].break_off()
        self._begin_anew(("obdiff", pair), self._clock.monotonic(), reason)

    def _begin_anew(self, channel: Channel, now: float, reason: str) -> None:
        if self._subscriptions.again(channel, now):
            name, pair = channel
            event = Event.BOOK_GAPPED if name == "obdiff" else Event.SUBSCRIPTION_SILENT
            self._observer.observed(event, pair=pair, reason=reason)
            self._send(channel, join=False)

    def _send(self, channel: Channel, *, join: bool) -> None:
        self._to_send[channel] = join
        self._work.set()

    async def _repair(self) -> None:
        """Send what the frame handlers, which cannot wait, have asked for."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._to_send:
                channel, join = self._to_send.popitem()
                await self._stream.join(channel, join=join)

    async def _watch(self) -> None:
        while True:
            await self._sleeper.sleep(TICK_SECONDS)
            now = self._clock.monotonic()
            for channel in self._subscriptions.overdue(now):
                self._begin_anew(channel, now, "no data after the join")
            for channel in self._subscriptions.silent(now, TICKER_SILENT_SECONDS_MAX):
                if channel[0] == "ticker":
                    self._begin_anew(channel, now, "the ticker fell silent")
            for pair, book in self._books.items():
                if not book.kept.is_whole and self._subscriptions.is_served(("obdiff", pair)):
                    self._begin_anew(("obdiff", pair), now, "still without a book")
                if book.numbering.cleared(now):
                    self._restored(pair, "no number was left out for long")
            self._drop_if_hopeless(now)

    def _drop_if_hopeless(self, now: float) -> None:
        """What leaving and joining does not repair needs a new connection; so does one that stalled."""
        hopeless = [pair for name, pair in self._subscriptions.hopeless(now) if name == "obdiff"]
        is_stalled = self._subscriptions.silent_seconds(now) > STALLED_SECONDS_MAX
        is_allowed = self._dropped_at is None or now - self._dropped_at > DROPS_PERIOD_SECONDS
        if is_allowed and (hopeless or is_stalled):
            self._dropped_at = now
            reason = f"no book of {hopeless[0]} after joining again" if hopeless else "no data on any channel"
            self._stream.abandon(reason)

    def _restored(self, pair: str, reason: str) -> None:
        self._observer.observed(Event.BOOK_NUMBERS_RESTORED, pair=pair, reason=reason)


def _or_nothing(price: Decimal) -> Decimal | None:
    return price if price > 0 else None
