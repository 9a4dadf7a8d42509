"""The complete check of a database file, offline: everything that can be wrong with it, each in plain words.

Nothing is written, neither to the file nor beside it. Each check stands alone, so that one fault does not hide another;
only what is not a database of ours at all ends the examination. A file at rest is read as it is. One whose process runs
is never examined in place: what is examined then is a copy taken through SQLite (see `copying.copy_of_running`).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from btcbot.domain.errors import BtcbotError, OwnershipError
from btcbot.domain.ledger import EntryKind, LedgerEntry, entries_of_fill
from btcbot.domain.money import ZERO, Asset, MalformedNumber, Price, Quantity, parse, plain
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.archives import verify_shelf
from btcbot.persistence.sqlite.books import verify_checkpoints
from btcbot.persistence.sqlite.chain import (
    bounds_of,
    genesis,
    read_head,
    verify_cycles,
    verify_kept,
    verify_links,
    verify_snapshots,
)
from btcbot.persistence.sqlite.errors import DamagedDatabase, TamperedRecords
from btcbot.persistence.sqlite.fields import read_utc
from btcbot.persistence.sqlite.models import INSERTS, LIVE_MODELS, MONITOR_MODELS
from btcbot.persistence.sqlite.ownership import (
    HEADER_BYTES,
    Ownership,
    how_to_read,
    identified,
    read_only,
    require_log,
    require_not_older,
    require_references,
    require_schema,
    require_sound_pages,
)
from btcbot.persistence.sqlite.paths import LOG_SUFFIXES, require_safe_directory, require_safe_file

T = TypeVar("T")
_Check = Callable[[sqlite3.Connection], None]
_NO_ROWS: tuple[tuple[str, int], ...] = ()
_FIRST_STATES = frozenset({OrderState.INTENT, OrderState.ORPHAN})
_OF_FILLS = (EntryKind.TRADE, EntryKind.FEE, EntryKind.TAX)


@dataclass(frozen=True, slots=True)
class Examination:
    """What was looked at, what it says of itself, what holds, and everything that does not."""

    path: Path
    ownership: Ownership | None  # nothing where the file is no database of ours
    rows: tuple[tuple[str, int], ...]
    chain_sequence: int
    chain_hash: str
    passed: tuple[str, ...]
    problems: tuple[BtcbotError, ...]


def examine(path: Path, shelf: Path | None = None) -> Examination:
    """All checks on a file at rest, and on the archives in `shelf`. What is wrong is in the answer, not raised."""
    try:
        ownership = _identified(path)
    except BtcbotError as problem:
        return Examination(path, None, (), 0, "", (), (problem,))
    passed: list[str] = ["it says whose it is"]
    problems: list[BtcbotError] = []
    with read_only(path, how_to_read(path)) as connection:
        for what, check in _checks(path, ownership, shelf):
            found = _problem(path, check, connection)
            if found is None:
                passed.append(what)
            else:
                problems.append(found)
        rows = _facts(lambda: _counted(connection, ownership.role), _NO_ROWS)
        head = _facts(lambda: read_head(connection, ownership.db_uuid), genesis(ownership.db_uuid))
    return Examination(path, ownership, rows, head.sequence, head.hash, tuple(passed), tuple(problems))


def _identified(path: Path) -> Ownership:
    require_safe_directory(path.parent)
    found = require_safe_file(path)
    for suffix in LOG_SUFFIXES:
        require_safe_file(path.with_name(path.name + suffix))
    if found is None:
        raise OwnershipError(f"there is no database at {path}")
    if found.st_size < HEADER_BYTES:
        raise DamagedDatabase(f"{path} is not a whole SQLite database ({found.st_size} bytes)")
    try:
        return identified(path)
    except sqlite3.DatabaseError as error:
        raise DamagedDatabase(f"{path} is not a whole SQLite database ({error})") from error


def _checks(path: Path, ownership: Ownership, shelf: Path | None) -> Iterator[tuple[str, _Check]]:
    yield "no log of it is missing", lambda _: require_log(path, ownership)
    yield "it is no older copy of itself", lambda connection: require_not_older(connection, path, ownership)
    yield "every page is sound", lambda connection: require_sound_pages(connection, path, "integrity_check")
    yield "every reference leads to its row", lambda connection: require_references(connection, path)
    yield "its schema is whole", lambda connection: require_schema(connection, path, ownership)
    yield "every link of the hash chain fits", lambda connection: _verify_links(connection, ownership.db_uuid)
    if ownership.role is Role.LIVE:
        yield "every cycle's content is as committed", lambda connection: _verify_cycles(connection, ownership.db_uuid)
        yield "what stayed of archived times is what was archived", verify_kept
        yield "every snapshot is what it is named after", verify_snapshots
        yield "every order stands where its history ends", verify_steps
        yield "every order is filled by as much as its fills", verify_filled
        yield "the ledger has what the fills moved, and nothing else of them", verify_ledger
        yield "every checkpoint holds what was booked up to it", _verify_books
        yield "no message to the monitor is missing", verify_outbox
        if shelf is not None:
            yield (
                "every archive is there, as it was sealed",
                lambda connection: verify_shelf(connection, ownership.db_uuid, shelf),
            )


def _problem(path: Path, check: _Check, connection: sqlite3.Connection) -> BtcbotError | None:
    try:
        check(connection)
    except BtcbotError as problem:
        return problem
    except sqlite3.DatabaseError as error:
        return DamagedDatabase(f"{path} cannot be read to its end ({error})")
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:  # a text that is no time, number or document
        return DamagedDatabase(f"{path} holds what cannot be read ({type(error).__name__}: {error})")
    return None


def _facts(read: Callable[[], T], otherwise: T) -> T:
    try:
        return read()
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return otherwise  # a damaged file is told by the checks; how much it holds is unknown


def _counted(connection: sqlite3.Connection, role: Role) -> tuple[tuple[str, int], ...]:
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    tables = [INSERTS[model].table for model in (LIVE_MODELS if role is Role.LIVE else MONITOR_MODELS)]
    return tuple(
        (table, connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        for table in tables
        if table in there  # an older schema has fewer
    )


def _verify_links(connection: sqlite3.Connection, db_uuid: str) -> None:
    verify_links(connection, bounds_of(connection, db_uuid).base)


def _verify_cycles(connection: sqlite3.Connection, db_uuid: str) -> None:
    verify_cycles(connection, bounds_of(connection, db_uuid))


def _verify_books(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'checkpoints'").fetchone():  # from schema 2 on
        verify_checkpoints(connection)


def verify_steps(connection: sqlite3.Connection) -> None:
    """Each order's history is one unbroken path from its first state to where its head says that it stands, and under
    the exchange's number that its last step knew."""
    rows = connection.execute(
        "SELECT orders.order_id, order_heads.state, order_heads.exchange_order_id, steps.before, steps.after, "
        "steps.exchange_order_id FROM orders LEFT JOIN order_heads ON order_heads.order_id = orders.order_id "
        "LEFT JOIN order_history AS steps ON steps.order_id = orders.order_id ORDER BY orders.order_id, steps.id"
    )
    for (order_id, state, number), steps in groupby(rows, key=lambda row: (row[0], row[1], row[2])):
        stands: str | None = None
        known: int | None = None
        for *_, before, after, number_then in steps:
            known = number_then
            if before is None:
                continue  # the one row of an order without a history
            if before != stands and (stands is not None or before not in _FIRST_STATES):
                raise TamperedRecords(f"order {order_id} goes on from {before}, and before that it was {stands}")
            stands = after
        if state != (stands or OrderState.INTENT):
            raise TamperedRecords(f"order {order_id} is said to be {state}, and its history ends in {stands}")
        if number != known:
            raise TamperedRecords(f"order {order_id} is said to be the exchange's {number}, its history says {known}")


