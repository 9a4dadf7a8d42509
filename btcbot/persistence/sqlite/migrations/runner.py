"""Applies numbered schemas, each in one transaction with its number: a crash leaves the old schema or the new one.

playhouse.migrations is not used: it writes its history outside the transaction of the migration, in a table that is not
STRICT, takes the time from the system and loads its scripts by path. What is needed here is twenty lines.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.chain import Readable
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.migrations import live_0001, live_0002, live_0003, live_0004, monitor_0001
from btcbot.persistence.sqlite.migrations.ddl import sealed

METADATA = "CREATE TABLE metadata (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"


@dataclass(frozen=True, slots=True)
class Schema:
    """All schemas of one role; the number of a schema is its place, counted from one."""

    role: Role
    application_id: int  # in the file's header: whose database this is, before any table is read
    migrations: tuple[tuple[str, ...], ...]

    @property
    def number(self) -> int:
        return len(self.migrations)


SCHEMAS: Mapping[Role, Schema] = {
    Role.LIVE: Schema(  # "BtLv"
        Role.LIVE,
        0x4274_4C76,
        (live_0001.STATEMENTS, live_0002.STATEMENTS, live_0003.STATEMENTS, live_0004.STATEMENTS),
    ),
    Role.MONITOR: Schema(Role.MONITOR, 0x4274_4D6E, (monitor_0001.STATEMENTS,)),  # "BtMn"
}


def create(connection: sqlite3.Connection, schema: Schema, metadata: Mapping[str, str]) -> None:
    """Fill an empty file in one transaction: metadata, sealed at once, then every schema up to the newest."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {schema.application_id}")
    connection.execute(METADATA)
    connection.executemany("INSERT INTO metadata (key, value) VALUES (?, ?)", metadata.items())
    for statement in (*sealed("metadata"), *(part for migration in schema.migrations for part in migration)):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {schema.number}")
    connection.execute("COMMIT")


def migrate(database: Database, schema: Schema, found: int) -> tuple[int, ...]:
    """Bring an older file up to the newest schema; returns the numbers applied. An error leaves the last whole one."""
    applied = []
    for number, statements in enumerate(schema.migrations[found:], start=found + 1):
        with database.transaction():
            for statement in statements:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {number}")
        applied.append(number)
    return tuple(applied)


def objects(connection: Readable) -> frozenset[tuple[str, str, str]]:
    """Every table, index and trigger with its text, to compare with what the schema says."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return frozenset((str(kind), str(name), str(sql)) for kind, name, sql in rows)


def expected_objects(schema: Schema, number: int) -> frozenset[tuple[str, str, str]]:
    """What a whole database of this schema number contains."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        create(connection, Schema(schema.role, schema.application_id, schema.migrations[:number]), {})
        return objects(connection)
    finally:
        connection.close()
