"""A TCP server on loopback that does exactly what a test says with each connection, and counts what came in."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class RawServer:
    """`received` has one entry per connection: every byte that the client put on it."""

    url: str = ""
    received: list[bytearray] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How often a request line of an order came in, on any connection."""
        return sum(bytes(data).count(b"POST /api/v1/order HTTP/1.1\r\n") for data in self.received)


class Line:
    """One connection, from the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, received: bytearray) -> None:
        self._reader = reader
        self._writer = writer
        self._received = received

    async def request(self) -> bytes:
        """The next whole request; empty when the client hung up."""
        head = bytearray()
        while b"\r\n\r\n" not in head:
            chunk = await self._take()
            if not chunk:
                return b""
            head += chunk
        lines, _, body = bytes(head).partition(b"\r\n\r\n")
        length = next((int(line[15:]) for line in lines.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
        while len(body) < length:
            body += await self._take()
        return lines + b"\r\n\r\n" + body

    async def some(self) -> bytes:
        return await self._take()

    async def say(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        """A RST instead of a FIN: what the client has in flight is lost."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _take(self) -> bytes:
        chunk = await self._reader.read(65536)
        self._received += chunk
        return chunk


@asynccontextmanager
async def raw_server(play: Callable[[Line, int], Awaitable[None]]) -> AsyncIterator[RawServer]:
    """`play` gets each connection with its number."""
    server = RawServer()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        received = bytearray()
        server.received.append(received)
        try:
            await play(Line(reader, writer, received), len(server.received) - 1)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listening.close()
        await listening.wait_closed()
