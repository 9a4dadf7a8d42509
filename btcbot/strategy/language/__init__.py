"""The language in which a strategy says when it wants to trade: expressions over candles that can only look back."""

from btcbot.strategy.language.batch import (
    Columns,
)
from btcbot.strategy.language.nodes import (
    PERIOD_MAX,
    Condition,
    Expression,
    Node,
    Series,
    node_of,
)
from btcbot.strategy.language.operators import (
    CLOSE,
    HIGH,
    LOW,
    OPEN,
    TYPICAL_PRICE,
    VOLUME,
    Adx,
    Bands,
    Macd,
    Stochastic,
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
from btcbot.strategy.language.streaming import (
    NO_OTHERS,
    CandlesByPair,
    Program,
    ProgramState,
)
from btcbot.strategy.language.values import (
    Value,
)
from btcbot.strategy.language.warm_up import (
    OWN,
    Needs,
    candles_needed,
    warm_up,
)

__all__ = [
    # the candle
    "OPEN", "HIGH", "LOW", "CLOSE", "VOLUME", "TYPICAL_PRICE",
    # averages
    "sma", "ema", "wma", "wilder",
    # windows over a series
    "highest", "lowest", "total", "stdev", "slope",
    # momentum
    "rate_of_change", "rsi", "macd", "stochastic",
    # ranges and channels
    "true_range", "atr", "bollinger", "donchian", "keltner", "adx",
    # volume
    "obv", "vwap",
    # conditions
    "crosses_above", "crosses_below", "rising", "falling", "holds_for", "bars_since",
    # pieces
    "larger", "smaller", "absolute", "choose",
    # other candles
    "on_timeframe", "of_pair",
    # what several of them give
    "Macd", "Bands", "Adx", "Stochastic",
    # expressions, and their two evaluators
    "Series", "Condition", "Expression", "Node", "node_of", "Value", "PERIOD_MAX",
    "Program", "ProgramState", "CandlesByPair", "NO_OTHERS", "Columns",
    # how many candles they need
    "warm_up", "candles_needed", "Needs", "OWN",
]  # fmt: skip
