"""A worker's decisions, made again from its database: equal as they are, and named where a digit was changed."""

import asyncio
import re
import sqlite3
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import OwnershipError, UsageError
from btcbot.domain.market import Book, Level, MarketSnapshot
from btcbot.persistence.sqlite.story import NotOnRecord, story_of
from btcbot.persistence.sqlite.unit_of_work import UnitOfWork
from btcbot.services import replay_tape
from btcbot.services.replay import ReplayReport, replay, replayed
from btcbot.services.replay_text import as_json_line, as_lines
from tests.unit.services.looping import BUYS, GUARDED, worker
from tests.unit.services.world import PAIR

pytestmark = pytest.mark.looptime


async def lived(directory: Path, seconds: float = 90.0) -> Path:
    """A worker that buys, is filled, and leaves at its stop; its database at rest."""
    with worker(directory, GUARDED) as work:
        task = await work.runs(20)
        work.exchange.fill_all()
        await asyncio.sleep(seconds / 2)
        work.market.falls_to(2_900_000)
        await asyncio.sleep(seconds / 2)
        await work.stops(task)
    return directory / "live.db"


def altered(path: Path, table: str, column: str, condition: str, change: Callable[[str], str]) -> int:
    """Change one stored text, past the triggers, as somebody with the file could; returns the cycle's number."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        rowid, text, cycle_id = connection.execute(
            f"SELECT rowid, {column}, cycle_id FROM {table} WHERE {condition} ORDER BY rowid DESC LIMIT 1"
        ).fetchone()
        assert change(text) != text, "nothing was changed"
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (change(text), rowid))
        for _, sql in triggers:
            connection.execute(sql)
        (number,) = connection.execute("SELECT id FROM cycles WHERE cycle_id = ?", (cycle_id,)).fetchone()
        return int(number)


def names(report: ReplayReport, number: int) -> bool:
    return any(stretch.first == number for stretch in report.different)


def other_digit(pattern: str) -> Callable[[str], str]:
    """Turns the first digit after this pattern into another one."""
    return lambda text: re.sub(rf"({pattern})(\d)", lambda m: f"{m[1]}{(int(m[2]) + 1) % 10}", text, count=1)


async def test_every_decision_of_a_worker_is_made_again(tmp_path: Path) -> None:
    report = replay(await lived(tmp_path))
    assert report.is_clean
    assert report.untold == ()
    assert (report.first, report.equal) == (1, report.last)
    assert report.equal > 15
    assert as_lines(report) == (f"cycles 1 to {report.last}: {report.last} decided again, equal bit for bit",)


@pytest.mark.parametrize(
    ("table", "column", "condition", "change"),
    [
        ("signals", "reason", "1", lambda text: f"{text}."),
        ("signals", "confidence", "confidence = '1.0'", lambda text: text.replace("1", "2")),
        ("verdicts", "is_approved", "is_approved = 1", lambda text: 0),
        ("events", "detail", "event = 'decision_recorded'", other_digit('"decision_hash":"[a-f]*')),
        ("events", "detail", "detail LIKE '%FillBooked%'", other_digit(r'\\"quantity\\":\\"')),
        ("events", "detail", "detail LIKE '%BalancesSeen%'", other_digit(r'\\"TRY\\":\\"')),
        ("cycles", "equity", "equity LIKE '99%'", lambda text: text.replace("9", "8", 1)),
        ("cycles", "day_opening_pnl", "1", lambda text: "1"),
    ],
)
async def test_a_changed_digit_is_found_and_its_cycle_named(
    tmp_path: Path, table: str, column: str, condition: str, change: Callable[[str], str]
) -> None:
    path = await lived(tmp_path)
    number = altered(path, table, column, condition, change)
    report = replay(path)
    assert not report.is_clean
    assert names(report, number)
    assert any(line.startswith(f"DIFFERENT  cycle {number} (") for line in as_lines(report))
    assert f'"first":{number}' in as_json_line(report)


async def test_a_changed_snapshot_is_found_by_its_name(tmp_path: Path) -> None:
    path = await lived(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER snapshots_no_update")
        number, snapshot_id = connection.execute("SELECT id, snapshot_id FROM cycles WHERE id = 5").fetchone()
        (packed,) = connection.execute("SELECT content FROM snapshots WHERE snapshot_id = ?", (snapshot_id,)).fetchone()
        content = zlib.decompress(packed).replace(b"2999900", b"2999901")
        connection.execute(
            "UPDATE snapshots SET content = ? WHERE snapshot_id = ?", (zlib.compress(content), snapshot_id)
        )
    report = replay(path)
    (stretch,) = report.different
    assert stretch.first == number
    assert "is not what it is named after" in stretch.what[0]
    assert report.untold[0].first == number + 1, "what follows from it is not guessed"


async def test_a_replay_may_begin_and_end_anywhere(tmp_path: Path) -> None:
    path = await lived(tmp_path)
    whole = replay(path)
    part = replay(path, "5", "9")
    assert (part.first, part.last, part.equal) == (5, 9, 5)
    with story_of(path) as story:
        cycle_id = next(story.cycles(7, 7)).cycle.cycle_id
    assert replay(path, cycle_id).equal == whole.last - 6
    with pytest.raises(NotOnRecord, match="'nine'"):
        replay(path, "nine")
    with pytest.raises(UsageError, match="--from 9 comes after --to 5"):
        replay(path, "9", "5")


async def test_a_whole_state_is_kept_once_in_so_many_cycles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_tape, "CYCLES_PER_STATE", 6)
    path = await lived(tmp_path)
    assert replay(path).is_clean
    with story_of(path) as story:
        assert [story.beginning(number) for number in (1, 6, 7, 12, 13)] == [1, 1, 7, 7, 13]
        (only,) = replayed(story, 15, 15)
    assert only.decided is not None
    assert only.differences == ()


async def test_a_cycle_that_failed_leaves_a_gap_that_the_next_one_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it decided is not on record; what came of it is in the state that the next decision begins with."""
    commit = UnitOfWork.commit
    failing = False

    def commit_or_fail(unit: UnitOfWork) -> None:
        if failing:
            raise RuntimeError("the commit failed")
        commit(unit)

    monkeypatch.setattr(UnitOfWork, "commit", commit_or_fail)
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(21)
        before, failing = work.cycles(), True
        work.exchange.fill_all()
        await asyncio.sleep(9)
        failing = False
        await asyncio.sleep(30)
        assert work.cycles() > before
        await work.stops(task)
    report = replay(tmp_path / "live.db")
    assert report.is_clean
    assert report.equal == report.last
    with story_of(tmp_path / "live.db") as story:
        assert story.beginning(report.last) == before + 1


