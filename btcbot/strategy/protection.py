"""Position rules: when a position is left whatever the signals say.

Declared beside the signals, judged on every reading of the book and not only when a candle closes.
"""

from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import Ratio, round_ratio
from btcbot.domain.state import InstrumentState


@dataclass(frozen=True, slots=True)
class StopLoss:
    """Out once the best bid has fallen by a share of what the position cost on average, fees left aside."""

    ratio: Ratio

    def level(self, held: InstrumentState) -> Decimal | None:
        """A best bid that is not above this ends the position; nothing where there is none of our own making."""
        if held.position <= 0 or held.bought <= 0:
            return None
        return round_ratio(held.paid * (1 - self.ratio), held.bought)
