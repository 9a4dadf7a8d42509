"""How long live takes to know where it stands after a year of trading, and how much memory that needs.

A database with a million orders and five million fills is written by plain SQL: real rows of one order, repeated under
other keys, in front of a sealed checkpoint and ten thousand links that are genuine. Then a process of its own starts on
it as live does: lock, ownership, schema, chain, epoch, history, ledger, trading state. The hashes of the repeated rows
are made up; a start does not look at them, and `btcbot verify` would say so at once.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from unittest import mock

from figures import Figure, parser, tell

ORDERS, FILLS_PER_ORDER = 1_000_000, 5
GENUINE_LINKS = 12_000
FIRST_TRADE = 1_000_000_001  # as many digits for all: an index over text grows at its end too
SECONDS_MAX, RSS_MB_MAX = 5.0, 150.0
MB = 1024 * 1024
PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))  # for the builders of the tests, which write the rows that are repeated


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--orders", type=int, default=ORDERS, help="in history, with five fills each")
    options.add_argument("--dir", type=Path, help="where the database is written; a temporary directory otherwise")
    options.add_argument("--open", type=Path, help=argparse.SUPPRESS)  # the measured process
    chosen = options.parse_args()
    if chosen.open is not None:
        print(json.dumps(start(chosen.open)))
        return 0
    orders = 2_000 if chosen.quick else chosen.orders
    with tempfile.TemporaryDirectory(prefix="btcbot-startup-", dir=chosen.dir) as directory:
        path = Path(directory) / "live.db"
        began = time.perf_counter()
        write(path, orders)
        written = time.perf_counter() - began
        size = path.stat().st_size
        cold, warm = measured(path), measured(path)
    return tell(
        [
            Figure("start-up, file not in memory", cold["seconds"], "s", at_most=SECONDS_MAX),
            Figure("start-up, file in memory", warm["seconds"], "s", at_most=SECONDS_MAX),
            Figure("resident memory", max(cold["rss_mb"], warm["rss_mb"]), "MB", at_most=RSS_MB_MAX),
            Figure("of it, of the modules", warm["modules_mb"], "MB"),
            Figure("of the time, importing", warm["importing"], "s"),
            Figure("orders in history", orders),
            Figure("fills in history", orders * FILLS_PER_ORDER),
            Figure("database", size / MB, "MB"),
            Figure("written in", written, "s", note="by plain SQL"),
        ],
        chosen,
    )


def measured(path: Path) -> dict[str, float]:
    forget(path)
    command = [sys.executable, __file__, "--open", str(path)]
    environ = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def forget(path: Path) -> None:
    """Ask the system to drop the file from its memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def start(path: Path) -> dict[str, float]:
    """What live does before it first asks the exchange anything."""
    began = time.perf_counter()
    from datetime import timedelta

    from btcbot.domain.money import Asset, use_money_context
    from btcbot.persistence.sqlite.ownership import judge_ownership
    from btcbot.services import live
    from btcbot.services.live_wiring import restored_state
    from tests.unit.persistence.world import Role, live_store

    assert live is not None
    modules = resident_mb()
    imported = time.perf_counter()
    use_money_context()
    judge_ownership(path, Role.LIVE)
    with live_store(path) as store:
        state = restored_state(store.history(), Asset("TRY"), timedelta(minutes=1))
        assert state.instruments
        assert store.ledger_balances()
        assert store.halt() is None
        store.journal.counters()
        ended = time.perf_counter()
    return {
        "seconds": ended - began, "importing": imported - began,
        "rss_mb": resident_mb(), "modules_mb": modules,
    }  # fmt: skip


