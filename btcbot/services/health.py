"""Is all well? Each check is a small function from a reading to a `Check`: a status, a typed reason, the numbers, and
what to do about it, written for somebody who was asleep a minute ago.

A reading that could not be taken is a failed check, never an exception: a monitor that crashes watches nothing.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar

from btcbot.domain.balances import Balance
from btcbot.domain.errors import BtcbotError, ExchangeUnreachable, KeyRefused
from btcbot.domain.health import Check, HealthReport, Reason, Status
from btcbot.domain.ports import Clock
from btcbot.domain.profiles import CommonProfile, MonitorProfile, Role
from btcbot.services.live_watch import LiveReading

T = TypeVar("T")
CYCLES_MAX = 3  # of live's: an older heartbeat, or a loop that has not gone round for longer, is a failure
AGE_SECONDS_MIN = 3.0  # heartbeats come each second, so shorter cycles are not judged more finely than this
GRACE_SECONDS = 60.0  # in which a process may start before being silent is a failure
OFFSET_FINE = timedelta(seconds=1)
ROUND_TRIP_FINE = timedelta(seconds=2)
READING_SECONDS = 30.0  # after which a reading counts as not taken
# The monitor has a fifth of the exchange's limits (reliability I13); asking more often would only be waiting.
OFFSET_EVERY_SECONDS = 30.0
KEY_EVERY_SECONDS = 15.0
BACKLOG_FINE = 500
BACKLOG_MAX = 10_000


class Offset(Protocol):
    """The exchange's clock less ours, and how long asking took."""

    @property
    def offset(self) -> timedelta: ...

    @property
    def round_trip(self) -> timedelta: ...


class PublicView(Protocol):
    """What health needs of the market, from a client of our own."""

    async def measure_offset(self) -> Offset: ...

    def ages(self) -> Mapping[str, timedelta]:
        """Since the last proof that each pair's book is current; a pair without a book is missing."""
        ...


class PrivateView(Protocol):
    """What health needs of the account: that the read-only key is let in."""

    async def balances(self) -> tuple[Balance, ...]: ...


@dataclass(frozen=True, slots=True)
class DatabaseReading:
    """Our own database: its schema and the one that this build writes; nothing where there is no file yet."""

    schema: int
    schema_expected: int


class HealthService:
    """Takes the readings and puts the checks together. `live` gives what the feed told last.

    `grace_seconds` is how long what has not been heard or seen yet may still be starting.
    """

    def __init__(
        self,
        profile: MonitorProfile,
        build: str,
        public: PublicView,
        private: PrivateView,
        database: Callable[[], DatabaseReading | None],
        live: Callable[[], LiveReading],
        clock: Clock,
        grace_seconds: float,
    ) -> None:
        self._common = profile.common
        self._build = build
        self._public = public
        self._offset = _Periodic(public.measure_offset, OFFSET_EVERY_SECONDS, clock)
        self._key = _Periodic(private.balances, KEY_EVERY_SECONDS, clock)
        self._database = database
        self._live = live
        self._clock = clock
        self._grace_seconds = grace_seconds
        self._began = clock.monotonic()
        # A scaled clock turns one late wake-up of this machine into many seconds: one real second is nobody's fault.
        self._slack = timedelta(seconds=float(profile.common.clock.rate - 1))

    async def check(self) -> HealthReport:
        ages = self._public.ages()  # before anything that takes time
        is_starting = self._clock.monotonic() - self._began < self._grace_seconds
        offset, key = await asyncio.gather(self._offset.reading(), self._key.reading())
        return HealthReport(
            self._clock.now(),
            (
                configuration_check(self._common, self._build),
                database_check(self._database_reading()),
                exchange_check(offset),
                clock_check(offset, self._common.clock_offset_max),
                key_check(key),
                market_check(
                    ages, self._common.pairs, self._common.market_age_max + self._slack, is_starting=is_starting
                ),
                *live_checks(
                    self._live(), float(self._common.cycle_seconds), self._grace_seconds, self._slack.total_seconds()
                ),
            ),
        )

    def _database_reading(self) -> DatabaseReading | BtcbotError | None:
        try:
            return self._database()
        except BtcbotError as error:
            return error


