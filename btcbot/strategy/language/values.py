"""What one candle's values are made of, where neither memory nor the other evaluator's way of keeping it matters."""

import operator as operators
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from btcbot.domain.market import Candle
from btcbot.strategy.language.nodes import VALUE_MAX, Connective, Operator, Relation

Value = float | bool | None
Bar = tuple[float | None, float | None, float | None, float | None, float | None]  # in the order of `CandleField`

_VALUE_MIN = -VALUE_MAX
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPERATIONS: Mapping[Operator, Callable[[float, float], float]] = {
    Operator.ADD: operators.add, Operator.SUBTRACT: operators.sub,
    Operator.MULTIPLY: operators.mul, Operator.DIVIDE: operators.truediv,
    Operator.LARGER: max, Operator.SMALLER: min,
}  # fmt: skip
_RELATIONS: Mapping[Relation, Callable[[float, float], bool]] = {
    Relation.LESS: operators.lt, Relation.LESS_OR_EQUAL: operators.le,
    Relation.GREATER: operators.gt, Relation.GREATER_OR_EQUAL: operators.ge,
}  # fmt: skip


def relation(name: Relation) -> Callable[[float, float], bool]:
    return _RELATIONS[name]


def bar_of(candle: Candle) -> Bar:
    """The candle as floats: here money ends and indicators begin. What no float can hold is undefined."""
    return (
        bounded(float(candle.open)), bounded(float(candle.high)), bounded(float(candle.low)),
        bounded(float(candle.close)), bounded(float(candle.volume)),
    )  # fmt: skip


def bounded(number: float) -> float | None:
    return number if _VALUE_MIN <= number <= VALUE_MAX else None


def combine(operator: Operator, left: Value, right: Value) -> Value:
    """One arithmetic operation; undefined rather than without bounds or not a number."""
    if left is None or right is None or (operator is Operator.DIVIDE and right == 0):
        return None
    return bounded(_OPERATIONS[operator](left, right))


def compare(name: Relation, left: Value, right: Value) -> Value:
    """One comparison; undefined where a side is."""
    return None if left is None or right is None else _RELATIONS[name](left, right)


def join(connective: Connective, left: Value, right: Value) -> Value:
    """Two conditions joined; undefined where a side is."""
    if left is None or right is None:
        return None
    return bool(left and right) if connective is Connective.AND else bool(left or right)


def choose(condition: Value, chosen: Value, otherwise: Value) -> Value:
    """One of two values; undefined where it is not known which."""
    return None if condition is None else chosen if condition else otherwise


def merged(bar: Bar, later: Bar) -> Bar:
    """Two bars as one: the first opening, the last close, the extremes of both, the volumes added."""
    return (
        bar[0], _joined(Operator.LARGER, bar[1], later[1]), _joined(Operator.SMALLER, bar[2], later[2]), later[3],
        _joined(Operator.ADD, bar[4], later[4]),
    )  # fmt: skip


def _joined(operator: Operator, left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else bounded(_OPERATIONS[operator](left, right))


def opening_of(moment: datetime, interval: timedelta) -> datetime:
    """The start of the interval that a moment lies in, on the grid that all candles share."""
    return _EPOCH + (moment - _EPOCH) // interval * interval
