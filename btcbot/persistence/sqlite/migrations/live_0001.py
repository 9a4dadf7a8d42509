"""The first schema of live's database: the journal of reliability 3.2, the books, the cycles, what was told of them."""

from btcbot.persistence.sqlite.migrations.ddl import (
    append_only,
    chained,
    flag,
    one_of,
    table,
    unchangeable,
    undeletable,
    written_once,
)

ROLE = "live"
STATES = (
    "intent", "not_sent", "sending", "turned_down", "rejected", "unknown", "absent_sealed", "orphan", "open", "partial",
    "cancel_intent", "canceling", "closing", "filled", "canceled",
)  # fmt: skip
SIDE = one_of("side", ("buy", "sell"))

STATEMENTS = (
    # One row per start; the greatest number is the one writer (reliability, section 4, step 7).
    chained(
        ROLE, "epochs",
        (
            "epoch INTEGER PRIMARY KEY", "opened_at TEXT NOT NULL", "monotonic_us INTEGER NOT NULL",
            "boot_id TEXT NOT NULL", "build TEXT NOT NULL", "deployment_id TEXT NOT NULL", flag("was_unclean"),
        ),
    ),
    *append_only("epochs", "chain_sequence"),
    # What a decision read, once, under the hash of its content.
    table(
        ROLE, "snapshots",
        ("snapshot_id TEXT PRIMARY KEY", "taken_at TEXT NOT NULL", "content BLOB NOT NULL"),
    ),
    *append_only("snapshots", "snapshot_id"),
    # An order as it was meant. Nothing here ever changes; where it stands is in order_heads.
    chained(
        ROLE, "orders",
        (
            "order_id TEXT PRIMARY KEY", "decision_id TEXT NOT NULL UNIQUE", "client_order_id TEXT NOT NULL UNIQUE",
            "epoch INTEGER NOT NULL", "label_sequence INTEGER NOT NULL", "pair TEXT NOT NULL", "base TEXT NOT NULL",
            "quote TEXT NOT NULL", SIDE, one_of("purpose", ("entry", "exit")), one_of("method", ("limit",)),
            "quantity TEXT NOT NULL", "price TEXT NOT NULL", "reference_price TEXT",
            "reservation_number TEXT NOT NULL", "reservation_asset TEXT NOT NULL",
            "highest_exchange_order_id INTEGER", "snapshot_id TEXT REFERENCES snapshots (snapshot_id)",
            "arm_token_hash TEXT NOT NULL", "attempt INTEGER NOT NULL CHECK (attempt = 1)", flag("is_adopted"),
            "created_at TEXT NOT NULL", "monotonic_us INTEGER NOT NULL", "boot_id TEXT NOT NULL",
        ),
        constraints=("UNIQUE (epoch, label_sequence)",),
    ),
    *append_only("orders", "order_id", "decision_id", "client_order_id", "epoch, label_sequence", "chain_sequence"),
    "CREATE INDEX orders_by_time ON orders (created_at)",
    # Where an order stands: the one table of the journal that changes, and only by a step of order_history.
    table(
        ROLE, "order_heads",
        (
            "order_id TEXT PRIMARY KEY REFERENCES orders (order_id)", "pair TEXT NOT NULL", one_of("state", STATES),
            "exchange_order_id INTEGER UNIQUE", "left_seen TEXT", flag("is_seen_closed"), "filled TEXT NOT NULL",
            "absent_evidence INTEGER NOT NULL CHECK (absent_evidence >= 0)",
            "cancels_sent INTEGER NOT NULL CHECK (cancels_sent >= 0)", "reason TEXT NOT NULL",
            "changed_at TEXT NOT NULL",
        ),
    ),
    undeletable("order_heads"),
    written_once("order_heads", "order_id", "exchange_order_id"),
    unchangeable("order_heads", "order_id", "pair"),
    "CREATE INDEX order_heads_by_state ON order_heads (state)",
    "CREATE INDEX order_heads_by_pair ON order_heads (pair, exchange_order_id)",
    chained(
        ROLE, "order_history",
        (
            "id INTEGER PRIMARY KEY", "order_id TEXT NOT NULL REFERENCES orders (order_id)",
            "epoch INTEGER NOT NULL", one_of("before", STATES), "event TEXT NOT NULL", one_of("after", STATES),
            flag("is_alarm"), "detail TEXT NOT NULL", "exchange_order_id INTEGER", "at TEXT NOT NULL",
            "monotonic_us INTEGER NOT NULL", "boot_id TEXT NOT NULL",
        ),
    ),
    *append_only("order_history", "chain_sequence"),
    "CREATE INDEX order_history_by_order ON order_history (order_id)",
    "CREATE INDEX order_history_alarms ON order_history (chain_sequence) WHERE is_alarm = 1",
    chained(
        ROLE, "fills",
        (
            "id INTEGER PRIMARY KEY", "trade_id INTEGER NOT NULL UNIQUE",
            "order_id TEXT NOT NULL REFERENCES orders (order_id)", "exchange_order_id INTEGER NOT NULL",
            "client_order_id TEXT", "pair TEXT NOT NULL", SIDE, "price TEXT NOT NULL", "quantity TEXT NOT NULL",
            "fee TEXT NOT NULL", "tax TEXT NOT NULL", "time_exchange TEXT NOT NULL", "booked_at TEXT NOT NULL",
        ),
    ),
    *append_only("fills", "trade_id", "chain_sequence"),
    "CREATE INDEX fills_by_order ON fills (order_id)",
    chained(
        ROLE, "ledger",
        (
            "id INTEGER PRIMARY KEY", one_of("kind", ("opening", "transfer", "trade", "fee", "tax")),
            "asset TEXT NOT NULL", "number TEXT NOT NULL", "source TEXT NOT NULL", "at TEXT NOT NULL",
            "booked_at TEXT NOT NULL",
        ),
        constraints=("UNIQUE (source, kind, asset)",),
    ),
    *append_only("ledger", "source, kind, asset", "chain_sequence"),
    # content_hash covers the cycle's rows in signals, verdicts, events and balances.
    chained(
        ROLE, "cycles",
        (
            "id INTEGER PRIMARY KEY", "epoch INTEGER NOT NULL", "started_at TEXT NOT NULL", "ended_at TEXT NOT NULL",
            "outcome TEXT NOT NULL", "snapshot_id TEXT REFERENCES snapshots (snapshot_id)", "equity TEXT NOT NULL",
            "equity_peak TEXT NOT NULL", "day_pnl TEXT NOT NULL", "day TEXT NOT NULL",
            "day_opening_pnl TEXT NOT NULL", "orders_sent INTEGER NOT NULL CHECK (orders_sent >= 0)",
            flag("halted"), flag("paused"), "content_hash TEXT NOT NULL",
        ),
        constraints=("UNIQUE (cycle_id)",),
    ),
    *append_only("cycles", "cycle_id", "chain_sequence"),
    table(
        ROLE, "signals",
        (
            "id INTEGER PRIMARY KEY", "pair TEXT NOT NULL", one_of("direction", ("buy", "sell", "hold")),
            "confidence TEXT NOT NULL", "notional_number TEXT", "notional_asset TEXT", "reason TEXT NOT NULL",
        ),
    ),
    *append_only("signals"),
    table(
        ROLE, "verdicts",
        (
            "id INTEGER PRIMARY KEY", "decision_id TEXT NOT NULL UNIQUE", "pair TEXT NOT NULL", SIDE,
            flag("is_approved"), "reasons TEXT NOT NULL",
        ),
    ),
    *append_only("verdicts", "decision_id"),
    table(
        ROLE, "events",
        (
            "id INTEGER PRIMARY KEY", "at TEXT NOT NULL", "event TEXT NOT NULL",
            "detail TEXT NOT NULL",
        ),
    ),
    *append_only("events"),
    table(
        ROLE, "balances",
        (
            "id INTEGER PRIMARY KEY", "at TEXT NOT NULL", "asset TEXT NOT NULL", "total TEXT NOT NULL",
            "available TEXT NOT NULL", "held TEXT NOT NULL",
        ),
    ),
    *append_only("balances"),
    # Halts and pauses and their ends, in order; the last word counts.
    chained(
        ROLE, "control",
        (
            "id INTEGER PRIMARY KEY", "epoch INTEGER NOT NULL", one_of("verb", ("halt", "lift", "pause", "resume")),
            "reason TEXT NOT NULL", "by TEXT NOT NULL", "at TEXT NOT NULL",
        ),
    ),
    *append_only("control", "chain_sequence"),
    "CREATE INDEX control_by_verb ON control (verb, chain_sequence)",
    # Where reading of the exchange's lists goes on. A convenience: a lost cursor costs a longer reading.
    table(
        ROLE, "cursors",
        ("name TEXT PRIMARY KEY", "value TEXT NOT NULL", "changed_at TEXT NOT NULL"),
    ),
    undeletable("cursors"),
    # What the monitor is told, numbered without gaps, written with what it tells of.
    table(
        ROLE, "outbox",
        (
            "number INTEGER PRIMARY KEY AUTOINCREMENT", "kind TEXT NOT NULL", "at TEXT NOT NULL",
            "body TEXT NOT NULL",
        ),
    ),
    *append_only("outbox"),
)  # fmt: skip
