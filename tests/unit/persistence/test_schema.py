"""The schema as SQLite enforces it, tried with plain SQL as a person with the sqlite3 shell would."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind, FeedMessage
from btcbot.domain.health import Check, HealthReport, Reason, Status
from btcbot.domain.ledger import Assignment
from btcbot.domain.money import Asset, amount
from btcbot.domain.orders.evidence import Accepted, Traded
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import Role
from btcbot.domain.signals import Direction, Signal
from btcbot.persistence.sqlite import archives, books
from btcbot.persistence.sqlite.copying import copy_of_running
from btcbot.persistence.sqlite.migrations import live_0001
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, expected_objects
from btcbot.persistence.sqlite.models import INSERTS, LIVE_MODELS, MONITOR_MODELS, Row
from tests.unit.persistence.test_unit_of_work import record
from tests.unit.persistence.world import START, approved, fill, live_store, monitor_store, snapshot

LIVE_APPEND_ONLY = (
    "epochs", "snapshots", "orders", "order_history", "fills", "ledger", "cycles", "signals", "verdicts", "events",
    "balances", "control", "checkpoints", "assignments", "outbox", "metadata",
)  # fmt: skip
MONITOR_APPEND_ONLY = ("epochs", "reports", "checks", "feed_copy", "metadata")


@pytest.fixture(scope="module")
def live_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed database with at least one row in every table."""
    path = tmp_path_factory.mktemp("live") / "live.db"
    with live_store(path) as store:
        store.open_ledger(
            (Balance(Asset("TRY"), amount("9 TRY").number, amount("9 TRY").number, amount("0 TRY").number),)
        )
        unit = store.unit_of_work("cycle-1", START)
        unit.add_snapshot(snapshot())
        order = store.journal.sending(store.journal.intent(approved()))
        store.journal.record(order.order_id, Accepted(77, None))
        store.journal.record(order.order_id, Traded((fill(1),)))
        unit.add_signal(Signal("BTCTRY", Direction.BUY, 0.5, amount("100 TRY"), "fast above slow"))
        unit.add_verdict("cycle-1/BTCTRY/1", "BTCTRY", "buy", True, ())
        unit.add_event(Event.ORDER_MOVED, {"order": order.order_id})
        unit.add_balances(
            (Balance(Asset("TRY"), amount("1 TRY").number, amount("1 TRY").number, amount("0 TRY").number),)
        )
        unit.set_cursor("orders/BTCTRY", "77")
        unit.finish(record())
        unit.commit()
        store.latch_halt("a test", "test")
        base, quote = Asset("BTC"), Asset("TRY")
        store.assign(Assignment("BTCTRY", base, quote, Decimal("0.1"), Decimal(3_000_000), "mine", "test", START))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(books, "LINKS_PER_CHECKPOINT", 1)
            store.checkpoint()
            for name, number in (("CYCLES_KEPT", 0), ("CYCLES_MIN", 1)):
                patch.setattr(archives, name, number)
            copy_of_running(path, path.with_name("backup.db"))
            sealed = archives.seal(path.with_name("backup.db"), archives.shelf_of(path))
            assert sealed is not None
            store.add_archive(sealed)
    return path


@pytest.fixture(scope="module")
def monitor_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("monitor") / "monitor.db"
    with monitor_store(path) as store:
        store.add_report(HealthReport(START, (Check("feed", Status.OK, Reason.FINE, "fine", ""),)))
        store.add_feed((FeedMessage(1, FeedKind.CYCLE, START, {"cycle_id": "cycle-1"}),))
    return path


@pytest.fixture
def shell(request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """A connection with nothing set, as any other tool opens one; whatever it changes is rolled back."""
    path: Path = request.getfixturevalue(request.param)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        yield connection
        connection.execute("ROLLBACK")


def every(role: str, tables: tuple[str, ...]) -> list[object]:
    return [pytest.param(f"{role}_path", table, id=f"{role}-{table}") for table in tables]


APPEND_ONLY = pytest.mark.parametrize(
    ("shell", "table"),
    [*every("live", LIVE_APPEND_ONLY), *every("monitor", MONITOR_APPEND_ONLY)],
    indirect=["shell"],
)


@APPEND_ONLY
def test_history_is_never_updated(shell: sqlite3.Connection, table: str) -> None:
    column = shell.execute(f"SELECT name FROM pragma_table_info('{table}') LIMIT 1").fetchone()[0]
    with pytest.raises(sqlite3.IntegrityError, match=f"{table}: no update"):
        shell.execute(f"UPDATE {table} SET {column} = {column}")


@APPEND_ONLY
def test_history_is_never_deleted(shell: sqlite3.Connection, table: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=f"{table}: no delete"):
        shell.execute(f"DELETE FROM {table}")


@APPEND_ONLY
@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "REPLACE"])
def test_history_is_never_written_over(shell: sqlite3.Connection, table: str, verb: str) -> None:
    before = shell.execute(f"SELECT rowid, * FROM {table}").fetchall()
    columns = [name for (name,) in shell.execute(f"SELECT name FROM pragma_table_info('{table}')")]
    if columns[0] not in ("id", "number", "epoch"):
        columns.insert(0, "rowid")  # the hidden key is a key as well
    names = ", ".join(columns)
    with pytest.raises(sqlite3.IntegrityError, match=r"written once|no insert"):
        shell.execute(f"{verb} INTO {table} ({names}) SELECT {names} FROM {table}")
    assert shell.execute(f"SELECT rowid, * FROM {table}").fetchall() == before


