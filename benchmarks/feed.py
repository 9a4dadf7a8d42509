"""What the market's feed costs: all 379 pairs kept current, and a burst taken in, beside the plain way to do it.

1. The whole feed at its peak, 350 frames a second in batches: every frame read exactly and applied to its book, socket
   included. The figure is CPU time per second of feed.
2. A burst of the same frames, as fast as they come: our stream with its typed frames, and in turns with it `websockets`
   with `json.loads` and pydantic models, all amounts `Decimal` on both sides. The figure is CPU time per frame, which
   bounds the rate; the source has a core of its own.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from typing import Annotated

from feed_source import BATCH_SECONDS, PAIRS, PEAK, feed_source
from figures import Figure, parser, pin, tell
from pydantic import BaseModel, Field
from websockets.asyncio.client import connect

from btcbot.domain.events import Event
from btcbot.domain.money import use_money_context
from btcbot.domain.profiles import ClockProfile
from btcbot.exchange.frame_text import read_frame
from btcbot.exchange.stream import Stream
from btcbot.exchange.wire import BookUpdateFrame, TickerFrame, WelcomeFrame
from btcbot.market_data.book_feed import BookFeed
from btcbot.market_data.pair_book import PairBook
from btcbot.services.runtime import build_runtime

SECONDS, SECONDS_QUICK = 40, 2  # of feed in a round
ROUNDS, ROUNDS_QUICK = 7, 2
SHARE_MAX = 3.0  # percent of a core
RATIO_MIN = 1.7
QUICKENED = 20  # batches come so many times as fast as on the wire: what each costs stays the same
PATIENCE = 120.0
RUNTIME = build_runtime(ClockProfile(Decimal(1), None))
PLAY = '[151,{"type":151,"channel":"play","event":"ALL","join":true}]'


class Silent:
    """An observer that fails where a figure would be worthless."""

    def observed(self, event: Event, **fields: object) -> None:
        if event in (Event.FRAME_REFUSED, Event.BOOK_GAPPED, Event.STREAM_LOST):
            raise RuntimeError(f"{event}: {fields}")


# ------------------------------------------------------------------------------------------- the plain way


class PlainChange(BaseModel):
    kind: Annotated[int, Field(alias="CP")]
    price: Annotated[Decimal, Field(alias="P")]
    amount: Annotated[Decimal, Field(alias="A")]


class PlainUpdate(BaseModel):
    number: Annotated[int, Field(alias="CS")]
    pair: Annotated[str, Field(alias="PS")]
    asks: Annotated[list[PlainChange], Field(alias="AO")]
    bids: Annotated[list[PlainChange], Field(alias="BO")]
    channel: str | None = None
    event: str | None = None


class PlainTicker(BaseModel):
    bid: Annotated[Decimal, Field(alias="B")]
    ask: Annotated[Decimal, Field(alias="A")]
    bid_amount: Annotated[Decimal | None, Field(alias="BA")] = None
    ask_amount: Annotated[Decimal | None, Field(alias="AA")] = None
    pair: Annotated[str, Field(alias="PS")]
    high: Annotated[Decimal, Field(alias="H")]
    low: Annotated[Decimal, Field(alias="L")]
    last: Annotated[Decimal, Field(alias="LA")]
    open: Annotated[Decimal, Field(alias="O")]
    volume: Annotated[Decimal, Field(alias="V")]
    average: Annotated[Decimal, Field(alias="AV")]
    daily: Annotated[Decimal, Field(alias="D")]
    daily_percent: Annotated[Decimal, Field(alias="DP")]
    denominator: Annotated[str, Field(alias="DS")]
    numerator: Annotated[str, Field(alias="NS")]
    pair_id: Annotated[int, Field(alias="PId")]
    channel: str | None = None
    event: str | None = None


PLAIN: dict[int, type[BaseModel]] = {432: PlainUpdate, 402: PlainTicker}


async def plain_burst(url: str, count: int) -> float:
    """CPU seconds for so many frames."""
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.recv()
        began = time.process_time()
        await socket.send(PLAY)
        async for text in socket:
            kind, body = json.loads(text)
            PLAIN[kind].model_validate(body)
            count -= 1
            if not count:
                break
        return time.process_time() - began


# ------------------------------------------------------------------------------------------- ours


class Taking:
    """Reads every frame and keeps none."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._began = 0.0
        self.took: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connected(self) -> None:
        self._began = time.process_time()

    def lost(self) -> None: ...

    def frame(self, text: bytes) -> None:
        match read_frame(text):
            case BookUpdateFrame() | TickerFrame():
                self._left -= 1
                if not self._left:
                    self.took.set_result(time.process_time() - self._began)
            case WelcomeFrame():
                self._began = time.process_time()


