"""What trading stands at: positions, orders at work, the day's result, breakers. Changes only through `apply(event)`.

Rebuilt from the journal at start by applying what was booked, so no breaker forgets on a restart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from btcbot.domain.fees import FeesPaid
from btcbot.domain.money import ZERO, Amount, Asset
from btcbot.domain.orders.evidence import PRICE_OFF_ITS_GRID, Fill
from btcbot.domain.orders.intents import Purpose, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.position import NO_STAY, Stay

ENTRY_MEMORY = timedelta(hours=1)
SUBMIT_MEMORY = timedelta(minutes=1)
MARKS_MAX = 720  # an hour of 5-second cycles


@dataclass(frozen=True, slots=True)
class InstrumentState:
    """What our own fills made of one instrument."""

    position: Decimal = ZERO  # base, from our fills or assigned
    cash_flow: Decimal = ZERO  # quote: proceeds less cost, fees and tax; the position at mark added gives the PnL
    mark: Decimal | None = None  # the last mid that was fit to decide on
    marks: tuple[tuple[datetime, Decimal], ...] = ()  # within the volatility window, oldest first
    paused_until: datetime | None = None  # by the volatility pause
    entered_at: tuple[datetime, ...] = ()  # entries journaled within the last hour, oldest first
    stay: Stay = NO_STAY
    entries_of_day: int = 0  # since the trading day was opened
    are_marks_carried: bool = False  # from the process before: nothing of this one has valued it yet

    @property
    def pnl(self) -> Decimal:
        """Realized and unrealized, in quote, after fees and tax."""
        return self.cash_flow + self.position * (self.mark if self.mark is not None else ZERO)


@dataclass(frozen=True, slots=True)
class TradingState:
    currency: Asset
    capital: Decimal = ZERO  # quote in the account when the ledger opened, with transfers since
    instruments: Mapping[str, InstrumentState] = field(default_factory=dict)
    orders: Mapping[str, OrderRecord] = field(default_factory=dict)  # by order id; not terminal
    available: Mapping[Asset, Decimal] = field(default_factory=dict)  # the exchange's word: an upper bound
    submitted_at: tuple[datetime, ...] = ()  # submits within the last minute
    day: date | None = None  # the trading day, in its zone
    day_opening_pnl: Decimal = ZERO
    equity_peak: Decimal = ZERO
    fees: FeesPaid = field(default_factory=FeesPaid)
    ticked: frozenset[str] = frozenset()  # pairs that once refused a price which was off their ticks
    halt_reason: str | None = None  # latched: only a person lifts it
    is_paused: bool = False
    changed_at: datetime | None = None  # when build or configuration last became what they are

    def instrument(self, pair: str) -> InstrumentState:
        return self.instruments.get(pair, InstrumentState())

    def working(self, pair: str | None = None) -> tuple[OrderRecord, ...]:
        """Orders that are not over, of one pair or of all, oldest first."""
        orders = (order for order in self.orders.values() if pair is None or order.pair == pair)
        return tuple(sorted(orders, key=lambda order: (order.created_at, order.order_id)))

    def reserved(self, asset: Asset, pair: str | None = None) -> Amount:
        """The most that unfinished orders, of one pair or of all, can still use up of an asset."""
        orders = (order for order in self.orders.values() if pair is None or order.pair == pair)
        parts = (_left_of_reservation(order, asset) for order in orders)
        return Amount(sum(parts, start=ZERO), asset)

    @property
    def pnl(self) -> Decimal:
        return sum((state.pnl for state in self.instruments.values()), start=ZERO)

    @property
    def equity(self) -> Decimal:
        return self.capital + self.pnl

    @property
    def day_pnl(self) -> Decimal:
        return self.pnl - self.day_opening_pnl


@dataclass(frozen=True, slots=True)
class LedgerOpened:
    capital: Decimal


@dataclass(frozen=True, slots=True)
class CapitalMoved:
    """A deposit (positive) or withdrawal of the currency."""

    change: Decimal


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """The journal's newest word on an order, whatever it is."""

    order: OrderRecord


@dataclass(frozen=True, slots=True)
class EntryMade:
    """An entry was journaled; restored at start, so that cooldown and hourly limits do not forget. Its day's count is
    restored by `EntriesCounted`.
    """

    pair: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SubmitMade:
    at: datetime


@dataclass(frozen=True, slots=True)
class EntriesCounted:
    """Entries of the open trading day, as the journal has them; restored at start."""

    by_pair: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FillBooked:
    fill: Fill


