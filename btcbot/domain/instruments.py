"""What is traded: a pair with its grids and limits, as the exchange publishes them (protocol 4.1)."""

from dataclasses import dataclass, replace
from decimal import Decimal

from btcbot.domain.money import Asset, Price, Quantity, round_down, round_up


@dataclass(frozen=True, slots=True)
class Instrument:
    """BTC/TRY with its grids. `pair` is the exchange's code (BTCTRY), used only on the wire and as a key."""

    pair: str
    base: Asset
    quote: Asset
    price_step: Decimal  # from hasFraction and denominatorScale; the exchange's tickSize is only a hint
    lot_step: Decimal  # from numeratorScale
    price_min: Decimal
    price_max: Decimal
    notional_min: Decimal  # minExchangeValue, in quote
    is_trading: bool  # status TRADING and LIMIT among its order methods
    price_tick: Decimal | None = None  # the exchange's tickSize: obeyed only where it was found to be enforced

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"

    def on_ticks(self) -> "Instrument":
        """With prices on the coarser grid of the two (open question A11)."""
        tick = self.price_tick
        if tick is None or tick <= self.price_step or tick % self.price_step != 0:
            return self
        return replace(self, price_step=tick)

    def price_down(self, wish: Decimal) -> Price:
        """Round down to the price grid: never bid more than was wished for."""
        return Price(round_down(wish, self.price_step))

    def price_up(self, wish: Decimal) -> Price:
        """Round up to the price grid: never offer for less than was wished for."""
        return Price(round_up(wish, self.price_step))

    def quantity_down(self, wish: Decimal) -> Quantity:
        """Round down to the lot grid: never order more than was wished for."""
        return Quantity(round_down(wish, self.lot_step))

    def is_on_grid(self, price: Decimal, quantity: Decimal) -> bool:
        """Whether both numbers can be ordered as they are. An off-grid order of ours is a defect, not a repair."""
        return price % self.price_step == 0 and quantity % self.lot_step == 0
