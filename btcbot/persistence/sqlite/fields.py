"""Columns that keep what they are given: exact decimals and UTC instants, both as text.

peewee's own decimal field stores a binary float (reliability, finding 9); these refuse what would not come back equal.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from peewee import Field

from btcbot.domain.money import parse, plain

if TYPE_CHECKING:
    _Field = Field[Any]  # generic in its stubs only
else:
    _Field = Field


def to_millisecond(moment: datetime) -> datetime:
    """The instant as it can be stored: UTC, cut to the millisecond."""
    return moment.astimezone(UTC) - timedelta(microseconds=moment.microsecond % 1000)


def utc_text(moment: datetime) -> str:
    """`2026-03-01T12:00:00.000Z`: the order of the texts is the order of the instants."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"  # cut, not rounded


def read_utc(text: str) -> datetime:
    """The reverse of `utc_text`."""
    return datetime.fromisoformat(text)


def decimal_text(number: Decimal) -> str:
    """Plain digits. What could not be read back, a float, NaN or a giant, is refused instead of stored."""
    if not isinstance(number, Decimal):
        raise TypeError(f"{number!r} is not a Decimal")
    text = plain(number)
    parse(text)
    return text


class DecimalText(_Field):
    """An exact decimal in a TEXT column."""

    field_type = "TEXT"

    def db_value(self, value: Decimal | None) -> str | None:
        return None if value is None else decimal_text(value)

    def python_value(self, value: str | None) -> Decimal | None:
        return None if value is None else parse(value)


class UtcText(_Field):
    """An instant in a TEXT column, to the millisecond."""

    field_type = "TEXT"

    def db_value(self, value: datetime | None) -> str | None:
        return None if value is None else utc_text(value)

    def python_value(self, value: str | None) -> datetime | None:
        return None if value is None else read_utc(value)


class DayText(_Field):
    """A trading day in a TEXT column."""

    field_type = "TEXT"

    def db_value(self, value: date | None) -> str | None:
        return None if value is None else value.isoformat()

    def python_value(self, value: str | None) -> date | None:
        return None if value is None else date.fromisoformat(value)


class Flag(_Field):
    """Yes or no in an INTEGER column that a CHECK holds to 0 and 1."""

    field_type = "INTEGER"

    def db_value(self, value: bool | None) -> int | None:
        return None if value is None else int(value)

    def python_value(self, value: int | None) -> bool | None:
        return None if value is None else bool(value)


class Bytes(_Field):
    """Bytes as they are."""

    field_type = "BLOB"
