"""The life of an order that nobody meets: right whichever way the exchange answers the open questions."""

from decimal import Decimal

import pytest

from btcbot.domain.money import Price, Quantity
from btcbot.domain.orders.evidence import Accepted, CancelReceipt, CancelTurnedDown, Silent, TurnedDown
from btcbot.domain.orders.intents import Side
from tests.contract.exchange.venue import Venue

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.orders]


async def held(venue: Venue) -> Decimal:
    quote = (await venue.instrument()).quote
    return next(balance.held for balance in await venue.account.reader.balances() if balance.asset == quote)


async def test_an_order_is_listed_canceled_and_proven_over(venue: Venue) -> None:
    """Questions A2, A3, B1, B2: through every view, however late it is, and the funds come back."""
    price, quantity = await venue.far_bid()
    await venue.passes(12)  # the funds of an earlier order may still be on their way back
    held_before, since = await held(venue), venue.clock.now()
    answer, sent = await venue.submit(price, quantity)
    assert isinstance(answer, Accepted)
    number = answer.exchange_order_id
    order = await venue.listed(number)
    assert (order.side, order.price, order.quantity, order.left) == (Side.BUY, price, quantity, quantity)
    assert order.client_order_id == sent.client_order_id
    assert order.is_listed_open
    assert not order.is_closed
    assert await venue.until(lambda: held(venue), lambda now: now > held_before) > held_before + price * quantity
    assert isinstance(await venue.account.execution.cancel(number, venue.pair), CancelReceipt)
    over = await venue.over(number)
    assert (over.executed, over.left, over.client_order_id) == (0, quantity, sent.client_order_id)
    assert await venue.until(lambda: held(venue), lambda now: now == held_before) == held_before
    assert (await venue.history(since))[number].is_closed
    assert await venue.account.reader.fills_of(number) == ()


async def test_a_cancel_may_be_repeated_and_one_of_nothing_is_turned_down(venue: Venue) -> None:
    price, quantity = await venue.far_bid()
    number = await venue.accepted(price, quantity)
    await venue.listed(number)
    for _ in range(2):
        assert isinstance(await venue.account.execution.cancel(number, venue.pair), CancelReceipt)
    await venue.over(number)
    again = await venue.account.execution.cancel(number, venue.pair)
    assert isinstance(again, CancelReceipt | CancelTurnedDown)
    assert isinstance(await venue.account.execution.cancel(1, venue.pair), CancelTurnedDown)


async def test_a_second_order_under_a_label_is_another_order_or_none(venue: Venue) -> None:
    """Question A1."""
    price, quantity = await venue.far_bid()
    first, order = await venue.submit(price, quantity)
    second, _ = await venue.submit(price, quantity, label=order.client_order_id)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted | TurnedDown | Silent)  # silent: in words that prove nothing, so one has to look
    numbers = {answer.exchange_order_id for answer in (first, second) if isinstance(answer, Accepted)}
    assert len(numbers) == (2 if isinstance(second, Accepted) else 1)
    await venue.until(venue.open_orders, numbers.issubset)
    await venue.passes(2)
    listed = await venue.open_orders()
    assert {n for n, each in listed.items() if each.client_order_id == order.client_order_id} == numbers
    await venue.clear()


async def test_a_refused_order_is_known_as_such_and_leaves_nothing(venue: Venue) -> None:
    """The words count, whatever number stands beside them (protocol 8)."""
    instrument, (price, quantity) = await venue.instrument(), await venue.far_bid()
    before = await venue.open_orders()
    off_grid, too_small = Price(price + instrument.price_step / 10), Quantity(instrument.lot_step)
    for wrong in ((off_grid, quantity), (price, too_small), (price, Quantity(quantity * 1_000_000))):
        answer, _ = await venue.submit(*wrong)
        assert isinstance(answer, TurnedDown), answer
    await venue.passes(2)
    assert (await venue.open_orders()).keys() <= before.keys(), "what was on its way out may be gone by now"


async def test_history_has_every_order_once_over_all_pages(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Question B2: pages may count from 0 or 1, come in any order, and hold what they like when nobody asks."""
    monkeypatch.setattr("btcbot.exchange.account.ORDERS_PER_PAGE", 2)
    monkeypatch.setattr("btcbot.execution.accounts.SURE_PAGE", 2)
    price, quantity = await venue.far_bid()
    since = venue.clock.now()
    numbers = {await venue.accepted(price, quantity) for _ in range(3)}
    await venue.until(venue.open_orders, numbers.issubset)
    assert numbers <= set(await venue.history(since))
    await venue.clear()
