"""Cycle after cycle in virtual time: what a cycle leaves behind, and what keeps it from sending."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from btcbot.domain.errors import ConfigurationError, ExchangeUnreachable, FenceLost, KeyRefused
from btcbot.domain.events import Event
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.states import OrderState
from btcbot.domain.state import EntriesCounted
from btcbot.persistence.sqlite.unit_of_work import UnitOfWork
from btcbot.services.halting import write_halt_file
from btcbot.services.run_loop import DEFECTS_IN_A_ROW_MAX, WAIT_SECONDS
from btcbot.strategy.language import CLOSE, crosses_above, of_pair, on_timeframe, sma
from tests.unit.services.looping import BUYS, GUARDED, Worker, worker
from tests.unit.services.world import LIMITS, PAIR

pytestmark = pytest.mark.looptime


@contextmanager
def commits(work: Worker) -> Iterator[list[int]]:
    """How many transactions the block made."""
    database, made = work.store._database, [0]
    begin = database.transaction

    @contextmanager
    def counted() -> Iterator[None]:
        with begin():
            yield
        made[0] += 1

    database.transaction = counted  # type: ignore[method-assign]
    try:
        yield made
    finally:
        del database.transaction


async def test_a_cycle_that_sends_nothing_commits_exactly_once(tmp_path: Path) -> None:
    with worker(tmp_path) as work:
        task = await work.runs(8)
        before = work.cycles()
        with commits(work) as made:
            await asyncio.sleep(40)
        assert work.cycles() - before == made[0] == 8
        await work.stops(task)
        assert work.execution.submits == []


async def test_cycles_keep_their_period_and_never_catch_up(tmp_path: Path) -> None:
    with worker(tmp_path) as work:
        task = await work.runs(1)
        loop = asyncio.get_running_loop()
        moments: list[float] = []
        work.market.on_snapshot = lambda: moments.append(loop.time())
        answered = work.exchange.balances
        slow = [13.0, 0.0]  # the second time

        async def balances() -> object:
            await asyncio.sleep(slow.pop() if slow else 0)
            return await answered()

        work.exchange.balances = balances  # type: ignore[method-assign,assignment]
        await asyncio.sleep(100)
        await work.stops(task)
        gaps = [round(later - earlier) for earlier, later in pairwise(moments)]
        assert sorted(gaps) == [0, *[5] * (len(gaps) - 2), 18], "after a slow cycle one follows at once, and no burst"


async def test_an_order_is_journaled_sent_once_and_reported(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(4)
        (order,) = work.store.journal.unfinished()
        assert (order.state, len(work.execution.submits)) == (OrderState.OPEN, 1)
        row = work.store._database.execute("SELECT orders_sent FROM cycles ORDER BY id").fetchone()
        assert row == (1,)
        await work.stops(task)


async def test_a_cycle_that_fails_leaves_no_record_and_the_journal_knows_what_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: UnitOfWork) -> None:
        raise ValueError("at the last step")

    with worker(tmp_path, BUYS) as work:
        with monkeypatch.context() as failing:
            failing.setattr(UnitOfWork, "commit", fails)
            task = await work.runs(4)
        assert work.cycles() == 0
        assert work.store.counts()["signals"] == work.store.counts()["verdicts"] == 0
        (order,) = work.store.journal.unfinished()
        assert order.state is OrderState.OPEN
        assert Event.CYCLE_FAILED in work.witness.events()
        await asyncio.sleep(10)
        assert work.cycles() > 0
        assert len(work.execution.submits) == 1
        await work.stops(task)


async def test_defects_in_a_row_halt_and_one_alone_does_not(tmp_path: Path) -> None:
    def fails() -> None:
        raise ValueError("a defect")

    with worker(tmp_path) as work:
        task = await work.runs(2)
        work.market.on_snapshot = fails
        await asyncio.sleep(5 * (DEFECTS_IN_A_ROW_MAX - 1))
        work.market.on_snapshot = lambda: None
        await asyncio.sleep(10)
        assert work.store.halt() is None
        work.market.on_snapshot = fails
        await asyncio.sleep(5 * DEFECTS_IN_A_ROW_MAX)
        assert "3 cycles in a row" in (work.store.halt() or "")
        work.market.on_snapshot = lambda: None
        await work.stops(task)


async def test_a_stop_cancels_entries_and_proves_it(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(4)
        (order,) = work.store.journal.unfinished()
        await work.stops(task)
        assert work.store.journal.get(order.order_id).state is OrderState.CANCELED
        assert work.execution.cancels == [order.exchange_order_id]
        assert Event.ORDERS_LEFT_OPEN not in work.witness.events()


async def test_a_stop_in_the_middle_of_a_cycle_sends_nothing_more(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        work.market.on_snapshot = work.service.stop
        task = await work.runs(60)
        assert task.done()
        assert work.execution.submits == []


async def test_what_cannot_be_proven_gone_is_told(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(4)
        work.exchange.failing = "open_orders"
        await work.stops(task)
        assert Event.ORDERS_LEFT_OPEN in work.witness.events()


# ------------------------------------------------------------------------------------------------------ the exchange


async def test_an_exchange_out_of_reach_at_the_start_is_waited_for_and_told_once(tmp_path: Path) -> None:
    def unreachable() -> None:
        raise ExchangeUnreachable("nobody answers")

    with worker(tmp_path, BUYS) as work:
        work.market.on_start = unreachable
        task = await work.runs(60)
        assert not task.done()
        assert work.witness.events().count(Event.EXCHANGE_UNREACHABLE) == 1
        assert (work.execution.submits, work.cycles()) == ([], 0)
        assert work.wiring.policy.blocks()
        work.market.on_start = lambda: None
        await asyncio.sleep(WAIT_SECONDS + 1)
        assert Event.EXCHANGE_REACHED in work.witness.events()
        assert len(work.execution.submits) == 1
        await work.stops(task)


async def test_something_heard_on_the_private_socket_does_not_make_the_wait_a_storm(tmp_path: Path) -> None:
    with worker(tmp_path) as work:

        def unreachable() -> None:
            if work.market.starts > 50:
                raise ConfigurationError("a storm")
            raise ExchangeUnreachable("nobody answers")

        work.market.on_start = unreachable
        work.hints.heard.set()
        task = await work.runs(20)
        assert work.market.starts <= 20 / WAIT_SECONDS + 2
        await work.stops(task)


async def test_a_hint_while_the_clock_cannot_be_measured_leaves_a_pause_between_cycles(tmp_path: Path) -> None:
    with worker(tmp_path) as work:
        task = await work.runs(2)
        work.market.offset = timedelta(seconds=9)
        await asyncio.sleep(310)
        before = work.cycles()
        work.hints.heard.set()
        await asyncio.sleep(20)
        assert work.cycles() - before <= 20 / 5 + 2
        await work.stops(task)


async def test_a_stop_ends_the_wait_for_the_exchange(tmp_path: Path) -> None:
    def unreachable() -> None:
        raise ExchangeUnreachable("nobody answers")

    with worker(tmp_path) as work:
        work.market.on_start = unreachable
        task = await work.runs(3)
        began = asyncio.get_running_loop().time()
        await work.stops(task)
        assert asyncio.get_running_loop().time() - began < 1


@pytest.mark.parametrize("error", [KeyRefused("no"), ConfigurationError("no such pair"), FenceLost("taken")])
async def test_what_only_a_person_can_settle_ends_the_start(tmp_path: Path, error: Exception) -> None:
    def refuses() -> None:
        raise error

    with worker(tmp_path) as work:
        work.market.on_start = refuses
        with pytest.raises(type(error)):
            await work.service.run()


@pytest.mark.parametrize("source", ["open_orders", "balances"])
async def test_while_the_exchange_does_not_answer_nothing_is_sent_and_cycles_go_on(tmp_path: Path, source: str) -> None:
    with worker(tmp_path) as work:
        task = await work.runs(2)
        work.exchange.failing = source
        await asyncio.sleep(70)
        before = work.cycles()
        await asyncio.sleep(20)
        assert work.cycles() > before
        assert "an answer of the exchange" in "; ".join(work.wiring.policy.blocks())
        work.exchange.failing = ""
        await asyncio.sleep(10)
        assert work.wiring.policy.blocks() == ()
        await work.stops(task)


async def test_a_read_that_fails_does_not_keep_a_cancel(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(4)
        work.exchange.failing = "open_orders"
        await asyncio.sleep(90)  # past the age at which an order is taken off the book
        assert work.execution.cancels != []
        assert len(work.execution.submits) == 1
        work.exchange.failing = ""
        await work.stops(task)


@pytest.mark.parametrize("offset", [3, -3])
async def test_a_clock_too_far_off_keeps_everything_back_at_the_start(tmp_path: Path, offset: int) -> None:
    with worker(tmp_path, BUYS) as work:
        work.market.offset = timedelta(seconds=offset)
        task = await work.runs(60)
        assert Event.CLOCK_OFFSET_EXCEEDED in work.witness.events()
        assert (work.execution.submits, work.cycles()) == ([], 0)
        assert work.witness.events().count(Event.EXCHANGE_UNREACHABLE) == 1
        await work.stops(task)


async def test_a_clock_that_drifts_away_blocks_until_it_is_back(tmp_path: Path) -> None:
    with worker(tmp_path) as work:
        task = await work.runs(2)
        assert work.wiring.policy.blocks() == ()
        work.market.offset = timedelta(seconds=9)
        await asyncio.sleep(310)
        assert "clock" in "; ".join(work.wiring.policy.blocks())
        work.market.offset = timedelta(0)
        await asyncio.sleep(10)
        assert work.wiring.policy.blocks() == ()
        await work.stops(task)


# --------------------------------------------------------------------------------------------------------- the latch


async def test_a_halt_between_deciding_and_sending_sends_nothing(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        work.market.on_snapshot = lambda: write_halt_file(work.run_dir, "just now") and None
        task = await work.runs(30)
        assert work.execution.submits == []
        assert "just now" in (work.store.halt() or "")
        await work.stops(task)


async def test_a_pause_between_deciding_and_sending_sends_no_entry(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        work.market.on_snapshot = lambda: work.store.set_paused(True, "operator")
        task = await work.runs(30)
        assert work.execution.submits == []
        await work.stops(task)


async def test_more_entries_than_a_day_may_see_pause_until_a_person_resumes(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(4)
        assert len(work.store.journal.unfinished()) == 1
        work.parts.book.take(EntriesCounted({PAIR: LIMITS.entries_per_day_max}))
        await asyncio.sleep(200)  # the order is too old and gone, the strategy wants in again
        await work.stops(task)
        assert len(work.execution.submits) == 1
        assert work.store.is_paused()
        assert work.parts.book.state.trading.is_paused
        (reason,) = work.store._database.execute("SELECT reason FROM control WHERE verb = 'pause'").fetchone()
        assert "entries_of_day_at_max (entries=100, entries_per_day_max=100)" in reason
        assert [fields["by"] for event, fields in work.witness.seen if event is Event.PAUSED] == ["breaker"]


async def test_a_halt_takes_resting_orders_off_the_book(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(4)
        write_halt_file(work.run_dir, "why")
        await asyncio.sleep(15)
        assert work.store.journal.unfinished() == ()
        assert len(work.execution.cancels) == 1
        await work.stops(task)


async def test_starting_with_a_latched_halt_means_running_halted(tmp_path: Path) -> None:
    with worker(tmp_path, BUYS) as work:
        work.store.latch_halt("from before", "operator")
        task = await work.runs(60)
        assert work.cycles() > 0
        assert work.execution.submits == []
        await work.stops(task)


async def test_a_key_refused_while_running_halts(tmp_path: Path) -> None:
    with worker(tmp_path) as work:
        task = await work.runs(2)

        async def refused(pair: str) -> object:
            raise KeyRefused("no more")

        work.exchange.open_orders = refused  # type: ignore[method-assign,assignment]
        await asyncio.sleep(70)
        assert "no more" in (work.store.halt() or "")
        assert not task.done()
        await work.stops(task)


async def test_a_lost_fence_ends_the_worker(tmp_path: Path) -> None:
    with worker(tmp_path) as work:
        task = await work.runs(2)
        (tmp_path / "live.db.lock").unlink()
        await asyncio.wait({task}, timeout=20)
        with pytest.raises(FenceLost):
            await task


async def test_a_crossed_stop_sends_the_exit_before_anything_is_asked(tmp_path: Path) -> None:
    with worker(tmp_path, GUARDED) as work:
        task = await work.runs(4)
        work.exchange.fill_all()
        await asyncio.sleep(5)
        assert [order.side for order in work.execution.submits] == [Side.BUY]
        work.exchange.reads.clear()
        work.market.falls_to(2_960_000)
        await asyncio.sleep(0.001)
        assert [order.side for order in work.execution.submits] == [Side.BUY, Side.SELL], "not at the next period"
        assert work.exchange.reads == []
        await asyncio.sleep(5)
        assert work.exchange.reads, "the exchange is asked afterwards"
        assert len(work.execution.submits) == 2
        await work.stops(task)


async def test_the_start_fetches_exactly_what_the_strategy_needs_of_each_pair(tmp_path: Path) -> None:
    level = of_pair("USDTTRY", sma(CLOSE, 20))
    with worker(tmp_path, replace(BUYS, entry=crosses_above(on_timeframe(timedelta(minutes=5), CLOSE), level))) as one:
        await one.service.take_over()
        (candles,) = (fields["candles"] for event, fields in one.witness.seen if event is Event.WARM_UP_COMPLETED)
        assert candles == {"BTCTRY": 5 + 4 + 1, "USDTTRY": 20 + 1}
        assert one.parts.params.strategy.is_warm(one.parts.book.state.indicators["BTCTRY"])
