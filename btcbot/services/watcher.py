"""The watch itself: a copy of what live tells, an own look at the exchange, and a report of both each cycle.

A report is stored when a check changed, and once a minute otherwise: what happened stays on record, which grows with
time and not with the number of cycles.
"""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import aclosing
from datetime import timedelta
from typing import Protocol

from btcbot.domain.control import ControlAnswer, ControlRequest
from btcbot.domain.errors import BtcbotError
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind, FeedMessage, MalformedFeedLine
from btcbot.domain.health import Check, HealthReport, Reason, Status
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import MonitorProfile, Role
from btcbot.observability.control import ControlServer
from btcbot.observability.feed import read_feed
from btcbot.observability.metrics import Metric, Metrics
from btcbot.observability.unix_sockets import NobodyListens
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS
from btcbot.services.health import (
    GRACE_SECONDS,
    READING_SECONDS,
    DatabaseReading,
    HealthService,
    PrivateView,
    PublicView,
    finite,
    what_happened,
)
from btcbot.services.live_watch import LiveWatch
from btcbot.services.monitor_view import MonitorView, ServePage
from btcbot.services.run_dir import FEED_SOCKET, HEALTH_SOCKET
from btcbot.services.running import run_beside
from btcbot.services.runtime import Runtime
from btcbot.services.tripping import LASTING_SECONDS, Tripping

REPORT_VERB = "report"
STORE_EVERY = timedelta(minutes=1)
COPY_BATCH = 100
RECONNECT_SECONDS = 1.0
RECONNECT_SECONDS_MAX = 10.0
START_RETRY_SECONDS = 2.0


class Market(PublicView, Protocol):
    """The market as the watcher keeps it current."""

    async def start(self) -> None: ...

    async def run(self) -> None: ...


class Parts(Protocol):
    """What the watcher works with; `monitor_wiring` builds it."""

    @property
    def market(self) -> Market: ...

    @property
    def reader(self) -> PrivateView: ...


class Store(Protocol):
    """What the watcher keeps in its database."""

    def add_report(self, report: HealthReport) -> None: ...

    def add_feed(self, messages: tuple[FeedMessage, ...]) -> None: ...

    def last_feed_number(self) -> int: ...

    def require_fence(self) -> None: ...

    def checkpoint(self) -> None: ...


