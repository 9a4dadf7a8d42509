"""Every indicator against TA-Lib, where the definitions agree; where they do not, how they differ.

Seeds: TA-Lib begins an EMA and Wilder's smoothing with the mean of the first `period` values, we with the first one.
After k further values either seed weighs (1 - a)^k, so the two are compared where that is far below the tolerance.
MACD there begins both averages at the same candle, which is a seed too. An OBV there begins with the first volume, ours
with nothing: compared are its changes. DX there is 0 where nothing moves, ours is undefined; RSI the same: generated
candles move. TA-Lib has no VWAP, Donchian or Keltner: they are compared with the same formula over its own pieces. Its
stochastic shows k no earlier than d. It sums with subtraction, so it is exact to some digits only.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import talib

from btcbot.strategy.language import (
    CLOSE,
    HIGH,
    VOLUME,
    Columns,
    Expression,
    adx,
    atr,
    bollinger,
    donchian,
    ema,
    highest,
    keltner,
    lowest,
    macd,
    obv,
    rate_of_change,
    rsi,
    slope,
    sma,
    stdev,
    stochastic,
    total,
    true_range,
    vwap,
    wilder,
    wma,
)
from btcbot.strategy.language.values import bar_of
from tests.unit.domain.builders import MINUTE
from tests.unit.strategy.language.words import generated

CANDLES = generated(3_000, seed=8, is_gapped=False)
OPENS, HIGHS, LOWS, CLOSES, VOLUMES = (np.array(column) for column in zip(*map(bar_of, CANDLES), strict=True))
TYPICAL = (HIGHS + LOWS + CLOSES) / 3
COLUMNS = Columns(CANDLES, MINUTE)
SEEDED = 1_500  # from here on no seed can be seen: (13/14)^1500 is below 1e-48
NEAR = 1e-9
Numbers = "np.ndarray[tuple[int], np.dtype[np.float64]]"

SAME: dict[str, tuple[Expression, Callable[[], Numbers]]] = {
    "sma": (sma(CLOSE, 20), lambda: talib.SMA(CLOSES, 20)),
    "wma": (wma(CLOSE, 20), lambda: talib.WMA(CLOSES, 20)),
    "total": (total(VOLUME, 20), lambda: talib.SUM(VOLUMES, 20)),
    "highest": (highest(HIGH, 20), lambda: talib.MAX(HIGHS, 20)),
    "lowest": (lowest(CLOSE, 20), lambda: talib.MIN(CLOSES, 20)),
    "stdev": (stdev(CLOSE, 20), lambda: talib.STDDEV(CLOSES, 20, 1)),
    "slope": (slope(CLOSE, 20), lambda: talib.LINEARREG_SLOPE(CLOSES, 20)),
    "rate_of_change": (rate_of_change(CLOSE, 10), lambda: talib.ROC(CLOSES, 10)),
    "true_range": (true_range(), lambda: talib.TRANGE(HIGHS, LOWS, CLOSES)),
    "bollinger, lower": (bollinger(CLOSE, 20, 2.0).lower, lambda: talib.BBANDS(CLOSES, 20, 2, 2)[2]),
    "bollinger, middle": (bollinger(CLOSE, 20, 2.0).middle, lambda: talib.BBANDS(CLOSES, 20, 2, 2)[1]),
    "bollinger, upper": (bollinger(CLOSE, 20, 2.0).upper, lambda: talib.BBANDS(CLOSES, 20, 2, 2)[0]),
    "donchian, lower": (donchian(20).lower, lambda: talib.MIN(LOWS, 20)),
    "donchian, middle": (donchian(20).middle, lambda: (talib.MIN(LOWS, 20) + talib.MAX(HIGHS, 20)) / 2),
    "donchian, upper": (donchian(20).upper, lambda: talib.MAX(HIGHS, 20)),
    "stochastic, d": (stochastic(14, 3, 3).d, lambda: talib.STOCH(HIGHS, LOWS, CLOSES, 14, 3, 0, 3, 0)[1]),
    "vwap": (vwap(20), lambda: talib.SUM(TYPICAL * VOLUMES, 20) / talib.SUM(VOLUMES, 20)),
}

SAME_LATER_ON: dict[str, tuple[Expression, Callable[[], Numbers]]] = {
    "stochastic, k": (stochastic(14, 3, 3).k, lambda: talib.STOCH(HIGHS, LOWS, CLOSES, 14, 3, 0, 3, 0)[0]),
    "ema": (ema(CLOSE, 20), lambda: talib.EMA(CLOSES, 20)),
    "rsi": (rsi(CLOSE, 14), lambda: talib.RSI(CLOSES, 14)),
    "atr": (atr(14), lambda: talib.ATR(HIGHS, LOWS, CLOSES, 14)),
    "wilder": (wilder(true_range(), 14), lambda: talib.ATR(HIGHS, LOWS, CLOSES, 14)),
    "macd, line": (macd(CLOSE, 12, 26, 9).line, lambda: talib.MACD(CLOSES, 12, 26, 9)[0]),
    "macd, signal": (macd(CLOSE, 12, 26, 9).signal, lambda: talib.MACD(CLOSES, 12, 26, 9)[1]),
    "macd, histogram": (macd(CLOSE, 12, 26, 9).histogram, lambda: talib.MACD(CLOSES, 12, 26, 9)[2]),
    "keltner, lower": (
        keltner(20, 10, 1.5).lower,
        lambda: talib.EMA(CLOSES, 20) - 1.5 * talib.ATR(HIGHS, LOWS, CLOSES, 10),
    ),
    "keltner, middle": (keltner(20, 10, 1.5).middle, lambda: talib.EMA(CLOSES, 20)),
    "keltner, upper": (
        keltner(20, 10, 1.5).upper,
        lambda: talib.EMA(CLOSES, 20) + 1.5 * talib.ATR(HIGHS, LOWS, CLOSES, 10),
    ),
    "adx, plus_di": (adx(14).plus_di, lambda: talib.PLUS_DI(HIGHS, LOWS, CLOSES, 14)),
    "adx, minus_di": (adx(14).minus_di, lambda: talib.MINUS_DI(HIGHS, LOWS, CLOSES, 14)),
    "adx, adx": (adx(14).adx, lambda: talib.ADX(HIGHS, LOWS, CLOSES, 14)),
}


def require_near(expression: Expression, theirs: Numbers, since: int) -> None:
    """Both are undefined on the same candles, and near where they are not."""
    ours = COLUMNS.of(expression)[since:]
    assert [value is None for value in ours] == list(np.isnan(theirs[since:]))
    span = np.nanmax(np.abs(theirs[since:]))
    assert (
        max(abs(our - their) for our, their in zip(ours, theirs[since:], strict=True) if our is not None) <= NEAR * span
    )


@pytest.mark.parametrize("word", SAME)
def test_a_window_is_theirs_from_its_first_value_on(word: str) -> None:
    expression, theirs = SAME[word]
    require_near(expression, theirs(), 0)


@pytest.mark.parametrize("word", SAME_LATER_ON)
def test_what_begins_otherwise_is_theirs_later_on(word: str) -> None:
    expression, theirs = SAME_LATER_ON[word]
    require_near(expression, theirs(), SEEDED)


def test_the_balance_of_volume_moves_as_theirs_does() -> None:
    ours, theirs = COLUMNS.of(obv()), talib.OBV(CLOSES, VOLUMES)
    assert ours[0] is None
    for (before, after), (their_before, their_after) in zip(pairwise(ours[1:]), pairwise(theirs[1:]), strict=True):
        assert abs((after - before) - (their_after - their_before)) <= NEAR
