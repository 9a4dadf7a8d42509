"""Alerts that act (reliability I5): what of the monitor's failures trips the halt file, and what acts on the others.

The monitor trips and never lifts. A cause has to last, so that one late wake-up of a busy machine is no halt; while it
lasts after a person's resume, it trips again.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from btcbot.domain.errors import UnsafeState
from btcbot.domain.events import Event
from btcbot.domain.health import Check, HealthReport, Reason, Status
from btcbot.domain.ports import Clock, Observer
from btcbot.services.halting import write_halt_file

LASTING_SECONDS = 10.0

# A live that cannot be trusted to notice, or that nobody watches any more.
TRIPS: Mapping[Reason, str] = MappingProxyType({
    Reason.CONFIGURATION_REFUSED: "the monitor runs under settings that are not a monitor's",
    Reason.DATABASE_UNUSABLE: "what the monitor sees is not kept",
    Reason.KEY_REFUSED: "the monitor cannot see the account",
    Reason.HEARTBEAT_OLD: "live hangs: it holds its connection and says nothing",
    Reason.CYCLES_STALLED: "live's loop hangs while the process lives",
    Reason.FEED_BACKLOG: "live's records and the monitor's copy go apart",
})  # fmt: skip
# Nothing is submitted while these last, and live goes on by itself afterwards; or a halt is latched already.
OTHERS_ACT: Mapping[Reason, str] = MappingProxyType({
    Reason.EXCHANGE_UNREACHABLE: "live submits nothing without an answer, and reconciles before it goes on",
    Reason.CLOCK_OFFSET_EXCEEDED: "live measures for itself, and signs nothing beyond the limit",
    Reason.MARKET_DATA_STALE: "the gate refuses old data, and resting orders are called back",
    Reason.FEED_SILENT: "no live process runs here; its next start reconciles before it sends",
    Reason.LIVE_CANNOT_BEGIN: "live submits nothing before its first reconciliation, and calls back what rests",
    Reason.LIVE_HALTED: "the halt is latched",
    Reason.EXIT_REFUSED: "live tries again with growing pauses; a halt would end that",
})  # fmt: skip


class Tripping:
    """Judges each report; `is_connected` tells a live that hangs from one that is gone."""

    def __init__(
        self, run_dir: Path, lasting_seconds: float, is_connected: Callable[[], bool], clock: Clock, observer: Observer
    ) -> None:
        self._run_dir = run_dir
        self._lasting_seconds = lasting_seconds
        self._is_connected = is_connected
        self._clock = clock
        self._observer = observer
        self._since: dict[Reason, float] = {}
        self._told: set[Reason] = set()

    def judge(self, report: HealthReport) -> None:
        moment = self._clock.monotonic()
        causes = {check.reason: check for check in report.checks if self._is_cause(check)}
        self._since = {reason: self._since.get(reason, moment) for reason in causes}
        self._told &= causes.keys()
        for reason, check in causes.items():
            if moment - self._since[reason] >= self._lasting_seconds:
                self._trip(check)

    def _is_cause(self, check: Check) -> bool:
        if check.status is not Status.FAIL or check.reason not in TRIPS:
            return False
        return check.reason is not Reason.HEARTBEAT_OLD or self._is_connected()

    def _trip(self, check: Check) -> None:
        reason = f"the monitor: {TRIPS[check.reason]} ({check.name}: {check.detail})"
        try:
            path = write_halt_file(self._run_dir, reason)
        except UnsafeState as error:
            self._tell(check, f"{reason}; {error}")  # tried again with the next report
            return
        self._tell(check, f"{reason}; {path}")

    def _tell(self, check: Check, what: str) -> None:
        if check.reason not in self._told:
            self._told.add(check.reason)
            self._observer.observed(Event.HALT_TRIPPED, cause=str(check.reason), detail=what)
