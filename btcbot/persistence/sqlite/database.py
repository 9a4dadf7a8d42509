"""The one connection of a process to its database file, and the one way to write through it.

A second connection in the process is an error: the engine's WAL-reset bug needs two writers, and POSIX locks do not
tell them apart (reliability, findings 11, 12 and 15). Every switch that is per connection is set here, each time.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee

from btcbot.persistence.sqlite.errors import DatabaseBlocked, DatabaseFailed, RecordRefused

BUSY_TIMEOUT_MS = 5000
CHECKPOINT_PAGES = 1000
PRAGMAS: tuple[tuple[str, object], ...] = (
    ("busy_timeout", BUSY_TIMEOUT_MS),
    ("journal_mode", "wal"),
    ("synchronous", "full"),
    ("foreign_keys", 1),
    ("recursive_triggers", 1),
    ("cell_size_check", 1),
    ("trusted_schema", 0),
    ("mmap_size", 0),
    ("wal_autocheckpoint", 0),  # `checkpoint` runs between cycles, never inside a commit
)
_TRY_LATER = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_OUR_FAULT = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH)
_open_files: set[tuple[int, int]] = set()


class Database:
    """Opened once, used by one thread. After a disk error every call raises: a failed fsync is never retried."""

    def __init__(self, path: Path) -> None:
        found = path.stat()
        self._file = (found.st_dev, found.st_ino)
        if self._file in _open_files:
            raise DatabaseFailed(f"a second connection to {path} was asked for in one process")
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._failure: str | None = None
        self._is_in_transaction = False
        self._peewee = peewee.SqliteDatabase(
            f"{path.as_uri()}?mode=rw", uri=True, pragmas=PRAGMAS, timeout=BUSY_TIMEOUT_MS // 1000, autoconnect=False,
            thread_safe=False,
        )  # fmt: skip
        with self._translated():
            self._peewee.connect()
        _open_files.add(self._file)
        self._page_size = int(self.value("PRAGMA page_size"))

    @property
    def is_usable(self) -> bool:
        return self._failure is None

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises `DatabaseBlocked` (try later), `DatabaseFailed` (never again), `RecordRefused`."""
        if self._failure is not None:
            raise DatabaseFailed(self._failure)
        with self._translated():
            cursor: sqlite3.Cursor = self._peewee.execute_sql(sql, values)
            return cursor

    def value(self, sql: str, values: Sequence[object] = ()) -> Any:
        """The first column of the first row, or nothing."""
        row = self.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def rows(self, query: peewee.Select) -> list[dict[str, Any]]:
        """The rows of a peewee query, columns converted to our types."""
        if self._failure is not None:
            raise DatabaseFailed(self._failure)
        with self._translated():
            return list(query.dicts().execute(self._peewee))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One IMMEDIATE transaction: all of it is durable on return, none of it after an exception."""
        assert not self._is_in_transaction, "transactions do not nest"
        self.execute("BEGIN IMMEDIATE")
        self._is_in_transaction = True
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._is_in_transaction = False

    def checkpoint(self) -> None:
        """Move the log into the file once it is long enough. Called between cycles."""
        try:
            size = self._wal.stat().st_size
        except FileNotFoundError:
            return
        if size >= CHECKPOINT_PAGES * self._page_size:
            self.checkpoint_now()

    def checkpoint_now(self) -> None:
        """Move the whole log into the file and empty it, so that the file alone tells what it is."""
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        if not self._peewee.is_closed():
            self._peewee.close()
            _open_files.discard(self._file)

    def _roll_back(self) -> None:
        if self._failure is None and self._peewee.connection().in_transaction:
            self.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except peewee.PeeweeException as error:
            code = _code_of(error)
            what = f"the database {self._path.name} says: {error}"
            if code in _TRY_LATER:
                raise DatabaseBlocked(what) from error
            if code in _OUR_FAULT:
                raise RecordRefused(what) from error
            self._failure = what
            raise DatabaseFailed(what) from error


def _code_of(error: peewee.PeeweeException) -> int | None:
    """SQLite's primary result code: the low byte of the extended one."""
    code: int | None = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
