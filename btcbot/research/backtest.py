"""A strategy over recorded candles: the decision core of live, the local exchange's matching, an in-memory journal.

Nothing is decided here that live decides otherwise (guarantee G7): `decide` is asked, its intents are journaled, sent
to the simulated venue and followed by what the venue says of them, and everything learnt goes through `apply`. What is
different is the market: `candle_market` says what is made of a candle.

When it decides:
- whenever a candle closes, and at both extremes of each candle;
- when the bid comes down to a stop, and a second after a fill, as a live worker is woken;
- when prices come to a rung of a take-profit ladder, or to where a position is added to;
- when a resting order has become too old, and once when the recording has a hole.

What it decides arrives at the venue `LATENCY` later: an order that a closed candle asked for meets the next one.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.errors import BtcbotError, ExitCode
from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Candle, Level, MarketSnapshot, MarketView
from btcbot.domain.money import ZERO, Amount, Price, Quantity, round_ratio
from btcbot.domain.orders.evidence import (
    AbsentOnce,
    Accepted,
    CancelSent,
    CancelTurnedDown,
    CancelWanted,
    Evidence,
    Fill,
    Seen,
    Traded,
    TurnedDown,
    VenueOrder,
    VenueStatus,
)
from btcbot.domain.orders.intents import ApprovedOrderIntent, Side
from btcbot.domain.orders.journaling import ReservationLimits, ReservationRefused
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.signals import Direction
from btcbot.domain.state import (
    BalancesSeen,
    FillBooked,
    Halted,
    LedgerOpened,
    OrderChanged,
    PauseSet,
    StateEvent,
    SubmitMade,
    TradingState,
)
from btcbot.research.candle_market import MS, USUAL_MODEL, CandleMarket, MarketModel, in_ms
from btcbot.research.history import EPOCH, Gap, History
from btcbot.research.journal import MemoryJournal
from btcbot.risk.gate import Refused
from btcbot.services.decision import CyclePlan, DecisionParams, DecisionState, decide, warm_up
from btcbot.simulation.books import Depth
from btcbot.simulation.happenings import Liquidity, Method, OrderCanceled, OrderMatched
from btcbot.simulation.listings import Listing
from btcbot.simulation.orders import OrderRequest, Refusal
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.venue import Venue

DEPLOYMENT = "BACKTEST"
ACCOUNT = 1
LATENCY = timedelta(seconds=1)
CYCLE_MIN = timedelta(seconds=1)  # from one decision to the next, whatever wakes it
SILENT_AFTER = timedelta(minutes=1)  # into a hole of the recording: then the market is silent, and that is decided on


class HistoryTooShort(BtcbotError):
    """The recording ends before anything can be decided."""

    exit_code = ExitCode.USAGE
    next_step = "give a longer recording, or parameters that look back less far"


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill, and whether it was made by waiting."""

    fill: Fill
    is_maker: bool


@dataclass(frozen=True, slots=True)
class Point:
    """What the account was worth at a moment, and how much of it was in the market."""

    at: datetime
    equity: Decimal
    exposure: Decimal


