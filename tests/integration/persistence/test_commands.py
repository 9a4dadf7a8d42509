"""`btcbot verify`, `backup` and `restore` as a person types them."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from btcbot.cli.main import perform
from btcbot.domain.errors import ExitCode
from btcbot.domain.secrets import Secret
from btcbot.persistence.sqlite.writer import Writer
from tests.unit.config.environments import API_KEY, Ground
from tests.unit.persistence.test_ownership import state_of
from tests.unit.persistence.world import approved, live_store, writer

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for command in ("verify", "backup"):  # what it does to its process, it is not to do to the one that tests
        monkeypatch.setattr(f"btcbot.cli.{command}.prepare_worker", lambda: None)
    environ = Ground.prepared(tmp_path).live()
    for name in os.environ:
        if name.startswith(("BTC", "APP_", "STATE_", "LIVE_", "SAFE_", "KILL_")):
            monkeypatch.delenv(name)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    path = Path(environ["STATE_DB_PATH"])
    path.parent.chmod(0o700)
    with live_store(path, owner()) as store:
        store.journal.not_sent(store.journal.intent(approved()), "a test")
    return path


def owner() -> Writer:
    return writer(deployment_id=os.environ["BTCBOT_DEPLOYMENT_ID"], account_fingerprint=Secret(API_KEY).fingerprint())


def test_a_sound_database_is_told_and_left_as_it_is(path: Path, capsys: Capture) -> None:
    before = state_of(path.parent)
    assert perform(["verify"]) == 0
    told = capsys.readouterr().out
    assert "examined: the file itself; nobody has it open" in told
    assert "1 orders" in told
    assert told.endswith("sound: nothing is wrong with it\n")
    assert state_of(path.parent) == before


def test_while_a_process_has_it_open_a_copy_is_examined(path: Path, capsys: Capture) -> None:
    with live_store(path, owner()) as store:
        store.latch_halt("only in the log", "test")
        before = state_of(path.parent)
        assert perform(["verify", str(path)]) == 0
        told = capsys.readouterr().out
        assert "a copy of this moment, for process" in told
        assert "1 control" in told
        after = state_of(path.parent)
        assert {name: after[name][0] for name in ("live.db", "live.db-wal")} == {
            name: before[name][0] for name in ("live.db", "live.db-wal")
        }
        store.latch_halt("it goes on", "test")


def test_a_damaged_one_is_told_in_plain_words(path: Path, capsys: Capture) -> None:
    os.truncate(path, 3 * 4096)
    assert perform(["verify", str(path)]) == ExitCode.OWNERSHIP
    told = capsys.readouterr().out
    assert "BAD  " in told
    assert ". Next: do not write to it; put the last verified backup in its place" in told
    assert perform(["verify", str(path.with_name("absent"))]) == ExitCode.OWNERSHIP


def test_backup_drill_restore_and_the_way_back_to_trading(path: Path, capsys: Capture) -> None:
    assert perform(["backup"]) == 0
    told = capsys.readouterr().out
    backup = Path(told.splitlines()[0].removeprefix("backup: "))
    assert backup.parent == path.parent / "backups"
    assert perform(["verify", str(backup)]) == 0
    with live_store(path, owner()) as store:
        store.latch_halt("after the backup", "test")
        assert perform(["backup"]) == ExitCode.LOCKED
        assert perform(["restore", "--from", str(backup)]) == ExitCode.LOCKED
    before = state_of(path.parent)
    capsys.readouterr()
    assert perform(["restore", "--from", str(backup), "--drill"]) == 0
    assert "can be restored" in capsys.readouterr().out
    assert state_of(path.parent) == before
    assert perform(["restore", "--from", str(backup), "--to", "/elsewhere.db"]) == ExitCode.USAGE
    assert perform(["restore", "--from", str(backup), "--to", str(path)]) == 0
    told = capsys.readouterr().out
    assert f"aside: {path}.replaced-in-epoch-3" in told
    with live_store(path, owner()) as store:
        assert (store.halt() or "").startswith(f"restored from {backup.name}")
    assert perform(["verify"]) == 0


def test_an_old_backup_put_there_by_hand_is_refused_with_the_way_out(path: Path, capsys: Capture) -> None:
    assert perform(["backup"]) == 0
    backup = Path(capsys.readouterr().out.splitlines()[0].removeprefix("backup: "))
    with live_store(path, owner()):
        pass
    shutil.copy2(backup, path)
    assert perform(["verify"]) == ExitCode.OWNERSHIP
    assert "`btcbot restore` puts a backup in its place" in capsys.readouterr().out
