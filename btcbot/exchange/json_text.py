"""JSON from outside: bounded in size and depth, numbers as `Decimal` from their digits, one error for all else."""

import json
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from btcbot.exchange.errors import Malformed

BYTES_MAX = 2 * 1024 * 1024
DEPTH_MAX = 32
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_json(text: bytes) -> object:
    """Parse one document; `Malformed` when it is too large, too deep, not JSON, or says a key twice."""
    if len(text) > BYTES_MAX:
        raise Malformed(f"a document of {len(text)} bytes is larger than any answer")
    if _is_deep(text):
        raise Malformed(f"a document is nested deeper than {DEPTH_MAX}")
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_without_duplicates
        )
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise Malformed(f"a document is not JSON ({type(error).__name__})") from error


def _is_deep(text: bytes) -> bool:
    """Peel the innermost brackets, a layer a round. Brackets in strings may miscount; the parser has the last word."""
    brackets = text.translate(None, _NOT_BRACKETS)
    for _ in range(DEPTH_MAX):
        peeled = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(peeled) == len(brackets):
            return len(brackets) > DEPTH_MAX
        brackets = peeled
    return bool(brackets)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_duplicates(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key occurs twice")
    return document
