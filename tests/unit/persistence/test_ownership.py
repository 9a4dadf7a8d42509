"""What is refused is refused with its reason, and nothing is touched."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from btcbot.domain.errors import BtcbotError, ExitCode, OwnershipError
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.errors import DamagedDatabase, ForeignDeployment, NewerSchema, UnsafePath
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS
from btcbot.persistence.sqlite.ownership import judge_ownership, verify_records
from tests.unit.persistence.world import approved, identity, live_store, monitor_store, writer

Change = Callable[[Path], None]


def state_of(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        path.name: (path.read_bytes(), path.lstat().st_mtime_ns, path.lstat().st_ino)
        for path in directory.iterdir()
        if path.is_file() and not path.name.endswith(".lock")
    }


def by_sql(*statements: str) -> Change:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    return change


FORGET_UUID = by_sql("DROP TRIGGER metadata_no_delete", "DELETE FROM metadata WHERE key = 'db_uuid'")


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5000)


def truncate_to_header(path: Path) -> None:
    os.truncate(path, 50)


def flip_bits(path: Path) -> None:
    """In the middle of a page that belongs to an index or a table of the journal."""
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'order_history'").fetchone()[0]
    start = (page - 1) * 4096
    content[start : start + 12] = bytes(12)
    path.write_bytes(content)


def garbage(path: Path) -> None:
    path.write_bytes(b"this is not a database, and it is long enough to be one\n" * 400)


def foreign(path: Path) -> None:
    path.unlink()
    by_sql("CREATE TABLE orders (id)")(path)
    path.chmod(0o600)


def open_to_all(path: Path) -> None:
    path.chmod(0o644)


def hard_link(path: Path) -> None:
    os.link(path, path.with_name("another-name"))


def symlink(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        store.journal.not_sent(store.journal.intent(approved()), "a test")
    return path


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (garbage, DamagedDatabase, "not a whole SQLite database"),
        (truncate, DamagedDatabase, "damaged|malformed"),
        (truncate_to_header, DamagedDatabase, "not a whole SQLite database"),
        (flip_bits, DamagedDatabase, "damaged|malformed"),
        (foreign, OwnershipError, "another program"),
        (by_sql("PRAGMA user_version = 99"), NewerSchema, "schema 99"),
        (by_sql("DROP TRIGGER fills_no_update"), DamagedDatabase, "altered: fills_no_update"),
        (by_sql("CREATE TABLE extra (id)"), DamagedDatabase, "altered: extra"),
        (FORGET_UUID, DamagedDatabase, "db_uuid"),
        (open_to_all, UnsafePath, "mode 0644"),
        (hard_link, UnsafePath, "2 hard links"),
        (symlink, UnsafePath, "symbolic link"),
        (directory, UnsafePath, "not a regular file"),
    ],
)  # fmt: skip
def test_what_is_not_lives_own_whole_database_is_refused_untouched(
    path: Path, change: Change, kind: type[BtcbotError], words: str
) -> None:
    change(path)
    before = None if path.is_dir() else state_of(path.parent)
    with pytest.raises(kind, match=words) as refusal:
        judge_ownership(path, Role.LIVE)
    assert refusal.value.exit_code is ExitCode.OWNERSHIP
    assert "\n" not in str(refusal.value)
    if before is not None:
        assert state_of(path.parent) == before
        with pytest.raises(kind), live_store(path):
            pass
        assert state_of(path.parent) == before


def test_each_role_refuses_the_others_database_untouched(tmp_path: Path) -> None:
    (tmp_path / "l").mkdir(mode=0o700)
    (tmp_path / "m").mkdir(mode=0o700)
    with live_store(tmp_path / "l" / "x.db"), monitor_store(tmp_path / "m" / "x.db"):
        pass
    before = state_of(tmp_path / "l"), state_of(tmp_path / "m")
    with (
        pytest.raises(OwnershipError, match="database of the live role, this process is monitor"),
        monitor_store(tmp_path / "l" / "x.db"),
    ):
        pass
    with (
        pytest.raises(OwnershipError, match="database of the monitor role, this process is live"),
        live_store(tmp_path / "m" / "x.db"),
    ):
        pass
    assert (state_of(tmp_path / "l"), state_of(tmp_path / "m")) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deployment_id": "OTHER"}, "deployment TEST"),
        ({"account_fingerprint": "ffffffffffff"}, "API key 0123456789ab"),
    ],
)
def test_a_database_stays_with_its_deployment_and_its_key(path: Path, changes: dict[str, str], words: str) -> None:
    before = state_of(path.parent)
    with pytest.raises(ForeignDeployment, match=words), live_store(path, writer(**changes)):
        pass
    assert state_of(path.parent) == before


def test_a_database_says_what_it_is(path: Path) -> None:
    ownership = judge_ownership(path, Role.LIVE)
    assert ownership is not None
    assert (ownership.role, ownership.schema, ownership.created_by, ownership.venue) == (
        Role.LIVE,
        SCHEMAS[Role.LIVE].number,
        "0.1.0",
        "btcturk",
    )
    with closing(sqlite3.connect(path)) as connection:
        facts = dict(connection.execute("SELECT key, value FROM metadata"))
    assert (facts["db_role"], facts["created_by"], facts["db_uuid"]) == ("live", "0.1.0", ownership.db_uuid)


def test_nothing_and_an_empty_file_are_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    assert judge_ownership(path, Role.LIVE) is None
    path.touch(mode=0o600)
    assert judge_ownership(path, Role.LIVE) is None
    assert path.read_bytes() == b""
    with live_store(path):
        pass
    assert judge_ownership(path, Role.LIVE) is not None
    assert path.stat().st_mode & 0o777 == 0o600


def abandon(path: Path, to: Path) -> None:
    """What a process that is killed leaves: file and log as they are while the store is open."""
    to.mkdir(mode=0o700)
    with live_store(path) as store:
        store.latch_halt("only in the log", "test")
        for name in ("live.db", "live.db-wal", "live.db.lock"):
            shutil.copy2(path.with_name(name), to / name)


def test_a_log_that_was_left_is_taken_into_account_and_left_as_it_is(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    abandon(path, left)
    before = {name: (left / name).read_bytes() for name in ("live.db", "live.db-wal")}
    assert judge_ownership(left / "live.db", Role.LIVE) is not None
    with pytest.raises(OwnershipError):
        judge_ownership(left / "live.db", Role.MONITOR)
    verify_records(left / "live.db", Role.LIVE)
    assert {name: (left / name).read_bytes() for name in before} == before
    with live_store(left / "live.db") as store:
        assert store.was_unclean
        assert store.halt() == "only in the log"


def test_a_log_that_is_missing_is_missed(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    abandon(path, left)
    (left / "live.db-wal").unlink()
    with pytest.raises(DamagedDatabase, match=r"live\.db-wal is missing"):
        judge_ownership(left / "live.db", Role.LIVE)


def test_a_copy_without_its_log_and_without_its_lock_file_is_found(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    abandon(path, left)
    for name in ("live.db-wal", "live.db.lock"):
        (left / name).unlink()
    before = state_of(left)
    for judge in (
        lambda: judge_ownership(left / "live.db", Role.LIVE),
        lambda: verify_records(left / "live.db", Role.LIVE),
    ):
        with pytest.raises(DamagedDatabase, match="says that it is open"):
            judge()
    assert state_of(left) == before


def test_a_file_that_was_closed_in_order_needs_neither_log_nor_lock_file(path: Path, tmp_path: Path) -> None:
    (tmp_path / "moved").mkdir(mode=0o700)
    moved = tmp_path / "moved" / "live.db"
    shutil.copy2(path, moved)
    with live_store(moved) as store:
        assert not store.was_unclean
        assert store.epoch == 2


def test_a_database_that_is_missing_beside_its_log_is_missed(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    abandon(path, left)
    (left / "live.db").unlink()
    with pytest.raises(DamagedDatabase, match="missing while its log"):
        judge_ownership(left / "live.db", Role.LIVE)


def test_a_torn_log_loses_only_what_was_never_acknowledged(path: Path, tmp_path: Path) -> None:
    left = tmp_path / "left"
    abandon(path, left)
    log = left / "live.db-wal"
    os.truncate(log, log.stat().st_size - 100)
    with live_store(left / "live.db") as store:
        assert store.halt() is None
        assert len(store.journal.counters()) > 0


def test_the_lock_comes_before_ownership(path: Path) -> None:
    garbage(path)
    holder = DatabaseLock.take(path, identity())
    with pytest.raises(BtcbotError) as refusal, live_store(path):
        pass
    assert refusal.value.exit_code is ExitCode.LOCKED
    holder.release()


def test_verifying_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OwnershipError, match="no database"):
        verify_records(tmp_path / "live.db", Role.LIVE)
