"""Market data that cannot be, class by class: no entry comes of any, and what rests can always be called back.

The classes of the gate go through `decide`; those that come from the wire also go through the client's parser and the
kept book, and the table says where each of them ends.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from btcbot.domain.market import Candle, MarketSnapshot, MarketView
from btcbot.domain.money import parse
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.state import MarkSeen, OrderChanged
from btcbot.exchange.errors import Malformed
from btcbot.exchange.frame_text import read_frame
from btcbot.exchange.wire import BookFullFrame
from btcbot.market_data.book import Taken
from btcbot.market_data.pair_book import PairBook
from btcbot.risk.gate import Refused
from btcbot.services.deciding.plan import CyclePlan
from btcbot.services.decision import decide
from tests.unit.domain.builders import (
    ASKS,
    BIDS,
    BTC_TRY,
    ETH_TRY,
    LIMITS,
    MINUTE,
    START,
    USDT,
    after,
    levels,
    market,
    order,
)
from tests.unit.services.test_decision import HOLDING, PARAMS, UP, decided, standing

Change = Callable[[MarketView], MarketView]
FINE = market(candles=[UP])
RESTING = OrderChanged(order(side=Side.SELL, quantity="0.001", price="1005000", at=after(-61)))
MARKED = MarkSeen("BTCTRY", parse("1000000"), after(-5), LIMITS.volatility_window)


def seen(**changes: object) -> Change:
    return lambda view: replace(view, **changes)  # type: ignore[arg-type]


def booked(bids: object = BIDS, asks: object = ASKS) -> Change:
    return lambda view: replace(view, book=replace(view.book, bids=bids, asks=asks))  # type: ignore[arg-type]


def listed(**changes: object) -> Change:
    return seen(instrument=replace(BTC_TRY, **changes))  # type: ignore[arg-type]


def candles(*wrong: Candle) -> Change:
    return seen(new_candles=wrong)


def odd_candle(**changes: object) -> Change:
    return candles(replace(UP, **changes))  # type: ignore[arg-type]


SECOND = timedelta(seconds=1)
MALFORMED: Mapping[str, Change | None] = {
    "no market at all": None,
    "stale": seen(book_age=10 * SECOND + timedelta(microseconds=1)),
    "stale for days": seen(book_age=timedelta(days=3)),
    "of times to come": seen(book_age=-timedelta(microseconds=1)),
    "frozen": seen(still_for=timedelta(minutes=5, microseconds=1)),
    "frozen in times to come": seen(still_for=-SECOND),
    "gapped": seen(is_gapped=True),
    "gapped and stale": seen(is_gapped=True, book_age=timedelta(hours=1)),
    "of another pair": seen(instrument=ETH_TRY),
    "quoted in another currency": listed(quote=USDT),
    "of rules that are too old": seen(rules_age=timedelta(hours=1, microseconds=1)),
    "of rules of times to come": seen(rules_age=-SECOND),
    "of a pair that does not trade": listed(is_trading=False),
    "empty": booked((), ()),
    "without bids": booked(bids=()),
    "without asks": booked(asks=()),
    "locked": booked(bids=levels("1 @ 1000100")),
    "crossed": booked(bids=levels("1 @ 1000200")),
    "crossed by a factor": booked(bids=levels("1 @ 2000000")),
    "bids out of order": booked(bids=levels("1 @ 999000", "1 @ 999900")),
    "asks out of order": booked(asks=levels("1 @ 1000200", "1 @ 1000100")),
    "a level twice": booked(bids=levels("1 @ 999900", "1 @ 999900")),
    "sides exchanged": booked(ASKS, BIDS),
    "a bid of zero": booked(bids=levels("1 @ 0")),
    "an ask of zero": booked(asks=levels("1 @ 0")),
    "a negative bid": booked(bids=levels("1 @ -999900")),
    "a negative ask": booked(asks=levels("1 @ -1000100")),
    "nothing offered": booked(asks=levels("0 @ 1000100")),
    "less than nothing offered": booked(asks=levels("-1 @ 1000100")),
    "nothing bid for": booked(bids=levels("0 @ 999900")),
    "a price that is not a number": booked(asks=levels("1 @ NaN")),
    "a price that signals": booked(bids=levels("1 @ sNaN")),
    "a quantity that is not a number": booked(asks=levels("NaN @ 1000100")),
    "an infinite price": booked(asks=levels("1 @ Infinity")),
    "an infinite bid": booked(bids=levels("1 @ Infinity")),
    "an infinitely negative price": booked(bids=levels("1 @ -Infinity")),
    "an infinite quantity": booked(asks=levels("Infinity @ 1000100")),
    "a huge price": booked(asks=levels("1 @ 1E+400")),
    "a huge quantity": booked(bids=levels("1E+19 @ 999900")),
    "a number of too many digits": booked(asks=levels("1 @ 1000100." + "1" * 40)),
    "a spike behind the best level": booked(asks=(*ASKS, *levels("1 @ NaN"))),
    "a fault deep in the book": booked(bids=(*BIDS, *levels("1 @ -1"))),
    "jumped up": booked(levels("1 @ 1060000"), levels("1 @ 1060100")),
    "jumped down": booked(levels("1 @ 940000"), levels("1 @ 940100")),
    "of a wrong scale": booked(levels("1 @ 9999.00"), levels("1 @ 10001.00")),
    "of a wrong scale upwards": booked(levels("1 @ 99990000"), levels("1 @ 100010000")),
    "too wide": booked(levels("1 @ 989000"), levels("1 @ 1011000")),
    "one side far away": booked(asks=levels("1 @ 5000000")),
    "a candle that is not a number": odd_candle(close=Decimal("NaN")),
    "a candle of zero": odd_candle(close=Decimal(0), low=Decimal(0)),
    "a negative candle": odd_candle(open=Decimal(-1), low=Decimal(-1)),
    "an infinite candle": odd_candle(high=Decimal("Infinity"), close=Decimal("Infinity")),
    "a candle that contradicts itself": odd_candle(high=Decimal(1)),
    "a candle of less than nothing": odd_candle(volume=Decimal(-1)),
    "a candle of times to come": odd_candle(opened_at=START + MINUTE),
    "a candle that was taken in before": odd_candle(opened_at=START - 2 * MINUTE),
    "a candle long closed": lambda view: replace(view, new_candles=(replace(UP, opened_at=START - 3 * MINUTE),)),
}  # fmt: skip


def plan_on(view: MarketView | None) -> CyclePlan:
    """The strategy wants in, something is held, and one order rests for too long."""
    return decided(standing(HOLDING_LITTLE, MARKED, RESTING), *(() if view is None else (view,)))


HOLDING_LITTLE = replace(HOLDING, fill=replace(HOLDING.fill, quantity=parse("0.00005")))  # dust: entries stay possible


def entries(plan: CyclePlan) -> list[str]:
    return [each.intent.decision_id for each in plan.approved if each.intent.purpose is Purpose.ENTRY]


def test_a_market_that_is_well_gives_an_entry() -> None:
    assert entries(plan_on(FINE)) == ["cycle/BTCTRY/0"], "or the table below would show nothing"


def test_there_are_at_least_forty_classes() -> None:
    assert len(MALFORMED) >= 40


@pytest.mark.parametrize("name", MALFORMED)
def test_no_entry_comes_of_a_malformed_market_and_cancels_go_on(name: str) -> None:
    change = MALFORMED[name]
    view = None if change is None else change(FINE)
    named = view is not None and view.instrument.pair != "BTCTRY"
    plan = plan_on(view) if not named else wrongly_named(view)
    assert entries(plan) == []
    assert [wish.order_id for wish in plan.cancels] == ["order-1"]
    refused = [verdict for verdict in plan.verdicts if isinstance(verdict, Refused)]
    assert refused or plan.notes, "what was not done is explained"


def wrongly_named(view: MarketView | None) -> CyclePlan:
    """Another pair's view under the name of ours."""
    assert view is not None
    return decide(standing(HOLDING_LITTLE, MARKED, RESTING), MarketSnapshot(START, {"BTCTRY": view}), PARAMS, "cycle")


