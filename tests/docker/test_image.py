"""The image as it is really built and run: three programs, an operator's commands, stops in time and too early."""

import json
import subprocess
from pathlib import Path

import pytest

SANDBOX, MONITOR, LIVE = "btcbot-sandbox", "btcbot-monitor", "btcbot-live"
PROJECT = Path(__file__).resolve().parents[2]
RUN_DIRECTORY = "/run/btcbot:uid=10001,gid=10001,mode=0700"


def json_lines(lines):
    """Every line must be a JSON object: whoever reads a container's log with a program relies on it."""
    read = [json.loads(line) for line in lines]
    assert all(isinstance(line, dict) for line in read)
    return read


def test_a_bare_run_trades_on_the_sandbox_and_obeys_its_operator(start) -> None:
    container = start()
    container.wait_until_running(SANDBOX, MONITOR, LIVE)
    container.wait_until_healthy()

    for program in (LIVE, MONITOR):
        pid = container.run("supervisorctl", "pid", program).stdout
        container.run("supervisorctl", "restart", program)
        assert container.run("supervisorctl", "pid", program).stdout != pid
        container.run("supervisorctl", "stop", program)
        assert container.states()[program] == "STOPPED"
        container.run("supervisorctl", "start", program)
        assert container.states() == container.states() | {SANDBOX: "RUNNING", MONITOR: "RUNNING", LIVE: "RUNNING"}
    container.wait_until_healthy()

    container.engine.docker("stop", "-t", "60", container.name)
    assert container.inspect("{{.State.ExitCode}} {{.State.OOMKilled}}") == "0 false"
    out, _ = container.logs()
    lines = json_lines(out)
    # The listener is stopped too, so the very last changes may be missing; that live goes first is told.
    changes = [(line["process"], line["state"]) for line in lines if line.get("event") == "process_state_changed"]
    last_running = max(place for place, (_, state) in enumerate(changes) if state == "RUNNING")
    assert changes[last_running + 1 :][:2] == [(LIVE, "STOPPING"), (LIVE, "STOPPED")]
    assert not [line for line in lines if line.get("state") in ("FATAL", "BACKOFF")]


@pytest.mark.slow
def test_it_runs_read_only_without_capabilities(start) -> None:
    container = start(
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--pids-limit=128",
        "--tmpfs",
        RUN_DIRECTORY,
    )
    container.wait_until_running(SANDBOX, MONITOR, LIVE)
    container.wait_until_healthy()
    assert container.run("id", "-u").stdout == "10001\n"
    assert container.run("touch", "/opt/btcbot/x", check=False).returncode != 0


@pytest.mark.slow
def test_a_clean_stop_and_an_early_kill_are_both_survived(start, volume: str) -> None:
    data = ("--volume", f"{volume}:/var/lib/btcbot")
    first = start(*data)
    first.wait_until_healthy()
    first.engine.docker("stop", "-t", "60", first.name)
    assert first.inspect("{{.State.ExitCode}}") == "0"

    second = start(*data)
    second.wait_until_healthy()
    second.engine.docker("kill", second.name)
    assert second.inspect("{{.State.ExitCode}}") == "137"

    # The same container again, with what the kill left in its run directory, and then a new one with the same data.
    second.engine.docker("start", second.name)
    second.wait_until_healthy()
    second.engine.docker("stop", "-t", "1", second.name)

    third = start(*data)
    third.wait_until_running(SANDBOX, MONITOR, LIVE)
    third.wait_until_healthy()
    for container in (first, second, third):
        assert not [line for line in json_lines(container.logs()[0]) if line.get("state") == "FATAL"]


def test_mounted_production_settings_run_without_the_sandbox(start, tmp_path: Path) -> None:
    """One endpoint elsewhere is enough. Live refuses the mixture; the container stays up and is not healthy."""
    mounts = []
    for role in ("live", "monitor"):
        text = (PROJECT / "deploy" / "env" / f"{role}.env").read_text()
        mounted = tmp_path / f"{role}.env"
        mounted.write_text(text.replace("http://127.0.0.1:18080", "https://api.btcturk.com"))
        mounted.chmod(0o644)
        mounts += ["--volume", f"{mounted}:/etc/btcbot/{role}.env:ro"]
    container = start("--network=none", *mounts)
    container.wait_for("live refused", lambda: container.states().get(LIVE) in ("BACKOFF", "FATAL"), 60)
    assert SANDBOX not in container.states()
    assert not container.is_healthy()
    assert container.inspect("{{.State.Running}}") == "true"