def resident_mb() -> float:
    """The most this program ever had; what `getrusage` tells is also of the process that it was forked from."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def write(path: Path, orders: int) -> None:
    from btcbot.domain.balances import Balance
    from btcbot.domain.money import Asset, use_money_context
    from btcbot.domain.orders.evidence import Accepted, Seen, Traded
    from btcbot.persistence.sqlite import books, ownership
    from btcbot.persistence.sqlite.models import Checkpoints, Cycles
    from tests.unit.persistence.test_unit_of_work import record
    from tests.unit.persistence.world import START, approved, fill, live_store, venue

    use_money_context()
    with live_store(path) as store:
        much = Decimal(10) ** 12
        store.open_ledger((Balance(Asset("TRY"), much, much, Decimal(0)),))
        order = store.journal.sending(store.journal.intent(approved()))
        store.journal.record(order.order_id, Accepted(1, None))
        numbers = range(FIRST_TRADE, FIRST_TRADE + FILLS_PER_ORDER)
        fills = tuple(fill(number, "0.0002", exchange_order_id=1) for number in numbers)
        store.journal.record(order.order_id, Traded(fills))
        store.journal.record(
            order.order_id, Seen(venue(order.client_order_id, "0", is_open=False, exchange_order_id=1))
        )
        one = store._books.current()  # noqa: SLF001 - what one order came to; no service asks for that
    multiply(path, orders)
    with (
        mock.patch.object(ownership, "LINKS_CHECKED_AT_START", 0),  # the made-up ones
        mock.patch.object(books, "LINKS_PER_CHECKPOINT", 10**12),  # or opening it would add everything up
        live_store(path) as store,
    ):
        recorder = store._recorder  # noqa: SLF001 - rows are written here that no service writes
        entries: int = recorder.database.value("SELECT max(id) FROM ledger")
        instrument = one.trading.instruments["BTCTRY"]
        instruments = {"BTCTRY": replace(instrument, position=instrument.position * orders)}
        whole = replace(one, trading=replace(one.trading, instruments=instruments))
        done = record()
        columns = {name: getattr(done, name) for name in done.__dataclass_fields__}
        with recorder.transaction():
            recorder.insert(
                Checkpoints, epoch=recorder.epoch, last_fill_id=orders * FILLS_PER_ORDER, last_ledger_id=entries,
                books=whole.text(), sealed_at=START,
            )  # fmt: skip
            for number in range(GENUINE_LINKS):
                recorder.insert(
                    Cycles, cycle_id=f"cycle-{number}", epoch=recorder.epoch, started_at=START, content_hash="",
                    **columns,
                )  # fmt: skip
        store.checkpoint()


def multiply(path: Path, orders: int) -> None:
    """The rows of the first order again and again, under keys that rise, so that every index grows at its end."""
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        for switch in ("journal_mode = OFF", "synchronous = OFF", "foreign_keys = OFF", "cache_size = -200000"):
            shell.execute(f"PRAGMA {switch}")
        triggers = shell.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            shell.execute(f"DROP TRIGGER {name}")
        shell.execute("BEGIN")
        links = shell.execute("SELECT max(chain_sequence) FROM order_history").fetchone()[0]
        for table, keys in REPEATED.items():
            columns = [name for (name,) in shell.execute(f"SELECT name FROM pragma_table_info('{table}')")]
            rows = shell.execute(f"SELECT count(*) FROM {table} WHERE {TEMPLATE[table]}").fetchone()[0]
            place = f"{links} + (n - 1) * {rows} + place"
            values = [place if name == "chain_sequence" else keys.get(name, name) for name in columns]
            chosen = ", ".join(values).replace("ROWS", str(rows))
            shell.execute(
                f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {orders - 1}) "
                f"INSERT INTO {table} SELECT {chosen} "
                f"FROM numbers CROSS JOIN (SELECT *, row_number() OVER (ORDER BY rowid) AS place FROM {table} "
                f"WHERE {TEMPLATE[table]})"
            )
            links += rows * (orders - 1) if "chain_sequence" in columns else 0
        for _, sql in triggers:
            shell.execute(sql)
        shell.execute("COMMIT")
        shell.execute("PRAGMA journal_mode = WAL")
    lock = path.with_name(f"{path.name}.lock")
    lock.unlink()  # it holds how far the small database had come


TEMPLATE = {
    "orders": "1", "order_heads": "1", "order_history": "1", "fills": "1", "ledger": "kind <> 'opening'",
}  # fmt: skip
REPEATED: dict[str, dict[str, str]] = {
    "orders": {
        "order_id": "printf('%032x', n + (1 << 40))",
        "decision_id": "'d' || n",
        "client_order_id": "'BB-TEST-0-' || n",
        "epoch": "0",
        "label_sequence": "n",
        "created_at": "'2026-01-01T00:00:00.000Z'",
    },
    "order_heads": {"order_id": "printf('%032x', n + (1 << 40))", "exchange_order_id": "n + 1"},
    "order_history": {"id": "id + n * ROWS", "order_id": "printf('%032x', n + (1 << 40))"},
    "fills": {"id": "id + n * ROWS", "trade_id": "trade_id + n * ROWS", "order_id": "printf('%032x', n + (1 << 40))"},
    "ledger": {
        "id": "id + n * ROWS",
        "source": f"'trade/' || ({FIRST_TRADE} + (place - 1) / 4 + n * {FILLS_PER_ORDER})",
    },
}

if __name__ == "__main__":
    sys.exit(main())
