"""The real entry point in a process of its own: exit codes, streams, and what a worker does to itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from btcbot import __version__
from tests.unit.config.environments import API_KEY, API_SECRET, Ground

PROJECT = Path(__file__).parents[3]


def btcbot(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return python("-m", "btcbot", *arguments, environ=environ)


def python(*arguments: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONPATH": str(PROJECT)} | environ,
        cwd="/", capture_output=True, text=True, timeout=50,
    )  # fmt: skip


def test_version_and_usage_through_the_entry_point() -> None:
    done = btcbot("version", environ={})
    assert (done.returncode, done.stdout, done.stderr) == (0, f"btcbot {__version__}\n", "")
    done = btcbot("bogus", environ={})
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == "btcbot: No such command 'bogus'. Next: see btcbot --help.\n"


def test_help_does_without_the_heavy_rooms() -> None:
    code = (
        "import sys; from btcbot.cli.main import perform; perform(['--help'])\n"
        "heavy = ('pydantic', 'httpx', 'peewee', 'websockets', 'starlette', 'rich', 'asyncio')\n"
        "sys.exit(str([name for name in heavy if name in sys.modules] or 0).strip('0') or 0)"
    )
    done = python("-c", code, environ={})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [("run",), ("check",), ("health", "--watch"), ("sandbox",)])
def test_a_refused_start_is_one_line_on_stderr_and_one_in_the_log(ground: Ground, arguments: tuple[str, ...]) -> None:
    environ = ground.live(BTCTURK_API_SECRET=API_SECRET, BTCTURK_API_KEY=API_KEY, SAFE_MODE="1", PATH=None)
    before = sorted(ground.root.rglob("*"))
    done = btcbot(*arguments, environ=environ)
    assert done.returncode == 78
    assert done.stderr.startswith("btcbot: ")
    assert done.stderr.endswith("Next: correct the environment file of this role and start again.\n")
    assert done.stderr.count("\n") == 1
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert (told["event"], told["level"], told["exit_code"]) == ("start_refused", "ERROR", 78)
    assert "SAFE_MODE" in told["error"]
    for secret in (API_KEY, API_SECRET):
        assert secret not in done.stdout + done.stderr
    assert sorted(ground.root.rglob("*")) == before


def test_a_defect_shows_its_traceback_in_the_log_only(ground: Ground) -> None:
    code = (
        "import sys, btcbot.cli.workers as workers\n"
        "from btcbot.cli.main import perform\n"
        "def broken(*given, **named): raise RuntimeError('with ' + open(sys.argv[1]).read())\n"
        "workers.load_profile = broken\n"
        "sys.exit(perform(['run']))"
    )
    done = python("-c", code, str(ground.root / "sandbox" / "live.key"), environ={"BTCTURK_API_KEY": API_KEY})
    assert done.returncode == 70
    assert done.stderr == "btcbot: stopped by a defect (RuntimeError). Next: report it with the log of this run.\n"
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told["event"] == "defect_caught"
    assert "Traceback" in told["traceback"]
    assert API_KEY not in done.stdout


def test_a_worker_keeps_its_files_its_memory_and_its_digits_to_itself(tmp_path: Path) -> None:
    code = (
        "import ctypes, os, resource, sys\n"
        "from decimal import Decimal, Inexact, getcontext\n"
        "from btcbot.cli.process import prepare_worker\n"
        "prepare_worker()\n"
        "open(sys.argv[1], 'w').close()\n"
        "print(oct(os.stat(sys.argv[1]).st_mode & 0o777), resource.getrlimit(resource.RLIMIT_CORE))\n"
        "print(getcontext().traps[Inexact], getcontext().prec)\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == 'linux' else 0)\n"
    )
    done = python("-c", code, str(tmp_path / "made"), environ={})
    assert (done.stdout.splitlines(), done.stderr) == (["0o600 (0, 0)", "True 60", "0"], "")


def test_a_text_that_the_terminal_cannot_show_is_escaped() -> None:
    done = btcbot("çok", environ={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 64
    assert "btcbot: No such command" in done.stderr
