"""A story in which the private side of the sandbox says everything it can say, under the names of the samples."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.integration.sandbox.playground import Playground, playing
from tests.integration.sandbox.shapes import read

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Said:
    status: int
    document: Any
    headers: httpx.Headers


class Book:
    """What was said, by the name of the sample that it should look like."""

    def __init__(self) -> None:
        self.said: dict[str, Said] = {}

    def note(self, name: str, answer: httpx.Response) -> Any:
        document = read(answer.content)
        self.said[name] = Said(answer.status_code, document, answer.headers)
        return document


async def submitted(playground: Playground, **fields: object) -> httpx.Response:
    body = {
        "quantity": "0.0003", "price": "3000000", "newOrderClientId": "B-T1-1", "orderMethod": "limit",
        "orderType": "buy", "pairSymbol": "BTCTRY",
    }  # fmt: skip
    wanted = {name: value for name, value in (body | fields).items() if value is not None}
    return await playground.private("POST", "order", json=wanted)


async def told_now(directory: Path) -> dict[str, Said]:
    """Under the documented profile."""
    book = Book()
    async with playing(directory) as playground:
        await _orders(playground, book)
        await _refusals(playground, book)
        await _strangers(playground, book)
        await _money(playground, book)
        await _faults(playground, book)
        await _limits(playground, book)
    return book.said


async def told_then(directory: Path, venue_profile: str) -> dict[str, Said]:
    """Under another profile: the answers whose shape depends on it."""
    book = Book()
    async with playing(directory, venue_profile=venue_profile) as playground:
        ask = (await playground.book("SOLTRY"))["asks"][0]
        book.note("submit", await submitted(playground, pairSymbol="SOLTRY", quantity=ask[1], price=ask[0]))
        market = {"orderMethod": "market", "quantity": "500", "price": None}
        book.note("submit_market", await submitted(playground, **market))
        resting = book.note("submit_resting", await submitted(playground))["data"]["id"]
        await playground.admin("POST", "transfers", json={"asset": "TRY", "amount": "480", "kind": "deposit"})
        await playground.time.pass_by(20)
        for path in ("openOrders", "users/balances", "users/transactions/trade", "users/transactions/fiat"):
            book.note(path, await playground.private("GET", path))
        book.note("allOrders", await playground.private("GET", "allOrders?pairSymbol=BTCTRY"))
        book.note("cancel", await playground.private("DELETE", f"order?id={resting}"))
    return book.said


async def _orders(playground: Playground, book: Book) -> None:
    resting = book.note("order_submit.limit", await submitted(playground))["data"]["id"]
    shown = await playground.book("SOLTRY")
    bid, ask = shown["bids"][0], shown["asks"][0]
    await playground.placed("SOLTRY", "buy", ask[1], ask[0])
    await playground.placed("SOLTRY", "sell", "0.1", bid[0])
    await submitted(playground, pairSymbol="SOLTRY", orderMethod="market", quantity="500", price=None)
    stop = str(round(Decimal(ask[0]) * Decimal("1.05")))
    above = {"pairSymbol": "SOLTRY", "stopPrice": stop, "quantity": "0.1"}
    stop_limit = await submitted(playground, **above, orderMethod="stoplimit", price=stop)
    book.note("order_submit.stoplimit", stop_limit)
    stop_market = await submitted(playground, **above | {"quantity": "500"}, orderMethod="stopmarket", price=None)
    waiting = book.note("order_submit.stopmarket", stop_market)["data"]["id"]
    book.note("order_single.not_found", await playground.private("GET", f"order/{waiting}"))
    trades = "users/transactions/trade"
    book.note("user_trades.empty", await playground.private("GET", trades))
    await playground.time.pass_by(3)
    book.note("user_trades", await playground.private("GET", trades))
    book.note("order_single", await playground.private("GET", f"order/{waiting}"))
    book.note("open_orders", await playground.private("GET", "openOrders"))
    book.note("open_orders.stop", await playground.private("GET", "openOrders?pairSymbol=SOLTRY"))
    book.note("all_orders", await playground.private("GET", "allOrders?pairSymbol=SOLTRY"))
    later = int(playground.time.now().timestamp())
    book.note("all_orders.empty", await playground.private("GET", f"allOrders?pairSymbol=SOLTRY&startTime={later}"))
    in_ms = await playground.private("GET", f"allOrders?pairSymbol=SOLTRY&startTime={later * 1000}")
    book.note("all_orders.ms_time", in_ms)
    book.note("order_cancel", await playground.private("DELETE", f"order?id={resting}"))


async def _refusals(playground: Playground, book: Book) -> None:
    refused = {
        "price_scale": {"price": "3000000.5"},
        "quantity_scale": {"quantity": "0.000000001"},
        "min_total": {"quantity": "0.00003"},
        "balance": {"quantity": "1"},
        "max_price": {"price": "10000001"},
        "stop_gt_best_ask": {"orderType": "sell", "orderMethod": "stoplimit", "stopPrice": "9000000"},
    }
    for name, fields in refused.items():
        book.note(f"order.{name}", await submitted(playground, **fields))
    await playground.time.pass_by(2)
    most = await submitted(playground, quantity="0.04", price="3000000", newOrderClientId="MOST")
    book.note("order.open_orders", await submitted(playground, quantity="0.04", price="3000000"))
    await playground.private("DELETE", f"order?id={most.json()['data']['id']}")
    filled = (await playground.private("GET", "allOrders?pairSymbol=SOLTRY")).json()["data"]
    closed = next(row["id"] for row in filled if row["status"] == "Closed")
    book.note("cancel.not_cancelable", await playground.private("DELETE", f"order?id={closed}"))
    book.note("cancel.no_order", await playground.private("DELETE", "order", json={"id": closed}))
    book.note("order.validation", await playground.private("GET", "allOrders"))
    book.note("users_tx.missing_param", await playground.private("GET", "users/transactions/fiat?symbol="))


async def _strangers(playground: Playground, book: Book) -> None:
    balances = f"{playground.api}/api/v1/users/balances"
    good = playground.headers()
    wrong = {
        "headers_missing": {name: good[name] for name in ("X-PCK", "X-Stamp")},
        "invalid_nonce": playground.headers(skew_ms=60_000),
        "invalid_signature": good | {"X-Signature": "AAAA"},
    }
    for name, headers in wrong.items():
        book.note(f"unauthorized.{name}", await playground.http.get(balances, headers=headers))
    book.note("unauthorized.invalid_request", await playground.private("DELETE", "order?id=1", role="monitor"))


async def _money(playground: Playground, book: Book) -> None:
    book.note("balances", await playground.private("GET", "users/balances"))
    moves = (("TRY", "480", "deposit"), ("XLM", "200", "deposit"), ("XLM", "146.7576", "withdrawal"))
    for asset, amount, kind in moves:
        document = {"asset": asset, "amount": amount, "kind": kind, "fee": "0.02" if asset == "XLM" else "0"}
        assert "transfer_id" in await playground.admin("POST", "transfers", json=document)
    book.note("crypto_transactions", await playground.private("GET", "users/transactions/crypto?type=withdrawal"))
    book.note("fiat_transactions", await playground.private("GET", "users/transactions/fiat"))


async def _faults(playground: Playground, book: Book) -> None:
    told = {
        "unavailable_503": "system.maintenance", "internal_error": "system.internal", "unsuccessful": "system.error",
        "rate_limited_429_bare": "rate_limit.old",
    }  # fmt: skip
    for fault, name in told.items():
        await playground.fault(fault, 1, endpoint="balances")
        book.note(name, await playground.private("GET", "users/balances"))


async def _limits(playground: Playground, book: Book) -> None:
    """Balances are counted by address alone; cancels by account first."""
    for path, name in (("users/balances", "ip"), ("order?id=1", "account")):
        for _ in range(121):
            answer = await playground.private("GET" if name == "ip" else "DELETE", path)
            if answer.status_code == 429:
                book.note(f"rate_limit.{name}", answer)
                break
