"""What a market out of candles shows, and what reaches orders that rest in it."""

from decimal import Decimal

import pytest

from btcbot.domain.money import Asset, parse
from btcbot.domain.orders.intents import Side
from btcbot.research.candle_market import CandleMarket, in_ms
from btcbot.research.history import History
from btcbot.simulation.happenings import Method, OrderAccepted
from btcbot.simulation.orders import Order, OrderRequest
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.venue import Venue
from tests.unit.research.recordings import HOUR, LISTING, START, hours

PAIR, OURS = "BTCTRY", 1
START_MS, HOUR_MS = in_ms(START), 3_600_000
CALM = "1000000 1000000 1000000 1000000 100"


def venue(history: History) -> Venue:
    """An hour into the recording, with money and coins."""
    opened = Venue(CandleMarket([history], {PAIR: LISTING}), VenueRules(), START_MS + HOUR_MS)
    for asset, number in (("TRY", "10000000"), ("BTC", "10")):
        opened.fund(OURS, Asset(asset), parse(number), START_MS + HOUR_MS)
    opened.advance(START_MS + HOUR_MS)
    return opened


def resting(at: Venue, side: Side, price: str, quantity: str = "0.01") -> Order:
    request = OrderRequest(PAIR, side, Method.LIMIT, parse(price), parse(quantity), "label")
    accepted = at.submit(OURS, request, START_MS + HOUR_MS)
    assert isinstance(accepted, OrderAccepted)
    return at.orders[accepted.order_id]


def test_the_book_stands_around_the_price_with_a_share_of_the_last_candles_volume() -> None:
    shown = venue(hours(CALM, CALM)).shown(PAIR)
    assert list(shown.bids)[:2] == [999_750, 999_250]
    assert list(shown.asks)[:2] == [1_000_750, 1_001_250]
    assert len(shown.bids) == len(shown.asks) == 5
    assert {LISTING.quantity(lots) for lots in shown.bids.values()} == {Decimal(2)}


def test_without_volume_or_without_a_candle_there_is_no_book() -> None:
    assert not venue(hours("1000000 1000000 1000000 1000000 0", CALM)).shown(PAIR).bids
    market = CandleMarket([hours(CALM, CALM)], {PAIR: LISTING})
    market.advance(START_MS + 2 * HOUR_MS)
    assert market.depth(PAIR).bids
    market.advance(START_MS + 2 * HOUR_MS + 1)
    assert not market.depth(PAIR).bids
    assert not market.is_open(PAIR)


@pytest.mark.parametrize(("price", "is_filled"), [("990000", False), ("990001", True)])
def test_a_resting_buy_fills_only_when_the_market_trades_through_it(price: str, is_filled: bool) -> None:
    at = venue(hours(CALM, "1000000 1000000 990000 1000000"))
    order = resting(at, Side.BUY, price)
    at.advance(START_MS + 2 * HOUR_MS)
    assert (order.filled > 0) is is_filled
    if is_filled:
        assert [match.price for match in order.matches] == [Decimal(price)]


@pytest.mark.parametrize(("price", "is_filled"), [("1010000", False), ("1009000", True)])
def test_a_resting_sell_fills_only_when_the_market_trades_through_it(price: str, is_filled: bool) -> None:
    at = venue(hours(CALM, "1000000 1010000 1000000 1000000"))
    order = resting(at, Side.SELL, price)
    at.advance(START_MS + 2 * HOUR_MS)
    assert (order.filled > 0) is is_filled


def test_a_gap_fills_at_the_resting_price_and_never_at_a_better_one() -> None:
    at = venue(hours(CALM, "950000 950000 950000 950000"))
    order = resting(at, Side.BUY, "990000")
    at.advance(START_MS + HOUR_MS + 1)
    assert {match.price for match in order.matches} == {Decimal(990_000)}


def test_what_trades_through_is_no_more_than_was_traded() -> None:
    """Eight hundredths in the hour, a quarter of them on the way down; the book has not come past the order yet."""
    at = venue(hours(CALM, "1000000 1000000 999400 1000000 0.08"))
    order = resting(at, Side.BUY, "999500", "1")
    at.advance(START_MS + HOUR_MS + HOUR_MS // 3)
    assert 0 < order.filled <= Decimal("0.04")


def test_the_low_comes_first_when_a_candle_rose_and_last_when_it_fell() -> None:
    for text, first in (("100 130 90 120", 90), ("100 130 90 95", 130)):
        history = hours("100 100 100 100", text)
        market = CandleMarket([history], {PAIR: LISTING})
        seen = []
        for third in range(1, 4):
            market.advance(START_MS + HOUR_MS + third * HOUR_MS // 3)
            seen.append(market.recent(PAIR)[-1].ticks)
        assert seen == [first, 220 - first, history.candles[1].close]


def test_it_foretells_when_a_bid_comes_down_to_a_price() -> None:
    market = CandleMarket([hours(CALM, "1000000 1000000 960000 1000000")], {PAIR: LISTING})
    market.advance(START_MS + HOUR_MS + 1)
    at_ms = market.bid_reaches(PAIR, 980_000)
    assert at_ms is not None
    market.advance(at_ms - 1)
    assert next(iter(market.depth(PAIR).bids)) > 980_000
    market.advance(at_ms)
    assert 979_000 < next(iter(market.depth(PAIR).bids)) <= 980_000
    assert market.bid_reaches(PAIR, 950_000) is None


def test_it_foretells_when_the_touch_comes_to_a_price() -> None:
    market = CandleMarket([hours(CALM, "1000000 1020000 980000 1010000")], {PAIR: LISTING})
    market.advance(START_MS + HOUR_MS + 1)
    falls = market.ask_falls(PAIR, 990_000)
    assert falls is not None
    market.advance(falls - 1)
    assert next(iter(market.depth(PAIR).asks)) > 990_000
    market.advance(falls)
    assert 989_000 < next(iter(market.depth(PAIR).asks)) <= 990_000
    rises = market.bid_rises(PAIR, 1_015_000)
    assert rises is not None
    market.advance(rises - 1)
    assert next(iter(market.depth(PAIR).bids)) < 1_015_000
    market.advance(rises)
    assert 1_015_000 <= next(iter(market.depth(PAIR).bids)) < 1_016_000
    assert market.ask_falls(PAIR, 900_000) is None


def test_it_foretells_when_a_resting_price_is_traded_through() -> None:
    market = CandleMarket([hours(CALM, "1000000 1020000 1000000 1020000")], {PAIR: LISTING})
    market.advance(START_MS + HOUR_MS + 1)
    at_ms = market.trades_through(PAIR, 1_010_000, is_buy=False)
    assert at_ms is not None
    assert START_MS + HOUR_MS < at_ms < START_MS + 2 * HOUR_MS
    assert market.trades_through(PAIR, 990_000, is_buy=True) is None
    assert HOUR.total_seconds() * 1000 == HOUR_MS
