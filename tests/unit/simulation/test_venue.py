"""Scenarios at the matching venue, on a market that does what the test says. Fees: 0.24 % taker, 0.12 % maker."""

import pytest

from btcbot.domain.money import ZERO, parse, plain
from btcbot.simulation.happenings import CancelAccepted, HoldReleased, Liquidity, OrderCanceled, OrderMatched
from btcbot.simulation.orders import Refusal, Status
from btcbot.simulation.rules import VenueRules
from btcbot.simulation.venue import Venue
from tests.unit.simulation.scripted import ALICE, BOB, BTC, TRY, ScriptedMarket, opened, placed, request


def _trades(venue: Venue) -> list[str]:
    return [f"{match.quantity} @ {match.price} {match.liquidity}" for match in venue.matches]


def test_a_marketable_limit_takes_level_by_level_and_rests_with_the_remainder() -> None:
    venue = opened(ScriptedMarket("999x5", "1000x1 1001x2 1003x9"))
    order = placed(venue, "buy 4 @ 1001")
    assert _trades(venue) == ["1.00 @ 1000 taker", "2.00 @ 1001 taker"]
    assert (order.status, order.filled, order.left) == (Status.PARTIAL, parse("3"), parse("1"))
    assert venue.accounts[ALICE].held(TRY) == parse("1001") * parse("1.0024")
    assert venue.accounts[ALICE].total(BTC) == parse("103")


def test_money_is_exact_after_a_taker_fill() -> None:
    venue = opened(ScriptedMarket("", "1000x1"))
    placed(venue, "buy 1 @ 1005")
    account = venue.accounts[ALICE]
    assert account.total(TRY) == parse("1000000") - parse("1000") - parse("2.4")
    assert account.held(TRY) == ZERO


def test_a_resting_buy_holds_the_taker_rate_and_gets_the_difference_back_as_maker() -> None:
    market = ScriptedMarket("999x5", "1001x5")
    venue = opened(market)
    order = placed(venue, "buy 2 @ 1000")
    assert venue.accounts[ALICE].held(TRY) == parse("2000") * parse("1.0024")
    market.shows("995x5", "998x5")
    venue.advance(1_000)
    assert order.status is Status.CLOSED
    assert _trades(venue) == ["2.00 @ 1000 maker"]
    assert venue.accounts[ALICE].total(TRY) == parse("1000000") - parse("2000") - parse("2.4")
    assert venue.accounts[ALICE].held(TRY) == ZERO


def test_what_was_taken_stays_taken_until_the_market_shows_another_quantity() -> None:
    market = ScriptedMarket("", "1000x2 1010x5")
    venue = opened(market)
    placed(venue, "buy 2 @ 1000")
    venue.advance(1_000)
    assert placed(venue, "buy 1 @ 1000").filled == ZERO
    assert list(venue.shown("BTCTRY").asks) == [1010]
    market.shows("", "1000x3 1010x5")
    venue.advance(2_000)
    assert _trades(venue) == ["2.00 @ 1000 taker", "1.00 @ 1000 maker"]
    assert venue.shown("BTCTRY").asks[1000] == 200


def test_what_was_taken_stays_taken_while_the_market_changes_elsewhere() -> None:
    market = ScriptedMarket("", "1000x2 1010x5")
    venue = opened(market)
    placed(venue, "buy 1.5 @ 1000")
    market.shows("", "1000x2 1010x6")
    venue.advance(1_000)
    assert venue.shown("BTCTRY").asks == {1000: 50, 1010: 600}
    assert placed(venue, "buy 1 @ 1000").filled == parse("0.5")


def test_who_takes_the_queue_before_an_order_moves_it_forward_for_good() -> None:
    market = ScriptedMarket("1000x3", "1005x5")
    venue = opened(market, accounts=(ALICE, BOB))
    order = placed(venue, "buy 1 @ 1000")
    placed(venue, "sell 2 @ 1000", account=BOB)
    market.shows("1000x9", "1005x5")  # who joins now joins behind
    venue.advance(100)
    placed(venue, "sell 1.5 @ 1000", account=BOB)
    assert order.filled == parse("0.5")


def test_a_resting_order_waits_behind_the_queue_at_its_price() -> None:
    market = ScriptedMarket("1000x3", "1005x5")
    venue = opened(market)
    order = placed(venue, "buy 2 @ 1000")
    market.prints(100, 1000, "2", "sell")
    venue.advance(200)
    assert order.filled == ZERO
    market.prints(300, 1000, "2", "sell")
    venue.advance(400)
    assert order.filled == parse("1")
    market.prints(500, 1000, "5", "sell")
    venue.advance(600)
    assert order.status is Status.CLOSED


