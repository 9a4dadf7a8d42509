"""The watcher from lock to exit: a real database, real sockets, a clock that jumps, and an exchange that obeys."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.errors import (
    BtcbotError,
    ExchangeUnreachable,
    ExitCode,
    KeyRefused,
    LockHeld,
    OwnershipError,
)
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind, FeedMessage
from btcbot.domain.health import HealthReport, Reason, Status
from btcbot.domain.money import Asset, use_money_context
from btcbot.domain.profiles import ClockProfile, CommonProfile, Credentials, Endpoints, MonitorProfile, Role
from btcbot.domain.secrets import Secret
from btcbot.observability.feed import FeedServer
from btcbot.persistence.sqlite.lock import DatabaseLock, ProcessIdentity
from btcbot.services import monitor
from btcbot.services.health import READING_SECONDS
from btcbot.services.monitor import check_monitor, health_once, watch
from btcbot.services.monitor_view import MonitorView
from btcbot.services.run_dir import FEED_SOCKET, HEALTH_SOCKET
from btcbot.services.runtime import Runtime
from tests.unit.observability.remembering import Remembering

pytestmark = pytest.mark.looptime
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class LoopClock:
    """The event loop's time, which looptime moves."""

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class LoopSleeper:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Counted:
    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"{self.count:032x}"


@dataclass(frozen=True)
class Measured:
    offset: timedelta = timedelta(0)
    round_trip: timedelta = timedelta(seconds=0.05)


@dataclass
class Exchange:
    """What the monitor's clients would answer. It is its own `MonitorParts`."""

    trouble: BtcbotError | None = None
    key_trouble: BtcbotError | None = None
    offset: Measured = field(default_factory=Measured)
    age: timedelta = timedelta(seconds=1)
    hangs: bool = False
    is_started: bool = False
    is_closed: bool = False

    @property
    def market(self) -> "Exchange":
        return self

    @property
    def reader(self) -> "Exchange":
        return self

    @property
    def instruments(self) -> Mapping[str, str]:
        return {"BTCTRY": "BTC/TRY"}

    async def start(self) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.is_started = True

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def measure_offset(self) -> Measured:
        if self.trouble is not None:
            raise self.trouble
        return self.offset

    def ages(self) -> Mapping[str, timedelta]:
        return {"BTCTRY": self.age} if self.is_started else {}

    async def balances(self) -> tuple[Balance, ...]:
        while self.hangs:
            with suppress(asyncio.CancelledError):  # as a defect might
                await asyncio.sleep(1)
        if self.key_trouble is not None:
            raise self.key_trouble
        return (Balance(Asset("TRY"), Decimal(1), Decimal(1), Decimal(0)),)

    async def aclose(self) -> None:
        self.is_closed = True


class Live:
    """Live as the feed shows it. Its loop goes round unless it hangs."""

    def __init__(self, count: int) -> None:
        self.messages = [FeedMessage(number, FeedKind.CYCLE, NOON, {"n": number}) for number in range(1, count + 1)]
        self.figures: dict[str, object] = {
            "phase": "cycling", "cycles": 1, "cycle_seconds": "5", "halt_reason": None, "paused": False, "armed": True,
            "blocks": [], "unresolved": 0, "working": 0, "equity": "10.5", "day_pnl": "0",
        }  # fmt: skip
        self.hangs = False
        self.turns = 0

    def last_number(self) -> int:
        return len(self.messages)

    def after(self, number: int, limit: int) -> Sequence[FeedMessage]:
        return self.messages[number : number + limit]

    def heartbeat(self) -> FeedMessage:
        self.turns += not self.hangs
        return FeedMessage(self.last_number(), FeedKind.HEARTBEAT, NOON, {**self.figures, "cycled_at": self.turns})


