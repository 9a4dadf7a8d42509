"""What deploy/up writes to var/."""

import stat
from pathlib import Path

import envfile

from tests.deploy.stand_in import replace_in


def test_prepare_writes_private_files_and_keeps_what_is_there(checkout) -> None:
    assert checkout.up("prepare").returncode == 0
    for path in (checkout.var, *checkout.var.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    key = checkout.var / "lib/sandbox/live.key"
    key.write_text("mine\n")
    before = {path: path.read_bytes() for path in checkout.var.rglob("*") if path.is_file()}
    assert checkout.up("prepare").returncode == 0
    assert {path: path.read_bytes() for path in checkout.var.rglob("*") if path.is_file()} == before


def test_options_reach_the_right_variables(checkout, short_tmp: Path) -> None:
    record = short_tmp / "record.json"
    record.write_text("{}")
    options = (
        f"--seed 7 --source {record} --speed 2.5 --pairs BTCUSDT,ETHUSDT --currency USDT "
        "--clock-rate 1 --cycle-seconds 3 --ports 31000"
    )
    done = checkout.up("prepare", *options.split())
    assert done.returncode == 0, done.stderr
    live, monitor, sandbox = (envfile.read(checkout.var / f"env/{role}.env") for role in ("live", "monitor", "sandbox"))
    assert (
        sandbox.items()
        >= {
            "BTCBOT_SANDBOX_SEED": "7",
            "BTCBOT_SANDBOX_SOURCE": str(record),
            "BTCBOT_SANDBOX_SPEED": "2.5",
            "BTCBOT_SANDBOX_API_PORT": "31000",
            "BTCBOT_SANDBOX_ADMIN_PORT": "31003",
        }.items()
    )
    for variables in (live, monitor, sandbox):
        assert (variables["BTCBOT_PAIRS"], variables["BTCBOT_CLOCK_RATE"]) == ("BTCUSDT,ETHUSDT", "1")
        assert "BTCBOT_CLOCK_ANCHOR_FILE" not in variables
    for worker in (live, monitor):
        assert worker["BTCBOT_CYCLE_SECONDS"] == "3"
        assert worker["BTCTURK_API_URL"] == "http://127.0.0.1:31000"
        assert worker["BTCTURK_GRAPH_URL"] == "http://127.0.0.1:31001"
        assert worker["BTCTURK_WS_URL"] == "ws://127.0.0.1:31002"
    assert live["BTCBOT_RISK_CURRENCY"] == "USDT"
    assert "BTCBOT_RISK_CURRENCY" not in monitor
    assert live["LIVE_TRADING_ACK"] == "real orders on 127.0.0.1:31000"
    assert monitor["LIVE_TRADING_ACK"] == "none"
    assert live["STATE_DB_PATH"] == str(checkout.var / "lib/live/live.db")


def test_a_hand_edited_copy_stays_and_is_mentioned(checkout) -> None:
    assert checkout.up("prepare").returncode == 0
    path = checkout.var / "env/live.env"
    replace_in(path, "BTCBOT_ORDER_AGE_SECONDS_MAX=60", "BTCBOT_ORDER_AGE_SECONDS_MAX=61")
    edited = path.read_text()
    again = checkout.up("prepare", "--seed", "3")
    assert again.returncode == 0
    assert f"{path} was edited by hand and stays as it is" in again.stderr
    assert path.read_text() == edited
    refused = checkout.up("prepare", "--pairs", "BTCTRY")
    assert refused.returncode == 78
    assert "the options given cannot be applied" in refused.stderr
    assert path.read_text() == edited
    assert "BTCTRY,ETHTRY" in envfile.read(checkout.var / "env/sandbox.env")["BTCBOT_PAIRS"]
    path.unlink()
    assert checkout.up("prepare", "--pairs", "BTCTRY").returncode == 0
    assert envfile.read(path)["BTCBOT_PAIRS"] == "BTCTRY"


def test_a_broken_env_copy_is_named(checkout) -> None:
    assert checkout.up("prepare").returncode == 0
    replace_in(checkout.var / "env/live.env", "APP_ROLE=live", "APP_ROLE")
    failed = checkout.up("start")
    assert failed.returncode == 78
    assert f"{checkout.var}/env/live.env:" in failed.stderr
    assert "no '='" in failed.stderr


def test_without_an_installed_btcbot_the_next_step_is_told(checkout) -> None:
    (checkout.root / ".venv/bin/btcbot").unlink()
    refused = checkout.up("start")
    assert refused.returncode == 78
    assert "Next: run `make env`" in refused.stderr
