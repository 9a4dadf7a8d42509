"""The exchange's time as well as we know it: one measurement, carried on by the monotonic clock (reliability I7).

A wall clock that steps changes neither the stamps that we sign with nor what we hold for the exchange's time. What it
changes is the offset between the two, at once and not only at the next measurement.
"""

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


@dataclass(frozen=True, slots=True)
class _Sample:
    """One answer of the exchange, held against both of our clocks at the middle of its way."""

    theirs: datetime
    wall: datetime
    monotonic: float
    round_trip: timedelta

    @property
    def lead(self) -> datetime:
        """When the monotonic clock began, in the exchange's time: comparable whatever the wall clock did meanwhile."""
        return self.theirs - timedelta(seconds=self.monotonic)


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
        self._sample: _Sample | None = None
        self._theirs_ms = 0

    async def measure(self) -> ClockOffset:
        """The median of three samples: no single answer is trusted. Without any, what the last one raised."""
        samples: list[_Sample] = []
        failures = 0
        while len(samples) < SAMPLES and (failures < FAILURES_MAX or not samples):
            try:
                samples.append(await self._ask())
            except (NotSent, NoAnswer):
                failures += 1
                if failures > FAILURES_MAX:
                    raise
        median = sorted(samples, key=lambda sample: sample.lead)[len(samples) // 2]
        self._measured_at = self._clock.monotonic()
        self._sample, self._theirs_ms = median, milliseconds_of(median.theirs)
        return self._offset_by(median)

    async def ensure_fresh(self) -> None:
        """Measure when the last measurement is missing or five minutes old. An old offset outlives a failed try."""
        if self._sample is None:
            await self.measure()
        elif self._clock.monotonic() - self._measured_at > FRESH_SECONDS:
            try:
                await self.measure()
            except (ExchangeUnreachable, ReadFailed):
                return

    @property
    def last(self) -> ClockOffset | None:
        """The offset at this moment by the last measurement: whatever our clock has stepped since is in it."""
        return None if self._sample is None else self._offset_by(self._sample)

    def now(self) -> datetime:
        sample = self._sample
        if sample is None:
            return self._clock.now()
        return sample.theirs + timedelta(seconds=self._clock.monotonic() - sample.monotonic)

    def monotonic(self) -> float:
        """Seconds of our own that never step: for waits, and for nothing that is told."""
        return self._clock.monotonic()

    def now_ms(self) -> int:
        """Asked for every signature, and so without a `datetime` in between."""
        sample = self._sample
        if sample is None:
            return milliseconds_of(self._clock.now())
        return self._theirs_ms + int((self._clock.monotonic() - sample.monotonic) * 1000)

    def _offset_by(self, sample: _Sample) -> ClockOffset:
        stepped = self._clock.now() - sample.wall - timedelta(seconds=self._clock.monotonic() - sample.monotonic)
        return ClockOffset(sample.theirs - sample.wall - stepped, sample.round_trip)

    async def _ask(self) -> _Sample:
        await self._source.admit_time()
        began, began_at = self._clock.monotonic(), self._clock.now()
        theirs = await self._source.server_time()
        seconds = self._clock.monotonic() - began
        round_trip = timedelta(seconds=seconds)
        return _Sample(theirs, began_at + round_trip / 2, began + seconds / 2, round_trip)
