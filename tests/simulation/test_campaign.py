"""Seeded faults, kills, halts and restarts in virtual time: no order lost, none doubled, no coin unaccounted for."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from btcbot.domain.orders.states import OrderState
from tests.simulation.worker import Lives, lived

SEEDS = range(10)
SHARE = 10  # seeds to a test, so that tests can run side by side
SECONDS = 420.0
FAULTS = {"lost_request", "lost_answer", "late_acceptance", "turned_down", "no_byte", "cancel_lost", "read_failed"}
OURS = {"the operator saw something", "the end of the story"}


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has such a place: a simulated kill needs no disk, and fsync is most of the time."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(prefix="btcbot-", dir=memory))
    yield path
    shutil.rmtree(path)


def told(directory: Path, seed: int, seconds: float) -> Lives:
    """The same story twice: watched, then only for its hash."""
    lives = lived(directory / "first", seed, seconds)
    again = lived(directory / "again", seed, seconds, is_watched=False)
    assert lives.chronicle.hash.hexdigest() == again.chronicle.hash.hexdigest(), "one seed, one story"
    assert {reason.removeprefix("halt file: ") for reason in lives.chronicle.halts} <= OURS, (
        "there was nothing to halt for"
    )
    return lives


def reached(lives: list[Lives]) -> tuple[set[str], set[str], set[str]]:
    """Which faults struck, which ends there were, and which states orders were seen in."""
    faults = {fault for each in lives for fault in each.network.reached}
    return faults, {end for each in lives for end in each.ends}, {state for each in lives for state in each.states}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("first", SEEDS[::SHARE])
def test_the_invariants_hold_whatever_goes_wrong(directory: Path, first: int) -> None:
    """A campaign that reached nothing proves nothing: every fault, every end and every state must have come up."""
    lives = [told(directory / str(seed), seed, SECONDS) for seed in range(first, first + SHARE)]
    faults, ends, states = reached(lives)
    assert faults == FAULTS
    assert ends == {"kill", "kill in submit", "stop", "halt"}
    assert states == set(OrderState) - {OrderState.ORPHAN, OrderState.INTENT}
    assert sum(len(each.network.wire) for each in lives) > 10 * len(lives)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(1_000, 1_200))
def test_the_invariants_hold_for_hours(directory: Path, seed: int) -> None:
    told(directory / "lives", seed, 6 * 3600.0)
