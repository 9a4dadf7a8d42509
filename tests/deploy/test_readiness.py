"""Waiting for a healthy pair of workers."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from checkout import readiness
from checkout.supervision import Program
from checkout.terminal import Problem


class FakeTime:
    """Moves when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def running(state: str = "RUNNING") -> SimpleNamespace:
    """A checkout of which only the programs' states are asked."""
    programs = [Program("btcbot-live", state, 1, 0, "")]
    return SimpleNamespace(
        supervisor=SimpleNamespace(programs=lambda: programs), log=lambda name: Path(f"/nowhere/{name}.log")
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When health was asked; the fourth answer is OK."""
    time, moments = FakeTime(), []

    def health(_checkout: object) -> tuple[int, str]:
        time.sleep(0.5)
        moments.append(time.seconds)
        return (2, "FAIL") if len(moments) < 4 else (0, "OK")

    monkeypatch.setattr(readiness, "time", time)
    monkeypatch.setattr(readiness, "health", health)
    return moments


def test_health_is_asked_with_two_seconds_between_calls(asked: list[float]) -> None:
    readiness.wait_until_healthy(running(), {}, deadline=200.0)
    assert len(asked) == 4
    assert all(later - earlier - 0.5 >= 2.0 for earlier, later in pairwise(asked))


def test_a_program_that_gave_up_ends_the_waiting_at_once(asked: list[float]) -> None:
    with pytest.raises(Problem, match="btcbot-live is fatal"):
        readiness.wait_until_healthy(running("FATAL"), {}, deadline=200.0)
    assert len(asked) == 1


def test_the_waiting_ends_with_the_last_answer(asked: list[float]) -> None:
    with pytest.raises(Problem, match="says:\nFAIL\n"):
        readiness.wait_until_healthy(running(), {}, deadline=103.0)
    assert len(asked) == 2
