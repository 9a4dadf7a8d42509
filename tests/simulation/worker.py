"""A live worker's lives on one file: the real services in virtual time against the simulated exchange."""

import asyncio
import hashlib
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import looptime

from btcbot.domain.control import ControlAnswer, ControlRequest
from btcbot.domain.events import Event
from btcbot.domain.money import Ratio, amount, use_money_context
from btcbot.domain.orders.journaling import ReservationLimits
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.profiles import LiveProfile, Role
from btcbot.execution.wiring import ExecutionSet
from btcbot.market_data.market import MarketData
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.lock import DatabaseLock, ProcessIdentity
from btcbot.persistence.sqlite.writer import Writer
from btcbot.services.control import ControlDesk
from btcbot.services.decision import DecisionParams
from btcbot.services.event_log import EventLog
from btcbot.services.halting import write_halt_file
from btcbot.services.live_wiring import LiveWiring
from btcbot.services.run_loop import LiveParts, RunLoopService
from btcbot.services.runtime import LoopSleeper, Runtime
from btcbot.strategy.language import CLOSE
from btcbot.strategy.strategy import Strategy
from tests.simulation import invariants
from tests.simulation.exchange import (
    START,
    Network,
    SimExecution,
    SimHints,
    SimMarket,
    SimReader,
    Weather,
    new_market,
)
from tests.unit.services.world import LIMITS, live_profile

PAIRS = ("BTCTRY", "XRPTRY")
BUSY = Strategy("busy", CLOSE.previous() < CLOSE, CLOSE.previous() > CLOSE, amount("4000 TRY"), True, ())
WIDE = replace(
    LIMITS, exposure_max=amount("30000 TRY"), position_notional_max=amount("20000 TRY"),
    day_loss_max=amount("90000 TRY"), drawdown_ratio_max=Ratio(Decimal("0.9")), entries_per_hour_max=10_000,
    entries_per_day_max=1_000_000, order_quantities_max=(amount("1 BTC"), amount("1000 XRP")),
    entry_cooldown=timedelta(0), volatility_ratio_max=Ratio(Decimal("0.9")), jump_ratio_max=Ratio(Decimal("0.5")),
    open_orders_per_instrument_max=5, open_orders_max=20,
)  # fmt: skip
QUIET = timedelta(seconds=300)  # longer than the latest acceptance (assumption A2)
HEALED_SECONDS = 480.0  # the quiet time, two polls of a minute, and the way there


class LoopClock:
    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class CountedIds:
    last: int = 0

    def new(self) -> str:
        self.last += 1
        return f"{self.last:032x}"


@dataclass
class Chronicle:
    """Everything that was observed, as one hash and as counts."""

    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    counts: Counter[Event] = field(default_factory=Counter)
    halts: list[str] = field(default_factory=list)

    def observed(self, event: Event, **fields: object) -> None:
        self.counts[event] += 1
        if event is Event.HALT_LATCHED:
            self.halts.append(str(fields["reason"]))
        told = {name: value for name, value in fields.items() if name != "path"}
        self.hash.update(f"{asyncio.get_running_loop().time():.6f} {event} {sorted(told.items())!r}\n".encode())
        if event is Event.DEFECT_CAUGHT and isinstance(fields["error"], BaseException):
            raise AssertionError("the loop caught a defect") from fields["error"]


