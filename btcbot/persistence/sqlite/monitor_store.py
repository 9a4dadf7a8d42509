"""The monitor's database: what it found, and its own copy of what live told."""

from collections.abc import Iterable
from pathlib import Path

from btcbot.domain.feed import FeedMessage
from btcbot.domain.health import HealthReport
from btcbot.domain.ports import Clock, Ids, Observer
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.backups import RunningBackup
from btcbot.persistence.sqlite.chain import ChainHead
from btcbot.persistence.sqlite.housekeeping import Housekeeping
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.models import Checks, FeedCopy, Reports
from btcbot.persistence.sqlite.opening import OpenStore, close_store, open_store
from btcbot.persistence.sqlite.recorder import json_text
from btcbot.persistence.sqlite.writer import Writer


class MonitorStore:
    def __init__(self, store: OpenStore, lock: DatabaseLock, clock: Clock, observer: Observer) -> None:
        """Use `open`."""
        self._database = store.database
        self._recorder = store.recorder
        self._lock = lock
        self._housekeeping = Housekeeping(store.database, store.recorder, lock, Role.MONITOR, clock, observer)
        self.db_uuid = store.db_uuid
        self.fingerprint = store.fingerprint
        self.epoch = store.recorder.epoch

    @classmethod
    def open(
        cls, path: Path, lock: DatabaseLock, writer: Writer, clock: Clock, ids: Ids, observer: Observer
    ) -> "MonitorStore":
        """Open the monitor's database under its lock, or make it. Refusals write nothing; see `opening.open_store`."""
        assert writer.role is Role.MONITOR, "the monitor's store is written by the monitor"
        return cls(open_store(path, lock, writer, clock, ids, observer), lock, clock, observer)

    def add_report(self, report: HealthReport) -> None:
        """One report with its checks, in one commit."""
        with self._recorder.transaction():
            self._recorder.insert(Reports, checked_at=report.checked_at, status=report.status.name)
            report_id = self._database.value("SELECT last_insert_rowid()")
            for check in report.checks:
                self._recorder.insert(
                    Checks, report_id=report_id, name=check.name, status=check.status.name, reason=check.reason,
                    detail=check.detail, remedy=check.remedy,
                )  # fmt: skip

    def add_feed(self, messages: Iterable[FeedMessage]) -> None:
        """Keep live's messages. One that is there already came twice over the wire and is kept once."""
        with self._recorder.transaction():
            received_at = self._recorder.moment().at
            last = self.last_feed_number()
            for message in messages:
                if message.number > last:
                    last = message.number
                    self._recorder.insert(
                        FeedCopy, number=message.number, kind=message.kind, at=message.at,
                        body=json_text(message.body), received_at=received_at,
                    )  # fmt: skip

    def last_feed_number(self) -> int:
        """Where the feed goes on after a reconnect."""
        return int(self._database.value("SELECT coalesce(max(number), 0) FROM feed_copy"))

    def require_fence(self) -> None:
        """`FenceLost` unless the lock file is ours and nobody has opened the database since."""
        self._lock.require_held()
        self._recorder.require_epoch()

    def checkpoint(self) -> None:
        """Move a long log into the file; between reports."""
        self._housekeeping.tidy()

    def begin_backup(self, directory: Path, since: ChainHead | None) -> RunningBackup:
        """A backup that takes steps between our own work; its links are hashed anew after `since`."""
        return RunningBackup(
            self._database, directory, Role.MONITOR, self._recorder.moment().at, lambda: self._recorder.head, since
        )

    def close(self) -> None:
        """Close in order; the lock is released by whoever took it."""
        close_store(self._database, self._recorder, self._lock)
