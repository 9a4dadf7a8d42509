"""Donchian breakout: in above the highest high of the candles before, out below their lowest low, with a stop by ATR.

The stop lies a multiple of the average true range below the average cost; it moves up when the market calms down and
never down. An entry is sized so that a fall to that stop costs a fixed share of equity, and never above the notional.
Most breakouts fail: it loses often and little, and lives on the few that run.
"""

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.strategy.language import CLOSE, atr, donchian
from btcbot.strategy.params import PlainDecimal, StrategyParams, notional_field
from btcbot.strategy.protection import IndicatorStop, PositionRules
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.sizing import RiskToStop
from btcbot.strategy.strategy import Strategy

NAME = "donchian_breakout"


class DonchianBreakoutParams(StrategyParams):
    entry_period: int = Field(default=20, ge=2, le=400, description="in above the highest high of so many candles")
    exit_period: int = Field(default=10, ge=1, le=400, description="out below the lowest low of so many candles")
    atr_period: int = Field(default=14, ge=1, le=100, description="period of the average true range, in candles")
    atr_multiple: PlainDecimal = Field(
        default=Decimal(3), gt=0, le=20, description="how many average true ranges below the cost the stop lies"
    )
    stop_ratio_max: PlainDecimal = Field(
        default=Decimal("0.05"), gt=Decimal("0.002"), lt=1, description="the stop is never further away than this share"
    )
    risk_ratio: PlainDecimal = Field(
        default=Decimal("0.005"),
        gt=0,
        le=Decimal("0.1"),
        description="the share of equity that a fall to the stop costs",
    )
    notional: PlainDecimal = notional_field("3000")

    @model_validator(mode="after")
    def _leaves_sooner_than_it_enters(self) -> Self:
        if self.exit_period > self.entry_period:
            raise ValueError(f"exit_period ({self.exit_period}) must not be above entry_period ({self.entry_period})")
        return self


STOP_RATIO_MIN = Ratio(Decimal("0.002"))


def donchian_breakout(params: DonchianBreakoutParams, currency: Asset) -> Strategy:
    upper = donchian(params.entry_period).upper.previous()
    lower = donchian(params.exit_period).lower.previous()
    true_range = atr(params.atr_period)
    return Strategy(
        name=NAME,
        entry=upper < CLOSE,
        exit=lower > CLOSE,
        notional=Amount(params.notional, currency),
        adds_to_position=False,
        shown=(("upper", upper), ("lower", lower), ("atr", true_range)),
        rules=PositionRules(
            indicator_stop=IndicatorStop(
                true_range * float(params.atr_multiple) / CLOSE, STOP_RATIO_MIN, Ratio(params.stop_ratio_max)
            )
        ),
        sizing=RiskToStop(Ratio(params.risk_ratio)),
        confidence=(CLOSE - upper) / true_range,
    )


RECIPE = Recipe(DonchianBreakoutParams, donchian_breakout, __doc__)
