"""Faults of the feed, each on demand and for as long as was asked for."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.sandbox.playground import PATIENCE, Client, Playground

BATCH = 0.764
MOVING = 12 * BATCH  # long enough for a book to change a few times


async def said(client: Client, seconds: float = 0) -> list[Any]:
    """Everything that came within some time."""
    await client.playground.time.pass_by(seconds)
    await client.send(151, channel="mark", event=str(client.playground.time.elapsed), join=True)
    frames = []
    while (frame := await client.frame())[0] != 100:
        frames.append(frame)
    return frames


async def numbers(client: Client, seconds: float) -> list[int]:
    return [body["CS"] for kind, body in await said(client, seconds) if kind == 432]


async def followed(client: Client) -> int:
    await client.join("obdiff", "SOLTRY")
    (full,) = await client.frames(431)
    number: int = full["CS"]
    return number


async def test_differences_are_lost_repeated_swapped_or_jump(playground: Playground) -> None:
    async with playground.feed() as client:
        last = await followed(client)
        for name, wanted in (
            ("sequence_gap", [2, 3]), ("sequence_jump", [10, 11]), ("sequence_repeated", [1, 1, 2]),
            ("frames_swapped", [2, 1, 3]),
        ):  # fmt: skip
            await playground.fault(name, 1, pair="SOLTRY", channel="obdiff")
            steps = await numbers(client, 2 * MOVING)
            assert [number - last for number in steps[: len(wanted)]] == wanted, name
            last = max(steps)


async def test_books_are_crossed_emptied_or_stand_still_here_and_over_rest(playground: Playground) -> None:
    async with playground.feed() as client:
        await followed(client)
        book = await playground.book("SOLTRY")
        await playground.fault("crossed_book", 2, pair="SOLTRY")
        crossed = await playground.book("SOLTRY")
        assert float(crossed["bids"][0][0]) > float(crossed["asks"][0][0])
        assert len(crossed["bids"]) == len(book["bids"]) + 1
        frames = await said(client, BATCH)
        entered = [entry for _, body in frames for entry in body["BO"] if entry["CP"] == 1]
        assert crossed["bids"][0][0] in [entry["P"] for entry in entered]
        back = [entry for _, body in await said(client, BATCH) for entry in body["BO"] if entry["CP"] == 3]
        assert crossed["bids"][0][0] in [entry["P"] for entry in back]

        await playground.fault("empty_book", 1, pair="SOLTRY", side="sell")
        emptied = await playground.book("SOLTRY")
        assert (emptied["asks"], len(emptied["bids"])) == ([], len(book["bids"]))
        await playground.fault("empty_book", 1, endpoint="feed")
        gone = [body for kind, body in await said(client, BATCH) if kind == 432]
        assert {entry["CP"] for entry in gone[0]["AO"] + gone[0]["BO"]} == {3}
        assert len(gone[0]["AO"]) == len(book["asks"])

        number = await playground.fault("stale_book", None, pair="SOLTRY")
        await said(client, BATCH)
        still = [body for kind, body in await said(client, MOVING) if kind == 432]
        assert len(still) >= 10
        assert not [entry for body in still for entry in (*body["AO"], *body["BO"])]
        before = await playground.book("SOLTRY")
        await playground.time.pass_by(60)
        after = await playground.book("SOLTRY")
        assert (after["bids"], after["asks"]) == (before["bids"], before["asks"])
        assert after["timestamp"] > before["timestamp"]
        await playground.admin("DELETE", f"faults?id={number}")
        assert (await playground.book("SOLTRY"))["bids"] != before["bids"]


async def test_a_join_is_acknowledged_and_nothing_of_it_ever_comes(playground: Playground) -> None:
    async with playground.feed() as client:
        await playground.fault("join_unserved", 1, channel="obdiff", pair="SOLTRY")
        for channel in ("obdiff", "ticker"):
            assert (await client.join(channel, "SOLTRY"))["ok"]
        assert {kind for kind, _ in await said(client, MOVING)} == {402}


async def test_one_channel_alone_can_fall_silent_and_a_gap_is_seen_afterwards(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("ticker", "SOLTRY")
        last = await followed(client)
        number = await playground.fault("silent_feed", None, channel="obdiff")
        assert {kind for kind, _ in await said(client, MOVING)} == {402}
        await playground.admin("DELETE", f"faults?id={number}")
        assert (await numbers(client, MOVING))[0] > last + 1
        struck = [line for line in await playground.record() if line["kind"] == "fault_struck"]
        assert [(line["id"], line["facts"]["channel"]) for line in struck] == [(number, "obdiff")]


async def test_a_silent_socket_sends_neither_frames_nor_pings(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("ticker", "SOLTRY")
        await playground.fault("silent_socket", None)
        await playground.time.pass_by(100)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.socket.recv()
        await playground.admin("DELETE", "faults")
        await playground.time.pass_by(2 * BATCH)
        assert (await client.frame())[0] == 402


async def test_a_connection_breaks_without_a_close_frame(playground: Playground) -> None:
    async with playground.feed() as client, playground.feed() as other:
        await client.login()
        await playground.fault("abrupt_close", 1, key="live")
        await playground.time.pass_by(BATCH)
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ConnectionClosed) as lost:
                await client.socket.recv()
        assert lost.value.rcvd is None
        assert await other.is_quiet()


async def test_handshakes_and_logins_are_refused(playground: Playground) -> None:
    await playground.fault("handshake_refused", 1)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{playground.sandbox.ws_port}"):
            pass
    assert refused.value.response.status_code == 503
    async with playground.feed() as client:
        await playground.fault("login_refused", 1)
        assert (await client.login())["message"] == "Unauthorized - Invalid Request"
        assert (await client.login())["ok"]


async def test_a_frame_is_cut_in_half_and_a_side_is_flipped(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("trade", "SOLTRY")
        await client.frames(421)
        await playground.fault("side_flipped", 1, pair="SOLTRY")
        (flipped,) = [body for kind, body in await said(client, 7) if kind == 422]
        rows = (await playground.public("trades", pairSymbol="SOLTRY")).json()["data"]
        side = next(row["side"] for row in rows if row["tid"] == flipped["I"])
        assert (side == "buy") == (flipped["S"] == 0)
        await playground.fault("malformed_frame", 1, channel="trade")
        await playground.time.pass_by(6)
        async with asyncio.timeout(PATIENCE):
            text = str(await client.socket.recv())
        assert text.startswith("[422,")
        assert not text.endswith("]")


async def test_private_frames_are_lost_late_repeated_or_wrong(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.login()

        async def placed() -> int:
            return await playground.placed("SOLTRY", "buy", "2", "1000")

        await playground.fault("lost_private_frames", 1, pair="SOLTRY")
        order_id = await placed()
        assert await said(client) == []

        await playground.fault("stale_delete", 1)
        await playground.fault("repeated_private_frames", 1, order_id=str(order_id))
        await playground.private("DELETE", f"order?id={order_id}")
        frames = await said(client, 1)
        assert [kind for kind, _ in frames] == [452, 452]
        assert frames[0][1]["numLeft"] == frames[0][1]["amount"]

        await playground.admin("POST", "faults", json={"fault": "late_private_frames", "count": 1, "seconds": "30"})
        await placed()
        assert await said(client, 29) == []
        assert [kind for kind, _ in await said(client, 1)] == [451]

        ask = (await playground.book("SOLTRY"))["asks"][0]
        await playground.fault("wrong_match_amount", 1)
        await playground.placed("SOLTRY", "buy", ask[1], ask[0])
        match, trade = await client.frames(441, 423)
        assert float(match["amount"]) * 2 == float(trade["amount"]) == float(ask[1])


async def asking_forever(socket: ClientConnection) -> None:
    """Asks for whole books, and reads none."""
    while True:
        for is_join in ("true", "false"):
            await socket.send(f'[151,{{"type":151,"channel":"orderbook","event":"SOLTRY","join":{is_join}}}]')


async def test_a_client_that_takes_nothing_is_dropped(playground: Playground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btcbot.sandbox.feed_connection.BYTES_WAITING_MAX", 20_000)
    async with connect(f"ws://127.0.0.1:{playground.sandbox.ws_port}", compression=None, max_queue=1) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(asking_forever(socket), PATIENCE)