async def our_burst(url: str, count: int) -> float:
    """CPU seconds for so many frames."""
    taking = Taking(count)
    stream = Stream(url, [("play", "ALL")], taking, RUNTIME.clock, RUNTIME.sleeper, Silent(), name="burst")
    return await _ran(stream.run, taking.took)


class CountedFeed(BookFeed):
    """Tells the CPU seconds between the first frame that moves something and the last."""

    def __init__(self, url: str, books: Mapping[str, PairBook], count: int) -> None:
        super().__init__(url, books, RUNTIME.clock, RUNTIME.sleeper, Silent())
        self._pairs = books
        self._count = self._left = count
        self._began = 0.0
        self.took: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def frame(self, text: bytes) -> None:
        if text.startswith((b"[432", b"[402")):
            if self._left == self._count:
                self._began = time.process_time()
            self._left -= 1
        super().frame(text)
        if not self._left and not self.took.done():
            cpu = time.process_time() - self._began
            if not all(book.kept.is_whole for book in self._pairs.values()):
                raise RuntimeError("a book was lost on the way")
            self.took.set_result(cpu)


async def kept_books(url: str, count: int) -> float:
    """CPU seconds for so many frames, each applied to its book."""
    feed = CountedFeed(url, {pair: PairBook() for pair in PAIRS}, count)
    return await _ran(feed.run, feed.took)


async def _ran(run: Callable[[], Coroutine[None, None, None]], took: "asyncio.Future[float]") -> float:
    running = asyncio.ensure_future(run())
    try:
        await asyncio.wait((running, took), timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        return took.result()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def main() -> int:
    options = parser(__doc__).parse_args()
    seconds, rounds = (SECONDS_QUICK, ROUNDS_QUICK) if options.quick else (SECONDS, ROUNDS)
    pin(0)
    use_money_context()
    count = seconds * PEAK
    kept: list[float] = []
    ours: list[float] = []
    plain: list[float] = []
    with (
        feed_source(seconds, BATCH_SECONDS / QUICKENED) as paced,
        feed_source(seconds, 0.0) as bursting,
    ):
        for _ in range(rounds):
            kept.append(asyncio.run(kept_books(paced, count)) / seconds)
            ours.append(asyncio.run(our_burst(bursting, count)) / count * 1e6)
            plain.append(asyncio.run(plain_burst(bursting, count)) / count * 1e6)
    ratio = statistics.median(theirs / mine for theirs, mine in zip(plain, ours, strict=True))
    figures = [
        Figure("whole feed, 379 pairs, into books", statistics.median(kept) * 100, "% of a core", at_most=SHARE_MAX),
        Figure("burst, ours", statistics.median(ours), "µs a frame"),
        Figure("burst, websockets + json + pydantic", statistics.median(plain), "µs a frame"),
        Figure("burst, theirs by ours", ratio, at_least=RATIO_MIN, note=f"{count} frames, {rounds} rounds"),
    ]
    return tell(figures, options)


if __name__ == "__main__":
    raise SystemExit(main())
