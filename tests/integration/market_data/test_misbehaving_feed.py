"""The market side of the client against everything that the feed of a sandbox can do wrong: the books stay true."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.money import use_money_context
from btcbot.market_data.market import MarketData
from tests.integration.market_data.following import kept_book, source_book, traded_on
from tests.integration.sandbox.playground import Playground, playing
from tests.integration.time_passing import time_passing

PAIR = "SOLTRY"


@pytest.fixture
async def playground(tmp_path: Path) -> AsyncIterator[Playground]:
    use_money_context()
    async with playing(tmp_path / "sandbox", pairs=(PAIR,)) as opened:
        yield opened


async def until(playground: Playground, is_true: Callable[[], bool], seconds: float = 120.0) -> None:
    """Let time pass until something is so."""
    deadline = playground.time.elapsed + seconds
    while not is_true():
        assert playground.time.elapsed < deadline, playground.notes.events[-8:]
        await asyncio.sleep(0.002)


async def settled(playground: Playground, market: MarketData) -> None:
    """What is kept is what the source shows, as soon as a batch has told it."""
    for _ in range(40):
        await playground.time.pass_by(0.05)
        truth = await source_book(playground, PAIR)
        await asyncio.sleep(0.005)
        if kept_book(market._books[PAIR]) == truth:
            return
    raise AssertionError("the kept book is not the source's")


def told(playground: Playground, event: Event) -> list[object]:
    return [fields.get("reason") for each, fields in playground.notes.events if each is event]


async def followed_through(playground: Playground, fault: str, event: Event, count: int | None = 1) -> None:
    """A fault comes, is noticed and goes; afterwards the book is whole and true."""
    async with traded_on(playground, PAIR) as market:
        async with time_passing(playground.time):
            await until(playground, lambda: market._books[PAIR].kept.is_whole)
            number = await playground.fault(fault, count)
            await until(playground, lambda: event in playground.notes.names())
            if count is None:
                await playground.admin("DELETE", f"faults?id={number}")
            await until(playground, lambda: market._books[PAIR].kept.is_whole)
            view = market.snapshot({}).views[PAIR]
            assert view.book_age < timedelta(seconds=5)
        await settled(playground, market)


@pytest.mark.parametrize(
    ("fault", "event"),
    [
        ("sequence_gap", Event.BOOK_RESYNCED),
        ("sequence_jump", Event.BOOK_RESYNCED),
        ("crossed_book", Event.BOOK_RESYNCED),
        ("malformed_frame", Event.FRAME_REFUSED),
        ("abrupt_close", Event.STREAM_LOST),
    ],
)
async def test_a_fault_of_the_feed_is_noticed_and_the_book_made_anew(
    playground: Playground, fault: str, event: Event
) -> None:
    await followed_through(playground, fault, event)


async def test_frames_that_come_twice_change_nothing(playground: Playground) -> None:
    async with traded_on(playground, PAIR) as market:
        async with time_passing(playground.time):
            await until(playground, lambda: market._books[PAIR].kept.is_whole)
            await playground.fault("sequence_repeated", 5)
            until_then = playground.time.elapsed + 20
            await until(playground, lambda: playground.time.elapsed > until_then)
        await settled(playground, market)
    assert told(playground, Event.BOOK_GAPPED) == []


async def test_frames_in_the_wrong_order_are_a_gap(playground: Playground) -> None:
    await followed_through(playground, "frames_swapped", Event.BOOK_RESYNCED)
    assert told(playground, Event.BOOK_GAPPED)[0] == "gapped"


async def test_while_the_feed_is_silent_rest_alone_keeps_the_book_fresh(playground: Playground) -> None:
    async with traded_on(playground, PAIR) as market, time_passing(playground.time):
        await until(playground, lambda: market._books[PAIR].kept.is_whole)
        await playground.fault("silent_feed", None)
        began = playground.time.elapsed
        ages = []
        while playground.time.elapsed < began + 14:  # before the connection is given up as stalled
            ages.append(market.snapshot({}).views[PAIR].book_age)
            await asyncio.sleep(0.002)
        assert max(ages) < timedelta(seconds=8)
        await until(playground, lambda: Event.STREAM_LOST in playground.notes.names())
        assert "given up: no data on any channel" in told(playground, Event.STREAM_LOST)


async def test_a_join_that_brings_nothing_is_repeated(playground: Playground) -> None:
    await playground.fault("join_unserved", 1, channel="obdiff")
    async with traded_on(playground, PAIR) as market:
        async with time_passing(playground.time):
            await until(playground, lambda: Event.BOOK_RESYNCED in playground.notes.names())
        await settled(playground, market)
    assert told(playground, Event.BOOK_GAPPED) == ["no data after the join"]


async def test_where_joining_again_brings_nothing_a_new_connection_does(tmp_path: Path) -> None:
    use_money_context()
    async with playing(tmp_path / "sandbox", pairs=(PAIR,), venue_profile="rejoin_unserved") as playground:
        await followed_through(playground, "sequence_gap", Event.STREAM_LOST)
        assert told(playground, Event.STREAM_LOST) == [f"given up: no book of {PAIR} after joining again"]


async def test_where_numbers_jump_they_only_have_to_rise_after_a_while(tmp_path: Path) -> None:
    use_money_context()
    async with (
        playing(tmp_path / "sandbox", pairs=(PAIR,), venue_profile="jumping_sequence") as playground,
        traded_on(playground, PAIR) as market,
    ):
        async with time_passing(playground.time):
            await until(playground, lambda: Event.BOOK_NUMBERS_RELAXED in playground.notes.names())
            await until(playground, lambda: market._books[PAIR].kept.is_whole)
            gaps = len(told(playground, Event.BOOK_GAPPED))
            then = playground.time.elapsed + 30
            await until(playground, lambda: playground.time.elapsed > then)
        await settled(playground, market)
        assert len(told(playground, Event.BOOK_GAPPED)) == gaps
        assert market._books[PAIR].kept.jumps > 0


async def test_a_frame_that_is_lost_while_numbers_jump_is_found_by_rest(tmp_path: Path) -> None:
    use_money_context()
    async with (
        playing(tmp_path / "sandbox", pairs=(PAIR,), venue_profile="jumping_sequence") as playground,
        traded_on(playground, PAIR) as market,
    ):
        async with time_passing(playground.time):
            await until(playground, lambda: Event.BOOK_NUMBERS_RELAXED in playground.notes.names())
            await until(playground, lambda: market._books[PAIR].kept.is_whole)
            await playground.fault("sequence_gap", 12)
            await until(playground, lambda: Event.BOOK_NUMBERS_RESTORED in playground.notes.names(), 300)
        assert told(playground, Event.BOOK_NUMBERS_RESTORED) == ["REST contradicts the book"]