async def test_too_many_events_between_commits_are_not_kept_but_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_tape, "EVENTS_MAX", 1)
    report = replay(await lived(tmp_path))
    assert report.is_clean
    assert report.untold
    assert 0 < report.equal < report.last


async def test_records_of_an_older_btcbot_are_said_to_lack_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UnitOfWork, "add_decision", lambda _unit, _record: None)
    report = replay(await lived(tmp_path))
    assert report.is_clean
    assert report.equal == 0
    (stretch,) = report.untold
    assert (stretch.first, stretch.last) == (report.first, report.last)
    assert "what it was decided on was not kept" in as_lines(report)[1]


def test_what_is_not_lives_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OwnershipError, match="there is no database"):
        replay(tmp_path / "live.db")
    (tmp_path / "other.db").write_bytes(b"not a database, whatever else it may be" * 100)
    with pytest.raises(OwnershipError, match="cannot be read"):
        replay(tmp_path / "other.db")


async def test_a_number_read_with_more_zeros_decides_alike(tmp_path: Path) -> None:
    """The snapshot keeps values, not zeros: nothing that a decision says may depend on how a number was written."""

    def padded(level: Level) -> Level:
        return Level(level.price.quantize(Decimal("0.0000")), level.quantity.quantize(Decimal("0.00000000")))

    with worker(tmp_path, GUARDED) as work:
        plainly = work.market.snapshot

        def snapshot(candles_after: Mapping[str, datetime]) -> MarketSnapshot:
            seen = plainly(candles_after)
            view = seen.views[PAIR]
            book = Book(tuple(map(padded, view.book.bids)), tuple(map(padded, view.book.asks)))
            return MarketSnapshot(seen.taken_at, {PAIR: replace(view, book=book)})

        work.market.snapshot = snapshot  # type: ignore[method-assign]
        task = await work.runs(20)
        work.exchange.fill_all()
        await asyncio.sleep(20)
        work.market.falls_to(2_900_000)
        await asyncio.sleep(20)
        await work.stops(task)
    report = replay(tmp_path / "live.db")
    assert report.is_clean
    assert report.equal == report.last > 10
