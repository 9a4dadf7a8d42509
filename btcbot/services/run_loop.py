"""The live worker's heart: one cycle after another (design, section 4), each ending in one commit.

Before the first cycle the loop must have reached the exchange, measured its clock, taken over the orders of the process
before and reconciled. Until then, and whenever the exchange does not answer, nothing is submitted; the loop says so and
waits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from btcbot.domain.errors import (
    BtcbotError,
    ConfigurationError,
    ExchangeUnreachable,
    FenceLost,
    KeyInDoubt,
    KeyRefused,
    OwnershipError,
    ReadFailed,
    UnsafeState,
)
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind
from btcbot.domain.instruments import Instrument
from btcbot.domain.market import MarketSnapshot
from btcbot.domain.money import ZERO, Asset, plain
from btcbot.domain.orders.intents import ApprovedOrderIntent, Purpose
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import LiveProfile, OnShutdown
from btcbot.domain.state import (
    BalancesSeen,
    Halted,
    HaltLifted,
    LedgerOpened,
    PauseSet,
    SubmitMade,
)
from btcbot.execution.hints import AccountHints
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.market_data.market import MarketData
from btcbot.observability.logs import current_cycle
from btcbot.persistence.sqlite.errors import DatabaseBlocked
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.unit_of_work import CycleRecord, UnitOfWork
from btcbot.services.breakers import breakers_of
from btcbot.services.decision import CyclePlan, DecisionParams, decide, warm_up
from btcbot.services.event_log import EventLog
from btcbot.services.exit_patience import ExitPatience
from btcbot.services.floors import keep_floors
from btcbot.services.halting import Halting
from btcbot.services.live_feed import Vitals
from btcbot.services.off_record import OffRecordCancels
from btcbot.services.order_desk import OrderDesk
from btcbot.services.reconciliation import Findings, Reconciler
from btcbot.services.running import run_beside
from btcbot.services.runtime import Runtime
from btcbot.services.trading_book import TradingBook

SWEPT = "swept"  # the cursors' name: up to when a pair's orders and trades have been read
WAIT_SECONDS = 2.0  # between tries to reach the exchange, scaled like every timer
DEFECTS_IN_A_ROW_MAX = 3
BLOCKED_CYCLES_MAX = 60  # cycles without records, one after the other; then a person is needed
TAKE_OVER_READINGS_MAX = 10
OFFSET_EVERY = timedelta(minutes=5)
# All of a shutdown fits the supervisor's patience (45 s) with some air: what is under way, then the cancels.
SHUTDOWN_READING_SECONDS = 2.0
SHUTDOWN_SUBMIT_SECONDS_MAX = 15.0
SHUTDOWN_CANCEL_SECONDS = 20.0
SHUTDOWN_PROOF_SECONDS = 1.0
UNTENDED_AGAIN_SECONDS = 5.0
UNTENDED_MAX = timedelta(seconds=30)  # how long orders of the process before may rest while we cannot begin


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What the loop works with; built by `live_wiring`."""

    profile: LiveProfile
    runtime: Runtime
    store: LiveStore
    book: TradingBook
    market: MarketData
    reconciler: Reconciler
    desk: OrderDesk
    off_record: OffRecordCancels
    halting: Halting
    policy: TradingArmedPolicy
    hints: AccountHints
    params: DecisionParams
    vitals: Vitals
    notify_feed: Callable[[], None]
    events: EventLog  # the observer of all parts, which keeps what belongs on record


class ClockOffset(ExchangeUnreachable):
    """Our clock and the exchange's are too far apart to sign requests safely (reliability I7)."""

    next_step = "synchronise this machine's clock (NTP); trading goes on by itself once the offset is small"

    def __init__(self, offset: timedelta, offset_max: timedelta) -> None:
        super().__init__(
            f"the clock is {offset.total_seconds():+.3f} s off the exchange's, limit {offset_max.total_seconds()} s"
        )


def require_one_currency(instruments: Mapping[str, Instrument], currency: Asset) -> None:
    """Limits are amounts of one currency: every pair must be quoted in it."""
    others = sorted(pair for pair, instrument in instruments.items() if instrument.quote != currency)
    if others:
        raise ConfigurationError(f"BTCBOT_PAIRS has {', '.join(others)}, not quoted in BTCBOT_RISK_CURRENCY {currency}")


