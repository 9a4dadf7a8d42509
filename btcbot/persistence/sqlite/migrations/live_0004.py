"""The fourth schema of live's database: archives, and the one way in which a row may leave the file.

Orders, fills, ledger and control stay for good. What cycles leave behind may go once a sealed archive holds it: the
triggers against DELETE ask the table of archives, so that nothing else can remove anything, and never the last row of a
table, whose number the next one counts on from.
"""

from btcbot.persistence.sqlite.migrations.ddl import append_only, chained, deletable_once_archived
from btcbot.persistence.sqlite.migrations.live_0001 import ROLE

STATEMENTS = (
    # One row per archive: which links and rows it holds, and what the file is called and hashes to.
    chained(
        ROLE, "archives",
        (
            "id INTEGER PRIMARY KEY", "epoch INTEGER NOT NULL", "name TEXT NOT NULL UNIQUE", "sha256 TEXT NOT NULL",
            "bytes INTEGER NOT NULL", "first_sequence INTEGER NOT NULL", "last_sequence INTEGER NOT NULL",
            "last_hash TEXT NOT NULL", "kept_rows INTEGER NOT NULL", "kept_hash TEXT NOT NULL",
            "last_cycle_id TEXT NOT NULL", "last_cycle INTEGER NOT NULL", "last_signal INTEGER NOT NULL",
            "last_verdict INTEGER NOT NULL", "last_event INTEGER NOT NULL", "last_balance INTEGER NOT NULL",
            "last_message INTEGER NOT NULL", "last_snapshot INTEGER NOT NULL", "sealed_at TEXT NOT NULL",
        ),
        constraints=("CHECK (last_sequence < chain_sequence)",),
    ),
    *append_only("archives", "name", "chain_sequence"),
    *deletable_once_archived("cycles", "last_cycle"),
    *deletable_once_archived("signals", "last_signal"),
    *deletable_once_archived("verdicts", "last_verdict"),
    *deletable_once_archived("events", "last_event"),
    *deletable_once_archived("balances", "last_balance"),
    *deletable_once_archived("outbox", "last_message", "number"),
    *deletable_once_archived(
        "snapshots", "last_snapshot", "rowid",
        unless="EXISTS (SELECT 1 FROM orders WHERE snapshot_id = OLD.snapshot_id) "
        "OR EXISTS (SELECT 1 FROM cycles WHERE snapshot_id = OLD.snapshot_id)",
    ),
    # Without them, removing one snapshot reads all orders and cycles.
    "CREATE INDEX orders_by_snapshot ON orders (snapshot_id)",
    "CREATE INDEX cycles_by_snapshot ON cycles (snapshot_id)",
)  # fmt: skip
