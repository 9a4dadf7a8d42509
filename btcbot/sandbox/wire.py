"""JSON as the exchange writes it: compact, Turkish letters as they are, and decimals as exact number literals."""

import json
from decimal import Decimal

from btcbot.domain.money import plain


class Literal(str):
    """JSON that is written just so: a number as `1643883463379.0`, or what was encoded before."""

    __slots__ = ()


def _text(text: str) -> str:
    """Half of a surrogate pair, which only an escape in a client's JSON can be, has no bytes: it goes out as `?`."""
    return json.encoder.encode_basestring(text.encode("utf-8", "replace").decode() if not text.isascii() else text)


def encode(value: object) -> str:
    """`Decimal` becomes a plain number, never an exponent; everything else as `json` does it."""
    match value:
        case Literal():
            return value
        case str():
            return _text(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return plain(value)
        case dict():
            return "{" + ",".join(f"{_text(name)}:{encode(item)}" for name, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(encode, value)) + "]"
        case _:
            raise TypeError(f"the exchange sends no {type(value).__name__}")


def padded(number: Decimal, decimals: int) -> str:
    """With a fixed number of decimals, as some frames have it. More decimals than that are kept."""
    text = plain(number)
    whole, _, part = text.partition(".")
    return f"{whole}.{part.ljust(decimals, '0')}"
