"""Where the values and memories of nodes lie, and the steps that fill them, in an order in which inputs come first.

Values lie in one list for each candle: the candle's own fields, what is seen of other candles, constants, then the
rest. Several windows over one series share its past, which reaches back as far as the longest of them.
"""

from btcbot.strategy.language import steps
from btcbot.strategy.language.nodes import (
    Accumulated,
    Arithmetic,
    Both,
    CandleField,
    Choice,
    Comparison,
    Computed,
    Constant,
    Cross,
    Expression,
    Extreme,
    Field,
    Lasting,
    Node,
    Not,
    Previous,
    Sample,
    Since,
    Smoothed,
    Statistic,
    Windowed,
    node_of,
)
from btcbot.strategy.language.values import Value

_FIELDS = {name: place for place, name in enumerate(CandleField)}


class Layout:
    """Of nodes that come after their inputs: `places` in the list of values, `steps`, `memory` to begin with."""

    def __init__(self, nodes: tuple[Node, ...]) -> None:
        self.samples = tuple(node for node in nodes if isinstance(node, Sample))
        constants = tuple(node for node in nodes if isinstance(node, Constant))
        known = (*self.samples, *constants)
        computed = tuple(node for node in nodes if isinstance(node, Computed))
        self.places: dict[Node, int] = {node: _FIELDS[node.name] for node in nodes if isinstance(node, Field)}
        self.places.update({node: len(_FIELDS) + number for number, node in enumerate((*known, *computed))})
        self.blank: tuple[Value, ...] = (*(constant.number for constant in constants), *(None for _ in computed))
        self.memory: list[steps.Memory] = []
        self.steps: list[steps.Step] = []
        self._depths, self._exact_depths = _depths(computed)
        self._pasts: dict[Node, int] = {}
        self._exact_pasts: dict[Node, int] = {}
        for node in computed:
            self.steps.append(self._step_of(node))

    def _step_of(self, node: Computed) -> steps.Step:
        at, of = self.places[node], self._place
        match node:
            case Arithmetic(operator, left, right):
                return steps.arithmetic(at, of(left), of(right), operator)
            case Comparison(relation, left, right):
                return steps.comparison(at, of(left), of(right), relation)
            case Both(connective, one, other):
                return steps.both(at, of(one), of(other), connective)
            case Not(condition):
                return steps.negation(at, of(condition))
            case Choice(condition, chosen, otherwise):
                return steps.choice(at, of(condition), of(chosen), of(otherwise))
            case Smoothed(_, source, _):
                return steps.smoothed(at, of(source), self._slot(None), node.alpha)
            case Cross(left, right):
                return steps.crossed(at, of(left), of(right), self._slot(None))
            case Lasting(condition, candles):
                return steps.lasting(at, of(condition), self._slot((0, 0)), candles)
            case Since(condition, within):
                return steps.since(at, of(condition), self._slot(within + 1), within)
            case Accumulated(source):
                return steps.accumulated(at, of(source), self._slot((0, 0)))
            case Previous(source, candles):
                return steps.previous(at, candles, self._past(node_of(source)))
            case Extreme(extremum, source, period):
                past = self._past(node_of(source))
                return steps.extreme(at, extremum, period, past, self._slot(steps.INITIAL_EXTREME))
            case _:
                return self._windowed(at, node.statistic, node.period, self._exact_past(node_of(node.source)))

    def _place(self, expression: Expression) -> int:
        return self.places[node_of(expression)]

    def _windowed(self, at: int, statistic: Statistic, period: int, past: int) -> steps.Step:
        match statistic:
            case Statistic.MEAN | Statistic.TOTAL:
                slot = self._slot(steps.INITIAL_SUM)
                return steps.mean(at, period, past, slot, is_divided=statistic is Statistic.MEAN)
            case Statistic.WEIGHTED_MEAN:
                return steps.weighted_mean(at, period, past, self._slot(steps.INITIAL_SUMS))
            case Statistic.SLOPE:
                return steps.slope(at, period, past, self._slot(steps.INITIAL_SUMS))
            case _:
                return steps.deviation(at, period, past, self._slot(steps.INITIAL_SUMS))

    def _slot(self, initial: steps.Memory) -> int:
        self.memory.append(initial)
        return len(self.memory) - 1

    def _past(self, source: Node) -> int:
        """The slot of the values that a series had, kept from here on; shared by all that look at them."""
        if source not in self._pasts:
            depth = self._depths[source]
            self._pasts[source] = slot = self._slot(steps.initial_past(depth))
            self.steps.append(steps.past(self.places[source], slot, depth))
        return self._pasts[source]

    def _exact_past(self, source: Node) -> int:
        if source not in self._exact_pasts:
            depth = self._exact_depths[source]
            self._exact_pasts[source] = slot = self._slot(steps.initial_exact_past(depth))
            self.steps.append(steps.exact_past(self.places[source], slot, depth))
        return self._exact_pasts[source]


def _depths(nodes: tuple[Node, ...]) -> tuple[dict[Node, int], dict[Node, int]]:
    """How far back each series is looked at, as values and as exact numbers."""
    values: dict[Node, int] = {}
    exact: dict[Node, int] = {}
    for node in nodes:
        match node:
            case Previous(source, depth) | Extreme(_, source, depth):
                values[node_of(source)] = max(depth, values.get(node_of(source), 0))
            case Windowed(_, source, depth):
                exact[node_of(source)] = max(depth, exact.get(node_of(source), 0))
            case _:
                pass
    return values, exact
