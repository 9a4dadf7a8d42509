"""What can go wrong with a submit: one request leaves whatever happens, and only the exchange's records say what became
of it.
"""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path

import httpx
import pytest

from btcbot.domain.orders.evidence import AcceptedOtherwise
from btcbot.domain.orders.intents import Side
from btcbot.exchange.errors import NotSent
from btcbot.exchange.http import Http
from btcbot.execution.live import LiveExecution
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.services.order_desk import OrderDesk
from tests.faults.stage import BTC, stage
from tests.unit.exchange.builders import Bench, accepting
from tests.unit.persistence.world import START, approved
from tests.unit.services.blotter import Blotter
from tests.unit.services.looping import HOLDS
from tests.unit.services.world import history_of, live_profile, opened

FAR = Decimal("0.9")  # of the best bid: such an order rests
TIMEOUT = timedelta(seconds=5)
TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Case:
    name: str  # begins with the number of its row
    fault: str
    states: str  # that the order goes through
    seconds: float = 7.0
    quiet: float = 900.0  # before absence can be proven
    at_exchange: int = 1
    halts: bool = False
    how: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


CASES = (
    Case("1 the request is lost", "lost_request", "sending unknown absent_sealed", 45, 30, at_exchange=0),
    Case("2 the answer is lost", "drop_answer_after_accept", "sending unknown open", 12),
    Case("3 the answer comes after we gave up", "late_answer", "sending unknown open", 20, how={"seconds": 8}),
    Case("4 accepted later", "order_accepted_late", "sending unknown open", 40, how={"seconds": 20}),
    Case("5 accepted after it was sealed: adopted, halted, and taken off the book", "order_accepted_late",
         "sending unknown absent_sealed open cancel_intent canceling closing canceled", 75, 30, halts=True,
         how={"seconds": 60}),
    Case("6 a page of the edge, and accepted", "html_after_accept", "sending unknown open"),
    Case("7 an empty body", "empty_body", "sending unknown open"),
    Case("8 a refused nonce", "invalid_nonce", "sending turned_down rejected", at_exchange=0),
    Case("14 a refused key", "unauthorized", "sending turned_down rejected", at_exchange=0),
    Case("15 too many requests", "rate_limited_429", "sending turned_down rejected", at_exchange=0, how={"seconds": 9}),
    Case("16 an internal error, and accepted", "internal_error_after_accept", "sending unknown open"),
    Case("16 maintenance", "unavailable_503", "sending unknown absent_sealed", 45, 30, at_exchange=0),
    Case("17 the connection is cut under the answer", "connection_cut", "sending unknown open"),
)  # fmt: skip


@pytest.mark.looptime
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_submit_that_goes_wrong(tmp_path: Path, case: Case) -> None:
    changes = {
        "submit_timeout": TIMEOUT, "seal_quiet": timedelta(seconds=case.quiet), "order_age_max": TIMEOUT * 100,
        "reconcile_every": TIMEOUT,
    }  # fmt: skip
    async with stage(tmp_path, **changes) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await shop.fault(case.fault, count=1, match={"endpoint": "submit"}, **case.how)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(case.seconds)
        (order,) = life.orders
        assert [state for state, _ in groupby(history_of(life.store, order.order_id))] == case.states.split()
        assert await shop.sent() == [order.client_order_id]
        assert len(await shop.accepted()) == case.at_exchange
        assert (life.store.halt() is not None) is case.halts
        await life.books_agree()


@pytest.mark.looptime
async def test_a_refused_order_is_not_repeated_and_a_block_is_obeyed(tmp_path: Path) -> None:
    """15: the order that met the 429 is over; the next one inside the block never leaves."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await shop.fault("rate_limited_429", count=1, match={"endpoint": "submit"}, seconds=30)
        for _ in range(2):
            await life.places(Side.BUY, "0.001", await life.bid() * FAR)
            await life.passes(7)
        assert life.states == ["rejected", "not_sent"]
        await life.passes(25)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        assert life.states == ["rejected", "not_sent", "open"]
        assert len(await shop.sent()) == 2
        await life.books_agree()


@pytest.mark.looptime
async def test_a_hold_without_an_order_keeps_it_unknown(tmp_path: Path) -> None:
    """24: money is bound that nothing explains, so the order may be there: nothing is sealed, nothing is freed."""
    changes = {"submit_timeout": TIMEOUT, "seal_quiet": timedelta(seconds=20), "reconcile_every": TIMEOUT}
    async with stage(tmp_path, **changes) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await shop.fault("lagging_orders", seconds=50)
        await shop.fault("drop_answer_after_accept", count=1, match={"endpoint": "submit"})
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(45)
        (order,) = life.orders
        assert (str(order.state), order.absent_evidence >= 5) == ("unknown", True)
        assert life.parts.book.state.trading.orders.keys() == {order.order_id}
        await life.passes(20)
        assert life.orders[0].exchange_order_id is not None
        assert len(await shop.sent()) == 1


@pytest.mark.looptime
@pytest.mark.parametrize("fault", ["answer_of_another_order", "answer_repeated"])
async def test_an_answer_about_another_order_proves_nothing_about_ours(tmp_path: Path, fault: str) -> None:
    """9: ours is found by its label, under its own number, and trading halts: no cancel ever goes to the other one."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        first = await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await shop.fault(fault, count=1, match={"endpoint": "submit"})
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(30)
        assert first is not None
        numbers = [order.exchange_order_id for order in life.orders]
        assert numbers[0] == first.exchange_order_id != numbers[1]
        assert life.store.halt() is not None
        assert (life.states, await shop.resting()) == (["canceled", "canceled"], 0)
        canceled = {line["query"] for line in await shop.record() if line.get("method") == "DELETE"}
        assert canceled == {f"id={number}" for number in numbers}
        await life.books_agree()


