"""The recorder beside a sandbox in this process: what is heard is in the files, and the files stand for themselves."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.events import Event
from btcbot.domain.money import use_money_context
from btcbot.domain.profiles import ClockProfile, Endpoints, RecordProfile
from btcbot.sandbox.recordings import open_recording
from btcbot.services import recording_files
from btcbot.services.recording import Recorder
from btcbot.services.recording_files import RecordingFailed, recorded_bytes
from btcbot.services.runtime import Runtime
from btcbot.simulation.replay import Rerun
from btcbot.simulation.replay_books import RecordedBooks
from tests.integration.sandbox.playground import PAIRS, PATIENCE, Playground, playing
from tests.integration.time_passing import REAL_SECONDS, time_passing

LATE = datetime(2026, 11, 2, 23, 59, 30, tzinfo=UTC)  # an hour, and a day, is about to end


@pytest.fixture
async def playground(tmp_path: Path) -> AsyncIterator[Playground]:
    use_money_context()
    (tmp_path / "sandbox").mkdir()
    async with playing(tmp_path / "sandbox", start=LATE) as playground:
        yield playground


def profile_of(playground: Playground, directory: Path) -> RecordProfile:
    sandbox = playground.sandbox
    endpoints = Endpoints(
        playground.api, f"http://127.0.0.1:{sandbox.graph_port}", f"ws://127.0.0.1:{sandbox.ws_port}", is_loopback=True
    )
    return RecordProfile(
        endpoints, PAIRS, directory, bytes_max=10**9, duration=None, clock=ClockProfile(Decimal(1), None),
        log_level="INFO", config_hash="",
    )  # fmt: skip


class NoIds:
    def new(self) -> str:
        return "0" * 32


def recorder_of(playground: Playground, profile: RecordProfile) -> Recorder:
    runtime = Runtime(playground.time, playground.time, NoIds(), "tests")
    return Recorder(profile, runtime, playground.notes, "test")


async def recorded(playground: Playground, profile: RecordProfile, seconds: float) -> list[list[dict[str, Any]]]:
    """Record for so long; the lines of each file."""
    recorder = recorder_of(playground, profile)
    async with time_passing(playground.time):
        running = asyncio.ensure_future(recorder.run())
        until = playground.time.elapsed + seconds
        while playground.time.elapsed < until:
            await asyncio.sleep(0.01)
        recorder.stop("SIGTERM")
        async with asyncio.timeout(PATIENCE):
            await running
    return [lines_of(path) for path in sorted(profile.directory.glob("*.jsonl.gz"))]


def lines_of(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line, parse_float=Decimal) for line in lines]


async def test_what_the_feed_says_is_written_down(playground: Playground, tmp_path: Path) -> None:
    (lines,) = await recorded(playground, profile_of(playground, tmp_path), 12)
    header, *rest = lines
    assert (header["v"], header["kind"], header["pairs"]) == (1, "header", list(PAIRS))
    assert [row["name"] for row in header["exchange_info"]["symbols"]] == list(PAIRS)
    frames = [line["frame"] for line in rest if line["kind"] == "frame"]
    assert {frame[0] for frame in frames} >= {431, 432, 402, 421}
    assert {line["kind"] for line in rest} == {"frame", "book", "trades", "gap"}
    assert [line["at"] for line in rest] == sorted(line["at"] for line in rest)
    assert [path.name for path in tmp_path.glob("btcturk-*")] == ["btcturk-20261102T23.jsonl.gz"]
    assert rest[-1] == {"at": rest[-1]["at"], "kind": "gap", "reason": "the recording ends: SIGTERM"}


async def test_a_replay_shows_the_book_of_every_frame(playground: Playground, tmp_path: Path) -> None:
    """The recorder writes, the sandbox reads, and a third one, here, keeps the books by the protocol."""
    (lines,) = await recorded(playground, profile_of(playground, tmp_path), 20)
    listings, messages = open_recording(tmp_path, PAIRS)
    source = RecordedBooks(listings, messages, Rerun(0, Decimal(1)))
    cursor_ms = source._cursor_ms
    books: dict[str, dict[str, dict[Decimal, Decimal]]] = {}
    compared = 0
    frames = [line for line in lines if line["kind"] == "frame" and line["frame"][0] in (431, 432)]
    for line, following in zip(frames, [*frames[1:], None], strict=True):
        body = line["frame"][1]
        apply(books, line["frame"][0], body)
        if line["at"] < cursor_ms or (following is not None and following["at"] == line["at"]):
            continue
        source.advance(line["at"] - cursor_ms)
        for pair, sides in books.items():
            depth, listing = source.depth(pair), listings[pair]
            for side, levels in (("AO", depth.asks), ("BO", depth.bids)):
                shown = {listing.price(ticks): listing.quantity(lots) for ticks, lots in levels.items()}
                assert shown == sides[side]
        compared += 1
    assert compared > 20
    assert books.keys() == set(PAIRS)


def apply(books: dict[str, dict[str, dict[Decimal, Decimal]]], kind: int, body: dict[str, Any]) -> None:
    """Protocol 10.4, in a few lines."""
    if kind == 431:
        books[body["PS"]] = {"AO": {}, "BO": {}}
    for side in ("AO", "BO"):
        levels = books[body["PS"]][side]
        for entry in body[side]:
            if entry.get("CP") == 3:
                levels.pop(Decimal(entry["P"]), None)
            else:
                levels[Decimal(entry["P"])] = Decimal(entry["A"])


async def test_an_hour_has_a_file_and_a_connection_of_its_own(playground: Playground, tmp_path: Path) -> None:
    first, second = await recorded(playground, profile_of(playground, tmp_path), 45)
    assert [path.name for path in sorted(tmp_path.glob("*.gz"))] == [
        "btcturk-20261102T23.jsonl.gz", "btcturk-20261103T00.jsonl.gz",
    ]  # fmt: skip
    assert first[-1]["reason"] == "a new hour begins with a new connection"
    whole = {line["frame"][1]["PS"] for line in second if line["kind"] == "frame" and line["frame"][0] == 431}
    assert whole == set(PAIRS)
    assert second[0]["kind"] == "header"
    assert second[1]["at"] - first[-1]["at"] < 2_000


async def test_a_connection_that_is_lost_leaves_a_gap(playground: Playground, tmp_path: Path) -> None:
    recorder = recorder_of(playground, profile_of(playground, tmp_path))
    async with time_passing(playground.time):
        running = asyncio.ensure_future(recorder.run())
        await until(lambda: Event.RECORDING_OPENED in playground.notes.names())
        await past(playground, 2)
        recorder._tape.reconnect()
        await past(playground, 5)
        recorder.stop("SIGTERM")
        await running
    (path,) = tmp_path.glob("*.gz")
    lines = lines_of(path)
    (place,) = (place for place, line in enumerate(lines[:-1]) if line["kind"] == "gap")
    assert lines[place]["reason"] == "the connection was lost"
    later = [line["frame"][0] for line in lines[place:] if line["kind"] == "frame"]
    assert later.count(431) == later.count(421) == len(PAIRS)


async def test_a_frame_that_is_missing_makes_everything_anew_once(playground: Playground, tmp_path: Path) -> None:
    await playground.fault("sequence_gap", 3, pair="BTCTRY")
    (lines,) = await recorded(playground, profile_of(playground, tmp_path), 12)
    gaps = [line["reason"] for line in lines if line["kind"] == "gap"]
    assert gaps == ["the numbers of BTCTRY jumped", "the recording ends: SIGTERM"]


async def test_time_and_space_end_it(playground: Playground, tmp_path: Path) -> None:
    profile = replace(profile_of(playground, tmp_path), duration=timedelta(seconds=5))
    await asyncio.wait_for(finished(playground, profile), PATIENCE)
    small = replace(profile, duration=None, bytes_max=recorded_bytes(tmp_path) + 100)
    await asyncio.wait_for(finished(playground, small), PATIENCE)
    reasons = [fields["reason"] for event, fields in playground.notes.events if event is Event.RECORDING_ENDED]
    assert reasons == ["the time is over", "the recordings have reached their size"]
    assert all(path.name.endswith(".gz") for path in tmp_path.glob("btcturk-*"))


async def finished(playground: Playground, profile: RecordProfile) -> None:
    async with time_passing(playground.time):
        await recorder_of(playground, profile).run()


async def test_an_exchange_that_is_away_is_waited_for(playground: Playground, tmp_path: Path) -> None:
    await playground.fault("unavailable_503", 1, endpoint="exchange_info")
    (lines,) = await recorded(playground, profile_of(playground, tmp_path), 15)
    assert Event.EXCHANGE_UNREACHABLE in playground.notes.names()
    assert any(line["kind"] == "frame" for line in lines)


async def test_a_pair_that_is_not_listed_is_a_setting_to_correct(playground: Playground, tmp_path: Path) -> None:
    profile = replace(profile_of(playground, tmp_path), pairs=("BTCTRY", "NOPETRY"))
    with pytest.raises(ConfigurationError, match="NOPETRY"):
        await recorder_of(playground, profile).run()


async def test_a_disk_that_fails_ends_it_with_an_error(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = recorder_of(playground, profile_of(playground, tmp_path))
    async with time_passing(playground.time):
        running = asyncio.ensure_future(recorder.run())
        await until(lambda: Event.RECORDING_OPENED in playground.notes.names())
        monkeypatch.setattr(recording_files, "FREE_BYTES_MIN", 2**60)
        with pytest.raises(RecordingFailed):
            await asyncio.wait_for(running, PATIENCE)
    (path,) = tmp_path.glob("btcturk-*")
    assert [line["kind"] for line in lines_of(path)] == ["header"]


async def until(is_there: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_there():
            await asyncio.sleep(REAL_SECONDS)


async def past(playground: Playground, seconds: float) -> None:
    end = playground.time.elapsed + seconds
    await until(lambda: playground.time.elapsed >= end)
