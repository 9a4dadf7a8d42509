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
from btcbot.persistence.sqlite.chain import link_at, read_head, verify_chain, verify_tail
from btcbot.persistence.sqlite.errors import DamagedDatabase, ForeignDeployment, LostDatabase, NewerSchema, OlderCopy
from btcbot.persistence.sqlite.lock import Stage, read_holder
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, expected_objects, objects
from btcbot.persistence.sqlite.paths import LOG_SUFFIXES, require_safe_directory, require_safe_file
from btcbot.persistence.sqlite.writer import VENUE, Writer

HEADER_BYTES = 100  # SQLite takes a shorter file for an empty one
LINKS_CHECKED_AT_START = 10_000
# A longer file takes longer to read than a start may last. Of it, a start checks what it reads: the schema, the last
# links, the sealed checkpoint and all that came after it. Every backup has each page checked (`backups.copy_check`).
PAGES_CHECKED_AT_START_BYTES_MAX = 64 * 1024 * 1024
CLOSED = "is_closed"  # the cursor that says whether a file has all that was written to it
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

    def facts(self) -> dict[str, str]:
        """Those of the metadata that say whose it is."""
        return {
            "db_role": str(self.role), "db_uuid": self.db_uuid, "account_fingerprint": self.account_fingerprint,
            "venue": self.venue, "deployment_id": self.deployment_id,
        }  # fmt: skip


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
        ownership = identified(db_path, role)
        require_log(db_path, ownership)
        with read_only(db_path, how_to_read(db_path)) as connection:
            _require_whole(connection, db_path, ownership)
            require_not_older(connection, db_path, ownership)
            _require_closed(connection, db_path, ownership)
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
    with read_only(db_path, how_to_read(db_path)) as connection:
        verify_chain(connection, ownership.db_uuid)


def identified(path: Path, role: Role | None = None) -> Ownership:
    """`identify` from the file alone, so that nothing is made beside somebody else's; with its log where it must be.

    A process that died while it moved its log into the file left a file that is whole only together with the log.
    """
    try:
        with read_only(path, "immutable=1") as connection:
            return identify(connection, path, role)
    except (sqlite3.DatabaseError, DamagedDatabase):
        if not _has_log(path):
            raise
    with read_only(path, how_to_read(path)) as connection:
        return identify(connection, path, role)


def identify(connection: sqlite3.Connection, path: Path, role: Role | None = None) -> Ownership:
    """What the file says of itself. Raises `OwnershipError` and its kinds; without a role, either role's is fine."""
    application_id = connection.execute("PRAGMA application_id").fetchone()[0]
    schema = connection.execute("PRAGMA user_version").fetchone()[0]
    roles = [each.role for each in SCHEMAS.values() if each.application_id == application_id]
    if not roles:
        raise OwnershipError(f"{path} is an SQLite database of another program")
    role = role or roles[0]
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
    require_schema(connection, path, ownership)
    if path.stat().st_size <= PAGES_CHECKED_AT_START_BYTES_MAX:
        require_sound_pages(connection, path, "quick_check")
        require_references(connection, path)


def require_sound_pages(connection: sqlite3.Connection, path: Path, check: str) -> None:
    """`DamagedDatabase` where SQLite's own check of every page finds fault: `quick_check`, or `integrity_check`."""
    answer = connection.execute(f"PRAGMA {check}(1)").fetchone()[0]
    if answer != "ok":
        raise DamagedDatabase(f"{path} is damaged ({' '.join(answer.split())})")


def require_references(connection: sqlite3.Connection, path: Path) -> None:
    """`DamagedDatabase` where a row refers to one that is not there."""
    orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
    if orphan is not None:
        raise DamagedDatabase(f"{path} is damaged (a row of {orphan[0]} refers to nothing in {orphan[2]})")


def require_schema(connection: sqlite3.Connection, path: Path, ownership: Ownership) -> None:
    """`DamagedDatabase` where a table, an index or a trigger is missing, added or worded otherwise."""
    number = connection.execute("PRAGMA user_version").fetchone()[0]
    difference = objects(connection) ^ expected_objects(SCHEMAS[ownership.role], number)
    if difference:
        names = sorted({name for _, name, _ in difference})
        raise DamagedDatabase(f"{path} has been altered: {', '.join(names)}")


def require_log(path: Path, ownership: Ownership) -> None:
    """A process that died left its log. Without it the file is an older state of itself, or half of one."""
    holder = read_holder(path)
    died_open = holder is not None and holder.stage is Stage.HELD and holder.db_uuid == ownership.db_uuid
    if died_open and not path.with_name(f"{path.name}-wal").exists():
        raise DamagedDatabase(f"{path} was not closed and its log {path.name}-wal is missing")


def _require_closed(connection: sqlite3.Connection, path: Path, ownership: Ownership) -> None:
    """A file that says it is open, and has no log beside it, was copied without it or lost it (with its lock file).

    An interpreter that ends without closing moves the log into the file all the same: then the lock file says so.
    """
    holder = read_holder(path)
    if holder is not None and holder.db_uuid == ownership.db_uuid and holder.stage is Stage.CLOSING:
        return
    if not path.with_name(f"{path.name}-wal").exists() and says_open(connection):
        raise DamagedDatabase(
            f"{path} was copied or kept without its log {path.name}-wal: it says that it is open, and what was in the "
            "log is not here"
        )


def says_open(connection: sqlite3.Connection) -> bool:
    """Whether the file was open when it was last written; an older btcbot did not say."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'cursors'").fetchone():
        return False
    said = connection.execute("SELECT value FROM cursors WHERE name = ?", (CLOSED,)).fetchone()
    return said is not None and said[0] != "yes"


def require_not_older(connection: sqlite3.Connection, path: Path, ownership: Ownership) -> None:
    """`OlderCopy` where the lock file says that this database had come further, or had another history."""
    holder = read_holder(path)
    if holder is None or holder.seal is None or holder.db_uuid != ownership.db_uuid:
        return
    seal, head = holder.seal, read_head(connection, ownership.db_uuid)
    if head.sequence < seal.sequence:
        raise OlderCopy(
            f"{path} ends at link {head.sequence}, and this database had come to link {seal.sequence} in epoch "
            f"{seal.epoch}"
        )
    if link_at(connection, seal.sequence).hash != seal.hash:
        raise OlderCopy(f"{path} has another history than this database had: link {seal.sequence} is not the one kept")


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


def how_to_read(path: Path) -> str:
    """Without a log the file alone is read and nothing is made beside it."""
    return "mode=ro" if _has_log(path) else "immutable=1"


@contextmanager
def read_only(path: Path, how: str) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, with the switches that make reading strict."""
    with closing(sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, isolation_level=None)) as connection:
        connection.execute("PRAGMA trusted_schema = 0")
        connection.execute("PRAGMA cell_size_check = 1")
        try:
            yield connection
        except UnicodeDecodeError as error:  # Python's own, of a text on a page that SQLite finds sound
            raise sqlite3.DatabaseError(f"a text is not UTF-8: {error.reason}") from error
