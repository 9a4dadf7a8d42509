"""A database of live with the history that a test tells, a line a fill, in the order in which it was booked."""

import json
import sqlite3
import zlib
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from btcbot.domain.ledger import entries_of_fill
from btcbot.domain.money import Asset, Price, Quantity, plain
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.domain.profiles import Role
from btcbot.domain.times import iso_utc
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, create

AUDIT = {"process_role": "live", "process_instance_id": "one", "cycle_id": "c", "config_hash": "h"}
OPENED = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Told:
    """Where the database is, and a connection to add to it."""

    path: Path
    connection: sqlite3.Connection
    links: int = 0

    def insert(self, table: str, *, is_link: bool = True, **columns: object) -> None:
        self.links += 1
        link = {"chain_sequence": self.links, "chain_hash": f"{self.links:064x}"} if is_link else {}
        row = {**columns, **AUDIT, **link}
        marks = ", ".join("?" * len(row))
        self.connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))

    def book(self, line: str) -> Fill:
        """`trade time pair side quantity @ price fee tax`, and its entries in the ledger."""
        trade_id, at, pair, side, quantity, _, price, fee, tax = line.split()
        base, quote = (pair[:-4], "USDT") if pair.endswith("USDT") else (pair[:-3], "TRY")
        fill = Fill(
            int(trade_id), int(trade_id), None, pair, Side(side), Price(Decimal(price)), Quantity(Decimal(quantity)),
            Decimal(fee), Decimal(tax), datetime.fromisoformat(at).replace(tzinfo=UTC),
        )  # fmt: skip
        time, order_id = iso_utc(fill.time_exchange), f"order-{trade_id}"
        self.insert(
            "orders", order_id=order_id, decision_id=order_id, client_order_id=order_id, epoch=1,
            label_sequence=int(trade_id), pair=pair, base=base, quote=quote, side=side, purpose="entry", method="limit",
            quantity=quantity, price=price, reservation_number="0", reservation_asset=base, arm_token_hash="a",
            attempt=1, is_adopted=0, created_at=time, monotonic_us=1, boot_id="b",
        )  # fmt: skip
        self.insert(
            "fills", trade_id=fill.trade_id, order_id=order_id, exchange_order_id=fill.exchange_order_id, pair=pair,
            side=side, price=price, quantity=quantity, fee=fee, tax=tax, time_exchange=time, booked_at=time,
        )  # fmt: skip
        for entry in entries_of_fill(fill, Asset(base), Asset(quote)):
            self.enter(str(entry.kind), entry.amount.asset, plain(entry.amount.number), entry.source, time)
        return fill

    def enter(self, kind: str, asset: str, number: str, source: str, at: str = iso_utc(OPENED)) -> None:
        self.insert("ledger", kind=kind, asset=asset, number=number, source=source, at=at, booked_at=at)

    def assign(self, line: str) -> None:
        """`time pair quantity @ price`."""
        at, pair, quantity, _, price = line.split()
        time = iso_utc(datetime.fromisoformat(at).replace(tzinfo=UTC))
        self.insert(
            "assignments", epoch=1, pair=pair, base=pair[:-3], quote="TRY", quantity=quantity, price=price,
            reason="mine", by="operator", at=time,
        )  # fmt: skip

    def see(self, at: str, **mids: str) -> None:
        """A snapshot with one tight book for each pair."""
        taken_at = iso_utc(datetime.fromisoformat(at).replace(tzinfo=UTC))
        books = {
            pair: {"bids": [[plain(Decimal(mid) - 1), "1"]], "asks": [[plain(Decimal(mid) + 1), "1"]]}
            for pair, mid in mids.items()
        }
        content = json.dumps({"taken_at": taken_at, "views": books}).encode()
        self.insert("snapshots", is_link=False, snapshot_id=f"s{at}", taken_at=taken_at, content=zlib.compress(content))


def tell(path: Path, history: str = "") -> Told:
    """A new database, opened with 1,000,000 TRY, with these fills."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        create(connection, SCHEMAS[Role.LIVE], {"db_role": "live", "db_uuid": "d" * 32})
    told = Told(path, sqlite3.connect(path, isolation_level=None))
    told.connection.execute("PRAGMA synchronous = OFF")
    told.connection.execute("BEGIN")
    told.enter("opening", "TRY", "1000000", "opening/TRY")
    for line in filter(None, map(str.strip, history.splitlines())):
        told.book(line)
    told.connection.execute("COMMIT")
    return told
