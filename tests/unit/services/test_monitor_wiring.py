"""The monitor is wired to an execution that refuses everything, and to clients that have sent nothing yet."""

from dataclasses import fields
from typing import cast

import pytest

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.profiles import MonitorProfile
from btcbot.execution.noop import NoopExecution
from btcbot.services.monitor_wiring import MonitorParts, build_monitor
from btcbot.services.runtime import build_runtime
from tests.unit.observability.remembering import Remembering
from tests.unit.services.test_health import COMMON


async def test_the_monitor_gets_an_execution_that_fails_hard_on_every_attempt() -> None:
    observer = Remembering()
    parts = build_monitor(MonitorProfile(COMMON), build_runtime(COMMON.clock), observer)
    try:
        assert type(parts.execution) is NoopExecution
        with pytest.raises(TradeBlockedError, match="order o1"):
            await parts.execution.submit(cast(JournaledOrder, type("Order", (), {"order_id": "o1"})()))
        with pytest.raises(TradeBlockedError, match="order 7 on BTCTRY"):
            await parts.execution.cancel(7, "BTCTRY")
        assert observer.told == []
    finally:
        await parts.aclose()


def test_what_the_monitor_works_with_is_three_parts() -> None:
    assert {field.name for field in fields(MonitorParts)} == {"market", "reader", "execution"}
