"""What a run came to: money exact, statistics as floats, losses in the same words as gains.

Conventions, the same for the strategy and for holding:
- Days are UTC days, and a day's return is that of its last value against the one of the day before.
- Sharpe is the mean daily return over its sample deviation, Sortino over the root of the mean squared loss (a day
  without one counts as zero), both times the root of 365. The rate without risk is zero: with interest of 40 % and more
  on lira deposits that flatters. Below `DAYS_MIN` days neither is given, nor a yearly growth.
- A trade is an order that sold, against the oldest lots held (first in, first out); its result is after fees and tax of
  both sides. What is still held is no trade: it is valued at the last mark.
- Holding buys at the first decision for all of the capital, pays the taker's fee once, and does nothing.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from btcbot.domain.lots import FifoLots
from btcbot.domain.money import ZERO, Amount, Ratio, divide_down
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.research.backtest import BacktestRun
from btcbot.research.candle_market import MS

K = TypeVar("K")

DAYS_MIN = 30
YEAR_DAYS = 365
AMOUNT_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Trade:
    """One order that sold, with what it sold had cost."""

    pair: str
    opened_at: datetime  # the oldest lot that it sold of
    closed_at: datetime
    quantity: Decimal
    cost: Decimal  # with fees and tax
    proceeds: Decimal  # less fees and tax

    @property
    def result(self) -> Decimal:
        return self.proceeds - self.cost


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall from a peak, as a fraction of it."""

    ratio: float
    peak_at: datetime
    trough_at: datetime
    longest_under: timedelta  # the longest time below an earlier peak, whichever fall that was


@dataclass(frozen=True, slots=True)
class Curve:
    """A value over time, one a candle, and what statistics make of it."""

    times: tuple[datetime, ...]
    values: tuple[Decimal, ...]
    drawdown: Drawdown
    growth: float  # the last value over the first, less one
    yearly_growth: float | None
    sharpe: float | None
    sortino: float | None
    worst_day: tuple[date, float] | None
    worst_month: tuple[str, float] | None
    years: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Results:
    run: BacktestRun
    equity: Curve
    holding: Curve
    equity_usd: Curve | None  # nothing where no rate is known for the whole time
    holding_usd: Curve | None
    trades: tuple[Trade, ...]
    result: Amount  # after fees and tax, what is held valued at the last mark
    held: Amount  # of it
    fees: Amount
    tax: Amount
    turnover: Amount  # bought and sold, price × quantity
    maker_ratio: float  # of the turnover, by waiting orders
    exposure_mean: float  # of the equity, in the market
    exposure_max: float
    win_ratio: float | None
    profit_factor: float | None  # what trades won over what they lost
    won: Amount
    lost: Amount
    held_median: timedelta | None


@dataclass(frozen=True, slots=True)
class Rates:
    """What one dollar cost in the run's currency, by day, rising."""

    name: str
    days: tuple[date, ...]
    prices: tuple[Decimal, ...]

    def at(self, day: date) -> Decimal | None:
        """The newest one known by a day, for a week."""
        place = bisect_right(self.days, day) - 1
        if place < 0 or day - self.days[place] > timedelta(days=7):
            return None
        return self.prices[place]


def results_of(run: BacktestRun, taker_ratio: Ratio, rates: Rates | None = None) -> Results:
    """Everything that is said of a run. `taker_ratio` is what holding pays once, tax included."""
    times = tuple(point.at for point in run.points)
    equity = tuple(point.equity for point in run.points)
    holding = holding_values(run, taker_ratio)
    trades = tuple(trades_of(each.fill for each in run.executions))
    currency = run.capital.asset
    won = sum((trade.result for trade in trades if trade.result > 0), start=ZERO)
    lost = sum((-trade.result for trade in trades if trade.result <= 0), start=ZERO)
    exposures = [float(point.exposure) / float(point.equity) for point in run.points if point.equity > 0]
    turnover = sum((each.fill.notional for each in run.executions), start=ZERO)
    made = sum((each.fill.notional for each in run.executions if each.is_maker), start=ZERO)
    return Results(
        run=run,
        equity=curve(times, equity),
        holding=curve(times, holding),
        equity_usd=_in_dollars(times, equity, rates),
        holding_usd=_in_dollars(times, holding, rates),
        trades=trades,
        result=Amount(equity[-1], currency) - run.capital,
        held=Amount(run.points[-1].exposure, currency),
        fees=Amount(sum((each.fill.fee for each in run.executions), start=ZERO), currency),
        tax=Amount(sum((each.fill.tax for each in run.executions), start=ZERO), currency),
        turnover=Amount(turnover, currency),
        maker_ratio=float(made) / float(turnover) if turnover else 0.0,
        exposure_mean=_mean(exposures),
        exposure_max=max(exposures, default=0.0),
        win_ratio=sum(trade.result > 0 for trade in trades) / len(trades) if trades else None,
        profit_factor=float(won) / float(lost) if lost else None,
        won=Amount(won, currency),
        lost=Amount(lost, currency),
        held_median=_median([trade.closed_at - trade.opened_at for trade in trades]),
    )


