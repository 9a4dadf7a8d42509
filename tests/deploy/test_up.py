"""deploy/up with a real supervisord, around a stand-in for btcbot."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import envfile
import pytest

PROGRAMS = ("btcbot-sandbox", "btcbot-monitor", "btcbot-live")


def pids(checkout) -> dict[str, int]:
    return {name: int(checkout.supervisorctl("pid", name).stdout) for name in PROGRAMS}


def is_alive(pid: int) -> bool:
    """A process that ended and waits for its parent is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_start_brings_all_up_and_stop_leaves_nothing(checkout) -> None:
    started = checkout.start()
    assert started.returncode == 0, started.stderr
    assert "btcbot runs: live trades BTCTRY,ETHTRY,SOLTRY,AVAXTRY,XRPTRY on the sandbox" in started.stdout
    assert str(checkout.var / "lib/live/live.db") in started.stdout
    running = pids(checkout)
    assert checkout.supervisorctl("status").stdout.count("RUNNING") == 4

    again = checkout.up("start")
    assert again.returncode == 0, again.stderr
    assert pids(checkout) == running

    stopped = checkout.up("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "stopped, no process is left\n")
    assert not [name for name, pid in running.items() if is_alive(pid)]
    assert checkout.up("stop").stdout == "nothing runs\n"


def test_an_operator_controls_single_programs_from_any_directory(checkout) -> None:
    assert checkout.start().returncode == 0
    for name in ("btcbot-live", "btcbot-monitor"):
        before = pids(checkout)
        assert checkout.supervisorctl("restart", name).returncode == 0
        after = pids(checkout)
        assert after.pop(name) != before.pop(name)
        assert after == before
        assert checkout.supervisorctl("stop", name).returncode == 0
        assert checkout.supervisorctl("status", name).returncode == 3
        assert checkout.supervisorctl("start", name).returncode == 0
    assert checkout.supervisorctl("stop", "btcbot-live").returncode == 0
    assert checkout.up("start").returncode == 0
    assert checkout.supervisorctl("status").stdout.count("RUNNING") == 4


def test_a_killed_program_is_restarted_and_told_about(checkout) -> None:
    assert checkout.start().returncode == 0
    killed = pids(checkout)["btcbot-live"]
    os.kill(killed, signal.SIGKILL)
    assert checkout.up("start").returncode == 0
    assert pids(checkout)["btcbot-live"] != killed
    lines = [json.loads(line) for line in (checkout.var / "log/state-listener.log").read_text().splitlines()]
    exited = [line for line in lines if line["state"] == "EXITED"]
    assert [(line["process"], line["pid"], line["level"]) for line in exited] == [("btcbot-live", killed, "ERROR")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_follows_the_logs_until_a_signal_and_leaves_nothing(checkout, number: signal.Signals) -> None:
    command = checkout.command("run", "--ports", str(checkout.ports), "--startsecs", "1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "following the logs" in line:
                break
        running = pids(checkout)
        assert checkout.supervisorctl("restart", "btcbot-live").returncode == 0
        followed = next(line for line in process.stdout if "live_started" in line)
        process.send_signal(number)
        _, narrated = process.communicate(timeout=50)
    assert process.returncode == 0
    assert followed.startswith("03:04:05 live     info     live_started pid=")
    assert narrated.endswith("up: stopped, no process is left\n")
    assert not [pid for pid in running.values() if is_alive(pid)]


def test_an_interrupted_start_leaves_nothing(checkout) -> None:
    command = checkout.command("start", "--ports", str(checkout.ports), "--startsecs", "30")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "starting" in process.stderr.readline()
        running = pids(checkout)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=50)
    assert process.returncode == 130
    assert not [pid for pid in running.values() if is_alive(pid)]


def test_a_program_that_refuses_to_start_is_shown_and_nothing_is_left(checkout) -> None:
    assert checkout.up("prepare", "--ports", str(checkout.ports)).returncode == 0
    replace_in(checkout.var / "env/live.env", "BTCBOT_LOG_LEVEL=INFO", "BTCBOT_LOG_LEVEL=BROKEN")
    failed = checkout.up("start", "--startsecs", "1")
    assert failed.returncode == 1
    assert "btcbot-live is fatal. The end of " in failed.stderr
    assert "btcbot: BTCBOT_LOG_LEVEL is wrong. Next: correct it." in failed.stderr
    assert checkout.up("stop").stdout == "nothing runs\n"


def test_a_broken_env_copy_is_named(checkout) -> None:
    assert checkout.up("prepare").returncode == 0
    replace_in(checkout.var / "env/live.env", "APP_ROLE=live", "APP_ROLE")
    failed = checkout.up("start")
    assert failed.returncode == 78
    assert f"{checkout.var}/env/live.env:" in failed.stderr
    assert "no '='" in failed.stderr


def test_a_taken_port_is_named_before_anything_starts(checkout) -> None:
    with socket.create_server(("127.0.0.1", checkout.ports + 2)):
        refused = checkout.start()
    assert refused.returncode == 1
    assert f"another process has 127.0.0.1 port {checkout.ports + 2} (BTCBOT_SANDBOX_WS_PORT)" in refused.stderr
    assert not (checkout.var / "log/supervisord.log").exists()


def test_what_outlives_its_supervisord_is_found_and_stopped(checkout) -> None:
    assert checkout.start().returncode == 0
    running = pids(checkout)
    os.kill(int((checkout.var / "run/supervisord.pid").read_text()), signal.SIGKILL)
    refused = checkout.start()
    assert refused.returncode == 1
    assert "without their supervisord" in refused.stderr
    assert checkout.up("stop").stdout == "stopped, no process is left\n"
    assert not [pid for pid in running.values() if is_alive(pid)]
    assert checkout.start().returncode == 0


def test_without_loopback_endpoints_there_is_no_sandbox(checkout) -> None:
    assert checkout.up("prepare", "--ports", str(checkout.ports)).returncode == 0
    for role in ("live", "monitor"):
        path = checkout.var / f"env/{role}.env"
        replace_in(path, f"http://127.0.0.1:{checkout.ports}\n", "https://api.example.org\n")
    started = checkout.up("start", "--startsecs", "1")
    assert started.returncode == 0, started.stderr
    assert "on the exchange at https://api.example.org" in started.stdout
    status = checkout.supervisorctl("status").stdout
    assert "btcbot-live" in status
    assert "btcbot-sandbox" not in status


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
        f"--seed 7 --source {record} --speed 2.5 --pairs BTCTRY,ETHTRY --clock-rate 1 --cycle-seconds 3 --ports 31000"
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
        assert (variables["BTCBOT_PAIRS"], variables["BTCBOT_CLOCK_RATE"]) == ("BTCTRY,ETHTRY", "1")
        assert "BTCBOT_CLOCK_ANCHOR_FILE" not in variables
    for worker in (live, monitor):
        assert worker["BTCBOT_CYCLE_SECONDS"] == "3"
        assert worker["BTCTURK_API_URL"] == "http://127.0.0.1:31000"
        assert worker["BTCTURK_GRAPH_URL"] == "http://127.0.0.1:31001"
        assert worker["BTCTURK_WS_URL"] == "ws://127.0.0.1:31002"
    assert live["LIVE_TRADING_ACK"] == "real orders on 127.0.0.1:31000"
    assert monitor["LIVE_TRADING_ACK"] == "none"
    assert live["STATE_DB_PATH"] == str(checkout.var / "lib/live/live.db")


@pytest.mark.parametrize(
    "words",
    [
        ["prepare", "--seed", "x"],
        ["prepare", "--seed", "-1"],
        ["prepare", "--speed", "1,5"],
        ["prepare", "--speed", "1e3"],
        ["prepare", "--speed", "0"],
        ["prepare", "--clock-rate", "NaN"],
        ["prepare", "--ports", "80"],
        ["prepare", "--source", "/nowhere/file"],
        ["prepare", "--unknown"],
        ["prepare", "--se", "1"],
        ["dance"],
        [],
    ],
)
def test_wrong_usage_is_one_line_and_64(checkout, words: list[str]) -> None:
    refused = checkout.up(*words)
    assert (refused.returncode, refused.stdout) == (64, "")
    assert refused.stderr.count("\n") == 1
    assert not checkout.var.exists()


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
    path.unlink()
    assert checkout.up("prepare", "--pairs", "BTCTRY").returncode == 0
    assert envfile.read(path)["BTCBOT_PAIRS"] == "BTCTRY"


def test_other_options_are_refused_while_it_runs(checkout) -> None:
    assert checkout.start("--seed", "5").returncode == 0
    before = (checkout.var / "env/sandbox.env").read_text()
    assert checkout.start("--seed", "5").returncode == 0
    refused = checkout.start("--seed", "6")
    assert refused.returncode == 1
    assert "runs already, with other options" in refused.stderr
    assert (checkout.var / "env/sandbox.env").read_text() == before


def test_a_deep_path_is_refused_with_its_length(make_checkout, short_tmp: Path) -> None:
    deep = make_checkout(short_tmp / ("d" * 90))
    refused = deep.up("start", "--ports", str(deep.ports))
    socket_path = deep.var / "run/supervisor.sock.4194304"
    assert refused.returncode == 78
    assert f"{len(str(socket_path))} bytes" in refused.stderr
    assert str(socket_path) in refused.stderr
    assert "--root" in refused.stderr

    short = short_tmp / "s"
    started = deep.up("start", "--ports", str(deep.ports), "--startsecs", "1", "--root", str(short))
    assert started.returncode == 0, started.stderr
    assert f"supervisorctl -c {short}/var/supervisord.conf status" in started.stdout
    assert not (deep.root / ".venv/etc/supervisord.conf").exists()
    assert deep.up("stop", "--root", str(short)).stdout == "stopped, no process is left\n"


def test_a_path_with_blanks_works(make_checkout, short_tmp: Path) -> None:
    checkout = make_checkout(short_tmp / "a b")
    started = checkout.start()
    assert started.returncode == 0, started.stderr
    assert checkout.supervisorctl("restart", "btcbot-live").returncode == 0
    assert checkout.up("stop").returncode == 0


def test_without_an_installed_btcbot_the_next_step_is_told(checkout) -> None:
    (checkout.root / ".venv/bin/btcbot").unlink()
    refused = checkout.up("start")
    assert refused.returncode == 78
    assert "Next: run `make env`" in refused.stderr


def test_two_starts_at_once_make_one_set_of_processes(checkout) -> None:
    command = checkout.command("start", "--ports", str(checkout.ports), "--startsecs", "1")
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=50) and process.returncode for process in both] == [0, 0]
    assert checkout.supervisorctl("status").stdout.count("RUNNING") == 4


def test_health_is_ok_and_warn_and_nothing_else(short_tmp: Path) -> None:
    healthcheck = Path(__file__).resolve().parents[2] / "deploy/healthcheck"
    shutil.copy(healthcheck, short_tmp / "healthcheck.py")
    ask = "import sys; sys.path.insert(0, sys.argv[1]); import healthcheck; sys.exit(healthcheck.main(sys.argv[2:], 5))"

    def code(*command: str) -> int:
        return subprocess.run(
            [sys.executable, "-Bc", ask, str(short_tmp), *command], capture_output=True, timeout=30
        ).returncode

    assert [code("sh", "-c", f"exit {answer}") for answer in (0, 1, 2, 3, 73, 78)] == [0, 0, 1, 1, 1, 1]
    assert code("/nowhere/btcbot") == 1
    assert code("sleep", "60") == 1
