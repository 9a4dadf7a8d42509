"""The pure core: what the market and our own state make of each other in one cycle (design, section 4).

`decide` takes the market in, lets the breakers speak, asks the strategy, sizes, and puts every intent before the gate,
each as if those approved before it were already working. Exits go first, so that none waits behind an entry; within
each kind the pairs come in a fixed order. The same state, snapshot and parameters give the same plan: live, sandbox,
simulation, replay and backtest call this and nothing else.

What it does not do it explains: a refusal with its reasons, or a note.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

from btcbot.domain.market import Candle, MarketSnapshot, MarketView
from btcbot.domain.money import Price, Ratio, plain
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.signals import Direction, Signal
from btcbot.domain.state import (
    DayTurned,
    MarkSeen,
    StateEvent,
    TradingState,
    VolatilityPaused,
    apply,
)
from btcbot.risk import reasons
from btcbot.risk.gate import Refused, assess, market_reasons
from btcbot.risk.reasons import Reason
from btcbot.risk.rules import day_loss, drawdown, price_has_not_jumped
from btcbot.risk.sizing import Quote, entry_quote, exit_quote, is_dust
from btcbot.risk.view import RiskView
from btcbot.strategy.strategy import IndicatorState, Strategy

SIGNAL_INTERVALS_MAX = 2  # a signal to enter is acted on for so many candle intervals after its candle closed
SILENT_AGES_MAX = 3  # a market silent for so many times its allowed age takes our resting orders off the book
CANCEL_AGAIN_AFTER = timedelta(seconds=15)  # a cancel without effect is repeated: it is idempotent

_UNPRICEABLE = (
    reasons.MarketMissing, reasons.BookSideEmpty, reasons.BookMalformed, reasons.BookCrossed, reasons.RuleFailed,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class DecisionState:
    """All that one decision carries to the next. The journal rebuilds `trading`, a backfill the rest."""

    trading: TradingState
    indicators: Mapping[str, IndicatorState]
    candles_seen: Mapping[str, datetime]  # when the last candle taken in opened
    suspects: Mapping[str, Decimal]  # a jumped mid that the next reading must confirm

    @classmethod
    def at(cls, trading: TradingState) -> "DecisionState":
        """Before the first candle."""
        return cls(trading, {}, {}, {})

    def after(self, event: StateEvent) -> "DecisionState":
        return replace(self, trading=apply(self.trading, event))


@dataclass(frozen=True, slots=True)
class DecisionParams:
    strategy: Strategy
    pairs: tuple[str, ...]
    limits: RiskLimits
    candle_interval: timedelta
    order_age_max: timedelta
    fee_ratio: Ratio  # the worst published taker rate, tax included: until our own fills have shown another


@dataclass(frozen=True, slots=True)
class CancelWish:
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class CyclePlan:
    """What one decision came to. `state` has taken the market in; none of the approved intents is in it yet."""

    state: DecisionState
    signals: tuple[Signal, ...]  # of every pair that took in a new candle
    verdicts: tuple[ApprovedOrderIntent | Refused, ...]  # in the order in which they were judged
    cancels: tuple[CancelWish, ...]
    notes: tuple[str, ...]  # why something was done that no signal explains, or was not done
    halt_reason: str | None  # a breaker tripped: to be latched before anything is sent
    stops: Mapping[str, Decimal]  # not crossed yet, by pair: a bid at or below it asks for a decision at once

    @property
    def approved(self) -> tuple[ApprovedOrderIntent, ...]:
        return tuple(verdict for verdict in self.verdicts if isinstance(verdict, ApprovedOrderIntent))


def warm_up(
    state: DecisionState, candles_by_pair: Mapping[str, Sequence[Candle]], params: DecisionParams
) -> DecisionState:
    """Bring the indicators up to date with closed candles, oldest first, before the first decision."""
    for pair in sorted(candles_by_pair):
        state, _ = _with_candles(state, pair, candles_by_pair[pair], params)
    return state


def decide(state: DecisionState, snapshot: MarketSnapshot, params: DecisionParams, cycle_id: str) -> CyclePlan:
    """One decision. Pure and total: bad data gives refusals and notes, never an exception."""
    return _Deciding(state, snapshot, params, cycle_id).plan()


def judged(
    plan: CyclePlan, snapshot: MarketSnapshot, params: DecisionParams, cycle_id: str
) -> Iterator[tuple[ApprovedOrderIntent | Refused, RiskView]]:
    """Each verdict of a plan with what the gate saw when it gave it: for whoever explains a decision."""
    deciding = _Deciding(plan.state, snapshot, params, cycle_id)
    return deciding.judged(plan.verdicts)


class _Deciding:
    """One decision under way: what has been taken in, found and judged so far. Lives as long as one call."""

    def __init__(self, state: DecisionState, snapshot: MarketSnapshot, params: DecisionParams, cycle_id: str) -> None:
        self._state = state
        self._snapshot = snapshot
        self._params = params
        self._cycle_id = cycle_id
        self._now = snapshot.taken_at
        self._pairs = tuple(sorted(params.pairs))
        self._ordinals = {pair: count() for pair in self._pairs}
        self._notes: list[str] = []
        self._verdicts: list[ApprovedOrderIntent | Refused] = []

    def plan(self) -> CyclePlan:
        stepped = tuple(pair for pair in self._pairs if self._take_candles(pair))
        for pair in self._pairs:
            self._take_mark(pair)
        self._turn_day()
        state = self._state
        breach = day_loss(state.trading, self._params.limits) or drawdown(state.trading, self._params.limits)
        halt_reason = str(breach) if breach is not None and not self._has_unvalued_positions() else None
        halted_by = state.trading.halt_reason or halt_reason
        signals = {pair: self._signal(pair) for pair in self._pairs}
        stops = self._stops()
        crossed = {pair for pair, level in stops.items() if self._is_crossed(pair, level)}
        directions = {pair: Direction.SELL if pair in crossed else signals[pair].direction for pair in self._pairs}
        self._judge_all(signals, directions, halted_by)
        cancels = tuple(self._cancels(directions, halted_by))
        return CyclePlan(
            state=state,
            signals=tuple(signals[pair] for pair in stepped),
            verdicts=tuple(self._verdicts),
            cancels=cancels,
            notes=tuple(self._notes),
            halt_reason=None if state.trading.halt_reason is not None else halt_reason,
            stops={pair: level for pair, level in stops.items() if pair not in crossed},
        )

    # --------------------------------------------------------------------------------------------- taking the market in

    def _take_candles(self, pair: str) -> bool:
        """Step the indicators over what closed since; whether there was anything."""
        market = self._snapshot.views.get(pair)
        if market is None:
            return False
        before = self._state.candles_seen.get(pair)
        closed = tuple(c for c in market.new_candles if c.opened_at + self._params.candle_interval <= self._now)
        if len(closed) < len(market.new_candles):
            self._note(pair, f"{len(market.new_candles) - len(closed)} candles have not closed yet by our clock")
        self._state, notes = _with_candles(self._state, pair, closed, self._params)
        for note in notes:
            self._note(pair, note)
        return self._state.candles_seen.get(pair) != before

    def _take_mark(self, pair: str) -> None:
        """Value the instrument by this reading, if it is fit, and confirmed where it jumped."""
        view = self._view(pair)
        if unfit := market_reasons(view):
            self._note(pair, f"no mark taken: {'; '.join(map(str, unfit))}")
            return
        mid = view.mid
        assert mid is not None, "a fit book has both sides"
        jump = price_has_not_jumped(view)
        suspect = self._state.suspects.get(pair)
        ratio_max = self._params.limits.jump_ratio_max
        if jump is not None and (suspect is None or abs(mid - suspect) > suspect * ratio_max):
            self._note(pair, f"no mark taken: {jump}")
            self._state = replace(self._state, suspects={**self._state.suspects, pair: mid})
            return
        if suspect is not None:
            others = {other: value for other, value in self._state.suspects.items() if other != pair}
            self._state = replace(self._state, suspects=others)
        self._state = self._state.after(MarkSeen(pair, mid, self._now, self._params.limits.volatility_window))
        self._pause_if_volatile(pair)

    def _pause_if_volatile(self, pair: str) -> None:
        limits = self._params.limits
        marks = [mark for _, mark in self._state.trading.instrument(pair).marks]
        low, high = min(marks), max(marks)
        if high - low > low * limits.volatility_ratio_max:
            until = self._now + limits.volatility_pause
            moved = f"{plain(low)} to {plain(high)} within the window"
            self._note(pair, f"entries pause until {until.isoformat()}: {moved}")
            self._state = self._state.after(VolatilityPaused(pair, until))

    def _turn_day(self) -> None:
        """Open the trading day in its zone. A later day waits until what is held has been valued by a fit reading."""
        trading = self._state.trading
        today = self._now.astimezone(ZoneInfo(self._params.limits.trading_day_zone)).date()
        if trading.day is None or (today > trading.day and not self._has_unvalued_positions()):
            self._state = self._state.after(DayTurned(today, trading.pnl))

    def _has_unvalued_positions(self) -> bool:
        return any(True for _ in self._view(self._pairs[0]).unvalued()) if self._pairs else False

    # ---------------------------------------------------------------------------------------------------- orders wanted

    def _signal(self, pair: str) -> Signal:
        strategy = self._params.strategy
        indicators = self._state.indicators.get(pair, strategy.initial())
        if not strategy.is_warm(indicators):
            self._note(pair, f"warming up, {indicators.candles} of {strategy.warm_up} candles")
        return strategy.signal(pair, indicators)

    def _stops(self) -> Mapping[str, Decimal]:
        """The price at which each position is left, whatever the signals say."""
        stop_loss = self._params.strategy.stop_loss
        if stop_loss is None:
            return {}
        levels = {pair: stop_loss.level(self._state.trading.instrument(pair)) for pair in self._pairs}
        return {pair: level for pair, level in levels.items() if level is not None}

    def _is_crossed(self, pair: str, level: Decimal) -> bool:
        market = self._snapshot.views.get(pair)
        if market is None or not market.book.bids or market.book.bids[0].price > level:
            return False
        self._note(pair, f"the bid {plain(market.book.bids[0].price)} is not above the stop {plain(level)}")
        return True

    def _judge_all(
        self, signals: Mapping[str, Signal], directions: Mapping[str, Direction], halted_by: str | None
    ) -> None:
        """Exits, then entries; the state that each is judged by holds what was approved before it."""
        trading = self._state.trading
        for wanted in (Direction.SELL, Direction.BUY):
            for pair in self._pairs:
                if directions[pair] is not wanted:
                    continue
                view = self._view(pair, trading)
                intent = self._exit(view) if wanted is Direction.SELL else self._entry(view, signals[pair])
                if intent is None:
                    continue
                if halted_by is not None:
                    self._note(pair, f"{intent.side} not tried, trading is halted: {halted_by}")
                    continue
                verdict = assess(intent, view)
                self._verdicts.append(verdict)
                if isinstance(verdict, ApprovedOrderIntent):
                    trading = view.after(verdict).state

    def judged(
        self, verdicts: Sequence[ApprovedOrderIntent | Refused]
    ) -> Iterator[tuple[ApprovedOrderIntent | Refused, RiskView]]:
        """The views of `_judge_all`, once the verdicts are known."""
        trading = self._state.trading
        for verdict in verdicts:
            view = self._view(verdict.intent.pair, trading)
            yield verdict, view
            if isinstance(verdict, ApprovedOrderIntent):
                trading = view.after(verdict).state

    def _exit(self, view: RiskView) -> Intent | None:
        if view.instrument_state.position <= 0:
            return None
        market = self._priceable(view, Side.SELL)
        if market is None:
            return None
        sellable = view.sellable(market.instrument.base)
        if is_dust(market.instrument, sellable, market.book.bids[0].price):
            self._note(view.pair, f"sell not tried, {plain(sellable)} is dust or already promised to a working exit")
            return None
        quote = exit_quote(view, market)
        if quote is None:
            self._note(view.pair, "sell not tried, no bid within the collar")
            return None
        return self._intent(market, Side.SELL, Purpose.EXIT, quote)

    def _entry(self, view: RiskView, signal: Signal) -> Intent | None:
        pair, strategy = view.pair, self._params.strategy
        age = self._now - self._state.candles_seen[pair] - self._params.candle_interval
        if age >= SIGNAL_INTERVALS_MAX * self._params.candle_interval:
            self._note(pair, f"buy not tried, its candle closed {age} ago")
            return None
        market = self._priceable(view, Side.BUY)
        if market is None or signal.notional is None:
            return None
        if not strategy.adds_to_position:
            if not is_dust(market.instrument, view.instrument_state.position, market.book.bids[0].price):
                self._note(pair, f"buy not tried, {plain(view.instrument_state.position)} is held already")
                return None
            if any(order.side is Side.BUY for order in view.state.working(pair)):
                self._note(pair, "buy not tried, one is working already")
                return None
        quote = entry_quote(view, market, signal.notional)
        if quote is None:
            self._note(pair, "buy not tried, no ask within the collar or no room within the caps")
            return None
        return self._intent(market, Side.BUY, Purpose.ENTRY, quote)

    def _priceable(self, view: RiskView, side: Side) -> MarketView | None:
        """The market, if its book can be priced by at all; whether it may be traded on is the gate's to say."""
        blocking = [str(reason) for reason in market_reasons(view) if isinstance(reason, _UNPRICEABLE)]
        if blocking or view.market is None:
            self._note(view.pair, f"{side} not tried: {'; '.join(blocking)}")
            return None
        return view.market

    def _intent(self, market: MarketView, side: Side, purpose: Purpose, quote: Quote) -> Intent:
        mid = market.book.mid
        assert mid is not None, "a book that was priced has both sides"
        pair = market.instrument.pair
        return Intent(
            decision_id=f"{self._cycle_id}/{pair}/{next(self._ordinals[pair])}",
            instrument=market.instrument,
            side=side,
            purpose=purpose,
            quantity=quote.quantity,
            price=quote.price,
            reference_price=Price(mid),
        )

    # --------------------------------------------------------------------------------------------------------- cancels

    def _cancels(self, directions: Mapping[str, Direction], halted_by: str | None) -> Iterator[CancelWish]:
        """Each order at most once, with the gravest reason. Whether a cancel worked is read, never assumed."""
        for order in self._state.trading.working():
            reason = self._why_cancel(order, directions.get(order.pair), halted_by)
            if reason is not None:
                yield CancelWish(order.order_id, reason)

    def _why_cancel(self, order: OrderRecord, direction: Direction | None, halted_by: str | None) -> str | None:
        if order.state is OrderState.CANCELING:
            waited = self._now - order.changed_at
            return f"no effect of the last cancel in {waited}" if waited >= CANCEL_AGAIN_AFTER else None
        if order.state not in (OrderState.OPEN, OrderState.PARTIAL):
            return None
        if halted_by is not None:
            return "trading is halted"
        if order.side is Side.BUY and direction is Direction.SELL:
            return "the strategy wants out"
        market = self._snapshot.views.get(order.pair)
        if market is None or market.book_age > SILENT_AGES_MAX * self._params.limits.market_age_max:
            return "the market is silent"
        age = self._now - order.created_at
        return f"resting for {age}" if age > self._params.order_age_max else None

    # --------------------------------------------------------------------------------------------------------- helpers

    def _view(self, pair: str, trading: TradingState | None = None) -> RiskView:
        return RiskView(
            pair=pair,
            market=self._market(pair),
            state=self._state.trading if trading is None else trading,
            limits=self._params.limits,
            now=self._now,
            fee_ratio=self._state.trading.fees.planning_ratio(self._params.fee_ratio),
        )

    def _market(self, pair: str) -> MarketView | None:
        """The market by the grid that the exchange was found to hold prices to."""
        market = self._snapshot.views.get(pair)
        if market is None or pair not in self._state.trading.ticked:
            return market
        return replace(market, instrument=market.instrument.on_ticks())

    def _note(self, pair: str, text: str) -> None:
        self._notes.append(f"{pair}: {text}")


