"""The feed's transport: nothing missed, nothing doubled, nobody delayed."""

import asyncio
import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.events import Event
from btcbot.domain.feed import LINE_BYTES_MAX, FeedKind, FeedMessage, MalformedFeedLine
from btcbot.observability import feed as feed_module
from btcbot.observability.feed import BATCH, READERS_MAX, FeedServer, read_feed
from btcbot.observability.unix_sockets import NobodyListens
from tests.unit.observability.remembering import Remembering

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Outbox:
    """A source in memory."""

    def __init__(self, count: int = 0) -> None:
        self.messages = [numbered(number) for number in range(1, count + 1)]
        self.reads = 0

    def append(self, body: dict[str, object] | None = None) -> None:
        self.messages.append(numbered(len(self.messages) + 1, body))

    def last_number(self) -> int:
        return len(self.messages)

    def after(self, number: int, limit: int) -> Sequence[FeedMessage]:
        self.reads += 1
        return self.messages[number : number + limit]

    def heartbeat(self) -> FeedMessage:
        return FeedMessage(self.last_number(), FeedKind.HEARTBEAT, NOON, {"phase": "cycling"})


def numbered(number: int, body: dict[str, object] | None = None) -> FeedMessage:
    return FeedMessage(number, FeedKind.CYCLE, NOON, {"cycle": number} if body is None else body)


class LoopSleeper:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@asynccontextmanager
async def serving(path: Path, source: object, observer: Remembering) -> AsyncIterator[FeedServer]:
    server = FeedServer(path, source, observer, LoopSleeper())  # type: ignore[arg-type]
    task = asyncio.create_task(server.run())
    while not observer.fields_of(Event.FEED_OPENED) and not task.done():
        await asyncio.sleep(0)
    try:
        yield server
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def take(path: Path, resume_after: int, count: int, observer: Remembering) -> list[FeedMessage]:
    """The first `count` messages that are not heartbeats, over one connection."""
    stream = read_feed(path, resume_after, observer)
    taken: list[FeedMessage] = []
    async for message in stream:
        if message.kind is not FeedKind.HEARTBEAT:
            taken.append(message)
        if len(taken) == count:
            break
    await stream.aclose()  # type: ignore[attr-defined]
    return taken


async def test_a_reader_gets_everything_after_its_resume_number(run_dir: Path, observer: Remembering) -> None:
    async with serving(run_dir / "feed.sock", Outbox(BATCH * 2 + 7), observer):
        taken = await take(run_dir / "feed.sock", 5, BATCH * 2 + 2, observer)
    assert [message.number for message in taken] == list(range(6, BATCH * 2 + 8))


@given(cuts=st.lists(st.integers(0, 40), max_size=6), total=st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_reconnecting_with_the_last_number_misses_and_doubles_nothing(cuts: list[int], total: int) -> None:
    async def read_in_pieces(path: Path, observer: Remembering) -> list[int]:
        seen: list[int] = []
        async with serving(path, Outbox(total), observer):
            for cut in [*cuts, total]:
                wanted = min(cut, total - len(seen))
                if wanted:
                    last = seen[-1] if seen else 0
                    seen += [message.number for message in await take(path, last, wanted, observer)]
        return seen

    directory = Path(tempfile.mkdtemp(prefix="bt", dir="/tmp"))
    try:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            seen = runner.run(read_in_pieces(directory / "feed.sock", Remembering()))
    finally:
        shutil.rmtree(directory)
    assert seen == list(range(1, total + 1))


@pytest.mark.looptime
async def test_news_comes_when_it_is_told_and_a_heartbeat_comes_every_second(
    run_dir: Path, observer: Remembering
) -> None:
    loop = asyncio.get_running_loop()
    outbox = Outbox()
    seen: list[tuple[FeedKind, float]] = []
    async with serving(run_dir / "feed.sock", outbox, observer) as server:
        began = loop.time()
        async for message in read_feed(run_dir / "feed.sock", 0, observer):
            seen.append((message.kind, round(loop.time() - began, 1)))
            if len(seen) == 3:
                outbox.append()
                server.notify()
            if len(seen) == 6:
                break
    beat = FeedKind.HEARTBEAT
    assert seen == [(beat, 0.0), (beat, 1.0), (beat, 2.0), (FeedKind.CYCLE, 2.0), (beat, 3.0), (beat, 4.0)]


@pytest.mark.looptime
async def test_a_reader_that_does_not_read_is_dropped_and_delays_nobody(run_dir: Path, observer: Remembering) -> None:
    outbox = Outbox()
    for _ in range(400):
        outbox.append({"padding": "x" * 4_000})
    path = run_dir / "feed.sock"
    async with serving(path, outbox, observer):
        with closing(socket.socket(socket.AF_UNIX)) as lazy:
            lazy.connect(str(path))
            lazy.send(b'{"resume_after":0}\n')
            taken = await take(path, 0, 400, observer)
            assert len(taken) == 400
            await asyncio.sleep(feed_module.DRAIN_SECONDS + 1)
            (dropped,) = [
                f for f in observer.fields_of(Event.FEED_READER_DROPPED) if "did not read" in str(f["reason"])
            ]
            assert isinstance(dropped["position"], int)
            assert dropped["position"] < 400


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (b"garbage\n", "not a resume number"),
        (b'{"resume_after":-1}\n', "not a count"),
        (b'{"resume_after":true}\n', "not a count"),
        (b"\xff\xfe\n", "not a resume number"),
        (b"[" * 60_000 + b"\n", "not a resume number"),
        (b"x" * (LINE_BYTES_MAX + 10), "64 KiB"),
        (b"", "in time"),
        (b'{"resume_after":0}\n{"verb":"halt"}\n', "may only listen"),
    ],
)
async def test_a_hostile_reader_is_dropped_with_a_reason(
    run_dir: Path, observer: Remembering, says: bytes, reason: str
) -> None:
    path = run_dir / "feed.sock"
    async with serving(path, Outbox(3), observer):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(says)
        with suppress(ConnectionError):
            await reader.read()
        await asyncio.sleep(0.1)
        writer.close()
        (dropped,) = observer.fields_of(Event.FEED_READER_DROPPED)
        assert reason in str(dropped["reason"])
        assert [message.number for message in await take(path, 0, 3, observer)] == [1, 2, 3]


