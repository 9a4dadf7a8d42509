"""A backup put in the place of a database: under its lock, with the old file kept aside, and marked for what it is.

What happened after the backup was taken is not in it, and the exchange knows it all the same. So the restored database
begins a new epoch beyond every one that the lost file can have reached (labels of orders are minted from it and must
never come again), and live's is halted in the commit that begins it: only a person lifts that, after a reconciliation.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from btcbot.domain.errors import UnsafeState
from btcbot.domain.feed import FeedKind
from btcbot.domain.ports import Clock
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.chain import read_head
from btcbot.persistence.sqlite.copying import copy_at_rest, make_durable
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.errors import ForeignDeployment
from btcbot.persistence.sqlite.lock import DatabaseLock, boot_id
from btcbot.persistence.sqlite.models import Control, Epochs
from btcbot.persistence.sqlite.opening import mark_closed, seal_of
from btcbot.persistence.sqlite.ownership import Ownership
from btcbot.persistence.sqlite.paths import LOG_SUFFIXES
from btcbot.persistence.sqlite.recorder import Recorder
from btcbot.persistence.sqlite.verification import Examination
from btcbot.persistence.sqlite.writer import Writer

EPOCHS_SKIPPED = 1000  # where nothing tells how far the lost file had come
BY = "restore"


@dataclass(frozen=True, slots=True)
class Restored:
    path: Path
    aside: Path | None  # where the file went that was there before
    epoch: int
    sequence: int  # of the last link


def restore(
    source: Path, examined: Examination, path: Path, lock: DatabaseLock, writer: Writer, clock: Clock
) -> Restored:
    """Put a backup that was examined in the place of `path`, whose lock is held.

    Raises what the examination found, `ForeignDeployment` for another deployment's or key's backup, and `UnsafeState`
    where the disk fails. A crash leaves the old file, or none and the old one aside: the same command then goes on.
    """
    for problem in examined.problems:
        raise problem
    ownership = examined.ownership
    assert ownership is not None, "what was examined without a problem says whose it is"
    if ownership.role is not writer.role:
        raise ForeignDeployment(f"{source} is a backup of {ownership.role}'s, and this is {writer.role}'s environment")
    ownership.require_fits(writer, source)
    lock.require_held()
    copy = path.with_name(f"{path.name}.restoring")
    _remove(copy)
    copy_at_rest(source, copy)
    recorder = _mark(copy, ownership, lock, writer, clock, source)
    aside = _set_aside(path, f"replaced-in-epoch-{recorder.epoch}")
    _move(copy, path)
    lock.write_holder(ownership.db_uuid)
    lock.mark_open(seal_of(recorder))
    lock.mark_closing()
    return Restored(path, aside, recorder.epoch, recorder.head.sequence)


def _mark(copy: Path, ownership: Ownership, lock: DatabaseLock, writer: Writer, clock: Clock, source: Path) -> Recorder:
    database = Database(copy)
    try:
        found: int = database.value("SELECT coalesce(max(epoch), 0) FROM epochs")
        recorder = Recorder(
            database, writer, clock, boot_id(), _epoch_after(found, lock), read_head(database, ownership.db_uuid)
        )
        moment = recorder.moment()
        with database.transaction():
            recorder.insert(
                Epochs, epoch=recorder.epoch, opened_at=moment.at, build=writer.build,
                deployment_id=writer.deployment_id, was_unclean=True, **moment.columns(),
            )  # fmt: skip
            if ownership.role is Role.LIVE:
                reason = f"restored from {source.name}: what happened after it was taken is not in these records"
                recorder.insert(Control, epoch=recorder.epoch, verb="halt", reason=reason, by=BY, at=moment.at)
                recorder.tell(FeedKind.HALT, {"verb": "halt", "reason": reason, "by": BY}, moment.at)
        mark_closed(recorder)
        database.checkpoint_now()
    finally:
        database.close()
    return recorder


def _epoch_after(found: int, lock: DatabaseLock) -> int:
    """Greater than every epoch that the lost file can have reached: each is kept in the lock file when it begins."""
    left = lock.previous
    if left is None or left.seal is None:
        return found + EPOCHS_SKIPPED
    return max(found, left.seal.epoch) + 1


def _set_aside(path: Path, why: str) -> Path | None:
    """The old file keeps its log under its new name, so that it still opens."""
    if not path.exists():
        return None
    aside = path.with_name(f"{path.name}.{why}")
    for suffix in ("", *LOG_SUFFIXES):
        old = path.with_name(path.name + suffix)
        if old.exists():
            _move(old, aside.with_name(aside.name + suffix))
    return aside


def _move(old: Path, new: Path) -> None:
    try:
        os.rename(old, new)
        make_durable(new)
    except OSError as error:
        raise UnsafeState(f"{old} cannot be moved to {new} ({error.strerror})") from error


def _remove(path: Path) -> None:
    for suffix in ("", *LOG_SUFFIXES):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
