"""btcturk-api, which knows this exchange only: it works here, and errs here as it does there (protocol 11, 12)."""

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import pytest

from tests.foreign.client import Failed, ForeignClient, foreign_client
from tests.foreign.exchange import ForeignExchange, foreign_exchange

LISTED_SECONDS = 0.21
CANCELED_SECONDS = 0.65
TRADES_SECONDS = 3.05


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignExchange]:
    with foreign_exchange(tmp_path_factory.mktemp("btcturk_api") / "sandbox") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(exchange: ForeignExchange) -> Iterator[ForeignClient]:
    with foreign_client("btcturk-api", exchange) as client:
        yield client


# ------------------------------------------------------------------------------------------------------- reads


def test_the_market_is_read(client: ForeignClient) -> None:
    assert [row["name"] for row in client.get_exchange_info(["SOLTRY"])] == ["SOLTRY"]
    assert client.get_server_time()["serverTime"] > 1_700_000_000_000
    assert [row["pair"] for row in client.tick("SOL_TRY")] == ["SOLTRY"]
    assert {row["pair"] for row in client.tick()} == {"BTCTRY", "SOLTRY", "SOLUSDT"}


def test_more_than_the_caps_is_not_to_be_had(client: ForeignClient) -> None:
    """Its documentation promises 1,000 of both."""
    book = client.get_order_book("SOL_TRY", limit=1000)
    assert 0 < len(book["bids"]) <= 100
    assert len(client.get_trades("SOL_TRY", last=1000)) <= 50


def test_days_come_from_the_old_address(client: ForeignClient) -> None:
    """`/api/v2/ohlc`: values as strings, time in milliseconds (protocol 4.6)."""
    rows = client.get_ohlc_data("SOL_TRY", last=2)
    assert 0 < len(rows) <= 2
    assert all(Decimal(row["low"]) <= Decimal(row["close"]) <= Decimal(row["high"]) for row in rows)
    assert all(int(row["time"]) % 86_400_000 == 0 for row in rows)


def test_balances_are_read_and_chosen(client: ForeignClient) -> None:
    assert {row["asset"] for row in client.get_account_balance()} >= {"TRY", "SOL", "BTC"}
    (lira,) = client.get_account_balance(["try"])
    assert Decimal(lira["balance"]) == Decimal(lira["free"]) + Decimal(lira["locked"])


# ------------------------------------------------------------------------------------------------------- orders


def test_an_order_under_its_label_is_placed_listed_and_canceled(
    client: ForeignClient, exchange: ForeignExchange
) -> None:
    order = client.submit_limit_order(0.2, exchange.far_bid(), "buy", "SOL_TRY", "MINE-1")
    assert (order["newOrderClientId"], order["pairSymbol"], order["type"]) == ("MINE-1", "SOLTRY", "buy")
    exchange.skip(LISTED_SECONDS)
    (listed,) = [row for row in client.get_open_orders("SOL_TRY")["bids"] if row["id"] == order["id"]]
    assert (listed["orderClientId"], listed["status"]) == ("MINE-1", "Untouched")
    assert order["id"] in {row["id"] for row in client.get_open_orders()["bids"]}
    assert client.cancel_order(order["id"]) is True
    exchange.skip(CANCELED_SECONDS)
    assert order["id"] not in {row["id"] for row in client.get_open_orders("SOL_TRY")["bids"]}
    (found,) = [row for row in client.get_all_orders(pair_symbol="SOL_TRY") if row["id"] == order["id"]]
    assert found["status"] == "Canceled"


def test_it_makes_a_label_of_its_own(client: ForeignClient, exchange: ForeignExchange) -> None:
    order = client.submit_limit_order(0.2, exchange.far_bid(), "buy", "SOL_TRY")
    assert UUID(order["newOrderClientId"]).version == 1
    client.cancel_order(order["id"])


def test_a_market_buy_is_money_on_the_price_scale(client: ForeignClient, exchange: ForeignExchange) -> None:
    """What it gets right: 1,000.56 lira are cut to the scale of prices, of which whole ones have no decimals."""
    client.submit_market_order(1_000.56, "buy", "SOL_TRY")
    assert '"quantity": "1000.5"' in exchange.requests()[-1]["body"]
    client.submit_market_order(1_000.56, "buy", "BTC_TRY")
    assert '"quantity": "1000"' in exchange.requests()[-1]["body"]