def test_a_shrinking_level_moves_the_order_forward_and_a_growing_one_does_not_set_it_back() -> None:
    market = ScriptedMarket("1000x3", "1005x5")
    venue = opened(market)
    order = placed(venue, "buy 1 @ 1000")
    market.shows("1000x1", "1005x5")
    venue.advance(100)
    market.shows("1000x9", "1005x5")
    venue.advance(200)
    market.prints(300, 1000, "2", "sell")
    venue.advance(400)
    assert order.status is Status.CLOSED


def test_a_print_through_the_price_fills_at_the_orders_own_price() -> None:
    market = ScriptedMarket("1000x3", "1005x5")
    venue = opened(market)
    placed(venue, "sell 2 @ 1007")
    market.prints(100, 1009, "5", "buy")
    venue.advance(200)
    assert _trades(venue) == ["2.00 @ 1007 maker"]


def test_the_book_that_comes_to_an_order_fills_it_only_as_far_as_it_reaches() -> None:
    market = ScriptedMarket("990x3", "1005x5")
    venue = opened(market)
    order = placed(venue, "buy 5 @ 1000")
    market.shows("990x3", "998x1 1000x2 1002x9")
    venue.advance(1_000)
    assert order.filled == parse("3")
    assert list(venue.shown("BTCTRY").asks) == [1002]


def test_two_accounts_trade_by_price_then_time() -> None:
    venue = opened(ScriptedMarket(), accounts=(ALICE, BOB))
    first = placed(venue, "sell 1 @ 1000")
    second = placed(venue, "sell 1 @ 1000")
    better = placed(venue, "sell 1 @ 999")
    placed(venue, "buy 2 @ 1000", account=BOB)
    assert (better.status, first.status, second.status) == (Status.CLOSED, Status.CLOSED, Status.UNTOUCHED)
    assert [match.liquidity for match in venue.matches].count(Liquidity.MAKER) == 2


def test_an_account_does_not_trade_with_itself() -> None:
    venue = opened(ScriptedMarket())
    placed(venue, "sell 1 @ 1000")
    assert placed(venue, "buy 1 @ 1000").filled == ZERO


def test_a_cancel_takes_effect_later_and_releases_later_still() -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    order = placed(venue, "buy 1 @ 1000")
    assert isinstance(venue.cancel(ALICE, order.accepted.order_id, 1_000), CancelAccepted)
    venue.advance(1_299)
    assert order.is_open
    venue.advance(1_300)
    assert order.status is Status.CANCELED
    assert venue.accounts[ALICE].held(TRY) == parse("1002.4")
    venue.advance(1_600)
    assert venue.accounts[ALICE].held(TRY) == ZERO


def test_a_fill_on_the_way_wins_over_the_cancel() -> None:
    market = ScriptedMarket("990x3", "1005x5")
    venue = opened(market)
    order = placed(venue, "buy 1 @ 1000")
    venue.cancel(ALICE, order.accepted.order_id, 1_000)
    market.prints(1_100, 995, "4", "sell")
    venue.advance(2_000)
    assert order.status is Status.CLOSED
    assert venue.cancel(ALICE, order.accepted.order_id, 2_000) is Refusal.CANCEL_TOO_LATE


def test_a_second_cancel_of_a_canceled_order_is_a_receipt_too() -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    order = placed(venue, "buy 1 @ 1000")
    venue.cancel(ALICE, order.accepted.order_id, 0)
    venue.advance(5_000)
    assert isinstance(venue.cancel(ALICE, order.accepted.order_id, 5_000), CancelAccepted)


def test_a_second_cancel_does_not_put_off_the_first() -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    order = placed(venue, "buy 1 @ 1000")
    venue.cancel(ALICE, order.accepted.order_id, 0)
    venue.advance(200)
    assert isinstance(venue.cancel(ALICE, order.accepted.order_id, 200, release_ms=9_000), CancelAccepted)
    venue.advance(300)
    assert order.status is Status.CANCELED
    venue.advance(600)
    assert venue.accounts[ALICE].held(TRY) == ZERO


def test_somebody_elses_order_cannot_be_canceled() -> None:
    venue = opened(ScriptedMarket(), accounts=(ALICE, BOB))
    order = placed(venue, "buy 1 @ 1000")
    assert venue.cancel(BOB, order.accepted.order_id, 0) is Refusal.CANCEL_UNKNOWN


def test_a_market_buy_spends_its_amount_with_the_fee_and_no_more() -> None:
    venue = opened(ScriptedMarket("", "1000x1 1010x5"))
    order = placed(venue, "buy 2000 @ market")
    spent = parse("1000000") - venue.accounts[ALICE].total(TRY)
    assert parse("1999.99999998") < spent <= parse("2000")
    assert (order.status, plain(order.filled)) == (Status.CLOSED, "1.9853579132853428")  # 997.6 at 1010 × 1.0024
    assert venue.accounts[ALICE].held(TRY) == ZERO


