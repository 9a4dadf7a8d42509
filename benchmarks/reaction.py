"""How long a protective exit takes, from the market frame to the order: the live worker as it is wired, and its floor.

A market falls below the stop of a position. Measured is the time from the write of the frame to the first byte of the
order at the exchange: decoding, book, waking, decision, gate, journal, sending. Beside it, in the same rounds and after
the same pause: the same rows committed with bare sqlite3 to a copy of the database, and one bare httpx call.
"""

import asyncio
import functools
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import httpx
from far_end import FIRST_ORDER_ID, HIGH, LOW, MOVING, FarEnd, far_end
from figures import Figure, parser, percentile, pin, tell
from live_settings import REAL_TIME, live_profile
from unread_log import unread_log

from btcbot.domain.events import Event
from btcbot.domain.money import Asset, Price, Quantity, Ratio, use_money_context
from btcbot.domain.orders.evidence import Accepted, Fill, Seen, Traded, VenueOrder, VenueStatus
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.profiles import Role
from btcbot.domain.state import BalancesSeen
from btcbot.observability.metrics import CountingObserver, Metrics
from btcbot.persistence.sqlite.database import PRAGMAS, Database
from btcbot.services.event_log import EventLog
from btcbot.services.live import opened_store, taken_lock
from btcbot.services.live_wiring import LiveWiring, connect_exchange, decision_params
from btcbot.services.run_loop import LiveParts, RunLoopService
from btcbot.services.runtime import Runtime, build_runtime, run

ROUNDS, ROUNDS_QUICK, ROUNDS_WARM = 30, 1, 3
PAUSE_SECONDS = 0.15  # before each measurement: everything wakes from idle; and orders stay within their rate budget
WAIT_SECONDS = 5.0
CHECKPOINT_BYTES = 4_000_000
QUANTITY = Quantity(Decimal("0.001"))
TRY = Asset("TRY")
BASE = Asset(MOVING[:-3])

Statement = tuple[str, Sequence[object]]


@dataclass
class Samples:
    """Seconds, one of each kind in every round."""

    reaction: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    send: list[float] = field(default_factory=list)


class Counted:
    """An observer that lets one wait for an event, and passes everything on."""

    def __init__(self, behind: CountingObserver) -> None:
        self._behind = behind
        self._seen: dict[Event, int] = {}
        self._changed = asyncio.Event()

    def observed(self, event: Event, **fields: object) -> None:
        self._behind.observed(event, **fields)
        self._seen[event] = self._seen.get(event, 0) + 1
        self._changed.set()

    def count(self, event: Event) -> int:
        return self._seen.get(event, 0)

    async def more(self, event: Event, than: int) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while self.count(event) <= than:
                self._changed.clear()
                await self._changed.wait()


