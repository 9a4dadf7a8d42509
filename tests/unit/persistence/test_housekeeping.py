"""What an open store notices between its other work, and says."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode, FenceLost
from btcbot.domain.events import Event
from btcbot.persistence.sqlite import database, engine, housekeeping, opening
from btcbot.persistence.sqlite.engine import Version, has_reset_defect
from btcbot.persistence.sqlite.errors import DamagedDatabase, DatabaseFailed, LogTooLong
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.lock import DatabaseLock
from tests.unit.persistence.world import LIMITS, Clock, CountedIds, Witness, identity, writer


@contextmanager
def watched(path: Path, witness: Witness, clock: Clock | None = None) -> Iterator[LiveStore]:
    lock = DatabaseLock.take(path, identity())
    store = LiveStore.open(path, lock, writer(), LIMITS, clock or Clock(), CountedIds(), witness)
    try:
        yield store
    finally:
        store.close()
        lock.release()


@contextmanager
def long_reading(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM control").fetchall()
        yield


def test_a_long_reader_delays_no_cycle_and_its_log_is_told_and_then_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECKPOINT_PAGES", 10)
    monkeypatch.setattr(housekeeping, "LOG_BYTES_TOLD", 600_000)
    monkeypatch.setattr(database, "LOG_BYTES_MAX", 4_500_000)
    witness, path = Witness(), tmp_path / "live.db"
    with watched(path, witness) as store, long_reading(path):
        for number in range(6):
            store.latch_halt("x" * 200_000, str(number))
            store.checkpoint()
            assert store._database.value("PRAGMA busy_timeout") == 5000
        assert witness.events().count(Event.DATABASE_LOG_LONG) == 1, "once, not at each cycle"
        store.latch_halt("x" * 1_500_000, "the last")
        with pytest.raises(LogTooLong) as end:
            store.checkpoint()
        assert end.value.exit_code is ExitCode.UNSAFE
    with watched(path, Witness()) as store:
        assert len(store._database.execute("SELECT 1 FROM control").fetchall()) == 7


def test_the_limits_of_a_log_are_those_of_the_fault_matrix() -> None:
    assert (database.LOG_BYTES_TOLD, database.LOG_BYTES_MAX) == (16 * 2**20, 64 * 2**20)


def test_a_trigger_that_is_dropped_meanwhile_is_found_within_a_day(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "live.db"
    with watched(path, Witness(), clock) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("DROP TRIGGER fills_no_update")
        clock.elapsed += timedelta(hours=23)
        store.checkpoint()
        clock.elapsed += timedelta(hours=2)
        with pytest.raises(DamagedDatabase, match="altered while it was open: fills_no_update"):
            store.checkpoint()


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [
        ((3, 40, 1), True), ((3, 44, 5), True), ((3, 44, 6), False), ((3, 44, 9), False), ((3, 45, 0), True),
        ((3, 50, 6), True), ((3, 50, 7), False), ((3, 51, 0), True), ((3, 51, 2), True), ((3, 51, 3), False),
        ((3, 52, 0), False), ((4, 0, 0), False),
    ],
)  # fmt: skip
def test_the_engine_is_judged_by_its_version(version: Version, is_affected: bool) -> None:
    assert has_reset_defect(version) is is_affected


@pytest.mark.parametrize("is_affected", [True, False])
def test_an_affected_engine_is_told_at_the_opening_and_a_second_writer_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_affected: bool
) -> None:
    monkeypatch.setattr(opening, "has_reset_defect", lambda: is_affected)
    witness, path = Witness(), tmp_path / "live.db"
    with watched(path, witness) as store:
        told = [fields for event, fields in witness.seen if event is Event.ENGINE_DEFECT_KNOWN]
        assert [fields["sqlite"] for fields in told] == ([engine.sqlite3.sqlite_version] if is_affected else [])
        with pytest.raises(DatabaseFailed, match="second connection"):
            database.Database(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("PRAGMA recursive_triggers = 1")
            columns = [
                row[1]
                for row in other.execute("PRAGMA table_info(epochs)")
                if row[1] not in ("epoch", "chain_sequence")
            ]
            kept = ", ".join(columns)
            other.execute(f"INSERT INTO epochs (epoch, chain_sequence, {kept}) SELECT 2, 99, {kept} FROM epochs")
        with pytest.raises(FenceLost):
            store.latch_halt("anything", "test")
