"""The words of the language: what a strategy builds its signals from.

Each says its formula, how many candles it needs beyond what its inputs need (warm-up), and where the definition comes
from; docs/strategy-language.md is made of this. x is the source's value, x[n] that of n candles ago, o h l c v are the
candle's. Where a formula divides by zero, as in a market that stands still, the value is undefined.

    fast, slow = ema(CLOSE, 3), ema(CLOSE, 8)
    entry = crosses_above(fast, slow) & (rsi(CLOSE, 14) < 70)
"""

from datetime import timedelta
from typing import NamedTuple

from btcbot.strategy.language.nodes import (
    Accumulated,
    Arithmetic,
    CandleField,
    Choice,
    Condition,
    Cross,
    Extreme,
    Extremum,
    Field,
    Lasting,
    OfPair,
    OnTimeframe,
    Operator,
    Series,
    Since,
    Smoothed,
    Smoother,
    Statistic,
    Windowed,
    series,
)

OPEN = Field(CandleField.OPEN)
HIGH = Field(CandleField.HIGH)
LOW = Field(CandleField.LOW)
CLOSE = Field(CandleField.CLOSE)
VOLUME = Field(CandleField.VOLUME)
TYPICAL_PRICE = (HIGH + LOW + CLOSE) / 3.0

SINCE_WITHIN = 100  # candles that `bars_since` looks back where nothing is said


class Macd(NamedTuple):
    line: Series
    signal: Series
    histogram: Series


class Bands(NamedTuple):
    lower: Series
    middle: Series
    upper: Series


class Adx(NamedTuple):
    adx: Series
    plus_di: Series
    minus_di: Series


class Stochastic(NamedTuple):
    k: Series
    d: Series


# -------------------------------------------------------------------------------------------------------- averages


def sma(source: Series, period: int) -> Series:
    """Simple moving average: the mean of the last values.

    Formula: (x + x[1] + … + x[period - 1]) / period, rounded once
    Warm-up: period - 1
    Source: Murphy, Technical Analysis of the Financial Markets, ch. 9
    """
    return Windowed(Statistic.MEAN, source, period)


def ema(source: Series, period: int) -> Series:
    """Exponential moving average, seeded with the first value.

    Formula: e = e[1] + a · (x - e[1]), a = 2 / (period + 1)
    Warm-up: the smallest k with (1 - a)^k ≤ 0.0001
    Source: Murphy, ch. 9
    """
    return Smoothed(Smoother.EMA, source, period)


def wma(source: Series, period: int) -> Series:
    """Weighted moving average: the newest value weighs `period`, the oldest 1.

    Formula: (period · x + (period - 1) · x[1] + … + x[period - 1]) / (period · (period + 1) / 2), rounded once
    Warm-up: period - 1
    Source: Murphy, ch. 9
    """
    return Windowed(Statistic.WEIGHTED_MEAN, source, period)


def wilder(source: Series, period: int) -> Series:
    """Wilder's smoothing: an exponential average of a longer memory, seeded with the first value.

    Formula: e = e[1] + a · (x - e[1]), a = 1 / period
    Warm-up: the smallest k with (1 - a)^k ≤ 0.0001
    Source: Wilder, New Concepts in Technical Trading Systems, 1978
    """
    return Smoothed(Smoother.WILDER, source, period)


# ------------------------------------------------------------------------------------------------ windows over a series


def highest(source: Series, period: int) -> Series:
    """The highest of the last values.

    Formula: max(x, x[1], …, x[period - 1])
    Warm-up: period - 1
    Source: by definition
    """
    return Extreme(Extremum.HIGHEST, source, period)


def lowest(source: Series, period: int) -> Series:
    """The lowest of the last values.

    Formula: min(x, x[1], …, x[period - 1])
    Warm-up: period - 1
    Source: by definition
    """
    return Extreme(Extremum.LOWEST, source, period)


def total(source: Series, period: int) -> Series:
    """The sum of the last values.

    Formula: x + x[1] + … + x[period - 1], rounded once
    Warm-up: period - 1
    Source: by definition
    """
    return Windowed(Statistic.TOTAL, source, period)


def stdev(source: Series, period: int) -> Series:
    """Standard deviation of the last values, as of a whole population.

    Formula: √(Σ (x[i] - mean)² / period), the variance rounded once
    Warm-up: period - 1
    Source: by definition; the population's, as Bollinger takes it
    """
    return Windowed(Statistic.DEVIATION, source, period)


def slope(source: Series, period: int) -> Series:
    """Slope of the straight line nearest to the last values, per candle.

    Formula: Σ (i - ī) · x[i] / Σ (i - ī)², i counting candles forward: least squares, rounded once
    Warm-up: period - 1
    Source: by definition
    """
    return Windowed(Statistic.SLOPE, source, period)


# ------------------------------------------------------------------------------------------------------------ momentum


