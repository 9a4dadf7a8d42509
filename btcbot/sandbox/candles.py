"""Candles of any length out of a pair's minutes, for the graph host and the `tradeview` channel alike.

A week begins on Monday, a month on its first, all in UTC. What is longer than `MINUTES_MAX` is summed from that many
minutes only: a question must not hold up the market.
"""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from btcbot.sandbox.floor import EPOCH, Floor, milliseconds
from btcbot.simulation.books import MINUTE_MS, Bar

MINUTES_MAX = 5_000
DAY_MINUTES = 1_440
DAY_MS = DAY_MINUTES * MINUTE_MS
_WEEK_BEGINS_MS = 4 * DAY_MS  # the first Monday of the epoch
WEEK, MONTH = 7 * DAY_MINUTES, 30 * DAY_MINUTES
_NAMED = {
    "1D": DAY_MINUTES, "1 day": DAY_MINUTES, "1 d": DAY_MINUTES, "D": DAY_MINUTES,
    "1W": WEEK, "1 week": WEEK, "1 w": WEEK, "W": WEEK, "10080": WEEK,
    "1M": MONTH, "M": MONTH,
}  # fmt: skip


def minutes_of(resolution: str) -> int | None:
    """How many minutes a resolution has: any number up to a day, and the longer ones by their names (protocol 4.5)."""
    if (named := _NAMED.get(resolution)) is not None:
        return named
    minutes = int(resolution) if resolution.isascii() and resolution.isdigit() and len(resolution) <= 4 else 0
    return minutes if 1 <= minutes <= DAY_MINUTES else None


def opening_ms(at_ms: int, minutes: int) -> int:
    """When the candle began that runs at a moment."""
    if minutes == MONTH:
        first = (EPOCH + timedelta(milliseconds=at_ms)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        return milliseconds(first)
    step = minutes * MINUTE_MS
    begins_ms = _WEEK_BEGINS_MS if minutes == WEEK else 0
    return (at_ms - begins_ms) // step * step + begins_ms


def following_ms(opened_ms: int, minutes: int) -> int:
    """When the candle after this one begins."""
    if minutes == MONTH:
        return opening_ms(opened_ms + 32 * DAY_MS, MONTH)
    return opened_ms + minutes * MINUTE_MS


def candles(floor: Floor, pair: str, minutes: int, from_ms: int, until_ms: int) -> Iterator[Bar]:
    """Candles that opened within [from, until], oldest first; the last one may be running."""
    first = opening_ms(from_ms, minutes)
    if first < from_ms:
        first = following_ms(first, minutes)
    last = opening_ms(until_ms, minutes)
    first = max(first, last - MINUTES_MAX // minutes * minutes * MINUTE_MS)
    if last < first:
        return
    end_ms = min(following_ms(last, minutes) - 1, floor.now_ms())
    yield from _joined(floor.bars(pair, max(first, end_ms - MINUTES_MAX * MINUTE_MS), end_ms), minutes)


def running(floor: Floor, pair: str, minutes: int, now_ms: int) -> Bar | None:
    """The candle that runs now, if anything was traded in it."""
    opened_ms = opening_ms(now_ms, minutes)
    return next(candles(floor, pair, minutes, opened_ms, now_ms), None)


def _joined(bars: Iterable[Bar], minutes: int) -> Iterator[Bar]:
    joined: Bar | None = None
    for bar in bars:
        opened_ms = opening_ms(bar.opened_ms, minutes)
        if joined is not None and joined.opened_ms == opened_ms:
            joined = Bar(
                opened_ms, joined.open, max(joined.high, bar.high), min(joined.low, bar.low), bar.close,
                joined.volume + bar.volume,
            )  # fmt: skip
            continue
        if joined is not None:
            yield joined
        joined = Bar(opened_ms, bar.open, bar.high, bar.low, bar.close, bar.volume)
    if joined is not None:
        yield joined
