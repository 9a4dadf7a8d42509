"""What a process was told to be: frozen, validated, free of where it was read from."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from btcbot.domain.money import Amount, Asset, Ratio
from btcbot.domain.secrets import Secret


class Role(StrEnum):
    LIVE = "live"
    MONITOR = "monitor"


class Sealing(StrEnum):
    """Whether proof of absence closes an unknown order by itself, or a person does."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class OnShutdown(StrEnum):
    """What becomes of open entries on SIGTERM."""

    CANCEL = "cancel"
    KEEP = "keep"


class ChangedStart(StrEnum):
    """What a start on the real exchange does with a build or with settings that nobody agreed to yet."""

    PAUSED = "paused"  # no entries until a person resumes; exits and cancels go on
    GOES_ON = "goes_on"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base URLs without a trailing slash (protocol, section 1)."""

    api_url: str
    graph_url: str
    ws_url: str
    is_loopback: bool  # all three


@dataclass(frozen=True, slots=True)
class Credentials:
    key: Secret
    secret: Secret  # base64


@dataclass(frozen=True, slots=True)
class ClockProfile:
    """The clock rate and the instant at which scaled and real time agree. Rate 1 has no anchor."""

    rate: Decimal
    anchor: datetime | None


@dataclass(frozen=True, slots=True)
class RampUp:
    """After build or configuration changed, only a fraction of the caps for a time (reliability C4)."""

    span: timedelta
    ratio: Ratio


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """Every limit is required: a missing limit is an error, not infinity (design, section 6)."""

    currency: Asset
    order_notional_max: Amount
    order_quantities_max: tuple[Amount, ...]  # one for each base asset that is traded
    position_notional_max: Amount  # per instrument
    exposure_max: Amount
    day_loss_max: Amount
    drawdown_ratio_max: Ratio
    collar_ratio_max: Ratio
    spread_ratio_max: Ratio
    jump_ratio_max: Ratio
    entries_per_hour_max: int  # per instrument
    entries_per_day_max: int  # per instrument; one more pauses entries until a person resumes
    entry_cooldown: timedelta
    volatility_ratio_max: Ratio
    volatility_window: timedelta
    volatility_pause: timedelta
    open_orders_per_instrument_max: int
    open_orders_max: int
    submits_per_minute_max: int
    submits_per_second_max: int
    market_age_max: timedelta
    book_still_max: timedelta  # how long a book may go without any change
    trading_day_zone: str
    ramp_up: RampUp | None = None  # nothing: the caps hold in full at once

    def order_quantity_max(self, base: Asset) -> Amount | None:
        """The cap of this asset; nothing where none was set, which allows nothing."""
        return next((cap for cap in self.order_quantities_max if cap.asset == base), None)


@dataclass(frozen=True, slots=True)
class StrategyChoice:
    name: str
    params: tuple[tuple[str, str], ...]  # name and JSON text of each parameter, sorted
    path: Path | None = None  # where files of a user's own are, for a name of the form MODULE:NAME


@dataclass(frozen=True, slots=True)
class BackupPlan:
    """Where a role's own backups go, how often, and what they may take."""

    directory: Path
    every: timedelta
    bytes_max: int
    archive_bytes: int | None = None  # live's file rolls into archives beyond this; nothing: it never does


@dataclass(frozen=True, slots=True)
class CommonProfile:
    """What both roles have."""

    role: Role
    state_db_path: Path
    peer_state_db_path: Path
    run_dir: Path
    deployment_id: str
    endpoints: Endpoints
    credentials: Credentials
    pairs: tuple[str, ...]
    candle_interval: timedelta
    cycle_seconds: Decimal
    clock: ClockProfile
    market_age_max: timedelta
    clock_offset_max: timedelta
    live_trading: bool
    safe_mode: bool
    kill_switch: bool
    log_level: str
    metrics_port: int | None
    config_hash: str  # over everything but secrets
    backups: BackupPlan | None = None  # nothing: none are taken


@dataclass(frozen=True, slots=True)
class LiveProfile:
    common: CommonProfile
    acknowledged_host: str  # HOST[:PORT] of the API endpoint, as the acknowledgement named it
    strategy: StrategyChoice
    limits: RiskLimits
    order_age_max: timedelta
    submit_timeout: timedelta
    sealing: Sealing
    seal_quiet: timedelta
    on_shutdown: OnShutdown
    crash_loop_starts_max: int
    crash_loop_window: timedelta
    reconcile_every: timedelta
    default_stop_ratio: Ratio = Ratio(Decimal("0.2"))  # noqa: RUF009 - a number, frozen
    changed_start: ChangedStart = ChangedStart.PAUSED

    @property
    def is_armed_by_settings(self) -> bool:
        """The part of being armed that settings decide; halts and pauses decide the rest."""
        common = self.common
        return common.role is Role.LIVE and common.live_trading and not common.safe_mode and not common.kill_switch


@dataclass(frozen=True, slots=True)
class MonitorProfile:
    common: CommonProfile
    dashboard_port: int | None = None  # the read-only web page, on loopback


@dataclass(frozen=True, slots=True)
class RecordProfile:
    """What the recorder needs: no key, no database. It writes what everybody may hear."""

    endpoints: Endpoints
    pairs: tuple[str, ...]
    directory: Path
    bytes_max: int  # of all recordings in the directory together
    duration: timedelta | None  # until SIGTERM where there is none
    clock: ClockProfile
    log_level: str
    config_hash: str


@dataclass(frozen=True, slots=True)
class SandboxProfile:
    """The local exchange: what it replays, where it listens."""

    directory: Path
    source: Path | None  # None: the seeded generator
    seed: int
    speed: Decimal  # recorded seconds per second of the sandbox's clock
    pairs: tuple[str, ...]
    clock: ClockProfile
    api_port: int
    graph_port: int
    ws_port: int
    admin_port: int
    log_level: str
    config_hash: str = ""
    venue_profile: str = "documented"  # the name of one in `btcbot.sandbox.profiles`
    scenario: Path | None = None  # faults on a timetable
    mirror: Endpoints | None = None  # the exchange whose public feed it follows, instead of a source
