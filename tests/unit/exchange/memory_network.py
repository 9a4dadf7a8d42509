"""A network in memory for both ends of a socket, with the loop's own time as the clock: nothing waits for a machine.

The library on both ends is the real one. Bytes arrive in the loop's next turn, in order; a sender whose bytes were not
taken is told to wait, as a full socket would tell it. With virtual time (the `looptime` marker) a test of hours takes
milliseconds and goes the same way every time.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

START = datetime(2026, 1, 1, tzinfo=UTC)
Protocol = asyncio.Protocol


class LoopTime:
    """Clock and sleeper in one, by the running loop."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class End(asyncio.Transport):
    """One end of a connection. What is written here is read by the protocol of the other end."""

    def __init__(self, protocol: Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.other: End
        self._loop = asyncio.get_running_loop()
        self._incoming: deque[bytes | None] = deque()  # nothing stands for the end of the stream
        self._is_delivering = self._is_paused = self._is_closing = self._is_lost = False
        self._on_its_way = 0
        self._is_full = False
        self._high = self._low = 65_536

    # ------------------------------------------------------------------------------------------------ writing

    def write(self, data: Any) -> None:
        if self._is_closing:
            return
        self._on_its_way += len(data)
        if not self._is_full and self._on_its_way > self._high:
            self._is_full = True
            self.protocol.pause_writing()
        self.other._arrives(bytes(data))

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.other._arrives(None)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = 65_536 if high is None else high
        self._low = self._high // 4 if low is None else low

    def _was_taken(self, count: int) -> None:
        self._on_its_way -= count
        if self._is_full and self._on_its_way <= self._low and not self._is_lost:
            self._is_full = False
            self.protocol.resume_writing()

    # ------------------------------------------------------------------------------------------------ reading

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        self._is_paused = False
        self._deliver_soon()

    def _arrives(self, data: bytes | None) -> None:
        if not self._is_closing:
            self._incoming.append(data)
            self._deliver_soon()

    def _deliver_soon(self) -> None:
        if not self._is_delivering:
            self._is_delivering = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_delivering = False
        if self._is_paused or self._is_closing or not self._incoming:
            return
        data = self._incoming.popleft()
        if data is None:
            if not self.protocol.eof_received():
                self.close()
            return
        self.protocol.data_received(data)
        self.other._was_taken(len(data))
        self._deliver_soon()

    # ------------------------------------------------------------------------------------------------ ending

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        if not self._is_closing:
            self.other._arrives(None)
            self._lose(None)

    def abort(self) -> None:
        if not self._is_closing:
            self._lose(None)
            self.other._lose(ConnectionResetError("reset by the other end"))

    def _lose(self, error: Exception | None) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._loop.call_soon(self._tell_lost, error)

    def _tell_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        self.protocol.connection_lost(error)


class Listening:
    """What `loop.create_server` gives."""

    sockets: tuple[()] = ()

    def close(self) -> None: ...

    async def wait_closed(self) -> None: ...

    def is_serving(self) -> bool:
        return True

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()


class MemoryNetwork:
    """One server, and whoever connects to it, whatever the address."""

    def __init__(self) -> None:
        self._make_server: Callable[[], Protocol] | None = None
        self.moments: list[float] = []  # of attempts to connect

    async def create_server(self, factory: Callable[[], Protocol], *_address: object, **_more: object) -> Listening:
        self._make_server = factory
        return Listening()

    async def create_connection(self, factory: Callable[[], Protocol], **_address: object) -> tuple[End, Protocol]:
        self.moments.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0)
        if self._make_server is None:
            raise ConnectionRefusedError("nobody listens")
        ours, theirs = End(factory()), End(self._make_server())
        ours.other, theirs.other = theirs, ours
        for end in (theirs, ours):
            end.protocol.connection_made(end)
        return ours, ours.protocol


@contextmanager
def memory_network() -> Iterator[MemoryNetwork]:
    """Every connection of the running loop is made in memory."""
    network, loop = MemoryNetwork(), asyncio.get_running_loop()
    with (
        patch.object(loop, "create_server", network.create_server),
        patch.object(loop, "create_connection", network.create_connection),
    ):
        yield network


async def until(is_true: Callable[[], bool], seconds: float = 600.0, step: float = 0.2) -> None:
    """Let time pass until something is so."""
    async with asyncio.timeout(seconds):
        while not is_true():
            await asyncio.sleep(step)


@asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Run something beside the test, which must not end by itself."""
    task = asyncio.create_task(work)
    try:
        yield task
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
