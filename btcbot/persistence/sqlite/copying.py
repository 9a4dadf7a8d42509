"""Copies of a database, made by SQLite itself: a file that is copied in any other way may lack its log, or be torn.

A process copies its own running database a few pages at a time, between other work (`stepped_copy`). Anybody else reads
through a connection that cannot write, once, in one piece. A copy has no log of its own, is private, and is durable
before anybody sees it under its final name.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from btcbot.domain.errors import UnsafeState

COPY_MODE = 0o600
ROOM = 1.1  # of the database's size, for a copy of it


def copy_of_running(path: Path, target: Path) -> None:
    """A copy of a database that another process has open, as of one moment. That process is not held up.

    The connection can only read. While it does, the writer's log cannot be emptied, so this is not a thing to do often.
    """
    _copy(path, "mode=ro", target)


def copy_at_rest(path: Path, target: Path) -> None:
    """A copy of a database that nobody has open; a log that was left beside it goes into the copy."""
    log = path.with_name(f"{path.name}-wal")
    _copy(path, "mode=ro" if log.exists() and log.stat().st_size else "immutable=1", target)


def require_room(directory: Path, source: Path) -> None:
    """`UnsafeState` where the disk has no room for a copy."""
    wanted = round(source.stat().st_size * ROOM)
    free = shutil.disk_usage(directory).free
    if free < wanted:
        raise UnsafeState(f"a copy of {source} takes {wanted} bytes, and {directory} has room for {free}")


def make_private(target: Path) -> None:
    """An empty file that only we can read. One that is there is an error: nothing is ever copied over."""
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, COPY_MODE))


def make_durable(path: Path) -> None:
    """The file's content and its name."""
    for each, flags in ((path, 0), (path.parent, os.O_DIRECTORY)):
        descriptor = os.open(each, os.O_RDONLY | os.O_CLOEXEC | flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _copy(path: Path, how: str, target: Path) -> None:
    require_room(target.parent, path)
    try:
        make_private(target)
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None)) as source,
            closing(open_target(target)) as copy,
        ):
            source.backup(copy)
        make_durable(target)
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise UnsafeState(f"{path} cannot be copied to {target} ({error})") from error


def open_target(target: Path) -> sqlite3.Connection:
    """Without a journal and without syncing: what is not finished is thrown away, what is finished is synced once."""
    connection = sqlite3.connect(f"{target.as_uri()}?mode=rw", uri=True, isolation_level=None)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    return connection
