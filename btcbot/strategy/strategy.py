"""A strategy: when it wants in, when it wants out, and how much it spends. It proposes; the gate decides.

Declared beside the two expressions: sizing, the rules of a position, which act between candles, and where expressions
do not suffice, code that is asked once for each closed candle.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.market import Candle
from btcbot.domain.money import Amount, Ratio
from btcbot.domain.signals import Direction, Signal
from btcbot.strategy.code import NOTHING_SAID, Code, Number, Said, ask
from btcbot.strategy.grid import Grid
from btcbot.strategy.language import CLOSE, NO_OTHERS, OWN, CandlesByPair, Condition, Program, ProgramState, Series
from btcbot.strategy.protection import NO_RULES, PositionRules
from btcbot.strategy.sizing import FIXED, RiskToStop, Sizing, VolatilityTarget, wished_notional

NEVER: Condition = CLOSE < 0.0


@dataclass(frozen=True, slots=True)
class IndicatorState:
    """All that a strategy remembers of one pair."""

    program: ProgramState
    recent: tuple[Candle, ...] = ()  # as many as its code looks at
    said: Said = NOTHING_SAID

    @property
    def candles(self) -> int:
        return self.program.candles


@dataclass(frozen=True, slots=True)
class Strategy:
    """Stateless: all that it remembers of a pair is the `IndicatorState` handed in and out."""

    name: str
    entry: Condition  # buy, when flat
    exit: Condition  # sell all of the position; outweighs the entry
    notional: Amount  # the most that one entry spends, before the gate's caps
    adds_to_position: bool  # whether an entry may follow while a position is held, as often as it likes
    shown: tuple[tuple[str, Series], ...]  # series whose values explain a signal
    rules: PositionRules = NO_RULES
    sizing: Sizing = FIXED
    confidence: Series | None = None  # from 0 to 1: which entry goes first; 1 where nothing is declared
    grid: Grid | None = None  # resting orders instead of, or beside, the entry and the exit
    code: Code | None = None
    interval: timedelta | None = None  # of the candles; whoever looks at a longer one needs to know it
    _program: Program = field(init=False, repr=False, compare=False)
    _distance_at: int | None = field(init=False, repr=False, compare=False)  # asked for at every reading
    _part_out_at: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.sizing, RiskToStop) and not self.rules.has_stop:
            raise ValueError("sizing by the risk to the stop needs a stop: a stop loss, an indicator or trailing stop")
        if self.rules.pace is not None and self.rules.pace.budget.asset != self.notional.asset:
            raise ValueError("the budget and the notional are amounts of one asset")
        program, stop, part_out = Program(*self._roots()), self.rules.indicator_stop, self.rules.scale_out
        object.__setattr__(self, "_program", program)
        object.__setattr__(self, "_distance_at", None if stop is None else program.place_of(stop.distance))
        object.__setattr__(self, "_part_out_at", None if part_out is None else program.place_of(part_out.when))

    @property
    def warm_up(self) -> int:
        """Closed candles to be seen, of whichever pair needs most, before a signal may be trusted.

        Raises `ValueError` where the expressions look at a timeframe that the interval does not fit into.
        """
        return max(self.own_history, *self.watched.values(), 0)

    @property
    def own_history(self) -> int:
        """Closed candles of the pair itself to be seen before a signal may be trusted."""
        return max(0 if self.code is None else self.code.candles, self._program.needs(self.interval)[OWN])

    @property
    def other_pairs(self) -> frozenset[str]:
        """Pairs whose candles are looked at whatever pair is decided on."""
        return frozenset(self.watched)

    def _roots(self) -> Iterator[Series | Condition]:
        yield from (self.entry, self.exit)
        yield from (series for _, series in self.shown)
        yield from self.rules.expressions()
        if isinstance(self.sizing, VolatilityTarget):
            yield self.sizing.measured
        if self.confidence is not None:
            yield self.confidence
        if self.grid is not None:
            yield self.grid.reference

    @property
    def watched(self) -> Mapping[str, int]:
        """The other pairs whose candles it looks at, and how many of each must have been seen."""
        return {pair: candles for pair, candles in self._program.needs(self.interval).items() if pair is not None}

    def over(self, interval: timedelta) -> "Strategy":
        """The same over candles of this interval. Raises `ValueError` where a timeframe of its is not made of them."""
        self._program.needs(interval)
        return self if interval == self.interval else replace(self, interval=interval)

    def initial(self) -> IndicatorState:
        return IndicatorState(self._program.initial())

    def step(
        self, pair: str, state: IndicatorState, candle: Candle, others: CandlesByPair = NO_OTHERS
    ) -> IndicatorState:
        """What is remembered after one more closed candle; code is asked once it is warm. Pure if the code is.

        `others` holds the candles of watched pairs that closed since the last step and not later than this one.
        """
        program = self._program.step(state.program, candle, self.interval, others)
        if self.code is None:
            return IndicatorState(program)
        recent = (*state.recent, candle)[-self.code.candles :]
        after = IndicatorState(program, recent, state.said)
        if not self.is_warm(after):
            return after
        return IndicatorState(program, recent, ask(self.code, pair, recent, self.numbers(after), state.said))

    def is_warm(self, state: IndicatorState) -> bool:
        looks_at = 0 if self.code is None else self.code.candles
        return state.candles >= looks_at and self._program.is_warm(state.program, self.interval)

    def warming(self, state: IndicatorState) -> str:
        """How far the warm-up has come."""
        seen = self._program.seen(state.program)
        others = (f"{min(seen[pair], candles)} of {candles} of {pair}" for pair, candles in self.watched.items())
        return ", ".join((f"{min(state.candles, self.own_history)} of {self.own_history} candles", *others))

    def numbers(self, state: IndicatorState) -> Mapping[str, Number]:
        """What the last candle made of each series that is shown."""
        return {name: self._program.value(state.program, shown) for name, shown in self.shown}

    def signal(self, pair: str, state: IndicatorState) -> Signal:
        """What the last candle says. HOLD until warm, where an expression is undefined, and after code that failed."""
        direction, confidence = self._direction(state)
        numbers = ", ".join(f"{name}={value}" for name, value in self.numbers(state).items())
        said = state.said.reason if state.said.failure is None else f"on_candle failed: {state.said.failure}"
        return Signal(
            pair=pair,
            direction=direction,
            confidence=confidence,
            notional=self.notional if direction is Direction.BUY else None,
            reason=f"{self.name}: {'; '.join(part for part in (said, numbers) if part)}",
        )

    def wished(self, state: IndicatorState, equity: Decimal) -> Amount:
        """What an entry is to spend by the strategy's sizing."""
        measured = self._number(state, self.sizing.measured) if isinstance(self.sizing, VolatilityTarget) else None
        return wished_notional(
            self.sizing, self.notional, equity, self.rules.stop_ratio(self.stop_distance(state)), measured
        )

    def stop_distance(self, state: IndicatorState) -> float | None:
        """The indicator stop's own number, where there is one."""
        value = None if self._distance_at is None else state.program.values[self._distance_at]
        return None if value is None else float(value)

    def wants_part_out(self, state: IndicatorState) -> Ratio | None:
        """The share to sell by the last candle, if it says so."""
        rule = self.rules.scale_out
        if rule is None or self._part_out_at is None or state.program.values[self._part_out_at] is not True:
            return None
        return rule.share if self.is_warm(state) else None

    def grid_reference(self, state: IndicatorState) -> float | None:
        """Where the grid's rungs hang while nothing is held; nothing before the warm-up."""
        if self.grid is None or not self.is_warm(state):
            return None
        return self._number(state, self.grid.reference)

    def _number(self, state: IndicatorState, series: Series) -> float | None:
        value = self._program.value(state.program, series)
        return None if value is None else float(value)

    def _direction(self, state: IndicatorState) -> tuple[Direction, float]:
        """An exit outweighs an entry, whoever of expressions and code says so."""
        if not self.is_warm(state):
            return Direction.HOLD, 0.0
        says_sell = state.said.direction is Direction.SELL and state.said.failure is None
        if self._program.value(state.program, self.exit) is True or says_sell:
            return Direction.SELL, 1.0
        if state.said.failure is not None:
            return Direction.HOLD, 0.0
        if state.said.direction is Direction.BUY:
            return Direction.BUY, state.said.confidence
        if self._program.value(state.program, self.entry) is True:
            return Direction.BUY, self._confidence(state)
        return Direction.HOLD, 0.0

    def _confidence(self, state: IndicatorState) -> float:
        if self.confidence is None:
            return 1.0
        value = self._number(state, self.confidence)
        return 0.0 if value is None else min(max(value, 0.0), 1.0)