@dataclass
class Place:
    """A deployment's directories and the monitor's profile in it."""

    root: Path
    exchange: Exchange = field(default_factory=Exchange)
    observer: Remembering = field(default_factory=Remembering)
    runtime: Runtime = field(default_factory=lambda: Runtime(LoopClock(), LoopSleeper(), Counted(), "i1"))

    @property
    def profile(self) -> MonitorProfile:
        return MonitorProfile(
            CommonProfile(
                role=Role.MONITOR, state_db_path=self.root / "state" / "monitor.db",
                peer_state_db_path=self.root / "live.db", run_dir=self.root / "run", deployment_id="T1",
                endpoints=Endpoints("http://127.0.0.1:1", "http://127.0.0.1:2", "ws://127.0.0.1:3", is_loopback=True),
                credentials=Credentials(Secret("key-key-key"), Secret("c2VjcmV0LXNlY3JldA==")), pairs=("BTCTRY",),
                candle_interval=timedelta(minutes=1), cycle_seconds=Decimal(5), clock=ClockProfile(Decimal(1), None),
                market_age_max=timedelta(seconds=10), clock_offset_max=timedelta(seconds=2.5), live_trading=False,
                safe_mode=True, kill_switch=True, log_level="INFO", metrics_port=None, config_hash="c0ffee",
            )
        )  # fmt: skip

    async def health(self) -> HealthReport:
        return await health_once(self.profile, self.runtime, self.observer, "1.0")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        path = self.profile.common.state_db_path
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()

    @asynccontextmanager
    async def watching(self, **arguments: object) -> AsyncIterator[asyncio.Task[ExitCode]]:
        """A watcher whose first round is over; it gets its SIGTERM at the end and must leave with 0."""
        before = len(self.observer.fields_of(Event.HEALTH_CHECKED))
        task = asyncio.create_task(watch(self.profile, self.runtime, self.observer, "1.0", **arguments))  # type: ignore[arg-type]
        while len(self.observer.fields_of(Event.HEALTH_CHECKED)) == before and not task.done():
            await asyncio.sleep(0.1)
        try:
            yield task
        finally:
            if not task.done():
                os.kill(os.getpid(), signal.SIGTERM)
                assert await task is ExitCode.OK

    @asynccontextmanager
    async def living(self, live: Live) -> AsyncIterator[FeedServer]:
        server = FeedServer(self.root / "run" / FEED_SOCKET, live, Remembering(), LoopSleeper())
        task = asyncio.create_task(server.run())
        try:
            yield server
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    use_money_context()
    place = Place(Path(tempfile.mkdtemp(prefix="bm", dir="/tmp")))
    for name in ("state", "run"):
        (place.root / name).mkdir(mode=0o700)
    monkeypatch.setattr(monitor, "build_monitor", lambda *_: place.exchange)
    yield place
    shutil.rmtree(place.root)


def statuses(report: HealthReport) -> dict[str, Status]:
    return {check.name: check.status for check in report.checks}


def reason_of(report: HealthReport, name: str) -> Reason:
    return next(check.reason for check in report.checks if check.name == name)


async def test_it_watches_stores_answers_and_leaves_with_zero(place: Place) -> None:
    async with place.living(Live(250)), place.watching():
        await asyncio.sleep(10)
        report = await place.health()
        assert report.status is Status.OK, report
        assert len(report.checks) == 11
        assert [row[0] for row in place.rows("SELECT number FROM feed_copy ORDER BY number")] == list(range(1, 251))
    assert place.exchange.is_closed
    assert not (place.root / "run" / HEALTH_SOCKET).exists()
    assert json.loads((place.root / "state" / "monitor.db.lock").read_text())["stage"] == "released"
    assert place.rows("SELECT status FROM reports ORDER BY id DESC LIMIT 1") == [("OK",)]
    assert place.observer.fields_of(Event.PROCESS_STOPPED) == [{"exit_code": 0}]


