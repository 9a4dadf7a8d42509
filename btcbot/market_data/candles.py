"""Closed candles, contiguous and never revised (protocol 4.5).

A candle is closed when the exchange's clock has passed its end; the running one is never shown. What was once taken
stays as it was: a decision must be reproducible from what it saw. An interval without trades has no candle at the
exchange; it becomes a flat one at the last close as soon as a later candle proves that it is over. Until then it is a
gap, and nothing beyond it is shown.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from btcbot.domain.market import Candle

KEPT_MAX = 1_500
PER_CALL_MAX = 500
RESOLUTIONS_MINUTES = (1, 5, 15, 30, 60, 240)  # the ones that are safe to ask for

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_VOLUME = Decimal(0)


def opening_of(moment: datetime, interval: timedelta) -> datetime:
    """The start of the interval that a moment lies in, on the grid that all candles share."""
    return _EPOCH + (moment - _EPOCH) // interval * interval


def contiguous(candles: Iterable[Candle], interval: timedelta, after: Candle | None = None) -> Iterator[Candle]:
    """Oldest first, each once, every interval filled: flat where nothing was traded. `after` is what came before."""
    previous = after
    for candle in sorted(candles, key=lambda each: each.opened_at):
        if previous is not None:
            if candle.opened_at <= previous.opened_at:
                continue
            while previous.opened_at + interval < candle.opened_at:
                last = previous.close
                previous = Candle(previous.opened_at + interval, last, last, last, last, _NO_VOLUME)
                yield previous
        yield candle
        previous = candle


def calls_for(since: datetime, until: datetime, interval: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The range of openings from `since` to `until`, both on the grid and included, in calls of a bounded length."""
    while since <= until:
        end = min(until, since + interval * (PER_CALL_MAX - 1))
        yield since, end
        since = end + interval


class CandleSeries:
    """The closed candles of one pair."""

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval
        self._candles: deque[Candle] = deque(maxlen=KEPT_MAX)

    @property
    def last_opened_at(self) -> datetime | None:
        return self._candles[-1].opened_at if self._candles else None

    def take(self, candles: Iterable[Candle], now: datetime) -> int:
        """Add what is closed at `now` and new; returns how many that were. Candles off the grid are left out."""
        on_grid = (each for each in candles if opening_of(each.opened_at, self._interval) == each.opened_at)
        closed = [candle for candle in on_grid if candle.opened_at + self._interval <= now]
        last = self._candles[-1] if self._candles else None
        fresh = list(contiguous(closed, self._interval, last))
        self._candles.extend(fresh)
        return len(fresh)

    def misses(self, now: datetime) -> bool:
        """Whether the interval that closed last is still without its candle."""
        last = self.last_opened_at
        return last is None or last < opening_of(now, self._interval) - self._interval

    def wanted_since(self, now: datetime) -> datetime:
        """The opening of the first candle that is missing."""
        newest = opening_of(now, self._interval) - self._interval
        if self._candles:
            return max(self._candles[-1].opened_at + self._interval, newest - self._interval * (KEPT_MAX - 1))
        return newest

    def after(self, moment: datetime | None) -> tuple[Candle, ...]:
        """Candles opened after a moment; all of them when there is none."""
        return tuple(candle for candle in self._candles if moment is None or candle.opened_at > moment)

    def last(self, count: int) -> tuple[Candle, ...]:
        return tuple(self._candles)[-count:] if count > 0 else ()
