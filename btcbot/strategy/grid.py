"""A grid of resting orders: buy a rung lower than the last fill, sell a rung higher, again and again.

The exchange has no post-only order, so a rung is never priced where it would take: buys at the best bid or below, sells
at the best ask or above. All that a grid remembers is the price of the last fill, which the books hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import Ratio
from btcbot.strategy.language import Series

RUNGS_MAX = 50
QUOTES_MAX = 10


@dataclass(frozen=True, slots=True)
class Grid:
    """Rungs of the strategy's notional each.

    While nothing is held, the rungs hang from `reference`, an expression over closed candles; once something was
    traded, from the last fill. Wherever they hang, none is bought above the best bid.
    """

    spacing: Ratio  # from rung to rung, as a share of the price
    rungs_max: int  # how many may be held
    quotes: int  # how many rest on each side at one time
    earns: Ratio  # what a rung must leave after the fees of both its ways, as a share of the price
    reference: Series

    def __post_init__(self) -> None:
        if not 0 < self.spacing <= Decimal("0.2"):
            raise ValueError(f"a spacing is above 0 and up to 0.2, not {self.spacing}")
        if not 1 <= self.rungs_max <= RUNGS_MAX:
            raise ValueError(f"a grid holds 1 to {RUNGS_MAX} rungs, not {self.rungs_max}")
        if not 1 <= self.quotes <= QUOTES_MAX:
            raise ValueError(f"a grid has 1 to {QUOTES_MAX} orders on each side, not {self.quotes}")
        if not 0 <= self.earns < self.spacing:
            raise ValueError(f"what a rung earns is 0 up to below {self.spacing}, not {self.earns}")

    def is_worth_it(self, fee_ratio: Ratio) -> bool:
        """Whether buying a rung and selling it one higher earns enough once both fees are paid."""
        return self.spacing - self.costs(fee_ratio) >= self.earns

    def costs(self, fee_ratio: Ratio) -> Decimal:
        """The fees of a way in and of one out, a rung higher, as a share of the price of the way in."""
        return fee_ratio + (1 + self.spacing) * fee_ratio

    def buys(self, anchor: Decimal, bid: Decimal) -> Iterator[Decimal]:
        """Prices below the anchor, highest first, none above the best bid; not on any price grid yet."""
        first = min(anchor * (1 - self.spacing), bid)
        for rung in range(self.quotes):
            yield first * (1 - rung * self.spacing)

    def sells(self, anchor: Decimal, ask: Decimal) -> Iterator[Decimal]:
        """Prices above the anchor, lowest first, none below the best ask; not on any price grid yet."""
        first = max(anchor * (1 + self.spacing), ask)
        for rung in range(self.quotes):
            yield first * (1 + rung * self.spacing)

    def is_rung(self, price: Decimal, wanted: Decimal) -> bool:
        """Whether an order at this price is the one that is wanted: it need not be moved for less than half a rung."""
        return abs(price - wanted) * 2 <= wanted * self.spacing
