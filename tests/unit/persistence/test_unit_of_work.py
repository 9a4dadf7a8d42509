import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind
from btcbot.domain.money import Asset
from btcbot.domain.orders.evidence import Accepted
from btcbot.domain.signals import Direction, Signal
from btcbot.persistence.sqlite.live_store import CycleRecord, LiveStore
from tests.unit.persistence.world import START, approved, live_store, snapshot


def record(**changes: object) -> CycleRecord:
    done = CycleRecord(
        outcome="completed", snapshot_id=None, equity=Decimal("1000.5"), equity_peak=Decimal(1001), day_pnl=Decimal(-2),
        day=date(2026, 3, 1), day_opening_pnl=Decimal("0.1"), orders_sent=1, halted=False, paused=True, ended_at=START,
    )  # fmt: skip
    return replace(done, **changes)  # type: ignore[arg-type]


def rows(store_path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"{store_path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchall()


def fill_in(store: LiveStore) -> None:
    unit = store.unit_of_work("cycle-1", START)
    unit.add_snapshot(snapshot())
    unit.add_signal(Signal("BTCTRY", Direction.HOLD, 0.1, None, "flat"))
    unit.add_verdict("cycle-1/BTCTRY/1", "BTCTRY", "buy", False, (("SpreadAboveMax", "0.05 > 0.02"),))
    unit.add_event(Event.SUBMIT_BLOCKED, {"pair": "BTCTRY", "age": Decimal("12.5")})
    unit.add_balances((Balance(Asset("TRY"), Decimal("5.50"), Decimal(5), Decimal("0.5")),))
    unit.add_feed(FeedKind.CYCLE, {"cycle_id": unit.cycle_id})
    unit.set_cursor("orders/BTCTRY", "76")
    unit.set_cursor("orders/BTCTRY", "77")
    unit.finish(record(snapshot_id=snapshot().snapshot_id))
    unit.commit()


def test_a_cycle_is_one_commit(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        before = store.chain_head()
        fill_in(store)
        assert store.chain_head()[0] == before[0] + 1  # the cycle's row stands for all of its rows
        assert store.counts() == {
            "cycles": 1, "signals": 1, "verdicts": 1, "orders": 0, "fills": 0, "ledger": 0, "events": 1, "snapshots": 1,
            "outbox": 2,
        }  # fmt: skip
        assert store.cursor("orders/BTCTRY") == "77"
        assert store.history().last_cycle == record(snapshot_id=snapshot().snapshot_id)
        assert [message.kind for message in store.outbox_after(0, 10)] == [FeedKind.BALANCE, FeedKind.CYCLE]
        assert store.outbox_after(1, 10)[0].body == {"cycle_id": "cycle-1"}
        assert store.outbox_last() == 2
    assert rows(path, "SELECT detail FROM events") == [('{"age":"12.5","pair":"BTCTRY"}',)]
    assert json.loads(str(rows(path, "SELECT reasons FROM verdicts")[0][0])) == [["SpreadAboveMax", "0.05 > 0.02"]]


def test_nothing_is_written_before_the_commit_and_nothing_after_a_rollback(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        unit = store.unit_of_work("cycle-1", START)
        unit.add_signal(Signal("BTCTRY", Direction.HOLD, 0.1, None, "flat"))
        unit.finish(record())
        unit.rollback()
        unit.rollback()
        assert sum(store.counts().values()) == 0
        with pytest.raises(AssertionError):
            unit.commit()
        fill_in(store)


def test_a_commit_that_fails_writes_nothing_and_leaves_the_chain_where_it_was(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        head = store.chain_head()
        unit = store.unit_of_work("cycle-1", START)
        unit.add_signal(Signal("BTCTRY", Direction.HOLD, 0.1, None, "flat"))
        unit.finish(record(snapshot_id="a snapshot that nobody stored"))
        with pytest.raises(Exception, match="FOREIGN KEY"):
            unit.commit()
        unit.rollback()
        assert store.chain_head() == head
        assert sum(store.counts().values()) == 0
        fill_in(store)


def test_orders_carry_the_cycle_and_the_snapshot_that_they_were_decided_in(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        unit = store.unit_of_work("cycle-1", START)
        early = store.journal.intent(approved("cycle-1/ETHTRY/1", pair="ETHTRY"))
        unit.add_snapshot(snapshot())
        order = store.journal.intent(approved("cycle-1/BTCTRY/1"))
        unit.rollback()
        store.journal.record(store.journal.sending(order).order_id, Accepted(1, None))
        late = store.journal.intent(approved("x/BTCTRY/1"))
    found = {order_id: rest for order_id, *rest in rows(path, "SELECT order_id, cycle_id, snapshot_id FROM orders")}
    assert found == {
        early.order_id: ["cycle-1", None], order.order_id: ["cycle-1", snapshot().snapshot_id],
        late.order_id: ["no-cycle", None],
    }  # fmt: skip
    assert rows(path, "SELECT snapshot_id FROM snapshots") == [(snapshot().snapshot_id,)]


def test_a_snapshot_is_stored_once(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        for cycle_id in ("cycle-1", "cycle-2"):
            unit = store.unit_of_work(cycle_id, START)
            unit.add_snapshot(snapshot())
            unit.finish(record())
            unit.commit()
        assert store.counts()["snapshots"] == 1


def test_cycles_do_not_overlap(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        unit = store.unit_of_work("cycle-1", START)
        with pytest.raises(AssertionError, match="one cycle at a time"):
            store.unit_of_work("cycle-2", START)
        unit.rollback()
