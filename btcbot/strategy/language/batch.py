"""Whole sequences at once, for history: node after node instead of candle after candle.

What is a recurrence in `streaming` is the same recurrence here, in the same order. What is a function of a window is
found here by another way, from sums since the first candle and from a list of candidates for an extreme; both ways are
exact before the one rounding at their end. So both evaluators give the same floats to the last bit. A sweep over
parameters may share the columns of common parts through one `Columns`.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from btcbot.domain.market import Candle
from btcbot.strategy.language.exact import FINISHES, sum_of, whole
from btcbot.strategy.language.nodes import (
    Accumulated,
    Arithmetic,
    Both,
    CandleField,
    Choice,
    Comparison,
    Constant,
    Cross,
    Expression,
    Extreme,
    Extremum,
    Field,
    Lasting,
    Node,
    Not,
    OnTimeframe,
    Previous,
    Relation,
    Since,
    Smoothed,
    Statistic,
    Windowed,
    in_order,
    inputs,
    node_of,
    required_interval,
)
from btcbot.strategy.language.streaming import NO_OTHERS, CandlesByPair
from btcbot.strategy.language.values import (
    Bar,
    Value,
    bar_of,
    choose,
    combine,
    compare,
    join,
    merged,
    opening_of,
)

Column = list[Value]
_PLACES = {name: place for place, name in enumerate(CandleField)}


class Columns:
    """The candles of one pair, and a column of values for every expression asked for so far."""

    __slots__ = ("_others", "_stream")

    def __init__(
        self, candles: Sequence[Candle], interval: timedelta | None = None, others: CandlesByPair = NO_OTHERS
    ) -> None:
        """Candles oldest first, and their interval; those of other pairs, where an expression looks at them."""
        self._stream = _Stream.of(candles, interval)
        self._others = {pair: _Stream.of(theirs, interval) for pair, theirs in others.items()}

    def of(self, expression: Expression) -> tuple[Value, ...]:
        """The expression's value for each candle. Raises `ValueError` where a timeframe does not fit the interval."""
        return tuple(self._stream.column(node_of(expression), self._others))


class _Stream:
    """Bars of one interval, and the columns over them."""

    __slots__ = ("_bars", "_columns", "_frames", "_interval", "_openings")

    def __init__(self, openings: list[datetime], bars: list[Bar], interval: timedelta | None) -> None:
        self._openings = openings
        self._bars = bars
        self._interval = interval
        self._columns: dict[Node, Column] = {}
        self._frames: dict[timedelta, tuple[_Stream, list[int]]] = {}

    @classmethod
    def of(cls, candles: Sequence[Candle], interval: timedelta | None) -> "_Stream":
        return cls([candle.opened_at for candle in candles], [bar_of(candle) for candle in candles], interval)

    def column(self, root: Node, others: Mapping[str, "_Stream"]) -> Column:
        for node in in_order((root,)):
            if node not in self._columns:
                self._columns[node] = self._column(node, [self._columns[each] for each in inputs(node)], others)
        return self._columns[root]

    def _column(self, node: Node, parts: list[Column], others: Mapping[str, "_Stream"]) -> Column:
        match node:
            case Field(name):
                place = _PLACES[name]
                return [bar[place] for bar in self._bars]
            case Constant(number):
                return [number] * len(self._bars)
            case Arithmetic(operator):
                return [combine(operator, left, right) for left, right in zip(*parts, strict=True)]
            case Comparison(relation):
                return [compare(relation, left, right) for left, right in zip(*parts, strict=True)]
            case Both(connective):
                return [join(connective, left, right) for left, right in zip(*parts, strict=True)]
            case Not():
                return [None if value is None else not value for value in parts[0]]
            case Choice():
                return [choose(*three) for three in zip(*parts, strict=True)]
            case Smoothed():
                return _smoothed(parts[0], node.alpha)
            case Windowed(statistic, _, period):
                return _windowed(parts[0], statistic, period)
            case Extreme(extremum, _, period):
                return _extremes(parts[0], extremum, period)
            case Accumulated():
                return _accumulated(parts[0])
            case Since(_, within):
                return _since(parts[0], within)
            case Previous(_, candles):
                return ([None] * candles + parts[0])[: len(self._bars)]
            case Cross():
                return _crossings(parts[0], parts[1])
            case Lasting(_, candles):
                return _lasting(parts[0], candles)
            case OnTimeframe(timeframe, source):
                return self._on_timeframe(timeframe, node_of(source))
            case _:
                return self._of_pair(others.get(node.pair), node_of(node.source))

    def _on_timeframe(self, timeframe: timedelta, source: Node) -> Column:
        if timeframe not in self._frames:
            self._frames[timeframe] = self._longer(timeframe)
        stream, closed = self._frames[timeframe]
        return _seen(stream.column(source, {}), closed)

    def _of_pair(self, stream: "_Stream | None", source: Node) -> Column:
        if stream is None:
            return [None] * len(self._bars)
        closed = [bisect_right(stream._openings, opened_at) for opened_at in self._openings]  # noqa: SLF001 - its own kind
        return _seen(stream.column(source, {}), closed)

    def _longer(self, timeframe: timedelta) -> tuple["_Stream", list[int]]:
        """The candles of a longer interval, and for each of ours how many of them had closed by its end."""
        interval = required_interval(timeframe, self._interval)
        openings: list[datetime] = []
        bars: list[Bar] = []
        closed: list[int] = []
        starts = [opening_of(opened_at, timeframe) for opened_at in self._openings]
        for number, (opened_at, start) in enumerate(zip(self._openings, starts, strict=True)):
            is_first = number == 0 or starts[number - 1] != start
            if is_first and (number > 0 or opened_at == start):
                openings.append(start)
                bars.append(self._bars[number])
            elif openings:
                bars[-1] = merged(bars[-1], self._bars[number])
            is_over = opened_at + interval >= start + timeframe
            closed.append(len(openings) if is_over or not openings else len(openings) - 1)
        return _Stream(openings, bars, timeframe), closed


