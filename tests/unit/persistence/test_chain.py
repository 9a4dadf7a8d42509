"""Records cannot lie: whatever is changed, removed, added or swapped behind the triggers is found."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ExitCode
from btcbot.domain.events import Event
from btcbot.domain.money import Asset, amount
from btcbot.domain.orders.evidence import Accepted, Traded
from btcbot.domain.profiles import Role
from btcbot.domain.signals import Direction, Signal
from btcbot.persistence.sqlite.chain import canonical, genesis, verify_tail
from btcbot.persistence.sqlite.errors import TamperedRecords
from btcbot.persistence.sqlite.ownership import judge_ownership, verify_records
from tests.unit.persistence.test_unit_of_work import record
from tests.unit.persistence.world import START, approved, fill, live_store, monitor_store, snapshot

INVENTED_EVENT = """
    INSERT INTO events SELECT 99, at, event, detail, process_role, process_instance_id, 'cycle-9', config_hash
    FROM events LIMIT 1
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "live.db"
    with live_store(path) as store:
        number = amount("9 TRY").number
        store.open_ledger((Balance(Asset("TRY"), number, number, number - number),))
        for cycle in (1, 2, 3):
            unit = store.unit_of_work(f"cycle-{cycle}", START)
            unit.add_snapshot(snapshot(f"300000{cycle}"))
            order = store.journal.sending(store.journal.intent(approved(f"{cycle}/BTCTRY/1", quantity="0.0001")))
            store.journal.record(order.order_id, Accepted(cycle, None))
            store.journal.record(order.order_id, Traded((fill(cycle, "0.00005", exchange_order_id=cycle),)))
            unit.add_signal(Signal("BTCTRY", Direction.BUY, 0.5, amount("100 TRY"), "fast above slow"))
            unit.add_verdict(f"{cycle}/BTCTRY/1", "BTCTRY", "buy", True, ())
            unit.add_event(Event.ORDER_MOVED, {})
            unit.add_balances((Balance(Asset("TRY"), number, number, number - number),))
            unit.finish(record())
            unit.commit()
        store.latch_halt("a test", "test")
    return path


def tampered(whole: Path, tmp_path: Path, statement: str) -> Path:
    """A copy in which somebody with the sqlite3 shell dropped the triggers, did this, and put the triggers back."""
    path = tmp_path / "live.db"
    shutil.copy2(whole, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        assert connection.execute(statement).rowcount > 0
        for _, sql in triggers:
            connection.execute(sql)
    return path


def test_untouched_records_are_whole(whole: Path) -> None:
    verify_records(whole, Role.LIVE)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET price = '3000001' WHERE epoch = 1 AND label_sequence = 1",
        "UPDATE orders SET snapshot_id = NULL",
        "UPDATE order_history SET after = 'canceled' WHERE id = 2",
        "UPDATE fills SET fee = '1.50' WHERE id = 1",
        "UPDATE ledger SET number = '-1' WHERE id = 3",
        "UPDATE ledger SET process_instance_id = 'somebody'",
        "UPDATE control SET reason = 'another'",
        "UPDATE epochs SET build = '9.9'",
        "UPDATE cycles SET equity = '1' WHERE id = 2",
        "UPDATE cycles SET content_hash = 'x' WHERE id = 3",
        "DELETE FROM ledger WHERE id = 2",
        "UPDATE fills SET trade_id = CASE trade_id WHEN 1 THEN -2 ELSE trade_id END",
    ],
)
def test_a_start_finds_a_broken_link(whole: Path, tmp_path: Path, statement: str) -> None:
    path = tampered(whole, tmp_path, statement)
    before = path.read_bytes()
    with pytest.raises(TamperedRecords, match="hash chain") as refusal:
        judge_ownership(path, Role.LIVE)
    assert refusal.value.exit_code is ExitCode.UNSAFE
    with pytest.raises(TamperedRecords), live_store(path):
        pass
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE signals SET confidence = '0.9' WHERE id = 2", "cycle cycle-2"),
        ("DELETE FROM verdicts WHERE id = 1", "cycle cycle-1"),
        ("DELETE FROM balances WHERE id = 3", "cycle cycle-3"),
        ("UPDATE events SET cycle_id = 'cycle-9' WHERE id = 3", "cycle cycle-3|cycle-9"),
        (
            INVENTED_EVENT,
            "cycle cycle-9",
        ),
        ("UPDATE snapshots SET content = x'00' WHERE rowid = 1", "content of snapshot"),
        (
            "UPDATE snapshots SET content = (SELECT content FROM snapshots WHERE rowid = 2) WHERE rowid = 1",
            "content of snapshot",
        ),
        ("UPDATE order_heads SET state = 'filled' WHERE rowid = 1", "is said to be filled"),
    ],
)  # fmt: skip
def test_the_complete_check_finds_what_the_chain_covers_in_bulk(
    whole: Path, tmp_path: Path, statement: str, words: str
) -> None:
    with pytest.raises(TamperedRecords, match=words):
        verify_records(tampered(whole, tmp_path, statement), Role.LIVE)


def test_a_tail_is_checked_against_the_link_before_it(whole: Path, tmp_path: Path) -> None:
    path = tampered(whole, tmp_path, "UPDATE ledger SET number = '9.0' WHERE id = 1")
    uuid = "irrelevant for a tail"
    with closing(sqlite3.connect(path)) as connection:
        verify_tail(connection, uuid, 5)
        with pytest.raises(TamperedRecords):
            verify_tail(connection, uuid, 10_000)


def test_no_two_databases_share_a_chain(tmp_path: Path) -> None:
    assert genesis("one") != genesis("other")
    path = tmp_path / "live.db"
    with live_store(path) as store:
        assert store.chain_head()[0] == 1


def test_a_row_is_hashed_by_content_and_a_new_empty_column_changes_nothing() -> None:
    row = {"b": 1, "a": "ş", "chain_hash": "x"}
    assert canonical("t", row) == canonical("t", {"a": "ş", "b": 1, "later": None}) == '["t",{"a":"ş","b":1}]'


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers(-(2**63), 2**63 - 1) | st.text(), max_size=6))
def test_a_row_is_hashed_as_what_json_makes_of_it(row: dict[str, object]) -> None:
    """What the first schema hashed is hashed alike for ever, whatever writes the text."""
    content = {name: value for name, value in row.items() if value is not None and name != "chain_hash"}
    assert canonical("t", row) == json.dumps(["t", content], sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_the_monitors_chain_is_checked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    with monitor_store(path):
        pass
    verify_records(path, Role.MONITOR)
    with pytest.raises(TamperedRecords):
        judge_ownership(_with_changed_epoch(path), Role.MONITOR)


def _with_changed_epoch(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (trigger,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'epochs_no_update'").fetchone()
        connection.execute("DROP TRIGGER epochs_no_update")
        connection.execute("UPDATE epochs SET build = 'x'")
        connection.execute(trigger)
    return path
