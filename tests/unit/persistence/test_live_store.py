from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.balances import Balance
from btcbot.domain.errors import FenceLost
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind
from btcbot.domain.ledger import EntryKind, LedgerEntry, balances_of, entries_of_fill
from btcbot.domain.money import Asset, amount
from btcbot.domain.orders.evidence import Accepted, NoByteLeft, Seen, Traded
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.labels import Label
from btcbot.persistence.sqlite.errors import RecordRefused
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.lock import DatabaseLock, lock_path
from btcbot.persistence.sqlite.models import INSERTS, Epochs
from tests.unit.persistence.world import (
    LIMITS,
    START,
    Clock,
    CountedIds,
    Witness,
    approved,
    fill,
    identity,
    live_store,
    venue,
    writer,
)


def balance(text: str) -> Balance:
    held = amount(text)
    return Balance(held.asset, held.number, held.number, Decimal(0))


def bought(store: LiveStore, trade_id: int = 1) -> None:
    order = store.journal.sending(store.journal.intent(approved(f"cycle/BTCTRY/{trade_id}")))
    store.journal.record(order.order_id, Accepted(1000 + trade_id, None))
    store.journal.record(order.order_id, Traded((fill(trade_id, exchange_order_id=1000 + trade_id),)))
    seen = venue(order.client_order_id, "0", is_open=False, exchange_order_id=1000 + trade_id)
    store.journal.record(order.order_id, Seen(seen))


