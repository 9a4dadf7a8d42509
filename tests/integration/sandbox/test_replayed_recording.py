"""A recording of the feed, played by a sandbox: the same books again, re-dated, with our orders among them."""

import gzip
import json
from pathlib import Path
from typing import Any

from btcbot.domain.events import Event
from tests.integration.sandbox.playground import Playground, playing

BATCH = 0.764
PAIRS = ("SOLTRY", "BTCTRY")


async def recorded(playground: Playground, path: Path, batches: int) -> list[dict[str, Any]]:
    """Write down what a feed says, as `btcbot record` does; the whole books over REST after each batch."""
    symbols = (await playground.public("server/exchangeinfo")).json()["data"]["symbols"]
    started = playground.time.now().isoformat()
    lines: list[dict[str, Any]] = [
        {"v": 1, "kind": "header", "started_at": started, "pairs": PAIRS, "exchange_info": {"symbols": symbols}}
    ]
    books = []
    async with playground.feed() as client:
        for channel in ("obdiff", "trade"):
            for pair in PAIRS:
                await client.send(151, channel=channel, event=pair, join=True)
        for batch in range(batches):
            at_ms = int(playground.time.now().timestamp() * 1_000)
            await client.send(151, channel="mark", event=str(batch), join=True)
            while (frame := await client.frame())[1].get("message") != f"join|mark:{batch}":
                lines.append({"at": at_ms, "kind": "frame", "frame": frame})
            books.append({pair: await playground.book(pair) for pair in PAIRS})
            await playground.time.pass_by(BATCH)
    ended_ms = int(playground.time.now().timestamp() * 1_000) + 60_000
    lines.append({"at": ended_ms, "kind": "gap", "reason": "the end"})
    with gzip.open(path, "wt") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in lines)
    return books


async def test_the_books_are_the_recorded_ones_at_every_frame(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    async with playing(tmp_path / "first", pairs=PAIRS) as first:
        books = await recorded(first, recordings / "btcturk-20261102T12.jsonl.gz", 40)
        real = (await first.public("trades", pairSymbol="SOLTRY")).json()["data"]
    async with playing(tmp_path / "again", pairs=PAIRS, source=recordings) as again, again.feed() as client:
        kept: dict[str, dict[str, dict[str, str]]] = {pair: {"BO": {}, "AO": {}} for pair in PAIRS}
        for pair in PAIRS:
            await client.send(151, channel="obdiff", event=pair, join=True)
        for number, book in enumerate(books):
            await client.send(151, channel="mark", event=str(number), join=True)
            while (frame := await client.frame())[1].get("message") != f"join|mark:{number}":
                if frame[0] in (431, 432):
                    _apply(kept[frame[1]["PS"]], frame)
            for pair in PAIRS:
                sides = (dict(book[pair]["bids"]), dict(book[pair]["asks"]))
                assert (kept[pair]["BO"], kept[pair]["AO"]) == sides, number
                shown = await again.book(pair)
                assert (dict(shown["bids"]), dict(shown["asks"])) == sides, number
            await again.time.pass_by(BATCH)
        trades = (await again.public("trades", pairSymbol="SOLTRY")).json()["data"]
        takers = {row["tid"]: row["side"] for row in real}
        known = [row for row in trades if row["tid"] in takers]
        assert len(known) >= 45
        assert all(takers[row["tid"]] == row["side"] for row in known)
        await again.time.pass_by(120)
        assert Event.SANDBOX_SOURCE_ENDED in again.notes.names()
        assert (await again.book("SOLTRY"))["bids"] == []


async def test_what_we_took_stays_taken_and_no_print_is_met_twice(tmp_path: Path) -> None:
    path = tmp_path / "btcturk-20261102T12.jsonl.gz"
    async with playing(tmp_path / "first", pairs=PAIRS) as first:
        await recorded(first, path, 20)
    async with playing(tmp_path / "again", pairs=PAIRS, source=path) as again:
        await again.time.pass_by(BATCH)
        before = (await again.book("SOLTRY"))["asks"]
        await again.placed("SOLTRY", "buy", before[0][1], before[0][0])
        await again.time.pass_by(BATCH)
        after = dict((await again.book("SOLTRY"))["asks"])
        assert before[0][0] not in after
        bid = (await again.book("SOLTRY"))["bids"][5][0]
        resting = await again.placed("SOLTRY", "buy", "1", bid)
        elapsed, filled = again.time.elapsed, (await again.balances())["SOL"]["balance"]
    later = again.time.start.fromtimestamp(again.time.start.timestamp() + elapsed, again.time.start.tzinfo)
    async with playing(tmp_path / "again", pairs=PAIRS, source=path, start=later) as restarted:
        await restarted.time.pass_by(BATCH)
        (order,) = (await restarted.private("GET", "openOrders?pairSymbol=SOLTRY")).json()["data"]["bids"]
        assert (order["id"], order["leftAmount"]) == (resting, "1")
        assert (await restarted.balances())["SOL"]["balance"] == filled


def _apply(book: dict[str, dict[str, str]], frame: list[Any]) -> None:
    for name, side in book.items():
        if frame[0] == 431:
            side.clear()
        for entry in frame[1][name]:
            if entry.get("CP") == 3:
                del side[entry["P"]]
            else:
                side[entry["P"]] = entry["A"]
