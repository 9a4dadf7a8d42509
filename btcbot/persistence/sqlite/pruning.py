"""Takes out of live's file what a sealed archive holds, a little after each cycle, lowest rows first.

Each step is one short transaction, so that a crash leaves some rows that could have gone. The triggers refuse whatever
no archive holds. One snapshot of each hour stays for good: reports value by it.
"""

from btcbot.persistence.sqlite.chain import bounds_of
from btcbot.persistence.sqlite.recorder import Recorder

ROWS_PER_STEP = 400  # of each table
_TABLES = (
    ("signals", "id", "last_signal"), ("verdicts", "id", "last_verdict"), ("events", "id", "last_event"),
    ("balances", "id", "last_balance"), ("outbox", "number", "last_message"), ("cycles", "id", "last_cycle"),
)  # fmt: skip


class Pruning:
    def __init__(self, recorder: Recorder, db_uuid: str) -> None:
        self._recorder = recorder
        self._db_uuid = db_uuid
        self._is_left = True  # until a step finds nothing
        self._snapshots_seen = 0  # up to this row each was removed, or stays for good

    def begin(self) -> None:
        """There is a new archive."""
        self._is_left = True

    def step(self) -> bool:
        """Remove some rows between two cycles; whether there may be more. A step looks at a bounded number of rows."""
        if not self._is_left:
            return False
        bounds = bounds_of(self._recorder.database, self._db_uuid)
        self._is_left = False
        if bounds.last_cycle:
            with self._recorder.transaction():
                removed = sum(self._remove(table, key, getattr(bounds, bound)) for table, key, bound in _TABLES)
                self._is_left = removed > 0 or self._remove_snapshots(bounds.last_snapshot)
        return self._is_left

    def _remove(self, table: str, key: str, bound: int) -> int:
        cursor = self._recorder.database.execute(
            f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {key} <= ? "
            f"AND {key} < (SELECT max({key}) FROM {table}) ORDER BY {key} LIMIT {ROWS_PER_STEP})",
            (bound,),
        )
        return cursor.rowcount

    def _remove_snapshots(self, bound: int) -> bool:
        """Once their cycles are gone; none that an order was decided on, and not the first of an hour."""
        database = self._recorder.database
        first = self._snapshots_seen
        (last,) = database.execute(
            "SELECT max(rowid) FROM (SELECT rowid FROM snapshots WHERE rowid > ? AND rowid <= ? "
            f"AND rowid < (SELECT max(rowid) FROM snapshots) ORDER BY rowid LIMIT {ROWS_PER_STEP})",
            (first, bound),
        ).fetchone()
        if last is None:
            return False
        database.execute(
            "DELETE FROM snapshots WHERE rowid IN (SELECT rowid FROM snapshots AS here WHERE rowid > ? AND rowid <= ? "
            "AND NOT EXISTS (SELECT 1 FROM cycles WHERE cycles.snapshot_id = here.snapshot_id) "
            "AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.snapshot_id = here.snapshot_id) "
            "AND substr(taken_at, 1, 13) = (SELECT substr(before.taken_at, 1, 13) FROM snapshots AS before "
            "WHERE before.rowid < here.rowid ORDER BY before.rowid DESC LIMIT 1))",
            (first, last),
        )
        self._snapshots_seen = int(last)
        return True
