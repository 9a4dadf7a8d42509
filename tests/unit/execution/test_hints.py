"""Hints from the private socket: a reason to look, never required. Both ends in memory, in virtual time."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from btcbot.domain.events import Event
from btcbot.execution.hints import APART_SECONDS, AccountHints
from tests.unit.exchange.builders import Bench, Remembering, accepting, sample_bytes
from tests.unit.exchange.memory_network import LoopTime, MemoryNetwork, in_background, memory_network, until

pytestmark = pytest.mark.looptime

YES = '[114,{"type":114,"id":5869906,"ok":true,"message":null}]'
NO = sample_bytes("ws/114.login_failed.request.json").decode()
MATCH = sample_bytes("ws/441.market.json").decode()


@dataclass
class Scene:
    hints: AccountHints
    observer: Remembering
    network: MemoryNetwork


@asynccontextmanager
async def playing(server: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[Scene]:
    time, observer = LoopTime(), Remembering()
    hints = AccountHints("ws://exchange.test", Bench(accepting).channel, time, time, observer)
    with memory_network() as network:
        async with serve(server, ping_interval=None, close_timeout=1), in_background(hints.run()):
            yield Scene(hints, observer, network)


async def sent_behind_the_login(frame: str) -> tuple[bool, list[list[object]]]:
    """Whether a frame woke anybody, and the logins that were made."""
    logins: list[list[object]] = []
    is_listened = asyncio.Event()

    async def server(socket: ServerConnection) -> None:
        logins.append(json.loads(await socket.recv()))
        await socket.send(YES)
        await is_listened.wait()
        await socket.send(frame)
        await socket.wait_closed()

    async with playing(server) as scene:
        await scene.hints.wait()  # the connection itself is a reason to look
        scene.hints.clear()
        is_listened.set()
        try:
            await asyncio.wait_for(scene.hints.wait(), 10)
        except TimeoutError:
            return False, logins
        return True, logins


@pytest.mark.parametrize(
    "frame", ["423.user_trade", "441.market", "451.order_insert.sell", "452.order_delete.partial", "453.order_update"]
)
async def test_a_frame_about_our_orders_wakes(frame: str) -> None:
    is_awake, ((kind, body),) = await sent_behind_the_login(sample_bytes(f"ws/{frame}.json").decode())
    assert is_awake
    assert kind == 114
    assert isinstance(body, dict)
    assert (body["nonce"], body["signature"]) == (3000, "gBucg4zPoqkwo42heyvE5QsSonnSnZGVKBMJOQNF/uc=")


@pytest.mark.parametrize("frame", ["garbage", "[114,{}]", '[441,{"id":1,"amount":"NaN"}]', "[423,{}]", ""])
async def test_a_frame_that_cannot_be_read_wakes_too(frame: str) -> None:
    """It may have been about an order of ours."""
    assert (await sent_behind_the_login(frame))[0]


@pytest.mark.parametrize("frame", ['[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]', "[1,{}]", YES])
async def test_other_frames_wake_nobody(frame: str) -> None:
    assert not (await sent_behind_the_login(frame))[0]


async def test_a_storm_of_hints_is_one_a_second() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.recv()
        with suppress(ConnectionClosed):
            while True:
                await socket.send(MATCH)
                await asyncio.sleep(0.01)

    async with playing(server) as scene:
        loop = asyncio.get_running_loop()
        moments: list[float] = []
        for _ in range(12):
            await scene.hints.wait()
            scene.hints.clear()
            moments.append(loop.time())
    assert moments[-1] - moments[0] == pytest.approx(11 * APART_SECONDS, abs=0.2)


async def test_the_first_hint_after_a_quiet_spell_is_told_at_once() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.recv()
        await asyncio.sleep(30)
        await socket.send(MATCH)
        await socket.wait_closed()

    async with playing(server) as scene:
        await scene.hints.wait()
        scene.hints.clear()
        began = asyncio.get_running_loop().time()
        await scene.hints.wait()
        assert asyncio.get_running_loop().time() - began == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize("copies", [1, 3])
async def test_a_refused_login_is_tried_with_the_second_nonce_and_then_given_up(copies: int) -> None:
    """However often one refusal is said."""
    nonces: list[int] = []

    async def server(socket: ServerConnection) -> None:
        nonces.append(json.loads(await socket.recv())[1]["nonce"])
        with suppress(ConnectionClosed):
            for _ in range(copies):
                await socket.send(NO)
        await socket.wait_closed()

    async with playing(server) as scene:
        await until(lambda: len(scene.observer.named(Event.KEY_REFUSED)) == 2)
        await asyncio.sleep(3600)
        assert len(scene.network.moments) == 2
    assert nonces == [3000, 15000]


async def test_a_login_that_is_never_answered_is_waited_for_and_tried_again() -> None:
    async def server(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with playing(server) as scene:
        await asyncio.sleep(600)
        assert 5 < len(scene.network.moments) < 30
        assert scene.observer.named(Event.KEY_REFUSED) == []
