"""A sandbox for clients that have the real time: it runs in a thread of its own, and its clock can be put forward."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from btcbot.domain.events import Event
from btcbot.domain.money import parse, use_money_context
from btcbot.domain.profiles import ClockProfile, SandboxProfile
from btcbot.sandbox.keys import init_directory
from btcbot.sandbox.server import Sandbox, open_sandbox
from btcbot.services.runtime import LoopSleeper

PAIRS = ("BTCTRY", "SOLTRY", "SOLUSDT")
PATIENCE = 20.0
FROM, UNTIL = -4.4, 3.6  # seconds: a stamp may be 5 off either way, and one of the clients cuts its to whole seconds


class ClockPutForward:
    """Begins behind the clients' clock and may be put forward until it is ahead of it: nobody has to wait."""

    def __init__(self) -> None:
        self._shift = FROM

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._shift)

    def monotonic(self) -> float:
        return time.monotonic() + self._shift

    def skip(self, seconds: float) -> None:
        assert self._shift + seconds <= UNTIL, "the clients' stamps would be too old"
        self._shift += seconds


class Deaf:
    def observed(self, event: Event, **fields: object) -> None:
        pass


@dataclass
class ForeignExchange:
    clock: ClockPutForward
    sandbox: Sandbox
    directory: Path
    http: httpx.Client

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox.api_port}"

    @property
    def graph_url(self) -> str:
        return f"http://127.0.0.1:{self.sandbox.graph_port}"

    def credentials(self, role: str = "live") -> dict[str, str]:
        return {name: (self.directory / f"{role}.{name}").read_text().strip() for name in ("key", "secret")}

    def skip(self, seconds: float) -> None:
        """As if so much time had gone by."""
        self.clock.skip(seconds)

    def admin(self, method: str, path: str, **more: Any) -> Any:
        return self.http.request(method, f"http://127.0.0.1:{self.sandbox.admin_port}/{path}", **more).json()

    def fault(self, name: str, **match: str) -> None:
        """Once."""
        self.admin("POST", "faults", json={"fault": name, "count": 1, "match": match})

    def requests(self) -> list[dict[str, Any]]:
        """Every private request that came in, as the exchange saw it."""
        lines = self.admin("GET", "record", params={"limit": "10000"})
        return [line for line in lines if line["kind"] == "request"]

    def public(self, path: str, **query: str) -> Any:
        return self.http.get(f"{self.api_url}/api/v2/{path}", params=query).json()["data"]

    def far_bid(self, pair: str = "SOLTRY") -> float:
        """A price to bid at that nobody meets."""
        return float(round(Decimal(self.public("orderbook", pairSymbol=pair)["bids"][-1][0]) * Decimal("0.8")))

    def crossing_bid(self, pair: str = "SOLTRY") -> float:
        """A price to bid at that takes, also when the market moves (in real time) before the order is there."""
        return float(self.public("orderbook", pairSymbol=pair)["asks"][9][0])


@contextmanager
def foreign_exchange(directory: Path, venue_profile: str = "documented") -> Iterator[ForeignExchange]:
    clock = ClockPutForward()
    init_directory(directory, clock.now(), random.Random(0).randbytes)
    opened: Future[tuple[Sandbox, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        use_money_context()
        stop = asyncio.Event()
        async with open_sandbox(_profile(directory, venue_profile), clock, LoopSleeper(), Deaf()) as sandbox:
            opened.set_result((sandbox, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    thread = threading.Thread(target=run, name="foreign-exchange")
    thread.start()
    sandbox, loop, stop = opened.result(PATIENCE)
    try:
        with httpx.Client(trust_env=False, timeout=PATIENCE) as http:
            yield ForeignExchange(clock, sandbox, directory, http)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)
        assert not thread.is_alive()


def _profile(directory: Path, venue_profile: str) -> SandboxProfile:
    return SandboxProfile(
        directory=directory,
        source=None,
        seed=1,
        speed=parse("1"),
        pairs=PAIRS,
        clock=ClockProfile(parse("1"), None),
        api_port=0,
        graph_port=0,
        ws_port=0,
        admin_port=0,
        log_level="INFO",
        venue_profile=venue_profile,
    )
