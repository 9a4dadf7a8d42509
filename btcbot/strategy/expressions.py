"""The language in which a strategy says when it wants to trade: expressions over candles that can only look back.

An expression is a frozen tree. It holds no state and computes nothing; `streaming` and `batch` give it a value for each
candle, by the same recurrences in the same order. There is no operator that reaches forward, so look-ahead cannot be
written. `warm_up` counts the candles after which a value may be trusted, and is known before the first one.

Indicators are floats. None of them ever becomes a price, a quantity or a limit.

    fast, slow = ema(CLOSE, 3), ema(CLOSE, 8)
    entry = crosses_above(fast, slow)
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

PERIOD_MAX = 1000
EMA_SEED_WEIGHT_MAX = 1e-4


class CandleField(StrEnum):
    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    CLOSE = "close"
    VOLUME = "volume"


class Operator(StrEnum):
    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"


class Relation(StrEnum):
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


class Connective(StrEnum):
    AND = "and"
    OR = "or"


class Series:
    """An expression with a number for each candle, or nothing where it is undefined."""

    __slots__ = ()

    def __add__(self, other: "Series | float") -> "Series":
        return Arithmetic(Operator.ADD, self, series(other))

    def __radd__(self, other: float) -> "Series":
        return Arithmetic(Operator.ADD, series(other), self)

    def __sub__(self, other: "Series | float") -> "Series":
        return Arithmetic(Operator.SUBTRACT, self, series(other))

    def __rsub__(self, other: float) -> "Series":
        return Arithmetic(Operator.SUBTRACT, series(other), self)

    def __mul__(self, other: "Series | float") -> "Series":
        return Arithmetic(Operator.MULTIPLY, self, series(other))

    def __rmul__(self, other: float) -> "Series":
        return Arithmetic(Operator.MULTIPLY, series(other), self)

    def __truediv__(self, other: "Series | float") -> "Series":
        return Arithmetic(Operator.DIVIDE, self, series(other))

    def __rtruediv__(self, other: float) -> "Series":
        return Arithmetic(Operator.DIVIDE, series(other), self)

    def __lt__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.LESS, self, series(other))

    def __le__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.LESS_OR_EQUAL, self, series(other))

    def __gt__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.GREATER, self, series(other))

    def __ge__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.GREATER_OR_EQUAL, self, series(other))

    def previous(self, candles: int = 1) -> "Series":
        """The value that many candles ago."""
        return Previous(self, candles)


class Condition:
    """An expression that is true or false for each candle, or nothing where it is undefined."""

    __slots__ = ()

    def __and__(self, other: "Condition") -> "Condition":
        return Both(Connective.AND, self, other)

    def __or__(self, other: "Condition") -> "Condition":
        return Both(Connective.OR, self, other)

    def __invert__(self) -> "Condition":
        return Not(self)

    def __bool__(self) -> bool:
        # `a < b < c`, `a and b` would silently drop half of what was written.
        raise TypeError("a condition has a value only for a candle; join conditions with &, | and ~")


@dataclass(frozen=True, slots=True)
class Field(Series):
    """A number of the candle itself. Warm-up: 1 candle."""

    name: CandleField


@dataclass(frozen=True, slots=True)
class Constant(Series):
    """The same number for every candle. Warm-up: none."""

    number: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.number):
            raise ValueError(f"a constant is a finite number, not {self.number}")


@dataclass(frozen=True, slots=True)
class Arithmetic(Series):
    """Two series joined. Undefined where a side is, where it divides by zero and where the result is not finite."""

    operator: Operator
    left: Series
    right: Series


@dataclass(frozen=True, slots=True)
class Sma(Series):
    """Simple moving average: the last `period` values, added oldest first, divided by `period`.

    Undefined until there are `period` values, and while one of them is undefined. Warm-up: that of the source and
    `period - 1` candles.
    """

    source: Series
    period: int

    def __post_init__(self) -> None:
        _require_count("a period", self.period)


@dataclass(frozen=True, slots=True)
class Ema(Series):
    """Exponential moving average: `e = e' + a · (x - e')` with `a = 2 / (period + 1)`, seeded with the first value.

    Defined from the first value on; an undefined one leaves it where it was and is undefined for that candle. After k
    further values the seed weighs `(1 - a)^k`: the warm-up is that of the source and the smallest k for which this is
    at most 0.0001, so that two processes that began at different candles agree to a ten-thousandth of their difference.
    """

    source: Series
    period: int

    def __post_init__(self) -> None:
        _require_count("a period", self.period)

    @property
    def alpha(self) -> float:
        return 2.0 / (self.period + 1)


@dataclass(frozen=True, slots=True)
class Previous(Series):
    """The value `candles` candles ago; undefined before. Warm-up: that of the source and `candles`."""

    source: Series
    candles: int

    def __post_init__(self) -> None:
        _require_count("a look back", self.candles)


@dataclass(frozen=True, slots=True)
class Comparison(Condition):
    relation: Relation
    left: Series
    right: Series


@dataclass(frozen=True, slots=True)
class Cross(Condition):
    """True for the one candle at which `rising` comes to lie above `other`, having been at or below it before.

    Undefined while a side is, and on the first candle on which both are defined. Warm-up: that of both sides and one.
    """

    rising: Series
    other: Series


@dataclass(frozen=True, slots=True)
class Both(Condition):
    """Two conditions joined. Undefined where a side is: what is not known decides nothing."""

    connective: Connective
    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Not(Condition):
    source: Condition


Node = Field | Constant | Arithmetic | Sma | Ema | Previous | Comparison | Cross | Both | Not

OPEN = Field(CandleField.OPEN)
HIGH = Field(CandleField.HIGH)
LOW = Field(CandleField.LOW)
CLOSE = Field(CandleField.CLOSE)
VOLUME = Field(CandleField.VOLUME)


def series(value: Series | float) -> Series:
    """A series as it is, a number as a constant."""
    return value if isinstance(value, Series) else Constant(float(value))


def sma(source: Series, period: int) -> Series:
    return Sma(source, period)


def ema(source: Series, period: int) -> Series:
    return Ema(source, period)


def crosses_above(left: Series, right: Series) -> Condition:
    return Cross(left, right)


def crosses_below(left: Series, right: Series) -> Condition:
    """True for the one candle at which `left` comes to lie below `right`: the same as `right` crossing above `left`."""
    return Cross(right, left)


def node_of(expression: Series | Condition) -> Node:
    """The expression as one of the language's nodes; a class from elsewhere is refused."""
    if isinstance(expression, Node):
        return expression
    raise TypeError(f"{type(expression).__name__} is not an expression of the strategy language")


