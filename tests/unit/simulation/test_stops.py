"""Stops: they wait, hold their money, and become another order under the same label (protocol 6.4)."""

from decimal import Decimal

import pytest

from btcbot.domain.money import ZERO, parse, plain
from btcbot.simulation.happenings import Method, OrderAccepted, OrderMatched
from btcbot.simulation.orders import Order, Refusal, Status
from btcbot.simulation.rules import TriggeredBy, VenueRules
from btcbot.simulation.venue import Venue
from tests.unit.simulation.scripted import (
    ALICE,
    BOB,
    BTC,
    PAIR,
    TRY,
    ScriptedMarket,
    again,
    opened,
    placed,
    request,
)


def _market() -> ScriptedMarket:
    return ScriptedMarket("999x5 990x5", "1001x5 1010x5 1030x50")


def _heir(venue: Venue, stop: Order) -> Order:
    """The order that a stop became."""
    (heir,) = (order for order in venue.orders.values() if order.accepted.stop_order_id == stop.accepted.order_id)
    return heir


def test_a_waiting_stop_is_open_and_untouched_holds_its_money_and_is_in_no_book() -> None:
    venue = opened(_market())
    before = venue.shown(PAIR)
    buy = placed(venue, "buy 2 @ 1020 from 1010")
    sell = placed(venue, "sell 3 @ market from 950")
    assert venue.open_orders_of(ALICE) == [buy, sell]
    assert {order.status for order in (buy, sell)} == {Status.UNTOUCHED}
    assert (buy.accepted.stop_price, buy.left, sell.left) == (parse("1010"), parse("2"), parse("3"))
    assert venue.accounts[ALICE].held(TRY) == parse("2040") * parse("1.0024")
    assert venue.accounts[ALICE].held(BTC) == parse("3")
    assert venue.shown(PAIR) == before


def test_a_stop_that_fires_is_canceled_whole_and_a_new_order_stands_in_its_place() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 2 @ 1020 from 1010", label="one-label")
    market.shows("1000x5", "1015x1 1030x9")
    market.prints(400, 1011, "1", "buy")
    venue.advance(500)
    heir = _heir(venue, stop)
    assert (stop.status, stop.left, stop.filled, stop.held) == (Status.CANCELED, parse("2"), ZERO, ZERO)
    assert heir.accepted.order_id == stop.accepted.order_id + 1
    assert (heir.accepted.client_order_id, heir.accepted.method) == ("one-label", Method.LIMIT)
    assert heir.accepted.at_ms == stop.updated_ms == 500
    assert (heir.status, heir.filled) == (Status.PARTIAL, parse("1"))
    assert venue.shown(PAIR).bids == {1020: 100, 1000: 500}
    assert venue.open_orders_of(ALICE) == [heir]


def test_the_change_is_one_happening_and_moves_no_money() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 2 @ 1005 from 1005")
    venue.news()
    market.shows("1005x5", "1030x5")
    market.prints(400, 1005, "1", "buy")
    venue.advance(500)
    (news,) = venue.news()
    assert isinstance(news.happening, OrderAccepted)
    assert news.happening.stop_order_id == stop.accepted.order_id
    assert news.changes == ()
    assert venue.accounts[ALICE].held(TRY) == parse("2010") * parse("1.0024")


def test_a_stop_sell_at_the_market_takes_what_is_there() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "sell 3 @ market from 950")
    market.prints(400, 949, "1", "sell")
    market.shows("948x2 940x9", "960x5")
    venue.advance(500)
    heir = _heir(venue, stop)
    assert (heir.accepted.method, heir.status, heir.filled) == (Method.MARKET, Status.CLOSED, parse("3"))
    assert [plain(match.price) for match in heir.matches] == ["948", "940"]
    assert venue.accounts[ALICE].held(BTC) == ZERO


