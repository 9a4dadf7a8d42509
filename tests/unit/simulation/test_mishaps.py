"""What the engine does on demand and never by itself: late acceptances, fills on the way, slow releases, halts."""

import pytest

from btcbot.domain.money import ZERO, parse
from btcbot.simulation.happenings import CancelAccepted
from btcbot.simulation.orders import Refusal, Status
from tests.unit.simulation.scripted import ALICE, BOB, BTC, PAIR, TRY, ScriptedMarket, again, opened, placed, request

MINUTE_MS = 60_000


def test_a_request_that_is_stuck_is_judged_and_accepted_when_it_arrives() -> None:
    market = ScriptedMarket("", "1000x1")
    venue = opened(market)
    venue.submit_later(ALICE, request("buy 1 @ 1000", "stuck"), 2 * MINUTE_MS)
    assert venue.due_ms == 2 * MINUTE_MS
    first = placed(venue, "sell 1 @ 1100", 1_000)
    venue.advance(2 * MINUTE_MS - 1)
    assert list(venue.orders) == [first.accepted.order_id]
    market.shows("", "995x1")
    venue.advance(2 * MINUTE_MS)
    late = venue.orders[first.accepted.order_id + 1]
    assert (late.accepted.client_order_id, late.accepted.at_ms) == ("stuck", 2 * MINUTE_MS)
    assert (late.status, late.matches[0].price) == (Status.CLOSED, parse("995"))


def test_stuck_requests_arrive_in_their_order_and_are_refused_in_silence() -> None:
    venue = opened(ScriptedMarket(), "2000 TRY")
    venue.submit_later(ALICE, request("buy 1 @ 999", "third"), 300)
    venue.submit_later(ALICE, request("buy 1 @ 1000", "first"), 200)
    venue.submit_later(ALICE, request("buy 9 @ 1000", "second"), 200)
    venue.advance(400)
    assert [order.accepted.client_order_id for order in venue.orders.values()] == ["first"]


def test_one_cancel_may_take_its_time_and_release_later_still() -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    slow, usual = placed(venue, "sell 1 @ 1100"), placed(venue, "sell 1 @ 1200")
    venue.cancel(ALICE, slow.accepted.order_id, 0, cancel_ms=5_000, release_ms=60_000)
    venue.cancel(ALICE, usual.accepted.order_id, 0)
    venue.advance(4_999)
    assert (slow.is_open, usual.is_open) == (True, False)
    later = again(venue, [news.happening for news in venue.news()])
    for each in (venue, later):
        each.advance(5_000)
        assert each.orders[slow.accepted.order_id].status is Status.CANCELED
        assert each.submit(ALICE, request("sell 100 @ 1000"), 5_000) is Refusal.BALANCE_HELD
        each.advance(64_999)
        assert each.accounts[ALICE].held(BTC) == parse("1")
        each.advance(65_000)
        assert each.accounts[ALICE].held(BTC) == ZERO


def test_a_forced_fill_wins_over_the_cancel_that_is_under_way() -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    order = placed(venue, "buy 1 @ 980")
    assert isinstance(venue.cancel(ALICE, order.accepted.order_id, 0), CancelAccepted)
    assert venue.force_fill(order.accepted.order_id, 100)
    assert (order.status, order.matches[0].price) == (Status.CLOSED, parse("980"))
    venue.advance(5_000)
    assert order.status is Status.CLOSED
    assert venue.accounts[ALICE].held(TRY) == ZERO
    assert not venue.force_fill(order.accepted.order_id, 5_000)


def test_a_forced_fill_may_leave_a_rest_for_the_cancel() -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    order = placed(venue, "buy 1 @ 980")
    venue.cancel(ALICE, order.accepted.order_id, 0)
    assert venue.force_fill(order.accepted.order_id, 100, parse("0.4"))
    assert order.status is Status.PARTIAL
    venue.advance(300)
    assert (order.status, order.filled, order.left) == (Status.CANCELED, parse("0.4"), parse("0.6"))


def test_whoever_is_before_a_forced_order_fills_first() -> None:
    venue = opened(ScriptedMarket("985x3", "1005x5"), accounts=(ALICE, BOB))
    better = placed(venue, "buy 1 @ 990", account=BOB)
    earlier = placed(venue, "buy 1 @ 980", account=BOB)
    wanted = placed(venue, "buy 1 @ 980")
    later = placed(venue, "buy 1 @ 980", account=BOB)
    venue.force_fill(wanted.accepted.order_id, 100)
    assert [order.is_closed for order in (better, earlier, wanted, later)] == [True, True, True, False]


@pytest.mark.parametrize("wanted", ["buy 1 @ 1020 from 1010", "sell 1 @ market from 950"])
def test_a_stop_is_in_no_book_and_cannot_be_forced(wanted: str) -> None:
    venue = opened(ScriptedMarket("990x3", "1005x5"))
    assert not venue.force_fill(placed(venue, wanted).accepted.order_id, 100)
    assert not venue.force_fill(1, 100)


def test_a_frozen_pair_takes_no_orders_and_matches_none_but_lets_them_go() -> None:
    market = ScriptedMarket("990x3", "1005x5")
    venue = opened(market)
    stays, leaves = placed(venue, "buy 1 @ 1000"), placed(venue, "buy 1 @ 999")
    venue.freeze(PAIR, 0)
    venue.freeze(PAIR, 0)
    assert not venue.is_trading(PAIR)
    assert venue.submit(ALICE, request("buy 1 @ 1000"), 0) is Refusal.LIMIT_NOT_PLACED
    assert venue.submit(ALICE, request("sell 1 @ market"), 0) is Refusal.MARKET_NOT_EXECUTED
    venue.cancel(ALICE, leaves.accepted.order_id, 0)
    market.prints(50, 900, "9", "sell")
    market.shows("900x1", "950x1")
    venue.advance(300)
    assert (stays.filled, leaves.status) == (ZERO, Status.CANCELED)
    later = again(venue, [news.happening for news in venue.news()])
    assert not later.is_trading(PAIR)
    venue.thaw(PAIR, 400)
    venue.thaw(PAIR, 400)
    assert venue.is_trading(PAIR)
    assert (stays.status, stays.matches[0].at_ms) == (Status.CLOSED, 400)
