"""Dollar-cost averaging with a budget: the same amount again and again, whatever the price, until the budget is spent.

It knows no exit but its stop, which is far away on purpose, and perhaps a gain at which all is sold. With `dip_period`
it buys only while the price is below an average. The budget is for each pair, and counts what the position cost.
"""

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.strategy.language import CLOSE, sma
from btcbot.strategy.params import PlainDecimal, StrategyParams, minutes, minutes_field, notional_field
from btcbot.strategy.protection import Pace, PositionRules, Rung, StopLoss, TakeProfit
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import NEVER, Strategy

NAME = "dca"


class DcaParams(StrategyParams):
    notional: PlainDecimal = notional_field("250")
    every_minutes: int = minutes_field(1_440, 1, "at least so many minutes between two buys of a pair")
    budget: PlainDecimal = Field(
        default=Decimal(10_000),
        gt=0,
        le=Decimal(10) ** 9,
        description="what a position may have cost, in the risk currency",
    )
    dip_period: int = Field(
        default=0, ge=0, le=400, description="buy only below the average of so many closes; 0 buys at any price"
    )
    take_profit_ratio: PlainDecimal = Field(
        default=Decimal(0), ge=0, le=10, description="sell all at this gain on the average cost; 0 keeps it"
    )
    stop_loss_ratio: PlainDecimal = Field(
        default=Decimal("0.5"), gt=0, lt=1, description="out when the bid has fallen by this share of the average cost"
    )

    @model_validator(mode="after")
    def _budget_holds_a_buy(self) -> Self:
        if self.budget < self.notional:
            raise ValueError(f"budget ({self.budget}) must not be below notional ({self.notional})")
        return self


def dca(params: DcaParams, currency: Asset) -> Strategy:
    average = sma(CLOSE, params.dip_period or 1)
    take_profit = None
    if params.take_profit_ratio > 0:
        take_profit = TakeProfit((Rung(Ratio(params.take_profit_ratio), Ratio(Decimal(1))),))
    return Strategy(
        name=NAME,
        entry=average > CLOSE if params.dip_period else CLOSE > 0.0,
        exit=NEVER,
        notional=Amount(params.notional, currency),
        adds_to_position=True,
        shown=(("average", average),),
        rules=PositionRules(
            stop_loss=StopLoss(Ratio(params.stop_loss_ratio)),
            take_profit=take_profit,
            pace=Pace(minutes(params.every_minutes), Amount(params.budget, currency)),
        ),
    )


RECIPE = Recipe(DcaParams, dca, __doc__)
