"""The WebSocket host (protocol 10): welcome, subscriptions, batches, login and private frames.

The market is looked at once per batch for all connections; a frame's text is made once and shared. Only `CS`, which
counts per subscription, is each connection's own.
"""

import asyncio
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from btcbot.domain.events import Event
from btcbot.domain.money import plain
from btcbot.domain.orders.intents import Side
from btcbot.domain.ports import Observer, Sleeper
from btcbot.sandbox.desk import Caller, Desk
from btcbot.sandbox.faults import FaultName, Faults
from btcbot.sandbox.floor import Floor, Ticker
from btcbot.sandbox.limits import RateLimits
from btcbot.sandbox.private_api import trade_row
from btcbot.sandbox.public_api import change
from btcbot.sandbox.wire import encode, padded
from btcbot.simulation.books import EMPTY, Depth, Levels, Print
from btcbot.simulation.fees import RATES
from btcbot.simulation.happenings import Method, OrderAccepted, OrderCanceled, OrderMatched
from btcbot.simulation.listings import Listing
from btcbot.simulation.orders import Order
from btcbot.simulation.venue import News

BATCH_SECONDS = 0.764
PING_SECONDS = 15.0
PONG_SECONDS_MAX = 45.4
FRAMES_WAITING_MAX = 10_000  # who cannot keep up is dropped
FRAME_BYTES_MAX = 64 * 1024
WELCOME = '[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]'
SEQUENCE_FIRST = 4_000_000
NONCE_MS_MAX = 60_000  # a window, not a moment (protocol 10.5)
CHANGED, NEW, GONE = 0, 1, 3


Told = OrderAccepted | OrderMatched | OrderCanceled  # what an owner hears of


