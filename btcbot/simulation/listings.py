"""A pair as the simulated exchange lists it. Prices and quantities of the market are whole steps of its grids.

Matching counts in steps (`ticks` of price, `lots` of quantity): integers are exact, cheap and hashable. Money leaves
this module as `Decimal`.
"""

from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import Asset, parse, round_down


@dataclass(frozen=True, slots=True)
class Listing:
    """One pair. `price_decimals` is 0 where the exchange says hasFraction false (protocol 4.1)."""

    pair: str
    pair_id: int
    base: Asset
    quote: Asset
    price_decimals: int
    lot_decimals: int
    notional_min: Decimal

    @property
    def has_fraction(self) -> bool:
        return self.price_decimals > 0

    def price(self, ticks: int) -> Decimal:
        return Decimal(ticks).scaleb(-self.price_decimals)

    def quantity(self, lots: int) -> Decimal:
        return Decimal(lots).scaleb(-self.lot_decimals)

    def ticks(self, price: Decimal) -> int | None:
        """How many price steps, or nothing when the price is off the grid."""
        return _steps(price, self.price_decimals)

    def lots(self, quantity: Decimal) -> int | None:
        """How many lots, or nothing when the quantity is off the grid."""
        return _steps(quantity, self.lot_decimals)

    def lots_down(self, quantity: Decimal) -> int:
        return int(round_down(quantity, Decimal(1).scaleb(-self.lot_decimals)).scaleb(self.lot_decimals))

    def price_text(self, ticks: int) -> str:
        return text_of_steps(ticks, self.price_decimals)

    def quantity_text(self, lots: int) -> str:
        return text_of_steps(lots, self.lot_decimals)


def _steps(number: Decimal, decimals: int) -> int | None:
    steps = number.scaleb(decimals)
    whole = int(steps)
    return whole if whole == steps else None


def text_of_steps(steps: int, decimals: int) -> str:
    """Plain decimal text without trailing zeros."""
    if decimals == 0:
        return str(steps)
    whole, part = divmod(steps, 10**decimals)
    if part == 0:
        return str(whole)
    return f"{whole}.{part:0{decimals}d}".rstrip("0")


NOTIONAL_MIN = {Asset("TRY"): parse("99.91"), Asset("USDT"): parse("9.91")}  # minExchangeValue, protocol 4.1
