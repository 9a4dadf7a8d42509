"""Wind down: no entries at all; what is held is protected by a trailing stop and left after a time.

For taking leave of positions that another strategy opened: name it in BTCBOT_STRATEGY and let it finish.
"""

from decimal import Decimal

from pydantic import Field

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.strategy.params import PlainDecimal, StrategyParams, minutes, minutes_field, stop_field
from btcbot.strategy.protection import HoldingTime, PositionRules, StopLoss, TrailingStop
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import NEVER, Strategy

NAME = "wind_down"


class WindDownParams(StrategyParams):
    stop_loss_ratio: PlainDecimal = stop_field("0.1")
    trailing_ratio: PlainDecimal = Field(
        default=Decimal("0.05"), gt=0, lt=1, description="out when the bid has fallen by this share of its highest"
    )
    holding_minutes: int = minutes_field(43_200, 1, "out so many minutes after the position was opened at the latest")


def wind_down(params: WindDownParams, currency: Asset) -> Strategy:
    return Strategy(
        name=NAME,
        entry=NEVER,
        exit=NEVER,
        notional=Amount(Decimal(0), currency),
        adds_to_position=False,
        shown=(),
        rules=PositionRules(
            stop_loss=StopLoss(Ratio(params.stop_loss_ratio)),
            trailing=TrailingStop(Ratio(params.trailing_ratio)),
            holding=HoldingTime(minutes(params.holding_minutes)),
        ),
    )


RECIPE = Recipe(WindDownParams, wind_down, __doc__)
