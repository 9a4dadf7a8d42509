"""The status feed's transport: one way, numbered, bounded. A slow or hostile reader is dropped and delays nobody.

A reader's first line is its resume number; from then on it may only listen. Each reader has its own place in the
source, and what it has not read stays in the source, not in memory. Sending waits for the reader, for a bounded time.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from btcbot.domain.events import Event
from btcbot.domain.feed import (
    LINE_BYTES_MAX,
    FeedMessage,
    MalformedFeedLine,
    read_feed_line,
    read_resume_line,
)
from btcbot.domain.ports import Observer, Sleeper
from btcbot.observability.unix_sockets import FIRST_LINE_SECONDS, connect, listening, read_line

MODE = 0o660
READERS_MAX = 4
BATCH = 100  # messages read from the source at a time
BUFFER_BYTES_MAX = 64 * 1024  # unsent bytes above which we wait for the reader
DRAIN_SECONDS = 15.0  # how long we wait before a reader is too slow
HEARTBEAT_SECONDS = 1.0


class FeedSource(Protocol):
    """Where the messages are: numbered without gaps of meaning, kept until every reader can have had them."""

    def after(self, number: int, limit: int) -> Sequence[FeedMessage]:
        """The oldest `limit` messages above `number`, in order."""
        ...

    def heartbeat(self) -> FeedMessage:
        """Where the process stands now; carries the last number and none of its own."""
        ...


class _Dropped(Exception):  # never leaves this module
    """Why a reader is not served any more."""


class _Reader:
    """One connection: what it has had, and whether there is something new for it."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.beats = 0
        self.news = asyncio.Event()


class FeedServer:
    """Serves the source's messages until `run` is cancelled, with a heartbeat each second."""

    def __init__(self, path: Path, source: FeedSource, observer: Observer, sleeper: Sleeper) -> None:
        self._path = path
        self._source = source
        self._observer = observer
        self._sleeper = sleeper
        self._readers: set[_Reader] = set()
        self._beats = 1  # a new reader has had none, so it gets one at once

    def notify(self) -> None:
        """There is something new in the source. Returns at once."""
        for reader in self._readers:
            reader.news.set()

    async def run(self) -> None:
        """Listen. Raises `ConfigurationError` when the path is too long, or another process listens there."""
        async with listening(self._path, MODE, READERS_MAX, self._serve):
            self._observer.observed(Event.FEED_OPENED, path=self._path)
            while True:
                await self._sleeper.sleep(HEARTBEAT_SECONDS)
                self._beats += 1
                self.notify()

    async def _serve(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=BUFFER_BYTES_MAX)
        reader: _Reader | None = None
        talk: asyncio.Task[bytes] | None = None
        try:
            reader = _Reader(await self._resume_number(stream))
            self._readers.add(reader)
            self._observer.observed(Event.FEED_READER_JOINED, resume_after=reader.position)
            talk = asyncio.create_task(stream.read(1))
            talk.add_done_callback(lambda _: reader.news.set())
            while True:
                reader.news.clear()
                await self._send_news(reader, writer)
                if talk.done():
                    raise _Dropped("it talks, and may only listen" if talk.result() else "it closed the connection")
                await reader.news.wait()
        except (_Dropped, ConnectionError) as error:
            self._dropped(reader, str(error))
        except Exception as defect:  # noqa: BLE001 - a source that fails must end this reader, never the process
            self._dropped(reader, f"the source failed ({type(defect).__name__}: {defect})")
        finally:
            if reader is not None:
                self._readers.discard(reader)
            if talk is not None and not talk.cancel() and not talk.cancelled():
                talk.exception()  # looked at: a connection that broke while we dropped it is no news

    async def _resume_number(self, stream: asyncio.StreamReader) -> int:
        try:
            async with asyncio.timeout(FIRST_LINE_SECONDS):
                line = await read_line(stream)
            if line is None:
                raise _Dropped("its first line is not one line of at most 64 KiB")
            return read_resume_line(line)
        except TimeoutError:
            raise _Dropped("it sent no resume number in time") from None
        except MalformedFeedLine as error:
            raise _Dropped(str(error.args[0])) from None

    async def _send_news(self, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        """Everything that the reader has not had, a batch at a time, and the heartbeat when one is due."""
        while True:
            messages = self._source.after(reader.position, BATCH)
            for message in messages:
                writer.write(_bounded_line(message))
                reader.position = message.number
            if reader.beats != self._beats:
                reader.beats = self._beats
                writer.write(_bounded_line(self._source.heartbeat()))
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await writer.drain()
            except TimeoutError:
                raise _Dropped(f"it did not read for {DRAIN_SECONDS:g} s") from None
            if len(messages) < BATCH:
                return
            await self._sleeper.sleep(0)  # a long catch-up lets others run between batches

    def _dropped(self, reader: _Reader | None, reason: str) -> None:
        position = None if reader is None else reader.position
        self._observer.observed(Event.FEED_READER_DROPPED, reason=reason, position=position)


def _bounded_line(message: FeedMessage) -> bytes:
    """A message that does not fit a line goes as its number and kind only: nothing may stop the sequence."""
    line = message.line()
    if len(line) <= LINE_BYTES_MAX:
        return line
    return replace(message, body={"omitted_bytes": len(line)}).line()


async def read_feed(path: Path, resume_after: int, observer: Observer) -> AsyncGenerator[FeedMessage, None]:
    """The messages above `resume_after` and the heartbeats, over one connection; ends when live closes it.

    Raises `NobodyListens` when there is no feed to read, and `MalformedFeedLine` when what comes is not a feed.
    """
    reader, writer = await connect(path)
    try:
        writer.write(b'{"resume_after":%d}\n' % resume_after)
        observer.observed(Event.FEED_CONNECTED, resume_after=resume_after)
        while True:
            line = await read_line(reader)
            if line is None:
                return
            yield read_feed_line(line)
    finally:
        writer.transport.abort()
