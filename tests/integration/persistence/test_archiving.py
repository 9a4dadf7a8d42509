"""A worker whose file has grown: after its backup the next archive, and everything is read as before."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.profiles import BackupPlan, Role
from btcbot.persistence.sqlite import archives
from btcbot.persistence.sqlite.archives import shelf_of
from btcbot.persistence.sqlite.backups import listed
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.restoring import restore
from btcbot.persistence.sqlite.verification import examine
from btcbot.services.archiving import Archiver
from btcbot.services.backup import BackupService
from btcbot.services.backup_restore import drill
from btcbot.services.runtime import Runtime
from btcbot.services.verify import verify
from tests.integration.persistence.test_backup_service import Pacing
from tests.unit.persistence.test_archives import cycles, prune
from tests.unit.persistence.world import Clock, CountedIds, Witness, identity, live_store, writer

pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "CYCLES_KEPT", 8)
    monkeypatch.setattr(archives, "CYCLES_MIN", 5)


def worked(path: Path, first: int, last: int, witness: Witness, bytes_max: int = 1) -> None:
    """Some cycles, and the backup that is due after them."""
    clock = Clock()
    runtime = Runtime(clock, Pacing(clock, 0.5), CountedIds(), "instance-1")
    plan = BackupPlan(path.parent / "backups", timedelta(seconds=60), 10**9)
    with live_store(path, clock=clock) as store:
        cycles(store, first, last)
        archiver = Archiver(store, shelf_of(path), bytes_max, runtime.sleeper, witness)
        service = BackupService(store, Role.LIVE, plan, runtime, witness, None, archiver.after)
        asyncio.run(service.back_up())
        cycles(store, last + 1, last + 2)
        prune(store)


def test_a_file_that_has_grown_is_archived_after_its_backup(tmp_path: Path) -> None:
    path, witness = tmp_path / "live.db", Witness()
    worked(path, 1, 40, witness)
    worked(path, 43, 80, witness)
    told = [fields for event, fields in witness.seen if event is Event.ARCHIVE_SEALED]
    assert [fields["last_cycle"] for fields in told] == [32, 72]
    assert sorted(str(fields["path"]) for fields in told) == sorted(map(str, shelf_of(path).iterdir()))
    examination, lines = verify(path)
    assert examination.problems == ()
    assert "ok   every archive is there, as it was sealed" in lines
    with live_store(path) as store:
        assert store.counts()["cycles"] == 10


def test_a_file_within_its_size_is_left_alone(tmp_path: Path) -> None:
    path, witness = tmp_path / "live.db", Witness()
    worked(path, 1, 40, witness, bytes_max=10**9)
    assert Event.ARCHIVE_SEALED not in witness.events()
    assert not shelf_of(path).exists()


def restored(source: Path, path: Path) -> None:
    lock = DatabaseLock.take(path, identity())
    try:
        restore(source, examine(source), path, lock, writer(), Clock())
    finally:
        lock.release()


@pytest.mark.parametrize("which", [0, 1])
def test_a_backup_that_is_restored_goes_on_with_the_archives_that_it_names(tmp_path: Path, which: int) -> None:
    """One from before the first archive, and one from before the second: later ones are nobody's any more."""
    path = tmp_path / "live.db"
    worked(path, 1, 40, Witness())
    backup = listed(tmp_path / "backups", Role.LIVE)[-1]
    if which:
        worked(path, 43, 80, Witness())
        backup = listed(tmp_path / "backups", Role.LIVE)[-1]
    assert "can be restored" in drill(backup.path, Runtime(Clock(), Pacing(Clock(), 1), CountedIds(), "instance-2"))[0]
    restored(backup.path, path)
    assert verify(path)[0].problems == ()
    witness = Witness()
    worked(path, 100, 140, witness)
    assert Event.ARCHIVE_SEALED in witness.events()
    assert verify(path)[0].problems == ()
