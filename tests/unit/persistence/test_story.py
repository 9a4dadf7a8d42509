"""Each cycle is read with its own rows and no others, from a file at rest or beside the log of a process."""

import shutil
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import OwnershipError
from btcbot.domain.events import Event
from btcbot.domain.signals import Direction, Signal
from btcbot.persistence.sqlite import story
from btcbot.persistence.sqlite.live_store import CycleRecord, LiveStore
from btcbot.persistence.sqlite.story import story_of
from btcbot.persistence.sqlite.unit_of_work import DecisionRecord
from tests.unit.persistence.world import START, live_store, monitor_store

SIGNALS = (0, 3, 0, 0, 1, 2, 0, 5, 0, 0, 1, 0)  # how many each cycle raised


def commit(store: LiveStore, place: int, count: int) -> None:
    at = START + timedelta(seconds=5 * place)
    unit = store.unit_of_work(f"{place:032x}", at)
    for number in range(count):
        unit.add_signal(Signal("BTCTRY", Direction.HOLD, 0.0, None, f"{place}/{number}"))
    unit.add_event(Event.RECONCILED, {"place": place})
    unit.add_decision(DecisionRecord(f"{place:064x}", None, "{}" if place % 5 == 0 else None))
    nothing = Decimal(0)
    unit.finish(
        CycleRecord("completed", None, nothing, nothing, nothing, date(2026, 3, 1), nothing, 0, False, False, at)
    )
    unit.commit()


def filled(path: Path) -> None:
    with live_store(path) as store:
        for place, count in enumerate(SIGNALS):
            commit(store, place, count)


@pytest.mark.parametrize("together", [1, 2, 5, 500])
def test_each_cycle_has_its_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(story, "CYCLES_AT_ONCE", together)
    filled(tmp_path / "live.db")
    with story_of(tmp_path / "live.db") as told:
        assert told.bounds() == (1, len(SIGNALS))
        for begin in (1, 4, len(SIGNALS)):
            for records in told.cycles(begin, len(SIGNALS)):
                place = records.cycle.id - 1
                assert [signal.reason for signal in records.signals] == [f"{place}/{n}" for n in range(SIGNALS[place])]
                assert [event.detail for event in records.events] == [f'{{"place":{place}}}']
                assert records.decision is not None
                assert records.decision.decision_hash == f"{place:064x}"


@pytest.mark.parametrize("together", [1, 4, 500])
def test_the_nearest_beginning_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(story, "CYCLES_AT_ONCE", together)
    filled(tmp_path / "live.db")
    with story_of(tmp_path / "live.db") as told:
        assert [told.beginning(number) for number in (1, 5, 6, 9, 11, 12, 99)] == [1, 1, 6, 6, 11, 11, 11]
        assert told.beginning(0) is None


def test_a_log_that_a_process_left_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    with live_store(tmp_path / "live.db") as store:
        commit(store, 0, 2)
        for file in (tmp_path / "live.db", tmp_path / "live.db-wal"):
            shutil.copy(file, tmp_path / "left" / file.name)
    with story_of(tmp_path / "left" / "live.db") as told:
        (records,) = told.cycles(1, 1)
    assert len(records.signals) == 2


def test_a_database_without_a_cycle_has_no_bounds(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db"):
        pass
    with story_of(tmp_path / "live.db") as told:
        assert told.bounds() is None
        assert told.cycle("1") is None
        assert told.order("1") is None


def test_the_monitors_database_has_no_story(tmp_path: Path) -> None:
    with monitor_store(tmp_path / "monitor.db"):
        pass
    with pytest.raises(OwnershipError, match="monitor role"), story_of(tmp_path / "monitor.db"):
        pass
