"""Whole sequences at once, for history: node after node instead of candle after candle.

The recurrences and their order are those of `streaming`, so both give the same floats to the last bit; a sweep over
parameters may share the columns of common parts through one `Columns`.
"""

from collections.abc import Sequence

from btcbot.domain.market import Candle
from btcbot.strategy.expressions import (
    Arithmetic,
    Both,
    CandleField,
    Comparison,
    Condition,
    Constant,
    Cross,
    Ema,
    Field,
    Node,
    Not,
    Previous,
    Relation,
    Series,
    Sma,
    children,
    in_order,
    node_of,
)
from btcbot.strategy.streaming import Value, bar_of, combine, compare, join

Column = list[Value]


class Columns:
    """The candles, and a column of values for every expression asked for so far."""

    __slots__ = ("_columns", "_fields", "_length")

    def __init__(self, candles: Sequence[Candle]) -> None:
        bars = [bar_of(candle) for candle in candles]
        self._length = len(bars)
        self._fields: dict[CandleField, Column] = {
            name: [bar[place] for bar in bars] for place, name in enumerate(CandleField)
        }
        self._columns: dict[Node, Column] = {}

    def of(self, expression: Series | Condition) -> tuple[Value, ...]:
        """The expression's value for each candle."""
        for node in in_order((expression,)):
            if node not in self._columns:
                self._columns[node] = self._column(node, [self._columns[child] for child in children(node)])
        return tuple(self._columns[node_of(expression)])

    def _column(self, node: Node, parts: list[Column]) -> Column:
        match node:
            case Field(name):
                return self._fields[name]
            case Constant(number):
                return [number] * self._length
            case Arithmetic(operator):
                return [combine(operator, left, right) for left, right in zip(*parts, strict=True)]
            case Comparison(relation):
                return [compare(relation, left, right) for left, right in zip(*parts, strict=True)]
            case Both(connective):
                return [join(connective, left, right) for left, right in zip(*parts, strict=True)]
            case Not():
                return [None if value is None else not value for value in parts[0]]
            case Sma(_, period):
                return [_average(parts[0][max(end - period, 0) : end], period) for end in range(1, self._length + 1)]
            case Ema():
                return _smoothed(parts[0], node.alpha)
            case Previous(_, candles):
                return ([None] * candles + parts[0])[: self._length]
            case Cross():
                return _crossings(parts[0], parts[1])


def _average(window: Column, period: int) -> Value:
    if len(window) < period:
        return None
    added = 0.0
    for value in window:
        if value is None:
            return None
        added += value
    return added / period


def _smoothed(source: Column, alpha: float) -> Column:
    averages: Column = []
    average: Value = None
    for value in source:
        if value is not None:
            average = value if average is None else average + alpha * (value - average)
        averages.append(None if value is None else average)
    return averages


def _crossings(rising: Column, other: Column) -> Column:
    crossings: Column = []
    was_above: Value = None
    for left, right in zip(rising, other, strict=True):
        above = compare(Relation.GREATER, left, right)
        crossings.append(None if above is None or was_above is None else above and not was_above)
        was_above = above
    return crossings
