"""The grid: buy a rung lower, sell a rung higher, with orders that rest and pay the maker's fee.

A rung is bought only if selling it one rung higher leaves `earns_ratio` after the fees of both ways. The fee is what
our own fills are known to pay, or else the exchange's worst published one: the default spacing earns with either. A
grid lives on a market that goes to and fro; in a falling one it ends up with all of its rungs, and leaves them at its
stop.

Orders of a grid have to rest: give them time (BTCBOT_ORDER_AGE_SECONDS_MAX=3600), leave room for the orders of both
sides (BTCBOT_RISK_OPEN_ORDERS_PER_INSTRUMENT_MAX), and mind that entries have a cooldown and a number for each hour.
"""

from decimal import Decimal

from pydantic import Field

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.strategy.grid import QUOTES_MAX, RUNGS_MAX, Grid
from btcbot.strategy.language import CLOSE, sma
from btcbot.strategy.params import PlainDecimal, StrategyParams, minutes, minutes_field, notional_field
from btcbot.strategy.protection import PositionRules, ReEntry, StopLoss
from btcbot.strategy.recipe import Recipe
from btcbot.strategy.strategy import NEVER, Strategy

NAME = "grid"


class GridParams(StrategyParams):
    spacing_ratio: PlainDecimal = Field(
        default=Decimal("0.008"), gt=0, le=Decimal("0.2"), description="from rung to rung, as a share of the price"
    )
    earns_ratio: PlainDecimal = Field(
        default=Decimal("0.001"), ge=0, lt=Decimal("0.2"), description="what a rung must leave after both fees"
    )
    rungs: int = Field(default=5, ge=1, le=RUNGS_MAX, description="how many rungs may be held")
    quotes: int = Field(default=2, ge=1, le=QUOTES_MAX, description="how many orders rest on each side")
    reference_period: int = Field(
        default=60, ge=1, le=400, description="the rungs hang from the average of so many closes while nothing is held"
    )
    notional: PlainDecimal = notional_field("1000")
    stop_loss_ratio: PlainDecimal = Field(
        default=Decimal("0.1"), gt=0, lt=1, description="all rungs are left this share below their average cost"
    )
    stop_cooldown_minutes: int = minutes_field(60, 0, "no new rung for so many minutes after such an exit")


def grid(params: GridParams, currency: Asset) -> Strategy:
    reference = sma(CLOSE, params.reference_period)
    return Strategy(
        name=NAME,
        entry=NEVER,
        exit=NEVER,
        notional=Amount(params.notional, currency),
        adds_to_position=True,
        shown=(("reference", reference),),
        rules=PositionRules(
            stop_loss=StopLoss(Ratio(params.stop_loss_ratio)),
            re_entry=ReEntry(cooldown_after_loss=minutes(params.stop_cooldown_minutes)),
        ),
        grid=Grid(Ratio(params.spacing_ratio), params.rungs, params.quotes, Ratio(params.earns_ratio), reference),
    )


RECIPE = Recipe(GridParams, grid, __doc__)
