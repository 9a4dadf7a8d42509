"""What expressions are made of: frozen trees over candles whose every node can only look back.

A node holds no state and computes nothing; `streaming` and `batch` give it a value for each candle. None of them
reaches forward, so look-ahead cannot be written. There are few kinds of nodes, and what traders call an indicator is
mostly built of several: see `operators`, whose words a strategy is written in.

A value is a float or, of a condition, true or false; or it is nothing. What is undefined stays undefined in whatever is
computed from it: what is not known decides nothing. Indicators never become a price, a quantity or a limit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

PERIOD_MAX = 1000
VALUE_MAX = 2.0**1000  # what is larger is undefined; sums of so many values still have a float


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
    LARGER = "larger"
    SMALLER = "smaller"


class Relation(StrEnum):
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="


class Connective(StrEnum):
    AND = "and"
    OR = "or"


class Smoother(StrEnum):
    EMA = "ema"
    WILDER = "wilder"


class Statistic(StrEnum):
    """Of the last values, as many as the period says."""

    MEAN = "mean"
    WEIGHTED_MEAN = "weighted mean"  # the newest weighs `period`, the oldest 1
    TOTAL = "total"
    DEVIATION = "deviation"  # standard deviation of the population
    SLOPE = "slope"  # of the line of least squares, per candle


class Extremum(StrEnum):
    HIGHEST = "highest"
    LOWEST = "lowest"


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

    def __neg__(self) -> "Series":
        return Arithmetic(Operator.SUBTRACT, Constant(0.0), self)

    def __lt__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.LESS, self, series(other))

    def __le__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.LESS_OR_EQUAL, self, series(other))

    def __gt__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.GREATER, self, series(other))

    def __ge__(self, other: "Series | float") -> "Condition":
        return Comparison(Relation.GREATER_OR_EQUAL, self, series(other))

    def previous(self, candles: int = 1) -> "Series":
        """The value that many candles ago; undefined before. Warm-up: `candles`."""
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
    """A number of the candle itself."""

    name: CandleField


@dataclass(frozen=True, slots=True)
class Constant(Series):
    """The same number for every candle."""

    number: float

    def __post_init__(self) -> None:
        if not -VALUE_MAX <= self.number <= VALUE_MAX:  # not a number is not within anything
            raise ValueError(f"a constant is a finite number within ±{VALUE_MAX:.0e}, not {self.number}")
        object.__setattr__(self, "number", float(self.number) + 0.0)  # one zero: equal constants are the same one


@dataclass(frozen=True, slots=True)
class Arithmetic(Series):
    """Two series joined. Undefined where a side is, where it divides by zero and where it leaves ±`VALUE_MAX`."""

    operator: Operator
    left: Series
    right: Series


@dataclass(frozen=True, slots=True)
class Choice(Series):
    """One series where a condition holds, the other where it does not. Undefined where it or the chosen one is."""

    condition: Condition
    chosen: Series
    otherwise: Series


@dataclass(frozen=True, slots=True)
class Smoothed(Series):
    """`e = e' + a · (x - e')`, seeded with the first value. An undefined value leaves it as it was."""

    smoother: Smoother
    source: Series
    period: int

    def __post_init__(self) -> None:
        _require_count("a period", self.period)

    @property
    def alpha(self) -> float:
        return 2.0 / (self.period + 1) if self.smoother is Smoother.EMA else 1.0 / self.period


@dataclass(frozen=True, slots=True)
class Windowed(Series):
    """A statistic of the last `period` values. Undefined while there are fewer and while one of them is undefined."""

    statistic: Statistic
    source: Series
    period: int

    def __post_init__(self) -> None:
        _require_count("a period", self.period)
        if self.statistic is Statistic.SLOPE and self.period == 1:
            raise ValueError("one value has no slope: its period is 2 candles or more")


@dataclass(frozen=True, slots=True)
class Extreme(Series):
    """The highest or lowest of the last `period` values. Undefined as `Windowed` is."""

    extremum: Extremum
    source: Series
    period: int

    def __post_init__(self) -> None:
        _require_count("a period", self.period)


@dataclass(frozen=True, slots=True)
class Accumulated(Series):
    """The sum of all values since the first candle that was seen: its level says nothing, its changes do."""

    source: Series


@dataclass(frozen=True, slots=True)
class Since(Series):
    """How many candles ago a condition last held; undefined where that is more than `within`, and where it is."""

    condition: Condition
    within: int

    def __post_init__(self) -> None:
        _require_count("a look back", self.within)


@dataclass(frozen=True, slots=True)
class Previous(Series):
    """The value `candles` candles ago; undefined before."""

    source: Series
    candles: int

    def __post_init__(self) -> None:
        _require_count("a look back", self.candles)


@dataclass(frozen=True, slots=True)
class OnTimeframe(Series):
    """A series over the candles of a longer interval, as it stood when the last of them closed."""

    interval: timedelta
    source: Series

    def __post_init__(self) -> None:
        if self.interval <= timedelta():
            raise ValueError(f"a timeframe is longer than nothing, not {self.interval}")
        for node in _below(node_of(self.source)):
            if isinstance(node, OfPair):
                raise ValueError("write of_pair(pair, on_timeframe(interval, ...)), not the other way round")
            if isinstance(node, OnTimeframe):
                require_multiple(node.interval, self.interval)


@dataclass(frozen=True, slots=True)
class OfPair(Series):
    """A series over another pair's candles, as it stood when the last of them closed that is not later than ours."""

    pair: str
    source: Series

    def __post_init__(self) -> None:
        if not self.pair:
            raise ValueError("another pair is named by the exchange's code, such as BTCTRY")
        if any(isinstance(node, OfPair) for node in _below(node_of(self.source))):
            raise ValueError(f"what is seen of {self.pair} cannot look at a third pair: write two of_pair side by side")


