"""The connections that submits and cancels go by: apart from every read, one free for each, and warm.

A new connection costs an order two or three round trips (TCP, TLS) and the client more work than the order itself. A
server drops a connection that idles for a minute or so; therefore each lane carries a harmless read now and then, one
lane after the other, so that there is always another one free and warm.
"""

from collections.abc import Sequence
from itertools import cycle

from btcbot.domain.errors import ExchangeUnreachable
from btcbot.domain.events import Event
from btcbot.domain.ports import Observer, Sleeper
from btcbot.exchange.errors import RateLimited
from btcbot.exchange.http import Headers, Http, HttpAnswer, Query
from btcbot.exchange.limits import TOO_MANY_REQUESTS, Budgets, Endpoint

LANES = 2  # an order that waits for its answer must not hold up a cancel
LANE_CONNECTIONS_MAX = 2
IDLE_SECONDS_MAX = 20.0  # of a lane; servers wait for 60 at least, but a lane that was cut is only noticed by a read
WARM_SECONDS = 5.0  # for the answer to a read that nobody needs
TRIES_MAX = 2


class Lanes:
    def __init__(self, lanes: Sequence[Http]) -> None:
        self.each = tuple(lanes)

    @classmethod
    def connect(cls, base_url: str) -> "Lanes":
        """Nothing is sent yet."""
        return cls([Http(base_url, connections_max=LANE_CONNECTIONS_MAX) for _ in range(LANES)])

    async def send(
        self, method: str, path: str, query: Query, *, headers: Headers, body: bytes | None, timeout: float
    ) -> HttpAnswer:
        """See `Http.send`: one request on one lane, whatever comes of it; the free one that was last seen open."""
        lane = min(self.each, key=lambda lane: (lane.in_flight > 0, -lane.open_at))
        return await lane.send(method, path, query, headers=headers, body=body, timeout=timeout)

    async def aclose(self) -> None:
        for lane in self.each:
            await lane.aclose()


class Warming:
    """A task of its own, never required: without it an order is slower, and otherwise the same."""

    def __init__(self, lanes: Lanes, pair: str, budgets: Budgets, sleeper: Sleeper, observer: Observer) -> None:
        self._lanes = lanes.each
        self._query = (("pairSymbol", pair),)
        self._budgets = budgets
        self._sleeper = sleeper
        self._observer = observer

    async def run(self) -> None:
        """Until cancelled. A read that fails ends nothing: the next one opens a new connection."""
        for lane in self._lanes:
            await self._warm(lane)
        for turn in cycle(self._lanes):
            await self._sleeper.sleep(IDLE_SECONDS_MAX / len(self._lanes))
            for lane in self._lanes:
                if lane is turn or lane.is_closed:
                    await self._warm(lane)

    async def _warm(self, lane: Http) -> None:
        """Servers close a connection with its thousandth answer or so: then the next one is opened at once."""
        for _ in range(TRIES_MAX):
            await self._read(lane)
            if not lane.is_closed:
                return

    async def _read(self, lane: Http) -> None:
        """The ticker of one pair: public, listed in the limits with room to spare, and small (protocol 4.2, 9)."""
        try:
            await self._budgets.acquire(Endpoint.TICKER)
            answer = await lane.send("GET", "/api/v2/ticker", self._query, timeout=WARM_SECONDS)
        except (RateLimited, ExchangeUnreachable) as error:
            self._observer.observed(Event.REQUEST_FAILED, endpoint=str(Endpoint.TICKER), error=str(error))
            return
        if answer.status == TOO_MANY_REQUESTS:
            self._budgets.block(Endpoint.TICKER, answer.retry_after)
