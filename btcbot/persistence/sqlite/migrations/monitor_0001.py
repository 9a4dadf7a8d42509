"""The first schema of the monitor's database: its reports, and a copy of what live's status feed told."""

from btcbot.persistence.sqlite.migrations.ddl import append_only, chained, flag, table

ROLE = "monitor"

STATEMENTS = (
    chained(
        ROLE, "epochs",
        (
            "epoch INTEGER PRIMARY KEY", "opened_at TEXT NOT NULL", "monotonic_us INTEGER NOT NULL",
            "boot_id TEXT NOT NULL", "build TEXT NOT NULL", "deployment_id TEXT NOT NULL", flag("was_unclean"),
        ),
    ),
    *append_only("epochs", "chain_sequence"),
    table(
        ROLE, "reports",
        ("id INTEGER PRIMARY KEY", "checked_at TEXT NOT NULL", "status TEXT NOT NULL"),
    ),
    *append_only("reports"),
    table(
        ROLE, "checks",
        (
            "id INTEGER PRIMARY KEY", "report_id INTEGER NOT NULL REFERENCES reports (id)", "name TEXT NOT NULL",
            "status TEXT NOT NULL", "reason TEXT NOT NULL", "detail TEXT NOT NULL", "remedy TEXT NOT NULL",
        ),
    ),
    *append_only("checks"),
    table(
        ROLE, "feed_copy",
        (
            "number INTEGER PRIMARY KEY", "kind TEXT NOT NULL", "at TEXT NOT NULL",
            "body TEXT NOT NULL", "received_at TEXT NOT NULL",
        ),
    ),
    *append_only("feed_copy"),
)  # fmt: skip
