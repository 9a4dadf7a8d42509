import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode, UnsafeState
from btcbot.persistence.sqlite.database import PRAGMAS, Database
from btcbot.persistence.sqlite.errors import DatabaseBlocked, DatabaseFailed, RecordRefused
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.lock import DatabaseLock, read_holder
from tests.unit.persistence.world import LIMITS, Clock, CountedIds, Witness, approved, identity, live_store, writer


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "some.db"
    path.touch(mode=0o600)
    opened = Database(path)
    opened.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY) STRICT")
    yield opened
    opened.close()


class FailingConnection:
    """The engine reports this code at the next statement that begins like that; all else goes through."""

    def __init__(self, genuine: sqlite3.Connection, code: int, on: str) -> None:
        self._genuine = genuine
        self._code = code
        self._on = on

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        if self._on and sql.startswith(self._on):
            self._on = ""
            failure = sqlite3.OperationalError("the disk says no")
            failure.sqlite_errorcode = self._code  # type: ignore[misc]
            raise failure
        return self._genuine.execute(sql, values)  # type: ignore[arg-type]

    @property
    def in_transaction(self) -> bool:
        return self._genuine.in_transaction


def fail_with(database: Database, monkeypatch: pytest.MonkeyPatch, code: int, on: str) -> None:
    monkeypatch.setattr(database, "_connection", FailingConnection(database._connection, code, on))


def test_every_switch_of_a_connection_is_set(database: Database) -> None:
    wanted = dict(PRAGMAS) | {"synchronous": 2}
    assert {name: database.value(f"PRAGMA {name}") for name in wanted if name != "mmap_size"} == {
        name: value for name, value in wanted.items() if name != "mmap_size"
    }
    assert not database.value("PRAGMA mmap_size")


def test_a_process_opens_a_file_once(tmp_path: Path, database: Database) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "some.db")
    for name in ("some.db", "link.db"):
        with pytest.raises(DatabaseFailed, match="second connection"):
            Database(tmp_path / name)
    database.close()
    again = Database(tmp_path / "some.db")
    again.close()
    again.close()


def test_an_exception_undoes_the_whole_transaction(database: Database) -> None:
    def interrupted() -> None:
        with database.transaction():
            database.execute("INSERT INTO numbers VALUES (1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with database.transaction():
        database.execute("INSERT INTO numbers VALUES (2)")
    assert database.execute("SELECT number FROM numbers").fetchall() == [(2,)]


def test_transactions_do_not_nest(database: Database) -> None:
    with pytest.raises(AssertionError, match="do not nest"), database.transaction(), database.transaction():
        pass
    with database.transaction():
        pass


def test_a_refused_row_is_our_defect_and_the_store_goes_on(database: Database) -> None:
    database.execute("INSERT INTO numbers VALUES (1)")
    with pytest.raises(RecordRefused, match="UNIQUE"), database.transaction():
        database.execute("INSERT INTO numbers VALUES (1)")
    assert database.is_usable
    assert database.value("SELECT count(*) FROM numbers") == 1


@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY_SNAPSHOT])
def test_a_full_disk_and_a_busy_file_may_pass(
    database: Database, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:  # fmt: skip
    fail_with(database, monkeypatch, code, "COMMIT")
    with pytest.raises(DatabaseBlocked) as failure, database.transaction():
        database.execute("INSERT INTO numbers VALUES (1)")
    assert failure.value.exit_code is ExitCode.UNSAFE
    assert database.value("SELECT count(*) FROM numbers") == 0
    with database.transaction():
        database.execute("INSERT INTO numbers VALUES (1)")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CORRUPT])
def test_a_failed_disk_ends_the_store(database: Database, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    fail_with(database, monkeypatch, code, "COMMIT")
    with pytest.raises(DatabaseFailed), database.transaction():
        database.execute("INSERT INTO numbers VALUES (1)")
    assert not database.is_usable
    for attempt in (lambda: database.execute("SELECT 1"), lambda: database.value("SELECT 1")):
        with pytest.raises(DatabaseFailed, match="the disk says no"):
            attempt()


def test_another_program_in_the_file_is_waited_for_and_then_reported(
    database: Database, tmp_path: Path
) -> None:  # fmt: skip
    other = sqlite3.connect(tmp_path / "some.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(DatabaseBlocked, match="locked"), database.transaction():
        pass
    other.execute("ROLLBACK")
    other.close()
    with database.transaction():
        pass


def test_a_store_whose_disk_failed_sends_nothing_more_and_does_not_claim_an_orderly_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.db"
    lock = DatabaseLock.take(path, identity())
    store = LiveStore.open(path, lock, writer(), LIMITS, Clock(), CountedIds(), Witness())
    order = store.journal.intent(approved())
    fail_with(store._database, monkeypatch, sqlite3.SQLITE_IOERR_FSYNC, "COMMIT")
    with pytest.raises(UnsafeState):
        store.journal.sending(order)
    for attempt in (lambda: store.journal.sending(order), store.require_fence, store.halt):
        with pytest.raises(UnsafeState):
            attempt()
    store.close()
    lock.release()
    left = read_holder(path)
    assert left is not None
    assert left.stage == "held"
    assert path.with_name("live.db-wal").stat().st_size > 0, "closing did not take the log away"
    with live_store(path) as store:
        assert store.was_unclean
        assert store.journal.get(order.order_id).state == "intent"
