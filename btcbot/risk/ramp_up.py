"""After a change only a part of the caps, for a time (reliability C4): off unless set."""

from dataclasses import replace
from datetime import UTC, datetime

from btcbot.domain.money import Amount
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.state import TradingState


def ramp_up_until(state: TradingState, limits: RiskLimits) -> datetime | None:
    """When the caps hold in full again; nothing where no ramp-up was set. Without a known change it never ends."""
    if limits.ramp_up is None:
        return None
    return datetime.max.replace(tzinfo=UTC) if state.changed_at is None else state.changed_at + limits.ramp_up.span


def limits_in_force(state: TradingState, limits: RiskLimits, now: datetime) -> RiskLimits:
    """The limits that count at this moment: during a ramp-up every cap on money and coins is a fraction of itself.

    A clock that stepped back before the change makes the ramp-up longer, never shorter.
    """
    until = ramp_up_until(state, limits)
    if limits.ramp_up is None or until is None or now >= until:
        return limits
    ratio = limits.ramp_up.ratio

    def part(cap: Amount) -> Amount:
        return Amount(cap.number * ratio, cap.asset)

    return replace(
        limits,
        order_notional_max=part(limits.order_notional_max),
        order_quantities_max=tuple(map(part, limits.order_quantities_max)),
        position_notional_max=part(limits.position_notional_max),
        exposure_max=part(limits.exposure_max),
    )
