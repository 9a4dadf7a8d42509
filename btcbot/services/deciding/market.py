"""Taking the market in: candles into indicators and signals, a fit reading into marks, floors and the trading day."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from btcbot.domain.market import Candle
from btcbot.domain.money import plain
from btcbot.domain.state import DayTurned, FloorRaised, MarkSeen, VolatilityPaused
from btcbot.risk.rules import price_has_not_jumped
from btcbot.services.deciding.candles import with_candles, with_watched
from btcbot.services.deciding.moment import Moment
from btcbot.services.deciding.plan import DecisionParams, DecisionState


def warm_up(
    state: DecisionState, candles_by_pair: Mapping[str, Sequence[Candle]], params: DecisionParams
) -> DecisionState:
    """Bring the indicators up to date with closed candles, oldest first, before the first decision.

    Candles that look at another pair's which is not there yet are held back for the first decision.
    """
    for pair in params.strategy.watched:
        state, _ = with_watched(state, pair, candles_by_pair.get(pair, ()), params)
    for pair in sorted(set(candles_by_pair) & set(params.pairs)):
        state, _ = with_candles(state, pair, candles_by_pair[pair], params, None)
    return state


def take_watched(moment: Moment) -> None:
    """Keep what closed of the pairs that the strategy looks at, before ours are taken in."""
    for pair in moment.params.strategy.watched:
        market = moment.snapshot.views.get(pair)
        if market is not None and market.new_candles:
            closed = _closed(moment, market.new_candles)
            moment.state, notes = with_watched(moment.state, pair, closed, moment.params)
            for note in notes:
                moment.note(pair, note)


def take_candles(moment: Moment, pair: str) -> bool:
    """Step the indicators over what closed since; whether there was anything."""
    market = moment.snapshot.views.get(pair)
    offered = () if market is None else market.new_candles
    if not offered and not moment.state.watching.held_back.get(pair):
        return False
    before = moment.state.candles_seen.get(pair)
    closed = _closed(moment, offered)
    if len(closed) < len(offered):
        moment.note(pair, f"{len(offered) - len(closed)} candles have not closed yet by our clock")
    moment.state, notes = with_candles(moment.state, pair, closed, moment.params, moment.now)
    for note in notes:
        moment.note(pair, note)
    return moment.state.candles_seen.get(pair) != before


def _closed(moment: Moment, candles: Sequence[Candle]) -> tuple[Candle, ...]:
    interval = moment.params.candle_interval
    return tuple(candle for candle in candles if candle.opened_at + interval <= moment.now)


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


def candle_age(moment: Moment, pair: str) -> timedelta:
    """Since the last candle that was taken in closed; beyond every limit where there was none."""
    seen = moment.state.candles_seen.get(pair)
    return timedelta.max if seen is None else moment.now - seen - moment.params.candle_interval
