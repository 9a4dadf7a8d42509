"""Orders that trade, faults, and the feed: what only a sandbox can be asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal

import pytest

from btcbot.domain.market import MarketView
from btcbot.domain.money import round_down, round_ratio
from btcbot.domain.orders.evidence import Accepted, Fill, TurnedDown, VenueStatus
from btcbot.domain.orders.intents import Side
from btcbot.market_data.market import MarketData
from tests.contract.exchange.venue import Venue
from tests.integration.sandbox.playground import Playground

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.sandbox_only]
TAKER_RATE = Decimal("0.0024")
BATCH_SECONDS = 0.764
LOT = Decimal("0.0001")


def playground_of(venue: Venue) -> Playground:
    assert venue.playground is not None
    return venue.playground


async def within_reach(venue: Venue, notional: int = 300) -> tuple[Decimal, Decimal]:
    """A price and a quantity that are met at once, and whole."""
    met = Decimal(0)
    for level in (await venue.book()).asks:
        met += level.quantity
        quantity = round_down(round_ratio(Decimal(notional), level.price), LOT)
        if met > 2 * quantity:
            return level.price, quantity
    raise AssertionError("the book is too thin")


async def fills_of(venue: Venue, number: int, quantity: Decimal) -> tuple[Fill, ...]:
    """Own trades of an order, once they add up."""
    return await venue.until(
        lambda: venue.account.reader.fills_of(number), lambda fills: sum(fill.quantity for fill in fills) >= quantity
    )


async def test_a_taken_order_closes_and_its_trades_add_up(venue: Venue) -> None:
    """Questions A3, A5, B1: with or without a label, and however late the list is."""
    price, quantity = await within_reach(venue)
    began = venue.clock.now()
    number = await venue.accepted(price, quantity)
    order = await venue.over(number)
    assert (order.status, order.left) == (VenueStatus.CLOSED, 0)
    fills = await fills_of(venue, number, quantity)
    assert sum(fill.quantity for fill in fills) == quantity
    paid = round_ratio(sum(fill.fee + fill.tax for fill in fills), sum(fill.notional for fill in fills))
    assert abs(paid - TAKER_RATE) < Decimal("1e-6")
    assert {fill.side for fill in fills} == {Side.BUY}
    in_window = await venue.account.reader.fills(venue.pair, began, venue.clock.now())
    assert {fill.trade_id for fill in fills} <= {fill.trade_id for fill in in_window}


async def test_a_partly_filled_order_is_over_after_its_cancel(venue: Venue) -> None:
    """Question A4: its last word may be that it is partly filled."""
    best = (await venue.book()).asks[0]
    large = max(best.quantity * 2, round_down(round_ratio(Decimal(300), best.price), LOT))
    number = await venue.accepted(best.price, large)
    await venue.account.execution.cancel(number, venue.pair)
    over = await venue.over(number)
    assert over.status in (VenueStatus.CANCELED, VenueStatus.PARTIAL, VenueStatus.CLOSED)
    assert over.executed >= min(best.quantity, large)
    fills = await fills_of(venue, number, over.executed)
    assert sum(fill.quantity for fill in fills) == over.executed


async def test_an_order_against_our_own_never_breaks_the_sums(venue: Venue) -> None:
    """Question A12: passed over, traded, or refused."""
    await venue.over(await venue.accepted(*await within_reach(venue)))
    book = await venue.book()
    instrument = await venue.instrument()
    inside = book.bids[0].price + instrument.price_step
    assert inside < book.asks[0].price
    quantity = round_down(round_ratio(Decimal(250), inside), LOT)
    numbers = [await venue.accepted(inside, quantity)]
    answer, _ = await venue.submit(inside, quantity, Side.SELL)
    assert isinstance(answer, Accepted | TurnedDown)
    if isinstance(answer, Accepted):
        numbers.append(answer.exchange_order_id)
    for number in numbers:
        await venue.account.execution.cancel(number, venue.pair)
    for number in numbers:
        over = await venue.over(number)
        assert sum(fill.quantity for fill in await fills_of(venue, number, over.executed)) == over.executed


async def test_many_calls_at_once_are_all_let_in(venue: Venue) -> None:
    """Question D2: no stamp may be older than one that came before it, whichever connection is the faster one."""
    reader = venue.account.reader
    asked = [call() for call in (reader.balances, venue.open_orders) * 4]
    answers = await asyncio.gather(*asked)
    assert len(answers) == 8


async def test_an_order_is_never_sent_twice_whatever_answers_it(venue: Venue) -> None:
    """The exchange took it, and a page of the edge came back: one request, and the order is found by looking."""
    playground = playground_of(venue)
    price, quantity = await venue.far_bid()
    await playground.fault("html_after_accept", endpoint="submit")
    answer, order = await venue.submit(price, quantity)
    assert not isinstance(answer, Accepted | TurnedDown)
    found = await venue.until(
        venue.open_orders, lambda orders: any(o.client_order_id == order.client_order_id for o in orders.values())
    )
    (number,) = (n for n, each in found.items() if each.client_order_id == order.client_order_id)
    sent = [line for line in await _whole_record(playground) if line["kind"] == "request" and line["method"] == "POST"]
    assert sum(order.client_order_id in line["body"] for line in sent) == 1
    await venue.account.execution.cancel(number, venue.pair)
    await venue.over(number)


async def test_a_hint_is_only_a_hint(venue: Venue) -> None:
    """Question 10.5 and D3: with private frames one is heard of a fill, without them all is read just the same."""
    hints = venue.account.hints
    running = asyncio.create_task(hints.run())
    try:
        await turns(venue, hints._heard.is_set)
        await turns(venue, lambda: False, count=3)
        hints.clear()
        number = await venue.accepted(*await within_reach(venue))
        assert venue.profile is not None
        assert await turns(venue, hints._heard.is_set) is venue.profile.are_private_frames_sent
        assert (await venue.over(number)).status is VenueStatus.CLOSED
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


# ---------------------------------------------------------------------------------------------------------- feed


@asynccontextmanager
async def running_market(venue: Venue) -> AsyncIterator[MarketData]:
    market = venue.market()
    await market.start()
    running = asyncio.create_task(market.run())
    try:
        yield market
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await market.aclose()


async def turns(venue: Venue, fits: Callable[[], bool], *, count: int = 60) -> bool:
    """Let batches go out and arrive until something holds."""
    playground = playground_of(venue)
    for _ in range(count):
        if fits():
            return True
        batches = round(playground.time.elapsed / BATCH_SECONDS) + 1
        await venue.passes(batches * BATCH_SECONDS - playground.time.elapsed + 1e-6)
        for _ in range(10):
            await asyncio.sleep(0)
        await asyncio.sleep(0.001)
    return fits()


def view_of(market: MarketData, venue: Venue) -> MarketView | None:
    return market.snapshot({}).views.get(venue.pair)


def is_current(market: MarketData, venue: Venue) -> bool:
    view = view_of(market, venue)
    return view is not None and not view.is_gapped and view.book_age < timedelta(seconds=1)


async def test_the_book_of_the_feed_is_the_book(venue: Venue) -> None:
    """Questions E1 and E3: numbers that rise by one or jump; equal to REST at the same moment."""
    async with running_market(venue) as market:
        assert await turns(venue, lambda: market._books[venue.pair].kept.is_whole)
        assert await turns(venue, lambda: is_current(market, venue))
        await comes_to_equal(market, venue)


async def test_a_missing_difference_is_noticed_and_repaired(venue: Venue) -> None:
    """Question E2: a second join brings a whole book, or nothing and a new connection has to."""
    async with running_market(venue) as market:
        kept = market._books[venue.pair].kept
        assert await turns(venue, lambda: kept.is_whole)
        await playground_of(venue).fault("sequence_gap", pair=venue.pair)
        await turns(venue, lambda: False, count=4)
        assert await turns(venue, lambda: kept.is_whole and is_current(market, venue), count=400)
        await comes_to_equal(market, venue)


async def comes_to_equal(market: MarketData, venue: Venue) -> None:
    """A book that is read over REST every second and a half is as old at most moments: one of twenty has to fit."""
    for _ in range(20):
        await turns(venue, lambda: False, count=10)
        view, book = view_of(market, venue), await venue.book()
        if view is not None and (view.book.bids[:10], view.book.asks[:10]) == (book.bids[:10], book.asks[:10]):
            return
    raise AssertionError("the book stays wrong")


async def _whole_record(playground: Playground) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    while page := await playground.admin("GET", f"record?after={len(lines)}&limit=10000"):
        lines += page
    return lines
