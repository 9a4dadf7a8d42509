"""What clients send to the sandbox: it answers everybody, blames them in the exchange's words, and goes on.

The sandbox is a real one on free ports. An answer over 499 would be an exception of its own.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from urllib.parse import quote_from_bytes

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from btcbot.domain.money import use_money_context
from btcbot.exchange.wire import SubmitData
from tests.fuzz.target import Target, samples, texts, with_prefixes
from tests.integration.sandbox.playground import Playground, playing

READS = (
    "api/v1/openOrders", "api/v1/allOrders", "api/v1/users/transactions/trade", "api/v1/users/transactions/crypto",
    "api/v1/users/transactions/fiat", "api/v1/users/balances", "api/v2/ticker", "api/v2/ticker/currency",
    "api/v2/orderbook", "api/v2/trades", "api/v2/server/exchangeinfo", "api/v2/ohlc",
)  # fmt: skip
GRAPHS = ("v1/klines/history", "v1/ohlcs")
GUARDED = ("X-PCK", "X-Stamp", "X-Signature")
SECONDS_EACH = 1.5  # of the sandbox's time, so that its limits stay out of the way
PATIENCE = 25.0  # real seconds; below what the search allows one input
UNSENDABLE = bytes(code for code in (*range(32), 127) if code != 10)  # in a header; our own library would refuse it


class Face:
    """One sandbox for all runs of a process, on a loop that runs only while something is asked."""

    def __init__(self) -> None:
        use_money_context()
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._directory = tempfile.TemporaryDirectory(prefix="btcbot-fuzz-")
        sandbox = playing(Path(self._directory.name) / "sandbox")
        self.playground: Playground = self.wait(self._stack.enter_async_context(sandbox))

    def wait(self, work: Coroutine[None, None, object]) -> object:
        return self._loop.run_until_complete(asyncio.wait_for(work, PATIENCE))

    def tick(self) -> None:
        self.playground.time.elapsed += SECONDS_EACH


@cache
def face() -> Face:
    return Face()


def asking(ask: Callable[[Playground, bytes], Coroutine[None, None, None]]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        there = face()
        there.tick()
        there.wait(ask(there.playground, data))

    return read


async def order(playground: Playground, data: bytes) -> None:
    headers = playground.headers() | {"Content-Type": "application/json"}
    answer = await playground.http.post(f"{playground.api}/api/v1/order", content=data, headers=headers)
    assert answer.status_code in (200, 400), (answer.status_code, answer.text)
    if answer.status_code == 200:
        SubmitData.model_validate(answer.json()["data"])
    else:
        assert answer.json()["message"]


async def query(playground: Playground, data: bytes) -> None:
    """The first byte chooses the endpoint, the rest is its query."""
    place = data[0] % (len(READS) + len(GRAPHS)) if data else 0
    host = playground.api if place < len(READS) else f"http://127.0.0.1:{playground.sandbox.graph_port}"
    text = quote_from_bytes(data[1:4_000], safe="=&+%,.:-_|")
    answer = await playground.http.get(f"{host}/{(READS + GRAPHS)[place]}?{text}", headers=playground.headers())
    assert answer.status_code in (200, 400), (answer.status_code, answer.text)


async def stranger(playground: Playground, data: bytes) -> None:
    """Three lines instead of key, stamp and signature; an empty one leaves the real thing."""
    good, lines = playground.headers(), data[:2_000].translate(None, UNSENDABLE).split(b"\n")
    spoiled = [line or good[name].encode() for name, line in zip(GUARDED, lines, strict=False)]
    headers = [(name.encode(), line.strip() or b"-") for name, line in zip(GUARDED, spoiled, strict=False)]
    answer = await playground.http.get(f"{playground.api}/api/v1/users/balances", headers=headers)
    assert answer.status_code in (200, 400, 401, 429), (answer.status_code, answer.text)


async def admin(playground: Playground, data: bytes) -> None:
    place = data[0] % 3 if data else 0
    url = f"http://127.0.0.1:{playground.sandbox.admin_port}"
    path = ("faults", "transfers", "accounts")[place]
    answer = await playground.http.post(f"{url}/{path}", content=data[1:])
    assert answer.status_code < 500, (answer.status_code, answer.text)
    await playground.http.delete(f"{url}/faults")


async def frame(playground: Playground, data: bytes) -> None:
    """A frame that makes no sense gets no reply, and the next one that does is answered (protocol 10.2)."""
    url = f"ws://127.0.0.1:{playground.sandbox.ws_port}"
    playground.time.elapsed += 4.5  # connections are limited more than anything else
    async with connect(url, compression=None, ping_interval=None) as socket:
        try:
            await socket.recv()
            await socket.send(data.decode("utf-8", "replace"))
            await socket.send('[151,{"type":151,"channel":"after","event":"ALL","join":true}]')
            while "after" not in str(await socket.recv()):
                pass
        except ConnectionClosed as closed:
            raise AssertionError(f"the sandbox hung up: {closed}") from None


REQUESTS = samples("rest", "order_submit.request")
TARGETS = (
    Target("sandbox-order", asking(order), (
        *REQUESTS, json.dumps({
            "quantity": 0.1, "price": 1e3, "orderMethod": "Limit", "orderType": "Sell", "pairSymbol": "sol_try",
            "stopPrice": "5000", "newOrderClientId": "x" * 50,
        }).encode(),
    ), cost=20),
    Target("sandbox-query", asking(query), with_prefixes(range(len(READS) + len(GRAPHS)), texts(
        "pairSymbol=BTCTRY&limit=5&last=7&page=1&startTime=1793620800&endTime=1793620900&orderId=1",
        "symbol=BTCTRY&pair=BTCTRY&resolution=60&from=1793600000&to=1793620800&startDate=1793620800000&type=buy",
    )), cost=20),
    Target(
        "sandbox-stranger", asking(stranger), texts("\n1\n", "nobody\n\n", "\n\nAAAA", "\n1793620830000\né"), cost=20
    ),
    Target("sandbox-admin", asking(admin), with_prefixes(range(3), texts(
        '{"fault": "late_answer", "count": 1, "match": {"endpoint": "submit"}, "seconds": "0.5"}',
        '{"account_id": 5869906, "asset": "TRY", "amount": "10", "kind": "deposit"}',
        '{"name": "second", "permissions": ["read"], "balances": {"TRY": "5"}}',
    )), cost=20),
    Target("sandbox-frame", asking(frame), samples("ws", "151", "114"), cost=40),
)  # fmt: skip
