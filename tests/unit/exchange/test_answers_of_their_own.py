"""An order's answer is the one to its own request: whatever else comes over a connection is never taken for it.

HTTP/1.1 has no number on a request, so an answer too many, a late one or the rest of a broken one would pass for the
answer to the next request. Every connection on which that could happen is given up.
"""

import asyncio
from collections.abc import Awaitable, Callable

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.orders.evidence import Accepted, Answer, Silent, TurnedDown
from btcbot.exchange.errors import NoAnswer, NotTheExchange
from btcbot.exchange.http import Http, HttpAnswer
from btcbot.exchange.json_text import BYTES_MAX
from btcbot.exchange.submit import outcome_of
from tests.unit.exchange.builders import journaled, sample_bytes
from tests.unit.exchange.raw_server import OK, Line, raw_server
from tests.unit.exchange.test_no_resend import accepted, lanes_to, submitted, warmed

REFUSAL = sample_bytes("errors/order.balance.400.json")
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(REFUSAL) + REFUSAL
OLD = accepted(label="BB-TEST-1-9-00", number=6)


async def outcome_after(first: bytes) -> tuple[Answer, int]:
    """A lane hears `first` on its first connection, then carries an order; and how many connections there were."""

    async def play(line: Line, number: int) -> None:
        while asked := await line.request():
            await line.say(accepted() if b"POST" in asked else first)

    async with raw_server(play) as server:
        lanes = lanes_to(server.url)
        await lanes.each[0].send("GET", "/warm", timeout=2.0)
        answer = await submitted(lanes, server.url)
        assert server.requests == 1
        return answer, len(server.received)


@pytest.mark.parametrize("more", [REFUSED, OLD, OK, b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", b"\r\n"])
async def test_an_answer_too_many_is_not_the_answer_to_the_next_request(more: bytes) -> None:
    answer, connections = await outcome_after(OK + more)
    assert isinstance(answer, Accepted)
    assert connections == 2


async def test_what_is_left_of_an_answer_longer_than_it_said_is_not_read_as_another() -> None:
    answer, connections = await outcome_after(OK + b', "more": 1}' + REFUSED)
    assert isinstance(answer, Accepted)
    assert connections == 2


async def test_an_answer_that_ends_where_it_said_leaves_its_connection_in_use() -> None:
    for whole in (
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ):
        assert (await outcome_after(whole))[1] == 1, whole


@pytest.mark.parametrize("header", [b"Connection: close", b"connection: Close, x"])
async def test_a_connection_that_says_it_closes_is_not_used_again(header: bytes) -> None:
    answer, connections = await outcome_after(OK.replace(b"Content-Type", header + b"\r\nContent-Type"))
    assert isinstance(answer, Accepted)
    assert connections == 2


async def test_what_a_server_says_unasked_on_an_idle_connection_answers_nothing() -> None:
    """A proxy that says 408 before it hangs up, or somebody's answer that went astray."""
    is_said = asyncio.Event()

    async def play(line: Line, number: int) -> None:
        await line.request()
        if number == 0:
            await line.say(OK)
            await asyncio.sleep(0.02)
            await line.say(REFUSED)
            is_said.set()
        else:
            await line.say(accepted())

    async with raw_server(play) as server:
        lanes = lanes_to(server.url)
        await warmed(lanes)
        await is_said.wait()
        await asyncio.sleep(0.05)
        assert isinstance(await submitted(lanes, server.url), Accepted)
        assert [b"POST" in data for data in server.received] == [False, True]


async def late(lane: Http) -> None:
    with pytest.raises(NoAnswer):
        await lane.send("GET", "/late", timeout=0.05)


async def called_off(lane: Http) -> None:
    task = asyncio.ensure_future(lane.send("GET", "/late", timeout=2.0))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def endless(lane: Http) -> None:
    with pytest.raises(NotTheExchange):
        await lane.send("GET", "/endless", timeout=2.0)


@pytest.mark.parametrize("end", [late, called_off, endless])
@pytest.mark.parametrize("begun", [b"", REFUSED[:20], REFUSED[:-5]], ids=["nothing", "half a head", "half a body"])
async def test_an_answer_that_was_not_waited_for_takes_its_connection_with_it(
    end: Callable[[Http], Awaitable[None]], begun: bytes
) -> None:
    is_over = asyncio.Event()

    async def play(line: Line, number: int) -> None:
        asked = await line.request()
        if b"POST" in asked:
            await line.say(accepted())
        elif b"endless" in asked:
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BYTES_MAX + 1) + b" " * (BYTES_MAX + 1))
        else:
            await line.say(begun)
            await is_over.wait()
            await line.say(REFUSED[len(begun) :])

    async with raw_server(play) as server:
        lanes = lanes_to(server.url)
        await end(lanes.each[0])
        is_over.set()
        assert isinstance(await submitted(lanes, server.url), Accepted)
        assert [b"POST" in data for data in server.received] == [False, True]


