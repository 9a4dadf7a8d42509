"""Thirteen stories in which other bots lost orders, doubled them, or believed books that were wrong.

After each of them the exchange's own record and our books agree, order by order and to the last digit.
"""

import asyncio
import os
import signal
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.errors import FenceLost, LockHeld, OwnershipError, UnsafeState
from btcbot.domain.events import Event
from btcbot.domain.money import amount
from btcbot.domain.orders.evidence import Answer
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.signals import Signal
from btcbot.strategy.strategy import IndicatorState, Strategy
from tests.faults.stage import ADDS, BTC, SELLS, TRY, stage
from tests.unit.persistence.world import monitor_store
from tests.unit.services.looping import BUYS, HOLDS
from tests.unit.services.world import history_of

pytestmark = pytest.mark.looptime


async def test_accepted_but_timed_out_twice(tmp_path: Path) -> None:
    """Each order is taken and its answer lost. The first is found, never sent again; so is the second."""
    async with stage(tmp_path) as shop:
        await shop.fault("drop_answer_after_accept", count=2, match={"endpoint": "submit"})
        async with shop.life(ADDS) as life:
            await life.passes(14)
            assert (life.states, len(await shop.accepted())) == (["sending"], 1)
            await life.passes(80)
            await life.comes_to_rest()
            assert life.states == ["filled", "filled"]
            for order in life.orders:
                assert history_of(life.store, order.order_id)[:2] == ["sending", "unknown"]
            assert len(await shop.sent()) == len(await shop.accepted()) == 2
            await life.books_agree()


async def test_sigterm_between_send_and_commit(tmp_path: Path) -> None:
    """The order is at the exchange and its answer on the way when the signal comes."""
    async with stage(tmp_path) as shop:
        await shop.fault("late_answer", seconds=3, count=1, match={"endpoint": "submit"})
        async with shop.life(ADDS) as life:
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, life.service.stop)
            try:
                await life.passes(1)
                assert (life.states, len(await shop.accepted())) == (["sending"], 1)
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGTERM)
                await life.passes(30)
            finally:
                loop.remove_signal_handler(signal.SIGTERM)
            assert life.task.done()
            assert len(await shop.sent()) == 1, "no send after the signal"
        async with shop.life(HOLDS) as life:
            await life.passes(10)
            assert life.states == ["filled"]
            await life.books_agree()


async def test_database_locked_at_commit(tmp_path: Path) -> None:
    """Another program holds the file when the answer of the exchange is to be kept."""
    async with stage(tmp_path) as shop:
        with closing(sqlite3.connect(":memory:")) as nobody:
            other = nobody
            async with shop.life() as life:
                life.store._database.execute("PRAGMA busy_timeout = 10")
                submit = life.parts.desk._execution.submit

                async def submit_and_block(order: JournaledOrder) -> Answer:
                    nonlocal other
                    answer = await submit(order)
                    other = sqlite3.connect(shop.profile.common.state_db_path, isolation_level=None)
                    other.execute("BEGIN IMMEDIATE")
                    return answer

                life.parts.desk._execution.submit = submit_and_block  # type: ignore[method-assign]
                with suppress(UnsafeState):
                    await life.passes(20)
                assert len(await shop.sent()) == len(await shop.accepted()) == 1
                other.close()
        async with shop.life(HOLDS) as life:
            await life.passes(10)
            assert life.states == ["filled"]
            assert len(await shop.sent()) == 1
            await life.books_agree()


async def test_not_found_for_a_seconds_old_order_at_restart(tmp_path: Path) -> None:
    """Killed on the way back; the next start finds the order in no listing for a while, although it was filled."""
    async with stage(tmp_path) as shop:
        await shop.fault("late_answer", seconds=30, count=1, match={"endpoint": "submit"})
        async with shop.life() as life:
            await life.passes(1)
            assert (life.states, len(await shop.accepted())) == (["sending"], 1)
            await life.killed()
        for view in ("lagging_orders", "lagging_trades"):
            await shop.fault(view, seconds=12)
        async with shop.life() as life:
            await life.passes(7)
            assert life.states == ["unknown"]
            assert life.orders[0].absent_evidence > 0, "it was looked for, and not found"
            await life.passes(20)
            assert life.states == ["filled"]
            assert life.store.halt() is None
            assert len(await shop.sent()) == 1, "not found was never taken for not there"
            await life.books_agree()


