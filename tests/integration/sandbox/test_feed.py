"""The WebSocket host: acks that prove nothing, books kept by sequence, private frames, pings (protocol 10)."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.sandbox.playground import PATIENCE, Client, Playground, playing

BATCH = 0.764


def _applied(book: dict[str, str], entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        if entry["CP"] == 3:
            assert book.pop(entry["P"]) == entry["A"]
        else:
            assert (entry["CP"] == 1) == (entry["P"] not in book)
            book[entry["P"]] = entry["A"]


def _levels(entries: list[dict[str, str]]) -> dict[str, str]:
    return {entry["P"]: entry["A"] for entry in entries}


async def test_a_join_is_acknowledged_and_a_second_one_refused(playground: Playground) -> None:
    async with playground.feed() as client:
        assert await client.join("ticker", "BTCTRY") == {"type": 100, "ok": True, "message": "join|ticker:BTCTRY"}
        assert await client.join("ticker", "BTCTRY") == {"type": 100, "ok": False, "message": "join|ticker:BTCTRY"}
        left = await client.join("ticker", "BTCTRY", join=False)
        assert left == {"type": 100, "ok": True, "message": "leave|ticker:BTCTRY"}
        assert (await client.join("ticker", "BTCTRY"))["ok"]


@pytest.mark.parametrize(("channel", "event"), [("obdiff", "NOPETRY"), ("obdiff", "btctry"), ("weather", "BTCTRY")])
async def test_anything_unknown_is_acknowledged_and_then_silent(
    playground: Playground, channel: str, event: str
) -> None:
    async with playground.feed() as client:
        assert (await client.join(channel, event))["ok"]
        await playground.time.pass_by(3 * BATCH)
        assert await client.is_quiet()


async def test_frames_that_make_no_sense_get_no_reply(playground: Playground) -> None:
    async with playground.feed() as client:
        for frame in ("no json", "{}", "[]", "[151]", '[151,{"channel":1}]', "[999,{}]", "7", b"\xff\xfe"):
            await client.socket.send(frame)
        assert await client.is_quiet()


async def test_each_connection_counts_for_itself_without_a_gap(playground: Playground) -> None:
    async with playground.feed() as early:
        await early.join("obdiff", "BTCTRY")
        (first,) = await early.frames(431)
        for _ in range(5):
            await playground.time.pass_by(BATCH)
        async with playground.feed() as late:
            await late.join("obdiff", "BTCTRY")
            (second,) = await late.frames(431)
            assert second["CS"] == first["CS"]
            for _ in range(10):
                await playground.time.pass_by(BATCH)
            numbers = [(await late.frames(432))[0]["CS"] for _ in range(5)]
            assert numbers == [second["CS"] + step for step in range(1, 6)]


async def test_trades_come_as_a_list_and_then_one_by_one(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("trade", "BTCTRY")
        (tape,) = await client.frames(421)
        assert (tape["symbol"], len(tape["items"])) == ("BTCTRY", 50)
        await playground.time.pass_by(7)
        (trade,) = await client.frames(422)
        assert int(trade["I"]) > int(tape["items"][-1]["I"])
        rows = (await playground.public("trades", pairSymbol="BTCTRY")).json()["data"]
        row = next(row for row in rows if row["tid"] == trade["I"])
        assert (row["side"] == "buy") == (trade["S"] == 1)
        assert trade["P"].split(".")[1] == "0" * 10


async def test_the_ticker_repeats_every_batch_even_unchanged(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("ticker", "BTCTRY")
        await client.join("ticker", "all")
        await playground.time.pass_by(2 * BATCH)
        frames = [await client.frame() for _ in range(4)]
        assert sorted(frame[0] for frame in frames) == [401, 401, 402, 402]
        single = next(frame[1] for frame in frames if frame[0] == 402)
        every = next(frame[1] for frame in frames if frame[0] == 401)
        assert list(single) == [
            "B", "A", "BA", "AA", "PS", "H", "L", "DP", "LA", "O", "V", "AV", "D", "DS", "NS", "PId",
            "channel", "event", "type",
        ]  # fmt: skip
        assert [item["PS"] for item in every["items"]] == ["BTCTRY", "SOLTRY"]


async def test_own_orders_are_told_to_whoever_logged_in(playground: Playground) -> None:
    async with playground.feed() as client, playground.feed() as stranger:
        assert (await client.login()) == {"type": 114, "id": 5869906, "ok": True, "message": None}
        order_id = await playground.placed("BTCTRY", "buy", "0.0003", "3000000")
        (inserted,) = await client.frames(451)
        assert (inserted["id"], inserted["orderType"], inserted["numLeft"]) == (order_id, 0, "0.0003")
        assert inserted["denomLeft"] == "902.16"
        await playground.private("DELETE", f"order?id={order_id}")
        await playground.time.pass_by(BATCH)
        (deleted,) = await client.frames(452)
        assert (deleted["id"], deleted["price"]) == (order_id, "3000000.0000000000000000")
        ask = (await playground.book("SOLTRY"))["asks"][0]
        await playground.placed("SOLTRY", "buy", ask[1], ask[0])
        match, trade = await client.frames(441, 423)
        assert (match["isBid"], match["symbol"], match["price"][-11]) == (True, "SOLTRY", ".")
        assert (trade["orderType"], trade["orderClientId"], "type" in trade) == ("buy", "B-T1-1", False)
        assert await stranger.is_quiet()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"publicKey": "nobody"}, "Unauthorized - Invalid Public key"),
        ({"nonce": 1_795_000_000_000}, "Unauthorized - Invalid Request"),
        ({"timestamp": 5}, "Unauthorized - Invalid Request"),
        ({"timestamp": None}, "Unauthorized - Invalid Nonce"),
        ({"signature": "AAAA"}, "Unauthorized - Invalid Signature"),
    ],
)
async def test_a_bad_login_is_refused_with_a_reason(
    playground: Playground, changes: dict[str, object], message: str
) -> None:
    async with playground.feed() as client:
        assert await client.login(**changes) == {"type": 114, "ok": False, "id": 0, "message": message}


async def test_who_answers_no_pings_is_closed_after_three(playground: Playground) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", playground.sandbox.ws_port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: sandbox\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    closing, received = b"\x88\x02\x03\xe8", b""  # a close frame with code 1000
    for seconds in (15, 15, 15.3):
        await playground.time.pass_by(seconds)
        await playground.public("server/ping")
    received += await reader.read(1000)
    assert closing not in received
    await playground.time.pass_by(0.1)
    async with asyncio.timeout(PATIENCE):
        while closing not in received:
            chunk = await reader.read(1000)
            assert chunk, "the connection ended without a close frame"
            received += chunk
    assert received.count(b"\x89\x04") == 3
    writer.close()


async def test_who_answers_pings_stays(playground: Playground) -> None:
    async with playground.feed() as client:
        for _ in range(8):
            await playground.time.pass_by(15)
            await client.join("pong", str(playground.time.elapsed))
        assert await client.is_quiet()


async def test_the_sixteenth_connection_within_a_minute_is_turned_away(playground: Playground) -> None:
    for _ in range(15):
        async with playground.feed():
            pass
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"ws://127.0.0.1:{playground.sandbox.ws_port}"):
            pass
    assert refused.value.response.status_code == 429
    await playground.time.pass_by(60)
    async with playground.feed():
        pass


async def test_a_silent_feed_keeps_the_socket_and_says_nothing(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("ticker", "BTCTRY")
        number = await playground.fault("silent_feed", None)
        await playground.time.pass_by(5 * BATCH)
        assert await client.is_quiet()
        await playground.admin("DELETE", f"faults?id={number}")
        await playground.time.pass_by(BATCH)
        assert (await client.frame())[0] == 402


async def test_a_sequence_gap_leaves_one_number_out(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("obdiff", "BTCTRY")
        (snapshot,) = await client.frames(431)
        await playground.fault("sequence_gap", 1, pair="BTCTRY")
        await playground.time.pass_by(12 * BATCH)
        assert (await client.frames(432))[0]["CS"] == snapshot["CS"] + 2


async def _difference_frames(client: Client, until: str) -> list[dict[str, Any]]:
    await client.send(151, channel="mark", event=until, join=True)
    frames = []
    while (frame := await client.frame())[0] != 100:
        frames.append(frame[1])
    return frames


async def test_a_book_kept_by_differences_equals_the_one_over_rest(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.join("obdiff", "SOLTRY")
        (snapshot,) = await client.frames(431)
        bids, asks, sequence = _levels(snapshot["BO"]), _levels(snapshot["AO"]), snapshot["CS"]
        ask = (await playground.book("SOLTRY"))["asks"][0]
        await playground.placed("SOLTRY", "buy", ask[1], ask[0])
        for _ in range(80):
            await playground.time.pass_by(BATCH)
        for frame in await _difference_frames(client, "end"):
            sequence += 1
            assert frame["CS"] == sequence
            _applied(bids, frame["BO"])
            _applied(asks, frame["AO"])
        rest = await playground.book("SOLTRY")
        assert json.dumps(dict(rest["bids"]), sort_keys=True) == json.dumps(bids, sort_keys=True)
        assert json.dumps(dict(rest["asks"]), sort_keys=True) == json.dumps(asks, sort_keys=True)


def _record_with_a_rise(path: Path) -> Path:
    """A book that stands still, and a trade that lifts the last price after two seconds."""
    second = 1_000_000_000
    lines = [
        f'{second} {{"lastUpdateId":5,"bids":[["100.10","1.0"]],"asks":[["100.20","3.0"],["100.30","9"]]}}',
        f'{2 * second} {{"stream":"x","data":{{"e":"trade","s":"BTCUSDT","t":8,"p":"100.10","q":"0.1","m":true}}}}',
        f'{4 * second} {{"stream":"x","data":{{"e":"trade","s":"BTCUSDT","t":9,"p":"100.20","q":"0.1","m":false}}}}',
        f'{90 * second} {{"stream":"x","data":{{"e":"depthUpdate","s":"BTCUSDT","u":8,"b":[],"a":[]}}}}',
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


async def test_a_triggered_stop_is_deleted_and_lives_on_under_another_id(tmp_path: Path) -> None:
    source = _record_with_a_rise(tmp_path / "rise.txt")
    async with playing(tmp_path / "s", source=source, pairs=("BTCUSDT",)) as played, played.feed() as client:
        await client.login()
        await played.time.pass_by(1.5)
        body = {
            "quantity": "4", "price": "100.2", "stopPrice": "100.2", "newOrderClientId": "B-S", "orderType": "buy",
            "orderMethod": "stoplimit", "pairSymbol": "BTCUSDT",
        }  # fmt: skip
        answer = await played.private("POST", "order", json=body)
        assert answer.status_code == 200, answer.text
        (waiting,) = await client.frames(451)
        assert (waiting["id"], waiting["method"], waiting["numLeft"]) == (answer.json()["data"]["id"], 2, "4")
        await played.time.pass_by(3)
        gone, inserted, match, _ = await client.frames(452, 451, 441, 423)
        assert (gone["id"], float(gone["numLeft"]), gone["method"]) == (waiting["id"], 4.0, 2)
        assert inserted["id"] == match["id"] > waiting["id"]
        assert (inserted["newOrderClientId"], inserted["method"], inserted["numLeft"]) == ("B-S", 0, "4")
        assert (match["amount"], match["price"]) == ("3.0000000000", "100.2000000000")
        assert await client.is_quiet()


async def test_a_level_pushed_out_of_the_window_is_deleted_and_returns_as_new(tmp_path: Path) -> None:
    second = 1_000_000_000
    bids = ",".join(f'["{200 - step}.1","1"]' for step in range(101))
    update = '{{"stream":"x","data":{{"e":"depthUpdate","s":"BTCUSDT","u":{number},"b":[["201.1","{lots}"]],"a":[]}}}}'
    lines = [
        f'{second} {{"lastUpdateId":5,"bids":[{bids}],"asks":[["300.2","3.0"]]}}',
        f"{2 * second} {update.format(number=6, lots=7)}",
        f"{3 * second} {update.format(number=7, lots=0)}",
        f"{90 * second} {update.format(number=8, lots=0)}",
    ]
    (tmp_path / "window.txt").write_text("\n".join(lines) + "\n")
    async with (
        playing(tmp_path / "s", source=tmp_path / "window.txt", pairs=("BTCUSDT",)) as played,
        played.feed() as client,
    ):
        await client.join("obdiff", "BTCUSDT")
        (full,) = await client.frames(431)
        assert (len(full["BO"]), full["BO"][-1]) == (100, {"A": "1", "P": "101.1"})
        await played.time.pass_by(3)
        pushed, returned = await client.frames(432, 432)
        assert pushed["BO"] == [{"CP": 3, "P": "101.1", "A": "1"}, {"CP": 1, "P": "201.1", "A": "7"}]
        assert returned["BO"] == [{"CP": 1, "P": "101.1", "A": "1"}, {"CP": 3, "P": "201.1", "A": "7"}]


async def test_the_running_candle_comes_after_the_join_and_when_it_changes(playground: Playground) -> None:
    async with playground.feed() as client:
        assert (await client.join("tradeview", "BTCTRY_7"))["ok"]
        await client.send(151, channel="tradeview", event="BTCTRY_60", join=True)
        _, first = await client.frames(100, 428)
        await playground.time.pass_by(13)
        changed = [await client.frame() for _ in range(2)]
        assert [kind for kind, _ in changed] == [428, 428]
        now = int(playground.time.now().timestamp())
        span = {"from": str(now // 3600 * 3600), "to": str(now)}
        hour = await playground.klines(symbol="BTCTRY", resolution="60", **span)
        last = changed[-1][1]
        assert (first["D"], last["D"], last["R"], last["P"]) == (*hour["t"], *hour["t"], 60, "BTCTRY")
        assert [float(last[name]) for name in "OHLCV"] == [hour[name.lower()][0] for name in "OHLCV"]
        for event, kind in (("BTCTRY_1D", "1D"), ("SOLTRY_1W", "1W"), ("SOLTRY_1M", "1M")):
            await client.send(151, channel="tradeview", event=event, join=True)
            _, candle = await client.frames(100, 428)
            assert candle["R"] == kind
            assert candle["D"] <= first["D"]
