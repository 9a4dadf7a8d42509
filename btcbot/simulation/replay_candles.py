"""A market out of recorded minutes.

The first `WARM_UP_MINUTES` of the record lie before the start: the history that strategies warm up on. Within a minute
the price goes from open over one extreme and the other to close. At speed 1 the minutes fall on minutes, and the bars
are the recorded ones digit for digit; at another speed they are what the path shows at its points.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import gcd

from btcbot.simulation.books import MINUTE_MS
from btcbot.simulation.chance import key_of
from btcbot.simulation.generator import LEVEL_NOTIONAL
from btcbot.simulation.paths import SLOT_MS, SLOTS_PER_MINUTE, PathMarket, PathStream
from btcbot.simulation.replay import (
    PRICE_PLACES,
    QUANTITY_PLACES,
    Rerun,
    UnusableRecord,
    decimals_of,
    recorded_listing,
    steps_of,
)

WARM_UP_MINUTES = 120
QUANTITY_DECIMALS_MIN = 2


@dataclass(frozen=True, slots=True)
class CandleRow:
    """One recorded minute, numbers as text."""

    pair: str
    opened_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str


@dataclass(slots=True)
class _Columns:
    """A pair's minutes, in columns: a year of them is half a million rows."""

    opened_ms: "array[int]" = field(default_factory=lambda: array("q"))
    prices: "tuple[array[int], ...]" = field(default_factory=lambda: tuple(array("q") for _ in range(4)))
    volumes: "array[int]" = field(default_factory=lambda: array("q"))

    def append(self, row: CandleRow) -> None:
        if self.opened_ms and row.opened_ms <= self.opened_ms[-1]:
            raise UnusableRecord(f"the candles of {row.pair} are not in order of time")
        if row.opened_ms % MINUTE_MS:
            raise UnusableRecord(f"the candles of {row.pair} do not open on whole minutes")
        self.opened_ms.append(row.opened_ms)
        for column, text in zip(self.prices, (row.open, row.high, row.low, row.close), strict=True):
            column.append(steps_of(text, PRICE_PLACES))
        self.volumes.append(steps_of(row.volume, QUANTITY_PLACES))


def recorded_candles(rows: Iterable[CandleRow], pairs: Sequence[str], rerun: Rerun) -> PathMarket:
    """Some pairs of a record of minutes. The start is taken at the whole minute before it."""
    columns: dict[str, _Columns] = {pair: _Columns() for pair in pairs}
    for row in rows:
        if row.pair in columns:
            columns[row.pair].append(row)
    missing = [pair for pair, column in columns.items() if len(column.opened_ms) <= WARM_UP_MINUTES]
    if missing:
        raise UnusableRecord(f"the record holds no more than {WARM_UP_MINUTES} candles of {', '.join(missing)}")
    rerun = Rerun(rerun.started_ms // MINUTE_MS * MINUTE_MS, rerun.speed)
    cursor_ms = max(column.opened_ms[0] for column in columns.values()) + WARM_UP_MINUTES * MINUTE_MS
    end_ms = min(column.opened_ms[-1] for column in columns.values()) + MINUTE_MS
    if cursor_ms >= end_ms:
        raise UnusableRecord("the pairs were not recorded at the same time")
    streams = [_stream(pair, column, rerun, cursor_ms) for pair, column in columns.items()]
    return PathMarket(streams, ends_ms=rerun.redated(end_ms, cursor_ms))


class RecordedPath:
    """A pair's price as its minutes tell it. In steps of its listing."""

    def __init__(self, columns: _Columns, price_unit: int, lot_unit: int, rerun: Rerun, cursor_ms: int) -> None:
        self._columns = columns
        self._price_unit = price_unit
        self._lot_unit = lot_unit
        self._rerun = rerun
        self._cursor_ms = cursor_ms

    def at(self, at_ms: int) -> float:
        recorded_ms = self._rerun.recorded(at_ms, self._cursor_ms)
        row = self._row(recorded_ms)
        opened, high, low, close = (column[row] // self._price_unit for column in self._columns.prices)
        first, second = (low, high) if close >= opened else (high, low)
        # The last point of a minute is its close: 54 seconds after its first one, at speed 1.
        part = min((recorded_ms - self._columns.opened_ms[row]) / (MINUTE_MS - SLOT_MS), 1.0) * 3.0
        knots = (opened, first, second, close, close)
        leg = int(part)
        return knots[leg] + (knots[leg + 1] - knots[leg]) * (part - leg)

    def traded(self, slot: int) -> int:
        """A tenth of the minute's volume at each of its points, the rest at the last one."""
        recorded_ms = self._rerun.recorded(slot * SLOT_MS, self._cursor_ms)
        row = self._row(recorded_ms)
        into_ms = recorded_ms - self._columns.opened_ms[row]
        if into_ms >= MINUTE_MS:  # nothing was recorded here
            return 0
        volume = self._columns.volumes[row] // self._lot_unit
        if self._rerun.speed != 1:
            return int(volume * Fraction(self._rerun.speed) / SLOTS_PER_MINUTE)
        part = volume // SLOTS_PER_MINUTE
        return part if into_ms < MINUTE_MS - SLOT_MS else volume - (SLOTS_PER_MINUTE - 1) * part

    def has_begun(self, slot: int) -> bool:
        return self._rerun.recorded(slot * SLOT_MS, self._cursor_ms) >= self._columns.opened_ms[0]

    def _row(self, recorded_ms: int) -> int:
        return max(bisect_right(self._columns.opened_ms, recorded_ms) - 1, 0)


def _stream(pair: str, columns: _Columns, rerun: Rerun, cursor_ms: int) -> PathStream:
    price_decimals = decimals_of(gcd(*(gcd(*column) for column in columns.prices)), PRICE_PLACES)
    lot_decimals = max(decimals_of(gcd(*columns.volumes), QUANTITY_PLACES), QUANTITY_DECIMALS_MIN)
    listing = recorded_listing(pair, price_decimals, lot_decimals)
    price_unit = 10 ** (PRICE_PLACES - price_decimals)
    path = RecordedPath(columns, price_unit, 10 ** (QUANTITY_PLACES - lot_decimals), rerun, cursor_ms)
    home_ticks = columns.prices[0][0] / price_unit
    home = home_ticks / 10.0**price_decimals
    lots_typical = LEVEL_NOTIONAL[listing.quote] / home * 10.0**lot_decimals
    return PathStream(listing, path, key_of(0, pair), home_ticks, lots_typical)
