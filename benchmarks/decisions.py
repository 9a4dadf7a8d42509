"""How long one whole decision takes: ten pairs with thirty indicators each, every rule, on a generated market.

As in life: a cycle every five seconds, a candle of one minute in every twelfth of them, orders judged as they are
wanted. Counted in CPU time of the thread that decides, so that a busy neighbour counts for less.
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
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.state import BalancesSeen, LedgerOpened, TradingState, apply
from btcbot.services.decision import DecisionParams, DecisionState, decide
from btcbot.strategy.language import CLOSE, crosses_above, ema, rsi, sma
from btcbot.strategy.strategy import Strategy

TRY = Asset("TRY")
PAIRS = tuple(f"{letter * 3}TRY" for letter in "ABCDEFGHIJ")
INDICATORS = 30
MS_MAX = 1
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


def strategy() -> Strategy:
    """An EMA cross that looks at thirty indicators: ten averages of either kind and ten RSIs."""
    kinds = (ema, sma, rsi)
    looked_at = [kind(CLOSE, 3 + period) for period in range(INDICATORS // len(kinds)) for kind in kinds]
    fast, slow = looked_at[0], looked_at[-3]
    wants_out = fast < slow
    for series in looked_at:
        wants_out = wants_out & (series > 0.0)
    shown = (("fast", fast), ("slow", slow))
    return Strategy("thirty", crosses_above(fast, slow), wants_out, amount(1_500), False, shown)


def main() -> int:
    options = parser(__doc__).parse_args()
    use_money_context()
    params = DecisionParams(
        strategy(), PAIRS, limits(), timedelta(minutes=1), timedelta(minutes=1), Ratio(Decimal("0.0024"))
    )
    trading = apply(apply(TradingState(TRY), LedgerOpened(Decimal(200_000))), BalancesSeen({TRY: Decimal(200_000)}))
    state = DecisionState.at(trading)
    taken: list[float] = []
    judged = 0
    for cycle in range(CYCLES_QUICK if options.quick else CYCLES):
        now = START + timedelta(seconds=PERIOD_SECONDS * cycle)
        snapshot = MarketSnapshot(now, {pair: view(pair, cycle) for pair in PAIRS})
        began = time.thread_time()
        plan = decide(state, snapshot, params, f"{cycle:032x}")
        taken.append(time.thread_time() - began)
        judged += len(plan.verdicts)
        state = replace(plan.state)
    figures = []
    for percent in (50, 99):
        seconds = percentile(taken, percent)
        note = f"{seconds / PERIOD_SECONDS:.2%} of the period, {judged} orders judged in {len(taken)} cycles"
        most = MS_MAX if percent == 99 else None
        name = f"one decision, 10 pairs × 30 indicators, p{percent}"
        figures.append(Figure(name, seconds * 1000, "ms", most, note=note))
    return tell(figures, options)


if __name__ == "__main__":
    sys.exit(main())
