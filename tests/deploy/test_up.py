"""deploy/up with a real supervisord, around a stand-in for btcbot."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.deploy.stand_in import is_alive, replace_in

# ------------------------------------------------------------------------------------------- one that runs all the time


def test_another_start_leaves_what_runs_as_it_is(running) -> None:
    before = running.pids()
    again = running.up("start", "--seed", "5")
    assert again.returncode == 0, again.stderr
    assert "btcbot runs: live trades BTCTRY,ETHTRY,SOLTRY,AVAXTRY,XRPTRY on the sandbox" in again.stdout
    assert str(running.var / "lib/live/live.db") in again.stdout
    assert len(before) == 4
    assert running.pids() == before


def test_an_operator_controls_single_programs_from_any_directory(running) -> None:
    for name in ("btcbot-live", "btcbot-monitor"):
        before = running.pids()
        assert running.supervisorctl("restart", name).returncode == 0
        after = running.pids()
        assert after.pop(name) != before.pop(name)
        assert after == before
        assert running.supervisorctl("stop", name).returncode == 0
        assert running.supervisorctl("status", name).returncode == 3
    assert running.supervisorctl("start", "btcbot-monitor").returncode == 0
    assert running.up("start").returncode == 0
    assert len(running.pids()) == 4


def test_a_killed_program_is_restarted_and_told_about(running) -> None:
    killed = running.pids()["btcbot-live"]
    os.kill(killed, signal.SIGKILL)
    assert running.up("start").returncode == 0
    assert running.pids()["btcbot-live"] != killed
    lines = [json.loads(line) for line in (running.var / "log/state-listener.log").read_text().splitlines()]
    exited = [line for line in lines if line["state"] == "EXITED" and line["pid"] == killed]
    assert [(line["process"], line["level"]) for line in exited] == [("btcbot-live", "ERROR")]


@pytest.mark.parametrize("command", ["start", "prepare"])
def test_other_options_are_refused_while_it_runs(running, command: str) -> None:
    before = (running.var / "env/sandbox.env").read_text()
    refused = running.up(command, "--seed", "6")
    assert refused.returncode == 1
    assert "runs already, with other options" in refused.stderr
    assert (running.var / "env/sandbox.env").read_text() == before


def test_the_books_are_not_moved_while_it_runs(running) -> None:
    refused = running.up("fresh")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "up: btcbot runs. Next: stop it first, with `make stop`\n"
    assert (running.var / "lib/sandbox/live.key").exists()


# ------------------------------------------------------------------------------------------------ starting and stopping


def test_two_starts_at_once_make_one_set_and_stop_leaves_nothing(checkout) -> None:
    command = checkout.command("start", "--ports", str(checkout.ports), "--startsecs", "1")
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate(timeout=50) and process.returncode for process in both] == [0, 0]
    running = checkout.pids()
    assert len(running) == 4
    stopped = checkout.up("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "stopped, no process is left\n")
    assert not [name for name, pid in running.items() if is_alive(pid)]
    assert checkout.up("stop").stdout == "nothing runs\n"


def test_run_follows_the_logs_until_a_signal_and_leaves_nothing(make_checkout, short_tmp: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    checkouts = [make_checkout(short_tmp / number.name) for number in numbers]
    runs = [
        subprocess.Popen(
            one.command("run", "--ports", str(one.ports), "--startsecs", "1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for one in checkouts
    ]  # fmt: skip
    running = []
    for checkout, process in zip(checkouts, runs, strict=True):
        assert any("following the logs" in line for line in process.stderr)
        running.append(checkout.pids())
        os.kill(running[-1]["btcbot-live"], signal.SIGKILL)
    followed = [next(line for line in process.stdout if "live_started" in line) for process in runs]
    for process, number in zip(runs, numbers, strict=True):
        process.send_signal(number)
    for process, line, before in zip(runs, followed, running, strict=True):
        _, narrated = process.communicate(timeout=50)
        assert process.returncode == 0
        assert line.startswith("03:04:05 live     info     live_started pid=")
        assert narrated.endswith("up: stopped, no process is left\n")
        assert len(before) == 4
        assert not [pid for pid in before.values() if is_alive(pid)]


def test_an_interrupted_start_leaves_nothing(checkout) -> None:
    command = checkout.command("start", "--ports", str(checkout.ports), "--startsecs", "30")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert "starting" in process.stderr.readline()
        running = [int(pid) for pid in checkout.supervisorctl("pid", "all").stdout.split()]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=50)
    assert process.returncode == 130
    assert len(running) == 4
    assert not [pid for pid in running if is_alive(pid)]


def test_a_program_that_refuses_to_start_is_shown_and_nothing_is_left(checkout) -> None:
    assert checkout.up("prepare", "--ports", str(checkout.ports)).returncode == 0
    replace_in(checkout.var / "env/live.env", "BTCBOT_LOG_LEVEL=INFO", "BTCBOT_LOG_LEVEL=BROKEN")
    # supervisord waits longer from try to try.
    replace_in(checkout.root / "deploy/rendering.py", 'START_RETRIES = "3"', 'START_RETRIES = "1"')
    failed = checkout.up("start", "--startsecs", "1")
    assert failed.returncode == 1
    assert "btcbot-live is fatal. The end of " in failed.stderr
    assert "btcbot: BTCBOT_LOG_LEVEL is wrong. Next: correct it." in failed.stderr
    assert checkout.up("stop").stdout == "nothing runs\n"


def test_a_taken_port_is_named_before_anything_starts(checkout) -> None:
    with socket.create_server(("127.0.0.1", checkout.ports + 2)):
        refused = checkout.start()
    assert refused.returncode == 1
    assert f"another process has 127.0.0.1 port {checkout.ports + 2} (BTCBOT_SANDBOX_WS_PORT)" in refused.stderr
    assert not (checkout.var / "log/supervisord.log").exists()


def test_what_outlives_its_supervisord_is_found_and_stopped(checkout) -> None:
    assert checkout.start().returncode == 0
    running = checkout.pids()
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
    started = checkout.up("start", "--startsecs", "0")
    assert started.returncode == 0, started.stderr
    assert "on the exchange at https://api.example.org" in started.stdout
    status = checkout.supervisorctl("status").stdout
    assert "btcbot-live" in status
    assert "btcbot-sandbox" not in status


def test_a_deep_path_is_refused_with_its_length(make_checkout, short_tmp: Path) -> None:
    deep = make_checkout(short_tmp / ("d" * 90))
    refused = deep.up("start", "--ports", str(deep.ports))
    socket_path = deep.var / "run/supervisor.sock.4194304"
    assert refused.returncode == 78
    assert f"{len(str(socket_path))} bytes" in refused.stderr
    assert str(socket_path) in refused.stderr
    assert "--root" in refused.stderr

    short = short_tmp / "s"
    started = deep.start("--root", str(short))
    assert started.returncode == 0, started.stderr
    assert f"supervisorctl -c {short}/var/supervisord.conf status" in started.stdout
    assert not (deep.root / ".venv/etc/supervisord.conf").exists()
    assert deep.up("stop", "--root", str(short)).stdout == "stopped, no process is left\n"