class _Periodic(Generic[T]):
    """A reading that stays good for a while. One that failed is taken again at the next opportunity."""

    def __init__(self, read: Callable[[], Awaitable[T]], every: float, clock: Clock) -> None:
        self._read = read
        self._every = every
        self._clock = clock
        self._taken_at = 0.0
        self._last: T | BtcbotError | None = None

    async def reading(self) -> T | BtcbotError:
        moment = self._clock.monotonic()
        last = self._last
        if last is None or isinstance(last, BtcbotError) or moment - self._taken_at >= self._every:
            last = await _taken(self._read)
            self._last, self._taken_at = last, moment
        return last


def configuration_check(common: CommonProfile, build: str) -> Check:
    """The monitor's profile as the design states it: it can never trade."""
    wrong = [
        name
        for name, is_right in (
            ("APP_ROLE", common.role is Role.MONITOR), ("LIVE_TRADING", not common.live_trading),
            ("SAFE_MODE", common.safe_mode), ("KILL_SWITCH", common.kill_switch),
        )
        if not is_right
    ]  # fmt: skip
    if wrong:
        return Check(
            "configuration", Status.FAIL, Reason.CONFIGURATION_REFUSED, f"not the monitor's: {', '.join(wrong)}",
            "correct the monitor's environment file and restart btcbot-monitor",
        )  # fmt: skip
    return _fine("configuration", f"the monitor's, build {build}, hash {common.config_hash}")


def database_check(reading: DatabaseReading | BtcbotError | None) -> Check:
    name = "database"
    match reading:
        case BtcbotError():
            return Check(name, Status.FAIL, Reason.DATABASE_UNUSABLE, what_happened(reading), reading.next_step)
        case None:
            return Check(
                name,
                Status.WARN,
                Reason.NOT_CHECKED,
                "the monitor has no database yet",
                "start btcbot-monitor: it makes it",
            )
        case DatabaseReading(schema, expected) if schema < expected:
            return Check(
                name, Status.WARN, Reason.SCHEMA_OUTDATED, f"schema {schema}, this build writes {expected}",
                "restart btcbot-monitor: it migrates at its start",
            )  # fmt: skip
        case DatabaseReading(schema, _):
            return _fine(name, f"own and sound, schema {schema}")


def exchange_check(reading: Offset | BtcbotError) -> Check:
    name = "exchange"
    if isinstance(reading, BtcbotError):
        return Check(name, Status.FAIL, Reason.EXCHANGE_UNREACHABLE, what_happened(reading), reading.next_step)
    took = f"answered in {reading.round_trip.total_seconds():.3f} s"
    if reading.round_trip > ROUND_TRIP_FINE:
        return Check(
            name, Status.WARN, Reason.EXCHANGE_SLOW, took,
            "look at the network and the exchange's status page; live judges for itself whether to go on",
        )  # fmt: skip
    return _fine(name, took)


def clock_check(reading: Offset | BtcbotError, offset_max: timedelta) -> Check:
    """Beyond the limit, signed requests are refused by the exchange and live sends nothing (reliability I7).

    An answer that took long says little of the clock: only what half the round trip cannot explain counts.
    """
    name = "clock"
    if isinstance(reading, BtcbotError):
        return Check(
            name,
            Status.UNKNOWN,
            Reason.NOT_CHECKED,
            "the exchange's time could not be read",
            "see the check `exchange`",
        )
    offset, doubt = abs(reading.offset), reading.round_trip / 2
    detail = (
        f"{reading.offset.total_seconds():+.3f} s (give or take {doubt.total_seconds():.3f} s) against the exchange, "
        f"at most {offset_max.total_seconds():g} s"
    )
    remedy = "synchronise this machine's clock (chronyc tracking, or timedatectl)"
    if offset - doubt > offset_max:
        return Check(name, Status.FAIL, Reason.CLOCK_OFFSET_EXCEEDED, detail, remedy)
    if offset - doubt > OFFSET_FINE:
        return Check(name, Status.WARN, Reason.CLOCK_OFFSET_HIGH, detail, remedy)
    return _fine(name, detail)


