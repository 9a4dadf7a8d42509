"""What loads, what each profile then says, and which line each mistake gets."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.config.settings import (
    COMMON,
    LIVE,
    MONITOR,
    SANDBOX,
    load_profile,
    load_run_dir,
    load_sandbox_profile,
    secrets_by_value,
)
from btcbot.domain.errors import ConfigurationError, ExitCode, UsageError
from btcbot.domain.money import Amount, Asset, Ratio, amount
from btcbot.domain.profiles import Endpoints, LiveProfile, MonitorProfile, OnShutdown, RampUp, Role, Sealing
from tests.unit.config.environments import API_KEY, API_SECRET, LIMITS, REAL_EXCHANGE, Ground

TRY = Asset("TRY")


def live(environ: dict[str, str], cycle_seconds: str | None = None) -> LiveProfile:
    profile = load_profile(environ, cycle_seconds=cycle_seconds)
    assert isinstance(profile, LiveProfile)
    return profile


def monitor(environ: dict[str, str]) -> MonitorProfile:
    profile = load_profile(environ)
    assert isinstance(profile, MonitorProfile)
    return profile


def problems(environ: dict[str, str]) -> str:
    """The one line that a refused start says, without its next step."""
    with pytest.raises(ConfigurationError) as refused:
        load_profile(environ)
    assert refused.value.exit_code is ExitCode.CONFIGURATION
    text = str(refused.value)
    assert "\n" not in text
    return text.removesuffix(f". Next: {ConfigurationError.next_step}.")


def whatever_is_said(environ: dict[str, str]) -> str:
    """The refusal in full; a profile says nothing."""
    try:
        load_profile(environ)
        return "loaded"
    except ConfigurationError as error:
        return f"{error} {error!r}"


# ---------------------------------------------------------------------------------------------------- what loads


def test_a_complete_live_environment_becomes_a_live_profile(ground: Ground) -> None:
    profile = live(ground.live())
    common, limits = profile.common, profile.limits
    assert common.role is Role.LIVE
    assert common.state_db_path == ground.root / "live" / "live.db"
    assert common.peer_state_db_path == ground.root / "monitor" / "monitor.db"
    assert common.endpoints.is_loopback
    assert common.endpoints.api_url == "http://127.0.0.1:18080"
    assert (common.credentials.key.reveal(), common.credentials.secret.reveal()) == (API_KEY, API_SECRET)
    assert common.pairs == ("BTCTRY", "ETHTRY")
    assert profile.acknowledged_host == "127.0.0.1:18080"
    assert profile.is_armed_by_settings
    assert limits.order_notional_max == Amount(Decimal(5000), TRY)
    assert limits.exposure_max == Amount(Decimal(50000), TRY)
    assert limits.drawdown_ratio_max == Decimal("0.1")
    assert limits.entry_cooldown == timedelta(seconds=60)
    assert limits.order_quantities_max == (amount("0.005 BTC"), amount("0.15 ETH"))
    assert (limits.entries_per_day_max, limits.submits_per_second_max) == (240, 2)
    assert limits.book_still_max == timedelta(minutes=5)
    assert limits.market_age_max == common.market_age_max


def test_a_ramp_up_is_off_unless_both_of_it_are_set(ground: Ground) -> None:
    assert live(ground.live()).limits.ramp_up is None
    limits = live(ground.live(BTCBOT_RISK_RAMP_UP_SECONDS="86400", BTCBOT_RISK_RAMP_UP_RATIO="0.05")).limits
    assert limits.ramp_up == RampUp(timedelta(days=1), Ratio(Decimal("0.05")))


def test_what_is_not_set_has_the_documented_default(ground: Ground) -> None:
    profile = live(ground.live())
    common = profile.common
    assert (common.candle_interval, common.cycle_seconds) == (timedelta(minutes=1), Decimal(5))
    assert (common.clock.rate, common.clock.anchor) == (1, None)
    assert (common.market_age_max, common.clock_offset_max) == (timedelta(seconds=10), timedelta(seconds=2.5))
    assert (common.log_level, common.metrics_port) == ("INFO", None)
    assert (profile.strategy.name, profile.strategy.params) == ("ema_cross", ())
    assert profile.limits.trading_day_zone == "Europe/Istanbul"
    assert (profile.order_age_max, profile.submit_timeout) == (timedelta(seconds=60), timedelta(seconds=15))
    assert (profile.sealing, profile.seal_quiet) == (Sealing.AUTOMATIC, timedelta(seconds=900))
    assert profile.on_shutdown is OnShutdown.CANCEL
    assert (profile.crash_loop_starts_max, profile.crash_loop_window) == (5, timedelta(seconds=600))
    assert profile.reconcile_every == timedelta(seconds=60)


def test_a_complete_monitor_environment_becomes_a_monitor_profile(ground: Ground) -> None:
    profile = monitor(ground.monitor(BTCBOT_DASHBOARD_PORT="19100", BTCBOT_METRICS_PORT="19101"))
    common = profile.common
    assert common.role is Role.MONITOR
    assert (common.live_trading, common.safe_mode, common.kill_switch) == (False, True, True)
    assert (profile.dashboard_port, common.metrics_port) == (19100, 19101)


def test_the_sandbox_has_a_profile_of_its_own(ground: Ground) -> None:
    recording = ground.secret("week.csv", "x")
    profile = load_sandbox_profile(
        ground.sandbox(BTCBOT_SANDBOX_SOURCE=str(recording), BTCBOT_SANDBOX_SEED="7", BTCBOT_SANDBOX_SPEED="0.5")
    )
    assert (profile.source, profile.seed, profile.speed) == (recording, 7, Decimal("0.5"))
    assert (profile.api_port, profile.graph_port, profile.ws_port, profile.admin_port) == (18080, 18081, 18082, 18083)
    assert load_sandbox_profile(ground.sandbox(BTCBOT_SANDBOX_SOURCE="generator")).source is None
    assert load_sandbox_profile(ground.sandbox()).source is None
    assert re.fullmatch("[0-9a-f]{16}", profile.config_hash)


def test_the_real_exchange_is_acknowledged_by_its_host(ground: Ground) -> None:
    environ = ground.live(**REAL_EXCHANGE, LIVE_TRADING_ACK="real orders on api.btcturk.com")
    profile = live(environ)
    assert profile.acknowledged_host == "api.btcturk.com"
    assert not profile.common.endpoints.is_loopback


def test_what_belongs_to_others_is_none_of_our_business(ground: Ground) -> None:
    others = {
        "HOME": "/root",
        "PYTHONPATH": "",
        "TZ": "",
        "DB_PATH": "x",
        "LOG_LEVEL": "loud",
        "XDG_RUNTIME_DIR": "/run",
    }
    live(ground.live() | others | {"SUPERVISOR_PROCESS_NAME": "btcbot-live", "APP_NAME": "x", "RUN_DIR": "x"})


def test_strategy_parameters_are_sorted_pairs_of_name_and_json_text(ground: Ground) -> None:
    environ = ground.live(
        BTCBOT_STRATEGY_PARAMS='{"slow": 26, "fast": 12.50, "shift": -1, "eager": true, "source": "close \\"x\\""}'
    )
    assert live(environ).strategy.params == (
        ("eager", "true"), ("fast", "12.5"), ("shift", "-1"), ("slow", "26"), ("source", '"close \\"x\\""'),
    )  # fmt: skip


def test_time_runs_faster_only_with_an_anchor(ground: Ground) -> None:
    anchor = str(ground.root / "sandbox" / "clock_anchor")
    clock = live(ground.live(BTCBOT_CLOCK_RATE="20", BTCBOT_CLOCK_ANCHOR_FILE=anchor)).common.clock
    assert (clock.rate, clock.anchor) == (20, datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    clock = load_sandbox_profile(ground.sandbox(BTCBOT_CLOCK_RATE="60", BTCBOT_CLOCK_ANCHOR_FILE=anchor)).clock
    assert clock.rate == 60


def test_the_run_directory_is_found_whatever_else_is_wrong(ground: Ground) -> None:
    assert load_run_dir({"BTCBOT_RUN_DIR": str(ground.root / "run"), "BTCBOT_PAIRS": "?"}) == ground.root / "run"
    with pytest.raises(ConfigurationError, match="BTCBOT_RUN_DIR is not set"):
        load_run_dir({})


# ---------------------------------------------------------------------------------------------------- what is refused

NUMBERS = (
    "1,5",
    "1e3",
    "1E3",
    "NaN",
    "nan",
    "Infinity",
    "-1",
    "+1",
    "1_000",
    " 1",
    "1 ",
    "٣",
    "０",
    ".5",
    "5.",
    "0x1",
    "",
    "0",
)
DECIMAL_NAMES = [
    "BTCBOT_RISK_ORDER_NOTIONAL_MAX", "BTCBOT_RISK_POSITION_NOTIONAL_MAX", "BTCBOT_RISK_EXPOSURE_MAX",
    "BTCBOT_RISK_DAY_LOSS_MAX", "BTCBOT_RISK_DRAWDOWN_RATIO_MAX", "BTCBOT_RISK_COLLAR_RATIO_MAX",
    "BTCBOT_RISK_SPREAD_RATIO_MAX", "BTCBOT_RISK_JUMP_RATIO_MAX", "BTCBOT_RISK_VOLATILITY_RATIO_MAX",
    "BTCBOT_RISK_VOLATILITY_WINDOW_SECONDS", "BTCBOT_RISK_VOLATILITY_PAUSE_SECONDS", "BTCBOT_CYCLE_SECONDS",
    "BTCBOT_CLOCK_RATE", "BTCBOT_MARKET_AGE_SECONDS_MAX", "BTCBOT_CLOCK_OFFSET_SECONDS_MAX",
    "BTCBOT_ORDER_AGE_SECONDS_MAX", "BTCBOT_SUBMIT_TIMEOUT_SECONDS", "BTCBOT_SEAL_QUIET_SECONDS",
    "BTCBOT_CRASH_LOOP_WINDOW_SECONDS", "BTCBOT_RECONCILE_SECONDS",
    "BTCBOT_RISK_BOOK_STILL_SECONDS_MAX", "BTCBOT_RISK_RAMP_UP_SECONDS", "BTCBOT_RISK_RAMP_UP_RATIO",
]  # fmt: skip
WHOLE_NAMES = [
    "BTCBOT_RISK_ENTRIES_PER_HOUR_MAX", "BTCBOT_RISK_OPEN_ORDERS_PER_INSTRUMENT_MAX", "BTCBOT_RISK_OPEN_ORDERS_MAX",
    "BTCBOT_RISK_SUBMITS_PER_MINUTE_MAX", "BTCBOT_RISK_ENTRIES_PER_DAY_MAX", "BTCBOT_RISK_SUBMITS_PER_SECOND_MAX",
    "BTCBOT_CRASH_LOOP_STARTS_MAX", "BTCBOT_METRICS_PORT",
]  # fmt: skip


@pytest.mark.parametrize("name", DECIMAL_NAMES)
def test_a_number_is_plain_and_within_bounds(ground: Ground, name: str) -> None:
    for text in (*NUMBERS, "007", "1.1234567890123456789", "99999999999999999999999999999"):
        said = problems(ground.live(**{name: text}))
        assert said.startswith((f"{name} must be", f"{name} is empty", f"{name} holds control")), (text, said)
        assert "a plain decimal number from" in said


@pytest.mark.parametrize("name", WHOLE_NAMES)
def test_a_count_is_whole_and_within_bounds(ground: Ground, name: str) -> None:
    for text in (*NUMBERS, "1.0", "007", "99999999999999999999999999999"):
        said = problems(ground.live(**{name: text}))
        assert said.startswith((f"{name} must be a whole number from", f"{name} is empty")), (text, said)


@pytest.mark.parametrize("name", ["LIVE_TRADING", "SAFE_MODE", "KILL_SWITCH"])
@pytest.mark.parametrize("text", ["True", "TRUE", "1", "yes", "on", "true ", "'true'", "False", "0", "no", ""])
@pytest.mark.parametrize("role", ["live", "monitor"])
def test_a_switch_is_exactly_true_or_false(ground: Ground, role: str, name: str, text: str) -> None:
    environ = ground.live(**{name: text}) if role == "live" else ground.monitor(**{name: text})
    assert re.match(rf"{name} (is empty and )?must be exactly (true|false)", problems(environ))


@pytest.mark.parametrize(
    "name", sorted({*LIMITS, "STATE_DB_PATH", "APP_ROLE", "SAFE_MODE", "BTCTURK_WS_URL", "BTCBOT_PAIRS"})
)
def test_a_missing_setting_is_an_error_not_a_default(ground: Ground, name: str) -> None:
    assert f"{name} is not set" in problems(ground.live(**{name: None}))


@pytest.mark.parametrize(
    "name", sorted({name for section in (*LIVE, *MONITOR, *SANDBOX) for name in section.variables()})
)
def test_an_empty_setting_is_an_error(ground: Ground, name: str) -> None:
    for sections, environ in ((LIVE, ground.live()), (MONITOR, ground.monitor())):
        if any(name in section.variables() for section in sections):
            said = problems(environ | {name: ""})
            assert f"{name} is empty" in said
    if any(name in section.variables() for section in SANDBOX):
        with pytest.raises(ConfigurationError, match=f"{name} is empty"):
            load_sandbox_profile(ground.sandbox(**{name: ""}))


REFUSED = [
    # role, what is changed, what is said
    ("live", {"APP_ROLE": "moniter"}, "APP_ROLE must be live or monitor"),
    ("live", {"APP_ROLE": "LIVE"}, "APP_ROLE must be live or monitor"),
    ("live", {"LIVE_TRADING": "false"}, "LIVE_TRADING must be exactly true (for live; SAFE_MODE or KILL_SWITCH"),
    ("live", {"LIVE_TRADING_ACK": None}, "LIVE_TRADING_ACK is not set"),
    ("live", {"LIVE_TRADING_ACK": "none"}, "LIVE_TRADING_ACK must be exactly `real orders on 127.0.0.1:18080`"),
    ("live", {"LIVE_TRADING_ACK": "real orders on 127.0.0.1"}, "LIVE_TRADING_ACK must be exactly"),
    ("live", {"LIVE_TRADING_ACK": "Real orders on 127.0.0.1:18080"}, "LIVE_TRADING_ACK must be exactly"),
    ("live", {"LIVE_TRADING_ACK": "real orders on 127.0.0.1:18080 "}, "LIVE_TRADING_ACK must be exactly"),
    ("live", {"BTCTURK_API_URL": "http://127.0.0.1:18090"}, "`real orders on 127.0.0.1:18090`"),
    ("live", REAL_EXCHANGE, "LIVE_TRADING_ACK must be exactly `real orders on api.btcturk.com`"),
    ("monitor", {"LIVE_TRADING": "true"}, "LIVE_TRADING must be exactly false (for the monitor, which never trades)"),
    ("monitor", {"LIVE_TRADING": None}, "LIVE_TRADING is not set"),
    ("monitor", {"SAFE_MODE": "false"}, "SAFE_MODE must be exactly true (for the monitor"),
    ("monitor", {"SAFE_MODE": None}, "SAFE_MODE is not set"),
    ("monitor", {"KILL_SWITCH": "false"}, "KILL_SWITCH must be exactly true (for the monitor"),
    ("monitor", {"KILL_SWITCH": None}, "KILL_SWITCH is not set"),
    ("monitor", {"LIVE_TRADING_ACK": "None"}, "LIVE_TRADING_ACK must be exactly none"),
    ("monitor", {"LIVE_TRADING_ACK": "real orders on 127.0.0.1:18080"}, "LIVE_TRADING_ACK must be exactly none"),
    ("monitor", {"BTCBOT_STRATEGY": "ema_cross"}, "BTCBOT_STRATEGY is a setting of live and has no meaning here"),
    ("monitor", {"BTCBOT_RISK_EXPOSURE_MAX": "1"}, "BTCBOT_RISK_EXPOSURE_MAX is a setting of live"),
    ("live", {"BTCBOT_DASHBOARD_PORT": "19100"}, "BTCBOT_DASHBOARD_PORT is a setting of the monitor"),
    ("live", {"BTCBOT_SANDBOX_SEED": "1"}, "BTCBOT_SANDBOX_SEED is a setting of the sandbox"),
    ("monitor", {"BTCBOT_DASHBOARD_PORT": "19101", "BTCBOT_METRICS_PORT": "19101"}, "are the same port"),
    ("live", {"BTCBOT_METRICS_PORT": "80"}, "BTCBOT_METRICS_PORT must be a whole number from 1024 to 65535"),
    ("live", {"BTCBOT_DEPLOYMENT_ID": "x"}, "BTCBOT_DEPLOYMENT_ID must be 2 to 8 characters of A-Z and 0-9"),
    ("live", {"BTCBOT_DEPLOYMENT_ID": "NINECHARS"}, "BTCBOT_DEPLOYMENT_ID must be"),
    ("live", {"BTCBOT_DEPLOYMENT_ID": "ŞUBE"}, "BTCBOT_DEPLOYMENT_ID must be"),
    ("live", {"BTCBOT_PAIRS": "btctry"}, "BTCBOT_PAIRS must be 1 to 50 different pairs"),
    ("live", {"BTCBOT_PAIRS": "BTCTRY, ETHTRY"}, "BTCBOT_PAIRS must be"),
    ("live", {"BTCBOT_PAIRS": "BTCTRY,"}, "BTCBOT_PAIRS must be"),
    ("live", {"BTCBOT_PAIRS": "BTCTRY,BTCTRY"}, "BTCBOT_PAIRS must be"),
    ("live", {"BTCBOT_PAIRS": "BTC_TRY"}, "BTCBOT_PAIRS must be"),
    ("live", {"BTCBOT_PAIRS": '["BTCTRY"]'}, "BTCBOT_PAIRS must be"),
    ("live", {"BTCBOT_PAIRS": ",".join(f"A{number}TRY" for number in range(51))}, "BTCBOT_PAIRS must be"),
    ("live", {"BTCBOT_CANDLE_INTERVAL": "1"}, "BTCBOT_CANDLE_INTERVAL must be one of 1m, 5m, 15m, 30m, 1h, 4h"),
    ("live", {"BTCBOT_LOG_LEVEL": "info"}, "BTCBOT_LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR"),
    ("live", {"BTCBOT_SEAL": "auto"}, "BTCBOT_SEAL must be automatic or manual"),
    ("live", {"BTCBOT_ON_SHUTDOWN": "close"}, "BTCBOT_ON_SHUTDOWN must be cancel or keep"),
    ("live", {"BTCBOT_TRADING_DAY_ZONE": "Europe/Constantinopel"}, "BTCBOT_TRADING_DAY_ZONE must be a time zone"),
    ("live", {"BTCBOT_TRADING_DAY_ZONE": "Europe"}, "BTCBOT_TRADING_DAY_ZONE must be a time zone"),
    ("live", {"BTCBOT_TRADING_DAY_ZONE": "../etc/passwd"}, "BTCBOT_TRADING_DAY_ZONE must be a time zone"),
    ("live", {"BTCBOT_STRATEGY": "EMA cross"}, "BTCBOT_STRATEGY must be the name of a strategy"),
    ("live", {"BTCBOT_RISK_CURRENCY": "try"}, "BTCBOT_RISK_CURRENCY must be the code of an asset"),
    ("live", {"BTCBOT_CLOCK_RATE": "20"}, "BTCBOT_CLOCK_ANCHOR_FILE is not set, and a BTCBOT_CLOCK_RATE other than 1"),
    ("live", {"BTCBOT_CLOCK_ANCHOR_FILE": "/x"}, "BTCBOT_CLOCK_ANCHOR_FILE has no meaning while"),
    ("live", {"BTCBOT_CLOCK_RATE": "0.5"}, "BTCBOT_CLOCK_RATE must be a plain decimal number from 1 to 60"),
    ("live", {"BTCBOT_CLOCK_RATE": "61"}, "BTCBOT_CLOCK_RATE must be"),
    ("live", {"BTCBOT_CYCLE_SECONDS": "0.0005"}, "BTCBOT_CYCLE_SECONDS must be seconds as a plain decimal number"),
    (
        "live",
        {"BTCBOT_RISK_ORDER_NOTIONAL_MAX": "20001"},
        "limits contradict each other: BTCBOT_RISK_ORDER_NOTIONAL_MAX is larger than BTCBOT_RISK_POSITION_NOTIONAL_MAX",
    ),
    (
        "live",
        {"BTCBOT_RISK_EXPOSURE_MAX": "19999.99"},
        "BTCBOT_RISK_POSITION_NOTIONAL_MAX is larger than BTCBOT_RISK_EXPOSURE_MAX",
    ),
    (
        "live",
        {"BTCBOT_RISK_COLLAR_RATIO_MAX": "0.06"},
        "BTCBOT_RISK_COLLAR_RATIO_MAX is larger than BTCBOT_RISK_JUMP_RATIO_MAX",
    ),
    (
        "live",
        {"BTCBOT_RISK_OPEN_ORDERS_MAX": "4"},
        "BTCBOT_RISK_OPEN_ORDERS_PER_INSTRUMENT_MAX is larger than BTCBOT_RISK_OPEN_ORDERS_MAX",
    ),
    (
        "live",
        {"BTCBOT_RISK_ENTRIES_PER_DAY_MAX": "11"},
        "BTCBOT_RISK_ENTRIES_PER_HOUR_MAX is larger than BTCBOT_RISK_ENTRIES_PER_DAY_MAX",
    ),
    (
        "live",
        {"BTCBOT_RISK_SUBMITS_PER_MINUTE_MAX": "1"},
        "BTCBOT_RISK_SUBMITS_PER_SECOND_MAX is larger than BTCBOT_RISK_SUBMITS_PER_MINUTE_MAX",
    ),
    ("live", {"BTCBOT_RISK_ORDER_QUANTITY_MAX": "BTC:0.005"}, "BTCBOT_RISK_ORDER_QUANTITY_MAX has no number for ETH"),
    ("live", {"BTCBOT_RISK_ORDER_QUANTITY_MAX": "BTC:0,ETH:1"}, "QUANTITY_MAX must be different assets"),
    ("live", {"BTCBOT_RISK_ORDER_QUANTITY_MAX": "BTC:1,BTC:2,ETH:1"}, "BTCBOT_RISK_ORDER_QUANTITY_MAX must be"),
    ("live", {"BTCBOT_RISK_ORDER_QUANTITY_MAX": "BTC:1, ETH:1"}, "BTCBOT_RISK_ORDER_QUANTITY_MAX must be"),
    ("live", {"BTCBOT_RISK_ORDER_QUANTITY_MAX": "BTC=1,ETH=1"}, "BTCBOT_RISK_ORDER_QUANTITY_MAX must be"),
    ("live", {"BTCBOT_RISK_ORDER_QUANTITY_MAX": "BTC:1e3,ETH:1"}, "BTCBOT_RISK_ORDER_QUANTITY_MAX must be"),
    ("live", {"BTCBOT_RISK_RAMP_UP_SECONDS": "86400"}, "RAMP_UP_SECONDS and BTCBOT_RISK_RAMP_UP_RATIO are set both"),
    ("live", {"BTCBOT_RISK_RAMP_UP_RATIO": "1"}, "BTCBOT_RISK_RAMP_UP_RATIO must be a plain decimal number from 0.001"),
    (
        "live",
        {"BTCBOT_ORDER_AGE_SECONDS_MAX": "10"},
        "BTCBOT_SUBMIT_TIMEOUT_SECONDS is larger than BTCBOT_ORDER_AGE_SECONDS_MAX",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("role", "changes", "said"), REFUSED)
def test_a_mistake_is_named(ground: Ground, role: str, changes: dict[str, str | None], said: str) -> None:
    environ = ground.live(**changes) if role == "live" else ground.monitor(**changes)
    assert said in problems(environ)


@pytest.mark.parametrize(
    "text",
    [
        "[]", "1", "null", '"x"', "{", '{"fast": null}', '{"fast": [1]}', '{"fast": {"x": 1}}',
        '{"fast": 1, "fast": 2}',
        '{"Fast": 1}', '{"fast": 1e3}', '{"fast": NaN}', '{"fast": -Infinity}', '{"fast": 01}', "{'fast': 1}",
        '{"": 1}', '{"fast": 1} x', "[" * 4000, '{"fast": "' + "x" * 4096 + '"}', '{"fast":1.' + "0" * 40 + "}",
    ],
)  # fmt: skip
def test_strategy_parameters_are_a_json_object_of_scalars(ground: Ground, text: str) -> None:
    assert "BTCBOT_STRATEGY_PARAMS must be a JSON object" in problems(ground.live(BTCBOT_STRATEGY_PARAMS=text))


def test_everything_is_said_at_once(ground: Ground) -> None:
    no_url = "in lower case, without user, path, query, fragment or trailing slash"
    no_pairs = "1 to 50 different pairs of A-Z and 0-9, separated by commas without blanks (BTCTRY,ETHTRY)"
    said = problems(
        ground.live(
            SAFE_MODE="maybe",
            BTCBOT_RISK_EXPOSURE_MAX=None,
            BTCBOT_RISK_DAY_LOSS_MAX="2.000,00",
            BTCBOT_RISK_EXPOSURE="50000",
            BTCTURK_API_URL="api.btcturk.com",
            BTCBOT_PAIRS="",
            BTCTURK_API_KEY=API_KEY,
        )
    )
    assert said.split("; ") == [
        "BTCBOT_RISK_EXPOSURE is not a setting: did you mean BTCBOT_RISK_EXPOSURE_MAX?",
        "SAFE_MODE must be exactly true or false",
        f"BTCTURK_API_URL must be https://HOST[:PORT] below btcturk.com, or http://HOST[:PORT] on loopback, {no_url}",
        f"BTCBOT_PAIRS is empty and must be {no_pairs}",
        "BTCTURK_API_KEY and BTCTURK_API_KEY_FILE are both set: remove one",
        "BTCBOT_RISK_EXPOSURE_MAX is not set",
        "BTCBOT_RISK_DAY_LOSS_MAX must be a plain decimal number from 0.00000001 to 1000000000000",
    ]


def test_an_empty_environment_is_told_the_variables_of_both_roles() -> None:
    said = problems({})
    assert said.startswith("APP_ROLE is not set; LIVE_TRADING is not set; ")
    for section in COMMON:
        for name, field in section.model_fields.items():
            assert not field.is_required() or f"{field.alias} is not set" in said, name


MIRROR = {
    "BTCBOT_SANDBOX_MIRROR_API_URL": "http://127.0.0.1:28080",
    "BTCBOT_SANDBOX_MIRROR_GRAPH_URL": "http://127.0.0.1:28081",
    "BTCBOT_SANDBOX_MIRROR_WS_URL": "ws://127.0.0.1:28082",
}


def test_the_sandbox_knows_how_to_behave_and_whom_to_follow(ground: Ground) -> None:
    plain = load_sandbox_profile(ground.sandbox())
    assert (plain.venue_profile, plain.scenario, plain.mirror) == ("documented", None, None)
    scenario = ground.secret("faults.json", "[]")
    profile = load_sandbox_profile(
        ground.sandbox(**MIRROR, BTCBOT_SANDBOX_VENUE_PROFILE="contrary", BTCBOT_SANDBOX_SCENARIO=str(scenario))
    )
    assert (profile.venue_profile, profile.scenario) == ("contrary", scenario)
    assert profile.mirror == Endpoints(
        "http://127.0.0.1:28080", "http://127.0.0.1:28081", "ws://127.0.0.1:28082", is_loopback=True
    )
    assert load_sandbox_profile(ground.sandbox(BTCBOT_SANDBOX_SOURCE=str(ground.root))).source == ground.root


def test_the_mirror_of_the_command_line_overrides_and_enters_the_hash(ground: Ground) -> None:
    plain = load_sandbox_profile(ground.sandbox(**MIRROR))
    real = load_sandbox_profile(ground.sandbox(**MIRROR), mirror="https://api.btcturk.com")
    assert real.mirror == Endpoints(
        "https://api.btcturk.com", "https://graph-api.btcturk.com", "wss://ws-feed-pro.btcturk.com", is_loopback=False
    )
    assert real.config_hash != plain.config_hash
    local = ("http://127.0.0.1:1", "http://127.0.0.1:2", "ws://127.0.0.1:3")
    other = load_sandbox_profile(ground.sandbox(), mirror=local[0], mirror_graph=local[1], mirror_ws=local[2])
    assert other.mirror == Endpoints(*local, is_loopback=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mirror": "http://127.0.0.1:1"}, "--mirror needs --mirror-graph and --mirror-ws"),
        ({"mirror_ws": "ws://127.0.0.1:1"}, "belong to --mirror"),
        ({"mirror": "https://example.org", "mirror_graph": "x", "mirror_ws": "y"}, "--mirror: "),
        ({"mirror": "https://api.btcturk.com", "mirror_ws": "ws://127.0.0.1:1"}, "partly on loopback"),
    ],
)
def test_half_a_mirror_is_a_usage_error(ground: Ground, options: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        load_sandbox_profile(ground.sandbox(), **options)


def test_time_runs_as_it_does_at_the_exchange_that_is_mirrored(ground: Ground) -> None:
    scaled = {"BTCBOT_CLOCK_RATE": "20", "BTCBOT_CLOCK_ANCHOR_FILE": str(ground.root / "sandbox" / "clock_anchor")}
    assert load_sandbox_profile(ground.sandbox(**scaled, **MIRROR)).clock.rate == 20
    with pytest.raises(ConfigurationError, match="BTCBOT_CLOCK_RATE must be 1 for a mirror"):
        load_sandbox_profile(ground.sandbox(**scaled), mirror="https://api.btcturk.com")


def test_the_sandbox_is_as_strict(ground: Ground) -> None:
    for changes, said in (
        ({"APP_ROLE": "live"}, "APP_ROLE is a setting of"),
        ({"BTCTURK_API_URL": "http://127.0.0.1:1"}, "BTCTURK_API_URL is a setting of"),
        ({"BTCBOT_SANDBOX_SEAD": "1"}, "BTCBOT_SANDBOX_SEAD is not a setting: did you mean BTCBOT_SANDBOX_SEED?"),
        ({"BTCBOT_SANDBOX_SEED": "-1"}, "BTCBOT_SANDBOX_SEED must be a whole number"),
        ({"BTCBOT_SANDBOX_SPEED": "0"}, "BTCBOT_SANDBOX_SPEED must be a plain decimal number"),
        ({"BTCBOT_SANDBOX_WS_PORT": "18080"}, "are not four different ports"),
        ({"BTCBOT_SANDBOX_SOURCE": "data.csv"}, "BTCBOT_SANDBOX_SOURCE must be `generator`, or the recorded file"),
        ({"BTCBOT_SANDBOX_SOURCE": "/nowhere/data.csv"}, "BTCBOT_SANDBOX_SOURCE does not exist"),
        ({"BTCBOT_SANDBOX_SOURCE": "/dev/null"}, "BTCBOT_SANDBOX_SOURCE is not a regular file"),
        ({"BTCBOT_SANDBOX_SCENARIO": "/nowhere/faults.json"}, "BTCBOT_SANDBOX_SCENARIO does not exist"),
        ({"BTCBOT_SANDBOX_SCENARIO": str(ground.root)}, "BTCBOT_SANDBOX_SCENARIO is not a regular file"),
        ({"BTCBOT_SANDBOX_VENUE_PROFILE": "Dokumented"}, "BTCBOT_SANDBOX_VENUE_PROFILE must be a name of a-z"),
        ({"BTCBOT_SANDBOX_MIRROR_API_URL": "http://127.0.0.1:1"}, "BTCBOT_SANDBOX_MIRROR_WS_URL go together: all or"),
        (MIRROR | {"BTCBOT_SANDBOX_MIRROR_WS_URL": "wss://ws-feed-pro.btcturk.com"}, "_URL are partly on loopback"),
        (MIRROR | {"BTCBOT_SANDBOX_MIRROR_WS_URL": "ws://10.0.0.1:80"}, "_MIRROR_WS_URL must begin with wss://"),
        (
            MIRROR | {"BTCBOT_SANDBOX_SOURCE": str(ground.secret("book.txt", "x"))},
            "BTCBOT_SANDBOX_SOURCE is a recording, and a mirror is wanted",
        ),
        ({"BTCBOT_SANDBOX_DIR": "/nowhere"}, "BTCBOT_SANDBOX_DIR does not exist; `btcbot sandbox init DIR` makes it"),
        ({"BTCBOT_SANDBOX_DIR": None}, "BTCBOT_SANDBOX_DIR is not set"),
        ({"BTCBOT_PAIRS": None}, "BTCBOT_PAIRS is not set"),
        ({"BTCBOT_CLOCK_RATE": "20"}, "BTCBOT_CLOCK_ANCHOR_FILE is not set"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(said)):
            load_sandbox_profile(ground.sandbox(**changes))


def test_a_malformed_override_is_a_usage_error(ground: Ground) -> None:
    with pytest.raises(UsageError, match="--cycle-seconds must be seconds") as refused:
        load_profile(ground.live(), cycle_seconds="5s")
    assert refused.value.exit_code is ExitCode.USAGE


# ---------------------------------------------------------------------------------------------------- the hash


def test_the_hash_covers_every_setting_and_no_secret(ground: Ground) -> None:
    base = live(ground.live()).common.config_hash
    assert re.fullmatch("[0-9a-f]{16}", base)
    assert live(ground.live()).common.config_hash == base

    ground.secret("other.key", "another-key")
    ground.secret("live.secret", "b3RoZXItc2VjcmV0LW9mLXRlc3Rz")
    other_secrets = ground.live(BTCTURK_API_KEY_FILE=str(ground.root / "sandbox" / "other.key"))
    assert live(other_secrets).common.config_hash == base

    changes = {
        "BTCBOT_RISK_EXPOSURE_MAX": "50000.01", "BTCBOT_CYCLE_SECONDS": "6", "SAFE_MODE": "true",
        "BTCBOT_SEAL": "manual",
        "BTCBOT_STRATEGY_PARAMS": '{"fast": 3}', "BTCBOT_PAIRS": "ETHTRY,BTCTRY", "BTCBOT_LOG_LEVEL": "DEBUG",
        "BTCBOT_TRADING_DAY_ZONE": "UTC", "BTCBOT_METRICS_PORT": "19101", "BTCBOT_DEPLOYMENT_ID": "OTHER",
    }  # fmt: skip
    hashes = [live(ground.live(**{name: text})).common.config_hash for name, text in changes.items()]
    assert len({base, *hashes}) == len(changes) + 1


def test_equal_settings_have_equal_hashes(ground: Ground) -> None:
    base = live(ground.live()).common.config_hash
    for same in (
        {"BTCBOT_RISK_DRAWDOWN_RATIO_MAX": "0.1"},
        {"BTCBOT_RISK_EXPOSURE_MAX": "50000.00"},
        {"BTCBOT_CYCLE_SECONDS": "5.0"},
        {"BTCBOT_LOG_LEVEL": "INFO"},
        {"BTCBOT_STRATEGY_PARAMS": "{}"},
    ):
        assert live(ground.live(**same)).common.config_hash == base


def test_an_override_is_as_if_the_variable_said_it(ground: Ground) -> None:
    overridden = live(ground.live(), cycle_seconds="7.5").common
    assert overridden.cycle_seconds == Decimal("7.5")
    assert overridden.config_hash == live(ground.live(BTCBOT_CYCLE_SECONDS="7.5")).common.config_hash
    assert overridden.config_hash != live(ground.live()).common.config_hash


# ---------------------------------------------------------------------------------------------------- secrets stay in


def test_a_secret_in_the_wrong_place_is_not_repeated(ground: Ground) -> None:
    canary = "c2VjcmV0Y2FuYXJ5c2VjcmV0Y2FuYXJ5"
    names = [name for section in LIVE for name in section.variables()]
    names += ["BTCTURK_API_KEY_FILE", "BTCTURK_API_SECRET_FILE", "BTCBOT_UNKNOWN", "SAFE_MOD"]
    for name in names:
        for text in (canary, f"{canary}\n", f" {canary}", f"/{canary}", f"https://{canary}", f"https://u:{canary}@x"):
            assert canary not in whatever_is_said(ground.live(**{name: text}))
    assert canary not in problems(ground.live(BTCTURK_API_SECRET_FILE=None, BTCTURK_API_SECRET=f"{canary}!"))
    assert canary not in problems(
        ground.live(
            BTCTURK_API_KEY_FILE=None, BTCTURK_API_KEY=canary, BTCTURK_API_SECRET_FILE=None, BTCTURK_API_SECRET=canary
        )
    )


def test_a_profile_shows_no_secret(ground: Ground) -> None:
    text = repr(live(ground.live()))
    assert API_KEY not in text
    assert API_SECRET not in text


def test_secrets_by_value_are_known_even_when_nothing_loads() -> None:
    found = secrets_by_value({"BTCTURK_API_KEY": API_KEY, "BTCTURK_API_SECRET": API_SECRET, "APP_ROLE": "?"})
    assert [secret.reveal() for secret in found] == [API_KEY, API_SECRET]
    assert secrets_by_value({"BTCTURK_API_KEY": ""}) == ()


@given(
    st.dictionaries(
        st.sampled_from(sorted({name for section in LIVE for name in section.variables()})),
        st.text(max_size=30),
        max_size=6,
    )
)
def test_whatever_the_environment_holds_the_answer_is_a_profile_or_one_line(changes: dict[str, str]) -> None:
    said = whatever_is_said({"APP_ROLE": "live", **changes})
    assert len(said.splitlines()) == 1


def test_every_zone_of_the_database_is_accepted() -> None:
    from btcbot.config.forms import zone

    form = zone()
    for name in available_timezones():
        assert form(name) == name
