from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.money import MalformedNumber
from btcbot.persistence.sqlite.fields import DecimalText, UtcText, decimal_text, read_utc, to_millisecond, utc_text

DECIMALS = st.decimals(
    min_value=Decimal("-1e25"), max_value=Decimal("1e25"), allow_nan=False, allow_infinity=False, places=28
)  # fmt: skip
NAIVE_START, NAIVE_END = datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2200-01-01")
INSTANTS = st.datetimes(
    min_value=NAIVE_START, max_value=NAIVE_END,
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=3))]),
)  # fmt: skip


@given(DECIMALS)
def test_a_decimal_comes_back_equal(number: Decimal) -> None:
    field = DecimalText()
    assert field.python_value(field.db_value(number)) == number


@pytest.mark.parametrize("text", ["0.123456789012345678", "99999999999.123456789", "1234567890.123456789012"])
def test_a_real_balance_keeps_every_digit(text: str) -> None:
    assert decimal_text(Decimal(text)) == text


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("1e40"), Decimal("1e-40")])
def test_what_could_not_be_read_back_is_not_written(value: Decimal) -> None:
    with pytest.raises(MalformedNumber):
        decimal_text(value)


@pytest.mark.parametrize("value", [0.1, 1, "0.1"])
def test_only_a_decimal_is_a_decimal(value: object) -> None:
    with pytest.raises(TypeError):
        decimal_text(value)  # type: ignore[arg-type]


@given(INSTANTS, INSTANTS)
def test_the_order_of_texts_is_the_order_of_instants(one: datetime, other: datetime) -> None:
    one, other = to_millisecond(one), to_millisecond(other)
    assert (utc_text(one) < utc_text(other)) == (one < other)


@given(INSTANTS)
def test_an_instant_comes_back_equal_to_the_millisecond(moment: datetime) -> None:
    field = UtcText()
    assert field.python_value(field.db_value(moment)) == to_millisecond(moment) == read_utc(utc_text(moment))


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        utc_text(NAIVE_START)
