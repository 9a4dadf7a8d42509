"""The public reads of the exchange (protocol, section 4): no key, nothing signed, nothing changed."""

from collections.abc import Collection
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Candle, Ticker, Trade
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import Endpoints
from btcbot.exchange.answers import OK, data_of, document_of, shaped, success_data
from btcbot.exchange.errors import Malformed, NotSent, Refused
from btcbot.exchange.http import Http, HttpAnswer, Query
from btcbot.exchange.limits import TOO_MANY_REQUESTS, Budgets, Endpoint
from btcbot.exchange.mappers import book_of, candles_of, instrument_of, ticker_of, time_of, trade_of
from btcbot.exchange.reads import READ_SECONDS, with_retries
from btcbot.exchange.wire import Klines, OrderBookData, ServerTime, SymbolRow, TickerRow, TradeRow

T = TypeVar("T")
BOOK_LEVELS = 100  # the exchange's cap, whatever is asked for
TRADES_MAX = 50

_SYMBOL: TypeAdapter[SymbolRow] = TypeAdapter(SymbolRow)
_BOOK: TypeAdapter[OrderBookData] = TypeAdapter(OrderBookData)
_TICKERS: TypeAdapter[tuple[TickerRow, ...]] = TypeAdapter(tuple[TickerRow, ...])
_TRADES: TypeAdapter[tuple[TradeRow, ...]] = TypeAdapter(tuple[TradeRow, ...])
_KLINES: TypeAdapter[Klines] = TypeAdapter(Klines)
_TIME: TypeAdapter[ServerTime] = TypeAdapter(ServerTime)


class PublicClient:
    """Every method raises `ExchangeUnreachable` or `ReadFailed` (both with their subclasses), never guesses."""

    def __init__(self, api: Http, graph: Http, budgets: Budgets, observer: Observer) -> None:
        self._api = api
        self._graph = graph
        self._budgets = budgets
        self._observer = observer

    @classmethod
    def connect(cls, endpoints: Endpoints, budgets: Budgets, observer: Observer) -> "PublicClient":
        return cls(Http(endpoints.api_url), Http(endpoints.graph_url), budgets, observer)

    async def admit_time(self) -> None:
        """Wait until `server_time` may be asked."""
        await self._budgets.acquire(Endpoint.TIME)

    async def server_time(self) -> datetime:
        """The exchange's clock, at once and without retries: a late answer would measure the wrong moment."""
        answer = await self._send(Endpoint.TIME, self._api, "/api/v2/server/time", ())
        reading = shaped(_TIME, _plain_success(answer, Endpoint.TIME), Endpoint.TIME)
        return time_of(reading.server_time)

    async def instruments(self, pairs: Collection[str]) -> dict[str, Instrument]:
        """Those of the asked pairs that the exchange lists. A malformed row of another pair does no harm."""
        answer = await self._read(Endpoint.INFO, self._api, "/api/v2/server/exchangeinfo", ())
        info = success_data(answer, Endpoint.INFO)
        rows = info.get("symbols") if isinstance(info, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Malformed(f"{Endpoint.INFO}: symbols: not a list of pairs")
        wanted = (row for row in rows if row.get("name") in pairs)
        instruments = (instrument_of(shaped(_SYMBOL, row, Endpoint.INFO)) for row in wanted)
        return {instrument.pair: instrument for instrument in instruments}

    async def book(self, pair: str) -> tuple[Book, datetime]:
        """The top of the book and the exchange's own time of it."""
        query = (("pairSymbol", pair), ("limit", str(BOOK_LEVELS)))
        answer = await self._read(Endpoint.BOOK, self._api, "/api/v2/orderbook", query)
        data = data_of(answer, _BOOK, Endpoint.BOOK)
        return book_of(data), time_of(data.timestamp)

    async def tickers(self) -> tuple[Ticker, ...]:
        """Of all pairs, a second old or so."""
        answer = await self._read(Endpoint.TICKER, self._api, "/api/v2/ticker", ())
        return tuple(ticker_of(row) for row in data_of(answer, _TICKERS, Endpoint.TICKER))

    async def trades(self, pair: str) -> tuple[Trade, ...]:
        """The last prints of the public tape, newest first."""
        query = (("pairSymbol", pair), ("last", str(TRADES_MAX)))
        answer = await self._read(Endpoint.TRADES, self._api, "/api/v2/trades", query)
        return tuple(trade_of(row) for row in data_of(answer, _TRADES, Endpoint.TRADES))

    async def candles(self, pair: str, minutes: int, since: datetime, until: datetime) -> tuple[Candle, ...]:
        """Candles opened within both borders, which lie on the grid; the running one is among them when asked for."""
        query = (
            ("symbol", pair), ("resolution", str(minutes)),
            ("from", str(int(since.timestamp()))), ("to", str(int(until.timestamp()))),
        )  # fmt: skip
        answer = await self._read(Endpoint.CANDLES, self._graph, "/v1/klines/history", query)
        columns = shaped(_KLINES, _plain_success(answer, Endpoint.CANDLES), Endpoint.CANDLES)
        return tuple(candle for candle in candles_of(columns) if since <= candle.opened_at <= until)

    async def aclose(self) -> None:
        await self._api.aclose()
        await self._graph.aclose()

    async def _read(self, endpoint: Endpoint, http: Http, path: str, query: Query) -> HttpAnswer:
        async def attempt() -> HttpAnswer:
            answer = await self._once(endpoint, http, path, query)
            document_of(answer, endpoint)  # what is worth another try raises here, inside the retries
            return answer

        return await with_retries(endpoint, attempt, self._observer)

    async def _once(self, endpoint: Endpoint, http: Http, path: str, query: Query) -> HttpAnswer:
        await self._budgets.acquire(endpoint)
        return await self._send(endpoint, http, path, query)

    async def _send(self, endpoint: Endpoint, http: Http, path: str, query: Query) -> HttpAnswer:
        try:
            answer = await http.send("GET", path, query, timeout=READ_SECONDS)
        except NotSent:
            self._budgets.never_left(endpoint)
            raise
        if answer.status == TOO_MANY_REQUESTS:
            raise self._budgets.block(endpoint, answer.retry_after)
        return answer


def _plain_success(answer: HttpAnswer, what: str) -> object:
    """The document of an answer that comes without an envelope."""
    document = document_of(answer, what)
    if answer.status != OK:
        raise Refused(f"{what}: HTTP {answer.status}", answer.status, "")
    return document
