"""Who gets an execution that can trade: nobody but a live worker that its settings arm."""

import ast
from dataclasses import replace
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import MonitorProfile, Role
from btcbot.exchange.cancel import CancelClient
from btcbot.exchange.private import PrivateChannel
from btcbot.execution.disarmed import DisarmedExecution
from btcbot.execution.live import LiveExecution
from btcbot.execution.noop import NoopExecution
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.wiring import connect_execution
from btcbot.services.monitor_wiring import build_monitor
from btcbot.services.runtime import Runtime
from tests.architecture.planting import PROJECT
from tests.unit.persistence.world import Clock, CountedIds, Witness
from tests.unit.services.world import common_profile, live_profile

ORDER = JournaledOrder(
    "order-1", "BB-TEST-1-1-AA", "BTCTRY", Side.BUY, Decimal("0.001"), Decimal(3_000_000), OrderState.SENDING  # type: ignore[arg-type]
)  # fmt: skip
SWITCHES = list(product((True, False), repeat=3))
NAMES = ("LIVE_TRADING", "SAFE_MODE", "KILL_SWITCH")
ARMED = (True, False, False)


class Sleeper:
    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reached the key's channel; anything would be network I/O."""
    made: list[str] = []

    def watched(name: str) -> object:
        async def called(self: object, *args: object, **kwargs: object) -> None:
            made.append(name)
            raise ConnectionError("there is no network in this test")

        return called

    for name in ("send_once", "read"):
        monkeypatch.setattr(PrivateChannel, name, watched(name))
    return made


@pytest.mark.parametrize("switches", SWITCHES, ids=lambda on: " ".join(n for n, o in zip(NAMES, on, strict=True) if o))
async def test_live_execution_is_wired_only_where_every_switch_says_so(
    tmp_path: Path, calls: list[str], switches: tuple[bool, bool, bool]
) -> None:
    live_trading, safe_mode, kill_switch = switches
    settings = {"live_trading": live_trading, "safe_mode": safe_mode, "kill_switch": kill_switch}
    profile = live_profile(tmp_path, settings)
    policy = TradingArmedPolicy(profile, lambda: None)
    parts = connect_execution(profile, policy, Clock(), Sleeper(), Witness())
    try:
        assert type(parts.execution) is (LiveExecution if switches == ARMED else DisarmedExecution)
        assert profile.is_armed_by_settings is (switches == ARMED)
        assert (policy.blocks() == ()) is (switches == ARMED)
        if switches == ARMED:
            return
        with pytest.raises(TradeBlockedError):
            await parts.execution.submit(ORDER)
        assert calls == [], "the refusal comes before any request"
        asked: list[int] = []

        async def cancel(self: CancelClient, exchange_order_id: int) -> None:
            asked.append(exchange_order_id)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(CancelClient, "cancel", cancel)
            await parts.execution.cancel(77, "BTCTRY")
        assert asked == [77], "cancels are never blocked"
        assert parts.reader is not None
    finally:
        await parts.aclose()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"role": Role.MONITOR}, "role"),
        ({"live_trading": False}, "LIVE_TRADING"),
        ({"safe_mode": True}, "SAFE_MODE"),
        ({"kill_switch": True}, "KILL_SWITCH"),
    ],
)
async def test_even_a_live_execution_asks_the_policy_before_any_request(
    tmp_path: Path, calls: list[str], change: dict[str, object], why: str
) -> None:
    armed = live_profile(tmp_path)
    policy = TradingArmedPolicy(live_profile(tmp_path, change), lambda: None)
    parts = connect_execution(armed, policy, Clock(), Sleeper(), Witness())
    try:
        assert isinstance(parts.execution, LiveExecution)
        with pytest.raises(TradeBlockedError, match=why):
            await parts.execution.submit(ORDER)
        assert calls == []
    finally:
        await parts.aclose()


