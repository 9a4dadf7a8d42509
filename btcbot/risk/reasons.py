"""Why the gate says no: one frozen type for each way to be refused, with the numbers that decided it.

A number that decided is kept as it was compared; a limit ends in `_max` or `_min`.
"""

import dataclasses
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from btcbot.domain.instruments import Instrument
from btcbot.domain.money import Amount, Asset, plain
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.orders.states import OrderState

_CAPITALS = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Reason:
    """Base of every reason. A reason is a fact about one intent at one moment."""

    @property
    def name(self) -> str:
        """What it is called in records and logs: `market_stale`."""
        return _CAPITALS.sub("_", type(self).__name__).lower()

    def as_pairs(self) -> tuple[tuple[str, str], ...]:
        """Its numbers by name, as text, for storage."""
        return tuple((field.name, _text(getattr(self, field.name))) for field in dataclasses.fields(self))

    @property
    def numbers(self) -> str:
        """Its numbers on one line: `age=12 s, age_max=10 s`."""
        return ", ".join(f"{name}={text}" for name, text in self.as_pairs())

    def __str__(self) -> str:
        return f"{self.name} ({self.numbers})" if self.numbers else self.name


# ------------------------------------------------------------------------------------------------- of the machinery


@dataclass(frozen=True, slots=True)
class RuleFailed(Reason):
    """A rule raised instead of answering. What could not be judged is refused."""

    rule: str
    error: str


@dataclass(frozen=True, slots=True)
class TradingHalted(Reason):
    reason: str


# -------------------------------------------------------------------------------------------------- of the market


@dataclass(frozen=True, slots=True)
class MarketMissing(Reason):
    """No view of this instrument: nothing usable came."""

    pair: str


@dataclass(frozen=True, slots=True)
class MarketStale(Reason):
    age: timedelta
    age_max: timedelta


@dataclass(frozen=True, slots=True)
class MarketGapped(Reason):
    """Updates are missing, or a cross-check against a fresh copy failed."""

    pair: str


@dataclass(frozen=True, slots=True)
class MarketOfAnother(Reason):
    """What came under the name of one pair is about another."""

    pair: str
    listed: str


@dataclass(frozen=True, slots=True)
class BookStill(Reason):
    """Nothing moved for too long: a feed may repeat itself and look fresh."""

    still_for: timedelta
    still_max: timedelta


@dataclass(frozen=True, slots=True)
class BookSideEmpty(Reason):
    side: Side


@dataclass(frozen=True, slots=True)
class BookMalformed(Reason):
    """A level that no exchange can mean: not a number, not positive, absurdly large, or out of order."""

    side: Side
    level: int
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class BookCrossed(Reason):
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class MidMissing(Reason):
    """There is no middle to judge a price by."""

    pair: str


@dataclass(frozen=True, slots=True)
class SpreadAboveMax(Reason):
    bid: Decimal
    ask: Decimal
    ratio_max: Decimal


@dataclass(frozen=True, slots=True)
class PriceJumped(Reason):
    """The middle is too far from the last good mark; the next reading confirms it or does not."""

    mid: Decimal
    mark: Decimal
    ratio_max: Decimal


@dataclass(frozen=True, slots=True)
class CandleMalformed(Reason):
    detail: str


# ------------------------------------------------------------------------------------------ of instrument and order


@dataclass(frozen=True, slots=True)
class InstrumentNotTrading(Reason):
    pair: str


@dataclass(frozen=True, slots=True)
class InstrumentRulesOld(Reason):
    """The exchange may have changed grids and limits since they were read, or stopped the pair."""

    age: timedelta
    age_max: timedelta


@dataclass(frozen=True, slots=True)
class InstrumentChanged(Reason):
    """The order was made for another instrument, or for one whose grids and limits have changed since."""

    wanted: Instrument
    listed: Instrument


@dataclass(frozen=True, slots=True)
class CurrencyForeign(Reason):
    """The limits are in another currency than the one that this instrument pays with."""

    quote: Asset
    currency: Asset


@dataclass(frozen=True, slots=True)
class SideUnfit(Reason):
    """An entry buys and an exit sells: there is no short position in a spot account."""

    side: Side
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class OrderNotPositive(Reason):
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class OrderOffGrid(Reason):
    price: Decimal
    price_step: Decimal
    quantity: Decimal
    lot_step: Decimal


@dataclass(frozen=True, slots=True)
class PriceOutsideBand(Reason):
    price: Decimal
    price_min: Decimal
    price_max: Decimal


@dataclass(frozen=True, slots=True)
class PriceOutsideCollar(Reason):
    price: Decimal
    mid: Decimal
    ratio_max: Decimal


