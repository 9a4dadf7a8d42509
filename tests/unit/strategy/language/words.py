"""Examples of every word of the language, candles to try them on, and both evaluators in one call each."""

import csv
import gzip
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from btcbot.domain.market import Candle
from btcbot.strategy.language import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    TYPICAL_PRICE,
    VOLUME,
    CandlesByPair,
    Columns,
    Expression,
    Program,
    ProgramState,
    Value,
    absolute,
    adx,
    atr,
    bars_since,
    bollinger,
    choose,
    crosses_above,
    crosses_below,
    donchian,
    ema,
    falling,
    highest,
    holds_for,
    keltner,
    larger,
    lowest,
    macd,
    obv,
    of_pair,
    on_timeframe,
    rate_of_change,
    rising,
    rsi,
    slope,
    sma,
    smaller,
    stdev,
    stochastic,
    total,
    true_range,
    vwap,
    wilder,
    wma,
)
from tests.unit.domain.builders import MINUTE, START, candle

OTHER = "ETHTRY"
QUARTER = timedelta(minutes=15)

# Every word, more than once where periods or undefined inputs make a difference. CLOSE / VOLUME is undefined wherever
# nothing was traded.
THIN = CLOSE / VOLUME
EXAMPLES: Mapping[str, tuple[Expression, ...]] = {
    "OPEN": (OPEN,), "HIGH": (HIGH,), "LOW": (LOW,), "CLOSE": (CLOSE,), "VOLUME": (VOLUME,),
    "TYPICAL_PRICE": (TYPICAL_PRICE,),
    "sma": (sma(CLOSE, 1), sma(CLOSE, 20), sma(THIN, 3), sma(CLOSE - OPEN, 200)),
    "ema": (ema(CLOSE, 1), ema(CLOSE, 20), ema(THIN, 3)),
    "wma": (wma(CLOSE, 1), wma(CLOSE, 20), wma(THIN, 3), wma(CLOSE - OPEN, 200)),
    "wilder": (wilder(CLOSE, 1), wilder(CLOSE, 14), wilder(THIN, 3)),
    "highest": (highest(HIGH, 1), highest(HIGH, 20), highest(THIN, 3), highest(CLOSE - OPEN, 200)),
    "lowest": (lowest(LOW, 1), lowest(LOW, 20), lowest(THIN, 3), lowest(CLOSE - OPEN, 200)),
    "total": (total(VOLUME, 1), total(VOLUME, 20), total(THIN, 3), total(CLOSE - OPEN, 200)),
    "stdev": (stdev(CLOSE, 1), stdev(CLOSE, 20), stdev(THIN, 3), stdev(rsi(CLOSE, 5), 200)),
    "slope": (slope(CLOSE, 2), slope(CLOSE, 20), slope(THIN, 3), slope(CLOSE - OPEN, 200)),
    "rate_of_change": (rate_of_change(CLOSE, 1), rate_of_change(CLOSE, 10), rate_of_change(VOLUME, 3)),
    "rsi": (rsi(CLOSE, 1), rsi(CLOSE, 14), rsi(THIN, 3)),
    "macd": (*macd(CLOSE, 12, 26, 9), *macd(THIN, 1, 2, 1)),
    "stochastic": (*stochastic(14, 3, 3), *stochastic(1, 1, 1)),
    "true_range": (true_range(),),
    "atr": (atr(1), atr(14)),
    "bollinger": (*bollinger(CLOSE, 20, 2.0), *bollinger(THIN, 3, 1.5)),
    "donchian": (*donchian(1), *donchian(20)),
    "keltner": (*keltner(20, 10, 1.5),),
    "adx": (*adx(14), *adx(1)),
    "obv": (obv(), ema(obv(), 5)),
    "vwap": (vwap(1), vwap(20)),
    "crosses_above": (crosses_above(ema(CLOSE, 3), ema(CLOSE, 8)), crosses_above(THIN, 100.0)),
    "crosses_below": (crosses_below(ema(CLOSE, 3), ema(CLOSE, 8)), crosses_below(THIN, 100.0)),
    "rising": (rising(CLOSE, 1), rising(CLOSE, 3), rising(THIN, 2)),
    "falling": (falling(CLOSE, 1), falling(CLOSE, 3), falling(THIN, 2)),
    "holds_for": (holds_for(CLOSE > OPEN, 3), holds_for(THIN > 100.0, 2)),
    "bars_since": (bars_since(CLOSE > OPEN), bars_since(THIN > 500.0, 2), bars_since(crosses_above(CLOSE, OPEN), 5)),
    "larger": (larger(CLOSE, OPEN), larger(THIN, 100.0)),
    "smaller": (smaller(CLOSE, OPEN), smaller(THIN, 100.0)),
    "absolute": (absolute(CLOSE - OPEN), absolute(THIN)),
    "choose": (choose(CLOSE > OPEN, HIGH, 0.0), choose(THIN > 100.0, THIN, VOLUME)),
    "on_timeframe": (
        on_timeframe(QUARTER, CLOSE), sma(on_timeframe(QUARTER, rsi(CLOSE, 3)), 5), on_timeframe(MINUTE, VOLUME),
        on_timeframe(QUARTER, ema(CLOSE, 4) - on_timeframe(4 * QUARTER, LOW)),
    ),
    "of_pair": (
        of_pair(OTHER, CLOSE), CLOSE / of_pair(OTHER, ema(CLOSE, 5)),
        stdev(of_pair(OTHER, on_timeframe(QUARTER, HIGH)), 4), of_pair("NONETRY", CLOSE),
    ),
}  # fmt: skip


