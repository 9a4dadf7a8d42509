"""What the simulated worker decided under faults, kills and restarts comes out again from its database, bit for bit."""

from pathlib import Path

import pytest

from btcbot.services.replay import replay
from tests.simulation.test_campaign import directory  # noqa: F401 - the fixture: in memory where there is such a place
from tests.simulation.worker import Lives, lived


def decided_again(lives: Lives) -> int:
    """How many decisions; each of them equal."""
    report = replay(lives.profile.common.state_db_path)
    assert report.different == ()
    assert report.untold == ()
    return report.equal


@pytest.mark.parametrize("seed", [2, 7])
def test_every_decision_comes_out_as_it_was_stored(directory: Path, seed: int) -> None:  # noqa: F811 - the fixture
    lives = lived(directory / "lives", seed, 600.0, is_watched=False)
    assert len(lives.ends) > 1, "one life is no restart"
    assert decided_again(lives) > 40


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2_000, 2_020))
def test_hours_of_decisions_come_out_as_they_were_stored(directory: Path, seed: int) -> None:  # noqa: F811 - as above
    assert decided_again(lived(directory / "lives", seed, 6 * 3600.0, is_watched=False)) > 500
