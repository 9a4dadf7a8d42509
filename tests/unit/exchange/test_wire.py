from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from btcbot.domain.money import plain
from btcbot.exchange.wire import BalanceText, DecimalNumber, DecimalText, Milliseconds, Name, Seconds, Whole
from tests.unit.exchange.builders import d

TEXT: TypeAdapter[Decimal] = TypeAdapter(DecimalText)
NUMBER: TypeAdapter[Decimal] = TypeAdapter(DecimalNumber)
BALANCE: TypeAdapter[Decimal] = TypeAdapter(BalanceText)
WHOLE: TypeAdapter[int] = TypeAdapter(Whole)
SECONDS: TypeAdapter[int] = TypeAdapter(Seconds)
MILLISECONDS: TypeAdapter[int] = TypeAdapter(Milliseconds)
NAME: TypeAdapter[str] = TypeAdapter(Name)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=16))
def test_a_number_that_is_printed_and_read_stays_the_same(number: Decimal) -> None:
    assert TEXT.validate_python(plain(number)) == number
    assert TEXT.validate_python(TEXT.dump_python(number)) == number


@pytest.mark.parametrize(
    "absurd",
    [
        "", " 1", "1 ", "1e5", "1E-7", "NaN", "Infinity", "-Infinity", "٣", "1,5", "1.2.3", "0x1", "1_000", "+", "--1",
        True, None, 1.5, [], "1" * 31, "0." + "1" * 31, Decimal("NaN"), Decimal("Infinity"), Decimal("1e400"),
        Decimal("1e-400"),
    ],
)  # fmt: skip
def test_an_absurd_number_is_refused(absurd: object) -> None:
    with pytest.raises(ValidationError):
        TEXT.validate_python(absurd)


@pytest.mark.parametrize(
    ("sent", "read"), [("27223,7283", "27223.7283"), ("27223.7283", "27223.7283"), ("0", "0"), ("-0,5", "-0.5")]
)
def test_a_balance_has_a_point_or_a_comma(sent: str, read: str) -> None:
    assert BALANCE.validate_python(sent) == d(read)


@pytest.mark.parametrize("ambiguous", ["1,234.5", "1.234,5", "1,2,3", "1,", ",5", ","])
def test_a_balance_with_two_separators_is_refused(ambiguous: str) -> None:
    with pytest.raises(ValidationError):
        BALANCE.validate_python(ambiguous)


def test_a_number_of_json_may_have_an_exponent_and_a_string_may_not() -> None:
    assert NUMBER.validate_python(Decimal("1E-05")) == d("0.00001")
    with pytest.raises(ValidationError):
        TEXT.validate_python("1E-05")


def test_seconds_and_milliseconds_are_never_mistaken_for_each_other() -> None:
    assert SECONDS.validate_python(1735689600) == 1735689600
    assert MILLISECONDS.validate_python(Decimal("1643883463379.0")) == 1643883463379
    assert MILLISECONDS.validate_python("1787692476996") == 1787692476996
    for wrong in (1735689600000, 0, -1):
        with pytest.raises(ValidationError):
            SECONDS.validate_python(wrong)
    for wrong in (1735689600, 0, 1735689600000000):
        with pytest.raises(ValidationError):
            MILLISECONDS.validate_python(wrong)


def test_ids_beyond_a_double_stay_exact() -> None:
    assert WHOLE.validate_python(1181163798924649598) == 1181163798924649598
    for absurd in (2**63, "9" * 20, Decimal("1.5"), True, "1.0", Decimal("1e30"), Decimal("1e999999999999")):
        with pytest.raises(ValidationError):
            WHOLE.validate_python(absurd)


@pytest.mark.parametrize("absurd", ["", "X" * 65, 7, None])
def test_a_name_is_a_short_text(absurd: object) -> None:
    with pytest.raises(ValidationError):
        NAME.validate_python(absurd)
