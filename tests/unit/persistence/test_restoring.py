"""A backup in the place of a database: marked for what it is, and an old one that was put there by hand is noticed."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from btcbot.domain.errors import LockHeld, OwnershipError
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.copying import copy_at_rest
from btcbot.persistence.sqlite.errors import ForeignDeployment, OlderCopy, TamperedRecords
from btcbot.persistence.sqlite.lock import DatabaseLock, lock_path, read_holder
from btcbot.persistence.sqlite.ownership import judge_ownership
from btcbot.persistence.sqlite.restoring import EPOCHS_SKIPPED, Restored, restore
from btcbot.persistence.sqlite.verification import examine
from btcbot.persistence.sqlite.writer import Writer
from tests.unit.persistence.test_ownership import state_of
from tests.unit.persistence.world import Clock, approved, identity, live_store, monitor_store, writer


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Taken in epoch 1; after it came two epochs and two orders."""
    path, backup = tmp_path / "live.db", tmp_path / "backup.db"
    with live_store(path) as store:
        store.journal.not_sent(store.journal.intent(approved("1/BTCTRY/1")), "a test")
    copy_at_rest(path, backup)
    for epoch in (2, 3):
        with live_store(path) as store:
            store.journal.not_sent(store.journal.intent(approved(f"{epoch}/BTCTRY/1")), "a test")
    return backup


def restored(backup: Path, path: Path, who: Writer | None = None) -> Restored:
    lock = DatabaseLock.take(path, identity((who or writer()).role))
    try:
        return restore(backup, examine(backup), path, lock, who or writer(), Clock())
    finally:
        lock.release()


def test_a_restored_database_starts_halted_in_an_epoch_that_never_was(tmp_path: Path, backup: Path) -> None:
    path = tmp_path / "live.db"
    lost = path.read_bytes()
    done = restored(backup, path)
    assert done.epoch == 4
    assert done.aside is not None
    assert done.aside.read_bytes() == lost
    assert examine(path).problems == ()
    with live_store(path) as store:
        assert store.epoch == 5
        assert store.halt() == "restored from backup.db: what happened after it was taken is not in these records"
        assert [message.body.get("verb") for message in store.outbox_after(0, 99)][-1] == "halt"
        store.lift_halt("reconciled", "operator")
        order = store.journal.intent(approved("5/BTCTRY/1"))
        assert order.client_order_id.startswith("BB-TEST-5-1-")
    assert examine(done.aside).problems == ()


def test_a_restored_database_of_the_monitor_has_no_halt_and_a_new_epoch(tmp_path: Path) -> None:
    path, backup = tmp_path / "monitor.db", tmp_path / "backup.db"
    with monitor_store(path):
        pass
    copy_at_rest(path, backup)
    assert restored(backup, path, writer(Role.MONITOR)).epoch == 2
    with monitor_store(path) as store:
        assert store.epoch == 3


def test_where_nothing_tells_how_far_it_had_come_many_epochs_are_skipped(tmp_path: Path, backup: Path) -> None:
    path = tmp_path / "live.db"
    path.unlink()
    lock_path(path).unlink()
    done = restored(backup, path)
    assert (done.epoch, done.aside) == (1 + EPOCHS_SKIPPED, None)


def test_a_crash_between_the_two_renames_is_mended_by_restoring_again(
    tmp_path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.db"
    monkeypatch.setattr(
        "btcbot.persistence.sqlite.restoring.copy_at_rest", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    before = state_of(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        restored(backup, path)
    assert state_of(tmp_path) == before
    monkeypatch.undo()
    path.rename(tmp_path / "live.db.aside")  # as far as a crash had come
    with pytest.raises(OwnershipError, match="is missing"), live_store(path):
        pass
    assert restored(backup, path).epoch == 4


def test_a_backup_that_a_person_copied_into_place_is_refused_untouched(tmp_path: Path, backup: Path) -> None:
    path = tmp_path / "live.db"
    shutil.copy2(backup, path)
    before = state_of(tmp_path)
    with pytest.raises(OlderCopy, match="ends at link 3, and this database had come to link 9 in epoch 3"):
        judge_ownership(path, Role.LIVE)
    with pytest.raises(OlderCopy), live_store(path):
        pass
    assert state_of(tmp_path) == before
    assert [type(problem) for problem in examine(path).problems] == [OlderCopy]
    restored(backup, path)
    with live_store(path) as store:
        assert store.halt() is not None


def test_a_copy_that_went_on_elsewhere_is_refused(tmp_path: Path, backup: Path) -> None:
    path, elsewhere = tmp_path / "live.db", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    shutil.copy2(backup, elsewhere / "live.db")
    for _ in range(3):
        with live_store(elsewhere / "live.db") as store:
            store.latch_halt("another history", "test")
            store.latch_halt("that is longer", "test")
    shutil.copy2(elsewhere / "live.db", path)
    with pytest.raises(OlderCopy, match="has another history"):
        judge_ownership(path, Role.LIVE)


def test_a_killed_process_leaves_how_far_it_had_come_at_its_start(tmp_path: Path, backup: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        store.latch_halt("x", "test")
        held = read_holder(path)
        assert held is not None
        assert held.seal is not None
        assert (held.seal.epoch, held.seal.sequence) == (4, 10)
        for number in range(30):
            store.latch_halt("x" * 200_000, str(number))
        store.checkpoint()
        later = read_holder(path)
        assert later is not None
        assert later.seal is not None
        assert later.seal.sequence == store.chain_head()[0]


def test_a_lock_text_of_before_there_were_seals_is_understood(tmp_path: Path, backup: Path) -> None:
    path = tmp_path / "live.db"
    text = json.loads(lock_path(path).read_bytes())
    del text["seal"]
    lock_path(path).write_text(json.dumps(text))
    held = read_holder(path)
    assert held is not None
    assert (held.stage, held.seal) == ("released", None)
    with live_store(path) as store:
        assert not store.was_unclean
    again = read_holder(path)
    assert again is not None
    assert again.seal is not None


def test_what_is_not_to_be_restored_is_refused_and_nothing_is_touched(tmp_path: Path, backup: Path) -> None:
    path = tmp_path / "live.db"
    before = state_of(tmp_path)
    with pytest.raises(ForeignDeployment, match="deployment TEST"):
        restored(backup, path, writer(deployment_id="OTHER"))
    with pytest.raises(ForeignDeployment, match="a backup of live's"):
        restored(backup, tmp_path / "monitor.db", writer(Role.MONITOR))
    with pytest.raises(OwnershipError, match="no database"):
        restored(tmp_path / "absent.db", path)
    holder = DatabaseLock.take(path, identity())
    with pytest.raises(LockHeld):
        restored(backup, path)
    holder.release()
    assert state_of(tmp_path) == before
    damaged = tmp_path / "damaged.db"
    shutil.copy2(backup, damaged)

    with sqlite3.connect(damaged) as shell:
        shell.execute("DROP TRIGGER order_history_no_update")
        (sql,) = shell.execute("SELECT sql FROM main.sqlite_schema WHERE name = 'orders_no_update'").fetchone()
        shell.execute("UPDATE order_history SET detail = 'x'")
        shell.execute(sql.replace("orders", "order_history"))
    with pytest.raises(TamperedRecords):
        restored(damaged, path)
