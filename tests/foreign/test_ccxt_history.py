"""What ccxt sees of its own trades, which are listed seconds after they were made (protocol 7, 13)."""

from collections.abc import Iterator

import pytest

from tests.foreign.client import ForeignClient, foreign_client
from tests.foreign.exchange import ForeignExchange, foreign_exchange

TRADES_SECONDS = 3.05

Trader = tuple[ForeignClient, ForeignExchange]


@pytest.fixture(scope="module", params=["ccxt", "ccxt-async"])
def trader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trader]:
    """A client with an exchange to itself: waiting for trades uses up most of what its clock may be put forward."""
    directory = tmp_path_factory.mktemp("ccxt_history") / "sandbox"
    with foreign_exchange(directory) as exchange, foreign_client(request.param, exchange) as client:
        yield client, exchange


def test_a_taken_order_fills_and_shows_in_history(trader: Trader) -> None:
    """Its own table and the fee of its trades both say less than is paid: 0.24 % as taker, of which 0.04 % are tax."""
    either, exchange = trader
    limit = exchange.crossing_bid()
    before = either.fetch_balance()["TRY"]["total"]
    order = either.create_order("SOL/TRY", "limit", "buy", 0.1, limit)
    paid = before - either.fetch_balance()["TRY"]["total"]
    assert [trade for trade in either.fetch_my_trades("SOL/TRY") if trade["order"] == order["id"]] == []
    exchange.skip(TRADES_SECONDS)
    trades = [trade for trade in either.fetch_my_trades("SOL/TRY") if trade["order"] == order["id"]]
    notional, fee = sum(trade["cost"] for trade in trades), sum(trade["fee"]["cost"] for trade in trades)
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.1)
    assert all(trade["side"] == "buy" and trade["price"] <= limit for trade in trades)
    assert (paid - notional) / notional == pytest.approx(0.0024, rel=1e-4)
    assert fee / notional == pytest.approx(0.0020, rel=1e-4)
    assert either.load_markets()["SOL/TRY"]["taker"] == 0.0009
    found = {row["id"]: row["status"] for row in either.fetch_orders("SOL/TRY")}
    assert found[order["id"]] == "closed"


def test_trades_of_every_pair_bear_the_name_of_the_one_that_was_asked_for(trader: Trader) -> None:
    """It asks for all own trades, whose rows name assets instead of a pair: it believes that all are of its pair."""
    either, exchange = trader
    either.create_order("SOL/TRY", "market", "buy", 150)
    exchange.skip(TRADES_SECONDS)
    trades = either.fetch_my_trades("SOL/USDT")
    assert "TRY" in {trade["info"]["denominatorSymbol"] for trade in trades}
    assert {trade["symbol"] for trade in trades} == {"SOL/USDT"}
