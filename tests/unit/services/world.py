"""A live worker's surroundings under the test's hand: settings, time, a store on a file, a scripted exchange."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ReadFailed
from btcbot.domain.ledger import LedgerEntry
from btcbot.domain.money import Asset, Ratio, amount
from btcbot.domain.orders.evidence import Answer, CancelReceipt, CancelTurnedDown, Fill, Silent, VenueOrder
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.profiles import (
    ClockProfile,
    CommonProfile,
    Credentials,
    Endpoints,
    LiveProfile,
    OnShutdown,
    RiskLimits,
    Role,
    Sealing,
    StrategyChoice,
)
from btcbot.domain.secrets import Secret
from btcbot.domain.state import TradingState
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.services.decision import DecisionState
from btcbot.services.trading_book import TradingBook
from tests.unit.persistence.world import Clock, Witness, live_store

TRY, BTC = Asset("TRY"), Asset("BTC")
PAIR = "BTCTRY"
HOST = "127.0.0.1:18080"

LIMITS = RiskLimits(
    currency=TRY,
    order_notional_max=amount("5000 TRY"),
    order_quantities_max=(amount("0.02 BTC"), amount("0.5 ETH")),
    position_notional_max=amount("20000 TRY"),
    exposure_max=amount("10000 TRY"),
    day_loss_max=amount("2000 TRY"),
    drawdown_ratio_max=Ratio(Decimal("0.10")),
    collar_ratio_max=Ratio(Decimal("0.02")),
    spread_ratio_max=Ratio(Decimal("0.02")),
    jump_ratio_max=Ratio(Decimal("0.05")),
    entries_per_hour_max=12,
    entries_per_day_max=100,
    entry_cooldown=timedelta(seconds=60),
    volatility_ratio_max=Ratio(Decimal("0.05")),
    volatility_window=timedelta(seconds=60),
    volatility_pause=timedelta(minutes=15),
    open_orders_per_instrument_max=3,
    open_orders_max=4,
    submits_per_minute_max=30,
    submits_per_second_max=2,
    market_age_max=timedelta(seconds=10),
    book_still_max=timedelta(minutes=5),
    trading_day_zone="Europe/Istanbul",
)


def common_profile(directory: Path, **changes: object) -> CommonProfile:
    """Armed settings on the local exchange."""
    profile = CommonProfile(
        role=Role.LIVE, state_db_path=directory / "live.db", peer_state_db_path=directory / "monitor.db",
        run_dir=directory, deployment_id="TEST",
        endpoints=Endpoints(f"http://{HOST}", "http://127.0.0.1:18081", "ws://127.0.0.1:18082", is_loopback=True),
        credentials=Credentials(Secret("key"), Secret("c2VjcmV0")), pairs=(PAIR,), candle_interval=timedelta(minutes=1),
        cycle_seconds=Decimal(5), clock=ClockProfile(Decimal(1), None), market_age_max=timedelta(seconds=10),
        clock_offset_max=timedelta(seconds=2.5), live_trading=True, safe_mode=False, kill_switch=False,
        log_level="INFO", metrics_port=None, config_hash="c0ffee",
    )  # fmt: skip
    return replace(profile, **changes)  # type: ignore[arg-type]


def live_profile(directory: Path, common: dict[str, object] | None = None, **changes: object) -> LiveProfile:
    profile = LiveProfile(
        common=common_profile(directory, **(common or {})), acknowledged_host=HOST,
        strategy=StrategyChoice("ema_cross", ()), limits=LIMITS, order_age_max=timedelta(seconds=60),
        submit_timeout=timedelta(seconds=15), sealing=Sealing.AUTOMATIC, seal_quiet=timedelta(minutes=15),
        on_shutdown=OnShutdown.CANCEL, crash_loop_starts_max=5, crash_loop_window=timedelta(minutes=10),
        reconcile_every=timedelta(seconds=60),
    )  # fmt: skip
    return replace(profile, **changes)  # type: ignore[arg-type]


class HandClock(Clock):
    """Moves a little at each look, and as far as it is told."""

    def passes(self, seconds: float) -> None:
        self.elapsed += timedelta(seconds=seconds)


@dataclass
class Desk:
    """An open store with the one holder of its state, watched."""

    store: LiveStore
    book: TradingBook
    clock: HandClock
    witness: Witness


@contextmanager
def opened(path: Path, clock: HandClock | None = None) -> Iterator[Desk]:
    clock = clock or HandClock()
    with live_store(path, clock=clock) as store:
        witness = Witness()
        yield Desk(store, TradingBook(store.journal, DecisionState.at(TradingState(TRY)), witness), clock, witness)


def history_of(store: LiveStore, order_id: str) -> list[str]:
    """Every state that an order was in, in order, as the database tells it."""
    rows = store._database.execute("SELECT after FROM order_history WHERE order_id = ? ORDER BY id", (order_id,))
    return [state for (state,) in rows]


UNSAID, RECEIPT = Silent("nobody said what to answer"), CancelReceipt()


@dataclass
class ScriptedExecution:
    """Does what the test says, and counts what was asked of it."""

    answer: Answer | BaseException | Callable[[JournaledOrder], Answer] = UNSAID
    receipt: CancelReceipt | CancelTurnedDown | Silent | BaseException = RECEIPT
    submits: list[JournaledOrder] = field(default_factory=list)
    cancels: list[int] = field(default_factory=list)

    async def submit(self, order: JournaledOrder) -> Answer:
        self.submits.append(order)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer(order) if callable(self.answer) else self.answer

    async def cancel(self, exchange_order_id: int, pair: str) -> CancelReceipt | CancelTurnedDown | Silent:
        self.cancels.append(exchange_order_id)
        if isinstance(self.receipt, BaseException):
            raise self.receipt
        return self.receipt


@dataclass
class ScriptedReader:
    """Three listings and the balances, as the exchange would give them; `failing` names what does not answer."""

    listed: list[VenueOrder] = field(default_factory=list)  # in openOrders
    past: list[VenueOrder] = field(default_factory=list)  # in allOrders
    trades: list[Fill] = field(default_factory=list)
    by_order: list[Fill] | None = None  # what the lookup by order shows; the same as `trades` unless told
    held: list[Balance] = field(default_factory=list)
    moved: list[LedgerEntry] = field(default_factory=list)  # deposits and withdrawals
    failing: str = ""
    reads: list[str] = field(default_factory=list)

    async def open_orders(self, pair: str) -> tuple[VenueOrder, ...]:
        self._read("open_orders")
        return tuple(order for order in self.listed if order.pair == pair)

    async def orders_since(self, pair: str, since: datetime) -> tuple[VenueOrder, ...]:
        self._read("orders_since")
        return tuple(order for order in self.past if order.pair == pair)

    async def order(self, exchange_order_id: int, pair: str) -> VenueOrder | None:
        self._read("order")
        return next((o for o in (*self.past, *self.listed) if o.exchange_order_id == exchange_order_id), None)

    async def fills(self, pair: str, since: datetime, until: datetime) -> tuple[Fill, ...]:
        self._read("fills")
        return tuple(fill for fill in self.trades if fill.pair == pair and since <= fill.time_exchange <= until)

    async def fills_of(self, exchange_order_id: int) -> tuple[Fill, ...]:
        self._read("fills_of")
        rows = self.trades if self.by_order is None else self.by_order
        return tuple(fill for fill in rows if fill.exchange_order_id == exchange_order_id)

    async def balances(self) -> tuple[Balance, ...]:
        self._read("balances")
        return tuple(self.held)

    async def transfers(self, since: datetime) -> tuple[LedgerEntry, ...]:
        self._read("transfers")
        return tuple(self.moved)

    def holds(self, *texts: str) -> None:
        """`holds("100000 TRY", "0.001 BTC 0.0005")`: total, asset, and what of it is held."""
        self.held = []
        for text in texts:
            total, asset, *held = text.split()
            bound = Decimal(held[0]) if held else Decimal(0)
            self.held.append(Balance(Asset(asset), Decimal(total), Decimal(total) - bound, bound))

    def _read(self, what: str) -> None:
        self.reads.append(what)
        if what == self.failing:
            raise ReadFailed(f"{what} gave something else")
