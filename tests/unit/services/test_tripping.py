"""Which of the monitor's failures trip the halt file; every other one has somebody else who acts on it."""

import ast
import inspect
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.health import Check, HealthReport, Reason, Status
from btcbot.services import health
from btcbot.services.halting import HALT_FILE
from btcbot.services.tripping import LASTING_SECONDS, OTHERS_ACT, TRIPS, Tripping
from tests.unit.persistence.world import Witness

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Watch:
    """A monitor whose reports the test writes."""

    run_dir: Path
    moment: float = 0.0
    is_connected: bool = True
    witness: Witness = field(default_factory=Witness)

    def __post_init__(self) -> None:
        self.tripping = Tripping(self.run_dir, LASTING_SECONDS, lambda: self.is_connected, self, self.witness)

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return self.moment

    def reports(self, reason: Reason, status: Status = Status.FAIL, *, after: float = 0.0) -> None:
        self.moment += after
        self.tripping.judge(HealthReport(NOON, (Check("a check", status, reason, "the numbers", "what to do"),)))

    @property
    def file(self) -> str | None:
        path = self.run_dir / HALT_FILE
        return path.read_text() if path.exists() else None


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(tmp_path)


@pytest.mark.parametrize("reason", TRIPS)
def test_a_cause_that_lasts_trips_the_halt_file(watch: Watch, reason: Reason) -> None:
    watch.reports(reason)
    watch.reports(reason, after=LASTING_SECONDS - 1)
    assert watch.file is None, "one late look is no halt"
    watch.reports(reason, after=1)
    assert watch.file is not None
    assert f"the monitor: {TRIPS[reason]} (a check: the numbers)" in watch.file
    assert watch.witness.events().count(Event.HALT_TRIPPED) == 1
    watch.reports(reason, after=5)
    assert watch.witness.events().count(Event.HALT_TRIPPED) == 1, "told once"


@pytest.mark.parametrize("reason", OTHERS_ACT)
def test_what_others_act_on_trips_nothing(watch: Watch, reason: Reason) -> None:
    for _ in range(10):
        watch.reports(reason, after=60)
    assert watch.file is None


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.FAIL])
def test_only_a_failure_trips(watch: Watch, status: Status) -> None:
    for _ in range(10):
        watch.reports(Reason.CYCLES_STALLED, status, after=60)
    assert watch.file is None


def test_a_cause_that_went_away_in_between_begins_anew(watch: Watch) -> None:
    for _ in range(10):
        watch.reports(Reason.CYCLES_STALLED, after=LASTING_SECONDS - 1)
        watch.reports(Reason.FINE, Status.OK, after=1)
    assert watch.file is None


def test_a_live_that_is_gone_is_not_one_that_hangs(watch: Watch) -> None:
    watch.is_connected = False
    for _ in range(10):
        watch.reports(Reason.HEARTBEAT_OLD, after=60)
    assert watch.file is None
    watch.is_connected = True
    watch.reports(Reason.HEARTBEAT_OLD)
    watch.reports(Reason.HEARTBEAT_OLD, after=LASTING_SECONDS)
    assert watch.file is not None


def test_what_lasts_beyond_a_resume_trips_again(watch: Watch) -> None:
    watch.reports(Reason.FEED_BACKLOG)
    watch.reports(Reason.FEED_BACKLOG, after=LASTING_SECONDS)
    (watch.run_dir / HALT_FILE).unlink()  # as a person's resume does it
    watch.reports(Reason.FEED_BACKLOG, after=5)
    assert watch.file is not None


def test_a_reason_that_is_there_already_is_kept(watch: Watch) -> None:
    (watch.run_dir / HALT_FILE).write_text("a person\n")
    watch.reports(Reason.FEED_BACKLOG)
    watch.reports(Reason.FEED_BACKLOG, after=LASTING_SECONDS)
    assert watch.file == "a person\n"


def test_a_file_that_cannot_be_written_is_told_and_ends_nothing(watch: Watch) -> None:
    watch.run_dir = watch.run_dir / "missing"
    watch.__post_init__()
    watch.reports(Reason.FEED_BACKLOG)
    watch.reports(Reason.FEED_BACKLOG, after=LASTING_SECONDS)
    assert watch.witness.events() == [Event.HALT_TRIPPED]


def test_every_failure_that_health_knows_has_somebody_who_acts_on_it() -> None:
    """100 percent of the causes (reliability I5): each is in one of the two tables, and in one only."""
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(health))) if isinstance(node, ast.Call)]
    failing = {
        reason.attr
        for call in calls
        for status, reason in zip(call.args, call.args[1:], strict=False)
        if isinstance(reason, ast.Attribute) and isinstance(status, ast.Attribute) and status.attr == "FAIL"
    } | {"KEY_REFUSED", "EXCHANGE_UNREACHABLE", "FEED_BACKLOG"}  # chosen by an expression
    assert {reason.name for reason in (*TRIPS, *OTHERS_ACT)} >= failing
    assert not TRIPS.keys() & OTHERS_ACT.keys()
