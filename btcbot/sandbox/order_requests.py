"""A submit as it is read (protocol 5.2): JSON, numbers as texts or not, words in any case, no exponents, no commas."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from btcbot.domain.money import ZERO, parse
from btcbot.domain.orders.intents import Side
from btcbot.sandbox.answers import PAIR_LENGTH_MAX, failure, pair_unknown
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.keys import guid
from btcbot.simulation.happenings import Method
from btcbot.simulation.orders import OrderRequest, Refusal

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,16})?", re.ASCII)
_SIDES = {"buy": Side.BUY, "sell": Side.SELL, "0": Side.BUY, "1": Side.SELL}  # the official client sends numbers
_METHODS: Mapping[str, Method] = {
    **{method.value: method for method in Method},
    **{str(place): method for place, method in enumerate((Method.LIMIT, Method.MARKET, Method.STOP_LIMIT))},
    "3": Method.STOP_MARKET,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """The order that a request asks for, and its numbers as they were written."""

    request: OrderRequest
    texts: Mapping[str, str]


def read_order(body: bytes, query: Sequence[tuple[str, str]], floor: Floor) -> Wanted | Refusal | Response:
    """Parameters may stand in the query as well, where they win (protocol 2)."""
    try:
        document = json.loads(body, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return failure("INVALID_REQUEST", 1037)
    if not isinstance(document, dict):
        return failure("INVALID_REQUEST", 1037)
    document |= dict(query)
    name = document.get("pairSymbol")
    if not isinstance(name, str) or not 0 < len(name) <= PAIR_LENGTH_MAX:
        return failure("INVALID_REQUEST", 1037)
    pair = floor.pair(name)
    if pair is None:
        return pair_unknown(name)
    side = _SIDES.get(str(document.get("orderType")).lower())
    method = _METHODS.get(str(document.get("orderMethod")).lower())
    if side is None or method is None:
        return Refusal.PARAMETER
    texts = _numbers(document, method)
    label = document.get("newOrderClientId")
    if texts is None or not (label is None or isinstance(label, str)):
        return Refusal.PARAMETER
    price, quantity, stop_price = (
        parse(texts[key]) if key in texts else ZERO for key in ("price", "quantity", "stopPrice")
    )
    return Wanted(
        OrderRequest(pair, side, method, price, quantity, label or _made_up_label(floor), stop_price), texts
    )  # fmt: skip


def _numbers(document: Mapping[str, object], method: Method) -> dict[str, str] | None:
    """The numbers that were sent, or nothing if one is missing or malformed."""
    needed = ["quantity", *(["price"] if method.has_limit else []), *(["stopPrice"] if method.is_stop else [])]
    found: dict[str, str] = {}
    for name in ("quantity", "price", "stopPrice"):
        value = document.get(name)
        if value is None and name not in needed:
            continue
        if not isinstance(value, str) or _NUMBER.fullmatch(value) is None:
            return None
        found[name] = value
    return found


def _made_up_label(floor: Floor) -> str:
    """The exchange makes a GUID up when there is no label (protocol 6.6); here it is a count."""
    return guid(len(floor.venue.orders).to_bytes(16, "big"))
