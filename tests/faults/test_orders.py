"""What can go wrong while an order is at the exchange, over the real client: fills, cancels, and other people."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.labels import Label
from btcbot.services.halting import write_halt_file
from tests.faults.stage import ADDS, BTC, BUYS, TRY, stage
from tests.unit.services.looping import HOLDS

pytestmark = pytest.mark.looptime
FAR = Decimal("0.9")
SOON = timedelta(seconds=10)
STOP_SECONDS = 45  # `stopwaitsecs` of live


async def test_a_cancel_that_a_fill_overtakes(tmp_path: Path) -> None:
    """29: acknowledged, and then filled: the trade is booked, and the order is over once."""
    async with stage(tmp_path, order_age_max=SOON) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await shop.fault("filled_while_canceling", count=1)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(40)
        assert life.states == ["filled"]
        assert life.store.ledger_balances()[BTC] == Decimal("0.001")
        await life.books_agree()


async def test_a_cancel_whose_answer_is_lost(tmp_path: Path) -> None:
    """31: whether it worked is read from the order."""
    async with stage(tmp_path, order_age_max=SOON) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await shop.fault("connection_cut", count=1, match={"endpoint": "cancel"})
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(30)
        assert life.states == ["canceled"]
        assert await shop.resting() == 0
        await life.books_agree()


async def test_an_order_that_its_owner_cancels(tmp_path: Path) -> None:
    """41: noticed within two cycles, and not made again by itself."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        order = await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        assert order is not None
        await shop.ground.private("DELETE", "order", params={"id": str(order.exchange_order_id)})
        await life.passes(11)
        assert life.states == ["canceled"]
        assert len(await shop.sent()) == 1
        await life.books_agree()


async def test_a_hold_that_is_released_late(tmp_path: Path) -> None:
    """38: the money of a canceled order comes back seconds later: what is not there yet is not ordered with."""
    async with stage(tmp_path, "slow_cancels", order_age_max=SOON) as shop, shop.life(ADDS) as life:
        await life.passes(2)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(80)
        await life.comes_to_rest()
        assert set(life.states) == {"canceled", "filled"}
        assert "rejected" not in life.states
        await life.books_agree()


async def test_private_frames_that_never_come(tmp_path: Path) -> None:
    """37: what the feed does not tell is asked for."""
    async with stage(tmp_path, "no_private_frames", order_age_max=SOON) as shop, shop.life(BUYS) as life:
        await life.passes(8)
        assert life.states == ["filled"]
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(30)
        assert life.states == ["filled", "canceled"]
        await life.books_agree()


async def test_listings_that_are_a_minute_and_a_half_late(tmp_path: Path) -> None:
    """34: the balances show the fill at once. What it reserves stays reserved, nothing halts, the books come right."""
    async with stage(tmp_path, "slow_views") as shop, shop.life(BUYS) as life:
        await life.passes(50)
        assert life.states == ["open"]
        assert life.parts.book.state.trading.reserved(TRY).number > 0
        assert not (await life.ordered("resume")).ok, "the books are not clean yet"
        await life.passes(130)
        assert (life.states, life.store.halt()) == (["filled"], None)
        assert life.wiring.policy.blocks() == ()
        await life.books_agree()


async def test_a_strategy_that_always_raises_leaves_nothing_on_the_book(tmp_path: Path) -> None:
    """52: deciding fails in every cycle; the halt that comes of it takes orders back all the same."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(4)
        assert await shop.resting() == 1

        def fails(*_: object) -> object:
            raise ZeroDivisionError("a mistake")

        life.parts.market.snapshot = fails  # type: ignore[method-assign,assignment]
        await life.passes(40)
        assert "3 cycles in a row ended in a defect" in (life.store.halt() or "")
        assert (life.states, await shop.resting()) == (["canceled"], 0)
        await life.books_agree()


@pytest.mark.parametrize("error", [MemoryError, RecursionError])
async def test_without_memory_or_without_end_the_process_ends(tmp_path: Path, error: type[Exception]) -> None:
    """53: with an error; what was durable is all that the next one needs."""
    async with stage(tmp_path) as shop:
        async with shop.life(HOLDS) as life:
            await life.passes(2)
            order = await life.places(Side.BUY, "0.001", await life.bid() * FAR)

            def fails(*_: object) -> object:
                raise error

            life.parts.market.snapshot = fails  # type: ignore[method-assign,assignment]
            with pytest.raises(error):
                await life.passes(30)
            life.task = asyncio.ensure_future(asyncio.sleep(0))  # its end was awaited
        async with shop.life(HOLDS, order_age_max=SOON) as life:
            await life.passes(30)
            assert (life.states, len(await shop.sent())) == (["canceled"], 1)
            assert order is not None
            assert life.store.halt() is None
            await life.books_agree()


async def test_an_order_by_hand_is_told_within_two_cycles(tmp_path: Path) -> None:
    """93, and what its owner does: seen, named, and left alone, while no order of ours rests."""
    async with stage(tmp_path, reconcile_every=timedelta(minutes=10)) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        bid = await life.bid()
        answer = await shop.ground.submit("BTCTRY", "buy", "0.001", str(round(bid * FAR)), "by-hand")
        assert answer.status_code == 200
        await life.passes(11)
        assert shop.ground.notes.names().count(Event.FOREIGN_ORDER_SEEN) == 1
        assert (await shop.resting(), life.store.halt()) == (1, None)


@pytest.mark.parametrize("price", ["0.9", "1.01"])
async def test_an_order_under_our_label_that_is_not_ours_halts_within_two_cycles(tmp_path: Path, price: str) -> None:
    """93: resting or filled at once, of an epoch that nobody knows: adopted, counted, and trading halts."""
    async with stage(tmp_path, reconcile_every=timedelta(minutes=10)) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        limit = str(round(await life.bid() * Decimal(price)))
        label = str(Label("TEST", 9, 1))
        assert (await shop.ground.submit("BTCTRY", "buy", "0.001", limit, label)).status_code == 200
        await life.passes(11)
        assert "bears our label, and had no row" in (life.store.halt() or "")
        await life.passes(30)
        assert life.states == ["canceled" if price == "0.9" else "filled"]
        await life.books_agree()


async def test_a_key_that_is_refused_twice_calls_back_what_rests_with_the_third(tmp_path: Path) -> None:
    """14: never more than three refusals in a row, and the last call that may be refused is a cancel's."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(8)
        await shop.fault("unauthorized", count=2, match={"endpoint": "open_orders"})
        await life.passes(20)
        cancels = [line for line in await shop.record() if line["kind"] == "request" and line["method"] == "DELETE"]
        assert len(cancels) == 1
        assert (life.states, await shop.resting()) == (["canceled"], 0)
        assert life.store.halt() is None
        assert life.wiring.policy.blocks() == ()
        await life.books_agree()


