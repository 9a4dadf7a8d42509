"""One cycle's records: gathered while it runs, committed once at its end (design, section 4, step 5).

Nothing is written before `commit`; orders have their own commits in the journal, so a cycle that fails loses its
account of what was decided and nothing of what left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from btcbot.domain.balances import Balance
from btcbot.domain.events import Event
from btcbot.domain.feed import FeedKind
from btcbot.domain.market import MarketSnapshot
from btcbot.domain.signals import Signal
from btcbot.persistence.sqlite.chain import canonical, content_hash
from btcbot.persistence.sqlite.fields import to_millisecond, utc_text
from btcbot.persistence.sqlite.journal import store_snapshot
from btcbot.persistence.sqlite.models import CONTENT_OF_CYCLE, INSERTS, Balances, Cycles, Events, Row, Signals, Verdicts
from btcbot.persistence.sqlite.recorder import Recorder, json_text, write_cursor
from btcbot.persistence.sqlite.writer import OUTSIDE_CYCLES


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """How a cycle ended and what trading stood at."""

    outcome: str
    snapshot_id: str | None
    equity: Decimal
    equity_peak: Decimal
    day_pnl: Decimal
    day: date
    day_opening_pnl: Decimal
    orders_sent: int
    halted: bool
    paused: bool
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """What a replay of the cycle's decision needs besides the snapshot, as its service wrote it."""

    decision_hash: str
    inputs: str | None  # the events that changed the state around the decision; nothing where none did
    state: str | None  # a whole state and its parameters, where a replay may begin


class UnitOfWork:
    """Opened by `LiveStore.unit_of_work`; ended by `commit` or `rollback`, whichever comes first."""

    def __init__(self, recorder: Recorder, cycle_id: str, started_at: datetime) -> None:
        assert recorder.cycle_id == OUTSIDE_CYCLES, "one cycle at a time"
        self.cycle_id = cycle_id
        self._recorder = recorder
        self._started_at = started_at
        self._rows: dict[type[Row], list[dict[str, object]]] = {model: [] for model in CONTENT_OF_CYCLE}
        self._messages: list[tuple[FeedKind, Mapping[str, object]]] = []
        self._cursors: dict[str, str] = {}
        self._record: CycleRecord | None = None
        self._is_open = True
        recorder.cycle_id = cycle_id

    def add_snapshot(self, snapshot: MarketSnapshot) -> None:
        """What the cycle decides on; orders journaled from here on refer to it."""
        self._recorder.snapshot = snapshot

    def add_signal(self, signal: Signal) -> None:
        notional = signal.notional
        self._add(
            Signals, pair=signal.pair, direction=signal.direction, confidence=repr(signal.confidence),
            notional_number=None if notional is None else notional.number,
            notional_asset=None if notional is None else notional.asset, reason=signal.reason,
        )  # fmt: skip

    def add_verdict(
        self, decision_id: str, pair: str, side: str, approved: bool, reasons: tuple[tuple[str, str], ...]
    ) -> None:
        """What the gate said, each reason with its name and its numbers."""
        self._add(
            Verdicts, decision_id=decision_id, pair=pair, side=side, is_approved=approved, reasons=json_text(reasons)
        )

    def add_event(self, event: Event, detail: Mapping[str, object]) -> None:
        self._add(Events, at=self._recorder.moment().at, event=event, detail=json_text(detail))

    def add_decision(self, record: DecisionRecord | None) -> None:
        """What the cycle decided, as a hash, and what it decided on; a cycle without it cannot be replayed."""
        if record is None:
            return
        texts = {"inputs": record.inputs, "state": record.state}
        held = {name: text for name, text in texts.items() if text is not None}
        self.add_event(Event.DECISION_RECORDED, {"decision_hash": record.decision_hash, **held})

    def add_balances(self, balances: tuple[Balance, ...]) -> None:
        """What the exchange said we hold; told to the monitor as well."""
        at = self._recorder.moment().at
        for balance in balances:
            self._add(
                Balances, at=at, asset=balance.asset, total=balance.total, available=balance.available,
                held=balance.held,
            )  # fmt: skip
        body = {balance.asset: {"total": balance.total, "held": balance.held} for balance in balances}
        self.add_feed(FeedKind.BALANCE, {"at": utc_text(at), "balances": body})

    def add_feed(self, kind: FeedKind, body: Mapping[str, object]) -> None:
        """A message for the monitor, numbered at the commit."""
        self._messages.append((kind, body))

    def set_cursor(self, name: str, value: str) -> None:
        self._cursors[name] = value

    def finish(self, record: CycleRecord) -> None:
        self._record = record

    def commit(self) -> None:
        """All of it durable in one IMMEDIATE transaction, or none. Ends the unit when it succeeds."""
        record = self._record
        assert self._is_open, "a unit is committed once"
        assert record is not None, "a unit is finished before it is committed"
        recorder = self._recorder
        with recorder.transaction():
            store_snapshot(recorder)
            texts = [
                canonical(INSERTS[model].table, recorder.insert(model, **row))
                for model, rows in self._rows.items()
                for row in rows
            ]
            recorder.insert(
                Cycles, epoch=recorder.epoch, started_at=self._started_at, ended_at=record.ended_at,
                outcome=record.outcome, snapshot_id=record.snapshot_id, equity=record.equity,
                equity_peak=record.equity_peak, day_pnl=record.day_pnl, day=record.day,
                day_opening_pnl=record.day_opening_pnl, orders_sent=record.orders_sent, halted=record.halted,
                paused=record.paused, content_hash=content_hash(texts),
            )  # fmt: skip
            for kind, body in self._messages:
                recorder.tell(kind, body, to_millisecond(record.ended_at))
            for name, value in self._cursors.items():
                write_cursor(recorder, name, value, to_millisecond(record.ended_at))
        self._end()

    def rollback(self) -> None:
        """Forget what was gathered. Does nothing after `commit`."""
        if self._is_open:
            self._end()

    def _add(self, model: type[Row], **columns: object) -> None:
        assert self._is_open, "nothing is added to a unit that has ended"
        self._rows[model].append(columns)

    def _end(self) -> None:
        self._is_open = False
        self._recorder.cycle_id = OUTSIDE_CYCLES
        self._recorder.snapshot = None
