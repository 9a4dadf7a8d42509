"""One order from approval to answer: whatever happens on the way, at most one request leaves and the journal knows."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from btcbot.domain.errors import ExchangeUnreachable, FenceLost, TradeBlockedError
from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import (
    Accepted,
    AcceptedOtherwise,
    Answer,
    AnsweredForAnother,
    CancelReceipt,
    CancelTurnedDown,
    NoByteLeft,
    Restarted,
    Silent,
    TurnedDown,
)
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import JournaledOrder, OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.services.order_desk import CANCELS_TOLD_FROM, OrderDesk
from tests.unit.persistence.world import START, approved
from tests.unit.services.world import Desk, ScriptedExecution, history_of, live_profile, opened


@dataclass
class Room:
    """A desk with everything around it that can say no."""

    at: Desk
    tmp_path: Path
    execution: ScriptedExecution = field(default_factory=ScriptedExecution)
    blocked_by: str | None = None
    stale: str | None = None
    fence: BaseException | None = None

    @property
    def desk(self) -> OrderDesk:
        policy = TradingArmedPolicy(live_profile(self.tmp_path), lambda: self.blocked_by)
        return OrderDesk(
            self.at.book,
            self.require_fence,
            self.execution,
            policy,
            lambda intent, decided_at: self.stale,
            self.at.witness,
        )

    def require_fence(self) -> None:
        if self.fence is not None:
            raise self.fence

    def orders(self) -> dict[str, int]:
        return {state: count for state, count in self.at.store.journal.counters().items() if count}

    async def placed(self) -> OrderRecord:
        order = await self.desk.place(approved(), START)
        assert order is not None
        return order

    async def resting(self) -> OrderRecord:
        self.execution.answer = Accepted(77, START)
        return await self.placed()


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with opened(tmp_path / "live.db") as at:
        yield Room(at, tmp_path)


@pytest.mark.parametrize(
    ("answer", "states"),
    [
        (Accepted(77, START), "sending open"),
        (TurnedDown("FAILED_MIN_TOTAL_AMOUNT"), "sending turned_down"),
        (AcceptedOtherwise(77, "price"), "sending open"),
        (AnsweredForAnother("'BB-TEST-9-9-00'"), "sending unknown"),
        (Silent("no answer within 15 s"), "sending unknown"),
        (NoByteLeft("connection refused"), "sending not_sent"),
    ],
)
async def test_each_answer_has_its_state_and_one_request_left(room: Room, answer: Answer, states: str) -> None:
    room.execution.answer = answer
    order = await room.placed()
    assert history_of(room.at.store, order.order_id) == states.split()
    assert len(room.execution.submits) == 1
    assert room.at.store.journal.get(order.order_id) == order


async def test_the_row_is_durable_as_sending_before_the_request_leaves(room: Room) -> None:
    def answer(order: JournaledOrder) -> Answer:
        assert room.at.store.journal.get(order.order_id).state is OrderState.SENDING
        assert room.at.book.state.trading.orders[order.order_id].state is OrderState.SENDING
        assert order.state is OrderState.SENDING
        return Accepted(77, START)

    room.execution.answer = answer
    assert (await room.placed()).state is OrderState.OPEN


@pytest.mark.parametrize(
    "interruption",
    [asyncio.CancelledError(), ValueError("a defect"), ExchangeUnreachable("gone"), KeyboardInterrupt(), MemoryError()],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_interrupts_a_send_leaves_it_unknown_and_goes_on(
    room: Room, interruption: BaseException
) -> None:
    room.execution.answer = interruption
    with pytest.raises(type(interruption)):
        await room.desk.place(approved(), START)
    (order,) = room.at.store.journal.unfinished()
    assert history_of(room.at.store, order.order_id) == ["sending", "unknown"]
    assert type(interruption).__name__ in order.reason
    assert len(room.execution.submits) == 1


async def test_a_task_that_is_canceled_while_the_request_is_out_leaves_it_unknown(room: Room) -> None:
    out = asyncio.Event()

    class Waiting(ScriptedExecution):
        async def submit(self, order: JournaledOrder) -> Answer:
            self.submits.append(order)
            out.set()
            return await asyncio.get_running_loop().create_future()

    room.execution = Waiting()
    task = asyncio.ensure_future(room.desk.place(approved(), START))
    await out.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert room.orders() == {"unknown": 1}


async def test_the_re_check_is_told_when_the_decision_was_made(room: Room) -> None:
    asked: list[object] = []
    policy = TradingArmedPolicy(live_profile(room.tmp_path), lambda: None)
    desk = OrderDesk(
        room.at.book, room.require_fence, room.execution, policy, lambda *facts: asked.append(facts), room.at.witness
    )
    wanted = approved()
    await desk.place(wanted, START)
    assert asked == [(wanted.intent, START)]


async def test_a_policy_that_blocks_at_the_last_moment_leaves_the_order_not_sent(room: Room) -> None:
    room.execution.answer = TradeBlockedError("a halt came between")
    order = await room.placed()
    assert history_of(room.at.store, order.order_id) == ["sending", "not_sent"]
    assert Event.SUBMIT_BLOCKED in room.at.witness.events()


@pytest.mark.parametrize(
    ("blocked_by", "stale"),
    [("trading is halted: a person said so", None), (None, "BTCTRY market data is 12.0 s old"), ("halted", "stale")],
)
async def test_a_failed_re_check_sends_nothing_and_keeps_every_reason(
    room: Room, blocked_by: str | None, stale: str | None
) -> None:
    room.blocked_by, room.stale = blocked_by, stale
    order = await room.placed()
    assert history_of(room.at.store, order.order_id) == ["not_sent"]
    assert order.reason == "; ".join(reason for reason in (blocked_by, stale) if reason)
    assert room.execution.submits == []


async def test_a_lost_fence_sends_nothing_and_a_restart_settles_the_row(room: Room) -> None:
    room.fence = FenceLost("somebody else opened the database")
    with pytest.raises(FenceLost):
        await room.desk.place(approved(), START)
    assert room.orders() == {"intent": 1}
    assert room.execution.submits == []
    (order,) = room.at.store.journal.unfinished()
    assert room.at.book.record(order.order_id, Restarted()).state is OrderState.NOT_SENT


async def test_an_order_that_was_taken_for_another_one_halts(room: Room) -> None:
    room.execution.answer = AcceptedOtherwise(77, "price")
    order = await room.placed()
    assert order.order_id in (room.at.store.halt() or "")


async def test_an_answer_about_another_order_halts_and_binds_its_number_to_nothing(room: Room) -> None:
    """Reliability, row 9: a mixed-up answer would have us track, and cancel, an order that is not ours."""
    room.execution.answer = AnsweredForAnother("'BB-TEST-9-9-00'")
    order = await room.placed()
    assert order.exchange_order_id is None
    assert order.order_id in (room.at.store.halt() or "")


@pytest.mark.parametrize("answer", [Silent("timeout"), TurnedDown("BALANCE_NOT_ENOUGH")])
async def test_an_unresolved_order_closes_its_pair(room: Room, answer: Answer) -> None:
    room.execution.answer = answer
    await room.placed()
    assert await room.desk.place(approved("cycle/BTCTRY/2"), START) is None
    assert len(room.execution.submits) == 1
    refused = [fields for event, fields in room.at.witness.seen if event is Event.INTENT_REFUSED]
    assert [fields["reasons"] for fields in refused] == [["reservation_refused"]]


async def test_one_decision_makes_one_order(room: Room) -> None:
    await room.resting()
    assert await room.desk.place(approved(), START) is None
    assert len(room.execution.submits) == 1


async def test_what_was_not_sent_holds_no_reservation(room: Room) -> None:
    room.stale = "old"
    await room.placed()
    room.stale = None
    room.execution.answer = Accepted(78, START)
    assert await room.desk.place(approved("cycle/BTCTRY/2"), START) is not None
    assert room.orders() == {"not_sent": 1, "open": 1}


async def test_coins_that_are_not_ours_are_not_sold(room: Room) -> None:
    assert await room.desk.place(approved(side=Side.SELL), START) is None
    assert room.execution.submits == []


# ------------------------------------------------------------------------------------------------------------ cancels


def _halt(room: Room) -> None:
    room.blocked_by = "trading is halted"


def _stale(room: Room) -> None:
    room.stale = "old"


def _fenced(room: Room) -> None:
    room.at.store.latch_halt("a person said so", "operator")


@pytest.mark.parametrize("obstacle", [_halt, _stale, _fenced])
async def test_nothing_blocks_a_cancel(room: Room, obstacle: Callable[[Room], None]) -> None:
    order = await room.resting()
    obstacle(room)
    assert (await room.desk.cancel(order, "too old")).state is OrderState.CANCELING
    assert room.execution.cancels == [77]


@pytest.mark.parametrize("receipt", [CancelReceipt(), CancelTurnedDown("not now"), Silent("timeout")])
async def test_no_answer_to_a_cancel_ends_an_order(
    room: Room, receipt: CancelReceipt | CancelTurnedDown | Silent
) -> None:
    order = await room.resting()
    room.execution.receipt = receipt
    after = await room.desk.cancel(order, "too old")
    assert (after.state, after.cancels_sent) == (OrderState.CANCELING, 1)


async def test_a_cancel_is_durable_before_it_leaves(room: Room) -> None:
    order = await room.resting()
    room.execution.receipt = ExchangeUnreachable("gone")
    with pytest.raises(ExchangeUnreachable):
        await room.desk.cancel(order, "too old")
    assert history_of(room.at.store, order.order_id)[-2:] == ["cancel_intent", "canceling"]


async def test_a_cancel_without_effect_is_repeated_and_told(room: Room) -> None:
    order = await room.resting()
    for _ in range(CANCELS_TOLD_FROM + 2):
        order = await room.desk.cancel(order, "no effect of the last one")
    assert len(room.execution.cancels) == order.cancels_sent == CANCELS_TOLD_FROM + 2
    told = [fields["times"] for event, fields in room.at.witness.seen if event is Event.CANCEL_REPEATED]
    assert told == [CANCELS_TOLD_FROM, CANCELS_TOLD_FROM + 1]
    assert order.state is OrderState.CANCELING


@pytest.mark.parametrize("answer", [Silent("timeout"), NoByteLeft("refused"), TurnedDown("BALANCE_NOT_ENOUGH")])
async def test_an_order_without_a_number_of_the_exchange_cannot_be_canceled(room: Room, answer: Answer) -> None:
    room.execution.answer = answer
    order = await room.placed()
    assert await room.desk.cancel(order, "too old") == order
    assert room.execution.cancels == []
