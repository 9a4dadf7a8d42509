"""Backups of a process's own database: while it runs, between its other work; or at rest, by command.

While it runs, a few pages are copied at a time, so that nothing waits longer for a backup than for a slow commit. A
backup counts once it was checked (`persistence.sqlite.backups`); one whose check fails says that the database itself is
not to be trusted, and live halts. Old ones go by a scheme and by a budget of bytes.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from btcbot.domain.errors import BtcbotError, OwnershipError
from btcbot.domain.events import Event
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import BackupPlan, CommonProfile, Role
from btcbot.persistence.sqlite.backups import (
    Backup,
    RunningBackup,
    finished,
    listed,
    prepared,
    remove,
    superfluous,
    unfinished,
)
from btcbot.persistence.sqlite.chain import ChainHead
from btcbot.persistence.sqlite.copying import copy_at_rest
from btcbot.persistence.sqlite.errors import DamagedDatabase, TamperedRecords
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.verification import examine
from btcbot.services.identity import identity_of
from btcbot.services.runtime import Runtime

FIRST_SECONDS = 60.0  # after a start, where a backup is due: not before the first cycles
RETRY = timedelta(minutes=5)
STEP_SECONDS = 0.02  # between two steps of a copy
WAIT_SECONDS = 0.25  # for the check of the finished copy


class Source(Protocol):
    """A store of this process."""

    def begin_backup(self, directory: Path, since: ChainHead | None) -> RunningBackup: ...


class BackupService:
    """Takes a backup whenever one is due, as long as it runs."""

    def __init__(
        self,
        store: Source,
        role: Role,
        plan: BackupPlan,
        runtime: Runtime,
        observer: Observer,
        alarm: Callable[[str], None] | None = None,
        then: Callable[[Backup], Awaitable[None]] | None = None,
    ) -> None:
        """`then` is done with each new backup.

        `alarm` is told when a backup shows that the database itself is damaged; it is logged in any case.
        """
        self._store = store
        self._role = role
        self._plan = plan
        self._clock = runtime.clock
        self._sleeper = runtime.sleeper
        self._observer = observer
        self._alarm = alarm
        self._then = then
        self._checked: ChainHead | None = None

    async def run(self) -> None:
        await self._sleeper.sleep(FIRST_SECONDS)
        while True:
            await self._sleeper.sleep((self._due() - self._clock.now()).total_seconds())
            try:
                await self.back_up()
            except (DamagedDatabase, TamperedRecords) as damage:
                self._observer.observed(Event.BACKUP_FAILED, detail=str(damage))
                if self._alarm is not None:
                    self._alarm(f"the backup shows damage: {damage}")
                await self._sleeper.sleep(self._plan.every.total_seconds())
            except BtcbotError as error:
                self._observer.observed(Event.BACKUP_FAILED, detail=str(error))
                await self._sleeper.sleep(min(RETRY, self._plan.every).total_seconds())

    async def back_up(self) -> Backup:
        """One backup, now. Raises what stands in its way, or what its check found."""
        directory = prepared(self._plan.directory)
        running = self._store.begin_backup(directory, self._checked)
        while not running.is_copied:
            running.advance()
            await self._sleeper.sleep(STEP_SECONDS)
        while not running.is_done:
            await self._sleeper.sleep(WAIT_SECONDS)
        backup, self._checked = running.result()
        self._observer.observed(
            Event.BACKUP_COMPLETED, path=str(backup.path), bytes=backup.size, chain_sequence=self._checked.sequence,
            chain_hash=self._checked.hash, removed=prune(self._plan, self._role),
        )  # fmt: skip
        if self._then is not None:
            await self._then(backup)
        return backup

    def _due(self) -> datetime:
        """A period after the newest backup there is, whoever took it."""
        try:
            backups = listed(self._plan.directory, self._role)
        except OSError:
            backups = ()
        return backups[-1].taken_at + self._plan.every if backups else self._clock.now()


def prune(plan: BackupPlan, role: Role) -> list[str]:
    """Remove what the scheme and the budget leave no place for; the names of what went."""
    old = superfluous(listed(plan.directory, role), plan.bytes_max)
    remove(old)
    return [backup.path.name for backup in old]


def back_up_at_rest(common: CommonProfile, runtime: Runtime, build: str) -> tuple[str, ...]:
    """A backup of a database that nobody has open, examined completely before it gets its name; a line on each thing.

    Raises `LockHeld` while the process runs: it takes its own backups. Raises the first problem of the database.
    """
    plan, path = common.backups, common.state_db_path
    assert plan is not None, "settings always have one"
    lock = DatabaseLock.take(path, identity_of(common, runtime, build))
    try:
        if not path.exists():
            raise OwnershipError(f"there is no database at {path}")
        at = runtime.clock.now()
        copy = unfinished(prepared(plan.directory), common.role, at)
        copy_at_rest(path, copy)
        found = examine(copy)
        for problem in found.problems:
            raise problem
        backup = finished(copy, common.role, at, ChainHead(found.chain_sequence, found.chain_hash))
    finally:
        lock.release()
    removed = prune(plan, common.role)
    return (
        f"backup: {backup.path}",
        f"chain: {found.chain_sequence} links, the last is {found.chain_hash}",
        f"bytes: {backup.size}; every check of `btcbot verify` passed",
        *(f"removed: {name}" for name in removed),
    )
