"""The durable life of our orders (reliability 3.2 and 3.3): a method that returned has committed, `synchronous=FULL`.

The table of states lives in `domain.orders`; this module makes its steps durable and nothing else. It is the only
place, beside the in-memory journal of research, that says `JournaledOrder`.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from btcbot.domain.errors import FenceLost
from btcbot.domain.feed import FeedKind
from btcbot.domain.ledger import EntryKind, LedgerEntry, entries_of_fill
from btcbot.domain.money import ZERO, Amount, Asset, Price, Quantity, plain
from btcbot.domain.orders.evidence import Evidence, Fill
from btcbot.domain.orders.intents import ApprovedOrderIntent, Purpose, Side
from btcbot.domain.orders.journaling import (
    OrderUnknown,
    ReservationLimits,
    ReservationRefused,
    adopted,
    require_reservable,
)
from btcbot.domain.orders.labels import Label
from btcbot.domain.orders.life import Step, advance
from btcbot.domain.orders.records import JournaledOrder, OrderRecord
from btcbot.domain.orders.states import TERMINAL, OrderEvent, OrderState, next_state
from btcbot.domain.ports import Ids
from btcbot.persistence.sqlite.books import BookKeeper, fills_after
from btcbot.persistence.sqlite.database import Database
from btcbot.persistence.sqlite.fields import decimal_text, utc_text
from btcbot.persistence.sqlite.models import Columns, Fills, Ledger, OrderHeads, OrderHistory, Orders, Snapshots
from btcbot.persistence.sqlite.recorder import Moment, Recorder

__all__ = [
    "ReservationLimits", "ReservationRefused", "SqliteJournal", "book_entries", "fill_body", "order_body",
    "read_entries", "read_fills", "store_snapshot",
]  # fmt: skip

_COLUMNS = Columns(
    Orders.order_id, Orders.client_order_id, Orders.decision_id, Orders.pair, Orders.side, Orders.purpose,
    Orders.quantity, Orders.price, Orders.reservation_number, Orders.reservation_asset, Orders.created_at,
    OrderHeads.state, OrderHeads.exchange_order_id, OrderHeads.left_seen, OrderHeads.is_seen_closed, OrderHeads.filled,
    OrderHeads.absent_evidence, OrderHeads.cancels_sent, OrderHeads.reason, OrderHeads.changed_at,
)  # fmt: skip
_SELECT = f"SELECT {_COLUMNS.sql} FROM order_heads JOIN orders ON orders.order_id = order_heads.order_id"
_OLDEST_FIRST = "ORDER BY orders.created_at, orders.chain_sequence"
_UNFINISHED = tuple(str(state) for state in OrderState if state not in TERMINAL)
_IS_UNFINISHED = f"order_heads.state IN ({', '.join('?' * len(_UNFINISHED))})"


class SqliteJournal:
    """`domain.ports.Journal` on the store's one connection."""

    def __init__(
        self, recorder: Recorder, books: BookKeeper, limits: ReservationLimits, ids: Ids, deployment_id: str,
        arm_token_hash: str,
    ) -> None:  # fmt: skip
        self._recorder = recorder
        self._database = recorder.database
        self._limits = limits
        self._ids = ids
        self._deployment_id = deployment_id
        self._arm_token_hash = arm_token_hash
        self._books = books
        self._labels = 0  # minted in this epoch

    def intent(self, approved: ApprovedOrderIntent) -> JournaledOrder:
        """Insert the row and hold its reservation, or raise `ReservationRefused`.

        The snapshot that was decided on becomes durable with the first order that it led to.
        """
        with self._recorder.transaction():
            self._require_reservable(approved)
            moment = self._recorder.moment()
            wanted = approved.intent
            label = self._next_label()
            order = OrderRecord(
                order_id=self._ids.new(), client_order_id=str(label), decision_id=wanted.decision_id,
                pair=wanted.pair, side=wanted.side, purpose=wanted.purpose, quantity=wanted.quantity,
                price=wanted.price, reservation=approved.reservation, state=OrderState.INTENT,
                created_at=moment.at, changed_at=moment.at,
            )  # fmt: skip
            instrument = wanted.instrument
            self._insert(order, label, instrument.base, instrument.quote, wanted.reference_price, moment)
            self._recorder.tell(FeedKind.ORDER, order_body(order), moment.at)
        return _journaled(order)

    def not_sent(self, order: JournaledOrder, reason: str) -> OrderRecord:
        """INTENT → NOT_SENT, with its reason; the reservation ends."""
        return self._recheck(order.order_id, OrderEvent.RECHECK_FAILED, reason)

    def sending(self, order: JournaledOrder) -> JournaledOrder:
        """INTENT → SENDING. Succeeds once per order: only who gets this answer may send."""
        return _journaled(self._recheck(order.order_id, OrderEvent.RECHECK_PASSED, ""))

    def record(self, order_id: str, evidence: Evidence) -> OrderRecord:
        """Apply what was learnt. New trades, their ledger entries and the steps they cause become durable together."""
        with self._recorder.transaction():
            before = self.get(order_id)
            moment = self._recorder.moment()
            after, steps, fresh = advance(before, evidence, moment.at)
            if steps:
                self._book_fills(after, fresh, moment)
                self._move(before, after, steps, moment)
        return after

    def adopt(self, evidence: Evidence) -> OrderRecord:
        """Give a venue order that bears our label the row that it lacks: ORPHAN, OPEN, then what its listing says."""
        with self._recorder.transaction():
            moment = self._recorder.moment()
            currency = self._limits.exposure_max.asset
            orphan, order, steps, label, base = adopted(
                evidence, self._ids.new(), self._deployment_id, currency, moment.at, self.by_label
            )
            if order.client_order_id != str(label):
                label = self._next_label()  # its own is its first bearer's
            if label.epoch == self._recorder.epoch:
                self._labels = max(self._labels, label.sequence)
            self._insert(orphan, label, base, currency, None, moment)
            self._move(orphan, order, steps, moment)
        return order

    def get(self, order_id: str) -> OrderRecord:
        order = self._first("orders.order_id = ?", order_id)
        if order is None:
            raise OrderUnknown(f"there is no order {order_id}")
        return order

    def by_label(self, client_order_id: str) -> OrderRecord | None:
        return self._first("orders.client_order_id = ?", client_order_id)

    def by_exchange_id(self, exchange_order_id: int) -> OrderRecord | None:
        return self._first("order_heads.exchange_order_id = ?", exchange_order_id)

    def unfinished(self) -> Sequence[OrderRecord]:
        """Every order that is not over, oldest first."""
        return self._select(_IS_UNFINISHED, *_UNFINISHED)

    def counters(self) -> Mapping[str, int]:
        """How many orders are in each state; a state without orders counts zero."""
        counted = dict(self._database.execute("SELECT state, count(*) FROM order_heads GROUP BY state").fetchall())
        return {str(state): counted.get(str(state), 0) for state in OrderState}

    def _require_reservable(self, approved: ApprovedOrderIntent) -> None:
        decision_id = approved.intent.decision_id
        if self._database.value("SELECT 1 FROM orders WHERE decision_id = ?", (decision_id,)) is not None:
            raise ReservationRefused(f"decision {decision_id} has made its one order already")
        require_reservable(approved, self.unfinished(), self._books.current().holdings, self._limits)

    def _next_label(self) -> Label:
        """Never twice: this process alone mints labels of its epoch, and one whose order was not kept is skipped."""
        self._labels += 1
        return Label(self._deployment_id, self._recorder.epoch, self._labels)

    def _insert(
        self, order: OrderRecord, label: Label, base: Asset, quote: Asset, reference_price: Price | None, moment: Moment
    ) -> None:
        is_adopted = order.state is OrderState.ORPHAN
        self._recorder.insert(
            Orders, order_id=order.order_id, decision_id=order.decision_id, client_order_id=order.client_order_id,
            epoch=label.epoch, label_sequence=label.sequence, pair=order.pair, base=base, quote=quote,
            side=order.side, purpose=order.purpose, method="limit", quantity=order.quantity, price=order.price,
            reference_price=reference_price, reservation_number=order.reservation.number,
            reservation_asset=order.reservation.asset, highest_exchange_order_id=self._highest_known(order.pair),
            snapshot_id=None if is_adopted else store_snapshot(self._recorder), arm_token_hash=self._arm_token_hash,
            attempt=1, is_adopted=is_adopted, created_at=order.created_at, **moment.columns(),
        )  # fmt: skip
        self._recorder.insert(
            OrderHeads, order_id=order.order_id, pair=order.pair, state=order.state, exchange_order_id=None,
            left_seen=None, is_seen_closed=False, filled=ZERO, absent_evidence=0, cancels_sent=0, reason="",
            changed_at=order.changed_at,
        )  # fmt: skip

    def _highest_known(self, pair: str) -> int | None:
        sql = "SELECT max(exchange_order_id) FROM order_heads WHERE pair = ?"
        highest: int | None = self._database.value(sql, (pair,))
        return highest

    def _recheck(self, order_id: str, event: OrderEvent, reason: str) -> OrderRecord:
        with self._recorder.transaction():
            before = self.get(order_id)
            moment = self._recorder.moment()
            after = _in_state(before, next_state(before.state, event), moment.at, reason)
            self._move(before, after, (Step(before.state, event, after.state, False, reason),), moment)
        return after

    def _book_fills(self, order: OrderRecord, fills: Sequence[Fill], moment: Moment) -> None:
        if not fills:
            return
        base, quote = self._database.execute(
            "SELECT base, quote FROM orders WHERE order_id = ?", (order.order_id,)
        ).fetchone()
        for fill in fills:
            self._recorder.insert(
                Fills, trade_id=fill.trade_id, order_id=order.order_id, exchange_order_id=fill.exchange_order_id,
                client_order_id=fill.client_order_id, pair=fill.pair, side=fill.side, price=fill.price,
                quantity=fill.quantity, fee=fill.fee, tax=fill.tax, time_exchange=fill.time_exchange,
                booked_at=moment.at,
            )  # fmt: skip
            book_entries(self._recorder, entries_of_fill(fill, Asset(base), Asset(quote)), moment.at)
            self._recorder.tell(FeedKind.FILL, {"order_id": order.order_id, **fill_body(fill)}, moment.at)

    def _move(self, before: OrderRecord, after: OrderRecord, steps: Sequence[Step], moment: Moment) -> None:
        """Write the head on condition that it is where it was read, and the steps that led on from there."""
        audit = self._recorder.audit_values()
        changed = self._database.execute(
            "UPDATE order_heads SET state = ?, exchange_order_id = ?, left_seen = ?, is_seen_closed = ?, filled = ?, "
            "absent_evidence = ?, cancels_sent = ?, reason = ?, changed_at = ?, "
            f"{', '.join(f'{column} = ?' for column in audit)} WHERE order_id = ? AND state = ?",
            (
                str(after.state), after.exchange_order_id,
                None if after.left_seen is None else decimal_text(after.left_seen), int(after.is_seen_closed),
                decimal_text(after.filled), after.absent_evidence, after.cancels_sent, after.reason,
                utc_text(after.changed_at), *audit.values(), before.order_id, str(before.state),
            ),
        )  # fmt: skip
        if changed.rowcount != 1:
            raise FenceLost(f"order {before.order_id} was no longer {before.state} when it was to change")
        for step in steps:
            self._recorder.insert(
                OrderHistory, order_id=after.order_id, epoch=self._recorder.epoch, before=step.before,
                event=step.event, after=step.after, is_alarm=step.is_alarm, detail=step.detail,
                exchange_order_id=after.exchange_order_id, at=moment.at, **moment.columns(),
            )  # fmt: skip
        self._recorder.tell(FeedKind.ORDER, order_body(after), moment.at)

    def _first(self, condition: str, value: object) -> OrderRecord | None:
        orders = self._select(condition, value)
        return orders[0] if orders else None

    def _select(self, condition: str, *values: object) -> tuple[OrderRecord, ...]:
        rows = self._database.execute(f"{_SELECT} WHERE {condition} {_OLDEST_FIRST}", values).fetchall()
        return tuple(self._order(_COLUMNS.read(row)) for row in rows)

    def _order(self, row: Mapping[str, Any]) -> OrderRecord:
        return OrderRecord(
            order_id=row["order_id"], client_order_id=row["client_order_id"], decision_id=row["decision_id"],
            pair=row["pair"], side=Side(row["side"]), purpose=Purpose(row["purpose"]),
            quantity=Quantity(row["quantity"]), price=Price(row["price"]),
            reservation=Amount(row["reservation_number"], Asset(row["reservation_asset"])),
            state=OrderState(row["state"]), created_at=row["created_at"], changed_at=row["changed_at"],
            exchange_order_id=row["exchange_order_id"], left_seen=row["left_seen"],
            is_seen_closed=row["is_seen_closed"], trade_ids=self._trade_ids(row["order_id"], row["filled"]),
            filled=row["filled"], absent_evidence=row["absent_evidence"], cancels_sent=row["cancels_sent"],
            reason=row["reason"],
        )  # fmt: skip

    def _trade_ids(self, order_id: str, filled: Decimal) -> frozenset[int]:
        if filled == 0:
            return frozenset()
        rows = self._database.execute("SELECT trade_id FROM fills WHERE order_id = ?", (order_id,))
        return frozenset(trade_id for (trade_id,) in rows)


