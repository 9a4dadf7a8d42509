"""The private socket beside a sandbox: it is a reason to look sooner, and what is seen is the same without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.money import use_money_context
from btcbot.execution.hints import AccountHints
from btcbot.sandbox.profiles import PROFILES
from tests.contract.exchange.venue import Venue, sandboxed
from tests.integration.sandbox.playground import PATIENCE, Notes

BATCH = 0.764
QUIET = 0.3  # real seconds in which a frame on loopback would have come


@asynccontextmanager
async def listening(venue: Venue) -> AsyncIterator[AccountHints]:
    hints = venue.account.hints
    running = asyncio.ensure_future(hints.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await hints.wait()  # connected: whatever happened before was not heard
        await asyncio.sleep(0.1)  # for the login, which tells nobody that it was let in
        hints.clear()
        yield hints
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def heard(hints: AccountHints) -> bool:
    try:
        await asyncio.wait_for(hints.wait(), QUIET)
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize(
    ("profile", "is_told"), [("documented", True), ("delete_after_fill", True), ("no_private_frames", False)]
)
async def test_a_fill_is_heard_of_or_not_and_seen_over_rest_all_the_same(
    tmp_path: Path, profile: str, is_told: bool
) -> None:
    use_money_context()
    async with sandboxed(tmp_path, PROFILES[profile]) as venue, listening(venue) as hints:
        best = (await venue.book()).asks[0]
        quantity = min(best.quantity, Decimal("0.05"))
        number = await venue.accepted(best.price, quantity)
        await venue.passes(BATCH)
        assert await heard(hints) == is_told
        order = await venue.over(number)
        fills = await venue.until(
            lambda: venue.account.reader.fills_of(number),
            lambda fills: sum(fill.quantity for fill in fills) >= quantity,
        )
        assert (order.left, sum(fill.quantity for fill in fills)) == (0, quantity)


async def test_a_login_window_that_is_shorter_than_feared_is_still_met(tmp_path: Path) -> None:
    """Question D3: the first nonce fits a window of ten seconds."""
    use_money_context()
    async with sandboxed(tmp_path, PROFILES["short_login_window"]) as venue, listening(venue):
        assert isinstance(venue.notes, Notes)
        assert Event.KEY_REFUSED not in venue.notes.names()
