"""The settings of the live worker that is measured."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from far_end import PAIRS

from btcbot.domain.money import Asset, Ratio, amount
from btcbot.domain.profiles import (
    ClockProfile,
    CommonProfile,
    Credentials,
    Endpoints,
    LiveProfile,
    OnShutdown,
    RiskLimits,
    Role,
    Sealing,
    StrategyChoice,
)
from btcbot.domain.secrets import Secret

REAL_TIME = ClockProfile(Decimal(1), None)


def live_profile(directory: Path, http_port: int, ws_port: int) -> LiveProfile:
    """Armed, five pairs, limits that never bite, and a period so long that only the stop begins a cycle."""
    api = f"http://127.0.0.1:{http_port}"
    common = CommonProfile(
        role=Role.LIVE, state_db_path=directory / "live.db", peer_state_db_path=directory / "monitor.db",
        run_dir=directory, deployment_id="BENCH",
        endpoints=Endpoints(api, api, f"ws://127.0.0.1:{ws_port}", is_loopback=True),
        credentials=Credentials(Secret("00000000-0000-0000-0000-000000000000"), Secret("c2VjcmV0")), pairs=PAIRS,
        candle_interval=timedelta(minutes=1), cycle_seconds=Decimal(3600), clock=REAL_TIME,
        market_age_max=timedelta(seconds=10), clock_offset_max=timedelta(seconds=2.5), live_trading=True,
        safe_mode=False, kill_switch=False, log_level="INFO", metrics_port=None, config_hash="c0ffee",
    )  # fmt: skip
    plenty, ratio = amount("1000000000 TRY"), Ratio(Decimal("0.10"))
    limits = RiskLimits(
        Asset("TRY"), plenty, tuple(amount(f"1000000 {pair.removesuffix('TRY')}") for pair in PAIRS), plenty,
        plenty, plenty, Ratio(Decimal("0.9")), Ratio(Decimal("0.02")),
        Ratio(Decimal("0.02")), ratio, 100_000, 100_000, timedelta(0), ratio, timedelta(seconds=60),
        timedelta(minutes=15), 5, 20, 100_000, 100_000, timedelta(seconds=10), timedelta(days=1), "Europe/Istanbul",
    )  # fmt: skip
    return LiveProfile(
        common=common, acknowledged_host=urlsplit(api).netloc,
        strategy=StrategyChoice("ema_cross", (("stop_loss_ratio", '"0.02"'),)), limits=limits,
        order_age_max=timedelta(hours=1), submit_timeout=timedelta(seconds=15), sealing=Sealing.AUTOMATIC,
        seal_quiet=timedelta(minutes=15), on_shutdown=OnShutdown.KEEP, crash_loop_starts_max=5,
        crash_loop_window=timedelta(minutes=10), reconcile_every=timedelta(days=1),
    )  # fmt: skip