def store_snapshot(recorder: Recorder) -> str | None:
    """Make the current cycle's snapshot durable, once, under the hash of its content; within a transaction."""
    snapshot = recorder.snapshot
    if snapshot is None:
        return None
    content = snapshot.content().encode()
    snapshot_id = hashlib.sha256(content).hexdigest()
    if recorder.database.value("SELECT 1 FROM snapshots WHERE snapshot_id = ?", (snapshot_id,)) is None:
        recorder.insert(
            Snapshots, snapshot_id=snapshot_id, taken_at=snapshot.taken_at, content=zlib.compress(content)
        )  # fmt: skip
    return snapshot_id


def book_entries(recorder: Recorder, entries: Sequence[LedgerEntry], booked_at: datetime) -> None:
    """Add ledger entries within a transaction. An entry that is booked already is refused by the database."""
    for entry in entries:
        recorder.insert(
            Ledger, kind=entry.kind, asset=entry.amount.asset, number=entry.amount.number, source=entry.source,
            at=entry.at, booked_at=booked_at,
        )  # fmt: skip


def read_entries(database: Database, kind: EntryKind, after_id: int = 0) -> tuple[LedgerEntry, ...]:
    """Ledger entries of one kind after a row, in booking order."""
    rows = database.rows(Ledger.select().where(Ledger.id > after_id, Ledger.kind == kind).order_by(Ledger.id))
    return tuple(
        LedgerEntry(EntryKind(row["kind"]), Amount(row["number"], Asset(row["asset"])), row["source"], row["at"])
        for row in rows
    )


