"""Bollinger reversion: in when the close comes back above the lower band, out at the middle one.

A band is the average of the closes and so many standard deviations. Coming back inside is no promise: in a trend the
bands follow the price down. Once half of the way is made, nothing is given back below cost and fees.
"""

from decimal import Decimal

from pydantic import Field

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.strategy.language import CLOSE, bollinger, crosses_above
from btcbot.strategy.params import PlainDecimal, StrategyParams, minutes, minutes_field, notional_field, stop_field
from btcbot.strategy.protection import BreakEven, HoldingTime, PositionRules, ReEntry, StopLoss
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import Strategy

NAME = "bollinger_reversion"


class BollingerReversionParams(StrategyParams):
    period: int = Field(default=20, ge=2, le=400, description="candles of the average and of the deviation")
    width: PlainDecimal = Field(
        default=Decimal(2), ge=Decimal("0.5"), le=5, description="how many standard deviations the bands are away"
    )
    notional: PlainDecimal = notional_field("1500")
    stop_loss_ratio: PlainDecimal = stop_field("0.03")
    break_even_gain_ratio: PlainDecimal = Field(
        default=Decimal("0.015"), gt=Decimal("0.005"), le=1,
        description="from this gain on the stop lies half a percent above cost, which pays the fees",
    )  # fmt: skip
    holding_minutes: int = minutes_field(720, 1, "out after so many minutes at the latest")
    loss_cooldown_minutes: int = minutes_field(30, 0, "no entry for so many minutes after an exit at a loss")


FEES_OF_A_ROUND_TRIP = Ratio(Decimal("0.005"))


def bollinger_reversion(params: BollingerReversionParams, currency: Asset) -> Strategy:
    bands = bollinger(CLOSE, params.period, float(params.width))
    return Strategy(
        name=NAME,
        entry=crosses_above(CLOSE, bands.lower),
        exit=bands.middle <= CLOSE,
        notional=Amount(params.notional, currency),
        adds_to_position=False,
        shown=(("lower", bands.lower), ("middle", bands.middle)),
        rules=PositionRules(
            stop_loss=StopLoss(Ratio(params.stop_loss_ratio)),
            break_even=BreakEven(Ratio(params.break_even_gain_ratio), FEES_OF_A_ROUND_TRIP),
            holding=HoldingTime(minutes(params.holding_minutes)),
            re_entry=ReEntry(cooldown_after_loss=minutes(params.loss_cooldown_minutes)),
        ),
        confidence=(bands.middle - CLOSE) / CLOSE * 20.0,
    )


RECIPE = Recipe(BollingerReversionParams, bollinger_reversion, __doc__)
