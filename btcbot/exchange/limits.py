"""Rate budgets: the exchange's documented limits (protocol, section 9), of which a process uses its share and no more.

The limits are per address, and live, monitor and a person's own tools share one (reliability I13). Budgets are kept per
endpoint, so reads and submits can never eat what cancels need: DELETE order has its own. Should the exchange count POST
and DELETE together after all (open question F2), submits still leave cancels their reserve: they may use no more than
`ORDER_SHARES` gives them of either counter. Every call has its moment on a log: no stretch of a
limit's period, wherever it begins, ever holds more of them than the share.

A 429 blocks its endpoint for as long as it says. On DELETE the way out would be shut, so there the block is believed
for `CANCEL_BLOCK_SECONDS_MAX` at a time: the documented one is 60 s, and one cancel every other minute tests a longer
one without making it worse (open question F3).
"""

import asyncio
import math
from bisect import insort
from collections import deque
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from btcbot.domain.ports import Clock
from btcbot.domain.profiles import Role
from btcbot.exchange.errors import RateLimited

BLOCK_SECONDS_MIN = 1.0
BLOCK_SECONDS_UNSAID = 60.0  # a 429 without Retry-After: the longest period of most limits
CANCEL_BLOCK_SECONDS_MAX = 120.0
TOO_MANY_REQUESTS = 429
SHARES: Mapping[Role, float] = MappingProxyType({Role.LIVE: 0.7, Role.MONITOR: 0.2})


Quotas = tuple[tuple[int, float], ...]  # calls, seconds


class Endpoint(StrEnum):
    """What is counted together."""

    BALANCES = "GET users/balances"
    SUBMIT = "POST order"
    CANCEL = "DELETE order"
    ORDER = "GET order"
    OPEN_ORDERS = "GET openOrders"
    ALL_ORDERS = "GET allOrders"
    USER_TRADES = "GET users/transactions/trade"
    CRYPTO = "GET users/transactions/crypto"
    FIAT = "GET users/transactions/fiat"
    TICKER = "GET ticker"
    BOOK = "GET orderbook"
    TRADES = "GET trades"
    CANDLES = "GET klines/history"
    INFO = "GET server/exchangeinfo"
    TIME = "GET server/time"


QUOTAS: Mapping[Endpoint, Quotas] = MappingProxyType({
    Endpoint.BALANCES: ((120, 60.0),),
    Endpoint.SUBMIT: ((300, 60.0), (10, 1.0)),
    Endpoint.CANCEL: ((300, 60.0), (10, 1.0)),
    Endpoint.ORDER: ((900, 60.0), (30, 1.0)),
    Endpoint.OPEN_ORDERS: ((300, 60.0),),
    Endpoint.ALL_ORDERS: ((300, 60.0),),
    Endpoint.USER_TRADES: ((120, 60.0),),
    Endpoint.CRYPTO: ((90, 60.0),),
    Endpoint.FIAT: ((90, 60.0),),
    Endpoint.TICKER: ((600, 60.0),),
    Endpoint.BOOK: ((180, 60.0),),
    Endpoint.TRADES: ((60, 60.0),),  # this and the last two are not published (open question F1)
    Endpoint.CANDLES: ((600, 600.0),),  # the whole graph host
    Endpoint.INFO: ((10, 60.0),),
    Endpoint.TIME: ((60, 60.0),),
})  # fmt: skip


# Live alone sends orders. The two together stay below one whole, in case they are counted as one.
ORDER_SHARES: Mapping[Endpoint, float] = MappingProxyType({Endpoint.SUBMIT: 0.4, Endpoint.CANCEL: 0.5})
# A process has a client for the market and one for the account, with a budget each; both ask for these.
ASKED_TWICE = frozenset({Endpoint.TIME, Endpoint.TICKER})


def share_of(role: Role, endpoint: Endpoint) -> float:
    """How much of the exchange's limit one client of a process may use."""
    if endpoint in ORDER_SHARES:
        return ORDER_SHARES[endpoint] if role is Role.LIVE else 0.0
    return SHARES[role] / 2 if endpoint in ASKED_TWICE else SHARES[role]


