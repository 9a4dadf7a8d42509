"""The market as the services see it: instruments, fresh books, closed candles, and the exchange's time.

Books come from the WebSocket feed and are checked against REST; while the feed is down or silent, REST alone serves.
Candles come from REST, just after each interval has closed. Nothing here decides what is fresh enough to trade on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from types import MappingProxyType

from btcbot.domain.errors import BtcbotError, ConfigurationError
from btcbot.domain.events import Event
from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Candle, MarketSnapshot, MarketView
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import Endpoints, Role
from btcbot.exchange.limits import Budgets
from btcbot.exchange.public import PublicClient
from btcbot.exchange.stream import RENEW_SECONDS
from btcbot.exchange.venue_clock import ClockOffset, VenueClock
from btcbot.market_data.book_feed import BookFeed
from btcbot.market_data.candles import RESOLUTIONS_MINUTES, CandleSeries, calls_for, contiguous, opening_of
from btcbot.market_data.pair_book import PREFERRED_SECONDS, PairBook
from btcbot.market_data.watch import LevelWatch

TICK_SECONDS = 1.0
RENEW_STAGGER_SECONDS = 3600.0  # the monitor's connection is renewed later than live's: never both at once
INFO_EVERY_SECONDS = 1800.0
INFO_FRESH_SECONDS = 30.0  # the exchange caches it as long
CANDLE_DELAY = timedelta(seconds=2)  # the exchange needs a moment to write the candle that closed
CANDLE_MARGIN_SECONDS = 0.5  # asked for a little later still
CANDLE_TRIES_MAX = 4
CANDLE_RETRY_SECONDS = 3.0
NO_BOOK = Book((), ())


class MarketData:
    """Raises `ExchangeUnreachable` or `ReadFailed` from what asks the exchange; `snapshot` and `ages` never raise."""

    def __init__(
        self,
        public: PublicClient,
        ws_url: str,
        pairs: tuple[str, ...],
        candle_interval: timedelta,
        clock: Clock,
        sleeper: Sleeper,
        observer: Observer,
        *,
        renew_seconds: float = RENEW_SECONDS,
        watched: tuple[str, ...] = (),
    ) -> None:
        """Of `watched` pairs only candles are kept; they stand in snapshots and nowhere else."""
        self._minutes = candle_interval // timedelta(minutes=1)
        if timedelta(minutes=self._minutes) != candle_interval or self._minutes not in RESOLUTIONS_MINUTES:
            raise ConfigurationError(f"candles of {candle_interval} are not offered by the exchange")
        self._public = public
        self._pairs = pairs
        self._watched = watched
        self._interval = candle_interval
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer
        self._venue_clock = VenueClock(public, clock)
        self._watch = LevelWatch()
        self._books = {pair: PairBook(partial(self._watch.see, pair)) for pair in pairs}
        self._series = {pair: CandleSeries(candle_interval) for pair in (*pairs, *watched)}
        self._feed = BookFeed(ws_url, self._books, clock, sleeper, observer, renew_seconds=renew_seconds)
        self._instruments: dict[str, Instrument] = {}
        self._info_at = 0.0
        self._checked_at: dict[str, float] = {}
        self._started = asyncio.Event()

    @classmethod
    def connect(
        cls,
        endpoints: Endpoints,
        pairs: tuple[str, ...],
        candle_interval: timedelta,
        clock: Clock,
        sleeper: Sleeper,
        observer: Observer,
        *,
        role: Role = Role.LIVE,
        watched: tuple[str, ...] = (),
    ) -> "MarketData":
        """Own connections, and the rate budget of a role. Nothing is sent yet."""
        public = PublicClient.connect(endpoints, Budgets(role, clock), observer)
        renew_seconds = RENEW_SECONDS if role is Role.LIVE else RENEW_SECONDS + RENEW_STAGGER_SECONDS
        return cls(
            public, endpoints.ws_url, pairs, candle_interval, clock, sleeper, observer, renew_seconds=renew_seconds,
            watched=watched,
        )  # fmt: skip

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """Of the pairs that are traded."""
        return MappingProxyType(
            {pair: instrument for pair, instrument in self._instruments.items() if pair in self._books}
        )

    @property
    def last_offset(self) -> ClockOffset | None:
        return self._venue_clock.last

    async def start(self) -> None:
        """Rules of all pairs and a first book of each. May be called again after a failure.

        Raises `ConfigurationError` when the exchange does not list a pair.
        """
        await self._venue_clock.ensure_fresh()
        if self._clock.monotonic() - self._info_at > INFO_FRESH_SECONDS or not self._instruments:
            await self._read_info()
        missing = [pair for pair in self._pairs if pair not in self._instruments]
        if missing:
            raise ConfigurationError(f"BTCBOT_PAIRS names {', '.join(missing)}, which the exchange does not list")
        unknown = [pair for pair in self._watched if pair not in self._instruments]
        if unknown:
            raise ConfigurationError(f"the strategy looks at {', '.join(unknown)}, which the exchange does not list")
        for pair in self._pairs:
            await self._read_book(pair)
        self._started.set()

    async def run(self) -> None:
        """Keep everything current until cancelled; waits for `start` to have succeeded."""
        await self._started.wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._feed.run())
            tasks.create_task(self._keep_books())
            tasks.create_task(self._keep_candles())
            tasks.create_task(self._keep_info())

    async def backfill(self, pair: str, count: int) -> tuple[Candle, ...]:
        """The last closed candles, oldest first, without holes; fewer when the exchange has no more."""
        newest = opening_of(self._settled(), self._interval) - self._interval
        candles: dict[datetime, Candle] = {}
        for since, until in calls_for(newest - self._interval * (count - 1), newest, self._interval):
            for candle in await self._public.candles(pair, self._minutes, since, until):
                candles[candle.opened_at] = candle
        series = self._series[pair]
        candles.update({candle.opened_at: candle for candle in series.last(count)})  # what was shown stays as it was
        filled = tuple(contiguous(candles.values(), self._interval))[-count:]
        if series.last_opened_at is None:
            series.take(filled, self._settled())
        return filled

    def snapshot(self, candles_after: Mapping[str, datetime]) -> MarketSnapshot:
        """All that a decision reads, at this moment. A pair without rules or without any book has no view."""
        now = self._clock.monotonic()
        rules_age = timedelta(seconds=now - self._info_at)
        views: dict[str, MarketView] = {}
        for pair in self._pairs:
            instrument, known = self._instruments.get(pair), self._books[pair].known(now)
            if instrument is None or known is None:
                continue
            candles = self._series[pair].after(candles_after.get(pair))
            views[pair] = MarketView(
                instrument, known.book, known.age, candles, known.is_gapped, known.still_for, rules_age
            )
        for pair in self._watched:
            instrument = self._instruments.get(pair)
            if instrument is not None:
                candles = self._series[pair].after(candles_after.get(pair))
                views[pair] = MarketView(instrument, NO_BOOK, timedelta(), candles, is_gapped=False)
        return MarketSnapshot(self._clock.now(), views)

    def ages(self) -> Mapping[str, timedelta]:
        """How old the newest knowledge of each book is; a pair that never had one is missing."""
        now = self._clock.monotonic()
        ages = ((pair, book.age(now)) for pair, book in self._books.items())
        return {pair: age for pair, age in ages if age is not None}

    def watch(self, levels: Mapping[str, Decimal], crossed: Callable[[], None]) -> None:
        """Call `crossed` as soon as a pair's best bid is not above its level, once for each. Replaces the last call."""
        self._watch.watch(levels, crossed)

    async def measure_offset(self) -> ClockOffset:
        return await self._venue_clock.measure()

    async def aclose(self) -> None:
        await self._public.aclose()

    # ------------------------------------------------------------------------------------------- rules

    async def _read_info(self) -> None:
        listed = await self._public.instruments((*self._pairs, *self._watched))
        gone = {
            pair: replace(instrument, is_trading=False)
            for pair, instrument in self._instruments.items()
            if pair not in listed
        }
        self._instruments.update(gone | listed)
        self._info_at = self._clock.monotonic()

    async def _keep_info(self) -> None:
        while True:
            await self._sleeper.sleep(INFO_EVERY_SECONDS)
            await self._guarded("exchange info", self._read_info)

    # ------------------------------------------------------------------------------------------- books

    async def _keep_books(self) -> None:
        """Read what the feed does not keep fresh; now and then, check what it does."""
        while True:
            for pair in self._pairs:
                if self._needs_reading(pair):
                    await self._guarded("a book", partial(self._read_book, pair))
            await self._sleeper.sleep(TICK_SECONDS)

    def _needs_reading(self, pair: str) -> bool:
        now = self._clock.monotonic()
        book = self._books[pair]
        age = book.kept_age_seconds(now)
        is_stale = age is None or age > PREFERRED_SECONDS
        return is_stale or now - self._checked_at.get(pair, 0.0) > book.check_every_seconds(now)

    async def _read_book(self, pair: str) -> None:
        began = self._clock.monotonic()
        self._checked_at[pair] = began
        book, stamped_at = await self._public.book(pair)
        # A fresh answer may carry an old book: the exchange's own time of it counts too (fault matrix, row 81). A time
        # that is still to come proves as little.
        lag = abs((self._venue_clock.now() - stamped_at).total_seconds())
        self._feed.check(pair, book, min(began, self._clock.monotonic() - lag))

    # ----------------------------------------------------------------------------------------- candles

    async def _keep_candles(self) -> None:
        while True:
            due_at = opening_of(self._settled(), self._interval) + self._interval
            await self._take_candles()
            await self._sleeper.sleep(max((due_at - self._settled()).total_seconds(), 0.0) + CANDLE_MARGIN_SECONDS)

    async def _take_candles(self) -> None:
        """Ask for what is missing. A candle that stays away was perhaps not traded: the next one will tell."""
        for _ in range(CANDLE_TRIES_MAX):
            missing = [pair for pair, series in self._series.items() if series.misses(self._settled())]
            if not missing:
                return
            for pair in missing:
                await self._guarded("candles", partial(self._read_candles, pair))
            if any(self._series[pair].misses(self._settled()) for pair in missing):
                await self._sleeper.sleep(CANDLE_RETRY_SECONDS)

    async def _read_candles(self, pair: str) -> None:
        settled = self._settled()
        series = self._series[pair]
        newest = opening_of(settled, self._interval) - self._interval
        for since, until in calls_for(series.wanted_since(settled), newest, self._interval):
            series.take(await self._public.candles(pair, self._minutes, since, until), settled)

    def _settled(self) -> datetime:
        """The exchange's time, less what it needs to write a candle down: what closed before is final."""
        return self._venue_clock.now() - CANDLE_DELAY

    async def _guarded(self, what: str, ask: Callable[[], Awaitable[None]]) -> None:
        """A failed read ends nothing here: the age of what is known says the rest."""
        try:
            await ask()
        except BtcbotError as error:
            self._observer.observed(Event.REQUEST_FAILED, what=what, error=str(error))
