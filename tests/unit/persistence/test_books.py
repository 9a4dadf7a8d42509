"""A start from a sealed checkpoint knows what a start from the beginning knows."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from btcbot.domain.ledger import Assignment, EntryKind, LedgerEntry, balances_of
from btcbot.domain.money import Asset, amount
from btcbot.domain.orders.evidence import Accepted, Traded
from btcbot.domain.orders.intents import Side
from btcbot.domain.state import TradingState
from btcbot.persistence.sqlite import books
from btcbot.persistence.sqlite.journal import read_entries
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.verification import examine
from btcbot.services.live_wiring import restored_state
from tests.unit.persistence.test_chain import tampered
from tests.unit.persistence.test_live_store import balance
from tests.unit.persistence.world import START, approved, fill, live_store

TRY = Asset("TRY")


def traded(store: LiveStore, number: int, side: Side = Side.BUY, pair: str = "BTCTRY", price: str = "3000000") -> None:
    order = store.journal.sending(
        store.journal.intent(approved(f"{number}/{pair}/1", side, "0.0005", price, pair=pair))
    )
    store.journal.record(order.order_id, Accepted(number, None))
    part = fill(number, "0.0005", price, side, number, pair)
    store.journal.record(order.order_id, Traded((part,)))


def year(path: Path, *, seals: bool) -> TradingState:
    """The same story each time, with a restart after each part of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(books, "LINKS_PER_CHECKPOINT", 12 if seals else 10**9)
        with live_store(path) as store:
            store.open_ledger((balance("10000.5 TRY"), balance("0.25 BTC")))
            store.book_transfers((LedgerEntry(EntryKind.TRANSFER, amount("500 TRY"), "transfer/9", START),))
        parts = (
            (Side.BUY, "BTCTRY", "3000000"), (Side.BUY, "ETHTRY", "100000.5"), (Side.SELL, "BTCTRY", "3000001.25"),
            (Side.BUY, "BTCTRY", "2999999"), (Side.SELL, "ETHTRY", "99999"),
        )  # fmt: skip
        for number, (side, pair, price) in enumerate(parts, start=1):
            with live_store(path) as store:
                traded(store, number, side, pair, price)
                store.checkpoint()
        with live_store(path) as store:
            store.book_transfers((LedgerEntry(EntryKind.TRANSFER, amount("-7 TRY"), "transfer/10", START),))
            history = store.history()
            assert (history.books != books.NO_BOOKS) is seals
            assert len(history.fills) < 5 or not seals
            assert len(store.fills()) == 5
            entries = [entry for kind in EntryKind for entry in read_entries(store._database, kind)]
            assert store.ledger_balances() == balances_of(entries)
            state = restored_state(history, TRY, timedelta(minutes=1))
    assert examine(path).problems == ()
    return state


def test_a_start_from_a_checkpoint_knows_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    (tmp_path / "b").mkdir(mode=0o700)
    whole, sealed = year(tmp_path / "a" / "live.db", seals=False), year(tmp_path / "b" / "live.db", seals=True)
    assert sealed.instruments == whole.instruments
    assert (sealed.capital, sealed.equity_peak, sealed.fees) == (whole.capital, whole.equity_peak, whole.fees)
    assert sealed.capital == Decimal("10493.5")


def test_books_are_read_back_as_they_were_sealed(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        store.open_ledger((balance("10000.5 TRY"),))
        for number in (1, 2, 3):
            traded(store, number)
        kept = store._books.current()
    again = books.read_books(kept.last_fill_id, kept.last_ledger_id, kept.text())
    assert again == kept
    assert again.holdings.quantities == {"BTCTRY": Decimal("0.0015")}


def test_a_checkpoint_is_sealed_once_enough_was_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "LINKS_PER_CHECKPOINT", 10)
    with live_store(tmp_path / "live.db") as store:
        for number in range(1, 12):
            store.latch_halt("x", str(number))
            store.checkpoint()
            count = store._database.value("SELECT count(*) FROM checkpoints")
            assert count == (1 if number >= 9 else 0)


