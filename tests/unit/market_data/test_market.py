"""The market against a stub: REST and the socket in memory, in virtual time."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from btcbot.domain.errors import ConfigurationError, ExchangeUnreachable
from btcbot.domain.events import Event
from btcbot.domain.market import MarketView
from btcbot.domain.profiles import Role
from btcbot.exchange.http import Http
from btcbot.exchange.limits import Budgets
from btcbot.exchange.public import PublicClient
from btcbot.market_data.market import MarketData
from btcbot.risk.sizing import exit_quote
from btcbot.risk.view import RiskView
from tests.unit.domain.builders import FEE_RATIO, LIMITS, trading
from tests.unit.exchange.builders import Remembering, d, sample_bytes
from tests.unit.exchange.memory_network import LoopTime, in_background, memory_network, until

pytestmark = pytest.mark.looptime

MINUTE = timedelta(minutes=1)
PAIR = "BTCTRY"


class Exchange:
    """One pair, BTCTRY, bid 99 and ask 101 at first; what it does wrong is a switch."""

    def __init__(self) -> None:
        self.clock = LoopTime()
        self.touch = ("99", "101")
        self.rest_touch: tuple[str, str] | None = None  # where it is another one
        self.number = 0
        self.is_down = False
        self.sends_tickers = True
        self.skips_a_number = False
        self.step: int | None = None  # between the numbers of updates that come with every ticker
        self.price_once = ""  # of one update
        self.removes = ""  # a bid that goes with the next update
        self.pings = False
        self.refuses_joins = 0
        self.answers_joins = True
        self.book_delay = timedelta()
        self.joins: list[bool] = []
        self.books_sent = 0
        self.paths: list[str] = []
        self.no_candles_in: set[int] = set()

    # ------------------------------------------------------------------------------------------------ REST

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if self.is_down:
            return httpx.Response(502, content=b"<html>bad gateway</html>")
        now_ms = int(self.clock.now().timestamp() * 1000)
        match request.url.path:
            case "/api/v2/server/time":
                return httpx.Response(200, json={"serverTime": now_ms})
            case "/api/v2/server/exchangeinfo":
                return httpx.Response(200, content=sample_bytes("rest/exchangeinfo.200.json"))
            case "/api/v2/orderbook":
                bid, ask = self.rest_touch or self.touch
                stamp = now_ms - self.book_delay // timedelta(milliseconds=1)
                data = {"timestamp": stamp, "bids": [[bid, "1"]], "asks": [[ask, "1"]]}
                return httpx.Response(200, json={"data": data, "success": True, "message": None, "code": "SUCCESS"})
            case "/v1/klines/history":
                return httpx.Response(200, json=self._candles(request))
        return httpx.Response(404)

    def _candles(self, request: httpx.Request) -> dict[str, object]:
        start, end = (int(request.url.params[name]) for name in ("from", "to"))
        end = min(end, int(self.clock.now().timestamp()) // 60 * 60)
        times = [moment for moment in range(start, end + 1, 60) if moment not in self.no_candles_in]
        if not times:
            return {"s": "no_data"}
        column = [100] * len(times)
        return {"s": "ok", "t": times, "o": column, "h": column, "l": column, "c": column, "v": column}

    # ------------------------------------------------------------------------------------------------ socket

    async def serve(self, socket: ServerConnection) -> None:
        await socket.send('[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]')
        telling = asyncio.ensure_future(self._tell(socket))
        try:
            async for text in socket:
                _, body = json.loads(text)
                await self._subscribed(socket, body)
        finally:
            telling.cancel()

    async def _subscribed(self, socket: ServerConnection, body: dict[str, object]) -> None:
        verb = "join" if body["join"] else "leave"
        message = f"{verb}|{body['channel']}:{body['event']}"
        is_refused = body["channel"] == "obdiff" and bool(body["join"]) and self.refuses_joins > 0
        await socket.send(json.dumps([100, {"type": 100, "ok": not is_refused, "message": message}]))
        if body["channel"] == "obdiff":
            self.joins.append(bool(body["join"]))
            self.refuses_joins -= is_refused
            if body["join"] and self.answers_joins and not is_refused:
                self.number = 100
                self.books_sent += 1
                await socket.send(self._book(431))

    async def _tell(self, socket: ServerConnection) -> None:
        while True:
            await asyncio.sleep(0.8)
            if self.skips_a_number:
                self.skips_a_number = False
                self.number += 2
                await socket.send(self._book(432))
            if self.price_once:
                self.number += 1
                await socket.send(self._book(432).replace(f'"{self.touch[0]}"', self.price_once))
                self.price_once = ""
            if self.step is not None:
                self.number += self.step
                await socket.send(self._book(432))
            if self.sends_tickers:
                await socket.send(self._ticker())
            if self.pings:
                await socket.ping()

    def _book(self, kind: int) -> str:
        bid, ask = self.touch
        flag = {} if kind == 431 else {"CP": 0}
        gone = [{"CP": 3, "A": "1", "P": self.removes}] if kind == 432 and self.removes else []
        body = {
            "CS": self.number, "PS": PAIR, "AO": [flag | {"A": "1", "P": ask}],
            "BO": [flag | {"A": "1", "P": bid}, *gone],
            "channel": "obdiff", "event": "BTCTRY", "type": kind,
        }  # fmt: skip
        return json.dumps([kind, body])

    def _ticker(self) -> str:
        bid, ask = self.touch
        body = {
            "B": bid, "A": ask, "PS": "BTCTRY", "H": "1", "L": "1", "LA": "1", "O": "1", "V": "1", "AV": "1", "D": "1",
            "DP": "1", "DS": "TRY", "NS": "BTC", "PId": 1, "type": 402,
        }  # fmt: skip
        return json.dumps([402, body])


class Scene:
    def __init__(self, pairs: tuple[str, ...], watched: tuple[str, ...]) -> None:
        self.exchange = Exchange()
        self.time = LoopTime()
        self.observer = Remembering()
        http = Http("https://api.example.test", httpx.MockTransport(self.exchange.answer))
        public = PublicClient(http, http, Budgets(Role.LIVE, self.time), self.observer)
        self.market = MarketData(
            public, "ws://exchange.test", pairs, MINUTE, self.time, self.time, self.observer, watched=watched
        )

    def view(self) -> MarketView:
        return self.market.snapshot({}).views[PAIR]

    def reasons(self, event: Event) -> list[object]:
        return [fields.get("reason") for fields in self.observer.named(event)]


@asynccontextmanager
async def playing(
    *, starts: bool = True, pairs: tuple[str, ...] = (PAIR,), watched: tuple[str, ...] = ()
) -> AsyncIterator[Scene]:
    scene = Scene(pairs, watched)
    with memory_network():
        async with serve(scene.exchange.serve, ping_interval=None, close_timeout=1):
            if starts:
                await scene.market.start()
            async with in_background(scene.market.run()):
                yield scene
            await scene.market.aclose()


async def test_a_start_gives_rules_and_a_first_book() -> None:
    async with playing() as scene:
        view = scene.view()
        assert (view.instrument.base, view.instrument.price_step) == ("BTC", 1)
        assert (view.book.bids[0].price, view.is_gapped) == (99, False)


async def test_a_quiet_book_stays_fresh_by_the_ticker() -> None:
    async with playing() as scene:
        await until(lambda: bool(scene.exchange.joins))
        asked = scene.exchange.paths.count("/api/v2/orderbook")
        await asyncio.sleep(20)
        assert scene.market.ages()["BTCTRY"] < timedelta(seconds=5)
        assert scene.exchange.paths.count("/api/v2/orderbook") <= asked + 3  # a cross-check, not a poll


async def test_a_silent_feed_is_replaced_by_rest() -> None:
    async with playing() as scene:
        await until(lambda: bool(scene.exchange.joins))
        scene.exchange.sends_tickers = False
        scene.exchange.touch = ("97", "103")
        await until(lambda: scene.view().book.bids[0].price == 97)
        await asyncio.sleep(15)
        assert scene.view().book_age < timedelta(seconds=10)


async def test_an_exchange_that_fell_silent_altogether_makes_the_book_old() -> None:
    async with playing() as scene:
        await until(lambda: bool(scene.exchange.joins))
        scene.exchange.sends_tickers = scene.exchange.answers_joins = False
        scene.exchange.is_down = True
        await asyncio.sleep(20)
        assert scene.view().book_age > timedelta(seconds=10)


@pytest.mark.parametrize("minutes", [-1, 1])
async def test_an_old_book_in_a_fresh_answer_is_old_and_so_is_one_of_times_to_come(minutes: int) -> None:
    async with playing(starts=False) as scene:
        scene.exchange.book_delay = minutes * MINUTE
        scene.exchange.answers_joins = False
        await scene.market.start()
        assert scene.view().book_age >= timedelta(seconds=60)


async def test_a_gap_is_told_and_repaired_by_leaving_and_joining() -> None:
    async with playing() as scene:
        await until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.skips_a_number = True
        await until(lambda: bool(scene.observer.named(Event.BOOK_RESYNCED)))
        assert scene.exchange.joins[-3:] == [True, False, True]
        assert scene.observer.named(Event.BOOK_GAPPED)[-1] == {"pair": "BTCTRY", "reason": "gapped"}
        assert not scene.view().is_gapped


async def test_a_join_that_brings_no_book_is_repeated_and_then_the_connection_replaced() -> None:
    async with playing() as scene:
        scene.exchange.answers_joins = False
        await until(lambda: len(scene.observer.named(Event.STREAM_CONNECTED)) == 2)
        assert scene.exchange.joins[:3] == [True, False, True]
        (lost,) = scene.observer.named(Event.STREAM_LOST)
        assert lost["reason"] == "given up: no book of BTCTRY after joining again"
        scene.exchange.answers_joins = True
        await until(lambda: scene.exchange.books_sent > 0)


async def test_a_refused_join_is_left_and_joined() -> None:
    async with playing() as scene:
        scene.exchange.refuses_joins = 1
        await until(lambda: bool(scene.observer.named(Event.BOOK_RESYNCED)))
        assert scene.exchange.joins == [True, False, True]
        assert scene.observer.named(Event.BOOK_GAPPED)[0]["reason"] == "the join was refused"


async def test_a_frame_that_cannot_be_read_ends_the_book_that_it_is_about() -> None:
    async with playing() as scene:
        await until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.price_once = '"1_0"'
        await until(lambda: bool(scene.observer.named(Event.BOOK_RESYNCED)))
        assert scene.observer.named(Event.BOOK_GAPPED)[0]["reason"] == "a frame of it could not be read"
        assert len(scene.observer.named(Event.FRAME_REFUSED)) == 1


async def test_numbers_that_jump_while_rest_agrees_only_have_to_rise() -> None:
    async with playing() as scene:
        scene.exchange.step = 3
        await until(lambda: bool(scene.observer.named(Event.BOOK_NUMBERS_RELAXED)))
        assert len(scene.observer.named(Event.BOOK_GAPPED)) >= 5
        await asyncio.sleep(5)
        gaps = len(scene.observer.named(Event.BOOK_GAPPED))
        await asyncio.sleep(20)
        assert len(scene.observer.named(Event.BOOK_GAPPED)) == gaps
        assert not scene.view().is_gapped


async def test_numbers_that_jump_while_rest_contradicts_stay_gaps() -> None:
    async with playing() as scene:
        scene.exchange.step = 3
        scene.exchange.rest_touch = ("50", "60")
        await until(lambda: len(scene.observer.named(Event.BOOK_GAPPED)) >= 8)
        assert scene.observer.named(Event.BOOK_NUMBERS_RELAXED) == []


async def test_an_open_socket_on_which_no_data_come_is_replaced() -> None:
    async with playing() as scene:
        await until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.sends_tickers = False
        await until(lambda: bool(scene.observer.named(Event.STREAM_LOST)))
        (lost,) = scene.observer.named(Event.STREAM_LOST)
        assert lost["reason"] == "given up: no data on any channel"
        assert scene.observer.named(Event.SUBSCRIPTION_SILENT)


async def test_a_book_that_ticker_and_rest_contradict_is_made_anew() -> None:
    async with playing() as scene:
        await until(lambda: bool(scene.exchange.joins))
        await asyncio.sleep(2)
        scene.exchange.touch = ("197", "203")  # the book is told nothing of it
        await until(lambda: scene.view().is_gapped)
        await until(lambda: scene.view().book.bids[0].price == 197 and not scene.view().is_gapped)
        reasons = {fields["reason"] for fields in scene.observer.named(Event.BOOK_GAPPED)}
        assert reasons == {"REST contradicts it"}


async def test_a_feed_that_is_cut_off_and_repeats_itself_is_found_out_by_rest() -> None:
    """Tickers go on, no frame is missing, and every one of them is old (fault matrix, row 81)."""
    async with playing() as scene:
        await until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.rest_touch = ("120", "121")
        began = scene.time.monotonic()
        await until(lambda: scene.view().is_gapped or scene.view().book.bids[0].price == 120)
        assert scene.time.monotonic() - began < 15
        await until(lambda: "REST contradicts it" in scene.reasons(Event.BOOK_GAPPED))
        for _ in range(120):  # the feed sends the same book again and again
            await asyncio.sleep(0.5)
            view = scene.view()
            assert view.is_gapped or view.book.bids[0].price == 120
            assert view.book_age < timedelta(seconds=5)
        assert not view.is_gapped
        scene.exchange.touch, scene.exchange.rest_touch = ("120", "121"), None
        scene.exchange.step = 1
        asked = scene.exchange.paths.count("/api/v2/orderbook")
        await asyncio.sleep(60)
        assert scene.view().book.bids[0].price == 120
        assert scene.exchange.paths.count("/api/v2/orderbook") - asked < 20  # the feed is trusted again


async def test_a_feed_of_pings_alone_makes_the_book_old_and_is_replaced() -> None:
    async with playing() as scene:
        await until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.is_down = True
        scene.exchange.sends_tickers = scene.exchange.answers_joins = False
        scene.exchange.pings = True
        await asyncio.sleep(13)
        assert scene.view().book_age > timedelta(seconds=10)
        await until(lambda: bool(scene.observer.named(Event.STREAM_LOST)))
        assert scene.reasons(Event.STREAM_LOST) == ["given up: no data on any channel"]


async def test_a_bid_that_falls_through_a_level_in_one_frame_wakes_and_no_order_is_priced_by_it() -> None:
    """A glitch: the rest of the book says that no such price can be traded at within the collar."""
    async with playing() as scene:
        await until(lambda: scene.exchange.books_sent == 1)
        woken: list[MarketView] = []
        scene.market.watch({PAIR: d("90")}, lambda: woken.append(scene.view()))
        scene.exchange.touch, scene.exchange.rest_touch = ("1", "101"), ("99", "101")
        scene.exchange.removes, scene.exchange.step = "99", 1
        await until(lambda: bool(woken))
        assert woken[0].book.bids[0].price == 1
        view = RiskView(PAIR, woken[0], trading("1", mark="100"), LIMITS, scene.time.now(), FEE_RATIO)
        assert exit_quote(view, woken[0]) is None


async def test_a_bid_that_falls_through_a_level_of_a_book_that_cannot_be_wakes_nobody() -> None:
    async with playing() as scene:
        await until(lambda: scene.exchange.books_sent == 1)
        woken: list[str] = []
        scene.market.watch({PAIR: d("90")}, lambda: woken.append("crossed"))
        scene.exchange.touch, scene.exchange.rest_touch = ("80", "70"), ("99", "101")
        scene.exchange.removes, scene.exchange.step = "99", 1
        await until(lambda: bool(scene.reasons(Event.BOOK_GAPPED)))
        assert scene.reasons(Event.BOOK_GAPPED)[0] == "impossible"
        assert woken == []


async def test_closed_candles_come_minute_by_minute_and_never_the_running_one() -> None:
    async with playing() as scene:
        history = await scene.market.backfill("BTCTRY", 600)
        assert len(history) == 600
        assert all(b.opened_at - a.opened_at == MINUTE for a, b in itertools.pairwise(history))
        assert history[-1].opened_at + MINUTE <= scene.time.now()
        seen = history[-1].opened_at

        def fresh() -> tuple[object, ...]:
            return scene.market.snapshot({"BTCTRY": seen}).views["BTCTRY"].new_candles

        await until(lambda: len(fresh()) >= 2)
        candles = scene.market.snapshot({"BTCTRY": seen}).views["BTCTRY"].new_candles
        assert [candle.opened_at for candle in candles[:2]] == [seen + MINUTE, seen + 2 * MINUTE]
        assert all(candle.opened_at + MINUTE <= scene.time.now() for candle in candles)


async def test_an_interval_without_a_candle_is_flat_when_the_next_one_comes() -> None:
    async with playing() as scene:
        (last,) = await scene.market.backfill("BTCTRY", 1)
        scene.exchange.no_candles_in.add(int((last.opened_at + MINUTE).timestamp()))

        def fresh() -> tuple[object, ...]:
            return scene.market.snapshot({"BTCTRY": last.opened_at}).views["BTCTRY"].new_candles

        await until(lambda: len(fresh()) >= 2)
        flat, traded = scene.market.snapshot({"BTCTRY": last.opened_at}).views["BTCTRY"].new_candles[:2]
        assert (flat.opened_at, flat.volume, flat.close) == (last.opened_at + MINUTE, 0, last.close)
        assert traded.volume == d("100")


async def test_a_pair_that_is_not_listed_is_an_error_of_the_settings() -> None:
    async with playing(starts=False, pairs=("BTCTRY", "NOPETRY")) as scene:
        with pytest.raises(ConfigurationError, match="NOPETRY"):
            await scene.market.start()
        assert scene.market.snapshot({}).views == {}
        assert scene.market.ages() == {}


async def test_a_watched_pair_has_candles_and_nothing_else() -> None:
    """Whatever it is quoted in: it is not traded."""
    async with playing(watched=("ETHUSDT",)) as scene:
        (last,) = await scene.market.backfill("ETHUSDT", 1)
        after = {"ETHUSDT": last.opened_at}
        await until(lambda: bool(scene.market.snapshot(after).views["ETHUSDT"].new_candles))
        view = scene.market.snapshot(after).views["ETHUSDT"]
        assert view.new_candles[0].opened_at == last.opened_at + MINUTE
        assert (view.book.bids, view.book.asks) == ((), ())
        assert set(scene.market.instruments) == set(scene.market.ages()) == {"BTCTRY"}


async def test_a_watched_pair_that_is_not_listed_is_an_error_of_the_strategy() -> None:
    async with playing(starts=False, watched=("NOPETRY",)) as scene:
        with pytest.raises(ConfigurationError, match="the strategy looks at NOPETRY"):
            await scene.market.start()
        assert scene.market.snapshot({}).views == {}


async def test_a_start_may_be_tried_again() -> None:
    async with playing(starts=False) as scene:
        scene.exchange.is_down = True
        with pytest.raises(ExchangeUnreachable, match="bad gateway"):
            await scene.market.start()
        scene.exchange.is_down = False
        await scene.market.start()
        assert scene.view().book.bids[0].price == 99


async def test_the_offset_is_measured() -> None:
    async with playing() as scene:
        measured = await scene.market.measure_offset()
        last = scene.market.last_offset
        assert last is not None
        assert last.round_trip == measured.round_trip
        assert abs(last.offset - measured.offset) < timedelta(seconds=1)
        assert abs(measured.offset) < timedelta(seconds=1)


@pytest.mark.parametrize("interval", [timedelta(seconds=30), timedelta(minutes=2), timedelta(days=1)])
async def test_an_interval_that_the_exchange_does_not_offer_is_refused(interval: timedelta) -> None:
    time = LoopTime()
    http = Http("https://api.example.test")
    public = PublicClient(http, http, Budgets(Role.LIVE, time), Remembering())
    with pytest.raises(ConfigurationError):
        MarketData(public, "ws://exchange.test", (PAIR,), interval, time, time, Remembering())
