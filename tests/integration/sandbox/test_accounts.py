"""Accounts, keys with their permissions, and transfers that are made while the sandbox runs."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from btcbot.sandbox.keys import ACCOUNT_ID, read_keys
from tests.integration.sandbox.playground import START, Playground, playing

READS = {
    "balances": "users/balances",
    "open_orders": "openOrders",
    "order": "order/1",
    "all_orders": "allOrders?pairSymbol=BTCTRY",
    "user_trades": "users/transactions/trade",
    "transfers": "users/transactions/fiat",
}
CLOSED = "Unauthorized - Invalid Request"


async def _opened(playground: Playground, **document: Any) -> Any:
    answer: Any = await playground.admin("POST", "accounts", json=document)
    assert "key" in answer, answer
    return answer


async def _is_open(playground: Playground, method: str, path: str, role: str) -> bool:
    answer = await playground.private(method, path, role=role, **({"json": {}} if method == "POST" else {}))
    return answer.status_code != 401 or answer.json()["message"] != CLOSED


async def test_a_new_account_has_a_key_money_of_its_own_and_both_are_there_after_a_restart(tmp_path: Path) -> None:
    async with playing(tmp_path / "s") as playground:
        made = await _opened(playground, name="rival", balances={"TRY": "1000", "BTC": "0.5"})
        assert made["account_id"] == ACCOUNT_ID + 1
        assert made["key"] == (playground.directory / "accounts/rival.key").read_text().strip()
        assert made["secret"] == (playground.directory / "accounts/rival.secret").read_text().strip()
        body = {
            "pairSymbol": "BTCTRY",
            "orderType": "sell",
            "orderMethod": "limit",
            "quantity": "0.1",
            "price": "5000000",
        }
        order = (await playground.private("POST", "order", role="accounts/rival", json=body)).json()["data"]["id"]
        assert (await playground.private("DELETE", f"order?id={order}")).json()[
            "message"
        ] == "NO_ORDER_MATCHES_YOUR_REQUEST"
        assert (await playground.balances())["BTC"]["balance"] == "0"
    async with playing(tmp_path / "s", start=START + timedelta(seconds=60)) as playground:
        rows = (await playground.private("GET", "users/balances", role="accounts/rival")).json()["data"]
        held = {row["asset"]: (row["balance"], row["locked"]) for row in rows}
        assert (held["TRY"], held["BTC"]) == (("1000", "0"), ("0.5", "0.1"))
        listed = (await playground.private("GET", "openOrders", role="accounts/rival")).json()["data"]["asks"]
        assert [row["id"] for row in listed] == [order]
        assert [key.name for key in read_keys(playground.directory)] == ["live", "monitor", "rival"]


async def test_two_accounts_trade_with_each_other(playground: Playground) -> None:
    for name in ("one", "two"):
        await _opened(playground, name=name, balances={"TRY": "100000", "SOL": "5"})
    book = await playground.book("SOLTRY")
    price = str((Decimal(book["bids"][0][0]) + Decimal(book["asks"][0][0])) // 2)
    body = {"pairSymbol": "SOLTRY", "orderMethod": "limit", "quantity": "1", "price": price}
    sell = await playground.private("POST", "order", role="accounts/one", json=body | {"orderType": "sell"})
    buy = await playground.private("POST", "order", role="accounts/two", json=body | {"orderType": "buy"})
    matches = [line for line in await playground.record() if line["kind"] == "order_matched"]
    ids = [answer.json()["data"]["id"] for answer in (sell, buy)]
    assert {line["order_id"]: line["counter_order_id"] for line in matches} == {ids[0]: ids[1], ids[1]: ids[0]}
    for name, sol in (("one", "4"), ("two", "6")):
        rows = (await playground.private("GET", "users/balances", role=f"accounts/{name}")).json()["data"]
        assert next(row["balance"] for row in rows if row["asset"] == "SOL") == sol


@pytest.mark.parametrize(
    ("permissions", "opened"),
    [
        (["assets"], {"balances", "open_orders"}),
        (["trade"], {"order", "open_orders", "all_orders", "submit", "cancel"}),
        (["account"], {"user_trades", "transfers"}),
        (["read"], set(READS)),
        (["websocket"], {"login"}),
        (["assets", "trade", "account", "websocket"], {*READS, "submit", "cancel", "login"}),
    ],
)
async def test_a_key_opens_what_its_permissions_say_and_nothing_else(
    playground: Playground, permissions: list[str], opened: set[str]
) -> None:
    made = await _opened(playground, name="key", account_id=ACCOUNT_ID, permissions=permissions)
    assert made["permissions"] == sorted(permissions)
    asked = {name: ("GET", path) for name, path in READS.items()} | {
        "submit": ("POST", "order"), "cancel": ("DELETE", "order?id=1"),
    }  # fmt: skip
    found = {name for name, (method, path) in asked.items() if await _is_open(playground, method, path, "accounts/key")}
    async with playground.feed() as client:
        if (await client.login("accounts/key"))["ok"]:
            found.add("login")
    assert found == opened
    assert not await _is_open(playground, "POST", "withdrawals/crypto", "accounts/key")


async def test_deposits_and_withdrawals_move_money_and_are_listed_with_filters(playground: Playground) -> None:
    async def moved(**document: str) -> Any:
        return await playground.admin("POST", "transfers", json=document)

    async def listed(kind: str, query: str = "") -> list[tuple[str, str, str]]:
        rows = (await playground.private("GET", f"users/transactions/{kind}{query}")).json()["data"]
        return [(row["balanceType"], row["currencySymbol"], row["amount"]) for row in rows]

    first_ms = int(playground.time.now().timestamp() * 1000)
    await moved(asset="TRY", amount="480", kind="deposit")
    await moved(asset="XLM", amount="200", kind="deposit")
    await playground.time.pass_by(10)
    await moved(asset="XLM", amount="146.7576", fee="0.02", kind="withdrawal")
    assert await listed("fiat") == [("deposit", "TRY", "480")]
    deposit, withdrawal = ("deposit", "XLM", "200"), ("withdrawal", "XLM", "-146.7576")
    assert await listed("crypto") == [withdrawal, deposit]
    assert await listed("crypto", "?type=deposit") == [deposit]
    assert await listed("crypto", "?type=deposit&type=withdrawal&symbol=xlm&symbol=btc") == [withdrawal, deposit]
    assert await listed("crypto", "?symbol=btc") == []
    assert await listed("crypto", f"?startDate={first_ms + 5_000}") == [withdrawal]
    assert await listed("crypto", f"?endDate={first_ms + 5_000}") == [deposit]
    balances = await playground.balances()
    assert (balances["XLM"]["balance"], balances["TRY"]["balance"]) == ("53.2224", "200480")
    refused = await moved(asset="XLM", amount="54", kind="withdrawal")
    assert "has not so much" in refused["message"]


async def test_a_withdrawal_holds_its_money_until_it_leaves(playground: Playground) -> None:
    document = {"asset": "TRY", "amount": "500", "kind": "withdrawal", "lasts_seconds": 60}
    await playground.admin("POST", "transfers", json=document)
    row = (await playground.balances())["TRY"]
    assert (row["balance"], row["locked"], row["orderFund"], row["requestFund"]) == ("200000", "500", "0", "500")
    assert (await playground.private("GET", "users/transactions/fiat")).json()["data"] == []
    await playground.time.pass_by(60)
    row = (await playground.balances())["TRY"]
    assert (row["balance"], row["requestFund"]) == ("199500", "0")
    assert len((await playground.private("GET", "users/transactions/fiat")).json()["data"]) == 1


async def test_an_account_pays_what_its_tier_pays(playground: Playground) -> None:
    made = await _opened(playground, name="whale", balances={"TRY": "1000000"}, fee_tier=7)
    price, quantity = (await playground.book("SOLTRY"))["asks"][0]
    body = {"pairSymbol": "SOLTRY", "orderType": "buy", "orderMethod": "limit", "quantity": quantity, "price": price}
    await playground.private("POST", "order", role="accounts/whale", json=body)
    (match,) = (line for line in await playground.record() if line["kind"] == "order_matched")
    assert match["account_id"] == made["account_id"]
    paid, notional = Decimal(match["fee"]) + Decimal(match["tax"]), Decimal(price) * Decimal(quantity)
    assert abs(paid - notional * Decimal("0.0008")) < Decimal("0.0000001")


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("accounts", {}), ("accounts", [1]), ("accounts", {"name": "../x"}), ("accounts", {"name": "live"}),
        ("accounts", {"name": "x", "fee_tier": 8}),
        ("accounts", {"name": "x", "more": 1}), ("accounts", {"name": "x", "account_id": 1}),
        ("accounts", {"name": "x", "permissions": []}), ("accounts", {"name": "x", "permissions": ["fly"]}),
        ("accounts", {"name": "x", "balances": {"TRY": "-1"}}), ("accounts", {"name": "x", "balances": {"try": "1"}}),
        ("transfers", "x"), ("transfers", {"asset": "TRY", "amount": "1"}), ("transfers", {"kind": "deposit"}),
        ("transfers", {"asset": "TRY", "kind": "deposit", "amount": 0.5}),
        ("transfers", {"asset": "TRY", "kind": "deposit", "amount": "0"}),
        ("transfers", {"asset": "TRY", "kind": "deposit", "amount": "1", "account_id": 7}),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_in_words(playground: Playground, path: str, document: object) -> None:
    before = await playground.record()
    assert "Next:" in (await playground.admin("POST", path, json=document))["message"]
    assert await playground.record() == before
    assert not (playground.directory / "accounts").exists()


async def test_a_page_of_another_site_can_do_nothing_here(playground: Playground) -> None:
    url = f"http://127.0.0.1:{playground.sandbox.admin_port}"
    attempts = (
        playground.http.post(
            f"{url}/faults", json={"fault": "lost_request"}, headers={"Origin": "https://example.org"}
        ),
        playground.http.post(f"{url}/accounts", json={"name": "x"}, headers={"Host": "example.org"}),
        playground.http.get(url, headers={"Host": "example.org"}),
    )
    answers: list[httpx.Response] = await asyncio.gather(*attempts)
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert await playground.admin("GET", "faults") == []
