"""The pure core: what the market and our own state make of each other in one cycle (design, section 4).

`decide` takes the market in, lets the breakers speak, protects what is held, asks the strategy, sizes, and puts every
intent before the gate, each as if those approved before it were already working. Exits go first, so that none waits
behind an entry; entries go by the confidence of their signals, then by name; a grid's rungs come last. The same state,
snapshot and parameters give the same plan, in whatever order the pairs are named: live, sandbox, simulation, replay and
backtest call this and nothing else.

What it does not do it explains: a refusal with its reasons, or a note.
"""

from collections.abc import Iterator

from btcbot.domain.market import MarketSnapshot
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.domain.signals import Signal
from btcbot.risk.gate import Refused
from btcbot.risk.rules import day_loss, drawdown
from btcbot.risk.view import RiskView
from btcbot.services.deciding.cancels import cancels_wanted
from btcbot.services.deciding.entries import buy, by_priority
from btcbot.services.deciding.exits import sales_wanted, sell, stop_levels
from btcbot.services.deciding.maker import quote_grid
from btcbot.services.deciding.market import (
    has_unvalued_positions,
    take_candles,
    take_reading,
    take_watched,
    turn_day,
    warm_up,
)
from btcbot.services.deciding.moment import Moment
from btcbot.services.deciding.plan import (
    DEFAULT_STOP,
    CancelWish,
    CyclePlan,
    DecisionParams,
    DecisionState,
    StrategyFailure,
)

__all__ = [
    "DEFAULT_STOP", "CancelWish", "CyclePlan", "DecisionParams", "DecisionState", "StrategyFailure", "decide", "judged",
    "warm_up",
]  # fmt: skip


def decide(state: DecisionState, snapshot: MarketSnapshot, params: DecisionParams, cycle_id: str) -> CyclePlan:
    """One decision. Pure and total: bad data gives refusals and notes, never an exception."""
    moment = Moment(state, snapshot, params, cycle_id)
    take_watched(moment)
    stepped = tuple(pair for pair in moment.pairs if take_candles(moment, pair))
    for pair in moment.pairs:
        take_reading(moment, pair)
    turn_day(moment)
    trading = moment.state.trading
    breach = day_loss(trading, params.limits) or drawdown(trading, params.limits)
    halt_reason = str(breach) if breach is not None and not has_unvalued_positions(moment) else None
    moment.halted_by = trading.halt_reason or halt_reason
    signals = {pair: _signal(moment, pair) for pair in moment.pairs}
    stops = stop_levels(moment)
    sales, crossed = sales_wanted(moment, signals, stops)
    for pair, sale in sorted(sales.items()):
        sell(moment, pair, sale)
    for pair in by_priority(moment, signals):
        if pair not in sales:
            buy(moment, pair)
    astray: dict[str, str] = {}
    for pair in moment.pairs:
        if pair not in sales:
            astray.update(quote_grid(moment, pair))
    cancels = tuple(cancels_wanted(moment, sales, astray))
    return CyclePlan(
        state=moment.state,
        signals=tuple(signals[pair] for pair in stepped),
        verdicts=tuple(moment.verdicts),
        cancels=cancels,
        notes=tuple(moment.notes),
        halt_reason=None if trading.halt_reason is not None else halt_reason,
        stops={pair: level for pair, level in stops.items() if pair not in crossed},
        failures=tuple(_failures(moment, stepped)),
    )


def judged(
    plan: CyclePlan, snapshot: MarketSnapshot, params: DecisionParams, cycle_id: str
) -> Iterator[tuple[ApprovedOrderIntent | Refused, RiskView]]:
    """Each verdict of a plan with what the gate saw when it gave it: for whoever explains a decision."""
    return Moment(plan.state, snapshot, params, cycle_id).views_of(plan.verdicts)


def _signal(moment: Moment, pair: str) -> Signal:
    """What the last candle said; it is worked out once, when the candle comes."""
    strategy, indicators = moment.params.strategy, moment.indicators(pair)
    if not strategy.is_warm(indicators):
        moment.note(pair, f"warming up, {strategy.warming(indicators)}")
    said = indicators.said
    if said.failure is not None:
        moment.note(pair, f"no entry, on_candle failed {said.failures_in_a_row} times in a row: {said.failure}")
    signal = moment.state.signals.get(pair)
    return strategy.signal(pair, indicators) if signal is None else signal


def _failures(moment: Moment, stepped: tuple[str, ...]) -> Iterator[StrategyFailure]:
    for pair in stepped:
        said = moment.indicators(pair).said
        if said.failure is not None:
            yield StrategyFailure(pair, said.failure, said.failures_in_a_row)
