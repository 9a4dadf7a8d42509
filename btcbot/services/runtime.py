"""The one seam to time, sleep and fresh ids. `cli` builds a `Runtime` once and passes it down.

The clock rate is a property of the event loop: `ScaledLoop.time()` runs at the rate, so every timer of every library on
that loop scales with it, and the wall clock is scaled around an anchor that all processes share. At rate 1 both are
the system's own.
"""

import asyncio
import secrets
import selectors
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from btcbot.domain.ports import Clock, Ids, Sleeper
from btcbot.domain.profiles import ClockProfile

T = TypeVar("T")


class ScaledClock:
    """System time, run at a rate around an anchor."""

    def __init__(self, profile: ClockProfile) -> None:
        self._rate = profile.rate
        self._anchor = profile.anchor

    def now(self) -> datetime:
        real = datetime.now(UTC)
        if self._anchor is None:
            return real
        return self._anchor + (real - self._anchor) * float(self._rate)

    def monotonic(self) -> float:
        return time.monotonic() * float(self._rate)


class LoopSleeper:
    """Sleeps on the running loop, and so at its rate."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class RisingIds:
    """48 bits of milliseconds, then 80 random bits; within one millisecond the number before is raised by one."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        fresh = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
        self._last = fresh if fresh > self._last else self._last + 1
        return f"{self._last:032x}"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What one process has of the world outside, and the name of this run of it."""

    clock: Clock
    sleeper: Sleeper
    ids: Ids
    instance_id: str  # in the log, in the lock and in every row alike


def build_runtime(profile: ClockProfile) -> Runtime:
    ids = RisingIds()
    return Runtime(ScaledClock(profile), LoopSleeper(), ids, ids.new())


class _ScaledSelector(selectors.DefaultSelector):
    """Waits real seconds for a loop that counts scaled ones."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / self._rate)


class ScaledLoop(asyncio.SelectorEventLoop):
    """An event loop whose seconds pass `rate` times as fast."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        super().__init__(_ScaledSelector(rate))
        self._clock_resolution = time.get_clock_info("monotonic").resolution * rate

    def time(self) -> float:
        return time.monotonic() * self._rate


def run(main: Callable[[], Coroutine[None, None, T]], profile: ClockProfile) -> T:
    """Run a program on a loop of the profile's rate, and close everything after it."""
    with asyncio.Runner(loop_factory=lambda: ScaledLoop(float(profile.rate))) as runner:
        return runner.run(main())


def token(count: int) -> bytes:
    """Fresh random bytes, good enough for a key."""
    return secrets.token_bytes(count)
