"""Backups: taken between other work, checked before they count, thinned out by age and by bytes."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from btcbot.domain.errors import BtcbotError, UnsafeState
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.backups import Backup, RunningBackup, listed, prepared, remove, superfluous
from btcbot.persistence.sqlite.errors import DamagedDatabase, TamperedRecords, UnsafePath
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.stepped_copy import PAGES_PER_STEP
from btcbot.persistence.sqlite.verification import examine
from tests.unit.persistence.world import START, approved, live_store, monitor_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def through(running: RunningBackup) -> Backup:
    while not running.is_copied:
        running.advance()
    while not running.is_done:
        pass
    return running.result()[0]


def swollen(store: LiveStore, steps: int) -> None:
    """Enough pages for so many steps of a copy."""
    for number in range(steps):
        store.latch_halt("x" * (PAGES_PER_STEP * 4096), f"test {number}")


def test_what_is_committed_between_two_steps_is_in_the_backup(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "backups")
    with live_store(tmp_path / "live.db") as store:
        swollen(store, 3)
        store.checkpoint()
        running = store.begin_backup(directory, None)
        steps = 0
        while not running.is_copied:
            running.advance()
            steps += 1
            if not running.is_copied:
                store.journal.not_sent(store.journal.intent(approved(f"{steps}/BTCTRY/1")), "a test")
                store.checkpoint()
        backup = through(running)
        assert steps > 3
        assert listed(directory, Role.LIVE) == (backup,)
        found = examine(backup.path)
        assert found.problems == ()
        assert found.chain_sequence == backup.chain_sequence == store.chain_head()[0]
        assert dict(found.rows)["orders"] == steps - 1
        assert backup.path.stat().st_mode & 0o777 == 0o600
        # The store goes on, and its next backup is checked from where this one ended.
        store.latch_halt("later", "test")
        again = store.begin_backup(directory, running.result()[1])
        assert through(again).chain_sequence == backup.chain_sequence + 1
    assert examine(tmp_path / "live.db").problems == ()


def test_the_monitor_backs_up_as_well(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "backups")
    with monitor_store(tmp_path / "monitor.db") as store:
        backup = through(store.begin_backup(directory, None))
    assert backup.path.name == "monitor-20260301T120000Z-1.db"
    assert examine(backup.path).problems == ()


def test_a_store_that_closes_abandons_its_copy(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "backups")
    with live_store(tmp_path / "live.db") as store:
        swollen(store, 2)
        running = store.begin_backup(directory, None)
        running.advance()
        assert not running.is_copied
    assert running.is_done
    with pytest.raises(UnsafeState, match="abandoned"):
        running.result()
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "kind", "words"),
    [
        ("UPDATE control SET reason = 'another' WHERE id = 1", TamperedRecords, "does not fit its row"),
        ("DELETE FROM control WHERE id = 1", TamperedRecords, "and its tables"),
        ("DROP TRIGGER fills_no_update", DamagedDatabase, "altered: fills_no_update"),
    ],
)
def test_a_copy_of_what_is_damaged_is_no_backup(
    tmp_path: Path, statement: str, kind: type[BtcbotError], words: str
) -> None:
    directory = prepared(tmp_path / "backups")
    with live_store(tmp_path / "live.db") as store:
        store.latch_halt("one", "test")
        store.latch_halt("two", "test")
        with closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as shell:
            triggers = shell.execute("SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'control'").fetchall()
            for name, sql in triggers:
                if str(sql).startswith("CREATE TRIGGER"):
                    shell.execute(f"DROP TRIGGER {name}")
            shell.execute(statement)
            for _, sql in triggers:
                if str(sql).startswith("CREATE TRIGGER"):
                    shell.execute(sql)
        with pytest.raises(kind, match=words):
            through(store.begin_backup(directory, None))
    assert listed(directory, Role.LIVE) == ()
    assert prepared(directory).is_dir()
    assert list(directory.iterdir()) == []  # what failed its check is thrown away by the next


def test_a_disk_without_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = prepared(tmp_path / "backups")
    with live_store(tmp_path / "live.db") as store:
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=9))
        with pytest.raises(UnsafeState, match="has room for 9"):
            store.begin_backup(directory, None)
        monkeypatch.undo()
        through(store.begin_backup(directory, None))
    assert len(listed(directory, Role.LIVE)) == 1


def test_a_directory_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    with pytest.raises(UnsafePath, match="mode 0755"):
        prepared(tmp_path / "open")


def backups(ages: list[timedelta], size: int = 10) -> list[Backup]:
    return [
        Backup(Path(f"{number}.db"), Role.LIVE, NOW - age, 1000 - number, size)
        for number, age in sorted(enumerate(ages), reverse=True)
    ]


def test_hours_then_days_then_months_stay() -> None:
    hours = (*range(100), *range(109, 24 * 400, 24))  # each hour, and beyond that the last of each day
    hourly = backups([timedelta(hours=number) for number in hours])
    gone = {each.path for each in superfluous(hourly, 10**9)}
    kept = [each for each in hourly if each.path not in gone]
    assert {each.taken_at for each in kept[-48:]} == {NOW - timedelta(hours=number) for number in range(48)}
    assert len(kept) == 48 + 27 + 9  # three of the 30 days and three of the 12 months are kept as hours or days already
    assert min(each.taken_at for each in kept) == datetime(2025, 4, 30, 23, tzinfo=UTC)


def test_a_budget_takes_the_oldest_first_and_never_the_newest() -> None:
    some = backups([timedelta(hours=number) for number in range(10)])
    assert [NOW - each.taken_at for each in superfluous(some, 35)] == [
        timedelta(hours=hour) for hour in range(9, 2, -1)
    ]
    assert len(superfluous(some, 1)) == 9


def test_two_in_one_hour_leave_the_later() -> None:
    early, late = backups([timedelta(minutes=20), timedelta(minutes=50)])[::-1]
    assert superfluous((late, early), 10**9) == (late,)


def test_what_has_another_name_is_left_alone(tmp_path: Path) -> None:
    directory = prepared(tmp_path / "backups")
    for name in ("live-20260301T120000Z-7.db", "live-20260301T120000Z-7.db.kept", "live.db", "monitor-x-7.db"):
        (directory / name).touch()
    (ours,) = listed(directory, Role.LIVE)
    assert (ours.chain_sequence, ours.taken_at) == (7, START)
    remove((ours,))
    assert len(list(directory.iterdir())) == 3
