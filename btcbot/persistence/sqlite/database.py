"""The one connection of a process to its database file, and the one way to write through it.

A second connection in the process is an error: the engine's WAL-reset bug needs two writers, and POSIX locks do not
tell them apart (reliability, findings 11, 12 and 15). Every switch that is per connection is set here, each time.
"""

import ctypes
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import peewee

from btcbot.persistence.sqlite.errors import DatabaseBlocked, DatabaseFailed, LogTooLong, RecordRefused
from btcbot.persistence.sqlite.stepped_copy import SteppedCopy

BUSY_TIMEOUT_MS = 5000
CHECKPOINT_PAGES = 1000
LOG_BYTES_TOLD = 16 * 1024 * 1024  # somebody's long reading keeps the log from being emptied
LOG_BYTES_MAX = 64 * 1024 * 1024
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
        self._copy: SteppedCopy | None = None
        self._is_in_transaction = False
        self._peewee = peewee.SqliteDatabase(
            f"{path.as_uri()}?mode=rw", uri=True, pragmas=PRAGMAS, timeout=BUSY_TIMEOUT_MS // 1000, autoconnect=False,
            thread_safe=False, check_same_thread=False,  # for `stepped_copy`, where one of two threads always waits
        )  # fmt: skip
        with self._translated():
            self._peewee.connect()
        # Statements go to the connection itself: peewee's way there takes longer than most of them.
        self._connection: sqlite3.Connection = self._peewee.connection()
        self._genuine = self._connection
        _open_files.add(self._file)
        self._page_size = int(self.value("PRAGMA page_size"))

    @property
    def is_usable(self) -> bool:
        return self._failure is None

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises `DatabaseBlocked` (try later), `DatabaseFailed` (never again), `RecordRefused`."""
        if self._failure is not None:
            raise DatabaseFailed(self._failure)
        try:
            return self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._told(error) from error

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

    def checkpoint(self) -> bool:
        """Move the log into the file once it is long enough. Called between cycles; says whether it is all moved.

        Whoever reads meanwhile is not waited for: what can be moved is, and the rest is tried again after the next
        cycle. Raises `LogTooLong` where that went on until the log is longer than it may be.
        """
        if self.log_bytes() < CHECKPOINT_PAGES * self._page_size:
            return False
        self.execute("PRAGMA busy_timeout = 0")
        try:
            is_moved = self.checkpoint_now()
        finally:
            self.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        left = self.log_bytes()
        if left >= LOG_BYTES_MAX:
            raise LogTooLong(f"the log {self._wal} has grown to {left} bytes and cannot be moved into its database")
        return is_moved

    def checkpoint_now(self) -> bool:
        """Move the whole log into the file and empty it, so that the file alone tells what it is; whether it worked."""
        is_busy, *_ = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy

    def log_bytes(self) -> int:
        """How long the log is: what no checkpoint could empty stays in it."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def begin_copy(self, target: Path, check: Callable[[Path], None]) -> SteppedCopy:
        """A copy of this database that takes steps between our own work; one at a time."""
        if self._failure is not None:
            raise DatabaseFailed(self._failure)
        assert self._copy is None or self._copy.is_done, "one copy at a time"
        self._copy = SteppedCopy(self._connection, self._path, target, check)
        return self._copy

    def close(self, *, leave_log: bool = False) -> None:
        """Close in order. After a disk error, and where the log has to stay, the file is open until the process ends.

        SQLite moves the log into the file when a connection is closed, and deletes it, whether or not the disk keeps
        what it is told by then; the next start could not tell that from a log that somebody removed.
        """
        if self._copy is not None:
            self._copy.abandon()
            self._copy = None
        if self._peewee.is_closed():
            return
        if leave_log or self._failure is not None:
            with suppress(sqlite3.Error):
                self._genuine.rollback()  # which writes nothing: what is not committed is forgotten
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._genuine))  # nor may the interpreter's own end close it
        else:
            self._peewee.close()
        _open_files.discard(self._file)

    def _roll_back(self) -> None:
        if self._failure is None and self._connection.in_transaction:
            self.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except peewee.PeeweeException as error:
            raise self._told(getattr(error, "orig", error)) from error

    def _told(self, error: Exception) -> DatabaseBlocked | RecordRefused | DatabaseFailed:
        """What went wrong, by SQLite's primary result code: the low byte of the extended one."""
        extended: int | None = getattr(error, "sqlite_errorcode", None)
        code = None if extended is None else extended & 0xFF
        what = f"the database {self._path.name} says: {error}"
        if code in _TRY_LATER:
            return DatabaseBlocked(what)
        if code in _OUR_FAULT:
            return RecordRefused(what)
        self._failure = what
        return DatabaseFailed(what)
