"""The third schema of live's database: coins that an operator assigned to the bot."""

from btcbot.persistence.sqlite.migrations.ddl import append_only, chained
from btcbot.persistence.sqlite.migrations.live_0001 import ROLE

STATEMENTS = (
    # The ledger counts every coin of the account; a row here says that so many of them may be sold by the bot.
    chained(
        ROLE, "assignments",
        (
            "id INTEGER PRIMARY KEY", "epoch INTEGER NOT NULL", "pair TEXT NOT NULL", "base TEXT NOT NULL",
            "quote TEXT NOT NULL", "quantity TEXT NOT NULL", "price TEXT NOT NULL", "reason TEXT NOT NULL",
            "by TEXT NOT NULL", "at TEXT NOT NULL",
        ),
    ),
    *append_only("assignments", "chain_sequence"),
)  # fmt: skip
