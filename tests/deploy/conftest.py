"""What the tests of deploy/ share: its modules, and checkouts with a stand-in for btcbot."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.deploy.stand_in import DEPLOY, StandInCheckout, make_stand_in_checkout

sys.path.insert(0, str(DEPLOY))


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A short directory: the path of a unix socket has 107 bytes at most."""
    directory = Path(tempfile.mkdtemp(dir="/tmp", prefix="bb"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def make_checkout(short_tmp: Path) -> Iterator[Callable[[Path], StandInCheckout]]:
    """Makes checkouts at given paths; what they started is stopped at the end."""
    made: list[StandInCheckout] = []

    def make(root: Path) -> StandInCheckout:
        made.append(make_stand_in_checkout(root))
        return made[-1]

    yield make
    for one in made:
        one.remove()


@pytest.fixture(scope="module")
def running() -> Iterator[StandInCheckout]:
    """A running one, in a path with a blank, for tests that leave all programs running."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="bb") as directory:
        made = make_stand_in_checkout(Path(directory) / "a b")
        try:
            started = made.start("--seed", "5")
            assert started.returncode == 0, started.stderr
            yield made
        finally:
            made.remove()


@pytest.fixture
def checkout(make_checkout: Callable[[Path], StandInCheckout], short_tmp: Path) -> StandInCheckout:
    return make_checkout(short_tmp / "c")
