"""A sandbox that mirrors another one: its books frame by frame, its trades, and fills that are ours alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from btcbot.domain.errors import ConfigurationError, ExitCode
from btcbot.domain.events import Event
from btcbot.domain.money import use_money_context
from btcbot.domain.profiles import Endpoints
from btcbot.sandbox import mirror
from btcbot.sandbox.mirror import MirrorUnreachable
from tests.integration.sandbox.playground import PATIENCE, Playground, playing

BATCH = 0.764
PAIR = "SOLTRY"


def endpoints_of(playground: Playground) -> Endpoints:
    sandbox = playground.sandbox
    http, ws = "http://127.0.0.1:", "ws://127.0.0.1:"
    return Endpoints(
        f"{http}{sandbox.api_port}", f"{http}{sandbox.graph_port}", f"{ws}{sandbox.ws_port}", is_loopback=True
    )


@asynccontextmanager
async def mirroring(real: Playground, directory: Path) -> AsyncIterator[Playground]:
    async with playing(directory, pairs=(PAIR,), mirror=endpoints_of(real), time=real.time) as opened:
        yield opened


@pytest_asyncio.fixture
async def real(tmp_path: Path) -> AsyncIterator[Playground]:
    use_money_context()
    async with playing(tmp_path / "real", pairs=(PAIR, "BTCTRY")) as opened:
        yield opened


async def levels(playground: Playground) -> Any:
    """Whole sides, without the moment at which they were asked for."""
    book = await playground.book(PAIR)
    return book["bids"], book["asks"]


async def passed(real: Playground, seconds: float) -> None:
    """Time passes in steps, and what was sent in each arrives before the next."""
    end = real.time.elapsed + seconds
    while real.time.elapsed < end:
        await real.time.pass_by(min(BATCH / 2, end - real.time.elapsed))
        for _ in range(3):
            await real.public("server/ping")


async def test_the_book_is_the_mirrored_one_frame_by_frame(real: Playground, tmp_path: Path) -> None:
    async with mirroring(real, tmp_path / "mirror") as ours, real.feed() as client:
        rules, same = [
            (await each.public("server/exchangeinfo")).json()["data"]["symbols"][0] for each in (real, ours)
        ]  # fmt: skip
        for name in ("id", "name", "denominatorScale", "numeratorScale", "hasFraction", "filters", "orderMethods"):
            assert same[name] == rules[name]
        await client.join("obdiff", PAIR)
        assert await levels(ours) == await levels(real)
        frames = 0
        for _ in range(25):
            await passed(real, BATCH)
            assert await levels(ours) == await levels(real)
            await client.send(151, channel="mark", event=str(frames), join=True)
            while (await client.frame())[0] != 100:
                frames += 1
        assert frames > 5


async def test_trades_and_candles_are_the_mirrored_ones(real: Playground, tmp_path: Path) -> None:
    async with mirroring(real, tmp_path / "mirror") as ours:
        await passed(real, 45)
        trades, same = [(await each.public("trades", pairSymbol=PAIR)).json()["data"] for each in (real, ours)]
        assert [{**row, "date": 0} for row in same] == [{**row, "date": 0} for row in trades]
        assert all(0 <= row["date"] - theirs["date"] < 1_000 for row, theirs in zip(same, trades, strict=True))
        now = int(real.time.now().timestamp()) // 60 * 60
        span = {"symbol": PAIR, "resolution": "1", "from": str(now - 3 * 3_600), "to": str(now - 1)}
        assert await ours.klines(**span) == await real.klines(**span)
        day = {"symbol": PAIR, "resolution": "60", "from": str(now - 82_800), "to": str(now - 3_601)}
        assert await ours.klines(**day) == await real.klines(**day)


async def test_a_trade_has_the_same_taker_whatever_s_means_over_there(tmp_path: Path) -> None:
    async with (
        playing(tmp_path / "real", pairs=(PAIR,), venue_profile="taker_buy_zero") as real,
        mirroring(real, tmp_path / "mirror") as ours,
    ):
        await passed(real, 7)
        trades, same = [(await each.public("trades", pairSymbol=PAIR)).json()["data"] for each in (real, ours)]
        assert [(row["tid"], row["side"]) for row in same] == [(row["tid"], row["side"]) for row in trades]


async def test_our_fills_are_ours_alone(real: Playground, tmp_path: Path) -> None:
    async with mirroring(real, tmp_path / "mirror") as ours:
        before = await levels(real)
        price, quantity = before[1][0]
        await ours.placed(PAIR, "buy", quantity, price)
        assert (await ours.balances())["SOL"]["balance"] == quantity
        bids, asks = await levels(ours)
        assert asks[0] == before[1][1]
        assert await levels(real) == before
        record = [line["kind"] for line in await real.record()]
        assert not {"order_accepted", "request"} & set(record)
        assert bids == before[0]


async def test_a_mirror_that_hears_nothing_shows_nothing_and_recovers(real: Playground, tmp_path: Path) -> None:
    async with mirroring(real, tmp_path / "mirror") as ours:
        number = await real.fault("silent_feed", None)
        await passed(real, mirror.FRESH_SECONDS_MAX - 1)
        assert (await levels(ours))[0]
        await passed(real, 3)
        assert await levels(ours) == ([], [])
        body = {"quantity": "1000", "orderMethod": "market", "orderType": "buy", "pairSymbol": PAIR}
        assert (await ours.private("POST", "order", json=body)).status_code == 400
        assert (Event.BOOK_GAPPED, {"pair": PAIR, "reason": "its book is no longer current"}) in ours.notes.events
        await real.admin("DELETE", f"faults?id={number}")
        await passed(real, mirror.STALE_SECONDS_MAX)
        await _eventually(real, ours)


@pytest.mark.parametrize("fault", ["sequence_gap", "abrupt_close"])
async def test_a_gap_and_a_broken_connection_are_mended(real: Playground, tmp_path: Path, fault: str) -> None:
    async with mirroring(real, tmp_path / "mirror") as ours:
        await real.fault(fault, 1)
        await passed(real, 12 * BATCH)
        assert ours.notes.names().count(Event.STREAM_LOST) == 1
        reasons = {fields["reason"] for event, fields in ours.notes.events if event is Event.BOOK_GAPPED}
        assert ("a number was left out" in reasons) == (fault == "sequence_gap")
        await _eventually(real, ours)


async def test_a_pair_that_is_halted_over_there_trades_nowhere(
    real: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "RULES_SECONDS", 2.0)
    async with mirroring(real, tmp_path / "mirror") as ours:
        await real.admin("POST", f"halts?pair={PAIR}")
        await passed(real, 4)
        assert await levels(ours) == ([], [])
        await real.admin("DELETE", f"halts?pair={PAIR}")
        await passed(real, 4)
        await _eventually(real, ours)


async def test_a_frozen_channel_is_found_out_by_the_ticker(real: Playground, tmp_path: Path) -> None:
    async with mirroring(real, tmp_path / "mirror") as ours:
        await real.fault("silent_feed", None, channel="obdiff")
        await passed(real, 30)
        assert (Event.BOOK_GAPPED, {"pair": PAIR, "reason": "its book is no longer current"}) in ours.notes.events


async def test_who_cannot_be_mirrored_is_named_at_the_start(real: Playground, tmp_path: Path) -> None:
    nobody = replace(endpoints_of(real), api_url="http://127.0.0.1:9")
    with pytest.raises(MirrorUnreachable, match=r"does not answer: no connection to 127\.0\.0\.1:9") as refused:
        async with playing(tmp_path / "a", pairs=(PAIR,), mirror=nobody):
            pass
    assert refused.value.exit_code is ExitCode.UNREACHABLE
    with pytest.raises(ConfigurationError, match="XRPTRY, which the mirrored exchange does not list"):
        async with playing(tmp_path / "b", pairs=(PAIR, "XRPTRY"), mirror=endpoints_of(real)):
            pass
    other = replace(endpoints_of(real), api_url=endpoints_of(real).graph_url)
    with pytest.raises(MirrorUnreachable, match=r"exchangeinfo answered HTTP 404"):
        async with playing(tmp_path / "c", pairs=(PAIR,), mirror=other):
            pass
    await real.fault("truncated_json", 1, endpoint="exchange_info")
    with pytest.raises(MirrorUnreachable, match="without JSON"):
        async with playing(tmp_path / "d", pairs=(PAIR,), mirror=endpoints_of(real)):
            pass


async def test_an_exchange_that_sends_no_book_is_not_mirrored(
    real: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BOOKS_SECONDS_MAX", 0.2)
    await real.fault("join_unserved", None, channel="obdiff")
    with pytest.raises(MirrorUnreachable, match="sends no book of SOLTRY"):
        async with mirroring(real, tmp_path / "mirror"):
            pass


async def _eventually(real: Playground, ours: Playground) -> None:
    """The mirror shows the real book again, once its connection is back."""
    async with asyncio.timeout(PATIENCE):
        while await levels(ours) != await levels(real) or not (await levels(ours))[0]:
            await passed(real, BATCH)