async def test_fifty_orders_are_proven_gone_within_thirty_seconds_of_a_halt_file(tmp_path: Path) -> None:
    """Ten cancels a second are allowed; nothing is submitted from the file on."""
    async with stage(tmp_path, order_age_max=timedelta(hours=1)) as shop:
        limits = replace(shop.profile.limits, open_orders_max=60, open_orders_per_instrument_max=60)
        async with shop.life(HOLDS, limits=limits) as life:
            await life.passes(2)
            price = await life.bid() * FAR
            for _ in range(50):
                await life.places(Side.BUY, "0.00005", price)
            await life.passes(8)
            assert await shop.resting() == 50
            write_halt_file(shop.profile.common.run_dir, "out")
            order = await life.places(Side.BUY, "0.00005", price)
            assert order is not None
            assert str(order.state) == "not_sent", "at once"
            await life.passes(30)
            assert await shop.resting() == 0
            assert Counter(life.states) == {"canceled": 50, "not_sent": 1}
            assert Event.CANCELS_PROVEN in shop.ground.notes.names()
            assert len(await shop.sent()) == 50


@pytest.mark.parametrize("endpoint", ["open_orders", "balances"])
async def test_a_stop_fits_the_supervisors_patience_though_reads_time_out(tmp_path: Path, endpoint: str) -> None:
    """47: three tries of twenty seconds each are not waited for; what can be canceled is canceled."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(6)
        await shop.fault("lost_request", match={"endpoint": endpoint})
        await life.passes(8)
        began = asyncio.get_running_loop().time()
        await life.stops()
        assert asyncio.get_running_loop().time() - began < STOP_SECONDS - 5
        await shop.faults_end()
        assert await shop.resting() == 0
        if endpoint == "open_orders":
            assert life.states == ["canceling"], "not proven, and said so"
            assert Event.ORDERS_LEFT_OPEN in shop.ground.notes.names()


async def test_a_stop_waits_for_the_answer_to_an_order_and_no_longer_than_it_may(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop, shop.life(BUYS) as life:
        await shop.fault("drop_answer_after_accept", count=1, match={"endpoint": "submit"})
        await life.passes(3)
        assert life.states == ["sending"]
        began = asyncio.get_running_loop().time()
        life.service.stop()
        await life.passes(1)
        life.service.stop()
        await life.task
        assert asyncio.get_running_loop().time() - began < STOP_SECONDS - 5
        assert life.states != ["sending"], "unknown at the least, and durable"


async def test_orders_of_the_process_before_do_not_outlive_a_start_that_cannot_begin(tmp_path: Path) -> None:
    """No candles, so nothing can be decided: what rests is called back all the same."""
    async with stage(tmp_path, order_age_max=timedelta(minutes=10)) as shop:
        async with shop.life(HOLDS) as life:
            await life.passes(2)
            await life.places(Side.BUY, "0.001", await life.bid() * FAR)
            await life.passes(4)
            await life.killed()
        await shop.fault("html_everywhere", status=503, match={"endpoint": "graph"})
        async with shop.life(HOLDS) as life:
            await life.passes(60)
            assert life.store.counts()["cycles"] <= 2
            assert await shop.resting() == 0
            await shop.faults_end()
            await life.passes(60)
            assert life.states == ["canceled"]
            await life.books_agree()
