"""A market out of recorded candles of any length: what a backtest's venue trades against. A `simulation` source.

What a candle does not say is guessed, always the same way:
- Within a candle the price goes straight from open to one extreme, to the other, and to close, a third of the time
  each; the low comes first when the candle rose. A strategy sees closed candles and the book of the moment.
- The book is a fixed number of levels on each side of that price, from half a spread on, each a step further and each
  with a share of the volume of the last candle that *closed*. It moves in cells of half a spread, so that it stands
  still for a while, as books do. A candle without volume leaves no book.
- A resting order is filled by what trades *through* its price, and by the book once that has come past it. A touch is
  not enough.
- Between candles that the recording lacks there is no book and no trade.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from btcbot.domain.market import Candle
from btcbot.domain.money import Ratio, parse, plain
from btcbot.research.history import EPOCH, History
from btcbot.simulation.books import EMPTY, Bar, Depth, Print
from btcbot.simulation.listings import Listing

MS = timedelta(milliseconds=1)
TOUCH = 1e-6  # of a price step: what is just below a bound
LEGS = 4  # from the close before to open, to one extreme, to the other, to close


@dataclass(frozen=True, slots=True)
class MarketModel:
    """What candles do not say about the book."""

    half_spread_ratio: Ratio
    level_step_ratio: Ratio
    levels: int
    level_volume_ratio: Ratio  # of the last closed candle

    def __str__(self) -> str:
        half, step, share = (
            plain(number * 100) for number in (self.half_spread_ratio, self.level_step_ratio, self.level_volume_ratio)
        )
        return f"half a spread of {half} %, {self.levels} levels {step} % apart, each {share} % of a candle's volume"


# Dearer than a quiet BTC/TRY book, kinder than a panic.
USUAL_MODEL = MarketModel(Ratio(parse("0.0005")), Ratio(parse("0.0005")), 5, Ratio(parse("0.02")))


def in_ms(moment: datetime) -> int:
    return (moment - EPOCH) // MS


@dataclass(slots=True)
class _Stream:
    """One pair's candles, in steps of its listing, and how far they were played."""

    listing: Listing
    opened_ms: list[int]
    knots: list[tuple[int, int, int, int]]  # open, first extreme, second extreme, close
    lots: list[int]  # the volume of each candle
    widths: list[int]  # of the cells that its book moves by, and half its spread
    interval_ms: int
    candle: int = -1  # the one that is running or was last; -1 before the first
    played: float = 0.0  # knots passed of it, with the part of the next leg
    told_lots: int = 0  # of its volume
    depth: Depth = EMPTY
    shown: tuple[int, int] | None = None  # price and level of the depth
    tape: list[Print] = field(default_factory=list)  # the last print

    def running(self, now_ms: int) -> bool:
        """Whether a candle covers this moment. The moment of opening belongs to the candle before."""
        index = self.candle
        return index >= 0 and self.opened_ms[index] < now_ms <= self.opened_ms[index] + self.interval_ms

    def passed(self, now_ms: int) -> float:
        """Knots passed of the running candle at a moment in it, with the part of the leg under way."""
        into = now_ms - self.opened_ms[self.candle]
        return min(1.0 + (into - 1) * 3.0 / (self.interval_ms - 1), 4.0)

    def at_ms(self, passed: float) -> float:
        return self.opened_ms[self.candle] + 1 + (passed - 1.0) * (self.interval_ms - 1) / 3.0

    def price(self, passed: float) -> float:
        knots = self.knots[self.candle]
        leg = min(int(passed), 3)
        start = knots[leg - 1]
        return start + (knots[leg] - start) * (passed - leg)


