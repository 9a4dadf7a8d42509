"""What is read is right whichever way the exchange answers the open questions. Nothing here changes anything."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from btcbot.domain.errors import BtcbotError, KeyRefused
from btcbot.domain.profiles import Credentials
from btcbot.domain.secrets import Secret
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.wiring import connect_execution
from tests.contract.exchange.venue import Venue

pytestmark = pytest.mark.asyncio(loop_scope="session")
MINUTE = timedelta(minutes=1)
NOBODY = Credentials(
    Secret("11111111-2222-3333-4444-555555555555"), Secret("YnRjYm90LWZha2Utc2VjcmV0LWZvci12ZWN0b3JzISE=")
)


async def test_the_market_has_rules_that_an_order_can_obey(venue: Venue) -> None:
    instrument = await venue.instrument()
    assert instrument.pair == venue.pair == f"{instrument.base}{instrument.quote}"
    assert instrument.is_trading
    assert 0 < instrument.price_min < instrument.price_max
    assert instrument.notional_min > 0
    assert await venue.public.instruments(("NOPETRY",)) == {}


async def test_the_book_is_whole_in_order_and_of_now(venue: Venue) -> None:
    book, stamped_at = await venue.public.book(venue.pair)
    bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert max(len(bids), len(asks)) <= 100
    assert abs(await venue.public.server_time() - stamped_at) < timedelta(seconds=5)


async def test_the_tape_and_the_ticker_agree_with_the_book(venue: Venue) -> None:
    prints = await venue.public.trades(venue.pair)
    assert 0 < len(prints) <= 50
    times = [trade.time_exchange for trade in prints]
    assert times == sorted(times, reverse=True)
    ticker = next(row for row in await venue.public.tickers() if row.pair == venue.pair)
    assert ticker.low <= ticker.last <= ticker.high
    assert 0 < ticker.bid < ticker.ask


@pytest.mark.parametrize("minutes", [1, 60])
async def test_candles_lie_on_their_grid_without_a_doubt(venue: Venue, minutes: int) -> None:
    step = minutes * MINUTE
    now = await venue.public.server_time()
    newest = now - timedelta(seconds=now.timestamp() % step.total_seconds()) - step
    candles = await venue.public.candles(venue.pair, minutes, newest - 5 * step, newest)
    opened = [candle.opened_at for candle in candles]
    assert opened == [newest - places * step for places in range(5, -1, -1)]
    assert all(candle.low <= min(candle.open, candle.close) for candle in candles)


async def test_a_time_without_candles_has_none(venue: Venue) -> None:
    """Question F8: said with `no_data`, or with empty columns."""
    future = (await venue.public.server_time()).replace(second=0, microsecond=0) + timedelta(days=1)
    assert await venue.public.candles(venue.pair, 60, future, future + 3 * timedelta(hours=1)) == ()


async def test_the_exchanges_clock_is_measured(venue: Venue) -> None:
    market = venue.market()
    try:
        offset = await market.measure_offset()
    finally:
        await market.aclose()
    assert abs(offset.offset) < timedelta(seconds=5)


async def test_balances_are_exact_sums(venue: Venue) -> None:
    """Question B5: with a point, or with a comma."""
    balances = await venue.account.reader.balances()
    assert balances
    for balance in balances:
        assert abs(balance.total - balance.available - balance.held) <= Decimal("1e-8")


async def test_an_order_that_never_was_is_nowhere(venue: Venue) -> None:
    assert await venue.order(1) is None
    assert 1 not in await venue.open_orders()


async def test_history_of_a_quiet_time_is_empty_and_not_an_error(venue: Venue) -> None:
    reader, now = venue.account.reader, await venue.public.server_time()
    assert await reader.fills(venue.pair, now - timedelta(days=61), now - timedelta(days=60)) == ()
    assert isinstance(await reader.orders_since(venue.pair, now - MINUTE), tuple)
    assert isinstance(await reader.transfers(now - timedelta(days=1)), tuple)


async def test_a_stranger_is_refused_as_such_and_stops_by_itself(venue: Venue) -> None:
    """Questions D1 and D5: whatever `success` says beside a 401; long before the exchange blocks the address."""
    live = replace(venue.live, common=replace(venue.live.common, credentials=NOBODY))
    stranger = connect_execution(live, TradingArmedPolicy(live, lambda: None), venue.clock, venue.sleeper, venue.notes)
    try:
        with pytest.raises(KeyRefused):
            await stranger.reader.balances()
        for _ in range(5):
            with pytest.raises(BtcbotError):
                await stranger.reader.balances()
    finally:
        await stranger.aclose()
    assert await venue.account.reader.balances()
