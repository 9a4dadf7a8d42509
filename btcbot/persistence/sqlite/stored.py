"""Rows as readers get them: one frozen fact each, named like its columns. What they mean is in `migrations`."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from btcbot.persistence.sqlite.unit_of_work import DecisionRecord


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """An order as it was meant, and where it stands."""

    order_id: str
    client_order_id: str
    decision_id: str
    epoch: int
    cycle_id: str  # in which it was journaled; the cycle itself may never have been committed
    config_hash: str
    pair: str
    base: str
    quote: str
    side: str
    purpose: str
    method: str
    quantity: Decimal
    price: Decimal
    reference_price: Decimal | None
    reservation_number: Decimal
    reservation_asset: str
    snapshot_id: str | None
    is_adopted: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredHead:
    """Where an order stands."""

    state: str
    exchange_order_id: int | None
    filled: Decimal
    left_seen: Decimal | None
    cancels_sent: int
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class StoredStep:
    """One step of an order's journal."""

    before: str
    event: str
    after: str
    is_alarm: bool
    detail: str
    exchange_order_id: int | None
    at: datetime
    cycle_id: str
    epoch: int
    chain_sequence: int


@dataclass(frozen=True, slots=True)
class StoredFill:
    trade_id: int
    exchange_order_id: int
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    tax: Decimal
    time_exchange: datetime
    booked_at: datetime


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One line of the ledger."""

    kind: str
    asset: str
    number: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class StoredCycle:
    id: int  # its number
    cycle_id: str
    epoch: int
    process_instance_id: str
    config_hash: str
    started_at: datetime
    ended_at: datetime
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


@dataclass(frozen=True, slots=True)
class StoredSignal:
    cycle_id: str
    pair: str
    direction: str
    confidence: str
    notional_number: Decimal | None
    notional_asset: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    cycle_id: str
    decision_id: str
    pair: str
    side: str
    is_approved: bool
    reasons: str  # JSON: pairs of a reason's name and its numbers


@dataclass(frozen=True, slots=True)
class StoredEvent:
    cycle_id: str
    at: datetime
    event: str
    detail: str  # JSON


@dataclass(frozen=True, slots=True)
class CycleRecords:
    """One cycle with all that was committed with it."""

    cycle: StoredCycle
    signals: tuple[StoredSignal, ...]
    verdicts: tuple[StoredVerdict, ...]
    events: tuple[StoredEvent, ...]  # without the decision's own record
    decision: DecisionRecord | None  # nothing where an older btcbot did not keep it
    packed_snapshot: bytes | None  # what the decision read, as stored
