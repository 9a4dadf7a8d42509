"""What a run came to, held against numbers that were worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from btcbot.domain.money import amount
from btcbot.domain.orders.intents import Side
from btcbot.research.results import Rates, curve, results_of, trades_of
from btcbot.research.tables import document_of, text_of
from tests.unit.domain.builders import FEE_RATIO, fill
from tests.unit.research.recordings import walk
from tests.unit.research.test_backtest import CAPITAL, run

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)


def daily(*values: int) -> tuple[tuple[datetime, ...], tuple[Decimal, ...]]:
    """Values at the ends of days; the first one at the beginning."""
    return tuple(START + place * DAY for place in range(len(values))), tuple(map(Decimal, values))


def test_a_fall_is_measured_from_its_peak_and_told_with_its_days() -> None:
    told = curve(*daily(100, 120, 90, 110, 121, 100))
    assert told.drawdown.ratio == pytest.approx(0.25)
    assert (told.drawdown.peak_at, told.drawdown.trough_at) == (START + DAY, START + 2 * DAY)
    assert told.drawdown.longest_under == 2 * DAY
    assert told.growth == pytest.approx(0.0)
    assert told.worst_day == (date(2024, 1, 2), pytest.approx(-0.25))


def test_statistics_of_years_are_not_told_of_days() -> None:
    short, long = curve(*daily(100, 101, 99)), curve(*daily(*(100 + place % 3 for place in range(62))))
    assert (short.sharpe, short.sortino, short.yearly_growth, short.worst_month) == (None, None, None, None)
    assert long.sharpe is not None
    assert long.sortino is not None
    assert long.worst_month == ("2024-02", pytest.approx(100 / 101 - 1))


def test_sharpe_and_sortino_by_hand() -> None:
    """Up ten and down five percent in turn: mean 2.5 %, deviation 7.5 %, downside the root of half of 0.05 squared."""
    values = [100.0]
    for place in range(60):
        values.append(values[-1] * (0.95 if place % 2 else 1.10))
    told = curve(*daily(*(round(value * 10**8) for value in values)))
    assert told.sharpe == pytest.approx(0.025 / (0.075 * (60 / 59) ** 0.5) * 365**0.5, rel=1e-6)
    assert told.sortino == pytest.approx(0.025 / (0.05**2 / 2) ** 0.5 * 365**0.5, rel=1e-6)


def test_a_trade_is_an_order_that_sold_against_the_oldest_lots() -> None:
    def at(trade_id: int, side: Side, quantity: str, price: str, order: int) -> object:
        made = fill(trade_id, side, quantity, price, fee="1", at=START + trade_id * DAY)
        return replace(made, exchange_order_id=order)

    blotter = [
        at(1, Side.BUY, "1", "100", 1), at(2, Side.BUY, "1", "200", 2),
        at(3, Side.SELL, "1", "150", 3), at(4, Side.SELL, "0.5", "150", 3), at(5, Side.SELL, "0.5", "300", 4),
    ]  # fmt: skip
    first, second = trades_of(blotter)  # type: ignore[arg-type]
    assert (first.result, first.opened_at, first.closed_at) == (Decimal("21.5"), START + DAY, START + 4 * DAY)
    assert (second.result, second.quantity) == (Decimal("48.5"), Decimal("0.5"))


def test_money_of_a_run_adds_up_and_is_told_in_dollars() -> None:
    told = run(walk(1))
    days = tuple(told.starts_at.date() + place * DAY for place in range(30))
    rates = Rates("rates", days, tuple(Decimal(30 + place) for place in range(30)))
    results = results_of(told, FEE_RATIO, rates)
    fills = [each.fill for each in told.executions]
    assert (results.fees + results.tax).number == sum(one.fee + one.tax for one in fills)
    assert results.turnover.number == sum(one.notional for one in fills)
    assert results.result + CAPITAL == amount(f"{told.points[-1].equity} TRY")
    closed = results.won - results.lost
    if not told.points[-1].exposure:
        assert closed == results.result
    assert results.equity_usd is not None
    assert float(results.equity_usd.values[0]) == pytest.approx(float(CAPITAL.number) / 30)
    assert results_of(told, FEE_RATIO, Rates("old", (days[0] - 30 * DAY,), (Decimal(30),))).equity_usd is None


def test_holding_is_the_market_less_one_fee() -> None:
    told = run(walk(1))
    holding = results_of(told, FEE_RATIO).holding
    moved = float(told.closes["BTCTRY"][-1][1]) / float(told.first_prices["BTCTRY"])
    assert float(holding.values[-1]) == pytest.approx(float(CAPITAL.number) * moved / 1.0024, rel=1e-6)


def test_losses_stand_first_in_text_and_the_document_holds_every_trade() -> None:
    results = results_of(run(walk(1)), FEE_RATIO)
    text = text_of(results)
    assert text.index("deepest fall") < text.index("lost in trades") < text.index("result after all costs")
    document = document_of(results)
    assert len(document["trades"]) == len(results.trades) > 0  # type: ignore[arg-type]
    assert document["halt"] is None
