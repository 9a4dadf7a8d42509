"""What holds for every test: no warning filters leak to children, no settings leak in, and no skip goes unexplained."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The default run looks at half as many examples as the library would; those who want more say so. How long one example
# takes says something of the machine and of what else runs on it: a test that hangs has its timeout.
settings.register_profile(
    "default run", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip
settings.load_profile("default run")

SKIPS = Path(__file__).with_name("skips.txt")
OURS = ("BTCBOT_", "BTCTURK_")
UNPREFIXED = ("APP_ROLE", "STATE_DB_PATH", "LIVE_TRADING", "LIVE_TRADING_ACK", "SAFE_MODE", "KILL_SWITCH")


def pytest_configure(config: pytest.Config) -> None:
    # supervisord's control interface breaks when warnings are errors, and a worker must not obey a developer's shell.
    for name in tuple(os.environ):
        if name == "PYTHONWARNINGS" or name in UNPREFIXED or name.startswith(OURS):
            del os.environ[name]
    # Otherwise the virtual-time plugin opens a loop around the first test that needs none, and nobody closes it.
    asyncio.set_event_loop(None)
    config.pluginmanager.register(ReasonedSkips(_allowed_skips()), "reasoned-skips")


@pytest.fixture(autouse=True)
def _usual_mask() -> Iterator[None]:
    """A worker sets its file mode mask for good; a test that started one in process leaves nothing of it behind."""
    before = os.umask(0o022)
    yield
    os.umask(before)


class ReasonedSkips:
    """Fails the run on a test that was skipped, or expected to fail, and is not on the list in tests/skips.txt."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        self.unexplained: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not report.nodeid.startswith(self.allowed):
            self.unexplained[report.nodeid] = report.longreprtext

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.unexplained and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.unexplained:
            terminalreporter.section(f"skipped, and not on the list in {SKIPS.name}", red=True)
            for nodeid, why in sorted(self.unexplained.items()):
                terminalreporter.line(f"{nodeid}: {why}")


def _allowed_skips() -> tuple[str, ...]:
    """The start of each test id that may be skipped. A line without a reason is an error."""
    return tuple(_parsed(SKIPS.read_text(encoding="utf-8")))


def _parsed(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            nodeid, separator, reason = line.partition(" | ")
            if not separator or not reason.strip():
                raise pytest.UsageError(f"{SKIPS}: {line!r} gives no reason (TEST | REASON)")
            yield nodeid.strip()
