"""RSI mean reversion: in when the relative strength index turns up out of the oversold, out when it has recovered.

It buys what has just fallen. In a market that keeps falling it buys again and again on the way down: the stop, the
longest time of holding and the wait after a loss bound each of these attempts, not their number.
"""

from typing import Self

from pydantic import Field, model_validator

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.strategy.language import CLOSE, crosses_above, rsi, sma
from btcbot.strategy.params import PlainDecimal, StrategyParams, minutes, minutes_field, notional_field, stop_field
from btcbot.strategy.protection import HoldingTime, PositionRules, ReEntry, StopLoss
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import Strategy

NAME = "rsi_reversion"


class RsiReversionParams(StrategyParams):
    period: int = Field(default=14, ge=2, le=100, description="period of the relative strength index, in candles")
    oversold: int = Field(default=30, ge=1, le=49, description="in when the index rises above this from below")
    recovered: int = Field(default=55, ge=2, le=99, description="out while the index is at this or above")
    trend: int = Field(
        default=0, ge=0, le=400, description="in only above the average of so many closes; 0 asks for no trend"
    )
    notional: PlainDecimal = notional_field("1500")
    stop_loss_ratio: PlainDecimal = stop_field("0.03")
    holding_minutes: int = minutes_field(720, 1, "out after so many minutes at the latest")
    loss_cooldown_minutes: int = minutes_field(30, 0, "no entry for so many minutes after an exit at a loss")

    @model_validator(mode="after")
    def _recovers_above_oversold(self) -> Self:
        if self.oversold >= self.recovered:
            raise ValueError(f"oversold ({self.oversold}) must be below recovered ({self.recovered})")
        return self


def rsi_reversion(params: RsiReversionParams, currency: Asset) -> Strategy:
    index = rsi(CLOSE, params.period)
    entry = crosses_above(index, float(params.oversold))
    if params.trend:
        entry &= sma(CLOSE, params.trend) < CLOSE
    return Strategy(
        name=NAME,
        entry=entry,
        exit=index >= float(params.recovered),
        notional=Amount(params.notional, currency),
        adds_to_position=False,
        shown=(("rsi", index),),
        rules=PositionRules(
            stop_loss=StopLoss(Ratio(params.stop_loss_ratio)),
            holding=HoldingTime(minutes(params.holding_minutes)),
            re_entry=ReEntry(cooldown_after_loss=minutes(params.loss_cooldown_minutes)),
        ),
        confidence=(100.0 - index) / 100.0,
    )


RECIPE = Recipe(RsiReversionParams, rsi_reversion, __doc__)