class Budgets:
    """What one client may still send, and until when the exchange has forbidden it."""

    def __init__(self, role: Role, clock: Clock, quotas: Mapping[Endpoint, Quotas] = QUOTAS) -> None:
        self._clock = clock
        self._logs = {
            endpoint: CallLog([(int(calls * share), seconds) for calls, seconds in allowances])
            for endpoint, allowances in quotas.items()
            if (share := share_of(role, endpoint)) > 0
        }
        self._blocked_until: dict[Endpoint, float] = {}

    async def acquire(self, endpoint: Endpoint, patience: float = math.inf) -> None:
        """Wait for room in the budget.

        Raises `RateLimited` inside a block, waiting that out is the caller's choice; and at once, with nothing used up,
        where the wait would be longer than `patience` in seconds.
        """
        assert endpoint in self._logs, f"a role without a share of {endpoint} does not call it"
        self.require_open(endpoint)
        loop = asyncio.get_running_loop()
        log, now = self._logs[endpoint], loop.time()
        moment = log.free_at(now)
        if moment - now > patience:
            raise RateLimited(endpoint, moment - now)
        log.book(moment)
        if moment > now:
            try:
                await _until(moment, loop)
                self.require_open(endpoint)
            except BaseException:
                log.give_back(moment)  # or whoever gives up waiting pushes everybody after them further away
                raise

    def never_left(self, endpoint: Endpoint) -> None:
        """The last call that was let through met no connection: no byte of it left, so the exchange counts none."""
        self._logs[endpoint].give_back_last(asyncio.get_running_loop().time())

    def require_open(self, endpoint: Endpoint) -> None:
        left = self._blocked_until.get(endpoint, 0.0) - self._clock.monotonic()
        if endpoint in self._blocked_until and left > 0:
            raise RateLimited(endpoint, left)

    def block(self, endpoint: Endpoint, retry_after: float | None) -> RateLimited:
        """Take note of a 429. The longest block heard of counts; it is never shortened."""
        seconds = BLOCK_SECONDS_UNSAID if retry_after is None else max(retry_after, BLOCK_SECONDS_MIN)
        if endpoint is Endpoint.CANCEL:
            seconds = min(seconds, CANCEL_BLOCK_SECONDS_MAX)
        until = self._clock.monotonic() + seconds
        self._blocked_until[endpoint] = max(until, self._blocked_until.get(endpoint, until))
        return RateLimited(endpoint, seconds)


class CallLog:
    """When the last calls left or will leave, oldest first: whoever comes first gets the first moment that is free."""

    def __init__(self, allowances: Sequence[tuple[int, float]]) -> None:
        """So many calls in so many seconds, each; at least one call, or nothing would ever leave."""
        self._allowances = [(max(calls, 1), seconds) for calls, seconds in allowances]
        self._longest = max(seconds for _, seconds in self._allowances)
        self._moments: deque[float] = deque()  # those of the longest period, and those to come

    def free_at(self, now: float) -> float:
        """The next moment at which one more call keeps every allowance."""
        while self._moments and self._moments[0] + self._longest <= now:
            self._moments.popleft()
        moment = now
        for calls, seconds in self._allowances:
            if len(self._moments) >= calls:
                moment = max(moment, self._moments[-calls] + seconds)
        return moment

    def book(self, moment: float) -> None:
        """Take a moment that is free: whoever asks next gets a later one."""
        insort(self._moments, moment)  # at the end, unless what was before those who wait has been given back

    def give_back(self, moment: float) -> None:
        """A booked moment at which nothing leaves. Who waits keeps the own moment; who asks next may get this one."""
        self._moments.remove(moment)

    def give_back_last(self, now: float) -> None:
        """The latest moment that has come; nothing where that is so long ago that it counts no more."""
        come = [moment for moment in self._moments if moment <= now]
        if come:
            self.give_back(come[-1])


async def _until(moment: float, loop: asyncio.AbstractEventLoop) -> None:
    """Wait on the loop's own clock, which is the one that moments are counted by."""
    reached = loop.create_future()
    timer = loop.call_at(moment, reached.set_result, None)
    try:
        await reached
    finally:
        timer.cancel()
