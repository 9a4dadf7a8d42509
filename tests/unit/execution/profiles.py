"""Profiles of both roles, as the shipped settings make them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from btcbot.domain.profiles import (
    ClockProfile,
    CommonProfile,
    Endpoints,
    LiveProfile,
    MonitorProfile,
    OnShutdown,
    Role,
    Sealing,
    StrategyChoice,
)
from tests.unit.domain.builders import LIMITS
from tests.unit.exchange.builders import CREDENTIALS

HOST = "127.0.0.1:18080"
COMMON = CommonProfile(
    role=Role.LIVE,
    state_db_path=Path("/nowhere/live.db"),
    peer_state_db_path=Path("/nowhere/monitor.db"),
    run_dir=Path("/nowhere/run"),
    deployment_id="TEST",
    endpoints=Endpoints(f"http://{HOST}", "http://127.0.0.1:18081", "ws://127.0.0.1:18082", True),
    credentials=CREDENTIALS,
    pairs=("BTCTRY",),
    candle_interval=timedelta(minutes=1),
    cycle_seconds=Decimal(5),
    clock=ClockProfile(Decimal(1), None),
    market_age_max=timedelta(seconds=10),
    clock_offset_max=timedelta(seconds=2.5),
    live_trading=True,
    safe_mode=False,
    kill_switch=False,
    log_level="INFO",
    metrics_port=None,
    config_hash="0" * 64,
)
LIVE = LiveProfile(
    common=COMMON,
    acknowledged_host=HOST,
    strategy=StrategyChoice("ema_cross", ()),
    limits=LIMITS,
    order_age_max=timedelta(seconds=60),
    submit_timeout=timedelta(seconds=15),
    sealing=Sealing.AUTOMATIC,
    seal_quiet=timedelta(minutes=15),
    on_shutdown=OnShutdown.CANCEL,
    crash_loop_starts_max=5,
    crash_loop_window=timedelta(minutes=10),
    reconcile_every=timedelta(seconds=60),
)
MONITOR = MonitorProfile(replace(COMMON, role=Role.MONITOR, live_trading=False, safe_mode=True, kill_switch=True))


def live(**changes: object) -> LiveProfile:
    """The armed profile with other switches."""
    host = changes.pop("acknowledged_host", HOST)
    return replace(LIVE, common=replace(COMMON, **changes), acknowledged_host=host)  # type: ignore[arg-type]