@pytest.mark.parametrize("host", ["api.btcturk.com", "127.0.0.1:18081", ""])
async def test_an_acknowledgement_of_another_host_arms_nothing(tmp_path: Path, calls: list[str], host: str) -> None:
    profile = replace(live_profile(tmp_path), acknowledged_host=host)
    policy = TradingArmedPolicy(profile, lambda: None)
    parts = connect_execution(profile, policy, Clock(), Sleeper(), Witness())
    try:
        with pytest.raises(TradeBlockedError, match="not acknowledged"):
            await parts.execution.submit(ORDER)
        assert calls == []
    finally:
        await parts.aclose()


def test_a_halt_blocks_whatever_the_settings_say(tmp_path: Path) -> None:
    policy = TradingArmedPolicy(live_profile(tmp_path), lambda: "trading is halted: why")
    with pytest.raises(TradeBlockedError, match="trading is halted: why"):
        policy.require_armed()


@pytest.mark.parametrize("switches", SWITCHES)
async def test_the_monitor_gets_an_execution_that_refuses_everything(
    tmp_path: Path, calls: list[str], switches: tuple[bool, bool, bool]
) -> None:
    """Whatever its settings say: even those that would arm a live worker."""
    live_trading, safe_mode, kill_switch = switches
    common = common_profile(
        tmp_path, role=Role.MONITOR, live_trading=live_trading, safe_mode=safe_mode, kill_switch=kill_switch
    )
    runtime = Runtime(Clock(), Sleeper(), CountedIds(), "instance-1")
    parts = build_monitor(MonitorProfile(common), runtime, Witness())
    try:
        assert type(parts.execution) is NoopExecution
        assert not hasattr(parts.reader, "submit")
        assert not hasattr(parts.reader, "cancel")
        with pytest.raises(TradeBlockedError):
            await parts.execution.submit(ORDER)
        with pytest.raises(TradeBlockedError):
            await parts.execution.cancel(77, "BTCTRY")
        assert calls == []
    finally:
        await parts.aclose()


# ------------------------------------------------------------------------------------ who may write and who may send


def modules() -> dict[str, ast.Module]:
    return {
        path.relative_to(PROJECT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted((PROJECT / "btcbot").rglob("*.py"))
    }


def imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def who_imports(package: str) -> set[str]:
    return {
        path
        for path, tree in modules().items()
        if any(name == package or name.startswith(f"{package}.") for name in imported(tree))
    }


def who_calls(*names: str) -> set[str]:
    return {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names
    }


def test_records_are_written_through_the_services_alone() -> None:
    outside = {
        path
        for path in who_imports("btcbot.persistence")
        if not path.startswith(("btcbot/persistence/", "btcbot/services/"))
    }
    assert outside == set()


def test_each_store_is_opened_by_its_own_role() -> None:
    live, monitor = "btcbot.persistence.sqlite.live_store", "btcbot.persistence.sqlite.monitor_store"
    assert not {path for path in who_imports(live) if "monitor" in path or "health" in path or "watcher" in path}
    assert not {path for path in who_imports(monitor) if "live" in path or "run_loop" in path}


def test_an_execution_is_asked_by_the_order_desk_alone() -> None:
    """`_execution.submit` stands in one file; nothing else in services asks an execution to send."""
    asking = {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if path.startswith("btcbot/services/") and isinstance(node, ast.Attribute) and node.attr == "submit"
    }
    assert asking == {"btcbot/services/order_desk.py"}


def test_orders_are_journaled_as_sending_in_one_place() -> None:
    """Research has its own journal and no exchange to send to."""
    calling = {path for path in who_calls("sending") if not path.startswith("btcbot/research/")}
    assert calling == {"btcbot/services/order_desk.py", "btcbot/services/trading_book.py"}


def test_a_unit_of_work_is_committed_by_the_run_loop_and_by_the_one_cycle_of_a_probe() -> None:
    calling = {path for path in who_calls("unit_of_work") if path.startswith("btcbot/")}
    assert calling == {"btcbot/services/run_loop.py", "btcbot/services/probe_order.py"}
