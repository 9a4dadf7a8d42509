"""Writes rows: adds to each who wrote it and its link of the chain, and fences every commit.

Journal, unit of work and stores share one recorder, so that there is one chain and one notion of the current cycle.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from btcbot.domain.errors import FenceLost
from btcbot.domain.feed import FeedKind
from btcbot.domain.market import MarketSnapshot
from btcbot.domain.ports import Clock
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.chain import HASH_COLUMN, SEQUENCE_COLUMN, ChainHead
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.fields import to_millisecond, utc_text
from btcbot.persistence.sqlite.models import INSERTS, Assignments, Fills, Ledger, Outbox, Row
from btcbot.persistence.sqlite.writer import OUTSIDE_CYCLES, Writer

BOOKED = (Fills, Ledger, Assignments)  # what the books add up


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant in both kinds of time; monotonic time means something within one boot only."""

    at: datetime
    monotonic_us: int
    boot_id: str

    def columns(self) -> dict[str, object]:
        return {"monotonic_us": self.monotonic_us, "boot_id": self.boot_id}


class Recorder:
    def __init__(
        self, database: Database, writer: Writer, clock: Clock, boot_id: str, epoch: int, head: ChainHead
    ) -> None:
        self.database = database
        self.epoch = epoch
        self.head = head
        self.cycle_id = OUTSIDE_CYCLES
        self.snapshot: MarketSnapshot | None = None  # of the current cycle, once it is known
        self.bookings = (
            0  # fills, ledger entries and assignments that were written, or tried: whoever adds them up looks again
        )
        self._writer = writer
        self._clock = clock
        self._boot_id = boot_id

    @property
    def role(self) -> Role:
        return self._writer.role

    def moment(self) -> Moment:
        """Now, as it can be stored: what is kept in memory and what is read back are the same instant."""
        monotonic_us = round(self._clock.monotonic() * 1_000_000)
        return Moment(to_millisecond(self._clock.now()), monotonic_us, self._boot_id)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One commit of this epoch; `FenceLost`, and nothing written, when another process opened it since."""
        before = self.head
        try:
            with self.database.transaction():
                self.require_epoch()
                yield
        except BaseException:
            self.head = before
            raise

    def require_epoch(self) -> None:
        latest = self.database.value("SELECT max(epoch) FROM epochs")
        if latest != self.epoch:
            raise FenceLost(f"this process opened the database as epoch {self.epoch}, by now it is at {latest}")

    def insert(self, model: type[Row], **columns: object) -> dict[str, object]:
        """Add one row within a transaction; returns it as it is stored."""
        insert = INSERTS[model]
        if model in BOOKED:
            self.bookings += 1
        columns.setdefault("cycle_id", self.cycle_id)
        columns.update(
            process_role=self._writer.role, process_instance_id=self._writer.instance_id,
            config_hash=self._writer.config_hash,
        )  # fmt: skip
        is_link = HASH_COLUMN in insert.columns
        if is_link:
            columns.update({SEQUENCE_COLUMN: self.head.sequence + 1, HASH_COLUMN: ""})
        stored = insert.stored(columns)
        if is_link:
            self.head = self.head.next(insert.table, stored)
            stored[HASH_COLUMN] = self.head.hash
        self.database.execute(insert.sql, tuple(stored.values()))
        return stored

    def tell(self, kind: FeedKind, body: Mapping[str, object], at: datetime) -> None:
        """Number a message for the monitor, in the same commit as what it tells of."""
        self.insert(Outbox, kind=kind, at=at, body=json_text(body))

    def audit_values(self) -> dict[str, object]:
        """Who writes, for the few rows that change: heads and cursors."""
        return {
            "process_role": str(self._writer.role), "process_instance_id": self._writer.instance_id,
            "cycle_id": self.cycle_id, "config_hash": self._writer.config_hash,
        }  # fmt: skip


def write_cursor(recorder: Recorder, name: str, value: str, at: datetime) -> None:
    """Set one cursor within a transaction."""
    audit = recorder.audit_values()
    columns = ("name", "value", "changed_at", *audit)
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    recorder.database.execute(
        f"INSERT INTO cursors ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}) "
        f"ON CONFLICT (name) DO UPDATE SET {updates}",
        (name, value, utc_text(at), *audit.values()),
    )


def json_text(value: object) -> str:
    """Canonical JSON; numbers that are not JSON's (decimals, instants, enumerations) are written as text."""
    return _encode(value)


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_as_text
).encode