@dataclass(frozen=True, slots=True)
class CoinsAssigned:
    """Coins of the account became the bot's to sell, valued at a price: capital in kind, and no result."""

    pair: str
    quantity: Decimal
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True)
class BooksRestored:
    """What all fills up to a sealed checkpoint made of the instruments; later fills come after it."""

    instruments: Mapping[str, InstrumentState]
    fees: FeesPaid


@dataclass(frozen=True, slots=True)
class BalancesSeen:
    available: Mapping[Asset, Decimal]


@dataclass(frozen=True, slots=True)
class MarkSeen:
    """A mid that was fit to decide on; `window` is how long marks are remembered for the volatility pause."""

    pair: str
    mark: Decimal
    at: datetime
    window: timedelta


@dataclass(frozen=True, slots=True)
class FloorRaised:
    """The level below which the rest of a stay is not held; also applied at a start with the one that was kept."""

    pair: str
    floor: Decimal


@dataclass(frozen=True, slots=True)
class BreakersRestored:
    """What one instrument's breakers knew when the process before ended. It values nothing: prices have moved since."""

    pair: str
    marks: tuple[tuple[datetime, Decimal], ...]
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class TicksLearnt:
    """Pairs that once refused a price which was off their ticks; restored at start."""

    pairs: frozenset[str]


@dataclass(frozen=True, slots=True)
class SetupChanged:
    """Build or configuration became what they are: from here the caps of a ramp-up count."""

    at: datetime


@dataclass(frozen=True, slots=True)
class VolatilityPaused:
    pair: str
    until: datetime


@dataclass(frozen=True, slots=True)
class DayTurned:
    """The trading day in its zone; also applied at every start with the day's stored opening."""

    day: date
    opening_pnl: Decimal


@dataclass(frozen=True, slots=True)
class PeakRestored:
    equity_peak: Decimal


@dataclass(frozen=True, slots=True)
class Halted:
    reason: str


@dataclass(frozen=True, slots=True)
class HaltLifted:
    pass


@dataclass(frozen=True, slots=True)
class PauseSet:
    is_paused: bool


StateEvent = (
    LedgerOpened | CapitalMoved | OrderChanged | EntryMade | EntriesCounted | SubmitMade | FillBooked | CoinsAssigned
    | BooksRestored | BalancesSeen | MarkSeen | FloorRaised | BreakersRestored | TicksLearnt | SetupChanged
    | VolatilityPaused | DayTurned | PeakRestored | Halted | HaltLifted | PauseSet
)  # fmt: skip


def apply(state: TradingState, event: StateEvent) -> TradingState:
    """The state after one event. Pure; the same events in the same order give the same state."""
    match event:
        case LedgerOpened(capital):
            return replace(state, capital=capital, equity_peak=max(state.equity_peak, capital + state.pnl))
        case CapitalMoved(change):
            return replace(state, capital=state.capital + change, equity_peak=state.equity_peak + change)
        case OrderChanged(order):
            return _with_order(state, order)
        case EntryMade(pair, at):
            return _with_entry(state, pair, at, is_first_word=False)
        case EntriesCounted(by_pair):
            return _with_entries_of_day(state, by_pair)
        case SubmitMade(at):
            recent = tuple(moment for moment in state.submitted_at if moment > at - SUBMIT_MEMORY)
            return replace(state, submitted_at=(*recent, at))
        case FillBooked(fill):
            state = replace(state, fees=state.fees.after(fill))
            return _with_instrument(state, fill.pair, _after_fill(state.instrument(fill.pair), fill))
        case CoinsAssigned():
            return _with_assigned(state, event)
        case BooksRestored(instruments, fees):
            return replace(state, instruments={**state.instruments, **instruments}, fees=fees)
        case BalancesSeen(available):
            return replace(state, available=dict(available))
        case MarkSeen():
            return _with_mark(state, event)
        case FloorRaised(pair, floor):
            return _with_floor(state, pair, floor)
        case BreakersRestored(pair, marks, paused_until):
            carried = replace(state.instrument(pair), marks=marks, paused_until=paused_until, are_marks_carried=True)
            return _with_instrument(state, pair, carried)
        case TicksLearnt(pairs):
            return replace(state, ticked=state.ticked | pairs)
        case SetupChanged(at):
            return replace(state, changed_at=at)
        case VolatilityPaused(pair, until):
            return _with_instrument(state, pair, replace(state.instrument(pair), paused_until=until))
        case DayTurned(day, opening_pnl):
            state = state if day == state.day else _with_entries_of_day(state, {})
            return replace(state, day=day, day_opening_pnl=opening_pnl)
        case PeakRestored(equity_peak):
            return replace(state, equity_peak=max(state.equity_peak, equity_peak))
        case Halted(reason):
            return replace(state, halt_reason=state.halt_reason or reason)
        case HaltLifted():
            return replace(state, halt_reason=None)
        case PauseSet(is_paused):
            return replace(state, is_paused=is_paused)


