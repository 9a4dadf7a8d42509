"""What live's database tells of one order or one cycle, and what each decision was made on: for readers, never written.

The file may be another process's at this moment. Every question is one short reading that is over before its answer is
used, so that no checkpoint ever waits for a reader (reliability, row 66); what was read does not change, for history
is only added to.
"""

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from btcbot.domain.errors import BtcbotError, ExitCode, OwnershipError
from btcbot.domain.events import Event
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.archives import Archive, archives_of, opened, shelf_of
from btcbot.persistence.sqlite.errors import DamagedDatabase, DatabaseBlocked, TamperedRecords
from btcbot.persistence.sqlite.models import (
    Columns,
    Cycles,
    Events,
    Fills,
    Ledger,
    OrderHeads,
    OrderHistory,
    Orders,
    Row,
    Signals,
    Verdicts,
)
from btcbot.persistence.sqlite.ownership import identify, read_only
from btcbot.persistence.sqlite.stored import (
    CycleRecords,
    StoredCycle,
    StoredEntry,
    StoredEvent,
    StoredFill,
    StoredHead,
    StoredOrder,
    StoredSignal,
    StoredStep,
    StoredVerdict,
)
from btcbot.persistence.sqlite.unit_of_work import DecisionRecord

CYCLES_AT_ONCE = 200  # read together, and held in memory while they are used
DIGITS_MAX = 18  # of a row's number
LOG_SUFFIX = "-wal"
T = TypeVar("T")


class NotOnRecord(BtcbotError):
    """Nothing in this database bears the name that was asked for."""

    exit_code = ExitCode.USAGE
    next_step = "give an order's id, its label or the exchange's number, or a cycle's id or number, as the log has it"


class OfCycle(Protocol):
    @property
    def cycle_id(self) -> str: ...


C = TypeVar("C", bound=OfCycle)


class Reading(Generic[T]):
    """How one kind of fact is read: the columns that its fields name, of one table."""

    def __init__(self, kind: type[T], model: type[Row]) -> None:
        names: Mapping[str, object] = kind.__dataclass_fields__  # type: ignore[attr-defined]  # facts are dataclasses
        self._kind = kind
        self._columns = Columns(*(getattr(model, name) for name in names))
        self.table: str = model._meta.table_name  # noqa: SLF001 - peewee's documented way to a model's table

    def all(self, connection: sqlite3.Connection, rest: str, values: Sequence[object] = ()) -> tuple[T, ...]:
        """The facts that `rest` (from WHERE on) selects, fetched at once."""
        rows = connection.execute(f"SELECT {self._columns.sql} FROM {self.table} {rest}", values).fetchall()
        return tuple(self._kind(**self._columns.read(row)) for row in rows)


_ORDERS, _HEADS = Reading(StoredOrder, Orders), Reading(StoredHead, OrderHeads)
_STEPS, _FILLS, _ENTRIES = Reading(StoredStep, OrderHistory), Reading(StoredFill, Fills), Reading(StoredEntry, Ledger)
_CYCLES = Reading(StoredCycle, Cycles)
_SIGNALS, _VERDICTS = Reading(StoredSignal, Signals), Reading(StoredVerdict, Verdicts)
_EVENTS = Reading(StoredEvent, Events)


@contextmanager
def story_of(path: Path) -> Iterator["Story"]:
    """Read live's database at this path. Raises `OwnershipError` and its kinds for what is not one.

    Beside a log the file is read through SQLite, which knows what of it is committed; without one nobody writes.
    """
    if not path.is_file():
        raise OwnershipError(f"there is no database at {path}")
    log = path.with_name(path.name + LOG_SUFFIX)
    is_at_rest = not log.exists()
    try:
        with read_only(path, "immutable=1" if is_at_rest else "mode=ro") as connection, ExitStack() as opened_archives:
            db_uuid = identify(connection, path, Role.LIVE).db_uuid
            archives = archives_of(connection, db_uuid)
            yield Story(
                connection, archives, lambda archive: opened_archives.enter_context(opened(archive, shelf_of(path)))
            )
        if is_at_rest and log.exists():
            raise DatabaseBlocked(f"{path} was opened by its process while it was read as a file at rest")
    except sqlite3.DatabaseError as error:
        raise DamagedDatabase(f"{path} cannot be read ({error})") from error


