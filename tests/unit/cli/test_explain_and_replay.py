"""`btcbot explain` and `btcbot replay`: what is printed from a worker's database, and how each ends."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from btcbot.cli.main import perform
from btcbot.domain.errors import ExitCode
from tests.unit.config.environments import Ground
from tests.unit.services.looping import BUYS, worker

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.db"


async def lived(path: Path) -> None:
    with worker(path.parent, BUYS) as work:
        await work.stops(await work.runs(30))


@pytest.mark.looptime
async def test_both_read_the_database_that_is_named(path: Path, capsys: Capture) -> None:
    await lived(path)
    assert perform(["explain", "cycle:1", "--db", str(path)]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("Cycle 1 (")
    assert perform(["explain", "cycle:1", "--db", str(path), "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["subject"] == "cycle"
    assert perform(["replay", "--db", str(path)]) == ExitCode.OK
    assert "equal bit for bit" in capsys.readouterr().out
    assert perform(["replay", "--db", str(path), "--from", "2", "--to", "3", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["equal"] == 2


@pytest.mark.looptime
async def test_a_replay_that_differs_exits_one_and_names_the_cycle(path: Path, capsys: Capture) -> None:
    await lived(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER cycles_no_update")
        connection.execute("UPDATE cycles SET equity = '1' WHERE id = 3")
    assert perform(["replay", "--db", str(path)]) == 1
    assert "DIFFERENT  cycle 3 (" in capsys.readouterr().out


@pytest.mark.looptime
async def test_what_is_not_on_record_is_a_usage_error(path: Path, capsys: Capture) -> None:
    await lived(path)
    assert perform(["explain", "no-such-order", "--db", str(path)]) == ExitCode.USAGE
    assert perform(["replay", "--db", str(path), "--from", "999"]) == ExitCode.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "'no-such-order'" in captured.err
    assert "Next: " in captured.err


def test_without_a_path_it_is_this_roles_database(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name, value in ground.live().items():
        monkeypatch.setenv(name, value)
    assert perform(["replay"]) == ExitCode.OWNERSHIP
    assert "there is no database at" in capsys.readouterr().err
