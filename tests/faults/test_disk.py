"""A disk that tears, fills up or fails: what was acknowledged is there, nothing is there by halves, nothing is sent on
a record that was not kept.
"""

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from btcbot.domain.errors import ExitCode, UnsafeState
from btcbot.domain.events import Event
from btcbot.domain.orders.evidence import Accepted, CancelSent, CancelWanted, Traded
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.profiles import Role
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.persistence.sqlite.errors import DatabaseBlocked
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.lock import Stage as LockStage
from btcbot.persistence.sqlite.lock import read_holder
from btcbot.persistence.sqlite.ownership import verify_records
from btcbot.services.order_desk import OrderDesk
from tests.faults.stage import Life, Stage, stage
from tests.unit.persistence.world import START, approved, fill, live_store
from tests.unit.services.looping import HOLDS
from tests.unit.services.world import ScriptedExecution, live_profile, opened

WRITES = ("INSERT", "UPDATE", "BEGIN", "COMMIT")
FULL, BROKEN_WRITE, BROKEN_SYNC = sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC


# ------------------------------------------------------------------------------------------------------------ torn logs


def lived(store: LiveStore) -> Iterator[None]:
    """An order's life, one commit at a time."""
    journal = store.journal
    order = journal.intent(approved())
    yield
    journal.sending(order)
    yield
    for evidence in (Accepted(77, START), CancelWanted("too old"), CancelSent(), Traded((fill(1, "0.0004"),))):
        journal.record(order.order_id, evidence)
        yield
    store.latch_halt("the end", "test")
    yield


def links(path: Path) -> int:
    with live_store(path) as store:
        return store.chain_head()[0] - 1  # this opening is one


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[tuple[int, bytes]]]:
    """The database file, and for each commit how many links there are and what the log holds."""
    path = tmp_path_factory.mktemp("whole") / "live.db"
    logs = []
    with live_store(path) as store:
        content = path.read_bytes()
        for _ in lived(store):
            logs.append((store.chain_head()[0], path.with_name("live.db-wal").read_bytes()))
        assert path.read_bytes() == content, "all of it is in the log"
    return content, logs


def torn(path: Path, content: bytes, log: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True)
    for name, data in (("live.db", content), ("live.db-wal", log)):
        file = path.with_name(name)
        file.write_bytes(data)
        file.chmod(0o600)
    return path


@pytest.mark.parametrize("how", ["cut", "zeros", "noise", "holes"])
def test_a_torn_log_has_every_acknowledged_commit_and_no_half_of_another(
    directory: Path, images: tuple[bytes, list[tuple[int, bytes]]], how: str
) -> None:
    """55: what was synced stays; of what came after it, any part may have reached the disk."""
    content, logs = images
    chance = random.Random(how)
    for number, ((acknowledged, synced), (after, longer)) in enumerate(pairwise(logs)):
        unsynced = longer[len(synced) :]
        tail = {
            "cut": unsynced[: chance.randrange(len(unsynced))],
            "zeros": bytes(len(unsynced)),
            "noise": chance.randbytes(len(unsynced)),
            "holes": b"".join(
                unsynced[at : at + 512] if chance.random() < 0.7 else bytes(512) for at in range(0, len(unsynced), 512)
            ),
        }[how]
        path = torn(directory / f"{number}" / "live.db", content, synced + tail)
        verify_records(path, Role.LIVE)
        assert links(path) in (acknowledged, after)


# ---------------------------------------------------------------------------------------------------- a disk that fails


class FailingConnection:
    """The engine reports a code at the so-manieth write, and from then on where the disk is full."""

    def __init__(self, genuine: sqlite3.Connection, code: int, number: int) -> None:
        self._genuine = genuine
        self._code = code
        self._left = number
        self.has_struck = False

    def execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        is_write = sql.startswith(WRITES)
        self._left -= is_write
        if is_write and (self._left == 0 or (self.has_struck and self._code == FULL)):
            self.has_struck = True
            failure = sqlite3.OperationalError("the disk says no")
            failure.sqlite_errorcode = self._code  # type: ignore[misc]
            raise failure
        return self._genuine.execute(sql, values)  # type: ignore[arg-type]

    @property
    def in_transaction(self) -> bool:
        return self._genuine.in_transaction


