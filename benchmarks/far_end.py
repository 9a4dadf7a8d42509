"""The far end of a measured path: an exchange in a process and on a core of its own, as bare as it can be.

It answers what a live worker asks at its start, moves a market when it is told to, and notes the instant at which a
frame left and at which the first byte of an order arrived. One process takes both stamps, so one clock does.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from figures import pin
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PAIRS = ("BTCTRY", "ETHTRY", "XRPTRY", "SOLTRY", "DOGETRY")
MOVING = PAIRS[0]
HIGH, LOW, STEP, NEAR, FAR = 3_000_000, 2_910_000, 10, 10, 90  # prices, and levels near the touch and behind
AMOUNT = "0.50000000"
TICKER_SECONDS = 0.76
CANDLES_MAX = 1_000
MINUTE = 60
FIRST_ORDER_ID = 27_000_000_001


@dataclass
class Market:
    """One pair that is either calm at the high price, or has fallen to the low one. The levels behind stay."""

    is_low: bool = False
    change_set: int = 1

    @property
    def bids(self) -> list[int]:
        near = [] if self.is_low else [HIGH - STEP * place for place in range(NEAR)]
        return near + [LOW - STEP * place for place in range(FAR)]

    @property
    def asks(self) -> list[int]:
        near = [LOW + STEP * (place + 1) for place in range(NEAR)] if self.is_low else []
        return near + [HIGH + STEP * (place + 1) for place in range(FAR)]

    def move(self, is_low: bool) -> str:
        """The frame of what changed: the near levels go on one side and come on the other."""
        self.is_low = is_low
        self.change_set += 1
        bids = [HIGH - STEP * place for place in range(NEAR)]
        asks = [LOW + STEP * (place + 1) for place in range(NEAR)]
        gone, come = (bids, asks) if is_low else (asks, bids)
        changes = {
            "AO" if is_low else "BO": [{"CP": 1, "P": str(price), "A": AMOUNT} for price in come],
            "BO" if is_low else "AO": [{"CP": 3, "P": str(price), "A": AMOUNT} for price in gone],
        }
        body = {"type": 432, "channel": "obdiff", "event": MOVING, "CS": self.change_set, "PS": MOVING, **changes}
        return json.dumps([432, body], separators=(",", ":"))


@dataclass
class Exchange:
    markets: dict[str, Market] = field(default_factory=lambda: {pair: Market() for pair in PAIRS})
    sockets: list[ServerConnection] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)  # nanoseconds: the first byte of each POST
    sent_at: int = 0
    orders: int = 0
    totals: dict[str, str] = field(default_factory=lambda: {"TRY": "1000000000"})

    def full(self, pair: str) -> str:
        market = self.markets[pair]
        sides = {
            name: [{"A": AMOUNT, "P": str(price)} for price in prices]
            for name, prices in (("AO", market.asks), ("BO", market.bids))
        }
        body = {"type": 431, "channel": "obdiff", "event": pair, "CS": market.change_set, "PS": pair, **sides}
        return json.dumps([431, body], separators=(",", ":"))

    def ticker(self, pair: str) -> str:
        market = self.markets[pair]
        numbers = {name: str(HIGH) for name in ("H", "L", "LA", "O", "V", "AV", "D", "DP")}
        touch = {"B": str(market.bids[0]), "A": str(market.asks[0]), "BA": AMOUNT, "AA": AMOUNT}
        names = {"PS": pair, "DS": "TRY", "NS": pair[:-3], "PId": PAIRS.index(pair) + 1}
        body = {"type": 402, "channel": "ticker", "event": pair, **numbers, **touch, **names}
        return json.dumps([402, body], separators=(",", ":"))

    def move(self, is_low: bool) -> None:
        """Write the frame to the socket as bytes that are ready: the stamp is the instant before the write."""
        payload = self.markets[MOVING].move(is_low).encode()
        frame = bytes((0x81, 126)) + len(payload).to_bytes(2, "big") + payload
        for socket in self.sockets:
            self.sent_at = time.perf_counter_ns()
            socket.transport.write(frame)

    async def stream(self, socket: ServerConnection) -> None:
        await socket.send('[991,{"type":991,"current":"6.0.0","min":"2.3.0"}]')
        with suppress(ConnectionClosed):
            while True:
                await self._joined(socket, *json.loads(await socket.recv()))

    async def _joined(self, socket: ServerConnection, kind: int, body: dict[str, object]) -> None:
        channel, pair = body.get("channel"), str(body.get("event"))
        if kind != 151 or not body["join"]:
            return
        await socket.send(json.dumps([100, {"type": 100, "ok": True, "message": f"join|{channel}:{pair}"}]))
        if channel == "obdiff" and pair == MOVING:
            self.sockets.append(socket)
        await socket.send(self.full(pair) if channel == "obdiff" else self.ticker(pair))

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(TICKER_SECONDS)
            for socket in self.sockets:
                for pair in PAIRS:
                    await socket.send(self.ticker(pair))

    # ------------------------------------------------------------------------------------------- REST

    def answer(self, method: str, target: str, body: bytes) -> object:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        now_ms = time.time_ns() // 1_000_000
        match method, url.path:
            case "POST", "/api/v1/order":
                return _enveloped(self._taken(json.loads(body), now_ms))
            case _, "/api/v2/server/time":
                return {"serverTime": now_ms, "serverTime2": ""}
            case _, "/api/v2/server/exchangeinfo":
                symbols = [symbol_row(place, pair) for place, pair in enumerate(PAIRS)]
                return _enveloped({"timeZone": "UTC", "serverTime": now_ms, "symbols": symbols})
            case _, "/api/v2/orderbook":
                market = self.markets[query["pairSymbol"]]
                sides = {"bids": market.bids, "asks": market.asks}
                levels = {name: [[str(price), AMOUNT] for price in prices] for name, prices in sides.items()}
                return _enveloped({"timestamp": now_ms, **levels})
            case _, "/v1/klines/history":
                return _candles(int(query["from"]), min(int(query["to"]), now_ms // 1000))
            case _, "/api/v1/users/balances":
                assets = ("TRY", *(pair[:-3] for pair in PAIRS))
                return _enveloped([_balance(asset, self.totals.get(asset, "0")) for asset in assets])
            case _, "/api/v1/openOrders":
                return _enveloped({"asks": [], "bids": []})
            case _, path if path.startswith("/api/v1/order/"):
                return {"success": False, "message": "Order not found", "code": 1152}
            case _:
                return _enveloped([])

    def _taken(self, wanted: dict[str, str], now_ms: int) -> dict[str, object]:
        self.orders += 1
        return {
            "id": FIRST_ORDER_ID + self.orders, "quantity": wanted["quantity"], "price": wanted["price"],
            "stopPrice": "0", "newOrderClientId": wanted["newOrderClientId"], "type": wanted["orderType"],
            "method": wanted["orderMethod"], "pairSymbol": wanted["pairSymbol"],
            "pairSymbolNormalized": f"{wanted['pairSymbol'][:-3]}_TRY", "datetime": now_ms,
        }  # fmt: skip


class HttpConnection(asyncio.Protocol):
    """Requests with a known length, one after the other."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._buffer = b""
        self._began = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "a TCP server makes transports that write"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._began = time.perf_counter_ns()
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = lines[0].split(" ")
        if method == "POST":
            self._exchange.arrivals.append(self._began)
        answer = self._exchange.answer(method, target, rest[:length])
        status = "400 Bad Request" if isinstance(answer, dict) and answer.get("success") is False else "200 OK"
        body = json.dumps(answer).encode()
        header = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(header.encode() + body)