class Readiness:
    """Why nothing may be submitted although nothing is halted; the policy asks it before every submit."""

    def __init__(self) -> None:
        self.waits_for: str | None = "the first reconciliation"


class RunLoopService:
    """Cycles until it is told to stop. One coroutine owns the trading state; a resume reconciles in between."""

    def __init__(self, parts: LiveParts, readiness: Readiness) -> None:
        self._parts = parts
        self._readiness = readiness
        self._book = parts.book
        self._store = parts.store
        self._observer = parts.events
        self._stopping = asyncio.Event()
        self._under_way: set[asyncio.Timeout] = set()  # what a stop leaves a bounded time
        self._is_proving = False
        self._patience = ExitPatience(parts.runtime.clock, parts.events)
        self._woken = asyncio.Event()
        self._is_stop_crossed = False
        self._was_urgent = False
        self._one_at_a_time = asyncio.Lock()
        self._reconciled_at: datetime | None = None  # nothing: a full pass is due
        self._is_taken_over = False
        self._offset_at: datetime | None = None
        self._is_mismatched = False
        self._cycles = 0
        self._defects = 0
        self._blocked = 0  # cycles in a row whose records could not be written

    def stop(self) -> None:
        """No new sends from now on; the cycle under way ends or is abandoned in time, then `run` returns."""
        self._readiness.waits_for = "nothing: the worker is stopping"
        self._stopping.set()
        self._woken.set()
        for scope in (scope for scope in self._under_way if scope.when() is None):  # a second signal gives no more time
            scope.reschedule(asyncio.get_running_loop().time() + self._stop_patience())

    def wake(self) -> None:
        """Begin the next cycle early: a halt, a control command, an own fill."""
        self._woken.set()

    def protect(self) -> None:
        """A stop was crossed: decide at once on what is known, and ask the exchange about orders afterwards."""
        self._is_stop_crossed = True
        self._woken.set()

    async def run(self) -> None:
        """Wait for the exchange, take over, then cycle. Raises only what a restart or a person must settle."""
        try:
            await run_beside(self._get_ready(), (self._tend(),))
            while not self._stopping.is_set():
                began = self._parts.runtime.clock.monotonic()
                async with self._abandoned_at_stop("a cycle"):
                    await self._guarded_cycle()
                await self._sleep(float(self._parts.profile.common.cycle_seconds), began)
            await self._shut_down()
        except (UnsafeState, OwnershipError) as failure:  # the records take no more: cancels go out all the same
            self._readiness.waits_for = f"nothing: {failure}"
            self._observer.observed(Event.RECORDS_BLOCKED, detail=str(failure))
            await self._parts.off_record.cancel_entries(self._parts.profile.common.pairs, str(failure))
            raise

    async def reconcile(self) -> tuple[str, ...]:
        """For a resume: a full pass between cycles; what it returns stands in the way."""
        if not self._is_taken_over:
            return (self._readiness.waits_for or "the first reconciliation is not done",)
        open_points: tuple[str, ...] = ("the worker is stopping",)
        async with self._abandoned_at_stop("a reconciliation"), self._one_at_a_time:
            open_points = (await self.compared()).open_points
        return open_points  # noqa: RET504 - what is abandoned at a stop returns from here as well

    @asynccontextmanager
    async def exclusively(self) -> AsyncIterator[None]:
        """No cycle begins or goes on inside; a stop ends what is done there. `UnsafeState` before the first cycle."""
        if not self._is_taken_over:
            raise UnsafeState(f"live is not ready: it waits for {self._readiness.waits_for}")
        if self._stopping.is_set():
            raise UnsafeState("the worker is stopping")
        async with self._abandoned_at_stop("an operator's command"), self._one_at_a_time:
            yield

    async def compared(self) -> Findings:
        """A full pass, and a second one where the first found something; inside `exclusively`."""
        findings = await self._reconcile()
        return await self._reconcile() if findings.open_points else findings

    @contextmanager
    def journaling(self, cycle_id: str, snapshot: MarketSnapshot) -> Iterator[None]:
        """Orders of an operator's command, under a name and a snapshot of their own. There is no cycle to record."""
        unit = self._store.unit_of_work(cycle_id, self._parts.runtime.clock.now())
        unit.add_snapshot(snapshot)
        try:
            yield
        finally:
            unit.rollback()

    async def took_off_the_book(self, reason: str) -> bool:
        """Cancel everything that rests, and look; whether nothing is at work any more. Inside `exclusively`."""
        await self._parts.desk.call_back(self._book.state.trading.working(), reason, self._parts.runtime.clock.now())
        await self._parts.reconciler.follow()
        self._report_vitals("cycling")
        return not self._book.state.trading.orders

    @asynccontextmanager
    async def _abandoned_at_stop(self, what: str) -> AsyncIterator[None]:
        """What is under way when a stop comes gets a bounded time to end, and is then left as it is."""
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._under_way.add(scope)
                if self._stopping.is_set():
                    scope.reschedule(asyncio.get_running_loop().time() + self._stop_patience())
                yield
        except TimeoutError:
            if not scope.expired():
                raise
            self._abort("abandoned", f"{what} was under way at the stop and did not end in time")
        finally:
            self._under_way.discard(scope)

    def _stop_patience(self) -> float:
        """An answer to an order is worth waiting for; one to a question is not."""
        if not self._parts.desk.is_sending:
            return SHUTDOWN_READING_SECONDS
        return min(self._parts.profile.submit_timeout.total_seconds(), SHUTDOWN_SUBMIT_SECONDS_MAX)

    async def _get_ready(self) -> None:
        told = ""
        while not self._stopping.is_set():
            self._parts.hints.clear()  # or what was heard while waiting would end every wait from here on
            try:
                async with self._abandoned_at_stop("the start"):
                    await self.take_over()
            except (ExchangeUnreachable, ReadFailed) as error:
                self._readiness.waits_for = f"the exchange: {error}"
                if str(error) != told:
                    told = str(error)
                    self._observer.observed(Event.EXCHANGE_UNREACHABLE, detail=told, waits_seconds=WAIT_SECONDS)
                self._report_vitals("waiting")
                await self._sleep(WAIT_SECONDS, self._parts.runtime.clock.monotonic())
            except (BtcbotError, MemoryError, RecursionError):
                raise
            except Exception as defect:  # noqa: BLE001 - what rests is called back whatever a start stumbles over
                self._readiness.waits_for = f"a start without a defect ({type(defect).__name__})"
                await self._caught(defect)
                self._report_vitals("waiting")
                await self._sleep(WAIT_SECONDS, self._parts.runtime.clock.monotonic())
            else:
                if self._is_taken_over:
                    self._observer.observed(Event.EXCHANGE_REACHED)
                return

    async def _caught(self, defect: Exception) -> None:
        """Tell a mistake of ours; one that repeats itself halts, and a halt takes everything off the book."""
        self._defects += 1
        self._abort("defect", f"{type(defect).__name__}: {defect}")
        self._observer.observed(Event.DEFECT_CAUGHT, error=defect, in_a_row=self._defects)
        if self._defects >= DEFECTS_IN_A_ROW_MAX:
            self._halt(f"{self._defects} cycles in a row ended in a defect ({type(defect).__name__})", "breaker")
        if self._parts.halting.reason() is not None:
            await self._call_back("trading is halted")

    async def _tend(self) -> None:
        """Beside a start that takes long: nothing of the process before rests for longer than a moment."""
        await self._parts.runtime.sleeper.sleep(UNTENDED_MAX.total_seconds())
        while True:
            await self._call_back("the worker cannot begin")
            await self._parts.runtime.sleeper.sleep(UNTENDED_AGAIN_SECONDS)

    async def _call_back(self, reason: str) -> None:
        """Cancels that depend on no decision. Whatever goes wrong with them is told, and tried again."""
        try:
            await self._parts.desk.call_back(
                self._book.state.trading.working(), reason, self._parts.runtime.clock.now()
            )
        except DatabaseBlocked as blocked:
            await self._go_on_without_records(blocked)
        except (FenceLost, UnsafeState, MemoryError, RecursionError):
            raise
        except Exception as defect:  # noqa: BLE001 - a defect here must not keep the next cycle from trying again
            self._observer.observed(Event.DEFECT_CAUGHT, error=defect, in_a_row=self._defects)

    async def take_over(self) -> None:
        """Everything that has to be true before the first submit. May be called again after a failure.

        Raises `ExchangeUnreachable` or `ReadFailed` where the exchange does not answer, and `ConfigurationError`.
        """
        parts = self._parts
        await parts.market.start()
        require_one_currency(parts.market.instruments, parts.profile.limits.currency)
        await self._measure_offset()
        parts.reconciler.take_over()
        await self._open_books()
        for _ in range(TAKE_OVER_READINGS_MAX):
            findings = await self._reconcile()
            if not self._is_mismatched or findings.halt_reason is not None:
                break
            await parts.runtime.sleeper.sleep(WAIT_SECONDS)
        warm = {pair: await parts.market.backfill(pair, candles) for pair, candles in parts.params.history.items()}
        self._book.state = warm_up(self._book.state, warm, parts.params)
        self._observer.observed(Event.WARM_UP_COMPLETED, candles={pair: len(candles) for pair, candles in warm.items()})
        self._is_taken_over = True

    async def _open_books(self) -> None:
        """First start: what the account holds now is the ledger's opening. It is shown, and left alone."""
        if self._store.ledger_opened_at() is not None:
            return
        balances = await self._parts.reconciler.balances()
        self._store.open_ledger(balances)
        self._observer.observed(
            Event.ACCOUNT_OPENED, held={balance.asset: plain(balance.total) for balance in balances if balance.total},
            note="coins and orders that were there before are left alone; `btcbot assign` makes coins usable",
        )  # fmt: skip
        currency = self._parts.profile.limits.currency
        capital = sum((balance.total for balance in balances if balance.asset == currency), start=ZERO)
        self._book.take(LedgerOpened(capital))

    async def _guarded_cycle(self) -> None:
        """One cycle; what goes wrong in it aborts it, is counted, and halts when it repeats."""
        cycle_id = self._parts.runtime.ids.new()
        started_at = self._parts.runtime.clock.now()
        current_cycle.set(cycle_id)
        async with self._one_at_a_time:
            unit = self._store.unit_of_work(cycle_id, started_at)
            try:
                await self._cycle(cycle_id, unit)
                self._store.checkpoint()
            except DatabaseBlocked as blocked:
                unit.rollback()
                await self._go_on_without_records(blocked)
            except (FenceLost, UnsafeState, OwnershipError, MemoryError, RecursionError, asyncio.CancelledError):
                unit.rollback()  # without memory or without end nothing can be trusted: the process ends with it
                raise
            except Exception as defect:  # noqa: BLE001 - a defect must not end in a half-done cycle or a silent loop
                unit.rollback()
                await self._caught(defect)
            else:
                self._defects = 0
            finally:
                current_cycle.set(None)
                self._parts.notify_feed()
                self._report_vitals("cycling")

    async def _go_on_without_records(self, blocked: DatabaseBlocked) -> None:
        """A full disk or a busy file may pass: nothing is sent meanwhile, entries are canceled, and it is tried again.

        Raises it where it does not pass.
        """
        self._blocked += 1
        self._reconciled_at = None
        self._readiness.waits_for = f"records that can be written: {blocked}"
        self._observer.observed(Event.RECORDS_BLOCKED, detail=str(blocked), in_a_row=self._blocked)
        if self._blocked >= BLOCKED_CYCLES_MAX or self._stopping.is_set():
            raise blocked
        await self._parts.off_record.cancel_entries(self._parts.profile.common.pairs, str(blocked))
        self._parts.hints.clear()  # or what was heard meanwhile would leave no pause before the next try

    def _take_records_up_again(self) -> None:
        """The first thing to be written after that: what became of orders under way is not known, and trading halts."""
        parts = self._parts
        parts.reconciler.take_over()
        self._halt(
            f"records could not be written for {self._blocked} cycles; {parts.off_record.asked} cancels left meanwhile "
            "and are not in them", "records",
        )  # fmt: skip
        self._observer.observed(Event.RECORDS_UNBLOCKED, cycles=self._blocked, cancels=parts.off_record.asked)
        self._blocked = parts.off_record.asked = 0

    async def _cycle(self, cycle_id: str, unit: UnitOfWork) -> None:
        parts = self._parts
        self._store.require_fence()
        if self._blocked:
            self._take_records_up_again()
        is_urgent = self._is_stop_crossed and not self._was_urgent and self._readiness.waits_for is None
        self._is_stop_crossed, self._was_urgent = False, is_urgent
        if not is_urgent:  # never twice in a row: what the exchange has to say waits for one cycle at most
            await self._ask_exchange(unit)
        self._observe_control()
        snapshot = parts.market.snapshot(self._book.state.candles_seen)
        plan = decide(self._book.state, snapshot, parts.params, cycle_id)
        self._book.decided(plan, parts.params)
        parts.market.watch(plan.stops, self.protect)
        unit.add_snapshot(snapshot)
        self._note(unit, plan)
        if plan.halt_reason is not None:
            self._halt(plan.halt_reason, "breaker")
        if plan.pause_reason is not None and not self._store.is_paused():
            self._pause(plan.pause_reason)
        await parts.desk.cancel_all([(self._book.get(wish.order_id), wish.reason) for wish in plan.cancels])
        self._prove_halted()
        sent = await self._send(plan.approved, snapshot.taken_at)
        self._finish(unit, snapshot, plan, sent)
        events = self._parts.events.kept()
        for event, detail in events:
            unit.add_event(event, detail)
        keep_floors(self._store, unit, self._book.state.trading)
        unit.add_decision(self._book.tape.record())
        unit.add_event(Event.BREAKERS_RECORDED, breakers_of(self._book.state.trading, snapshot.taken_at))
        unit.commit()
        self._book.tape.committed()
        self._parts.events.forget(len(events))
        self._cycles += 1
        self._observer.observed(
            Event.CYCLE_COMPLETED, signals=len(plan.signals), orders_sent=sent,
            working=len(self._book.state.trading.orders), equity=self._book.state.trading.equity,
            day_pnl=self._book.state.trading.day_pnl,
        )  # fmt: skip

    def _prove_halted(self) -> None:
        """Say once that a halt has taken everything off the book, as the exchange's own listings have it."""
        trading = self._book.state.trading
        if trading.halt_reason is None:
            self._is_proving = False
        elif trading.orders:
            self._is_proving = True
        elif self._is_proving:
            self._is_proving = False
            self._observer.observed(Event.CANCELS_PROVEN, reason=trading.halt_reason)

    async def _send(self, approved: tuple[ApprovedOrderIntent, ...], decided_at: datetime) -> int:
        sent = 0
        for intent in approved:
            if self._stopping.is_set() or self._parts.halting.reason() is not None or self._readiness.waits_for:
                break
            if self._is_held_back(intent):
                continue
            order = await self._parts.desk.place(intent, decided_at)
            if order is None:
                continue
            self._patience.learn(order)
            if order.state is not OrderState.NOT_SENT:
                sent += 1
                self._book.take(SubmitMade(order.created_at))
        return sent

    def _is_held_back(self, approved: ApprovedOrderIntent) -> bool:
        """A pause stops entries. A refused exit is tried again later, and its pair is not bought more of meanwhile."""
        pair = approved.intent.pair
        if approved.intent.purpose is Purpose.EXIT:
            return self._patience.holds_back(pair)
        if self._book.state.trading.instrument(pair).position <= 0:
            self._patience.forget(pair)
        return self._store.is_paused() or self._patience.is_refused(pair)

    async def _ask_exchange(self, unit: UnitOfWork) -> None:
        """What the exchange has to say. Without an answer nothing is submitted, but deciding and canceling go on."""
        try:
            await self._look_after_orders(unit)
        except KeyRefused as refusal:
            # Nothing private is sent any more, cancels included: only a person can mend a key.
            self._wait_for_answer(refusal)
            self._halt(str(refusal), "exchange")
        except (ExchangeUnreachable, ReadFailed) as error:
            self._wait_for_answer(error)
            if isinstance(error, KeyInDoubt):
                await self._call_back("the key may soon not be let in any more")
        for alarm in self._parts.reconciler.alarms():
            self._halt(alarm, "reconciliation")

    def _wait_for_answer(self, error: BtcbotError) -> None:
        self._reconciled_at = None
        self._readiness.waits_for = f"an answer of the exchange: {error}"
        self._observer.observed(Event.RECONCILIATION_FAILED, detail=str(error))

    async def _look_after_orders(self, unit: UnitOfWork) -> None:
        """Drain what the exchange has to say of our orders; the full comparison when it is due."""
        parts = self._parts
        now = parts.runtime.clock.now()
        parts.hints.clear()  # before anything that may fail: a hint that stays heard would leave no pause
        if self._offset_at is None or now - self._offset_at >= OFFSET_EVERY:
            await self._measure_offset()
        is_due = self._reconciled_at is None or now - self._reconciled_at >= parts.profile.reconcile_every
        if is_due or self._is_mismatched:
            findings = await self._reconcile()
            unit.add_balances(findings.balances)
            for pair, until in parts.reconciler.swept_until().items():
                unit.set_cursor(f"{SWEPT}/{pair}", until.isoformat())
        elif await parts.reconciler.watch():
            unit.add_balances((await self._reconcile()).balances)

    async def _reconcile(self) -> Findings:
        findings = await self._parts.reconciler.reconcile()
        self._is_mismatched = findings.is_mismatched
        self._reconciled_at = self._parts.runtime.clock.now()
        self._book.take(BalancesSeen({balance.asset: balance.available for balance in findings.balances}))
        if findings.halt_reason is not None:
            self._halt(findings.halt_reason, "reconciliation")
        if not self._stopping.is_set():
            self._readiness.waits_for = "ledger and balances to agree" if self._is_mismatched else None
        return findings

    async def _measure_offset(self) -> None:
        """The clock guard (reliability I7): beyond the limit nothing is sent, and the loop says so."""
        common = self._parts.profile.common
        measured = await self._parts.market.measure_offset()
        self._offset_at = self._parts.runtime.clock.now()
        fields = {
            "offset_seconds": measured.offset.total_seconds(),
            "round_trip_seconds": measured.round_trip.total_seconds(),
        }
        if abs(measured.offset) <= common.clock_offset_max:
            self._observer.observed(Event.CLOCK_OFFSET_MEASURED, **fields)
            return
        self._offset_at = None
        self._observer.observed(Event.CLOCK_OFFSET_EXCEEDED, **fields)
        raise ClockOffset(measured.offset, common.clock_offset_max)

    def _observe_control(self) -> None:
        """Bring latch and pause, which others may have changed, into the state that decides."""
        reason = self._parts.halting.reason()
        trading = self._book.state.trading
        if reason is not None and trading.halt_reason is None:
            self._book.take(Halted(reason))
            self._observer.observed(Event.HALTED, reason=reason)
        elif reason is None and trading.halt_reason is not None:
            self._book.take(HaltLifted())
        if self._store.is_paused() != trading.is_paused:
            self._book.take(PauseSet(self._store.is_paused()))

    def _halt(self, reason: str, by: str) -> None:
        self._parts.halting.latch(reason, by)
        self._book.take(Halted(reason))

    def _pause(self, reason: str) -> None:
        """No new entries until a person resumes; exits and cancels go on."""
        self._store.set_paused(True, "breaker", reason)
        self._book.take(PauseSet(True))
        self._observer.observed(Event.PAUSED, reason=reason, by="breaker")

    def _note(self, unit: UnitOfWork, plan: CyclePlan) -> None:
        """Signals, verdicts and notes of the plan, for the record and for the log."""
        for signal in plan.signals:
            unit.add_signal(signal)
            self._observer.observed(
                Event.SIGNAL_RAISED, pair=signal.pair, direction=str(signal.direction), reason=signal.reason
            )
        for failure in plan.failures:
            self._observer.observed(
                Event.STRATEGY_FAILED, pair=failure.pair, detail=failure.error, in_a_row=failure.in_a_row
            )
        for verdict in plan.verdicts:
            intent = verdict.intent
            reasons = () if isinstance(verdict, ApprovedOrderIntent) else verdict.named_reasons()
            unit.add_verdict(intent.decision_id, intent.pair, str(intent.side), not reasons, reasons)
            if reasons:
                self._observer.observed(
                    Event.INTENT_REFUSED, decision_id=intent.decision_id, pair=intent.pair, side=str(intent.side),
                    reasons=[f"{name}: {numbers}" for name, numbers in reasons],
                )  # fmt: skip

    def _finish(self, unit: UnitOfWork, snapshot: MarketSnapshot, plan: CyclePlan, sent: int) -> None:
        trading = self._book.state.trading
        assert trading.day is not None, "deciding turns the day first"
        now = self._parts.runtime.clock.now()
        unit.add_feed(
            FeedKind.CYCLE,
            {
                "cycle_id": unit.cycle_id, "signals": len(plan.signals), "approved": len(plan.approved),
                "refused": len(plan.verdicts) - len(plan.approved), "sent": sent, "notes": list(plan.notes),
            },
        )  # fmt: skip
        unit.finish(
            CycleRecord(
                outcome="completed", snapshot_id=snapshot.snapshot_id, equity=trading.equity,
                equity_peak=trading.equity_peak, day_pnl=trading.day_pnl, day=trading.day,
                day_opening_pnl=trading.day_opening_pnl, orders_sent=sent, halted=trading.halt_reason is not None,
                paused=trading.is_paused, ended_at=now,
            )
        )  # fmt: skip

    def _abort(self, kind: str, detail: str) -> None:
        self._observer.observed(Event.CYCLE_FAILED, kind=kind, detail=detail)

    def _report_vitals(self, phase: str) -> None:
        parts = self._parts
        trading = self._book.state.trading
        parts.vitals.figures = {
            "phase": phase, "cycles": self._cycles, "cycle_seconds": str(parts.profile.common.cycle_seconds),
            "cycled_at": parts.runtime.clock.now().isoformat(), "halt_reason": parts.halting.reason(),
            "paused": trading.is_paused, "armed": not parts.policy.blocks(), "blocks": list(parts.policy.blocks()),
            "unresolved": sum(order.is_unresolved for order in trading.orders.values()),
            "working": len(trading.orders), "equity": str(trading.equity), "day_pnl": str(trading.day_pnl),
            "chain_head": list(self._store.chain_head()), "exits_refused": self._patience.told(),
            "market_age_seconds": {pair: age.total_seconds() for pair, age in parts.market.ages().items()},
        }  # fmt: skip

    async def _sleep(self, seconds: float, began: float) -> None:
        """What is left of the period; no catch-up bursts. A halt, a control command or an own fill wakes early."""
        left = seconds - (self._parts.runtime.clock.monotonic() - began)
        hinted = asyncio.ensure_future(self._parts.hints.wait())
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({hinted, woken}, timeout=max(left, 0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hinted.cancel()
            woken.cancel()
            self._woken.clear()

    async def _shut_down(self) -> None:
        """Cancel what should not outlive us and prove it gone, within a bound; the next start reconciles the rest."""
        if self._parts.profile.on_shutdown is not OnShutdown.CANCEL:
            return
        try:
            async with asyncio.timeout(SHUTDOWN_CANCEL_SECONDS), self._one_at_a_time:
                while self._entries_at_work():
                    await self._cancel_and_look()
        except TimeoutError:
            labels = [order.client_order_id for order in self._entries_at_work()]
            self._observer.observed(Event.ORDERS_LEFT_OPEN, client_order_ids=labels)

    def _entries_at_work(self) -> list[OrderRecord]:
        return [order for order in self._book.state.trading.working() if order.purpose is Purpose.ENTRY]

    async def _cancel_and_look(self) -> None:
        desk, clock = self._parts.desk, self._parts.runtime.clock
        await desk.call_back(self._entries_at_work(), "shutdown", clock.now())
        await self._parts.runtime.sleeper.sleep(SHUTDOWN_PROOF_SECONDS)
        try:
            await self._parts.reconciler.follow()
        except (ExchangeUnreachable, ReadFailed) as error:
            self._observer.observed(Event.RECONCILIATION_FAILED, detail=str(error))
