"""A look at every public read of the exchange (protocol, section 4): shapes, caps, orders and errors."""

from collections.abc import Awaitable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.errors import ExchangeUnreachable, ReadFailed
from btcbot.domain.ports import Clock, Observer
from btcbot.domain.profiles import Endpoints, Role
from btcbot.exchange import known_shapes
from btcbot.exchange.conformance import Notebook
from btcbot.exchange.errors import Malformed
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.json_text import read_json
from btcbot.exchange.limits import Budgets, Endpoint
from btcbot.exchange.mappers import time_of
from btcbot.exchange.public import BOOK_LEVELS, TRADES_MAX, PublicClient
from btcbot.exchange.shapes import Kind, kind_of
from btcbot.exchange.venue_clock import VenueClock
from btcbot.market_data.asking import PublicAsker

OFFSET_SECONDS_MAX = 2.5  # the exchange takes stamps up to 5 s off
NOBODY = "NOPEUSDT"  # a pair that does not exist, in the exchange's own way to write one
FEW_LEVELS = 25
BOOK_SECONDS_MAX = 5.0  # how old an order book may be
METHODS = frozenset({"MARKET", "LIMIT", "STOP_MARKET", "STOP_LIMIT"})
INVALID = 1037
MILLISECONDS_MAX = 4_102_444_800_000  # the year 2100
NOT_YET = timedelta(days=30)  # from now: no candle can be there

Row = Mapping[str, object]


