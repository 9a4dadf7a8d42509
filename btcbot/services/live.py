"""The live worker from lock to exit, and its start-up checks without starting.

The order of refusals is fixed (design, section 10): settings came first, then the lock (73), then ownership (77). A
refused start leaves the database and its WAL as they were.
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from btcbot.domain.errors import ExchangeUnreachable, ExitCode, KeyRefused, ReadFailed
from btcbot.domain.events import Event
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import ChangedStart, LiveProfile, Role
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.wiring import ExecutionSet
from btcbot.observability.control import ControlServer
from btcbot.observability.feed import FeedServer
from btcbot.observability.metrics import CountingObserver, Metrics, serve_metrics
from btcbot.persistence.sqlite.archives import shelf_of
from btcbot.persistence.sqlite.live_store import LiveStore, ReservationLimits
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.persistence.sqlite.ownership import judge_ownership, verify_records
from btcbot.services.archiving import Archiver
from btcbot.services.assigning import Assigning
from btcbot.services.backup import BackupService
from btcbot.services.control import ControlDesk
from btcbot.services.decision import DecisionParams
from btcbot.services.event_log import EventLog
from btcbot.services.flattening import Flattening
from btcbot.services.identity import identity_of, writer_of
from btcbot.services.key_lock import require_key_of, signing_alone
from btcbot.services.live_feed import LiveFeed
from btcbot.services.live_wiring import LiveWiring, connect_exchange, decision_params, protecting_params
from btcbot.services.run_dir import CONTROL_SOCKET, FEED_SOCKET
from btcbot.services.run_loop import RunLoopService, require_one_currency
from btcbot.services.running import run_beside, tell_lost_errors
from btcbot.services.runtime import Runtime
from btcbot.services.strategy_loading import StrategyNotLoaded
from btcbot.services.watchdog import end_where_the_loop_hangs

KEY_SECONDS_MAX = 10.0


class KeyMayNotTrade(KeyRefused):
    """The key reads and may not trade, under settings that arm it."""

    next_step = (
        "give the key the permission to trade (Al-Sat) where the exchange made it, and this machine's address; or set "
        "SAFE_MODE=true to run without orders"
    )


async def run_live(profile: LiveProfile, runtime: Runtime, observer: Observer, build: str) -> ExitCode:
    """Trade until SIGTERM. Raises what a person must settle, with the exit code of its kind."""
    params, missing = _params_or_protection(profile)
    metrics = Metrics(Role.LIVE, build)
    events = EventLog(CountingObserver(observer, metrics))
    with taken_lock(profile, runtime, events, build) as lock:
        judge_ownership(profile.common.state_db_path, Role.LIVE)
        with signing_alone(profile.common.run_dir, profile.common.credentials.key, Role.LIVE):
            await _require_key(profile, runtime, events)
            if profile.common.metrics_port is not None:
                serve_metrics(metrics, profile.common.metrics_port)
            await _trade(profile, params, missing, runtime, lock, events, build)
    events.observed(Event.PROCESS_STOPPED, exit_code=int(ExitCode.OK))
    return ExitCode.OK


def _params_or_protection(profile: LiveProfile) -> tuple[DecisionParams, StrategyNotLoaded | None]:
    """A strategy that cannot be had must not leave a position without its stop: then nothing but that is done."""
    try:
        return decision_params(profile), None
    except StrategyNotLoaded as missing:
        return protecting_params(profile), missing


async def _trade(
    profile: LiveProfile,
    params: DecisionParams,
    missing: StrategyNotLoaded | None,
    runtime: Runtime,
    lock: DatabaseLock,
    events: EventLog,
    build: str,
) -> None:
    with opened_store(profile, runtime, lock, events, build) as store:
        if missing is not None:
            if not store.holds_positions():
                raise missing  # nothing is held: a start without its strategy is a mistake to be mended
            stop = profile.default_stop_ratio
            events.observed(Event.STRATEGY_MISSING, detail=str(missing), default_stop_ratio=stop)
        wiring = LiveWiring(profile, params, runtime, store, events)
        _break_crash_loop(profile, runtime, store, wiring)
        pause_after_change(profile, store, events)
        await _serve(profile, runtime, store, wiring, events)
        store.checkpoint()


async def check_live(profile: LiveProfile, runtime: Runtime, observer: Observer, build: str) -> tuple[str, ...]:
    """Every start-up check of the role, writing nothing but an empty lock file: what passed, a line each."""
    common = profile.common
    params = decision_params(profile)
    passed = [
        "settings: complete and consistent",
        f"strategy: {params.strategy.name}, {params.strategy.warm_up} candles to warm up",
    ]
    lock = DatabaseLock.take(common.state_db_path, identity_of(common, runtime, build))
    try:
        passed.append("lock: free")
        ownership = judge_ownership(common.state_db_path, Role.LIVE)
        if ownership is None:
            passed.append("database: does not exist yet")
        else:
            ownership.require_fits(writer_of(common, runtime, build), common.state_db_path)
            verify_records(common.state_db_path, Role.LIVE)
            passed.append("database: live's own, sound, every link of its hash chain verified")
    finally:
        lock.release()
    require_key_of(common.run_dir, common.credentials.key, Role.LIVE)
    policy = TradingArmedPolicy(profile, lambda: "this is only a check")
    market, execution = connect_exchange(profile, policy, runtime, observer, params.watched_only)
    try:
        await market.start()
        require_one_currency(market.instruments, profile.limits.currency)
        passed.append(f"exchange: {common.endpoints.api_url} lists {', '.join(sorted(market.instruments))}")
        offset = await market.measure_offset()
        passed.append(f"clock: {offset.offset.total_seconds():+.3f} s off the exchange's")
        balances = await execution.reader.balances()
        await _require_trade_right(execution)
        passed.append(f"key: accepted, {sum(balance.total > 0 for balance in balances)} assets held")
    finally:
        await execution.aclose()
        await market.aclose()
    return (*passed, f"armed by settings: {'yes' if profile.is_armed_by_settings else 'no'}")


@contextmanager
def taken_lock(profile: LiveProfile, runtime: Runtime, observer: Observer, build: str) -> Iterator[DatabaseLock]:
    path = profile.common.state_db_path
    lock = DatabaseLock.take(path, identity_of(profile.common, runtime, build))
    try:
        observer.observed(Event.LOCK_TAKEN, path=str(path))
        yield lock
    finally:
        lock.release()


@contextmanager
def opened_store(
    profile: LiveProfile, runtime: Runtime, lock: DatabaseLock, observer: Observer, build: str
) -> Iterator[LiveStore]:
    """Ownership, database, epoch, under the lock; closed before it is released."""
    common, limits = profile.common, profile.limits
    store = LiveStore.open(
        common.state_db_path,
        lock,
        writer_of(common, runtime, build),
        ReservationLimits(
            limits.exposure_max,
            limits.order_notional_max,
            limits.open_orders_max,
            limits.open_orders_per_instrument_max,
        ),
        runtime.clock,
        runtime.ids,
        observer,
    )
    try:
        yield store
    finally:
        store.close()


async def _require_key(profile: LiveProfile, runtime: Runtime, observer: Observer) -> None:
    """A key that is refused ends the start before anything is written. One that cannot be tried does not."""
    policy = TradingArmedPolicy(profile, lambda: "only the key is tried")
    market, execution = connect_exchange(profile, policy, runtime, observer)
    try:
        async with asyncio.timeout(KEY_SECONDS_MAX):
            await execution.reader.balances()
            await _require_trade_right(execution)
    except (ExchangeUnreachable, ReadFailed, TimeoutError):
        return
    finally:
        await execution.aclose()
        await market.aclose()


async def _require_trade_right(execution: ExecutionSet) -> None:
    """A worker that its settings arm needs a key that may trade: found before the first order needs it, or its cancel.

    One cancel that can cancel nothing is sent. A key that may not trade is let in with reads, so that the one refusal
    is never a third in a row (reliability I9).
    """
    if execution.may_trade is not None and await execution.may_trade() is False:
        raise KeyMayNotTrade("the exchange lets the API key read the account and refuses it a cancel")


def _break_crash_loop(profile: LiveProfile, runtime: Runtime, store: LiveStore, wiring: LiveWiring) -> None:
    """supervisord restarts a worker that dies after `startsecs` for ever; here it ends (reliability I12)."""
    starts = store.starts_since(runtime.clock.now() - profile.crash_loop_window)
    if starts >= profile.crash_loop_starts_max:
        wiring.halting.latch(f"{starts} starts within {profile.crash_loop_window}", by="breaker")


def pause_after_change(profile: LiveProfile, store: LiveStore, observer: Observer) -> None:
    """On the real exchange, what a person has not agreed to yet makes no entries (reliability C1 and C2)."""
    agreed, now = store.armed_under()
    is_due = profile.changed_start is ChangedStart.PAUSED and not profile.common.endpoints.is_loopback
    if agreed == now or not is_due or store.is_paused():
        return
    reason = f"build or settings are not those that were agreed to: {now[:12]} instead of {agreed[:12]}"
    store.set_paused(True, "start", reason)
    observer.observed(Event.PAUSED, reason=reason, by="start")


async def _serve(
    profile: LiveProfile, runtime: Runtime, store: LiveStore, wiring: LiveWiring, observer: Observer
) -> None:
    run_dir = profile.common.run_dir
    market, execution = connect_exchange(profile, wiring.policy, runtime, observer, wiring.watched)
    feed = FeedServer(run_dir / FEED_SOCKET, LiveFeed(store, wiring.vitals, runtime.clock), observer, runtime.sleeper)
    parts = wiring.parts(market, execution, feed.notify)
    service = RunLoopService(parts, wiring.readiness)
    control = ControlServer(
        run_dir / CONTROL_SOCKET,
        ControlDesk(
            store,
            parts.book,
            wiring.halting,
            service.reconcile,
            service.wake,
            observer,
            Flattening(parts, service),
            Assigning(parts, service),
        ).answer,
        observer,
    )
    loop = asyncio.get_running_loop()
    tell_lost_errors(loop, lambda what: wiring.halting.latch(what, "breaker"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, service, number, observer)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # a closed terminal is no reason to stop trading safely
    try:
        helpers = [
            feed.run(), control.run(), market.run(), execution.hints.run(), execution.keep_warm(),
            end_where_the_loop_hangs(runtime.sleeper),
        ]  # fmt: skip
        if profile.common.backups is not None:
            plan = profile.common.backups
            archiver = None
            if plan.archive_bytes is not None:
                shelf = shelf_of(profile.common.state_db_path)
                archiver = Archiver(store, shelf, plan.archive_bytes, runtime.sleeper, observer)
            backups = BackupService(
                store, Role.LIVE, plan, runtime, observer, lambda reason: wiring.halting.latch(reason, "backup"),
                None if archiver is None else archiver.after,
            )  # fmt: skip
            helpers.append(backups.run())
        await run_beside(service.run(), tuple(helpers))
    finally:
        await execution.aclose()
        await market.aclose()


def _stop(service: RunLoopService, number: signal.Signals, observer: Observer) -> None:
    observer.observed(Event.SIGNAL_RECEIVED, signal=number.name)
    service.stop()
