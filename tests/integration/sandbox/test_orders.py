"""Orders from submit to history, through real sockets, with a signature of the test's own (protocol 3, 5, 6)."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from btcbot.domain.money import round_down, round_half_even
from tests.integration.sandbox.playground import Playground, playing


async def _resting(playground: Playground, factor: str = "0.9") -> int:
    """A buy far below the market: about 1,000 TRY."""
    price = int(Decimal((await playground.book("BTCTRY"))["bids"][0][0]) * Decimal(factor))
    return await playground.placed("BTCTRY", "buy", "0.0003", str(price))


async def _taken(playground: Playground) -> tuple[int, Decimal, Decimal]:
    """A buy at the best ask, of half of what is there."""
    price, quantity = (Decimal(text) for text in (await playground.book("SOLTRY"))["asks"][0])
    half = round_down(quantity / 2, Decimal("0.0001"))
    return await playground.placed("SOLTRY", "buy", str(half), str(price)), price, half


async def test_an_accepted_order_is_echoed_as_it_was_sent(playground: Playground) -> None:
    answer = await playground.submit("BTC_TRY", "buy", "0.00030000", "3000000", "B-T1-7")
    document = answer.json()
    assert (document["httpStatusCode"], document["success"], document["message"]) == (200, True, "SUCCESS")
    data = document["data"]
    assert (data["quantity"], data["price"], data["stopPrice"]) == ("0.00030000", "3000000", "0")
    assert (data["newOrderClientId"], data["type"], data["method"]) == ("B-T1-7", "buy", "limit")
    assert (data["pairSymbol"], data["pairSymbolNormalized"]) == ("BTCTRY", "BTC_TRY")
    assert data["id"] > 2**31


async def test_a_fill_moves_money_to_the_last_digit(playground: Playground) -> None:
    _, price, quantity = await _taken(playground)
    notional = price * quantity
    fee, tax = (notional * Decimal("0.0020")), (notional * Decimal("0.0004"))
    paid = notional + round_half_even(fee, Decimal("1e-8")) + round_half_even(tax, Decimal("1e-8"))
    balances = await playground.balances()
    assert Decimal(balances["TRY"]["balance"]) == 200_000 - paid
    assert (balances["TRY"]["locked"], Decimal(balances["SOL"]["free"])) == ("0", quantity)


async def test_history_lags_and_then_says_fee_and_tax_with_a_minus(playground: Playground) -> None:
    order_id, price, quantity = await _taken(playground)
    path = f"users/transactions/trade?orderId={order_id}"
    assert (await playground.private("GET", path)).json()["data"] == []
    await playground.time.pass_by(2.9)
    assert (await playground.private("GET", path)).json()["data"] == []
    await playground.time.pass_by(0.1)
    document = (await playground.private("GET", path)).json()
    assert document["message"] == "SUCCESS"
    (row,) = document["data"]
    assert row["id"] > 2**53
    assert (Decimal(row["price"]), Decimal(row["amount"])) == (price, quantity)
    assert row["fee"].startswith("-")
    assert row["tax"].startswith("-")
    assert (row["orderId"], row["orderClientId"], row["orderType"]) == (order_id, "B-T1-1", "buy")


async def test_sells_are_negative_in_history_and_filters_apply(playground: Playground) -> None:
    _, _, quantity = await _taken(playground)
    bid = (await playground.book("SOLTRY"))["bids"][-1][0]
    await playground.placed("SOLTRY", "sell", str(quantity), bid)
    await playground.time.pass_by(3)
    sells = (await playground.private("GET", "users/transactions/trade?type=sell&pairSymbol=SOLTRY")).json()["data"]
    assert sells
    assert all(row["amount"].startswith("-") and row["fee"].startswith("-") for row in sells)
    now_ms = int(playground.time.now().timestamp() * 1000)
    later = await playground.private("GET", f"users/transactions/trade?startDate={now_ms}")
    assert later.json()["data"] == []
    other = await playground.private("GET", "users/transactions/trade?symbol=btc")
    assert other.json()["data"] == []


async def test_a_new_order_becomes_visible_a_moment_later(playground: Playground) -> None:
    order_id = await _resting(playground)
    missing = await playground.private("GET", f"order/{order_id}")
    assert missing.status_code == 400
    assert missing.json() == {"success": False, "message": "Order not found", "code": 1152}
    await playground.time.pass_by(0.2)
    shown = (await playground.private("GET", f"order/{order_id}")).json()["data"]
    assert (shown["id"], shown["status"], shown["leftAmount"]) == (order_id, "Untouched", "0.0003000000000000")


async def test_open_orders_come_in_two_lists_without_their_time(playground: Playground) -> None:
    order_id = await _resting(playground)
    await playground.time.pass_by(0.2)
    for path in ("openOrders", "openOrders?pairSymbol=BTCTRY"):
        data = (await playground.private("GET", path)).json()["data"]
        assert data["asks"] == []
        assert [(row["id"], row["time"]) for row in data["bids"]] == [(order_id, 0)]
    assert (await playground.private("GET", "openOrders?pairSymbol=SOLTRY")).json()["data"]["bids"] == []


async def test_all_orders_are_paged_newest_first_in_seconds(playground: Playground) -> None:
    ids = [await _resting(playground) for _ in range(3)]
    await playground.time.pass_by(1)

    async def listed(query: str) -> list[int]:
        document: Any = (await playground.private("GET", f"allOrders?pairSymbol=BTCTRY&{query}")).json()
        return [row["id"] for row in document["data"]]

    now = int(playground.time.now().timestamp())
    assert await listed("limit=2&page=1") == [ids[2], ids[1]]
    assert await listed("limit=2&page=2") == [ids[0]]
    assert await listed(f"startTime={now - 10}&endTime={now}") == ids[::-1]
    assert await listed(f"orderId={ids[1]}") == [ids[2], ids[1]]
    wrong = await playground.private("GET", f"allOrders?pairSymbol=BTCTRY&startTime={now * 1000}")
    assert wrong.json()["message"] == "startTime cannot be bigger than current unix timestamp."


async def test_a_cancel_is_a_receipt_and_happens_later(playground: Playground) -> None:
    order_id = await _resting(playground)
    await playground.time.pass_by(0.2)
    answer = await playground.private("DELETE", f"order?id={order_id}")
    assert answer.json() == {"success": True, "message": "SUCCESS", "code": 0}
    await playground.time.pass_by(0.4)
    assert Decimal((await playground.balances())["TRY"]["locked"]) > 0
    assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Untouched"
    await playground.time.pass_by(0.1)
    assert (await playground.private("GET", f"order/{order_id}")).json()["data"]["status"] == "Canceled"
    await playground.time.pass_by(0.1)
    assert (await playground.balances())["TRY"]["locked"] == "0"
    again = await playground.private("DELETE", f"order?id={order_id}")
    assert again.status_code == 200


async def test_an_id_in_the_body_or_unknown_matches_no_order(playground: Playground) -> None:
    order_id = await _resting(playground)
    expected = {"success": False, "message": "NO_ORDER_MATCHES_YOUR_REQUEST", "code": 1052}
    for more in ({"json": {"id": order_id}}, {"params": {"id": "12345"}}):
        answer = await playground.private("DELETE", "order", **more)
        assert (answer.status_code, answer.json()) == (400, expected)


@pytest.mark.parametrize(
    ("change", "message", "code"),
    [
        ({"price": "3000000.5"}, "FAILED_INVALID_PRICE_SCALE", 1126),
        ({"quantity": "0.000000001"}, "FAILED_INVALID_QUANTITY_SCALE", 1127),
        ({"quantity": "0.00003"}, "FAILED_MIN_TOTAL_AMOUNT", 1123),
        ({"quantity": "1"}, "BALANCE_NOT_ENOUGH", 1055),
        ({"price": "10000001"}, "PRICE_MUST_BE_LESS_THAN_MAXPRICE", 1226),
        ({"price": "3"}, "ORDER_MIN_PRICE_EXCEEDED", 1227),
        ({"price": "60000", "pairSymbol": "SOLTRY"}, "ORDER_MAX_PRICE_EXCEEDED", 1226),
        ({"orderMethod": "stoplimit", "stopPrice": "3000000"}, "FAILED_STOP_PRICE_LESS_THAN_BEST_BID", 1125),
        ({"orderMethod": "stoplimit"}, "FAILED_ORDER_PARAMETER", 1121),
        ({"orderMethod": "stoplimit", "stopPrice": "9000000.5"}, "FAILED_INVALID_STOP_PRICE_SCALE", 1128),
        ({"orderMethod": "iceberg"}, "FAILED_ORDER_PARAMETER", 1121),
        ({"orderMethod": "market", "quantity": "500", "price": "3000000.5"}, "FAILED_INVALID_PRICE_SCALE", 1126),
        ({"quantity": "3E-4"}, "FAILED_ORDER_PARAMETER", 1121),
        ({"quantity": "0,0003"}, "FAILED_ORDER_PARAMETER", 1121),
        ({"quantity": "-1"}, "FAILED_ORDER_PARAMETER", 1121),
        ({"orderType": "hold"}, "FAILED_ORDER_PARAMETER", 1121),
        ({"newOrderClientId": "x" * 51}, "FAILED_ORDER_PARAMETER", 1121),
    ],
)
async def test_a_bad_order_is_refused_in_the_exchanges_words(
    playground: Playground, change: dict[str, str], message: str, code: int
) -> None:
    body = {
        "quantity": "0.0003", "price": "3000000", "newOrderClientId": "x", "orderMethod": "limit",
        "orderType": "buy", "pairSymbol": "BTCTRY",
    }  # fmt: skip
    answer = await playground.private("POST", "order", json=body | change)
    assert answer.status_code == 400
    assert answer.json() == {
        "httpStatusCode": 400, "data": None, "success": False, "message": message, "code": code,
    }  # fmt: skip


async def test_a_body_that_is_not_json_is_refused(playground: Playground) -> None:
    assert (await playground.private("POST", "order", content="quantity=1")).status_code == 415
    json_type = playground.headers() | {"Content-Type": "application/json"}
    answer = await playground.http.post(f"{playground.api}/api/v1/order", headers=json_type, content="{")
    assert (answer.status_code, answer.json()["message"]) == (400, "INVALID_REQUEST")


async def test_a_body_without_end_is_not_read(playground: Playground) -> None:
    answer = await playground.private("POST", "order", json={"newOrderClientId": "x" * 70_000})
    assert answer.status_code == 413


async def test_half_a_character_in_a_label_breaks_nothing(playground: Playground) -> None:
    body = (
        '{"quantity":"0.0003","price":"3000000","newOrderClientId":"\\ud800x","orderMethod":"limit","orderType":"buy",'
        '"pairSymbol":"BTCTRY"}'
    )
    answer = await playground.http.post(
        f"{playground.api}/api/v1/order",
        headers=playground.headers() | {"Content-Type": "application/json"},
        content=body,
    )
    assert answer.json()["data"]["newOrderClientId"] == "?x"
    page = await playground.http.get(f"http://127.0.0.1:{playground.sandbox.admin_port}/")
    assert (page.status_code, "?x" in page.text) == (200, True)
    await playground.time.pass_by(1)
    (row,) = (await playground.private("GET", "openOrders")).json()["data"]["bids"]
    assert row["orderClientId"] == "?x"


async def test_a_pair_may_take_no_market_orders(tmp_path: Path) -> None:
    async with playing(tmp_path / "s", pairs=("DOTTRY",)) as playground:
        (symbol,) = (await playground.public("server/exchangeinfo")).json()["data"]["symbols"]
        assert symbol["orderMethods"] == ["LIMIT", "STOP_LIMIT"]
        order = {"pairSymbol": "DOTTRY", "orderType": "buy", "quantity": "500", "stopPrice": "200"}
        for method in ("market", "stopmarket"):
            answer = await playground.private("POST", "order", json=order | {"orderMethod": method})
            assert answer.json() == {
                "httpStatusCode": 400, "data": None, "success": False, "message": "ORDER_METHOD_NOT_SUPPORTED",
                "code": 1134,
            }  # fmt: skip


async def test_json_numbers_and_a_missing_label_are_taken(playground: Playground) -> None:
    body = {"quantity": 0.0003, "price": 3000000, "orderMethod": "Limit", "orderType": "Buy", "pairSymbol": "btctry"}
    data = (await playground.private("POST", "order", json=body)).json()["data"]
    assert (data["quantity"], data["price"], len(data["newOrderClientId"])) == ("0.0003", "3000000", 36)


async def test_an_order_may_be_asked_for_in_the_query_and_in_the_numbers_of_the_official_client(
    playground: Playground,
) -> None:
    body = {"quantity": "0.0003", "price": "1", "orderMethod": 0, "orderType": 1, "pairSymbol": "BTCTRY"}
    answer = await playground.private("POST", "order?price=3000000&orderType=0", json=body)
    data = answer.json()["data"]
    assert (data["price"], data["type"], data["method"]) == ("3000000", "buy", "limit")


async def test_only_the_right_name_labels_an_order(playground: Playground) -> None:
    body = {
        "quantity": "0.0003",
        "price": "3000000",
        "orderMethod": "limit",
        "orderType": "buy",
        "pairSymbol": "BTCTRY",
    }
    labels = []
    for wrong in ({"newClientOrderId": "MINE"}, {"clientOrderId": "MINE"}, {"newOrderClientId": ""}):
        answer = await playground.private("POST", "order", json=body | wrong)
        labels.append(answer.json()["data"]["newOrderClientId"])
    assert len({*labels, "MINE"}) == 4
    assert all(len(label) == 36 for label in labels)


async def test_a_path_takes_its_own_methods_and_no_other(playground: Playground) -> None:
    for method, path in (
        ("GET", "order"), ("PUT", "order"), ("POST", "openOrders"), ("POST", "users/transactions/crypto"),
        ("HEAD", "users/balances"), ("DELETE", "order/1"),
    ):  # fmt: skip
        answer = await playground.private(method, path)
        assert (answer.status_code, answer.content) == (405, b""), path
    assert (await playground.private("GET", "nowhere")).status_code == 404


async def test_what_needs_the_web_login_or_moves_money_out_is_closed_to_keys(playground: Playground) -> None:
    for method, path in (("PUT", "v2/order"), ("GET", "v2/openOrders"), ("GET", "v3/account/trade-fee-rates")):
        answer = await playground.http.request(
            method, f"{playground.api}/api/{path}", headers=playground.headers(), json=None
        )
        assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized - Invalid Request"), path
    assert (await playground.private("POST", "withdrawals/crypto", json={})).status_code == 401


async def test_a_stop_waits_fires_under_a_new_id_and_keeps_its_label(playground: Playground) -> None:
    ask = Decimal((await playground.book("SOLTRY"))["asks"][0][0])
    stop, limit = (str(round(ask * Decimal(factor))) for factor in ("1.003", "1.02"))
    body = {
        "quantity": "0.1", "price": limit, "stopPrice": stop, "newOrderClientId": "S-1", "orderMethod": "stopLimit",
        "orderType": "buy", "pairSymbol": "SOLTRY",
    }  # fmt: skip
    data = (await playground.private("POST", "order", json=body)).json()["data"]
    assert (data["method"], data["stopPrice"]) == ("stoplimit", stop)
    for _ in range(200):
        await playground.time.pass_by(30)
        shown = (await playground.private("GET", f"order/{data['id']}")).json()["data"]
        if shown["status"] != "Untouched":
            break
        assert shown["stopPrice"] == stop
    rows = (await playground.private("GET", "allOrders?pairSymbol=SOLTRY")).json()["data"]
    assert [(row["method"], row["orderClientId"], row["stopPrice"]) for row in rows] == [
        ("limit", "S-1", stop), ("stoplimit", "S-1", stop),
    ]  # fmt: skip
    assert (rows[1]["id"], rows[1]["status"], Decimal(rows[1]["leftAmount"])) == (
        data["id"],
        "Canceled",
        Decimal("0.1"),
    )
    assert rows[0]["time"] == rows[1]["updateTime"]


async def test_a_trade_is_found_by_its_id(playground: Playground) -> None:
    await _taken(playground)
    await playground.time.pass_by(3)
    (row,) = (await playground.private("GET", "users/transactions/trade")).json()["data"]
    one = await playground.private("GET", f"users/transactions/trade/{row['id']}")
    assert one.json()["data"] == row
    assert (await playground.private("GET", "users/transactions/trade/1")).status_code == 400


async def test_a_market_buy_is_in_lira(playground: Playground) -> None:
    body = {"quantity": "1000", "orderMethod": "market", "orderType": "buy", "pairSymbol": "SOLTRY"}
    data = (await playground.private("POST", "order", json=body)).json()["data"]
    assert (data["price"], data["quantity"]) == ("0", "1000")
    await playground.time.pass_by(0.2)
    shown = (await playground.private("GET", f"order/{data['id']}")).json()["data"]
    assert (shown["status"], shown["method"], Decimal(shown["leftAmount"])) == ("Closed", "market", 0)
    spent = 200_000 - Decimal((await playground.balances())["TRY"]["balance"])
    assert Decimal("999.9") < spent <= 1000


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda headers: headers.pop("X-Stamp"), "Headers are missing"),
        (lambda headers: headers.update({"X-PCK": "nobody"}), "Invalid Public key"),
        (lambda headers: headers.update({"X-Stamp": "soon"}), "Invalid Nonce"),
        (lambda headers: headers.update({"X-Signature": "AAAA"}), "Invalid Signature"),
        (lambda headers: headers.update({"X-Signature": "é".encode("latin-1")}), "Invalid Signature"),
    ],
)
async def test_who_does_not_sign_properly_gets_401_with_success_true(
    playground: Playground, spoil: Any, reason: str
) -> None:
    headers: Any = playground.headers()
    spoil(headers)
    answer = await playground.http.get(f"{playground.api}/api/v1/users/balances", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"success": True, "message": f"Unauthorized - {reason}", "code": 1037}


@pytest.mark.parametrize(("skew_ms", "status"), [(-5_000, 200), (5_000, 200), (-5_001, 401), (5_001, 401)])
async def test_a_stamp_may_be_five_seconds_off(playground: Playground, skew_ms: int, status: int) -> None:
    headers = playground.headers(skew_ms=skew_ms)
    answer = await playground.http.get(f"{playground.api}/api/v1/users/balances", headers=headers)
    assert answer.status_code == status


async def test_the_monitors_key_reads_and_cannot_trade(playground: Playground) -> None:
    assert (await playground.private("GET", "users/balances", role="monitor")).status_code == 200
    for method, more in (("POST", {"json": {}}), ("DELETE", {"params": {"id": "1"}})):
        answer = await playground.private(method, "order", role="monitor", **more)
        assert (answer.status_code, answer.json()["message"]) == (401, "Unauthorized - Invalid Request")


async def test_the_eleventh_order_within_a_second_is_refused_for_the_account(playground: Playground) -> None:
    answers = [await playground.submit("BTCTRY", "buy", "0.0003", "3000000") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[10].json()["details"] == "Quota exceeded. Maximum allowed: 10 per 1s."
    assert answers[10].headers["Retry-After"] == "1"


async def test_nobody_pays_in_or_out(playground: Playground) -> None:
    for kind in ("crypto", "fiat"):
        document = (await playground.private("GET", f"users/transactions/{kind}")).json()
        assert document == {"data": [], "success": True, "message": "SUCCESS", "code": 0}


async def test_the_record_tells_requests_orders_matches_and_balances_in_order(playground: Playground) -> None:
    await _taken(playground)
    lines = await playground.record()
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    kinds = [line["kind"] for line in lines if line["kind"] not in ("pair_listed", "account_opened", "account_funded")]
    assert kinds == [
        "balance_changed", "request", "order_accepted", "balance_changed", "order_matched", "balance_changed",
        "balance_changed", "answer",
    ]  # fmt: skip
    request = next(line for line in lines if line["kind"] == "request")
    assert (request["key"], request["method"], request["path"]) == ("live", "POST", "/api/v1/order")
    assert "B-T1-1" in request["body"]
    assert await playground.admin("GET", f"record?after={len(lines) - 1}") == lines[-1:]
    assert await playground.admin("GET", "record?after=0&limit=2") == lines[:2]


async def test_accounts_show_totals_holds_and_open_orders(playground: Playground) -> None:
    order_id = await _resting(playground)
    (account,) = await playground.admin("GET", "accounts")
    assert account["open_orders"] == [order_id]
    assert Decimal(account["balances"]["TRY"]["held"]) > 0


async def test_two_orders_may_bear_one_label(playground: Playground) -> None:
    first = await playground.submit("BTCTRY", "buy", "0.0003", "3000000", "TWICE")
    second = await playground.submit("BTCTRY", "buy", "0.0003", "3000000", "TWICE")
    assert first.json()["data"]["id"] != second.json()["data"]["id"]
