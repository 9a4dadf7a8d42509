"""A backtest decides as live does, books every fill, and adds up."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from btcbot.domain.market import Candle
from btcbot.domain.money import Ratio, amount, parse
from btcbot.domain.orders.evidence import Fill
from btcbot.domain.orders.intents import Side
from btcbot.research.backtest import BacktestReport, FillModel, run_backtest
from btcbot.research.history import MalformedHistory, read_candles
from btcbot.services.decision import DecisionParams
from btcbot.strategy.ema_cross import EmaCrossParams, ema_cross
from tests.unit.domain.builders import BTC_TRY, ETH_TRY, FEE_RATIO, LIMITS, MINUTE, TRY, candle

STRATEGY = ema_cross(EmaCrossParams(fast=1, slow=2), TRY)
PARAMS = DecisionParams(STRATEGY, ("BTCTRY", "ETHTRY"), LIMITS, MINUTE, timedelta(seconds=60), FEE_RATIO)
MODEL = FillModel(Ratio(parse("0.0001")), FEE_RATIO)
CAPITAL = amount("100000 TRY")


def history(*closes: int, volume: str = "10") -> list[Candle]:
    flat = [1_000_000] * STRATEGY.warm_up
    return [replace(candle(minute, close), volume=parse(volume)) for minute, close in enumerate([*flat, *closes])]


def run(candles: Sequence[Candle], params: DecisionParams = PARAMS, model: FillModel = MODEL) -> BacktestReport:
    instruments = {"BTCTRY": BTC_TRY, "ETHTRY": ETH_TRY}
    return run_backtest({"BTCTRY": candles}, instruments, params, CAPITAL, model)


def walk(seed: int, length: int = 300) -> list[Candle]:
    chance, price, closes = Random(seed), 1_000_000.0, []
    for _ in range(length):
        price *= 1 + chance.gauss(0, 0.001)
        closes.append(int(price))
    return history(*closes)


def cash_moved(fills: Sequence[Fill]) -> Decimal:
    return sum(
        ((one.notional if one.side is Side.SELL else -one.notional) - one.fee - one.tax for one in fills),
        start=Decimal(0),
    )


def test_a_round_trip_pays_spread_and_fee() -> None:
    report = run(history(999_000, 1_000_000, 999_000))
    assert [(one.side, one.price) for one in report.fills] == [
        (Side.BUY, parse("1000100")),
        (Side.SELL, parse("998900")),
    ]
    assert report.pnl.number == cash_moved(report.fills) < 0
    assert report.fees.number == sum(one.fee + one.tax for one in report.fills)
    assert (report.orders, report.refused, report.halt_reason) == (2, 0, None)


def test_what_the_book_does_not_hold_is_not_filled() -> None:
    report = run(history(999_000, 1_000_000, volume="0.0005"))
    assert [one.quantity for one in report.fills] == [parse("0.0005")]


def test_without_volume_there_is_no_book_and_no_order() -> None:
    report = run(history(999_000, 1_000_000, volume="0"))
    assert (report.orders, report.fills) == (0, ())


@pytest.mark.parametrize("seed", range(3))
def test_the_same_candles_give_the_same_report_and_it_adds_up(seed: int) -> None:
    report = run(walk(seed))
    assert report == run(walk(seed))
    assert len(report.fills) > 20
    held = sum((one.quantity if one.side is Side.BUY else -one.quantity for one in report.fills), start=Decimal(0))
    if held == 0:
        assert report.pnl.number == cash_moved(report.fills)
    assert 0 <= held * 1_000_000 <= LIMITS.position_notional_max.number
    assert len(report.equity) == report.candles == 300 + STRATEGY.warm_up


def test_a_breaker_that_trips_ends_the_trading() -> None:
    dear = replace(PARAMS, limits=replace(LIMITS, day_loss_max=amount("10 TRY")))
    report = run(walk(1), params=dear)
    assert str(report.halt_reason).startswith("day_loss_at_max")
    assert len(report.fills) < len(run(walk(1)).fills)


def test_candles_are_read_from_plain_and_gzipped_files(tmp_path: Path) -> None:
    text = "time,open,high,low,close,volume\n1767603600000,1,3,0.5,2.0,10\n"
    (tmp_path / "plain.csv").write_text(text, encoding="utf-8")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(text.encode()))
    expected = replace(candle(0, 2), open=Decimal(1), high=Decimal(3), low=parse("0.5"), volume=Decimal(10))
    assert read_candles(tmp_path / "plain.csv") == read_candles(tmp_path / "packed.csv.gz") == (expected,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks one of the columns"),
        ("time,open,high,low,close\n", "lacks one of the columns"),
        ("time,open,high,low,close,volume\n1,1,1,1,1\n", "line 2"),
        ("time,open,high,low,close,volume\n1,1,1,1,1,1\nx,1,1,1,1,1\n", "line 3"),
        ("time,open,high,low,close,volume\n1,1,NaN,1,1,1\n", "line 2"),
        ("time,open,high,low,close,volume\n99999999999999999999,1,1,1,1,1\n", "line 2"),
    ],
)
def test_a_malformed_recording_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "odd.csv").write_text(text, encoding="utf-8")
    with pytest.raises(MalformedHistory, match=message):
        read_candles(tmp_path / "odd.csv")
