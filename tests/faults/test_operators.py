"""What an operator does over the control socket, against the local exchange: flatten, assign, and what they refuse."""

import asyncio
import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.orders.intents import Side
from btcbot.domain.profiles import ChangedStart, Role
from btcbot.persistence.sqlite.writer import Writer
from btcbot.services.halting import write_halt_file
from tests.faults.stage import ADDS, BTC, BUYS, PAIR, SELLS, Life, stage
from tests.unit.services.looping import HOLDS

pytestmark = pytest.mark.looptime
FAR = Decimal("0.9")


async def test_flatten_cancels_proves_sells_what_is_ours_and_halts(tmp_path: Path) -> None:
    """The owner's coins lie beside ours and are not touched."""
    async with stage(tmp_path) as shop:
        await shop.deposit("BTC", "0.5")
        async with shop.life(BUYS) as life:
            await life.passes(15)
            bought = life.orders[0].filled
            assert bought > 0
            await life.places(Side.BUY, "0.001", await life.bid() * FAR)
            answer = await life.ordered("flatten")
            assert answer.ok, answer.message
            assert "1 sales sent, and trading is halted" in answer.message
            assert life.states == ["filled", "canceled", "filled"]
            assert (life.orders[2].side, life.orders[2].filled) == (Side.SELL, bought)
            assert life.store.halt() == "flattened: a test"
            assert (life.store.is_paused(), await shop.resting()) == (True, 0)
            assert life.store.ledger_balances()[BTC] == Decimal("0.5")
            await life.passes(70)
            assert len(await shop.sent()) == 3, "halted: nothing is bought again"
            await life.books_agree()
            assert (await life.ordered("resume")).ok
            assert life.store.halt() is None


async def test_flatten_is_refused_while_halted_and_changes_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop, shop.life(BUYS) as life:
        await life.passes(15)
        write_halt_file(shop.profile.common.run_dir, "a person")
        answer = await life.ordered("flatten")
        assert (answer.ok, "trading is halted" in answer.message) == (False, True)
        assert not life.store.is_paused()
        assert life.states == ["filled"]


