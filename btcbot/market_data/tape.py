"""The public feed of some pairs, frame for frame as it comes, and what REST says beside it. For the recorder."""

from typing import Final, Protocol

import msgspec

from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.domain.profiles import Endpoints
from btcbot.exchange.errors import Malformed
from btcbot.exchange.frame_text import kind_of
from btcbot.exchange.limits import Endpoint
from btcbot.exchange.public import BOOK_LEVELS, TRADES_MAX
from btcbot.exchange.stream import Stream
from btcbot.exchange.wire import BOOK_FULL, BOOK_UPDATE, TICKER_ALL, TICKER_PAIR, TRADE_LIST, TRADE_SINGLE
from btcbot.market_data.asking import PublicAsker

CHANNELS: Final = ("obdiff", "trade", "ticker")
TAPED: Final = frozenset({BOOK_FULL, BOOK_UPDATE, TICKER_ALL, TICKER_PAIR, TRADE_LIST, TRADE_SINGLE})


class Listener(Protocol):
    """Who is told. What it raises ends the tape."""

    def connected(self) -> None: ...

    def heard(self, frame: bytes) -> None:
        """A book, a ticker or trades, as one JSON text."""
        ...

    def missed(self, what: str) -> None:
        """A frame may be missing: one could not be read, or the numbers of a book do not follow one another."""
        ...

    def lost(self) -> None: ...


class _Numbered(msgspec.Struct):
    pair: str = msgspec.field(name="PS")
    number: int = msgspec.field(name="CS")


class _NumberedFrame(msgspec.Struct, array_like=True):
    kind: int
    body: _Numbered


_NUMBERED = msgspec.json.Decoder(_NumberedFrame)


class PublicTape:
    def __init__(
        self, endpoints: Endpoints, pairs: tuple[str, ...], listener: Listener, clock: Clock, sleeper: Sleeper,
        observer: Observer,
    ) -> None:  # fmt: skip
        channels = [(channel, pair) for pair in pairs for channel in CHANNELS]
        self._asker = PublicAsker(endpoints, clock)
        self._listener = listener
        self._stream = Stream(endpoints.ws_url, channels, self, clock, sleeper, observer, name="recorder")
        self._pairs = pairs
        self._numbers: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled, or until the listener raises."""
        await self._stream.run()

    def reconnect(self) -> None:
        """Begin anew: every pair's whole book and last trades come again."""
        self._stream.abandon()

    def silent_pairs(self) -> tuple[str, ...]:
        """Pairs of which this connection has not brought a whole book yet."""
        return tuple(pair for pair in self._pairs if pair not in self._numbers)

    async def rules(self) -> dict[str, bytes]:
        """The listed ones of the pairs, each with its row of `exchangeinfo`, digit for digit."""
        return {pair: bytes(row) for pair, row in (await self._asker.symbols(self._pairs)).items()}

    async def book(self, pair: str) -> bytes:
        query = (("pairSymbol", pair), ("limit", str(BOOK_LEVELS)))
        return bytes(await self._asker.data(Endpoint.BOOK, "/api/v2/orderbook", query))

    async def trades(self, pair: str) -> bytes:
        query = (("pairSymbol", pair), ("last", str(TRADES_MAX)))
        return bytes(await self._asker.data(Endpoint.TRADES, "/api/v2/trades", query))

    async def aclose(self) -> None:
        await self._asker.aclose()

    # ------------------------------------------------------------------------------ what the stream tells

    def connected(self) -> None:
        self._numbers.clear()
        self._listener.connected()

    def lost(self) -> None:
        self._listener.lost()

    def frame(self, text: bytes) -> None:
        try:
            kind = kind_of(text)
            text.decode()
            if kind in (BOOK_FULL, BOOK_UPDATE):
                self._count(kind, _NUMBERED.decode(text).body)
        except (Malformed, msgspec.DecodeError, UnicodeDecodeError) as error:
            self._listener.missed("a frame could not be read")
            raise Malformed(f"a frame could not be read: {error}") from error
        if kind in TAPED:
            self._listener.heard(text)

    def _count(self, kind: int, book: _Numbered) -> None:
        last = self._numbers.get(book.pair)
        if kind == BOOK_UPDATE and last is not None and book.number > last + 1:
            self._listener.missed(f"the numbers of {book.pair} jumped")
        if kind == BOOK_FULL or last is not None:
            self._numbers[book.pair] = book.number