@pytest.mark.looptime
async def test_two_orders_under_one_label_halt(tmp_path: Path) -> None:
    """27: the exchange made two of one. Both count, both are called back."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await shop.fault("order_doubled", count=1)
        await life.places(Side.BUY, "0.001", await life.bid() * FAR)
        await life.passes(30)
        assert (len(await shop.accepted()), len(await shop.sent())) == (2, 1)
        assert "bears our label, and so does" in (life.store.halt() or "")
        assert life.states == ["canceled", "canceled"]
        assert await shop.resting() == 0
        assert (await life.ordered("resume")).ok


@pytest.mark.looptime
@pytest.mark.parametrize("lost", [False, True])
async def test_the_trades_of_two_orders_under_one_label_are_all_booked(tmp_path: Path, lost: bool) -> None:
    """27: filled at once, and the ledger is exact again, whether the answer named the first of them or was lost."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(2)
        await shop.fault("order_doubled", count=1)
        if lost:
            await shop.fault("drop_answer_after_accept", count=1, match={"endpoint": "submit"})
        await life.places(Side.BUY, "0.001", await life.bid() * Decimal("1.01"))
        await life.passes(60)
        assert life.states == ["filled", "filled"]
        assert life.store.ledger_balances()[BTC] == Decimal("0.002")
        assert life.parts.book.state.trading.instrument("BTCTRY").position == Decimal("0.002")
        assert life.store.halt() is not None
        assert (await life.ordered("resume")).ok, "ledger and balances agree"


async def test_what_the_exchange_made_of_an_order_is_what_counts(tmp_path: Path) -> None:
    """10: another quantity than we asked for. It is held for what it is, and a person looks."""
    with opened(tmp_path / "live.db") as at:
        blotter = Blotter(at)
        order = at.book.sending(at.book.intent(approved()))
        at.book.record(order.order_id, AcceptedOtherwise(77, "quantity"))
        assert "accepted_otherwise" in (at.store.halt() or "")
        await blotter.play("""
            executed 1 0.0015
            closed -0.0005
            trades_listed
            reconcile           ->  filled 0.0015
        """)
        assert at.store.ledger_balances()["BTC"] == Decimal("0.0015")


# ------------------------------------------------------------------------------------------------ before the first byte


async def test_a_handshake_that_fails_lets_no_byte_of_a_request_leave() -> None:
    """18: handshake and certificate come before the request: its failure proves that nothing left."""
    heard: list[bytes] = []
    ended = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65_536))
        writer.write(b"this is no handshake\r\n\r\n")
        with suppress(OSError):
            heard.append(await reader.read())
            writer.close()
            await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        client = Http(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(NotSent, match="SSL"):
            await client.send("POST", "/api/v1/order", body=b"{}", timeout=5.0)
        await client.aclose()
        await ended.wait()
    said = b"".join(heard)
    assert said[:1] == TLS_HANDSHAKE
    assert b"POST" not in said


async def test_an_unknown_host_lets_no_byte_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """19."""

    async def unknown(*_args: object, **_more: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    client = Http("https://api.example.test")
    with pytest.raises(NotSent):
        await client.send("POST", "/api/v1/order", body=b"{}", timeout=5.0)
    await client.aclose()


# ------------------------------------------------------------------------------------------------------------ cancelled


class Walking(httpx.AsyncBaseTransport):
    """A wire on which every request takes some turns of the loop before it arrives, and its answer some more."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.arrived = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(3):
            await asyncio.sleep(0)
        is_order = request.method == "POST"
        self.arrived += is_order
        answer = await self._inner.handle_async_request(request)
        for _ in range(3):
            await asyncio.sleep(0)
        return answer


async def test_a_send_that_is_cancelled_at_any_await_is_known_to_the_journal(directory: Path) -> None:
    """22: wherever the task ends, the row says what may be at the exchange: nothing, an order, or that nobody knows."""
    ends = set()
    for turns in range(1, 40):
        with opened(directory / f"{turns}.db") as at:
            bench = Bench(accepting)
            wire = Walking(bench.wire)
            for lane in bench.channel._orders.each:
                lane._transport = wire
            policy = TradingArmedPolicy(live_profile(directory), lambda: None)
            execution = LiveExecution(bench.channel, policy, TIMEOUT)
            desk = OrderDesk(at.book, lambda: None, execution, policy, lambda *_: None, at.witness)
            task = asyncio.ensure_future(desk.place(approved(), START))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            (order,) = at.store.journal.unfinished() or [None]
            state = "none" if order is None else str(order.state)
            ends.add((state, wire.arrived))
    assert ends <= {("unknown", 0), ("unknown", 1), ("open", 1)}
    assert {("unknown", 0), ("unknown", 1), ("open", 1)} <= ends
