"""What deploy/up accepts on its command line."""

from pathlib import Path

import pytest
from checkout.commands import COMMANDS
from checkout.options import parse_options


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
        ["prepare", "--currency", "usdt"],
        ["prepare", "--source", "/nowhere/file"],
        ["prepare", "--unknown"],
        ["prepare", "--se", "1"],
        ["dance"],
        [],
    ],
)
def test_wrong_usage_is_one_line_and_64(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(words, COMMANDS)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (64, "")
    assert (err[:4], err.count("\n")) == ("up: ", 1)


def test_wrong_usage_writes_nothing(checkout) -> None:
    refused = checkout.up("prepare", "--seed", "x")
    assert (refused.returncode, refused.stdout) == (64, "")
    assert refused.stderr == "up: argument --seed: 'x' is not a whole number. Next: see `up --help`\n"
    assert not checkout.var.exists()


def test_only_what_was_given_is_an_option(tmp_path: Path) -> None:
    bare = parse_options(["run"], COMMANDS)
    assert (bare.root, bare.start_seconds, bare.given) == (None, 5, {})
    some = parse_options(["run", "--root", str(tmp_path), "--startsecs", "1", "--seed", "7"], COMMANDS)
    assert (some.root, some.start_seconds, some.given) == (tmp_path, 1, {"seed": "7"})
