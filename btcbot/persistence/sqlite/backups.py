"""A directory of backups: how they are named, which of them are kept, and what a good one is.

A name tells role, time and last link: `live-20260301T120000Z-34567.db`. A file that is still copied or not yet checked
ends in `.part`, so what ends in `.db` was durable and found good when it got its name.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from btcbot.domain.errors import UnsafeState
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.chain import ChainHead, bounds_of, count_links, link_at, read_head, verify_links
from btcbot.persistence.sqlite.copying import make_durable
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.errors import DamagedDatabase, TamperedRecords
from btcbot.persistence.sqlite.ownership import (
    identify,
    read_only,
    require_references,
    require_schema,
    require_sound_pages,
)
from btcbot.persistence.sqlite.paths import require_safe_directory

SUFFIX, UNFINISHED = ".db", ".part"
STAMP = "%Y%m%dT%H%M%SZ"
HOURS_KEPT, DAYS_KEPT, MONTHS_KEPT = 48, 30, 12
LINKS_CHECKED = 10_000
_NAME = re.compile(r"(live|monitor)-(\d{8}T\d{6}Z)-(\d+)\.db", re.ASCII)


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup, as its name has it."""

    path: Path
    role: Role
    taken_at: datetime
    chain_sequence: int
    size: int


def prepared(directory: Path) -> Path:
    """The directory, made where it is missing, ours alone, and without what a crash left unfinished in it."""
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        require_safe_directory(directory)
        for left in directory.glob(f"*{UNFINISHED}"):
            left.unlink()
    except OSError as error:
        raise UnsafeState(f"backups cannot be kept in {directory} ({error.strerror})") from error
    return directory


def unfinished(directory: Path, role: Role, at: datetime) -> Path:
    return directory / f"{role}-{at.astimezone(UTC).strftime(STAMP)}{UNFINISHED}"


def finished(copy: Path, role: Role, at: datetime, head: ChainHead) -> Backup:
    """Give a checked copy its name."""
    path = copy.with_name(f"{role}-{at.astimezone(UTC).strftime(STAMP)}-{head.sequence}{SUFFIX}")
    try:
        copy.rename(path)
        make_durable(path)
        return Backup(path, role, at.astimezone(UTC).replace(microsecond=0), head.sequence, path.stat().st_size)
    except OSError as error:
        raise UnsafeState(f"the backup {path} cannot be kept ({error.strerror})") from error


def listed(directory: Path, role: Role) -> tuple[Backup, ...]:
    """This role's backups, oldest first. What has another name is nobody's business."""
    found = []
    for path in directory.glob(f"{role}-*{SUFFIX}"):
        name = _NAME.fullmatch(path.name)
        if name is not None:
            taken_at = datetime.strptime(name[2], STAMP).replace(tzinfo=UTC)
            found.append(Backup(path, role, taken_at, int(name[3]), path.stat().st_size))
    return tuple(sorted(found, key=lambda backup: (backup.taken_at, backup.chain_sequence)))


def superfluous(backups: Sequence[Backup], bytes_max: int) -> tuple[Backup, ...]:
    """Which to remove: the newest of each of the last 48 hours, 30 days and 12 months that have one stay.

    Where those take more than `bytes_max`, the oldest go first. The newest stays whatever it takes.
    """
    kept: set[Backup] = set()
    newest_first = sorted(backups, key=lambda backup: (backup.taken_at, backup.chain_sequence), reverse=True)
    for form, count in (("%Y%m%d%H", HOURS_KEPT), ("%Y%m%d", DAYS_KEPT), ("%Y%m", MONTHS_KEPT)):
        periods: dict[str, Backup] = {}
        for backup in newest_first:
            periods.setdefault(backup.taken_at.strftime(form), backup)
        kept.update(list(periods.values())[:count])
    total = 0
    for backup in newest_first:
        if backup not in kept:
            continue
        total += backup.size
        if total > bytes_max and backup is not newest_first[0]:
            kept.remove(backup)
    return tuple(backup for backup in backups if backup not in kept)


def remove(backups: Iterable[Backup]) -> None:
    """Only what `listed` named is ever removed."""
    for backup in backups:
        try:
            backup.path.unlink(missing_ok=True)
        except OSError as error:
            raise UnsafeState(f"the old backup {backup.path} cannot be removed ({error.strerror})") from error


def copy_check(role: Role, expected: Callable[[], ChainHead], since: ChainHead | None) -> Callable[[Path], None]:
    """What makes a copy a backup: every page, every reference, the schema, and the chain.

    Each link is a row, so the rows of all chained tables together are as many as the chain is long. Links are hashed
    anew from `since`, the last that an earlier backup was checked up to, or else the last ten thousand; a complete
    examination is `verification.examine`'s.
    """

    def check(copy: Path) -> None:
        try:
            with read_only(copy, "immutable=1") as connection:
                ownership = identify(connection, copy, role)
                require_sound_pages(connection, copy, "integrity_check")
                require_references(connection, copy)
                require_schema(connection, copy, ownership)
                head = _verified_head(connection, ownership.db_uuid, since)
        except sqlite3.DatabaseError as error:
            raise DamagedDatabase(f"the copy {copy} cannot be read ({error})") from error
        if head != expected():
            raise TamperedRecords(f"the copy {copy} ends at link {head.sequence}, its original at another")

    return check


def _verified_head(connection: sqlite3.Connection, db_uuid: str, since: ChainHead | None) -> ChainHead:
    last, base = read_head(connection, db_uuid), bounds_of(connection, db_uuid).base
    begin = last.sequence - LINKS_CHECKED if since is None else since.sequence
    link = link_at(connection, begin) if begin > base.sequence else base
    if since is not None and begin > base.sequence and link != since:
        raise TamperedRecords(f"link {begin} is not what it was when the backup before was checked")
    links, expected = count_links(connection, base.sequence), last.sequence - base.sequence
    if links != expected:
        raise TamperedRecords(f"the hash chain has {expected} links after {base.sequence}, and its tables {links} rows")
    return verify_links(connection, link)


class RunningBackup:
    """A backup of an open database, under way: `advance` while it is not copied, then wait until it is done."""

    def __init__(
        self, database: Database, directory: Path, role: Role, at: datetime, head: Callable[[], ChainHead],
        since: ChainHead | None,
    ) -> None:  # fmt: skip
        self._role = role
        self._at = at
        self._head = head
        self._expected = head()
        self._is_kept: Backup | None = None
        self._check = copy_check(role, lambda: self._expected, since)
        self._copy = database.begin_copy(unfinished(directory, role, at), self._keep)

    @property
    def is_copied(self) -> bool:
        return self._copy.is_copied

    @property
    def is_done(self) -> bool:
        return self._copy.is_done

    def advance(self) -> None:
        """A few more pages, and what the last of them must show."""
        self._expected = self._head()
        self._copy.advance()

    def result(self) -> tuple[Backup, ChainHead]:
        """The backup and its last link; raises what went wrong, and `UnsafeState` where it was abandoned."""
        assert self._copy.is_done, "a backup is asked for once it is done"
        if self._copy.failure is not None:
            raise self._copy.failure
        if self._is_kept is None:
            raise UnsafeState("the backup was abandoned, for the database was closed")
        return self._is_kept, self._expected

    def _keep(self, copy: Path) -> None:
        """On the copying thread: checked, then named."""
        self._check(copy)
        self._is_kept = finished(copy, self._role, self._at, self._expected)
