"""What venue profiles change about the feed: each answer to an open question shows on the wire."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sandbox.playground import Client, Playground, playing

BATCH = 0.764


@asynccontextmanager
async def behaving(tmp_path: Path, profile: str) -> AsyncIterator[Playground]:
    async with playing(tmp_path / profile, venue_profile=profile, pairs=("SOLTRY",)) as playground:
        yield playground


async def said(client: Client) -> list[Any]:
    """Everything that was on its way."""
    await client.send(151, channel="mark", event=str(client.playground.time.elapsed), join=True)
    frames = []
    while (frame := await client.frame())[0] != 100:
        frames.append(frame)
    return frames


def applied(book: dict[str, str], entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        if entry["CP"] == 3:
            book.pop(entry["P"], None)
        else:
            book[entry["P"]] = entry["A"]


@pytest.mark.parametrize(("profile", "is_by_one"), [("documented", True), ("jumping_sequence", False)])
async def test_numbers_go_by_one_or_jump_and_nothing_is_missing(tmp_path: Path, profile: str, is_by_one: bool) -> None:
    async with behaving(tmp_path, profile) as playground, playground.feed() as client:
        await client.join("obdiff", "SOLTRY")
        (full,) = await client.frames(431)
        bids, numbers = {level["P"]: level["A"] for level in full["BO"]}, [full["CS"]]
        await playground.time.pass_by(40 * BATCH)
        for _, body in await said(client):
            numbers.append(body["CS"])
            applied(bids, body["BO"])
        steps = [later - earlier for earlier, later in itertools.pairwise(numbers)]
        assert len(steps) > 3
        assert min(steps) > 0
        assert (set(steps) == {1}) == is_by_one
        assert dict((await playground.book("SOLTRY"))["bids"]) == bids


@pytest.mark.parametrize(("profile", "is_served"), [("documented", True), ("rejoin_unserved", False)])
async def test_a_rejoin_brings_a_fresh_book_or_silence(tmp_path: Path, profile: str, is_served: bool) -> None:
    async with behaving(tmp_path, profile) as playground:
        async with playground.feed() as client:
            await client.join("obdiff", "SOLTRY")
            (first,) = await client.frames(431)
            assert (await client.join("obdiff", "SOLTRY", join=False))["ok"]
            await playground.time.pass_by(10 * BATCH)
            assert (await client.join("obdiff", "SOLTRY"))["ok"]
            await playground.time.pass_by(10 * BATCH)
            kinds = {kind for kind, _ in await said(client)}
            assert kinds == ({431, 432} if is_served else set())
        async with playground.feed() as client:
            await client.join("obdiff", "SOLTRY")
            assert (await client.frames(431))[0]["CS"] == first["CS"]


@pytest.mark.parametrize(("profile", "one"), [("documented", "buy"), ("taker_buy_zero", "sell")])
async def test_what_s_means_is_a_matter_of_the_profile(tmp_path: Path, profile: str, one: str) -> None:
    async with behaving(tmp_path, profile) as playground, playground.feed() as client:
        await client.join("trade", "SOLTRY")
        (tape,) = await client.frames(421)
        await playground.time.pass_by(13)
        items = [*tape["items"], *(body for _, body in await said(client))]
        sides = {
            row["tid"]: row["side"] for row in (await playground.public("trades", pairSymbol="SOLTRY")).json()["data"]
        }
        seen = [(sides[item["I"]], item["S"]) for item in items if item["I"] in sides]
        assert len(seen) >= 50
        assert all((side == one) == (number == 1) for side, number in seen)


async def test_a_short_login_window_and_one_login_for_a_key(tmp_path: Path) -> None:
    refused = {"type": 114, "ok": False, "id": 0, "message": "Unauthorized - Invalid Request"}
    async with behaving(tmp_path, "short_login_window") as playground:
        async with playground.feed() as first, playground.feed() as second:
            assert await first.login(nonce=15_000) == refused
            assert (await first.login(nonce=10_000))["ok"]
            assert (await first.login())["ok"]
            assert await second.login() == refused
            assert (await second.login("monitor"))["ok"]
        async with playground.feed() as third:
            assert (await third.login())["ok"]


async def test_a_long_login_window_and_many_logins_for_a_key(playground: Playground) -> None:
    async with playground.feed() as first, playground.feed() as second:
        assert (await first.login(nonce=15_000))["ok"]
        assert (await second.login())["ok"]


@pytest.mark.parametrize(
    ("profile", "kinds"),
    [
        ("documented", [441, 423, 451, 452]),
        ("delete_after_fill", [441, 423, 452, 451, 452]),
        ("no_private_frames", []),
    ],
)
async def test_which_private_frames_come(tmp_path: Path, profile: str, kinds: list[int]) -> None:
    async with behaving(tmp_path, profile) as playground, playground.feed() as client:
        await client.login()
        ask = (await playground.book("SOLTRY"))["asks"][0]
        filled = await playground.placed("SOLTRY", "buy", ask[1], ask[0])
        resting = await playground.placed("SOLTRY", "buy", "2", "600")
        await playground.private("DELETE", f"order?id={resting}")
        await playground.time.pass_by(1)
        frames = await said(client)
        assert [kind for kind, _ in frames] == kinds
        deleted = {body["id"]: body["numLeft"] for kind, body in frames if kind == 452}
        if profile == "delete_after_fill":
            assert deleted[filled] == "0.0000000000000000"


@pytest.mark.parametrize(("profile", "is_old"), [("documented", False), ("old_shapes", True)])
async def test_old_shapes_of_public_answers(tmp_path: Path, profile: str, is_old: bool) -> None:
    async with behaving(tmp_path, profile) as playground:
        assert ("extensions" in (await playground.public("server/exchangeinfo")).json()) != is_old
        book = (await playground.public("orderbook", pairSymbol="SOLTRY")).text
        now_ms = int(playground.time.now().timestamp() * 1_000)
        assert (f'"timestamp":{now_ms}.0,' in book) == is_old
        assert ('"code":0}' in book) == is_old
        quiet = await playground.klines(symbol="SOLTRY", resolution="1", **{"from": "1", "to": "2"})
        assert quiet == {"s": "ok" if is_old else "no_data", "t": [], "h": [], "o": [], "l": [], "c": [], "v": []}
