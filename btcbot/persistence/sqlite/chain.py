"""The hash chain through every row that matters: epochs, orders and their history, fills, ledger, cycles, control.

Each link's hash covers the hash before it and the row's content, so that a changed, removed or inserted row breaks
every later link. The content is the JSON of all columns that hold something, sorted by name: a later schema may add
columns without changing what was hashed. Only a cut at the very end cannot be seen from inside; whoever keeps the head
elsewhere sees it.
"""

import hashlib
import heapq
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import msgspec

from btcbot.persistence.sqlite.errors import TamperedRecords
from btcbot.persistence.sqlite.models import (
    CHAINED,
    CONTENT_OF_CYCLE,
    INSERTS,
    Archives,
    Balances,
    Cycles,
    Events,
    Row,
    Signals,
    Verdicts,
)

HASH_COLUMN = "chain_hash"
SEQUENCE_COLUMN = "chain_sequence"
_encode = msgspec.json.Encoder(order="sorted").encode


class Rows(Protocol):
    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any: ...


class Readable(Protocol):
    """A connection, or the store's own."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows: ...


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last link: how many there are, and the hash that stands for all of them."""

    sequence: int
    hash: str

    def next(self, table: str, row: Mapping[str, object]) -> "ChainHead":
        """The head after this row, whose own hash column is left out."""
        text = f"{self.hash}\n{canonical(table, row)}"
        return ChainHead(self.sequence + 1, hashlib.sha256(text.encode()).hexdigest())


