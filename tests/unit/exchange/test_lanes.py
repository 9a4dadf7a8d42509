"""Orders on connections of their own, kept warm by reads that harm nobody."""

import asyncio
import random
from heapq import heappop, heappush

import httpx
import pytest

from btcbot.domain.events import Event
from btcbot.domain.profiles import Role
from btcbot.exchange.errors import RateLimited
from btcbot.exchange.http import Http
from btcbot.exchange.lanes import IDLE_SECONDS_MAX, LANES, Lanes, Warming
from btcbot.exchange.limits import QUOTAS, Budgets, Endpoint, share_of
from tests.unit.exchange.builders import ManualClock, Remembering
from tests.unit.exchange.virtual_network import Habits, Server, http_to

DAY_SECONDS = 86_400.0
ORDERS_A_DAY = 1_500
DROPS_A_DAY = 4  # our assumption: of whole days of connections to the exchange there is no record
SEEDS = range(5)
TURNS_MAX = 10_000  # of the loop, for a few reads that wait for nothing
PLENTY = {**QUOTAS, Endpoint.TICKER: ((10**6, 60.0),)}  # budgets count in the loop's seconds, of which few pass here


class Day:
    """A sleeper that wakes at its time, and orders between: whatever is due next happens next."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._due: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        woken = asyncio.get_running_loop().create_future()
        heappush(self._due, (self._server.now + seconds, self._count, woken))
        await woken

    async def pass_until(self, moment: float) -> None:
        while self._due and self._due[0][0] <= moment:
            self._server.now, _, woken = heappop(self._due)
            if not woken.done():
                woken.set_result(None)
            await self.settled()
        self._server.now = moment

    async def settled(self) -> None:
        """Until whoever was woken sleeps again."""
        asleep = self._count
        for _ in range(TURNS_MAX):
            if self._count > asleep:
                return
            await asyncio.sleep(0)
        raise AssertionError("whoever was woken died")


async def sparse_orders(
    lanes: Lanes, server: Server, day: Day, seconds: float, *, seed: int = 0, drops_a_day: int = 0
) -> None:
    """Orders a minute apart on average, some close together and most of them far.

    A drop takes every connection at once and unannounced; any other end is announced with the last answer, as servers
    do, or comes of idling.
    """
    chance = random.Random(seed)
    drops = sorted(chance.uniform(0, DAY_SECONDS) for _ in range(drops_a_day))
    moment = 0.0
    while (moment := moment + chance.expovariate(ORDERS_A_DAY / DAY_SECONDS)) < seconds:
        while drops and drops[0] < moment:
            await day.pass_until(drops[0])
            server.dropped_at = drops.pop(0)
        await day.pass_until(moment)
        await lanes.send("POST", "/api/v1/order", (), headers=(), body=b"{}", timeout=15.0)
    assert server.orders >= 0.8 * ORDERS_A_DAY * seconds / DAY_SECONDS


async def kept_warm(monkeypatch: pytest.MonkeyPatch, server: Server, seconds: float, **orders: int) -> None:
    day, lanes = Day(server), Lanes([http_to(server, monkeypatch) for _ in range(LANES)])
    budgets = Budgets(Role.LIVE, ManualClock(), PLENTY)
    keeping = asyncio.ensure_future(Warming(lanes, "BTCTRY", budgets, day, Remembering()).run())
    await day.settled()
    await sparse_orders(lanes, server, day, seconds, **orders)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert server.reads <= 1.1 * seconds * LANES / IDLE_SECONDS_MAX


async def test_every_order_finds_its_connection_warm_while_none_is_cut_unannounced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two hours of a server whose habits are felt in them: it ends a connection after 200 answers and after an hour."""
    server = Server(Habits(requests_max=200))
    await kept_warm(monkeypatch, server, DAY_SECONDS / 12)
    assert server.connections > 2 * LANES
    assert server.orders_cold == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_of_sparse_orders_on_days_with_drops_999_of_1000_find_their_connection_warm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of all the days together: a single drop may well cost one of a day's 1,500 orders."""
    days = [Server() for _ in SEEDS]
    for seed, server in zip(SEEDS, days, strict=True):
        await kept_warm(monkeypatch, server, DAY_SECONDS, seed=seed, drops_a_day=DROPS_A_DAY)
    cold = [(server.orders_cold, server.orders) for server in days]
    assert sum(number for number, _ in cold) <= 0.001 * sum(orders for _, orders in cold), cold


async def test_without_the_reads_most_of_them_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """That the tests above can fail."""
    server = Server()
    lanes = Lanes([http_to(server, monkeypatch) for _ in range(LANES)])
    await sparse_orders(lanes, server, Day(server), DAY_SECONDS / 8)
    assert server.orders_cold > 0.2 * server.orders


def test_the_reads_are_a_small_part_of_their_budget() -> None:
    ((calls, seconds),) = QUOTAS[Endpoint.TICKER]
    assert LANES * seconds / IDLE_SECONDS_MAX <= 0.05 * calls * share_of(Role.LIVE, Endpoint.TICKER)


async def test_an_order_that_waits_does_not_hold_up_a_cancel_nor_make_it_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    lanes = Lanes([http_to(server, monkeypatch) for _ in range(LANES)])
    for lane in lanes.each:
        await lane.send("GET", "/warm", timeout=5.0)
    both = (
        lanes.send(method, "/api/v1/order", (), headers=(), body=b"{}", timeout=15.0) for method in ("POST", "DELETE")
    )
    await asyncio.gather(*both)
    assert server.connections == LANES
    assert server.orders_cold == 0


async def test_a_lane_whose_connection_was_closed_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(Habits(requests_max=2))
    first, second = (http_to(server, monkeypatch) for _ in range(2))
    for lane in (second, first, first):
        await lane.send("GET", "/warm", timeout=5.0)
    assert first.open_at < second.open_at
    await Lanes([first, second]).send("POST", "/api/v1/order", (), headers=(), body=b"{}", timeout=15.0)
    assert (server.orders_warm, server.orders_cold) == (1, 0)


@pytest.mark.looptime
async def test_warming_outlives_what_goes_wrong_and_obeys_a_block() -> None:
    answers = iter([httpx.ConnectError("planted"), httpx.Response(502), httpx.Response(429)])
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = next(answers, httpx.Response(200))
        if isinstance(answer, Exception):
            raise answer
        return answer

    class LoopSleeper:
        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    lanes = Lanes([Http("https://api.example.test", httpx.MockTransport(handler))])
    budgets, observer = Budgets(Role.LIVE, ManualClock()), Remembering()
    keeping = asyncio.ensure_future(Warming(lanes, "BTCTRY", budgets, LoopSleeper(), observer).run())
    await asyncio.sleep(5 * IDLE_SECONDS_MAX)
    assert not keeping.done()
    keeping.cancel()
    assert {str(request.url) for request in asked} == {"https://api.example.test/api/v2/ticker?pairSymbol=BTCTRY"}
    assert len(asked) == 3  # nothing after the 429: the manual clock of the block stands still
    with pytest.raises(RateLimited):
        budgets.require_open(Endpoint.TICKER)
    assert observer.named(Event.REQUEST_FAILED)
