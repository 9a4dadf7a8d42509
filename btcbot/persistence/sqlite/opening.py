"""From a path and a lock to an open store: judge, make or migrate, fence, in that order.

Whatever is refused is refused before anything is written. A new database is built under another name and renamed when
it is whole, so that a file at its path always says whose it is.
"""

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from btcbot.domain.errors import FenceLost, UnsafeState
from btcbot.domain.events import Event
from btcbot.domain.ports import Clock, Ids, Observer
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.chain import read_head
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.engine import has_reset_defect
from btcbot.persistence.sqlite.fields import utc_text
from btcbot.persistence.sqlite.lock import DatabaseLock, Seal, boot_id
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, create, migrate
from btcbot.persistence.sqlite.models import Epochs
from btcbot.persistence.sqlite.ownership import CLOSED, Ownership, judge_ownership
from btcbot.persistence.sqlite.recorder import Recorder, write_cursor
from btcbot.persistence.sqlite.writer import VENUE, Writer

FINGERPRINT_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class OpenStore:
    """What live's and the monitor's store have in common."""

    database: Database
    recorder: Recorder
    db_uuid: str

    @property
    def fingerprint(self) -> str:
        """The database's short name for logs."""
        return self.db_uuid[:FINGERPRINT_CHARACTERS]


def open_store(path: Path, lock: DatabaseLock, writer: Writer, clock: Clock, ids: Ids, observer: Observer) -> OpenStore:
    """Open this role's database as the next epoch; make it where there is none.

    Raises what `judge_ownership` raises, `ForeignDeployment`, `FenceLost` when the lock was lost, and `UnsafeState`
    when the disk fails.
    """
    lock.require_held()
    ownership = judge_ownership(path, writer.role)
    if ownership is not None:
        ownership.require_fits(writer, path)
    else:
        ownership = _make(path, writer, clock, ids)
    lock.write_holder(ownership.db_uuid)
    database = Database(path)
    try:
        if lock.was_unclean:
            # What a failed sync left may be in memory only: written again, and synced, before anything builds on it.
            database.checkpoint_now()
        _bring_up_to_date(database, ownership, observer)
        recorder = _next_epoch(database, lock, writer, clock, ownership)
        mark_closed(recorder, is_closed=False)
        database.checkpoint_now()  # a copy of the file alone has to say that it was open
        lock.mark_open(seal_of(recorder))
    except BaseException:
        database.close()
        raise
    store = OpenStore(database, recorder, ownership.db_uuid)
    observer.observed(
        Event.DATABASE_OPENED, path=str(path), db_fingerprint=store.fingerprint, epoch=recorder.epoch,
        schema=SCHEMAS[writer.role].number, was_unclean=lock.was_unclean,
    )  # fmt: skip
    if has_reset_defect():
        observer.observed(
            Event.ENGINE_DEFECT_KNOWN, sqlite=sqlite3.sqlite_version, harmless_because="one writer, one connection"
        )
    if lock.was_unclean:
        observer.observed(Event.UNCLEAN_STOP_DETECTED, previous=str(lock.previous or "unreadable"))
    return store


def seal_of(recorder: Recorder) -> Seal:
    """How far the database has come, once what was written is durable."""
    return Seal(recorder.epoch, recorder.head.sequence, recorder.head.hash)


def close_store(database: Database, recorder: Recorder, lock: DatabaseLock) -> None:
    """Close in order, so that the next start knows it. After a disk error the lock's text keeps saying otherwise."""
    try:
        if database.is_usable:
            mark_closed(recorder)
    except UnsafeState:
        database.close(leave_log=True)
        return
    except FenceLost:
        pass  # whoever has it now says it of itself
    if database.is_usable:
        lock.keep(seal_of(recorder))
        lock.mark_closing()
    database.close()


def mark_closed(recorder: Recorder, *, is_closed: bool = True) -> None:
    """Say in live's file itself whether all of it is in the file: a copy that lacks its log says no."""
    if recorder.role is Role.LIVE:
        with recorder.transaction():
            write_cursor(recorder, CLOSED, "yes" if is_closed else "no", recorder.moment().at)


def _make(path: Path, writer: Writer, clock: Clock, ids: Ids) -> Ownership:
    schema = SCHEMAS[writer.role]
    created_at = utc_text(clock.now())
    ownership = Ownership(
        writer.role, ids.new(), schema.number, writer.build, created_at, writer.deployment_id,
        writer.account_fingerprint, VENUE,
    )  # fmt: skip
    metadata = {
        "db_role": str(writer.role), "created_by": writer.build, "db_uuid": ownership.db_uuid,
        "created_at": created_at, "schema": str(schema.number), "deployment_id": writer.deployment_id,
        "account_fingerprint": writer.account_fingerprint, "venue": VENUE,
    }  # fmt: skip
    unfinished = path.with_name(f"{path.name}.making")
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        with closing(sqlite3.connect(f"{unfinished.as_uri()}?mode=rw", uri=True, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")  # a file that a crash left half-made is thrown away
            connection.execute("PRAGMA synchronous = FULL")
            create(connection, schema, metadata)
            connection.execute("PRAGMA journal_mode = WAL")
        unfinished.rename(path)
        _sync_directory(path.parent)
    except (OSError, sqlite3.Error) as error:
        raise UnsafeState(f"the database {path} cannot be made ({error})") from error
    return ownership


def _bring_up_to_date(database: Database, ownership: Ownership, observer: Observer) -> None:
    schema = SCHEMAS[ownership.role]
    found = int(database.value("PRAGMA user_version"))
    for number in migrate(database, schema, found):
        observer.observed(Event.MIGRATION_APPLIED, schema=number)
    if found < schema.number:
        database.checkpoint_now()


def _next_epoch(
    database: Database, lock: DatabaseLock, writer: Writer, clock: Clock, ownership: Ownership
) -> Recorder:  # fmt: skip
    """Insert epoch + 1: from now on, every older process that still writes is refused.

    The same transaction reads once more whose database it is: between the look from outside and this connection the
    file may have been replaced.
    """
    lock.require_held()
    with database.transaction():
        facts = dict(database.execute("SELECT key, value FROM metadata").fetchall())
        if any(facts.get(name) != value for name, value in ownership.facts().items()):
            raise FenceLost("the database that was opened is not the one that was judged: it was replaced meanwhile")
        latest: int = database.value("SELECT coalesce(max(epoch), 0) FROM epochs")
        head = read_head(database, ownership.db_uuid)
        recorder = Recorder(database, writer, clock, boot_id(), latest + 1, head)
        moment = recorder.moment()
        recorder.insert(
            Epochs, epoch=latest + 1, opened_at=moment.at, build=writer.build, deployment_id=writer.deployment_id,
            was_unclean=lock.was_unclean, **moment.columns(),
        )  # fmt: skip
    return recorder


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