def rate_of_change(source: Series, candles: int) -> Series:
    """How far a series has moved, in per cent of where it was.

    Formula: 100 · (x - x[candles]) / x[candles]
    Warm-up: candles
    Source: Murphy, ch. 10
    """
    before = source.previous(candles)
    return 100.0 * (source - before) / before


def rsi(source: Series, period: int) -> Series:
    """Relative strength index, 0 to 100: the smoothed rises as a share of all smoothed movement.

    Formula: 100 · w(max(x - x[1], 0)) / (w(max(x - x[1], 0)) + w(max(x[1] - x, 0))), w = wilder(·, period)
    Warm-up: 1 and that of wilder
    Source: Wilder, 1978
    """
    before = source.previous()
    gain = wilder(larger(source - before, 0.0), period)
    loss = wilder(larger(before - source, 0.0), period)
    return 100.0 * gain / (gain + loss)


def macd(source: Series, fast: int, slow: int, signal: int) -> Macd:
    """Moving average convergence/divergence: two averages, their distance, and the average of that.

    Formula: line = ema(x, fast) - ema(x, slow); signal = ema(line, signal); histogram = line - signal
    Warm-up: that of ema(x, slow); for signal and histogram that of ema(·, signal) more
    Source: Appel, The Moving Average Convergence-Divergence Trading Method, 1979
    """
    if fast >= slow:
        raise ValueError(f"the fast average ({fast}) is of a shorter period than the slow one ({slow})")
    line = ema(source, fast) - ema(source, slow)
    smoothed = ema(line, signal)
    return Macd(line, smoothed, line - smoothed)


def stochastic(period: int, smooth_k: int, smooth_d: int) -> Stochastic:
    """Where the close lies between the lowest low and the highest high, 0 to 100, smoothed once and twice.

    Formula: k = sma(100 · (c - lowest(l)) / (highest(h) - lowest(l)), smooth_k); d = sma(k, smooth_d)
    Warm-up: period - 1, for k smooth_k - 1 more, for d also smooth_d - 1 more
    Source: Lane, Lane's Stochastics, 1984
    """
    low, high = lowest(LOW, period), highest(HIGH, period)
    k = sma(100.0 * (CLOSE - low) / (high - low), smooth_k)
    return Stochastic(k, sma(k, smooth_d))


# -------------------------------------------------------------------------------------------------- ranges and channels


def true_range() -> Series:
    """How far the price went since the last close.

    Formula: max(h, c[1]) - min(l, c[1])
    Warm-up: 1
    Source: Wilder, 1978
    """
    before = CLOSE.previous()
    return larger(HIGH, before) - smaller(LOW, before)


def atr(period: int) -> Series:
    """Average true range.

    Formula: wilder(true_range, period)
    Warm-up: 1 and that of wilder
    Source: Wilder, 1978
    """
    return wilder(true_range(), period)


def bollinger(source: Series, period: int, width: float) -> Bands:
    """Bollinger bands: so many standard deviations about the mean.

    Formula: middle = sma(x, period); lower, upper = middle ∓ width · stdev(x, period)
    Warm-up: period - 1
    Source: Bollinger, Bollinger on Bollinger Bands, 2001
    """
    middle, distance = sma(source, period), width * stdev(source, period)
    return Bands(middle - distance, middle, middle + distance)


def donchian(period: int) -> Bands:
    """Donchian channel: the highest high and the lowest low, this candle's included.

    Formula: lower = lowest(l, period); upper = highest(h, period); middle = (lower + upper) / 2
    Warm-up: period - 1
    Source: Donchian's four-week rule, in Murphy, ch. 9
    """
    lower, upper = lowest(LOW, period), highest(HIGH, period)
    return Bands(lower, (lower + upper) / 2.0, upper)


def keltner(period: int, atr_period: int, width: float) -> Bands:
    """Keltner channel: so many average true ranges about an exponential average of the close.

    Formula: middle = ema(c, period); lower, upper = middle ∓ width · atr(atr_period)
    Warm-up: the longer of ema's and atr's
    Source: Keltner, How to Make Money in Commodities, 1960, as modified by Raschke
    """
    middle, distance = ema(CLOSE, period), width * atr(atr_period)
    return Bands(middle - distance, middle, middle + distance)


def adx(period: int) -> Adx:
    """Average directional index and the two directional indicators, 0 to 100.

    Formula: up = h - h[1], down = l[1] - l; plus_di = 100 · w(up if up > down and up > 0 else 0) / atr(period), \
minus_di likewise of down; adx = w(100 · |plus_di - minus_di| / (plus_di + minus_di)), w = wilder(·, period)
    Warm-up: 1 and that of wilder; for adx twice that of wilder
    Source: Wilder, 1978
    """
    up, down = HIGH - HIGH.previous(), LOW.previous() - LOW
    rises = choose((up > down) & (up > 0.0), up, 0.0)
    falls = choose((down > up) & (down > 0.0), down, 0.0)
    range_ = atr(period)
    plus_di, minus_di = 100.0 * wilder(rises, period) / range_, 100.0 * wilder(falls, period) / range_
    dx = 100.0 * absolute(plus_di - minus_di) / (plus_di + minus_di)
    return Adx(wilder(dx, period), plus_di, minus_di)


