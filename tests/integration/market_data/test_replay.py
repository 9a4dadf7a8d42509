"""A recorded book runs through sandbox and client: the rebuilt book equals the source at every frame."""

import os
from pathlib import Path

import pytest

from btcbot.domain.events import Event
from btcbot.domain.money import use_money_context
from tests.integration.market_data.following import followed, kept_book, source_book
from tests.integration.market_data.made_up_books import PAIR, write_recording
from tests.integration.sandbox.playground import playing

STEPS_MAX = 5_000
OWN_RECORDING = "RECORDED_BOOKS"  # a file of messages of BTCUSDT, for the long run


async def rebuilt(recording: Path, directory: Path, steps: int) -> int:
    """Follow so much of a recording, or all; how often a changed book was compared."""
    use_money_context()
    changed = 0
    async with playing(directory, pairs=(PAIR,), source=recording) as playground:
        async with followed(playground, PAIR) as (feed, books):
            before = None
            for _ in range(steps):
                await feed.step()
                if Event.SANDBOX_SOURCE_ENDED in playground.notes.names():
                    break
                book = kept_book(books[PAIR])
                assert book == await source_book(playground, PAIR)
                changed += book != before
                before = book
            assert (books[PAIR].kept.strays, books[PAIR].kept.jumps) == (0, 0)
        assert Event.BOOK_GAPPED not in playground.notes.names()
        assert Event.FRAME_REFUSED not in playground.notes.names()
    return changed


async def test_a_rebuilt_book_equals_its_source_at_every_frame(tmp_path: Path) -> None:
    recording = tmp_path / "recording.txt.gz"
    write_recording(recording, seconds=90)
    assert await rebuilt(recording, tmp_path / "sandbox", 110) > 100


@pytest.mark.slow
async def test_a_long_recording_is_rebuilt_to_its_end(tmp_path: Path) -> None:
    recording = Path(os.environ.get(OWN_RECORDING, tmp_path / "recording.txt.gz"))
    if not recording.exists():
        write_recording(recording, seconds=1_200)
    assert await rebuilt(recording, tmp_path / "sandbox", STEPS_MAX) > 500
