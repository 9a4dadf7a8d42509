import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from btcbot.domain.errors import UnsafeState
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite import opening
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.migrations import runner
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS, expected_objects, migrate, objects
from btcbot.persistence.sqlite.ownership import judge_ownership
from tests.unit.persistence.world import live_store

SECOND = (
    "ALTER TABLE cursors ADD COLUMN note TEXT",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
    "INSERT INTO notes (text) VALUES ('moved')",
    "CREATE INDEX notes_by_text ON notes (text)",
)
LIVE = SCHEMAS[Role.LIVE]
LATER = replace(LIVE, migrations=(*LIVE.migrations, SECOND))


class PowerFailure(BaseException):
    """Nothing catches it."""


def content(path: Path) -> tuple[int, frozenset[tuple[str, str, str]]]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0], objects(connection)


@pytest.mark.parametrize("survivors", range(len(SECOND) + 3))  # BEGIN, statements, user_version, COMMIT
def test_an_interrupted_migration_leaves_the_old_schema_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survivors: int
) -> None:
    path = tmp_path / "live.db"
    with live_store(path):
        pass
    database = Database(path)
    genuine = database.execute
    done: list[str] = []

    def execute(sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        if len(done) == survivors and sql != "ROLLBACK":
            raise PowerFailure(sql)
        done.append(sql)
        return genuine(sql, values)

    monkeypatch.setattr(database, "execute", execute)
    with pytest.raises(PowerFailure):
        migrate(database, LATER, LIVE.number)
    monkeypatch.undo()
    database.close()
    assert content(path) == (LIVE.number, expected_objects(LIVE, LIVE.number))
    assert judge_ownership(path, Role.LIVE) is not None


def test_an_older_database_is_brought_up_to_date_and_says_so_in_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.db"
    with live_store(path):
        pass
    monkeypatch.setitem(SCHEMAS, Role.LIVE, LATER)  # type: ignore[arg-type]
    found = judge_ownership(path, Role.LIVE)
    assert found is not None
    assert found.schema == LIVE.number
    with live_store(path) as store:
        assert store.epoch == 2
        with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone()[0] == LATER.number
    assert content(path) == (LATER.number, expected_objects(LATER, LATER.number))
    assert judge_ownership(path, Role.LIVE) is not None


def test_a_migration_of_a_current_schema_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path):
        pass
    database = Database(path)
    assert migrate(database, LIVE, LIVE.number) == ()
    database.close()


@pytest.mark.parametrize("statement", range(0, 70, 7))
def test_a_database_that_was_never_finished_is_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: int
) -> None:
    """A crash while a database is made leaves no database; the next start makes a whole one."""
    path = tmp_path / "live.db"
    genuine = runner.create

    def create(connection: sqlite3.Connection, schema: runner.Schema, metadata: dict[str, str]) -> None:
        left = [statement]

        def count(_sql: str) -> None:
            left[0] -= 1

        connection.set_trace_callback(count)
        connection.set_progress_handler(lambda: int(left[0] < 0), 1)
        genuine(connection, schema, metadata)

    monkeypatch.setattr(opening, "create", create)
    with pytest.raises(UnsafeState, match="cannot be made"), live_store(path):
        pass
    assert not path.exists()
    monkeypatch.undo()
    with live_store(path) as store:
        assert store.epoch == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["live.db", "live.db.lock"]


def test_what_identifies_a_database_is_in_its_file_from_the_beginning(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path), closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        facts = dict(connection.execute("SELECT key, value FROM metadata"))
        assert facts["db_role"] == "live"
        # The epoch as well, and that the file is open: a copy without its log has to say so.
        assert connection.execute("SELECT max(epoch) FROM epochs").fetchone()[0] == 1
        assert connection.execute("SELECT value FROM cursors WHERE name = 'is_closed'").fetchone() == ("no",)
