"""ccxt trades here as it does at the exchange, and what it gets wrong there it gets wrong here (protocol 11, 12)."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests.foreign.client import Failed, ForeignClient, foreign_client
from tests.foreign.exchange import ForeignExchange, foreign_exchange

LISTED_SECONDS = 0.21  # an order shows a moment after it was accepted
CANCELED_SECONDS = 0.65  # from the receipt to the end of the order and the release of its funds


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignExchange]:
    with foreign_exchange(tmp_path_factory.mktemp("ccxt") / "sandbox") as opened:
        yield opened


@pytest.fixture(scope="module", params=["ccxt", "ccxt-async"])
def either(request: pytest.FixtureRequest, exchange: ForeignExchange) -> Iterator[ForeignClient]:
    """The synchronous client, and the asynchronous one."""
    with foreign_client(request.param, exchange) as client:
        yield client


@pytest.fixture(scope="module")
def client(exchange: ForeignExchange) -> Iterator[ForeignClient]:
    with foreign_client("ccxt", exchange) as client:
        yield client


# ------------------------------------------------------------------------------------------------------- reads


def test_markets_are_read(either: ForeignClient) -> None:
    markets = either.load_markets()
    assert set(markets) == {"BTC/TRY", "SOL/TRY", "SOL/USDT"}
    assert all(market["active"] for market in markets.values())
    assert markets["BTC/TRY"]["precision"] == {"amount": 1e-8, "price": 1}
    assert markets["SOL/TRY"]["limits"]["cost"]["min"] == 99.91
    assert markets["SOL/USDT"]["limits"]["cost"]["min"] == 9.91


def test_the_public_market_is_read(either: ForeignClient) -> None:
    ticker = either.fetch_ticker("SOL/TRY")
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert ticker["bid"] < ticker["ask"]
    assert set(either.fetch_tickers()) == {"BTC/TRY", "SOL/TRY", "SOL/USDT"}
    trades = either.fetch_trades("SOL/TRY", None, 5)
    assert len(trades) == 5
    assert {trade["side"] for trade in trades} <= {"buy", "sell"}
    assert [trade["timestamp"] for trade in trades] == sorted(trade["timestamp"] for trade in trades)


def test_a_book_is_whole_and_in_order(either: ForeignClient) -> None:
    book = either.fetch_order_book("SOL/TRY")
    sides = [[price for price, _ in book[name]] for name in ("bids", "asks")]
    assert sides[0] == sorted(sides[0], reverse=True)
    assert sides[1] == sorted(sides[1])
    assert sides[0][0] < sides[1][0]
    assert 0 < len(sides[0]) <= 100


@pytest.mark.parametrize(("frame", "seconds"), [("1m", 60), ("15m", 900), ("1h", 3_600), ("4h", 14_400)])
def test_candles_since_a_moment_are_read(client: ForeignClient, frame: str, seconds: int) -> None:
    since = client.fetch_ticker("SOL/TRY")["timestamp"] // 1000 // seconds * seconds - 4 * seconds
    candles = client.fetch_ohlcv("SOL/TRY", frame, since * 1000, 3)
    assert [opened // 1000 for opened, *_ in candles] == [since, since + seconds, since + 2 * seconds]
    assert all(low <= min(first, last) <= max(first, last) <= high for _, first, high, low, last, _ in candles)


def test_the_last_candles_are_read_without_a_beginning(either: ForeignClient) -> None:
    """It asks `from` a moment before 1970, which the exchange takes: the last candles come."""
    candles = either.fetch_ohlcv("SOL/TRY", "1h", None, 5)
    assert len(candles) == 5
    now = either.fetch_ticker("SOL/TRY")["timestamp"]
    assert 0 <= now - candles[-1][0] < 3_600_000


def test_days_are_read_by_the_name_that_it_has_for_them(client: ForeignClient) -> None:
    """`1 d`: the third name for a day beside those of others (protocol 4.5)."""
    now = client.fetch_ticker("SOL/TRY")["timestamp"]
    (day,) = client.fetch_ohlcv("SOL/TRY", "1d", now - now % 86_400_000, 1)
    assert day[0] == now - now % 86_400_000


def test_balances_add_up(either: ForeignClient) -> None:
    balance = either.fetch_balance()
    assert balance["TRY"]["total"] == pytest.approx(balance["TRY"]["free"] + balance["TRY"]["used"])
    assert balance["TRY"]["total"] > 0


# ------------------------------------------------------------------------------------------------------- orders


def test_an_order_is_placed_listed_and_canceled(either: ForeignClient, exchange: ForeignExchange) -> None:
    order = either.create_order("SOL/TRY", "limit", "buy", 0.2, exchange.far_bid())
    assert (order["symbol"], order["side"], order["type"], order["amount"]) == ("SOL/TRY", "buy", "limit", 0.2)
    exchange.skip(LISTED_SECONDS)
    (listed,) = [row for row in either.fetch_open_orders("SOL/TRY") if row["id"] == order["id"]]
    assert (listed["status"], listed["remaining"], listed["filled"]) == ("open", 0.2, 0)
    either.cancel_order(order["id"])
    exchange.skip(CANCELED_SECONDS)
    assert order["id"] not in {row["id"] for row in either.fetch_open_orders("SOL/TRY")}
    found = {row["id"]: row["status"] for row in either.fetch_orders("SOL/TRY")}
    assert found[order["id"]] == "canceled"


# ------------------------------------------------------------------------------------ wrong here as it is there


def test_its_label_is_lost_and_the_exchange_makes_one_up(client: ForeignClient, exchange: ForeignExchange) -> None:
    order = client.create_order(
        "BTC/TRY", "limit", "buy", 0.0003, exchange.far_bid("BTCTRY"), {"clientOrderId": "MINE-1"}
    )
    sent = exchange.requests()[-1]["body"]
    assert '"newClientOrderId":"MINE-1"' in sent.replace(" ", "")
    exchange.skip(LISTED_SECONDS)
    (listed,) = [row for row in client.fetch_open_orders("BTC/TRY") if row["id"] == order["id"]]
    assert str(UUID(listed["clientOrderId"])) == listed["clientOrderId"]
    client.cancel_order(order["id"])


def test_its_market_buy_in_coins_is_taken_as_money(client: ForeignClient, exchange: ForeignExchange) -> None:
    """It documents base units. Two coins are two lira, which is too little; 200 coins cost 200 lira."""
    with pytest.raises(Failed) as refused:
        client.create_order("SOL/TRY", "market", "buy", 2)
    assert (refused.value.name, "FAILED_MIN_TOTAL_AMOUNT" in refused.value.message) == ("ExchangeError", True)
    before = client.fetch_balance()
    client.create_order("SOL/TRY", "market", "buy", 200)
    after = client.fetch_balance()
    assert 199 < before["TRY"]["total"] - after["TRY"]["total"] <= 200
    assert after["SOL"]["total"] - before["SOL"]["total"] < 1


def test_its_limit_of_orders_is_not_heard(client: ForeignClient, exchange: ForeignExchange) -> None:
    """It sends `last`, which does not exist; all come, and it throws most of them away itself."""
    for _ in range(2):
        client.create_order("SOL/USDT", "limit", "buy", 0.2, exchange.far_bid("SOLUSDT"))
    exchange.skip(LISTED_SECONDS)
    assert len(client.fetch_orders("SOL/USDT", None, 1)) == 1
    assert "last=1" in exchange.requests()[-1]["query"]
    assert len(client.privateGetAllOrders({"pairSymbol": "SOLUSDT", "last": 1})["data"]) >= 2
    for order in client.fetch_open_orders("SOL/USDT"):
        client.cancel_order(order["id"])


def test_its_limit_of_levels_is_not_sent_and_of_trades_is_cut(client: ForeignClient) -> None:
    assert len(client.fetch_order_book("SOL/TRY", 1)["bids"]) > 1
    assert len(client.fetch_trades("SOL/TRY", None, 500)) <= 50


def test_a_canceled_order_can_be_canceled_again_and_an_unknown_one_cannot(
    client: ForeignClient, exchange: ForeignExchange
) -> None:
    order = client.create_order("SOL/TRY", "limit", "buy", 0.2, exchange.far_bid())
    assert client.cancel_order(order["id"])["id"] is None  # the receipt names no order
    exchange.skip(CANCELED_SECONDS)
    assert client.cancel_order(order["id"])["info"]["success"] is True
    with pytest.raises(Failed, match="NO_ORDER_MATCHES_YOUR_REQUEST"):
        client.cancel_order("12345")


@pytest.mark.parametrize(
    ("fault", "endpoint", "name"),
    [
        ("unauthorized", "balances", "ExchangeError"),  # not an AuthenticationError: it looks at the number first
        ("rate_limited_429", "balances", "ExchangeError"),  # not a RateLimitExceeded: the same
        ("unavailable_503", "balances", "ExchangeError"),
        ("html_everywhere", "balances", "ExchangeNotAvailable"),
    ],
)
def test_failures_are_told_in_its_own_way(
    client: ForeignClient, exchange: ForeignExchange, fault: str, endpoint: str, name: str
) -> None:
    exchange.fault(fault, endpoint=endpoint)
    with pytest.raises(Failed) as failed:
        client.fetch_balance()
    assert failed.value.name == name


def test_only_one_kind_of_missing_money_is_known_to_it(client: ForeignClient, exchange: ForeignExchange) -> None:
    """BALANCE_NOT_ENOUGH is no InsufficientFunds to it; funds that open orders hold are."""
    price = exchange.far_bid()
    with pytest.raises(Failed, match="BALANCE_NOT_ENOUGH") as missing:
        client.create_order("SOL/TRY", "limit", "buy", 1_000_000, price)
    assert missing.value.name == "ExchangeError"
    free = client.fetch_balance()["TRY"]["free"]
    held = client.create_order("SOL/TRY", "limit", "buy", round(free * 0.9 / price, 4), price)
    with pytest.raises(Failed, match="FAILED_ORDER_WITH_OPEN_ORDERS") as bound:
        client.create_order("SOL/TRY", "limit", "buy", round(free * 0.5 / price, 4), price)
    assert bound.value.name == "InsufficientFunds"
    client.cancel_order(held["id"])
