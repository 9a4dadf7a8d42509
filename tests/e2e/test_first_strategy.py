"""A user's first strategy, by following docs/strategies.md only: its commands, one after the other, in a checkout."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.e2e.stack import CHECKOUT, free_ports
from tests.first_strategy import commands

SECONDS_MAX = 150


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_new_to_a_run_in_the_sandbox() -> None:
    root = Path(tempfile.mkdtemp(prefix="bb", dir="/tmp"))
    try:
        for name in ("btcbot", "deploy", "docs"):
            shutil.copytree(CHECKOUT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CHECKOUT / "pyproject.toml", root)
        (root / ".venv").symlink_to(CHECKOUT / ".venv")
        ports, log = free_ports(), root / "var" / "log" / "btcbot-live.log"
        for command in commands():
            if command.startswith("deploy/up prepare"):
                command += f" --ports {ports}"  # noqa: PLW2901 - the tests of others run beside this one
            ended = subprocess.run(
                ["/bin/sh", "-c", command], cwd=root, capture_output=True, text=True, timeout=SECONDS_MAX
            )
            health_may_warn = command.endswith("btcbot health") and ended.returncode == 1
            assert ended.returncode == 0 or health_may_warn, f"{command}\n{ended.stdout}\n{ended.stderr}"
        events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        reasons = [str(event["reason"]) for event in events if event["event"] == "signal_raised"]
        assert reasons, "the strategy spoke"
        assert all(reason.startswith("my_first: average=") for reason in reasons)
    finally:
        subprocess.run([str(root / "deploy" / "up"), "stop"], cwd=root, capture_output=True, timeout=SECONDS_MAX)
        shutil.rmtree(root, ignore_errors=True)
