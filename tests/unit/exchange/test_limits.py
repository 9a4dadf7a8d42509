"""Who may call what how often. Windows are the exchange's: any stretch of a period, wherever it begins."""

import asyncio
from bisect import bisect_left
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.profiles import Role
from btcbot.exchange.errors import RateLimited
from btcbot.exchange.limits import (
    ASKED_TWICE,
    CANCEL_BLOCK_SECONDS_MAX,
    ORDER_SHARES,
    QUOTAS,
    SHARES,
    Budgets,
    CallLog,
    Endpoint,
    share_of,
)
from tests.unit.exchange.builders import ManualClock

ORDERS = (Endpoint.SUBMIT, Endpoint.CANCEL)
READS = tuple(endpoint for endpoint in Endpoint if endpoint not in ORDERS)


@pytest.mark.parametrize("endpoint", Endpoint)
def test_live_and_monitor_together_leave_room_for_a_person(endpoint: Endpoint) -> None:
    assert endpoint in QUOTAS
    clients = 2 if endpoint in ASKED_TWICE else 1
    assert clients * sum(share_of(role, endpoint) for role in Role) <= 0.9
    assert clients * share_of(Role.LIVE, endpoint) <= SHARES[Role.LIVE]


def test_only_live_has_a_share_of_orders_and_even_one_common_counter_would_hold_both() -> None:
    assert all(share_of(Role.MONITOR, endpoint) == 0 for endpoint in ORDERS)
    assert set(ORDER_SHARES) == set(ORDERS)
    assert sum(ORDER_SHARES.values()) <= 0.9
    assert ORDER_SHARES[Endpoint.CANCEL] > ORDER_SHARES[Endpoint.SUBMIT]


async def _sent_within(seconds: float, endpoint: Endpoint, budgets: Budgets) -> list[float]:
    """When each call was let through, with somebody always waiting."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    while True:
        await budgets.acquire(endpoint)
        if loop.time() > seconds:
            return times
        times.append(loop.time())


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("role", "endpoint"), [pair for pair in product(Role, Endpoint) if share_of(*pair) > 0], ids=str
)
async def test_no_window_of_the_exchange_ever_sees_more_than_the_share(role: Role, endpoint: Endpoint) -> None:
    """Of every window, the short and the long one, wherever it begins; and the share is there to be used."""
    began = asyncio.get_running_loop().time()
    longest = max(period for _, period in QUOTAS[endpoint])
    times = [time - began for time in await _sent_within(began + 2.5 * longest, endpoint, Budgets(role, ManualClock()))]
    for calls, period in QUOTAS[endpoint]:
        allowed = int(calls * share_of(role, endpoint))
        busiest = max(bisect_left(times, start + period - 1e-6) - n for n, start in enumerate(times))
        assert busiest == allowed


@given(
    st.lists(st.floats(min_value=0.0, max_value=30.0), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=5),
    st.integers(min_value=5, max_value=12),
)
def test_whenever_calls_come_their_moments_keep_both_allowances_in_order(
    pauses: list[float], in_a_second: int, in_a_minute: int
) -> None:
    log = CallLog([(in_a_minute, 60.0), (in_a_second, 1.0)])
    now = 0.0
    moments = []
    for pause in pauses:
        now += pause
        moments.append(log.free_at(now))
        log.book(moments[-1])
        assert moments[-1] >= now
    assert moments == sorted(moments)
    for calls, seconds in ((in_a_minute, 60.0), (in_a_second, 1.0)):
        assert all(later - first >= seconds - 1e-9 for first, later in zip(moments, moments[calls:], strict=False))


async def test_submits_and_reads_never_eat_what_cancels_need() -> None:
    budgets = Budgets(Role.LIVE, ManualClock())
    for endpoint in (Endpoint.SUBMIT, *READS):
        for _ in range(QUOTAS[endpoint][0][0]):
            budgets._logs[endpoint].book(0.0)
        budgets.block(endpoint, 3600.0)
    cancel = asyncio.ensure_future(budgets.acquire(Endpoint.CANCEL))
    await asyncio.sleep(0)
    assert cancel.done()


@pytest.mark.looptime
async def test_who_is_in_a_hurry_is_told_at_once_and_uses_nothing_up() -> None:
    budgets = Budgets(Role.LIVE, ManualClock())
    for _ in range(4):
        await budgets.acquire(Endpoint.SUBMIT)
    for _ in range(3):
        with pytest.raises(RateLimited):
            await budgets.acquire(Endpoint.SUBMIT, patience=0.5)
    began = asyncio.get_running_loop().time()
    await budgets.acquire(Endpoint.SUBMIT, patience=2.0)
    assert asyncio.get_running_loop().time() - began == pytest.approx(1.0)


@pytest.mark.looptime
async def test_who_gives_up_waiting_leaves_the_budget_to_the_others() -> None:
    """A reader that gives up each half minute would book the exchange away for ever otherwise."""
    budgets, loop = Budgets(Role.MONITOR, ManualClock()), asyncio.get_running_loop()
    began = loop.time()
    for _ in range(2):
        await budgets.acquire(Endpoint.INFO)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await budgets.acquire(Endpoint.INFO)
    await budgets.acquire(Endpoint.INFO)
    assert loop.time() - began == pytest.approx(60.0)
    budgets.never_left(Endpoint.INFO)
    await budgets.acquire(Endpoint.INFO)
    assert loop.time() - began == pytest.approx(60.0)


@given(st.lists(st.tuples(st.floats(min_value=0.0, max_value=30.0), st.booleans()), min_size=1, max_size=60))
def test_moments_that_are_given_back_let_no_window_overflow(steps: list[tuple[float, bool]]) -> None:
    log = CallLog([(3, 60.0), (2, 1.0)])
    now = 0.0
    kept: list[float] = []
    for pause, is_given_back in steps:
        now += pause
        moment = log.free_at(now)
        log.book(moment)
        if is_given_back:
            log.give_back(moment)
        else:
            kept.append(moment)
    for calls, seconds in ((3, 60.0), (2, 1.0)):
        assert all(later - first >= seconds - 1e-9 for first, later in zip(kept, kept[calls:], strict=False))


@pytest.mark.looptime
async def test_fifty_open_orders_can_be_canceled_within_half_a_minute() -> None:
    budgets = Budgets(Role.LIVE, ManualClock())
    for _ in range(50):
        await budgets.acquire(Endpoint.CANCEL)
    assert asyncio.get_running_loop().time() <= 15.0


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


async def test_a_block_of_cancels_is_obeyed_for_two_minutes_at_a_time() -> None:
    clock = ManualClock()
    budgets = Budgets(Role.LIVE, clock)
    budgets.block(Endpoint.CANCEL, 3600.0)
    clock.elapsed = CANCEL_BLOCK_SECONDS_MAX - 0.1
    with pytest.raises(RateLimited):
        await budgets.acquire(Endpoint.CANCEL)
    clock.elapsed = CANCEL_BLOCK_SECONDS_MAX
    await budgets.acquire(Endpoint.CANCEL)
    assert budgets.block(Endpoint.SUBMIT, 3600.0).seconds == 3600.0


@pytest.mark.parametrize(("said", "seconds"), [(None, 60.0), (0.0, 1.0), (49.0, 49.0)])
def test_a_429_without_a_usable_header_blocks_for_a_minute(said: float | None, seconds: float) -> None:
    assert Budgets(Role.LIVE, ManualClock()).block(Endpoint.SUBMIT, said).seconds == seconds
