"""Typed, bounded, described parameters. Amounts are decimals written plainly; no float can get in."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from btcbot.domain.money import MalformedNumber, parse


class StrategyParams(BaseModel):
    """Base of every strategy's parameters: frozen, strict, and unknown names are errors."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


def _plain_decimal(value: object) -> Decimal:
    """A JSON number without fraction, or a text, in plain decimal notation."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("write the number as a text of plain digits with a point")
    try:
        return parse(str(value))
    except MalformedNumber as error:
        raise ValueError(f"{str(value)[:40]!r} is not a plain decimal number") from error


PlainDecimal = Annotated[Decimal, BeforeValidator(_plain_decimal)]


def notional_field(default: str) -> Any:
    """What an entry may spend."""
    return Field(
        default=Decimal(default), gt=0, le=Decimal(10) ** 9, description="what each entry spends, in the risk currency"
    )


def stop_field(default: str) -> Any:
    """How far the bid may fall below the average cost."""
    return Field(
        default=Decimal(default), gt=0, lt=1,
        description="out when the bid has fallen by this share of the average cost",
    )  # fmt: skip


def minutes_field(default: int, least: int, description: str) -> Any:
    """A span of time in whole minutes, up to thirty days."""
    return Field(default=default, ge=least, le=43_200, description=description)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)