async def test_a_cancel_acknowledged_while_the_order_still_rests(tmp_path: Path) -> None:
    """Receipts that mean nothing free nothing: the order goes on counting and is asked for again until it is gone."""
    async with stage(tmp_path, order_age_max=timedelta(seconds=20)) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await life.places(Side.BUY, "0.001", await life.bid() * Decimal("0.9"))
        await shop.fault("cancel_lost", count=2)
        await life.passes(45)
        (order,) = life.orders
        assert (str(order.state), order.cancels_sent) == ("canceling", 2)
        assert await shop.resting() == 1
        assert life.parts.book.state.trading.orders.keys() == {order.order_id}, "what it reserves stays reserved"
        await life.passes(30)
        assert (life.states, await shop.resting()) == (["canceled"], 0)
        assert await shop.sent() == [order.client_order_id]
        await life.books_agree()


async def test_an_exit_accepted_but_timed_out_with_spare_coins_in_the_account(tmp_path: Path) -> None:
    """One sell of what our own fills bought; the owner's coins lie beside it and are not touched."""
    async with stage(tmp_path) as shop:
        await shop.deposit("BTC", "0.5")
        async with shop.life(BUYS) as life:
            await life.passes(15)
            bought = life.orders[0].filled
            assert bought > 0
            await life.killed()
        await shop.fault("drop_answer_after_accept", count=1, match={"endpoint": "submit"})
        async with shop.life(SELLS) as life:
            await life.passes(100)
            sells = [order for order in life.orders if order.side is Side.SELL]
            assert [(str(order.state), order.filled) for order in sells] == [("filled", bought)]
            assert len(await shop.accepted()) == len(await shop.sent()) == 2
            assert life.store.ledger_balances()[BTC] == Decimal("0.5")
            assert life.store.halt() is None
            await life.books_agree()


class Raises(Strategy):
    """A strategy with a mistake in it."""

    __slots__ = ()

    def signal(self, pair: str, state: IndicatorState) -> Signal:
        raise ZeroDivisionError("a mistake in a strategy")


async def test_a_user_callback_that_raises(tmp_path: Path) -> None:
    """No half cycle is kept, no order leaves, and what repeats itself halts; the books stay whole."""
    async with stage(tmp_path) as shop:
        async with shop.life(BUYS) as life:
            await life.passes(8)
            assert life.states == ["filled"]
            await life.killed()
        broken = Raises("raises", BUYS.entry, BUYS.exit, BUYS.notional, True, ())
        async with shop.life(broken) as life:
            cycles = life.store.counts()["cycles"]
            await life.passes(30)
            assert life.store.counts()["cycles"] == cycles, "an aborted cycle leaves no record"
            assert "ZeroDivisionError" in (life.store.halt() or "")
            assert shop.ground.notes.names().count(Event.DEFECT_CAUGHT) >= 3
            await life.books_agree()
        async with shop.life(ADDS) as life:
            await life.passes(30)
            assert len(await shop.sent()) == 1, "halted until a person resumes"
            assert (await life.ordered("resume")).ok
            await life.passes(10)
            await life.comes_to_rest()
            assert len(await shop.sent()) == 2
            await life.books_agree()


async def test_pause_then_restart(tmp_path: Path) -> None:
    """A pause outlives a kill: no entry, and exits go on; a resume lets entries through again."""
    async with stage(tmp_path) as shop:
        async with shop.life(BUYS) as life:
            await life.passes(8)
            assert (await life.ordered("pause")).ok
            await life.killed()
        async with shop.life(ADDS) as life:
            await life.passes(70)
            assert (life.store.is_paused(), life.states) == (True, ["filled"])
            await life.killed()
        async with shop.life(SELLS) as life:
            await life.passes(10)
            assert [order.side for order in life.orders] == [Side.BUY, Side.SELL], "an exit takes risk away"
        async with shop.life(BUYS) as life:
            await life.passes(10)
            assert len(life.orders) == 2
            assert (await life.ordered("resume")).ok
            await life.passes(10)
            assert [order.side for order in life.orders] == [Side.BUY, Side.SELL, Side.BUY]
            assert len(await shop.sent()) == 3
            await life.books_agree()


