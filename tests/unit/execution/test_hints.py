"""Hints from the private socket: a reason to look, never required."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from websockets.asyncio.server import ServerConnection, serve

from btcbot.domain.events import Event
from btcbot.domain.profiles import ClockProfile
from btcbot.execution.hints import AccountHints
from btcbot.services.runtime import build_runtime, run
from tests.unit.exchange.builders import Bench, Remembering, accepting, sample_bytes

FAST = ClockProfile(Decimal(100), datetime.now(UTC))
Play = Callable[[AccountHints, Remembering], Awaitable[None]]
YES = '[114,{"type":114,"id":5869906,"ok":true,"message":null}]'
NO = sample_bytes("ws/114.login_failed.request.json").decode()


def played(server: Callable[[ServerConnection], Awaitable[None]], play: Play) -> None:
    async def main() -> None:
        runtime = build_runtime(FAST)
        observer = Remembering()
        async with serve(server, "127.0.0.1", 0, ping_interval=None, close_timeout=1) as listening:
            port = listening.sockets[0].getsockname()[1]
            channel = Bench(accepting).channel
            hints = AccountHints(f"ws://127.0.0.1:{port}", channel, runtime.clock, runtime.sleeper, observer)
            running = asyncio.ensure_future(hints.run())
            try:
                async with asyncio.timeout(300):
                    await play(hints, observer)
                assert not running.done()
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    run(main, FAST)


@pytest.mark.parametrize(
    "frame", ["423.user_trade", "441.market", "451.order_insert.sell", "452.order_delete.partial", "453.order_update"]
)
def test_a_frame_about_our_orders_wakes(frame: str) -> None:
    logins: list[list[object]] = []
    is_listened = asyncio.Event()

    async def server(socket: ServerConnection) -> None:
        logins.append(json.loads(await socket.recv()))
        await socket.send(YES)
        await is_listened.wait()
        await socket.send(sample_bytes(f"ws/{frame}.json").decode())
        await socket.wait_closed()

    async def play(hints: AccountHints, observer: Remembering) -> None:
        await hints.wait()  # the connection itself is a reason to look
        hints.clear()
        is_listened.set()
        await hints.wait()

    played(server, play)
    (kind, body) = logins[0]
    assert kind == 114
    assert isinstance(body, dict)
    assert (body["nonce"], body["signature"]) == (3000, "gBucg4zPoqkwo42heyvE5QsSonnSnZGVKBMJOQNF/uc=")


def test_other_frames_and_garbage_wake_nobody() -> None:
    is_listened = asyncio.Event()

    async def server(socket: ServerConnection) -> None:
        await socket.recv()
        await is_listened.wait()
        for frame in ('[991,{"type":991}]', "[1,{}]", "garbage", "[114,{}]"):
            await socket.send(frame)
        await socket.wait_closed()

    async def play(hints: AccountHints, observer: Remembering) -> None:
        await hints.wait()
        hints.clear()
        is_listened.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hints.wait(), 10)

    played(server, play)


def test_a_refused_login_is_tried_with_the_second_nonce_and_then_given_up() -> None:
    nonces: list[int] = []

    async def server(socket: ServerConnection) -> None:
        nonces.append(json.loads(await socket.recv())[1]["nonce"])
        await socket.send(NO)
        await socket.wait_closed()

    async def play(hints: AccountHints, observer: Remembering) -> None:
        while len(observer.named(Event.KEY_REFUSED)) < 2:
            await asyncio.sleep(1)
        await asyncio.sleep(60)

    played(server, play)
    assert nonces == [3000, 15000]
