"""A database of live with a long history, made in a minute: what `reports.py` reads.

The tables, their indexes and triggers are those of the migrations, and every row satisfies them. The rows are written
in bulk, with the triggers and the plain indexes put aside meanwhile, and their chain hashes are numbers, not hashes:
this history is for reading speed, and `btcbot verify` would refuse it. Heads and steps of orders, and the ledger's
entries of trades, are left out.
"""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path

from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, create

PAIRS = {"BTCTRY": 4_200_000, "ETHTRY": 145_000, "AVAXTRY": 900, "SOLTRY": 6_900, "USDTTRY": 43}
START = datetime(2025, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=365)
LATE_EVERY = 5_000  # one order in so many is booked an hour after it traded
LATE_BY = timedelta(hours=1)
DIGITS = 10**8
FEE_PARTS = 1_200  # of a million
AUDIT = ("live", f"{1:032x}", f"{2:032x}", f"{3:016x}")
FILL = (
    "trade_id, order_id, exchange_order_id, client_order_id, pair, side, price, quantity, fee, tax, time_exchange, "
    "booked_at, process_role, process_instance_id, cycle_id, config_hash, chain_sequence, chain_hash"
)
ORDER = (
    "order_id, decision_id, client_order_id, epoch, label_sequence, pair, base, quote, side, purpose, method, "
    "quantity, price, reference_price, reservation_number, reservation_asset, highest_exchange_order_id, snapshot_id, "
    "arm_token_hash, attempt, is_adopted, created_at, monotonic_us, boot_id, process_role, process_instance_id, "
    "cycle_id, config_hash, chain_sequence, chain_hash"
)
LEDGER = (
    "kind, asset, number, source, at, booked_at, process_role, process_instance_id, cycle_id, config_hash, "
    "chain_sequence, chain_hash"
)
Row = tuple[object, ...]


def make_history(path: Path, orders: int, fills_each: int, seed: int = 7) -> None:
    """Write a new database; the same arguments give the same history."""
    schema = SCHEMAS[Role.LIVE]
    metadata = {
        "db_role": "live", "created_by": "benchmark", "db_uuid": f"{9:032x}", "created_at": _utc(START),
        "schema": str(schema.number), "deployment_id": "BENCH", "account_fingerprint": "none", "venue": "btcturk",
    }  # fmt: skip
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        create(connection, schema, metadata)
        aside = connection.execute(
            "SELECT type, name, sql FROM sqlite_schema "
            "WHERE sql IS NOT NULL AND type IN ('trigger', 'index') AND tbl_name IN ('orders', 'fills', 'ledger')"
        ).fetchall()
        for kind, name, _ in aside:
            connection.execute(f"DROP {kind} {name}")
        connection.execute("BEGIN")
        _insert(connection, "ledger", LEDGER, iter([_opening()]))
        rows = _history(orders, fills_each, random.Random(seed))
        while part := list(islice(rows, 20_000)):
            _insert(connection, "orders", ORDER, (order for order, _ in part))
            _insert(connection, "fills", FILL, chain.from_iterable(fills for _, fills in part))
        connection.execute("COMMIT")
        for *_, sql in aside:
            connection.execute(sql)
        connection.execute("PRAGMA journal_mode = WAL")


def _history(orders: int, fills_each: int, chance: random.Random) -> Iterator[tuple[Row, list[Row]]]:
    """Each order with its fills. A pair that holds something sells a part or all of it every other time."""
    held = dict.fromkeys(PAIRS, 0)
    prices = {pair: price * 100 for pair, price in PAIRS.items()}
    step = SPAN / orders
    for number in range(1, orders + 1):
        pair = chance.choice(tuple(PAIRS))
        prices[pair] = max(prices[pair] + round(prices[pair] * chance.uniform(-0.0005, 0.0005)), 100)
        is_sale = held[pair] >= fills_each and chance.random() < 0.5
        wanted = chance.randrange(20_000, 500_000) * DIGITS // prices[pair] + fills_each
        left = quantity = min(wanted, held[pair]) if is_sale else wanted
        held[pair] += -quantity if is_sale else quantity
        at = START + step * number
        traded_at, booked_at = _utc(at - LATE_BY if number % LATE_EVERY == 0 else at), _utc(at)
        side, label = "sell" if is_sale else "buy", f"BB-BENCH-1-{number:08X}-00"
        fills: list[Row] = []
        for part in range(fills_each):
            size = left if part == fills_each - 1 else left // (fills_each - part)
            left -= size
            price = prices[pair] + part
            fee = price * size * FEE_PARTS // (100 * 1_000_000)
            link = number * (fills_each + 1) + part + 2
            fills.append((
                number * fills_each + part, f"{number:032x}", number, label, pair, side, _text(price, 2),
                _text(size, 8), _text(fee, 8), _text(fee // 5, 8), traded_at, booked_at, *AUDIT, link, f"{link:064x}",
            ))  # fmt: skip
        link = number * (fills_each + 1) + 1
        yield (
            f"{number:032x}", f"{number:032x}/{pair}/1", label, 1, number, pair, pair.removesuffix("TRY"), "TRY", side,
            "exit" if is_sale else "entry", "limit", _text(quantity, 8), _text(prices[pair], 2), None,
            _text(quantity, 8), pair, None, None, f"{4:064x}", 1, 0, booked_at, number, "boot", *AUDIT, link,
            f"{link:064x}",
        ), fills  # fmt: skip


def _opening() -> Row:
    return ("opening", "TRY", "100000000", "opening/TRY", _utc(START), _utc(START), *AUDIT, 1, f"{1:064x}")


def _insert(connection: sqlite3.Connection, table: str, columns: str, rows: Iterator[Row]) -> None:
    marks = ", ".join("?" * (columns.count(",") + 1))
    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def _text(number: int, places: int) -> str:
    """Scaled whole numbers as plain digits, the way the journal writes them."""
    whole, part = divmod(number, 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".")


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
