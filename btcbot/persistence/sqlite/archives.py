"""Sealed archives: what cycles left behind, rolled out of live's file into files of their own that never change.

An archive is made of a backup, at rest, on another thread, so that live goes on. It holds every link of the hash chain
of its span, from the link after the archive before it, so that it proves itself from there; and all that the cycles of
the span wrote. It is a database of the same schema, compressed as a whole: snapshots that follow each other are nearly
the same. Its row in live's file is a link of the chain as well and names it, its hash, and the links of the span that
stay in live's file for good (`kept_hash`).

The order is: sealed, read back, durable under its name; then the row is committed; only then may rows go (`pruning`).
A crash in between leaves an archive without a row, which the next one ignores, or rows that are in both.
"""

import hashlib
import lzma
import os
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from btcbot.domain.errors import UnsafeState
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.chain import (
    SEQUENCE_COLUMN,
    Bounds,
    ChainHead,
    Readable,
    bounds_of,
    digest_of_kept,
    genesis,
    link_at,
    verify_cycles,
    verify_links,
    verify_snapshots,
)
from btcbot.persistence.sqlite.copying import make_durable, make_private, open_target
from btcbot.persistence.sqlite.errors import ArchiveMissing, DamagedDatabase, TamperedRecords
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, create
from btcbot.persistence.sqlite.models import CHAINED, CONTENT_OF_CYCLE, INSERTS, Row
from btcbot.persistence.sqlite.ownership import read_only
from btcbot.persistence.sqlite.paths import require_safe_directory

DIRECTORY = "archives"  # beside the database
SUFFIX, UNFINISHED = ".db.xz", ".part"
CYCLES_KEPT = 1_440  # two hours of 5-second cycles stay: a replay of the last hour needs no archive
CYCLES_MIN = 5_000  # fewer are not worth a file
MESSAGES_KEPT = 100_000  # to the monitor, which may have been away for days
PRESET = 1  # nearly all of what the slow ones gain, in a tenth of the time
CHUNK = 1024 * 1024
ROOM = 4  # times the copy's size, for the archive before it is compressed: its snapshots are stored whole


