"""Fifty clients at the documented limits against one sandbox: latencies, errors, CPU, and whether the queue was kept.

Each client has an account, a key, an address (the limits count both) and a socket that is logged in and has joined
every book. It submits ten orders in one second and none in the next, cancels as many, and with `--reads` makes every
kind of read as often as the exchange allows. Afterwards the sandbox's own record is gone through: at no time may an
order have been filled while an earlier one at the same price, or one at a better price, was there to be filled.
"""

import argparse
import asyncio
import base64
import gc
import hashlib
import hmac
import json
import random
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from figures import Figure, parser, percentile, pin, tell
from local_exchange import LocalExchange, local_exchange
from queue_audit import Audit, audited
from websockets.asyncio.client import connect

PAIRS = ("BTCTRY", "ETHTRY", "XRPTRY", "SOLTRY", "DOGETRY")
SCALES = {"BTCTRY": (0, 8), "ETHTRY": (0, 8), "XRPTRY": (3, 4), "SOLTRY": (1, 8), "DOGETRY": (4, 2)}
CLIENTS, CLIENTS_QUICK = 50, 3
SECONDS, SECONDS_QUICK = 60.0, 2.2
WARM_SECONDS, WARM_SECONDS_QUICK = 5.0, 0.2
BURST, BURST_PERIOD = 10, 2.0  # 300 a minute, in the largest bursts that are allowed
NOTIONAL = 150.0
RICH = {"TRY": "1000000000", **{pair[:-3]: "100000000" for pair in PAIRS}}
PERMISSIONS = ["trade", "assets", "account", "websocket"]
READS = {  # calls a minute, and where
    "balances": (120, "/api/v1/users/balances"),
    "order": (900, "/api/v1/order/{order_id}"),
    "open_orders": (300, "/api/v1/openOrders?pairSymbol={pair}"),
    "all_orders": (300, "/api/v1/allOrders?pairSymbol={pair}&limit=100"),
    "user_trades": (120, "/api/v1/users/transactions/trade?pairSymbol={pair}"),
    "transfers_crypto": (90, "/api/v1/users/transactions/crypto"),
    "transfers_fiat": (90, "/api/v1/users/transactions/fiat"),
    "ticker": (600, "/api/v2/ticker?pairSymbol={pair}"),
    "orderbook": (180, "/api/v2/orderbook?pairSymbol={pair}"),
}
GONE = ("cancel: 400 ORDER_COULD_NOT_BE_CANCELED", "cancel: 400 NO_ORDER_MATCHES_YOUR_REQUEST")  # filled before
SERVED_MIN = 95.0
UNDER_LIMIT = 0.98  # of what is allowed: windows of the exchange do not begin when ours do


