"""How many orders of a day find their connection warm, when an order leaves once a minute or so.

The day is simulated: client and server share one event loop whose time jumps to the next timer as soon as nobody has
anything to do, and httpx is given the same time. The server drops a connection that was idle for a minute. Beside ours,
the same orders by httpx as it is without any settings.
"""

import asyncio
import random
import selectors
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import httpx
from far_end import MOVING, Exchange, HttpConnection
from figures import Figure, parser, tell
from live_settings import live_profile

from btcbot.domain.events import Event
from btcbot.domain.money import Price, Quantity, use_money_context
from btcbot.domain.orders.evidence import Accepted
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import OrderState
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.submit import SubmitClient

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY_SECONDS, DAY_SECONDS_QUICK = 86_400.0, 900.0
GAP_SECONDS = 60.0  # between orders, on average
SERVER_IDLE_SECONDS = 60.0
SEED = 5
WARM_SHARE_MIN = 99.9


class JumpingLoop(asyncio.SelectorEventLoop):
    """Time stands still while anything happens, and jumps to the next timer when nothing does."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self.elapsed


class _JumpingSelector(selectors.DefaultSelector):
    """On loopback a write has arrived when it returns: what is not ready at once waits for a timer."""

    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self._loop.elapsed += timeout
        return ready


class LoopClock:
    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class LoopSleeper:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Nobody:
    def observed(self, event: Event, **fields: object) -> None:
        """What happens is seen at the server."""


@dataclass
class Seen:
    """What came to the server."""

    orders: int = 0
    cold: int = 0
    others: int = 0


class ImpatientConnection(HttpConnection):
    """Goes after a minute without a request, and tells whether an order was the first thing that came."""

    def __init__(self, exchange: Exchange, seen: Seen) -> None:
        super().__init__(exchange)
        self._seen = seen
        self._requests = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        if data.startswith((b"POST", b"GET")):
            is_order = data.startswith(b"POST")
            self._seen.orders += is_order
            self._seen.cold += is_order and self._requests == 0
            self._seen.others += not is_order
            self._requests += 1
        super().data_received(data)
        self._wait()

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(SERVER_IDLE_SECONDS, self._transport.close)


async def a_day(send: Callable[[int], Awaitable[None]], seconds: float) -> None:
    """Orders at random moments."""
    dice, loop = random.Random(SEED), asyncio.get_running_loop()
    number, end = 0, loop.time() + seconds
    while loop.time() < end:
        await asyncio.sleep(dice.expovariate(1 / GAP_SECONDS))
        number += 1
        await send(number)


async def ours(seconds: float, port: int) -> None:
    """As the live worker sends: its channel, its submit, and the task that keeps the way warm."""
    clock, nobody = LoopClock(), Nobody()
    with tempfile.TemporaryDirectory(prefix="btcbot-warm-") as directory:
        profile = live_profile(Path(directory), port, port)
    channel = PrivateChannel.connect(profile.common, clock, nobody)
    await channel.venue_clock.measure()
    submits = SubmitClient(channel, 15.0)
    warming = asyncio.ensure_future(channel.warming(MOVING, LoopSleeper()).run())

    async def send(number: int) -> None:
        order = JournaledOrder(
            f"{number:032x}", f"BB-BENCH-1-{number:06}", MOVING, Side.SELL, Quantity(Decimal("0.001")),
            Price(Decimal(3_000_000)), OrderState.SENDING,
        )  # fmt: skip
        assert await submits.admit() is None, "nothing stands in the way of an order a minute"
        answer = await submits.submit(order)
        assert isinstance(answer, Accepted), answer

    await a_day(send, seconds)
    warming.cancel()
    await asyncio.gather(warming, return_exceptions=True)
    await channel.aclose()


async def plain_httpx(seconds: float, port: int) -> None:
    body = (
        b'{"pairSymbol":"BTCTRY","orderType":"sell","orderMethod":"limit","quantity":"0.001","price":"3000000",'
        b'"newOrderClientId":"B-BENCH-1-1"}'
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

        async def send(_number: int) -> None:
            (await http.post("/api/v1/order", content=body)).raise_for_status()

        await a_day(send, seconds)


def simulated(client: Callable[[float, int], Awaitable[None]], seconds: float) -> Seen:
    seen = Seen()

    async def simulate() -> None:
        loop = asyncio.get_running_loop()
        exchange = Exchange()
        server = await loop.create_server(lambda: ImpatientConnection(exchange, seen), "127.0.0.1", 0)
        with mock.patch("httpcore._async.http11.time", SimpleNamespace(monotonic=loop.time)):
            await client(seconds, server.sockets[0].getsockname()[1])
        server.close()

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(simulate())
    return seen


def main() -> int:
    options = parser(__doc__).parse_args()
    use_money_context()
    seconds = DAY_SECONDS_QUICK if options.quick else DAY_SECONDS
    mine, plain = simulated(ours, seconds), simulated(plain_httpx, seconds)
    share, theirs = (100 * (1 - seen.cold / seen.orders) for seen in (mine, plain))
    note = f"{mine.cold} of {mine.orders} on a new one; {mine.others} reads kept them warm"
    other_note = f"{plain.cold} of {plain.orders} on a new one"
    return tell(
        [
            Figure("orders on a warm connection", share, "%", at_least=WARM_SHARE_MIN, note=note),
            Figure("the same by httpx without settings", theirs, "%", note=other_note),
        ],
        options,
    )


if __name__ == "__main__":
    sys.exit(main())