@dataclass(frozen=True, slots=True)
class Halt:
    """A breaker ended the trading; what was held then is valued at its last mark."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class BacktestRun:
    """What happened, unjudged. Amounts in the currency of the capital."""

    strategy: str
    pairs: tuple[str, ...]
    interval: timedelta
    capital: Amount
    starts_at: datetime  # the first decision: warm-up is behind it
    ends_at: datetime
    candles: int  # that were decided on
    warm_up: int
    gaps: Mapping[str, tuple[Gap, ...]]
    executions: tuple[Execution, ...]
    points: tuple[Point, ...]  # one a candle
    first_prices: Mapping[str, Decimal]  # the close that the first decision saw
    closes: Mapping[str, tuple[tuple[datetime, Decimal], ...]]  # of each candle, by its end
    decisions: int
    orders: int
    refusals: Mapping[str, int]  # intents that the gate turned away, by their gravest reason
    halt: Halt | None
    pause: Halt | None = None  # from there on nothing was entered: more was wanted than a day may see


def run_backtest(
    histories: Sequence[History],
    listings: Mapping[str, Listing],
    params: DecisionParams,
    capital: Amount,
    model: MarketModel = USUAL_MODEL,
) -> BacktestRun:
    """One run over all candles. The same input gives the same result.

    A breaker that trips ends the run, as it ends trading live until a person resumes. Raises `HistoryTooShort`.
    """
    run = _Run(histories, listings, params, capital, model)
    run.go()
    return run.told()


@dataclass(slots=True)
class _SteppedClock:
    """Time as the recording has it; ids that count."""

    moment: datetime = EPOCH
    ids: int = 0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return (self.moment - EPOCH).total_seconds()

    def new(self) -> str:
        self.ids += 1
        return f"{self.ids:032x}"


class _Run:
    """One run under way."""

    def __init__(
        self,
        histories: Sequence[History],
        listings: Mapping[str, Listing],
        params: DecisionParams,
        capital: Amount,
        model: MarketModel,
    ) -> None:
        self._histories = {each.pair: each for each in sorted(histories, key=lambda each: each.pair)}
        assert set(self._histories) == set(params.pairs), "each pair has its recording"
        self._params = params
        self._capital = capital
        self._clock = _SteppedClock()
        self._market = CandleMarket(list(self._histories.values()), listings, model)
        self._instruments = {pair: instrument_of(listings[pair]) for pair in self._histories}
        needed = max(params.history.values())
        warm = {pair: each.candles[:needed] for pair, each in self._histories.items()}
        if any(len(each.candles) <= needed + 1 for each in self._histories.values()):
            raise HistoryTooShort(
                f"{params.strategy.name} warms up on {needed} candles, and the shortest recording has "
                f"{min(len(each.candles) for each in self._histories.values())}"
            )
        self._starts_at = max(candles[-1].opened_at + params.candle_interval for candles in warm.values())
        self._closings = dict(_closings(self._histories))
        self._state = DecisionState.at(TradingState(params.limits.currency)).after(
            LedgerOpened(capital.of(params.limits.currency))
        )
        before = {
            pair: [one for one in each.candles if one.opened_at + params.candle_interval <= self._starts_at]
            for pair, each in self._histories.items()
        }
        self._latest = {pair: candles[-1] for pair, candles in before.items()}
        self._first_prices = {pair: candle.close for pair, candle in self._latest.items()}
        self._state = warm_up(self._state, before, params)
        limits = params.limits
        self._journal = MemoryJournal(
            ReservationLimits(
                limits.exposure_max,
                limits.order_notional_max,
                limits.open_orders_max,
                limits.open_orders_per_instrument_max,
            ),
            DEPLOYMENT,
            self._clock,
            self._clock,
        )
        start_ms = in_ms(self._starts_at)
        self._venue = Venue(self._market, VenueRules(), start_ms)
        self._venue.fund(ACCOUNT, limits.currency, capital.of(limits.currency), start_ms)
        self._venue.news()
        self._orders: dict[int, str] = {}  # ours by the venue's number
        self._books: dict[str, tuple[Depth, Book]] = {}  # as they were last shown
        self._stops: Mapping[str, Decimal] = {}
        self._is_buy_wanted = False  # by the last candle that closed
        self._wake_at: datetime | None = None
        self._decided_at = EPOCH
        self._halt: Halt | None = None
        self._pause: Halt | None = None
        self._executions: list[Execution] = []
        self._points: list[Point] = []
        self._refusals: Counter[str] = Counter()
        self._decisions = self._sent = self._candles = 0

    # ------------------------------------------------------------------------------------------------- time

    def go(self) -> None:
        interval = self._params.candle_interval
        self._move(self._starts_at)
        self._see_balances()
        self._decide({}, self._starts_at)
        for ends_at, closed in self._closings.items():
            if ends_at <= self._starts_at:
                continue
            if ends_at - interval > self._clock.moment + SILENT_AFTER and self._halt is None:
                self._decide_at(self._clock.moment + SILENT_AFTER)
            while self._halt is None and (at := self._next_moment(ends_at - interval)) < ends_at:
                self._decide_at(at)
            if self._halt is None:
                self._latest.update(closed)
                self._candles += len(closed)
                self._move(ends_at)
                self._decide(closed, ends_at)
            if self._halt is not None:
                return

    def told(self) -> BacktestRun:
        return BacktestRun(
            strategy=self._params.strategy.name, pairs=tuple(self._histories), interval=self._params.candle_interval,
            capital=self._capital, starts_at=self._starts_at, ends_at=self._points[-1].at, candles=self._candles,
            warm_up=self._params.strategy.warm_up, gaps={pair: each.gaps for pair, each in self._histories.items()},
            executions=tuple(self._executions), points=tuple(self._points), first_prices=self._first_prices,
            closes={
                pair: tuple(
                    (one.opened_at + each.interval, one.close)
                    for one in each.candles
                    if one.opened_at + each.interval > self._starts_at
                )
                for pair, each in self._histories.items()
            },
            decisions=self._decisions, orders=self._sent, refusals=dict(self._refusals),
            halt=self._halt, pause=self._pause,
        )  # fmt: skip

    def _next_moment(self, opened_at: datetime) -> datetime:
        """The next one within a candle that asks for a decision; `datetime.max` when only its end is left."""
        now = self._clock.moment
        earliest = max(now + MS, self._decided_at + CYCLE_MIN)
        if any(self._is_crossed(pair, level) for pair, level in self._stops.items()):
            return earliest
        third = self._params.candle_interval / 3
        moments = [] if self._is_idle() else [opened_at + third, opened_at + 2 * third]
        if self._wake_at is not None:
            moments.append(max(self._wake_at, earliest))
        if self._venue.due_ms is not None:
            moments.append(_moment(self._venue.due_ms))
        reached = [
            self._market.bid_reaches(pair, self._ticks(pair, level)) for pair, level in self._stops.items()
        ]  # fmt: skip
        reached += self._rules_reached()
        for order in self._state.trading.orders.values():
            if order.state in (OrderState.OPEN, OrderState.PARTIAL):
                ticks = self._ticks(order.pair, order.price)
                reached.append(self._market.trades_through(order.pair, ticks, is_buy=order.side is Side.BUY))
                moments.append(order.created_at + self._params.order_age_max + MS)
        moments.extend(_moment(at_ms) for at_ms in reached if at_ms is not None)
        following = [moment for moment in moments if moment > now]
        return max(min(following), earliest) if following else datetime.max.replace(tzinfo=now.tzinfo)

    def _rules_reached(self) -> Iterator[int | None]:
        """When prices come to what the position rules wait for: live looks every few seconds, and acts near there."""
        rules = self._params.strategy.rules
        for pair, held in self._state.trading.instruments.items():
            stay = held.stay
            if not stay.is_open or stay.bought <= 0:
                continue
            for rung in () if rules.take_profit is None else rules.take_profit.rungs:
                level = round_ratio(stay.paid * (1 + rung.gain), stay.bought)
                yield self._market.bid_rises(pair, self._ticks(pair, level) + 1)
            if rules.scale_in is not None and rules.scale_in.step and stay.last_bought_price is not None:
                ticks = self._ticks(pair, stay.last_bought_price * (1 + rules.scale_in.step))
                comes = self._market.ask_falls if rules.scale_in.step < 0 else self._market.bid_rises
                yield comes(pair, ticks)

    def _is_idle(self) -> bool:
        """Nothing held, nothing working, nothing wanted: only the next closed candle can change that."""
        trading = self._state.trading
        return not (
            self._is_buy_wanted or trading.orders or any(each.position for each in trading.instruments.values())
        )

    def _move(self, moment: datetime) -> None:
        """Let the market come to a moment, and hear what that did."""
        self._clock.moment = max(moment, self._clock.moment)
        self._venue.advance(in_ms(self._clock.moment))
        self._hear()

    # ------------------------------------------------------------------------------------------------- one cycle

    def _decide_at(self, moment: datetime) -> None:
        self._move(moment)
        self._decide({}, None)

    def _decide(self, closed: Mapping[str, Candle], ends_at: datetime | None) -> None:
        """What one live cycle does; with the end of a candle, what the account is worth then is kept."""
        now = self._clock.moment
        if self._wake_at is not None and self._wake_at <= now:
            self._wake_at = None
        self._decisions += 1
        self._decided_at = now
        plan = decide(self._state, self._snapshot(closed), self._params, f"{self._decisions}")
        self._state, self._stops = plan.state, plan.stops
        if closed:
            self._is_buy_wanted = any(signal.direction is Direction.BUY for signal in plan.signals)
        if plan.halt_reason is not None:
            self._apply(Halted(plan.halt_reason))
            self._halt = Halt(now, plan.halt_reason)
        if plan.pause_reason is not None and self._pause is None:  # nobody is there to resume
            self._apply(PauseSet(is_paused=True))
            self._pause = Halt(now, plan.pause_reason)
        for verdict in plan.verdicts:
            if isinstance(verdict, Refused):
                self._refusals[verdict.reasons[0].name] += 1
        if ends_at is not None or self._halt is not None:
            self._keep_point(now if ends_at is None else ends_at)
        if self._halt is None and (closed or plan.cancels or plan.approved):
            self._act(plan)

    def _act(self, plan: CyclePlan) -> None:
        """Journal and send, a moment later: the market has moved on by then."""
        self._move(self._clock.moment + LATENCY)
        for wish in plan.cancels:
            self._cancel(self._journal.get(wish.order_id), wish.reason)
        for approved in plan.approved:
            self._place(approved)
        self._see_balances()

    def _place(self, approved: ApprovedOrderIntent) -> None:
        try:
            order = self._journal.intent(approved)
        except ReservationRefused:
            self._refusals["reservation_refused"] += 1
            return
        self._apply(OrderChanged(self._journal.get(order.order_id)))
        order = self._journal.sending(order)
        self._sent += 1
        self._apply(SubmitMade(self._clock.moment))
        request = OrderRequest(order.pair, order.side, Method.LIMIT, order.price, order.quantity, order.client_order_id)
        answer = self._venue.submit(ACCOUNT, request, in_ms(self._clock.moment))
        if isinstance(answer, Refusal):
            self._turned_down(order.order_id, answer)
            return
        self._orders[answer.order_id] = order.order_id
        self._learn(order.order_id, Accepted(answer.order_id, self._clock.moment))
        self._hear()

    def _turned_down(self, order_id: str, refusal: Refusal) -> None:
        """The venue said no. Here its word is proof: there is no wire to lose an answer on."""
        self._refusals[f"venue: {refusal.message}"] += 1
        self._learn(order_id, TurnedDown(refusal.message))
        self._learn(order_id, AbsentOnce(self._clock.moment))

    def _cancel(self, order: OrderRecord, reason: str) -> None:
        if order.is_terminal or order.exchange_order_id is None or order.state is OrderState.CLOSING:
            return
        if order.state is not OrderState.CANCEL_INTENT:
            self._learn(order.order_id, CancelWanted(reason))
        self._learn(order.order_id, CancelSent())
        answer = self._venue.cancel(ACCOUNT, order.exchange_order_id, in_ms(self._clock.moment))
        if isinstance(answer, Refusal):
            self._learn(order.order_id, CancelTurnedDown(answer.message))

    def _hear(self) -> None:
        """What the venue has to say of our orders since we last listened."""
        news = self._venue.news()
        for happening in (each.happening for each in news):
            if isinstance(happening, OrderMatched):
                self._matched(happening)
            if isinstance(happening, OrderMatched | OrderCanceled) and happening.order_id in self._orders:
                self._looked_up(happening.order_id)
        if news:
            self._see_balances()

    def _matched(self, match: OrderMatched) -> None:
        order = self._journal.get(self._orders[match.order_id])
        fill = Fill(
            match.trade_id, match.order_id, order.client_order_id, match.pair, match.side, Price(match.price),
            Quantity(match.quantity), match.fee, match.tax, _moment(match.at_ms),
        )  # fmt: skip
        self._executions.append(Execution(fill, match.liquidity is Liquidity.MAKER))
        self._learn(order.order_id, Traded((fill,)))
        self._wake_at = self._clock.moment + LATENCY

    def _looked_up(self, venue_order_id: int) -> None:
        venue = self._venue.orders[venue_order_id]
        accepted = venue.accepted
        if venue.is_open:
            status = VenueStatus.PARTIAL if venue.filled else VenueStatus.UNTOUCHED
        else:
            status = VenueStatus.CANCELED if venue.is_canceled else VenueStatus.CLOSED
        self._learn(
            self._orders[venue_order_id],
            Seen(
                VenueOrder(
                    accepted.order_id, accepted.client_order_id, accepted.pair, accepted.side, Price(accepted.price),
                    Quantity(accepted.quantity), venue.left, status, venue.is_open, _moment(accepted.at_ms),
                )
            ),
        )  # fmt: skip

    def _learn(self, order_id: str, evidence: Evidence) -> None:
        booked = len(self._journal.fills)
        order = self._journal.record(order_id, evidence)
        for fill in self._journal.fills[booked:]:
            self._apply(FillBooked(fill))
        self._apply(OrderChanged(order))

    # ------------------------------------------------------------------------------------------------- state

    def _see_balances(self) -> None:
        balances = self._venue.accounts[ACCOUNT].balances()
        self._apply(BalancesSeen({asset: balance.available for asset, balance in balances.items()}))

    def _keep_point(self, at: datetime) -> None:
        trading = self._state.trading
        held = (each.position * each.mark for each in trading.instruments.values() if each.mark is not None)
        self._points.append(Point(at, trading.equity, sum(held, start=ZERO)))

    def _apply(self, event: StateEvent) -> None:
        self._state = self._state.after(event)

    # ------------------------------------------------------------------------------------------------- the market

    def _snapshot(self, closed: Mapping[str, Candle]) -> MarketSnapshot:
        now = self._clock.moment
        views = {}
        for pair, latest in self._latest.items():
            is_open = self._market.is_open(pair)
            silent = now - latest.opened_at - self._params.candle_interval
            age = timedelta() if is_open else max(silent, timedelta())
            new = (closed[pair],) if pair in closed else ()
            views[pair] = MarketView(self._instruments[pair], self._book(pair), age, new, is_gapped=False)
        return MarketSnapshot(now, views)

    def _book(self, pair: str) -> Book:
        """What everybody sees, our own resting orders and what we took of it included, as at the exchange."""
        depth, listing = self._venue.shown(pair), self._market.listings[pair]
        known = self._books.get(pair)
        if known is not None and known[0] is depth:
            return known[1]
        bids, asks = (
            tuple(Level(listing.price(ticks), listing.quantity(lots)) for ticks, lots in side.items())
            for side in (depth.bids, depth.asks)
        )
        book = Book(bids, asks)
        self._books[pair] = depth, book
        return book

    def _is_crossed(self, pair: str, level: Decimal) -> bool:
        bid = next(iter(self._venue.shown(pair).bids), None)
        return bid is not None and self._market.listings[pair].price(bid) <= level

    def _ticks(self, pair: str, price: Decimal) -> int:
        return int(price.scaleb(self._market.listings[pair].price_decimals) // 1)


def instrument_of(listing: Listing) -> Instrument:
    """A listing as the decision core sees it."""
    price_step, lot_step = Decimal(1).scaleb(-listing.price_decimals), Decimal(1).scaleb(-listing.lot_decimals)
    return Instrument(
        listing.pair, listing.base, listing.quote, price_step, lot_step, price_step, listing.price_max,
        listing.notional_min, is_trading=True,
    )  # fmt: skip


def _moment(at_ms: int) -> datetime:
    return EPOCH + at_ms * MS


def _closings(histories: Mapping[str, History]) -> Iterator[tuple[datetime, Mapping[str, Candle]]]:
    """Each moment at which candles closed, with those candles."""
    closings: dict[datetime, dict[str, Candle]] = {}
    for pair, history in histories.items():
        for candle in history.candles:
            closings.setdefault(candle.opened_at + history.interval, {})[pair] = candle
    yield from sorted(closings.items())
