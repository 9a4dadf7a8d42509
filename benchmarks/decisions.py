"""How much of a cycle's period deciding takes: the shipped strategy and every rule, on a generated market.

Prints p50 and p99 of one whole decision for five pairs, as a share of the shipped five-second period.
"""

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from figures import Figure, parser, percentile, tell

from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Candle, Level, MarketSnapshot, MarketView
from btcbot.domain.money import Amount, Asset, Ratio, use_money_context
from btcbot.domain.profiles import RiskLimits, StrategyChoice
from btcbot.domain.state import BalancesSeen, LedgerOpened, TradingState, apply
from btcbot.services.decision import DecisionParams, DecisionState, decide
from btcbot.strategy.registry import build_strategy

TRY = Asset("TRY")
PAIRS = ("AAATRY", "BBBTRY", "CCCTRY", "DDDTRY", "EEETRY")
PERIOD_SECONDS = 5
CYCLES, CYCLES_QUICK = 2_000, 50
START = datetime(2026, 1, 1, tzinfo=UTC)


def amount(number: int) -> Amount:
    return Amount(Decimal(number), TRY)


def limits() -> RiskLimits:
    return RiskLimits(
        TRY, amount(5_000), tuple(Amount(Decimal(1_000), Asset(pair[:3])) for pair in PAIRS), amount(20_000),
        amount(50_000), amount(2_000), Ratio(Decimal("0.1")),
        Ratio(Decimal("0.02")), Ratio(Decimal("0.02")), Ratio(Decimal("0.05")), 12, 100, timedelta(seconds=60),
        Ratio(Decimal("0.05")), timedelta(seconds=60), timedelta(minutes=15), 5, 20, 30, 2, timedelta(seconds=10),
        timedelta(minutes=5),        "Europe/Istanbul",
    )  # fmt: skip


def instrument(pair: str) -> Instrument:
    one = Decimal("0.01")
    return Instrument(
        pair, Asset(pair[:3]), TRY, one, Decimal("0.00000001"), one, Decimal(10**7), Decimal("99.91"), True
    )


def view(pair: str, cycle: int) -> MarketView:
    mid = Decimal(1000) + Decimal(cycle * 7 % 400) / 10
    bids = tuple(Level(mid - Decimal(n) / 10, Decimal(3)) for n in range(1, 21))
    asks = tuple(Level(mid + Decimal(n) / 10, Decimal(3)) for n in range(1, 21))
    candles: tuple[Candle, ...] = ()
    if cycle % 12 == 0:
        opened = START + timedelta(minutes=cycle // 12 - 1)
        candles = (Candle(opened, mid, mid + 1, mid - 1, mid, Decimal(1)),)
    return MarketView(instrument(pair), Book(bids, asks), timedelta(seconds=1), candles, False)


def main() -> int:
    options = parser(__doc__).parse_args()
    use_money_context()
    strategy = build_strategy(StrategyChoice("ema_cross", ()), TRY)
    params = DecisionParams(
        strategy, PAIRS, limits(), timedelta(minutes=1), timedelta(minutes=1), Ratio(Decimal("0.0024"))
    )
    trading = apply(apply(TradingState(TRY), LedgerOpened(Decimal(200_000))), BalancesSeen({TRY: Decimal(200_000)}))
    state = DecisionState.at(trading)
    taken: list[float] = []
    for cycle in range(CYCLES_QUICK if options.quick else CYCLES):
        now = START + timedelta(seconds=PERIOD_SECONDS * cycle)
        snapshot = MarketSnapshot(now, {pair: view(pair, cycle) for pair in PAIRS})
        began = time.perf_counter()
        plan = decide(state, snapshot, params, f"{cycle:032x}")
        taken.append(time.perf_counter() - began)
        state = replace(plan.state)
    figures = []
    for percent in (50, 99):
        seconds = percentile(taken, percent)
        share = f"{seconds / PERIOD_SECONDS:.2%} of the period"
        figures.append(Figure(f"one decision for five pairs, p{percent}", seconds * 1000, "ms", note=share))
    return tell(figures, options)


if __name__ == "__main__":
    sys.exit(main())