def test_a_stop_buy_at_the_market_spends_money_and_shows_what_it_would_buy() -> None:
    """In the one capture of such a stop its amount times its stop price and fee is the money it was given."""
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 360 @ market from 1010")
    assert venue.accounts[ALICE].held(TRY) == parse("360")
    cost = stop.amount * parse("1010") * parse("1.0024")
    assert parse("359.9999999999") < cost <= parse("360")
    assert stop.left == stop.amount
    market.prints(400, 1010, "1", "buy")
    venue.advance(500)
    heir = _heir(venue, stop)
    assert stop.left == stop.amount > ZERO
    assert (heir.status, heir.left) == (Status.CLOSED, ZERO)
    assert ZERO <= parse("360") - heir.spent < parse("0.00000002")
    assert venue.accounts[ALICE].held(TRY) == ZERO


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ("buy 1 @ 1020 from 998", Refusal.STOP_BELOW_BID),
        ("buy 1000 @ market from 998", Refusal.STOP_BELOW_BID),
        ("sell 1 @ 950 from 1002", Refusal.STOP_ABOVE_ASK),
        ("sell 1 @ market from 1002", Refusal.STOP_ABOVE_ASK),
        ("buy 1 @ 1020 from 1010.5", Refusal.STOP_SCALE),
        ("sell 1 @ market from 950.5", Refusal.STOP_SCALE),
        ("buy 1 @ 1020.5 from 1010", Refusal.PRICE_SCALE),
        ("buy 1.005 @ 1020 from 1010", Refusal.QUANTITY_SCALE),
        ("buy 1000.5 @ market from 1010", Refusal.QUANTITY_SCALE),
        ("buy 1 @ 1020 from 0", Refusal.PARAMETER),
        ("buy 1 @ 0 from 1010", Refusal.PARAMETER),
        ("buy 1 @ 10001 from 1010", Refusal.PRICE_FAR_ABOVE),
        ("sell 1 @ 99 from 950", Refusal.PRICE_FAR_BELOW),
        ("sell 0.09 @ 950 from 950", Refusal.TOO_SMALL),
        ("sell 0.1 @ market from 950", Refusal.TOO_SMALL),
        ("buy 99 @ market from 1010", Refusal.TOO_SMALL),
        ("buy 990 @ 1020 from 1010", Refusal.BALANCE),
        ("sell 101 @ market from 950", Refusal.BALANCE),
    ],
)
def test_a_stop_is_refused_for_its_first_fault(wanted: str, refusal: Refusal) -> None:
    venue = opened(_market())
    assert venue.submit(ALICE, request(wanted), 0) is refusal
    assert not venue.orders


def test_our_own_orders_are_part_of_the_market_that_a_stop_is_compared_with() -> None:
    venue = opened(_market(), accounts=(ALICE, BOB))
    placed(venue, "buy 1 @ 1000", account=BOB)
    assert venue.submit(ALICE, request("buy 1 @ 1020 from 999"), 0) is Refusal.STOP_BELOW_BID
    placed(venue, "sell 1 @ 1000", account=ALICE)
    placed(venue, "sell 1 @ 1000", account=ALICE)
    assert venue.submit(BOB, request("sell 1 @ 950 from 1001"), 0) is Refusal.STOP_ABOVE_ASK


def test_the_refusals_of_stops_bear_the_exchanges_words() -> None:
    assert [(refusal.message, refusal.code) for refusal in (Refusal.STOP_ABOVE_ASK, Refusal.STOP_BELOW_BID)] == [
        ("FAILED_STOP_PRICE_GREATER_THAN_BEST_ASK", 1124),
        ("FAILED_STOP_PRICE_LESS_THAN_BEST_BID", 1125),
    ]
    assert (Refusal.STOP_SCALE.message, Refusal.STOP_SCALE.code) == ("FAILED_INVALID_STOP_PRICE_SCALE", 1128)


def test_a_waiting_stop_can_be_canceled() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 2 @ 1020 from 1010")
    venue.cancel(ALICE, stop.accepted.order_id, 0)
    venue.advance(300)
    assert stop.status is Status.CANCELED
    market.prints(400, 1015, "1", "buy")
    venue.advance(600)
    assert list(venue.orders) == [stop.accepted.order_id]
    assert venue.accounts[ALICE].held(TRY) == ZERO


def test_a_stop_that_fires_before_its_cancel_takes_effect_lives_on_under_its_new_id() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 2 @ 1012 from 1010")
    venue.cancel(ALICE, stop.accepted.order_id, 0)
    market.shows("1011x5", "1020x5")
    market.prints(100, 1015, "1", "buy")
    venue.advance(200)
    venue.advance(5_000)
    heir = _heir(venue, stop)
    assert (stop.status, heir.status) == (Status.CANCELED, Status.UNTOUCHED)
    assert heir.held == parse("2024") * parse("1.0024") == venue.accounts[ALICE].held(TRY)