class Connection(asyncio.Protocol):
    """One request after the other on a kept connection; as little Python as that takes."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answered: asyncio.Future[tuple[int, bytes]] | None = None
        self._lock = asyncio.Lock()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a TCP connection writes"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        place = head.lower().find(b"content-length:")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
        if len(rest) >= length:
            self._buffer = rest[length:]
            if self._answered is not None and not self._answered.done():
                self._answered.set_result((int(head[9:12]), rest[:length]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionResetError("closed"))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        async with self._lock:
            self._answered = asyncio.get_running_loop().create_future()
            self._transport.write(request)
            return await self._answered


@dataclass
class Measured:
    """What came of the requests, by endpoint; what was asked while things warmed up is left out."""

    is_on: bool = False
    seconds: dict[str, list[float]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    frames: int = 0


@dataclass
class Client:
    number: int
    key: str
    secret: bytes
    exchange: LocalExchange
    measured: Measured
    dice: random.Random
    orders: deque[int] = field(default_factory=lambda: deque(maxlen=400))
    touch: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.{1 + self.number // 200}.{1 + self.number % 200}"

    async def run(self, reads: bool) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            orders = await self._connected()
            for pair in PAIRS:
                await self._look(orders, pair)
            tasks.create_task(self._every(BURST_PERIOD / UNDER_LIMIT, self._burst, orders))
            if not reads:
                tasks.create_task(self._every(60 / READS["orderbook"][0] / UNDER_LIMIT, self._see, orders))
                return
            for name, (per_minute, path) in READS.items():
                connection = await self._connected()
                tasks.create_task(self._every(60 / per_minute / UNDER_LIMIT, self._read, connection, name, path))

    async def _every(self, period: float, work: Callable[..., Awaitable[None]], *values: object) -> None:
        """Never sooner than the period after the last time: who waits for an answer asks less, and is not refused."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self.dice.uniform(0, period))
        while True:
            began = loop.time()
            await work(*values)
            await asyncio.sleep(began + period - loop.time())

    async def _burst(self, connection: Connection) -> None:
        for _ in range(BURST):
            await self._submit(connection)
            await self._cancel(connection)

    async def _submit(self, connection: Connection) -> None:
        pair = self.dice.choice(PAIRS)
        bid, ask = self.touch[pair]
        price_scale, lot_scale = SCALES[pair]
        price = (bid + ask) / 2 + self.dice.randint(-4, 4) * 10.0**-price_scale
        body = {
            "pairSymbol": pair, "orderType": self.dice.choice(("buy", "sell")), "orderMethod": "limit",
            "quantity": f"{NOTIONAL * self.dice.uniform(1, 3) / price:.{lot_scale}f}",
            "price": f"{price:.{price_scale}f}", "newOrderClientId": f"L{self.number}-{self.dice.getrandbits(48):x}",
        }  # fmt: skip
        answer = await self._ask(connection, "submit", "POST", "/api/v1/order", json.dumps(body).encode())
        if answer.get("success"):
            self.orders.append(answer["data"]["id"])

    async def _cancel(self, connection: Connection) -> None:
        """The oldest of our last orders once there are some, whatever became of it."""
        if len(self.orders) > 20:
            await self._ask(connection, "cancel", "DELETE", f"/api/v1/order?id={self.orders.popleft()}")

    async def _see(self, connection: Connection) -> None:
        await self._look(connection, self.dice.choice(PAIRS))

    async def _look(self, connection: Connection, pair: str) -> None:
        path = READS["orderbook"][1].format(pair=pair)
        book = (await self._ask(connection, "orderbook", "GET", path)).get("data")
        if book and book["bids"] and book["asks"]:
            self.touch[pair] = (float(book["bids"][0][0]), float(book["asks"][0][0]))

    async def _read(self, connection: Connection, name: str, path: str) -> None:
        if name == "orderbook":
            await self._see(connection)
        elif self.orders or name != "order":
            order_id = self.orders[0] if self.orders else 0  # listed by now
            await self._ask(connection, name, "GET", path.format(pair=self.dice.choice(PAIRS), order_id=order_id))

    async def _ask(self, connection: Connection, name: str, method: str, path: str, body: bytes = b"") -> Any:
        stamp = str(time.time_ns() // 1_000_000)
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-PCK: {self.key}\r\nX-Stamp: {stamp}\r\n"
            f"X-Signature: {self._signed(self.key + stamp)}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        status, answer = await connection.ask(request.encode() + body)
        if self.measured.is_on:
            self.measured.seconds.setdefault(name, []).append(time.perf_counter() - began)
            self.measured.statuses[f"{name} {status}"] += 1
        try:
            document = json.loads(answer)
        except ValueError:
            document = {}
        if status != 200 and self.measured.is_on:
            self.measured.failures[f"{name}: {status} {document.get('message')}"] += 1
        return document

    def _signed(self, message: str) -> str:
        return base64.b64encode(hmac.digest(self.secret, message.encode(), hashlib.sha256)).decode()

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            Connection, "127.0.0.1", self.exchange.api_port, local_addr=(self.address, 0)
        )
        return connection

    async def _listen(self) -> None:
        url = f"ws://127.0.0.1:{self.exchange.ws_port}"
        async with connect(
            url, compression=None, ping_interval=None, local_addr=(self.address, 0), max_size=None
        ) as socket:
            login = {
                "type": 114, "publicKey": self.key, "timestamp": time.time_ns() // 1_000_000, "nonce": 3000,
                "signature": self._signed(f"{self.key}3000"),
            }  # fmt: skip
            await socket.send(json.dumps([114, login]))
            for pair in PAIRS:
                for channel in ("obdiff", "ticker"):
                    join = {"type": 151, "channel": channel, "event": pair, "join": True}
                    await socket.send(json.dumps([151, join]))
            while True:
                await socket.recv(decode=False)
                self.measured.frames += self.measured.is_on


