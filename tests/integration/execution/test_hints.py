"""The private socket beside a sandbox: it is a reason to look sooner, and what is seen is the same without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.money import use_money_context
from btcbot.exchange.frame_text import read_frame
from btcbot.exchange.wire import AckFrame
from btcbot.execution.hints import APART_SECONDS, AccountHints
from btcbot.sandbox.profiles import PROFILES
from tests.contract.exchange.venue import Venue, sandboxed
from tests.integration.sandbox.playground import PATIENCE, Notes

BATCH = 0.764


class Ear:
    """Whether anything was heard of an order, once everything that was sent before has arrived."""

    def __init__(self, hints: AccountHints) -> None:
        self._hints = hints
        self._take, hints.frame = hints.frame, self._overhear  # type: ignore[method-assign]
        self._marks = 0
        self._seen = asyncio.Event()

    async def caught_up(self) -> None:
        """An answer to a new question comes last."""
        self._marks += 1
        self._seen.clear()
        async with asyncio.timeout(PATIENCE):
            await self._hints._stream.join(("mark", str(self._marks)))
            await self._seen.wait()

    async def heard(self) -> bool:
        await self.caught_up()
        waiting = asyncio.ensure_future(self._hints.wait())
        await asyncio.sleep(0)
        is_told = waiting.done()
        waiting.cancel()
        return is_told

    def _overhear(self, text: bytes) -> None:
        self._take(text)
        match read_frame(text):
            case AckFrame(message=message) if message == f"join|mark:{self._marks}":
                self._seen.set()
            case _:
                pass


@asynccontextmanager
async def listening(venue: Venue) -> AsyncIterator[Ear]:
    hints = venue.account.hints
    ear = Ear(hints)
    running = asyncio.ensure_future(hints.run())
    try:
        async with asyncio.timeout(PATIENCE):
            await hints.wait()  # connected: whatever happened before was not heard
        await ear.caught_up()  # the login has been answered
        await venue.passes(APART_SECONDS)
        hints.clear()
        yield ear
        assert not running.done(), running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    ("profile", "is_told"), [("documented", True), ("delete_after_fill", True), ("no_private_frames", False)]
)
async def test_a_fill_is_heard_of_or_not_and_seen_over_rest_all_the_same(
    tmp_path: Path, profile: str, is_told: bool
) -> None:
    use_money_context()
    async with sandboxed(tmp_path, PROFILES[profile]) as venue, listening(venue) as ear:
        best = (await venue.book()).asks[0]
        quantity = min(best.quantity, Decimal("0.05"))
        number = await venue.accepted(best.price, quantity)
        await venue.passes(BATCH)
        assert await ear.heard() == is_told
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
