from datetime import datetime, timedelta

import pytest

from btcbot.exchange.errors import NoAnswer
from btcbot.exchange.venue_clock import VenueClock
from tests.unit.exchange.builders import ManualClock


class Answering:
    """A time source whose answers are planted: an offset, the seconds it takes, or no answer."""

    def __init__(self, clock: ManualClock, *answers: tuple[float, float] | None) -> None:
        self.clock = clock
        self.answers = list(answers)

    async def admit_time(self) -> None:
        self.clock.elapsed += 7.0  # a wait for the budget, which must not be taken for a slow answer

    async def server_time(self) -> datetime:
        answer = self.answers.pop(0)
        if answer is None:
            raise NoAnswer("planted")
        offset, takes = answer
        theirs = self.clock.now() + timedelta(seconds=offset + takes / 2)
        self.clock.elapsed += takes
        return theirs


def clock_of(*answers: tuple[float, float] | None) -> tuple[VenueClock, ManualClock]:
    clock = ManualClock()
    return VenueClock(Answering(clock, *answers), clock), clock


@pytest.mark.parametrize("lie", [86_400.0, -86_400.0, 5.0])
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_wrong_answer_moves_nothing(lie: float, place: int) -> None:
    answers = [(0.5, 0.1), (0.5, 0.1), (0.5, 0.1)]
    answers[place] = (lie, 0.1)
    venue_clock, clock = clock_of(*answers)
    measured = await venue_clock.measure()
    assert measured.offset == timedelta(seconds=0.5)
    assert venue_clock.now() - clock.now() == timedelta(seconds=0.5)


async def test_the_time_that_an_answer_takes_is_not_taken_for_an_offset() -> None:
    venue_clock, _ = clock_of(*[(0.0, 4.0)] * 3)
    measured = await venue_clock.measure()
    assert measured.offset == timedelta()
    assert measured.round_trip == timedelta(seconds=4)


async def test_a_lost_sample_is_made_up_for() -> None:
    venue_clock, _ = clock_of(None, (0.2, 0.1), (0.2, 0.1), (0.2, 0.1))
    assert (await venue_clock.measure()).offset == timedelta(seconds=0.2)


async def test_one_sample_is_enough_when_the_others_are_lost() -> None:
    venue_clock, _ = clock_of((0.2, 0.1), None, None)
    assert (await venue_clock.measure()).offset == timedelta(seconds=0.2)


async def test_without_any_sample_there_is_no_offset() -> None:
    venue_clock, clock = clock_of(None, None, None)
    with pytest.raises(NoAnswer):
        await venue_clock.measure()
    assert venue_clock.last is None
    assert venue_clock.now() == clock.now()


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86_400.0])
async def test_a_step_of_our_clock_shows_as_an_offset_at_once_and_moves_no_stamp(step: float) -> None:
    """Reliability I7: between two measurements too; and a stamp is the exchange's time, not ours."""
    venue_clock, clock = clock_of(*[(0.2, 0.1)] * 3)
    await venue_clock.measure()
    clock.elapsed += 10
    before = venue_clock.now_ms()
    clock.stepped += timedelta(seconds=step)
    assert venue_clock.now_ms() == before
    assert venue_clock.last is not None
    assert venue_clock.last.offset == timedelta(seconds=0.2 - step)
    clock.elapsed += 5
    assert venue_clock.now_ms() == before + 5000


async def test_an_old_offset_outlives_a_failed_measurement() -> None:
    venue_clock, clock = clock_of(*[(0.2, 0.1)] * 3, None, None, None)
    await venue_clock.ensure_fresh()
    clock.elapsed += 400
    await venue_clock.ensure_fresh()
    assert venue_clock.now() - clock.now() == timedelta(seconds=0.2)
