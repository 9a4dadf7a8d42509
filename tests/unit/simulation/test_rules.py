"""Each open question's other answer: what a rule changes, beside what happens without it."""

from dataclasses import fields

import pytest

from btcbot.domain.money import ZERO, parse, plain
from btcbot.simulation.happenings import OrderAccepted
from btcbot.simulation.orders import Refusal, Status
from btcbot.simulation.rules import (
    MarketRest,
    NotionalMin,
    QuoteDecimals,
    SameLabel,
    SelfTrade,
    TriggeredBy,
    VenueRules,
)
from btcbot.simulation.venue import Venue
from tests.unit.simulation.scripted import (
    ALICE,
    BOB,
    BTC,
    ETH_TRY,
    OTHER_PAIR,
    PAIR,
    RULES,
    TRY,
    ScriptedMarket,
    again,
    opened,
    placed,
    request,
)


def _venue(rules: VenueRules = RULES, bids: str = "999x5 990x5", asks: str = "1001x5 1010x5") -> Venue:
    return opened(ScriptedMarket(bids, asks), accounts=(ALICE, BOB), rules=rules)


def _answer(venue: Venue, text: str, label: str = "label", account: int = ALICE) -> Refusal | None:
    """Nothing when the order is taken."""
    answer = venue.submit(account, request(text, label), 0)
    return None if isinstance(answer, OrderAccepted) else answer


def test_every_rule_is_tried_here() -> None:
    tried = {
        "cancel_ms", "release_ms", "same_label", "market_rest", "self_trade", "triggered_by", "quote_decimals",
        "is_stop_buy_in_quote", "notional_min", "is_tick_enforced", "open_orders_max", "is_rest_charged_as_taker",
    }  # fmt: skip
    assert {field.name for field in fields(VenueRules)} == tried


def test_cancel_ms_and_release_ms_say_how_long_what_was_accepted_takes() -> None:
    venue = _venue(VenueRules(cancel_ms=3_000, release_ms=2_000))
    order = placed(venue, "buy 1 @ 900")
    venue.cancel(ALICE, order.accepted.order_id, 0)
    venue.advance(2_999)
    assert order.is_open
    venue.advance(3_000)
    assert (order.status, venue.accounts[ALICE].held(TRY)) == (Status.CANCELED, parse("902.16"))
    venue.advance(4_999)
    assert venue.accounts[ALICE].held(TRY) == parse("902.16")
    venue.advance(5_000)
    assert venue.accounts[ALICE].held(TRY) == ZERO


def test_without_delays_a_cancel_takes_effect_at_the_next_look() -> None:
    venue = _venue(VenueRules(cancel_ms=0, release_ms=0))
    order = placed(venue, "buy 1 @ 900")
    venue.cancel(ALICE, order.accepted.order_id, 0)
    venue.advance(0)
    assert (order.status, venue.accounts[ALICE].held(TRY)) == (Status.CANCELED, ZERO)


def test_same_label() -> None:
    free, strict = _venue(), _venue(VenueRules(same_label=SameLabel.REFUSED))
    for venue in (free, strict):
        placed(venue, "buy 1 @ 1001", label="first")  # filled at once: the label stays used
        assert _answer(venue, "buy 1 @ 900", "second") is None
    assert _answer(free, "buy 1 @ 900", "first") is None
    assert _answer(strict, "buy 1 @ 900", "first") is Refusal.LABEL_IN_USE
    assert _answer(strict, "buy 1 @ 900", "first", BOB) is None
    later = again(strict, [news.happening for news in strict.news()])
    assert _answer(later, "buy 1 @ 900", "second") is Refusal.LABEL_IN_USE


def test_an_heir_of_a_stop_may_bear_its_label_whatever_the_rule() -> None:
    venue = _venue(VenueRules(same_label=SameLabel.REFUSED))
    placed(venue, "buy 1 @ 1000 from 1000")
    assert [order.status for order in venue.orders.values()] == [Status.CANCELED, Status.UNTOUCHED]


@pytest.mark.parametrize("wanted", ["sell 7 @ market", "buy 9000 @ market"])
def test_market_rest(wanted: str) -> None:
    books = {"bids": "999x5 940x50", "asks": "1001x5 1060x50"}
    canceled = placed(_venue(VenueRules(market_rest=MarketRest.CANCELED), **books), wanted)
    closed = placed(_venue(VenueRules(market_rest=MarketRest.CLOSED), **books), wanted)
    assert (canceled.status, closed.status) == (Status.CANCELED, Status.CLOSED)
    assert (canceled.filled, canceled.held) == (closed.filled, closed.held) == (parse("5"), ZERO)
    refusing = _venue(VenueRules(market_rest=MarketRest.REFUSED), **books)
    assert _answer(refusing, wanted) is Refusal.MARKET_NOT_EXECUTED
    assert not refusing.orders
    assert _answer(refusing, "sell 5 @ market") is None
    assert _answer(refusing, "buy 5000 @ market") is None


