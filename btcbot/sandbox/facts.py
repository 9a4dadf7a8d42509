"""What a request is about: the facts that a fault can be matched against.

An order that is named by its number is looked up, so that `pair`, `side` and `label` match its cancel as they match its
submit.
"""

import json
from collections.abc import Mapping, Sequence

from btcbot.simulation.orders import Order

PAIR_NAMES = ("pairSymbol", "symbol", "pair")
ID_NAMES = ("id", "orderId")
DIGITS_MAX = 18


def facts_of(
    base: Mapping[str, str],
    query: Sequence[tuple[str, str]],
    path: Mapping[str, str],
    body: bytes,
    orders: Mapping[int, Order],
) -> dict[str, str]:
    """`base` and what else the request names: pair, side, label and order_id."""
    facts = dict(base)
    named = {**_object(body), **dict(query)}
    for name in PAIR_NAMES:
        if text := named.get(name):
            facts["pair"] = text.replace("_", "").upper()
            break
    if text := named.get("orderType"):
        facts["side"] = text.lower()
    if text := named.get("newOrderClientId"):
        facts["label"] = text
    order_id = path.get("order_id") or next((named[name] for name in ID_NAMES if name in named), "")
    if order_id:
        facts["order_id"] = order_id
        is_number = order_id.isascii() and order_id.isdigit() and len(order_id) <= DIGITS_MAX
        order = orders.get(int(order_id)) if is_number else None
        if order is not None:
            accepted = order.accepted
            facts |= {"pair": accepted.pair, "side": accepted.side.value, "label": accepted.client_order_id}
    return facts


def _object(body: bytes) -> dict[str, str]:
    """The texts of a JSON object; nothing of anything else."""
    try:
        document = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return {}
    return (
        {name: text for name, text in document.items() if isinstance(text, str)} if isinstance(document, dict) else {}
    )