@dataclass(frozen=True, slots=True)
class Sealed:
    """An archive that is durable under its name, before its row is written."""

    name: str
    sha256: str  # of the database in it
    bytes: int  # of the file
    first_sequence: int
    last_cycle_id: str
    bounds: Bounds
    kept_rows: int
    kept_hash: str


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive as its row names it."""

    number: int
    name: str
    sha256: str
    first_sequence: int
    last: ChainHead
    first_cycle: int
    last_cycle: int
    last_cycle_id: str
    kept: tuple[int, str]
    before: Bounds  # of the archive before it


def shelf_of(database: Path) -> Path:
    return database.parent / DIRECTORY


def archives_of(connection: Readable, db_uuid: str) -> tuple[Archive, ...]:
    """All archives that a file names, oldest first; a file of an older schema names none."""
    if bounds_of(connection, db_uuid).base.sequence == 0:
        return ()
    names = [name for name in Bounds.__dataclass_fields__ if name != "base"]
    before, found = Bounds(genesis(db_uuid)), []
    for number, name, sha256, first, last, last_hash, rows, digest, cycle_id, *bounds in connection.execute(
        "SELECT id, name, sha256, first_sequence, last_sequence, last_hash, kept_rows, kept_hash, last_cycle_id, "
        f"{', '.join(names)} FROM archives ORDER BY id"
    ):
        here = Bounds(ChainHead(last, last_hash), *bounds)
        found.append(
            Archive(
                number, name, sha256, first, here.base, before.last_cycle + 1, here.last_cycle, cycle_id,
                (rows, digest), before,
            )
        )  # fmt: skip
        before = here
    return tuple(found)


def seal(backup: Path, shelf: Path) -> Sealed | None:
    """Make the next archive of a backup that was checked; nothing where too little has come since the last one.

    Raises `UnsafeState` where the disk fails, and `TamperedRecords` where the archive does not prove itself.
    """
    try:
        shelf.mkdir(mode=0o700, exist_ok=True)
        require_safe_directory(shelf)
        for left in shelf.glob(f"*{UNFINISHED}"):
            left.unlink()
        with read_only(backup, "immutable=1") as source:
            facts: Mapping[str, str] = dict(source.execute("SELECT key, value FROM metadata"))
            before = bounds_of(source, facts["db_uuid"])
            after = _bounds_after(source, before)
        return None if after is None else _written(backup, shelf, facts, before, after)
    except (OSError, sqlite3.Error, lzma.LZMAError) as error:
        raise UnsafeState(f"no archive can be made in {shelf} ({error})") from error


def _bounds_after(source: sqlite3.Connection, before: Bounds) -> Bounds | None:
    """Up to where the next archive goes: the end of a cycle."""
    last: int = source.execute("SELECT coalesce(max(id), 0) FROM cycles").fetchone()[0] - CYCLES_KEPT
    # A start counts what the trading day brought since the last cycle of the day before, so that one stays as well.
    yesterday: int | None = source.execute(
        "SELECT max(id) FROM cycles WHERE day < (SELECT day FROM cycles ORDER BY id DESC LIMIT 1)"
    ).fetchone()[0]
    if yesterday is not None:
        last = min(last, yesterday - 1)
    if last - before.last_cycle < CYCLES_MIN:
        return None
    span = "cycle_id IN (SELECT cycle_id FROM cycles WHERE id > ? AND id <= ?)"
    signal, verdict, event, balance = (
        source.execute(
            f"SELECT coalesce(max(id), ?) FROM {INSERTS[model].table} WHERE id > ? AND {span}",
            (before.of(model), before.of(model), before.last_cycle, last),
        ).fetchone()[0]
        for model in CONTENT_OF_CYCLE
    )
    messages: int = source.execute("SELECT coalesce(max(number), 0) FROM outbox").fetchone()[0]
    snapshots: int = source.execute(
        "SELECT coalesce(max(snapshots.rowid), 0) FROM cycles JOIN snapshots USING (snapshot_id) "
        "WHERE cycles.id > ? AND cycles.id <= ?", (before.last_cycle, last),
    ).fetchone()[0]  # fmt: skip
    sequence: int = source.execute("SELECT chain_sequence FROM cycles WHERE id = ?", (last,)).fetchone()[0]
    return Bounds(
        link_at(source, sequence), last, signal, verdict, event, balance,
        max(messages - MESSAGES_KEPT, before.last_message), max(snapshots, before.last_snapshot),
    )  # fmt: skip


def _written(backup: Path, shelf: Path, facts: Mapping[str, str], before: Bounds, after: Bounds) -> Sealed:
    raw = shelf / f"{after.base.sequence}.db{UNFINISHED}"
    packed = raw.with_name(f"{after.base.sequence}{SUFFIX}{UNFINISHED}")
    _require_room(shelf, backup)
    make_private(raw)
    make_private(packed)
    try:
        with closing(open_target(raw)) as connection:
            create(connection, SCHEMAS[Role.LIVE], facts)
            _fill(connection, backup, before, after)
        cycle_id = _proven(raw, before, after)
        with read_only(raw, "immutable=1") as connection:
            kept = digest_of_kept(connection, before.base.sequence + 1, after.base.sequence)
        sha256 = _compressed(raw, packed)
        name = f"{Role.LIVE}-{after.base.sequence:012d}-{after.base.hash[:8]}{SUFFIX}"
        packed.rename(shelf / name)
        make_durable(shelf / name)
    finally:
        raw.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)
    size = (shelf / name).stat().st_size
    return Sealed(name, sha256, size, before.base.sequence + 1, cycle_id, after, *kept)


def _require_room(shelf: Path, backup: Path) -> None:
    wanted, free = backup.stat().st_size * ROOM, os.statvfs(shelf).f_bavail * os.statvfs(shelf).f_frsize
    if free < wanted:
        raise UnsafeState(f"an archive takes {wanted} bytes until it is compressed, and {shelf} has room for {free}")


def _fill(connection: sqlite3.Connection, backup: Path, before: Bounds, after: Bounds) -> None:
    connection.execute("ATTACH ? AS source", (f"{backup.as_uri()}?immutable=1",))
    connection.execute("BEGIN")
    for link in CHAINED:
        _take(connection, link, SEQUENCE_COLUMN, before.base.sequence, after.base.sequence)
    for model in CONTENT_OF_CYCLE:
        _take(connection, model, "id", before.of(model), after.of(model))
    connection.execute(
        "INSERT INTO main.outbox SELECT * FROM source.outbox WHERE number > ? AND number <= ? ORDER BY number",
        (before.last_message, after.last_message),
    )
    names = [row[1] for row in connection.execute("PRAGMA main.table_info(snapshots)")]
    place, marks = names.index("content"), ", ".join("?" * len(names))
    for row in connection.execute(
        f"SELECT {', '.join(names)} FROM source.snapshots WHERE snapshot_id IN "
        "(SELECT snapshot_id FROM main.cycles WHERE snapshot_id IS NOT NULL) ORDER BY rowid"
    ):
        # Stored whole within its own compression: the file's finds what it shares with the one before it.
        whole = zlib.compress(zlib.decompress(row[place]), 0)
        connection.execute(
            f"INSERT INTO main.snapshots ({', '.join(names)}) VALUES ({marks})",
            (*row[:place], whole, *row[place + 1 :]),
        )
    connection.execute("COMMIT")


def _take(connection: sqlite3.Connection, model: type[Row], key: str, first: int, last: int) -> None:
    table = INSERTS[model].table
    connection.execute(
        f"INSERT INTO main.{table} SELECT * FROM source.{table} WHERE {key} > ? AND {key} <= ? ORDER BY {key}",
        (first, last),
    )


def _proven(raw: Path, before: Bounds, after: Bounds) -> str:
    """The archive proves itself from the link before it to its last; returns the id of its last cycle."""
    with read_only(raw, "immutable=1") as connection:
        verify_archive(connection, before, after.base)
        row = connection.execute("SELECT cycle_id FROM cycles WHERE id = ?", (after.last_cycle,)).fetchone()
    return str(row[0])


def verify_archive(connection: sqlite3.Connection, before: Bounds, last: ChainHead) -> None:
    """Every page, link, cycle and snapshot of an unpacked archive. Raises `TamperedRecords` or `DamagedDatabase`."""
    answer = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if answer != "ok":
        raise DamagedDatabase(f"the archive up to link {last.sequence} is damaged ({' '.join(answer.split())})")
    if verify_links(connection, before.base) != last:
        raise TamperedRecords(f"the archive up to link {last.sequence} ends at another one")
    verify_cycles(connection, before)
    verify_snapshots(connection)


def _compressed(raw: Path, packed: Path) -> str:
    """Compress, and read back what came of it: both hash to the same."""
    digest = hashlib.sha256()
    with raw.open("rb") as source, lzma.open(packed, "wb", preset=PRESET) as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    make_durable(packed)
    again = hashlib.sha256()
    with lzma.open(packed, "rb") as source:
        while chunk := source.read(CHUNK):
            again.update(chunk)
    if again.digest() != digest.digest():
        raise UnsafeState(f"the archive {packed.name} reads back otherwise than it was written; look at the disk")
    return digest.hexdigest()


@contextmanager
def opened(archive: Archive, shelf: Path) -> Iterator[sqlite3.Connection]:
    """An archive to read, unpacked into a temporary directory. What its row says of its content is compared first.

    Raises `ArchiveMissing`, and `DamagedDatabase` where it is not the file that was sealed.
    """
    packed = shelf / archive.name
    if not packed.is_file():
        raise ArchiveMissing(f"the archive {packed} is not there; cycles up to {archive.last_cycle} are in it")
    with tempfile.TemporaryDirectory(prefix="btcbot-archive-") as directory:
        raw, digest = Path(directory) / "archive.db", hashlib.sha256()
        try:
            with lzma.open(packed, "rb") as source, raw.open("wb") as target:
                while chunk := source.read(CHUNK):
                    digest.update(chunk)
                    target.write(chunk)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise DamagedDatabase(f"the archive {packed} cannot be unpacked ({error})") from error
        if digest.hexdigest() != archive.sha256:
            raise DamagedDatabase(f"the archive {packed} is not the one that was sealed")
        with read_only(raw, "immutable=1") as connection:
            yield connection


def verify_shelf(connection: sqlite3.Connection, db_uuid: str, shelf: Path) -> None:
    """Every archive that a file names: there, unchanged, proven from end to end, and of the same orders and fills."""
    for archive in archives_of(connection, db_uuid):
        with opened(archive, shelf) as content:
            verify_archive(content, archive.before, archive.last)
            if digest_of_kept(content, archive.first_sequence, archive.last.sequence) != archive.kept:
                raise TamperedRecords(f"archive {archive.name} and its database tell orders or fills apart")
