"""The socket against a stub, both ends in memory, in virtual time."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from unittest.mock import patch

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from btcbot.domain.events import Event
from btcbot.exchange import stream
from btcbot.exchange.errors import Malformed
from btcbot.exchange.json_text import BYTES_MAX
from btcbot.exchange.stream import Stream
from btcbot.exchange.wire import LoginFrame
from tests.unit.exchange.builders import Remembering
from tests.unit.exchange.memory_network import LoopTime, MemoryNetwork, in_background, memory_network, until

pytestmark = pytest.mark.looptime

RENEW_SECONDS = 200.0
BROKEN, FULL_DISK = b"[500,{}]", b"[501,{}]"
WELCOME = '[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]'
LOGIN = LoginFrame(public_key="key", timestamp=1735689600000, nonce=3000, signature="gBucg4zPoqkwo42heyvE5Q=")

Server = Callable[[ServerConnection], Awaitable[None]]


class Listening:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self.losses = 0
        self.is_late = False  # something was heard after the loss

    def connected(self) -> None:
        self.connections += 1

    def lost(self) -> None:
        self.losses += 1

    def frame(self, text: bytes) -> None:
        self.is_late |= self.connections == self.losses
        if text == BROKEN:
            raise ZeroDivisionError
        if text == FULL_DISK:
            raise OSError("no space left")
        if not text.startswith(b"["):
            raise Malformed("not a frame")
        self.heard.append(text)


class Scene:
    """A stub server, and a stream that listens to it."""

    def __init__(self, network: MemoryNetwork) -> None:
        time = LoopTime()
        self.network = network
        self.observer = Remembering()
        self.listener = Listening()
        self.is_login_wanted = False
        self.stream = Stream(
            "ws://exchange.test", [("obdiff", "BTCTRY"), ("ticker", "BTCTRY")], self.listener, time, time,
            self.observer, name="market", login=lambda: LOGIN if self.is_login_wanted else None,
            renew_seconds=RENEW_SECONDS,
        )  # fmt: skip

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def why_lost(self) -> list[str]:
        return [str(fields["reason"]) for fields in self.observer.named(Event.STREAM_LOST)]


@asynccontextmanager
async def served(server: Server, **options: object) -> AsyncIterator[Scene]:
    """The stream does not run yet."""
    with memory_network() as network:
        async with serve(server, ping_interval=None, close_timeout=1, **options):  # type: ignore[arg-type]
            yield Scene(network)


@asynccontextmanager
async def playing(server: Server, **options: object) -> AsyncIterator[Scene]:
    async with served(server, **options) as scene, in_background(scene.stream.run()):
        yield scene


async def idle(socket: ServerConnection) -> None:
    """Sends nothing of its own, not even a welcome; answers pings and closes."""
    await socket.wait_closed()


async def welcoming(socket: ServerConnection) -> None:
    await socket.send(WELCOME)
    await socket.wait_closed()


async def test_every_channel_is_joined_and_every_frame_is_handed_on() -> None:
    joined: list[object] = []

    async def server(socket: ServerConnection) -> None:
        await socket.send(WELCOME)
        for _ in range(2):
            joined.append(json.loads(await socket.recv()))
        await socket.send('[402,{"B":"1.50"}]')
        await socket.wait_closed()

    async with playing(server) as scene:
        await until(lambda: len(scene.listener.heard) == 2)
        assert scene.listener.heard == [WELCOME.encode(), b'[402,{"B":"1.50"}]']
    assert joined == [
        [151, {"type": 151, "channel": "obdiff", "event": "BTCTRY", "join": True}],
        [151, {"type": 151, "channel": "ticker", "event": "BTCTRY", "join": True}],
    ]


async def test_garbage_is_reported_and_the_connection_stays() -> None:
    garbage = ["", "{", '{"a":1}', b"\xff\xfe"]

    async def server(socket: ServerConnection) -> None:
        for frame in garbage:
            await socket.send(frame)
        await welcoming(socket)

    async with playing(server) as scene:
        await until(lambda: bool(scene.listener.heard))
        assert len(scene.observer.named(Event.FRAME_REFUSED)) == len(garbage)
        assert scene.listener.connections == 1


async def test_a_flood_of_garbage_is_told_a_few_times_and_goes_on_being_counted() -> None:
    async def server(socket: ServerConnection) -> None:
        for _ in range(500):
            await socket.send("{")
        await welcoming(socket)

    async with playing(server) as scene:
        await until(lambda: bool(scene.listener.heard))
        assert len(scene.observer.named(Event.FRAME_REFUSED)) == stream.REFUSALS_TOLD_MAX


async def test_a_socket_on_which_nothing_is_heard_for_45_seconds_is_replaced() -> None:
    """As one that accepts and never sends its welcome."""
    async with playing(idle) as scene:
        began = scene.now()
        await until(lambda: scene.listener.connections == 2)
        assert 45 <= scene.now() - began < 50
        (reason,) = scene.why_lost()
        assert "neither a frame nor a ping" in reason
        assert scene.listener.losses == 1


async def test_a_handshake_that_never_ends_is_given_up() -> None:
    async def never(socket: ServerConnection, request: Request) -> None:
        await asyncio.sleep(60)

    async with playing(idle, process_request=never, open_timeout=None) as scene:
        began = scene.now()
        await until(lambda: bool(scene.why_lost()))
        assert 10 <= scene.now() - began < 11
        assert "TimeoutError" in scene.why_lost()[0]
        assert scene.listener.connections == scene.listener.losses == 0


async def test_pings_alone_keep_a_socket() -> None:
    pongs = 0

    async def server(socket: ServerConnection) -> None:
        nonlocal pongs
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(15)
                await (await socket.ping())
                pongs += 1

    async with playing(server) as scene:
        await asyncio.sleep(151)
        assert (scene.listener.connections, scene.listener.losses, pongs) == (1, 0, 10)


async def test_abrupt_ends_bring_no_more_than_three_connections_a_minute() -> None:
    async def server(socket: ServerConnection) -> None:
        socket.transport.abort()

    async with playing(server) as scene:
        await until(lambda: len(scene.network.moments) >= 60, seconds=3600, step=5)
        moments = scene.network.moments
        for start in moments:
            assert sum(1 for moment in moments if start <= moment < start + 60) <= 3
        assert len(scene.why_lost()) >= 59
        assert scene.listener.connections == scene.listener.losses


async def test_where_nobody_listens_no_more_than_three_attempts_are_made_a_minute() -> None:
    with memory_network() as network:
        scene = Scene(network)
        async with in_background(scene.stream.run()):
            await asyncio.sleep(600)
    for start in network.moments:
        assert sum(1 for moment in network.moments if start <= moment < start + 60) <= 3
    assert len(network.moments) > 15


async def test_a_block_is_waited_out() -> None:
    said = {0: "200", 2: "9" * 400, 3: "soon"}
    answers = iter(range(9))

    def turning_away(socket: ServerConnection, request: Request) -> Response | None:
        number = next(answers)
        if number > 3:
            return None
        answer = socket.respond(429, "Too many requests")
        if number in said:
            answer.headers["Retry-After"] = said[number]
        return answer

    async with playing(welcoming, process_request=turning_away) as scene:
        await until(lambda: bool(scene.listener.heard), seconds=9999, step=5)
        blocks = [fields["seconds"] for fields in scene.observer.named(Event.RATE_LIMITED)]
        assert blocks == [200.0, 60.0, 3600.0, 60.0]  # said, unsaid, absurd, and not a number
        moments = scene.network.moments
        assert all(later - sooner >= block for sooner, later, block in zip(moments, moments[1:], blocks, strict=False))  # type: ignore[operator]


async def test_a_connection_is_renewed_between_two_batches_when_it_is_old() -> None:
    async def server(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                for _ in range(3):
                    await socket.send(WELCOME)
                await asyncio.sleep(5)

    async with playing(server) as scene:
        began = scene.now()
        await until(lambda: scene.listener.connections == 2)
        assert RENEW_SECONDS <= scene.now() - began < RENEW_SECONDS + 5
        assert scene.observer.named(Event.STREAM_RENEWED) == [{"stream": "market"}]
        assert scene.why_lost() == []
        assert not scene.listener.is_late


async def test_a_connection_that_is_never_quiet_is_renewed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def server(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await socket.send(WELCOME)
                await asyncio.sleep(0.15)

    monkeypatch.setattr(stream, "QUIET_AWAITED_SECONDS", 60.0)
    async with playing(server) as scene:
        began = scene.now()
        await until(lambda: bool(scene.observer.named(Event.STREAM_RENEWED)), step=2)
        assert scene.now() - began == pytest.approx(RENEW_SECONDS + 60, abs=5)
        await until(lambda: scene.listener.connections == 2)
        assert not scene.listener.is_late


async def test_a_renewed_connection_tells_nothing_while_it_closes() -> None:
    """A server that goes on sending and is slow to say goodbye is listened to no longer: its book was given up."""

    async def server(socket: ServerConnection) -> None:
        await socket.send(WELCOME)
        await asyncio.sleep(RENEW_SECONDS - 1)
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(stream.QUIET_SECONDS * 1.5)
                await socket.send(WELCOME)

    async with playing(server) as scene:
        await until(lambda: scene.listener.connections == 2)
        assert not scene.listener.is_late


async def test_a_message_in_parts_is_handed_on_whole_and_in_its_place() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.send("[1,{}]")
        await socket.send(["", "[2,", "{}", "]"])
        await socket.send("[3,{}]")
        await socket.wait_closed()

    async with playing(server) as scene:
        await until(lambda: len(scene.listener.heard) == 3)
        assert scene.listener.heard == [b"[1,{}]", b"[2,{}]", b"[3,{}]"]


@pytest.mark.parametrize("parts", [1, 64])
async def test_a_message_that_is_too_large_ends_the_connection(parts: int) -> None:
    """In one frame, or in many of which each is small."""
    part = " " * (BYTES_MAX // parts)

    async def server(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await socket.send("[" + part if parts == 1 else ["[", *[part] * parts])
        await socket.wait_closed()

    async with playing(server) as scene:
        await until(lambda: bool(scene.why_lost()))
        assert "1009" in scene.why_lost()[0]
        assert scene.listener.heard == []


@pytest.mark.parametrize(("frame", "error"), [(BROKEN, ZeroDivisionError), (FULL_DISK, OSError)])
async def test_a_defect_of_the_listener_ends_the_stream_and_not_only_a_connection(
    frame: bytes, error: type[Exception]
) -> None:
    """Even one that looks like an error of the network."""

    async def server(socket: ServerConnection) -> None:
        await socket.send(frame.decode())
        await socket.wait_closed()

    async with served(server) as scene:
        async with asyncio.timeout(100):
            with pytest.raises(error):
                await scene.stream.run()
        assert (scene.listener.connections, scene.listener.losses) == (1, 1)


async def test_a_slow_listener_slows_the_sender_down_and_nothing_piles_up() -> None:
    """Frames are handed on as they come off the socket: what is not taken stays with the sender."""
    ahead: list[int] = []

    async def server(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for sent in range(1, 200):
                await socket.send('[1,{"a":"' + "x" * 60_000 + '"}]')
                ahead.append(sent - len(scene.listener.heard))
            await socket.wait_closed()

    async with playing(server) as scene:
        await until(lambda: len(scene.listener.heard) == 199)
        assert max(ahead) <= 2


async def test_a_redirect_is_not_followed() -> None:
    async def server(socket: ServerConnection) -> None:
        raise AssertionError("nobody gets in")

    def elsewhere(socket: ServerConnection, request: Request) -> Response:
        answer = socket.respond(302, "")
        answer.headers["Location"] = "ws://127.0.0.1:1/"
        return answer

    async with playing(server, process_request=elsewhere) as scene:
        await until(lambda: bool(scene.why_lost()))
        assert "302" in scene.why_lost()[0]


async def test_the_login_comes_first_and_is_shown_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    first: list[object] = []

    async def server(socket: ServerConnection) -> None:
        first.append(json.loads(await socket.recv()))
        await welcoming(socket)

    async with served(server, logger=logging.getLogger("a.silent.server")) as scene:
        scene.is_login_wanted = True
        async with in_background(scene.stream.run()):
            await until(lambda: bool(scene.listener.heard))
        assert LOGIN.signature not in repr(scene.observer.events)
    assert first == [
        [
            114,
            {"type": 114, "publicKey": "key", "timestamp": 1735689600000, "nonce": 3000, "signature": LOGIN.signature},
        ]
    ]
    ours = [record for record in caplog.records if not record.name.startswith("a.silent")]
    assert not any(LOGIN.signature in record.getMessage() for record in ours)


async def test_abandoning_a_connection_brings_a_new_one() -> None:
    async with playing(welcoming) as scene:
        await until(lambda: len(scene.listener.heard) == 1)
        scene.stream.abandon("to see what happens")
        await until(lambda: len(scene.listener.heard) == 2)
        assert scene.why_lost() == ["given up: to see what happens"]
        assert scene.listener.connections == 2
        assert not scene.listener.is_late


async def test_what_comes_behind_the_frame_that_made_the_listener_give_up_is_not_handed_on() -> None:
    """All of it may have come off the socket at once."""

    async def server(socket: ServerConnection) -> None:
        with patch.object(socket, "send_data"):
            for number in range(5):
                socket.protocol.send_text(b"[%d,{}]" % number)
        socket.send_data()
        await socket.wait_closed()

    async with served(server) as scene:
        heard = scene.listener.heard

        class GivesUp(Listening):
            def frame(self, text: bytes) -> None:
                heard.append(text)
                if len(heard) == 2:
                    scene.stream.abandon()

        scene.stream._handler = GivesUp()
        async with in_background(scene.stream.run()):
            await until(lambda: bool(scene.why_lost()))
            assert heard[:3] == [b"[0,{}]", b"[1,{}]"]
