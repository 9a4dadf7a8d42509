from itertools import product

import pytest

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.profiles import Role
from btcbot.execution.policy import TradingArmedPolicy
from tests.unit.execution.profiles import HOST, live

SWITCHES = list(
    product(Role, (True, False), (HOST, "api.btcturk.com", ""), (True, False), (True, False), (None, "halted"))
)


@pytest.mark.parametrize(("role", "live_trading", "host", "safe_mode", "kill_switch", "blocked"), SWITCHES)
def test_of_all_combinations_exactly_one_is_armed(
    role: Role, live_trading: bool, host: str, safe_mode: bool, kill_switch: bool, blocked: str | None
) -> None:
    profile = live(
        role=role, live_trading=live_trading, acknowledged_host=host, safe_mode=safe_mode, kill_switch=kill_switch
    )
    policy = TradingArmedPolicy(profile, lambda: blocked)
    faults = [role is not Role.LIVE, not live_trading, host != HOST, safe_mode, kill_switch, blocked is not None]
    assert len(policy.blocks()) == sum(faults)
    if any(faults):
        with pytest.raises(TradeBlockedError):
            policy.require_armed()
    else:
        policy.require_armed()


def test_the_refusal_names_every_reason() -> None:
    policy = TradingArmedPolicy(live(safe_mode=True, kill_switch=True), lambda: "trading is halted: drawdown")
    with pytest.raises(TradeBlockedError, match="SAFE_MODE is on; KILL_SWITCH is on; trading is halted: drawdown"):
        policy.require_armed()


def test_a_halt_counts_from_the_moment_it_is_there() -> None:
    reasons = iter([None, "trading is halted", None])
    policy = TradingArmedPolicy(live(), lambda: next(reasons))
    policy.require_armed()
    with pytest.raises(TradeBlockedError):
        policy.require_armed()
    policy.require_armed()