class Watcher:
    """Follows live and the exchange, and reports each cycle, until it is told to stop."""

    def __init__(
        self,
        profile: MonitorProfile,
        runtime: Runtime,
        observer: Observer,
        build: str,
        store: Store,
        parts: Parts,
        metrics: Metrics,
    ) -> None:
        self._profile = profile
        self._runtime = runtime
        self._observer = observer
        self._build = build
        self._store = store
        self._parts = parts
        self._metrics = metrics
        self._stopping = asyncio.Event()
        self._live = LiveWatch(runtime.clock.monotonic())
        self._copied = store.last_feed_number()
        self._health = HealthService(
            profile, build, parts.market, parts.reader, _own_database,
            lambda: self._live.reading(runtime.clock.monotonic(), self._copied), runtime.clock,
            GRACE_SECONDS,
        )  # fmt: skip
        self._is_connected = False
        self._tripping = Tripping(
            profile.common.run_dir, LASTING_SECONDS * float(profile.common.clock.rate),
            lambda: self._is_connected, runtime.clock, observer,
        )  # fmt: skip
        self._report = _starting_report(runtime)
        self._reported_at = runtime.clock.monotonic()
        self._stored_at: float | None = None

    def stop(self) -> None:
        self._stopping.set()

    async def run(self, serve_page: ServePage | None = None) -> None:
        """Returns after `stop`; raises when a part of the watch cannot go on."""
        socket = ControlServer(self._profile.common.run_dir / HEALTH_SOCKET, self._answer, self._observer)
        helpers: list[Coroutine[None, None, None]] = [
            self._follow_live(), self._follow_market(), self._report_each_cycle(), socket.run(),
        ]  # fmt: skip
        if serve_page is not None and self._profile.dashboard_port is not None:
            helpers.append(serve_page(self._profile.dashboard_port, self.view))
        await run_beside(self._until_stopped(), tuple(helpers))

    def view(self) -> MonitorView:
        heartbeat = self._live.heartbeat
        return MonitorView(
            build=self._build,
            report=self._current_report(),
            heartbeat_at=None if heartbeat is None else heartbeat.at,
            figures={} if heartbeat is None else heartbeat.body,
            feed_number=self._copied,
        )

    async def _until_stopped(self) -> None:
        await self._stopping.wait()

    async def _answer(self, request: ControlRequest) -> ControlAnswer:
        if request.verb != REPORT_VERB:
            return ControlAnswer(request.id, False, f"there is no verb {request.verb[:40]!r}", f"use {REPORT_VERB}")
        return ControlAnswer(request.id, True, json.dumps(self._current_report().document()), "")

    # ---------------------------------------------------------------------------------------------- live

    async def _follow_live(self) -> None:
        """Copy the feed, and join it again whenever it is lost, from the last number that we keep."""
        wait = RECONNECT_SECONDS
        told = ""
        while True:
            try:
                try:
                    was_heard = await self._copy_feed()
                finally:
                    self._is_connected = False
                reason = "live closed it"
            except (NobodyListens, MalformedFeedLine) as error:
                was_heard, reason = False, what_happened(error)
            if was_heard:
                wait, told = RECONNECT_SECONDS, ""
            if reason != told:
                told = reason
                self._observer.observed(Event.FEED_LOST, reason=reason, last_number=self._copied)
            await self._runtime.sleeper.sleep(wait)
            wait = min(wait * 2, RECONNECT_SECONDS_MAX)

    async def _copy_feed(self) -> bool:
        """One connection, to its end: whether anything was heard. What is not kept yet will be sent again."""
        pending: list[FeedMessage] = []
        was_heard = False
        path = self._profile.common.run_dir / FEED_SOCKET
        async with aclosing(read_feed(path, self._copied, self._observer)) as messages:
            async for message in messages:
                was_heard = self._is_connected = True
                if message.kind is FeedKind.HEARTBEAT:
                    self._keep(pending)
                    self._live.took(message, self._runtime.clock.monotonic())
                elif message.number > self._copied:
                    pending.append(message)
                    if len(pending) >= COPY_BATCH:
                        self._keep(pending)
        self._keep(pending)
        return was_heard

    def _keep(self, pending: list[FeedMessage]) -> None:
        """One commit for what came since the last heartbeat, or for a full batch."""
        if pending:
            self._store.add_feed(tuple(pending))
            self._copied = pending[-1].number
            pending.clear()

    # -------------------------------------------------------------------------------------------- market

    async def _follow_market(self) -> None:
        """Our own view of the market. A start that fails is tried again: being without one is a check that fails."""
        told = ""
        while True:
            try:
                await self._parts.market.start()
                break
            except BtcbotError as error:
                if str(error) != told:
                    told = str(error)
                    self._observer.observed(Event.EXCHANGE_UNREACHABLE, detail=told, waits_seconds=START_RETRY_SECONDS)
            await self._runtime.sleeper.sleep(START_RETRY_SECONDS)
        self._observer.observed(Event.EXCHANGE_REACHED)
        await self._parts.market.run()

    # ------------------------------------------------------------------------------------------- reports

    async def _report_each_cycle(self) -> None:
        period = float(self._profile.common.cycle_seconds)
        clock = self._runtime.clock
        while True:
            began = clock.monotonic()
            self._store.require_fence()
            report = await self._health.check()
            self._tripping.judge(report)
            self._take(report)
            self._store.checkpoint()
            await self._runtime.sleeper.sleep(max(period - (clock.monotonic() - began), 0))

    def _take(self, report: HealthReport) -> None:
        moment = self._runtime.clock.monotonic()
        changes = _changes(self._report, report)
        self._report, self._reported_at = report, moment
        self._observer.observed(Event.HEALTH_CHECKED, status=report.status.name)
        if changes:
            self._observer.observed(Event.HEALTH_CHANGED, status=report.status.name, changes=changes)
        if changes or self._stored_at is None or moment - self._stored_at >= STORE_EVERY.total_seconds():
            self._store.add_report(report)
            self._stored_at = moment
        self._measure(report)

    def _current_report(self) -> HealthReport:
        """The latest report, unless the rounds themselves have stopped."""
        age = self._runtime.clock.monotonic() - self._reported_at
        age_max = 3 * (float(self._profile.common.cycle_seconds) + READING_SECONDS)
        if age <= age_max:
            return self._report
        check = Check(
            "monitor", Status.UNKNOWN, Reason.NOT_CHECKED, f"the last round of checks ended {age:.0f} s ago",
            "the monitor hangs: read its log, then restart btcbot-monitor",
        )  # fmt: skip
        return HealthReport(self._runtime.clock.now(), (check, *self._report.checks))

    def _measure(self, report: HealthReport) -> None:
        metrics = self._metrics
        metrics.set(Metric.HEALTH_CHECKED, report.checked_at.timestamp())
        for check in report.checks:
            metrics.set(Metric.HEALTH_STATUS, int(check.status), check=check.name)
        heartbeat = self._live.heartbeat
        if heartbeat is None:
            return
        figures = heartbeat.body
        metrics.set(Metric.LIVE_HEARTBEAT, heartbeat.at.timestamp())
        metrics.set(Metric.FEED_BACKLOG, heartbeat.number - self._copied)
        metrics.set(Metric.LIVE_HALTED, figures.get("halt_reason") is not None)
        metrics.set(Metric.LIVE_PAUSED, figures.get("paused") is True)
        metrics.set(Metric.LIVE_ARMED, figures.get("armed") is True)
        for metric, name in (
            (Metric.LIVE_ORDERS_UNRESOLVED, "unresolved"),
            (Metric.LIVE_EQUITY, "equity"),
            (Metric.LIVE_DAY_PNL, "day_pnl"),
        ):
            value = finite(figures.get(name))
            if value is not None:
                metrics.set(metric, value)


def _own_database() -> DatabaseReading:
    """The watcher's own, judged and migrated when it was opened; losing it ends the watch."""
    number = SCHEMAS[Role.MONITOR].number
    return DatabaseReading(number, number)


def _starting_report(runtime: Runtime) -> HealthReport:
    check = Check("monitor", Status.WARN, Reason.STARTING_UP, "the first round of checks is under way", "ask again")
    return HealthReport(runtime.clock.now(), (check,))


def _changes(before: HealthReport, after: HealthReport) -> list[str]:
    """Every check that stands otherwise than in the report before, as `name: STATUS reason`."""
    known = {(check.name, check.status, check.reason) for check in before.checks}
    return [
        f"{check.name}: {check.status.name} {check.reason}, {check.detail}"
        for check in after.checks
        if (check.name, check.status, check.reason) not in known
    ]