async def test_the_copy_goes_on_where_it_was_when_live_comes_back(place: Place) -> None:
    live = Live(120)
    async with place.watching():
        for _ in range(4):
            async with place.living(live) as server:
                await asyncio.sleep(12)
                live.messages += [replace(live.messages[0], number=len(live.messages) + n) for n in range(1, 38)]
                server.notify()
                await asyncio.sleep(3)
        numbers = [row[0] for row in place.rows("SELECT number FROM feed_copy ORDER BY number")]
    assert numbers == list(range(1, len(live.messages) + 1))
    assert len(place.observer.fields_of(Event.FEED_LOST)) <= 10


async def test_a_watcher_that_starts_again_goes_on_with_its_copy(place: Place) -> None:
    live = Live(10)
    for count in (10, 20):
        live.messages = Live(count).messages
        async with place.living(live), place.watching():
            await asyncio.sleep(5)
    assert place.rows("SELECT count(*), min(number), max(number) FROM feed_copy") == [(20, 1, 20)]
    assert place.observer.fields_of(Event.FEED_CONNECTED)[-1] == {"resume_after": 10}


async def test_what_goes_wrong_with_live_is_said_within_three_cycles(place: Place) -> None:
    live = Live(1)
    async with place.watching():
        assert reason_of(await place.health(), "live heartbeat") is Reason.STARTING_UP
        async with place.living(live):
            await asyncio.sleep(20)
            assert (await place.health()).status is Status.OK
            live.figures["halt_reason"] = "day loss"
            await asyncio.sleep(7)
            assert reason_of(await place.health(), "live trading") is Reason.LIVE_HALTED
            live.figures["halt_reason"] = None
            live.hangs = True
            await asyncio.sleep(22)
            report = await place.health()
            assert reason_of(report, "live cycles") is Reason.CYCLES_STALLED
            assert statuses(report)["live heartbeat"] is Status.OK
        await asyncio.sleep(22)
        assert reason_of(await place.health(), "live heartbeat") is Reason.HEARTBEAT_OLD
    changes = [str(fields["changes"]) for fields in place.observer.fields_of(Event.HEALTH_CHANGED)]
    for reason in ("live_halted", "cycles_stalled", "heartbeat_old"):
        assert sum(reason in change for change in changes) == 1


async def test_without_an_exchange_it_goes_on_watching_and_recovers(place: Place) -> None:
    place.exchange.trouble = ExchangeUnreachable("no route")
    async with place.living(Live(1)), place.watching() as task:
        await asyncio.sleep(30)
        assert statuses(await place.health())["exchange"] is Status.FAIL
        assert len(place.observer.fields_of(Event.EXCHANGE_UNREACHABLE)) == 1
        place.exchange.trouble = None
        await asyncio.sleep(10)
        assert (await place.health()).status is Status.OK
        assert not task.done()


async def test_the_record_of_reports_grows_with_time_and_not_with_cycles(place: Place) -> None:
    async with place.living(Live(1)), place.watching():
        await asyncio.sleep(600)
        assert 10 <= int(str(place.rows("SELECT count(*) FROM reports")[0][0])) <= 14
    assert len(place.observer.fields_of(Event.HEALTH_CHECKED)) > 100


async def test_a_round_that_never_ends_is_told_by_the_socket(place: Place) -> None:
    async with place.living(Live(1)), place.watching():
        await asyncio.sleep(20)
        place.exchange.hangs = True
        await asyncio.sleep(3 * (5 + READING_SECONDS) + 10)
        report = await place.health()
        assert (report.status, report.checks[0].name) == (Status.UNKNOWN, "monitor")
        place.exchange.hangs = False


async def test_the_page_gets_the_view_of_the_moment(place: Place) -> None:
    seen: list[MonitorView] = []

    async def serve(port: int, view: object) -> None:
        assert port == 8090
        while True:
            seen.append(view())  # type: ignore[operator]
            await asyncio.sleep(1)

    place_profile = place.profile
    with_port = MonitorProfile(place_profile.common, dashboard_port=8090)
    place.__class__ = type("Ported", (Place,), {"profile": property(lambda _: with_port)})
    async with place.living(Live(3)), place.watching(serve_page=serve):
        await asyncio.sleep(10)
    assert (seen[-1].feed_number, seen[-1].build, seen[-1].report.status) == (3, "1.0", Status.OK)
    assert seen[-1].figures["equity"] == "10.5"


