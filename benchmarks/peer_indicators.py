"""Indicators of others, run by `indicators.py` with the interpreter that has them; nothing of btcbot here.

On each line, `[library, operator, history, candles]`, it feeds so many candles to ten indicators of the kind that have
seen a history, and answers with the nanoseconds of CPU that one of them took for one candle; with nothing where the
library has no such indicator.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import hexital
import pandas as pd
import streaming_indicators as si
import talipp.indicators as ta
from figures import pin
from indicator_rows import PERIODS, Row, rows
from talipp.ohlcv import OHLCV

START = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = 400  # candles that whoever keeps everything is let keep
Update = Callable[[int], object]  # takes in the candle of that number


def close_of(row: Row) -> float:
    return row[3]


def ohlcv_of(row: Row) -> OHLCV:
    return OHLCV(*row)


# ------------------------------------------------------------------------------------------------------------ talipp

TALIPP: dict[str, tuple[Callable[[int], ta.Indicator], Callable[[Row], object]]] = {
    "sma": (ta.SMA, close_of),
    "ema": (ta.EMA, close_of),
    "wma": (ta.WMA, close_of),
    "wilder": (ta.SMMA, close_of),
    "stdev": (ta.StdDev, close_of),
    "rate_of_change": (ta.ROC, close_of),
    "rsi": (ta.RSI, close_of),
    "macd": (lambda period: ta.MACD(period, 2 * period, 9), close_of),
    "bollinger": (lambda period: ta.BB(period, 2.0), close_of),
    "atr": (ta.ATR, ohlcv_of),
    "donchian": (ta.DonchianChannels, ohlcv_of),
    "keltner": (lambda period: ta.KeltnerChannels(period, period, 2.0, 2.0), ohlcv_of),
    "adx": (lambda period: ta.ADX(period, period), ohlcv_of),
    "stochastic": (lambda period: ta.Stoch(period, 3), ohlcv_of),
    "obv": (lambda _period: ta.OBV(), ohlcv_of),
}


def by_talipp(operator: str, data: list[Row]) -> Update:
    build, take = TALIPP[operator]
    values = [take(row) for row in data]
    indicators = [build(period) for period in PERIODS]

    def update(number: int) -> None:
        for indicator in indicators:
            indicator.add(values[number])
            if len(indicator) > KEPT:
                indicator.purge_oldest(1)  # or it keeps every value for ever

    return update


# ----------------------------------------------------------------------------------------------------------- hexital

HEXITAL: dict[str, Callable[[int], object]] = {
    "sma": lambda period: hexital.indicators.SMA(period=period),
    "ema": lambda period: hexital.indicators.EMA(period=period),
    "wma": lambda period: hexital.indicators.WMA(period=period),
    "wilder": lambda period: hexital.indicators.RMA(period=period),
    "stdev": lambda period: hexital.indicators.STDEV(period=period),
    "rate_of_change": lambda period: hexital.indicators.ROC(period=period),
    "rsi": lambda period: hexital.indicators.RSI(period=period),
    "bollinger": lambda period: hexital.indicators.BBANDS(period=period),
    "atr": lambda period: hexital.indicators.ATR(period=period),
    "adx": lambda period: hexital.indicators.ADX(period=period),
    "obv": lambda _period: hexital.indicators.OBV(),
}


def by_hexital(operator: str, data: list[Row]) -> Update:
    life = timedelta(minutes=KEPT)
    together = hexital.Hexital("all", [], [HEXITAL[operator](period) for period in PERIODS], candle_life=life)
    candles = [
        hexital.Candle(*row[:4], int(row[4] * 1e8), timestamp=START + timedelta(minutes=number))
        for number, row in enumerate(data)
    ]
    return lambda number: together.append(candles[number])


# --------------------------------------------------------------------------------------- streaming-indicators, on numpy

STREAMING: dict[str, tuple[Callable[[int], object], Callable[[Row], object]]] = {
    "sma": (si.SMA, close_of),
    "ema": (si.EMA, close_of),
    "wma": (si.WMA, close_of),
    "wilder": (si.RMA, close_of),
    "rsi": (si.RSI, close_of),
    "bollinger": (lambda period: si.BBands(period, 2.0), close_of),
    "atr": (si.ATR, lambda row: dict(zip(("open", "high", "low", "close"), row, strict=False))),
}


def by_streaming(operator: str, data: list[Row]) -> Update:
    build, take = STREAMING[operator]
    values = [take(row) for row in data]
    indicators = [build(period) for period in PERIODS]

    def update(number: int) -> None:
        for indicator in indicators:
            indicator.update(values[number])

    return update


# ------------------------------------------------------------------------------------------------------------ pandas

Recompute = Callable[[pd.DataFrame, int], object]


def _wilder(series: pd.Series, period: int) -> pd.Series:
    return series.ewm(alpha=1 / period, adjust=False).mean()


def _true_range(frame: pd.DataFrame) -> pd.Series:
    before = frame["close"].shift()
    return frame["high"].combine(before, max) - frame["low"].combine(before, min)


def _rsi(frame: pd.DataFrame, period: int) -> float:
    change = frame["close"].diff()
    gain, loss = _wilder(change.clip(lower=0), period), _wilder(-change.clip(upper=0), period)
    return 100 * gain.iloc[-1] / (gain.iloc[-1] + loss.iloc[-1])


def _macd(frame: pd.DataFrame, period: int) -> float:
    close = frame["close"]
    line = close.ewm(span=period, adjust=False).mean() - close.ewm(span=2 * period, adjust=False).mean()
    return line.iloc[-1] - line.ewm(span=9, adjust=False).mean().iloc[-1]


def _bollinger(frame: pd.DataFrame, period: int) -> tuple[float, float]:
    window = frame["close"].iloc[-period:]
    return window.mean(), 2 * window.std(ddof=0)


def _stochastic(frame: pd.DataFrame, period: int) -> float:
    window = frame.iloc[-period - 6 :]
    low, high = window["low"].rolling(period).min(), window["high"].rolling(period).max()
    return (100 * (window["close"] - low) / (high - low)).rolling(3).mean().rolling(3).mean().iloc[-1]


def _obv(frame: pd.DataFrame, _period: int) -> float:
    change = frame["close"].diff()
    return (frame["volume"] * ((change > 0).astype(int) - (change < 0).astype(int))).sum()


def _vwap(frame: pd.DataFrame, period: int) -> float:
    window = frame.iloc[-period:]
    return (window[["high", "low", "close"]].mean(axis=1) * window["volume"]).sum() / window["volume"].sum()


# What a value needs of the last candles, and no more, written as one would write it: a window is cut out and summed up.
PANDAS: dict[str, Recompute] = {
    "sma": lambda frame, period: frame["close"].iloc[-period:].mean(),
    "ema": lambda frame, period: frame["close"].ewm(span=period, adjust=False).mean().iloc[-1],
    "wilder": lambda frame, period: _wilder(frame["close"], period).iloc[-1],
    "stdev": lambda frame, period: frame["close"].iloc[-period:].std(ddof=0),
    "highest": lambda frame, period: frame["high"].iloc[-period:].max(),
    "total": lambda frame, period: frame["volume"].iloc[-period:].sum(),
    "rate_of_change": lambda frame, period: frame["close"].iloc[-period - 1 :].pct_change(period).iloc[-1],
    "rsi": _rsi,
    "macd": _macd,
    "bollinger": _bollinger,
    "atr": lambda frame, period: _wilder(_true_range(frame), period).iloc[-1],
    "donchian": lambda frame, period: (frame["low"].iloc[-period:].min(), frame["high"].iloc[-period:].max()),
    "stochastic": _stochastic,
    "obv": _obv,
    "vwap": _vwap,
}


def by_pandas(operator: str, data: list[Row]) -> Update:
    recompute = PANDAS[operator]
    frame = pd.DataFrame(data, columns=["open", "high", "low", "close", "volume"])

    def update(number: int) -> None:
        seen = frame.iloc[max(number + 1 - KEPT // 4, 0) : number + 1]
        for period in PERIODS:
            recompute(seen, period)

    return update


LIBRARIES: dict[str, tuple[Callable[[str, list[Row]], Update], dict[str, object]]] = {
    "talipp": (by_talipp, TALIPP),
    "hexital": (by_hexital, HEXITAL),
    "streaming-indicators": (by_streaming, STREAMING),
    "pandas": (by_pandas, PANDAS),
}


def nanoseconds(library: str, operator: str, history: int, candles: int) -> float | None:
    build, known = LIBRARIES[library]
    if operator not in known:
        return None
    update = build(operator, rows(history + candles))
    if library != "pandas":
        for number in range(history):
            update(number)
    began = time.process_time_ns()
    for number in range(history, history + candles):
        update(number)
    return (time.process_time_ns() - began) / candles / len(PERIODS)


def main() -> None:
    print(json.dumps({library: version(library) for library in LIBRARIES}), flush=True)
    for line in sys.stdin:
        print(json.dumps(nanoseconds(*json.loads(line))), flush=True)


if __name__ == "__main__":
    pin(0)
    main()
