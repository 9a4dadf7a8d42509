"""The WebSocket feed (protocol, section 10): connect, join, hand frames on, notice silence, come back.

Promises:

1. At most three connection attempts in any minute, and none inside a block that the exchange announced.
2. A connection on which neither a frame nor a ping was heard for 45 seconds is replaced. An open socket proves nothing
   about the data: freshness is judged by who receives the frames.
3. After each connect everything is joined again, since nothing is remembered there.
4. A frame is handed on where it comes off the socket. No queue stands between: a slow receiver slows the sender down.
5. Every few hours, between two batches, a connection is renewed: nobody knows how long one lasts (open question E5).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from aiolimiter import AsyncLimiter
from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event as ProtocolEvent

from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.exchange.errors import Malformed, snippet
from btcbot.exchange.frame_text import write_frame
from btcbot.exchange.json_text import BYTES_MAX
from btcbot.exchange.wire import LoginFrame, SubscribeFrame

SILENCE_SECONDS_MAX = 45.0
LOOK_SECONDS = 1.0  # how often the watch looks whether anything was heard
OPEN_SECONDS = 10.0  # for the handshake; as much again for joining everything
CLOSE_SECONDS = 2.0
BACKOFF_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# The exchange allows an address 15 attempts a minute. Two of live, one of the monitor, one of a recorder and one of a
# person's own: three attempts a minute for each.
ATTEMPTS_BURST, ATTEMPTS_PERIOD = 2, 62.0
BLOCK_SECONDS_UNSAID, BLOCK_SECONDS_MAX = 60.0, 3600.0
RENEW_SECONDS = 4 * 3600.0
QUIET_SECONDS = 0.2  # no frame for so long: a moment between two batches
QUIET_AWAITED_SECONDS = 300.0  # then a connection that is never quiet is renewed all the same
REFUSALS_TOLD_MAX = 20  # malformed frames reported per connection; the rest is only counted

Channel = tuple[str, str]
"""Channel and event, as in `("obdiff", "BTCTRY")`: upper case, or the exchange acknowledges and stays silent."""


class FrameHandler(Protocol):
    """Who listens, and does not wait. `frame` may raise `Malformed`: the frame is reported and dropped, the connection
    stays. Whatever else it raises ends the stream."""

    def connected(self) -> None: ...

    def frame(self, text: bytes) -> None: ...

    def lost(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a connection ended, or why there was none."""

    reason: str
    is_planned: bool = False
    blocked_seconds: float | None = None


class Stream:
    def __init__(
        self,
        url: str,
        channels: Iterable[Channel],
        handler: FrameHandler,
        clock: Clock,
        sleeper: Sleeper,
        observer: Observer,
        *,
        name: str,
        login: Callable[[], LoginFrame | None] = lambda: None,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        """`login` makes the first frame of each connection, where there is one; it is sent and never shown.

        Streams of one address should not be renewed together: give them different times.
        """
        self._url = url
        self._channels = tuple(channels)
        self._handler = handler
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer
        self._name = name
        self._login = login
        self._renew_seconds = renew_seconds
        self._attempts = AsyncLimiter(ATTEMPTS_BURST, ATTEMPTS_PERIOD)
        self._connection: _HandingConnection | None = None
        self._refused = 0

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            await self._attempts.acquire()
            began = self._clock.monotonic()
            ending = await self._one_connection()
            if ending.is_planned:
                self._observer.observed(Event.STREAM_RENEWED, stream=self._name)
                failures = 0
                continue
            self._observer.observed(Event.STREAM_LOST, stream=self._name, reason=ending.reason)
            if ending.blocked_seconds is not None:
                self._observer.observed(Event.RATE_LIMITED, endpoint="connect", seconds=ending.blocked_seconds)
                await self._sleeper.sleep(ending.blocked_seconds)
                continue
            was_good = self._clock.monotonic() - began > SILENCE_SECONDS_MAX
            failures = 0 if was_good else failures + 1
            await self._sleeper.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    async def join(self, channel: Channel, *, join: bool = True) -> None:
        """Join or leave one channel. Without a connection this does nothing: a new one joins all."""
        await self._send(write_frame(SubscribeFrame(channel=channel[0], event=channel[1], join=join)))

    def abandon(self, reason: str = "for a fresh one") -> None:
        """Give the connection up at once; `run` makes another."""
        if self._connection is not None:
            self._connection.give_up(f"given up: {reason}")

    async def _one_connection(self) -> _Ending:
        """From the handshake to the end. Raises nothing of the network's, and whatever the receiver raised."""
        try:
            connection = await _Connect(
                self._url, create_connection=_HandingConnection, logger=_SILENT, proxy=None, compression=None,
                max_size=BYTES_MAX, open_timeout=OPEN_SECONDS, close_timeout=CLOSE_SECONDS, ping_interval=None,
                user_agent_header="btcbot",
            )  # fmt: skip
        except InvalidStatus as error:
            is_blocked = error.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
            return _Ending(_named(error), blocked_seconds=_asked_for(error.response.headers) if is_blocked else None)
        except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed, EOFError) as error:
            return _Ending(_named(error))
        assert isinstance(connection, _HandingConnection), "the connection is made by our class"
        try:
            ending = await self._live_on(connection)
        finally:
            await connection.close()
        connection.raise_defect()
        return ending

    async def _live_on(self, connection: "_HandingConnection") -> _Ending:
        self._connection = connection
        self._refused = 0
        self._observer.observed(Event.STREAM_CONNECTED, stream=self._name)
        try:
            self._handler.connected()
            connection.hand_to(self._take)
            return await self._introduce() or await self._listen(connection)
        finally:
            connection.hand_to_nobody()  # what comes while it closes is of a book that was given up
            self._connection = None
            self._handler.lost()

    async def _introduce(self) -> _Ending | None:
        """Log in and join; why not, where the exchange does not take what is said."""
        login = self._login()
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                if login is not None:
                    await self._send(write_frame(login))
                for channel in self._channels:
                    await self.join(channel)
        except TimeoutError:
            return _Ending(f"what was sent was not taken within {OPEN_SECONDS:.0f} s")
        return None

    async def _listen(self, connection: "_HandingConnection") -> _Ending:
        """Watch while the connection hands its frames on by itself."""
        opened_at = heard_at = self._clock.monotonic()
        heard = connection.heard
        while True:
            is_due = self._clock.monotonic() - opened_at >= self._renew_seconds
            await asyncio.wait((connection.over,), timeout=QUIET_SECONDS if is_due else LOOK_SECONDS)
            if connection.over.done():
                return _Ending(connection.how_it_ended())
            now = self._clock.monotonic()
            is_quiet = connection.heard == heard
            if is_due and (is_quiet or now - opened_at >= self._renew_seconds + QUIET_AWAITED_SECONDS):
                return _Ending("renewed", is_planned=True)
            if not is_quiet:
                heard, heard_at = connection.heard, now
            elif now - heard_at >= SILENCE_SECONDS_MAX:
                return _Ending(f"neither a frame nor a ping for {now - heard_at:.0f} s")

    def _take(self, text: bytes) -> None:
        try:
            self._handler.frame(text)
        except Malformed as error:
            self._refused += 1
            if self._refused <= REFUSALS_TOLD_MAX:
                self._observer.observed(
                    Event.FRAME_REFUSED, stream=self._name, error=str(error), begins=snippet(text), so_far=self._refused
                )

    async def _send(self, text: str) -> None:
        if self._connection is None:
            return
        try:
            await self._connection.send(text)
        except ConnectionClosed:
            return  # whoever listens on this connection hears the same, and says so


