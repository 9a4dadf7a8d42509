"""A sandbox in this process under a venue profile, and what a probe of it needs: settings, keys, passing time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from btcbot.domain.conformance import Finding, Verdict
from btcbot.domain.profiles import ClockProfile, Credentials, Endpoints, LiveProfile
from btcbot.domain.secrets import Secret
from btcbot.services.probe import ProbeWish
from btcbot.services.probe_report import ProbeReport
from btcbot.services.runtime import Runtime
from tests.integration.sandbox.playground import PAIRS, Playground, playing
from tests.integration.time_passing import REAL_SECONDS, time_passing
from tests.unit.services.world import live_profile

PAIR = PAIRS[0]
EARLY = datetime(2026, 11, 2, 0, 3, tzinfo=UTC)  # a day that has just begun is quickly summed up
WISH = ProbeWish(PAIR, listen_seconds=6)


class CountingIds:
    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"{self._count:032x}"


@dataclass
class Workshop:
    playground: Playground
    runtime: Runtime
    profile: LiveProfile  # its common part serves a monitor as well


@asynccontextmanager
async def workshop(
    root: Path, venue_profile: str = "documented", *, real_seconds: float = REAL_SECONDS
) -> AsyncIterator[Workshop]:
    """Time passes by itself in here: a tenth of a second in `real_seconds`."""
    for name in ("sandbox", "live", "run"):
        (root / name).mkdir(mode=0o700)
    async with (
        playing(root / "sandbox", venue_profile=venue_profile, start=EARLY) as playground,
        time_passing(playground.time, real_seconds=real_seconds),
    ):
        sandbox = playground.sandbox
        endpoints = Endpoints(
            playground.api, f"http://127.0.0.1:{sandbox.graph_port}", f"ws://127.0.0.1:{sandbox.ws_port}",
            is_loopback=True,
        )  # fmt: skip
        key, secret = ((root / "sandbox" / f"live.{part}").read_text().strip() for part in ("key", "secret"))
        common = {
            "endpoints": endpoints, "credentials": Credentials(Secret(key), Secret(secret)), "pairs": PAIRS,
            "state_db_path": root / "live" / "live.db", "peer_state_db_path": root / "monitor.db",
            "run_dir": root / "run", "clock": ClockProfile(Decimal(1), None), "candle_interval": timedelta(minutes=1),
        }  # fmt: skip
        profile = live_profile(root, common, acknowledged_host=playground.api.removeprefix("http://"))
        runtime = Runtime(playground.time, playground.time, CountingIds(), "0" * 32)
        yield Workshop(playground, runtime, profile)


def told(report: ProbeReport, verdict: Verdict) -> list[Finding]:
    return [finding for section in report.sections for finding in section.findings if finding.verdict is verdict]


def shown(report: ProbeReport) -> str:
    return "\n".join(
        f"{finding.verdict} | {finding.what} | {finding.detail} | {finding.question}"
        for section in report.sections
        for finding in section.findings
    )


async def with_a_past(shop: Workshop) -> None:
    """An account that has traded, has canceled, and has an order resting."""
    ground = shop.playground
    book = await ground.book(PAIR)
    bid, ask = int(book["bids"][0][0]), int(book["asks"][0][0])
    await ground.placed(PAIR, "buy", "0.001", str(ask + ask // 100))
    await ground.placed(PAIR, "buy", "0.001", str(bid * 4 // 5))
    gone = await ground.placed(PAIR, "buy", "0.001", str(bid * 4 // 5 + 1))
    await ground.private("DELETE", "order", params={"id": str(gone)})
    await past(shop, 6)


async def past(shop: Workshop, seconds: float) -> None:
    """Wait until so much time of the sandbox has gone by."""
    until = shop.playground.time.elapsed + seconds
    while shop.playground.time.elapsed < until:
        await asyncio.sleep(REAL_SECONDS)
