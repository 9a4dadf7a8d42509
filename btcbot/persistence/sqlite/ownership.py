"""Whose database a file is, judged without writing to it or to its log (reliability, section 4, step 7).

What identifies a database is in the main file from the moment it is made, so an immutable connection can read it even
beside a log that a dead process left. Only then, and only read-only, the log is taken into account: for damage, for
dropped triggers, for the hash chain. A refusal leaves database and log byte for byte as they were.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from btcbot.domain.errors import OwnershipError
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.chain import verify_chain, verify_tail
from btcbot.persistence.sqlite.errors import DamagedDatabase, ForeignDeployment, LostDatabase, NewerSchema
from btcbot.persistence.sqlite.lock import Stage, read_holder
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, expected_objects, objects
from btcbot.persistence.sqlite.paths import LOG_SUFFIXES, require_safe_directory, require_safe_file
from btcbot.persistence.sqlite.writer import VENUE, Writer

HEADER_BYTES = 100  # SQLite takes a shorter file for an empty one
LINKS_CHECKED_AT_START = 10_000
REQUIRED = ("db_role", "created_by", "db_uuid", "created_at", "schema", "deployment_id", "account_fingerprint", "venue")


@dataclass(frozen=True, slots=True)
class Ownership:
    """What a database says of itself, once and for all."""

    role: Role
    db_uuid: str
    schema: int  # as found, which may be older than ours
    created_by: str
    created_at: str
    deployment_id: str
    account_fingerprint: str
    venue: str

    def require_fits(self, writer: Writer, path: Path) -> None:
        """`ForeignDeployment` unless it was made for this deployment, this key and this exchange."""
        for what, ours, theirs in (
            ("deployment", writer.deployment_id, self.deployment_id),
            ("API key", writer.account_fingerprint, self.account_fingerprint),
            ("exchange", VENUE, self.venue),
        ):
            if ours != theirs:
                raise ForeignDeployment(f"{path} belongs to {what} {theirs}, the settings say {ours}")


def judge_ownership(db_path: Path, role: Role) -> Ownership | None:
    """What the file is, or nothing where it is absent or empty. All that is not this role's whole database raises.

    `OwnershipError` and its kinds: another role's, another program's, a later schema's, damaged, reachable by others.
    `TamperedRecords`: whole as a file, and its records contradict their own hash chain.
    """
    require_safe_directory(db_path.parent)
    found = require_safe_file(db_path)
    for suffix in LOG_SUFFIXES:
        require_safe_file(db_path.with_name(db_path.name + suffix))
    if found is None or found.st_size == 0:
        _require_no_history(db_path)
        return None
    if found.st_size < HEADER_BYTES:
        raise DamagedDatabase(f"{db_path} is not a whole SQLite database ({found.st_size} bytes)")
    try:
        with _read_only(db_path, "immutable=1") as connection:
            ownership = _identify(connection, db_path, role)
        _require_log(db_path, ownership)
        with _read_only(db_path, "mode=ro" if _has_log(db_path) else "immutable=1") as connection:
            _require_whole(connection, db_path, ownership)
            verify_tail(connection, ownership.db_uuid, LINKS_CHECKED_AT_START)
    except sqlite3.OperationalError as error:
        raise DamagedDatabase(f"{db_path} cannot be read ({error})") from error
    except sqlite3.DatabaseError as error:
        raise DamagedDatabase(f"{db_path} is not a whole SQLite database ({error})") from error
    return ownership


def verify_records(db_path: Path, role: Role) -> None:
    """The complete check of a database at rest: all of `judge_ownership`, and every link and every content."""
    ownership = judge_ownership(db_path, role)
    if ownership is None:
        raise OwnershipError(f"there is no database at {db_path}")
    with _read_only(db_path, "mode=ro" if _has_log(db_path) else "immutable=1") as connection:
        verify_chain(connection, ownership.db_uuid)


def _identify(connection: sqlite3.Connection, path: Path, role: Role) -> Ownership:
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    schema = connection.execute("PRAGMA user_version").fetchone()[0]
    roles = [each.role for each in SCHEMAS.values() if each.application_id == application_id]
    if not roles:
        raise OwnershipError(f"{path} is an SQLite database of another program")
    if roles != [role]:
        raise OwnershipError(f"{path} is the database of the {roles[0]} role, this process is {role}")
    if schema > SCHEMAS[role].number:
        raise NewerSchema(f"{path} has schema {schema}, this btcbot knows schemas up to {SCHEMAS[role].number}")
    facts = dict(connection.execute("SELECT key, value FROM metadata"))
    missing = [name for name in REQUIRED if name not in facts]
    if missing or schema < 1:
        raise DamagedDatabase(f"{path} lacks {', '.join(missing) or 'its schema'}")
    if facts["db_role"] != role:
        raise OwnershipError(f"{path} says it is the database of {facts['db_role']}, this process is {role}")
    return Ownership(
        role, facts["db_uuid"], schema, facts["created_by"], facts["created_at"], facts["deployment_id"],
        facts["account_fingerprint"], facts["venue"],
    )  # fmt: skip


def _require_whole(connection: sqlite3.Connection, path: Path, ownership: Ownership) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise DamagedDatabase(f"{path} is damaged ({' '.join(answer.split())})")
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        raise DamagedDatabase(f"{path} is damaged (a row of {orphan[0]} refers to nothing in {orphan[2]})")
    schema = SCHEMAS[ownership.role]
    number = connection.execute("PRAGMA user_version").fetchone()[0]
    difference = sorted(name for _, name, _ in objects(connection) ^ expected_objects(schema, number))
    if difference:
        raise DamagedDatabase(f"{path} has been altered: {', '.join(dict.fromkeys(difference))}")


def _require_log(path: Path, ownership: Ownership) -> None:
    """A process that died left its log. Without it the file is an older state of itself, or half of one."""
    holder = read_holder(path)
    died_open = holder is not None and holder.stage is Stage.HELD and holder.db_uuid == ownership.db_uuid
    if died_open and not path.with_name(f"{path.name}-wal").exists():
        raise DamagedDatabase(f"{path} was not closed and its log {path.name}-wal is missing")


def _require_no_history(path: Path) -> None:
    """An absent database beside a log or a lock text that names one was removed, not never made."""
    if _has_log(path):
        raise DamagedDatabase(f"{path} is missing while its log {path.name}-wal is there")
    holder = read_holder(path)
    if holder is not None and holder.db_uuid:
        raise LostDatabase(f"{path} is missing, and its lock file says that it was database {holder.db_uuid}")


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


@contextmanager
def _read_only(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema = 0")
        connection.execute("PRAGMA cell_size_check = 1")
        yield connection
