"""Every guard of a database tried by hand, as somebody with the `sqlite3` shell and a file manager would.

Whatever is tried is refused by SQLite itself, or found by the next start and by `btcbot verify`. The shell is the real
one where it is installed; elsewhere a connection with nothing set stands for it.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.errors import BtcbotError, ExitCode
from btcbot.domain.money import Asset, amount
from btcbot.domain.orders.evidence import Accepted, Traded
from btcbot.domain.signals import Direction, Signal
from btcbot.persistence.sqlite.copying import copy_at_rest
from btcbot.persistence.sqlite.verification import examine
from tests.unit.persistence.test_unit_of_work import record
from tests.unit.persistence.world import START, approved, fill, live_store, monitor_store, snapshot

SHELL = shutil.which("sqlite3")
HISTORY = (
    "metadata", "epochs", "snapshots", "orders", "order_history", "fills", "ledger", "cycles", "signals", "verdicts",
    "balances", "control", "outbox",
)  # fmt: skip


def shell(path: Path, sql: str) -> str:
    """What the shell complains about; nothing where it did as it was told."""
    if SHELL is not None:
        done = subprocess.run([SHELL, "-batch", str(path), sql], capture_output=True, text=True, timeout=20)
        return done.stderr
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        try:
            connection.executescript(sql)
        except sqlite3.Error as error:
            return str(error)
    return ""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a row in every table, closed in order."""
    path = tmp_path / "live.db"
    with live_store(path) as store:
        held = amount("9 TRY").number
        store.open_ledger((Balance(Asset("TRY"), held, held, held - held),))
        unit = store.unit_of_work("cycle-1", START)
        unit.add_snapshot(snapshot())
        order = store.journal.sending(store.journal.intent(approved()))
        store.journal.record(order.order_id, Accepted(77, None))
        store.journal.record(order.order_id, Traded((fill(1, "0.0004"),)))
        unit.add_signal(Signal("BTCTRY", Direction.BUY, 0.5, amount("100 TRY"), "fast above slow"))
        unit.add_verdict("cycle-1/BTCTRY/1", "BTCTRY", "buy", True, ())
        unit.add_balances((Balance(Asset("TRY"), held, held, held - held),))
        unit.finish(record())
        unit.commit()
        store.latch_halt("a test", "test")
    return path


def refusal(path: Path) -> BtcbotError:
    """What a start says, having changed nothing; `btcbot verify` must say something as well."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(BtcbotError) as refused, live_store(path):
        pass
    assert examine(path).problems
    if before is not None:
        assert path.read_bytes() == before
    assert refused.value.exit_code in (ExitCode.OWNERSHIP, ExitCode.UNSAFE)
    return refused.value


@pytest.mark.parametrize("table", HISTORY)
def test_update_delete_and_replace_are_refused_by_sqlite(path: Path, table: str) -> None:
    before = examine(path)
    assert before.problems == ()
    for statement, complaint in (
        (f"UPDATE {table} SET rowid = rowid", "no update"),
        (f"DELETE FROM {table}", "no delete"),
        (f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1", "written once|no insert"),
        (f"REPLACE INTO {table} SELECT * FROM {table} LIMIT 1", "written once|no insert"),
    ):
        said = shell(path, statement)
        assert any(words in said for words in complaint.split("|")), f"{statement}: {said}"
    after = examine(path)
    assert (after.problems, after.rows, after.chain_hash) == ((), before.rows, before.chain_hash)


def test_a_row_of_the_other_role_is_refused_by_sqlite(path: Path) -> None:
    columns = "at, event, detail, process_role, process_instance_id, cycle_id, config_hash"
    said = shell(path, f"INSERT INTO events ({columns}) VALUES ('x', 'x', '{{}}', 'monitor', 'i', 'no-cycle', 'c')")
    assert "CHECK constraint failed: process_role = 'live'" in said


def test_a_dropped_trigger_is_found(path: Path) -> None:
    assert shell(path, "DROP TRIGGER fills_no_delete") == ""
    assert "altered: fills_no_delete" in str(refusal(path))


def test_a_row_changed_behind_a_dropped_trigger_is_found_although_the_trigger_is_back(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'fills_no_update'").fetchone()
    said = shell(path, f"DROP TRIGGER fills_no_update; UPDATE fills SET fee = '0'; {sql};")
    assert said == ""
    assert "(fills) does not fit its row" in str(refusal(path))


def test_history_cut_off_at_its_end_is_found(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'control_no_delete'").fetchone()
    assert shell(path, f"DROP TRIGGER control_no_delete; DELETE FROM control; {sql};") == ""
    assert "this database had come to link" in str(refusal(path))  # the halt is in it no more


@pytest.mark.parametrize("table", ["orders", "fills", "ledger", "order_history", "cycles"])
def test_a_flipped_bit_is_found(path: Path, table: str) -> None:
    """In the last row of a table: the page stays sound, and only the chain can tell."""
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    content = bytearray(path.read_bytes())
    page = slice((root - 1) * 4096, root * 4096)
    place = content.index(b"instance-1", page.start, page.stop)
    content[place] ^= 1
    path.write_bytes(content)
    assert "does not fit its row" in str(refusal(path))


def test_a_flipped_bit_in_what_only_a_cycle_stands_for_is_found_by_verify(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"fast above slow", b"fast above slov"))
    assert ["cycle cycle-1" in str(problem) for problem in examine(path).problems] == [True]


def left_behind(path: Path, to: Path, *names: str) -> Path:
    """The files of a process that was killed while it had something in its log."""
    to.mkdir(mode=0o700)
    with live_store(path) as store:
        store.latch_halt("only in the log", "test")
        for name in names:
            shutil.copy2(path.with_name(name), to / name)
    return to / "live.db"


def test_a_missing_log_is_found(path: Path, tmp_path: Path) -> None:
    left = left_behind(path, tmp_path / "left", "live.db", "live.db.lock")
    assert "live.db-wal is missing" in str(refusal(left))


def test_a_copy_without_its_log_in_the_place_of_the_original_is_found(path: Path, tmp_path: Path) -> None:
    left = left_behind(path, tmp_path / "left", "live.db")
    shutil.copy2(left, path)
    assert "this database had come to link" in str(refusal(path))


def test_an_old_backup_in_the_place_of_the_original_is_found(path: Path, tmp_path: Path) -> None:
    copy_at_rest(path, tmp_path / "backup.db")
    with live_store(path) as store:
        store.latch_halt("later", "test")
    shutil.copy2(tmp_path / "backup.db", path)
    assert "btcbot restore" in str(refusal(path))


def hard_link(path: Path) -> None:
    os.link(path, path.with_name("another-name"))


def symbolic_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(("change", "words"), [(hard_link, "2 hard links"), (symbolic_link, "symbolic link")])
@pytest.mark.parametrize("suffix", ["", ".lock"])
def test_links_are_refused(path: Path, change: Callable[[Path], None], words: str, suffix: str) -> None:
    change(path.with_name(f"live.db{suffix}"))
    with pytest.raises(BtcbotError, match=words) as refused, live_store(path):
        pass
    assert refused.value.exit_code is ExitCode.OWNERSHIP


def test_the_other_roles_database_is_refused(path: Path, tmp_path: Path) -> None:
    before = path.read_bytes()
    words = "the database of the live role, this process is monitor"
    with pytest.raises(BtcbotError, match=words) as refused, monitor_store(path):
        pass
    assert refused.value.exit_code is ExitCode.OWNERSHIP
    assert path.read_bytes() == before
    assert examine(path).ownership is not None
