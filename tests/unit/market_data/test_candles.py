from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.market import Candle
from btcbot.market_data.candles import PER_CALL_MAX, CandleSeries, calls_for, contiguous, opening_of
from tests.unit.exchange.builders import START, d

MINUTE = timedelta(minutes=1)


def candle(minute: float, close: str = "100") -> Candle:
    price = d(close)
    return Candle(START + minute * MINUTE, price, price, price, price, d("1"))


def minutes(candles: object) -> list[float]:
    return [(each.opened_at - START) / MINUTE for each in candles]  # type: ignore[attr-defined]


def test_the_grid_is_the_same_for_everyone() -> None:
    assert opening_of(START + timedelta(seconds=59.9), MINUTE) == START
    assert opening_of(START + timedelta(minutes=7), timedelta(minutes=5)) == START + timedelta(minutes=5)


def test_the_running_candle_is_never_shown() -> None:
    series = CandleSeries(MINUTE)
    assert series.take([candle(0), candle(1), candle(2)], START + 2.5 * MINUTE) == 2
    assert minutes(series.after(None)) == [0, 1]
    assert series.take([candle(2)], START + 3 * MINUTE) == 1


def test_what_was_taken_is_never_revised() -> None:
    series = CandleSeries(MINUTE)
    series.take([candle(0, "100")], START + MINUTE)
    assert series.take([candle(0, "999"), candle(1, "101")], START + 2 * MINUTE) == 1
    assert [each.close for each in series.after(None)] == [100, 101]


def test_an_interval_without_trades_is_flat_once_a_later_one_proves_it() -> None:
    series = CandleSeries(MINUTE)
    series.take([candle(0, "100")], START + 3 * MINUTE)
    assert minutes(series.after(None)) == [0]
    series.take([candle(3, "105")], START + 4 * MINUTE)
    flat = series.after(START)[:2]
    assert minutes(series.after(None)) == [0, 1, 2, 3]
    assert [(each.open, each.close, each.volume) for each in flat] == [(100, 100, 0), (100, 100, 0)]


def test_a_candle_off_the_grid_is_left_out() -> None:
    series = CandleSeries(MINUTE)
    assert series.take([candle(0), candle(0.5)], START + 5 * MINUTE) == 1


def test_what_is_missing_is_known() -> None:
    series = CandleSeries(MINUTE)
    assert series.misses(START + MINUTE)
    assert series.wanted_since(START + 5.2 * MINUTE) == START + 4 * MINUTE
    series.take([candle(0)], START + MINUTE)
    assert not series.misses(START + 1.9 * MINUTE)
    assert series.misses(START + 2 * MINUTE)
    assert series.wanted_since(START + 5.2 * MINUTE) == START + MINUTE


def test_long_ranges_are_asked_for_in_bounded_calls() -> None:
    calls = list(calls_for(START, START + 1200 * MINUTE, MINUTE))
    assert [int((end - start) / MINUTE) + 1 for start, end in calls] == [PER_CALL_MAX, PER_CALL_MAX, 201]
    assert calls[1][0] == calls[0][1] + MINUTE
    assert list(calls_for(START + MINUTE, START, MINUTE)) == []


@given(st.lists(st.integers(min_value=0, max_value=200), min_size=1, max_size=60))
def test_candles_in_any_order_and_number_become_contiguous(arrived: list[int]) -> None:
    result = minutes(contiguous((candle(minute) for minute in arrived), MINUTE))
    assert result == list(range(min(arrived), max(arrived) + 1))


@given(st.lists(st.integers(min_value=0, max_value=60), min_size=1, max_size=60))
def test_a_series_is_contiguous_whenever_its_candles_arrive(arrived: list[int]) -> None:
    series = CandleSeries(MINUTE)
    for minute in arrived:
        series.take([candle(minute)], START + 100 * MINUTE)
    shown = minutes(series.after(None))
    assert shown == list(range(int(shown[0]), int(shown[-1]) + 1))
