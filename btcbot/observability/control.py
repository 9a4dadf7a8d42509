"""The control socket: one request, one answer, one connection; only for the user that runs the process.

What cannot be read is answered with a refusal and counted; it never reaches the handler.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from btcbot.domain.control import ControlAnswer, ControlRequest, MalformedControlLine, read_answer, read_request
from btcbot.domain.events import Event
from btcbot.domain.ports import Observer
from btcbot.observability.unix_sockets import (
    FIRST_LINE_SECONDS,
    PeerWentAway,
    connect,
    is_same_user,
    listening,
    read_line,
)

MODE = 0o600
PEERS_MAX = 8
ANSWER_SECONDS = 60.0
DRAIN_SECONDS = 5.0

Handler = Callable[[ControlRequest], Awaitable[ControlAnswer]]


class ControlServer:
    """Answers control requests until `run` is cancelled."""

    def __init__(self, path: Path, handler: Handler, observer: Observer) -> None:
        self._path = path
        self._handler = handler
        self._observer = observer

    async def run(self) -> None:
        """Listen. Raises `ConfigurationError` when the path is too long, or another process listens there."""
        async with listening(self._path, MODE, PEERS_MAX, self._serve):
            await asyncio.get_running_loop().create_future()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # draining then means that all of it was sent
        writer.write((await self._answer(reader, writer)).line())
        async with asyncio.timeout(DRAIN_SECONDS):
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> ControlAnswer:
        if not is_same_user(writer):
            return self._refused("the peer is another user", "run the command as the user of the process")
        try:
            async with asyncio.timeout(FIRST_LINE_SECONDS):
                line = await read_line(reader)
        except TimeoutError:
            return self._refused("no request came in time", "send one line of JSON")
        if line is None:
            return self._refused("the request is not one line of at most 64 KiB", "send one line of JSON")
        try:
            request = read_request(line)
        except MalformedControlLine as error:
            return self._refused(str(error.args[0]), error.next_step)
        return await self._handler(request)

    def _refused(self, message: str, next_step: str) -> ControlAnswer:
        self._observer.observed(Event.CONTROL_REQUEST_REFUSED, socket=self._path.name, detail=message)
        return ControlAnswer("", False, message, next_step)


async def ask(path: Path, request: ControlRequest) -> ControlAnswer:
    """Ask the process behind `path`. `NobodyListens` or `PeerWentAway` when there is no answer to be had."""
    reader, writer = await connect(path)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.write(request.line())
            await writer.drain()
            line = await read_line(reader)
    except (TimeoutError, ConnectionError) as error:
        raise PeerWentAway(f"{path} did not answer {request.verb!r} ({type(error).__name__})") from error
    finally:
        writer.transport.abort()
    if line is None:
        raise PeerWentAway(f"{path} closed the connection without answering {request.verb!r}")
    return read_answer(line)
