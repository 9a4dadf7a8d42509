"""Typed, bounded, described parameters. Amounts are decimals written plainly; no float can get in."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

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