def _seen(column: Column, closed: list[int]) -> Column:
    """The last value of as many as had closed, for each candle."""
    return [column[count - 1] if count else None for count in closed]


def _smoothed(source: Column, alpha: float) -> Column:
    averages: Column = []
    average: Value = None
    for value in source:
        if value is not None:
            average = value if average is None else average + alpha * (value - average)
        averages.append(None if value is None else average)
    return averages


def _windowed(source: Column, statistic: Statistic, period: int) -> Column:
    """From the sums since the first candle: those up to a window's end, less those up to its beginning."""
    wholes = [(0, 0) if value is None else whole(value) for value in source]
    scale = max((finer for _, finer in wholes), default=0)
    numbers = [number << (scale - finer) for number, finer in wholes]
    totals = list(accumulate(numbers, initial=0))
    if statistic is Statistic.DEVIATION:
        others = list(accumulate((number * number for number in numbers), initial=0))
    else:
        others = list(accumulate((number * place for place, number in enumerate(numbers, 1)), initial=0))
    finish = FINISHES[statistic]
    column: Column = []
    for end, defined in enumerate(_defined_in_a_row(source), 1):
        if defined < period:
            column.append(None)
            continue
        begin = end - period
        total, other = totals[end] - totals[begin], others[end] - others[begin]
        if statistic is not Statistic.DEVIATION:
            other -= begin * total  # places counted from the window's beginning
        column.append(finish(period, total, other, scale))
    return column


def _extremes(source: Column, extremum: Extremum, period: int) -> Column:
    """From those values of the window that no later one beats: the first of them is the extreme."""
    sign = 1.0 if extremum is Extremum.HIGHEST else -1.0
    column: Column = []
    candidates: deque[tuple[int, float]] = deque()
    for at, (value, defined) in enumerate(zip(source, _defined_in_a_row(source), strict=True)):
        if value is None:
            candidates.clear()
            column.append(None)
            continue
        while candidates and candidates[-1][1] <= sign * value:
            candidates.pop()
        candidates.append((at, sign * value))
        if candidates[0][0] <= at - period:
            candidates.popleft()
        column.append(None if defined < period else sign * candidates[0][1] + 0.0)
    return column


def _accumulated(source: Column) -> Column:
    wholes = [(0, 0) if value is None else whole(value) for value in source]
    scale = max((finer for _, finer in wholes), default=0)
    levels = accumulate(number << (scale - finer) for number, finer in wholes)
    return [None if value is None else sum_of(1, level, 0, scale) for value, level in zip(source, levels, strict=True)]


def _since(source: Column, within: int) -> Column:
    column: Column = []
    last: int | None = None
    for at, holds in enumerate(source):
        last = at if holds else last
        column.append(None if holds is None or last is None or at - last > within else float(at - last))
    return column


def _crossings(rising: Column, other: Column) -> Column:
    crossings: Column = []
    was_above: Value = None
    for left, right in zip(rising, other, strict=True):
        above = compare(Relation.GREATER, left, right)
        crossings.append(None if above is None or was_above is None else above and not was_above)
        was_above = above
    return crossings


def _lasting(source: Column, candles: int) -> Column:
    held = _in_a_row(bool(value) for value in source)
    return [
        None if known < candles else held_for >= candles
        for known, held_for in zip(_defined_in_a_row(source), held, strict=True)
    ]


def _defined_in_a_row(source: Column) -> list[int]:
    return _in_a_row(value is not None for value in source)


def _in_a_row(flags: Iterable[bool]) -> list[int]:
    """How many of the last ones are true, at each."""
    return list(accumulate(flags, lambda count, flag: count + 1 if flag else 0, initial=0))[1:]
