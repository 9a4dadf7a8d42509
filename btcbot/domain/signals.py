"""What a strategy says about an instrument."""

from dataclasses import dataclass
from enum import StrEnum

from btcbot.domain.money import Amount


class Direction(StrEnum):
    BUY = "buy"
    SELL = "sell"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Signal:
    """A wish, not an order: the gate and the sizing decide what becomes of it."""

    pair: str
    direction: Direction
    confidence: float  # 0 to 1; an indicator's number, never a price or a quantity
    notional: Amount | None  # how much to spend on a BUY; nothing for SELL (all of the position) and HOLD
    reason: str  # in the strategy's own words, with its numbers
