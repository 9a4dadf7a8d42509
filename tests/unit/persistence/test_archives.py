"""History that rolled out of live's file: proven from end to end, read as before, never gone before it is sealed."""

import lzma
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.events import Event
from btcbot.domain.market import MarketSnapshot
from btcbot.domain.money import Asset
from btcbot.domain.orders.evidence import NoByteLeft
from btcbot.domain.signals import Direction, Signal
from btcbot.persistence.sqlite import archives, pruning
from btcbot.persistence.sqlite.archives import Sealed, archives_of, opened, seal, shelf_of
from btcbot.persistence.sqlite.chain import bounds_of, verify_chain
from btcbot.persistence.sqlite.copying import copy_at_rest, copy_of_running
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.errors import ArchiveMissing, DamagedDatabase, TamperedRecords
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.ownership import identify, read_only
from btcbot.persistence.sqlite.sealing import Sealing
from btcbot.persistence.sqlite.story import story_of
from btcbot.persistence.sqlite.verification import examine
from tests.unit.persistence.test_unit_of_work import record
from tests.unit.persistence.world import START, approved, live_store, snapshot

FIRST, SECOND = 40, 60  # cycles before the first archive, and before the second


class PowerFailure(BaseException):
    """Nothing catches it."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives of some dozen cycles."""
    monkeypatch.setattr(archives, "CYCLES_KEPT", 8)
    monkeypatch.setattr(archives, "CYCLES_MIN", 5)
    monkeypatch.setattr(archives, "MESSAGES_KEPT", 10)
    monkeypatch.setattr(pruning, "ROWS_PER_STEP", 7)


def cycles(store: LiveStore, first: int, last: int, day: date | None = None) -> None:
    """Each with a snapshot, signals and an event; every tenth leads to an order."""
    for number in range(first, last + 1):
        seen = snapshot(str(3_000_000 + number))
        seen = MarketSnapshot(START + timedelta(minutes=5 * number), seen.views)
        unit = store.unit_of_work(f"{number:032x}", START)
        unit.add_snapshot(seen)
        for pair in ("BTCTRY", "ETHTRY"):
            unit.add_signal(Signal(pair, Direction.HOLD, 0.25, None, f"cycle {number}"))
        unit.add_event(Event.RECONCILED, {"number": number})
        if number % 10 == 0:
            order = store.journal.sending(store.journal.intent(approved(f"{number:032x}/BTCTRY/1", quantity="0.0001")))
            store.journal.record(order.order_id, NoByteLeft("a test"))
        done = record()
        unit.finish(type(done)(**{
            **{name: getattr(done, name) for name in done.__dataclass_fields__}, "snapshot_id": seen.snapshot_id,
            "day": day or done.day,
        }))  # fmt: skip
        unit.commit()


def sealed_from(store: LiveStore, path: Path, name: str = "backup.db") -> Sealed:
    backup = path.with_name(name)
    backup.unlink(missing_ok=True)
    copy_of_running(path, backup)
    sealed = seal(backup, shelf_of(path))
    assert sealed is not None
    return sealed


def prune(store: LiveStore) -> None:
    while store._pruning.step():
        pass


def lived(path: Path) -> None:
    """Two archives, everything pruned that may go."""
    with live_store(path) as store:
        for first, last in ((1, FIRST), (FIRST + 1, SECOND)):
            cycles(store, first, last)
            store.add_archive(sealed_from(store, path))
            prune(store)
        cycles(store, SECOND + 1, SECOND + 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "live").mkdir(mode=0o700)
    path = tmp_path / "live" / "live.db"
    lived(path)
    return path


