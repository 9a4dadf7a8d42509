"""From the environment to frozen, validated profiles: the only reader of the process's environment.

Everything that is wrong is said at once, in one line that names variables and never a value. Nothing is written,
created or sent here, so a refused start leaves everything as it was.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

from btcbot.config.backups import Backups
from btcbot.config.clock_anchor import read_anchor
from btcbot.config.endpoints import EndpointSection
from btcbot.config.forms import Misfit, canonical, decimal
from btcbot.config.local_exchange import Mirror, Sandbox
from btcbot.config.names import name_problems
from btcbot.config.paths import (
    database_problems,
    directory_problems,
    file_problems,
    is_companion,
    is_same_file,
    recording_problems,
    run_dir_problems,
)
from btcbot.config.recorder import Recorder
from btcbot.config.secret_files import any_text, base64_text, read_secret
from btcbot.config.sections import (
    CANDLE_SECONDS,
    ClockRate,
    Dashboard,
    Limits,
    LiveSwitches,
    Logs,
    Market,
    Metrics,
    MonitorSwitches,
    Orders,
    Places,
    RunDir,
    Section,
    StrategySection,
    Switches,
    form_of,
)
from btcbot.domain.errors import BtcbotError, ConfigurationError, ExitCode, UsageError
from btcbot.domain.events import Event
from btcbot.domain.money import Amount, Asset, Ratio, use_money_context
from btcbot.domain.profiles import (
    BackupPlan,
    ClockProfile,
    CommonProfile,
    Credentials,
    Endpoints,
    LiveProfile,
    MonitorProfile,
    RampUp,
    RecordProfile,
    RiskLimits,
    Role,
    SandboxProfile,
    StrategyChoice,
)
from btcbot.domain.secrets import Secret

__all__ = [
    "environment",
    "load_profile",
    "load_sandbox_profile",
    "load_record_profile",
    "load_run_dir",
    "secrets_by_value",
    "COMMON",
    "LIVE",
    "MONITOR",
    "SANDBOX",
    "RECORDER",
    "SECRETS",
    "REAL_TIME",
    # What the command line needs of the domain, which it does not import itself.
    "Asset",
    "BtcbotError",
    "ConfigurationError",
    "ExitCode",
    "UsageError",
    "ClockProfile",
    "CommonProfile",
    "LiveProfile",
    "MonitorProfile",
    "SandboxProfile",
    "RecordProfile",
    "Role",
    "Secret",
    "Event",
    "use_money_context",
]

S = TypeVar("S", bound=Section)

COMMON: Final[tuple[type[Section], ...]] = (
    Switches, Places, RunDir, EndpointSection, Market, ClockRate, Logs, Metrics, Backups,
)  # fmt: skip
LIVE: Final[tuple[type[Section], ...]] = (*COMMON, StrategySection, Limits, Orders)
MONITOR: Final[tuple[type[Section], ...]] = (*COMMON, Dashboard)
SANDBOX: Final[tuple[type[Section], ...]] = (Sandbox, Mirror, ClockRate, Logs)
RECORDER: Final[tuple[type[Section], ...]] = (Recorder, EndpointSection, ClockRate, Logs)
BACKUP_DIRECTORY: Final = "backups"  # beside the database, where no other is named
KEY, SECRET = "BTCTURK_API_KEY", "BTCTURK_API_SECRET"
SECRETS: Final = (KEY, f"{KEY}_FILE", SECRET, f"{SECRET}_FILE")

REAL_TIME: Final = ClockProfile(Decimal(1), None)

# The other endpoints of an exchange that is known by its first one.
_KNOWN_EXCHANGES: Final = {
    "https://api.btcturk.com": ("https://graph-api.btcturk.com", "wss://ws-feed-pro.btcturk.com"),
}

_RATE_IS_ONE = (
    "BTCBOT_CLOCK_RATE must be 1 unless BTCTURK_API_URL, BTCTURK_GRAPH_URL and BTCTURK_WS_URL are on loopback"
)
_MISSING_IS_A_PROBLEM = "what cannot be read is a problem, and problems were raised"


def environment() -> Mapping[str, str]:
    """A copy of what this process was started with."""
    return dict(os.environ)


def load_profile(environ: Mapping[str, str], *, cycle_seconds: str | None = None) -> LiveProfile | MonitorProfile:
    """The profile of the role in APP_ROLE; `cycle_seconds` overrides its variable and enters the hash.

    Raises `ConfigurationError` with every problem found, and `UsageError` for a malformed `cycle_seconds`.
    """
    role = environ.get("APP_ROLE")
    reading = _Reading(environ)
    match role:
        case Role.LIVE:
            reading.judge_names(_names(LIVE), {"the monitor": _names(MONITOR), **_without_a_role()})
            kind_of_switches: type[Switches] = LiveSwitches
        case Role.MONITOR:
            reading.judge_names(_names(MONITOR), {"live": _names(LIVE), **_without_a_role()})
            kind_of_switches = MonitorSwitches
        case _:
            reading.judge_names(_names(LIVE) | _names(MONITOR), _without_a_role())
            kind_of_switches = Switches
    switches = reading.read(kind_of_switches)
    _judge_places(reading)
    endpoints = reading.read(EndpointSection)
    if role == Role.LIVE and switches and endpoints:
        wanted = f"real orders on {endpoints.api.authority}"
        if switches.live_trading_ack != wanted:
            reading.problems.append(f"LIVE_TRADING_ACK must be exactly `{wanted}`, as BTCTURK_API_URL has it")
    market = reading.read(Market, cycle_seconds=_cycle_override(cycle_seconds))
    clock = _read_clock(reading)
    if clock and endpoints and clock.rate != 1 and not endpoints.is_loopback:
        reading.problems.append(_RATE_IS_ONE)
    credentials = _read_credentials(reading)
    reading.read(Logs)
    metrics = reading.read(Metrics)
    _judge_backups(reading)
    if role == Role.LIVE:
        reading.read(StrategySection)
        _judge_quantities(reading, market)
        reading.read(Orders)
    elif role == Role.MONITOR:
        page = reading.read(Dashboard)
        if page and metrics and page.dashboard_port is not None and page.dashboard_port == metrics.metrics_port:
            reading.problems.append("BTCBOT_DASHBOARD_PORT and BTCBOT_METRICS_PORT are the same port")
    reading.require_no_problems()
    assert clock is not None, _MISSING_IS_A_PROBLEM
    assert credentials is not None, _MISSING_IS_A_PROBLEM
    switches, places, endpoints, market = (
        reading[kind_of_switches], reading[Places], reading[EndpointSection], reading[Market],
    )  # fmt: skip
    common = CommonProfile(
        role=switches.role,
        state_db_path=places.state_db_path,
        peer_state_db_path=places.peer_state_db_path,
        run_dir=reading[RunDir].run_dir,
        deployment_id=places.deployment_id,
        endpoints=Endpoints(
            str(endpoints.api), str(endpoints.graph), str(endpoints.ws), is_loopback=endpoints.is_loopback
        ),
        credentials=credentials,
        pairs=market.pairs,
        candle_interval=timedelta(seconds=CANDLE_SECONDS[market.candle_interval]),
        cycle_seconds=market.cycle_seconds,
        clock=clock,
        market_age_max=_duration(market.market_age_seconds_max),
        clock_offset_max=_duration(market.clock_offset_seconds_max),
        live_trading=switches.live_trading,
        safe_mode=switches.safe_mode,
        kill_switch=switches.kill_switch,
        log_level=reading[Logs].log_level,
        metrics_port=reading[Metrics].metrics_port,
        config_hash=reading.config_hash(),
        backups=BackupPlan(
            reading[Backups].directory or places.state_db_path.parent / BACKUP_DIRECTORY,
            _duration(reading[Backups].every_seconds),
            reading[Backups].bytes_max,
            reading[Backups].archive_bytes,
        ),
    )
    if common.role is Role.MONITOR:
        return MonitorProfile(common, dashboard_port=reading[Dashboard].dashboard_port)
    return _live_profile(reading, common, endpoints.api.authority)


def load_sandbox_profile(
    environ: Mapping[str, str],
    *,
    mirror: str | None = None,
    mirror_graph: str | None = None,
    mirror_ws: str | None = None,
) -> SandboxProfile:
    """The profile of the local exchange, as strict as the others. `mirror` overrides the variables of the mirror.

    Raises `ConfigurationError`, and `UsageError` for an incomplete or malformed `mirror`.
    """
    reading = _Reading(environ)
    reading.judge_names(
        _names(SANDBOX), {"the recorder": _names(RECORDER), "live": _names(LIVE), "the monitor": _names(MONITOR)}
    )
    sandbox = reading.read(Sandbox)
    if sandbox:
        problems = list(directory_problems("BTCBOT_SANDBOX_DIR", sandbox.directory))
        reading.problems += [f"{problem}; `btcbot sandbox init DIR` makes it" for problem in problems]
        if sandbox.source is not None:
            reading.problems += recording_problems("BTCBOT_SANDBOX_SOURCE", sandbox.source)
        if sandbox.scenario is not None:
            reading.problems += file_problems("BTCBOT_SANDBOX_SCENARIO", sandbox.scenario)
    mirrored = reading.read(Mirror, **_mirror_override(mirror, mirror_graph, mirror_ws))
    clock = _read_clock(reading)
    if mirrored and mirrored.api and clock and clock.rate != 1 and not mirrored.api.is_loopback:
        reading.problems.append("BTCBOT_CLOCK_RATE must be 1 for a mirror of an exchange that is not on loopback")
    if mirrored and mirrored.api and sandbox and sandbox.source is not None:
        reading.problems.append("BTCBOT_SANDBOX_SOURCE is a recording, and a mirror is wanted: leave one of them out")
    reading.read(Logs)
    reading.require_no_problems()
    assert clock is not None, _MISSING_IS_A_PROBLEM
    sandbox, mirrored = reading[Sandbox], reading[Mirror]
    return SandboxProfile(
        directory=sandbox.directory,
        source=sandbox.source,
        seed=sandbox.seed,
        speed=sandbox.speed,
        pairs=sandbox.pairs,
        clock=clock,
        api_port=sandbox.api_port,
        graph_port=sandbox.graph_port,
        ws_port=sandbox.ws_port,
        admin_port=sandbox.admin_port,
        log_level=reading[Logs].log_level,
        config_hash=reading.config_hash(),
        venue_profile=sandbox.venue_profile,
        scenario=sandbox.scenario,
        mirror=None
        if mirrored.api is None
        else Endpoints(str(mirrored.api), str(mirrored.graph), str(mirrored.ws), is_loopback=mirrored.api.is_loopback),
    )


def load_record_profile(environ: Mapping[str, str], *, hours: str | None = None) -> RecordProfile:
    """The profile of the recorder: endpoints, pairs and a place, and no key. `hours` ends it.

    Raises `ConfigurationError`, and `UsageError` for malformed `hours`.
    """
    duration = None if hours is None else _hours(hours)
    reading = _Reading(environ)
    reading.judge_names(
        _names(RECORDER), {"live": _names(LIVE), "the monitor": _names(MONITOR), "the sandbox": _names(SANDBOX)}
    )
    recorder = reading.read(Recorder)
    if recorder:
        reading.problems += directory_problems("BTCBOT_RECORD_DIR", recorder.directory)
    endpoints = reading.read(EndpointSection)
    clock = _read_clock(reading)
    if clock and endpoints and clock.rate != 1 and not endpoints.is_loopback:
        reading.problems.append(_RATE_IS_ONE)
    reading.read(Logs)
    reading.require_no_problems()
    assert clock is not None, _MISSING_IS_A_PROBLEM
    recorder, endpoints = reading[Recorder], reading[EndpointSection]
    return RecordProfile(
        endpoints=Endpoints(
            str(endpoints.api), str(endpoints.graph), str(endpoints.ws), is_loopback=endpoints.is_loopback
        ),
        pairs=recorder.pairs,
        directory=recorder.directory,
        bytes_max=recorder.bytes_max,
        duration=duration,
        clock=clock,
        log_level=reading[Logs].log_level,
        config_hash=reading.config_hash(),
    )


def load_run_dir(environ: Mapping[str, str]) -> Path:
    """The run directory alone: a halt must get through whatever else is wrong with the settings."""
    reading = _Reading(environ)
    _judge_run_dir(reading)
    reading.require_no_problems()
    return reading[RunDir].run_dir


def secrets_by_value(environ: Mapping[str, str]) -> tuple[Secret, ...]:
    """What a log must hide even when these settings do not load."""
    return tuple(Secret(environ[name]) for name in (KEY, SECRET) if environ.get(name))


class _Reading:
    """One pass over the environment: the sections that were read, and every problem on the way."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self._sections: dict[type[Section], Section] = {}

    def judge_names(self, known: frozenset[str], others: Mapping[str, frozenset[str]]) -> None:
        of_others = {name: owner for owner, names in others.items() for name in names}
        self.problems += name_problems(self.environ, known, of_others)

    def read(self, kind: type[S], **changes: object) -> S | None:
        """The section, kept as read; `changes` that are not None replace what the environment says."""
        section = kind.read(self.environ, self.problems)
        if section is not None:
            section = section.model_copy(update={name: value for name, value in changes.items() if value is not None})
            self._sections[kind] = section
        return section

    def __getitem__(self, kind: type[S]) -> S:
        section = self._sections[kind]
        assert isinstance(section, kind), "sections are kept under their own kind"
        return section

    def require_no_problems(self) -> None:
        if self.problems:
            raise ConfigurationError("; ".join(self.problems))

    def config_hash(self) -> str:
        """Sixteen hexadecimal characters over every effective setting but the secrets, defaults included."""
        settings = {
            name: canonical(value)
            for section in self._sections.values()
            for name, value in section.by_variable().items()
        }
        text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _names(sections: Sequence[type[Section]]) -> frozenset[str]:
    """Every variable that a process with these sections may have."""
    secrets = SECRETS if Switches in sections else ()
    return frozenset(name for section in sections for name in section.variables()).union(secrets)


