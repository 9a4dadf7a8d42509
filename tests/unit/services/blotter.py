"""One order of ours against a scripted exchange, as a blotter: a row is what happened and what it came to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.balances import Balance
from btcbot.domain.ledger import balances_of, entries_of_fill
from btcbot.domain.money import plain
from btcbot.domain.orders.evidence import (
    Accepted,
    CancelSent,
    CancelWanted,
    Evidence,
    Fill,
    Silent,
    TurnedDown,
    VenueOrder,
    VenueStatus,
)
from btcbot.domain.orders.intents import Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.profiles import Sealing
from btcbot.services.reconciliation import Findings, Reconciler, SealingRule
from btcbot.services.transfers import TransferBooks
from tests.unit.persistence.world import START, approved, fill, venue
from tests.unit.services.world import BTC, PAIR, TRY, Desk, ScriptedReader

NUMBER = 77  # the exchange's, of our order
ANSWERS: Mapping[str, Evidence] = {
    "accepted": Accepted(NUMBER, START), "silent": Silent("timeout"), "turned_down": TurnedDown("BALANCE_NOT_ENOUGH"),
}  # fmt: skip
STATUSES = {"canceled": VenueStatus.CANCELED, "closed": VenueStatus.CLOSED, "partial": VenueStatus.PARTIAL}


@dataclass
class Blotter:
    """`at` our records, `reader` the exchange. Balances always are what was executed there, listed or not."""

    at: Desk
    reader: ScriptedReader = field(default_factory=ScriptedReader)
    rule: SealingRule = field(default=SealingRule(Sealing.AUTOMATIC, timedelta(minutes=15)))
    executed: list[Fill] = field(default_factory=list)
    held: str = "0"  # TRY that the exchange binds
    findings: Findings | None = None

    def __post_init__(self) -> None:
        self.settle()
        self.at.store.open_ledger(tuple(self.reader.held))
        self.reconciler = self.new_reconciler()

    def new_reconciler(self) -> Reconciler:
        book, witness = self.at.book, self.at.witness
        transfers = TransferBooks(self.at.store, book, TRY, witness)
        return Reconciler(
            book, self.at.store.ledger_balances, self.reader, (PAIR,), "TEST", self.rule, {},  # type: ignore[arg-type]
            transfers.take, self.at.clock, witness,
        )  # fmt: skip

    def settle(self) -> None:
        """What the exchange holds for us: 100,000 TRY and what was executed."""
        moved = balances_of(entry for each in self.executed for entry in entries_of_fill(each, BTC, TRY))
        total, held = Decimal(100_000) + moved.get(TRY, Decimal(0)), Decimal(self.held)
        self.reader.held = [Balance(TRY, total, total - held, held)]
        if moved.get(BTC):
            self.reader.held.append(Balance(BTC, moved[BTC], moved[BTC], Decimal(0)))

    def sent(self, answer: str, decision_id: str = "cycle/BTCTRY/1") -> OrderRecord:
        book = self.at.book
        order = book.sending(book.intent(approved(decision_id)))
        return book.record(order.order_id, ANSWERS[answer])

    @property
    def order(self) -> OrderRecord:
        (row,) = self.at.store._database.execute("SELECT order_id FROM orders ORDER BY created_at LIMIT 1").fetchone()
        return self.at.store.journal.get(row)

    def listing(self, left: str, *, is_open: bool, status: VenueStatus | None = None) -> VenueOrder:
        return venue(self.order.client_order_id, left, is_open=is_open, exchange_order_id=NUMBER, status=status)

    def trade(self, trade_id: int, quantity: str) -> Fill:
        made = fill(trade_id, quantity, exchange_order_id=NUMBER)
        return replace(made, client_order_id=self.order.client_order_id, time_exchange=self.at.clock.now())

    async def play(self, script: str) -> None:
        """Lines of `words -> state filled evidence`; without an arrow nothing is looked at."""
        for line in script.strip().splitlines():
            words, arrow, expected = (part.strip() for part in line.partition("->"))
            await self._do(*words.split())
            if arrow:
                order = self.order
                assert f"{order.state} {plain(order.filled)}" == expected, f"after {words!r}"

    async def _do(self, verb: str, *words: str) -> None:
        simple: Mapping[str, Callable[[], object]] = {
            "hidden": lambda: (self.reader.listed.clear(), self.reader.past.clear()),
            "unlisted": self.reader.listed.clear,
            "trades_listed": lambda: setattr(self.reader, "trades", list(self.executed)),
            "trades_reversed": lambda: setattr(self.reader, "trades", list(reversed(self.executed))),
            "trades_twice": lambda: setattr(self.reader, "trades", [*self.executed, *self.executed]),
            "restarted": lambda: (setattr(self, "reconciler", self.new_reconciler()), self.reconciler.take_over()),
        }  # fmt: skip
        if verb in simple:
            simple[verb]()
        elif verb in ANSWERS:
            self.sent(verb)
        elif verb == "shown":  # in openOrders and in allOrders
            self.reader.listed[:] = [self.listing(words[0], is_open=True)]
            status = VenueStatus.UNTOUCHED if words[0] == "0.001" else VenueStatus.PARTIAL
            self.reader.past[:] = [self.listing(words[0], is_open=False, status=status)]
        elif verb in STATUSES:  # only in allOrders
            self.reader.listed.clear()
            self.reader.past[:] = [self.listing(words[0], is_open=False, status=STATUSES[verb])]
        elif verb == "executed":
            self.executed.append(self.trade(int(words[0]), words[1]))
        elif verb == "holding":
            self.held = words[0]
        elif verb == "cancel":
            self.at.book.record(self.order.order_id, CancelWanted("too old"))
            self.at.book.record(self.order.order_id, CancelSent())
        elif verb == "seconds":
            self.at.clock.passes(float(words[0]))
        elif verb == "minutes_of_readings":
            for _ in range(int(words[0])):
                self.at.clock.passes(60)
                await self._do("reconcile")
        elif verb == "reconcile":
            self.settle()
            self.findings = await self.reconciler.reconcile()
        elif verb == "follow":
            await self.reconciler.follow()
        else:
            raise AssertionError(f"there is no word {verb!r}")

    def rows(self) -> dict[str, int]:
        """How much there is to be changed: whatever is learnt leaves a row."""
        count = self.at.store._database.value
        tables = ("orders", "order_history", "fills", "ledger", "control", "outbox")
        return {table: int(count(f"SELECT count(*) FROM {table}")) for table in tables}


def stranger(label: str | None, number: int, side: Side = Side.BUY) -> VenueOrder:
    return venue(label, "0.001", is_open=True, exchange_order_id=number, side=side)