# -------------------------------------------------------------------------------------------------------------- volume


def obv() -> Series:
    """On balance volume: the volume of rising candles less that of falling ones, added up.

    Its level depends on the candle that a process began with. Only its changes mean anything: hold it against its own
    past or average, never against a number.

    Formula: Σ (v if c > c[1], -v if c < c[1], else 0), rounded once
    Warm-up: 1
    Source: Granville, Granville's New Key to Stock Market Profits, 1963
    """
    before = CLOSE.previous()
    return Accumulated(choose(before < CLOSE, VOLUME, choose(before > CLOSE, -VOLUME, 0.0)))


def vwap(period: int) -> Series:
    """Average price by volume over the last candles.

    Formula: total((h + l + c) / 3 · v, period) / total(v, period)
    Warm-up: period - 1
    Source: Berkowitz, Logue and Noser, The Total Cost of Transactions on the NYSE, 1988, over a rolling window
    """
    return total(TYPICAL_PRICE * VOLUME, period) / total(VOLUME, period)


# ---------------------------------------------------------------------------------------------------------- conditions


def crosses_above(left: Series, right: Series | float) -> Condition:
    """True for the one candle at which `left` comes to lie above `right`, having been at or below it before.

    Formula: left > right and not left[1] > right[1]
    Warm-up: 1
    Source: by definition
    """
    return Cross(left, series(right))


def crosses_below(left: Series, right: Series | float) -> Condition:
    """True for the one candle at which `left` comes to lie below `right`, having been at or above it before.

    Formula: left < right and not left[1] < right[1]
    Warm-up: 1
    Source: by definition
    """
    return Cross(series(right), left)


def rising(source: Series, candles: int) -> Condition:
    """Whether each of the last values is above the one before it.

    Formula: x > x[1] and x[1] > x[2] and …, as many as `candles`
    Warm-up: candles
    Source: by definition
    """
    return holds_for(source > source.previous(), candles)


def falling(source: Series, candles: int) -> Condition:
    """Whether each of the last values is below the one before it.

    Formula: x < x[1] and x[1] < x[2] and …, as many as `candles`
    Warm-up: candles
    Source: by definition
    """
    return holds_for(source < source.previous(), candles)


def holds_for(condition: Condition, candles: int) -> Condition:
    """Whether a condition held at each of the last candles.

    Formula: condition and condition[1] and …, as many as `candles`
    Warm-up: candles - 1
    Source: by definition
    """
    return Lasting(condition, candles)


def bars_since(condition: Condition, within: int = SINCE_WITHIN) -> Series:
    """How many candles ago a condition last held, 0 if it does now; undefined where that is more than `within`.

    Formula: the smallest n ≤ within with condition[n]
    Warm-up: within
    Source: by definition; bounded, so that it does not matter when a process began
    """
    return Since(condition, within)


# ----------------------------------------------------------------------------------------------------------- the pieces


def larger(left: Series, right: Series | float) -> Series:
    """The larger of two values.

    Formula: max(left, right)
    Warm-up: none
    Source: by definition
    """
    return Arithmetic(Operator.LARGER, left, series(right))


def smaller(left: Series, right: Series | float) -> Series:
    """The smaller of two values.

    Formula: min(left, right)
    Warm-up: none
    Source: by definition
    """
    return Arithmetic(Operator.SMALLER, left, series(right))


def absolute(source: Series) -> Series:
    """A value without its sign.

    Formula: max(x, -x)
    Warm-up: none
    Source: by definition
    """
    return larger(source, -source)


def choose(condition: Condition, chosen: Series | float, otherwise: Series | float) -> Series:
    """One series where a condition holds, another where it does not.

    Formula: chosen if condition else otherwise
    Warm-up: none
    Source: by definition
    """
    return Choice(condition, series(chosen), series(otherwise))


# ------------------------------------------------------------------------------------------------------- other candles


def on_timeframe(interval: timedelta, source: Series) -> Series:
    """A series over candles of a longer interval, as it stood when the last of them closed.

    The longer candles are put together from ours, on the grid of UTC. One that has not closed is never seen.

    Formula: the value at the last candle of `interval` that closed not later than ours
    Warm-up: n candles of the timeframe are n · r of ours and r - 1 more, r being how many of ours make one
    Source: by definition
    """
    return OnTimeframe(interval, source)


def of_pair(pair: str, source: Series) -> Series:
    """A series over another pair's candles of the same interval.

    Formula: the value at that pair's last candle that closed not later than ours
    Warm-up: of that pair's candles, what the source needs
    Source: by definition
    """
    return OfPair(pair, source)
