"""Builders in the domain's notation, and an open store whose time and ids are the test's."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from btcbot.domain.events import Event
from btcbot.domain.instruments import Instrument
from btcbot.domain.market import Book, Level, MarketSnapshot, MarketView
from btcbot.domain.money import Asset, Price, Quantity, Ratio, amount
from btcbot.domain.orders.evidence import Fill, VenueOrder, VenueStatus
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.orders.journaling import ReservationLimits
from btcbot.domain.profiles import Role
from btcbot.persistence.sqlite.live_store import LiveStore
from btcbot.persistence.sqlite.lock import DatabaseLock, ProcessIdentity
from btcbot.persistence.sqlite.monitor_store import MonitorStore
from btcbot.persistence.sqlite.writer import Writer

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEE_RATIO = Ratio(Decimal("0.002"))
LIMITS = ReservationLimits(amount("10000 TRY"), amount("5000 TRY"), 4, 3)


class Clock:
    """A millisecond and a bit passes at each look."""

    def __init__(self) -> None:
        self.elapsed = timedelta()

    def now(self) -> datetime:
        self.elapsed += timedelta(microseconds=1234)
        return START + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed.total_seconds()


class CountedIds:
    """Counts on over all tests, as real ids never come again."""

    _numbers = itertools.count(1)

    def new(self) -> str:
        return f"{next(self._numbers):032x}"


@dataclass
class Witness:
    seen: list[tuple[Event, dict[str, object]]] = field(default_factory=list)

    def observed(self, event: Event, **fields: object) -> None:
        self.seen.append((event, fields))

    def events(self) -> list[Event]:
        return [event for event, _ in self.seen]


def writer(role: Role = Role.LIVE, **changes: str) -> Writer:
    facts = {
        "instance_id": "instance-1", "config_hash": "c0ffee", "build": "0.1.0", "deployment_id": "TEST",
        "account_fingerprint": "0123456789ab",
    }  # fmt: skip
    return Writer(role, **{**facts, **changes})


def identity(role: Role = Role.LIVE, instance_id: str = "instance-1") -> ProcessIdentity:
    return ProcessIdentity.of_this_process(role, instance_id, "TEST", "0.1.0", "c0ffee", START)


@contextmanager
def live_store(path: Path, who: Writer | None = None, clock: Clock | None = None) -> Iterator[LiveStore]:
    lock = DatabaseLock.take(path, identity())
    try:
        store = LiveStore.open(path, lock, who or writer(), LIMITS, clock or Clock(), CountedIds(), Witness())
        try:
            yield store
        finally:
            store.close()
    finally:
        lock.release()


@contextmanager
def monitor_store(path: Path) -> Iterator[MonitorStore]:
    lock = DatabaseLock.take(path, identity(Role.MONITOR))
    try:
        store = MonitorStore.open(path, lock, writer(Role.MONITOR), Clock(), CountedIds(), Witness())
        try:
            yield store
        finally:
            store.close()
    finally:
        lock.release()


def instrument(pair: str = "BTCTRY") -> Instrument:
    base = pair.removesuffix("TRY")
    return Instrument(
        pair, Asset(base), Asset("TRY"), Decimal(1), Decimal("0.00000001"), Decimal(1), Decimal(10**9), Decimal(10),
        is_trading=True,
    )  # fmt: skip


def approved(
    decision_id: str = "cycle/BTCTRY/1", side: Side = Side.BUY, quantity: str = "0.001", price: str = "3000000",
    purpose: Purpose | None = None, pair: str = "BTCTRY",
) -> ApprovedOrderIntent:  # fmt: skip
    intent = Intent(
        decision_id, instrument(pair), side, purpose or (Purpose.ENTRY if side is Side.BUY else Purpose.EXIT),
        Quantity(Decimal(quantity)), Price(Decimal(price)), Price(Decimal(price)),
    )  # fmt: skip
    return ApprovedOrderIntent(intent, intent.reservation(FEE_RATIO))


def fill(
    trade_id: int, quantity: str = "0.001", price: str = "3000000", side: Side = Side.BUY, exchange_order_id: int = 77,
    pair: str = "BTCTRY",
) -> Fill:  # fmt: skip
    return Fill(
        trade_id, exchange_order_id, None, pair, side, Price(Decimal(price)), Quantity(Decimal(quantity)),
        Decimal("1.5"), Decimal("0.25"), START,
    )  # fmt: skip


def venue(
    label: str | None, left: str, *, is_open: bool, quantity: str = "0.001", price: str = "3000000",
    side: Side = Side.BUY, exchange_order_id: int = 77, status: VenueStatus | None = None, pair: str = "BTCTRY",
) -> VenueOrder:  # fmt: skip
    untouched = VenueStatus.UNTOUCHED if left == quantity else VenueStatus.PARTIAL
    final = VenueStatus.CLOSED if left == "0" else VenueStatus.CANCELED
    return VenueOrder(
        exchange_order_id, label, pair, side, Price(Decimal(price)), Quantity(Decimal(quantity)), Decimal(left),
        status or (untouched if is_open else final), is_open, START,
    )  # fmt: skip


def snapshot(mid: str = "3000000") -> MarketSnapshot:
    price = Decimal(mid)
    book = Book((Level(price - 1, Decimal(1)),), (Level(price + 1, Decimal(1)),))
    return MarketSnapshot(START, {"BTCTRY": MarketView(instrument(), book, timedelta(milliseconds=5), (), False)})