class Tape:
    """Every transaction that the store commits, as the statements that wrote: another database can repeat them."""

    def __init__(self) -> None:
        self.transactions: list[list[Statement]] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        original = Database.execute

        @functools.wraps(original)
        def execute(database: Database, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
            if sql.startswith("BEGIN"):
                self.transactions.append([])
            elif sql.startswith(("INSERT", "UPDATE", "DELETE")):
                self.transactions[-1].append((sql, tuple(values)))
            elif sql.startswith("ROLLBACK"):
                self.transactions.pop()
            return original(database, sql, values)

        Database.execute = execute  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            Database.execute = original  # type: ignore[method-assign]

    def take(self) -> list[list[Statement]]:
        taken, self.transactions = self.transactions, []
        return taken


class BareCopy:
    """The same database, written by nothing but sqlite3."""

    def __init__(self, original: Path) -> None:
        """`original` is open in this process: another one copies it, since closing a file drops the locks on it."""
        self._path = original.with_name("bare.db")
        for suffix in ("", "-wal"):
            subprocess.run(["cp", f"{original}{suffix}", f"{self._path}{suffix}"], check=True)
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        for name, value in PRAGMAS:
            self._connection.execute(f"PRAGMA {name} = {value}")

    def repeat(self, transaction: Sequence[Statement]) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        for sql, values in transaction:
            self._connection.execute(sql, values)
        self._connection.execute("COMMIT")

    def tidy(self) -> None:
        """The store empties its log between cycles, once it is long; so does this."""
        if self._path.with_name("bare.db-wal").stat().st_size > CHECKPOINT_BYTES:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@dataclass
class Worker:
    """A live worker that trades at the far end."""

    far: FarEnd
    parts: LiveParts
    service: RunLoopService
    seen: Counted
    tape: Tape
    bare: BareCopy
    http: httpx.AsyncClient
    buys: int = 0

    async def round(self, samples: Samples) -> None:
        await self._hold()
        reaction = await self._fall()
        self._repeat(self.tape.take(), samples)
        await asyncio.sleep(PAUSE_SECONDS)
        samples.send.append(await self._bare_send())
        samples.reaction.append(reaction)

    async def _hold(self) -> None:
        """The market is calm, the last exit is filled, a position is held, and the loop watches its stop."""
        self.far.move(is_low=False)
        await asyncio.sleep(PAUSE_SECONDS)
        book = self.parts.book
        for order in book.unfinished():
            self._fill(order, LOW)
        self.buys += 1
        instrument = self.parts.market.instruments[MOVING]
        wanted = Intent(
            f"benchmark/{MOVING}/{self.buys}", instrument, Side.BUY, Purpose.ENTRY, QUANTITY, Price(Decimal(HIGH)),
            Price(Decimal(HIGH)),
        )  # fmt: skip
        bought = book.sending(book.intent(ApprovedOrderIntent(wanted, wanted.reservation(Ratio(Decimal("0.0024"))))))
        accepted = book.record(bought.order_id, Accepted(FIRST_ORDER_ID - self.buys, None))
        self._fill(accepted, HIGH)
        self.far.hold(self.parts.store.ledger_balances())
        book.take(BalancesSeen({TRY: Decimal(10**9), BASE: Decimal(1)}))
        cycles = self.seen.count(Event.CYCLE_COMPLETED)
        self.service.wake()
        await self.seen.more(Event.CYCLE_COMPLETED, than=cycles)
        for transaction in self.tape.take():
            self.bare.repeat(transaction)
        self.bare.tidy()
        self.far.stamps()
        await asyncio.sleep(PAUSE_SECONDS)

    async def _fall(self) -> float:
        """From the frame to the order."""
        cycles = self.seen.count(Event.CYCLE_COMPLETED)
        self.far.move(is_low=True)
        await self.seen.more(Event.CYCLE_COMPLETED, than=cycles)
        await asyncio.sleep(PAUSE_SECONDS)
        sent_at, arrivals = self.far.stamps()
        assert len(arrivals) == 1, f"{len(arrivals)} orders came of one stop"
        return (arrivals[0] - sent_at) / 1e9

    def _repeat(self, transactions: Sequence[Sequence[Statement]], samples: Samples) -> None:
        """What had to be durable before the order left is timed; what came after it is only repeated."""
        intent, sending, *later = transactions
        assert any(sql.startswith("INSERT INTO orders ") for sql, _ in intent), "the first commit is the intent"
        assert any(sql.startswith("UPDATE order_heads") for sql, _ in sending), "the second one is the sending"
        began = time.perf_counter()
        self.bare.repeat(intent)
        self.bare.repeat(sending)
        samples.commits.append(time.perf_counter() - began)
        for transaction in later:
            self.bare.repeat(transaction)

    async def _bare_send(self) -> float:
        """One call of httpx with a body and headers like ours: from the call to the first byte."""
        body = (
            b'{"pairSymbol":"BTCTRY","orderType":"sell","orderMethod":"limit","quantity":"0.00100000",'
            b'"price":"2910000","newOrderClientId":"B-BENCH-1-0000001"}'
        )
        headers = {
            "X-PCK": "00000000-0000-0000-0000-000000000000", "X-Stamp": "1700000000000", "X-Signature": "s" * 44,
            "Content-Type": "application/json",
        }  # fmt: skip
        began = time.perf_counter_ns()
        await self.http.post("/api/v1/order", content=body, headers=headers)
        _, arrivals = self.far.stamps()
        return (arrivals[-1] - began) / 1e9

    def _fill(self, order: OrderRecord, price: int) -> None:
        """The exchange says that it was filled, as a reconciliation would hear it."""
        number = order.exchange_order_id
        assert number is not None, "an order that was answered has the exchange's number"
        now = self.parts.runtime.clock.now()
        closed = VenueOrder(
            number, order.client_order_id, order.pair, order.side, order.price, order.quantity, Decimal(0),
            VenueStatus.CLOSED, False, now,
        )  # fmt: skip
        fill = Fill(
            number, number, order.client_order_id, order.pair, order.side, Price(Decimal(price)), order.quantity,
            Decimal("2.5"), Decimal("0.5"), now,
        )  # fmt: skip
        self.parts.book.record(order.order_id, Seen(closed))
        self.parts.book.record(order.order_id, Traded((fill,)))


@asynccontextmanager
async def working(far: FarEnd, directory: Path, runtime: Runtime) -> AsyncIterator[Worker]:
    """The parts of `btcbot run`, put together as it puts them together, with its log going nowhere."""
    profile = live_profile(directory, far.http_port, far.ws_port)
    credentials = profile.common.credentials
    async with AsyncExitStack() as stack:
        logs = stack.enter_context(unread_log("live", runtime, (credentials.key, credentials.secret)))
        seen = Counted(CountingObserver(logs, Metrics(Role.LIVE, "benchmark")))
        events = EventLog(seen)
        lock = stack.enter_context(taken_lock(profile, runtime, events, "benchmark"))
        store = stack.enter_context(opened_store(profile, runtime, lock, events, "benchmark"))
        wiring = LiveWiring(profile, decision_params(profile), runtime, store, events)
        market, execution = connect_exchange(profile, wiring.policy, runtime, events)
        stack.push_async_callback(market.aclose)
        stack.push_async_callback(execution.aclose)
        parts = wiring.parts(market, execution, lambda: None)
        service = RunLoopService(parts, wiring.readiness)
        for work in (market.run(), execution.hints.run(), execution.keep_warm(), service.run()):
            stack.push_async_callback(_ended, asyncio.ensure_future(work))
        await seen.more(Event.CYCLE_COMPLETED, than=0)
        await seen.more(Event.STREAM_CONNECTED, than=0)
        await asyncio.sleep(PAUSE_SECONDS)
        tape = Tape()
        stack.enter_context(tape.listening())
        bare = BareCopy(profile.common.state_db_path)
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=profile.common.endpoints.api_url))
        yield Worker(far, parts, service, seen, tape, bare, http)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def measure(far: FarEnd, directory: Path, rounds: int) -> Samples:
    samples = Samples()
    async with working(far, directory, build_runtime(REAL_TIME)) as worker:
        for _ in range(min(ROUNDS_WARM, rounds)):
            await worker.round(Samples())
        for _ in range(rounds):
            await worker.round(samples)
    return samples


def figures_of(samples: Samples) -> list[Figure]:
    micro = 1e6
    floor = percentile(samples.commits, 50) + percentile(samples.send, 50)
    p50, p99 = percentile(samples.reaction, 50), percentile(samples.reaction, 99)
    return [
        Figure("reaction of a protective exit, p50", p50 * micro, "µs"),
        Figure("reaction of a protective exit, p99", p99 * micro, "µs"),
        Figure("its two commits done bare, p50", percentile(samples.commits, 50) * micro, "µs"),
        Figure("one bare httpx send, p50", percentile(samples.send, 50) * micro, "µs"),
        Figure("reaction ÷ (commits + send), p50", p50 / floor, "×", at_most=3.0),
    ]


def main() -> int:
    options = parser(__doc__).parse_args()
    use_money_context()
    pin(0)
    rounds = ROUNDS_QUICK if options.quick else ROUNDS
    with far_end(core=1) as far, tempfile.TemporaryDirectory(prefix="btcbot-reaction-") as directory:
        samples = run(lambda: measure(far, Path(directory), rounds), REAL_TIME)
    return tell(figures_of(samples), options)


if __name__ == "__main__":
    sys.exit(main())
