"""Live's database as reports read it: from another process, while live may be writing, and without getting in its way.

What is read here is append-only, so no copy and no long transaction is needed: the last row of each table is noted at
the start, in one transaction, and everything up to it is read in slices, each on a connection that lives milliseconds.
A checkpoint of live never waits for a report. A database at rest has no log, and is read as an immutable file; should
somebody open it meanwhile, the slice is read again.

Numbers and times stay the text that they are in the tables. A column of a slice comes as one text that SQLite joined
and is split here, which takes less than half of the time of taking row by row. All is walked through twice: once for
the times, to know what came late and what USDT cost, and once for the fills themselves.
"""

import json
import sqlite3
import zlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

from btcbot.domain.errors import OwnershipError
from btcbot.domain.ledger import EntryKind
from btcbot.domain.money import ZERO, Asset, parse
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.errors import DamagedDatabase, DatabaseBlocked, NewerSchema
from btcbot.persistence.sqlite.fields import read_utc, utc_text
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS

SLICE_ROWS = 20_000
TRIES = 5  # of a slice that a start or an end of live came into
BUSY_SECONDS = 5
SNAPSHOTS_WALKED_MAX = 500  # back from a moment, to find a pair's mark
SNAPSHOTS_SAMPLED_MAX = 5_000  # for rates, evenly over all of them
_SEPARATOR = ","  # SQLite's own, in none of these columns; any other one doubles the time
_COLUMNS = (
    "trade_id", "time_exchange", "pair", "side", "price", "quantity", "fee", "tax", "order_id", "chain_hash",
)  # fmt: skip
_LEAN = 8  # how many of them a report needs; accounting takes all


