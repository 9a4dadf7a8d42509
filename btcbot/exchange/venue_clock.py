"""The exchange's time as well as we know it: our clock and a measured offset (reliability I7)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from btcbot.domain.errors import ExchangeUnreachable, ReadFailed
from btcbot.domain.ports import Clock
from btcbot.exchange.errors import NoAnswer, NotSent
from btcbot.exchange.mappers import milliseconds_of

SAMPLES = 3
FAILURES_MAX = 2  # of samples; with one sample in hand they end the measurement, without one they are its outcome
FRESH_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Add `offset` to our clock to get the exchange's; it is known to half of `round_trip`."""

    offset: timedelta
    round_trip: timedelta


class TimeSource(Protocol):
    async def admit_time(self) -> None:
        """Wait for room in the budget: a wait within the measured time would look like an offset."""
        ...

    async def server_time(self) -> datetime: ...


class VenueClock:
    def __init__(self, source: TimeSource, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._measured_at = 0.0
        self.last: ClockOffset | None = None

    async def measure(self) -> ClockOffset:
        """The median of three samples: no single answer is trusted. Without any, what the last one raised."""
        samples: list[ClockOffset] = []
        failures = 0
        while len(samples) < SAMPLES and (failures < FAILURES_MAX or not samples):
            try:
                samples.append(await self._sample())
            except (NotSent, NoAnswer):
                failures += 1
                if failures > FAILURES_MAX:
                    raise
        median = sorted(samples, key=lambda sample: sample.offset)[len(samples) // 2]
        self._measured_at = self._clock.monotonic()
        self.last = median
        return median

    async def ensure_fresh(self) -> None:
        """Measure when the last measurement is missing or five minutes old. An old offset outlives a failed try."""
        if self.last is None:
            await self.measure()
        elif self._clock.monotonic() - self._measured_at > FRESH_SECONDS:
            try:
                await self.measure()
            except (ExchangeUnreachable, ReadFailed):
                return

    def now(self) -> datetime:
        return self._clock.now() + (timedelta() if self.last is None else self.last.offset)

    def now_ms(self) -> int:
        return milliseconds_of(self.now())

    async def _sample(self) -> ClockOffset:
        await self._source.admit_time()
        began, began_at = self._clock.monotonic(), self._clock.now()
        theirs = await self._source.server_time()
        round_trip = timedelta(seconds=self._clock.monotonic() - began)
        return ClockOffset(theirs - (began_at + round_trip / 2), round_trip)
