"""Backups while a store is open, on a schedule, and what comes of one that shows damage."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from btcbot.domain.errors import UnsafeState
from btcbot.domain.events import Event
from btcbot.domain.profiles import BackupPlan, Role
from btcbot.persistence.sqlite.backups import listed
from btcbot.services.backup import WAIT_SECONDS, BackupService
from btcbot.services.runtime import Runtime
from tests.unit.persistence.world import Clock, CountedIds, Witness, live_store


class Pacing:
    """Sleeping moves the clock; after so many hours of it the service is stopped from outside."""

    def __init__(self, clock: Clock, hours: float) -> None:
        self._clock = clock
        self._until = clock.elapsed + timedelta(hours=hours)

    async def sleep(self, seconds: float) -> None:
        if seconds != WAIT_SECONDS:  # what the copying thread takes is real time, and not the schedule's
            self._clock.elapsed += timedelta(seconds=max(seconds, 0))
        await asyncio.sleep(0)
        if self._clock.elapsed > self._until:
            raise asyncio.CancelledError


def running(path: Path, hours: float, alarms: list[str], witness: Witness, bytes_max: int = 10**9) -> None:
    clock = Clock()
    plan = BackupPlan(path.parent / "backups", timedelta(hours=1), bytes_max)
    runtime = Runtime(clock, Pacing(clock, hours), CountedIds(), "instance-1")
    with live_store(path, clock=clock) as store:
        service = BackupService(store, Role.LIVE, plan, runtime, witness, alarms.append)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(service.run())


def test_a_backup_is_taken_each_hour_and_told(tmp_path: Path) -> None:
    witness, alarms = Witness(), list[str]()
    running(tmp_path / "live.db", 3.9, alarms, witness)
    taken = listed(tmp_path / "backups", Role.LIVE)
    assert len(taken) == 4
    apart = {later.taken_at - earlier.taken_at for earlier, later in pairwise(taken)}
    assert all(timedelta(hours=1) <= each < timedelta(hours=1, minutes=1) for each in apart)
    assert witness.events() == [Event.BACKUP_COMPLETED] * 4
    assert witness.seen[0][1]["path"] == str(taken[0].path)
    assert alarms == []


def test_a_restart_goes_on_with_the_schedule_it_finds(tmp_path: Path) -> None:
    witness = Witness()
    for _ in range(3):  # the clock begins anew at each start
        running(tmp_path / "live.db", 0.5, [], witness)
    assert witness.events() == [Event.BACKUP_COMPLETED]


def test_the_budget_is_kept(tmp_path: Path) -> None:
    witness = Witness()
    running(tmp_path / "live.db", 2.9, [], witness, bytes_max=1)
    assert len(listed(tmp_path / "backups", Role.LIVE)) == 1
    assert witness.seen[-1][1]["removed"]


def test_damage_is_an_alarm_and_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path):
        pass
    witness, alarms = Witness(), list[str]()
    clock = Clock()
    plan = BackupPlan(tmp_path / "backups", timedelta(hours=1), 10**9)
    runtime = Runtime(clock, Pacing(clock, 1.5), CountedIds(), "instance-1")
    with live_store(path, clock=clock) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as shell:
            shell.execute("DROP TRIGGER fills_no_update")
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(BackupService(store, Role.LIVE, plan, runtime, witness, alarms.append).run())
    assert witness.events() == [Event.BACKUP_FAILED] * 2
    assert len(alarms) == 2
    assert "altered: fills_no_update" in alarms[0]
    assert listed(plan.directory, Role.LIVE) == ()


def test_what_stands_in_the_way_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def no_room(directory: Path, _source: Path) -> None:
        calls.append(directory)
        if len(calls) < 3:
            raise UnsafeState("no room")

    monkeypatch.setattr("btcbot.persistence.sqlite.stepped_copy.require_room", no_room)
    witness, alarms = Witness(), list[str]()
    running(tmp_path / "live.db", 0.9, alarms, witness)
    assert witness.events() == [Event.BACKUP_FAILED, Event.BACKUP_FAILED, Event.BACKUP_COMPLETED]
    assert alarms == []
