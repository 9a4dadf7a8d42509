"""After a change a part of every cap, for a time; nothing at all unless it was set."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from btcbot.domain.money import Ratio, amount, parse
from btcbot.domain.profiles import RampUp
from btcbot.domain.state import SetupChanged, apply
from btcbot.risk.ramp_up import limits_in_force, ramp_up_until
from tests.unit.domain.builders import LIMITS, START, after, trading

RAMPED = replace(LIMITS, ramp_up=RampUp(timedelta(hours=24), Ratio(parse("0.05"))))
CHANGED = apply(trading(), SetupChanged(START))


def test_a_ramp_up_that_was_not_set_changes_nothing() -> None:
    assert limits_in_force(CHANGED, LIMITS, START) is LIMITS
    assert ramp_up_until(CHANGED, LIMITS) is None


def test_until_it_ends_every_cap_on_money_and_coins_is_a_part_of_itself() -> None:
    inside = limits_in_force(CHANGED, RAMPED, after(24 * 3600 - 1))
    assert inside.order_notional_max == amount("250 TRY")
    assert inside.order_quantities_max == (amount("0.001 BTC"), amount("0.025 ETH"))
    assert inside.position_notional_max == amount("1000 TRY")
    assert inside.exposure_max == amount("2500 TRY")
    same = replace(
        inside, order_notional_max=LIMITS.order_notional_max, order_quantities_max=LIMITS.order_quantities_max,
        position_notional_max=LIMITS.position_notional_max, exposure_max=LIMITS.exposure_max,
    )  # fmt: skip
    assert same == RAMPED, "no breaker, pause or throttle is changed by it"


def test_at_its_end_the_caps_hold_in_full() -> None:
    assert limits_in_force(CHANGED, RAMPED, after(24 * 3600)) is RAMPED
    assert ramp_up_until(CHANGED, RAMPED) == after(24 * 3600)


def test_a_clock_that_steps_back_makes_it_longer() -> None:
    assert limits_in_force(CHANGED, RAMPED, after(-3600)).exposure_max == amount("2500 TRY")


def test_without_a_known_change_it_does_not_end() -> None:
    assert ramp_up_until(trading(), RAMPED) == datetime.max.replace(tzinfo=UTC)
    assert limits_in_force(trading(), RAMPED, after(10**9)).exposure_max == amount("2500 TRY")
