"""What the client is tested with: a clock that is moved by hand, an observer that remembers, a wire that counts."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from btcbot.domain.events import Event
from btcbot.domain.money import Price, Quantity, parse
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import Credentials, Role
from btcbot.domain.secrets import Secret
from btcbot.exchange.http import Http
from btcbot.exchange.json_text import read_json
from btcbot.exchange.lanes import Lanes
from btcbot.exchange.limits import Budgets
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.public import PublicClient
from btcbot.exchange.signing import Signer
from btcbot.exchange.venue_clock import VenueClock

SAMPLES = Path(__file__).parents[2] / "contract" / "exchange" / "samples"
START = datetime(2025, 1, 1, tzinfo=UTC)
PUBLIC_KEY = "00000000-1111-2222-3333-444444444444"
PRIVATE_KEY = base64.b64encode(b"btcbot-fake-secret-for-vectors!!").decode()
CREDENTIALS = Credentials(Secret(PUBLIC_KEY), Secret(PRIVATE_KEY))

Handler = Callable[[httpx.Request], httpx.Response]


class ManualClock:
    """Both kinds of time, moved by hand; wall time may also step."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.stepped = timedelta()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed) + self.stepped

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed


class Remembering:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[tuple[Event, dict[str, object]]] = []

    def observed(self, event: Event, **fields: object) -> None:
        self.events.append((event, fields))

    def named(self, event: Event) -> list[dict[str, object]]:
        return [fields for kind, fields in self.events if kind is event]


class CountingWire(httpx.AsyncBaseTransport):
    """Answers with a handler and keeps every request; server time is answered by itself, so that offsets measure."""

    def __init__(self, clock: ManualClock, handler: Handler) -> None:
        self._clock = clock
        self._handler = handler
        self.offset = timedelta()
        self.requests: list[httpx.Request] = []
        self.measured = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if request.url.path == "/api/v2/server/time":
            self.measured += 1
            theirs = self._clock.now() + self.offset
            return httpx.Response(200, json={"serverTime": int(theirs.timestamp() * 1000)})
        self.requests.append(request)
        return self._handler(request)


class Bench:
    """A private channel on a counting wire."""

    def __init__(self, handler: Handler, role: Role = Role.LIVE) -> None:
        self.clock = ManualClock()
        self.observer = Remembering()
        self.wire = CountingWire(self.clock, handler)
        http = Http("https://api.example.test", self.wire)
        orders = Lanes([Http("https://api.example.test", self.wire)])
        self.budgets = Budgets(role, self.clock)
        self.public = PublicClient(http, http, self.budgets, self.observer)
        self.venue_clock = VenueClock(self.public, self.clock)
        self.signer = Signer(CREDENTIALS, self.venue_clock.now_ms)
        self.channel = PrivateChannel(http, orders, self.signer, self.venue_clock, self.budgets, self.observer)

    @property
    def requests(self) -> list[httpx.Request]:
        return self.wire.requests


def sample(name: str) -> Any:
    """A payload of the exchange, its numbers as `Decimal`."""
    return read_json(sample_bytes(name))


def sample_bytes(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def answering(name: str, status: int | None = None, headers: dict[str, str] | None = None) -> Handler:
    """Always this sample; the status is the one in its name."""
    code = int(name.split(".")[-2]) if status is None else status
    return lambda request: httpx.Response(code, content=sample_bytes(name), headers=headers)


def in_turn(*answers: Handler) -> Handler:
    """One answer after the other; the last one stays."""
    queue = list(answers)

    def next_answer(request: httpx.Request) -> httpx.Response:
        handler = queue.pop(0) if len(queue) > 1 else queue[0]
        return handler(request)

    return next_answer


def saying(status: int, body: str = "", headers: dict[str, str] | None = None) -> Handler:
    return lambda request: httpx.Response(status, content=body.encode(), headers=headers)


def failing(error: type[httpx.TransportError]) -> Handler:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error("planted", request=request)

    return fail


def document(**fields: object) -> str:
    return json.dumps({"success": True, "message": "SUCCESS", "code": 0} | fields)


def journaled(
    order_id: str = "order-1", *, state: OrderState = OrderState.SENDING, side: Side = Side.BUY,
    quantity: str = "15", price: str = "0.8", label: str = "BB-TEST-1-1-00", pair: str = "XLMTRY",
) -> JournaledOrder:  # fmt: skip
    return JournaledOrder(order_id, label, pair, side, Quantity(parse(quantity)), Price(parse(price)), state)


def accepting(request: httpx.Request, **wrong: object) -> httpx.Response:
    """The exchange's yes, echoing what was asked for, save for what the test falsifies."""
    asked = json.loads(request.content)
    data = {
        "id": 431292405, "quantity": asked["quantity"], "price": asked["price"], "stopPrice": "0",
        "newOrderClientId": asked["newOrderClientId"], "type": asked["orderType"], "method": asked["orderMethod"],
        "pairSymbol": asked["pairSymbol"], "datetime": 1597867103932,
    }  # fmt: skip
    return httpx.Response(200, content=document(data=data | wrong).encode())


def d(text: str) -> Decimal:
    return Decimal(text)
