"""One candle more: what a streaming update of each indicator costs, against recomputing and against other libraries.

Ten indicators of a kind take in the same candles: ours in one program, everything included (the candle's decimals
become floats, the state is a new one and the old one stays as it was); the others in a process of their own, in turns
with ours. Times are of the CPU, for neither side ever waits. pandas recomputes what a value needs of the last candles.
Then a whole strategy's thirty indicators for ten pairs, and the memory of five hundred pairs.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from figures import Figure, parser, percentile, pin, tell
from indicator_rows import PERIODS, rows

from btcbot.domain.market import Candle
from btcbot.strategy.language import (
    CLOSE,
    HIGH,
    VOLUME,
    Expression,
    Program,
    adx,
    atr,
    bars_since,
    bollinger,
    crosses_above,
    donchian,
    ema,
    highest,
    keltner,
    lowest,
    macd,
    obv,
    rate_of_change,
    rising,
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

PEERS_PYTHON = Path(__file__).parents[1] / ".venv-peers" / "bin" / "python"
START = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY, HISTORY_QUICK = 400, 60
ROUNDS, CANDLES, CANDLES_OF_OURS = 7, 200, 1_000
CANDLES_BY_PANDAS = 10  # it takes a hundred times as long
QUICK = ("sma", "ema", "stochastic")
PANDAS_TIMES_MIN, LIBRARY_TIMES_MIN = 20.0, 1.0
PAIRS, PAIRS_KEPT = 10, 500
STEP_MS_MAX, MEMORY_MB_MAX = 0.5, 50.0
PURE = ("talipp", "hexital")

OPERATORS: dict[str, Callable[[int], tuple[Expression, ...]]] = {
    "sma": lambda period: (sma(CLOSE, period),),
    "ema": lambda period: (ema(CLOSE, period),),
    "wma": lambda period: (wma(CLOSE, period),),
    "wilder": lambda period: (wilder(CLOSE, period),),
    "stdev": lambda period: (stdev(CLOSE, period),),
    "highest": lambda period: (highest(HIGH, period),),
    "total": lambda period: (total(VOLUME, period),),
    "rate_of_change": lambda period: (rate_of_change(CLOSE, period),),
    "rsi": lambda period: (rsi(CLOSE, period),),
    "macd": lambda period: tuple(macd(CLOSE, period, 2 * period, 9)),
    "bollinger": lambda period: tuple(bollinger(CLOSE, period, 2.0)),
    "atr": lambda period: (atr(period),),
    "donchian": lambda period: tuple(donchian(period)),
    "keltner": lambda period: tuple(keltner(period, period, 2.0)),
    "adx": lambda period: tuple(adx(period)),
    "stochastic": lambda period: tuple(stochastic(period, 3, 3)),
    "obv": lambda _period: (obv(),),
    "vwap": lambda period: (vwap(period),),
}

# Thirty indicators as traders have them on their charts, a band or a MACD counting as one.
STRATEGY: tuple[tuple[Expression, ...], ...] = (
    (ema(CLOSE, 9),), (ema(CLOSE, 21),), (ema(CLOSE, 50),), (ema(CLOSE, 200),),
    (sma(CLOSE, 20),), (sma(CLOSE, 50),), (sma(CLOSE, 200),), (wma(CLOSE, 20),), (wilder(CLOSE, 14),),
    (rsi(CLOSE, 7),), (rsi(CLOSE, 14),), (true_range(),), (atr(14),), tuple(macd(CLOSE, 12, 26, 9)),
    tuple(bollinger(CLOSE, 20, 2.0)), tuple(donchian(20)), tuple(donchian(55)), tuple(keltner(20, 10, 1.5)),
    tuple(adx(14)), tuple(stochastic(14, 3, 3)), (obv(),), (vwap(20),), (highest(CLOSE, 20),), (lowest(CLOSE, 20),),
    (total(VOLUME, 20),), (stdev(CLOSE, 10),), (slope(CLOSE, 20),), (rate_of_change(CLOSE, 10),),
    (rising(CLOSE, 3),), (bars_since(crosses_above(CLOSE, sma(CLOSE, 20))),),
)  # fmt: skip


def candles(count: int, seed: int = 1) -> list[Candle]:
    return [
        Candle(START + timedelta(minutes=number), *(Decimal(str(value)) for value in row))
        for number, row in enumerate(rows(count, seed))
    ]


def ours(operator: str, history: int, data: list[Candle]) -> float:
    """Nanoseconds of CPU of one indicator and candle."""
    program = Program(*(one for period in PERIODS for one in OPERATORS[operator](period)))
    state = program.initial()
    for candle in data[:history]:
        state = program.step(state, candle)
    began = time.process_time_ns()
    for candle in data[history:]:
        state = program.step(state, candle)
    return (time.process_time_ns() - began) / (len(data) - history) / len(PERIODS)


class Peers:
    """The process that has the other libraries."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("peer_indicators.py")
        self._process = subprocess.Popen(
            (str(PEERS_PYTHON), str(script)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.versions: dict[str, str] = self._answer()

    def nanoseconds(self, library: str, operator: str, history: int, count: int) -> float | None:
        assert self._process.stdin is not None
        print(json.dumps([library, operator, history, count]), file=self._process.stdin, flush=True)
        answer: float | None = self._answer()
        return answer

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def compared(peers: Peers, *, is_quick: bool) -> list[Figure]:
    """Each operator, in turns; the ratios of the medians."""
    history, count, rounds = (HISTORY_QUICK, 5, 1) if is_quick else (HISTORY, CANDLES, ROUNDS)
    data = candles(history + (count if is_quick else CANDLES_OF_OURS))
    figures: list[Figure] = []
    worst: dict[str, tuple[float, str]] = {}
    for operator in QUICK if is_quick else OPERATORS:
        taken: dict[str, list[float]] = {"ours": []}
        for _ in range(rounds):
            taken["ours"].append(ours(operator, history, data))
            for library in peers.versions:
                by_library = min(count, CANDLES_BY_PANDAS) if library == "pandas" else count
                answer = peers.nanoseconds(library, operator, history, by_library)
                if answer is not None:
                    taken.setdefault(library, []).append(answer)
        middle = {library: median(values) for library, values in taken.items()}
        times = {library: value / middle["ours"] for library, value in middle.items() if library != "ours"}
        note = ", ".join(f"{library} {value:.1f} ×" for library, value in times.items())
        figures.append(Figure(f"{operator}, one candle", middle["ours"] / 1000, "µs", note=note))
        pure = [(value, library) for library, value in times.items() if library in PURE]
        for kind, found in (("pandas", [(times["pandas"], "")] if "pandas" in times else []), ("pure", pure)):
            if found:
                nearest = min(found)
                worst[kind] = min(worst.get(kind, (float("inf"), "")), (nearest[0], f"{operator} {nearest[1]}".strip()))
    versions = ", ".join(f"{library} {peers.versions[library]}" for library in PURE)
    return [
        *figures,
        Figure(
            f"pandas {peers.versions['pandas']} by ours, the least", worst["pandas"][0], "×",
            at_least=PANDAS_TIMES_MIN, note=worst["pandas"][1],
        ),
        Figure(
            f"the faster of {versions} by ours, the least", worst["pure"][0], "×",
            at_least=LIBRARY_TIMES_MIN, note=worst["pure"][1],
        ),
    ]  # fmt: skip


def stepped(count: int) -> list[Figure]:
    """One candle for each of ten pairs, thirty indicators each."""
    program = Program(*(one for indicator in STRATEGY for one in indicator))
    histories = [candles(HISTORY + count, seed) for seed in range(PAIRS)]
    states = [program.initial() for _ in histories]
    taken = []
    for number in range(HISTORY + count):
        began = time.process_time_ns()
        for pair, history in enumerate(histories):
            states[pair] = program.step(states[pair], history[number])
        taken.append((time.process_time_ns() - began) / 1e6)
    note = f"{len(STRATEGY)} indicators each, CPU"
    return [
        Figure(f"{PAIRS} pairs, one candle each, p50", median(taken[HISTORY:]), "ms", at_most=STEP_MS_MAX, note=note),
        Figure(f"{PAIRS} pairs, one candle each, p99", percentile(taken[HISTORY:], 99), "ms"),
    ]


def kept(pairs: int) -> list[Figure]:
    """What the states of so many pairs take, each after its own candles."""
    program = Program(*(one for indicator in STRATEGY for one in indicator))
    process = psutil.Process()
    before = process.memory_info().rss
    states = []
    for seed in range(pairs):
        state = program.initial()
        for candle in candles(HISTORY, seed):
            state = program.step(state, candle)
        states.append(state)
    grown = (process.memory_info().rss - before) / 1e6
    name = f"memory of {PAIRS_KEPT} pairs × {len(STRATEGY)} indicators"
    return [Figure(name, grown * PAIRS_KEPT / len(states), "MB", at_most=MEMORY_MB_MAX)]


def main() -> int:
    options = parser(__doc__).parse_args()
    pin(0)
    figures = kept(PAIRS if options.quick else PAIRS_KEPT)  # first: while nothing else has taken and freed memory
    figures += stepped(10 if options.quick else 1_000)
    if PEERS_PYTHON.exists():
        peers = Peers()
        figures = [*compared(peers, is_quick=options.quick), *figures]
        peers.close()
    else:
        print(f"nothing is compared: {PEERS_PYTHON} does not exist (make .venv-peers/.installed)", file=sys.stderr)
    return tell(figures, options)


if __name__ == "__main__":
    sys.exit(main())
