"""What can go wrong while an order is at the exchange, over the real client: fills, cancels, and other people."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.orders.intents import Side
from tests.faults.stage import ADDS, BTC, BUYS, stage
from tests.unit.services.looping import HOLDS

pytestmark = pytest.mark.looptime
FAR = Decimal("0.9")
SOON = timedelta(seconds=10)


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
