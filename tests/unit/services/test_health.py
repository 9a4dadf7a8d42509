"""Every check in every status, with its reason, its numbers and a remedy."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.errors import (
    BtcbotError,
    ConfigurationError,
    ExchangeUnreachable,
    KeyRefused,
    OwnershipError,
    ReadFailed,
)
from btcbot.domain.feed import FeedKind, FeedMessage
from btcbot.domain.health import Check, HealthReport, MalformedReport, Reason, Status, read_report
from btcbot.domain.money import Asset
from btcbot.domain.profiles import (
    ClockProfile,
    CommonProfile,
    Credentials,
    Endpoints,
    MonitorProfile,
    Role,
)
from btcbot.domain.secrets import Secret
from btcbot.services import health
from btcbot.services.health import (
    DatabaseReading,
    HealthService,
    backlog_check,
    clock_check,
    configuration_check,
    database_check,
    exchange_check,
    key_check,
    live_checks,
    market_check,
)
from btcbot.services.live_watch import LiveReading, LiveWatch

T = TypeVar("T")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN
TRY = Balance(Asset("TRY"), Decimal(10), Decimal(10), Decimal(0))
COMMON = CommonProfile(
    role=Role.MONITOR, state_db_path=Path("/s/monitor.db"), peer_state_db_path=Path("/l/live.db"), run_dir=Path("/r"),
    deployment_id="T1", endpoints=Endpoints("http://127.0.0.1:1", "http://127.0.0.1:2", "ws://127.0.0.1:3", True),
    credentials=Credentials(Secret("key-key-key"), Secret("c2VjcmV0LXNlY3JldA==")), pairs=("BTCTRY", "ETHTRY"),
    candle_interval=timedelta(minutes=1), cycle_seconds=Decimal(5), clock=ClockProfile(Decimal(1), None),
    market_age_max=timedelta(seconds=10), clock_offset_max=timedelta(seconds=2.5), live_trading=False, safe_mode=True,
    kill_switch=True, log_level="INFO", metrics_port=None, config_hash="c0ffee",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    offset: timedelta
    round_trip: timedelta


def measured(offset: float = 0.0, round_trip: float = 0.0) -> Measured:
    return Measured(timedelta(seconds=offset), timedelta(seconds=round_trip))


def cycling(**figures: object) -> LiveReading:
    """Live in good health, but for what is given."""
    fine = {
        "phase": "cycling", "cycles": 7, "cycle_seconds": "5", "cycled_at": "now", "halt_reason": None, "paused": False,
        "armed": True, "blocks": [], "unresolved": 0, "working": 1, "equity": "100", "day_pnl": "0",
    }  # fmt: skip
    return LiveReading(100.0, {**fine, **figures}, 0.5, 90.0, 2.0, 0)


def told(check: Check) -> tuple[Status, Reason]:
    """What a check says; and that whatever is not fine comes with a remedy and with detail."""
    assert check.detail
    assert bool(check.remedy) == (check.status is not OK)
    return check.status, check.reason


@pytest.mark.parametrize(
    ("check", "status", "reason"),
    [
        (configuration_check(COMMON, "1.0"), OK, Reason.FINE),
        (configuration_check(replace(COMMON, safe_mode=False), "1.0"), FAIL, Reason.CONFIGURATION_REFUSED),
        (configuration_check(replace(COMMON, kill_switch=False), "1.0"), FAIL, Reason.CONFIGURATION_REFUSED),
        (configuration_check(replace(COMMON, live_trading=True), "1.0"), FAIL, Reason.CONFIGURATION_REFUSED),
        (configuration_check(replace(COMMON, role=Role.LIVE), "1.0"), FAIL, Reason.CONFIGURATION_REFUSED),
        (database_check(DatabaseReading(2, 2)), OK, Reason.FINE),
        (database_check(DatabaseReading(1, 2)), WARN, Reason.SCHEMA_OUTDATED),
        (database_check(None), WARN, Reason.NOT_CHECKED),
        (database_check(OwnershipError("live's")), FAIL, Reason.DATABASE_UNUSABLE),
        (exchange_check(measured()), OK, Reason.FINE),
        (exchange_check(measured(round_trip=2.0)), OK, Reason.FINE),
        (exchange_check(measured(round_trip=2.001)), WARN, Reason.EXCHANGE_SLOW),
        (exchange_check(ExchangeUnreachable("no route")), FAIL, Reason.EXCHANGE_UNREACHABLE),
        (exchange_check(ReadFailed("HTML")), FAIL, Reason.EXCHANGE_UNREACHABLE),
        (clock_check(measured(-1.0), COMMON.clock_offset_max), OK, Reason.FINE),
        (clock_check(measured(1.001), COMMON.clock_offset_max), WARN, Reason.CLOCK_OFFSET_HIGH),
        (clock_check(measured(-2.5), COMMON.clock_offset_max), WARN, Reason.CLOCK_OFFSET_HIGH),
        (clock_check(measured(2.501), COMMON.clock_offset_max), FAIL, Reason.CLOCK_OFFSET_EXCEEDED),
        (clock_check(measured(-2.6, 0.1), COMMON.clock_offset_max), FAIL, Reason.CLOCK_OFFSET_EXCEEDED),
        (clock_check(measured(2.6, 5.2), COMMON.clock_offset_max), OK, Reason.FINE),
        (clock_check(ExchangeUnreachable("no route"), COMMON.clock_offset_max), UNKNOWN, Reason.NOT_CHECKED),
        (key_check((TRY,)), OK, Reason.FINE),
        (key_check(KeyRefused("no")), FAIL, Reason.KEY_REFUSED),
        (key_check(ExchangeUnreachable("no route")), FAIL, Reason.EXCHANGE_UNREACHABLE),
        (backlog_check(0), OK, Reason.FINE),
        (backlog_check(500), OK, Reason.FINE),
        (backlog_check(501), WARN, Reason.FEED_BACKLOG),
        (backlog_check(10_001), FAIL, Reason.FEED_BACKLOG),
        (backlog_check(-1), FAIL, Reason.FEED_BACKLOG),
    ],
)
def test_a_check_says(check: Check, status: Status, reason: Reason) -> None:
    assert told(check) == (status, reason)


@pytest.mark.parametrize(
    ("ages", "status", "detail"),
    [
        ({"BTCTRY": 1, "ETHTRY": 10}, OK, "ETHTRY, 10.0 s"),
        ({"BTCTRY": 10.1, "ETHTRY": 1}, FAIL, "BTCTRY, 10.1 s"),
        ({"BTCTRY": 1}, FAIL, "no order book of ETHTRY"),
        ({}, FAIL, "no order book of BTCTRY, ETHTRY"),
    ],
)
def test_market_data_is_as_fresh_as_its_oldest_pair(ages: Mapping[str, float], status: Status, detail: str) -> None:
    seconds = {pair: timedelta(seconds=age) for pair, age in ages.items()}
    check = market_check(seconds, COMMON.pairs, COMMON.market_age_max, is_starting=False)
    assert told(check)[0] is status
    assert detail in check.detail


@pytest.mark.parametrize(
    ("reading", "name", "status", "reason"),
    [
        (cycling(), "live heartbeat", OK, Reason.FINE),
        (replace(cycling(), heartbeat_age=15.0), "live heartbeat", OK, Reason.FINE),
        (replace(cycling(), heartbeat_age=15.1), "live heartbeat", FAIL, Reason.HEARTBEAT_OLD),
        (replace(cycling(cycle_seconds="0.1"), heartbeat_age=2.9), "live heartbeat", OK, Reason.FINE),
        (replace(cycling(cycle_seconds="nan"), heartbeat_age=15.1), "live heartbeat", FAIL, Reason.HEARTBEAT_OLD),
        (replace(cycling(), cycle_age=15.1), "live cycles", FAIL, Reason.CYCLES_STALLED),
        (replace(cycling(phase="waiting"), phase_age=60.0), "live cycles", WARN, Reason.STARTING_UP),
        (replace(cycling(phase="waiting"), phase_age=60.1), "live cycles", FAIL, Reason.LIVE_CANNOT_BEGIN),
        (cycling(exits_refused={"BTCTRY": "PAIR_SUSPENDED"}), "live exits", FAIL, Reason.EXIT_REFUSED),
        (cycling(halt_reason="day loss"), "live trading", FAIL, Reason.LIVE_HALTED),
        (cycling(halt_reason="x", paused=True), "live trading", FAIL, Reason.LIVE_HALTED),
        (cycling(paused=True), "live trading", WARN, Reason.LIVE_PAUSED),
        (cycling(armed=False, blocks=["SAFE_MODE is on"]), "live trading", WARN, Reason.LIVE_DISARMED),
        (cycling(armed="yes"), "live trading", WARN, Reason.LIVE_DISARMED),
        (cycling(), "live trading", OK, Reason.FINE),
        (cycling(unresolved=1), "live orders", WARN, Reason.ORDERS_UNRESOLVED),
        (cycling(unresolved="garbage"), "live orders", OK, Reason.FINE),
        (cycling(), "live feed", OK, Reason.FINE),
    ],
)
def test_of_live_it_says(reading: LiveReading, name: str, status: Status, reason: Reason) -> None:
    (check,) = [check for check in live_checks(reading, 5.0, 60.0) if check.name == name]
    assert told(check) == (status, reason)


@pytest.mark.parametrize(
    ("watched", "status", "reason"), [(59.9, WARN, Reason.STARTING_UP), (60.0, FAIL, Reason.FEED_SILENT)]
)
def test_without_a_heartbeat_there_is_one_thing_to_say(watched: float, status: Status, reason: Reason) -> None:
    (check,) = live_checks(LiveReading(watched, {}, None, watched, watched, None), 5.0, 60.0)
    assert told(check) == (status, reason)


def test_of_a_live_that_is_not_heard_any_more_nothing_else_is_claimed() -> None:
    assert [check.name for check in live_checks(replace(cycling(), heartbeat_age=16.0), 5.0, 60.0)] == [
        "live heartbeat"
    ]


def test_the_reason_of_a_halt_and_what_blocks_are_told() -> None:
    halted, blocked = (
        next(check for check in live_checks(reading, 5.0, 60.0) if check.name == "live trading")
        for reading in (cycling(halt_reason="day loss 2,000 TRY"), cycling(armed=False, blocks=["SAFE_MODE", "x"]))
    )
    assert "day loss 2,000 TRY" in halted.detail
    assert "SAFE_MODE; x" in blocked.detail


def test_ages_of_live_are_measured_on_our_clock_from_what_changed() -> None:
    watch = LiveWatch(100.0)
    assert watch.reading(130.0, 0) == LiveReading(30.0, {}, None, 30.0, 30.0, None)
    for moment, phase, cycled_at in ((131.0, "waiting", "a"), (140.0, "cycling", "b"), (141.0, "cycling", "b")):
        body = {"phase": phase, "cycled_at": cycled_at}
        watch.took(FeedMessage(7, FeedKind.HEARTBEAT, NOON, body), moment)
    reading = watch.reading(145.0, 5)
    assert (reading.heartbeat_age, reading.phase_age, reading.cycle_age, reading.backlog) == (4.0, 5.0, 5.0, 2)


# ------------------------------------------------------------------------------------------------ the service


class Steps:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed


class World:
    """What the service reads: answers, or errors to raise."""

    def __init__(self) -> None:
        self.offset: Measured | BtcbotError = measured()
        self.account: tuple[Balance, ...] | BtcbotError = (TRY,)
        self.database: DatabaseReading | BtcbotError | None = DatabaseReading(1, 1)
        self.seen = {pair: timedelta(seconds=1) for pair in COMMON.pairs}
        self.live = cycling()
        self.key_reads = self.offset_reads = 0
        self.clock = Steps()

    async def measure_offset(self) -> Measured:
        self.offset_reads += 1
        return given(self.offset)

    def ages(self) -> Mapping[str, timedelta]:
        return self.seen

    async def balances(self) -> tuple[Balance, ...]:
        self.key_reads += 1
        return given(self.account)

    def service(self) -> HealthService:
        return HealthService(
            MonitorProfile(COMMON),
            "1.0",
            self,
            self,
            lambda: given(self.database),
            lambda: self.live,
            self.clock,
            grace_seconds=60.0,
        )


def given(answer: T | BtcbotError) -> T:
    if isinstance(answer, BtcbotError):
        raise answer
    return answer


async def test_all_is_well() -> None:
    report = await World().service().check()
    assert report.status is OK
    assert [check.name for check in report.checks] == [
        "configuration", "database", "exchange", "clock", "key", "market data", "live heartbeat", "live cycles",
        "live trading", "live orders", "live feed",
    ]  # fmt: skip


async def test_books_that_were_never_read_are_starting_up_for_a_while() -> None:
    world = World()
    world.seen = {}
    service = world.service()
    reasons = []
    for _ in range(2):
        report = await service.check()
        reasons += [check.reason for check in report.checks if check.name == "market data"]
        world.clock.elapsed += 60
    assert reasons == [Reason.STARTING_UP, Reason.MARKET_DATA_STALE]


async def test_with_everything_broken_there_is_still_a_report() -> None:
    world = World()
    world.offset = ExchangeUnreachable("no route")
    world.account = KeyRefused("no")
    world.database = ConfigurationError("no directory")
    world.seen = {}
    service = world.service()
    world.clock.elapsed += 60
    world.live = LiveReading(100.0, {}, None, 100.0, 100.0, None)
    report = await service.check()
    assert report.status is FAIL
    assert {check.name: check.status for check in report.checks} == {
        "configuration": OK, "database": FAIL, "exchange": FAIL, "clock": UNKNOWN, "key": FAIL, "market data": FAIL,
        "live heartbeat": FAIL,
    }  # fmt: skip


@pytest.mark.looptime
async def test_an_exchange_that_never_answers_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:

    world = World()

    async def never() -> Measured:
        await asyncio.Event().wait()
        raise AssertionError("woken")

    monkeypatch.setattr(world, "measure_offset", never)
    began = asyncio.get_running_loop().time()
    report = await world.service().check()
    assert asyncio.get_running_loop().time() - began == pytest.approx(health.READING_SECONDS, abs=0.5)
    assert [check.reason for check in report.checks if check.name == "exchange"] == [Reason.EXCHANGE_UNREACHABLE]


async def test_the_exchange_is_asked_no_more_often_than_our_share_of_its_limits_allows() -> None:
    world = World()
    service = world.service()
    for _ in range(13):
        await service.check()
        world.clock.elapsed += 5
    assert (world.key_reads, world.offset_reads) == (5, 3)


async def test_a_reading_that_failed_is_taken_again_at_once() -> None:
    world = World()
    service = world.service()
    world.offset, world.account = ExchangeUnreachable("no route"), KeyRefused("no")
    await service.check()
    world.offset, world.account = measured(), (TRY,)
    assert (await service.check()).status is OK


def test_a_report_survives_the_way_over_the_wire() -> None:

    report = HealthReport(NOON, (Check("clock", WARN, Reason.CLOCK_OFFSET_HIGH, "1.2 s", "synchronise"),))
    assert read_report(json.dumps(report.document())) == report
    for garbage in ("", "null", "[]", "{}", '{"checked_at":"x","checks":[{}]}', "[" * 100_000):
        with pytest.raises(MalformedReport):
            read_report(garbage)