# ------------------------------------------------------------------------------------------------ one-shot


async def test_without_a_watcher_the_checks_run_here_and_write_nothing(place: Place) -> None:
    async with place.living(Live(5)):
        report = await place.health()
    assert statuses(report) == {
        "configuration": Status.OK, "database": Status.WARN, "exchange": Status.OK, "clock": Status.OK,
        "key": Status.OK, "market data": Status.OK, "live heartbeat": Status.OK, "live cycles": Status.OK,
        "live trading": Status.OK, "live orders": Status.OK,
    }  # fmt: skip
    assert list((place.root / "state").iterdir()) == []
    assert place.exchange.is_closed


async def test_a_missing_network_and_a_wrong_key_are_failed_checks(place: Place) -> None:
    place.exchange.trouble = ExchangeUnreachable("no route")
    place.exchange.key_trouble = KeyRefused("wrong key")
    report = await place.health()
    assert report.status is Status.FAIL
    assert reason_of(report, "exchange") is Reason.EXCHANGE_UNREACHABLE
    assert reason_of(report, "key") is Reason.KEY_REFUSED


async def test_a_holder_that_gives_no_report_is_named(place: Place) -> None:
    lock = DatabaseLock.take(place.profile.common.state_db_path, identity(place))
    try:
        report = await place.health()
    finally:
        lock.release()
    assert (report.status, report.checks[0].reason) == (Status.UNKNOWN, Reason.NOT_CHECKED)
    assert "holds the lock" in report.checks[0].detail


async def test_a_second_watcher_is_refused_and_the_first_goes_on(place: Place) -> None:
    async with place.living(Live(1)), place.watching() as first:
        with pytest.raises(LockHeld, match="monitor"):
            await watch(place.profile, place.runtime, Remembering(), "1.0")
        await asyncio.sleep(10)
        assert not first.done()


async def test_a_foreign_database_is_refused_and_left_as_it_is(place: Place) -> None:
    path = place.profile.common.state_db_path
    path.write_bytes(b"not a database")
    path.chmod(0o600)
    with pytest.raises(OwnershipError):
        await watch(place.profile, place.runtime, place.observer, "1.0")
    with pytest.raises(OwnershipError):
        await check_monitor(place.profile, place.runtime, place.observer, "1.0")
    assert reason_of(await place.health(), "database") is Reason.DATABASE_UNUSABLE
    assert path.read_bytes() == b"not a database"


async def test_the_start_up_check_tells_what_passed_and_gives_up_on_a_missing_network(place: Place) -> None:
    passed = await check_monitor(place.profile, place.runtime, place.observer, "1.0")
    assert [line.partition(":")[0] for line in passed] == ["settings", "lock", "database", "exchange", "clock", "key"]
    place.exchange.trouble = ExchangeUnreachable("no route")
    with pytest.raises(ExchangeUnreachable) as refused:
        await check_monitor(place.profile, place.runtime, place.observer, "1.0")
    assert refused.value.exit_code is ExitCode.UNREACHABLE
    place.exchange.trouble, place.exchange.key_trouble = None, KeyRefused("wrong key")
    with pytest.raises(KeyRefused):
        await check_monitor(place.profile, place.runtime, place.observer, "1.0")
    assert [path.name for path in (place.root / "state").iterdir()] == ["monitor.db.lock"]
    assert (place.root / "state" / "monitor.db.lock").read_bytes() == b""


def identity(place: Place) -> ProcessIdentity:
    return ProcessIdentity.of_this_process(Role.MONITOR, "other", "T1", "1.0", "c0ffee", NOON)