def key_check(reading: tuple[Balance, ...] | BtcbotError) -> Check:
    name = "key"
    if isinstance(reading, BtcbotError):
        reason = Reason.KEY_REFUSED if isinstance(reading, KeyRefused) else Reason.EXCHANGE_UNREACHABLE
        return Check(name, Status.FAIL, reason, what_happened(reading), reading.next_step)
    return _fine(name, f"the read-only key was let in; {len(reading)} balances")


def market_check(
    ages: Mapping[str, timedelta], pairs: tuple[str, ...], age_max: timedelta, *, is_starting: bool
) -> Check:
    name = "market data"
    missing = [pair for pair in pairs if pair not in ages]
    if missing and is_starting:
        return Check(
            name, Status.WARN, Reason.STARTING_UP, f"no order book of {', '.join(missing)} yet", "wait; books are read"
        )
    if missing:
        return Check(
            name, Status.FAIL, Reason.MARKET_DATA_STALE, f"no order book of {', '.join(missing)}",
            "if the check `exchange` is fine, see whether the exchange still lists these pairs (BTCBOT_PAIRS)",
        )  # fmt: skip
    oldest = max(pairs, key=lambda pair: ages[pair])
    detail = f"oldest book: {oldest}, {ages[oldest].total_seconds():.1f} s; at most {age_max.total_seconds():g} s"
    if ages[oldest] > age_max:
        return Check(
            name, Status.FAIL, Reason.MARKET_DATA_STALE, detail,
            "live does not trade on old data; look for stream_lost in both logs and at the exchange's status page",
        )  # fmt: skip
    return _fine(name, detail)


def live_checks(
    reading: LiveReading, cycle_seconds: float, grace_seconds: float, slack_seconds: float = 0.0
) -> tuple[Check, ...]:
    """With a fresh heartbeat everything that it tells is judged; without one there is only that to say of live."""
    if reading.heartbeat_age is None:
        return (_first_heartbeat_check(reading, grace_seconds),)
    age_max = max(CYCLES_MAX * _number(reading.figures.get("cycle_seconds"), cycle_seconds), AGE_SECONDS_MIN)
    age_max += slack_seconds
    heartbeat = heartbeat_check(reading.heartbeat_age, age_max)
    if heartbeat.status is not Status.OK:
        return (heartbeat,)
    return (
        heartbeat,
        cycle_check(reading, age_max),
        trading_check(reading),
        orders_check(reading),
        *exits_checks(reading),
        *(() if reading.backlog is None else (backlog_check(reading.backlog),)),
    )


def heartbeat_check(age: float, age_max: float) -> Check:
    name = "live heartbeat"
    detail = f"{age:.1f} s old, at most {age_max:g} s"
    if age > age_max:
        return Check(
            name, Status.FAIL, Reason.HEARTBEAT_OLD, detail,
            "live is dead or hangs: supervisorctl status btcbot-live, read its log, then restart it; "
            "`btcbot halt` works even when it hangs",
        )  # fmt: skip
    return _fine(name, detail)


def cycle_check(reading: LiveReading, age_max: float) -> Check:
    name = "live cycles"
    figures = reading.figures
    phase = figures.get("phase")
    if phase != "cycling":
        waited = f"{phase} for {reading.phase_age:.0f} s: {_blocks(figures)}"
        if reading.phase_age <= GRACE_SECONDS:
            return Check(name, Status.WARN, Reason.STARTING_UP, waited, "wait; live starts by itself")
        return Check(
            name, Status.FAIL, Reason.LIVE_CANNOT_BEGIN, waited,
            "live cannot begin: settle what the detail names; its log tells more",
        )  # fmt: skip
    detail = f"{figures.get('cycles')} cycles, the last {reading.cycle_age:.1f} s ago, at most {age_max:g} s"
    if reading.cycle_age > age_max:
        return Check(
            name, Status.FAIL, Reason.CYCLES_STALLED, detail,
            "the loop hangs while the process lives: read live's log, `btcbot halt`, then restart btcbot-live",
        )  # fmt: skip
    return _fine(name, detail)


