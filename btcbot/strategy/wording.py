"""An expression in words, close to how one would write it: `ema(close, 3) crosses above ema(close, 8)`."""

from btcbot.strategy.language import Expression, node_of
from btcbot.strategy.language.nodes import (
    Accumulated,
    Arithmetic,
    Both,
    Choice,
    Comparison,
    Constant,
    Cross,
    Extreme,
    Field,
    Lasting,
    Node,
    Not,
    OfPair,
    OnTimeframe,
    Operator,
    Previous,
    Since,
    Smoothed,
    Windowed,
)

_CALLED = (Operator.LARGER, Operator.SMALLER)


def worded(expression: Expression) -> str:
    """The whole expression as one line."""
    return _worded(node_of(expression))


def _worded(node: Node) -> str:
    match node:
        case Field(name):
            return str(name)
        case Constant(number):
            return f"{number:g}"
        case Arithmetic(operator, left, right) if operator in _CALLED:
            return f"{operator}({worded(left)}, {worded(right)})"
        case Arithmetic(operator, left, right):
            return f"({worded(left)} {operator} {worded(right)})"
        case Comparison(relation, left, right):
            return f"{worded(left)} {relation} {worded(right)}"
        case Cross(rising, other):
            return f"{worded(rising)} crosses above {worded(other)}"
        case Both(connective, first, second):
            return f"({worded(first)} {connective} {worded(second)})"
        case Not(condition):
            return f"not ({worded(condition)})"
        case Choice(condition, chosen, otherwise):
            return f"({worded(chosen)} if {worded(condition)} else {worded(otherwise)})"
        case Smoothed(kind, source, period) | Windowed(kind, source, period) | Extreme(kind, source, period):
            return f"{kind}({worded(source)}, {period})"
        case Accumulated(source):
            return f"sum of all {worded(source)}"
        case Since(condition, within):
            return f"candles since ({worded(condition)}), {within} at most"
        case Lasting(condition, candles):
            return f"({worded(condition)}) for {candles} candles"
        case Previous(source, candles):
            return f"{worded(source)} {candles} before"
        case OnTimeframe(interval, source):
            return f"on {interval}: {worded(source)}"
        case OfPair(pair, source):
            return f"of {pair}: {worded(source)}"
    raise AssertionError(f"{node} is a node of the language")