@dataclass(frozen=True, slots=True)
class FillColumns:
    """Fills in the order in which they happened, a column each."""

    trade_ids: Sequence[int]
    times: Sequence[str]
    pairs: Sequence[str]
    sides: Sequence[str]
    prices: Sequence[str]
    quantities: Sequence[str]
    fees: Sequence[str]
    taxes: Sequence[str]
    order_ids: Sequence[str] = ()
    chain_hashes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class StoredPrice:
    """A mid that was decided on, or what a fill paid."""

    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class AssignedLot:
    """Coins that no fill bought: they cost what the operator's word counted them as."""

    number: int
    pair: str
    base: Asset
    quote: Asset
    quantity: Decimal
    price: Decimal
    at: str
    chain_hash: str


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The last row of each table when reading began."""

    fills: int
    ledger: int
    snapshots: int


class Records:
    """Use `open_records`."""

    def __init__(self, path: Path, db_uuid: str, bounds: _Bounds) -> None:
        self._path = path
        self._bounds = bounds
        self._spans: list[tuple[str, str]] = []  # the first and the last time in each slice, once they were looked for
        self.db_uuid = db_uuid
        self.ledger_rows = bounds.ledger
        self.fill_rows = bounds.fills

    def fills(self, until: datetime | None = None, *, whole: bool = False) -> Iterator[FillColumns]:
        """All fills before a moment, by time of the exchange and trade id; `whole` adds order and chain hash.

        Fills are stored in the order in which they were learnt of. Those that came late are found first, by the times
        alone, and given to the slice in which they happened.
        """
        columns = _COLUMNS if whole else _COLUMNS[:_LEAN]
        end = None if until is None else utc_text(until)
        slices, late = self._slices_and_late()
        for each in slices:
            parts = self._columns(columns, f"{each.condition} AND time_exchange > ?", (*each.bounds, each.after))
            if late[each.number]:
                known = self._columns(
                    columns, "id IN (SELECT value FROM json_each(?))", (json.dumps(late[each.number]),)
                )
                parts = [[*ours, *theirs] for ours, theirs in zip(parts, known, strict=True)]
            found = _in_order(parts)
            count = len(found.times) if end is None else bisect_left(found.times, end)
            if count:
                yield found if count == len(found.times) else _first(found, count)

    def assets(self, trade_id: int) -> tuple[Asset, Asset]:
        """Base and quote of the pair that a fill is of."""
        rows = self._ask(
            "SELECT base, quote FROM orders WHERE order_id = (SELECT order_id FROM fills WHERE trade_id = ?)",
            (trade_id,),
        )
        base, quote = rows[0]
        return Asset(base), Asset(quote)

    def assigned(self, until: datetime | None = None) -> tuple[AssignedLot, ...]:
        """Coins that an operator made the bot's own, in their order; a file of an older schema has none."""
        if not self._ask("SELECT 1 FROM sqlite_schema WHERE name = 'assignments'"):
            return ()
        end = "~" if until is None else utc_text(until)
        rows = self._ask(
            "SELECT id, pair, base, quote, quantity, price, at, chain_hash FROM assignments WHERE at < ? "
            "ORDER BY at, id", (end,),
        )  # fmt: skip
        return tuple(
            AssignedLot(number, pair, Asset(base), Asset(quote), parse(quantity), parse(price), at, chain_hash)
            for number, pair, base, quote, quantity, price, at, chain_hash in rows
        )

    def ledger_sums(self, until: datetime | None = None) -> dict[tuple[EntryKind, Asset], Decimal]:
        """What the ledger's entries add up to, by kind and asset."""
        sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        end = "~" if until is None else utc_text(until)
        for first in range(0, self._bounds.ledger, SLICE_ROWS):
            last = min(first + SLICE_ROWS, self._bounds.ledger)
            numbers: dict[tuple[str, str], list[str]] = defaultdict(list)
            for kind, asset, number in self._ask(
                "SELECT kind, asset, number FROM ledger WHERE id > ? AND id <= ? AND at < ?", (first, last, end)
            ):
                numbers[kind, asset].append(number)
            for key, texts in numbers.items():
                sums[key] += sum(map(Decimal, texts), start=ZERO)
        return {(EntryKind(kind), Asset(asset)): number for (kind, asset), number in sums.items()}

    def marks(self, pairs: Iterable[str], at: datetime | None = None) -> dict[str, StoredPrice]:
        """The last stored mid of each pair by then; a pair that was not looked at for long has none."""
        missing = set(pairs)
        last = self._bounds.snapshots if at is None else self._last_snapshot(utc_text(at))
        found: dict[str, StoredPrice] = {}
        step = 1  # most often, the newest has all of them
        while missing and last > 0:
            rows = self._ask(
                "SELECT rowid, taken_at, content FROM snapshots WHERE rowid <= ? ORDER BY rowid DESC LIMIT ?",
                (last, step),
            )
            for _, taken_at, content in rows:
                for pair, mid in _mids(content, missing):
                    found[pair] = StoredPrice(mid, read_utc(taken_at))
                missing -= set(found)
            if len(rows) < step or step > SNAPSHOTS_WALKED_MAX:
                break
            last, step = rows[-1][0] - 1, step * 8
        return found

    def prices(self, pair: str) -> list[StoredPrice]:
        """What was paid or seen of a pair, oldest first: each minute's first fill, and mids of snapshots, sampled."""
        found = [StoredPrice(parse(price), read_utc(at)) for at, price in self._survey(pair)]
        return sorted([*found, *self._sampled_mids(pair)], key=lambda known: known.at)

    # ------------------------------------------------------------------------------------------------- inside

    def _survey(self, pair: str) -> list[tuple[str, str]]:
        """One walk over all times, for what is asked before the fills themselves: each slice's span, and prices."""
        found: list[tuple[str, str]] = []
        spans: list[tuple[str, str]] = []
        condition = "CASE WHEN pair = ?3 THEN"
        for each in self._slices():
            [texts] = self._ask(
                f"SELECT group_concat(time_exchange), group_concat({condition} time_exchange END), "
                f"group_concat({condition} price END) FROM fills WHERE id > ?1 AND id <= ?2",
                (*each.bounds, pair),
            )
            times, own_times, prices = map(_split, texts)
            spans.append((min(times, default=""), max(times, default="")))
            found += _first_of_each_minute(own_times, prices)
        self._spans = spans
        return found

    def _sampled_mids(self, pair: str) -> Iterator[StoredPrice]:
        rowids = [rowid for (rowid,) in self._ask("SELECT rowid FROM snapshots ORDER BY rowid")]
        few = rowids[:: max(len(rowids) // 8, 1)]
        if any(self._mids_of(few, pair)):
            yield from self._mids_of(rowids[:: max(-(-len(rowids) // SNAPSHOTS_SAMPLED_MAX), 1)], pair)

    def _mids_of(self, rowids: Iterable[int], pair: str) -> Iterator[StoredPrice]:
        rows = self._ask(
            "SELECT taken_at, content FROM snapshots WHERE rowid IN (SELECT value FROM json_each(?))",
            (json.dumps(list(rowids)),),
        )
        for taken_at, content in rows:
            for _, mid in _mids(content, {pair}):
                yield StoredPrice(mid, read_utc(taken_at))

    def _last_snapshot(self, at: str) -> int:
        """The row of the last snapshot that was taken by then: they are stored in the order of their times."""
        low, high = 0, self._bounds.snapshots
        while low < high:
            middle = (low + high + 1) // 2
            rows = self._ask("SELECT taken_at FROM snapshots WHERE rowid >= ? ORDER BY rowid LIMIT 1", (middle,))
            low, high = (middle, high) if rows and rows[0][0] <= at else (low, middle - 1)
        return low

    def _slices(self) -> Iterator["_Slice"]:
        last = self._bounds.fills
        for number, first in enumerate(range(0, last, SLICE_ROWS)):
            yield _Slice(number, first, min(first + SLICE_ROWS, last))

    def _slices_and_late(self) -> tuple[list["_Slice"], dict[int, list[int]]]:
        """Every slice with the latest time before it, and the rows that belong into an earlier one, by its number."""
        slices: list[_Slice] = []
        late: list[tuple[str, int]] = []
        highs: list[str] = []
        high = ""
        if not self._spans:
            self._survey("")
        for each, (lowest, highest) in zip(self._slices(), self._spans, strict=True):
            slices.append(_Slice(each.number, each.first, each.last, high))
            if lowest <= high:
                late += self._ask(
                    f"SELECT time_exchange, id FROM fills WHERE {each.condition} AND time_exchange <= ?",
                    (*each.bounds, high),
                )
            high = max(high, highest)
            highs.append(high)
        by_slice: dict[int, list[int]] = defaultdict(list)
        for at, fill_id in late:
            by_slice[bisect_left(highs, at)].append(fill_id)
        return slices, by_slice

    def _columns(self, columns: Sequence[str], condition: str, values: Sequence[object]) -> list[list[str]]:
        joined = ", ".join(f"group_concat({column})" for column in columns)
        [texts] = self._ask(f"SELECT {joined} FROM fills WHERE {condition}", values)
        return list(map(_split, texts))

    def _ask(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return _ask(self._path, sql, values)


@dataclass(frozen=True, slots=True)
class _Slice:
    """Rows of the table of fills."""

    number: int
    first: int  # not included
    last: int
    after: str = ""  # the latest time in earlier slices

    condition = "id > ? AND id <= ?"

    @property
    def bounds(self) -> tuple[int, int]:
        return self.first, self.last


def open_records(path: Path) -> Records:
    """Live's database for reading. Raises `OwnershipError` and its kinds where the file is none, and writes nothing."""
    if not path.is_file():
        raise OwnershipError(f"there is no database at {path}")
    schema = SCHEMAS[Role.LIVE]
    [(application_id,)] = _ask(path, "PRAGMA application_id")
    [(number,)] = _ask(path, "PRAGMA user_version")
    if application_id != schema.application_id:
        raise OwnershipError(f"{path} is not the database of live")
    if number > schema.number:
        raise NewerSchema(f"{path} has schema {number}, this btcbot knows schemas up to {schema.number}")
    [(db_uuid, *bounds)] = _ask(
        path,
        "SELECT (SELECT value FROM metadata WHERE key = 'db_uuid'), (SELECT coalesce(max(id), 0) FROM fills), "
        "(SELECT coalesce(max(id), 0) FROM ledger), (SELECT coalesce(max(rowid), 0) FROM snapshots)",
    )
    return Records(path, db_uuid, _Bounds(*bounds))


def _ask(path: Path, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """One statement on a connection of its own; a file that changed under it is asked again."""
    log = path.with_name(f"{path.name}-wal")
    trouble = "somebody starts and stops live all the time"
    for _ in range(TRIES):
        is_at_rest, before = not log.exists(), _signature(path)
        how = "immutable=1" if is_at_rest else "mode=ro"
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, timeout=BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA trusted_schema = 0")
                connection.execute("PRAGMA cell_size_check = 1")
                rows = connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            trouble = str(error)  # the log may have gone between the look and the opening
            continue
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise DamagedDatabase(f"{path} is not a whole SQLite database ({error})") from error
        if not is_at_rest or (not log.exists() and before == _signature(path)):
            return rows
    raise DatabaseBlocked(f"{path} cannot be read ({trouble})")


def _signature(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _in_order(columns: list[list[str]]) -> FillColumns:
    """The columns sorted by time and trade id, which they nearly always are."""
    trade_ids, times = list(map(int, columns[0])), columns[1]
    if sorted(times) == times and sorted(trade_ids) == trade_ids:  # in C, and at once where they are sorted
        return FillColumns(trade_ids, *columns[1:])
    places = sorted(range(len(times)), key=trade_ids.__getitem__)
    places.sort(key=times.__getitem__)
    pick = itemgetter(*places)
    return FillColumns(pick(trade_ids), *(pick(column) for column in columns[1:]))


def _split(joined: str | None) -> list[str]:
    return [] if joined is None else joined.split(_SEPARATOR)


def _first_of_each_minute(times: Sequence[str], prices: Sequence[str]) -> Iterable[tuple[str, str]]:
    first: dict[str, tuple[str, str]] = {}
    for at, price in zip(times, prices, strict=True):
        minute = at[:16]
        if minute not in first or at < first[minute][0]:
            first[minute] = (at, price)
    return first.values()


def _first(fills: FillColumns, count: int) -> FillColumns:
    return FillColumns(*(getattr(fills, name)[:count] for name in FillColumns.__dataclass_fields__))


def _mids(content: bytes, pairs: set[str]) -> Iterator[tuple[str, Decimal]]:
    """The middles of the books in a stored snapshot that have both sides."""
    views = json.loads(zlib.decompress(content))["views"]
    for pair in pairs & views.keys():
        bids, asks = views[pair]["bids"], views[pair]["asks"]
        if bids and asks:
            yield pair, (parse(bids[0][0]) + parse(asks[0][0])) / 2
