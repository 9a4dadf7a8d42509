"""No breaker, counter or latch forgets: what a restart makes of the journal is what trading stood at before."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from btcbot.domain.money import ZERO, parse
from btcbot.domain.state import (
    ENTRY_MEMORY,
    SUBMIT_MEMORY,
    BreakersRestored,
    MarkSeen,
    TicksLearnt,
    TradingState,
    VolatilityPaused,
    apply,
)
from btcbot.persistence.sqlite.live_store import TradingHistory
from btcbot.persistence.sqlite.unit_of_work import CycleRecord
from btcbot.persistence.sqlite.writer import Writer
from btcbot.services.breakers import breakers_of, capital_at_last, restored_breakers
from btcbot.services.floors import with_kept_floors
from btcbot.services.live_wiring import restored_state
from tests.unit.domain.builders import START, after
from tests.unit.persistence.world import Clock, live_store, writer
from tests.unit.services.looping import BUYS, Worker, worker
from tests.unit.services.world import LIMITS, PAIR, TRY

WINDOW = LIMITS.volatility_window
SEEDS = (1, 2, 3, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 40)))


@pytest.mark.looptime
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_restart_forgets_no_counter_and_no_latch(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with worker(tmp_path, BUYS) as work:
        task = await work.runs(1)
        for _ in range(chance.randint(6, 14)):
            await _something_happens(work, chance)
        await work.stops(task)
        before = work.parts.book.state.trading
        again = with_kept_floors(work.store, restored_state(work.store.history(), TRY, WINDOW))
        now = work.parts.runtime.clock.now()
        assert counters_and_latches(again, now) == counters_and_latches(before, now)
        assert work.store.is_paused() == before.is_paused
        assert work.store.halt() == before.halt_reason
        if before.instrument(PAIR).marks:
            assert again.instrument(PAIR).are_marks_carried, "no reading of the new process has valued anything yet"


async def _something_happens(work: Worker, chance: Random) -> None:
    match chance.randrange(6):
        case 0:
            work.market.bid = int(work.market.bid * (1 + chance.choice((-0.03, -0.01, 0.01, 0.03))))
        case 1 if work.exchange.listed:
            work.exchange.fill_all()
        case 2:
            work.store.set_paused(chance.random() < 0.5, "operator")
        case 3:
            work.market.bid = int(work.market.bid * chance.choice((0.9, 1.1)))
        case _:
            pass
    await asyncio.sleep(chance.choice((5, 5, 5, 20, 61)))


def counters_and_latches(trading: TradingState, now: datetime) -> dict[str, object]:
    """All that a rule may lean on; of what is remembered for a time, what still counts at this moment."""
    instruments = {
        pair: (
            each.position, each.cash_flow, each.stay, each.marks, each.paused_until, each.entries_of_day,
            tuple(at for at in each.entered_at if at > now - ENTRY_MEMORY),
        )
        for pair, each in sorted(trading.instruments.items())
    }  # fmt: skip
    return {
        "instruments": instruments,
        "submits": tuple(at for at in trading.submitted_at if at > now - SUBMIT_MEMORY),
        "orders": trading.orders,
        "day": (trading.day, trading.day_opening_pnl),
        "peak": trading.equity_peak,
        "capital": trading.capital,
        "fees": trading.fees,
        "ticked": trading.ticked,
    }


def test_what_a_cycle_keeps_of_its_breakers_is_read_back() -> None:
    state = TradingState(TRY)
    kept = []
    for second, price in ((0, "100"), (30, "101"), (61, "102"), (70, "103")):
        state = apply(state, MarkSeen(PAIR, parse(price), after(second), WINDOW))
        state = apply(state, MarkSeen("ETHTRY", parse("5"), after(0), WINDOW)) if second == 0 else state
        kept.append(breakers_of(state, after(second)))
    state = apply(apply(state, VolatilityPaused(PAIR, after(900))), TicksLearnt(frozenset({PAIR})))
    kept.append(breakers_of(state, after(75)))
    again = TradingState(TRY)
    for event in restored_breakers(kept, WINDOW):
        again = apply(again, event)
    for pair in (PAIR, "ETHTRY"):
        assert again.instrument(pair).marks == state.instrument(pair).marks
        assert again.instrument(pair).paused_until == state.instrument(pair).paused_until
    assert again.ticked == {PAIR}


def test_without_any_record_there_is_nothing_to_restore() -> None:
    assert list(restored_breakers((), WINDOW)) == []
    assert capital_at_last(()) is None


def test_a_pause_is_restored_for_a_pair_without_a_mark() -> None:
    record = breakers_of(apply(TradingState(TRY), VolatilityPaused(PAIR, after(9))), START)
    assert list(restored_breakers((record,), WINDOW)) == [BreakersRestored(PAIR, (), after(9))]


def test_a_withdrawal_that_no_cycle_saw_moves_the_peak_with_it() -> None:
    """Or the fall from a peak that was withdrawn would halt trading at every start, whoever resumes."""
    cycle = CycleRecord(
        "completed", None, parse("100"), parse("120"), ZERO, START.date(), ZERO, 0, halted=False, paused=False,
        ended_at=START,
    )  # fmt: skip
    record = {"at": START.isoformat(), "capital": "100"}
    history = TradingHistory((), (), (), {TRY: parse("40")}, (), cycle, breakers=(record,))
    assert restored_state(history, TRY, WINDOW).equity_peak == 60


def test_a_ramp_up_begins_where_build_or_configuration_changed(tmp_path: Path) -> None:
    path, clock = tmp_path / "live.db", Clock()

    def unchanged_since(who: Writer) -> datetime | None:
        clock.elapsed += timedelta(minutes=1)
        with live_store(path, who, clock) as store:
            assert restored_state(store.history(), TRY, WINDOW).changed_at == store.history().unchanged_since
            return store.history().unchanged_since

    first = unchanged_since(writer())
    other = unchanged_since(writer(config_hash="b0a7"))
    assert other == unchanged_since(writer(config_hash="b0a7")) == unchanged_since(writer(config_hash="b0a7"))
    rebuilt = unchanged_since(writer(config_hash="b0a7", build="0.2.0"))
    assert unchanged_since(writer()) not in (first, other, rebuilt), "to go back is a change as well"
