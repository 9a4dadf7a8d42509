"""Rate limits (protocol 9). A window starts with the first request in it; who exceeds it is refused until it ends."""

import math
from dataclasses import dataclass

KEYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Limit:
    count: int
    seconds: int
    policy: str = "ip"  # whom it counts: ip or account

    @property
    def period(self) -> str:
        return f"{self.seconds // 60}m" if self.seconds % 60 == 0 else f"{self.seconds}s"


@dataclass(frozen=True, slots=True)
class Exceeded:
    limit: Limit
    retry_after: int  # seconds


def _both(count: int, burst: int) -> tuple[Limit, ...]:
    return tuple(Limit(*rule, policy) for policy in ("account", "ip") for rule in ((count, 60), (burst, 1)))


LIMITS: dict[str, tuple[Limit, ...]] = {
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


class RateLimits:
    """Counts requests by endpoint, and by the address and the account that made them."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, Limit, str], tuple[int, int]] = {}  # start in ms, count

    def charge(self, endpoint: str, ip: str, account: str | None, now_ms: int) -> Exceeded | None:
        """Count one request; if it is one too many, the limit it broke that lasts longest."""
        broken: Exceeded | None = None
        for limit in LIMITS.get(endpoint, ()):
            who = account if limit.policy == "account" else ip
            if who is None:
                continue
            start, count = self._windows.get((endpoint, limit, who), (now_ms, 0))
            if now_ms - start >= limit.seconds * 1000:
                start, count = now_ms, 0
            if len(self._windows) >= KEYS_MAX:
                self._windows.clear()
            self._windows[endpoint, limit, who] = (start, count + 1)
            if count >= limit.count:
                wait = max(1, math.ceil((start + limit.seconds * 1000 - now_ms) / 1000))
                if broken is None or wait > broken.retry_after:
                    broken = Exceeded(limit, wait)
        return broken
