"""No restart loosens a stop: what a cycle raised is where the next process begins."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.money import Ratio
from btcbot.domain.state import FillBooked, FloorRaised, TradingState, apply
from btcbot.services.floors import with_kept_floors
from btcbot.services.live_wiring import restored_state
from btcbot.services.replay import replay
from btcbot.strategy.protection import PositionRules, TrailingStop
from tests.unit.domain.builders import TRY, fill
from tests.unit.persistence.world import live_store
from tests.unit.services.looping import BUYS, worker
from tests.unit.services.world import PAIR

TRAILS = replace(BUYS, name="trails", rules=PositionRules(trailing=TrailingStop(Ratio(Decimal("0.01")))))


@pytest.mark.looptime
async def test_a_trailing_stop_is_where_the_last_cycle_left_it(tmp_path: Path) -> None:
    with worker(tmp_path, TRAILS) as work:
        task = await work.runs(20)
        work.exchange.fill_all()
        await asyncio.sleep(20)
        work.market.bid = 3_029_900
        await asyncio.sleep(20)
        floor = work.parts.book.state.trading.instrument(PAIR).stay.floor
        assert floor == Decimal(3_029_900) * Decimal("0.99")
        await work.stops(task)
    with live_store(tmp_path / "live.db") as store:
        bare = restored_state(store.history(), TRY, timedelta(seconds=60))
        assert bare.instrument(PAIR).stay.floor is None, "fills alone do not know it"
        assert with_kept_floors(store, bare).instrument(PAIR).stay.floor == floor
        other = replace(bare.instrument(PAIR), stay=replace(bare.instrument(PAIR).stay, opened_at=fill().time_exchange))
        later = replace(bare, instruments={PAIR: other})
        assert with_kept_floors(store, later).instrument(PAIR).stay.floor is None, "that of another stay"
    report = replay(tmp_path / "live.db")
    assert (report.is_clean, report.untold) == (True, ())


def test_a_floor_only_rises_and_ends_with_its_stay() -> None:
    state = apply(TradingState(TRY), FloorRaised(PAIR, Decimal(5)))
    assert state.instrument(PAIR).stay.floor is None, "nothing is held"
    state = apply(state, FillBooked(fill(quantity="1", price="1000")))
    for floor, expected in ((900, 900), (950, 950), (940, 950)):
        state = apply(state, FloorRaised(PAIR, Decimal(floor)))
        assert state.instrument(PAIR).stay.floor == expected
