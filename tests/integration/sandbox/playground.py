"""A sandbox on free ports whose time moves only when the test says so, and a client that signs for itself."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from websockets.asyncio.client import ClientConnection, connect

from btcbot.domain.events import Event
from btcbot.domain.money import parse
from btcbot.domain.profiles import ClockProfile, Endpoints, SandboxProfile
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.keys import init_directory
from btcbot.sandbox.server import Sandbox, open_sandbox

START = datetime(2026, 11, 2, 12, 0, 30, tzinfo=UTC)
PAIRS = ("BTCTRY", "SOLTRY")
PATIENCE = 30  # real seconds that a test waits for what must come


class ManualTime:
    """Clock and sleeper in one."""

    def __init__(self, start: datetime = START) -> None:
        self.start = start
        self.elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=round(self.elapsed, 6))

    def monotonic(self) -> float:
        return self.elapsed

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.elapsed + max(seconds, 0), self._count, future))
        await future

    async def pass_by(self, seconds: float) -> None:
        """Wake everybody who is due, in order, and let each act before the next."""
        end = self.elapsed + seconds
        while (due := min(self._sleepers, default=None)) is not None and due[0] <= end:
            self._sleepers.remove(due)
            self.elapsed = max(self.elapsed, due[0])
            if not due[2].done():
                due[2].set_result(None)
            for _ in range(3):
                await asyncio.sleep(0)
        self.elapsed = end


@dataclass
class Notes:
    """An observer that remembers."""

    events: list[tuple[Event, dict[str, object]]] = field(default_factory=list)

    def observed(self, event: Event, **fields: object) -> None:
        self.events.append((event, fields))

    def names(self) -> list[Event]:
        return [event for event, _ in self.events]


@dataclass
class Playground:
    time: ManualTime
    notes: Notes
    sandbox: Sandbox
    directory: Path
    http: httpx.AsyncClient

    # ------------------------------------------------------------------------------------------- private calls

    def headers(self, role: str = "live", *, skew_ms: int = 0) -> dict[str, str]:
        """`role` is the name of a key's files: live, monitor, or accounts/NAME for one that was made later."""
        public = (self.directory / f"{role}.key").read_text().strip()
        stamp = str(int(self.time.now().timestamp() * 1000) + skew_ms)
        return {"X-PCK": public, "X-Stamp": stamp, "X-Signature": self.signature(public + stamp, role)}

    def signature(self, message: str, role: str = "live") -> str:
        secret = base64.b64decode((self.directory / f"{role}.secret").read_text().strip())
        return base64.b64encode(hmac.new(secret, message.encode(), hashlib.sha256).digest()).decode()

    async def private(self, method: str, path: str, role: str = "live", **more: Any) -> httpx.Response:
        return await self.http.request(method, f"{self.api}/api/v1/{path}", headers=self.headers(role), **more)

    async def submit(self, pair: str, side: str, quantity: str, price: str, label: str = "B-T1-1") -> httpx.Response:
        body = {
            "quantity": quantity, "price": price, "newOrderClientId": label, "orderMethod": "limit", "orderType": side,
            "pairSymbol": pair,
        }  # fmt: skip
        return await self.private("POST", "order", json=body)

    async def placed(self, pair: str, side: str, quantity: str, price: str) -> int:
        answer = await self.submit(pair, side, quantity, price)
        assert answer.status_code == 200, answer.text
        order_id: int = answer.json()["data"]["id"]
        return order_id

    async def balances(self) -> dict[str, dict[str, Any]]:
        return {row["asset"]: row for row in (await self.private("GET", "users/balances")).json()["data"]}

    # ------------------------------------------------------------------------------------------- public calls

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.sandbox.api_port}"

    async def public(self, path: str, **query: str) -> httpx.Response:
        return await self.http.get(f"{self.api}/api/v2/{path}", params=query)

    async def klines(self, **query: str) -> Any:
        url = f"http://127.0.0.1:{self.sandbox.graph_port}/v1/klines/history"
        return (await self.http.get(url, params=query)).json()

    async def book(self, pair: str) -> Any:
        return (await self.public("orderbook", pairSymbol=pair)).json()["data"]

    # ------------------------------------------------------------------------------------------- admin

    async def admin(self, method: str, path: str, **more: Any) -> Any:
        return (await self.http.request(method, f"http://127.0.0.1:{self.sandbox.admin_port}/{path}", **more)).json()

    async def fault(self, name: str, count: int | None = 1, **match: str) -> int:
        document = await self.admin("POST", "faults", json={"fault": name, "count": count, "match": match})
        number: int = document["id"]
        return number

    async def record(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = await self.admin("GET", "record")
        return lines

    # ------------------------------------------------------------------------------------------- feed

    @asynccontextmanager
    async def feed(self) -> AsyncIterator["Client"]:
        url = f"ws://127.0.0.1:{self.sandbox.ws_port}"
        async with connect(url, compression=None, ping_interval=None, max_queue=None) as socket:
            client = Client(socket, self)
            assert await client.frame() == [991, {"type": 991, "current": "6.0.0", "min": "2.3.0"}]
            yield client


@dataclass
class Client:
    socket: ClientConnection
    playground: Playground

    async def send(self, kind: int, **body: object) -> None:
        await self.socket.send(json.dumps([kind, {"type": kind, **body}]))

    async def frame(self) -> list[Any]:
        async with asyncio.timeout(PATIENCE):
            return list(json.loads(await self.socket.recv()))

    async def frames(self, *kinds: int) -> list[Any]:
        """The next frames; they must be of these kinds, in this order."""
        frames = [await self.frame() for _ in kinds]
        assert [frame[0] for frame in frames] == list(kinds), frames
        return [frame[1] for frame in frames]

    async def join(self, channel: str, event: str, *, join: bool = True) -> Any:
        await self.send(151, channel=channel, event=event, join=join)
        (answer,) = await self.frames(100)
        return answer

    async def login(self, role: str = "live", nonce: int = 3000, **changes: object) -> Any:
        public = (self.playground.directory / f"{role}.key").read_text().strip()
        body = {
            "publicKey": public,
            "timestamp": int(self.playground.time.now().timestamp() * 1000),
            "nonce": nonce,
            "signature": self.playground.signature(f"{public}{nonce}", role),
        }
        await self.send(114, **(body | changes))
        (answer,) = await self.frames(114)
        return answer

    async def is_quiet(self) -> bool:
        """Nothing is on its way: an answer to a new question comes first."""
        return (await self.join("quiet", f"Q{self.playground.time.elapsed}"))["ok"] is True


def profile_of(
    directory: Path,
    *,
    pairs: Sequence[str] = PAIRS,
    source: Path | None = None,
    venue_profile: str = "documented",
    mirror: Endpoints | None = None,
    scenario: Path | None = None,
    speed: int = 1,
) -> SandboxProfile:
    """Any free ports."""
    return SandboxProfile(
        directory=directory,
        source=source,
        seed=1,
        speed=Decimal(speed),
        pairs=tuple(pairs),
        clock=ClockProfile(parse("1"), None),
        api_port=0,
        graph_port=0,
        ws_port=0,
        admin_port=0,
        log_level="INFO",
        venue_profile=venue_profile,
        mirror=mirror,
        scenario=scenario,
    )


@asynccontextmanager
async def playing(
    directory: Path,
    *,
    pairs: Sequence[str] = PAIRS,
    source: Path | None = None,
    start: datetime = START,
    venue_profile: str = "documented",
    mirror: Endpoints | None = None,
    scenario: Path | None = None,
    time: ManualTime | None = None,
    speed: int = 1,
) -> AsyncIterator[Playground]:
    """A sandbox of its own, in its own time unless another one's is given."""
    init_directory(directory, START, random.Random(0).randbytes)
    time, notes = time or ManualTime(start), Notes()
    profile = profile_of(
        directory, pairs=pairs, source=source, venue_profile=venue_profile, mirror=mirror, scenario=scenario,
        speed=speed,
    )  # fmt: skip
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE, verify=False) as http, AsyncExitStack() as stack:
        with patch.object(Floor, "sum_up_the_day"):  # most tests ask for no ticker; the first one then adds it up
            sandbox = await stack.enter_async_context(open_sandbox(profile, time, time, notes))
        yield Playground(time, notes, sandbox, directory, http)