def _with_order(state: TradingState, order: OrderRecord) -> TradingState:
    is_new = order.order_id not in state.orders
    others = {order_id: other for order_id, other in state.orders.items() if order_id != order.order_id}
    if not order.is_terminal:
        others[order.order_id] = order
    state = replace(state, orders=others)
    if order.state is OrderState.TURNED_DOWN and order.reason == PRICE_OFF_ITS_GRID:
        state = replace(state, ticked=state.ticked | {order.pair})
    if is_new and not order.is_terminal and order.purpose is Purpose.ENTRY:
        return _with_entry(state, order.pair, order.created_at, is_first_word=order.changed_at == order.created_at)
    return state


def _with_entry(state: TradingState, pair: str, at: datetime, *, is_first_word: bool) -> TradingState:
    """An order that comes back from its end was an entry before: it is not another one of the day."""
    instrument = state.instrument(pair)
    recent = (moment for moment in instrument.entered_at if moment > at - ENTRY_MEMORY)
    return _with_instrument(
        state,
        pair,
        replace(
            instrument,
            entered_at=tuple(sorted({*recent, at})),
            entries_of_day=instrument.entries_of_day + is_first_word,
        ),
    )


def _with_entries_of_day(state: TradingState, by_pair: Mapping[str, int]) -> TradingState:
    """Exactly these counts; a pair that is not named has made none."""
    for pair in sorted({*by_pair, *state.instruments}):
        instrument, count = state.instrument(pair), by_pair.get(pair, 0)
        if instrument.entries_of_day != count:
            state = _with_instrument(state, pair, replace(instrument, entries_of_day=count))
    return state


def _after_fill(instrument: InstrumentState, fill: Fill) -> InstrumentState:
    sign = 1 if fill.side is Side.BUY else -1
    position = instrument.position + sign * fill.quantity
    cash_flow = instrument.cash_flow - sign * fill.notional - fill.fee - fill.tax
    return replace(
        instrument,
        position=position,
        cash_flow=cash_flow,
        mark=fill.price,  # until the next mid: after a restart it is the best price there is
        stay=instrument.stay.after(fill, position, instrument.cash_flow, cash_flow),
    )


def _with_floor(state: TradingState, pair: str, floor: Decimal) -> TradingState:
    """A floor only rises, and only an open stay has one."""
    instrument = state.instrument(pair)
    stay = instrument.stay
    if not stay.is_open or (stay.floor is not None and stay.floor >= floor):
        return state
    return _with_instrument(state, pair, replace(instrument, stay=replace(stay, floor=floor)))


def _with_assigned(state: TradingState, assigned: CoinsAssigned) -> TradingState:
    value = assigned.quantity * assigned.price
    before = state.instrument(assigned.pair)
    instrument = replace(
        before,
        position=before.position + assigned.quantity,
        cash_flow=before.cash_flow - value,
        mark=assigned.price,
        stay=before.stay.with_assigned(assigned.quantity, assigned.price, assigned.at, before.cash_flow),
    )
    state = replace(state, capital=state.capital + value, equity_peak=state.equity_peak + value)
    return _with_instrument(state, assigned.pair, instrument)


def _with_mark(state: TradingState, seen: MarkSeen) -> TradingState:
    instrument = state.instrument(seen.pair)
    kept = tuple(pair for pair in instrument.marks if pair[0] > seen.at - seen.window)[-MARKS_MAX:]
    marked = replace(instrument, mark=seen.mark, marks=(*kept, (seen.at, seen.mark)), are_marks_carried=False)
    equity = state.equity - instrument.pnl + marked.pnl
    instruments = {**state.instruments, seen.pair: marked}
    return replace(state, instruments=instruments, equity_peak=max(state.equity_peak, equity))


def _with_instrument(state: TradingState, pair: str, instrument: InstrumentState) -> TradingState:
    return replace(state, instruments={**state.instruments, pair: instrument})


def _left_of_reservation(order: OrderRecord, asset: Asset) -> Decimal:
    """What of the reservation can still be used up; never less than what is left can cost."""
    if order.reservation.asset != asset or order.quantity == 0:
        return ZERO
    if order.side is Side.SELL:
        return order.left
    # A limit buy never pays more than its price: what was filled has used up at most price × filled of it.
    return order.reservation.number - order.filled * order.price if order.left > 0 else ZERO
