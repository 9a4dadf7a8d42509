"""The recorder's settings: a place, pairs and endpoints, as strict as the workers', and never a key."""

from datetime import timedelta
from pathlib import Path

import pytest

from btcbot.config.settings import load_profile, load_record_profile
from btcbot.domain.errors import ConfigurationError, UsageError
from tests.unit.config.environments import REAL_EXCHANGE, Ground

LOCAL = {
    "BTCTURK_API_URL": "http://127.0.0.1:18080",
    "BTCTURK_GRAPH_URL": "http://127.0.0.1:18081",
    "BTCTURK_WS_URL": "ws://127.0.0.1:18082",
}


def recorder(directory: Path, **changes: str | None) -> dict[str, str]:
    environ = {"BTCBOT_RECORD_DIR": str(directory), "BTCBOT_PAIRS": "BTCTRY,ETHTRY", **LOCAL, **changes}
    return {name: text for name, text in environ.items() if text is not None}


def problems(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_record_profile(environ)
    return str(refused.value)


def test_a_place_pairs_and_endpoints_are_enough(tmp_path: Path) -> None:
    profile = load_record_profile(recorder(tmp_path))
    assert (profile.directory, profile.pairs) == (tmp_path, ("BTCTRY", "ETHTRY"))
    assert (profile.bytes_max, profile.duration, profile.log_level) == (20_000_000_000, None, "INFO")
    assert profile.endpoints.ws_url == "ws://127.0.0.1:18082"
    assert load_record_profile(recorder(tmp_path, **REAL_EXCHANGE)).endpoints.is_loopback is False


def test_every_pair_of_the_exchange_can_be_recorded(tmp_path: Path) -> None:
    pairs = ",".join(f"C{number}TRY" for number in range(379))
    assert len(load_record_profile(recorder(tmp_path, BTCBOT_PAIRS=pairs)).pairs) == 379


def test_hours_end_it(tmp_path: Path) -> None:
    assert load_record_profile(recorder(tmp_path), hours="0.5").duration == timedelta(minutes=30)
    for text in ("0", "-1", "1e3", "soon", ""):
        with pytest.raises(UsageError, match="--hours"):
            load_record_profile(recorder(tmp_path), hours=text)


@pytest.mark.parametrize("name", ["BTCTURK_API_KEY", "BTCTURK_API_KEY_FILE", "BTCTURK_API_SECRET", "STATE_DB_PATH"])
def test_a_key_has_no_business_here(tmp_path: Path, name: str) -> None:
    assert f"{name} is a setting of" in problems(recorder(tmp_path, **{name: "x" * 20}))


@pytest.mark.parametrize("name", ["BTCBOT_RECORD_DIR", "BTCBOT_PAIRS", *LOCAL])
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    assert f"{name} is not set" in problems(recorder(tmp_path, **{name: None}))


def test_a_misspelt_setting_is_named(tmp_path: Path) -> None:
    said = problems(recorder(tmp_path, BTCBOT_RECORD_BYTE_MAX="1000000000"))
    assert "did you mean BTCBOT_RECORD_BYTES_MAX?" in said


def test_the_directory_must_be_there(tmp_path: Path) -> None:
    assert "BTCBOT_RECORD_DIR does not exist" in problems(recorder(tmp_path / "missing"))


def test_time_runs_at_its_own_rate_only_on_loopback(tmp_path: Path) -> None:
    anchor = tmp_path / "clock_anchor"
    anchor.write_text("2026-01-31T09:30:00Z\n")
    scaled = {"BTCBOT_CLOCK_RATE": "20", "BTCBOT_CLOCK_ANCHOR_FILE": str(anchor)}
    assert load_record_profile(recorder(tmp_path, **scaled)).clock.rate == 20
    assert "BTCBOT_CLOCK_RATE must be 1" in problems(recorder(tmp_path, **scaled, **REAL_EXCHANGE))


def test_the_workers_know_whose_settings_these_are(ground: Ground) -> None:
    for environ in (ground.live(BTCBOT_RECORD_DIR="/tmp"), ground.monitor(BTCBOT_RECORD_DIR="/tmp")):
        with pytest.raises(ConfigurationError, match="BTCBOT_RECORD_DIR is a setting of the recorder"):
            load_profile(environ)
