"""Who can send what: live when armed, disarmed never, the monitor not even a cancel."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.orders.evidence import Accepted, CancelReceipt, NoByteLeft, Silent
from btcbot.domain.orders.states import OrderState
from btcbot.execution.disarmed import DisarmedExecution
from btcbot.execution.live import SENT_KEPT, LiveExecution
from btcbot.execution.noop import MonitorTried, NoopExecution
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.ports import NotForSending
from btcbot.execution.wiring import connect_execution
from tests.unit.exchange.builders import (
    Bench,
    Handler,
    ManualClock,
    Remembering,
    accepting,
    answering,
    failing,
    journaled,
)
from tests.unit.execution.profiles import live

TIMEOUT = timedelta(seconds=15)


class Switch:
    """What blocks trading, to be turned by the test."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def __call__(self) -> str | None:
        return self.reason


def armed(handler: Handler) -> tuple[LiveExecution, Bench, Switch]:
    bench, switch = Bench(handler), Switch()
    return LiveExecution(bench.channel, TradingArmedPolicy(live(), switch), TIMEOUT), bench, switch


async def test_a_journaled_order_leaves_once() -> None:
    execution, bench, _ = armed(accepting)
    assert isinstance(await execution.submit(journaled()), Accepted)
    with pytest.raises(NotForSending):
        await execution.submit(journaled())
    assert len(bench.requests) == 1


@pytest.mark.parametrize("failure", [httpx.ReadTimeout, httpx.ConnectError])
async def test_an_order_is_not_sent_again_whatever_came_of_the_first_try(failure: type[httpx.TransportError]) -> None:
    execution, bench, _ = armed(failing(failure))
    assert isinstance(await execution.submit(journaled()), Silent | NoByteLeft)
    with pytest.raises(NotForSending):
        await execution.submit(journaled())
    assert len(bench.requests) == 1


async def test_what_was_sent_is_remembered_within_a_bound() -> None:
    execution, _, _ = armed(accepting)
    for number in range(SENT_KEPT + 10):
        execution._take(journaled(f"order-{number}"))
    assert len(execution._sent) == SENT_KEPT
    with pytest.raises(NotForSending):
        execution._take(journaled(f"order-{SENT_KEPT + 9}"))


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.SENDING])
async def test_only_an_order_that_is_being_sent_is_sent(state: OrderState) -> None:
    execution, bench, _ = armed(accepting)
    with pytest.raises(NotForSending):
        await execution.submit(journaled(state=state))
    assert bench.requests == []


async def test_nothing_but_a_journaled_order_is_sent() -> None:
    execution, bench, _ = armed(accepting)

    class Lookalike:
        order_id, state = "order-1", OrderState.SENDING

    with pytest.raises(NotForSending):
        await execution.submit(Lookalike())  # type: ignore[arg-type]
    assert bench.requests == []


async def test_a_block_stops_the_order_before_any_byte() -> None:
    execution, bench, switch = armed(accepting)
    switch.reason = "trading is halted"
    with pytest.raises(TradeBlockedError, match="halted"):
        await execution.submit(journaled())
    assert bench.requests == []
    assert bench.wire.measured == 0


@pytest.mark.looptime
async def test_a_halt_while_waiting_for_the_budget_stops_the_order() -> None:
    execution, bench, switch = armed(accepting)
    submits = [asyncio.ensure_future(execution.submit(journaled(f"order-{number}"))) for number in range(6)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    left_before = len(bench.requests)
    switch.reason = "trading is halted"
    answers = await asyncio.gather(*submits, return_exceptions=True)
    assert isinstance(answers[-1], TradeBlockedError)
    assert len(bench.requests) <= max(left_before, 1)


async def test_cancels_go_on_while_trading_is_blocked() -> None:
    execution, bench, switch = armed(answering("rest/order_cancel.200.json"))
    switch.reason = "trading is halted"
    assert isinstance(await execution.cancel(1, "BTCTRY"), CancelReceipt)
    assert len(bench.requests) == 1


async def test_a_disarmed_worker_cancels_and_refuses_every_submit() -> None:
    bench = Bench(answering("rest/order_cancel.200.json"))
    execution = DisarmedExecution(bench.channel)
    with pytest.raises(TradeBlockedError):
        await execution.submit(journaled())
    assert bench.requests == []
    assert isinstance(await execution.cancel(1, "BTCTRY"), CancelReceipt)


async def test_the_monitor_fails_hard_on_both() -> None:
    with pytest.raises(MonitorTried):
        await NoopExecution().submit(journaled())
    with pytest.raises(MonitorTried):
        await NoopExecution().cancel(1, "BTCTRY")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, LiveExecution),
        ({"safe_mode": True}, DisarmedExecution),
        ({"kill_switch": True}, DisarmedExecution),
        ({"live_trading": False}, DisarmedExecution),
    ],
)
async def test_a_live_execution_exists_only_where_the_settings_arm_it(
    changes: dict[str, object], expected: type
) -> None:
    profile = live(**changes)
    clock = ManualClock()

    class Still:
        async def sleep(self, seconds: float) -> None:
            raise AssertionError("nothing sleeps while wiring")

    wired = connect_execution(profile, TradingArmedPolicy(profile, lambda: None), clock, Still(), Remembering())
    assert type(wired.execution) is expected
    await wired.aclose()
