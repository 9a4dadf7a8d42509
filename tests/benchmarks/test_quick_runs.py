"""Each program of `benchmarks` runs, in the few seconds of its `--quick`: none of them can rot unseen."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

LONG = {"recovery.py"}  # starts the whole job: the kills of `tests/e2e` go the same way
PROGRAMS = sorted(
    path.name for path in BENCHMARKS.glob("*.py") if "return tell(" in path.read_text() and path.name not in LONG
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_quick_run_tells_its_figures(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS / program), "--quick", "--json"], capture_output=True, text=True, timeout=50
    )
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert figures
    assert all(figure["name"] and figure["value"] >= 0 for figure in figures if figure["unit"] != "MB")


def test_the_report_runs_every_program() -> None:
    listed = (BENCHMARKS / "report.py").read_text()
    assert [name for name in PROGRAMS if f'Program("{name}"' not in listed] == []
