"""A strategy over recorded candles: the decision core of live, an in-memory journal, and a plain model of fills.

The model: when a candle closes, the book has one level on each side, at the close plus and minus half a spread, with
the candle's volume in it. An order takes from it at once what its price allows, pays the taker's fee, and the rest of
it is gone. It knows no queue, no latency and no other traders, so it flatters: what it finds is worth a rehearsal on
the local exchange, never money.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Candle, Level, MarketSnapshot, MarketView
from btcbot.domain.money import ZERO, Amount, Quantity, Ratio
from btcbot.domain.orders.evidence import Accepted, Evidence, Fill, Seen, Traded, VenueOrder, VenueStatus
from btcbot.domain.orders.intents import ApprovedOrderIntent, Side
from btcbot.domain.orders.journaling import ReservationLimits, ReservationRefused
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.state import (
    BalancesSeen,
    FillBooked,
    Halted,
    LedgerOpened,
    OrderChanged,
    SubmitMade,
    TradingState,
)
from btcbot.research.journal import MemoryJournal
from btcbot.services.decision import DecisionParams, DecisionState, decide
from btcbot.simulation.fees import charge

DEPLOYMENT = "BACKTEST"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FillModel:
    half_spread_ratio: Ratio
    taker_ratio: Ratio  # tax included


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What came of it, losses shown as plainly as gains."""

    candles: int
    orders: int
    refused: int  # intents that the gate or the journal turned away
    fills: tuple[Fill, ...]
    capital: Amount
    equity: tuple[tuple[datetime, Decimal], ...]  # after each step
    drawdown_ratio_max: Decimal
    halt_reason: str | None

    @property
    def pnl(self) -> Amount:
        """After fees and tax, what is still held valued at the last mark."""
        last = self.equity[-1][1] if self.equity else self.capital.number
        return Amount(last, self.capital.asset) - self.capital

    @property
    def fees(self) -> Amount:
        return Amount(sum((fill.fee + fill.tax for fill in self.fills), start=ZERO), self.capital.asset)


def run_backtest(
    candles_by_pair: Mapping[str, Sequence[Candle]],
    instruments: Mapping[str, Instrument],
    params: DecisionParams,
    capital: Amount,
    model: FillModel,
) -> BacktestReport:
    """One run over all candles, each decided on at the moment it closed. The same input gives the same report."""
    run = _Run(instruments, params, capital, model)
    for now, closed in _closings(candles_by_pair, params.candle_interval):
        run.step(now, closed)
    return run.report()


@dataclass(slots=True)
class _SteppedClock:
    """Time as the recording has it; ids that count."""

    moment: datetime = _EPOCH
    ids: int = 0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - _EPOCH).total_seconds()

    def new(self) -> str:
        self.ids += 1
        return f"{self.ids:032x}"