async def test_two_live_workers_on_one_database(tmp_path: Path) -> None:
    """The second is refused, the first not disturbed. One that got past the lock would stop it before it sends."""
    async with stage(tmp_path) as shop, shop.life(ADDS) as life:
        await life.passes(10)
        sent = await shop.sent()
        with pytest.raises(LockHeld):
            async with shop.life(ADDS):
                pass
        await life.passes(70)
        assert len(await shop.sent()) == len(sent) + 1
        await life.books_agree()
        with closing(sqlite3.connect(shop.profile.common.state_db_path, isolation_level=None)) as usurper:
            names = [row[1] for row in usurper.execute("PRAGMA table_info(epochs)")]
            columns = {name: name for name in names if name != "id"} | {
                "epoch": "epoch + 1", "chain_sequence": "chain_sequence + 1000", "chain_hash": "'another'",
            }  # fmt: skip
            usurper.execute(
                f"INSERT INTO epochs ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM epochs"
            )
        with pytest.raises(FenceLost):
            await life.passes(200)
        assert len(await shop.sent()) == len(sent) + 1, "a usurped writer sends nothing more"


async def test_a_wrong_database(tmp_path: Path) -> None:
    """The monitor's file, and one of another account: refused before a byte is written or a request is sent."""
    async with stage(tmp_path) as shop:
        path = shop.profile.common.state_db_path
        with monitor_store(path):
            pass
        before = path.read_bytes()
        with pytest.raises(OwnershipError, match="monitor"):
            async with shop.life():
                pass
        assert path.read_bytes() == before
        path.unlink()
        path.with_name(f"{path.name}.lock").unlink()
        async with shop.life(HOLDS) as life:
            await life.passes(5)
        before, requests = path.read_bytes(), len(await shop.record())
        other = replace(shop.profile.common, deployment_id="OTHER")
        with pytest.raises(OwnershipError, match="deployment"):
            async with shop.life(common=other):
                pass
        assert path.read_bytes() == before
        assert (len(await shop.record()), await shop.sent()) == (requests, [])


async def test_a_thin_book_against_a_large_order(tmp_path: Path) -> None:
    """It takes what is within the collar and no more; the rest waits, is taken off the book, and adds up."""
    large = amount("150000 TRY")
    async with stage(tmp_path, order_age_max=timedelta(seconds=20)) as shop:
        limits = replace(shop.profile.limits, order_notional_max=large, position_notional_max=large, exposure_max=large)
        greedy = replace(BUYS, notional=large)
        async with shop.life(greedy, limits=limits) as life:
            await life.passes(2)
            ceiling = (await life.bid()) * (1 + limits.collar_ratio_max) * Decimal("1.02")
            await life.passes(90)
            assert all(order.price <= ceiling for order in life.orders)
            assert all(order.is_terminal for order in life.orders), life.states
            assert 0 < life.store.ledger_balances()[TRY] < 200_000
            assert await shop.resting() == 0
            assert len(await shop.sent()) == len(await shop.accepted()) == len(life.orders)
            await life.books_agree()


async def test_an_exchange_that_lacks_the_lookup_of_single_orders(tmp_path: Path) -> None:
    """What was traded, and that it is over, is concluded from the list of all orders and the trades."""
    async with stage(tmp_path, order_age_max=timedelta(seconds=20)) as shop:
        await shop.fault("html_everywhere", status=503, match={"endpoint": "order"})
        async with shop.life(ADDS) as life:
            await life.passes(80)
            assert set(life.states) == {"filled"}
            assert await shop.sent() == [order.client_order_id for order in life.orders]
            assert life.store.halt() is None
            await life.comes_to_rest()
            await life.books_agree()


async def test_killed_after_the_first_order_and_at_every_restart(tmp_path: Path) -> None:
    """A loop of crashes does not buy a little each time round: one order, and then a halt that only a person lifts."""
    async with stage(tmp_path, crash_loop_starts_max=3) as shop:
        await shop.fault("drop_answer_after_accept", match={"endpoint": "submit"})
        for _ in range(4):
            async with shop.life(ADDS) as life:
                await life.passes(3)
                await life.killed()
        async with shop.life(ADDS) as life:
            await life.passes(75)
            assert "starts within" in (life.store.halt() or "")
            assert len(await shop.sent()) == len(await shop.accepted()) == 1
            assert life.states == ["filled"]
            await life.books_agree()
