"""The market against a stub: REST in memory, the socket on loopback, the clock fifty times as fast."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from websockets.asyncio.server import ServerConnection, serve

from btcbot.domain.errors import ConfigurationError, ExchangeUnreachable
from btcbot.domain.events import Event
from btcbot.domain.market import MarketView
from btcbot.domain.profiles import ClockProfile, Role
from btcbot.exchange.http import Http
from btcbot.exchange.limits import Budgets
from btcbot.exchange.public import PublicClient
from btcbot.market_data.market import MarketData
from btcbot.services.runtime import build_runtime, run
from tests.unit.exchange.builders import Remembering, d, sample_bytes

MINUTE = timedelta(minutes=1)
FAST = ClockProfile(Decimal(50), datetime.now(UTC))


class Exchange:
    """One pair, BTCTRY, bid 99 and ask 101 at first; what it does wrong is a switch."""

    def __init__(self) -> None:
        self.clock = build_runtime(FAST).clock
        self.sleeper = build_runtime(FAST).sleeper
        self.touch = ("99", "101")
        self.rest_touch: tuple[str, str] | None = None  # where it is another one
        self.number = 0
        self.is_down = False
        self.sends_tickers = True
        self.skips_a_number = False
        self.step: int | None = None  # between the numbers of updates that come with every ticker
        self.price_once = ""  # of one update
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
            await self.sleeper.sleep(0.8)
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

    def _book(self, kind: int) -> str:
        bid, ask = self.touch
        flag = {} if kind == 431 else {"CP": 0}
        body = {
            "CS": self.number, "PS": "BTCTRY", "AO": [flag | {"A": "1", "P": ask}], "BO": [flag | {"A": "1", "P": bid}],
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
    def __init__(self, exchange: Exchange, port: int, pairs: tuple[str, ...]) -> None:
        self.exchange = exchange
        self.clock = exchange.clock
        self.sleeper = exchange.sleeper
        self.observer = Remembering()
        http = Http("https://api.example.test", httpx.MockTransport(exchange.answer))
        public = PublicClient(http, http, Budgets(Role.LIVE, self.clock), self.observer)
        self.market = MarketData(
            public, f"ws://127.0.0.1:{port}", pairs, MINUTE, self.clock, self.sleeper, self.observer
        )

    def view(self) -> MarketView:
        return self.market.snapshot({}).views["BTCTRY"]

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(600):
            while not is_true():
                await self.sleeper.sleep(0.3)


def played(
    play: Callable[[Scene], Awaitable[None]], *, starts: bool = True, pairs: tuple[str, ...] = ("BTCTRY",)
) -> None:
    async def main() -> None:
        exchange = Exchange()
        async with serve(exchange.serve, "127.0.0.1", 0, ping_interval=None, close_timeout=1) as listening:
            scene = Scene(exchange, listening.sockets[0].getsockname()[1], pairs)
            if starts:
                await scene.market.start()
            running = asyncio.ensure_future(scene.market.run())
            try:
                await play(scene)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await scene.market.aclose()

    run(main, FAST)


def test_a_start_gives_rules_and_a_first_book() -> None:
    async def play(scene: Scene) -> None:
        view = scene.view()
        assert (view.instrument.base, view.instrument.price_step) == ("BTC", 1)
        assert (view.book.bids[0].price, view.is_gapped) == (99, False)

    played(play)


def test_a_quiet_book_stays_fresh_by_the_ticker() -> None:
    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.exchange.joins))
        asked = scene.exchange.paths.count("/api/v2/orderbook")
        await scene.sleeper.sleep(20)
        assert scene.market.ages()["BTCTRY"] < timedelta(seconds=5)
        assert scene.exchange.paths.count("/api/v2/orderbook") <= asked + 3  # a cross-check, not a poll

    played(play)


def test_a_silent_feed_is_replaced_by_rest() -> None:
    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.exchange.joins))
        scene.exchange.sends_tickers = False
        scene.exchange.touch = ("97", "103")
        await scene.until(lambda: scene.view().book.bids[0].price == 97)
        await scene.sleeper.sleep(15)
        assert scene.view().book_age < timedelta(seconds=10)

    played(play)


def test_an_exchange_that_fell_silent_altogether_makes_the_book_old() -> None:
    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.exchange.joins))
        scene.exchange.sends_tickers = scene.exchange.answers_joins = False
        scene.exchange.is_down = True
        await scene.sleeper.sleep(20)
        assert scene.view().book_age > timedelta(seconds=10)

    played(play)


def test_an_old_book_in_a_fresh_answer_is_old() -> None:
    async def play(scene: Scene) -> None:
        assert scene.view().book_age >= timedelta(seconds=60)

    async def started(scene: Scene) -> None:
        scene.exchange.book_delay = timedelta(seconds=60)
        scene.exchange.answers_joins = False
        await scene.market.start()
        await play(scene)

    played(started, starts=False)


def test_a_gap_is_told_and_repaired_by_leaving_and_joining() -> None:
    async def play(scene: Scene) -> None:
        await scene.until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.skips_a_number = True
        await scene.until(lambda: bool(scene.observer.named(Event.BOOK_RESYNCED)))
        assert scene.exchange.joins[-3:] == [True, False, True]
        assert scene.observer.named(Event.BOOK_GAPPED)[-1] == {"pair": "BTCTRY", "reason": "gapped"}
        assert not scene.view().is_gapped

    played(play)


def test_a_join_that_brings_no_book_is_repeated_and_then_the_connection_replaced() -> None:
    async def play(scene: Scene) -> None:
        scene.exchange.answers_joins = False
        await scene.until(lambda: len(scene.observer.named(Event.STREAM_CONNECTED)) == 2)
        assert scene.exchange.joins[:3] == [True, False, True]
        (lost,) = scene.observer.named(Event.STREAM_LOST)
        assert lost["reason"] == "given up: no book of BTCTRY after joining again"
        scene.exchange.answers_joins = True
        await scene.until(lambda: scene.exchange.books_sent > 0)

    played(play)


def test_a_refused_join_is_left_and_joined() -> None:
    async def play(scene: Scene) -> None:
        scene.exchange.refuses_joins = 1
        await scene.until(lambda: bool(scene.observer.named(Event.BOOK_RESYNCED)))
        assert scene.exchange.joins == [True, False, True]
        assert scene.observer.named(Event.BOOK_GAPPED)[0]["reason"] == "the join was refused"

    played(play)


def test_a_frame_that_cannot_be_read_ends_the_book_that_it_is_about() -> None:
    async def play(scene: Scene) -> None:
        await scene.until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.price_once = '"1_0"'
        await scene.until(lambda: bool(scene.observer.named(Event.BOOK_RESYNCED)))
        assert scene.observer.named(Event.BOOK_GAPPED)[0]["reason"] == "a frame of it could not be read"
        assert len(scene.observer.named(Event.FRAME_REFUSED)) == 1

    played(play)


def test_numbers_that_jump_while_rest_agrees_only_have_to_rise() -> None:
    async def play(scene: Scene) -> None:
        scene.exchange.step = 3
        await scene.until(lambda: bool(scene.observer.named(Event.BOOK_NUMBERS_RELAXED)))
        assert len(scene.observer.named(Event.BOOK_GAPPED)) >= 5
        await scene.sleeper.sleep(5)
        gaps = len(scene.observer.named(Event.BOOK_GAPPED))
        await scene.sleeper.sleep(20)
        assert len(scene.observer.named(Event.BOOK_GAPPED)) == gaps
        assert not scene.view().is_gapped

    played(play)


def test_numbers_that_jump_while_rest_contradicts_stay_gaps() -> None:
    async def play(scene: Scene) -> None:
        scene.exchange.step = 3
        scene.exchange.rest_touch = ("50", "60")
        await scene.until(lambda: len(scene.observer.named(Event.BOOK_GAPPED)) >= 8)
        assert scene.observer.named(Event.BOOK_NUMBERS_RELAXED) == []

    played(play)


def test_an_open_socket_on_which_no_data_come_is_replaced() -> None:
    async def play(scene: Scene) -> None:
        await scene.until(lambda: scene.exchange.books_sent == 1)
        scene.exchange.sends_tickers = False
        await scene.until(lambda: bool(scene.observer.named(Event.STREAM_LOST)))
        (lost,) = scene.observer.named(Event.STREAM_LOST)
        assert lost["reason"] == "given up: no data on any channel"
        assert scene.observer.named(Event.SUBSCRIPTION_SILENT)

    played(play)


def test_a_ticker_that_contradicts_the_book_for_long_disproves_it() -> None:
    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.exchange.joins))
        await scene.sleeper.sleep(2)
        scene.exchange.touch = ("197", "203")  # the book is told nothing of it
        await scene.until(lambda: scene.view().is_gapped)
        await scene.until(lambda: scene.view().book.bids[0].price == 197 and not scene.view().is_gapped)
        reasons = {fields["reason"] for fields in scene.observer.named(Event.BOOK_GAPPED)}
        assert reasons & {"the ticker contradicts it", "the order book over REST contradicts it"}

    played(play)


def test_closed_candles_come_minute_by_minute_and_never_the_running_one() -> None:
    async def play(scene: Scene) -> None:
        history = await scene.market.backfill("BTCTRY", 600)
        assert len(history) == 600
        assert all(b.opened_at - a.opened_at == MINUTE for a, b in itertools.pairwise(history))
        assert history[-1].opened_at + MINUTE <= scene.clock.now()
        seen = history[-1].opened_at

        def fresh() -> tuple[object, ...]:
            return scene.market.snapshot({"BTCTRY": seen}).views["BTCTRY"].new_candles

        await scene.until(lambda: len(fresh()) >= 2)
        candles = scene.market.snapshot({"BTCTRY": seen}).views["BTCTRY"].new_candles
        assert [candle.opened_at for candle in candles[:2]] == [seen + MINUTE, seen + 2 * MINUTE]
        assert all(candle.opened_at + MINUTE <= scene.clock.now() for candle in candles)

    played(play)


def test_an_interval_without_a_candle_is_flat_when_the_next_one_comes() -> None:
    async def play(scene: Scene) -> None:
        (last,) = await scene.market.backfill("BTCTRY", 1)
        scene.exchange.no_candles_in.add(int((last.opened_at + MINUTE).timestamp()))

        def fresh() -> tuple[object, ...]:
            return scene.market.snapshot({"BTCTRY": last.opened_at}).views["BTCTRY"].new_candles

        await scene.until(lambda: len(fresh()) >= 2)
        flat, traded = scene.market.snapshot({"BTCTRY": last.opened_at}).views["BTCTRY"].new_candles[:2]
        assert (flat.opened_at, flat.volume, flat.close) == (last.opened_at + MINUTE, 0, last.close)
        assert traded.volume == d("100")

    played(play)


def test_a_pair_that_is_not_listed_is_an_error_of_the_settings() -> None:
    async def play(scene: Scene) -> None:
        with pytest.raises(ConfigurationError, match="NOPETRY"):
            await scene.market.start()
        assert scene.market.snapshot({}).views == {}
        assert scene.market.ages() == {}

    played(play, starts=False, pairs=("BTCTRY", "NOPETRY"))


def test_a_start_may_be_tried_again() -> None:
    async def play(scene: Scene) -> None:
        scene.exchange.is_down = True
        with pytest.raises(ExchangeUnreachable, match="bad gateway"):
            await scene.market.start()
        scene.exchange.is_down = False
        await scene.market.start()
        assert scene.view().book.bids[0].price == 99

    played(play, starts=False)


def test_the_offset_is_measured() -> None:
    async def play(scene: Scene) -> None:
        measured = await scene.market.measure_offset()
        last = scene.market.last_offset
        assert last is not None
        assert last.round_trip == measured.round_trip
        assert abs(last.offset - measured.offset) < timedelta(seconds=1)
        assert abs(measured.offset) < timedelta(seconds=1)

    played(play)


@pytest.mark.parametrize("interval", [timedelta(seconds=30), timedelta(minutes=2), timedelta(days=1)])
def test_an_interval_that_the_exchange_does_not_offer_is_refused(interval: timedelta) -> None:
    runtime = build_runtime(FAST)
    public = PublicClient(*[Http("https://x.test")] * 2, Budgets(Role.LIVE, runtime.clock), Remembering())  # type: ignore[misc,arg-type]
    with pytest.raises(ConfigurationError):
        MarketData(public, "ws://x.test", ("BTCTRY",), interval, runtime.clock, runtime.sleeper, Remembering())
