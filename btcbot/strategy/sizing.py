"""How much an entry is meant to spend, before the caps of the gate. Every way only ever lowers the strategy's own cap.

Equity and caps are money; an indicator comes in as a share that was cut down (`ratio_down`), so a float can make an
order smaller and never larger.
"""

from dataclasses import dataclass
from decimal import Decimal

from btcbot.domain.money import ZERO, Amount, Ratio, divide_down, round_down
from btcbot.strategy.language import Series
from btcbot.strategy.protection import ratio_down

SIZE_STEP = Decimal("0.00000001")
_WHOLE = Ratio(Decimal(1))


@dataclass(frozen=True, slots=True)
class FixedNotional:
    """All of the strategy's notional."""


@dataclass(frozen=True, slots=True)
class EquityFraction:
    """A share of equity: what is held in cash and in positions."""

    ratio: Ratio

    def __post_init__(self) -> None:
        _require_share(self.ratio)


@dataclass(frozen=True, slots=True)
class VolatilityTarget:
    """The notional times target over measured, where more is measured than the target; all of it where it is less.

    `measured` is a share of the price, such as `stdev(rate_of_change(CLOSE, 1), 20)`; where it is undefined nothing is
    bought.
    """

    target: Ratio
    measured: Series

    def __post_init__(self) -> None:
        _require_share(self.target)


@dataclass(frozen=True, slots=True)
class RiskToStop:
    """So much that a fall to the first stop costs this share of equity, fees left aside."""

    ratio: Ratio

    def __post_init__(self) -> None:
        _require_share(self.ratio)


FIXED = FixedNotional()
Sizing = FixedNotional | EquityFraction | VolatilityTarget | RiskToStop


def wished_notional(
    sizing: Sizing, cap: Amount, equity: Decimal, stop_ratio: Ratio | None, measured: float | None
) -> Amount:
    """What an entry is to spend: never above the cap, never below zero. `equity` is in the cap's asset."""
    wish = cap.number
    match sizing:
        case FixedNotional():
            pass
        case EquityFraction(ratio):
            wish = round_down(max(equity, ZERO) * ratio, SIZE_STEP)
        case VolatilityTarget(target):
            wish = round_down(cap.number * _calmed(target, measured), SIZE_STEP)
        case RiskToStop(ratio):
            wish = ZERO if not stop_ratio else divide_down(max(equity, ZERO) * ratio, stop_ratio, SIZE_STEP)
    return Amount(min(wish, cap.number), cap.asset)


def _calmed(target: Ratio, measured: float | None) -> Ratio:
    if measured is None or isinstance(measured, bool) or not measured >= 0:
        return Ratio(ZERO)
    if measured <= float(target):
        return _WHOLE
    share = ratio_down(float(target) / measured, _WHOLE)
    return Ratio(ZERO) if share is None else share


def _require_share(ratio: Ratio) -> None:
    if not 0 < ratio <= 1:
        raise ValueError(f"a size is a share above 0 and up to 1, not {ratio}")