@dataclass(frozen=True, slots=True)
class NotionalBelowMin(Reason):
    notional: Amount
    notional_min: Amount


@dataclass(frozen=True, slots=True)
class NotionalAboveMax(Reason):
    notional: Amount
    notional_max: Amount


@dataclass(frozen=True, slots=True)
class QuantityAboveMax(Reason):
    quantity: Amount
    quantity_max: Amount


@dataclass(frozen=True, slots=True)
class QuantityUncapped(Reason):
    """No largest quantity was set for this asset; a missing cap allows nothing."""

    asset: Asset


# ------------------------------------------------------------------------------------------------ of our own orders


@dataclass(frozen=True, slots=True)
class DecisionRepeated(Reason):
    """One decision makes at most one order, and there is one of it."""

    order_id: str
    decision_id: str


@dataclass(frozen=True, slots=True)
class OrderUnresolved(Reason):
    """An order of ours may or may not exist at the exchange."""

    order_id: str
    side: Side
    state: OrderState


@dataclass(frozen=True, slots=True)
class OwnOrderCrossed(Reason):
    """It would trade against our own resting order, which must be proven gone first."""

    order_id: str
    resting_price: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class ExitAbovePosition(Reason):
    quantity: Decimal
    position: Decimal
    reserved: Decimal


@dataclass(frozen=True, slots=True)
class OpenOrdersAtMax(Reason):
    open_orders: int
    open_orders_max: int


@dataclass(frozen=True, slots=True)
class InstrumentOrdersAtMax(Reason):
    open_orders: int
    open_orders_max: int


@dataclass(frozen=True, slots=True)
class SubmitsAtMax(Reason):
    submits: int
    submits_per_minute_max: int


@dataclass(frozen=True, slots=True)
class SubmitsOfSecondAtMax(Reason):
    submits: int
    submits_per_second_max: int


# ----------------------------------------------------------------------------------------------- of money and pauses


@dataclass(frozen=True, slots=True)
class MarkMissing(Reason):
    """A held position has not been valued since the start, so neither exposure nor loss can be judged."""

    pair: str


@dataclass(frozen=True, slots=True)
class DayUnknown(Reason):
    """The trading day has not been opened, so its loss cannot be judged."""

    currency: Asset


@dataclass(frozen=True, slots=True)
class DayLossAtMax(Reason):
    day: date
    day_pnl: Amount
    day_loss_max: Amount


@dataclass(frozen=True, slots=True)
class DrawdownAtMax(Reason):
    equity: Amount
    equity_peak: Amount
    ratio_max: Decimal


@dataclass(frozen=True, slots=True)
class TradingPaused(Reason):
    pair: str


@dataclass(frozen=True, slots=True)
class VolatilityPauseOn(Reason):
    until: datetime


@dataclass(frozen=True, slots=True)
class PositionAboveMax(Reason):
    held: Amount
    reserved: Amount
    wanted: Amount
    position_notional_max: Amount


@dataclass(frozen=True, slots=True)
class ExposureAboveMax(Reason):
    held: Amount
    reserved: Amount
    wanted: Amount
    exposure_max: Amount


@dataclass(frozen=True, slots=True)
class BalanceUnknown(Reason):
    asset: Asset


@dataclass(frozen=True, slots=True)
class BalanceTooLow(Reason):
    """`own` is what our own books say is left of the capital; the smaller of the two counts, less our reservations."""

    available: Amount
    own: Amount
    reserved: Amount
    wanted: Amount


@dataclass(frozen=True, slots=True)
class EntriesAtMax(Reason):
    entries: int
    entries_per_hour_max: int


@dataclass(frozen=True, slots=True)
class EntriesOfDayAtMax(Reason):
    """So often a day is not trading but a defect that repeats itself: entries pause until a person resumes."""

    entries: int
    entries_per_day_max: int


@dataclass(frozen=True, slots=True)
class EntryTooSoon(Reason):
    since_entry: timedelta
    entry_cooldown: timedelta


def _text(value: object) -> str:
    match value:
        case Decimal():
            return plain(value) if value.is_finite() and abs(value.adjusted()) < 40 else str(value)
        case timedelta():
            return f"{plain(Decimal(value // timedelta(microseconds=1)) / 1_000_000)} s"
        case datetime() | date():
            return value.isoformat()
        case Instrument():
            return (
                f"{value} in steps of {plain(value.price_step)} and {plain(value.lot_step)}, "
                f"at {plain(value.price_min)} to {plain(value.price_max)}, from {plain(value.notional_min)}"
            )
        case _:
            return str(value)
