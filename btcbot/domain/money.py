"""Money is exact: `Decimal` in one context that traps every rounding, except in the functions of this module.

Each rounding function names its direction. Anywhere else an operation that would lose a digit raises `Inexact`, so a
sum that came out is a sum that is right.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    setcontext,
)
from itertools import repeat
from typing import NewType

from btcbot.domain.errors import BtcbotError

Asset = NewType("Asset", str)  # TRY, BTC, USDT
Price = NewType("Price", Decimal)  # quote per base, on the price grid
Quantity = NewType("Quantity", Decimal)  # base, on the lot grid, never negative
Ratio = NewType("Ratio", Decimal)  # 0.02 means two percent

ZERO = Decimal(0)
DIGITS = 60
_PLAIN = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_LOSSLESS = [Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation]
_ROUNDING_DOWN = Context(prec=DIGITS, rounding=ROUND_FLOOR, traps=[InvalidOperation, DivisionByZero, Overflow])
_ROUNDING_UP = Context(prec=DIGITS, rounding=ROUND_CEILING, traps=[InvalidOperation, DivisionByZero, Overflow])
_ROUNDING_EVEN = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, DivisionByZero, Overflow])


class MixedAssets(BtcbotError):
    """Two assets were added or compared."""

    def __init__(self, amount: "Amount", asset: Asset) -> None:
        super().__init__(f"{amount} was used as an amount of {asset}")


class MalformedNumber(BtcbotError):
    """A text is not a plain decimal number (digits, one optional point, one optional leading minus)."""

    next_step = "write it as plain digits with a point, without exponent, comma, spaces or sign tricks"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:40]!r} is not a plain decimal number")


def use_money_context() -> None:
    """Set the one money context. Called first thing where a thread or a process starts."""
    setcontext(Context(prec=DIGITS, rounding=ROUND_HALF_EVEN, traps=_LOSSLESS))


def parse(text: str) -> Decimal:
    """Read a plain decimal number; the reverse of `plain`."""
    if _PLAIN.fullmatch(text) is None:
        raise MalformedNumber(text)
    return Decimal(text)


def plain(number: Decimal) -> str:
    """Write a number without exponent and without trailing zeros, as the exchange and the database want it."""
    text = str(number)
    if "E" in text:
        text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def round_down(number: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `number`: never spend or sell more than was wished for."""
    assert step > 0, "a grid has a positive step"
    return _on_grid(number, step, _ROUNDING_DOWN)


def round_up(number: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `number`: never reserve less than may be needed."""
    assert step > 0, "a grid has a positive step"
    return _on_grid(number, step, _ROUNDING_UP)


def divide_down(numerator: Decimal, denominator: Decimal, step: Decimal) -> Decimal:
    """A quotient rounded down to a grid."""
    return round_down(_ROUNDING_DOWN.divide(numerator, denominator), step)


def divide_half_even(numerator: Decimal, denominator: Decimal, unit: Decimal) -> Decimal:
    """A quotient to a unit that is a power of ten, ties to even: the same money seen in another asset."""
    return _ROUNDING_EVEN.quantize(_ROUNDING_EVEN.divide(numerator, denominator), unit)


def divide_each_half_even(
    numerators: Sequence[Decimal], denominators: Sequence[Decimal], unit: Decimal
) -> list[Decimal]:
    """`divide_half_even` of two columns, without a step of Python for each of them."""
    assert len(numerators) == len(denominators), "every numerator has its denominator"
    quotients = map(_ROUNDING_EVEN.divide, numerators, denominators)
    return list(map(_ROUNDING_EVEN.quantize, quotients, repeat(unit)))


def round_ratio(numerator: Decimal, denominator: Decimal) -> Ratio:
    """A quotient to 60 digits, half even: for comparisons with a limit, never for an amount."""
    return Ratio(_ROUNDING_EVEN.divide(numerator, denominator))


def round_half_even(number: Decimal, step: Decimal) -> Decimal:
    """The nearest multiple of `step`, ties to even: how the local exchange rounds its fee and tax."""
    assert step > 0, "a grid has a positive step"
    return _on_grid(number, step, _ROUNDING_EVEN)


def _on_grid(number: Decimal, step: Decimal, context: Context) -> Decimal:
    steps = context.to_integral_exact(context.divide(number, step))
    return context.multiply(steps, step)


@dataclass(frozen=True, slots=True)
class Amount:
    """So much of one asset. Two assets never mix."""

    number: Decimal
    asset: Asset

    def of(self, asset: Asset) -> Decimal:
        if asset != self.asset:
            raise MixedAssets(self, asset)
        return self.number

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.number + other.of(self.asset), self.asset)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.number - other.of(self.asset), self.asset)

    def __neg__(self) -> "Amount":
        return Amount(-self.number, self.asset)

    def __lt__(self, other: "Amount") -> bool:
        return self.number < other.of(self.asset)

    def __le__(self, other: "Amount") -> bool:
        return self.number <= other.of(self.asset)

    def __str__(self) -> str:
        return f"{plain(self.number)} {self.asset}"


def total(amounts: Iterable[Amount], asset: Asset) -> Amount:
    """The sum of amounts of one asset, left to right; zero of it when there are none."""
    result = Amount(ZERO, asset)
    for amount in amounts:
        result = result + amount
    return result


def amount(text: str) -> Amount:
    """Read the notation that `str(Amount)` writes: `amount("10.5 TRY")`."""
    number, asset = text.split()
    return Amount(parse(number), Asset(asset))