def trading_check(reading: LiveReading) -> Check:
    name = "live trading"
    figures = reading.figures
    if figures.get("halt_reason") is not None:
        return Check(
            name, Status.FAIL, Reason.LIVE_HALTED, f"halted: {figures['halt_reason']}",
            "no order leaves, cancels go on; find the cause, then `btcbot resume --reason TEXT`",
        )  # fmt: skip
    if figures.get("paused") is True:
        return Check(
            name, Status.WARN, Reason.LIVE_PAUSED, "paused: no new entries, exits and cancels go on",
            "`btcbot resume --reason TEXT` when it should go on",
        )  # fmt: skip
    if figures.get("armed") is not True:
        return Check(
            name, Status.WARN, Reason.LIVE_DISARMED, f"not armed: {_blocks(figures)}",
            "nothing to do if that is meant; else settle what the detail names",
        )  # fmt: skip
    return _fine(name, f"armed; equity {figures.get('equity')}, day {figures.get('day_pnl')}")


def orders_check(reading: LiveReading) -> Check:
    name = "live orders"
    unresolved = int(_number(reading.figures.get("unresolved"), 0))
    detail = f"{unresolved} unresolved, {reading.figures.get('working', 0)} working"
    if unresolved > 0:
        return Check(
            name, Status.WARN, Reason.ORDERS_UNRESOLVED, detail,
            "live looks them up by itself; if this stays for minutes, look at the orders on the exchange's own page",
        )  # fmt: skip
    return _fine(name, detail)


def exits_checks(reading: LiveReading) -> tuple[Check, ...]:
    """Nothing to say while the exchange takes what is sold."""
    refused = reading.figures.get("exits_refused")
    if not isinstance(refused, dict) or not refused:
        return ()
    detail = "; ".join(f"{pair}: {what}" for pair, what in refused.items())
    return (
        Check(
            "live exits", Status.FAIL, Reason.EXIT_REFUSED, detail,
            "the exchange refuses to sell what is held: see whether it lists the pair as trading; live buys no more of "
            "it and tries again by itself; after selling by hand the books differ, and live halts",
        ),
    )  # fmt: skip


def backlog_check(backlog: int) -> Check:
    name = "live feed"
    if backlog < 0:
        return Check(
            name, Status.FAIL, Reason.FEED_BACKLOG, f"live's numbers begin again: {-backlog} below our copy",
            "live's database was replaced: find out why; then move the monitor's database aside and restart it",
        )  # fmt: skip
    detail = f"{backlog} messages not copied yet"
    if backlog > BACKLOG_FINE:
        status = Status.FAIL if backlog > BACKLOG_MAX else Status.WARN
        return Check(
            name, status, Reason.FEED_BACKLOG, detail, "the copy catches up by itself; if it grows, the disk is slow"
        )
    return _fine(name, detail)


def what_happened(error: BtcbotError) -> str:
    """The error's sentence without its next step, which a check carries apart."""
    return str(error.args[0]) if error.args else type(error).__name__


def _first_heartbeat_check(reading: LiveReading, grace_seconds: float) -> Check:
    name = "live heartbeat"
    detail = f"none since the watch began {reading.watched_seconds:.0f} s ago"
    if reading.watched_seconds < grace_seconds:
        return Check(name, Status.WARN, Reason.STARTING_UP, detail, "wait; live may still be starting")
    return Check(
        name, Status.FAIL, Reason.FEED_SILENT, detail,
        "supervisorctl status btcbot-live; if it runs, BTCBOT_RUN_DIR must be the same in both environment files",
    )  # fmt: skip


def finite(value: object) -> float | None:
    """A figure of the feed as a number, or nothing: the feed is only data, and may hold anything."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fine(name: str, detail: str) -> Check:
    return Check(name, Status.OK, Reason.FINE, detail, "")


def _blocks(figures: Mapping[str, object]) -> str:
    blocks = figures.get("blocks")
    return "; ".join(map(str, blocks)) if isinstance(blocks, list) and blocks else "no reason given"


def _number(value: object, otherwise: float) -> float:
    number = finite(value)
    return otherwise if number is None else number


async def _taken(read: Callable[[], Awaitable[T]]) -> T | BtcbotError:
    try:
        async with asyncio.timeout(READING_SECONDS):
            return await read()
    except TimeoutError:
        return ExchangeUnreachable(f"no answer within {READING_SECONDS:g} s")
    except BtcbotError as error:
        return error
