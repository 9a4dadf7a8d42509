"""The WebSocket feed (protocol, section 10): connect, join, hand frames on, notice silence, come back.

Promises: at most six connection attempts a minute; a connection on which neither a frame nor a ping was heard for
45 seconds is replaced; after each connect everything is joined again, since nothing is remembered there. An open
socket proves nothing about the data: freshness is judged by who receives the frames.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from aiolimiter import AsyncLimiter
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import Event as ProtocolEvent

from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Observer, Sleeper
from btcbot.exchange.errors import Malformed, snippet
from btcbot.exchange.json_text import BYTES_MAX, read_json
from btcbot.exchange.wire import LoginFrame, SubscribeFrame

SILENCE_SECONDS_MAX = 45.0
OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0
BACKOFF_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
ATTEMPTS_BURST, ATTEMPTS_PERIOD = 2, 30.0  # two at once, then one in 15 s: six in any minute
REFUSALS_TOLD_MAX = 20  # malformed frames reported per connection; the rest is only counted

Channel = tuple[str, str]
"""Channel and event, as in `("obdiff", "BTCTRY")`: upper case, or the exchange acknowledges and stays silent."""


class FrameHandler(Protocol):
    """Who listens. `frame` may raise `Malformed`: the frame is reported and dropped, the connection stays."""

    def connected(self) -> None: ...

    def frame(self, kind: int, body: dict[str, object]) -> None: ...

    def lost(self) -> None: ...


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
    ) -> None:
        """`login` makes the first frame of each connection, where there is one; it is sent and never shown."""
        self._url = url
        self._channels = tuple(channels)
        self._handler = handler
        self._clock = clock
        self._sleeper = sleeper
        self._observer = observer
        self._name = name
        self._login = login
        self._attempts = AsyncLimiter(ATTEMPTS_BURST, ATTEMPTS_PERIOD)
        self._connection: _HearingConnection | None = None
        self._refused = 0

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            await self._attempts.acquire()
            began = self._clock.monotonic()
            reason = await self._one_connection()
            self._observer.observed(Event.STREAM_LOST, stream=self._name, reason=reason)
            was_good = self._clock.monotonic() - began > SILENCE_SECONDS_MAX
            failures = 0 if was_good else failures + 1
            await self._sleeper.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])

    async def join(self, channel: Channel, *, join: bool = True) -> None:
        """Join or leave one channel. Without a connection this does nothing: a new one joins all."""
        frame = SubscribeFrame(channel=channel[0], event=channel[1], join=join)
        await self._send(frame.type, frame.model_dump(by_alias=True))

    def abandon(self) -> None:
        """Give the connection up at once; `run` makes another."""
        if self._connection is not None:
            self._connection.transport.abort()

    async def _one_connection(self) -> str:
        """Live through one connection; says how it ended."""
        try:
            async with _Connect(
                self._url, create_connection=_HearingConnection, logger=_SILENT, proxy=None, compression=None,
                max_size=BYTES_MAX, max_queue=256, open_timeout=OPEN_SECONDS, close_timeout=CLOSE_SECONDS,
                ping_interval=None, user_agent_header="btcbot",
            ) as connection:  # fmt: skip
                assert isinstance(connection, _HearingConnection), "the connection is made by our class"
                connection.clock = self._clock
                connection.heard_at = self._clock.monotonic()
                self._connection = connection
                self._refused = 0
                self._observer.observed(Event.STREAM_CONNECTED, stream=self._name)
                try:
                    self._handler.connected()
                    await self._introduce()
                    return await self._listen(connection)
                finally:
                    self._connection = None
                    self._handler.lost()
        except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed, EOFError) as error:
            return f"{type(error).__name__}: {error}"[:200]

    async def _introduce(self) -> None:
        login = self._login()
        if login is not None:
            await self._send(login.type, login.model_dump(by_alias=True))
        for channel in self._channels:
            await self.join(channel)

    async def _listen(self, connection: "_HearingConnection") -> str:
        while True:
            silent_for = self._clock.monotonic() - connection.heard_at
            if silent_for >= SILENCE_SECONDS_MAX:
                return f"neither a frame nor a ping for {silent_for:.0f} s"
            try:
                async with asyncio.timeout(SILENCE_SECONDS_MAX - silent_for):
                    text = await connection.recv(decode=False)
            except TimeoutError:
                continue
            self._take(text)

    def _take(self, text: bytes) -> None:
        try:
            frame = read_json(text)
            match frame:
                case [int(kind), dict(body)] if not isinstance(kind, bool):
                    self._handler.frame(kind, body)
                case _:
                    raise Malformed("a frame is not a list of type and object")
        except Malformed as error:
            self._refused += 1
            if self._refused <= REFUSALS_TOLD_MAX:
                self._observer.observed(
                    Event.FRAME_REFUSED, stream=self._name, error=str(error), begins=snippet(text), so_far=self._refused
                )

    async def _send(self, kind: int, body: dict[str, object]) -> None:
        if self._connection is None:
            return
        try:
            await self._connection.send(json.dumps([kind, body], separators=(",", ":")))
        except ConnectionClosed:
            return  # whoever listens on this connection hears the same, and says so


class _HearingConnection(ClientConnection):
    """Remembers when anything at all was heard, pings included: the library answers those without telling."""

    clock: Clock
    heard_at: float

    def process_event(self, event: ProtocolEvent) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode in (Opcode.PING, Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            clock = getattr(self, "clock", None)
            if clock is not None:
                self.heard_at = clock.monotonic()


class _Connect(connect):
    """Follows no redirect: a login frame goes to the configured host or nowhere."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _silent_logger() -> logging.Logger:
    """The library's debug log shows frames, and one of them is the login."""
    logger = logging.getLogger("btcbot.exchange.stream.frames")
    logger.setLevel(logging.CRITICAL + 1)
    return logger


_SILENT = _silent_logger()
