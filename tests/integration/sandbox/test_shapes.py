"""Every sample of the public hosts and of the feed is produced in its shape: names, their order, and JSON types."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.sandbox.playground import START, Client, Playground

SAMPLES = Path(__file__).parents[2] / "contract" / "exchange" / "samples"
BATCH = 0.764
NOW = int(START.timestamp())


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def shape(value: object) -> object:
    """Names in their order; of a list its first item; of the rest the JSON type."""
    match value:
        case dict():
            return [(name, shape(item)) for name, item in value.items()]
        case list():
            return ["list", *(shape(item) for item in value[:1])]
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case None:
            return "null"
        case _:
            return type(value).__name__


def decimals(text: str) -> int:
    return len(text.partition(".")[2])


async def test_answers_of_the_public_hosts(playground: Playground) -> None:
    graph = f"http://127.0.0.1:{playground.sandbox.graph_port}/v1"
    klines = f"{graph}/klines/history"
    span = {"from": str(NOW - 86_400), "to": str(NOW)}
    await playground.time.pass_by(3)
    asked: Mapping[str, tuple[str, dict[str, str]]] = {
        "rest/exchangeinfo.200.json": ("server/exchangeinfo", {}),
        "rest/ticker.single.200.json": ("ticker", {"pairSymbol": "BTCTRY"}),
        "rest/ticker.unknown_pair.200.json": ("ticker", {"pairSymbol": "NOPEUSDT"}),
        "rest/ticker_currency.usdt.200.json": ("ticker/currency", {"symbol": "TRY"}),
        "rest/orderbook.200.json": ("OrderBook", {"pairSymbol": "BTCTRY", "limit": "3"}),
        "rest/trades.200.json": ("trades", {"pairSymbol": "BTCTRY", "last": "2"}),
        "rest/server_time.200.json": ("SERVER/time", {}),
        "rest/server_ping.200.json": ("server/ping", {}),
        "rest/graph_klines.200.json": (klines, {"symbol": "BTCTRY", "resolution": "60", **span}),
        "rest/graph_klines.no_data.200.json": (klines, {"symbol": "BTCTRY", "resolution": "0", **span}),
        "rest/graph_ohlcs.200.json": (f"{graph}/ohlcs", {"pair": "BTCTRY", **span}),
        "errors/orderbook.unknown_pair.400.json": ("orderbook", {"pairSymbol": "NOPEUSDT"}),
        "errors/order.validation.400.json": ("orderbook", {}),
    }  # fmt: skip
    for name, (path, query) in asked.items():
        url = path if path.startswith("http") else f"{playground.api}/api/v2/{path}"
        answer = await playground.http.get(url, params=query)
        assert str(answer.status_code) == name.split(".")[-2], name
        wanted = sample(name)
        assert shape(answer.json()) == shape(wanted), name
        if name.startswith("errors/") or "unknown_pair" in name or "ping" in name:
            assert answer.json() == wanted, name


async def test_frames_that_everybody_gets(playground: Playground) -> None:
    async with playground.feed() as client:
        produced = {
            "100.join": [100, await client.join("ticker", "BTCTRY")],
            "100.duplicate": [100, await client.join("ticker", "BTCTRY")],
            "100.leave": [100, await client.join("ticker", "BTCTRY", join=False)],
            "100.unknown_pair": [100, await client.join("obdiff", "NOPETRY")],
            "114.login_failed": [114, await client.login(publicKey="nobody")],
            "114.login_ok": [114, await client.login()],
        }
        for channel, event in (
            ("ticker", "BTCTRY"), ("ticker", "all"), ("trade", "BTCTRY"), ("tradeview", "BTCTRY_60"),
            ("obdiff", "BTCTRY"), ("orderbook", "SOLTRY"),
        ):  # fmt: skip
            await client.send(151, channel=channel, event=event, join=True)
        await playground.time.pass_by(12 * BATCH)
        frames = await _until(client, "end")
        names = {
            401: "401.ticker_all", 402: "402.ticker_pair", 421: "421.trade_list", 422: "422.trade_single",
            428: "428.kline", 432: "432.obdiff.update",
        }  # fmt: skip
        for frame in frames:
            if frame[0] == 431:
                produced[f"431.{'obdiff_snapshot' if frame[1]['channel'] == 'obdiff' else 'orderbook_full'}"] = frame
            elif frame[0] in names and not (frame[0] == 432 and not (frame[1]["AO"] and frame[1]["BO"])):
                produced[names[frame[0]]] = frame
        for name in (*names.values(), "431.obdiff_snapshot", "431.orderbook_full", *produced):
            assert shape(produced[name]) == shape(sample(f"ws/{name}.json")), name
        for level in (produced["421.trade_list"][1]["items"][0], produced["422.trade_single"][1]):
            assert decimals(level["A"]) == decimals(level["P"]) == 10


async def test_frames_about_ones_own_orders(playground: Playground) -> None:
    async with playground.feed() as client:
        await client.login()
        ask = (await playground.book("SOLTRY"))["asks"][0]
        buy = await playground.placed("SOLTRY", "buy", "2", "1000")
        await playground.private("DELETE", f"order?id={buy}")
        await playground.time.pass_by(1)
        await playground.placed("SOLTRY", "buy", ask[1], ask[0])
        sell = await playground.placed("SOLTRY", "sell", ask[1], "9000")
        await playground.private("DELETE", f"order?id={sell}")
        await playground.time.pass_by(1)
        bid = (await playground.book("SOLTRY"))["bids"][0]
        body = {
            "quantity": min(ask[1], bid[1], key=float),
            "orderMethod": "market",
            "orderType": "sell",
            "pairSymbol": "SOLTRY",
        }
        answer = await playground.private("POST", "order", json=body | {"newOrderClientId": "B-T1-9"})
        assert answer.status_code == 200, answer.text
        kinds = (451, 452, 441, 423, 451, 452, 441, 423)
        frames = [[kind, body] for kind, body in zip(kinds, await client.frames(*kinds), strict=True)]
    for frame, name in zip(
        frames,
        (
            "451.order_insert.buy", "452.order_delete.untouched", "441.match_sequence", "423.user_trade",
            "451.order_insert.sell", "452.order_delete.partial", "441.market", "423.user_trade",
        ),
        strict=True,
    ):  # fmt: skip
        wanted = sample(f"ws/{name}.json")
        assert shape(frame) == shape(wanted[0] if isinstance(wanted[0], list) else wanted), name
    inserted, deleted, match, trade, _, _, market, sold = (frame[1] for frame in frames)
    assert (inserted["numLeft"], inserted["price"], inserted["denomLeft"]) == ("2", "1000", "2004.8")
    assert [decimals(deleted[name]) for name in ("price", "amount", "numLeft", "denomLeft")] == [16] * 4
    assert [decimals(match[name]) for name in ("price", "amount")] == [10] * 2
    assert (match["method"], market["method"], market["isBid"]) == (0, 1, False)
    assert (trade["amount"], sold["amount"][0]) == (ask[1], "-")
    assert trade["fee"].startswith("-")
    assert sold["fee"].startswith("-")


async def _until(client: Client, mark: str) -> list[Any]:
    """All that came before the answer to a question."""
    await client.send(151, channel="mark", event=mark, join=True)
    frames = []
    while (frame := await client.frame())[0] != 100 or mark not in frame[1]["message"]:
        frames.append(frame)
    return frames
