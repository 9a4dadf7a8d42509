"""The WebSocket host (protocol 10): welcome, subscriptions, batches, login and private frames.

The market is looked at once per batch for all connections; a frame's text is made once and shared. Only `CS`, which
counts per subscription, is each connection's own. What is joined and cannot be served is acknowledged all the same.
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from btcbot.domain.events import Event
from btcbot.domain.ports import Observer, Sleeper
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.faults import FaultName, Faults
from btcbot.sandbox.feed_books import BOOK_CHANNELS, FeedBooks, Numbered
from btcbot.sandbox.feed_connection import Connection, Subscription, Topic, topic_facts
from btcbot.sandbox.feed_faults import FeedFaults
from btcbot.sandbox.feed_login import Logins
from btcbot.sandbox.feed_private import PrivateFrames, Told
from btcbot.sandbox.feed_tape import CandleFrames, TickerFrames, TradeFrames
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.limits import RateLimits
from btcbot.sandbox.profiles import SequenceNumbers, VenueProfile
from btcbot.sandbox.shown_books import ShownBooks
from btcbot.sandbox.wire import encode
from btcbot.simulation.chance import chance, key_of
from btcbot.simulation.happenings import OrderCanceled, OrderMatched
from btcbot.simulation.venue import News

BATCH_SECONDS = 0.764
PING_SECONDS = 15.0
PINGS_UNANSWERED_MAX = 3
LAST_PONG_SECONDS = 0.4  # after the third ping: together 45.4
SUBSCRIPTIONS_MAX = 10_000
FRAME_BYTES_MAX = 64 * 1024
WELCOME = '[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]'
JUMP_MAX = 9  # of CS, where it does not go by one

Frames = Mapping[Topic, Numbered | str | list[str]]
"""What a batch says, by topic."""


class Feed:
    def __init__(
        self,
        floor: Floor,
        desk: Desk,
        limits: RateLimits,
        faults: Faults,
        profile: VenueProfile,
        sleeper: Sleeper,
        observer: Observer,
    ) -> None:
        self._floor = floor
        self._desk = desk
        self._limits = limits
        self._faults = FeedFaults(faults, floor)
        self._profile = profile
        self._sleeper = sleeper
        self._observer = observer
        self._connections: set[Connection] = set()
        self._followers: dict[Topic, dict[Connection, Subscription]] = {}
        self._books = FeedBooks(floor, ShownBooks(floor, self._faults, "feed"))
        self._tickers, self._candles = TickerFrames(floor), CandleFrames(floor)
        self._trades = TradeFrames(floor, self._faults, profile)
        self._logins = Logins(floor, desk, self._faults, profile)
        self._owned = PrivateFrames(floor, profile)
        self._untold: list[Told] = []
        self.logger = logging.getLogger("btcbot.sandbox.feed")  # the library's narration stays out of our log
        self.logger.disabled = True
        floor.on_news = self._news

    # ------------------------------------------------------------------------------------------- a connection's life

    def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        del request
        ip = str(socket.remote_address[0])
        if self._faults and self._faults.strike(FaultName.HANDSHAKE_REFUSED, {"endpoint": "connect"}):
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable\n")
        if self._desk.is_shut_out(ip):
            return socket.respond(HTTPStatus.FORBIDDEN, "Forbidden\n")
        if self._limits.charge("connect", ip, None, self._floor.now_ms()) is None:
            return None
        self._observer.observed(Event.RATE_LIMITED, endpoint="connect")
        return socket.respond(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests\n")

    async def serve(self, socket: ServerConnection) -> None:
        connection = Connection(socket)
        connection.send(WELCOME)
        self._connections.add(connection)
        pinging = asyncio.create_task(self._ping(connection))
        try:
            async for frame in socket:
                self._read(connection, frame)
        except ConnectionClosed:
            pass  # the client is gone, and with it everything that it joined
        finally:
            for task in (pinging, *connection.late):
                task.cancel()
            self._connections.discard(connection)
            for topic in connection.joined:
                self._unfollow(connection, topic)

    async def _ping(self, connection: Connection) -> None:
        """Who answers none of three pings in a row is closed with code 1000 (protocol 10.1)."""
        unanswered: list[asyncio.Future[float]] = []
        pause = PING_SECONDS
        try:
            while True:
                await self._sleeper.sleep(pause)
                pause = PING_SECONDS
                if connection.is_mute:
                    continue
                unanswered = [pong for pong in unanswered if not pong.done()]  # a pong answers all earlier pings
                unanswered.append(asyncio.ensure_future(await connection.socket.ping()))
                if len(unanswered) < PINGS_UNANSWERED_MAX:
                    continue
                await self._sleeper.sleep(LAST_PONG_SECONDS)
                if not unanswered[-1].done() and not unanswered[0].done():
                    await connection.socket.close(1000)
                    return
                pause = PING_SECONDS - LAST_PONG_SECONDS
        except ConnectionClosed:
            return

    def _read(self, connection: Connection, frame: str | bytes) -> None:
        """Frames that make no sense get no reply (protocol 10.2)."""
        try:
            kind, body = json.loads(frame)
        except (ValueError, TypeError, RecursionError):
            return
        if not isinstance(body, dict):
            return
        if kind == 151:
            self._subscribe(connection, body)
        elif kind == 114:
            connection.send(self._logins.answer(connection, self._connections, body))

    # ------------------------------------------------------------------------------------------- subscriptions

    def _subscribe(self, connection: Connection, body: Mapping[str, object]) -> None:
        channel, event = body.get("channel"), body.get("event")
        if not isinstance(channel, str) or not isinstance(event, str):
            return
        topic = (channel, event)
        is_join = body.get("join") is True
        is_ok = topic not in connection.joined if is_join else True
        connection.send(
            encode([100, {"type": 100, "ok": is_ok, "message": f"{'join' if is_join else 'leave'}|{channel}:{event}"}])
        )
        if not is_join:
            self._unfollow(connection, topic)
            if connection.joined.pop(topic, None) is not None and event in self._floor.listings:
                connection.left.add(topic)
        elif is_ok and len(connection.joined) < SUBSCRIPTIONS_MAX:
            subscription = connection.joined[topic] = Subscription()
            subscription.is_served = self._serves(connection, topic)
            if subscription.is_served:
                self._followers.setdefault(topic, {})[connection] = subscription
                for frame in self._first(topic):
                    self._deliver(connection, topic, subscription, frame)
                connection.flush()

    def _serves(self, connection: Connection, topic: Topic) -> bool:
        is_rejoined = topic in connection.left and topic[0] in BOOK_CHANNELS
        if is_rejoined and not self._profile.is_rejoin_served:
            return False
        facts = topic_facts(topic) | connection.facts()
        return not (self._faults and self._faults.strike(FaultName.JOIN_UNSERVED, facts))

    def _unfollow(self, connection: Connection, topic: Topic) -> None:
        followers = self._followers.get(topic)
        if followers is not None and followers.pop(connection, None) is not None and not followers:
            del self._followers[topic]

    def _first(self, topic: Topic) -> Sequence[Numbered | str]:
        """What comes right after the acknowledgement."""
        channel, event = topic
        if channel == "tradeview":
            candle = self._candles.first(event, self._floor.now_ms())
            return () if candle is None else (candle,)
        if event not in self._floor.listings:
            return ()
        if channel in BOOK_CHANNELS:
            return (self._books.full(event, channel),)
        return (self._trades.first(event),) if channel == "trade" else ()

    # ------------------------------------------------------------------------------------------- batches

    def batch(self) -> None:
        """Everything that changed since the last batch, to everybody who wants it."""
        now_ms = self._floor.advance()
        for topic, news in self._said(now_ms).items():
            frames = news if isinstance(news, list) else [news]
            for connection, subscription in self._followers.get(topic, {}).items():
                for frame in frames:
                    self._deliver(connection, topic, subscription, frame)
        for connection in tuple(self._connections):
            self._spoil(connection)
            connection.flush()

    def _said(self, now_ms: int) -> Frames:
        joined: dict[str, set[str]] = {name: set() for name in ("ticker", "trade", "tradeview", *BOOK_CHANNELS)}
        for channel, event in self._followers:
            if channel in joined:
                joined[channel].add(event)
        prints = self._floor.prints()
        self._books.look(joined["obdiff"] | joined["orderbook"])
        return {
            **self._tickers.frames(joined["ticker"], now_ms),
            **self._trades.frames(joined["trade"], prints),
            **self._books.frames(joined),
            **self._candles.frames(joined["tradeview"], now_ms),
        }

    def _deliver(self, connection: Connection, topic: Topic, subscription: Subscription, frame: Numbered | str) -> None:
        """One frame for one follower, as far as faults let it through. CS counts also what was lost."""
        facts = topic_facts(topic) | connection.facts() if self._faults else {}
        if isinstance(frame, Numbered):
            subscription.sequence += self._step(topic, subscription, facts)
            text = frame.text(subscription.sequence)
        else:
            text = frame
        if not self._faults and subscription.held is None:
            connection.add((text,))
        else:
            connection.add(self._suffered(subscription, text, facts, is_difference="CP" in text))

    def _step(self, topic: Topic, subscription: Subscription, facts: Mapping[str, str]) -> int:
        step = 1
        if self._profile.sequence_numbers is SequenceNumbers.JUMPING:
            step += chance(key_of(0, topic[1]), 0, subscription.sequence) % JUMP_MAX
        if self._faults and self._faults.strike(FaultName.SEQUENCE_JUMP, facts):
            step += JUMP_MAX
        return step

    def _suffered(
        self, subscription: Subscription, text: str, facts: Mapping[str, str], *, is_difference: bool
    ) -> Sequence[str]:
        """What faults make of a frame: nothing, itself, or more."""
        strike = self._faults.strike
        if strike(FaultName.SILENT_FEED, facts) or (is_difference and strike(FaultName.SEQUENCE_GAP, facts)):
            return ()
        if strike(FaultName.MALFORMED_FRAME, facts):
            text = text[: len(text) // 2]
        if is_difference and subscription.held is None and strike(FaultName.FRAMES_SWAPPED, facts):
            subscription.held = text
            return ()
        held, subscription.held = subscription.held, None
        texts = [text] if held is None else [text, held]
        if is_difference and strike(FaultName.SEQUENCE_REPEATED, facts):
            texts.append(text)
        return texts

    def _spoil(self, connection: Connection) -> None:
        connection.is_mute = False
        if not self._faults:
            return
        connection.is_mute = self._faults.strike(FaultName.SILENT_SOCKET, connection.facts()) is not None
        if self._faults.strike(FaultName.ABRUPT_CLOSE, connection.facts()):
            connection.socket.transport.abort()

    # ------------------------------------------------------------------------------------------- private frames

    def _news(self, news: News) -> None:
        if isinstance(news.happening, Told) and self._profile.are_private_frames_sent:
            if not self._untold:
                asyncio.get_running_loop().call_soon(self._tell_owners)
            self._untold.append(news.happening)

    def _tell_owners(self) -> None:
        """All that one step did to orders, once the step is over and each order is as it came out."""
        untold, self._untold = self._untold, []
        for happening in untold:
            accepted = self._floor.venue.orders[happening.order_id].accepted
            for connection in self._connections:
                if connection.account_id == accepted.account_id:
                    facts = connection.facts() | {
                        "pair": accepted.pair, "side": accepted.side, "label": accepted.client_order_id,
                        "order_id": str(accepted.order_id),
                    } if self._faults else {}  # fmt: skip
                    self._tell(connection, happening, facts)

    def _tell(self, connection: Connection, happening: Told, facts: Mapping[str, str]) -> None:
        if not facts:
            connection.send(*self._owned.of(happening))
            return
        strike = self._faults.strike
        frames = self._owned.of(
            happening,
            is_amount_wrong=isinstance(happening, OrderMatched) and bool(strike(FaultName.WRONG_MATCH_AMOUNT, facts)),
            is_left_stale=isinstance(happening, OrderCanceled) and bool(strike(FaultName.STALE_DELETE, facts)),
        )
        if not frames or strike(FaultName.SILENT_FEED, facts) or strike(FaultName.LOST_PRIVATE_FRAMES, facts):
            return
        if strike(FaultName.REPEATED_PRIVATE_FRAMES, facts):
            frames = [*frames, *frames]
        late = strike(FaultName.LATE_PRIVATE_FRAMES, facts)
        if late is None:
            connection.send(*frames)
        else:
            task = asyncio.create_task(self._tell_late(connection, frames, float(late.seconds)))
            connection.late.add(task)
            task.add_done_callback(connection.late.discard)

    async def _tell_late(self, connection: Connection, frames: Sequence[str], seconds: float) -> None:
        await self._sleeper.sleep(seconds)
        connection.send(*frames)
