"""Live's books against the sandbox's record of requests and matches; balances are not consulted."""

import json
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

from tests.e2e.stack import Stack


def funded(record: list[dict[str, Any]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in record:
        if entry["kind"] == "account_funded":
            sums[entry["asset"]] += Decimal(entry["number"])
    return sums


def ledger_of(record: list[dict[str, Any]]) -> dict[str, Decimal]:
    """What an account comes to, recomputed from its funding and each match of the record."""
    pairs = {entry["pair"]: (entry["base"], entry["quote"]) for entry in record if entry["kind"] == "pair_listed"}
    sums = funded(record)
    for match in (entry for entry in record if entry["kind"] == "order_matched"):
        base, quote = pairs[match["pair"]]
        sign = 1 if match["side"] == "buy" else -1
        price, quantity = Decimal(match["price"]), Decimal(match["quantity"])
        sums[base] += sign * quantity
        sums[quote] -= sign * price * quantity + Decimal(match["fee"]) + Decimal(match["tax"])
    return {asset: number for asset, number in sums.items() if number}


def assert_books_agree(stack: Stack) -> None:
    """Nothing lost, nothing doubled, every figure equal to the last digit."""
    record = stack.record()
    submits = [entry for entry in record if entry["kind"] == "request" and entry["method"] == "POST"]
    labels = [json.loads(str(entry["body"]))["newOrderClientId"] for entry in submits]
    doubled = [label for label, times in Counter(labels).items() if times > 1]
    assert not doubled, f"sent more than once: {doubled}"

    ours = {
        str(label): (exchange_id, Decimal(str(filled)), str(state))
        for label, exchange_id, filled, state in stack.rows(
            "SELECT client_order_id, exchange_order_id, filled, state FROM orders JOIN order_heads USING (order_id)"
        )
    }
    accepted = [entry for entry in record if entry["kind"] == "order_accepted"]
    matched: dict[object, Decimal] = defaultdict(Decimal)
    for entry in record:
        if entry["kind"] == "order_matched":
            matched[entry["order_id"]] += Decimal(str(entry["quantity"]))
    for order in accepted:
        label = str(order["client_order_id"])
        assert label in ours, f"an order at the exchange has no row: {label}"
        exchange_id, filled, state = ours[label]
        assert exchange_id == order["order_id"], f"{label} has another number here: {exchange_id}, {order['order_id']}"
        executed = matched[order["order_id"]]
        assert filled == executed, f"{label} ({state}) has {filled} filled, the exchange {executed}"
    numbers = {None, *(order["order_id"] for order in accepted)}
    invented = [label for label, (exchange_id, _, _) in ours.items() if exchange_id not in numbers]
    assert not invented, f"rows of orders that the exchange never had: {invented}"
    sent = stack.count("SELECT count(*) FROM order_history WHERE after = 'sending'")
    assert len(submits) <= sent, f"{len(submits)} submits on the wire for {sent} sends in the journal"

    ledger: dict[str, Decimal] = defaultdict(Decimal)
    for asset, number in stack.rows("SELECT asset, number FROM ledger"):
        ledger[str(asset)] += Decimal(str(number))
    assert {asset: number for asset, number in ledger.items() if number} == ledger_of(record)
    trades = Counter(str(entry["trade_id"]) for entry in record if entry["kind"] == "order_matched")
    booked = Counter(str(trade_id) for (trade_id,) in stack.rows("SELECT trade_id FROM fills"))
    assert trades == booked, f"trades booked and made differ: {trades - booked} missing, {booked - trades} invented"
