"""Numbers and names of the REST answers, each read in one way and bounded (protocol, section 2).

A decimal is read from a decimal string or from the digits of a JSON number, never through a float.
"""

import re
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer, StrictStr

DIGITS_MAX: Final = 30  # on either side of the point: money to 60 digits stays exact
_PLAIN = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_INT64 = 2**63
SECONDS_FIRST, SECONDS_LAST = 946_684_800, 4_102_444_800  # the years 2000 and 2100
MILLISECONDS_FIRST, MILLISECONDS_LAST = SECONDS_FIRST * 1000, SECONDS_LAST * 1000
LEVELS_MAX = 1_000
ROWS_MAX = 20_000


def read_decimal(value: object) -> Decimal:
    """A decimal string with a point, or a JSON number; neither NaN nor anything that money could not hold exactly."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) is None:
            raise ValueError("not a plain decimal number")
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("not a number")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and (exponent < -DIGITS_MAX or (value != 0 and value.adjusted() >= DIGITS_MAX)):
        raise ValueError("more digits than money has")
    return value


def _read_balance(value: object) -> Decimal:
    """As above, or with one decimal comma (open question B5); two separators are ambiguous and refused."""
    if isinstance(value, str) and value.count(",") == 1 and "." not in value:
        value = value.replace(",", ".")
    return read_decimal(value)


def read_whole(value: object) -> int:
    """A whole number of 64 bits, also when it is written as a string or with a zero fraction."""
    if isinstance(value, str) and _WHOLE.fullmatch(value) is not None:
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.copy_abs() < _INT64 and value == int(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
        raise ValueError("not a whole number of 64 bits")
    return value


def _read_seconds(value: object) -> int:
    whole = read_whole(value)
    if not SECONDS_FIRST <= whole < SECONDS_LAST:
        raise ValueError("not a time in seconds")
    return whole


def _read_milliseconds(value: object) -> int:
    whole = read_whole(value)
    if not MILLISECONDS_FIRST <= whole < MILLISECONDS_LAST:
        raise ValueError("not a time in milliseconds")
    return whole


def _read_milliseconds_or_zero(value: object) -> int:
    return 0 if read_whole(value) == 0 else _read_milliseconds(value)


def _write_decimal(number: Decimal) -> str:
    return format(number, "f")


DecimalText = Annotated[Decimal, BeforeValidator(read_decimal), PlainSerializer(_write_decimal)]
"""A decimal string on the wire (orders, books, balances)."""
BalanceText = Annotated[Decimal, BeforeValidator(_read_balance), PlainSerializer(_write_decimal)]
"""A decimal string, perhaps with a decimal comma."""
DecimalNumber = Annotated[Decimal, BeforeValidator(read_decimal)]
"""A JSON number on the wire (ticker, candles, preciseAmount)."""
Whole = Annotated[int, BeforeValidator(read_whole)]
Seconds = Annotated[int, BeforeValidator(_read_seconds)]
Milliseconds = Annotated[int, BeforeValidator(_read_milliseconds)]
MillisecondsOrZero = Annotated[int, BeforeValidator(_read_milliseconds_or_zero)]
OrderId = Annotated[int, BeforeValidator(read_whole), Field(gt=0)]
Scale = Annotated[int, BeforeValidator(read_whole), Field(ge=0, le=18)]
Code = StrictStr | Whole
Name = Annotated[str, Field(strict=True, min_length=1, max_length=64)]