def verify_filled(connection: sqlite3.Connection) -> None:
    """What each head says is filled is the sum of that order's fills."""
    rows = connection.execute(
        "SELECT order_heads.order_id, order_heads.filled, fills.quantity FROM order_heads "
        "LEFT JOIN fills ON fills.order_id = order_heads.order_id ORDER BY order_heads.order_id"
    )
    for (order_id, filled), group in groupby(rows, key=lambda row: (row[0], row[1])):
        added = sum((_number(quantity) for _, _, quantity in group if quantity is not None), ZERO)
        if _number(filled) != added:
            raise TamperedRecords(f"order {order_id} is said to be filled by {filled}, its fills add up to {added}")


def verify_ledger(connection: sqlite3.Connection) -> None:
    """Entry by entry in the order of booking: each fill's base, quote, fee and tax, and nothing between them."""
    kinds = ", ".join(f"'{kind}'" for kind in _OF_FILLS)
    with closing(
        connection.execute(f"SELECT kind, asset, number, source FROM ledger WHERE kind IN ({kinds}) ORDER BY id")
    ) as booked:
        for expected in _entries_of_fills(connection):
            entry = booked.fetchone()
            wanted = (expected.kind, expected.amount.asset, expected.amount.number, expected.source)
            if entry is None or (entry[0], entry[1], _number(entry[2]), entry[3]) != wanted:
                raise TamperedRecords(
                    f"the ledger lacks {expected.kind} {plain(expected.amount.number)} {expected.amount.asset} of "
                    f"{expected.source}, or has it otherwise: {entry}"
                )
        extra = booked.fetchone()
        if extra is not None:
            raise TamperedRecords(f"the ledger has {extra[0]} {extra[2]} {extra[1]} of {extra[3]}, and no such fill")


def verify_outbox(connection: sqlite3.Connection) -> None:
    """Messages to the monitor are numbered without a gap."""
    first, last, count = connection.execute("SELECT min(number), max(number), count(*) FROM outbox").fetchone()
    missing = last - first + 1 - count if count else 0
    if missing:
        raise TamperedRecords(f"of the messages {first} to {last} to the monitor, {missing} are missing")


def _entries_of_fills(connection: sqlite3.Connection) -> Iterator[LedgerEntry]:
    rows: Iterator[Sequence[str]] = connection.execute(
        "SELECT fills.trade_id, fills.exchange_order_id, fills.client_order_id, fills.pair, fills.side, fills.price, "
        "fills.quantity, fills.fee, fills.tax, fills.time_exchange, orders.base, orders.quote "
        "FROM fills LEFT JOIN orders ON orders.order_id = fills.order_id ORDER BY fills.id"
    )
    for trade_id, venue_id, label, pair, side, price, quantity, fee, tax, at, base, quote in rows:
        fill = Fill(
            int(trade_id), int(venue_id), label, pair, Side(side), Price(_number(price)), Quantity(_number(quantity)),
            _number(fee), _number(tax), read_utc(at),
        )  # fmt: skip
        yield from entries_of_fill(fill, Asset(base), Asset(quote))


def _number(text: str) -> Decimal:
    try:
        return parse(text)
    except MalformedNumber as error:
        raise TamperedRecords(f"where a number belongs, the records have {text[:40]!r}") from error
