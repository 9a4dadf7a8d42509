"""The judge of the load run sees whoever was filled out of turn, and accuses nobody else."""

from benchmarks.queue_audit import Audit


def accepted(order_id: int, side: str = "buy", price: str = "100", account_id: int | None = None) -> dict[str, object]:
    return {
        "kind": "order_accepted", "method": "limit", "order_id": order_id, "pair": "BTCTRY", "side": side,
        "price": price, "quantity": "1", "account_id": account_id or order_id,
    }  # fmt: skip


def matched(order_id: int, quantity: str = "1", counter: int = 0) -> dict[str, object]:
    return {
        "kind": "order_matched", "order_id": order_id, "pair": "BTCTRY", "side": "buy", "liquidity": "maker",
        "quantity": quantity, "counter_order_id": counter,
    }  # fmt: skip


def audited(*lines: dict[str, object]) -> list[str]:
    audit = Audit()
    for line in lines:
        audit.take(line)
    return audit.violations


def test_the_first_at_a_price_is_filled_first() -> None:
    assert audited(accepted(1), accepted(2), matched(1), matched(2)) == []


def test_a_later_order_at_the_same_price_is_out_of_turn() -> None:
    assert audited(accepted(1), accepted(2), matched(2)) == ["BTCTRY buy: 2 was filled before 1"]


def test_a_worse_price_is_out_of_turn() -> None:
    assert audited(accepted(1, price="99"), accepted(2, price="100"), matched(1)) == [
        "BTCTRY buy: 1 was filled before 2"
    ]


def test_what_is_filled_in_part_keeps_its_place() -> None:
    assert audited(accepted(1), accepted(2), matched(1, "0.4"), matched(2)) == ["BTCTRY buy: 2 was filled before 1"]
    assert audited(accepted(1), accepted(2), matched(1, "0.4"), matched(1, "0.6"), matched(2)) == []


def test_who_has_left_is_waited_for_no_more() -> None:
    assert audited(accepted(1), accepted(2), {"kind": "order_canceled", "order_id": 1}, matched(2)) == []


def test_an_account_passes_over_its_own_orders() -> None:
    own, other, taker = accepted(1, account_id=7), accepted(2), accepted(3, "sell", account_id=7)
    assert audited(own, other, taker, matched(2, counter=3)) == []
