"""Takes out of live's file what a sealed archive holds, a little after each cycle, lowest rows first.

Each step is one short transaction, so that a crash leaves some rows that could have gone. The triggers refuse whatever
no archive holds. One snapshot of each hour stays for good: reports value by it.
"""

from btcbot.persistence.sqlite.chain import Bounds, bounds_of
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

    def begin(self) -> None:
        """There is a new archive."""
        self._is_left = True

    def step(self) -> int:
        """Remove some rows between two cycles; how many."""
        if not self._is_left:
            return 0
        bounds = bounds_of(self._recorder.database, self._db_uuid)
        removed = 0
        if bounds.last_cycle:
            with self._recorder.transaction():
                for table, key, bound in _TABLES:
                    removed += self._remove(table, key, getattr(bounds, bound), "1")
                removed += self._remove_snapshots(bounds)
        self._is_left = removed > 0
        return removed

    def _remove(self, table: str, key: str, bound: int, condition: str) -> int:
        cursor = self._recorder.database.execute(
            f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {key} <= ? AND {condition} "
            f"AND {key} < (SELECT max({key}) FROM {table}) ORDER BY {key} LIMIT {ROWS_PER_STEP})",
            (bound,),
        )
        return cursor.rowcount

    def _remove_snapshots(self, bounds: Bounds) -> int:
        """Once their cycles are gone; none that an order was decided on, and not the first of an hour."""
        return self._remove(
            "snapshots", "rowid", bounds.last_snapshot,
            "NOT EXISTS (SELECT 1 FROM cycles WHERE cycles.snapshot_id = snapshots.snapshot_id) "
            "AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.snapshot_id = snapshots.snapshot_id) "
            "AND substr(taken_at, 1, 13) = (SELECT substr(before.taken_at, 1, 13) FROM snapshots AS before "
            "WHERE before.rowid < snapshots.rowid ORDER BY before.rowid DESC LIMIT 1)",
        )  # fmt: skip
