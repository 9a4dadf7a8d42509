"""Faults on demand: what was done, and what the client hears of it."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.integration.sandbox.playground import Playground

BALANCES = "users/balances"


async def _accepted(playground: Playground) -> list[str]:
    return [line["client_order_id"] for line in await playground.record() if line["kind"] == "order_accepted"]


async def _submit(playground: Playground, label: str = "LOST", price: str = "3000000") -> httpx.Response:
    return await playground.submit("BTCTRY", "buy", "0.0003", price, label)


async def test_a_request_can_be_lost_before_anything_was_done_and_an_answer_after(playground: Playground) -> None:
    for fault, labels in (("lost_request", []), ("drop_answer_after_accept", ["LOST"])):
        await playground.fault(fault, 1, endpoint="submit")
        body = {
            "quantity": "0.0003", "price": "3000000", "newOrderClientId": "LOST", "orderMethod": "limit",
            "orderType": "buy", "pairSymbol": "BTCTRY",
        }  # fmt: skip
        with pytest.raises(httpx.ReadTimeout):
            await playground.private("POST", "order", json=body, timeout=0.2)
        assert await _accepted(playground) == labels
        assert await playground.admin("GET", "faults") == []
    answers = [line["status"] for line in await playground.record() if line["kind"] == "answer"]
    assert answers == [None, None]


@pytest.mark.parametrize(("status", "shown"), [(None, 504), (403, 403), (502, 502), (503, 503)])
async def test_the_edge_can_answer_for_an_order_that_was_accepted(
    playground: Playground, status: int | None, shown: int
) -> None:
    document = {"fault": "html_after_accept", "count": 1, "match": {"endpoint": "submit"}, "status": status}
    await playground.admin("POST", "faults", json=document)
    answer = await _submit(playground)
    assert (answer.status_code, answer.headers["Content-Type"]) == (shown, "text/html; charset=utf-8")
    assert await _accepted(playground) == ["LOST"]


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("html_everywhere", 502, None),
        ("unavailable_503", 503, '"code":"SYSTEM_UNDER_MAINTENANCE"'),
        ("internal_error", 500, '{"message":"INTERNAL_ERROR","code":"INTERNAL_ERROR"}'),
        ("rate_limited_429", 429, '"message":"TOO_MANY_REQUESTS"'),
        ("rate_limited_429_bare", 429, '{"success":false,"message":"Too many requests","code":429}'),
        ("unauthorized", 401, '{"success":true,"message":"Unauthorized - Invalid Request"'),
        ("invalid_nonce", 401, '"message":"Unauthorized - Invalid Nonce"'),
        ("unsuccessful", 200, '"success":false,"message":"SYSTEM_ERROR"'),
    ],
)
async def test_a_request_can_be_kept_from_being_done(
    playground: Playground, name: str, status: int, body: str | None
) -> None:
    await playground.fault(name, None)
    answer = await _submit(playground)
    assert answer.status_code == status
    assert body is None or body in answer.text
    assert await _accepted(playground) == []
    assert (await playground.public("server/time")).status_code == status
    await playground.admin("DELETE", "faults")
    assert (await playground.public("server/time")).status_code == 200


async def test_a_429_says_how_long_to_wait_in_either_way_or_not(playground: Playground) -> None:
    seen: list[str | None] = []
    for name in ("rate_limited_429", "rate_limited_429_until_date", "rate_limited_429_bare"):
        document = {"fault": name, "count": 1, "match": {"endpoint": "balances"}, "seconds": 42}
        await playground.admin("POST", "faults", json=document)
        seen.append((await playground.private("GET", BALANCES)).headers.get("Retry-After"))
    seconds, until, nothing = seen
    assert (seconds, nothing) == ("42", None)
    assert until is not None
    assert parsedate_to_datetime(until) == playground.time.now().replace(microsecond=0) + timedelta(seconds=42)


@pytest.mark.parametrize("name", ["truncated_json", "connection_cut", "wrong_content_type", "empty_body"])
async def test_an_answer_can_come_spoiled(playground: Playground, name: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = await playground.private("GET", BALANCES)
    await playground.fault(name, 1, endpoint="balances")
    if name == "connection_cut":
        with pytest.raises(httpx.RemoteProtocolError):
            await playground.private("GET", BALANCES)
    else:
        spoiled = await playground.private("GET", BALANCES)
        assert spoiled.status_code == 200
        expected = {"truncated_json": whole.content[: len(whole.content) // 2], "empty_body": b""}
        assert spoiled.content == expected.get(name, whole.content)
        assert ("html" in spoiled.headers["Content-Type"]) == (name == "wrong_content_type")
    assert (await playground.private("GET", BALANCES)).content == whole.content
    assert not caplog.records


async def test_an_order_can_be_accepted_and_the_answer_be_an_internal_error(playground: Playground) -> None:
    await playground.fault("internal_error_after_accept", 1, endpoint="submit")
    assert (await _submit(playground)).status_code == 500
    assert await _accepted(playground) == ["LOST"]


async def test_an_answer_can_be_the_one_before(playground: Playground) -> None:
    first = await _submit(playground, "FIRST")
    await playground.fault("answer_repeated", 1, endpoint="submit")
    second = await _submit(playground, "SECOND")
    assert second.content == first.content
    assert await _accepted(playground) == ["FIRST", "SECOND"]
    third = await _submit(playground, "THIRD")
    assert third.json()["data"]["newOrderClientId"] == "THIRD"


async def test_an_answer_can_be_about_another_order(playground: Playground) -> None:
    order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.time.pass_by(1)
    await playground.fault("answer_of_another_order", None)
    receipt = (await _submit(playground)).json()["data"]
    row = (await playground.private("GET", f"order/{order_id}")).json()["data"]
    listed = (await playground.private("GET", "openOrders")).json()["data"]["bids"]
    for shown, label in ((receipt, "newOrderClientId"), (row, "orderClientId"), (listed[0], "orderClientId")):
        assert shown["id"] < order_id
        assert shown[label] == "ANOTHER"
    assert receipt["price"] == "3000000"


async def test_an_answer_can_come_late(playground: Playground) -> None:
    document = {"fault": "late_answer", "count": 1, "match": {"endpoint": "balances"}, "seconds": 30}
    assert (await playground.admin("POST", "faults", json=document))["seconds"] == 30
    with pytest.raises(httpx.ReadTimeout):
        await playground.private("GET", BALANCES, timeout=0.2)
    assert (await playground.private("GET", BALANCES)).status_code == 200


async def test_an_answer_can_be_overtaken_by_the_next(playground: Playground) -> None:
    await playground.fault("answer_held_back", 1, endpoint="submit")
    order: list[str] = []

    async def submit(label: str) -> Any:
        answer = await _submit(playground, label)
        order.append(label)
        return answer.json()["data"]["newOrderClientId"]

    first = asyncio.create_task(submit("FIRST"))
    while await _accepted(playground) != ["FIRST"]:
        pass
    assert await submit("SECOND") == "SECOND"
    assert await first == "FIRST"
    assert order == ["SECOND", "FIRST"]


async def test_an_answer_that_is_held_back_comes_at_last_if_none_follows(playground: Playground) -> None:
    await playground.admin("POST", "faults", json={"fault": "answer_held_back", "count": 1, "seconds": 5})
    asked = asyncio.create_task(playground.private("GET", BALANCES))
    while not any(line["kind"] == "answer" for line in await playground.record()):
        pass
    assert not asked.done()
    await playground.time.pass_by(5)
    assert (await asked).status_code == 200


async def test_private_frames_can_come_before_the_answer(playground: Playground) -> None:
    document = {"fault": "private_frames_first", "count": 1, "match": {"endpoint": "submit"}, "seconds": 1}
    await playground.admin("POST", "faults", json=document)
    async with playground.feed() as client:
        await client.login()
        asked = asyncio.create_task(_submit(playground, "EARLY"))
        (inserted,) = await client.frames(451)
        assert inserted["newOrderClientId"] == "EARLY"
        assert not asked.done()
        await playground.time.pass_by(1)
        assert (await asked).json()["data"]["id"] == inserted["id"]


async def test_a_cancel_can_be_acknowledged_and_lost(playground: Playground) -> None:
    order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.fault("cancel_lost", 1, pair="BTCTRY", label="B-T1-1", side="buy")
    assert (await playground.private("DELETE", f"order?id={order_id}")).json()["success"]
    await playground.time.pass_by(5)
    assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Untouched"


async def test_market_orders_can_be_off(playground: Playground) -> None:
    await playground.fault("market_orders_off", None, pair="BTCTRY")
    order = {"pairSymbol": "BTCTRY", "orderType": "buy", "orderMethod": "market", "quantity": "500"}
    answer = await playground.private("POST", "order", json=order)
    assert (answer.status_code, answer.json()["message"]) == (400, "ORDER_METHOD_NOT_SUPPORTED")
    assert (await playground.submit("BTCTRY", "buy", "0.0003", "3000000")).status_code == 200
    assert (await playground.private("POST", "order", json=order | {"pairSymbol": "SOLTRY"})).status_code == 200


async def test_cancels_can_be_blocked(playground: Playground) -> None:
    order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.fault("cancel_blocked", 1)
    answer = await playground.private("DELETE", f"order?id={order_id}")
    assert (answer.status_code, answer.json()["message"]) == (400, "ORDER_CANCEL_BLOCKED")
    assert (await playground.private("DELETE", f"order?id={order_id}")).json()["success"]


async def test_a_fill_can_win_over_a_cancel(playground: Playground) -> None:
    order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.fault("filled_while_canceling", 1)
    assert (await playground.private("DELETE", f"order?id={order_id}")).json()["success"]
    await playground.time.pass_by(5)
    assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Closed"
    assert Decimal((await playground.balances())["BTC"]["balance"]) == Decimal("0.0003")


async def test_an_order_can_come_in_minutes_after_its_answer(playground: Playground) -> None:
    document = {"fault": "order_accepted_late", "count": 1, "match": {"endpoint": "submit"}, "seconds": 180}
    await playground.admin("POST", "faults", json=document)
    assert (await _submit(playground)).status_code == 504
    await playground.time.pass_by(179)
    assert await _accepted(playground) == []
    await playground.time.pass_by(2)
    assert await _accepted(playground) == ["LOST"]


async def test_an_order_can_be_processed_twice(playground: Playground) -> None:
    await playground.fault("order_doubled", 1)
    data = (await _submit(playground, "ONCE")).json()["data"]
    await playground.time.pass_by(1)
    bids = (await playground.private("GET", "openOrders?pairSymbol=BTCTRY")).json()["data"]["bids"]
    assert [(row["id"], row["orderClientId"]) for row in bids] == [(data["id"], "ONCE"), (data["id"] + 1, "ONCE")]


async def test_views_can_lag_on_demand(playground: Playground) -> None:
    async def lagging(name: str) -> None:
        await playground.admin("POST", "faults", json={"fault": name, "count": 1, "seconds": 60})

    ask = (await playground.book("SOLTRY"))["asks"][0]
    await playground.time.pass_by(100)
    await playground.placed("SOLTRY", "buy", ask[1], str(round(Decimal(ask[0]) * 2)))
    await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.time.pass_by(5)
    now = await playground.balances()
    assert Decimal(now["TRY"]["locked"]) > 0
    await lagging("lagging_holds")
    holds = await playground.balances()
    assert (holds["TRY"]["balance"], holds["TRY"]["locked"]) == (now["TRY"]["balance"], "0")
    await lagging("lagging_balances")
    assert (await playground.balances())["TRY"]["free"] == "200000"
    for fault, path in (
        ("lagging_orders", "allOrders?pairSymbol=BTCTRY"),
        ("lagging_trades", "users/transactions/trade"),
    ):
        assert (await playground.private("GET", path)).json()["data"] != []
        await lagging(fault)
        assert (await playground.private("GET", path)).json()["data"] == []
    assert await playground.balances() == {
        asset: row | {"timestamp": now["TRY"]["timestamp"]} for asset, row in now.items()
    }


async def test_the_book_can_be_stale(playground: Playground) -> None:
    await playground.fault("stale_book_503", 1)
    assert (await playground.public("ticker")).status_code == 200
    assert (await playground.public("orderbook", pairSymbol="BTCTRY")).status_code == 503


async def test_a_fault_strikes_only_what_it_matches_and_as_often_as_it_says(playground: Playground) -> None:
    await playground.fault("unavailable_503", 2, endpoint="balances", key="live")
    assert (await playground.private("GET", BALANCES, role="monitor")).status_code == 200
    statuses = [(await playground.private("GET", BALANCES)).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert await playground.admin("GET", "faults") == []


async def test_a_fault_matches_what_a_request_names_wherever_it_names_it(playground: Playground) -> None:
    await playground.fault("internal_error", None, pair="SOLTRY", side="sell")
    for pair, side, status in (("SOL_TRY", "Sell", 500), ("soltry", "buy", 400), ("BTCTRY", "sell", 400)):
        body = {"pairSymbol": pair, "orderType": side, "orderMethod": "limit", "quantity": "0.1", "price": "0"}
        assert (await playground.private("POST", "order", json=body)).status_code == status
    await playground.admin("DELETE", "faults")
    await playground.fault("internal_error", None, pair="SOLTRY")
    for path, status in (
        ("openOrders?pairSymbol=SOL_TRY", 500),
        ("openOrders", 200),
        ("openOrders?pairSymbol=BTCTRY", 200),
    ):
        assert (await playground.private("GET", path)).status_code == status
    assert (await playground.public("orderbook", pairSymbol="SOLTRY")).status_code == 500
    await playground.admin("DELETE", "faults")
    order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
    await playground.fault("internal_error", None, label="B-T1-1", order_id=str(order_id))
    assert (await playground.private("DELETE", f"order?id={order_id}")).status_code == 500
    assert (await playground.private("GET", f"order/{order_id}")).status_code == 500
    assert (await playground.private("GET", "order/1")).status_code == 400


async def test_what_struck_is_in_the_record(playground: Playground) -> None:
    number = await playground.fault("unavailable_503", 1, endpoint="balances")
    await playground.private("GET", BALANCES)
    (struck,) = (line for line in await playground.record() if line["kind"] == "fault_struck")
    assert (struck["id"], struck["fault"], struck["facts"]["endpoint"]) == (number, "unavailable_503", "balances")


@pytest.mark.parametrize(
    "document",
    [
        {"fault": "earthquake"}, {"fault": "unauthorized", "count": 0}, {"fault": "unauthorized", "often": 1},
        {"fault": "unauthorized", "match": {"key": 1}}, {"fault": "late_answer", "seconds": "soon"}, [], "x",
    ],
)  # fmt: skip
async def test_a_malformed_fault_is_refused_in_words(playground: Playground, document: object) -> None:
    answer = await playground.admin("POST", "faults", json=document)
    assert "Next:" in answer["message"]
    assert await playground.admin("GET", "faults") == []
