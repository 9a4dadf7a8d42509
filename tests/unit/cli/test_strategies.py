"""`btcbot strategies`, and a user's first strategy as docs/strategies.md has it, short of the sandbox."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from btcbot.cli.main import perform
from btcbot.domain.errors import ExitCode
from tests.first_strategy import commands

Capture = pytest.CaptureFixture[str]


def test_the_list_has_each_on_a_line(capsys: Capture) -> None:
    assert perform(["strategies"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert len(lines) >= 7
    assert perform(["strategies", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out.splitlines()[0]).keys() == {"name", "about"}


def test_one_is_shown_for_people_and_for_machines(capsys: Capture) -> None:
    assert perform(["strategies", "show", "dca", "--params", '{"dip_period": 20}']) == ExitCode.OK
    assert "mean(close, 20) > close" in capsys.readouterr().out
    assert perform(["strategies", "show", "grid", "--json", "--currency", "USDT"]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    spacing = next(each for each in told["parameters"] if each["name"] == "spacing_ratio")
    assert spacing["bounds"] == "above 0 up to 0.2"
    assert told["entry"] == "by its grid"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show", "no_such"], ExitCode.CONFIGURATION), (["show", "dca", "--params", "{"], ExitCode.USAGE),
        (["show", "dca", "--currency", "EUR"], ExitCode.USAGE), (["show", "dca", "--interval", "2m"], ExitCode.USAGE),
        (["new", "Bad Name", "--path", "/tmp"], ExitCode.USAGE),
        (["new", "fine", "--path", "/no/where"], ExitCode.USAGE),
        (["new", "fine"], ExitCode.USAGE), (["check", "gone:Gone", "--path", "/no/where"], ExitCode.CONFIGURATION),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_line_with_a_next_step(words: list[str], code: int, capsys: Capture) -> None:
    assert perform(["strategies", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "Next: " in captured.err


def test_a_broken_promise_exits_one_and_says_what_to_do(tmp_path: Path, capsys: Capture) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "bad.py").write_text(
        "from btcbot.strategy.own import CandleStrategy\n"
        "class Bad(CandleStrategy):\n    def on_candle(self, view):\n        return None\n",
        "utf-8",
    )
    assert perform(["strategies", "check", "bad:Bad", "--path", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "FAIL  no failure: on_candle failed on" in out
    assert "Next: while it fails nothing is bought" in out
    assert perform(["strategies", "check", "bad:Bad", "--path", str(tmp_path), "--json"]) == 1
    kept = [json.loads(line)["is_kept"] for line in capsys.readouterr().out.splitlines()]
    assert kept.count(False) >= 1


def test_a_first_strategy_takes_no_more_than_ten_commands_and_those_without_the_sandbox_work(
    tmp_path: Path, capsys: Capture
) -> None:
    """The whole of it, sandbox and all, is `tests/e2e/test_first_strategy.py`."""
    listed = commands()
    assert len(listed) <= 10
    tmp_path.chmod(0o700)
    done = []
    for line in listed:
        ours = line.replace('"$PWD/var/env/strategies"', str(tmp_path)).replace("var/env/strategies", str(tmp_path))
        program, *words = shlex.split(ours)
        if program.endswith("/btcbot"):
            assert perform(words) == ExitCode.OK, capsys.readouterr().err
            done.append(words[1])
        elif "pytest" in words:
            ended = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=50)
            assert ended.returncode == 0, ended.stdout + ended.stderr
            done.append("pytest")
    assert done == ["new", "show", "check", "pytest"]
