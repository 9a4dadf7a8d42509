"""A recorded market, re-dated: the record begins to run at the sandbox's start, at a chosen speed, and ends.

Candles: the first `WARM_UP_MINUTES` of the record lie before the start: the history that strategies warm up on. Within
a minute the price goes from open over one extreme and the other to close. At speed 1 the minutes fall on minutes, and
the bars are the recorded ones digit for digit; at another speed they are what the path shows at its points.

Books: the recorded levels and trades themselves. They have no history before the start.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import islice
from math import gcd

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import Asset
from btcbot.simulation.books import EMPTY, MINUTE_MS, PRINTS_KEPT, Bar, Depth, Print
from btcbot.simulation.chance import key_of
from btcbot.simulation.generator import CHARACTERS, LEVEL_NOTIONAL
from btcbot.simulation.listings import NOTIONAL_MIN, Listing
from btcbot.simulation.paths import SLOT_MS, SLOTS_PER_MINUTE, PathMarket, PathStream

WARM_UP_MINUTES = 120
PRICE_PLACES = 10  # decimals that are read; a pair's grid has as many as its prices use
QUANTITY_PLACES = 8
QUANTITY_DECIMALS_MIN = 2
PAIR_ID_UNLISTED = 1_000
BOOK_LEVELS = 200
BARS_KEPT = 6_000
MILLION = 1_000_000


class UnusableRecord(ConfigurationError):
    """The recorded file is not what it should be, or lacks what was asked for."""

    next_step = "give a file of 1-minute candles or book messages that holds all of BTCBOT_PAIRS"


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


@dataclass(frozen=True, slots=True)
class Rerun:
    """How recorded time runs: from which sandbox time on, and how fast."""

    started_ms: int
    speed: Decimal

    def recorded(self, at_ms: int, cursor_ms: int) -> int:
        """The recorded time at a moment, when `cursor_ms` was played at the start."""
        return cursor_ms + int((at_ms - self.started_ms) * Fraction(self.speed))

    def redated(self, recorded_ms: int, cursor_ms: int) -> int:
        """The moment at which a recorded time is played."""
        return self.started_ms + int((recorded_ms - cursor_ms) / Fraction(self.speed))


# ----------------------------------------------------------------------------------------------- candles


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
            column.append(_steps(text, PRICE_PLACES))
        self.volumes.append(_steps(row.volume, QUANTITY_PLACES))


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
    price_decimals = _decimals(gcd(*(gcd(*column) for column in columns.prices)), PRICE_PLACES)
    lot_decimals = max(_decimals(gcd(*columns.volumes), QUANTITY_PLACES), QUANTITY_DECIMALS_MIN)
    listing = recorded_listing(pair, price_decimals, lot_decimals)
    price_unit = 10 ** (PRICE_PLACES - price_decimals)
    path = RecordedPath(columns, price_unit, 10 ** (QUANTITY_PLACES - lot_decimals), rerun, cursor_ms)
    home_ticks = columns.prices[0][0] / price_unit
    home = home_ticks / 10.0**price_decimals
    lots_typical = LEVEL_NOTIONAL[listing.quote] / home * 10.0**lot_decimals
    return PathStream(listing, path, key_of(0, pair), home_ticks, lots_typical)


def recorded_listing(pair: str, price_decimals: int, lot_decimals: int) -> Listing:
    """A pair that a record names: its quote is the one of ours that its name ends with."""
    quote = next((quote for quote in NOTIONAL_MIN if pair.endswith(quote) and pair != quote), None)
    if quote is None:
        raise UnusableRecord(f"{pair[:20]!r} is quoted neither in {' nor in '.join(NOTIONAL_MIN)}")
    known = CHARACTERS.get(pair)
    pair_id = known.listing.pair_id if known else PAIR_ID_UNLISTED + key_of(0, pair) % MILLION
    base = Asset(pair.removesuffix(quote))
    return Listing(pair, pair_id, base, quote, price_decimals, lot_decimals, NOTIONAL_MIN[quote])


def _decimals(common: int, places: int) -> int:
    """How many decimals numbers use that are all multiples of `common` units."""
    decimals = places
    while decimals > 0 and common % 10 == 0:
        common, decimals = common // 10, decimals - 1
    return decimals


def _steps(text: str, places: int) -> int:
    """A recorded number in units of its last decimal place; what lies beyond is not of this exchange and is cut."""
    whole, _, part = text.partition(".")
    if len(part) <= places and whole.isdecimal() and (not part or part.isdecimal()):
        return int(whole + part.ljust(places, "0"))
    try:
        return int(Decimal(text).scaleb(places))
    except (InvalidOperation, ValueError) as error:
        raise UnusableRecord(f"{text[:40]!r} in the record is not a number") from error


# ----------------------------------------------------------------------------------------------- books

RecordedLevels = Sequence[tuple[str, str]]  # price and quantity, as text; quantity 0: the level is gone


@dataclass(frozen=True, slots=True)
class BookSnapshot:
    at_ns: int
    update: int
    bids: RecordedLevels
    asks: RecordedLevels


@dataclass(frozen=True, slots=True)
class BookUpdate:
    at_ns: int
    update: int
    bids: RecordedLevels
    asks: RecordedLevels


@dataclass(frozen=True, slots=True)
class TapeTrade:
    at_ns: int
    number: int
    price: str
    quantity: str
    is_buy: bool


Message = BookSnapshot | BookUpdate | TapeTrade


class RecordedBooks:
    """One pair's recorded book and tape: a `Source`. It begins with the record's first snapshot."""

    def __init__(self, pair: str, messages: Iterable[Message], rerun: Rerun) -> None:
        self._messages: Iterator[Message] = iter(messages)
        self._rerun = rerun
        self._sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self._tape: deque[Print] = deque(maxlen=PRINTS_KEPT)
        self._bars: dict[int, Bar] = {}
        self.is_ended = False
        snapshot, missed = self._first_snapshot()
        prices = [_steps(price, PRICE_PLACES) for price, _ in (*snapshot.bids, *snapshot.asks)]
        self._listing = recorded_listing(pair, _decimals(gcd(*prices), PRICE_PLACES), QUANTITY_PLACES)
        self._price_unit = 10 ** (PRICE_PLACES - self._listing.price_decimals)
        self.listings: Mapping[str, Listing] = {pair: self._listing}
        self._cursor_ms = snapshot.at_ns // MILLION
        self._set_levels(snapshot)
        for update in missed:
            if update.update > snapshot.update:
                self._set_levels(update)
        self._next: Message | None = next(self._messages, None)
        self._depth = self._sorted()

    def advance(self, now_ms: int) -> Sequence[Print]:
        until_ms = self._rerun.recorded(now_ms, self._cursor_ms)
        prints: list[Print] = []
        while self._next is not None and self._next.at_ns // MILLION <= until_ms:
            if isinstance(self._next, TapeTrade):
                prints.append(self._printed(self._next))
            else:
                self._set_levels(self._next)
            self._next = next(self._messages, None)
        self.is_ended = self._next is None
        self._depth = EMPTY if self.is_ended else self._sorted()
        return prints

    def depth(self, pair: str) -> Depth:
        return self._depth

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        return [bar for bar in self._bars.values() if from_ms <= bar.opened_ms <= until_ms]

    def recent(self, pair: str) -> Sequence[Print]:
        return tuple(self._tape)

    def _first_snapshot(self) -> tuple[BookSnapshot, Sequence[BookUpdate]]:
        missed: list[BookUpdate] = []
        for message in self._messages:
            if isinstance(message, BookSnapshot):
                return message, missed
            if isinstance(message, BookUpdate):
                missed.append(message)
        raise UnusableRecord("the recorded messages hold no snapshot of a book")

    def _set_levels(self, message: BookSnapshot | BookUpdate) -> None:
        for side, levels in zip(self._sides, (message.bids, message.asks), strict=True):
            if isinstance(message, BookSnapshot):
                side.clear()
            for price, quantity in levels:
                ticks, lots = _steps(price, PRICE_PLACES) // self._price_unit, _steps(quantity, QUANTITY_PLACES)
                if lots:
                    side[ticks] = lots
                else:
                    side.pop(ticks, None)

    def _sorted(self) -> Depth:
        bids, asks = self._sides
        return Depth(
            {ticks: bids[ticks] for ticks in islice(sorted(bids, reverse=True), BOOK_LEVELS)},
            {ticks: asks[ticks] for ticks in islice(sorted(asks), BOOK_LEVELS)},
        )

    def _printed(self, trade: TapeTrade) -> Print:
        at_ms = self._rerun.redated(trade.at_ns // MILLION, self._cursor_ms)
        ticks = _steps(trade.price, PRICE_PLACES) // self._price_unit
        lots = _steps(trade.quantity, QUANTITY_PLACES)
        print_ = Print(self._listing.pair, at_ms, trade.number, ticks, lots, trade.is_buy)
        self._tape.append(print_)
        opened_ms = at_ms // MINUTE_MS * MINUTE_MS
        bar = self._bars.get(opened_ms)
        if bar is None:
            if len(self._bars) >= BARS_KEPT:
                del self._bars[next(iter(self._bars))]
            self._bars[opened_ms] = Bar(opened_ms, ticks, ticks, ticks, ticks, lots)
        else:
            self._bars[opened_ms] = Bar(
                opened_ms, bar.open, max(bar.high, ticks), min(bar.low, ticks), ticks, bar.volume + lots
            )
        return print_