def read_fills(database: Database, after_id: int = 0) -> tuple[Fill, ...]:
    """The fills after a row, in booking order."""
    return tuple(fill for _, fill in fills_after(database, after_id))


def order_body(order: OrderRecord) -> dict[str, object]:
    """An order as the monitor is told of it, numbers as text."""
    return {
        "order_id": order.order_id, "client_order_id": order.client_order_id, "pair": order.pair,
        "side": str(order.side), "purpose": str(order.purpose), "quantity": plain(order.quantity),
        "price": plain(order.price), "state": str(order.state), "exchange_order_id": order.exchange_order_id,
        "filled": plain(order.filled), "left_seen": None if order.left_seen is None else plain(order.left_seen),
        "created_at": utc_text(order.created_at), "changed_at": utc_text(order.changed_at), "reason": order.reason,
    }  # fmt: skip


def fill_body(fill: Fill) -> dict[str, object]:
    """A fill as the monitor is told of it, numbers as text."""
    return {
        "trade_id": fill.trade_id, "exchange_order_id": fill.exchange_order_id,
        "client_order_id": fill.client_order_id, "pair": fill.pair, "side": str(fill.side),
        "price": plain(fill.price), "quantity": plain(fill.quantity), "fee": plain(fill.fee), "tax": plain(fill.tax),
        "time_exchange": utc_text(fill.time_exchange),
    }  # fmt: skip


def _journaled(order: OrderRecord) -> JournaledOrder:
    return JournaledOrder(
        order.order_id, order.client_order_id, order.pair, order.side, order.quantity, order.price, order.state
    )


def _in_state(order: OrderRecord, state: OrderState, at: datetime | None = None, reason: str = "") -> OrderRecord:
    return replace(order, state=state, changed_at=at or order.changed_at, reason=reason or order.reason)
