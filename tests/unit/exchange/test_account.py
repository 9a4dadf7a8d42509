"""What is asked for, in which units, and what is made of the answers."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.errors import ReadFailed
from btcbot.domain.ledger import EntryKind
from btcbot.domain.money import Asset
from btcbot.domain.orders.evidence import VenueStatus
from btcbot.domain.orders.intents import Side
from btcbot.exchange.account import AccountClient
from btcbot.exchange.errors import Malformed, Refused
from tests.unit.exchange.builders import Bench, Handler, answering, d, document, saying

SINCE = datetime(2021, 10, 27, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=1)


def account(handler: Handler) -> tuple[AccountClient, Bench]:
    bench = Bench(handler)
    return AccountClient(bench.channel), bench


def asked(bench: Bench) -> tuple[str, list[tuple[str, str]]]:
    (request,) = bench.requests
    assert request.method == "GET"
    return request.url.path, parse_qsl(request.url.query.decode())


@pytest.mark.parametrize("form", ["balances.200", "balances.comma.200"])
async def test_balances_are_the_same_with_a_point_and_with_a_comma(form: str) -> None:
    client, bench = account(answering(f"rest/{form}.json"))
    assert await client.balances() == (
        Balance(Asset("TRY"), d("27223.7283250757643288"), d("22349.3654565035348765"), d("4874.3628685722294523")),
        Balance(Asset("BTC"), d("9.7502186644553258"), d("6.439241464455326"), d("3.3109771999999998")),
    )
    assert asked(bench) == ("/api/v1/users/balances", [])


async def test_a_balance_that_does_not_add_up_is_refused() -> None:
    row = {"asset": "TRY", "balance": "100", "free": "99", "locked": "2"}
    client, _ = account(saying(200, document(data=[row])))
    with pytest.raises(Malformed):
        await client.balances()


async def test_open_orders_are_listed_open_and_of_the_pair() -> None:
    client, bench = account(answering("rest/open_orders.200.json"))
    orders = {order.exchange_order_id: order for order in await client.open_orders("BTCTRY")}
    assert asked(bench) == ("/api/v1/openOrders", [("pairSymbol", "BTCTRY")])
    partly = orders[16060237]
    assert (partly.side, partly.status, partly.is_listed_open) == (Side.SELL, VenueStatus.PARTIAL, True)
    assert partly.executed == d("0.04971904") - d("0.0412345")
    assert partly.time_exchange == datetime(2020, 6, 4, 16, 0, 11, 913000, tzinfo=UTC)
    other, _ = account(answering("rest/open_orders.200.json"))
    assert await other.open_orders("ETHTRY") == ()


async def test_listings_of_2019_are_still_read() -> None:
    client, _ = account(answering("rest/open_orders.2019.200.json"))
    buy, sell = await client.open_orders("BTCTRY")
    assert (buy.side, sell.side) == (Side.BUY, Side.SELL)
    assert buy.left == buy.quantity == d("0.001")


async def test_all_orders_are_asked_for_in_seconds_with_page_and_limit() -> None:
    client, bench = account(answering("rest/all_orders.triggered_stop.200.json"))
    market, stop = await client.orders_page("ETHUSDT", SINCE, 1)
    assert asked(bench) == (
        "/api/v1/allOrders",
        [("pairSymbol", "ETHUSDT"), ("startTime", "1635292800"), ("page", "1"), ("limit", "100")],
    )
    assert (market.status, market.left) == (VenueStatus.CLOSED, 0)
    assert (stop.status, stop.executed, stop.client_order_id) == (VenueStatus.CANCELED, 0, market.client_order_id)
    assert not stop.is_listed_open


async def test_an_order_that_the_exchange_does_not_have_is_nothing() -> None:
    client, _ = account(answering("errors/order_single.not_found.400.json"))
    assert await client.order(61912740) is None


async def test_another_order_than_asked_for_is_refused() -> None:
    client, bench = account(answering("rest/order_single.200.json"))
    assert await client.order(61912740) is not None
    assert asked(bench)[0] == "/api/v1/order/61912740"
    with pytest.raises(Malformed):
        await client.order(61912741)


@pytest.mark.parametrize(
    "wrong",
    [
        {"leftAmount": "2"},
        {"leftAmount": "-1"},
        {"leftAmount": None, "status": "Partial"},
        {"price": "-1"},
        {"type": "?"},
    ],
)
async def test_an_order_with_impossible_amounts_is_refused(wrong: dict[str, object]) -> None:
    row = {
        "id": 1, "price": "10", "amount": "1", "quantity": "1", "pairSymbol": "BTCTRY", "type": "buy",
        "method": "limit", "time": 0, "updateTime": 0, "status": "Untouched", "leftAmount": "1",
    }  # fmt: skip
    client, _ = account(saying(200, document(data={"asks": [], "bids": [row | wrong]})))
    with pytest.raises(ReadFailed):
        await client.open_orders("BTCTRY")


async def test_an_unknown_status_is_kept_as_such() -> None:
    row = {
        "id": 1, "price": "10", "amount": "1", "quantity": "1", "pairSymbol": "BTCTRY", "type": "buy",
        "method": "limit", "time": 0, "updateTime": 0, "status": "Suspended", "leftAmount": "1",
    }  # fmt: skip
    client, _ = account(saying(200, document(data=row)))
    order = await client.order(1)
    assert order is not None
    assert order.status is VenueStatus.OTHER
    assert not order.is_closed
    assert order.time_exchange is None


async def test_a_fill_counts_the_precise_amount_and_its_costs_are_positive() -> None:
    client, bench = account(answering("rest/user_trades.200.json"))
    (fill,) = await client.fills("ETHWTRY", SINCE, UNTIL)
    assert asked(bench) == (
        "/api/v1/users/transactions/trade",
        [("pairSymbol", "ETHWTRY"), ("startDate", "1635292800000"), ("endDate", "1635379200001")],
    )
    assert (fill.trade_id, fill.exchange_order_id) == (1181163798924649598, 10938696222)
    assert (fill.quantity, fill.fee, fill.tax) == (d("0.33840811"), d("0.06297817"), d("0.01133607"))
    assert (fill.side, fill.pair, fill.client_order_id) == (Side.SELL, "ETHWTRY", None)


async def test_a_buy_has_positive_amounts_and_negative_costs_on_the_wire() -> None:
    client, _ = account(answering("rest/user_trades.2021.200.json"))
    sell, buy, _ = await client.fills("BTCTRY", SINCE, UNTIL)
    assert (sell.side, sell.quantity) == (Side.SELL, d("0.0004"))
    assert (buy.side, buy.quantity, buy.fee, buy.tax) == (Side.BUY, d("0.00024971"), d("0.15226792"), d("0.02740823"))


async def test_fills_without_an_order_are_refused() -> None:
    client, _ = account(answering("rest/user_trades.2019.200.json"))
    with pytest.raises(Malformed):
        await client.fills("BTCTRY", SINCE, UNTIL)


async def test_fills_of_an_order_are_asked_for_by_its_number_alone() -> None:
    client, bench = account(answering("rest/user_trades.2021.200.json"))
    (fill,) = await client.fills_of(22632299)
    assert fill.trade_id == 5758564
    assert asked(bench)[1] == [("orderId", "22632299")]


async def test_transfers_are_signed_and_carry_their_costs() -> None:
    client, _ = account(
        lambda request: answering(f"rest/{request.url.path.rsplit('/', 1)[1]}_transactions.200.json")(request)
    )
    entries = await client.transfers(SINCE, UNTIL)
    assert [(entry.kind, str(entry.amount), entry.source) for entry in entries] == [
        (EntryKind.TRANSFER, "-146.7576 XLM", "crypto/10279218"),
        (EntryKind.FEE, "-0.02 XLM", "crypto/10279218"),
        (EntryKind.TRANSFER, "480 TRY", "fiat/34086674"),
    ]


@pytest.mark.parametrize(
    "body",
    ['{"success":false,"data":[],"code":0}', '{"data":[],"code":0}', '{"success":true,"code":0}', '{"success":true}'],
)
@pytest.mark.parametrize("ask", [lambda client: client.balances(), lambda client: client.fills_of(1)])
async def test_no_answer_is_ever_taken_for_an_empty_one(
    body: str, ask: Callable[[AccountClient], Awaitable[object]]
) -> None:
    client, _ = account(saying(200, body))
    with pytest.raises(Refused):
        await ask(client)