def trades_of(fills: Iterable[Fill]) -> list[Trade]:
    """Each order that sold, in the order of its last fill."""
    lots: defaultdict[str, FifoLots] = defaultdict(FifoLots)
    bought_at: dict[int, datetime] = {}
    trades: dict[int, Trade] = {}
    for fill in fills:
        charges = fill.fee + fill.tax
        if fill.side is Side.BUY:
            bought_at[fill.trade_id] = fill.time_exchange
            lots[fill.pair].buy([fill.trade_id], [fill.quantity], [fill.price], [fill.notional + charges], [ZERO])
            continue
        sold = lots[fill.pair].sell(fill.quantity)
        opened_at = min(bought_at[trade_id] for trade_id, _ in sold.lots)
        before = trades.pop(fill.exchange_order_id, Trade(fill.pair, opened_at, opened_at, ZERO, ZERO, ZERO))
        trades[fill.exchange_order_id] = Trade(
            fill.pair, min(before.opened_at, opened_at), fill.time_exchange, before.quantity + fill.quantity,
            before.cost + sold.cost, before.proceeds + fill.notional - charges,
        )  # fmt: skip
    return list(trades.values())


def holding_values(run: BacktestRun, taker_ratio: Ratio) -> tuple[Decimal, ...]:
    """What the capital had become, spread evenly over the pairs at the first decision and left alone."""
    share = divide_down(run.capital.number, Decimal(len(run.pairs)), AMOUNT_STEP)
    held = {pair: divide_down(share, run.first_prices[pair] * (1 + taker_ratio), AMOUNT_STEP) for pair in run.pairs}
    prices = dict(run.first_prices)
    closings = sorted((at, pair, close) for pair, closes in run.closes.items() for at, close in closes)
    values, place = [], 0
    for point in run.points:
        while place < len(closings) and closings[place][0] <= point.at:
            prices[closings[place][1]] = closings[place][2]
            place += 1
        values.append(sum((held[pair] * prices[pair] for pair in run.pairs), start=ZERO))
    return tuple(values)


def curve(times: Sequence[datetime], values: Sequence[Decimal]) -> Curve:
    """At least one value, all above zero but perhaps the last ones. What midnight ends belongs to the day before it."""
    numbers = [float(value) for value in values]
    within = [moment - MS for moment in times]
    days = _last_of(within, numbers, lambda moment: moment.date())
    months = _last_of(within, numbers, lambda moment: f"{moment:%Y-%m}")
    years = _last_of(within, numbers, lambda moment: moment.year)
    daily = _returns(days, numbers[0])
    span = (times[-1] - times[0]) / timedelta(days=YEAR_DAYS)
    growth = numbers[-1] / numbers[0] - 1.0
    is_long = len(days) >= DAYS_MIN
    returns = [value for _, value in daily[1:]]
    return Curve(
        times=tuple(times),
        values=tuple(values),
        drawdown=drawdown_of(times, numbers),
        growth=growth,
        yearly_growth=(1.0 + growth) ** (1.0 / span) - 1.0 if is_long and growth > -1.0 else None,
        sharpe=_sharpe(returns) if is_long else None,
        sortino=_sortino(returns) if is_long else None,
        worst_day=min(daily, key=lambda each: each[1], default=None),
        worst_month=min(_returns(months, numbers[0]), key=lambda each: each[1], default=None) if is_long else None,
        years=tuple(_returns(years, numbers[0])),
    )


def drawdown_of(times: Sequence[datetime], values: Sequence[float]) -> Drawdown:
    peak, peak_at = values[0], times[0]
    worst = (0.0, times[0], times[0])
    longest = timedelta()
    for at, value in zip(times, values, strict=True):
        if value >= peak:
            peak, peak_at = value, at
            continue
        longest = max(longest, at - peak_at)
        if (fall := 1.0 - value / peak) > worst[0]:
            worst = (fall, peak_at, at)
    return Drawdown(*worst, longest)


def _in_dollars(times: Sequence[datetime], values: Sequence[Decimal], rates: Rates | None) -> Curve | None:
    if rates is None:
        return None
    by_day = {day: rates.at(day) for day in {moment.date() for moment in times}}
    known = {day: rate for day, rate in by_day.items() if rate is not None}
    if len(known) < len(by_day):
        return None
    dollars = [
        divide_down(value, known[moment.date()], AMOUNT_STEP) for moment, value in zip(times, values, strict=True)
    ]
    return curve(times, dollars)


def _last_of(times: Sequence[datetime], values: Sequence[float], key: Callable[[datetime], K]) -> list[tuple[K, float]]:
    """The last value of each period, in order."""
    last: dict[K, float] = {}
    for moment, value in zip(times, values, strict=True):
        last[key(moment)] = value
    return list(last.items())


def _returns(values: Sequence[tuple[K, float]], first: float) -> list[tuple[K, float]]:
    """Each period's return against the end of the one before; the first one's against the beginning."""
    before = first
    returns: list[tuple[K, float]] = []
    for name, value in values:
        returns.append((name, value / before - 1.0 if before else 0.0))
        before = value
    return returns


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0


def _sharpe(returns: Sequence[float]) -> float | None:
    mean = _mean(returns)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in returns) / max(len(returns) - 1, 1))
    return mean / deviation * math.sqrt(YEAR_DAYS) if deviation else None


def _sortino(returns: Sequence[float]) -> float | None:
    downside = math.sqrt(_mean([min(value, 0.0) ** 2 for value in returns]))
    return _mean(returns) / downside * math.sqrt(YEAR_DAYS) if downside else None


def _median(times: Sequence[timedelta]) -> timedelta | None:
    return sorted(times)[len(times) // 2] if times else None
