"""On real sockets, counted by the bytes that arrive: no library below us sends an order a second time (reliability 2A).

The dangerous moment is a kept connection that the server closes just as the request is on its way: a library that
"helps" would send the request again on a new one, although the first may have been taken.
"""

import asyncio

import pytest

from btcbot.domain.orders.evidence import Accepted, Answer, NoByteLeft, Silent
from btcbot.domain.profiles import Role
from btcbot.exchange.errors import NoAnswer
from btcbot.exchange.http import Http
from btcbot.exchange.lanes import Lanes
from btcbot.exchange.limits import Budgets
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.public import PublicClient
from btcbot.exchange.signing import Signer
from btcbot.exchange.submit import SubmitClient
from btcbot.exchange.venue_clock import VenueClock
from tests.unit.exchange.builders import CREDENTIALS, ManualClock, Remembering, document, journaled
from tests.unit.exchange.raw_server import OK, Line, raw_server

WARMING = "GET", "/warm"


def lanes_to(url: str) -> Lanes:
    """One lane, so that the test knows which connection an order takes."""
    return Lanes([Http(url, connections_max=1)])


def channel_over(lanes: Lanes, url: str) -> PrivateChannel:
    clock, observer = ManualClock(), Remembering()
    http, budgets = Http(url), Budgets(Role.LIVE, clock)
    venue_clock = VenueClock(PublicClient(http, http, budgets, observer), clock)
    return PrivateChannel(http, lanes, Signer(CREDENTIALS, venue_clock.now_ms), venue_clock, budgets, observer)


async def submitted(lanes: Lanes, url: str) -> Answer:
    """One order; then time for a second request to arrive, should anybody send one."""
    channel = channel_over(lanes, url)
    answer = await SubmitClient(channel, 2.0).submit(journaled())
    await asyncio.sleep(0.05)
    await channel.aclose()
    return answer


async def warmed(lanes: Lanes) -> None:
    (lane,) = lanes.each
    await lane.send(*WARMING, timeout=2.0)
    assert lane.open_at > 0


def accepted(label: str = "BB-TEST-1-1-00", number: int = 7) -> bytes:
    body = document(
        data={
            "id": number, "quantity": "15", "price": "0.8", "newOrderClientId": label, "type": "buy",
            "method": "limit", "pairSymbol": "XLMTRY", "datetime": 1597867103932,
        }
    ).encode()  # fmt: skip
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("after", ["the first byte", "the whole request", "half an answer"])
async def test_a_connection_lost_under_an_order_is_silence_after_one_request(ending: str, after: str) -> None:
    async def play(line: Line, number: int) -> None:
        if number > 0:
            await line.request()
            await line.say(accepted())
            return
        await line.request()
        await line.say(OK)
        if after == "the first byte":
            await line.some()
        else:
            await line.request()
        if after == "half an answer":
            await line.say(accepted()[:60])
        line.close() if ending == "close" else line.reset()

    async with raw_server(play) as server:
        lanes = lanes_to(server.url)
        await warmed(lanes)
        assert isinstance(await submitted(lanes, server.url), Silent)
        assert server.requests == 1
        assert len(server.received) == 1


async def test_a_connection_that_closes_just_as_the_order_arrives_is_not_replaced_under_it() -> None:
    """The request is in the server's buffer, unread, when the server hangs up: nobody knows whether it was taken."""
    is_sent = asyncio.Event()

    async def play(line: Line, number: int) -> None:
        await line.request()
        await line.say(OK)
        await is_sent.wait()
        line.reset()

    async with raw_server(play) as server:
        lanes = lanes_to(server.url)
        await warmed(lanes)
        submitting = asyncio.ensure_future(submitted(lanes, server.url))
        await asyncio.sleep(0.05)
        is_sent.set()
        assert isinstance(await submitting, Silent)
        assert len(server.received) == 1


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_an_idle_connection_that_was_closed_before_is_replaced_before_any_byte(ending: str) -> None:
    """Known to be closed before anything was written: a new connection, and still one request in all."""

    async def play(line: Line, number: int) -> None:
        await line.request()
        await line.say(OK if number == 0 else accepted())
        line.close() if ending == "close" else line.reset()

    async with raw_server(play) as server:
        lanes = lanes_to(server.url)
        await warmed(lanes)
        await asyncio.sleep(0.05)
        assert isinstance(await submitted(lanes, server.url), Accepted)
        assert server.requests == 1
        assert [b"POST" in data for data in server.received] == [False, True]


async def test_a_server_that_hangs_up_on_every_connection_gets_one_order() -> None:
    async def play(line: Line, number: int) -> None:
        await line.some()
        line.close()

    async with raw_server(play) as server:
        assert isinstance(await submitted(lanes_to(server.url), server.url), Silent)
        assert server.requests == 1
        assert len(server.received) == 1


async def test_a_server_that_never_reads_gets_one_order_and_we_wait_no_longer_than_was_said() -> None:
    is_over = asyncio.Event()

    async def play(line: Line, number: int) -> None:
        await is_over.wait()

    async with raw_server(play) as server:
        http = Http(server.url)
        began = asyncio.get_running_loop().time()
        with pytest.raises(NoAnswer):
            await http.send("POST", "/api/v1/order", body=b"{}", timeout=0.2)
        assert asyncio.get_running_loop().time() - began < 1.0
        is_over.set()
        await http.aclose()
        assert len(server.received) == 1


async def test_a_port_where_nobody_listens_gets_nothing_and_that_is_known() -> None:
    async def play(line: Line, number: int) -> None:
        line.close()

    async with raw_server(play) as server:
        url = server.url
    assert isinstance(await submitted(lanes_to(url), url), NoByteLeft)
