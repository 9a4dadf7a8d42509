"""The second schema of live's database: sealed checkpoints, so that a start reads only what came since."""

from btcbot.persistence.sqlite.migrations.ddl import append_only, chained
from btcbot.persistence.sqlite.migrations.live_0001 import ROLE

STATEMENTS = (
    # What all fills and ledger entries up to these two add up to; a link of the chain, so nobody changes it unseen.
    chained(
        ROLE, "checkpoints",
        (
            "id INTEGER PRIMARY KEY", "epoch INTEGER NOT NULL", "last_fill_id INTEGER NOT NULL",
            "last_ledger_id INTEGER NOT NULL", "books TEXT NOT NULL", "sealed_at TEXT NOT NULL",
        ),
    ),
    *append_only("checkpoints", "chain_sequence"),
)  # fmt: skip
