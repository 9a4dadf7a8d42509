"""How many candles an expression needs before its value may be trusted: known before the first one.

Each node needs as many candles as the neediest of its inputs, and some of its own: a window of 20 values 19 more, the
value 3 candles ago 3 more. A smoothed value remembers its seed for ever, a little less with each candle: it is trusted
once the seed weighs at most `SEED_WEIGHT_MAX`, so that two processes that began at different candles agree to a
ten-thousandth of their difference.

n candles of a timeframe that is r of ours long are n · r of ours, and r - 1 more where the first ones lie in the middle
of one. A look at another pair needs that pair's candles; whatever looks further back over it needs as many more.
"""

from collections.abc import Mapping
from datetime import timedelta

from btcbot.strategy.language.nodes import (
    Constant,
    Cross,
    Expression,
    Extreme,
    Field,
    Lasting,
    Node,
    OfPair,
    OnTimeframe,
    Previous,
    Since,
    Smoothed,
    Windowed,
    children,
    in_order,
    node_of,
    required_interval,
)

SEED_WEIGHT_MAX = 1e-4
OWN: str | None = None  # our own pair, beside the names of others
Needs = Mapping[str | None, int]


def warm_up(expression: Expression, interval: timedelta | None = None) -> int:
    """How many of our own candles must have been seen before the expression's value may be trusted.

    Raises `ValueError` where a timeframe is not made of whole candles of this interval, or where there is none to tell.
    """
    return candles_needed((expression,), interval)[OWN]


def candles_needed(roots: tuple[Expression, ...], interval: timedelta | None = None) -> Needs:
    """How many candles of each pair must have been seen; ours stand under `OWN`. Raises as `warm_up` does."""
    needs: dict[Node, Needs] = {}
    for node in in_order(roots):
        needs[node] = _needs_of(node, needs, interval)
    return _neediest(({OWN: 0}, *(needs[node_of(root)] for root in roots)))


def _needs_of(node: Node, needs: Mapping[Node, Needs], interval: timedelta | None) -> Needs:
    match node:
        case Field():
            return {OWN: 1}
        case Constant():
            return {}
        case OnTimeframe(timeframe, source):
            ratio = timeframe // required_interval(timeframe, interval)
            return {OWN: warm_up(source, timeframe) * ratio + ratio - 1}
        case OfPair(pair, source):
            return {OWN: 1, pair: warm_up(source, interval)}
        case _:
            below = _neediest(tuple(needs[child] for child in children(node)))
            further = _candles_further_back(node)
            return {pair: candles + further for pair, candles in below.items()}


def _neediest(all_needs: tuple[Needs, ...]) -> Needs:
    neediest: dict[str | None, int] = {}
    for needs in all_needs:
        for pair, candles in needs.items():
            neediest[pair] = max(candles, neediest.get(pair, 0))
    return neediest


def _candles_further_back(node: Node) -> int:
    match node:
        case Smoothed():
            return _values_until_seed_fades(node)
        case Windowed(_, _, period) | Extreme(_, _, period) | Lasting(_, period):
            return period - 1
        case Since(_, candles) | Previous(_, candles):
            return candles
        case Cross():
            return 1
        case _:
            return 0


def _values_until_seed_fades(average: Smoothed) -> int:
    weight, values = 1.0, 0
    while weight > SEED_WEIGHT_MAX:
        weight *= 1.0 - average.alpha
        values += 1
    return values