async def test_an_answer_that_comes_before_the_order_was_read_is_the_answer_to_it_and_the_only_one() -> None:
    async def play(line: Line, number: int) -> None:
        await line.say(REFUSED)
        await line.request()

    async with raw_server(play) as server:
        answer = await submitted(lanes_to(server.url), server.url)
        assert isinstance(answer, TurnedDown | Silent)
        assert server.requests == 1
        assert len(server.received) == 1


class Wire(httpcore.AsyncNetworkStream):
    """Takes what is written, and answers with bytes of a test's making."""

    def __init__(self, said: bytes) -> None:
        self._said = [said]

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        return

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._said.pop() if self._said else b""

    async def aclose(self) -> None:
        return

    def get_extra_info(self, info: str) -> object:
        return None


class Wires(httpcore.AsyncNetworkBackend):
    def __init__(self, said: bytes) -> None:
        self._said = said
        self.connections = 0

    async def connect_tcp(self, *args: object, **more: object) -> httpcore.AsyncNetworkStream:
        self.connections += 1
        return Wire(self._said)


PARTS = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 429 Too Many\r\n", b"HTTP/1.1 101 Switching\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 200\r\n", b"Content-Length: 2\r\n", b"Content-Length: -1\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Retry-After: ", b"X-Retry-After: ", b"Date: ", b"Wed, 23 Sep 2026 12:00:00 +",
    b"9999999999999999999", b"-1", b"\r\n", b"\r\n\r\n", b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"\xff\xfe",
    b"Connection: close\r\n", b"Content-Encoding: gzip\r\n",
)  # fmt: skip


async def answered(said: bytes) -> HttpAnswer | NoAnswer | NotTheExchange:
    transport = httpx.AsyncHTTPTransport(verify=False, trust_env=False)
    wires = Wires(said)
    transport._pool._network_backend = wires
    try:
        return await Http("http://exchange.example.test", transport).send("POST", "/x", body=b"{}", timeout=2.0)
    except (NoAnswer, NotTheExchange) as error:
        return error
    finally:
        assert wires.connections == 1


@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=8), max_size=12))
def test_whatever_bytes_come_back_the_outcome_is_an_answer_or_one_of_two_errors(parts: list[bytes]) -> None:
    """An error of any other kind would end the worker in the middle of a cycle."""
    answer = asyncio.run(answered(b"".join(parts)))
    if isinstance(answer, HttpAnswer):
        assert not isinstance(outcome_of(answer, journaled()), Accepted)
        assert answer.retry_after is None or 0 <= answer.retry_after <= 3600


@pytest.mark.parametrize(
    "stay", [b"Wed, 23 Sep 2026 12:00:00 +99999999999999999", b"Wed, 23 Sep 99999999999999999999 1:0 GMT"]
)
async def test_a_date_that_no_calendar_holds_is_no_reason_to_fail(stay: bytes) -> None:
    said = b"HTTP/1.1 429 Too Many\r\nRetry-After: " + stay + b"\r\nContent-Length: 0\r\n\r\n"
    assert await answered(said) == HttpAnswer(429, b"", None)
