"""A live worker against the local exchange, both on one loop in virtual time: real services, client, sockets and files.

A life is one process: it ends by a stop, by an error, or by a kill, which leaves the files as they are at that moment.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from btcbot.domain.control import ControlAnswer, ControlRequest
from btcbot.domain.money import Asset, Price, Quantity, round_down, use_money_context
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.profiles import ClockProfile, Credentials, Endpoints, LiveProfile
from btcbot.domain.secrets import Secret
from btcbot.persistence.sqlite.chain import verify_chain
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.services.assigning import Assigning
from btcbot.services.control import ControlDesk
from btcbot.services.decision import DecisionParams
from btcbot.services.event_log import EventLog
from btcbot.services.flattening import Flattening
from btcbot.services.live import _break_crash_loop, opened_store, pause_after_change, taken_lock
from btcbot.services.live_wiring import LiveWiring, connect_exchange, decision_params
from btcbot.services.run_loop import LiveParts, RunLoopService
from btcbot.services.running import run_beside, tell_lost_errors
from btcbot.services.runtime import Runtime
from btcbot.strategy.strategy import Strategy
from tests.integration.sandbox.playground import ManualTime, Playground, playing
from tests.unit.persistence.world import FEE_RATIO, CountedIds
from tests.unit.services.looping import BUYS
from tests.unit.services.world import live_profile

PAIR = "BTCTRY"
BTC, TRY = Asset("BTC"), Asset("TRY")
BUILD = "test"
SELLS = replace(BUYS, name="sells", entry=BUYS.exit, exit=BUYS.entry)
ADDS = replace(BUYS, name="adds", adds_to_position=True)
RECORD_MAX = 10_000


class LoopTime(ManualTime):
    """The loop's own time, for everybody on it."""

    def now(self) -> datetime:
        return self.start + timedelta(seconds=round(self.monotonic(), 6))

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Stage:
    """One exchange, one database, and the lives that share them."""

    ground: Playground
    profile: LiveProfile
    ids: CountedIds = field(default_factory=CountedIds)
    lives: int = 0

    @asynccontextmanager
    async def life(self, strategy: Strategy = BUYS, **changes: object) -> AsyncIterator["Life"]:
        """One process, running; stopped at the end of the block unless it ended before."""
        self.lives += 1
        profile = replace(self.profile, **changes)  # type: ignore[arg-type]
        runtime = Runtime(self.ground.time, self.ground.time, self.ids, f"{self.lives:032x}")
        params = replace(decision_params(profile), strategy=strategy)
        with ExitStack() as held:
            life = self._born(profile, runtime, params, held)
            try:
                yield life
                if not life.task.done():
                    await life.stops()
            finally:
                life.task.cancel()
                await asyncio.gather(life.task, return_exceptions=True)

    def _born(self, profile: LiveProfile, runtime: Runtime, params: DecisionParams, held: ExitStack) -> "Life":
        """As `services.live` does it, but for the key that is tried before and the sockets for other processes."""
        events = EventLog(self.ground.notes)
        lock = held.enter_context(taken_lock(profile, runtime, events, BUILD))
        store = held.enter_context(opened_store(profile, runtime, lock, events, BUILD))
        wiring = LiveWiring(profile, params, runtime, store, events)
        _break_crash_loop(profile, runtime, store, wiring)
        pause_after_change(profile, store, events)
        tell_lost_errors(asyncio.get_running_loop(), lambda what: wiring.halting.latch(what, "breaker"))
        market, execution = connect_exchange(profile, wiring.policy, runtime, events)
        parts = wiring.parts(market, execution, lambda: None)
        service = RunLoopService(parts, wiring.readiness)

        async def lived() -> None:
            try:
                await run_beside(service.run(), (market.run(), execution.hints.run()))
            finally:
                await execution.aclose()
                await market.aclose()

        return Life(self, store, wiring, parts, service, held, asyncio.ensure_future(lived()))

    async def fault(self, name: str, **how: object) -> None:
        """As the admin port takes it; without `count` it stays."""
        answer = await self.ground.admin("POST", "faults", json={"fault": name, "count": None, **how})
        assert "id" in answer, answer

    async def faults_end(self) -> None:
        await self.ground.http.delete(f"http://127.0.0.1:{self.ground.sandbox.admin_port}/faults")

    async def deposit(self, asset: str, number: str) -> None:
        record = await self.record()
        (account,) = {line["account_id"] for line in record if line["kind"] == "account_opened"}
        document = {"account_id": account, "asset": asset, "amount": number, "kind": "deposit"}
        answer = await self.ground.admin("POST", "transfers", json=document)
        assert "error" not in answer, answer

    # ------------------------------------------------------------------------------------- the exchange's truth

    async def record(self) -> list[dict[str, Any]]:
        """All that the exchange wrote down of itself."""
        lines: list[dict[str, Any]] = []
        while True:
            page = await self.ground.admin("GET", f"record?after={len(lines)}&limit={RECORD_MAX}")
            page = page["record"] if isinstance(page, dict) else page
            if not page:
                return lines
            lines.extend(page)

    async def sent(self) -> list[str]:
        """The label of each order that arrived there, whatever became of it."""
        requests = (line for line in await self.record() if line["kind"] == "request" and line["method"] == "POST")
        return [json.loads(line["body"])["newOrderClientId"] for line in requests]

    async def accepted(self) -> list[str]:
        """The label of each order that the exchange took."""
        return [line["client_order_id"] for line in await self.record() if line["kind"] == "order_accepted"]

    async def resting(self) -> int:
        data = (await self.ground.private("GET", "openOrders")).json()["data"]
        return len(data["asks"]) + len(data["bids"])


