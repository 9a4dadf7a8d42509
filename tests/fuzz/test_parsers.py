"""Whatever comes from outside ends in a typed error or in something usable, and in nothing else."""

import importlib.util
import platform
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btcbot.domain.money import use_money_context
from tests.fuzz.mutations import mutated
from tests.fuzz.target import REGRESSIONS, Target
from tests.fuzz.targets import TARGETS

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLES = 50  # of a target that costs 1
RUNS = 250
CAN_BE_GUIDED = importlib.util.find_spec("atheris") is not None


@pytest.fixture(autouse=True)
def _money() -> None:
    use_money_context()


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_good_input_and_old_findings_are_read(target: Target) -> None:
    for seed in target.seeds():
        target.read(seed)
    target.read(b"")


@pytest.mark.parametrize("name", TARGETS)
def test_spoiled_input_ends_in_a_typed_error(name: str) -> None:
    target = TARGETS[name]

    @settings(max_examples=max(EXAMPLES // target.cost, 1), deadline=None, database=None)
    @given(st.sampled_from(target.seeds()), st.integers(0, 2**32 - 1), st.binary(max_size=8))
    def spoiled(seed: bytes, chance: int, tail: bytes) -> None:
        target.read(mutated(seed, random.Random(chance)) + tail)

    spoiled()


def test_every_old_finding_belongs_to_a_target() -> None:
    assert {folder.name for folder in REGRESSIONS.iterdir() if folder.is_dir()} <= set(TARGETS)


def test_guided_fuzzing_is_there_where_it_exists() -> None:
    """The library is built for one platform; elsewhere the properties above are all there is."""
    is_built_for_us = platform.machine() == "x86_64" and sys.platform == "linux" and sys.version_info < (3, 14)
    assert is_built_for_us == CAN_BE_GUIDED


if CAN_BE_GUIDED:

    @pytest.mark.timeout(180)
    def test_a_short_guided_search_finds_nothing(tmp_path: Path) -> None:
        """The same runs each time; `make fuzz` is the long search."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.harness", "--runs", str(RUNS), "--keep", str(tmp_path)],
            cwd=CHECKOUT, capture_output=True, text=True, timeout=170,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4_000:]
