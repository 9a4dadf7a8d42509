"""What the strategy wants and what the gate approved. Only `risk.gate` constructs an `ApprovedOrderIntent`."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from btcbot.domain.instruments import Instrument
from btcbot.domain.money import Amount, Price, Quantity, Ratio, round_up

RESERVATION_STEP = Decimal("0.00000001")


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Purpose(StrEnum):
    """Whether an order adds risk or takes it away. Pausing stops entries; exits go on."""

    ENTRY = "entry"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Intent:
    """One limit order that a decision asks for. A marketable price takes at once; no market orders."""

    decision_id: str  # cycle_id/pair/ordinal: one decision makes at most one order
    instrument: Instrument
    side: Side
    purpose: Purpose
    quantity: Quantity
    price: Price
    reference_price: Price  # the mid that the decision was made on

    @property
    def pair(self) -> str:
        return self.instrument.pair

    @property
    def notional(self) -> Amount:
        return Amount(self.price * self.quantity, self.instrument.quote)

    def reservation(self, fee_ratio: Ratio) -> Amount:
        """The most that this order can use up: quote with the taker fee and tax for a buy, base for a sell."""
        if self.side is Side.SELL:
            return Amount(self.quantity, self.instrument.base)
        worst = self.price * self.quantity * (1 + fee_ratio)
        return Amount(round_up(worst, RESERVATION_STEP), self.instrument.quote)


@dataclass(frozen=True, slots=True)
class ApprovedOrderIntent:
    """An intent that passed every rule. The only thing that a journal takes in."""

    intent: Intent
    reservation: Amount