class Story:
    """Use `story_of`."""

    def __init__(
        self, connection: sqlite3.Connection, archives: Sequence[Archive] = (),
        unpack: Callable[[Archive], sqlite3.Connection] | None = None,
    ) -> None:  # fmt: skip
        """`unpack` opens an archive for as long as the story is told."""
        self._connection = connection
        self._archives = archives
        self._unpack = unpack
        self._unpacked: dict[int, sqlite3.Connection] = {}

    # ------------------------------------------------------------------------------------------------------ orders

    def order(self, word: str) -> StoredOrder | None:
        """The order of this id, label or exchange number."""
        for condition in ("order_id = ?", "client_order_id = ?"):
            for order in _ORDERS.all(self._connection, f"WHERE {condition}", (word,)):
                return order
        if not word.isdecimal():
            return None
        rest = "WHERE order_id IN (SELECT order_id FROM order_heads WHERE exchange_order_id = ?)"
        found = _ORDERS.all(self._connection, rest, (int(word),))
        return found[0] if found else None

    def orders_of(self, cycle_id: str) -> tuple[StoredOrder, ...]:
        """What was journaled in a cycle, by the decisions that it made."""
        return _ORDERS.all(
            self._connection, "WHERE decision_id >= ? AND decision_id < ? ORDER BY chain_sequence",
            (f"{cycle_id}/", f"{cycle_id}0"),
        )  # fmt: skip

    def head(self, order_id: str) -> StoredHead:
        (head,) = _HEADS.all(self._connection, "WHERE order_id = ?", (order_id,))
        return head

    def steps(self, order_id: str) -> tuple[StoredStep, ...]:
        return _STEPS.all(self._connection, "WHERE order_id = ? ORDER BY id", (order_id,))

    def fills(self, order_id: str) -> tuple[StoredFill, ...]:
        return _FILLS.all(self._connection, "WHERE order_id = ? ORDER BY id", (order_id,))

    def entries(self, trade_id: int) -> tuple[StoredEntry, ...]:
        """What a fill moved in the ledger."""
        return _ENTRIES.all(self._connection, "WHERE source = ? ORDER BY id", (f"trade/{trade_id}",))

    # ------------------------------------------------------------------------------------------------------ cycles

    def cycle(self, word: str) -> StoredCycle | None:
        """The committed cycle of this id or number."""
        number = int(word) if word.isdecimal() and len(word) <= DIGITS_MAX else 0
        by_id, by_number = ("WHERE cycle_id = ?", (word,)), ("WHERE id = ?", (number,))
        # Ids rise, so an archive that ends at a greater one may hold it, and no later one does.
        holder = next((each for each in self._archives if word <= each.last_cycle_id), None)
        for question, archive in ((by_id, holder), (by_number, self._archive_of(number))):
            found = _CYCLES.all(self._connection if archive is None else self._volume(archive), *question)
            if found:
                return found[0]
        return None

    def bounds(self) -> tuple[int, int] | None:
        """The first and the last cycle's number; nothing before the first commit."""
        first, last = self._connection.execute("SELECT min(id), max(id) FROM cycles").fetchone()
        if first is None:
            return None
        return (self._archives[0].first_cycle if self._archives else first), last

    def cycles(self, first: int, last: int) -> Iterator[CycleRecords]:
        """The cycles from `first` to `last`, both included, in order."""
        begin = first
        while begin <= last:
            archive = self._archive_of(begin)
            end = min(begin + CYCLES_AT_ONCE - 1, last, last if archive is None else archive.last_cycle)
            yield from self._together(begin, end)
            begin = end + 1

    def beginning(self, number: int) -> int | None:
        """The last cycle up to this one at which a replay may begin."""
        first, last = self.bounds() or (1, 0)
        end = min(number, last)
        while end >= first:
            archive = self._archive_of(end)
            here = self._archives[-1].last_cycle + 1 if archive is None and self._archives else first
            begin = max(end - CYCLES_AT_ONCE + 1, first, here if archive is None else archive.first_cycle)
            for records in reversed(self._together(begin, end)):
                if records.decision is not None and records.decision.state is not None:
                    return records.cycle.id
            end = begin - 1
        return None

    def snapshot(self, snapshot_id: str) -> str:
        """A snapshot's content, of an order or of a cycle that was read; see `unpacked`."""
        for connection in (self._connection, *self._unpacked.values()):
            row = connection.execute("SELECT content FROM snapshots WHERE snapshot_id = ?", (snapshot_id,)).fetchone()
            if row is not None:
                return unpacked(snapshot_id, row[0])
        return unpacked(snapshot_id, None)

    def _archive_of(self, number: int) -> Archive | None:
        """The archive that holds a cycle; nothing for those that are in the file only."""
        return next((each for each in self._archives if each.first_cycle <= number <= each.last_cycle), None)

    def _volume(self, archive: Archive) -> sqlite3.Connection:
        assert self._unpack is not None, "a story with archives can open them"
        if archive.number not in self._unpacked:
            self._unpacked[archive.number] = self._unpack(archive)
        return self._unpacked[archive.number]

    def _together(self, first: int, last: int) -> tuple[CycleRecords, ...]:
        archive = self._archive_of(first)
        connection = self._connection if archive is None else self._volume(archive)
        cycles = _CYCLES.all(connection, "WHERE id BETWEEN ? AND ? ORDER BY id", (first, last))
        signals = _by_cycle(connection, _SIGNALS, first, last)
        verdicts = _by_cycle(connection, _VERDICTS, first, last)
        events = _by_cycle(connection, _EVENTS, first, last)
        snapshots = dict(
            connection.execute(
                "SELECT snapshot_id, content FROM snapshots WHERE snapshot_id IN "
                "(SELECT snapshot_id FROM cycles WHERE id BETWEEN ? AND ?)",
                (first, last),
            ).fetchall()
        )
        return tuple(
            CycleRecords(
                cycle, signals.get(cycle.cycle_id, ()), verdicts.get(cycle.cycle_id, ()),
                tuple(each for each in events.get(cycle.cycle_id, ()) if each.event != Event.DECISION_RECORDED),
                _decision(events.get(cycle.cycle_id, ())),
                None if cycle.snapshot_id is None else snapshots.get(cycle.snapshot_id),
            )
            for cycle in cycles
        )  # fmt: skip


