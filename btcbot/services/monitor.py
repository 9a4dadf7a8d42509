"""The monitor from lock to exit, its one-shot form, and its start-up checks without starting.

The order of refusals is live's: settings came first, then the lock (73), then ownership (77). A refused start leaves
the database and its WAL as they were.
"""

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path

from btcbot.domain.control import ControlRequest
from btcbot.domain.errors import BtcbotError, ExitCode
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind
from btcbot.domain.health import Check, HealthReport, Reason, Status, read_report
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import MonitorProfile, Role
from btcbot.observability.control import ask
from btcbot.observability.feed import read_feed
from btcbot.observability.metrics import CountingObserver, Metrics, serve_metrics
from btcbot.persistence.sqlite.lock import DatabaseLock, is_locked, read_holder
from btcbot.persistence.sqlite.migrations.runner import SCHEMAS
from btcbot.persistence.sqlite.monitor_store import MonitorStore
from btcbot.persistence.sqlite.ownership import judge_ownership
from btcbot.services.backup import BackupService
from btcbot.services.health import READING_SECONDS, DatabaseReading, HealthService, what_happened
from btcbot.services.identity import identity_of, writer_of
from btcbot.services.key_lock import require_key_of, signing_alone
from btcbot.services.live_watch import LiveWatch
from btcbot.services.monitor_view import ServePage
from btcbot.services.monitor_wiring import MonitorParts, build_monitor
from btcbot.services.run_dir import FEED_SOCKET, HEALTH_SOCKET
from btcbot.services.running import run_beside
from btcbot.services.runtime import Runtime
from btcbot.services.watcher import REPORT_VERB, Watcher

ANSWER_SECONDS = 10.0
ASKS_MAX = 3  # the watcher takes its lock a moment before it opens its socket
FIRST_HEARTBEAT_SECONDS = 3.0
NOT_FOR_MESSAGES = 2**53  # a resume number above every message: heartbeats only


async def watch(
    profile: MonitorProfile,
    runtime: Runtime,
    observer: Observer,
    build: str,
    serve_page: ServePage | None = None,
) -> ExitCode:
    """Watch until SIGTERM. Raises what a person must settle, with the exit code of its kind."""
    metrics = Metrics(Role.MONITOR, build)
    counting = CountingObserver(observer, metrics)
    with opened_store(profile, runtime, counting, build) as store:
        if profile.common.metrics_port is not None:
            serve_metrics(metrics, profile.common.metrics_port)
        parts = build_monitor(profile, runtime, counting)
        watcher = Watcher(profile, runtime, counting, build, store, parts, metrics)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _stop, watcher, number, counting)
        loop.add_signal_handler(signal.SIGHUP, lambda: None)  # a closed terminal is no reason to stop watching
        try:
            await run_beside(watcher.run(serve_page), _backups(profile, runtime, counting, store))
        finally:
            await parts.aclose()
    observer.observed(Event.PROCESS_STOPPED, exit_code=int(ExitCode.OK))
    return ExitCode.OK


async def health_once(profile: MonitorProfile, runtime: Runtime, observer: Observer, build: str) -> HealthReport:
    """The watcher's report when one holds the lock; else the same checks, taken here and now. Writes nothing."""
    common = profile.common
    if is_locked(common.state_db_path):
        return await _asked_of_watcher(profile, runtime)
    require_key_of(common.run_dir, common.credentials.key, Role.MONITOR)
    parts = build_monitor(profile, runtime, observer)
    live = LiveWatch(runtime.clock.monotonic())
    service = HealthService(
        profile, build, parts.market, parts.reader, lambda: _database_at_rest(common.state_db_path),
        lambda: live.reading(runtime.clock.monotonic(), copied=None), runtime.clock,
        grace_seconds=0.0,
    )  # fmt: skip
    try:
        await asyncio.gather(_first_books(parts), _first_heartbeat(common.run_dir, live, runtime, observer))
        return await service.check()
    finally:
        await parts.aclose()