@pytest.mark.parametrize("code", [FULL, BROKEN_WRITE, BROKEN_SYNC], ids=["full", "write", "sync"])
def test_no_order_leaves_on_a_record_that_was_not_kept(directory: Path, code: int) -> None:
    """56, 57, 58: at each write of an order's way to the wire; whatever was sent has its row after a restart."""
    sent = 0
    for number in range(1, 40):
        path = directory / f"{number}" / "live.db"
        path.parent.mkdir(mode=0o700)
        execution = ScriptedExecution(answer=Accepted(77, START))
        with opened(path) as at:
            disk = FailingConnection(at.store._database._connection, code, number)
            at.store._database._connection = disk  # type: ignore[assignment]
            policy = TradingArmedPolicy(live_profile(path.parent), lambda: None)
            desk = OrderDesk(at.book, at.store.require_fence, execution, policy, lambda *_: None, at.witness)
            failure = failure_of(desk)
            if not disk.has_struck:
                break
            assert failure is not None
            assert (failure.exit_code, bool(failure.next_step)) == (ExitCode.UNSAFE, True)
            assert at.store._database.is_usable is (code == FULL), "after a failed disk nothing is tried again"
            left = path.read_bytes(), path.with_name("live.db-wal").read_bytes()
        sent += len(execution.submits)
        with live_store(torn(directory / f"{number}, later" / "live.db", *left)) as store:
            states = [str(order.state) for order in store.journal.unfinished()]
        assert states in ([["sending"]] if execution.submits else [[], ["intent"], ["sending"]])
    else:
        raise AssertionError("the order's way has more writes than were tried")
    assert sent > 0, "the writes after the answer were tried as well"


# ------------------------------------------------------------------------------------------- what goes on all the same


def strike(life: Life, code: int) -> sqlite3.Connection:
    """From now on the disk fails; returns the connection that does not."""
    genuine = life.store._database._connection
    life.store._database._connection = FailingConnection(genuine, code, 1)  # type: ignore[assignment]
    return genuine


def events_of(shop: Stage) -> list[Event]:
    return [event for event, _ in shop.ground.notes.events]


async def resting_entry(shop: Stage, life: Life) -> OrderRecord:
    await life.passes(2)
    order = await life.places(Side.BUY, "0.001", await life.bid() * Decimal("0.9"))
    assert order is not None
    await life.passes(10)
    assert (life.states, await shop.resting()) == (["open"], 1), life.orders
    return order


@pytest.mark.looptime
async def test_a_full_disk_sends_nothing_calls_back_what_rests_and_halts_once_it_can_write(tmp_path: Path) -> None:
    """56: the worker stays, reads and cancels; what it could not record it learns from the exchange."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        order = await resting_entry(shop, life)
        genuine = strike(life, FULL)
        await life.passes(20)
        assert await shop.resting() == 0
        assert life.store.journal.get(order.order_id).state == "open", "nothing could be written"
        assert any("records that can be written" in block for block in life.wiring.policy.blocks())
        assert len(await shop.sent()) == 1
        assert {Event.RECORDS_BLOCKED, Event.CANCEL_LEFT_UNRECORDED} <= set(events_of(shop))
        life.store._database._connection = genuine
        await life.passes(20)
        assert "records could not be written" in str(life.store.halt())
        assert life.states == ["canceled"]
        await life.books_agree()


@pytest.mark.looptime
@pytest.mark.parametrize("code", [BROKEN_WRITE, BROKEN_SYNC], ids=["write", "sync"])
async def test_a_failed_disk_calls_back_what_rests_and_the_next_start_recovers(tmp_path: Path, code: int) -> None:
    """57, 58: the process ends without another try; the log stays, and the next process goes on from it."""
    async with stage(tmp_path) as shop:
        async with shop.life(HOLDS) as life:
            order = await resting_entry(shop, life)
            strike(life, code)
            with pytest.raises(UnsafeState, match="the disk says no"):
                await life.passes(20)
            assert await shop.resting() == 0
        assert read_holder(shop.profile.common.state_db_path).stage is LockStage.HELD  # type: ignore[union-attr]
        async with shop.life(HOLDS) as life:
            assert life.store.was_unclean
            await life.passes(20)
            assert life.states == ["canceled"]
            assert await shop.sent() == [order.client_order_id]
            await life.books_agree()


@pytest.mark.looptime
async def test_a_file_that_stays_busy_is_waited_for_without_spinning_and_cancels_go_on(tmp_path: Path) -> None:
    """65: another program in the file for four cycles."""
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await resting_entry(shop, life)
        life.store._database.execute("PRAGMA busy_timeout = 10")
        with closing(sqlite3.connect(shop.profile.common.state_db_path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await life.passes(20)
            assert await shop.resting() == 0
            blocked = events_of(shop).count(Event.RECORDS_BLOCKED)
            assert 3 <= blocked <= 5, "once a cycle"
        await life.passes(20)
        assert "records could not be written" in str(life.store.halt())
        await life.books_agree()


@pytest.mark.looptime
async def test_what_cannot_be_written_for_long_ends_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("btcbot.services.run_loop.BLOCKED_CYCLES_MAX", 3)
    async with stage(tmp_path) as shop, shop.life(HOLDS) as life:
        await life.passes(7)
        strike(life, FULL)
        with pytest.raises(DatabaseBlocked) as failure:
            await life.passes(60)
        assert failure.value.exit_code is ExitCode.UNSAFE


def failure_of(desk: OrderDesk) -> UnsafeState | None:
    try:
        asyncio.run(desk.place(approved(), START))
    except UnsafeState as error:
        return error
    return None
