"""Signals in plain Python, for what expressions cannot say: once for each closed candle, given the past and no more.

`on_candle` is asked with a `CandleView` and answers with a `Signal`, by `view.buy()`, `view.sell()` or `view.hold()`.
It has to be a function of its view alone: a replay asks it again, a backtest asks it over years. The view is frozen;
what it raises, or answers beside a signal, is caught, counted and told: it then wants nothing, and so adds no risk,
while stops, exits and cancels go on without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import localcontext
from types import MappingProxyType
from typing import Protocol

from btcbot.domain.market import Candle
from btcbot.domain.signals import Direction, Signal

REASON_CHARACTERS_MAX = 200
CANDLES_MAX = 1000
Number = float | bool | None


@dataclass(frozen=True, slots=True)
class CandleView:
    """One pair up to its last closed candle. Nothing of it can be changed, and nothing in it is younger."""

    pair: str
    candles: tuple[Candle, ...]  # the last ones, oldest first, as many as the strategy asked for
    values: Mapping[str, Number]  # what the last candle made of each expression that the strategy shows

    @property
    def last(self) -> Candle:
        return self.candles[-1]

    def buy(self, reason: str = "", confidence: float = 1.0) -> Signal:
        """In, for the notional that the strategy's sizing gives."""
        return Signal(self.pair, Direction.BUY, confidence, None, reason)

    def sell(self, reason: str = "", confidence: float = 1.0) -> Signal:
        """Out of the whole position."""
        return Signal(self.pair, Direction.SELL, confidence, None, reason)

    def hold(self, reason: str = "") -> Signal:
        """Neither."""
        return Signal(self.pair, Direction.HOLD, 0.0, None, reason)


class OnCandle(Protocol):
    def __call__(self, view: CandleView) -> Signal: ...


@dataclass(frozen=True, slots=True)
class Code:
    """Which code it is, so that records can name it and a replay can ask for the same, and how to call it."""

    reference: str  # as the settings name it: NAME or MODULE:NAME
    digest: str  # sha256 of its source
    params: str  # its parameters as JSON
    candles: int  # how many closed candles its view holds
    on_candle: OnCandle = field(compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 1 <= self.candles <= CANDLES_MAX:
            raise ValueError(f"a view holds 1 to {CANDLES_MAX} candles, not {self.candles}")

    @property
    def identity(self) -> tuple[str, str, str]:
        return self.reference, self.digest, self.params


def not_loaded(view: CandleView) -> Signal:
    """Stands in a record for code that is elsewhere."""
    raise RuntimeError(f"the code of this strategy was not loaded, {view.pair} cannot be asked about")


@dataclass(frozen=True, slots=True)
class Said:
    """What the code said of the last candle, or how it failed. Failures are counted until it answers again."""

    direction: Direction = Direction.HOLD
    confidence: float = 0.0
    reason: str = ""
    failure: str | None = None
    failures_in_a_row: int = 0


NOTHING_SAID = Said()


def ask(code: Code, pair: str, candles: Sequence[Candle], values: Mapping[str, Number], before: Said) -> Said:
    """One call, whatever comes of it."""
    view = CandleView(pair, tuple(candles)[-code.candles :], MappingProxyType(dict(values)))
    try:
        with localcontext():  # what it does to the money context ends with the call
            return _understood(code.on_candle(view), pair)
    except Exception as error:  # noqa: BLE001 - a user's code may raise anything: it adds no risk, and it is told
        failure = f"{type(error).__name__}: {error}"[:REASON_CHARACTERS_MAX]
        return Said(failure=failure, failures_in_a_row=before.failures_in_a_row + 1)


class BadAnswer(ValueError):
    """What came back is not a signal of this pair."""


def _understood(answer: object, pair: str) -> Said:
    if not isinstance(answer, Signal):
        raise BadAnswer(f"on_candle gave {type(answer).__name__}, not a Signal; use view.buy(), sell() or hold()")
    if answer.pair != pair:
        raise BadAnswer(f"on_candle was asked about {pair} and spoke of {str(answer.pair)[:20]!r}")
    if answer.notional is not None:
        raise BadAnswer("on_candle gave a notional; the strategy's sizing says how much is spent")
    if not isinstance(answer.direction, Direction):
        raise BadAnswer("the direction is none of BUY, SELL and HOLD")
    confidence = answer.confidence
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
        raise BadAnswer(f"a confidence is a number from 0 to 1, not {str(confidence)[:20]}")
    return Said(answer.direction, float(confidence), str(answer.reason)[:REASON_CHARACTERS_MAX])
