"""A strategy: when it wants in, when it wants out, and how much it spends. It proposes; the gate decides.

Declared beside the two expressions: sizing, a fixed notional for each entry, and a stop that acts between candles.
"""

from dataclasses import dataclass, field

from btcbot.domain.market import Candle
from btcbot.domain.money import Amount
from btcbot.domain.signals import Direction, Signal
from btcbot.strategy.language import Condition, Program, ProgramState, Series, warm_up
from btcbot.strategy.protection import StopLoss

IndicatorState = ProgramState


@dataclass(frozen=True, slots=True)
class Strategy:
    """Stateless: all that it remembers of a pair is the `IndicatorState` handed in and out."""

    name: str
    entry: Condition  # buy, when flat
    exit: Condition  # sell all of the position; outweighs the entry
    notional: Amount  # spent on each entry, before the gate's caps
    adds_to_position: bool  # whether an entry may follow while a position is held
    shown: tuple[tuple[str, Series], ...]  # series whose values explain a signal
    stop_loss: StopLoss | None = None
    warm_up: int = field(init=False, compare=False)  # closed candles to be seen before a signal may be trusted
    _program: Program = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        program = Program(self.entry, self.exit, *(shown for _, shown in self.shown))
        object.__setattr__(self, "_program", program)
        object.__setattr__(self, "warm_up", max(warm_up(self.entry), warm_up(self.exit)))

    def initial(self) -> IndicatorState:
        return self._program.initial()

    def step(self, state: IndicatorState, candle: Candle) -> IndicatorState:
        """The indicators after one more closed candle. Pure."""
        return self._program.step(state, candle)

    def is_warm(self, state: IndicatorState) -> bool:
        return state.candles >= self.warm_up

    def signal(self, pair: str, state: IndicatorState) -> Signal:
        """What the last candle says. HOLD until warm and wherever an expression is undefined."""
        direction = self._direction(state)
        numbers = ", ".join(f"{name}={self._program.value(state, shown)}" for name, shown in self.shown)
        return Signal(
            pair=pair,
            direction=direction,
            confidence=0.0 if direction is Direction.HOLD else 1.0,
            notional=self.notional if direction is Direction.BUY else None,
            reason=f"{self.name}: {numbers}",
        )

    def _direction(self, state: IndicatorState) -> Direction:
        if not self.is_warm(state):
            return Direction.HOLD
        if self._program.value(state, self.exit) is True:
            return Direction.SELL
        if self._program.value(state, self.entry) is True:
            return Direction.BUY
        return Direction.HOLD
