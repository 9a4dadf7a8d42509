import asyncio

import pytest

from btcbot.domain.profiles import Role
from btcbot.exchange.errors import RateLimited
from btcbot.exchange.limits import QUOTAS, SHARES, Budgets, Endpoint
from tests.unit.exchange.builders import ManualClock


def test_live_and_monitor_together_leave_room_for_a_person() -> None:
    assert sum(SHARES.values()) <= 0.9
    assert set(QUOTAS) == set(Endpoint)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("endpoint", Endpoint)
def test_no_window_of_the_exchange_sees_more_than_the_share(endpoint: Endpoint, role: Role) -> None:
    """A leaky bucket lets its burst through and then its flow: the most that any window can hold is the sum of both."""
    limiters = Budgets(role, ManualClock())._limiters[endpoint]
    for (calls, seconds), limiter in zip(QUOTAS[endpoint], limiters, strict=True):
        most = limiter.max_rate + seconds * limiter.max_rate / limiter.time_period
        assert most <= max(calls * SHARES[role], 2.0) + 1e-9


async def test_submits_never_eat_what_cancels_need() -> None:
    budgets = Budgets(Role.LIVE, ManualClock())
    while all(limiter.has_capacity() for limiter in budgets._limiters[Endpoint.SUBMIT]):
        await budgets.acquire(Endpoint.SUBMIT)
    cancel = asyncio.ensure_future(budgets.acquire(Endpoint.CANCEL))
    await asyncio.sleep(0)
    assert cancel.done()


async def test_a_block_is_obeyed_and_never_shortened() -> None:
    clock = ManualClock()
    budgets = Budgets(Role.LIVE, clock)
    budgets.block(Endpoint.BALANCES, 55.0)
    budgets.block(Endpoint.BALANCES, 3.0)
    clock.elapsed = 54.9
    with pytest.raises(RateLimited):
        await budgets.acquire(Endpoint.BALANCES)
    await budgets.acquire(Endpoint.CANCEL)
    clock.elapsed = 55.0
    await budgets.acquire(Endpoint.BALANCES)


@pytest.mark.parametrize(("said", "seconds"), [(None, 60.0), (0.0, 1.0), (49.0, 49.0)])
def test_a_429_without_a_usable_header_blocks_for_a_minute(said: float | None, seconds: float) -> None:
    assert Budgets(Role.LIVE, ManualClock()).block(Endpoint.SUBMIT, said).seconds == seconds