def test_self_trade_passed_over() -> None:
    venue = _venue()
    placed(venue, "sell 1 @ 1000")
    theirs = placed(venue, "sell 1 @ 1000", account=BOB)
    assert placed(venue, "buy 2 @ 1000").filled == theirs.filled == parse("1")


def test_self_trade_traded() -> None:
    venue = _venue(VenueRules(self_trade=SelfTrade.TRADED))
    first = placed(venue, "sell 1 @ 1000")
    theirs = placed(venue, "sell 1 @ 1000", account=BOB)
    both = placed(venue, "buy 1 @ 1000")
    assert (first.status, both.status, theirs.filled) == (Status.CLOSED, Status.CLOSED, ZERO)
    account = venue.accounts[ALICE]
    assert (account.total(BTC), account.held(BTC)) == (parse("100"), ZERO)
    assert account.total(TRY) == parse("1000000") - parse("1.2") - parse("2.4")


def test_self_trade_refused() -> None:
    venue = _venue(VenueRules(self_trade=SelfTrade.REFUSED))
    placed(venue, "sell 1 @ 1000")
    assert _answer(venue, "buy 1 @ 1000") is Refusal.LIMIT_NOT_PLACED
    assert _answer(venue, "buy 200 @ market") is Refusal.MARKET_NOT_EXECUTED
    assert _answer(venue, "buy 1 @ 999") is None
    assert _answer(venue, "sell 1 @ 999") is None  # four of the market's are left before its own
    assert _answer(venue, "sell 5 @ 999") is Refusal.LIMIT_NOT_PLACED


def test_an_order_that_is_filled_before_it_would_meet_its_own_account_is_no_self_trade() -> None:
    venue = _venue(VenueRules(self_trade=SelfTrade.REFUSED))
    placed(venue, "sell 1 @ 1005")
    assert _answer(venue, "buy 5 @ 1005") is None
    assert _answer(venue, "buy 1 @ 1005") is Refusal.LIMIT_NOT_PLACED


def test_triggered_by() -> None:
    for rules, is_fired in ((RULES, False), (VenueRules(triggered_by=TriggeredBy.TOUCH), True)):
        market = ScriptedMarket("999x5", "1001x5")
        venue = opened(market, rules=rules)
        buy, sell = placed(venue, "buy 1 @ 1020 from 1010"), placed(venue, "sell 1 @ 900 from 990")
        market.shows("980x1 970x5", "1015x5")
        venue.advance(100)
        assert (not buy.is_open, not sell.is_open) == (is_fired, is_fired)
    for rules, is_fired in ((RULES, True), (VenueRules(triggered_by=TriggeredBy.TOUCH), False)):
        market = ScriptedMarket("999x5", "1001x5")
        venue = opened(market, rules=rules)
        stop = placed(venue, "buy 1 @ 1020 from 1010")
        market.prints(50, 1010, "1", "buy")
        venue.advance(100)
        assert (not stop.is_open) is is_fired


def test_quote_decimals() -> None:
    with_two = VenueRules(quote_decimals=QuoteDecimals.TWO)
    assert _answer(_venue(), "buy 500.25 @ market") is Refusal.QUANTITY_SCALE
    assert _answer(_venue(with_two), "buy 500.25 @ market") is None
    assert _answer(_venue(with_two), "buy 500.251 @ market") is Refusal.QUANTITY_SCALE
    for rules in (RULES, with_two):  # where prices have decimals, money has as many
        venue = opened(ScriptedMarket(listings=(ETH_TRY,)), "100000 TRY", rules=rules)
        market = venue.source
        assert isinstance(market, ScriptedMarket)
        market.shows("99900x9", "100100x9", OTHER_PAIR)
        venue.advance(1)
        assert isinstance(venue.submit(ALICE, request("buy 500.25 @ market", pair=OTHER_PAIR), 1), OrderAccepted)
        assert venue.submit(ALICE, request("buy 500.251 @ market", pair=OTHER_PAIR), 1) is Refusal.QUANTITY_SCALE


