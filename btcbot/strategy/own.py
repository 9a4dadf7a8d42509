"""Everything that a strategy of your own needs, in one place to import from. See docs/strategies.md.

A file offers a `Recipe`, a strategy made of expressions, or a class below `CandleStrategy`, one in Python.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from pydantic import Field, model_validator

from btcbot.domain.market import Candle
from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.domain.signals import Direction, Signal
from btcbot.strategy import language
from btcbot.strategy.code import CandleView, Code
from btcbot.strategy.grid import Grid
from btcbot.strategy.language import Series
from btcbot.strategy.params import (
    PlainDecimal,
    StrategyParams,
    minutes,
    minutes_field,
    notional_field,
    stop_field,
)
from btcbot.strategy.protection import (
    BreakEven,
    HoldingTime,
    IndicatorStop,
    Pace,
    PositionRules,
    ReEntry,
    Rung,
    ScaleIn,
    ScaleOut,
    StopLoss,
    TakeProfit,
    TrailingStop,
)
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.sizing import FIXED, EquityFraction, FixedNotional, RiskToStop, Sizing, VolatilityTarget
from btcbot.strategy.strategy import NEVER, Strategy

__all__ = [
    # what a file offers
    "Recipe", "CandleStrategy", "Strategy", "StrategyParams",
    # parameters
    "Field", "PlainDecimal", "model_validator", "notional_field", "stop_field", "minutes_field", "minutes",
    # expressions, with all of their operators
    "language", "Series", "NEVER",
    # rules of a position
    "PositionRules", "StopLoss", "TrailingStop", "BreakEven", "IndicatorStop", "TakeProfit", "Rung", "HoldingTime",
    "ReEntry", "ScaleIn", "ScaleOut", "Pace", "Grid",
    # sizing
    "FixedNotional", "EquityFraction", "VolatilityTarget", "RiskToStop",
    # what code sees and says
    "CandleView", "Candle", "Signal", "Direction",
    # money
    "Amount", "Asset", "Ratio", "Decimal",
]  # fmt: skip


class OwnParams(StrategyParams):
    """What a strategy in Python has unless it says otherwise."""

    notional: PlainDecimal = notional_field("1500")
    stop_loss_ratio: PlainDecimal = stop_field("0.05")


class CandleStrategy:
    """A strategy in Python: `on_candle` is asked once for each closed candle, and answers by what it is shown alone.

    An instance is made once and asked for many pairs, in backtests and replays too: what it keeps in itself between two
    calls makes it say different things of the same candles, and `btcbot strategies check` finds that.
    """

    Params: ClassVar[type[Any]] = OwnParams
    candles: int = 1  # how many of the last closed candles it is shown

    def __init__(self, params: Any, currency: Asset) -> None:
        self.params = params
        self.currency = currency

    def on_candle(self, view: CandleView) -> Signal:
        """`view.buy()`, `view.sell()` or `view.hold()`."""
        raise NotImplementedError("a strategy in Python says what it wants in on_candle")

    def series(self) -> Mapping[str, Series]:
        """Expressions whose values the view holds by these names, and that explain a signal."""
        return {}

    def rules(self) -> PositionRules:
        """How a position is protected."""
        return PositionRules(stop_loss=StopLoss(Ratio(self.params.stop_loss_ratio)))

    def sizing(self) -> Sizing:
        """How much of the notional an entry spends."""
        return FIXED

    def notional(self) -> Amount:
        """The most that an entry spends."""
        return Amount(self.params.notional, self.currency)


def recipe_of(kind: type[CandleStrategy], reference: str, digest: str) -> Recipe[Any]:
    """The class as a recipe: an instance for each set of parameters."""

    def build(params: Any, currency: Asset) -> Strategy:
        made = kind(params, currency)
        return Strategy(
            name=reference, entry=NEVER, exit=NEVER, notional=made.notional(), adds_to_position=False,
            shown=tuple(made.series().items()), rules=made.rules(), sizing=made.sizing(),
            code=Code(reference, digest, params.model_dump_json(), made.candles, made.on_candle),
        )  # fmt: skip

    return Recipe(kind.Params, build, kind.__doc__)
