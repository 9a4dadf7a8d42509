"""Candles into indicators and signals: each once, in their order, together with those of other pairs that they look at.

A candle of ours is taken in when every pair that the strategy looks at has shown a candle that is not earlier, so that
it sees what closed no later than itself, live as in history. A pair that stays silent holds ours back until no entry
would be made of it any more; then it is taken in without, for the exit's sake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from btcbot.domain.market import Candle
from btcbot.risk import reasons
from btcbot.risk.reasons import Reason
from btcbot.services.deciding.plan import DecisionParams, DecisionState

SIGNAL_INTERVALS_MAX = 2  # a signal to enter, or to sell a part, is acted on for so many candle intervals
WAITING_MAX = 1_500  # candles kept for others to come: as many as the market data keeps

Notes = tuple[str, ...]


def with_candles(
    state: DecisionState, pair: str, candles: Sequence[Candle], params: DecisionParams, now: datetime | None
) -> tuple[DecisionState, Notes]:
    """The indicators after these candles. One that is older than the last, repeated or malformed changes nothing.

    `now` says how long a candle has been held back; before the first decision there is no such moment.
    """
    strategy = params.strategy
    indicators = state.indicators.get(pair, strategy.initial())
    seen = state.candles_seen.get(pair)
    waiting = state.watching.waiting.get(pair, {})
    notes: list[str] = []
    offered = _after_those(state.watching.held_back.get(pair, ()), candles)
    taken = 0
    for candle in offered:
        if seen is None or candle.opened_at > seen:
            missing = _missing(state, candle, params)
            if missing and (
                now is None or now < candle.opened_at + params.candle_interval * (1 + SIGNAL_INTERVALS_MAX)
            ):
                notes.append(f"the candle of {candle.opened_at.isoformat()} waits for {', '.join(missing)}")
                break
            if missing:
                notes.append(f"the candle of {candle.opened_at.isoformat()} goes without {', '.join(missing)}")
            if seen is not None and candle.opened_at - seen > params.candle_interval:
                notes.append(f"no candles between {seen.isoformat()} and {candle.opened_at.isoformat()}")
            seen = candle.opened_at
            defect = _defect_of(candle)
            if defect is None:
                handed, waiting = _handed_over(waiting, seen)
                indicators = strategy.step(pair, indicators, candle, handed)
            else:
                notes.append(f"the candle of {seen.isoformat()} was left out: {defect}")
        taken += 1
    watching = state.watching
    if strategy.watched:
        held_back = tuple(offered[taken:])[-WAITING_MAX:]
        watching = replace(
            watching,
            held_back={**watching.held_back, pair: held_back},
            waiting={**watching.waiting, pair: waiting},
        )
    if seen is None:
        return replace(state, watching=watching), tuple(notes)
    return (
        replace(
            state,
            indicators={**state.indicators, pair: indicators},
            candles_seen={**state.candles_seen, pair: seen},
            signals={**state.signals, pair: strategy.signal(pair, indicators)},
            watching=watching,
        ),
        tuple(notes),
    )


def with_watched(
    state: DecisionState, watched: str, candles: Sequence[Candle], params: DecisionParams
) -> tuple[DecisionState, Notes]:
    """These candles of a pair that the strategy looks at, kept for each of ours that will be taken in later."""
    seen = state.watching.seen.get(watched)
    sound: list[Candle] = []
    notes: list[str] = []
    for candle in candles:
        if seen is not None and candle.opened_at <= seen:
            continue
        seen = candle.opened_at
        defect = _defect_of(candle)
        if defect is None:
            sound.append(candle)
        elif watched not in params.pairs:  # of a pair of ours it is said when it is taken in
            notes.append(f"the candle of {seen.isoformat()} was left out: {defect}")
    if seen is None:
        return state, ()
    waiting = {}
    for pair in params.pairs:
        kept = state.watching.waiting.get(pair, {})
        waiting[pair] = {**kept, watched: (*kept.get(watched, ()), *sound)[-WAITING_MAX:]}
    watching = replace(state.watching, seen={**state.watching.seen, watched: seen}, waiting=waiting)
    candles_seen = state.candles_seen if watched in params.pairs else {**state.candles_seen, watched: seen}
    return replace(state, candles_seen=candles_seen, watching=watching), tuple(notes)


def _after_those(held_back: tuple[Candle, ...], candles: Sequence[Candle]) -> tuple[Candle, ...]:
    """What was held back, then what is new; a market that shows a candle until it was taken in shows it once."""
    if not held_back:
        return tuple(candles)
    return (*held_back, *(candle for candle in candles if candle.opened_at > held_back[-1].opened_at))


def _missing(state: DecisionState, candle: Candle, params: DecisionParams) -> list[str]:
    """The pairs of which nothing as late as this candle has been seen."""
    seen = state.watching.seen
    return [pair for pair in params.strategy.watched if pair not in seen or seen[pair] < candle.opened_at]


def _handed_over(
    waiting: Mapping[str, tuple[Candle, ...]], opened_at: datetime
) -> tuple[Mapping[str, tuple[Candle, ...]], Mapping[str, tuple[Candle, ...]]]:
    """Of what waits, the part that a candle of ours looks at, and what is left for later ones."""
    handed, left = {}, {}
    for pair, candles in waiting.items():
        handed[pair] = tuple(candle for candle in candles if candle.opened_at <= opened_at)
        left[pair] = candles[len(handed[pair]) :]
    return handed, left


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