async def test_a_flatten_that_cannot_sell_ends_halted_and_says_what_is_left(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop, shop.life(BUYS) as life:
        await life.passes(15)
        await shop.ground.admin("POST", f"halts?pair={PAIR}")
        answer = await life.ordered("flatten")
        assert not answer.ok
        assert f"left: {life.orders[0].filled} of {PAIR}" in answer.message
        assert (await life.ordered("flatten")).message.startswith("trading is halted")
        assert len(await shop.sent()) <= 6, "bounded"


async def test_a_flatten_that_dies_halfway_leaves_no_entries_behind(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop:
        async with shop.life(BUYS) as life:
            await life.passes(15)
            await shop.fault("lost_request", match={"endpoint": "open_orders"})
            under_way = asyncio.ensure_future(life.ordered("flatten"))
            await life.passes(5)
            assert not under_way.done()
            await life.killed()
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)
        await shop.faults_end()
        async with shop.life(BUYS) as life:
            await life.passes(90)
            assert (life.store.is_paused(), life.states) == (True, ["filled"])


async def test_what_the_account_held_before_is_shown_left_alone_and_usable_once_assigned(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop:
        await shop.deposit("BTC", "0.01")
        bid = Decimal((await shop.ground.book(PAIR))["bids"][0][0])
        answer = await shop.ground.submit(PAIR, "buy", "0.001", str(round(bid * FAR)), "by-hand")
        assert answer.status_code == 200
        async with shop.life(SELLS, reconcile_every=timedelta(seconds=20)) as life:
            await life.passes(30)
            assert Event.ACCOUNT_OPENED in shop.ground.notes.names()
            assert Event.FOREIGN_ORDER_SEEN in shop.ground.notes.names()
            assert (life.orders, await shop.resting()) == ([], 1)
            more = await life.ordered("assign", asset="BTC", quantity="0.0100001")
            assert (more.ok, "only 0.01 BTC can be assigned" in more.message) == (False, True)
            answer = await life.ordered("assign", asset="btc", quantity="0.004")
            assert answer.ok, answer.message
            assert "its position is 0.004 BTC" in answer.message
            equity = life.parts.book.state.trading
            assert equity.pnl == 0, "capital in kind is no result"
            again = await life.ordered("assign", asset="BTC", quantity="0.0070001")
            assert "only 0.006 BTC can be assigned" in again.message
            await life.killed()
        async with shop.life(SELLS) as life:
            await life.passes(20)
            assert [(order.side, order.filled, str(order.state)) for order in life.orders] == [
                (Side.SELL, Decimal("0.004"), "filled")
            ], "what was assigned, and no more"
            assert life.store.halt() is None
            assert await shop.resting() == 1, "an order that is not ours is never touched"
            assert life.store.ledger_balances()[BTC] == Decimal("0.006")


@pytest.mark.parametrize(
    ("asset", "quantity", "said"),
    [
        ("ETH", "1", "not what a traded pair sells"), ("BTC", "0", "above zero"), ("BTC", "-1", "above zero"),
        ("BTC", "much", "not a number"), ("BTC", "0.001", "only 0 BTC can be assigned"), ("", "", "not what"),
    ],
)  # fmt: skip
async def test_what_cannot_be_assigned_is_refused(tmp_path: Path, asset: str, quantity: str, said: str) -> None:
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(5)
        answer = await life.ordered("assign", asset=asset, quantity=quantity)
        assert (answer.ok, said in answer.message) == (False, True), answer.message
        assert answer.next_step


async def test_coins_bound_by_somebody_elses_order_are_not_there_to_assign(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop:
        await shop.deposit("BTC", "0.01")
        bid = Decimal((await shop.ground.book(PAIR))["bids"][0][0])
        await shop.ground.submit(PAIR, "sell", "0.008", str(round(bid * Decimal("1.1"))), "by-hand")
        async with shop.life(HOLDS) as life:
            await life.passes(5)
            answer = await life.ordered("assign", asset="BTC", quantity="0.005")
            assert "only 0.002 BTC can be assigned" in answer.message
            assert "0.008 bound by orders" in answer.message


# ------------------------------------------------------------------------------------- what a person has not agreed to


async def test_changed_settings_make_no_entries_on_the_real_exchange_until_a_resume(
    tmp_path: Path,
) -> None:
    """112: what was agreed to is kept as one hash of build, settings, database and key, and compared at each start."""
    async with stage(tmp_path) as shop:
        common = replace(shop.profile.common, endpoints=replace(shop.profile.common.endpoints, is_loopback=False))
        async with shop.life(BUYS, common=common) as life:
            await life.passes(15)
            assert (life.store.is_paused(), life.states) == (False, ["filled"]), "the first start is agreed to"
        changed = replace(common, config_hash="0123456789abcdef")
        for _ in range(2):
            async with shop.life(ADDS, common=changed) as life:
                await life.passes(70)
                assert (life.store.is_paused(), life.states) == (True, ["filled"]), "no entry, however often it starts"
        async with shop.life(SELLS, common=changed) as life:
            await life.passes(15)
            assert life.states == ["filled", "filled"], "an exit takes risk away"
        async with shop.life(BUYS, common=changed) as life:
            assert await resumed(life)
            await life.passes(90)
            assert len(life.orders) == 3
        async with shop.life(HOLDS, common=changed) as life:
            await life.passes(5)
            assert not life.store.is_paused(), "agreed to"
        async with shop.life(HOLDS, common=common) as life:
            await life.passes(5)
            assert life.store.is_paused(), "and the former ones are not any more"


async def resumed(life: Life) -> bool:
    await life.passes(5)
    return (await life.ordered("resume")).ok


async def test_on_loopback_and_by_setting_a_changed_configuration_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as shop:
        common = shop.profile.common
        real = replace(common, endpoints=replace(common.endpoints, is_loopback=False))
        async with shop.life(HOLDS) as life:
            await life.passes(5)
        for changed, setting in ((common, ChangedStart.PAUSED), (real, ChangedStart.GOES_ON)):
            profile = replace(changed, config_hash="0123456789abcdef")
            async with shop.life(HOLDS, common=profile, changed_start=setting) as life:
                await life.passes(5)
                assert not life.store.is_paused()


def test_no_bit_of_what_was_agreed_to_may_differ() -> None:
    """112: a thousand changes of one bit, and a thousand other hashes."""
    writer = Writer(Role.LIVE, "instance-1", "0123456789abcdef", "0.1.0+abcdef", "TEST", "0123456789ab")
    agreed, chance = writer.arm_token_hash("0" * 32), random.Random(112)
    for _ in range(1000):
        name = chance.choice(("config_hash", "build", "account_fingerprint"))
        text = bytearray(getattr(writer, name).encode())
        text[chance.randrange(len(text))] ^= 1 << chance.randrange(7)
        assert replace(writer, **{name: text.decode("latin-1")}).arm_token_hash("0" * 32) != agreed
    assert writer.arm_token_hash("1" + "0" * 31) != agreed


# -------------------------------------------------------------------------------------------------- exits turned down


async def test_an_exit_of_a_suspended_pair_is_tried_with_growing_pauses_and_told_once(tmp_path: Path) -> None:
    """43, 88: protective all the same: once the pair trades again, it is sold."""
    async with stage(tmp_path) as shop:
        async with shop.life(BUYS) as life:
            await life.passes(15)
        await shop.ground.admin("POST", f"halts?pair={PAIR}")
        sent = len(await shop.sent())
        async with shop.life(SELLS) as life:
            await life.passes(600)
            tries = len(await shop.sent()) - sent
            assert 2 <= tries <= 9, tries
            assert shop.ground.notes.names().count(Event.EXIT_REFUSED) == 1
            assert life.store.halt() is None
            assert PAIR in life.parts.vitals.figures["exits_refused"]
            await shop.ground.admin("DELETE", f"halts?pair={PAIR}")
            await life.passes(320)
            assert life.states[-1] == "filled"
            assert life.parts.vitals.figures["exits_refused"] == {}
            await life.books_agree()


# --------------------------------------------------------------------------------------------------------- other fees


async def test_another_fee_is_told_once_and_the_ledger_is_exact(tmp_path: Path) -> None:
    """42: the exchange charges by another row of its table from one day to the next."""
    async with stage(tmp_path) as shop:
        async with shop.life(BUYS) as life:
            await life.passes(15)
            assert Event.FEE_DIFFERED not in shop.ground.notes.names()
        (account,) = {line["account_id"] for line in await shop.record() if line["kind"] == "account_opened"}
        document = {"name": "cheap", "account_id": account, "fee_tier": 7}
        await shop.ground.admin("POST", "accounts", json=document)
        async with shop.life(ADDS) as life:
            await life.passes(150)
            await life.comes_to_rest()
            assert len(life.orders) >= 3
            assert shop.ground.notes.names().count(Event.FEE_DIFFERED) == 1
            assert life.store.halt() is None
            await life.books_agree()
