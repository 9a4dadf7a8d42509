"""The image's health check."""

import shutil
import subprocess
import sys
from pathlib import Path


def test_health_is_ok_and_warn_and_nothing_else(short_tmp: Path) -> None:
    healthcheck = Path(__file__).resolve().parents[2] / "deploy/healthcheck"
    shutil.copy(healthcheck, short_tmp / "healthcheck.py")
    ask = "import sys; sys.path.insert(0, sys.argv[1]); import healthcheck; sys.exit(healthcheck.main(sys.argv[2:], 1))"

    def code(*command: str) -> int:
        return subprocess.run(
            [sys.executable, "-Bc", ask, str(short_tmp), *command], capture_output=True, timeout=30
        ).returncode

    assert [code("sh", "-c", f"exit {answer}") for answer in (0, 1, 2, 3, 73, 78)] == [0, 0, 1, 1, 1, 1]
    assert code("/nowhere/btcbot") == 1
    assert code("sleep", "60") == 1