@dataclass(slots=True)
class _Run:
    instruments: Mapping[str, Instrument]
    params: DecisionParams
    capital: Amount
    model: FillModel
    clock: _SteppedClock = field(default_factory=_SteppedClock)
    journal: MemoryJournal = field(init=False)
    state: DecisionState = field(init=False)
    latest: dict[str, Candle] = field(default_factory=dict)
    equity: list[tuple[datetime, Decimal]] = field(default_factory=list)
    drawdown_ratio_max: Decimal = ZERO
    candles: int = 0
    orders: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        limits = self.params.limits
        reservable = ReservationLimits(
            limits.exposure_max,
            limits.order_notional_max,
            limits.open_orders_max,
            limits.open_orders_per_instrument_max,
        )
        self.journal = MemoryJournal(reservable, DEPLOYMENT, self.clock, self.clock)
        self.state = DecisionState.at(TradingState(limits.currency)).after(
            LedgerOpened(self.capital.of(limits.currency))
        )
        self._see_balances()

    def step(self, now: datetime, closed: Mapping[str, Candle]) -> None:
        """What one live cycle does, with the model in the exchange's place."""
        self.clock.moment = now
        self.latest.update(closed)
        self.candles += len(closed)
        plan = decide(self.state, self._snapshot(now, closed), self.params, now.isoformat())
        self.state = plan.state
        if plan.halt_reason is not None:
            self.state = self.state.after(Halted(plan.halt_reason))
        self.refused += len(plan.verdicts) - len(plan.approved)
        for approved in plan.approved:
            self._place(approved)
        self.equity.append((now, self.state.trading.equity))
        self.drawdown_ratio_max = max(self.drawdown_ratio_max, self.state.trading.drawdown_ratio)

    def report(self) -> BacktestReport:
        return BacktestReport(
            candles=self.candles,
            orders=self.orders,
            refused=self.refused,
            fills=tuple(self.journal.fills),
            capital=self.capital,
            equity=tuple(self.equity),
            drawdown_ratio_max=self.drawdown_ratio_max,
            halt_reason=self.state.trading.halt_reason,
        )

    def _snapshot(self, now: datetime, closed: Mapping[str, Candle]) -> MarketSnapshot:
        views = {}
        for pair, candle in self.latest.items():
            age = now - candle.opened_at - self.params.candle_interval
            new = (closed[pair],) if pair in closed else ()
            views[pair] = MarketView(self.instruments[pair], self._book(pair), age, new, is_gapped=False)
        return MarketSnapshot(now, views)

    def _book(self, pair: str) -> Book:
        instrument, candle = self.instruments[pair], self.latest[pair]
        bid = instrument.price_down(candle.close * (1 - self.model.half_spread_ratio))
        ask = max(instrument.price_up(candle.close * (1 + self.model.half_spread_ratio)), bid + instrument.price_step)
        offered = instrument.quantity_down(candle.volume)
        return Book((Level(bid, offered),), (Level(ask, offered),)) if offered > 0 else Book((), ())

    def _place(self, approved: ApprovedOrderIntent) -> None:
        try:
            order = self.journal.intent(approved)
        except ReservationRefused:
            self.refused += 1
            return
        self._apply(OrderChanged(self.journal.get(order.order_id)))
        order = self.journal.sending(order)
        self.orders += 1
        self._apply(SubmitMade(self.clock.now()))
        for evidence in self._answers(order):
            self._learn(order.order_id, evidence)
        self._see_balances()

    def _answers(self, order: JournaledOrder) -> Iterator[Evidence]:
        """What the exchange would say: yes, the trade, and that the order is closed."""
        book = self._book(order.pair)
        best = (book.asks if order.side is Side.BUY else book.bids)[0]
        takes = best.price <= order.price if order.side is Side.BUY else best.price >= order.price
        taken = min(best.quantity, order.quantity) if takes else ZERO
        instrument, number = self.instruments[order.pair], self.orders
        yield Accepted(number, self.clock.now())
        if taken > 0:
            cost = charge(best.price * taken, self.model.taker_ratio)
            yield Traded(
                (
                    Fill(
                        trade_id=number, exchange_order_id=number, client_order_id=order.client_order_id,
                        pair=order.pair, side=order.side, price=instrument.price_down(best.price),
                        quantity=Quantity(taken), fee=cost.fee, tax=cost.tax, time_exchange=self.clock.now(),
                    ),
                )
            )  # fmt: skip
        left = order.quantity - taken
        status = VenueStatus.CLOSED if left == 0 else VenueStatus.CANCELED
        yield Seen(
            VenueOrder(
                number, order.client_order_id, order.pair, order.side, order.price, order.quantity, left, status,
                is_listed_open=False, time_exchange=self.clock.now(),
            )
        )  # fmt: skip

    def _learn(self, order_id: str, evidence: Evidence) -> None:
        booked = len(self.journal.fills)
        order = self.journal.record(order_id, evidence)
        for fill in self.journal.fills[booked:]:
            self._apply(FillBooked(fill))
        self._apply(OrderChanged(order))

    def _see_balances(self) -> None:
        trading = self.state.trading
        flows = (instrument.cash_flow for instrument in trading.instruments.values())
        self._apply(BalancesSeen({trading.currency: trading.capital + sum(flows, start=ZERO)}))

    def _apply(self, event: OrderChanged | SubmitMade | FillBooked | BalancesSeen) -> None:
        self.state = self.state.after(event)


def _closings(
    candles_by_pair: Mapping[str, Sequence[Candle]], interval: timedelta
) -> Iterator[tuple[datetime, Mapping[str, Candle]]]:
    """Each moment at which candles closed, with those candles."""
    closings: dict[datetime, dict[str, Candle]] = {}
    for pair in sorted(candles_by_pair):
        for candle in candles_by_pair[pair]:
            closings.setdefault(candle.opened_at + interval, {})[pair] = candle
    yield from sorted(closings.items())