def test_is_stop_buy_in_quote() -> None:
    market = ScriptedMarket("999x5", "1001x5")
    venue = opened(market, rules=VenueRules(is_stop_buy_in_quote=False))
    assert venue.submit(ALICE, request("buy 0.005 @ market from 1010"), 0) is Refusal.QUANTITY_SCALE
    stop = placed(venue, "buy 2 @ market from 1010")
    assert stop.amount == parse("2")
    assert venue.accounts[ALICE].held(TRY) == parse("2020") * parse("1.05") * parse("1.0024")
    market.prints(50, 1010, "1", "buy")
    market.shows("1000x1", "1015x1 1020x5")
    venue.advance(100)
    heir = venue.orders[stop.accepted.order_id + 1]
    assert (heir.status, heir.filled, heir.amount) == (Status.CLOSED, parse("2"), parse("2"))
    assert venue.accounts[ALICE].held(TRY) == ZERO
    assert placed(_venue(), "buy 2000 @ market from 1010").amount < parse("2")


def test_a_stop_that_counts_base_buys_no_more_than_its_hold_pays_for() -> None:
    market = ScriptedMarket("999x5", "1001x5")
    venue = opened(market, rules=VenueRules(is_stop_buy_in_quote=False))
    stop = placed(venue, "buy 2 @ market from 1010")
    held = stop.held
    market.prints(50, 1200, "1", "buy")
    market.shows("1100x1", "1200x5")
    venue.advance(100)
    heir = venue.orders[stop.accepted.order_id + 1]
    assert (heir.status, heir.is_in_quote) == (Status.CANCELED, False)
    assert held - parse("0.00000002") < heir.spent <= held
    assert parse("1.7") < heir.filled < heir.amount == parse("2")


def test_notional_min() -> None:
    round_ = VenueRules(notional_min=NotionalMin.ROUND)
    assert _answer(_venue(), "buy 0.11 @ 909") is None  # 99.99
    assert _answer(_venue(round_), "buy 0.11 @ 909") is Refusal.TOO_SMALL
    assert _answer(_venue(round_), "buy 0.1 @ 1000") is None
    assert _answer(_venue(round_), "buy 100 @ market") is None
    assert _answer(_venue(round_), "buy 99 @ market") is Refusal.TOO_SMALL


def test_the_listed_minimum_may_be_met_exactly() -> None:
    venue = _venue(bids="", asks="")
    assert _answer(venue, "buy 0.97 @ 103") is None  # 99.91
    assert _answer(venue, "buy 0.97 @ 102") is Refusal.TOO_SMALL


def test_is_tick_enforced() -> None:
    strict = _venue(VenueRules(is_tick_enforced=True))
    for wanted, refusal in (
        ("buy 1 @ 995", Refusal.PRICE_SCALE),
        ("buy 1 @ 990", None),
        ("buy 1 @ 1020 from 1015", Refusal.STOP_SCALE),
        ("buy 1 @ 1020 from 1010", None),
    ):
        assert _answer(strict, wanted) is refusal
        assert _answer(_venue(), wanted) is None


def test_open_orders_max_counts_what_waits_by_account_and_pair() -> None:
    market = ScriptedMarket("999x5", "1001x5", listings=(*ScriptedMarket().listings.values(), ETH_TRY))
    venue = opened(market, "1000000 TRY, 100 BTC", accounts=(ALICE, BOB), rules=VenueRules(open_orders_max=2))
    first = placed(venue, "buy 1 @ 900")
    placed(venue, "sell 1 @ 900 from 950")
    assert _answer(venue, "buy 1 @ 900") is Refusal.LIMIT_NOT_PLACED
    assert _answer(venue, "sell 1 @ market from 950") is Refusal.MARKET_NOT_EXECUTED
    assert _answer(venue, "sell 1 @ market") is None
    assert _answer(venue, "buy 1 @ 900", account=BOB) is None
    placed(venue, "buy 50 @ 10", pair=OTHER_PAIR)
    venue.cancel(ALICE, first.accepted.order_id, 0)
    venue.advance(300)
    assert _answer(venue, "buy 1 @ 900") is None
    assert len(venue.open_orders_of(ALICE, PAIR)) == 2
    free = _venue()
    assert all(_answer(free, "buy 0.2 @ 900") is None for _ in range(30))


def test_is_rest_charged_as_taker() -> None:
    paid = {}
    for rules in (RULES, VenueRules(is_rest_charged_as_taker=True)):
        venue = _venue(rules)
        took = placed(venue, "buy 6 @ 1001")
        waited = placed(venue, "buy 1 @ 1000")
        placed(venue, "sell 2 @ 1000", account=BOB)
        assert (took.status, waited.status) == (Status.CLOSED, Status.CLOSED)
        paid[rules] = [plain(match.fee + match.tax) for match in (*took.matches[1:], *waited.matches)]
        assert venue.accounts[ALICE].held(TRY) == ZERO
    assert paid[RULES] == ["1.2012", "1.2"]
    assert paid[VenueRules(is_rest_charged_as_taker=True)] == ["2.4024", "1.2"]
