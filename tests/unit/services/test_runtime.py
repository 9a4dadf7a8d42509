"""Scaled time: the loop counts scaled seconds and waits real ones, and nothing here waits at all."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from types import SimpleNamespace
from typing import TypeVar

import pytest

from btcbot.domain.profiles import ClockProfile
from btcbot.services import runtime as seam
from btcbot.services.runtime import RisingIds, ScaledClock, ScaledLoop, build_runtime, run, token

T = TypeVar("T")
ANCHOR = datetime(2026, 3, 1, 12, tzinfo=UTC)
RATE_20 = ClockProfile(Decimal(20), ANCHOR)
REAL = ClockProfile(Decimal(1), None)


class Moment:
    """The system's clocks, standing where the test put them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.ticks, self.nanoseconds, self.random = ANCHOR, 1000.0, 1_700_000_000_000_000_000, 7
        ours = SimpleNamespace(
            monotonic=lambda: self.ticks, time_ns=lambda: self.nanoseconds, get_clock_info=time.get_clock_info
        )
        monkeypatch.setattr(seam, "time", ours)
        monkeypatch.setattr(seam, "datetime", SimpleNamespace(now=self._now))
        monkeypatch.setattr(seam, "secrets", SimpleNamespace(randbits=lambda bits: self.random))

    def _now(self, zone: tzinfo) -> datetime:
        return self.wall.astimezone(zone)


@pytest.fixture
def moment(monkeypatch: pytest.MonkeyPatch) -> Moment:
    return Moment(monkeypatch)


@pytest.mark.parametrize("real_seconds", [-3, 0, 1.5, 3600])
def test_the_wall_clock_runs_at_the_rate_around_its_anchor(moment: Moment, real_seconds: float) -> None:
    moment.wall = ANCHOR + timedelta(seconds=real_seconds)
    assert ScaledClock(RATE_20).now() == ANCHOR + timedelta(seconds=20 * real_seconds)


def test_without_an_anchor_the_wall_clock_is_the_systems(moment: Moment) -> None:
    moment.wall = ANCHOR + timedelta(seconds=5)
    assert ScaledClock(REAL).now() == moment.wall


def test_two_processes_with_one_anchor_agree_on_the_time(moment: Moment) -> None:
    moment.wall = ANCHOR + timedelta(days=3, microseconds=1)
    assert ScaledClock(RATE_20).now() == ScaledClock(RATE_20).now()


def test_monotonic_time_runs_at_the_rate(moment: Moment) -> None:
    clock = ScaledClock(RATE_20)
    before = clock.monotonic()
    moment.ticks += 0.25
    assert clock.monotonic() - before == 5.0


@pytest.mark.parametrize(("scaled", "real"), [(5.0, 0.25), (0.0, 0.0), (None, None)])
def test_the_selector_waits_the_real_part_of_a_scaled_timeout(
    monkeypatch: pytest.MonkeyPatch, scaled: float | None, real: float | None
) -> None:
    asked: list[float | None] = []
    selector = seam._ScaledSelector(20.0)
    parent = type(selector).__mro__[1]
    monkeypatch.setattr(parent, "select", lambda self, timeout=None: asked.append(timeout) or [])
    assert selector.select(scaled) == []
    selector.close()
    assert asked == [real]


def test_the_loop_counts_scaled_seconds(moment: Moment) -> None:
    loop = ScaledLoop(20.0)
    try:
        before = loop.time()
        moment.ticks += 0.5
        assert loop.time() - before == 10.0
    finally:
        loop.close()


def test_a_timer_is_due_after_scaled_seconds_and_the_wait_for_it_is_real(
    monkeypatch: pytest.MonkeyPatch, moment: Moment
) -> None:
    """`asyncio.timeout(15)` at rate 20 waits three quarters of a real second; this selector lets them pass at once."""
    waited: list[float] = []

    def select(self: object, timeout: float | None = None) -> list[object]:
        assert timeout is not None
        waited.append(timeout)
        moment.ticks += timeout
        return []

    loop = ScaledLoop(20.0)
    monkeypatch.setattr(seam._ScaledSelector.__mro__[1], "select", select)
    try:
        with pytest.raises(TimeoutError):
            loop.run_until_complete(_expires(15))
    finally:
        monkeypatch.undo()
        loop.close()
    assert sum(waited) == pytest.approx(0.75)


async def _expires(seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await asyncio.get_running_loop().create_future()


def elsewhere(main: Callable[[], Coroutine[None, None, T]], profile: ClockProfile) -> T:
    """`run` ends with no loop set in its thread: give it one of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run, main, profile).result()


def test_run_gives_the_program_a_loop_of_its_rate_and_hands_back_its_result() -> None:
    async def main() -> tuple[str, bool]:
        return type(asyncio.get_running_loop()).__name__, isinstance(asyncio.get_running_loop(), ScaledLoop)

    assert elsewhere(main, RATE_20) == ("ScaledLoop", True)


def test_run_lets_the_programs_failure_through() -> None:
    async def main() -> None:
        raise ValueError("as it was")

    with pytest.raises(ValueError, match="as it was"):
        elsewhere(main, REAL)


@pytest.mark.looptime
async def test_the_sleeper_sleeps_on_the_running_loop() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await build_runtime(REAL).sleeper.sleep(2.5)
    assert loop.time() - began == 2.5


def test_ids_rise_strictly_even_when_clock_and_chance_stand_still_or_step_back(moment: Moment) -> None:
    ids = RisingIds()
    first = [ids.new() for _ in range(100)]
    moment.random = 0  # less than before, in the same millisecond
    second = [ids.new() for _ in range(100)]
    moment.nanoseconds -= 3_600_000_000_000
    third = [ids.new() for _ in range(100)]
    moment.nanoseconds += 7_200_000_000_000
    made = [*first, *second, *third, ids.new()]
    assert made == sorted(set(made))
    assert {len(each) for each in made} == {32}
    assert all(int(each, 16) >= 0 and each == each.lower() for each in made)


def test_ids_begin_with_the_time_so_that_they_sort_by_it(moment: Moment) -> None:
    assert int(RisingIds().new(), 16) >> 80 == moment.nanoseconds // 1_000_000


def test_a_process_has_a_name_of_its_own_and_its_ids_come_after_it() -> None:
    made = build_runtime(REAL)
    assert made.instance_id < made.ids.new()
    assert build_runtime(REAL).instance_id != made.instance_id


def test_a_token_is_as_long_as_asked() -> None:
    assert len(token(32)) == 32
    assert token(32) != token(32)