async def test_any_number_of_connections_is_bounded(run_dir: Path, observer: Remembering) -> None:
    path = run_dir / "feed.sock"
    async with serving(path, Outbox(), observer):
        peers = [await asyncio.open_unix_connection(path) for _ in range(READERS_MAX + 20)]
        closed = 0
        for reader, _ in peers[READERS_MAX:]:
            with suppress(ConnectionError):
                closed += await reader.read() == b""
        for _, writer in peers:
            writer.close()
        assert closed == 20


async def test_a_failing_source_ends_the_reader_and_not_the_server(run_dir: Path, observer: Remembering) -> None:
    class Broken(Outbox):
        def after(self, number: int, limit: int) -> Sequence[FeedMessage]:
            raise RuntimeError("the database is gone")

    path = run_dir / "feed.sock"
    async with serving(path, Broken(), observer):
        assert await take(path, 0, 1, observer) == []
        assert await take(path, 0, 1, observer) == []
    reasons = [str(fields["reason"]) for fields in observer.fields_of(Event.FEED_READER_DROPPED)]
    assert len(reasons) == 2
    assert all("the database is gone" in reason for reason in reasons)


async def test_a_message_too_long_for_a_line_keeps_its_number(run_dir: Path, observer: Remembering) -> None:
    outbox = Outbox(1)
    outbox.append({"notes": "x" * LINE_BYTES_MAX})
    outbox.append()
    async with serving(run_dir / "feed.sock", outbox, observer):
        taken = await take(run_dir / "feed.sock", 0, 3, observer)
    assert [message.number for message in taken] == [1, 2, 3]
    assert list(taken[1].body) == ["omitted_bytes"]


async def test_the_reader_ends_when_live_goes_and_says_when_nobody_is_there(
    run_dir: Path, observer: Remembering
) -> None:
    path = run_dir / "feed.sock"
    async with serving(path, Outbox(1), observer):
        stream = read_feed(path, 0, observer)
        assert (await anext(stream)).number == 1
    assert [message.kind async for message in stream] in ([], [FeedKind.HEARTBEAT])
    with pytest.raises(NobodyListens):
        await anext(read_feed(path, 0, observer))


@pytest.mark.parametrize("line", [b"<html>\n", b'{"v":2}\n', json.dumps({"v": 1, "n": 1}).encode() + b"\n"])
async def test_what_is_not_a_feed_is_refused(run_dir: Path, observer: Remembering, line: bytes) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(talk, run_dir / "feed.sock"):
        with pytest.raises(MalformedFeedLine):
            await anext(read_feed(run_dir / "feed.sock", 0, observer))


async def test_a_stale_socket_is_replaced_a_live_one_and_a_file_are_refused(
    run_dir: Path, observer: Remembering
) -> None:
    path = run_dir / "feed.sock"
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    async with serving(path, Outbox(1), observer):
        assert len(await take(path, 0, 1, observer)) == 1
        with pytest.raises(ConfigurationError, match="another process listens"):
            await FeedServer(path, Outbox(), observer, LoopSleeper()).run()
        assert len(await take(path, 0, 1, observer)) == 1
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="not a socket"):
        await FeedServer(path, Outbox(), observer, LoopSleeper()).run()
    assert path.read_text() == "precious"


async def test_the_socket_is_for_the_group_whatever_the_umask(run_dir: Path, observer: Remembering) -> None:
    async with serving(run_dir / "feed.sock", Outbox(), observer):
        assert (run_dir / "feed.sock").stat().st_mode & 0o777 == 0o660


async def test_a_path_over_107_bytes_is_refused_with_its_length(run_dir: Path, observer: Remembering) -> None:
    path = run_dir / ("d" * (120 - len(str(run_dir)) - 11)) / "feed.sock"
    length = len(str(path))
    with pytest.raises(ConfigurationError, match=f"{length} bytes.*107"):
        await FeedServer(path, Outbox(), observer, LoopSleeper()).run()
    with pytest.raises(ConfigurationError, match=str(length)):
        await anext(read_feed(path, 0, observer))
