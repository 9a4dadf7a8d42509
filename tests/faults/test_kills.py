"""Killed at every commit of an order's path, and while it waits for the exchange: nothing is lost, nothing doubled.

The simulated exchange's own truth is the judge, after every cycle and at the end (`tests/simulation/invariants.py`).
"""

import random
from pathlib import Path

import pytest

from tests.faults.killing import At, cut
from tests.simulation.exchange import Weather

SEED = 6  # buys, sells, partial fills and cancels within the first minute
STEP = {At.BEFORE_COMMIT: 6, At.AFTER_COMMIT: 1, At.WAITING: 13}  # every point is tried by `make fault-test`
STORM = Weather(
    lost_request=15, lost_answer=15, late_acceptance=10, turned_down=10, no_byte=5, cancel_lost=30, read_failed=2,
    late_by=15.0,
)  # fmt: skip


def points(directory: Path, at: At, step: int) -> range:
    """Every so many of the commits or waits of the first life, when nobody kills it."""
    whole = cut(directory / "whole", SEED, at, None)
    sent = [label for label in whole.network.wire if label.split("-")[2] == "1"]
    assert len(sent) >= 3, "the path of several orders"
    assert whole.states >= {"sending", "open", "partial", "cancel_intent", "canceling", "closing", "filled", "canceled"}
    assert whole.points > 20
    return range(1, whole.points + 1, step)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("at", At)
def test_killed_anywhere_it_loses_and_doubles_nothing(directory: Path, at: At) -> None:
    for point in points(directory, at, STEP[at]):
        cut(directory / str(point), SEED, at, point)


@pytest.mark.timeout(180)
def test_killed_again_during_each_recovery_it_loses_and_doubles_nothing(directory: Path) -> None:
    """The start itself is cut: what it had taken over is taken over again."""
    for point in range(2, 14, 6):
        cut(directory / str(point), SEED, At.WAITING, point, deaths=4)
        cut(directory / f"{point}, stormy", SEED, At.AFTER_COMMIT, point, STORM, deaths=3)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("at", At)
def test_killed_at_every_point_it_loses_and_doubles_nothing(directory: Path, at: At) -> None:
    for point in points(directory, at, 1):
        cut(directory / str(point), SEED, at, point)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_again_and_again_in_a_storm_it_loses_and_doubles_nothing(directory: Path, seed: int) -> None:
    chance = random.Random(seed)
    for at in At:
        for number in range(20):
            cut(
                directory / f"{at.name}{number}",
                seed,
                at,
                chance.randrange(1, 40),
                STORM,
                deaths=chance.randrange(1, 5),
            )