def genesis(db_uuid: str) -> ChainHead:
    """Where the chain of a database begins: no two databases share a chain."""
    return ChainHead(0, hashlib.sha256(db_uuid.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Bounds:
    """Up to which rows sealed archives hold what a file may lack. A file without archives lacks nothing."""

    base: ChainHead  # the chain of the file begins after it; of earlier links it has those that stay for good
    last_cycle: int = 0
    last_signal: int = 0
    last_verdict: int = 0
    last_event: int = 0
    last_balance: int = 0
    last_message: int = 0
    last_snapshot: int = 0

    def of(self, model: type[Row]) -> int:
        """The last archived row of one of a cycle's tables."""
        return {
            Signals: self.last_signal, Verdicts: self.last_verdict, Events: self.last_event,
            Balances: self.last_balance,
        }[model]  # fmt: skip


_BOUNDS = ", ".join(name for name in Bounds.__dataclass_fields__ if name != "base")


def bounds_of(connection: Readable, db_uuid: str) -> Bounds:
    """What the newest archive of a file holds."""
    if Archives in _chained_in(connection):
        row = connection.execute(
            f"SELECT last_sequence, last_hash, {_BOUNDS} FROM archives ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is not None:
            return Bounds(ChainHead(row[0], row[1]), *row[2:])
    return Bounds(genesis(db_uuid))


def canonical(table: str, row: Mapping[str, object]) -> str:
    """A row as one text that depends on nothing but its content: JSON without spaces, names sorted."""
    content = {name: value for name, value in row.items() if value is not None and name != HASH_COLUMN}
    return _encode([table, content]).decode()


def content_hash(texts: Sequence[str]) -> str:
    """Stands for a cycle's own rows, in the order of their tables and then of their writing."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def read_head(connection: Readable, db_uuid: str) -> ChainHead:
    """The last link that the tables hold."""
    head = genesis(db_uuid)
    for model in _chained_in(connection):
        row = connection.execute(
            f"SELECT {SEQUENCE_COLUMN}, {HASH_COLUMN} FROM {INSERTS[model].table} "
            f"ORDER BY {SEQUENCE_COLUMN} DESC LIMIT 1"
        ).fetchone()
        if row is not None and row[0] > head.sequence:
            head = ChainHead(*row)
    return head


def count_links(connection: Readable, after: int = 0) -> int:
    """How many rows after a link: as many as the chain has links from there, where none was removed or added."""
    tables = (INSERTS[model].table for model in _chained_in(connection))
    return sum(
        connection.execute(f"SELECT count(*) FROM {table} WHERE {SEQUENCE_COLUMN} > ?", (after,)).fetchone()[0]
        for table in tables
    )


def verify_tail(connection: Readable, db_uuid: str, links_max: int) -> None:
    """Check the last links against the one before them: what a start can afford. Raises `TamperedRecords`."""
    base = bounds_of(connection, db_uuid).base
    begin = read_head(connection, db_uuid).sequence - links_max
    verify_links(connection, link_at(connection, begin) if begin > base.sequence else base)


def verify_chain(connection: Readable, db_uuid: str) -> None:
    """Check everything that no archive holds: each link, each cycle's content, each snapshot's name, each order's head
    against its history.

    Raises `TamperedRecords` naming the first place where the records contradict themselves.
    """
    bounds = bounds_of(connection, db_uuid)
    verify_links(connection, bounds.base)
    verify_kept(connection)
    if Cycles in _chained_in(connection):
        verify_cycles(connection, bounds)
        verify_snapshots(connection)
        verify_heads(connection)


def verify_links(connection: Readable, head: ChainHead) -> ChainHead:
    """Check every link after this one; returns the last. Raises `TamperedRecords`."""
    streams = (_rows_after(connection, model, head.sequence) for model in _chained_in(connection))
    for sequence, table, row in heapq.merge(*streams, key=lambda link: link[0]):
        if sequence != head.sequence + 1:
            raise TamperedRecords(f"the hash chain jumps from link {head.sequence} to {sequence} ({table})")
        head = head.next(table, row)
        if head.hash != row[HASH_COLUMN]:
            raise TamperedRecords(f"link {sequence} of the hash chain ({table}) does not fit its row")
    return head


def _rows_after(
    connection: Readable, model: type[Row], sequence: int, last: int | None = None
) -> Iterator[tuple[int, str, dict[str, object]]]:
    insert = INSERTS[model]
    cursor = connection.execute(
        f"SELECT {', '.join(insert.columns)} FROM {insert.table} "
        f"WHERE {SEQUENCE_COLUMN} > ? AND {SEQUENCE_COLUMN} <= coalesce(?, {SEQUENCE_COLUMN}) "
        f"ORDER BY {SEQUENCE_COLUMN}",
        (sequence, last),
    )
    place = insert.columns.index(SEQUENCE_COLUMN)
    for values in cursor:
        yield values[place], insert.table, dict(zip(insert.columns, values, strict=True))


def link_at(connection: Readable, sequence: int) -> ChainHead:
    """One link as the tables hold it; `TamperedRecords` where there is none."""
    for model in _chained_in(connection):
        row = connection.execute(
            f"SELECT {HASH_COLUMN} FROM {INSERTS[model].table} WHERE {SEQUENCE_COLUMN} = ?", (sequence,)
        ).fetchone()
        if row is not None:
            return ChainHead(sequence, row[0])
    if Archives in _chained_in(connection):
        row = connection.execute("SELECT last_hash FROM archives WHERE last_sequence = ?", (sequence,)).fetchone()
        if row is not None:
            return ChainHead(sequence, row[0])
    raise TamperedRecords(f"link {sequence} of the hash chain is missing")


def verify_kept(connection: Readable) -> None:
    """Links that an archive holds and that stayed here as well are, archive by archive, those that it holds."""
    if Archives not in _chained_in(connection):
        return
    for name, first, last, rows, digest in connection.execute(
        "SELECT name, first_sequence, last_sequence, kept_rows, kept_hash FROM archives ORDER BY id"
    ):
        if digest_of_kept(connection, first, last) != (rows, digest):
            raise TamperedRecords(f"orders, fills or the like are not what they were when archive {name} was sealed")


def digest_of_kept(connection: Readable, first: int, last: int) -> tuple[int, str]:
    """Number and hash of the links of a span that stay for good, in their order."""
    models = (model for model in _chained_in(connection) if model is not Cycles)
    streams = (_rows_after(connection, model, first - 1, last) for model in models)
    digest, count = hashlib.sha256(), 0
    for _, table, row in heapq.merge(*streams, key=lambda link: link[0]):
        digest.update(f"{canonical(table, row)}\n{row[HASH_COLUMN]}\n".encode())
        count += 1
    return count, digest.hexdigest()


def verify_cycles(connection: Readable, bounds: Bounds) -> None:
    """Each cycle's signals, verdicts, events and balances against the hash that the cycle's link has of them."""
    streams = [_texts_by_cycle(connection, model, bounds.of(model)) for model in CONTENT_OF_CYCLE]
    heads = [next(stream, None) for stream in streams]
    for cycle_id, expected in connection.execute(
        "SELECT cycle_id, content_hash FROM cycles WHERE id > ? ORDER BY id", (bounds.last_cycle,)
    ):
        texts: list[str] = []
        for place, stream in enumerate(streams):
            group = heads[place]
            if group is not None and group[0] == cycle_id:
                texts.extend(group[1])
                heads[place] = next(stream, None)
        if content_hash(texts) != expected:
            raise TamperedRecords(f"signals, verdicts, events or balances of cycle {cycle_id} are not as committed")
    for left in heads:
        if left is not None:
            raise TamperedRecords(f"there are rows of a cycle {left[0]} that was not committed")


def _texts_by_cycle(connection: Readable, model: type[Row], after: int) -> Iterator[tuple[str, list[str]]]:
    insert = INSERTS[model]
    cursor = connection.execute(
        f"SELECT {', '.join(insert.columns)} FROM {insert.table} WHERE id > ? ORDER BY id", (after,)
    )
    rows = (dict(zip(insert.columns, values, strict=True)) for values in cursor)
    for cycle_id, group in groupby(rows, key=lambda row: str(row["cycle_id"])):
        yield cycle_id, [canonical(insert.table, row) for row in group]


def verify_snapshots(connection: Readable) -> None:
    """Each snapshot against its name, which is the hash of its content."""
    for snapshot_id, content in connection.execute("SELECT snapshot_id, content FROM snapshots"):
        try:
            name = hashlib.sha256(zlib.decompress(content)).hexdigest()
        except zlib.error:
            name = "unreadable"
        if name != snapshot_id:
            raise TamperedRecords(f"the content of snapshot {snapshot_id} is not what it is named after")


def verify_heads(connection: Readable) -> None:
    """Where each order is said to stand against where its history ends."""
    row = connection.execute(
        """
        SELECT orders.order_id, order_heads.state, last.after FROM orders
        LEFT JOIN order_heads ON order_heads.order_id = orders.order_id
        LEFT JOIN order_history AS last ON last.id =
          (SELECT max(id) FROM order_history WHERE order_history.order_id = orders.order_id)
        WHERE order_heads.state IS NOT coalesce(last.after, 'intent') LIMIT 1
        """
    ).fetchone()
    if row is not None:
        raise TamperedRecords(f"order {row[0]} is said to be {row[1]}, and its history ends in {row[2]}")


def _chained_in(connection: Readable) -> tuple[type[Row], ...]:
    """The chained tables that this role's database has."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    return tuple(model for model in CHAINED if INSERTS[model].table in names)
