"""One far limit order and its cancel, by live's own path, against a sandbox that behaves and one that does not."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from btcbot.domain.conformance import Finding, Verdict
from btcbot.domain.errors import LockHeld
from btcbot.domain.money import use_money_context
from btcbot.domain.profiles import CommonProfile
from btcbot.services.halting import write_halt_file
from btcbot.services.live import taken_lock
from btcbot.services.probe import ProbeWish
from btcbot.services.probe_live import ORDER, probe_and_place
from btcbot.services.probe_report import ProbeReport
from btcbot.services.runtime import Runtime
from tests.integration.probe.workshop import WISH, Workshop, workshop

SLOWLY = 0.005  # data must not go stale while the disk syncs


@pytest.fixture(autouse=True)
def _money() -> None:
    use_money_context()


@pytest.fixture(autouse=True)
def _without_a_look(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The look before the order is another test's, but for one that goes all the way."""

    async def looked(common: CommonProfile, wish: ProbeWish, runtime: Runtime, *_: object) -> ProbeReport:
        now = runtime.clock.now()
        return ProbeReport(common.endpoints.api_url, common.role, wish.pair, "test", now, now, ())

    if "all_the_way" not in request.fixturenames:
        monkeypatch.setattr("btcbot.services.probe_live.looked", looked)


@pytest.fixture
def all_the_way() -> None:
    """For the test that looks before it places."""


async def placed(shop: Workshop) -> dict[str, Finding]:
    """The findings of the part that places, by what they are about; the last of each."""
    wish = replace(WISH, listen_seconds=1)
    report = await probe_and_place(shop.profile, wish, shop.runtime, shop.playground.notes, "test")
    return of_order(report)


def of_order(report: ProbeReport) -> dict[str, Finding]:
    (section,) = (section for section in report.sections if section.title == ORDER)
    return {finding.what: finding for finding in section.findings}


async def requests(shop: Workshop, method: str) -> list[dict[str, Any]]:
    return [line for line in await shop.playground.record() if line["kind"] == "request" and line["method"] == method]


def orders_in_the_journal(shop: Workshop) -> list[tuple[str, int]]:
    """State, and whether the exchange's number is missing."""
    with closing(sqlite3.connect(shop.profile.common.state_db_path)) as database:
        return database.execute("SELECT state, exchange_order_id IS NULL FROM order_heads").fetchall()


@pytest.mark.usefixtures("all_the_way")
async def test_a_far_order_is_placed_seen_canceled_and_proven_gone(tmp_path: Path) -> None:
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        found = await placed(shop)
        assert {finding.verdict for finding in found.values()} == {Verdict.AS_KNOWN}, found
        assert {"far order", "listed in open orders", "held in balances", "rate in frame 451", "cancel"} <= found.keys()
        assert found["our records and the exchange's"].detail == "nothing is open"
        assert len(await requests(shop, "POST")) == len(await requests(shop, "DELETE")) == 1
        assert (await shop.playground.private("GET", "openOrders")).json()["data"] == {"asks": [], "bids": []}
    assert orders_in_the_journal(shop) == [("canceled", 0)]


async def test_an_order_that_was_accepted_in_silence_is_found_and_never_sent_again(tmp_path: Path) -> None:
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        shop.profile = replace(shop.profile, submit_timeout=shop.profile.submit_timeout / 100)
        await shop.playground.fault("drop_answer_after_accept", 1, endpoint="submit")
        found = await placed(shop)
        assert len(await requests(shop, "POST")) == 1
        assert found["far order"].verdict is Verdict.DIFFERS
        assert found["far order"].question == "A2"
        assert found["far order, looked up"].detail.startswith("it is there after all")
        assert found["cancel"].verdict is Verdict.AS_KNOWN
        assert (await shop.playground.private("GET", "openOrders")).json()["data"] == {"asks": [], "bids": []}
    assert orders_in_the_journal(shop) == [("canceled", 0)]


async def test_an_order_that_never_turns_up_stays_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("btcbot.services.probe_order.FOLLOW_SECONDS_MAX", 10.0)
    monkeypatch.setattr("btcbot.services.probe_order.RECONCILIATIONS_MAX", 2)
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        shop.profile = replace(shop.profile, submit_timeout=shop.profile.submit_timeout / 100)
        await shop.playground.fault("html_everywhere", 1, endpoint="submit")
        found = await placed(shop)
        assert len(await requests(shop, "POST")) == 1
        assert await requests(shop, "DELETE") == []
        assert found["far order, looked up"].verdict is Verdict.NOT_SEEN
        assert found["our records and the exchange's"].verdict is Verdict.DIFFERS
    assert orders_in_the_journal(shop) == [("unknown", 1)]


async def test_an_order_that_fills_is_booked_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("btcbot.services.probe_order.FAR_RATIO", Decimal("1.01"))
    monkeypatch.setattr("btcbot.services.probe_order.CAREFUL_RATIO", Decimal("1.2"))
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        found = await placed(shop)
        assert found["far order"].verdict is Verdict.DIFFERS
        assert "filled" in found["far order"].detail
        assert found["our records and the exchange's"].verdict is Verdict.AS_KNOWN
        assert len(await requests(shop, "POST")) == 1
    assert orders_in_the_journal(shop) == [("filled", 0)]


async def test_a_cancel_that_is_lost_is_asked_for_again(tmp_path: Path) -> None:
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        await shop.playground.fault("cancel_lost", 1)
        found = await placed(shop)
        assert found["cancel"].detail.endswith("asked 2 times")
        assert found["cancel"].verdict is Verdict.AS_KNOWN
    assert orders_in_the_journal(shop) == [("canceled", 0)]


async def test_while_live_runs_nothing_is_asked(tmp_path: Path) -> None:
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        with taken_lock(shop.profile, shop.runtime, shop.playground.notes, "test"), pytest.raises(LockHeld):
            await placed(shop)
        assert await requests(shop, "GET") == []


async def test_while_trading_is_halted_nothing_is_placed(tmp_path: Path) -> None:
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        write_halt_file(shop.profile.common.run_dir, "a person looks")
        found = await placed(shop)
        assert found["far order"].verdict is Verdict.NOT_ASKED
        assert "a person looks" in found["far order"].detail
        assert await requests(shop, "POST") == []


async def test_what_the_gate_refuses_is_told_and_not_placed(tmp_path: Path) -> None:
    async with workshop(tmp_path, real_seconds=SLOWLY) as shop:
        limits = replace(shop.profile.limits, spread_ratio_max=shop.profile.limits.spread_ratio_max / 10**6)
        shop.profile = replace(shop.profile, limits=limits)
        found = await placed(shop)
        assert found["gate"].verdict is Verdict.NOT_ASKED
        assert "spread_above_max" in found["gate"].detail
        assert await requests(shop, "POST") == []
