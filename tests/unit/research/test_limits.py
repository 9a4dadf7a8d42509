"""The limits of a backtest are the shipped ones, and what a person changes of them."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import UsageError
from btcbot.domain.money import amount
from btcbot.research.limits import changed_limits, shipped_limits
from tests.unit.domain.builders import TRY

PROFILE = Path(__file__).parents[3] / "deploy" / "env" / "live.env"


def test_the_shipped_limits_are_those_of_the_shipped_profile() -> None:
    """Told to `--limit` one by one, the numbers of the profile change nothing."""
    said = re.findall(r"^BTCBOT_RISK_([A-Z_]+)=([0-9.]+)$", PROFILE.read_text(encoding="utf-8"), re.MULTILINE)
    limits = shipped_limits(TRY, ["BTCTRY"])
    assert len(said) > 14
    assert changed_limits(limits, [f"{name}={number}" for name, number in said]) == limits


def test_a_limit_is_changed_by_its_name() -> None:
    limits = changed_limits(
        shipped_limits(TRY, ["BTCTRY"]),
        ["order_notional_max=7000", "drawdown_ratio_max=0.5", "entry_cooldown_seconds=5"],
    )
    assert limits.order_notional_max == amount("7000 TRY")
    assert limits.drawdown_ratio_max == Decimal("0.5")
    assert limits.entry_cooldown == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("order_max=1", "names no limit; there is .*order_notional_max"),
        ("currency=1", "names no limit"),
        ("order_notional_max=much", "is not NAME=NUMBER"),
        ("open_orders_max=1.5", "is not NAME=NUMBER"),
        ("day_loss_max=0", "above zero"),
        ("day_loss_max", "is not NAME=NUMBER"),
    ],
)
def test_what_makes_no_limit_is_a_usage_error(change: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        changed_limits(shipped_limits(TRY, ["BTCTRY"]), [change])
