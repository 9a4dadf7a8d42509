"""One candle at a time: a program takes its memory and a candle, and gives the new memory and a value for each node.

Nothing is changed in place, so a state can be kept, compared and gone back to. Shared parts of the expressions are
computed once for each candle.
"""

import math
import operator as operators
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from btcbot.domain.market import Candle
from btcbot.strategy.expressions import (
    Arithmetic,
    Both,
    CandleField,
    Comparison,
    Condition,
    Connective,
    Constant,
    Cross,
    Ema,
    Field,
    Node,
    Not,
    Operator,
    Previous,
    Relation,
    Series,
    Sma,
    children,
    in_order,
    node_of,
)

Value = float | bool | None
Memory = tuple[Value, ...]  # what one node remembers; most remember nothing
Bar = tuple[float, float, float, float, float]  # open, high, low, close, volume
Step = Callable[[Bar, list[Value], Memory], tuple[Value, Memory]]

_PLACES = {name: place for place, name in enumerate(CandleField)}
_NOTHING: Memory = ()
_OPERATIONS: Mapping[Operator, Callable[[float, float], float]] = {
    Operator.ADD: operators.add, Operator.SUBTRACT: operators.sub,
    Operator.MULTIPLY: operators.mul, Operator.DIVIDE: operators.truediv,
}  # fmt: skip
_RELATIONS: Mapping[Relation, Callable[[float, float], bool]] = {
    Relation.LESS: operators.lt, Relation.LESS_OR_EQUAL: operators.le,
    Relation.GREATER: operators.gt, Relation.GREATER_OR_EQUAL: operators.ge,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProgramState:
    """What a program remembers of the candles so far, and what it made of the last one."""

    candles: int
    memories: tuple[Memory, ...]
    values: tuple[Value, ...]


class Program:
    """Expressions, put in an order in which each node finds its parts computed."""

    __slots__ = ("_nodes", "_places", "_steps")

    def __init__(self, *roots: Series | Condition) -> None:
        self._nodes = in_order(roots)
        self._places = {node: place for place, node in enumerate(self._nodes)}
        self._steps: tuple[Step, ...] = tuple(
            _step_of(node, tuple(self._places[child] for child in children(node))) for node in self._nodes
        )

    def initial(self) -> ProgramState:
        """Before the first candle: nothing remembered, nothing defined."""
        return ProgramState(0, (_NOTHING,) * len(self._nodes), (None,) * len(self._nodes))

    def step(self, state: ProgramState, candle: Candle) -> ProgramState:
        """The state after one more candle."""
        bar = bar_of(candle)
        values: list[Value] = []
        memories: list[Memory] = []
        for step, memory in zip(self._steps, state.memories, strict=True):
            value, after = step(bar, values, memory)
            values.append(value)
            memories.append(after)
        return ProgramState(state.candles + 1, tuple(memories), tuple(values))

    def value(self, state: ProgramState, expression: Series | Condition) -> Value:
        """What the last candle made of one of the program's expressions, or of a part of one."""
        return state.values[self._places[node_of(expression)]]


def bar_of(candle: Candle) -> Bar:
    """The candle as floats, in the order of `CandleField`: here money ends and indicators begin."""
    return float(candle.open), float(candle.high), float(candle.low), float(candle.close), float(candle.volume)


def combine(operator: Operator, left: Value, right: Value) -> Value:
    """One arithmetic operation; undefined rather than infinite or not a number."""
    if left is None or right is None or (operator is Operator.DIVIDE and right == 0):
        return None
    result = _OPERATIONS[operator](left, right)
    return result if math.isfinite(result) else None


def compare(relation: Relation, left: Value, right: Value) -> Value:
    """One comparison; undefined where a side is."""
    return None if left is None or right is None else _RELATIONS[relation](left, right)


def join(connective: Connective, left: Value, right: Value) -> Value:
    """Two conditions joined; undefined where a side is."""
    if left is None or right is None:
        return None
    return bool(left and right) if connective is Connective.AND else bool(left or right)


def _step_of(node: Node, at: tuple[int, ...]) -> Step:
    """One node as a function of the candle, the values computed before it, and its own memory."""
    match node:
        case Field(name):
            place = _PLACES[name]
            return lambda bar, _values, memory: (bar[place], memory)
        case Constant(number):
            return lambda _bar, _values, memory: (number, memory)
        case Arithmetic(operator):
            return lambda _bar, values, memory: (combine(operator, values[at[0]], values[at[1]]), memory)
        case Comparison(relation):
            return lambda _bar, values, memory: (compare(relation, values[at[0]], values[at[1]]), memory)
        case Both(connective):
            return lambda _bar, values, memory: (join(connective, values[at[0]], values[at[1]]), memory)
        case Not():
            return lambda _bar, values, memory: (None if values[at[0]] is None else not values[at[0]], memory)
        case Sma(_, period):
            return _sma_step(at[0], period)
        case Ema():
            return _ema_step(at[0], node.alpha)
        case Previous(_, candles):
            return _previous_step(at[0], candles)
        case Cross():
            return _cross_step(at[0], at[1])


def _sma_step(source: int, period: int) -> Step:
    def step(_bar: Bar, values: list[Value], window: Memory) -> tuple[Value, Memory]:
        window = (*window, values[source])[-period:]
        if len(window) < period:
            return None, window
        added = 0.0
        for value in window:
            if value is None:
                return None, window
            added += value
        return added / period, window

    return step


def _ema_step(source: int, alpha: float) -> Step:
    def step(_bar: Bar, values: list[Value], memory: Memory) -> tuple[Value, Memory]:
        value = values[source]
        if value is None:
            return None, memory
        before = memory[0] if memory else None
        average = value if before is None else before + alpha * (value - before)
        return average, (average,)

    return step


def _previous_step(source: int, candles: int) -> Step:
    def step(_bar: Bar, values: list[Value], memory: Memory) -> tuple[Value, Memory]:
        before = memory[0] if len(memory) == candles else None
        return before, (*memory, values[source])[-candles:]

    return step


def _cross_step(rising: int, other: int) -> Step:
    def step(_bar: Bar, values: list[Value], memory: Memory) -> tuple[Value, Memory]:
        above = compare(Relation.GREATER, values[rising], values[other])
        was_above = memory[0] if memory else None
        crossed = None if above is None or was_above is None else above and not was_above
        return crossed, (above,)

    return step
