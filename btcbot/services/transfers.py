"""Deposits and withdrawals explain themselves: what the exchange lists of them is booked, each once."""

from collections.abc import Iterable

from btcbot.domain.events import Event
from btcbot.domain.ledger import EntryKind, LedgerEntry
from btcbot.domain.money import Asset
from btcbot.domain.ports import Observer
from btcbot.domain.state import CapitalMoved
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.services.trading_book import TradingBook


class TransferBooks:
    """Takes what was listed, leaves out what came before the books were opened or is booked, and books the rest."""

    def __init__(self, store: LiveStore, book: TradingBook, currency: Asset, observer: Observer) -> None:
        self._store = store
        self._book = book
        self._currency = currency
        self._observer = observer

    def take(self, listed: tuple[LedgerEntry, ...]) -> None:
        opened_at = self._store.ledger_opened_at()
        if opened_at is None:
            return
        new = self._store.book_transfers(entry for entry in listed if entry.at > opened_at)
        if not new:
            return
        for change in capital_changes(new, self._currency):
            self._book.take(change)
        self._observer.observed(Event.TRANSFERS_BOOKED, transfers=[f"{entry.source}: {entry.amount}" for entry in new])


def capital_changes(entries: Iterable[LedgerEntry], currency: Asset) -> tuple[CapitalMoved, ...]:
    """What transfers do to the capital: those of the currency count, other assets only change the ledger."""
    return tuple(
        CapitalMoved(entry.amount.number)
        for entry in entries
        if entry.kind is EntryKind.TRANSFER and entry.amount.asset == currency
    )