async def check_monitor(profile: MonitorProfile, runtime: Runtime, observer: Observer, build: str) -> tuple[str, ...]:
    """Every start-up check of the role, writing nothing but an empty lock file: what passed, a line each."""
    common = profile.common
    passed = ["settings: complete, and the monitor's"]
    lock = DatabaseLock.take(common.state_db_path, identity_of(common, runtime, build))
    try:
        passed.append("lock: free")
        ownership = judge_ownership(common.state_db_path, Role.MONITOR)
        if ownership is None:
            passed.append("database: does not exist yet")
        else:
            ownership.require_fits(writer_of(common, runtime, build), common.state_db_path)
            passed.append("database: the monitor's own, sound")
    finally:
        lock.release()
    require_key_of(common.run_dir, common.credentials.key, Role.MONITOR)
    parts = build_monitor(profile, runtime, observer)
    try:
        await parts.market.start()
        passed.append(f"exchange: {common.endpoints.api_url} lists {', '.join(sorted(parts.market.instruments))}")
        offset = await parts.market.measure_offset()
        passed.append(f"clock: {offset.offset.total_seconds():+.3f} s off the exchange's")
        balances = await parts.reader.balances()
        passed.append(f"key: accepted, {sum(balance.total > 0 for balance in balances)} assets held")
    finally:
        await parts.aclose()
    return tuple(passed)


@contextmanager
def opened_store(profile: MonitorProfile, runtime: Runtime, observer: Observer, build: str) -> Iterator[MonitorStore]:
    """Lock, ownership, database, in this order; closed and released in the reverse one."""
    common = profile.common
    path = common.state_db_path
    lock = DatabaseLock.take(path, identity_of(common, runtime, build))
    try:
        observer.observed(Event.LOCK_TAKEN, path=str(path))
        writer = writer_of(common, runtime, build)
        with signing_alone(common.run_dir, common.credentials.key, Role.MONITOR):
            store = MonitorStore.open(path, lock, writer, runtime.clock, runtime.ids, observer)
            try:
                yield store
            finally:
                store.close()
    finally:
        lock.release()


async def _asked_of_watcher(profile: MonitorProfile, runtime: Runtime) -> HealthReport:
    """What the process that holds the lock says of itself; a holder that does not answer is a report as well."""
    common = profile.common
    said = ""
    for _ in range(ASKS_MAX):
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                request = ControlRequest(runtime.ids.new(), REPORT_VERB, {})
                return read_report((await ask(common.run_dir / HEALTH_SOCKET, request)).message)
        except TimeoutError:
            said = f"no answer within {ANSWER_SECONDS:g} s"
        except BtcbotError as error:
            said = what_happened(error)
        await runtime.sleeper.sleep(1.0)
    holder = read_holder(common.state_db_path) or "a process that has not named itself"
    check = Check(
        "monitor", Status.UNKNOWN, Reason.NOT_CHECKED, f"{holder} holds the lock and gives no report: {said}",
        "read the log of btcbot-monitor; if it hangs, restart it",
    )  # fmt: skip
    return HealthReport(runtime.clock.now(), (check,))


async def _first_books(parts: MonitorParts) -> None:
    """Enough of the market to be judged. What fails here shows in the checks."""
    with suppress(BtcbotError, TimeoutError):
        async with asyncio.timeout(READING_SECONDS):
            await parts.market.start()


async def _first_heartbeat(run_dir: Path, live: LiveWatch, runtime: Runtime, observer: Observer) -> None:
    """Live's heartbeat comes at once where there is one. What does not come shows in the checks."""
    with suppress(BtcbotError, TimeoutError):
        async with (
            asyncio.timeout(FIRST_HEARTBEAT_SECONDS),
            aclosing(read_feed(run_dir / FEED_SOCKET, NOT_FOR_MESSAGES, observer)) as messages,
        ):
            async for message in messages:
                if message.kind is FeedKind.HEARTBEAT:
                    live.took(message, runtime.clock.monotonic())
                    return


def _backups(
    profile: MonitorProfile, runtime: Runtime, observer: Observer, store: MonitorStore
) -> tuple[Coroutine[None, None, None], ...]:
    """Damage that a backup shows is logged, and the watch goes on: a monitor that ends watches nothing."""
    plan = profile.common.backups
    return () if plan is None else (BackupService(store, Role.MONITOR, plan, runtime, observer).run(),)


def _database_at_rest(path: Path) -> DatabaseReading | None:
    ownership = judge_ownership(path, Role.MONITOR)
    return None if ownership is None else DatabaseReading(ownership.schema, SCHEMAS[Role.MONITOR].number)


def _stop(watcher: Watcher, number: signal.Signals, observer: Observer) -> None:
    observer.observed(Event.SIGNAL_RECEIVED, signal=number.name)
    watcher.stop()