class Connection:
    """One client: what it joined, as whom, and what waits to be sent."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.waiting: asyncio.Queue[str] = asyncio.Queue(FRAMES_WAITING_MAX)
        self.joined: dict[tuple[str, str], int] = {}  # channel and event, with the last CS
        self.account_id: int | None = None
        self.key_name = ""

    def send(self, frame: str) -> None:
        try:
            self.waiting.put_nowait(frame)
        except asyncio.QueueFull:
            self.socket.transport.abort()


class Feed:
    def __init__(
        self, floor: Floor, desk: Desk, limits: RateLimits, faults: Faults, sleeper: Sleeper, observer: Observer
    ) -> None:  # fmt: skip
        self._floor = floor
        self._desk = desk
        self._limits = limits
        self._faults = faults
        self._sleeper = sleeper
        self._observer = observer
        self._connections: set[Connection] = set()
        self._shown: dict[str, Depth] = dict.fromkeys(floor.listings, EMPTY)
        self._private: list[Told] = []
        self.logger = logging.getLogger("btcbot.sandbox.feed")  # the library's narration stays out of our log
        self.logger.disabled = True
        floor.on_news = self._news

    # ------------------------------------------------------------------------------------------- a connection's life

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        ip = str(socket.remote_address[0])
        if self._limits.charge("connect", ip, None, self._floor.now_ms()) is None:
            return None
        self._observer.observed(Event.RATE_LIMITED, endpoint="connect")
        return socket.respond(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests\n")

    async def serve(self, socket: ServerConnection) -> None:
        connection = Connection(socket)
        connection.send(WELCOME)
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = (tasks.create_task(self._write(connection)), tasks.create_task(self._ping(connection)))
                try:
                    async for frame in socket:
                        self._read(connection, frame)
                finally:
                    for helper in helpers:
                        helper.cancel()
        except* ConnectionClosed:
            pass  # the client is gone, and with it everything that it joined
        finally:
            self._connections.discard(connection)

    async def _write(self, connection: Connection) -> None:
        while True:
            await connection.socket.send(await connection.waiting.get())

    async def _ping(self, connection: Connection) -> None:
        """A client that does not answer three pings is closed with code 1000 (protocol 10.1)."""
        oldest: asyncio.Future[float] | None = None
        unanswered = 0
        while True:
            await self._sleeper.sleep(PING_SECONDS)
            if oldest is not None and oldest.done():
                oldest, unanswered = None, 0
            unanswered += 1
            if unanswered * PING_SECONDS > PONG_SECONDS_MAX:
                await connection.socket.close(1000)
                return
            pong = await connection.socket.ping()
            oldest = oldest or asyncio.ensure_future(pong)

    def _read(self, connection: Connection, frame: str | bytes) -> None:
        """Frames that make no sense get no reply (protocol 10.2)."""
        try:
            kind, body = json.loads(frame)
        except (ValueError, TypeError):
            return
        if not isinstance(body, dict):
            return
        if kind == 151:
            self._subscribe(connection, body)
        elif kind == 114:
            self._login(connection, body)

    # ------------------------------------------------------------------------------------------- subscriptions

    def _subscribe(self, connection: Connection, body: Mapping[str, object]) -> None:
        channel, event = body.get("channel"), body.get("event")
        if not isinstance(channel, str) or not isinstance(event, str):
            return
        is_join = body.get("join") is True
        topic = (channel, event)
        is_ok = topic not in connection.joined if is_join else True
        verb = "join" if is_join else "leave"
        connection.send(encode([100, {"type": 100, "ok": is_ok, "message": f"{verb}|{channel}:{event}"}]))
        if not is_join:
            connection.joined.pop(topic, None)
        elif is_ok and len(connection.joined) < FRAMES_WAITING_MAX:
            connection.joined[topic] = SEQUENCE_FIRST
            if event in self._floor.listings and not self._is_silent(connection):
                if channel in ("obdiff", "orderbook"):
                    self._send_book(connection, topic, self._book_tail(event, channel))
                elif channel == "trade":
                    connection.send(self._tape(event))

    def _login(self, connection: Connection, body: Mapping[str, object]) -> None:
        caller = self._caller(body)
        if isinstance(caller, Caller):
            connection.account_id, connection.key_name = caller.account_id, caller.key.name
            connection.send(encode([114, {"type": 114, "id": caller.account_id, "ok": True, "message": None}]))
        else:
            connection.send(encode([114, {"type": 114, "ok": False, "id": 0, "message": f"Unauthorized - {caller}"}]))

    def _caller(self, body: Mapping[str, object]) -> Caller | str:
        """Who logs in, or why not."""
        public, stamp, nonce, signature = (body.get(name) for name in ("publicKey", "timestamp", "nonce", "signature"))
        if not isinstance(public, str) or not self._desk.has_key(public):
            return "Invalid Public key"
        if not isinstance(stamp, int) or not isinstance(nonce, int):
            return "Invalid Nonce"
        if nonce > NONCE_MS_MAX or abs(self._floor.now_ms() - stamp) > nonce:
            return "Invalid Request"
        caller = self._desk.is_known(public, f"{public}{nonce}", str(signature))
        return "Invalid Signature" if caller is None else caller

    # ------------------------------------------------------------------------------------------- batches

    def batch(self) -> None:
        """Everything that changed since the last batch, to everybody who wants it."""
        now_ms = self._floor.advance()
        prints = self._floor.prints()
        wanted = {topic for connection in self._connections for topic in connection.joined}
        before, self._shown = self._shown, {pair: self._floor.depth(pair) for pair in self._floor.listings}
        frames = self._ticker_frames(wanted, now_ms)
        tails: dict[tuple[str, str], str] = {}
        for pair in self._floor.listings:
            if ("obdiff", pair) in wanted and (tail := self._difference(pair, before[pair])) is not None:
                tails["obdiff", pair] = tail
            if ("orderbook", pair) in wanted and self._shown[pair] != before[pair]:
                tails["orderbook", pair] = self._book_tail(pair, "orderbook")
        for connection in self._connections:
            if not self._is_silent(connection):
                self._send_batch(connection, frames, tails, prints)

    def _send_batch(
        self,
        connection: Connection,
        frames: Mapping[tuple[str, str], str],
        tails: Mapping[tuple[str, str], str],
        prints: list[Print],
    ) -> None:
        for topic in tuple(connection.joined):
            if topic in frames:
                connection.send(frames[topic])
            elif topic in tails and topic[0] == "orderbook":
                self._send_book(connection, topic, tails[topic])
            elif topic in tails:
                connection.joined[topic] += 1
                facts = {"endpoint": "feed", "key": connection.key_name, "pair": topic[1]}
                if not self._faults.strike(FaultName.SEQUENCE_GAP, facts):
                    connection.send(f'[432,{{"CS":{connection.joined[topic]},{tails[topic]}')
        for print_ in prints:
            if ("trade", print_.pair) in connection.joined:
                connection.send(self._trade(print_))

    def _is_silent(self, connection: Connection) -> bool:
        facts = {"endpoint": "feed", "key": connection.key_name}
        return self._faults.strike(FaultName.SILENT_FEED, facts) is not None

    def _send_book(self, connection: Connection, topic: tuple[str, str], tail: str) -> None:
        connection.joined[topic] += 1
        connection.send(f'[431,{{"CS":{connection.joined[topic]},{tail}')

    def _book_tail(self, pair: str, channel: str) -> str:
        listing, depth = self._floor.listings[pair], self._shown[pair]
        asks, bids = (_levels(listing, levels) for levels in (depth.asks, depth.bids))
        return f'"PS":"{pair}","AO":[{asks}],"BO":[{bids}],"channel":"{channel}","event":"{pair}","type":431}}]'

    def _difference(self, pair: str, before: Depth) -> str | None:
        listing, now = self._floor.listings[pair], self._shown[pair]
        asks = _changes(listing, before.asks, now.asks)
        bids = _changes(listing, before.bids, now.bids)
        if not asks and not bids:
            return None
        return f'"PS":"{pair}","AO":[{asks}],"BO":[{bids}],"channel":"obdiff","event":"{pair}","type":432}}]'

    def _tape(self, pair: str) -> str:
        listing = self._floor.listings[pair]
        items = [
            {
                "D": str(print_.at_ms), "I": str(print_.number), "A": padded(listing.quantity(print_.lots), 10),
                "P": padded(listing.price(print_.ticks), 10), "S": int(print_.is_buy),
            }
            for print_ in self._floor.recent(pair)
        ]  # fmt: skip
        return encode([421, {"symbol": pair, "items": items, "channel": "trade", "event": pair, "type": 421}])

    def _trade(self, print_: Print) -> str:
        listing = self._floor.listings[print_.pair]
        body = {
            "D": str(print_.at_ms), "I": str(print_.number), "A": padded(listing.quantity(print_.lots), 10),
            "P": padded(listing.price(print_.ticks), 10), "PS": print_.pair, "S": int(print_.is_buy),
            "channel": "trade", "event": print_.pair, "type": 422,
        }  # fmt: skip
        return encode([422, body])

    def _ticker_frames(self, wanted: set[tuple[str, str]], now_ms: int) -> Mapping[tuple[str, str], str]:
        wants_all = ("ticker", "all") in wanted
        tickers: dict[str, Ticker] = {}
        for pair in self._floor.listings:
            if wants_all or ("ticker", pair) in wanted:
                ticker = self._floor.ticker(pair, now_ms)
                if ticker is not None:
                    tickers[pair] = ticker
        frames = {
            ("ticker", pair): encode([402, _ticker(ticker) | {"channel": "ticker", "event": pair, "type": 402}])
            for pair, ticker in tickers.items()
            if ("ticker", pair) in wanted
        }
        if wants_all:
            items = [_ticker(ticker) | {"Ord": place} for place, ticker in enumerate(tickers.values())]
            body = {"items": items, "channel": "ticker", "event": "all", "type": 401}
            frames["ticker", "all"] = encode([401, body])
        return frames

    # ------------------------------------------------------------------------------------------- private frames

    def _news(self, news: News) -> None:
        if isinstance(news.happening, Told):
            if not self._private:
                asyncio.get_running_loop().call_soon(self._tell_owners)
            self._private.append(news.happening)

    def _tell_owners(self) -> None:
        """All that one step did to orders, once the step is over and each order is as it came out."""
        private, self._private = self._private, []
        for happening in private:
            order = self._floor.venue.orders[happening.order_id]
            frames = self._private_frames(happening, order)
            for connection in self._connections:
                if connection.account_id == order.accepted.account_id and not self._is_silent(connection):
                    for frame in frames:
                        connection.send(frame)

    def _private_frames(self, happening: Told, order: Order) -> list[str]:
        match happening:
            case OrderAccepted(method=Method.LIMIT) if order.is_open:
                return [encode([451, self._own_order(451, order, 0)])]
            case OrderCanceled() if order.accepted.method is Method.LIMIT:
                return [encode([452, self._own_order(452, order, 16)])]
            case OrderMatched():
                return [
                    encode([441, self._own_match(happening, order)]),
                    encode([423, trade_row(self._floor, happening)]),
                ]
            case _:
                return []

    def _own_order(self, kind: int, order: Order, decimals: int) -> dict[str, object]:
        accepted = order.accepted
        listing = self._floor.venue.listing(accepted.pair)
        rate = RATES[listing.quote].taker
        signed_rate = 1 + rate if accepted.side is Side.BUY else 1 - rate
        left = accepted.price * order.left * signed_rate
        numbers = {"price": accepted.price, "amount": accepted.quantity, "numLeft": order.left, "denomLeft": left}
        texts = {name: padded(value, decimals) if decimals else plain(value) for name, value in numbers.items()}
        return {
            "type": kind, "pairId": listing.pair_id, "symbol": accepted.pair, "id": accepted.order_id, "method": 0,
            "userId": accepted.account_id, "orderType": 0 if accepted.side is Side.BUY else 1, **texts,
            "newOrderClientId": accepted.client_order_id,
        }  # fmt: skip

    def _own_match(self, match: OrderMatched, order: Order) -> dict[str, object]:
        listing = self._floor.venue.listing(match.pair)
        return {
            "type": 441, "id": match.order_id, "user": match.account_id, "isBid": match.side is Side.BUY,
            "method": 0 if order.accepted.method is Method.LIMIT else 1, "pair": listing.pair_id,
            "symbol": match.pair, "amount": padded(match.quantity, 10), "price": padded(match.price, 10),
            "clientId": order.accepted.client_order_id,
        }  # fmt: skip


def _levels(listing: Listing, levels: Levels) -> str:
    return ",".join(
        f'{{"A":"{listing.quantity_text(lots)}","P":"{listing.price_text(ticks)}"}}' for ticks, lots in levels.items()
    )


def _changes(listing: Listing, before: Levels, now: Levels) -> str:
    """What became of each level: changed or new with its whole amount, gone with the amount that it had."""
    entries = [
        (ticks, NEW if ticks not in before else CHANGED, lots) for ticks, lots in now.items() - before.items()
    ] + [(ticks, GONE, before[ticks]) for ticks in before.keys() - now.keys()]
    return ",".join(
        f'{{"CP":{kind},"P":"{listing.price_text(ticks)}","A":"{listing.quantity_text(lots)}"}}'
        for ticks, kind, lots in sorted(entries)
    )


def _ticker(ticker: Ticker) -> dict[str, object]:
    listing = ticker.listing
    daily, percent = change(ticker)
    bid, ask = ticker.bid or (0, 0), ticker.ask or (0, 0)
    return {
        "B": listing.price_text(bid[0]), "A": listing.price_text(ask[0]), "BA": listing.quantity_text(bid[1]),
        "AA": listing.quantity_text(ask[1]), "PS": listing.pair, "H": listing.price_text(ticker.high),
        "L": listing.price_text(ticker.low), "DP": plain(percent), "LA": listing.price_text(ticker.last),
        "O": listing.price_text(ticker.open), "V": listing.quantity_text(ticker.volume), "AV": plain(ticker.average),
        "D": plain(daily), "DS": listing.quote, "NS": listing.base, "PId": listing.pair_id,
    }  # fmt: skip