def _with_candles(
    state: DecisionState, pair: str, candles: Sequence[Candle], params: DecisionParams
) -> tuple[DecisionState, tuple[str, ...]]:
    """The indicators after these candles. One that is older than the last, repeated or malformed changes nothing."""
    strategy = params.strategy
    indicators = state.indicators.get(pair, strategy.initial())
    seen = state.candles_seen.get(pair)
    notes: list[str] = []
    for candle in candles:
        if seen is not None and candle.opened_at <= seen:
            continue
        if seen is not None and candle.opened_at - seen > params.candle_interval:
            notes.append(f"no candles between {seen.isoformat()} and {candle.opened_at.isoformat()}")
        seen = candle.opened_at
        defect = _defect_of(candle)
        if defect is None:
            indicators = strategy.step(indicators, candle)
        else:
            notes.append(f"the candle of {seen.isoformat()} was left out: {defect}")
    if seen is None:
        return state, ()
    return (
        replace(
            state,
            indicators={**state.indicators, pair: indicators},
            candles_seen={**state.candles_seen, pair: seen},
        ),
        tuple(notes),
    )


def _defect_of(candle: Candle) -> Reason | None:
    """Why a candle cannot be one."""
    numbers = (candle.open, candle.high, candle.low, candle.close)
    if not all(number.is_finite() and number > 0 for number in numbers):
        return reasons.CandleMalformed("a price is not a positive number")
    if not (candle.volume.is_finite() and candle.volume >= 0):
        return reasons.CandleMalformed("its volume is not a number from zero up")
    if candle.high < max(numbers) or candle.low > min(numbers):
        return reasons.CandleMalformed("its high or low is inside its body")
    return None