def counts(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as connection:
        tables = ("cycles", "signals", "events", "snapshots", "orders", "order_history", "outbox")
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


def test_what_is_archived_leaves_the_file_and_the_books_stay(path: Path) -> None:
    left = counts(path)
    assert left["cycles"] == 13
    assert (left["signals"], left["orders"]) == (26, 6)
    assert left["order_history"] == 12
    hours = (SECOND + 5) * 5 // 60 + 1
    assert left["snapshots"] <= 13 + 6 + hours, "those of cycles, of orders, and one of each hour"
    with live_store(path) as store:
        assert store.journal.counters()["not_sent"] == 6
        assert store.chain_head()[0] > 65


def test_the_chain_is_provable_across_the_boundary_and_verify_says_so(path: Path) -> None:
    found = examine(path, shelf_of(path))
    assert found.problems == ()
    assert "every archive is there, as it was sealed" in found.passed
    with read_only(path, "immutable=1") as connection:
        db_uuid = identify(connection, path).db_uuid
        first, second = archives_of(connection, db_uuid)
        verify_chain(connection, db_uuid)
        assert (first.first_sequence, second.first_sequence) == (1, first.last.sequence + 1)
        assert bounds_of(connection, db_uuid).base == second.last
        with opened(second, shelf_of(path)) as content:
            assert content.execute("SELECT min(id), max(id) FROM cycles").fetchone() == (33, 52)


def test_every_cycle_is_read_as_if_it_had_never_left(path: Path) -> None:
    with story_of(path) as story:
        assert story.bounds() == (1, SECOND + 5)
        told = list(story.cycles(1, SECOND + 5))
        assert [each.cycle.id for each in told] == list(range(1, SECOND + 6))
        for number, each in enumerate(told, start=1):
            assert [signal.reason for signal in each.signals] == [f"cycle {number}"] * 2
            assert each.packed_snapshot is not None
            assert str(3_000_000 + number - 1) in story.snapshot(str(each.cycle.snapshot_id))
        for number in (1, 32, 33, 52, 53, 65):
            for word in (str(number), f"{number:032x}"):
                cycle = story.cycle(word)
                assert cycle is not None
                assert cycle.id == number
        assert story.cycle("66") is None
        assert story.cycle("no such cycle") is None
        order = story.order(next(iter(story.orders_of(f"{10:032x}"))).order_id)
        assert order is not None
        assert order.decision_id.startswith(f"{10:032x}")


def test_a_start_needs_no_archive(path: Path) -> None:
    for archive in shelf_of(path).iterdir():
        archive.unlink()
    with live_store(path) as store:
        assert store.epoch == 2
        cycles(store, SECOND + 6, SECOND + 7)
    problems = examine(path, shelf_of(path)).problems
    assert [type(problem) for problem in problems] == [ArchiveMissing]
    assert "put the archive back" in str(problems[0])
    with story_of(path) as story:
        assert story.cycle(str(SECOND)) is not None
        with pytest.raises(ArchiveMissing):
            story.cycle("1")


@pytest.mark.parametrize("harm", ["flipped", "cut", "another"])
def test_an_archive_that_is_not_the_sealed_one_is_found(path: Path, harm: str) -> None:
    first, second = sorted(shelf_of(path).iterdir())
    content = bytearray(first.read_bytes())
    if harm == "flipped":
        content[len(content) // 2] ^= 1
        first.write_bytes(content)
    elif harm == "cut":
        first.write_bytes(content[:-40])
    else:
        first.write_bytes(second.read_bytes())
    (problem,) = examine(path, shelf_of(path)).problems
    assert isinstance(problem, DamagedDatabase)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE orders SET quantity = '9' WHERE rowid = 1",
        "UPDATE order_history SET detail = 'x' WHERE id = 1",
        "DELETE FROM order_history WHERE id = 1",
        "UPDATE archives SET last_cycle = 60",
        "UPDATE archives SET last_hash = 'f' WHERE id = 1",
        "UPDATE archives SET kept_hash = 'f' WHERE id = 1",
        "DELETE FROM cycles WHERE id = 62",
        "DELETE FROM archives WHERE id = 2",
    ],
)
def test_who_changes_what_stayed_of_archived_times_is_found(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        triggers = shell.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            shell.execute(f"DROP TRIGGER {name}")
        assert shell.execute(statement).rowcount >= 1
        for _, sql in triggers:
            shell.execute(sql)
    assert any(isinstance(problem, TamperedRecords) for problem in examine(path, shelf_of(path)).problems)


@pytest.mark.parametrize("table", ["cycles", "signals", "verdicts", "events", "balances", "outbox", "snapshots"])
def test_nothing_that_no_archive_holds_can_be_deleted_nor_the_last_row_of_a_table(path: Path, table: str) -> None:
    with live_store(path) as store, closing(sqlite3.connect(path, isolation_level=None)) as shell:
        if table in ("verdicts", "balances"):
            unit = store.unit_of_work("more", START)
            unit.add_verdict("decision", "BTCTRY", "buy", True, ())
            unit.add_balances((Balance(Asset("TRY"), Decimal(1), Decimal(1), Decimal(0)),))
            unit.finish(record())
            unit.commit()
        before = shell.execute(f"SELECT count(*) FROM {table}").fetchone()
        for condition in ("rowid = (SELECT max(rowid) FROM {0})", "rowid > (SELECT max(rowid) - 3 FROM {0})"):
            with pytest.raises(sqlite3.IntegrityError, match="no delete"):
                shell.execute(f"DELETE FROM {table} WHERE {condition.format(table)}")
        assert shell.execute(f"SELECT count(*) FROM {table}").fetchone() == before


@pytest.mark.parametrize("table", ["orders", "order_heads", "order_history", "fills", "ledger", "control", "archives"])
def test_what_stays_for_good_cannot_be_deleted_however_old_it_is(path: Path, table: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as shell:
        if shell.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:
            with pytest.raises(sqlite3.IntegrityError, match="no delete"):
                shell.execute(f"DELETE FROM {table}")


def test_the_last_cycle_of_the_day_before_stays_for_what_a_start_counts(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        cycles(store, 1, 20, date(2026, 3, 1))
        cycles(store, 21, 80, date(2026, 3, 2))
        before = store.history().entries_of_day
        store.add_archive(sealed_from(store, path))
        prune(store)
        assert store._database.value("SELECT min(id) FROM cycles") == 20
        assert store.history().entries_of_day == before
    assert examine(path, shelf_of(path)).problems == ()


def test_a_snapshot_that_an_order_was_decided_on_stays(path: Path) -> None:
    with story_of(path) as story:
        for number in range(10, SECOND + 1, 10):
            (order,) = story.orders_of(f"{number:032x}")
            assert str(3_000_000 + number - 1) in story.snapshot(str(order.snapshot_id))


def test_an_archive_of_another_history_is_not_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o700)
    other = tmp_path / "other" / "live.db"
    with live_store(other) as store:
        cycles(store, 1, FIRST)
        foreign = sealed_from(store, other)
    with live_store(path) as store, pytest.raises(TamperedRecords, match="another history"):
        store.add_archive(foreign)


def test_too_little_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        cycles(store, 1, 12)
    copy_at_rest(path, tmp_path / "backup.db")
    assert seal(tmp_path / "backup.db", shelf_of(path)) is None


def test_sealing_on_a_thread_tells_what_went_wrong(path: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"no database" * 1000)
    sealing = Sealing(tmp_path / "broken.db", shelf_of(path))
    sealing._thread.join()
    assert sealing.is_done
    with pytest.raises(Exception, match="no archive can be made"):
        sealing.result()


def interruptions(path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> Iterator[None]:
    """The power fails at the so-manieth statement of naming and pruning."""
    genuine = Database.execute
    left = number

    def execute(self: Database, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        nonlocal left
        if sql.startswith(("BEGIN", "INSERT", "DELETE", "COMMIT")):
            left -= 1
            if left == 0:
                raise PowerFailure(sql)
        return genuine(self, sql, values)

    monkeypatch.setattr(Database, "execute", execute)
    yield
    monkeypatch.setattr(Database, "execute", genuine)


@pytest.mark.parametrize("number", range(1, 40, 2))
def test_killed_at_any_statement_of_naming_and_pruning_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        cycles(store, 1, FIRST)
        sealed = sealed_from(store, path)
        interrupted = interruptions(path, monkeypatch, number)
        next(interrupted)
        try:
            store.add_archive(sealed)
            prune(store)
        except PowerFailure:
            pass
        next(interrupted, None)
        left = path.read_bytes(), path.with_name("live.db-wal").read_bytes()
    (tmp_path / "after").mkdir(mode=0o700)
    after = tmp_path / "after" / "live.db"
    shelf_of(path).rename(shelf_of(after))
    for file, content in zip((after, after.with_name("live.db-wal")), left, strict=True):
        file.write_bytes(content)
        file.chmod(0o600)
    with live_store(after) as store:
        with story_of(after) as story:
            assert [each.cycle.id for each in story.cycles(1, FIRST)] == list(range(1, FIRST + 1))
            assert all(len(each.signals) == 2 for each in story.cycles(1, FIRST))
        prune(store)
        cycles(store, FIRST + 1, FIRST + 2)
    assert examine(after, shelf_of(after)).problems == ()


@pytest.mark.parametrize("step", ["create", "_fill", "_proven", "_compressed", "make_durable"])
def test_killed_while_sealing_leaves_no_archive_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        cycles(store, 1, FIRST)
        with monkeypatch.context() as patched:
            patched.setattr(archives, step, lambda *_: (_ for _ in ()).throw(PowerFailure(step)))
            patched.setattr(Path, "unlink", lambda *_, **__: None)  # nobody tidies up after a power failure
            with pytest.raises(PowerFailure):
                sealed_from(store, path)
        sealed = sealed_from(store, path)
        store.add_archive(sealed)
        prune(store)
    assert [archive.name for archive in shelf_of(path).iterdir()] == [sealed.name]
    assert examine(path, shelf_of(path)).problems == ()


def test_an_archive_is_a_database_of_its_own_compressed(path: Path, tmp_path: Path) -> None:
    newest = max(shelf_of(path).iterdir())
    raw = tmp_path / "raw.db"
    raw.write_bytes(lzma.decompress(newest.read_bytes()))
    raw.chmod(0o600)
    assert newest.stat().st_mode & 0o777 == 0o600
    assert newest.stat().st_size < raw.stat().st_size / 5
    with closing(sqlite3.connect(raw)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