class FarEnd:
    """The handle on the other process: a line each way, as JSON."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.http_port, self.ws_port = self._heard()

    def move(self, *, is_low: bool) -> None:
        """Let the market fall, or come back. Returns at once."""
        self._say("fall" if is_low else "rise")

    def hold(self, totals: Mapping[str, Decimal]) -> None:
        """What the account holds from now on, as the books of whoever trades have it."""
        self._say(f"hold {json.dumps({asset: str(number) for asset, number in totals.items()})}")

    def stamps(self) -> tuple[int, list[int]]:
        """When the last frame left, and when each order arrived since the last question."""
        self._say("stamps")
        sent_at, arrivals = self._heard()
        return sent_at, arrivals

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None, "opened with a pipe"
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def _heard(self) -> Any:
        assert self._process.stdout is not None, "opened with a pipe"
        return json.loads(self._process.stdout.readline())


@contextmanager
def far_end(core: int = 1) -> Iterator[FarEnd]:
    command = (sys.executable, __file__, str(core))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield FarEnd(process)
        finally:
            process.terminate()


async def _serve() -> None:
    exchange = Exchange()
    loop = asyncio.get_running_loop()
    http = await loop.create_server(lambda: HttpConnection(exchange), "127.0.0.1", 0)
    async with serve(exchange.stream, "127.0.0.1", 0, compression=None, ping_interval=None) as ws:
        loop.add_reader(sys.stdin.fileno(), _told, exchange, loop)
        _tell([http.sockets[0].getsockname()[1], next(iter(ws.sockets)).getsockname()[1]])
        await exchange.tick()


def _told(exchange: Exchange, loop: asyncio.AbstractEventLoop) -> None:
    match sys.stdin.readline().strip().split(" ", 1):
        case ["stamps"]:
            _tell([exchange.sent_at, exchange.arrivals])
            exchange.arrivals = []
        case ["hold", totals]:
            exchange.totals = json.loads(totals)
        case [""]:
            loop.stop()  # whoever measured is gone
        case [word]:
            exchange.move(word == "fall")


def _tell(document: object) -> None:
    print(json.dumps(document), flush=True)


def _enveloped(data: object) -> dict[str, object]:
    return {"data": data, "success": True, "message": "SUCCESS", "code": 0}


def symbol_row(place: int, pair: str) -> dict[str, object]:
    return {
        "id": place + 1, "name": pair, "nameNormalized": f"{pair[:-3]}_TRY", "status": "TRADING",
        "numerator": pair[:-3], "denominator": "TRY", "numeratorScale": 8, "denominatorScale": 0, "hasFraction": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER", "minPrice": "0.0000000000001", "maxPrice": "10000000", "tickSize": "10",
                "minExchangeValue": "99.91", "minAmount": None, "maxAmount": None,
            }
        ],
        "orderMethods": ["MARKET", "LIMIT"], "displayFormat": "#,###", "commissionFromNumerator": False,
        "order": 1000 + place, "priceRounding": False, "isNew": False, "maximumOrderAmount": None,
        "maximumLimitOrderPrice": 10_000_000, "minimumLimitOrderPrice": 300_000,
    }  # fmt: skip


def _balance(asset: str, total: str) -> dict[str, object]:
    return {
        "asset": asset, "assetname": asset, "balance": total, "locked": "0", "free": total, "orderFund": "0",
        "requestFund": "0", "precision": 8, "timestamp": time.time_ns() // 1_000_000,
    }  # fmt: skip


def _candles(since: int, until: int) -> dict[str, object]:
    """Minutes in which nothing happens: the strategy has nothing to say."""
    opened = list(range(-(-since // MINUTE) * MINUTE, until + 1, MINUTE))[-CANDLES_MAX:]
    flat = [HIGH] * len(opened)
    return {"s": "ok", "t": opened, "h": flat, "o": flat, "l": flat, "c": flat, "v": [1] * len(opened)}


if __name__ == "__main__":
    pin(int(sys.argv[1]))
    with suppress(RuntimeError):  # the loop was stopped
        asyncio.run(_serve())
