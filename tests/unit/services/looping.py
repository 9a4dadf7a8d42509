"""A run loop in virtual time over a real store, with a market and an exchange that do what the test says."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Candle, Level, MarketSnapshot, MarketView
from btcbot.domain.money import ZERO, Ratio, amount
from btcbot.domain.orders.evidence import Accepted, Answer, CancelReceipt, Fill, VenueOrder, VenueStatus
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.exchange.venue_clock import ClockOffset
from btcbot.execution.wiring import ExecutionSet
from btcbot.market_data.market import MarketData
from btcbot.market_data.watch import LevelWatch
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.services.decision import DecisionParams
from btcbot.services.event_log import EventLog
from btcbot.services.live_wiring import LiveWiring
from btcbot.services.run_loop import LiveParts, RunLoopService
from btcbot.services.runtime import LoopSleeper, Runtime
from btcbot.strategy.language import CLOSE
from btcbot.strategy.protection import PositionRules, StopLoss
from btcbot.strategy.strategy import Strategy
from tests.unit.persistence.world import START, Clock, CountedIds, Witness, instrument, live_store
from tests.unit.services.world import LIMITS, PAIR, ScriptedExecution, ScriptedReader, live_profile

MINUTE = timedelta(minutes=1)
BUYS = Strategy("buys", CLOSE > 0.0, CLOSE < 0.0, amount("1000 TRY"), False, ())
GUARDED = replace(BUYS, name="guarded", rules=PositionRules(stop_loss=StopLoss(Ratio(Decimal("0.01")))))
HOLDS = Strategy("holds", CLOSE < 0.0, CLOSE < 0.0, amount("1000 TRY"), False, ())


class LoopClock(Clock):
    """Virtual time, with the little step at each look that keeps moments apart."""

    def now(self) -> datetime:
        self.elapsed += timedelta(microseconds=1)
        return START + timedelta(seconds=self.monotonic()) + self.elapsed

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class FakeMarket:
    """One pair around 3,000,000 with a candle each minute."""

    clock: LoopClock
    offset: timedelta = timedelta(0)
    on_start: Callable[[], None] = lambda: None
    on_snapshot: Callable[[], None] = lambda: None
    starts: int = 0
    instruments: Mapping[str, Instrument] = field(default_factory=lambda: {PAIR: instrument()})
    bid: int = 2_999_900
    levels: LevelWatch = field(default_factory=LevelWatch)

    @property
    def last_offset(self) -> ClockOffset:
        return ClockOffset(self.offset, timedelta(0))

    async def start(self) -> None:
        self.starts += 1
        self.on_start()

    async def measure_offset(self) -> ClockOffset:
        return self.last_offset

    async def backfill(self, pair: str, count: int) -> tuple[Candle, ...]:
        newest = self._newest()
        return tuple(_candle(newest - place * MINUTE) for place in reversed(range(count)))

    def snapshot(self, candles_after: Mapping[str, datetime]) -> MarketSnapshot:
        self.on_snapshot()
        newest, after = self._newest(), candles_after.get(PAIR)
        candles = () if after is not None and newest <= after else (_candle(newest),)
        book = Book((Level(Decimal(self.bid), Decimal(1)),), (Level(Decimal(self.bid + 200), Decimal(1)),))
        view = MarketView(instrument(), book, timedelta(0), candles, is_gapped=False)
        return MarketSnapshot(self.clock.now(), {PAIR: view})

    def watch(self, levels: Mapping[str, Decimal], crossed: Callable[[], None]) -> None:
        self.levels.watch(levels, crossed)

    def falls_to(self, bid: int) -> None:
        self.bid = bid
        self.levels.see(PAIR, Decimal(bid))

    def ages(self) -> Mapping[str, timedelta]:
        return {PAIR: timedelta(0)}

    def _newest(self) -> datetime:
        """When the last closed candle opened."""
        minutes = (self.clock.now() - START) // MINUTE
        return START + (minutes - 1) * MINUTE


class Hints:
    def __init__(self) -> None:
        self.heard = asyncio.Event()

    async def wait(self) -> None:
        await self.heard.wait()

    def clear(self) -> None:
        self.heard.clear()


class Exchange(ScriptedReader):
    """Rests what it accepts and cancels what it is asked to."""

    execution: ScriptedExecution

    def accept(self, order: JournaledOrder) -> Answer:
        number = 100 + len(self.execution.submits)
        self.listed.append(
            VenueOrder(
                number, order.client_order_id, order.pair, order.side, order.price, order.quantity, order.quantity,
                VenueStatus.UNTOUCHED, True, START,
            )
        )  # fmt: skip
        return Accepted(number, START)

    def fill_all(self) -> None:
        """Everything that rests is bought at its price, without a fee."""
        for number, order in enumerate(self.listed, start=1):
            self.trades.append(
                Fill(
                    number, order.exchange_order_id, order.client_order_id, order.pair, order.side, order.price,
                    order.quantity, ZERO, ZERO, order.time_exchange or START,
                )
            )  # fmt: skip
            self.past.append(replace(order, left=ZERO, status=VenueStatus.CLOSED, is_listed_open=False))
            paid = order.price * order.quantity
            self.holds(f"{100_000 - paid} TRY", f"{order.quantity} BTC")
        self.listed.clear()

    async def cancel(self, exchange_order_id: int, pair: str) -> CancelReceipt:
        self.execution.cancels.append(exchange_order_id)
        for order in [order for order in self.listed if order.exchange_order_id == exchange_order_id]:
            self.listed.remove(order)
            self.past.append(
                VenueOrder(
                    order.exchange_order_id, order.client_order_id, order.pair, Side.BUY, order.price, order.quantity,
                    order.left, VenueStatus.CANCELED, False, START,
                )
            )  # fmt: skip
        return CancelReceipt()


@dataclass
class Worker:
    store: LiveStore
    wiring: LiveWiring
    service: RunLoopService
    parts: LiveParts
    market: FakeMarket
    exchange: Exchange
    execution: ScriptedExecution
    hints: Hints
    witness: Witness
    run_dir: Path

    async def runs(self, seconds: float) -> "asyncio.Task[None]":
        """Start it and let it run so long."""
        task = asyncio.ensure_future(self.service.run())
        await asyncio.wait({task}, timeout=seconds)
        return task

    async def stops(self, task: "asyncio.Task[None]") -> None:
        self.service.stop()
        await task

    def cycles(self) -> int:
        return self.store.counts()["cycles"]


@contextmanager
def worker(directory: Path, strategy: Strategy = HOLDS) -> Iterator[Worker]:
    """Call it where a loop runs: the service's events belong to it."""
    clock, witness = LoopClock(), Witness()
    profile = live_profile(directory)
    params = DecisionParams(strategy, (PAIR,), LIMITS, MINUTE, profile.order_age_max, Ratio(Decimal("0.0024")))
    with live_store(directory / "live.db", clock=clock) as store:
        wiring = LiveWiring(
            profile, params, Runtime(clock, LoopSleeper(), CountedIds(), "instance-1"), store, EventLog(witness)
        )
        market, exchange, execution, hints = FakeMarket(clock), Exchange(), ScriptedExecution(), Hints()
        exchange.execution = execution
        exchange.holds("100000 TRY")
        execution.answer = exchange.accept
        execution.cancel = exchange.cancel  # type: ignore[method-assign]

        async def aclose() -> None:
            return

        parts = wiring.parts(
            cast("MarketData", market), ExecutionSet(execution, exchange, hints, aclose, aclose), lambda: None  # type: ignore[arg-type]
        )  # fmt: skip
        service = RunLoopService(parts, wiring.readiness)
        yield Worker(store, wiring, service, parts, market, exchange, execution, hints, witness, directory)


def _candle(opened_at: datetime) -> Candle:
    price = Decimal(3_000_000)
    return Candle(opened_at, price, price, price, price, Decimal(1))
