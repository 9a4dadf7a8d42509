"""The suite is pointed at a sandbox that somebody else started, as it can be at any endpoint."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.foreign.exchange import foreign_exchange

CHECKOUT = Path(__file__).resolve().parents[3]
FOLDER = "tests/contract/exchange"


@pytest.mark.slow
@pytest.mark.parametrize("orders", [{}, {"BTCBOT_CONTRACT_ORDERS": "far-limit"}], ids=["reads", "far-limit"])
@pytest.mark.timeout(300)
def test_the_suite_runs_against_another_endpoint(tmp_path: Path, orders: dict[str, str]) -> None:
    with foreign_exchange(tmp_path / "sandbox") as exchange:
        environment = {
            "PATH": os.defpath,
            "BTCBOT_CONTRACT_API_URL": exchange.api_url,
            "BTCBOT_CONTRACT_GRAPH_URL": exchange.graph_url,
            "BTCBOT_CONTRACT_WS_URL": f"ws://127.0.0.1:{exchange.sandbox.ws_port}",
            "BTCBOT_CONTRACT_KEY_FILE": str(exchange.directory / "live.key"),
            "BTCBOT_CONTRACT_SECRET_FILE": str(exchange.directory / "live.secret"),
            "BTCBOT_CONTRACT_PAIR": "SOLTRY",
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", FOLDER], cwd=CHECKOUT,
            env=environment | orders, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        submits = sum(line["method"] == "POST" for line in exchange.requests())
    assert done.returncode == 0, done.stdout[-4_000:]
    assert "passed" in done.stdout
    assert (submits > 0) == bool(orders)