def generated(count: int, seed: int, *, is_gapped: bool = True) -> list[Candle]:
    """A market that wanders, now and then stands still, trades nothing, or leaves minutes out."""
    chance = random.Random(seed)
    candles, price, minute = [], 3_000_000.0, chance.randrange(15)
    for _ in range(count):
        opened, price = price, price * (1 + chance.choice((0.0, 1.0, 1.0, 3.0)) * chance.gauss(0, 0.001))
        high = max(opened, price) * (1 + chance.choice((0.0, 0.0005)) * chance.random())
        low = min(opened, price) * (1 - chance.choice((0.0, 0.0005)) * chance.random())
        volume = chance.choice((0.0, 1.0, 1.0)) * chance.random() * 5
        numbers = (Decimal(f"{number:.2f}") for number in (opened, high, low, price))
        candles.append(Candle(START + minute * MINUTE, *numbers, Decimal(f"{volume:.8f}")))
        minute += chance.choice((1, 1, 1, 1, 1, 2, 40)) if is_gapped else 1
    return candles


def recorded(recording: Path, count: int) -> list[Candle]:
    """The first candles of a gzipped CSV file: opening in milliseconds, open, high, low, close, volume."""
    with gzip.open(recording, "rt", encoding="ascii", newline="") as rows:
        reader = csv.reader(rows)
        next(reader)
        return [_row(*row) for row, _ in zip(reader, range(count), strict=False)]


def _row(time_ms: str, *numbers: str) -> Candle:
    return Candle(datetime.fromtimestamp(int(time_ms) / 1000, UTC), *map(Decimal, numbers))


def closing(*closes: float) -> list[Candle]:
    return [candle(minute, Decimal(str(close))) for minute, close in enumerate(closes)]


def states(program: Program, candles: list[Candle], others: CandlesByPair) -> list[ProgramState]:
    """The state after each candle, every other pair's candles handed in with the first of ours that is not earlier."""
    state, after = program.initial(), []
    taken = dict.fromkeys(others, 0)
    for one in candles:
        new = {}
        for pair, theirs in others.items():
            begin = taken[pair]
            while taken[pair] < len(theirs) and theirs[taken[pair]].opened_at <= one.opened_at:
                taken[pair] += 1
            new[pair] = theirs[begin : taken[pair]]
        state = program.step(state, one, MINUTE, new)
        after.append(state)
    return after


def streamed(expression: Expression, candles: list[Candle], others: CandlesByPair | None = None) -> list[Value]:
    program = Program(expression)
    return [program.value(state, expression) for state in states(program, candles, others or {})]


def in_columns(expression: Expression, candles: list[Candle], others: CandlesByPair | None = None) -> list[Value]:
    return list(Columns(candles, MINUTE, others or {}).of(expression))


def bits(values: list[Value]) -> list[str]:
    """Floats as their exact digits, so that 0.0 and -0.0 differ."""
    return [value.hex() if isinstance(value, float) else repr(value) for value in values]