@dataclass(frozen=True, slots=True)
class Comparison(Condition):
    """Two series held against each other; undefined where a side is."""

    relation: Relation
    left: Series
    right: Series


@dataclass(frozen=True, slots=True)
class Cross(Condition):
    """True for the one candle at which `rising` comes to lie above `other`, having been at or below it before.

    Undefined while a side is, and on the first candle on which both are defined.
    """

    rising: Series
    other: Series


@dataclass(frozen=True, slots=True)
class Lasting(Condition):
    """Whether a condition held at each of the last `candles`. Undefined while it is at one of them."""

    condition: Condition
    candles: int

    def __post_init__(self) -> None:
        _require_count("a length", self.candles)


@dataclass(frozen=True, slots=True)
class Both(Condition):
    """Two conditions joined. Undefined where a side is: what is not known decides nothing."""

    connective: Connective
    left: Condition
    right: Condition


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The opposite; undefined where the condition is."""

    source: Condition


Sample = OnTimeframe | OfPair  # what looks at other candles than its own
Computed = (  # from the inputs over the same candles
    Arithmetic | Choice | Smoothed | Windowed | Extreme | Accumulated | Since | Previous | Comparison | Cross | Lasting
    | Both | Not
)  # fmt: skip
Node = Field | Constant | Sample | Computed
Expression = Series | Condition


def series(value: Series | float) -> Series:
    """A series as it is, a number as a constant."""
    return value if isinstance(value, Series) else Constant(float(value))


def node_of(expression: Expression) -> Node:
    """The expression as one of the language's nodes; a class from elsewhere is refused."""
    if isinstance(expression, Node):
        return expression
    raise TypeError(f"{type(expression).__name__} is not an expression of the strategy language")


def children(node: Node) -> tuple[Node, ...]:
    """What a node is computed from, left to right; of a sample, what it looks at over the other candles."""
    match node:
        case Field() | Constant():
            return ()
        case Arithmetic(_, left, right) | Comparison(_, left, right):
            return node_of(left), node_of(right)
        case Both(_, left_condition, right_condition):
            return node_of(left_condition), node_of(right_condition)
        case Cross(rising, other):
            return node_of(rising), node_of(other)
        case Choice(condition, chosen, otherwise):
            return node_of(condition), node_of(chosen), node_of(otherwise)
        case Smoothed(_, source, _) | Windowed(_, source, _) | Extreme(_, source, _) | Previous(source, _):
            return (node_of(source),)
        case Since(condition, _) | Lasting(condition, _) | Not(condition):
            return (node_of(condition),)
        case _:
            return (node_of(node.source),)


def inputs(node: Node) -> tuple[Node, ...]:
    """What a node is computed from over the same candles."""
    return () if isinstance(node, Sample) else children(node)


def in_order(roots: tuple[Expression, ...]) -> tuple[Node, ...]:
    """Every distinct node over the roots' candles, each after its inputs: shared parts appear once."""
    ordered: dict[Node, None] = {}
    for root in roots:
        _add_with_inputs(node_of(root), ordered)
    return tuple(ordered)


def _add_with_inputs(node: Node, ordered: dict[Node, None]) -> None:
    if node in ordered:
        return
    for each in inputs(node):
        _add_with_inputs(each, ordered)
    ordered[node] = None


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in children(node):
        yield from _below(child)


def required_interval(timeframe: timedelta, interval: timedelta | None) -> timedelta:
    """The interval of our own candles below a longer timeframe. Raises `ValueError` where it does not fit."""
    if interval is None:
        raise ValueError(f"a look at candles of {timeframe} needs the interval of our own")
    require_multiple(timeframe, interval)
    return interval


def require_multiple(timeframe: timedelta, interval: timedelta) -> None:
    """Raises `ValueError` unless a candle of the timeframe is made of whole candles of the interval."""
    if timeframe % interval:
        raise ValueError(f"a timeframe of {timeframe} is not made of whole candles of {interval}")


def _require_count(what: str, number: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= PERIOD_MAX:
        raise ValueError(f"{what} is 1 to {PERIOD_MAX} candles, not {number}")
