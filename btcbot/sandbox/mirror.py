"""Another exchange's market as our own: its books and trades as they come, and only our fills are simulated.

1. Books come by differences, trades one by one, both over the WebSocket; the rules of the pairs and closed minutes over
   REST. Nothing is sent there but joins: no key, no order.
2. A book counts as current while the ticker of its pair agrees with it or a frame of its own is not older than
   `FRESH_SECONDS_MAX`. One that does not is shown empty, as is that of a pair which is halted over there: without
   prices nothing trades, with old ones it would.
3. A gap in the numbers gives the connection up; the next one begins with whole books. Where numbers jump all the time,
   they only have to rise (open question E1).
4. Trades that happened while nobody listened go onto the tape and fill no order.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from btcbot.domain.errors import ConfigurationError, ExchangeUnreachable
from btcbot.domain.events import Event
from btcbot.domain.money import MalformedNumber
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import Endpoints
from btcbot.exchange.errors import Malformed
from btcbot.exchange.http import Http, Query
from btcbot.exchange.stream import Stream
from btcbot.sandbox.floor import milliseconds
from btcbot.sandbox.frame_reader import Document, FrameReader, listing_of, text_of
from btcbot.simulation.books import EMPTY, MINUTE_MS, Bar, Depth, Print
from btcbot.simulation.listings import Listing
from btcbot.simulation.replay import UnusableRecord, steps_of
from btcbot.simulation.replay_pair import Gap, Message, TapedPair, TapeTrade

CHANNELS = ("obdiff", "trade", "ticker")
TRADING = "TRADING"
READ_SECONDS = 15.0
BOOKS_SECONDS_MAX = 15.0  # from the start to every pair's whole book
FRESH_SECONDS_MAX = 5.0
STALE_SECONDS_MAX = 20.0  # then another connection may know better
LOOK_SECONDS = 1.0
CANDLES_SECONDS = 3.0  # between two questions for candles: a third of what an address may ask (protocol 9)
CANDLES_MAX = 500  # in an answer
RULES_SECONDS = 120.0
HISTORY_MINUTES = 1_440
GAPS_MAX = 3  # connections that were given up because numbers jumped; then they may


class MirrorUnreachable(ExchangeUnreachable):
    next_step = "check the network and the three BTCBOT_SANDBOX_MIRROR_…_URL, then start again"


@dataclass(slots=True)
class _Mirrored:
    """A pair, and when its book was last known to be right."""

    market: TapedPair
    proven_at: float | None = None
    is_stale: bool = True
    is_trading: bool = True  # as the rules over there have it


class Mirror:
    """A `Source`. What its tasks hear is shown at the next `advance`."""

    is_ended = False

    def __init__(
        self, endpoints: Endpoints, listings: Mapping[str, Listing], clock: Clock, sleeper: Sleeper, observer: Observer
    ) -> None:  # fmt: skip
        self.listings = listings
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer
        self._pairs = {pair: _Mirrored(TapedPair(listing)) for pair, listing in listings.items()}
        self._reader = FrameReader(listings)
        self._prints: list[Print] = []
        self._gaps = 0
        self._abandoned_at: float | None = None
        self._began = asyncio.Event()  # every pair has its first book
        self._following: asyncio.Task[None] | None = None
        channels = [(channel, pair) for pair in listings for channel in CHANNELS]
        self._stream = Stream(endpoints.ws_url, channels, self, clock, sleeper, observer, name="mirror")
        self._api, self._graph = Http(endpoints.api_url), Http(endpoints.graph_url)

    # ------------------------------------------------------------------------------------------- as a source

    def advance(self, now_ms: int) -> Sequence[Print]:
        """The trades heard since the last call. Raises whatever ended the following."""
        if self._following is not None and self._following.done():
            self._following.result()
        now = self._clock.monotonic()
        for pair, mirrored in self._pairs.items():
            is_stale = mirrored.proven_at is None or now - mirrored.proven_at > FRESH_SECONDS_MAX
            if is_stale and not mirrored.is_stale:
                self._observer.observed(Event.BOOK_GAPPED, pair=pair, reason="its book is no longer current")
            mirrored.is_stale = is_stale
        prints, self._prints = self._prints, []
        return prints

    def depth(self, pair: str) -> Depth:
        mirrored = self._pairs[pair]
        return mirrored.market.depth() if mirrored.is_trading and not mirrored.is_stale else EMPTY

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        return self._pairs[pair].market.bars(from_ms, until_ms)

    def recent(self, pair: str) -> Sequence[Print]:
        return tuple(self._pairs[pair].market.tape)

    # ------------------------------------------------------------------------------------------- what the stream tells

    def connected(self) -> None:
        self._abandoned_at = self._clock.monotonic()

    def lost(self) -> None:
        self._play(self._reader.broken(self._now_ms()))

    def frame(self, text: bytes) -> None:
        """Raises `Malformed`, which is told and forgotten."""
        try:
            kind, body = json.loads(text)
            if kind == 402:
                self._compare(body)
            else:
                for message in self._reader.frame(self._now_ms(), kind, body):
                    self._play(message, is_new=kind == 422)
        except (ValueError, TypeError, KeyError, RecursionError, MalformedNumber, UnusableRecord) as error:
            raise Malformed(f"a frame of the mirrored exchange: {error}") from error

    def _play(self, message: Message, *, is_new: bool = False) -> None:
        now = self._clock.monotonic()
        if isinstance(message, Gap):
            for mirrored in self._pairs.values() if message.pair is None else (self._pairs[message.pair],):
                mirrored.market.forget()
                mirrored.proven_at = None
            if message.pair is not None:
                self._gapped(message.pair)
            return
        mirrored = self._pairs[message.pair]
        if isinstance(message, TapeTrade):
            print_ = mirrored.market.print(message, message.at_ms)
            if print_ is not None and is_new:
                self._prints.append(print_)
            return
        mirrored.market.take(message)
        mirrored.proven_at = now
        if not self._began.is_set() and all(each.market.is_whole for each in self._pairs.values()):
            self._began.set()

    def _compare(self, body: Document) -> None:
        """A ticker that agrees proves a book that says nothing because it does not change."""
        pair = text_of(body["PS"])
        mirrored = self._pairs.get(pair)
        if mirrored is None or not mirrored.market.is_whole:
            return
        decimals = self.listings[pair].price_decimals
        touch = tuple(steps_of(text_of(body[side]), decimals) or None for side in ("B", "A"))
        if touch == mirrored.market.touch():
            mirrored.proven_at = self._clock.monotonic()

    def _gapped(self, pair: str) -> None:
        self._gaps += 1
        if self._gaps > GAPS_MAX and self._reader.is_by_one:
            self._reader.is_by_one = False
            self._observer.observed(Event.BOOK_NUMBERS_RELAXED, pair=pair)
        self._abandon(pair, "a number was left out")

    def _abandon(self, pair: str, reason: str) -> None:
        self._observer.observed(Event.BOOK_GAPPED, pair=pair, reason=reason)
        self._abandoned_at = self._clock.monotonic()
        self._stream.abandon()

    # ------------------------------------------------------------------------------------------- the following

    async def follow(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stream.run())
            tasks.create_task(self._watch())
            tasks.create_task(self._refresh())
            tasks.create_task(self._look_at_rules())

    async def begin(self, following: asyncio.Task[None]) -> None:
        """Wait for the first book of every pair. Raises `MirrorUnreachable`."""
        self._following = following
        waiting = asyncio.create_task(self._began.wait())
        try:
            await asyncio.wait({waiting, following}, timeout=BOOKS_SECONDS_MAX, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if following.done():
            following.result()
        if not self._began.is_set():
            missing = [pair for pair, mirrored in self._pairs.items() if not mirrored.market.is_whole]
            raise MirrorUnreachable(f"the mirrored exchange sends no book of {', '.join(missing)}")

    async def _watch(self) -> None:
        """A connection that leaves a book stale for long is given up, at most as often as that."""
        while True:
            await self._sleeper.sleep(LOOK_SECONDS)
            now = self._clock.monotonic()
            if self._abandoned_at is None or now - self._abandoned_at <= STALE_SECONDS_MAX:
                continue
            for pair, mirrored in self._pairs.items():
                if mirrored.proven_at is None or now - mirrored.proven_at > STALE_SECONDS_MAX:
                    self._abandon(pair, "its book has not been current for long")
                    break

    async def _refresh(self) -> None:
        """Closed minutes of one pair after another: what was not heard is in them, too."""
        for pair in cycle(self._pairs):
            await self._sleeper.sleep(CANDLES_SECONDS)
            closed_ms = self._now_ms() // MINUTE_MS * MINUTE_MS - MINUTE_MS
            try:
                await self._read_minutes(pair, closed_ms - (CANDLES_MAX - 1) * MINUTE_MS, closed_ms)
            except ExchangeUnreachable as error:
                self._observer.observed(Event.REQUEST_FAILED, what="candles", pair=pair, error=str(error))

    async def _look_at_rules(self) -> None:
        """Which pairs are halted. The grids are those of the start: orders were placed on them."""
        while True:
            await self._sleeper.sleep(RULES_SECONDS)
            try:
                rows = await _symbols(self._api)
            except ExchangeUnreachable as error:
                self._observer.observed(Event.REQUEST_FAILED, what="exchange info", error=str(error))
                continue
            for pair, mirrored in self._pairs.items():
                mirrored.is_trading = pair in rows and rows[pair].get("status") == TRADING

    async def read_history(self) -> None:
        """The last trades and the last day's minutes of every pair. Raises `MirrorUnreachable`."""
        now_ms = self._now_ms() // MINUTE_MS * MINUTE_MS
        for pair in self._pairs:
            trades = await _read(self._api, "/api/v2/trades", (("pairSymbol", pair),))
            try:
                self._reader.learn(pair, trades["data"])
            except (KeyError, TypeError, ValueError) as error:
                raise MirrorUnreachable(f"the mirrored exchange's trades of {pair} make no sense ({error})") from error
            for first in range(now_ms - HISTORY_MINUTES * MINUTE_MS, now_ms, CANDLES_MAX * MINUTE_MS):
                await self._read_minutes(pair, first, min(first + CANDLES_MAX * MINUTE_MS, now_ms) - MINUTE_MS)

    async def _read_minutes(self, pair: str, from_ms: int, until_ms: int) -> None:
        query = (
            ("symbol", pair), ("resolution", "1"), ("from", str(from_ms // 1000)), ("to", str(until_ms // 1000)),
        )  # fmt: skip
        columns = await _read(self._graph, "/v1/klines/history", query)
        listing, market = self.listings[pair], self._pairs[pair].market
        try:
            if columns["s"] != "ok":
                return
            for opened, *prices, volume in zip(*(columns[name] for name in "tohlcv"), strict=True):
                at_ms = int(opened) * 1000
                if from_ms <= at_ms <= until_ms:
                    first, high, low, last = (steps_of(str(price), listing.price_decimals) for price in prices)
                    market.keep(Bar(at_ms, first, high, low, last, steps_of(str(volume), listing.lot_decimals)))
        except (KeyError, TypeError, ValueError, UnusableRecord) as error:
            raise MirrorUnreachable(f"the mirrored exchange's candles of {pair} make no sense ({error})") from error

    async def aclose(self) -> None:
        await self._api.aclose()
        await self._graph.aclose()

    def _now_ms(self) -> int:
        return milliseconds(self._clock.now())


@asynccontextmanager
async def mirrored(
    endpoints: Endpoints, pairs: Sequence[str], clock: Clock, sleeper: Sleeper, observer: Observer
) -> AsyncIterator[Mirror]:
    """A mirror that shows whole books already, and follows as long as this is open.

    Raises `MirrorUnreachable`, and `ConfigurationError` for pairs that are not listed there.
    """
    mirror = Mirror(endpoints, await _listings(endpoints, pairs), clock, sleeper, observer)
    try:
        await mirror.read_history()
        following = asyncio.create_task(mirror.follow())
        try:
            await mirror.begin(following)
            yield mirror
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    finally:
        await mirror.aclose()


async def _listings(endpoints: Endpoints, pairs: Sequence[str]) -> Mapping[str, Listing]:
    api = Http(endpoints.api_url)
    try:
        rows = await _symbols(api)
    finally:
        await api.aclose()
    missing = [pair for pair in pairs if pair not in rows]
    if missing:
        raise ConfigurationError(f"BTCBOT_PAIRS names {', '.join(missing)}, which the mirrored exchange does not list")
    try:
        return {pair: listing_of(rows[pair]) for pair in pairs}
    except (KeyError, TypeError, ValueError, MalformedNumber) as error:
        raise MirrorUnreachable(f"the mirrored exchange's rules make no sense ({error})") from error


async def _symbols(api: Http) -> Mapping[str, Document]:
    """The rules of all pairs, by name. Raises `MirrorUnreachable`."""
    document = await _read(api, "/api/v2/server/exchangeinfo", ())
    try:
        return {text_of(row["name"]): row for row in document["data"]["symbols"]}
    except (KeyError, TypeError) as error:
        raise MirrorUnreachable(f"the mirrored exchange's rules make no sense ({error})") from error


async def _read(http: Http, path: str, query: Query) -> dict[str, Any]:
    """One answer, numbers as text. Raises `MirrorUnreachable` for anything but success."""
    try:
        answer = await http.send("GET", path, query, timeout=READ_SECONDS)
    except ExchangeUnreachable as error:
        raise MirrorUnreachable(f"the mirrored exchange does not answer: {error.args[0]}") from error
    try:
        document = json.loads(answer.body, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise MirrorUnreachable(f"{http.netloc}{path} answered HTTP {answer.status} without JSON") from error
    if answer.status != 200 or not isinstance(document, dict):
        raise MirrorUnreachable(f"{http.netloc}{path} answered HTTP {answer.status}")
    return document