@dataclass
class Lives:
    """One seed's story."""

    directory: Path
    seed: int
    seconds: float
    is_watched: bool  # whether the invariants are checked; a second telling of the same story need not
    chance: random.Random = field(init=False)
    network: Network = field(init=False)
    chronicle: Chronicle = field(default_factory=Chronicle)
    ids: CountedIds = field(default_factory=CountedIds)
    ends: Counter[str] = field(default_factory=Counter)
    states: set[str] = field(default_factory=set)  # that orders went through
    store: LiveStore = field(init=False)
    lock: DatabaseLock = field(init=False)
    wiring: LiveWiring = field(init=False)
    service: RunLoopService = field(init=False)
    parts: LiveParts = field(init=False)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.network = Network(new_market(PAIRS, self.seed), PAIRS, self.chance, Weather.of(self.chance))
        self.profile: LiveProfile = live_profile(
            self.directory, {"pairs": PAIRS, "cycle_seconds": Decimal(15)}, limits=WIDE, seal_quiet=QUIET,
            order_age_max=timedelta(seconds=25), crash_loop_starts_max=1_000_000,
        )  # fmt: skip
        self.params = DecisionParams(
            BUSY, PAIRS, WIDE, timedelta(minutes=1), self.profile.order_age_max, Ratio(Decimal("0.0024"))
        )

    async def run(self) -> None:
        """Lives that end by a kill, a stop or a halt; then the weather clears and everything must come to rest."""
        use_money_context()
        loop = asyncio.get_running_loop()
        while loop.time() < self.seconds:
            end = self.chance.choice(("kill", "kill in submit", "stop", "halt"))
            self.ends[end] += 1
            await self._live(end, self.chance.uniform(60, 400))
        self.network.weather = Weather()
        await self._live("rest", HEALED_SECONDS)
        self.chronicle.hash.update(repr(self.network.venue.news()).encode())

    def _remember_states(self) -> None:
        self.states |= {state for (state,) in self.store._database.execute("SELECT DISTINCT after FROM order_history")}

    async def _live(self, end: str, seconds: float) -> None:
        self._open()
        killed = asyncio.get_running_loop().create_future()
        self.network.on_kill = lambda: killed.set_result(None)
        self.network.kill_at = self.network.travels + self.chance.randrange(1, 300) if end == "kill" else None
        self.network.kill_in_submit = self.chance.choice((1, 2)) if end == "kill in submit" else 0
        task = asyncio.ensure_future(self.service.run())
        try:
            await asyncio.wait({task, killed}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            if end == "halt":
                await self._halt_and_resume(task)
            if end == "rest":
                await self._come_to_rest()
            if killed.done():
                await self._kill(task)
            else:
                self.network.kill_at, self.network.kill_in_submit = None, 0
                self.service.stop()
                await task
                self._close()
        finally:
            if not task.done():
                task.cancel()

    def _open(self) -> None:
        runtime = Runtime(LoopClock(), LoopSleeper(), self.ids, self.ids.new())
        path = self.profile.common.state_db_path
        identity = ProcessIdentity.of_this_process(Role.LIVE, runtime.instance_id, "TEST", "0", "c0ffee", START)
        self.lock = DatabaseLock.take(path, identity)
        limits = ReservationLimits(
            WIDE.exposure_max, WIDE.order_notional_max, WIDE.open_orders_max, WIDE.open_orders_per_instrument_max
        )
        writer = Writer(Role.LIVE, runtime.instance_id, "c0ffee", "0", "TEST", "0123456789ab")
        self.store = LiveStore.open(path, self.lock, writer, limits, runtime.clock, runtime.ids, self.chronicle)
        if self.is_watched:
            invariants.chain_is_whole(self.store)
        self.wiring = LiveWiring(self.profile, self.params, runtime, self.store, EventLog(self.chronicle))
        self.network.on_wire = self._before_a_submit
        executed = SimExecution(self.network, self.wiring.policy.require_armed)
        execution = ExecutionSet(
            executed,
            SimReader(self.network),  # type: ignore[arg-type]
            SimHints(),  # type: ignore[arg-type]
            _nothing,
            _nothing,
        )
        market = cast("MarketData", SimMarket(self.network))
        self.parts = self.wiring.parts(market, execution, self._after_a_step)
        self.service = RunLoopService(self.parts, self.wiring.readiness)

    def _before_a_submit(self, order: JournaledOrder) -> None:
        invariants.before_a_submit(order, self.store, self.wiring.policy.blocks(), WIDE.exposure_max.number)

    def _after_a_step(self) -> None:
        if self.is_watched:
            invariants.after_a_step(self.store, self.network)

    async def _kill(self, task: "asyncio.Task[None]") -> None:
        """The files stay as they are at this moment: what the dying task still tries to write is refused."""
        path = self.profile.common.state_db_path
        files = {file: file.read_bytes() for file in (path, path.with_name(f"{path.name}-wal"))}
        self.store._database.close()
        for file, content in files.items():
            file.write_bytes(content)
            file.chmod(0o600)
        self.lock.release()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def _close(self) -> None:
        self._after_a_step()
        self._remember_states()
        self.store.close()
        self.lock.release()

    async def _halt_and_resume(self, task: "asyncio.Task[None]") -> None:
        write_halt_file(self.directory, "the operator saw something")
        sent = len(self.network.wire)
        await asyncio.wait({task}, timeout=60)
        assert len(self.network.wire) == sent, "S8: a submit left after the halt"
        assert self.store.halt() is not None
        for _ in range(200):
            answer = await self._resume()
            if answer.ok:
                return
            await asyncio.sleep(10)
            if task.done():
                task.result()
        raise AssertionError(f"still not to be resumed: {answer.message}")

    async def _resume(self) -> ControlAnswer:
        unasked = cast("Any", None)  # a resume neither flattens nor assigns
        desk = ControlDesk(
            self.store, self.parts.book, self.wiring.halting, self.service.reconcile, self.service.wake,
            self.chronicle, unasked, unasked,
        )  # fmt: skip
        return await desk.answer(ControlRequest(self.ids.new(), "resume", {"reason": "looked at it"}))

    async def _come_to_rest(self) -> None:
        """S12: once faults stop, every intent is settled within the quiet time and two polls; the books are exact."""
        assert not any(order.is_unresolved for order in self.parts.book.unfinished()), "S12: an intent is unresolved"
        write_halt_file(self.directory, "the end of the story")  # a halt takes everything off the book
        await asyncio.sleep(120)
        assert not self.parts.book.unfinished(), "S12: an order is still at work"
        assert self.network.pending == 0
        invariants.ledger_is_exact(self.store, self.network)


async def _nothing() -> None:
    return


def lived(directory: Path, seed: int, seconds: float, *, is_watched: bool = True) -> Lives:
    """One seed on a loop of its own."""
    directory.mkdir(mode=0o700, parents=True)
    loop = looptime.new_event_loop(start=0.0, noop_cycles=2)
    try:
        lives = Lives(directory, seed, seconds, is_watched)
        loop.run_until_complete(lives.run())
        return lives
    finally:
        loop.close()