def test_the_ledger_adds_up_opening_transfers_trades_fees_and_tax(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        assert store.history().opening is None
        store.open_ledger((balance("10000.5 TRY"), balance("0.25 BTC"), balance("0 ETH")))
        transfer = LedgerEntry(EntryKind.TRANSFER, amount("500 TRY"), "transfer/9", START)
        store.book_transfers((transfer,))
        store.book_transfers((transfer, LedgerEntry(EntryKind.TRANSFER, amount("-1 TRY"), "transfer/10", START)))
        bought(store)
        expected = {Asset("TRY"): Decimal("10000.5") + 500 - 1 - 3000 - Decimal("1.75"), Asset("BTC"): Decimal("0.251")}
        assert store.ledger_balances() == expected
    with live_store(path) as store:
        history = store.history()
        assert history.opening == {Asset("TRY"): Decimal("10000.5"), Asset("BTC"): Decimal("0.25")}
        assert [entry.source for entry in history.transfers] == ["transfer/9", "transfer/10"]
        assert store.ledger_balances() == expected
        entries = [
            *(
                LedgerEntry(EntryKind.OPENING, amount(f"{number} {asset}"), "", START)
                for asset, number in history.opening.items()
            ),
            *history.transfers,
            *(entry for each in history.fills for entry in entries_of_fill(each, Asset("BTC"), Asset("TRY"))),
        ]
        assert balances_of(entries) == expected


def test_the_ledger_is_opened_once_even_on_an_empty_account(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        store.open_ledger(())
        assert store.history().opening == {}
        with pytest.raises(RecordRefused, match="opened before"):
            store.open_ledger((balance("5 TRY"),))


def test_a_halt_survives_restarts_until_a_person_lifts_it(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        assert store.halt() is None
        store.latch_halt("day loss", "breaker")
        store.latch_halt("drawdown", "breaker")
        assert store.halt() == "day loss"
    with live_store(path) as store:
        assert store.halt() == "day loss"
        store.lift_halt("looked at", "operator")
        assert store.halt() is None
        store.latch_halt("again", "breaker")
        assert store.halt() == "again"
        assert [message.body["verb"] for message in store.outbox_after(0, 9)] == ["halt", "halt", "lift", "halt"]
        assert {message.kind for message in store.outbox_after(0, 9)} == {FeedKind.HALT}


def test_an_alarm_of_the_journal_is_a_halt_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        order = store.journal.sending(store.journal.intent(approved()))
        store.journal.record(order.order_id, NoByteLeft("refused connection"))
        assert store.halt() is None
        store.journal.record(order.order_id, Seen(venue(order.client_order_id, "0.001", is_open=True)))
    with live_store(path) as store:
        assert "seen_open while not_sent" in (store.halt() or "")
        store.lift_halt("it was canceled by hand", "operator")
        assert store.halt() is None
        store.journal.adopt(Seen(venue(str(Label("TEST", 9, 9)), "0.001", is_open=True, exchange_order_id=901)))
        assert "adopted while orphan" in (store.halt() or "")


def test_a_pause_is_durable_and_said_once(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        assert not store.is_paused()
        store.set_paused(True, "operator")
        store.set_paused(True, "operator")
    with live_store(path) as store:
        assert store.is_paused()
        store.set_paused(False, "operator")
        assert not store.is_paused()
        assert store.outbox_last() == 2
        assert store.halt() is None


def test_history_is_what_a_start_needs(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    clock = Clock()
    with live_store(path, clock=clock) as store:
        bought(store, 2)
        bought(store, 1)
        clock.elapsed += timedelta(minutes=40)
        order = store.journal.sending(store.journal.intent(approved("cycle/ETHTRY/1", pair="ETHTRY")))
        clock.elapsed += timedelta(minutes=30)
        sell = store.journal.sending(store.journal.intent(approved("cycle/BTCTRY/9", Side.SELL, "0.002")))
        history = store.history()
        assert [each.trade_id for each in history.fills] == [2, 1]
        assert [each.order_id for each in history.orders] == [order.order_id, sell.order_id]
        assert [pair for pair, _ in history.entries] == ["ETHTRY"]
        assert history.entries[0][1] == store.journal.get(order.order_id).created_at
        assert history.last_cycle is None


def test_orders_and_fills_are_told_in_the_commit_that_makes_them(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        bought(store)
        told = store.outbox_after(0, 100)
        assert [message.number for message in told] == list(range(1, len(told) + 1))
        assert [message.body["state"] for message in told if message.kind is FeedKind.ORDER] == [
            "intent", "sending", "open", "partial", "filled",
        ]  # fmt: skip
        fills = [message.body for message in told if message.kind is FeedKind.FILL]
        assert [(body["trade_id"], body["price"], body["quantity"]) for body in fills] == [(1, "3000000", "0.001")]


def test_a_trade_is_booked_once_whoever_claims_it(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        bought(store)
        other = store.journal.sending(store.journal.intent(approved("cycle/BTCTRY/2")))
        store.journal.record(other.order_id, Accepted(5, None))
        before = store.ledger_balances()
        with pytest.raises(RecordRefused):
            store.journal.record(other.order_id, Traded((fill(1, exchange_order_id=5),)))
        assert store.ledger_balances() == before
        assert store.journal.get(other.order_id).filled == 0


def test_orders_keep_the_highest_exchange_number_known_before_them(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        bought(store, 1)
        bought(store, 2)
        found = store._database.execute(
            "SELECT highest_exchange_order_id FROM orders ORDER BY chain_sequence"
        ).fetchall()
        assert found == [(None,), (1001,)]


def test_each_opening_is_an_epoch_and_a_start(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    for epoch in (1, 2, 3):
        with live_store(path) as store:
            assert store.epoch == epoch
            assert store.starts_since(START - timedelta(hours=1)) == epoch
            assert store.starts_since(START + timedelta(hours=1)) == 0
            assert not store.was_unclean
            order = store.journal.intent(approved(f"{epoch}/BTCTRY/1"))
            assert order.client_order_id.startswith(f"BB-TEST-{epoch}-1-")
            store.journal.not_sent(order, "a test")


def test_a_usurped_writer_is_stopped_before_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        order = store.journal.intent(approved())
        columns = [column for column in INSERTS[Epochs].columns if column not in ("epoch", "chain_sequence")]
        kept = ", ".join(columns)
        store._database.execute(f"INSERT INTO epochs (epoch, chain_sequence, {kept}) SELECT 2, 99, {kept} FROM epochs")
        for attempt in (
            store.require_fence, lambda: store.journal.sending(order), lambda: store.latch_halt("x", "test"),
            lambda: store.journal.intent(approved("other")),
        ):  # fmt: skip
            with pytest.raises(FenceLost, match="epoch 1"):
                attempt()
        assert store.journal.get(order.order_id).state == "intent"


def test_a_lost_lock_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        store.require_fence()
        lock_path(path).unlink()
        with pytest.raises(FenceLost, match="removed or replaced"):
            store.require_fence()


def test_what_happened_at_the_opening_is_told(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    witness = Witness()
    lock = DatabaseLock.take(path, identity())
    store = LiveStore.open(path, lock, writer(), LIMITS, Clock(), CountedIds(), witness)
    assert witness.events()[0] is Event.DATABASE_OPENED
    assert store.fingerprint == store.db_uuid[:12]
    store.close()
    lock.release()


def test_a_long_log_is_moved_into_the_file_between_cycles(tmp_path: Path) -> None:
    path = tmp_path / "live.db"
    log = path.with_name("live.db-wal")
    with live_store(path) as store:
        store.latch_halt("a short one", "test")
        store.checkpoint()
        assert log.stat().st_size > 0
        for number in range(30):
            store.latch_halt("x" * 200_000, str(number))
        assert log.stat().st_size > 4_000_000
        store.checkpoint()
        assert log.stat().st_size == 0