KEYS = (
    "orders: decision_id", "orders: client_order_id", "orders: epoch label_sequence", "fills: trade_id",
    "ledger: source kind asset", "cycles: cycle_id", "verdicts: decision_id", "order_history: chain_sequence",
)  # fmt: skip
FRESH = {
    **dict.fromkeys(("order_id", "decision_id", "client_order_id", "source", "cycle_id"), "'other'"),
    **dict.fromkeys(("id", "trade_id", "epoch", "label_sequence", "chain_sequence"), "9999"),
}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("shell", ["live_path"], indirect=True)
def test_a_second_row_under_one_key_replaces_nothing(shell: sqlite3.Connection, key: str) -> None:
    table, _, columns = key.partition(": ")
    names = [name for (name,) in shell.execute(f"SELECT name FROM pragma_table_info('{table}')")]
    values = ", ".join(name if name in columns.split() else FRESH.get(name, name) for name in names)
    with pytest.raises(sqlite3.IntegrityError, match="written once"):
        shell.execute(f"INSERT OR REPLACE INTO {table} SELECT {values} FROM {table} LIMIT 1")


@pytest.mark.parametrize("shell", ["live_path"], indirect=True)
def test_an_orders_head_changes_and_neither_vanishes_nor_moves(shell: sqlite3.Connection) -> None:
    shell.execute("UPDATE order_heads SET state = 'closing'")
    for statement in (
        "DELETE FROM order_heads",
        "UPDATE order_heads SET order_id = 'other'",
        "UPDATE order_heads SET pair = 'ETHTRY'",
        "UPDATE order_heads SET state = 'lost'",
        "INSERT OR REPLACE INTO order_heads SELECT * FROM order_heads",
        "DELETE FROM cursors",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            shell.execute(statement)


@pytest.mark.parametrize(
    ("shell", "model"),
    [
        *(pytest.param("live_path", model, id=f"live-{model.__name__}") for model in LIVE_MODELS),
        *(pytest.param("monitor_path", model, id=f"monitor-{model.__name__}") for model in MONITOR_MODELS),
    ],
    indirect=["shell"],
)
def test_a_row_of_the_other_role_fails_inside_sqlite(shell: sqlite3.Connection, model: type[Row]) -> None:
    table = INSERTS[model].table
    ours = shell.execute(f"SELECT process_role FROM {table}").fetchone()[0]
    theirs = "monitor" if ours == "live" else "live"
    # Without the triggers the CHECK alone must hold.
    for (name,) in shell.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        shell.execute(f"DROP TRIGGER {name}")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed"):
        shell.execute(f"UPDATE {table} SET process_role = '{theirs}'")


@pytest.mark.parametrize("shell", ["live_path"], indirect=True)
def test_a_second_attempt_cannot_be_stored(shell: sqlite3.Connection) -> None:
    shell.execute("DROP TRIGGER orders_no_update")
    with pytest.raises(sqlite3.IntegrityError, match="attempt = 1"):
        shell.execute("UPDATE orders SET attempt = 2")


@pytest.mark.parametrize("shell", ["live_path"], indirect=True)
def test_a_number_cannot_become_a_binary_float(shell: sqlite3.Connection) -> None:
    types = {
        (table, name): kind
        for (table,) in shell.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        for name, kind in shell.execute(f"SELECT name, type FROM pragma_table_info('{table}')")
    }
    assert set(types.values()) == {"TEXT", "INTEGER", "BLOB"}
    tables = shell.execute(
        "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite%'"
    )
    assert all(strict for _, strict in tables.fetchall())


@pytest.mark.parametrize(
    ("shell", "models"), [("live_path", LIVE_MODELS), ("monitor_path", MONITOR_MODELS)], indirect=["shell"]
)
def test_models_and_schema_name_the_same_columns(shell: sqlite3.Connection, models: tuple[type[Row], ...]) -> None:
    tables = {
        table: {name for (name,) in shell.execute(f"SELECT name FROM pragma_table_info('{table}')")}
        for (table,) in shell.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    }
    of_models = {INSERTS[model].table: {field.column_name for field in model._meta.sorted_fields} for model in models}
    assert of_models == {name: columns for name, columns in tables.items() if name != "metadata"}


@pytest.mark.parametrize("shell", ["live_path"], indirect=True)
def test_every_row_says_who_wrote_it(shell: sqlite3.Connection) -> None:
    for model in LIVE_MODELS:
        rows = shell.execute(
            f"SELECT process_role, process_instance_id, cycle_id, config_hash FROM {INSERTS[model].table}"
        ).fetchall()
        assert rows
        for role, instance_id, cycle_id, config_hash in rows:
            assert (role, instance_id, config_hash) == ("live", "instance-1", "c0ffee")
            assert cycle_id in ("cycle-1", "no-cycle")


def test_the_schema_knows_every_state_of_the_table() -> None:
    assert set(live_0001.STATES) == {str(state) for state in OrderState}


@pytest.mark.parametrize("role", Role)
def test_file_header_and_user_version_name_role_and_schema(role: Role, live_path: Path, monitor_path: Path) -> None:
    with closing(sqlite3.connect(live_path if role is Role.LIVE else monitor_path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone()[0] == SCHEMAS[role].application_id
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMAS[role].number
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert expected_objects(SCHEMAS[role], SCHEMAS[role].number)
