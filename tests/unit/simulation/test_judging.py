"""What a listing allows: methods, grids, bounds of the price. Scenarios of single refusals are in test_venue."""

from dataclasses import replace

import pytest

from btcbot.domain.money import parse
from btcbot.domain.orders.intents import Side
from btcbot.simulation.happenings import Method, OrderAccepted
from btcbot.simulation.judging import guard_ticks
from btcbot.simulation.orders import Refusal
from btcbot.simulation.venue import GridsChanged, Venue
from tests.unit.simulation.scripted import (
    ALICE,
    BTC_TRY,
    ETH_TRY,
    OTHER_PAIR,
    PAIR,
    RULES,
    ScriptedMarket,
    again,
    opened,
    request,
)

EACH_METHOD = {
    Method.LIMIT: "buy 1 @ 1000",
    Method.MARKET: "sell 1 @ market",
    Method.STOP_LIMIT: "buy 1 @ 1020 from 1010",
    Method.STOP_MARKET: "sell 1 @ market from 950",
}


@pytest.mark.parametrize("missing", list(Method))
def test_a_pair_takes_the_methods_that_it_lists(missing: Method) -> None:
    listing = replace(BTC_TRY, order_methods=tuple(set(Method) - {missing}))
    venue = opened(ScriptedMarket("999x9", "1001x9", listings=(listing,)))
    for method, wanted in EACH_METHOD.items():
        answer = venue.submit(ALICE, request(wanted), 0)
        if method is missing:
            assert answer is Refusal.METHOD
        else:
            assert isinstance(answer, OrderAccepted)
    assert (Refusal.METHOD.message, Refusal.METHOD.code) == ("ORDER_METHOD_NOT_SUPPORTED", 1134)


def test_what_a_listing_allows_may_change_between_two_starts_and_its_grids_may_not() -> None:
    market = ScriptedMarket("999x9", "1001x9")
    venue = opened(market)
    past = [news.happening for news in venue.news()]
    market.listings = {PAIR: replace(BTC_TRY, order_methods=(Method.LIMIT,), notional_min=parse("500"), tick=5)}
    later = again(venue, past)
    assert later.submit(ALICE, request("sell 1 @ market"), 0) is Refusal.METHOD
    assert later.submit(ALICE, request("buy 0.3 @ 1000"), 0) is Refusal.TOO_SMALL
    market.listings = {PAIR: replace(BTC_TRY, lot_decimals=3)}
    with pytest.raises(GridsChanged, match="BTCTRY"):
        again(venue, past)


def test_an_unknown_pair_is_refused() -> None:
    assert opened(ScriptedMarket()).submit(ALICE, request("buy 1 @ 1000", pair="NOPETRY"), 0) is Refusal.PAIR_UNKNOWN


def test_a_pair_that_the_source_dropped_is_known_and_closed() -> None:
    market = ScriptedMarket(listings=(BTC_TRY, ETH_TRY))
    venue = opened(market)
    past = [news.happening for news in venue.news()]
    later = Venue(ScriptedMarket(), RULES, 0, past)
    assert later.submit(ALICE, request("buy 50 @ 10", pair=OTHER_PAIR), 0) is Refusal.LIMIT_NOT_PLACED
    assert later.listing(OTHER_PAIR) == ETH_TRY


def test_the_price_that_a_market_order_needs_not_is_looked_at_all_the_same() -> None:
    venue = opened(ScriptedMarket("999x9", "1001x9"))
    for price, is_taken in (("1000", True), ("1", True), ("1000.5", False)):
        wanted = replace(request("sell 1 @ market"), price=parse(price))
        answer = venue.submit(ALICE, wanted, 0)
        assert isinstance(answer, OrderAccepted) if is_taken else answer is Refusal.PRICE_SCALE
        if isinstance(answer, OrderAccepted):
            assert answer.price == 0


def test_the_band_goes_with_the_last_price_and_ends_at_the_static_bound() -> None:
    market = ScriptedMarket()
    venue = opened(market)
    assert venue.price_band(PAIR) == (parse("100"), parse("10000"))
    market.prints(1, 2_000_001, "1", "buy")
    venue.advance(1)
    assert venue.price_band(PAIR) == (parse("200000.1"), parse("20000010"))
    assert venue.submit(ALICE, request("sell 1 @ 10000001"), 1) is Refusal.PRICE_ABOVE
    assert isinstance(venue.submit(ALICE, request("sell 1 @ 10000000"), 1), OrderAccepted)
    assert venue.submit(ALICE, request("buy 1 @ 200000"), 1) is Refusal.PRICE_FAR_BELOW
    assert isinstance(venue.submit(ALICE, request("buy 1 @ 200001"), 1), OrderAccepted)


def test_without_a_last_price_there_is_no_band() -> None:
    market = ScriptedMarket()
    market.forgets_the_tape()
    venue = opened(market)
    assert (venue.last_ticks(PAIR), venue.price_band(PAIR)) == (None, None)
    assert isinstance(venue.submit(ALICE, request("sell 1 @ 99999"), 0), OrderAccepted)


@pytest.mark.parametrize(("length", "is_taken"), [(50, True), (51, False)])
def test_a_label_has_fifty_characters_at_most(length: int, is_taken: bool) -> None:
    answer = opened(ScriptedMarket()).submit(ALICE, request("buy 1 @ 1000", "x" * length), 0)
    assert isinstance(answer, OrderAccepted) if is_taken else answer is Refusal.PARAMETER


@pytest.mark.parametrize(("first", "highest", "lowest"), [(1_000, 1_050, 950), (101, 106, 96), (1, 1, 1), (19, 19, 19)])
def test_the_guard_lies_within_five_percent(first: int, highest: int, lowest: int) -> None:
    assert (guard_ticks(Side.BUY, first), guard_ticks(Side.SELL, first)) == (highest, lowest)


def test_the_guard_starts_at_the_first_price_that_the_account_may_take() -> None:
    venue = opened(ScriptedMarket("", "1060x1 1110x9"))
    venue.submit(ALICE, request("sell 1 @ 1000"), 0)
    answer = venue.submit(ALICE, request("buy 5000 @ market"), 0)
    assert isinstance(answer, OrderAccepted)
    assert [match.price for match in venue.orders[answer.order_id].matches] == [parse("1060"), parse("1110")]