@dataclass
class Life:
    """A worker that runs."""

    stage: Stage
    store: LiveStore
    wiring: LiveWiring
    parts: LiveParts
    service: RunLoopService
    held: ExitStack
    task: "asyncio.Task[None]"

    async def passes(self, seconds: float) -> None:
        """Let it live so long; raises what it dies of."""
        await asyncio.wait({self.task}, timeout=seconds)
        if self.task.done():
            self.task.result()

    async def stops(self) -> None:
        self.service.stop()
        await self.task

    async def killed(self) -> None:
        """The end without a word: what the dying process still tries to write is refused."""
        path = self.parts.profile.common.state_db_path
        files = {file: file.read_bytes() for file in (path, path.with_name(f"{path.name}-wal"))}
        self.store._database._failure = "killed"
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        self.held.close()
        for file, content in files.items():
            file.write_bytes(content)
            file.chmod(0o600)

    @property
    def orders(self) -> list[OrderRecord]:
        rows = self.store._database.execute("SELECT order_id FROM orders ORDER BY chain_sequence").fetchall()
        return [self.store.journal.get(order_id) for (order_id,) in rows]

    @property
    def states(self) -> list[str]:
        return [str(order.state) for order in self.orders]

    async def places(self, side: Side, quantity: str, price: Decimal) -> OrderRecord | None:
        """One order of the test's own, between two cycles."""
        instrument = self.parts.market.instruments[PAIR]
        at = Price(round_down(price, instrument.price_step))
        purpose = Purpose.ENTRY if side is Side.BUY else Purpose.EXIT
        decision_id = f"test/{PAIR}/{len(self.orders)}"
        intent = Intent(decision_id, instrument, side, purpose, Quantity(Decimal(quantity)), at, at)
        async with self.service._one_at_a_time:
            approved = ApprovedOrderIntent(intent, intent.reservation(FEE_RATIO))
            return await self.parts.desk.place(approved, self.parts.runtime.clock.now())

    async def bid(self) -> Decimal:
        book = await self.stage.ground.book(PAIR)
        return Decimal(book["bids"][0][0])

    async def ordered(self, verb: str, **args: str) -> ControlAnswer:
        """What an operator gets for an order."""
        desk = ControlDesk(
            self.store, self.parts.book, self.wiring.halting, self.service.reconcile, self.service.wake,
            self.parts.events, Flattening(self.parts, self.service), Assigning(self.parts, self.service),
        )  # fmt: skip
        return await desk.answer(ControlRequest(self.stage.ids.new(), verb, {"reason": "a test", **args}))

    async def comes_to_rest(self) -> None:
        """No more entries, and time for those under way to end."""
        self.store.set_paused(True, "test")
        for _ in range(12):
            await self.passes(10)
            if not self.parts.book.unfinished():
                return
        raise AssertionError(f"still at work: {self.orders}")

    async def books_agree(self) -> None:
        """Nothing lost, nothing doubled: orders, trades and money against the exchange's own record."""
        record = await self.stage.record()
        ours = {order.client_order_id: order for order in self.orders}
        accepted = [line for line in record if line["kind"] == "order_accepted"]
        matched: Counter[int] = Counter()
        for line in (line for line in record if line["kind"] == "order_matched"):
            matched[line["order_id"]] += Decimal(line["quantity"])  # type: ignore[assignment]
        labels = Counter(line["client_order_id"] for line in accepted)
        assert set(labels.values()) <= {1}, f"a label was accepted twice: {labels}"
        sent = Counter(await self.stage.sent())
        assert set(sent.values()) <= {1}, f"an order was sent twice: {sent}"
        assert sent.keys() <= ours.keys(), "what left has a row"
        for line in accepted:
            order = ours[line["client_order_id"]]
            assert order.exchange_order_id == line["order_id"], order
            assert order.filled == matched[line["order_id"]], order
        never = [order for order in ours.values() if order.client_order_id not in labels]
        assert all(order.exchange_order_id is None and not order.filled for order in never), never
        changes = (line for line in record if line["kind"] == "balance_changed")
        totals = {Asset(line["asset"]): Decimal(line["total"]) for line in changes}  # the last one of each asset
        held = {asset: number for asset, number in totals.items() if number}
        assert {asset: number for asset, number in self.store.ledger_balances().items() if number} == held
        verify_chain(self.store._database, self.store.db_uuid)  # type: ignore[arg-type]


@asynccontextmanager
async def stage(root: Path, venue_profile: str = "documented", **changes: object) -> AsyncIterator[Stage]:
    """A sandbox with an account of 200,000 TRY, and settings that arm a worker on it."""
    use_money_context()
    for name in ("sandbox", "live", "run"):
        (root / name).mkdir(mode=0o700)
    async with playing(root / "sandbox", pairs=(PAIR,), venue_profile=venue_profile, time=LoopTime()) as ground:
        sandbox = ground.sandbox
        endpoints = Endpoints(
            ground.api, f"http://127.0.0.1:{sandbox.graph_port}", f"ws://127.0.0.1:{sandbox.ws_port}", is_loopback=True
        )
        key, secret = ((root / "sandbox" / f"live.{part}").read_text().strip() for part in ("key", "secret"))
        common: dict[str, object] = {
            "endpoints": endpoints, "credentials": Credentials(Secret(key), Secret(secret)), "pairs": (PAIR,),
            "state_db_path": root / "live" / "live.db", "peer_state_db_path": root / "monitor.db",
            "run_dir": root / "run", "clock": ClockProfile(Decimal(1), None), "candle_interval": timedelta(minutes=1),
        }  # fmt: skip
        profile = live_profile(root, common, acknowledged_host=ground.api.removeprefix("http://"), **changes)
        yield Stage(ground, profile)
