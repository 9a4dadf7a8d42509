"""A misspelt setting is found, and what is nobody's setting is left alone."""

import pytest

from btcbot.config.names import name_problems

KNOWN = ("APP_ROLE", "STATE_DB_PATH", "LIVE_TRADING", "LIVE_TRADING_ACK", "SAFE_MODE", "KILL_SWITCH",
"BTCTURK_API_KEY_FILE",
         "BTCBOT_RISK_EXPOSURE_MAX", "BTCBOT_PAIRS", "BTCBOT_LOG_LEVEL")  # fmt: skip


def said(name: str) -> list[str]:
    return list(name_problems([name], KNOWN, {"BTCBOT_STRATEGY": "live"}))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BTCBOT_RISK_EXPOSURE_MAXIMUM", "BTCBOT_RISK_EXPOSURE_MAX"),
        ("BTCBOT_RISK_EXPOSURE", "BTCBOT_RISK_EXPOSURE_MAX"),
        ("BTCBOT_PAIR", "BTCBOT_PAIRS"),
        ("BTCTURK_API_KEYFILE", "BTCTURK_API_KEY_FILE"),
        ("BTCBOT_loglevel", "BTCBOT_LOG_LEVEL"),
    ],
)
def test_a_misspelt_name_with_a_prefix_is_guessed(name: str, meant: str) -> None:
    assert said(name) == [f"{name} is not a setting: did you mean {meant}?"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("APPROLE", "APP_ROLE"), ("APP_ROLES", "APP_ROLE"), ("app_role", "APP_ROLE"), ("SAFEMODE", "SAFE_MODE"),
        ("SAFE_MOD", "SAFE_MODE"), ("KILLSWITCH", "KILL_SWITCH"), ("KILL_SWICH", "KILL_SWITCH"),
        ("LIVE_TRADNG", "LIVE_TRADING"), ("LIVE_TRADING_ACKNOWLEDGE", "LIVE_TRADING_ACK"), ("STATE_DBPATH",
         "STATE_DB_PATH"),
        ("STATEDB_PATH", "STATE_DB_PATH"), ("BTCBOTT_PAIRS", "BTCBOT_PAIRS"), ("btcbot_pairs", "BTCBOT_PAIRS"),
    ],
)  # fmt: skip
def test_a_misspelt_name_without_a_prefix_is_guessed(name: str, meant: str) -> None:
    assert said(name) == [f"{name} looks like a setting and is none: did you mean {meant}?"]


def test_a_prefix_alone_makes_it_ours() -> None:
    assert said("BTCBOT_COLOUR") == ["BTCBOT_COLOUR is not a setting"]
    assert said("BTCTURK_") == ["BTCTURK_ is not a setting"]


def test_a_setting_of_another_role_is_told_apart_from_a_misspelling() -> None:
    assert said("BTCBOT_STRATEGY") == ["BTCBOT_STRATEGY is a setting of live and has no meaning here: remove it"]


@pytest.mark.parametrize(
    "name",
    ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "SHELL", "TERM", "PWD", "OLDPWD", "HOSTNAME", "MODE",
     "ROLE", "DB_PATH",
     "STATE", "DATABASE_URL", "API_KEY", "LOG_LEVEL", "NO_COLOR", "PYTHONUNBUFFERED", "SUPERVISOR_ENABLED",
     "APP_ENV", "APP_HOME",
     "XDG_STATE_HOME", "STATE_DIRECTORY", "RUNTIME_DIRECTORY", "SSH_AUTH_SOCK", "BTCBOT", ""],
)  # fmt: skip
def test_what_is_nobodys_setting_is_left_alone(name: str) -> None:
    assert said(name) == []


def test_an_odd_name_is_shown_harmlessly() -> None:
    assert said("BTCBOT_\n\x1b[31m") == ["'BTCBOT_\\n\\x1b[31m' is not a setting"]
    (line,) = said("BTCBOT_" + "X" * 10_000)
    assert len(line) < 100
