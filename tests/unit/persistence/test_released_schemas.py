"""A database of every released schema: the newest btcbot takes it over with its history, or leaves it as it was.

The fixtures were made by the btcbot that wrote those schemas, and are never made again.
"""

import gzip
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite import opening
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, expected_objects, migrate, objects
from btcbot.persistence.sqlite.ownership import judge_ownership
from btcbot.persistence.sqlite.verification import examine
from tests.unit.persistence.world import live_store, monitor_store

FIXTURES = Path(__file__).parent / "fixtures"
LIVE = SCHEMAS[Role.LIVE]
LIVE_STATEMENTS = sum(len(migration) for migration in LIVE.migrations[1:])


class PowerFailure(BaseException):
    """Nothing catches it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return unpacked(tmp_path, Role.LIVE, 1)


def unpacked(directory: Path, role: Role, schema: int) -> Path:
    path = directory / f"{role}.db"
    path.write_bytes(gzip.decompress((FIXTURES / f"{role}_schema_{schema}.db.gz").read_bytes()))
    path.chmod(0o600)
    return path


def schema_of(path: Path) -> tuple[int, frozenset[tuple[str, str, str]]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0], objects(connection)


@pytest.mark.parametrize("role", Role)
def test_there_is_a_fixture_of_every_released_schema(role: Role, tmp_path: Path) -> None:
    """The newest is released once something follows it; the monitor has had one only."""
    for schema in range(1, max(SCHEMAS[role].number, 2)):
        found = examine(unpacked(tmp_path, role, schema))
        assert found.problems == ()
        assert found.ownership is not None
        assert (found.ownership.role, found.ownership.schema) == (role, schema)


def test_live_takes_over_schema_1_with_its_history(path: Path) -> None:
    with live_store(path) as store:
        assert store.epoch == 3
        history = store.history()
        assert history.opening == {"TRY": Decimal("10000.5"), "BTC": Decimal("0.25")}
        assert [fill.trade_id for fill in history.fills] == [1, 2, 3, 4]
        assert [entry.source for entry in history.transfers] == ["transfer/9"]
        assert [(order.decision_id, order.state) for order in history.orders] == [("old/ETHTRY/1", "sending")]
        assert history.last_cycle is not None
        assert store.ledger_balances() == {"TRY": Decimal("7493.50"), "BTC": Decimal("0.251")}
        assert store.halt() == "drawdown"
        assert store.is_paused()
        assert store.outbox_last() == 33
    assert schema_of(path) == (LIVE.number, expected_objects(LIVE, LIVE.number))
    assert examine(path).problems == ()


def test_live_takes_over_schema_2_with_its_checkpoint(tmp_path: Path) -> None:
    path = unpacked(tmp_path, Role.LIVE, 2)
    with live_store(path) as store:
        history = store.history()
        # Its checkpoint is of the first form: what it holds is added up anew.
        assert (len(history.fills), history.assigned, history.books.last_fill_id) == (4, (), 0)
        assert store.ledger_balances() == {"TRY": Decimal("7493.50"), "BTC": Decimal("0.251")}
        assert store.halt() == "drawdown"
    assert schema_of(path) == (LIVE.number, expected_objects(LIVE, LIVE.number))
    assert examine(path).problems == ()


def test_live_takes_over_schema_3_with_its_assignments(tmp_path: Path) -> None:
    path = unpacked(tmp_path, Role.LIVE, 3)
    with live_store(path) as store:
        assert (store.epoch, store.outbox_last()) == (2, 18)
        assert store.history().books.last_fill_id == 3
        assert store.ledger_balances() == {"TRY": Decimal("8695.25"), "BTC": Decimal("0.2506")}
        assert [str(order.state) for order in store.history().orders] == ["partial"] * 3
    assert schema_of(path) == (LIVE.number, expected_objects(LIVE, LIVE.number))
    assert examine(path).problems == ()


def test_the_monitor_takes_over_schema_1(tmp_path: Path) -> None:
    path = unpacked(tmp_path, Role.MONITOR, 1)
    with monitor_store(path) as store:
        assert (store.epoch, store.last_feed_number()) == (2, 1)
    assert examine(path).problems == ()


# Of each migration: BEGIN, its statements, user_version, COMMIT.
@pytest.mark.parametrize("survivors", range(LIVE_STATEMENTS + 3 * (LIVE.number - 1)))
def test_a_take_over_that_is_interrupted_leaves_a_whole_older_database(
    path: Path, monkeypatch: pytest.MonkeyPatch, survivors: int
) -> None:
    genuine = Database.execute
    done: list[str] = []

    def execute(self: Database, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        if len(done) == survivors and sql != "ROLLBACK":
            raise PowerFailure(sql)
        done.append(sql)
        return genuine(self, sql, values)

    def interrupted(database: Database, *what: object) -> object:
        monkeypatch.setattr(Database, "execute", execute)
        return migrate(database, *what)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "migrate", interrupted)
    with pytest.raises(PowerFailure), live_store(path):
        pass
    monkeypatch.undo()
    schema, there = schema_of(path)
    assert schema < LIVE.number
    assert there == expected_objects(LIVE, schema)
    assert examine(path).problems == ()
    found = judge_ownership(path, Role.LIVE)
    assert found is not None
    assert found.schema == schema
    with live_store(path) as store:
        assert store.was_unclean
        assert len(store.history().fills) == 4
    assert schema_of(path)[0] == LIVE.number
