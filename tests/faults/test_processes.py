"""A process that stands still, loses a helper, or shares its key: it sends nothing on what is old, and ends aloud."""

import asyncio
import gc
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.orders.intents import ApprovedOrderIntent, Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.services.running import run_beside
from tests.faults.stage import stage
from tests.unit.services.looping import BUYS, HOLDS, worker
from tests.unit.services.world import history_of

pytestmark = pytest.mark.looptime
PAUSE = timedelta(minutes=10)


async def test_a_process_that_stood_still_sends_nothing_on_what_it_decided_before(tmp_path: Path) -> None:
    """49, 80: stopped and continued between the decision and the send."""
    with worker(tmp_path, BUYS) as work:
        intent = work.parts.book.intent

        def intent_and_stand_still(approved: ApprovedOrderIntent) -> JournaledOrder:
            order = intent(approved)
            work.market.clock.elapsed += PAUSE
            return order

        work.parts.book.intent = intent_and_stand_still  # type: ignore[method-assign]
        task = await work.runs(4)
        assert work.execution.submits == []
        (row,) = work.store._database.execute("SELECT order_id FROM orders").fetchone()
        order = work.store.journal.get(row)
        assert history_of(work.store, row) == ["not_sent"]
        assert "the decision is 600" in order.reason
        await work.stops(task)


async def test_a_clock_that_steps_back_does_not_begin_the_day_anew(tmp_path: Path) -> None:
    """75: what was lost today stays lost today."""
    with worker(tmp_path, HOLDS) as work:
        task = await work.runs(4)
        trading = work.parts.book.state.trading
        before = trading.day, trading.day_opening_pnl
        work.market.clock.elapsed -= timedelta(days=2)
        await asyncio.sleep(30)
        trading = work.parts.book.state.trading
        assert (trading.day, trading.day_opening_pnl) == before
        await work.stops(task)


async def test_a_helper_that_fails_ends_the_process_with_its_error() -> None:
    """54: nothing limps on without its feed, its control socket or its market."""
    ended = []

    async def main() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("main")

    async def fails() -> None:
        await asyncio.sleep(1)
        raise OSError("the socket is gone")

    with pytest.raises(OSError, match="the socket is gone"):
        await run_beside(main(), (fails(),))
    assert ended == ["main"]


async def test_somebody_else_who_trades_with_the_same_key_is_noticed(tmp_path: Path) -> None:
    """93: orders and fills that are not ours: seen, never touched, and trading halts on the difference."""
    async with stage(tmp_path, reconcile_every=timedelta(seconds=5)) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        bid = await life.bid()
        answer = await shop.ground.submit(
            "BTCTRY", "buy", "0.001", str(round(bid * Decimal("1.01"))), "BB-OTHER-1-1-AA"
        )
        assert answer.status_code == 200
        await life.passes(45)
        assert "ledger and balances differ" in (life.store.halt() or "")
        assert life.orders == []
        assert await life.places(Side.BUY, "0.001", bid) is not None
        assert life.states == ["not_sent"]
        assert await shop.sent() == ["BB-OTHER-1-1-AA"]


async def test_an_error_that_nobody_awaits_is_told_and_halts(tmp_path: Path) -> None:
    """54: a task that was started and forgotten dies; so does a callback."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)

        async def dies() -> None:
            raise LookupError("nobody looks")

        task = asyncio.ensure_future(dies())
        await asyncio.sleep(0)
        del task
        gc.collect()
        await life.passes(1)
        assert "an error that nobody caught (LookupError: nobody looks)" in (life.store.halt() or "")
        assert (await life.ordered("resume")).ok
        asyncio.get_running_loop().call_soon([].pop)
        await life.passes(1)
        assert life.store.halt() is None, "once: what repeats itself is in the log"


async def test_a_callback_that_raises_halts_and_a_broken_connection_does_not(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "broken", "exception": ConnectionResetError(), "transport": object()})
        await life.passes(1)
        assert life.store.halt() is None
        loop.call_soon([].pop)
        await life.passes(1)
        assert "IndexError" in (life.store.halt() or "")
