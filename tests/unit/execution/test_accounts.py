"""Complete or not at all: pages, cut lists, and what neither side says."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from btcbot.domain.errors import ReadFailed
from btcbot.exchange.account import FILLS_MAX, AccountClient
from btcbot.exchange.errors import Malformed, NotTheExchange
from btcbot.execution.accounts import AccountReader
from tests.unit.exchange.builders import Bench, Handler, answering, document, saying

SINCE = datetime(2025, 1, 1, tzinfo=UTC)
SINCE_MS = int(SINCE.timestamp() * 1000)


def reader(handler: Handler) -> tuple[AccountReader, Bench]:
    bench = Bench(handler)
    return AccountReader(AccountClient(bench.channel), bench.channel), bench


def order_row(number: int, pair: str = "BTCTRY") -> dict[str, object]:
    return {
        "id": number, "price": "10", "amount": "1", "quantity": "1", "pairSymbol": pair, "type": "buy",
        "method": "limit", "time": SINCE_MS, "updateTime": SINCE_MS, "status": "Closed", "leftAmount": "0",
    }  # fmt: skip


def trade_row(number: int, at_ms: int, pair: tuple[str, str] = ("BTC", "TRY")) -> dict[str, object]:
    return {
        "id": number, "orderId": 1, "timestamp": at_ms, "numeratorSymbol": pair[0], "denominatorSymbol": pair[1],
        "orderType": "buy", "price": "10", "amount": "1", "fee": "-0.1", "tax": "-0.02",
    }  # fmt: skip


def paged(count: int, first_page: int, cap: int, *, is_zero_refused: bool = False) -> Handler:
    """An exchange that counts pages from 0 or 1 and caps what it gives; below its first page it gives that one."""

    def handler(request: httpx.Request) -> httpx.Response:
        page, limit = (int(request.url.params[name]) for name in ("page", "limit"))
        if page < first_page and is_zero_refused:
            return httpx.Response(400, content=document(success=False, message="INVALID_REQUEST").encode())
        start = max(page - first_page, 0) * min(limit, cap)
        numbers = range(1, count + 1)[start : start + min(limit, cap)]
        return httpx.Response(200, content=document(data=[order_row(number) for number in numbers]).encode())

    return handler


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 100, 101, 250])
@pytest.mark.parametrize("first_page", [0, 1])
@pytest.mark.parametrize("cap", [50, 100, 1000])
async def test_all_pages_are_read_however_they_are_counted_and_capped(count: int, first_page: int, cap: int) -> None:
    accounts, _ = reader(paged(count, first_page, cap))
    orders = await accounts.orders_since("BTCTRY", SINCE)
    assert [order.exchange_order_id for order in orders] == list(range(1, count + 1))
    assert not any(order.is_listed_open for order in orders)


async def test_a_page_zero_that_does_not_exist_is_no_failure() -> None:
    accounts, _ = reader(paged(120, 1, 100, is_zero_refused=True))
    assert len(await accounts.orders_since("BTCTRY", SINCE)) == 120


@pytest.mark.looptime
async def test_a_page_that_fails_fails_the_whole_reading() -> None:
    good = paged(250, 1, 100)

    def handler(request: httpx.Request) -> httpx.Response:
        return saying(400, document(success=False))(request) if request.url.params["page"] == "2" else good(request)

    accounts, _ = reader(handler)
    with pytest.raises(ReadFailed):
        await accounts.orders_since("BTCTRY", SINCE)


async def test_orders_of_another_pair_are_left_out_and_a_wrong_pair_is_refused() -> None:
    accounts, _ = reader(saying(200, document(data=[order_row(1, "ETHTRY"), order_row(2)])))
    assert [order.exchange_order_id for order in await accounts.orders_since("BTCTRY", SINCE)] == [2]
    accounts, _ = reader(saying(200, document(data=order_row(1, "ETHTRY"))))
    with pytest.raises(ReadFailed):
        await accounts.order(1, "BTCTRY")


def cut_at(cap: int, times_ms: list[int]) -> Handler:
    """An exchange that gives the newest `cap` trades of a window and says nothing of the others."""

    def handler(request: httpx.Request) -> httpx.Response:
        start, end = (int(request.url.params[name]) for name in ("startDate", "endDate"))
        rows = [trade_row(number, at) for number, at in enumerate(times_ms, start=1) if start <= at < end]
        return httpx.Response(200, content=document(data=rows[::-1][:cap]).encode())

    return handler


@pytest.mark.looptime
@pytest.mark.parametrize("spacing_ms", [1, 60_000])
@pytest.mark.parametrize("count", [0, 199, 200, 201, 900])
async def test_full_windows_are_split_until_nothing_is_cut(count: int, spacing_ms: int) -> None:
    times = [SINCE_MS + number * spacing_ms for number in range(count)]
    accounts, bench = reader(cut_at(FILLS_MAX, times))
    fills = await accounts.fills("BTCTRY", SINCE, SINCE + timedelta(days=40))
    assert [fill.trade_id for fill in fills] == list(range(1, count + 1))
    assert all(
        int(request.url.params["endDate"]) - int(request.url.params["startDate"]) <= 30 * 86_400_000
        for request in bench.requests
    )


async def test_more_trades_in_a_moment_than_an_answer_holds_are_a_failure() -> None:
    accounts, _ = reader(cut_at(FILLS_MAX, [SINCE_MS] * 300))
    with pytest.raises(ReadFailed, match="200 trades"):
        await accounts.fills("BTCTRY", SINCE, SINCE + timedelta(milliseconds=20))


async def test_fills_of_other_pairs_are_left_out() -> None:
    rows = [trade_row(1, SINCE_MS, ("ETH", "TRY")), trade_row(2, SINCE_MS)]
    accounts, _ = reader(saying(200, document(data=rows)))
    assert [fill.trade_id for fill in await accounts.fills("BTCTRY", SINCE, SINCE + timedelta(days=1))] == [2]


async def test_transfers_come_once_although_windows_touch() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return answering(f"rest/{request.url.path.rsplit('/', 1)[1]}_transactions.200.json")(request)

    accounts, bench = reader(handler)
    bench.clock.stepped = datetime(2021, 11, 10, tzinfo=UTC) - SINCE
    entries = await accounts.transfers(datetime(2021, 10, 1, tzinfo=UTC))
    assert len(bench.requests) == 4  # two windows of coins, two of money
    assert [str(entry.amount) for entry in entries] == ["480 TRY", "-0.02 XLM", "-146.7576 XLM"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda accounts: accounts.balances(),
        lambda accounts: accounts.open_orders("BTCTRY"),
        lambda accounts: accounts.orders_since("BTCTRY", SINCE),
        lambda accounts: accounts.order(1, "BTCTRY"),
        lambda accounts: accounts.fills("BTCTRY", SINCE, SINCE + timedelta(days=1)),
        lambda accounts: accounts.fills_of(1),
    ],
)
@pytest.mark.parametrize("body", ["[]", '{"success":true,"data":7,"code":0}', '{"success":true,"data":[{}],"code":0}'])
async def test_an_answer_of_another_shape_is_never_an_empty_one(
    ask: Callable[[AccountReader], object], body: str
) -> None:
    accounts, _ = reader(saying(200, body))
    with pytest.raises((Malformed, NotTheExchange)):
        await ask(accounts)  # type: ignore[misc]
