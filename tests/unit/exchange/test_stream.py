"""The socket against a stub on loopback, on a loop that runs a hundred times as fast."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from unittest.mock import patch

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from btcbot.domain.events import Event
from btcbot.domain.profiles import ClockProfile
from btcbot.exchange import stream
from btcbot.exchange.errors import Malformed
from btcbot.exchange.json_text import BYTES_MAX
from btcbot.exchange.stream import Stream
from btcbot.exchange.wire import LoginFrame
from btcbot.services.runtime import build_runtime, run
from tests.unit.exchange.builders import Remembering

FAST = ClockProfile(Decimal(100), datetime.now(UTC))
RENEW_SECONDS = 200.0
BROKEN = b"[500,{}]"
WELCOME = '[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]'
LOGIN = LoginFrame(public_key="key", timestamp=1735689600000, nonce=3000, signature="gBucg4zPoqkwo42heyvE5Q=")


class Listening:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self.losses = 0

    def connected(self) -> None:
        self.connections += 1

    def lost(self) -> None:
        self.losses += 1

    def frame(self, text: bytes) -> None:
        if text == BROKEN:
            raise ZeroDivisionError
        if not text.startswith(b"["):
            raise Malformed("not a frame")
        self.heard.append(text)


class Scene:
    """A stub server, and a stream that listens to it."""

    def __init__(self, port: int) -> None:
        runtime = build_runtime(FAST)
        self.clock = runtime.clock
        self.sleeper = runtime.sleeper
        self.observer = Remembering()
        self.listener = Listening()
        self.is_login_wanted = False
        self.stream = Stream(
            f"ws://127.0.0.1:{port}", [("obdiff", "BTCTRY"), ("ticker", "BTCTRY")], self.listener, self.clock,
            self.sleeper, self.observer, name="market", login=lambda: LOGIN if self.is_login_wanted else None,
            renew_seconds=RENEW_SECONDS,
        )  # fmt: skip

    async def until(self, is_true: Callable[[], bool]) -> None:
        async with asyncio.timeout(300):
            while not is_true():
                await self.sleeper.sleep(0.2)


Server = Callable[[ServerConnection], Awaitable[None]]
Play = Callable[[Scene], Awaitable[None]]


def played(server: Server, play: Play, **options: object) -> None:
    async def main() -> None:
        async with serve(server, "127.0.0.1", 0, ping_interval=None, close_timeout=1, **options) as listening:  # type: ignore[arg-type]
            scene = Scene(listening.sockets[0].getsockname()[1])
            running = asyncio.ensure_future(scene.stream.run())
            try:
                await play(scene)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    run(main, FAST)


def test_every_channel_is_joined_and_every_frame_is_handed_on() -> None:
    joined: list[object] = []

    async def server(socket: ServerConnection) -> None:
        await socket.send(WELCOME)
        for _ in range(2):
            joined.append(json.loads(await socket.recv()))
        await socket.send('[402,{"B":"1.50"}]')
        await socket.wait_closed()

    async def play(scene: Scene) -> None:
        await scene.until(lambda: len(scene.listener.heard) == 2)
        assert scene.listener.heard == [WELCOME.encode(), b'[402,{"B":"1.50"}]']

    played(server, play)
    assert joined == [
        [151, {"type": 151, "channel": "obdiff", "event": "BTCTRY", "join": True}],
        [151, {"type": 151, "channel": "ticker", "event": "BTCTRY", "join": True}],
    ]


def test_garbage_is_reported_and_the_connection_stays() -> None:
    garbage = ["", "{", '{"a":1}', b"\xff\xfe"]

    async def server(socket: ServerConnection) -> None:
        for frame in garbage:
            await socket.send(frame)
        await socket.send(WELCOME)
        await socket.wait_closed()

    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.listener.heard))
        assert len(scene.observer.named(Event.FRAME_REFUSED)) == len(garbage)
        assert scene.listener.connections == 1

    played(server, play)


def test_a_socket_on_which_nothing_is_heard_for_45_seconds_is_replaced() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async def play(scene: Scene) -> None:
        began = scene.clock.monotonic()
        await scene.until(lambda: scene.listener.connections == 2)
        assert scene.clock.monotonic() - began >= 45
        (lost,) = scene.observer.named(Event.STREAM_LOST)
        assert "neither a frame nor a ping" in str(lost["reason"])
        assert scene.listener.losses == 1

    played(server, play)


def test_pings_alone_keep_a_socket() -> None:
    pongs = 0

    async def server(socket: ServerConnection) -> None:
        nonlocal pongs
        sleeper = build_runtime(FAST).sleeper
        try:
            while True:
                await sleeper.sleep(15)
                await (await socket.ping())
                pongs += 1
        except ConnectionClosed:
            return

    async def play(scene: Scene) -> None:
        await scene.sleeper.sleep(150)
        assert scene.listener.connections == 1
        assert scene.listener.losses == 0
        assert pongs >= 3

    played(server, play)


def test_abrupt_ends_bring_no_more_than_three_connections_a_minute() -> None:
    moments: list[float] = []
    clock = build_runtime(FAST).clock

    async def server(socket: ServerConnection) -> None:
        moments.append(clock.monotonic())
        socket.transport.abort()

    async def play(scene: Scene) -> None:
        await scene.until(lambda: len(moments) >= 7)
        assert len(scene.observer.named(Event.STREAM_LOST)) >= 6

    played(server, play)
    for start in moments:
        assert sum(1 for moment in moments if start <= moment < start + 60) <= 3


def test_a_block_is_waited_out() -> None:
    moments: list[float] = []
    clock = build_runtime(FAST).clock

    async def server(socket: ServerConnection) -> None:
        await socket.send(WELCOME)
        await socket.wait_closed()

    def turning_away(socket: ServerConnection, request: Request) -> Response | None:
        moments.append(clock.monotonic())
        if len(moments) > 2:
            return None
        answer = socket.respond(429, "Too many requests")
        if len(moments) == 1:
            answer.headers["Retry-After"] = "200"
        return answer

    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.listener.heard))
        blocks = [fields["seconds"] for fields in scene.observer.named(Event.RATE_LIMITED)]
        assert blocks == [200.0, 60.0]  # said, and unsaid

    played(server, play, process_request=turning_away)
    first, second, third = moments
    assert second - first >= 200
    assert third - second >= 60


def test_a_connection_is_renewed_between_two_batches_when_it_is_old() -> None:
    sleeper = build_runtime(FAST).sleeper

    async def server(socket: ServerConnection) -> None:
        try:
            while True:
                for _ in range(3):
                    await socket.send(WELCOME)
                await sleeper.sleep(5)
        except ConnectionClosed:
            return

    async def play(scene: Scene) -> None:
        began = scene.clock.monotonic()
        await scene.until(lambda: scene.listener.connections == 2)
        assert RENEW_SECONDS <= scene.clock.monotonic() - began < RENEW_SECONDS + 60
        assert scene.observer.named(Event.STREAM_RENEWED) == [{"stream": "market"}]
        assert scene.observer.named(Event.STREAM_LOST) == []

    played(server, play)


def test_a_connection_that_is_never_quiet_is_renewed_all_the_same() -> None:
    sleeper = build_runtime(FAST).sleeper

    async def server(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await socket.send(WELCOME)
                await sleeper.sleep(0.02)

    async def play(scene: Scene) -> None:
        with patch.object(stream, "QUIET_AWAITED_SECONDS", 60.0):
            await scene.until(lambda: bool(scene.observer.named(Event.STREAM_RENEWED)))

    played(server, play)


def test_a_message_in_parts_is_handed_on_whole_and_in_its_place() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.send("[1,{}]")
        await socket.send(["", "[2,", "{}", "]"])
        await socket.send("[3,{}]")
        await socket.wait_closed()

    async def play(scene: Scene) -> None:
        await scene.until(lambda: len(scene.listener.heard) == 3)
        assert scene.listener.heard == [b"[1,{}]", b"[2,{}]", b"[3,{}]"]

    played(server, play)


def test_a_message_that_is_too_large_ends_the_connection() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.send("[" + " " * BYTES_MAX + "]")
        await socket.wait_closed()

    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.observer.named(Event.STREAM_LOST)))
        assert "1009" in str(scene.observer.named(Event.STREAM_LOST)[0]["reason"])
        assert scene.listener.heard == []

    played(server, play)


def test_a_defect_of_the_listener_ends_the_stream_and_not_only_a_connection() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.send(BROKEN.decode())
        await socket.wait_closed()

    async def main() -> None:
        async with serve(server, "127.0.0.1", 0, ping_interval=None) as listening:
            scene = Scene(listening.sockets[0].getsockname()[1])
            async with asyncio.timeout(100):
                with pytest.raises(ZeroDivisionError):
                    await scene.stream.run()
            assert scene.listener.losses == 1

    run(main, FAST)


def test_a_slow_listener_slows_the_sender_down_and_nothing_piles_up() -> None:
    """Frames are handed on as they come off the socket: what is not taken stays with the sender."""
    sent = 0

    async def server(socket: ServerConnection) -> None:
        nonlocal sent
        with suppress(ConnectionClosed):
            while True:
                await socket.send('[1,{"a":"' + "x" * 60_000 + '"}]')
                sent += 1

    async def play(scene: Scene) -> None:
        await scene.until(lambda: len(scene.listener.heard) > 50)
        assert sent - len(scene.listener.heard) < 200  # what the two sockets hold

    played(server, play)


def test_a_redirect_is_not_followed() -> None:
    async def server(socket: ServerConnection) -> None:
        raise AssertionError("nobody gets in")

    def elsewhere(socket: ServerConnection, request: Request) -> Response:
        answer = socket.respond(302, "")
        answer.headers["Location"] = "ws://127.0.0.1:1/"
        return answer

    async def play(scene: Scene) -> None:
        await scene.until(lambda: bool(scene.observer.named(Event.STREAM_LOST)))
        assert "302" in str(scene.observer.named(Event.STREAM_LOST)[0]["reason"])

    played(server, play, process_request=elsewhere)


def test_the_login_comes_first_and_is_shown_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    first: list[object] = []

    async def server(socket: ServerConnection) -> None:
        first.append(json.loads(await socket.recv()))
        await socket.send(WELCOME)
        await socket.wait_closed()

    async def play(scene: Scene) -> None:
        scene.is_login_wanted = True
        await scene.until(lambda: bool(scene.listener.heard))
        assert LOGIN.signature not in repr(scene.observer.events)

    played(server, play, logger=logging.getLogger("a.silent.server"))
    assert first == [
        [
            114,
            {"type": 114, "publicKey": "key", "timestamp": 1735689600000, "nonce": 3000, "signature": LOGIN.signature},
        ]
    ]
    ours = [record for record in caplog.records if not record.name.startswith("a.silent")]
    assert not any(LOGIN.signature in record.getMessage() for record in ours)


def test_abandoning_a_connection_brings_a_new_one() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.send(WELCOME)
        await socket.wait_closed()

    async def play(scene: Scene) -> None:
        await scene.until(lambda: len(scene.listener.heard) == 1)
        scene.stream.abandon("to see what happens")
        await scene.until(lambda: len(scene.listener.heard) == 2)
        (lost,) = scene.observer.named(Event.STREAM_LOST)
        assert lost["reason"] == "given up: to see what happens"
        assert scene.listener.connections == 2

    played(server, play)