@pytest.mark.slow
def test_the_production_form_keeps_the_sandbox_out_of_the_data_volume(start, volume: str, tmp_path: Path) -> None:
    """The command in the Dockerfile: two mounted files, keys, a data volume; and no network, so nothing is reached."""
    keys = ("live.key", "live.secret", "monitor.key", "monitor.secret")
    mounts = ["--volume", f"{volume}:/var/lib/btcbot"]
    for role in ("live", "monitor"):
        mounted = tmp_path / f"{role}.env"
        mounted.write_text(in_production((PROJECT / "deploy" / "env" / f"{role}.env").read_text()))
        mounted.chmod(0o644)
        mounts += ["--volume", f"{mounted}:/etc/btcbot/{role}.env:ro"]
    # The keys are made inside, as their owner; elsewhere they lie on the server.
    make = f"for name in {' '.join(keys)}; do echo a made-up $name | base64 > $name; done"
    made = start(
        *mounts, command=("sh", "-c", f"umask 077 && mkdir /var/lib/btcbot/keys && cd /var/lib/btcbot/keys && {make}")
    )
    made.wait_for("keys made", lambda: made.inspect("{{.State.Status}}") == "exited", 30)
    assert made.inspect("{{.State.ExitCode}}") == "0"

    hardened = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs", RUN_DIRECTORY)
    container = start("--network=none", *hardened, *mounts)
    container.wait_until_running(MONITOR, LIVE)
    container.wait_for(
        "told", lambda: any("no connection to api.btcturk.com" in line for line in container.logs()[0]), 60
    )
    assert SANDBOX not in container.states()
    assert "no such" in container.run("supervisorctl", "start", SANDBOX, check=False).stdout
    assert container.run("sh", "-c", "ls /var/lib/btcbot").stdout.split() == ["keys", "live", "monitor"]
    assert not container.is_healthy()
    out, err = container.logs()
    json_lines(out)
    assert err == []


def in_production(text: str) -> str:
    """The sandbox profile, changed as its head says."""
    replaced = {
        "http://127.0.0.1:18080": "https://api.btcturk.com",
        "http://127.0.0.1:18081": "https://graph-api.btcturk.com",
        "ws://127.0.0.1:18082": "wss://ws-feed-pro.btcturk.com",
        "real orders on 127.0.0.1:18080": "real orders on api.btcturk.com",
        "/var/lib/btcbot/sandbox/live.": "/var/lib/btcbot/keys/live.",
        "/var/lib/btcbot/sandbox/monitor.": "/var/lib/btcbot/keys/monitor.",
        "BTCBOT_CLOCK_RATE=20": "BTCBOT_CLOCK_RATE=1",
        "BTCBOT_CLOCK_ANCHOR_FILE=": "# BTCBOT_CLOCK_ANCHOR_FILE=",
        "SAFE_MODE=false": "SAFE_MODE=true",
    }
    for old, new in replaced.items():
        text = text.replace(old, new)
    return text


def test_an_unusable_env_file_is_named_and_leaves_the_container_up(start, tmp_path: Path) -> None:
    broken = tmp_path / "live.env"
    broken.write_text("APP_ROLE\n")
    broken.chmod(0o644)
    container = start("--volume", f"{broken}:/etc/btcbot/live.env:ro")
    container.wait_for("live refused", lambda: container.states().get(LIVE) in ("BACKOFF", "FATAL"), 60)
    out, err = container.logs()
    json_lines(out)
    assert "entry: /etc/btcbot/live.env:1: no '=' in this line" in err[0]
    assert any(line.startswith("with-env: /etc/btcbot/live.env:1: ") for line in err)
    assert SANDBOX not in container.states()


def test_a_run_directory_of_somebody_else_is_explained(start) -> None:
    container = start("--read-only", "--tmpfs", "/run/btcbot:uid=0,mode=0700")
    container.wait_for("ended", lambda: container.inspect("{{.State.Running}}") == "false", 60)
    assert container.inspect("{{.State.ExitCode}}") == "78"
    _, err = container.logs()
    assert "--tmpfs /run/btcbot:uid=10001,gid=10001,mode=0700" in err[-1]


@pytest.mark.parametrize("tool", ["pip", "pip3", "gcc", "cc", "make"])
def test_the_image_has_no_means_to_install_or_compile(engine, image: str, tool: str) -> None:
    found = engine.docker("run", "--rm", image, "sh", "-c", f"command -v {tool}", check=False)
    assert found.returncode != 0


def test_the_image_says_what_it_is_and_how_it_stops(engine, image: str) -> None:
    config = json.loads(engine.docker("image", "inspect", "--format", "{{json .Config}}", image).stdout)
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert list(config["Volumes"]) == ["/var/lib/btcbot"]
    assert config["Labels"]["org.opencontainers.image.title"] == "btcbot"
    assert not [line for line in config["Env"] if line.startswith("PIP_")]


def test_the_dockerfile_needs_no_particular_builder() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    assert "# syntax=" not in dockerfile
    assert "RUN --" not in dockerfile
    assert "COPY --chmod" not in dockerfile
    assert "ARG PYTHON_IMAGE=python:3.13-slim-trixie\n" in dockerfile


def test_where_no_engine_can_be_had_the_reason_is_told(tmp_path: Path) -> None:
    script = Path(__file__).with_name("engine.sh")
    empty = tmp_path / "bin"
    empty.mkdir()
    for tool in ("id", "mkdir"):
        (empty / tool).symlink_to(f"/usr/bin/{tool}")
    (empty / "id").unlink()
    (empty / "id").write_text("#!/bin/sh\necho 1000\n")
    (empty / "id").chmod(0o755)
    refused = subprocess.run(
        ["/bin/bash", script, tmp_path / "w"], capture_output=True, text=True, env={"PATH": str(empty)}
    )
    assert refused.returncode == 1
    assert refused.stderr == "engine.sh: a private container engine needs root\n"
    (empty / "id").write_text("#!/bin/sh\necho 0\n")
    refused = subprocess.run(
        ["/bin/bash", script, tmp_path / "w"], capture_output=True, text=True, env={"PATH": str(empty)}
    )
    assert refused.returncode == 1
    assert refused.stderr == "engine.sh: neither dockerd and mmdebstrap nor apt-get are here\n"