async def measure(exchange: LocalExchange, options: argparse.Namespace) -> tuple[Measured, float]:
    """The load, and the sandbox's CPU seconds per second under it."""
    measured = Measured()
    clients = [client async for client in _opened(exchange, measured, options.clients)]
    gc.freeze()
    running = [asyncio.ensure_future(client.run(options.reads)) for client in clients]
    await asyncio.sleep(options.warm_seconds)
    before, began = exchange.usage(), time.perf_counter()
    measured.is_on = True
    done, _ = await asyncio.wait(running, timeout=options.seconds, return_when=asyncio.FIRST_EXCEPTION)
    measured.is_on = False
    lasted = time.perf_counter() - began
    after = exchange.usage()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for task in done:
        task.result()
    return measured, (after.cpu_seconds - before.cpu_seconds) / lasted


async def _opened(exchange: LocalExchange, measured: Measured, count: int) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{exchange.admin_port}", trust_env=False) as http:
        for number in range(count):
            wanted = {"name": f"load-{number}", "permissions": PERMISSIONS, "balances": RICH}
            answer = await http.post("/accounts", json=wanted)
            answer.raise_for_status()
            made = answer.json()
            secret = base64.b64decode(made["secret"])
            yield Client(number, made["key"], secret, exchange, measured, random.Random(number))


def figures_of(measured: Measured, cpu_share: float, audit: Audit, options: argparse.Namespace) -> list[Figure]:
    orders, seconds = measured.seconds["submit"], options.seconds
    allowed = options.clients * seconds * BURST * UNDER_LIMIT / BURST_PERIOD
    everything = [taken for each in measured.seconds.values() for taken in each]
    milli = 1e3
    required = None if options.reads else SERVED_MIN
    too_late = sum(count for what, count in measured.failures.items() if what in GONE)
    return [
        Figure("answered requests", len(everything) / seconds, "/s"),
        Figure("orders served of what the limits allow", len(orders) / allowed * 100, "%", at_least=required),
        Figure("submit, p50", percentile(orders, 50) * milli, "ms"),
        Figure("submit, p99", percentile(orders, 99) * milli, "ms"),
        Figure("all requests, p50", percentile(everything, 50) * milli, "ms"),
        Figure("all requests, p99", percentile(everything, 99) * milli, "ms"),
        Figure("frames to the clients' sockets", measured.frames / seconds, "/s"),
        Figure("CPU of the sandbox", cpu_share * 100, "% of a core"),
        Figure("CPU of the sandbox per request, frames included", cpu_share / len(everything) * seconds * milli, "ms"),
        Figure("cancels that came too late", too_late),
        Figure("requests refused or failed", measured.failures.total() - too_late, "", note=_most(measured.failures)),
        Figure("resting orders filled", audit.fills, "", note=f"{audit.between_clients} of them between clients"),
        Figure("filled out of turn", len(audit.violations), "", at_most=0, note="; ".join(audit.violations[:3])),
    ]


def _most(failures: Counter[str]) -> str:
    return "; ".join(f"{count} × {what}" for what, count in failures.most_common() if what not in GONE)[:200]


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--clients", type=int, help=f"how many ({CLIENTS})")
    options.add_argument("--seconds", type=float, help=f"measured for so long ({SECONDS:.0f})")
    options.add_argument("--reads", action="store_true", help="every kind of read at its limit as well")
    chosen = options.parse_args()
    chosen.clients = chosen.clients or (CLIENTS_QUICK if chosen.quick else CLIENTS)
    chosen.seconds = chosen.seconds or (SECONDS_QUICK if chosen.quick else SECONDS)
    chosen.warm_seconds = WARM_SECONDS_QUICK if chosen.quick else WARM_SECONDS
    pin(0)
    with (
        tempfile.TemporaryDirectory(prefix="btcbot-load-") as directory,
        local_exchange(Path(directory), PAIRS) as exchange,
    ):
        measured, cpu_share = asyncio.run(measure(exchange, chosen))
        audit = audited(exchange.admin_port)
    return tell(figures_of(measured, cpu_share, audit, chosen), chosen)


if __name__ == "__main__":
    sys.exit(main())
