"""The EMA cross: in when the fast average of the closes crosses above the slow one, out while it lies below.

The exit is a state, not a moment: an exit that could not be made at the crossing candle is wanted on the next one too.
The shipped parameters are quick, so that a short rehearsal shows entries and exits; they are no advice.
"""

from typing import Self

from pydantic import Field, model_validator

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.strategy.language import CLOSE, crosses_above, ema
from btcbot.strategy.params import PlainDecimal, StrategyParams, notional_field, stop_field
from btcbot.strategy.protection import PositionRules, StopLoss
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import Strategy

NAME = "ema_cross"


class EmaCrossParams(StrategyParams):
    fast: int = Field(default=3, ge=1, le=200, description="period of the fast average, in candles")
    slow: int = Field(default=8, ge=2, le=400, description="period of the slow average, in candles")
    notional: PlainDecimal = notional_field("1500")
    adds_to_position: bool = Field(default=False, description="whether an entry may follow while a position is held")
    stop_loss_ratio: PlainDecimal = stop_field("0.05")

    @model_validator(mode="after")
    def _fast_is_faster(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError(f"fast ({self.fast}) must be below slow ({self.slow})")
        return self


def ema_cross(params: EmaCrossParams, currency: Asset) -> Strategy:
    fast, slow = ema(CLOSE, params.fast), ema(CLOSE, params.slow)
    return Strategy(
        name=NAME,
        entry=crosses_above(fast, slow),
        exit=fast < slow,
        notional=Amount(params.notional, currency),
        adds_to_position=params.adds_to_position,
        shown=(("fast", fast), ("slow", slow)),
        rules=PositionRules(stop_loss=StopLoss(Ratio(params.stop_loss_ratio))),
    )


RECIPE = Recipe(EmaCrossParams, ema_cross, __doc__)