def test_a_stop_waits_untouched(client: ForeignClient, exchange: ForeignExchange) -> None:
    ask = float(exchange.public("orderbook", pairSymbol="SOLTRY")["asks"][-1][0])
    stop, limit = round(ask * 1.2), round(ask * 1.3)
    order = client.submit_stop_order(stop, 0.2, limit, "buy", "stopLimit", "SOL_TRY", "STOP-1")
    exchange.skip(LISTED_SECONDS)
    (listed,) = [row for row in client.get_open_orders("SOL_TRY")["bids"] if row["id"] == order["id"]]
    assert (listed["method"], listed["status"], Decimal(listed["stopPrice"])) == ("stoplimit", "Untouched", stop)
    assert client.cancel_order(order["id"]) is True


def test_a_wrong_secret_does_not_get_in(exchange: ForeignExchange) -> None:
    key = exchange.credentials()["key"]
    with (
        pytest.raises(Failed, match="Unauthorized") as refused,
        foreign_client("btcturk-api", exchange, key=key, secret="bm90IHRoZSBzZWNyZXQ="),  # not the secret
    ):
        pass
    assert refused.value.name == "BTCTurkAuthenticationError"


def test_a_key_that_may_only_read_cannot_order(exchange: ForeignExchange) -> None:
    with foreign_client("btcturk-api", exchange, **exchange.credentials("monitor")) as reader:
        assert reader.get_account_balance(["TRY"])
        with pytest.raises(Failed, match="Unauthorized - Invalid Request"):
            reader.submit_limit_order(0.2, exchange.far_bid(), "buy", "SOL_TRY")


# ------------------------------------------------------------------------------------ wrong here as it is there


def test_a_small_quantity_leaves_in_exponent_notation_and_is_refused(
    client: ForeignClient, exchange: ForeignExchange
) -> None:
    with pytest.raises(Failed) as refused:
        client.submit_limit_order(0.0000005, exchange.far_bid("BTCTRY"), "buy", "BTC_TRY")
    assert '"quantity": "5.0E-7"' in exchange.requests()[-1]["body"]
    assert refused.value.name == "InvalidRequestParameterError"


def test_its_dates_of_all_orders_are_not_heard(client: ForeignClient, exchange: ForeignExchange) -> None:
    """It sends startDate in milliseconds; the exchange knows startTime in seconds."""
    client.cancel_order(client.submit_limit_order(0.2, exchange.far_bid(), "buy", "SOL_TRY")["id"])
    exchange.skip(LISTED_SECONDS)
    tomorrow = client.get_server_time()["serverTime"] + 86_400_000
    assert client.get_all_orders(pair_symbol="SOL_TRY", start_date=tomorrow, end_date=tomorrow + 1)


def test_its_history_misses_every_coin_that_it_does_not_know(client: ForeignClient, exchange: ForeignExchange) -> None:
    """Its list of symbols is of 2021 and always sent: trades of SOL are not on it."""
    order = client.submit_limit_order(0.1, exchange.crossing_bid(), "buy", "SOL_TRY")
    exchange.skip(TRADES_SECONDS)
    known, all_of_it = client.get_trade_history(), client.get_trade_history(symbol=["sol"])
    assert order["id"] not in {row["orderId"] for row in known}
    assert order["id"] in {row["orderId"] for row in all_of_it}
    assert client.get_trade_history(orderId=order["id"])


def test_transfers_are_asked_for_by_other_names_and_come(client: ForeignClient) -> None:
    """`balanceTypes` and `currencySymbols` of the old protocol are not heard."""
    assert client.get_fiat_history() == []
    assert client.get_crypto_history() == []


def test_an_unknown_order_cannot_be_canceled(client: ForeignClient) -> None:
    with pytest.raises(Failed, match="NO_ORDER_MATCHES_YOUR_REQUEST") as refused:
        client.cancel_order(12345)
    assert refused.value.name == "InvalidRequestParameterError"


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("rate_limited_429", "RequestLimitExceededError"),
        ("unavailable_503", "InternalServerError"),
        ("html_everywhere", "InternalServerError"),
        ("unauthorized", "BTCTurkAuthenticationError"),
    ],
)
def test_failures_are_told_in_its_own_way(
    client: ForeignClient, exchange: ForeignExchange, fault: str, name: str
) -> None:
    exchange.fault(fault, endpoint="balances")
    with pytest.raises(Failed) as failed:
        client.get_account_balance()
    assert failed.value.name == name