def _by_cycle(
    connection: sqlite3.Connection, reading: Reading[C], first: int, last: int
) -> dict[str, tuple[C, ...]]:  # fmt: skip
    begin, end = _first_row(connection, reading.table, first), _first_row(connection, reading.table, last + 1)
    rows = reading.all(connection, "WHERE id >= ? AND id < ? ORDER BY id", (begin, end))
    return {cycle_id: tuple(group) for cycle_id, group in groupby(rows, key=lambda row: row.cycle_id)}


def _first_row(connection: sqlite3.Connection, table: str, number: int) -> int:
    """The first row that a cycle of this number or a later one wrote: rows come in the order of their cycles.

    Found by halving, since an index over millions of rows would cost more than all the looking ever will. A row whose
    cycle is gone (archived, and not removed yet itself) comes before all others.
    """
    low, high = connection.execute(f"SELECT coalesce(min(id), 0), coalesce(max(id), -1) + 1 FROM {table}").fetchone()
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            f"SELECT (SELECT cycles.id FROM cycles WHERE cycles.cycle_id = {table}.cycle_id) FROM {table} "
            f"WHERE {table}.id >= ? ORDER BY {table}.id LIMIT 1",
            (middle,),
        ).fetchone()
        if row is not None and (row[0] is None or row[0] < number):
            low = middle + 1
        else:
            high = middle
    return int(low)


def unpacked(snapshot_id: str, stored: bytes | None) -> str:
    """The content of a stored snapshot. Raises `TamperedRecords` where it is not what it is named after."""
    if stored is None:
        raise TamperedRecords(f"snapshot {snapshot_id} is missing")
    try:
        content = zlib.decompress(stored)
    except zlib.error as error:
        raise TamperedRecords(f"the content of snapshot {snapshot_id} cannot be unpacked ({error})") from error
    if hashlib.sha256(content).hexdigest() != snapshot_id:
        raise TamperedRecords(f"the content of snapshot {snapshot_id} is not what it is named after")
    return content.decode()


def _decision(events: Iterable[StoredEvent]) -> DecisionRecord | None:
    for event in events:
        if event.event == Event.DECISION_RECORDED:
            detail = json.loads(event.detail)
            return DecisionRecord(detail["decision_hash"], detail.get("inputs"), detail.get("state"))
    return None
