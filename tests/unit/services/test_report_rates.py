"""A rate is the newest price known by a moment, for a week, and is never made up."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.times import iso_utc
from btcbot.persistence.sqlite.reading import StoredPrice
from btcbot.services.report_rates import AGE_MAX, Rates, rates_from

START = datetime(2026, 3, 1, tzinfo=UTC)
hours = st.integers(min_value=0, max_value=1000)


def after(count: int) -> datetime:
    return START + timedelta(hours=count)


def rates(*known: int) -> Rates:
    return rates_from([StoredPrice(Decimal(hour), after(hour)) for hour in known], "told")


def test_a_rate_holds_from_its_moment_on_for_a_week() -> None:
    week = AGE_MAX // timedelta(hours=1)
    known = rates(5, 10)
    assert known.at(iso_utc(after(4))).is_nan()
    assert known.at(iso_utc(after(5))) == 5
    assert known.at(iso_utc(after(10 + week) - timedelta(milliseconds=1))) == 10
    assert known.at(iso_utc(after(10 + week))).is_nan()


def test_a_rate_of_the_last_day_there_is_holds() -> None:
    last = datetime(9999, 12, 31, 12, tzinfo=UTC)
    assert rates_from([StoredPrice(Decimal(40), last)], "told").at(iso_utc(last)) == 40


@given(st.sets(hours, max_size=8), st.lists(hours, max_size=12))
def test_a_column_of_rates_is_the_rate_of_each_moment(known: set[int], moments: list[int]) -> None:
    def naive(moment: int) -> str:
        by_then = [hour for hour in known if hour <= moment and after(moment) - after(hour) < AGE_MAX]
        return str(max(by_then)) if by_then else "NaN"

    moments.sort()
    assert [str(rate) for rate in rates(*known).column([iso_utc(after(each)) for each in moments])] == [
        naive(moment) for moment in moments
    ]