def _without_a_role() -> dict[str, frozenset[str]]:
    """Whose settings have no meaning for live and the monitor."""
    return {"the sandbox": _names(SANDBOX), "the recorder": _names(RECORDER)}


def _hours(text: str) -> timedelta:
    try:
        return _duration(decimal("0.001", "87600", places=3)(text) * 3600)
    except Misfit as misfit:
        raise UsageError(f"--hours {misfit}") from None


def _cycle_override(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        seconds = form_of(Market, "cycle_seconds")(text)
    except Misfit as misfit:
        raise UsageError(f"--cycle-seconds {misfit}") from None
    assert isinstance(seconds, Decimal), "the form reads a number"
    return seconds


def _mirror_override(api: str | None, graph: str | None, ws: str | None) -> dict[str, object]:
    """What the command line says of the mirror: all three endpoints, or the first one of an exchange that is known."""
    if api is None:
        if graph is not None or ws is not None:
            raise UsageError("--mirror-graph and --mirror-ws belong to --mirror URL")
        return {}
    known = _KNOWN_EXCHANGES.get(api, (None, None))
    texts = {"api": api, "graph": graph or known[0], "ws": ws or known[1]}
    if None in texts.values():
        raise UsageError(f"--mirror needs --mirror-graph and --mirror-ws, except for {', '.join(_KNOWN_EXCHANGES)}")
    problems: list[str] = []
    found = Mirror.read({Mirror.variable_of(name): str(text) for name, text in texts.items()}, problems)
    if found is None:
        raise UsageError(f"--mirror: {'; '.join(problems)}")
    return dict(found)


def _judge_backups(reading: _Reading) -> None:
    """A directory that was named must exist; the one beside the database is made with the first backup."""
    backups = reading.read(Backups)
    if backups and backups.directory is not None:
        reading.problems += directory_problems("BTCBOT_BACKUP_DIR", backups.directory)


def _judge_places(reading: _Reading) -> None:
    places = reading.read(Places)
    if places:
        own, peer = places.state_db_path, places.peer_state_db_path
        reading.problems += database_problems("STATE_DB_PATH", own)
        if is_same_file(own, peer):
            reading.problems.append("STATE_DB_PATH and BTCBOT_PEER_STATE_DB_PATH are one file: each role needs its own")
        elif is_companion(own, peer):
            reading.problems.append("STATE_DB_PATH and BTCBOT_PEER_STATE_DB_PATH: one is a companion file of the other")
    _judge_run_dir(reading)


def _judge_run_dir(reading: _Reading) -> None:
    run_dir = reading.read(RunDir)
    if run_dir:
        reading.problems += run_dir_problems("BTCBOT_RUN_DIR", run_dir.run_dir)


def _read_clock(reading: _Reading) -> ClockProfile | None:
    section = reading.read(ClockRate)
    if section is None:
        return None
    if section.anchor_file is None:
        return REAL_TIME
    try:
        return ClockProfile(section.rate, read_anchor("BTCBOT_CLOCK_ANCHOR_FILE", section.anchor_file))
    except Misfit as misfit:
        reading.problems.append(str(misfit))
        return None


def _read_credentials(reading: _Reading) -> Credentials | None:
    key = read_secret(reading.environ, KEY, any_text, reading.problems)
    secret = read_secret(reading.environ, SECRET, base64_text, reading.problems)
    if key is None or secret is None:
        return None
    if key.reveal() == secret.reveal():
        reading.problems.append(f"{KEY} and {SECRET} are the same text")
    return Credentials(key, secret)


def _live_profile(reading: _Reading, common: CommonProfile, acknowledged_host: str) -> LiveProfile:
    strategy, limits, orders = reading[StrategySection], reading[Limits], reading[Orders]
    currency = Asset(limits.currency)
    return LiveProfile(
        common=common,
        acknowledged_host=acknowledged_host,
        strategy=StrategyChoice(strategy.strategy, strategy.params, strategy.path),
        limits=RiskLimits(
            currency=currency,
            order_notional_max=Amount(limits.order_notional_max, currency),
            order_quantities_max=tuple(Amount(number, Asset(asset)) for asset, number in limits.order_quantities_max),
            position_notional_max=Amount(limits.position_notional_max, currency),
            exposure_max=Amount(limits.exposure_max, currency),
            day_loss_max=Amount(limits.day_loss_max, currency),
            drawdown_ratio_max=Ratio(limits.drawdown_ratio_max),
            collar_ratio_max=Ratio(limits.collar_ratio_max),
            spread_ratio_max=Ratio(limits.spread_ratio_max),
            jump_ratio_max=Ratio(limits.jump_ratio_max),
            entries_per_hour_max=limits.entries_per_hour_max,
            entries_per_day_max=limits.entries_per_day_max,
            entry_cooldown=_duration(limits.entry_cooldown_seconds),
            volatility_ratio_max=Ratio(limits.volatility_ratio_max),
            volatility_window=_duration(limits.volatility_window_seconds),
            volatility_pause=_duration(limits.volatility_pause_seconds),
            open_orders_per_instrument_max=limits.open_orders_per_instrument_max,
            open_orders_max=limits.open_orders_max,
            submits_per_minute_max=limits.submits_per_minute_max,
            submits_per_second_max=limits.submits_per_second_max,
            market_age_max=common.market_age_max,
            book_still_max=_duration(limits.book_still_seconds_max),
            trading_day_zone=orders.trading_day_zone,
            ramp_up=_ramp_up(limits),
        ),
        order_age_max=_duration(orders.order_age_seconds_max),
        submit_timeout=_duration(orders.submit_timeout_seconds),
        sealing=orders.seal,
        seal_quiet=_duration(orders.seal_quiet_seconds),
        on_shutdown=orders.on_shutdown,
        changed_start=orders.changed_start,
        crash_loop_starts_max=orders.crash_loop_starts_max,
        crash_loop_window=_duration(orders.crash_loop_window_seconds),
        reconcile_every=_duration(orders.reconcile_seconds),
        default_stop_ratio=Ratio(strategy.default_stop_ratio),
    )


def _ramp_up(limits: Limits) -> RampUp | None:
    if limits.ramp_up_seconds is None or limits.ramp_up_ratio is None:
        return None
    return RampUp(_duration(limits.ramp_up_seconds), Ratio(limits.ramp_up_ratio))


def _judge_quantities(reading: _Reading, market: Market | None) -> None:
    """A missing cap is an error, not infinity: every asset that is traded has one."""
    limits = reading.read(Limits)
    if limits is None or market is None:
        return
    capped = {asset for asset, _ in limits.order_quantities_max}
    for pair in market.pairs:
        base = pair.removesuffix(limits.currency)
        if base not in capped:
            reading.problems.append(
                f"BTCBOT_RISK_ORDER_QUANTITY_MAX has no number for {base}, and BTCBOT_PAIRS has {pair}"
            )


def _duration(seconds: Decimal) -> timedelta:
    """Exact: no form of seconds has more than three decimal places."""
    return timedelta(milliseconds=int(seconds * 1000))