class _HandingConnection(ClientConnection):
    """Hands each message on as it comes off the socket, and counts what was heard, pings included.

    The library would queue messages and wake a task for each; at hundreds a second that costs as much as reading them.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.heard = 0
        self._take: Callable[[bytes], None] | None = None
        self._early: list[bytes] = []  # what came with the handshake
        self._begun = bytearray()  # of a message in more than one frame; the library bounds the whole
        self._defect: Exception | None = None
        self._given_up = ""

    @property
    def over(self) -> asyncio.Future[None]:
        """Done when the connection is gone."""
        return self.connection_lost_waiter

    def hand_to(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        for message in self._early:
            self._hand_on(message)
        self._early.clear()

    def hand_to_nobody(self) -> None:
        self._take = lambda message: None

    def give_up(self, reason: str) -> None:
        """Nothing more is handed on, not even what came off the socket together with the last message."""
        self._given_up = reason
        self.hand_to_nobody()
        self.transport.abort()

    def how_it_ended(self) -> str:
        return self._given_up or _named(self.protocol.close_exc)

    def raise_defect(self) -> None:
        """What the receiver raised, if it did: that has to end more than a connection."""
        if self._defect is not None:
            raise self._defect

    def process_event(self, event: ProtocolEvent) -> None:
        if not isinstance(event, Frame):
            super().process_event(event)
        elif event.opcode in DATA_OPCODES:
            self.heard += 1
            if event.fin and not self._begun:
                self._hand_on(bytes(event.data))
                return
            self._begun += event.data
            if event.fin:
                message = bytes(self._begun)
                self._begun.clear()
                self._hand_on(message)
        else:
            self.heard += event.opcode is Opcode.PING
            super().process_event(event)

    def _hand_on(self, message: bytes) -> None:
        if self._take is None:
            self._early.append(message)
            return
        try:
            self._take(message)
        except Exception as error:  # noqa: BLE001 - raised in `raise_defect`, where somebody waits for it
            self._defect = error
            self.give_up("the receiver failed")


class _Connect(connect):
    """Follows no redirect: a login frame goes to the configured host or nowhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _asked_for(headers: Headers) -> float:
    """How long to stay away after a 429."""
    said = next(iter(headers.get_all("Retry-After")), "")
    return min(float(said), BLOCK_SECONDS_MAX) if said.isascii() and said.isdigit() else BLOCK_SECONDS_UNSAID


def _silent_logger() -> logging.Logger:
    """The library's debug log shows frames, and one of them is the login."""
    logger = logging.getLogger("btcbot.exchange.stream.frames")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


_SILENT = _silent_logger()
