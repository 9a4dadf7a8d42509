"""How long an order takes to get on its way: from the call to its first byte at a server on loopback.

Ours is the submit of the live worker, with admission, clock, signature and body; beside it, in turns of the same run,
a bare httpx call with the same bytes ready-made, and ccxt's asynchronous BtcTurk client in a process of its own. Every
order is on a warm connection. The whole call, to the decoded answer, is told as well.
"""

import asyncio
import base64
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import httpx
from far_end import MOVING, FarEnd, far_end
from figures import Figure, parser, percentile, pin, tell

from btcbot.domain.events import Event
from btcbot.domain.money import Price, Quantity, use_money_context
from btcbot.domain.orders.evidence import Accepted
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import ClockProfile, Credentials, Role
from btcbot.domain.secrets import Secret
from btcbot.exchange.http import Http
from btcbot.exchange.lanes import Lanes
from btcbot.exchange.limits import QUOTAS, Budgets, Endpoint
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.public import PublicClient
from btcbot.exchange.signing import Signer
from btcbot.exchange.submit import SubmitClient
from btcbot.exchange.venue_clock import VenueClock
from btcbot.services.runtime import build_runtime

ROUNDS, ROUNDS_QUICK, ORDERS_PER_ROUND = 100, 3, 25
RATIO_MAX = 1.15
KEY = "00000000-1111-2222-3333-444444444444"
SECRET = base64.b64encode(b"btcbot-fake-secret-for-vectors!!").decode()
PEERS_PYTHON = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"
SUBMIT_SECONDS = 15.0
UNLIMITED = {Endpoint.SUBMIT: ((10**7, 60.0), (10**7, 1.0))}  # the budget's work is on the path, its waiting is not
BODY = json.dumps(
    {
        "pairSymbol": MOVING, "orderType": "buy", "orderMethod": "limit", "quantity": "0.001", "price": "3000000",
        "newOrderClientId": "BB-BENCH-1-000001-00",
    },
    separators=(",", ":"),
).encode()  # fmt: skip
Stamps = list[tuple[int, int]]


class Client(Protocol):
    async def send(self, count: int) -> Stamps:
        """Send so many orders, one after the other; when each call began and ended."""
        ...


@dataclass
class Figures:
    """Microseconds, pooled over all rounds."""

    sent: list[float] = field(default_factory=list)  # to the first byte at the server
    answered: list[float] = field(default_factory=list)

    def take(self, stamps: Stamps, arrivals: list[int]) -> None:
        for (began, ended), arrived in zip(stamps, arrivals, strict=True):
            self.sent.append((arrived - began) / 1000)
            self.answered.append((ended - began) / 1000)


class Silent:
    """An observer for a path on which nothing is to be observed."""

    def observed(self, event: Event, **fields: object) -> None:
        raise AssertionError(f"{event}: {fields}")


class Ours:
    """One lane, as the bare client has one connection."""

    def __init__(self, url: str) -> None:
        clock, observer = build_runtime(ClockProfile(Decimal(1), None)).clock, Silent()
        http, lanes, budgets = Http(url), Lanes([Http(url)]), Budgets(Role.LIVE, clock, {**QUOTAS, **UNLIMITED})
        self._venue_clock = VenueClock(PublicClient(http, http, budgets, observer), clock)
        signer = Signer(Credentials(Secret(KEY), Secret(SECRET)), self._venue_clock.now_ms)
        channel = PrivateChannel(http, lanes, signer, self._venue_clock, budgets, observer)
        self._client = SubmitClient(channel, SUBMIT_SECONDS)
        self._orders = 0

    async def measure_clock(self) -> None:
        await self._venue_clock.measure()

    async def send(self, count: int) -> Stamps:
        return [await self._send(self._order()) for _ in range(count)]

    async def _send(self, order: JournaledOrder) -> tuple[int, int]:
        began = time.perf_counter_ns()
        obstacle = await self._client.admit()
        answer = await self._client.submit(order)
        ended = time.perf_counter_ns()
        assert obstacle is None, obstacle
        assert isinstance(answer, Accepted), answer
        return began, ended

    def _order(self) -> JournaledOrder:
        self._orders += 1
        label = f"BB-BENCH-1-{self._orders:06}-00"
        quantity, price = Quantity(Decimal("0.001")), Price(Decimal(3_000_000))
        return JournaledOrder(label, label, MOVING, Side.BUY, quantity, price, OrderState.SENDING)


