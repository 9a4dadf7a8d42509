"""Taking the market in: candles into indicators and signals, a fit reading into marks, floors and the trading day."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from btcbot.domain.market import Candle
from btcbot.domain.money import plain
from btcbot.domain.state import DayTurned, FloorRaised, MarkSeen, VolatilityPaused
from btcbot.risk import reasons
from btcbot.risk.reasons import Reason
from btcbot.risk.rules import price_has_not_jumped
from btcbot.services.deciding.moment import Moment
from btcbot.services.deciding.plan import DecisionParams, DecisionState
from btcbot.strategy.language import NO_OTHERS, CandlesByPair

CANDLES_WAITING_MAX = 1_500  # of one pair that another waits with


def warm_up(
    state: DecisionState, candles_by_pair: Mapping[str, Sequence[Candle]], params: DecisionParams
) -> DecisionState:
    """Bring the indicators up to date with closed candles, oldest first, before the first decision."""
    state = _handed_out(state, candles_by_pair, params)
    for pair in sorted(candles_by_pair):
        state, _ = _with_candles(state, pair, candles_by_pair[pair], params)
    return state


def take_candles(moment: Moment) -> tuple[str, ...]:
    """Step the indicators over what closed since; the pairs for which there was anything."""
    closed: dict[str, tuple[Candle, ...]] = {}
    interval = moment.params.candle_interval
    for pair in moment.pairs:
        market = moment.snapshot.views.get(pair)
        if market is None or not market.new_candles:
            continue
        closed[pair] = tuple(candle for candle in market.new_candles if candle.opened_at + interval <= moment.now)
        if len(closed[pair]) < len(market.new_candles):
            running = len(market.new_candles) - len(closed[pair])
            moment.note(pair, f"{running} candles have not closed yet by our clock")
    moment.state = _handed_out(moment.state, closed, moment.params)
    stepped = []
    for pair, candles in closed.items():
        before = moment.state.candles_seen.get(pair)
        moment.state, notes = _with_candles(moment.state, pair, candles, moment.params)
        for note in notes:
            moment.note(pair, note)
        if moment.state.candles_seen.get(pair) != before:
            stepped.append(pair)
    return tuple(stepped)


def take_reading(moment: Moment, pair: str) -> None:
    """Value the instrument by this reading, if it is fit, and confirmed where it jumped; and raise its floor."""
    if unfit := moment.unfit(pair):
        moment.note(pair, f"no mark taken: {'; '.join(map(str, unfit))}")
        return
    view, limits = moment.view(pair), moment.params.limits
    mid = view.mid
    assert mid is not None, "a fit book has both sides"
    assert view.market is not None, "a fit reading is one of a market"
    jump = price_has_not_jumped(view)
    suspect = moment.state.suspects.get(pair)
    if jump is not None and (suspect is None or abs(mid - suspect) > suspect * limits.jump_ratio_max):
        moment.note(pair, f"no mark taken: {jump}")
        moment.state = replace(moment.state, suspects={**moment.state.suspects, pair: mid})
        return
    if suspect is not None:
        others = {other: value for other, value in moment.state.suspects.items() if other != pair}
        moment.state = replace(moment.state, suspects=others)
    moment.state = moment.state.after(MarkSeen(pair, mid, moment.now, limits.volatility_window))
    _pause_if_volatile(moment, pair)
    _raise_floor(moment, pair, view.market.book.bids[0].price)


def turn_day(moment: Moment) -> None:
    """Open the trading day in its zone. A later day waits until what is held has been valued by a fit reading."""
    trading = moment.state.trading
    today = moment.now.astimezone(ZoneInfo(moment.params.limits.trading_day_zone)).date()
    if trading.day is None or (today > trading.day and not has_unvalued_positions(moment)):
        moment.state = moment.state.after(DayTurned(today, trading.pnl))


def has_unvalued_positions(moment: Moment) -> bool:
    return any(True for _ in moment.view(moment.pairs[0]).unvalued()) if moment.pairs else False


def _pause_if_volatile(moment: Moment, pair: str) -> None:
    limits = moment.params.limits
    marks = [mark for _, mark in moment.state.trading.instrument(pair).marks]
    low, high = min(marks), max(marks)
    if high - low > low * limits.volatility_ratio_max:
        until = moment.now + limits.volatility_pause
        moved = f"{plain(low)} to {plain(high)} within the window"
        moment.note(pair, f"entries pause until {until.isoformat()}: {moved}")
        moment.state = moment.state.after(VolatilityPaused(pair, until))


def _raise_floor(moment: Moment, pair: str, bid: Decimal) -> None:
    """What the position rules make of this bid, where it is higher than before."""
    held = moment.state.trading.instrument(pair)
    if held.position <= 0 or not held.stay.is_open:
        return
    strategy = moment.params.strategy
    floor = strategy.rules.floor(held.stay, bid, strategy.stop_distance(moment.indicators(pair)))
    if floor is not None and (held.stay.floor is None or floor > held.stay.floor):
        moment.state = moment.state.after(FloorRaised(pair, floor))


def _handed_out(
    state: DecisionState, candles_by_pair: Mapping[str, Sequence[Candle]], params: DecisionParams
) -> DecisionState:
    """What other pairs look at, laid ready for each of them."""
    news = {}
    for pair in params.strategy.other_pairs & candles_by_pair.keys():
        seen = state.candles_seen.get(pair)
        fresh = (each for each in candles_by_pair[pair] if seen is None or each.opened_at > seen)
        news[pair] = tuple(candle for candle in fresh if _defect_of(candle) is None)
    if not news:
        return state
    waiting = {}
    for looker in sorted(params.pairs):
        before = state.waiting.get(looker, {})
        laid = {pair: (*before.get(pair, ()), *candles)[-CANDLES_WAITING_MAX:] for pair, candles in news.items()}
        waiting[looker] = {**before, **laid}
    return replace(state, waiting=waiting)


def _with_candles(
    state: DecisionState, pair: str, candles: Sequence[Candle], params: DecisionParams
) -> tuple[DecisionState, tuple[str, ...]]:
    """The indicators after these candles. One that is older than the last, repeated or malformed changes nothing."""
    strategy = params.strategy
    indicators = state.indicators.get(pair, strategy.initial())
    seen = state.candles_seen.get(pair)
    waiting = state.waiting.get(pair, {})
    notes: list[str] = []
    for candle in candles:
        if seen is not None and candle.opened_at <= seen:
            continue
        if seen is not None and candle.opened_at - seen > params.candle_interval:
            notes.append(f"no candles between {seen.isoformat()} and {candle.opened_at.isoformat()}")
        seen = candle.opened_at
        defect = _defect_of(candle)
        if defect is None:
            others, waiting = _split(waiting, seen)
            indicators = strategy.step(pair, indicators, candle, others)
        else:
            notes.append(f"the candle of {seen.isoformat()} was left out: {defect}")
    if seen is None:
        return state, ()
    state = replace(
        state,
        indicators={**state.indicators, pair: indicators},
        candles_seen={**state.candles_seen, pair: seen},
        signals={**state.signals, pair: strategy.signal(pair, indicators)},
    )
    if waiting:
        state = replace(state, waiting={**state.waiting, pair: waiting})
    return state, tuple(notes)


def _split(waiting: CandlesByPair, until: datetime) -> tuple[CandlesByPair, Mapping[str, tuple[Candle, ...]]]:
    """The candles that are not younger, to be handed over, and those that go on waiting."""
    if not waiting:
        return NO_OTHERS, {}
    due = {pair: tuple(each for each in candles if each.opened_at <= until) for pair, candles in waiting.items()}
    return due, {pair: tuple(candles)[len(due[pair]) :] for pair, candles in waiting.items()}


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


def candle_age(moment: Moment, pair: str) -> timedelta:
    """Since the last candle that was taken in closed; beyond every limit where there was none."""
    seen = moment.state.candles_seen.get(pair)
    return timedelta.max if seen is None else moment.now - seen - moment.params.candle_interval