def test_the_stop_that_is_reached_first_fires_first() -> None:
    market = _market()
    venue = opened(market)
    late = placed(venue, "buy 1 @ 1100 from 1014")
    early = placed(venue, "buy 1 @ 1100 from 1012")
    same = placed(venue, "buy 1 @ 1100 from 1012")
    placed(venue, "buy 1 @ 1100 from 1030")
    sells = [placed(venue, f"sell 1 @ 900 from {stop}") for stop in (940, 960)]
    market.prints(100, 1015, "1", "buy")
    market.prints(200, 930, "1", "sell")
    venue.advance(300)
    fired = [order.accepted.stop_order_id for order in venue.orders.values() if order.accepted.stop_order_id]
    assert fired == [stop.accepted.order_id for stop in (early, same, late, sells[1], sells[0])]


def test_a_stop_within_the_spread_that_the_last_price_has_reached_fires_at_once() -> None:
    venue = opened(_market())
    stop = placed(venue, "buy 1 @ 1000 from 1000")
    assert (stop.is_open, _heir(venue, stop).status) == (False, Status.UNTOUCHED)


def test_a_price_that_was_touched_between_two_looks_counts() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 1 @ 1020 from 1015")
    market.prints(100, 1015, "1", "buy")
    market.prints(110, 1000, "1", "sell")
    venue.advance(500)
    assert not stop.is_open


def test_a_stop_that_finds_nobody_ends_as_a_market_order_does() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "sell 3 @ market from 950")
    market.prints(400, 940, "1", "sell")
    market.shows("", "960x1")
    venue.advance(500)
    heir = _heir(venue, stop)
    assert (heir.status, heir.filled, venue.accounts[ALICE].held(BTC)) == (Status.CANCELED, ZERO, ZERO)


def test_a_limit_that_left_the_price_band_while_it_waited_is_taken_all_the_same() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 1 @ 9000 from 5000")
    market.prints(100, 100_000, "1", "buy")
    market.shows("99000x1", "101000x1")
    venue.advance(200)
    assert venue.price_band(PAIR) == (parse("10000"), parse("1000000"))
    assert _heir(venue, stop).status is Status.UNTOUCHED


def test_all_of_an_accounts_money_may_wait_in_a_stop() -> None:
    market = ScriptedMarket("999x5", "1001x5")
    venue = opened(market, "1002.4 TRY")
    stop = placed(venue, "buy 1 @ 1000 from 1001")
    assert venue.accounts[ALICE].available(TRY) == ZERO
    market.prints(100, 1001, "1", "buy")
    market.shows("990x1", "1000x9")
    venue.advance(200)
    assert _heir(venue, stop).status is Status.CLOSED
    assert venue.accounts[ALICE].totals == {TRY: ZERO, BTC: parse("1")}


def test_no_stop_fires_while_the_pair_is_frozen_or_the_source_has_ended() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 1 @ 1020 from 1015")
    venue.freeze(PAIR, 0)
    market.prints(100, 1016, "1", "buy")
    venue.advance(200)
    assert stop.is_open
    market.is_ended = True
    venue.thaw(PAIR, 300)
    venue.advance(400)
    assert stop.is_open


def test_one_stop_sets_off_the_next() -> None:
    """Only the touch can be moved by our own accounts: what they trade is not on the tape."""
    market = ScriptedMarket("999x1 980x1 960x9", "1001x5")
    venue = opened(market, accounts=(ALICE, BOB), rules=VenueRules(triggered_by=TriggeredBy.TOUCH))
    first = placed(venue, "sell 1 @ 900 from 980", account=ALICE)
    second = placed(venue, "sell 1 @ 900 from 960", account=BOB)
    placed(venue, "sell 1 @ 900", account=BOB)
    assert (first.is_open, second.is_open) == (False, False)
    assert [plain(match.price) for match in venue.matches] == ["999", "980", "960"]


def test_a_waiting_stop_fires_after_a_restart_too() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "sell 2 @ market from 950")
    other = again(venue, [news.happening for news in venue.news()])
    market.prints(100, 950, "1", "sell")
    other.advance(200)
    heir = _heir(other, other.orders[stop.accepted.order_id])
    assert heir.filled == parse("2")
    assert [type(news.happening) for news in other.news()] == [OrderAccepted, OrderMatched]


def test_what_a_stop_pays_is_what_it_was_accepted_with() -> None:
    market = _market()
    venue = opened(market)
    stop = placed(venue, "buy 1 @ 1005 from 1005")
    venue.set_fee_tier(ALICE, 7, 0)
    market.prints(100, 1005, "1", "buy")
    market.shows("990x1", "1005x9")
    venue.advance(200)
    (match,) = _heir(venue, stop).matches
    assert match.fee + match.tax == Decimal(1005) * parse("0.0024")
