"""The complete check names what is wrong, whatever it is, and writes nothing."""

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode
from btcbot.persistence.sqlite.verification import examine
from tests.unit.persistence.test_chain import tampered, whole
from tests.unit.persistence.test_ownership import flip_bits, foreign, garbage, state_of, truncate_to_header
from tests.unit.persistence.world import live_store, monitor_store

INVENTED_FEE = """
    INSERT INTO ledger SELECT 99, 'fee', asset, number, 'trade/99', at, booked_at, chain_sequence + 100, chain_hash,
        process_role, process_instance_id, cycle_id, config_hash FROM ledger LIMIT 1
"""

__all__ = ["whole"]  # the fixture


def words_of(path: Path) -> str:
    return " | ".join(str(problem) for problem in examine(path).problems)


def test_a_sound_database_passes_every_check(whole: Path) -> None:
    before = state_of(whole.parent)
    found = examine(whole)
    assert found.problems == ()
    assert len(found.passed) == 15
    assert dict(found.rows)["orders"] == 3
    assert found.chain_sequence > 20
    assert state_of(whole.parent) == before


def test_a_sound_database_of_the_monitor_passes(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    with monitor_store(path):
        pass
    found = examine(path)
    assert found.problems == ()
    assert found.ownership is not None
    assert found.ownership.role == "monitor"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE fills SET fee = '0' WHERE id = 1", "link .* does not fit its row"),
        ("DELETE FROM ledger WHERE id = 4", "jumps from link"),
        ("UPDATE signals SET confidence = '0.9' WHERE id = 2", "cycle cycle-2"),
        ("UPDATE snapshots SET content = x'00' WHERE rowid = 1", "content of snapshot"),
        ("UPDATE order_heads SET state = 'filled' WHERE rowid = 1", "is said to be filled, and its history ends in"),
        ("UPDATE order_heads SET exchange_order_id = 999 WHERE rowid = 1", "said to be the exchange's 999"),
        ("UPDATE order_heads SET filled = '0.5' WHERE rowid = 1", "is said to be filled by 0.5, its fills add up to"),
        ("UPDATE order_heads SET filled = 'much' WHERE rowid = 1", "where a number belongs, the records have 'much'"),
        ("UPDATE order_history SET before = 'open' WHERE id = 1", "goes on from open, and before that it was None"),
        ("UPDATE ledger SET number = '-1' WHERE id = 3", "the ledger lacks .* or has it otherwise"),
        (
            INVENTED_FEE,
            "of trade/99, and no such fill",
        ),
        ("DELETE FROM outbox WHERE number = 3", "1 are missing"),
    ],
)  # fmt: skip
def test_records_that_contradict_themselves_are_told(whole: Path, tmp_path: Path, statement: str, words: str) -> None:
    path = tampered(whole, tmp_path, statement)
    before = state_of(tmp_path)
    found = examine(path)
    assert re.search(words, words_of(path))
    assert {problem.exit_code for problem in found.problems} == {ExitCode.UNSAFE}
    assert all(". Next: " in str(problem) for problem in found.problems)
    assert state_of(tmp_path) == before


def test_one_fault_does_not_hide_another(whole: Path, tmp_path: Path) -> None:
    path = tampered(whole, tmp_path, "UPDATE fills SET fee = '0' WHERE id = 1")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER fills_no_update")
        connection.execute("DROP INDEX fills_by_order")
        connection.execute("PRAGMA foreign_keys = OFF")
    found = examine(path)
    assert [problem.exit_code for problem in found.problems] == [
        ExitCode.OWNERSHIP, ExitCode.UNSAFE, ExitCode.UNSAFE,
    ]  # fmt: skip
    assert "altered: fills_by_order, fills_no_update" in words_of(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (garbage, "not a whole SQLite database"),
        (truncate_to_header, "not a whole SQLite database"),
        (foreign, "another program"),
        (lambda path: path.unlink(), "there is no database"),
        (lambda path: path.chmod(0o644), "mode 0644"),
        (lambda path: os.link(path, path.with_name("other-name")), "2 hard links"),
        (flip_bits, "damaged|malformed"),
    ],
)  # fmt: skip
def test_what_is_no_database_of_ours_is_told_and_left_alone(tmp_path: Path, change: object, words: str) -> None:
    path = tmp_path / "live.db"
    with live_store(path):
        pass
    assert callable(change)
    change(path)
    before = state_of(tmp_path)
    found = examine(path)
    assert re.search(words, words_of(path))
    assert found.problems[0].exit_code is ExitCode.OWNERSHIP
    assert state_of(tmp_path) == before