def children(node: Node) -> tuple[Node, ...]:
    """What a node is computed from, left to right."""
    match node:
        case Field() | Constant():
            return ()
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            return node_of(left), node_of(right)
        case Both(_, left_condition, right_condition):
            return node_of(left_condition), node_of(right_condition)
        case Cross(rising, other):
            return node_of(rising), node_of(other)
        case Sma(source, _) | Ema(source, _) | Previous(source, _):
            return (node_of(source),)
        case Not(condition):
            return (node_of(condition),)


def in_order(roots: tuple[Series | Condition, ...]) -> tuple[Node, ...]:
    """Every distinct node below the roots, each after what it is computed from: shared parts appear once."""
    ordered: dict[Node, None] = {}
    for root in roots:
        for node in _from_the_leaves(node_of(root)):
            ordered.setdefault(node)
    return tuple(ordered)


def warm_up(expression: Series | Condition) -> int:
    """How many candles must have been seen before the expression's value may be trusted."""
    node = node_of(expression)
    below = max((warm_up(child) for child in children(node)), default=0)
    match node:
        case Field():
            return 1
        case Sma(_, period):
            return below + period - 1
        case Ema():
            return below + _values_until_seed_fades(node)
        case Previous(_, candles):
            return below + candles
        case Cross():
            return below + 1
        case Constant() | Arithmetic() | Comparison() | Both() | Not():
            return below


def _from_the_leaves(node: Node) -> Iterator[Node]:
    for child in children(node):
        yield from _from_the_leaves(child)
    yield node


def _values_until_seed_fades(average: Ema) -> int:
    weight, values = 1.0, 0
    while weight > EMA_SEED_WEIGHT_MAX:
        weight *= 1.0 - average.alpha
        values += 1
    return values


def _require_count(what: str, number: int) -> None:
    if not 1 <= number <= PERIOD_MAX:
        raise ValueError(f"{what} is 1 to {PERIOD_MAX} candles, not {number}")
