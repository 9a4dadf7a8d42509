"""The control socket: one request, one answer, for our own user only."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from btcbot.domain.control import ControlAnswer, ControlRequest, read_answer
from btcbot.domain.errors import ConfigurationError
from btcbot.domain.events import Event
from btcbot.observability import control
from btcbot.observability.control import ControlServer, Handler, ask
from btcbot.observability.unix_sockets import NobodyListens, PeerWentAway
from tests.unit.observability.remembering import Remembering

HALT = ControlRequest("r1", "halt", {"reason": "drill"})


async def agree(request: ControlRequest) -> ControlAnswer:
    return ControlAnswer(request.id, True, f"{request.verb}: {request.args['reason']}", "")


@asynccontextmanager
async def serving(path: Path, handler: Handler, observer: Remembering) -> AsyncIterator[None]:
    task = asyncio.create_task(ControlServer(path, handler, observer).run())
    while not path.exists() and not task.done():
        await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def say(path: Path, what: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(what)
    answer = b""
    with suppress(ConnectionError):
        answer = await reader.read()
    writer.close()
    return answer


async def test_a_request_is_answered(run_dir: Path, observer: Remembering) -> None:
    async with serving(run_dir / "control.sock", agree, observer):
        assert await ask(run_dir / "control.sock", HALT) == ControlAnswer("r1", True, "halt: drill", "")


async def test_the_socket_is_for_its_user_only(run_dir: Path, observer: Remembering) -> None:
    async with serving(run_dir / "control.sock", agree, observer):
        assert (run_dir / "control.sock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "line",
    [
        b"\n", b"null\n", b"[]\n", b"\xff\n", b'{"v":1}\n', b"{" * 50_000 + b"\n",
        b'{"v":2,"id":"a","verb":"halt","args":{}}\n', b'{"v":1,"id":1,"verb":"halt","args":{}}\n',
        b'{"v":1,"id":"a","verb":"halt","args":{"reason":1}}\n', b"x" * 70_000 + b"\n",
    ],
)  # fmt: skip
async def test_what_is_not_a_request_is_refused_and_never_reaches_the_handler(
    run_dir: Path, observer: Remembering, line: bytes
) -> None:
    async def never(request: ControlRequest) -> ControlAnswer:
        raise AssertionError("reached")

    async with serving(run_dir / "control.sock", never, observer):
        answer = await say(run_dir / "control.sock", line)
    assert len(observer.fields_of(Event.CONTROL_REQUEST_REFUSED)) == 1
    if answer:  # a peer that is still sending when we close may see a reset instead of the answer
        assert not read_answer(answer).ok


@pytest.mark.looptime
async def test_a_silent_peer_is_closed_after_a_while(run_dir: Path, observer: Remembering) -> None:
    async with serving(run_dir / "control.sock", agree, observer):
        answer = json.loads(await say(run_dir / "control.sock", b""))
    assert (answer["ok"], answer["message"]) == (False, "no request came in time")


async def test_another_user_is_refused(run_dir: Path, observer: Remembering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "is_same_user", lambda writer: False)
    async with serving(run_dir / "control.sock", agree, observer):
        answer = await ask(run_dir / "control.sock", HALT)
    assert (answer.ok, answer.message) == (False, "the peer is another user")


@pytest.mark.looptime
async def test_an_answer_that_never_comes_is_an_error_with_a_next_step(run_dir: Path, observer: Remembering) -> None:
    async def hang(request: ControlRequest) -> ControlAnswer:
        await asyncio.sleep(10_000)
        raise AssertionError("woken")

    async with serving(run_dir / "control.sock", hang, observer):
        with pytest.raises(PeerWentAway, match="did not answer 'halt'"):
            await ask(run_dir / "control.sock", HALT)


async def test_asking_nobody_is_an_error_with_a_next_step(run_dir: Path) -> None:
    with pytest.raises(NobodyListens, match="Next: "):
        await ask(run_dir / "control.sock", HALT)


async def test_a_second_server_is_refused(run_dir: Path, observer: Remembering) -> None:
    async with serving(run_dir / "control.sock", agree, observer):
        with pytest.raises(ConfigurationError, match="another process listens"):
            await ControlServer(run_dir / "control.sock", agree, observer).run()
