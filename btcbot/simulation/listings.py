"""A pair as the simulated exchange lists it. Prices and quantities of the market are whole steps of its grids.

Matching counts in steps (`ticks` of price, `lots` of quantity): integers are exact, cheap and hashable. Money leaves
this module as `Decimal`.

Orders are counted in `grains`, finer than lots: a market buy fills down to the last digit that its money pays for, with
more decimals than anybody may order (protocol 6.2). There are as many grains to a coin as keep price times quantity
within the sixteen decimals of a balance (protocol 5.1).
"""

from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import Asset, parse
from btcbot.simulation.happenings import Method

BALANCE_DECIMALS = 16
ORDER_METHODS = (Method.MARKET, Method.LIMIT, Method.STOP_MARKET, Method.STOP_LIMIT)  # in the exchange's order
TICK_OF_WHOLE_PRICES = 10  # what the exchange shows as tickSize of BTCTRY
PRICE_MAX = parse("10000000")  # the static bound: the same for every pair (protocol 4.1)


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
    order_methods: tuple[Method, ...] = ORDER_METHODS
    tick: int | None = None  # price steps of a tickSize; nothing: what pairs of this kind usually have
    price_max: Decimal = PRICE_MAX

    @property
    def has_fraction(self) -> bool:
        return self.price_decimals > 0

    @property
    def grain_decimals(self) -> int:
        return max(self.lot_decimals, BALANCE_DECIMALS - self.price_decimals)

    @property
    def tick_ticks(self) -> int:
        """The tickSize in steps. It is the step of the arrow buttons on the exchange's page, and no grid of prices."""
        return self.tick or (1 if self.has_fraction else TICK_OF_WHOLE_PRICES)

    def price(self, ticks: int) -> Decimal:
        return Decimal(ticks).scaleb(-self.price_decimals)

    def quantity(self, lots: int) -> Decimal:
        return Decimal(lots).scaleb(-self.lot_decimals)

    def quantity_of_grains(self, grains: int) -> Decimal:
        """With the decimals of a lot where it is whole lots."""
        lots, rest = divmod(grains, 10 ** (self.grain_decimals - self.lot_decimals))
        return Decimal(grains).scaleb(-self.grain_decimals) if rest else self.quantity(lots)

    def ticks(self, price: Decimal) -> int | None:
        """How many price steps, or nothing when the price is off the grid."""
        return _steps(price, self.price_decimals)

    def lots(self, quantity: Decimal) -> int | None:
        """How many lots, or nothing when the quantity is off the grid."""
        return _steps(quantity, self.lot_decimals)

    def grains(self, quantity: Decimal) -> int:
        """How many grains; the quantity is on their grid."""
        return int(quantity.scaleb(self.grain_decimals))

    def price_text(self, ticks: int) -> str:
        return text_of_steps(ticks, self.price_decimals)

    def quantity_text(self, lots: int) -> str:
        return text_of_steps(lots, self.lot_decimals)

    @property
    def grids(self) -> tuple[object, ...]:
        """Where these are the same, old orders mean the same. The rest of a listing may change with time."""
        return self.pair, self.pair_id, self.base, self.quote, self.price_decimals, self.lot_decimals


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