class CandleMarket:
    """Some pairs' recorded candles as a market. Asked in order of time."""

    def __init__(
        self, histories: Sequence[History], listings: Mapping[str, Listing], model: MarketModel = USUAL_MODEL
    ) -> None:
        self.listings = listings
        self.is_ended = False
        self._step = float(model.level_step_ratio)
        self._levels = model.levels
        self._level_volume = float(model.level_volume_ratio)
        self._streams = {
            each.pair: _stream(each, listings[each.pair], float(model.half_spread_ratio)) for each in histories
        }
        self._now_ms: int | None = None
        self._numbers = 0

    def advance(self, now_ms: int) -> Sequence[Print]:
        """Move on; what traded since then and reached further than any resting order may count on."""
        assert self._now_ms is None or now_ms >= self._now_ms, "time does not run backwards"
        self._now_ms = now_ms
        prints: list[Print] = []
        for stream in self._streams.values():
            self._play(stream, now_ms, prints)
            self._show(stream, now_ms)
        return prints

    def depth(self, pair: str) -> Depth:
        return self._streams[pair].depth

    def bars(self, pair: str, from_ms: int, until_ms: int) -> Sequence[Bar]:
        """Candles reach the strategy from the recording itself."""
        return ()

    def recent(self, pair: str) -> Sequence[Print]:
        return self._streams[pair].tape

    def is_open(self, pair: str) -> bool:
        """Whether the recording has a candle for this moment."""
        return self._now_ms is not None and self._streams[pair].running(self._now_ms)

    def bid_reaches(self, pair: str, ticks: int) -> int | None:
        """When, within the running candle and after now, the best bid comes down to a price."""
        stream = self._streams[pair]
        if stream.candle < 0:
            return None
        width = stream.widths[stream.candle]
        cell = math.ceil((ticks + 1 + width / 2) / width) - 1  # the highest one whose bid is not above the price
        return self._reaches(pair, (cell + 1) * width - TOUCH, falling=True)

    def bid_rises(self, pair: str, ticks: int) -> int | None:
        """When, within the running candle and after now, the best bid comes up to a price."""
        stream = self._streams[pair]
        if stream.candle < 0:
            return None
        width = stream.widths[stream.candle]
        cell = math.ceil((ticks + width / 2) / width)  # the lowest one whose bid is not below the price
        return self._reaches(pair, cell * width, falling=False)

    def ask_falls(self, pair: str, ticks: int) -> int | None:
        """When, within the running candle and after now, the best ask comes down to a price."""
        stream = self._streams[pair]
        if stream.candle < 0:
            return None
        width = stream.widths[stream.candle]
        cell = math.floor((ticks - 3 * width / 2) / width)  # the highest one whose ask is not above the price
        return self._reaches(pair, (cell + 1) * width - TOUCH, falling=True)

    def trades_through(self, pair: str, ticks: int, *, is_buy: bool) -> int | None:
        """When, within the running candle and after now, the market trades through a resting order's price."""
        return self._reaches(pair, ticks - 1.0 if is_buy else ticks + 1.0, falling=is_buy)

    def _reaches(self, pair: str, target: float, *, falling: bool) -> int | None:
        stream, now_ms = self._streams[pair], self._now_ms
        if now_ms is None or not stream.running(now_ms):
            return None
        passed = stream.passed(now_ms)
        here = stream.price(passed)
        for leg in range(min(int(passed), 3), 4):
            there = float(stream.knots[stream.candle][leg])
            if (here > target >= there) if falling else (here < target <= there):
                part = max(passed, float(leg))
                at = part + (leg + 1.0 - part) * (target - here) / (there - here)
                return max(math.ceil(stream.at_ms(at)), now_ms + 1)
            here = there
        return None

    def _play(self, stream: _Stream, now_ms: int, prints: list[Print]) -> None:
        while True:
            index = stream.candle
            if index >= 0 and stream.played < LEGS:
                end_ms = stream.opened_ms[index] + stream.interval_ms
                self._trade(stream, stream.passed(min(now_ms, end_ms)), min(now_ms, end_ms), prints)
                if now_ms <= end_ms:
                    return
            if index + 1 >= len(stream.opened_ms) or stream.opened_ms[index + 1] >= now_ms:
                return
            stream.candle, stream.played, stream.told_lots = index + 1, 0.0, 0

    def _trade(self, stream: _Stream, until: float, at_ms: int, prints: list[Print]) -> None:
        """Each leg that was passed, wholly or in part, as one print one step short of where it came to."""
        knots, volume = stream.knots[stream.candle], stream.lots[stream.candle]
        while stream.played < until:
            leg = int(stream.played)
            end = min(float(leg + 1), until)
            if leg == 0:  # the jump from the close before
                before = stream.knots[stream.candle - 1][3] if stream.candle > 0 else knots[0]
                start, there = float(before), float(knots[0])
                end = 1.0
            else:
                start, there = stream.price(stream.played), stream.price(end)
            stream.played = end
            told = int(volume * min(end, 4.0) / LEGS)
            lots, stream.told_lots = told - stream.told_lots, told
            if lots <= 0:
                continue
            self._numbers += 1
            rises = there > start
            pair, number = stream.listing.pair, self._numbers
            stream.tape = [Print(pair, at_ms, number, max(round(there), 1), lots, rises)]
            if there != start:
                short = math.floor(there) - 1 if rises else math.ceil(there) + 1
                prints.append(Print(pair, at_ms, number, max(short, 1), lots, rises))

    def _show(self, stream: _Stream, now_ms: int) -> None:
        """The book around the price of the moment."""
        index = stream.candle
        is_closing = index >= 0 and now_ms == stream.opened_ms[index] + stream.interval_ms
        closed = index if is_closing else index - 1
        if closed < 0 or not stream.running(now_ms):
            stream.depth, stream.shown = EMPTY, None
            return
        lots = int(stream.lots[closed] * self._level_volume)
        width = stream.widths[index]
        centre = math.floor(stream.price(stream.passed(now_ms)) / width) * width + width / 2
        bid = math.floor(centre - width)
        ask = max(math.ceil(centre + width), bid + 1)
        step = max(round(centre * self._step), 1)
        if lots <= 0:
            stream.depth, stream.shown = EMPTY, None
        elif stream.shown != (bid, lots):
            stream.shown = bid, lots
            stream.depth = Depth(
                {bid - place * step: lots for place in range(self._levels) if bid > place * step},
                {ask + place * step: lots for place in range(self._levels)},
            )


def _stream(history: History, listing: Listing, half_spread: float) -> _Stream:
    knots = [_knots(candle, listing) for candle in history.candles]
    return _Stream(
        listing,
        [in_ms(candle.opened_at) for candle in history.candles],
        knots,
        [int(candle.volume.scaleb(listing.lot_decimals)) for candle in history.candles],
        [max(round(opened * half_spread), 1) for opened, *_ in knots],
        history.interval // MS,
    )


def _knots(candle: Candle, listing: Listing) -> tuple[int, int, int, int]:
    """On the listing's grid: the recording may come from an exchange with a finer one."""
    opened, high, low, close = (
        max(round(price.scaleb(listing.price_decimals)), 1)
        for price in (candle.open, candle.high, candle.low, candle.close)
    )
    return (opened, low, high, close) if candle.close >= candle.open else (opened, high, low, close)