def test_a_market_order_stops_five_percent_from_its_first_price() -> None:
    venue = opened(ScriptedMarket("1000x1 960x1 949x50", ""))
    order = placed(venue, "sell 5 @ market")
    assert (order.filled, order.status) == (parse("2"), Status.CANCELED)
    assert venue.accounts[ALICE].held(BTC) == ZERO


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ("buy 1 @ 1000.5", Refusal.PRICE_SCALE),
        ("buy 1.005 @ 1000", Refusal.QUANTITY_SCALE),
        ("buy 0.09 @ 1000", Refusal.TOO_SMALL),
        ("buy 1 @ 10001", Refusal.PRICE_FAR_ABOVE),
        ("buy 1 @ 99", Refusal.PRICE_FAR_BELOW),
        ("buy 0 @ 1000", Refusal.PARAMETER),
        ("buy 1 @ 0", Refusal.PARAMETER),
        ("buy 1000 @ 1000", Refusal.BALANCE),
        ("sell 101 @ 1000", Refusal.BALANCE),
        ("buy 1000000 @ market", Refusal.MARKET_NOT_EXECUTED),
    ],
)
def test_bad_orders_are_refused_and_leave_no_trace(wanted: str, refusal: Refusal) -> None:
    venue = opened(ScriptedMarket())
    assert venue.submit(ALICE, request(wanted), 0) is refusal
    assert not venue.orders
    assert venue.accounts[ALICE].held(TRY) == ZERO


def test_the_gravest_refusals_bear_the_exchanges_own_words() -> None:
    assert (Refusal.BALANCE_HELD.message, Refusal.BALANCE_HELD.code) == ("FAILED_ORDER_WITH_OPEN_ORDERS", 1122)
    assert (Refusal.TOO_SMALL.message, Refusal.TOO_SMALL.code) == ("FAILED_MIN_TOTAL_AMOUNT", 1123)


def test_money_that_open_orders_hold_is_named_as_such() -> None:
    venue = opened(ScriptedMarket(), "2000 TRY")
    placed(venue, "buy 1 @ 1000")
    assert venue.submit(ALICE, request("buy 1 @ 1000"), 0) is Refusal.BALANCE_HELD


def test_after_the_end_of_the_source_orders_are_refused_and_cancels_go_on() -> None:
    market = ScriptedMarket("990x3", "1005x5")
    venue = opened(market)
    order = placed(venue, "buy 1 @ 1000")
    market.is_ended = True
    market.shows("", "")
    venue.advance(1_000)
    assert venue.submit(ALICE, request("buy 1 @ 1000"), 1_000) is Refusal.LIMIT_NOT_PLACED
    venue.cancel(ALICE, order.accepted.order_id, 1_000)
    venue.advance(3_000)
    assert order.status is Status.CANCELED


def test_our_resting_orders_are_in_the_book_that_everybody_sees() -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    placed(venue, "buy 1 @ 1000")
    assert dict(venue.shown("BTCTRY").bids) == {1000: 100, 990: 300}


def test_the_past_applied_again_gives_the_same_accounts_orders_and_ids() -> None:
    market = ScriptedMarket("999x5", "1000x1 1001x2 1003x9")
    venue = opened(market)
    placed(venue, "buy 4 @ 1001")
    canceled = placed(venue, "sell 1 @ 1100")
    venue.cancel(ALICE, canceled.accepted.order_id, 50)
    past = [news.happening for news in venue.news()]
    again = Venue(market, VenueRules(), 100, past)
    assert again.accounts == venue.accounts
    assert [order.status for order in again.orders.values()] == [order.status for order in venue.orders.values()]
    market.shows("", "")
    again.advance(1_000)
    happened = [type(news.happening) for news in again.news()]
    assert happened == [OrderCanceled, HoldReleased]  # what was under way goes on
    assert placed(again, "buy 1 @ 900", 1_000).accepted.order_id == canceled.accepted.order_id + 1


def test_news_carries_what_it_did_to_balances() -> None:
    venue = opened(ScriptedMarket("", "1000x1"))
    venue.news()
    placed(venue, "buy 1 @ 1000")
    accepted, matched = venue.news()
    assert [(change.asset, change.held_change) for change in accepted.changes] == [(TRY, parse("1002.4"))]
    assert isinstance(matched.happening, OrderMatched)
    assert [(change.asset, change.total_change) for change in matched.changes] == [
        (TRY, parse("-1002.4")),
        (BTC, parse("1")),
    ]
