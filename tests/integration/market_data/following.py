"""The market side of the client beside a sandbox in this process, in the sandbox's time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.market import Book, Level
from btcbot.domain.profiles import Endpoints
from btcbot.exchange.frame_text import read_frame
from btcbot.exchange.wire import AckFrame
from btcbot.market_data.book import LEVELS_MAX
from btcbot.market_data.book_feed import BookFeed
from btcbot.market_data.market import MarketData
from btcbot.market_data.pair_book import PairBook
from tests.integration.sandbox.playground import PATIENCE, Notes, Playground

BATCH = 0.764
MINUTE = timedelta(minutes=1)


class FollowingFeed(BookFeed):
    """Knows when everything that was sent before a moment has arrived: an answer to a new question comes last."""

    def __init__(self, playground: Playground, books: dict[str, PairBook], notes: Notes) -> None:
        url = f"ws://127.0.0.1:{playground.sandbox.ws_port}"
        super().__init__(url, books, playground.time, playground.time, notes)
        self._time = playground.time
        self._marks = 0
        self._seen = asyncio.Event()

    def frame(self, text: bytes) -> None:
        super().frame(text)
        match read_frame(text):
            case AckFrame(message=message) if message == f"join|mark:{self._marks}":
                self._seen.set()
            case _:
                pass

    async def step(self) -> None:
        """One batch of the sandbox, and all that came of it."""
        await self._time.pass_by(BATCH)
        await self.caught_up()

    async def caught_up(self) -> None:
        self._marks += 1
        self._seen.clear()
        async with asyncio.timeout(PATIENCE):
            await self._stream.join(("mark", str(self._marks)))
            await self._seen.wait()


@asynccontextmanager
async def followed(playground: Playground, *pairs: str) -> AsyncIterator[tuple[FollowingFeed, dict[str, PairBook]]]:
    """Books that are kept, and whole."""
    books = {pair: PairBook() for pair in pairs}
    feed = FollowingFeed(playground, books, playground.notes)
    running = asyncio.ensure_future(feed.run())
    try:
        async with asyncio.timeout(PATIENCE):
            while not all(book.kept.is_whole for book in books.values()):
                await asyncio.sleep(0.005)
        yield feed, books
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def traded_on(playground: Playground, *pairs: str) -> AsyncIterator[MarketData]:
    """The whole market side, books over REST included; time has to pass for anything to happen."""
    sandbox = playground.sandbox
    endpoints = Endpoints(
        playground.api, f"http://127.0.0.1:{sandbox.graph_port}", f"ws://127.0.0.1:{sandbox.ws_port}", is_loopback=True
    )
    time = playground.time
    market = MarketData.connect(endpoints, pairs, MINUTE, time, time, playground.notes)
    await market.start()
    running = asyncio.ensure_future(market.run())
    try:
        yield market
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await market.aclose()


async def source_book(playground: Playground, pair: str) -> Book:
    """What the sandbox shows of a pair, a hundred levels a side."""
    data = await playground.book(pair)
    sides = (tuple(Level(Decimal(price), Decimal(amount)) for price, amount in data[name]) for name in ("bids", "asks"))
    return Book(*sides)


def kept_book(book: PairBook) -> Book:
    return book.kept.top(LEVELS_MAX)
