"""Rate budgets: the exchange's documented limits (protocol, section 9), of which a process uses its share and no more.

The limits are per address, and live, monitor and a person's own tools share one (reliability I13). Budgets are kept per
endpoint, so reads and submits can never eat what cancels need: DELETE order has its own. A leaky bucket lets through
its burst at once and then a steady flow; both together stay within the share in every window of the exchange.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from aiolimiter import AsyncLimiter

from btcbot.domain.ports import Clock
from btcbot.domain.profiles import Role
from btcbot.exchange.errors import RateLimited

BURST_SHARE = 4  # a quarter of the allowance may go at once
BLOCK_SECONDS_MIN = 1.0
BLOCK_SECONDS_UNSAID = 60.0  # a 429 without Retry-After: the longest period of most limits
SHARES: Mapping[Role, float] = MappingProxyType({Role.LIVE: 0.7, Role.MONITOR: 0.2})


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


QUOTAS: Mapping[Endpoint, tuple[tuple[int, float], ...]] = MappingProxyType({  # calls, seconds
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
    Endpoint.TRADES: ((90, 60.0),),
    Endpoint.CANDLES: ((600, 600.0),),  # the whole graph host
    Endpoint.INFO: ((20, 60.0),),  # this and the next are not published (open question F1)
    Endpoint.TIME: ((60, 60.0),),
})  # fmt: skip


class Budgets:
    """What one client may still send, and until when the exchange has forbidden it."""

    def __init__(self, role: Role, clock: Clock) -> None:
        self._clock = clock
        self._limiters = {
            endpoint: tuple(_limiter(calls * SHARES[role], seconds) for calls, seconds in quotas)
            for endpoint, quotas in QUOTAS.items()
        }
        self._blocked_until: dict[Endpoint, float] = {}

    async def acquire(self, endpoint: Endpoint) -> None:
        """Wait for room in the budget. Raises `RateLimited` inside a block: waiting that out is the caller's choice."""
        self.require_open(endpoint)
        for limiter in self._limiters[endpoint]:
            await limiter.acquire()
        self.require_open(endpoint)

    def require_open(self, endpoint: Endpoint) -> None:
        left = self._blocked_until.get(endpoint, 0.0) - self._clock.monotonic()
        if endpoint in self._blocked_until and left > 0:
            raise RateLimited(endpoint, left)

    def block(self, endpoint: Endpoint, retry_after: float | None) -> RateLimited:
        """Take note of a 429. The longest block heard of counts; it is never shortened."""
        seconds = BLOCK_SECONDS_UNSAID if retry_after is None else max(retry_after, BLOCK_SECONDS_MIN)
        until = self._clock.monotonic() + seconds
        self._blocked_until[endpoint] = max(until, self._blocked_until.get(endpoint, until))
        return RateLimited(endpoint, seconds)


def _limiter(calls: float, seconds: float) -> AsyncLimiter:
    burst = max(1.0, calls // BURST_SHARE)
    return AsyncLimiter(burst, burst * seconds / max(calls - burst, 1.0))