def test_a_long_history_without_a_checkpoint_is_sealed_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.db"
    with live_store(path) as store:
        traded(store, 1)
    monkeypatch.setattr(books, "LINKS_PER_CHECKPOINT", 5)
    with live_store(path) as store:
        assert store.history().fills == ()
        assert store.history().books.holdings.quantities == {"BTCTRY": Decimal("0.0005")}


def of_the_first_form(text: str) -> str:
    """As the btcbot before wrote it: without stays, with what buys had cost since the position was flat."""
    held = json.loads(text)
    del held["form"]
    for state in held["instruments"].values():
        stay = state.pop("stay")
        state.update(bought=stay["bought"], paid=stay["paid"])
    return json.dumps(held)


def test_a_checkpoint_of_the_first_form_is_added_up_anew_and_still_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "LINKS_PER_CHECKPOINT", 5)
    told = books.Books.text
    path = tmp_path / "live.db"
    with monkeypatch.context() as patch, live_store(path) as store:
        patch.setattr(books.Books, "text", lambda self: of_the_first_form(told(self)))
        traded(store, 1)
        store.checkpoint()
    with live_store(path) as store:
        assert store.history().books == books.NO_BOOKS
        assert len(store.history().fills) == 1
        held = restored_state(store.history(), TRY, timedelta(seconds=60)).instrument("BTCTRY")
    assert (held.stay.bought, held.stay.entries) == (Decimal("0.0005"), 1)
    assert examine(path).problems == ()


def test_a_stay_is_sealed_whole(tmp_path: Path) -> None:
    with live_store(tmp_path / "live.db") as store:
        traded(store, 1)
        traded(store, 2, Side.SELL, price="3000001")
        traded(store, 3, price="2999999")
        kept = store._books.current()
    again = books.read_books(kept.last_fill_id, kept.last_ledger_id, kept.text()).trading.instrument("BTCTRY").stay
    assert again == kept.trading.instrument("BTCTRY").stay
    assert again.left_at is not None
    assert again.left_result is not None
    assert (again.is_open, again.entries) == (True, 1)


def test_a_checkpoint_that_says_otherwise_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "LINKS_PER_CHECKPOINT", 5)
    (tmp_path / "whole").mkdir(mode=0o700)
    path = tmp_path / "whole" / "live.db"
    with live_store(path) as store:
        traded(store, 1)
        store.checkpoint()
    statement = "UPDATE checkpoints SET books = replace(books, '0.0005', '0.0006')"
    words = [str(problem) for problem in examine(tampered(path, tmp_path, statement)).problems]
    assert len(words) == 2
    assert "(checkpoints) does not fit its row" in words[0]
    assert "checkpoint 1 does not hold what the fills and the ledger add up to" in words[1]


def assigned(quantity: str, price: str, pair: str = "BTCTRY") -> Assignment:
    base = Asset(pair.removesuffix("TRY"))
    return Assignment(pair, base, TRY, Decimal(quantity), Decimal(price), "mine", "operator", START)


@pytest.mark.parametrize("links", [4, 10**9])
def test_assigned_coins_count_as_position_and_survive_restarts_and_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: int
) -> None:
    monkeypatch.setattr(books, "LINKS_PER_CHECKPOINT", links)
    path = tmp_path / "live.db"
    with live_store(path) as store:
        store.open_ledger((balance("10000 TRY"), balance("0.25 BTC"), balance("3 ETH")))
        traded(store, 1)
        store.assign(assigned("0.25", "3000000"))
        traded(store, 2, Side.SELL)
        store.checkpoint()
        store.assign(assigned("2", "100000", "ETHTRY"))
        ledger = store.ledger_balances()
    with live_store(path) as store:
        assert store.ledger_balances() == ledger, "the ledger counted them before"
        state = restored_state(store.history(), TRY, timedelta(minutes=1))
        assert state.instrument("BTCTRY").position == Decimal("0.25")
        assert state.instrument("ETHTRY").position == Decimal(2)
        assert state.capital == 10_000 + 750_000 + 200_000
        assert state.pnl == state.equity - state.capital == -fee_of(store)
        assert store._books.current().holdings.quantities == {"BTCTRY": Decimal("0.25"), "ETHTRY": Decimal(2)}
    assert examine(path).problems == ()


def fee_of(store: LiveStore) -> Decimal:
    return sum((each.fee + each.tax for each in store.fills()), start=Decimal(0))