# What a frame says of one level, and where a book with it ends: at the parser, at the kept book, or at the gate.
ON_THE_WIRE: Mapping[str, tuple[object, object, str]] = {
    "NaN": ("NaN", "1", "parser"), "Infinity": ("Infinity", "1", "parser"), "-Infinity": ("-Infinity", "1", "parser"),
    "an exponent": ("1e400", "1", "parser"), "a comma": ("1000,5", "1", "parser"), "no text": (None, "1", "parser"),
    "an empty text": ("", "1", "parser"), "a list": ([], "1", "parser"), "a flag": (True, "1", "parser"),
    "too many digits": ("1" * 60, "1", "parser"), "other digits": ("١٢٣", "1", "parser"),
    "a quantity that is not a number": ("1000100", "NaN", "parser"),
    "a price of zero": ("0", "1", "book"), "a negative price": ("-1000100", "1", "book"),
    "less than nothing": ("1000100", "-1", "book"), "crossed": ("999800", "1", "book"),
    "nothing": ("1000100", "0", "book"),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_what_comes_from_the_wire_ends_where_it_is_said_to_end(name: str) -> None:
    price, quantity, where = ON_THE_WIRE[name]
    assert ends_at(price, quantity) == where


def test_a_book_that_is_well_comes_through() -> None:
    assert ends_at("1000100", "1") == "nowhere"


def ends_at(price: object, quantity: object) -> str:
    text = json.dumps(
        [431, {"CS": 1, "PS": "BTCTRY", "AO": [{"A": quantity, "P": price}], "BO": [{"A": "1", "P": "999900"}],
               "channel": "orderbook", "event": "BTCTRY", "type": 431}]
    )  # fmt: skip
    try:
        frame = read_frame(text.encode())
    except Malformed:
        return "parser"
    assert isinstance(frame, BookFullFrame)
    book = PairBook()
    if book.replace(frame, 100) is not Taken.APPLIED:
        return "book"
    known = book.known(100)
    assert known is not None
    plan = plan_on(replace(FINE, book=known.book))
    return "nowhere" if entries(plan) else "gate"
