"""Rate limits (protocol 9). A window starts with the first request in it; who exceeds it is shut out for its length.

Requests that are refused count for nothing and prolong nothing.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

COUNTED_MAX = 10_000  # addresses or accounts per limit; then those whose window is over are forgotten


class Policy(StrEnum):
    """Whom a limit counts."""

    IP = "ip"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Limit:
    count: int
    seconds: int
    policy: Policy = Policy.IP

    @property
    def period(self) -> str:
        return f"{self.seconds // 60}m" if self.seconds % 60 == 0 else f"{self.seconds}s"


@dataclass(frozen=True, slots=True)
class Exceeded:
    limit: Limit
    retry_after: int  # seconds


@dataclass(slots=True)
class _Window:
    start_ms: int
    count: int = 0
    shut_until_ms: int = 0


@dataclass(slots=True)
class _Counter:
    """One limit, and how much of it each address or account has used."""

    limit: Limit
    windows: dict[str, _Window] = field(default_factory=dict)

    def charge(self, who: str, now_ms: int) -> int:
        """Milliseconds to wait; 0 for a request that is within the limit, and now counted."""
        window = self.windows.get(who)
        if window is None:
            window = self._opened(who, now_ms)
        if now_ms < window.shut_until_ms:
            return window.shut_until_ms - now_ms
        length_ms = self.limit.seconds * 1000
        if now_ms - window.start_ms >= length_ms or window.shut_until_ms:
            window.start_ms, window.count, window.shut_until_ms = now_ms, 0, 0
        window.count += 1
        if window.count <= self.limit.count:
            return 0
        window.shut_until_ms = now_ms + length_ms
        return length_ms

    def _opened(self, who: str, now_ms: int) -> _Window:
        if len(self.windows) >= COUNTED_MAX:
            length_ms = self.limit.seconds * 1000
            self.windows = {
                who: window
                for who, window in self.windows.items()
                if max(window.start_ms + length_ms, window.shut_until_ms) > now_ms
            }
        return self.windows.setdefault(who, _Window(now_ms))


def _both(count: int, burst: int) -> tuple[Limit, ...]:
    return tuple(Limit(*rule, policy) for policy in (Policy.ACCOUNT, Policy.IP) for rule in ((count, 60), (burst, 1)))


LIMITS: Mapping[str, tuple[Limit, ...]] = {
    "balances": (Limit(120, 60),),
    "submit": _both(300, 10),
    "cancel": _both(300, 10),
    "order": _both(900, 30),
    "open_orders": (Limit(300, 60),),
    "all_orders": (Limit(300, 60),),
    "user_trades": (Limit(120, 60),),
    "transfers_crypto": (Limit(90, 60),),
    "transfers_fiat": (Limit(90, 60),),
    "ticker": (Limit(600, 60),),
    "orderbook": (Limit(180, 60),),
    "ohlcs": (Limit(120, 60),),
    "graph": (Limit(600, 600),),
    "connect": (Limit(15, 60),),
}
ALSO = {"ohlcs": "graph"}  # the limit of the whole host counts them too


class RateLimits:
    """Counts requests by endpoint, and by the address and the account that made them."""

    def __init__(self, *, are_accounts_counted: bool = True) -> None:
        self._counters = {
            endpoint: [_Counter(limit) for limit in limits if are_accounts_counted or limit.policy is Policy.IP]
            for endpoint, limits in LIMITS.items()
        }
        for endpoint, host in ALSO.items():
            self._counters[endpoint].extend(self._counters[host])

    def charge(self, endpoint: str, ip: str, account: str | None, now_ms: int) -> Exceeded | None:
        """Count one request; if it is one too many, the limit it broke that lasts longest."""
        broken: Exceeded | None = None
        for counter in self._counters.get(endpoint, ()):
            who = ip if counter.limit.policy is Policy.IP else account
            if who is not None and (wait_ms := counter.charge(who, now_ms)):
                wait = math.ceil(wait_ms / 1000)
                if broken is None or wait > broken.retry_after:
                    broken = Exceeded(counter.limit, wait)
        return broken
