"""The conformance check against a sandbox: all is as known under `documented`, and each other profile shows itself."""

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from btcbot.cli.probe import as_document, as_text
from btcbot.domain.conformance import Verdict
from btcbot.domain.errors import ExchangeUnreachable, LockHeld
from btcbot.domain.money import use_money_context
from btcbot.domain.profiles import Role
from btcbot.execution.probing import look_at_account
from btcbot.persistence.sqlite.lock import DatabaseLock
from btcbot.services.identity import identity_of
from btcbot.services.probe import probe
from btcbot.services.probe_report import ProbeReport
from tests.integration.probe.workshop import WISH, Workshop, shown, told, with_a_past, workshop

# What reads can see, and which questions they then find answered otherwise. A difference in shape has no number.
SEEN_IN_PUBLIC = {
    "jumping_sequence": {"E1"},
    "rejoin_unserved": {"E2"},
    "taker_buy_zero": {"E3"},
    "old_shapes": {"", "2", "4.3", "F8"},
}
SEEN_IN_THE_ACCOUNT = {"decimal_comma": {"B5"}, "pages_from_zero": {"B2"}, "old_shapes": {"", "A3"}}


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an account with a past, under `documented`, and what the sandbox knows of it."""

    report: ProbeReport
    with_amounts: ProbeReport
    record: list[dict[str, Any]]
    balance: str
    order_ids: set[str]
    confidential: tuple[str, ...]
    files: set[str]


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Look:
    root = tmp_path_factory.mktemp("probe")

    async def once() -> Look:
        use_money_context()
        async with workshop(root) as shop:
            await with_a_past(shop)
            ground, credentials = shop.playground, shop.profile.common.credentials
            before = len(await ground.record())
            report = await looked(shop)
            record = (await ground.record())[before:]
            with_amounts = await looked(shop, listen_seconds=1, shows_amounts=True)
            key, secret = credentials.key.reveal(), credentials.secret.reveal()
            return Look(
                report,
                with_amounts,
                record,
                (await ground.balances())["TRY"]["balance"],
                {str(line["order_id"]) for line in await ground.record() if "order_id" in line},
                (key, secret, ground.signature(f"{key}3000")),
                {path.suffix for path in (root / "live").iterdir()},
            )

    return asyncio.run(once())


async def looked(shop: Workshop, **changes: object) -> ProbeReport:
    wish = replace(WISH, **changes)  # type: ignore[arg-type]
    return await probe(shop.profile.common, wish, shop.runtime, shop.playground.notes, "test")


def test_everything_is_as_known(look: Look) -> None:
    assert told(look.report, Verdict.DIFFERS) == told(look.report, Verdict.NOT_ASKED) == [], shown(look.report)
    assert look.report.is_as_known


def test_nothing_is_changed_and_nobody_is_refused(look: Look) -> None:
    requests = [line for line in look.record if line["kind"] == "request"]
    assert {(line["method"], line["key"]) for line in requests} == {("GET", "live")}
    assert {line["status"] for line in look.record if line["kind"] == "answer"} == {200, 400}
    assert look.files == {".lock"}


def test_the_report_can_be_shown_to_anybody(look: Look) -> None:
    for text in (as_text(look.report), as_document(look.report)):
        assert not [word for word in (*look.confidential, look.balance, *look.order_ids) if word in text]
    assert look.balance in as_text(look.with_amounts)


def test_the_report_is_a_document_as_well(look: Look) -> None:
    document = json.loads(as_document(look.report))
    assert (document["as_known"], document["role"], document["pair"]) == (True, Role.LIVE, WISH.pair)
    assert {finding["verdict"] for section in document["sections"] for finding in section["findings"]} <= {*Verdict}


@pytest.mark.parametrize("venue_profile", SEEN_IN_PUBLIC)
async def test_another_answer_in_public_is_told_with_its_number(tmp_path: Path, venue_profile: str) -> None:
    async with workshop(tmp_path, venue_profile) as shop:
        report = await looked(shop, is_public_only=True)
    assert {finding.question for finding in told(report, Verdict.DIFFERS)} == SEEN_IN_PUBLIC[venue_profile], shown(
        report
    )
    assert not report.is_as_known


@pytest.mark.parametrize("venue_profile", SEEN_IN_THE_ACCOUNT)
async def test_another_answer_of_the_account_is_told_with_its_number(tmp_path: Path, venue_profile: str) -> None:
    async with workshop(tmp_path, venue_profile) as shop:
        await with_a_past(shop)
        runtime, notes = shop.runtime, shop.playground.notes
        findings = await look_at_account(
            shop.profile.common, WISH.pair, runtime.clock, runtime.sleeper, notes, shows_amounts=False
        )
    others = {finding.question for finding in findings if finding.verdict is Verdict.DIFFERS}
    assert others == SEEN_IN_THE_ACCOUNT[venue_profile], findings


async def test_stamps_rise_strictly_and_a_past_that_is_missing_is_not_seen(tmp_path: Path) -> None:
    async with workshop(tmp_path, "strict_stamps") as shop:
        report = await looked(shop)
    assert {"A3", "B2", "B4", "5.4"} <= {finding.question for finding in told(report, Verdict.NOT_SEEN)}
    assert told(report, Verdict.DIFFERS) == told(report, Verdict.NOT_ASKED) == [], shown(report)


async def test_the_public_part_needs_neither_key_nor_lock(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        report = await looked(shop, is_public_only=True, listen_seconds=1)
        lines = await shop.playground.record()
    assert [section.title for section in report.sections] == ["REST, public", "WebSocket, public"]
    assert not [line for line in lines if line["kind"] == "request"]
    assert not any((tmp_path / "live").iterdir())


async def test_it_does_not_run_beside_the_worker_of_its_role(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        common = shop.profile.common
        lock = DatabaseLock.take(common.state_db_path, identity_of(common, shop.runtime, "test"))
        try:
            with pytest.raises(LockHeld):
                await looked(shop)
        finally:
            lock.release()


async def test_a_key_that_is_refused_is_not_tried_again(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        await shop.playground.fault("unauthorized", None, key="live")
        report = await looked(shop, listen_seconds=1)
        lines = await shop.playground.record()
    assert "the rest of the private reads" in {finding.what for finding in told(report, Verdict.NOT_ASKED)}
    assert len([line for line in lines if line["kind"] == "request"]) <= 3


async def test_nobody_there_is_said_at_once(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        nowhere = replace(shop.profile.common.endpoints, api_url="http://127.0.0.1:9")
        common = replace(shop.profile.common, endpoints=nowhere)
        with pytest.raises(ExchangeUnreachable):
            await probe(common, WISH, shop.runtime, shop.playground.notes, "test")