class Bare:
    """What httpx itself takes: everything ready-made, nothing looked at."""

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = httpx.URL(f"{url}/api/v1/order")
        signature = "mDSrvYrUYbe6EgpZl1u/dqei/PHEe8S5tPmX0P2WsTk="
        self._headers = {
            "X-PCK": KEY, "X-Stamp": "1735689600000", "X-Signature": signature, "Content-Type": "application/json",
        }  # fmt: skip

    async def send(self, count: int) -> Stamps:
        stamps = []
        for _ in range(count):
            began = time.perf_counter_ns()
            answer = await self._client.post(self._url, content=BODY, headers=self._headers)
            stamps.append((began, time.perf_counter_ns()))
            assert answer.status_code == 200
        return stamps


class Peer:
    """ccxt in its own process: one line there, one back."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.version = self._heard()

    async def send(self, count: int) -> Stamps:
        assert self._process.stdin is not None, "opened with a pipe"
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return [(began, ended) for began, ended in self._heard()]

    def _heard(self) -> Any:
        assert self._process.stdout is not None, "opened with a pipe"
        return json.loads(self._process.stdout.readline())


@contextmanager
def peer(url: str) -> Iterator[Peer | None]:
    """Nothing where the peers' environment was not made (`make bench` makes it)."""
    if not PEERS_PYTHON.exists():
        yield None
        return
    script = Path(__file__).with_name("peer_ccxt.py")
    command = (str(PEERS_PYTHON), str(script), url, KEY, SECRET)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Peer(process)
        finally:
            process.terminate()


async def measured(rounds: int, end: FarEnd) -> dict[str, Figures]:
    """Everybody in every round, each time in another order; the first round warms up and is thrown away."""
    url = f"http://127.0.0.1:{end.http_port}"
    bare = httpx.AsyncClient(trust_env=False, headers={"Accept": "application/json", "Accept-Encoding": "identity"})
    ours = Ours(url)
    await ours.measure_clock()
    with peer(url) as ccxt:
        clients: dict[str, Client] = {"ours": ours, "bare httpx": Bare(bare, url)}
        if ccxt is not None:
            clients[f"ccxt {ccxt.version}"] = ccxt
        figures = {name: Figures() for name in clients}
        for number in range(rounds + 1):
            names = list(clients)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                stamps = await clients[name].send(ORDERS_PER_ROUND)
                _, arrivals = end.stamps()
                if number > 0:
                    figures[name].take(stamps, arrivals)
    await bare.aclose()
    return figures


def told(figures: dict[str, Figures]) -> Iterator[Figure]:
    ours, bare, *others = figures
    for name, of in figures.items():
        note = f"whole call {statistics.median(of.answered):.0f} µs, n {len(of.sent)}"
        yield Figure(f"{name}: call to first byte, p50", statistics.median(of.sent), "µs", note=note)
        yield Figure(f"{name}: call to first byte, p99", percentile(of.sent, 99), "µs")
    for percent in (50, 99):
        mine = percentile(figures[ours].sent, percent)
        ratio = mine / percentile(figures[bare].sent, percent)
        yield Figure(f"{ours} / {bare}, p{percent}", ratio, "×", at_most=RATIO_MAX)
        for other in others:
            yield Figure(f"{ours} / {other}, p{percent}", mine / percentile(figures[other].sent, percent), "×")


def main() -> int:
    options = parser(__doc__).parse_args()
    pin(0)
    use_money_context()
    with far_end() as end:
        figures = asyncio.run(measured(ROUNDS_QUICK if options.quick else ROUNDS, end))
    if len(figures) == 2:
        print(f"ccxt is not measured: {PEERS_PYTHON} does not exist (make .venv-peers/.installed)", file=sys.stderr)
    return tell(list(told(figures)), options)


if __name__ == "__main__":
    sys.exit(main())