class PublicConformance:
    """Asks about twenty questions, one after another, well inside the limits."""

    def __init__(self, endpoints: Endpoints, pair: str, notebook: Notebook, clock: Clock, observer: Observer) -> None:
        self._asker = PublicAsker(endpoints, clock)
        self._client = PublicClient.connect(endpoints, Budgets(Role.MONITOR, clock), observer)
        self._venue_clock = VenueClock(self._client, clock)
        self._pair = pair
        self._notebook = notebook

    async def look(self) -> None:
        """Everything public. Raises `ExchangeUnreachable` when the very first question gets no answer."""
        await self._time()
        await self._exchange_info()
        await self._tickers()
        await self._book()
        await self._trades()
        await self._candles()

    async def trade_sides(self) -> dict[str, str]:
        """Number and side of the last trades, for whoever heard the same ones on the socket."""
        query = (("pairSymbol", self._pair), ("last", str(TRADES_MAX)))
        answer = await self._notebook.asked("trades", self._asker.ask(Endpoint.TRADES, "/api/v2/trades", query))
        rows = _rows(_quietly(answer))
        return {str(row.get("tid")): str(row.get("side")) for row in rows}

    async def aclose(self) -> None:
        await self._asker.aclose()
        await self._client.aclose()

    # -------------------------------------------------------------------------------------------------- time and rules

    async def _time(self) -> None:
        answer = await self._asker.ask(Endpoint.TIME, "/api/v2/server/time")
        self._notebook.document("server time", answer, known_shapes.TIME)
        ping = await self._notebook.asked("ping", self._asker.ask(Endpoint.TIME, "/api/v2/server/ping"))
        self._notebook.document("ping", ping, known_shapes.PING)
        try:
            measured = await self._venue_clock.measure()
        except (ExchangeUnreachable, ReadFailed) as error:
            self._notebook.unasked("clock offset", str(error.args[0]), "D2")
            return
        offset, known_to = measured.offset.total_seconds(), measured.round_trip.total_seconds() / 2
        self._notebook.judge(
            "clock offset", abs(offset) <= OFFSET_SECONDS_MAX, f"{offset:+.3f} s, known to {known_to:.3f} s", "D2"
        )

    async def _exchange_info(self) -> None:
        what = "exchange info"
        answer = await self._notebook.asked(what, self._asker.ask(Endpoint.INFO, "/api/v2/server/exchangeinfo"))
        data = self._notebook.data(what, answer, known_shapes.EXCHANGE_INFO)
        if answer is None or not isinstance(data, dict):
            return
        has_extensions = b'"extensions"' in answer.body
        self._notebook.judge(
            "extensions in exchange info", has_extensions, "there" if has_extensions else "missing", "2"
        )
        rows = _rows(data.get("symbols"))
        self._notebook.judge(
            f"{self._pair} is listed", any(row.get("name") == self._pair for row in rows), f"{len(rows)} pairs"
        )
        others = sum(row.get("status") != "TRADING" for row in rows)
        self._notebook.judge("status of pairs", others == 0, f"{others} of {len(rows)} are not TRADING", "F7")
        numerators = sum(row.get("commissionFromNumerator") is not False for row in rows)
        self._notebook.judge(
            "fee in quote", numerators == 0, f"{numerators} of {len(rows)} pairs take it from the base", "B6"
        )
        methods = {str(method) for row in rows for method in _listed(row.get("orderMethods"))}
        self._notebook.judge("order methods", methods <= METHODS, ", ".join(sorted(methods)))

    # ---------------------------------------------------------------------------------------------- market

    async def _tickers(self) -> None:
        every = await self._notebook.asked("tickers", self._asker.ask(Endpoint.TICKER, "/api/v2/ticker"))
        self._notebook.data("tickers", every, known_shapes.TICKERS)
        what = "ticker of one pair"
        one = await self._notebook.asked(what, self._ticker(self._pair))
        rows = _rows(self._notebook.data(what, one, known_shapes.TICKERS))
        self._notebook.judge("one pair is a list of one", len(rows) == 1, f"{len(rows)} rows", "4.2")
        what = "ticker of an unknown pair"
        none = await self._notebook.asked(what, self._ticker(NOBODY))
        nothing = self._notebook.data(what, none, known_shapes.TICKERS)
        if none is not None:
            self._notebook.judge("an unknown pair is an empty list", nothing == [], f"HTTP {none.status}", "4.2")
        what = "tickers of a currency"
        query = (("symbol", "TRY"),)
        some = await self._notebook.asked(what, self._asker.ask(Endpoint.TICKER, "/api/v2/ticker/currency", query))
        self._notebook.data(what, some, known_shapes.TICKERS)

    def _ticker(self, pair: str) -> Awaitable[HttpAnswer]:
        return self._asker.ask(Endpoint.TICKER, "/api/v2/ticker", (("pairSymbol", pair),))

    async def _book(self) -> None:
        what = "order book"
        answer = await self._notebook.asked(what, self._orderbook(("pairSymbol", self._pair)))
        data = self._notebook.data(what, answer, known_shapes.BOOK, codes=("SUCCESS",))
        if isinstance(data, dict):
            self._judge_book(data)
        more = await self._notebook.asked(what, self._orderbook(("pairSymbol", self._pair), ("limit", "1000")))
        fewer = await self._notebook.asked(
            what, self._orderbook(("pairSymbol", self._pair), ("limit", str(FEW_LEVELS)))
        )
        sides = [_deepest(answer) for answer in (more, fewer)]
        self._notebook.judge(
            "levels of the book", sides[0] <= BOOK_LEVELS and sides[1] <= FEW_LEVELS,
            f"1000 asked, {sides[0]} came; {FEW_LEVELS} asked, {sides[1]} came", "4.3",
        )  # fmt: skip
        unknown = await self._notebook.asked(what, self._orderbook(("pairSymbol", NOBODY)))
        self._notebook.refusal("order book of an unknown pair", unknown, f"Pair {NOBODY} does not exists.", INVALID)
        without = await self._notebook.asked(what, self._orderbook())
        self._notebook.refusal("order book of no pair", without, "INVALID_REQUEST_ERROR", INVALID)

    def _orderbook(self, *query: tuple[str, str]) -> Awaitable[HttpAnswer]:
        return self._asker.ask(Endpoint.BOOK, "/api/v2/orderbook", query)

    def _judge_book(self, data: Row) -> None:
        stamp = data.get("timestamp")
        is_whole = kind_of(stamp) is Kind.WHOLE
        self._notebook.judge("time of the order book", is_whole, str(kind_of(stamp)), "4.3")
        if isinstance(stamp, int | Decimal) and 0 < stamp < MILLISECONDS_MAX:
            age = (self._venue_clock.now() - time_of(int(stamp))).total_seconds()
            self._notebook.judge("age of the order book", abs(age) <= BOOK_SECONDS_MAX, f"{age:.1f} s")
        bids, asks = (_prices(data.get(side)) for side in ("bids", "asks"))
        is_sorted = bids == sorted(bids, reverse=True) and asks == sorted(asks)
        self._notebook.judge("best levels come first", is_sorted, f"{len(bids)} bids, {len(asks)} asks")
        is_apart = not bids or not asks or bids[0] < asks[0]
        self._notebook.judge("the book is not crossed", is_apart)

    async def _trades(self) -> None:
        what = "trades"
        query = (("pairSymbol", self._pair), ("last", "1000"))
        answer = await self._notebook.asked(what, self._asker.ask(Endpoint.TRADES, "/api/v2/trades", query))
        rows = _rows(self._notebook.data(what, answer, known_shapes.TRADES))
        if not rows:
            self._notebook.unseen("order of trades", "there are no trades")
            return
        dates = [date for row in rows if isinstance(date := row.get("date"), int)]
        self._notebook.judge(
            "trades come newest first", dates == sorted(dates, reverse=True) and len(rows) <= TRADES_MAX,
            f"1000 asked, {len(rows)} came", "4.4",
        )  # fmt: skip
        sides = {str(row.get("side"))[:10] for row in rows}
        self._notebook.judge("sides of trades", sides <= {"buy", "sell"}, ", ".join(sorted(sides)))

    # ---------------------------------------------------------------------------------------------- candles

    async def _candles(self) -> None:
        what = "candles"
        now = self._venue_clock.now()
        columns = await self._klines(what, now - timedelta(hours=3), now)
        if isinstance(columns, dict):
            lengths = {name: len(_listed(columns.get(name))) for name in "tohlcv"}
            is_even = len(set(lengths.values())) == 1
            self._notebook.judge("columns of candles", is_even, f"{lengths['t']} candles", "4.5")
        what = "candles of a time without any"
        quiet = await self._klines(what, now + NOT_YET, now + NOT_YET + timedelta(hours=3))
        if isinstance(quiet, dict):
            state = str(quiet.get("s"))[:20]
            self._notebook.judge("no candles are called no_data", state == "no_data", state, "F8")
        what = "candles of days"
        query = (("pair", self._pair), *_span(now - timedelta(days=3), now))
        days = await self._notebook.asked(what, self._asker.ask(Endpoint.CANDLES, "/v1/ohlcs", query, is_graph=True))
        self._notebook.document(what, days, known_shapes.DAYS)

    async def _klines(self, what: str, since: datetime, until: datetime) -> object:
        query = (("symbol", self._pair), ("resolution", "60"), *_span(since, until))
        answer = await self._notebook.asked(
            what, self._asker.ask(Endpoint.CANDLES, "/v1/klines/history", query, is_graph=True)
        )
        return self._notebook.document(what, answer, known_shapes.CANDLES)


def _quietly(answer: HttpAnswer | None) -> object:
    """The `data` of an answer whose shape was judged before, or need not be."""
    try:
        document = None if answer is None else read_json(answer.body)
    except Malformed:
        return None
    return document.get("data") if isinstance(document, dict) else None


def _rows(data: object) -> list[Row]:
    return [row for row in _listed(data) if isinstance(row, dict)]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _deepest(answer: HttpAnswer | None) -> int:
    """Levels of the fuller side of a book."""
    data = _quietly(answer)
    sides = (data.get("bids"), data.get("asks")) if isinstance(data, dict) else ()
    return max((len(_listed(side)) for side in sides), default=0)


def _prices(side: object) -> list[Decimal]:
    """Prices of a side in its order; the shape has been told, so what is none is left out."""
    texts = (level[0] for level in _listed(side) if isinstance(level, list) and level)
    return [Decimal(text) for text in texts if kind_of(text) is Kind.DECIMAL and isinstance(text, str)]


def _span(since: datetime, until: datetime) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("from", str(int(since.timestamp()))), ("to", str(int(until.timestamp())))
