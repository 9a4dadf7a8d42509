"""Where live is put together. `LiveExecution` is chosen only when the settings arm it (design, section 4)."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.fees import WORST_PUBLISHED
from btcbot.domain.money import ZERO, Amount, Asset, Ratio, plain
from btcbot.domain.orders.intents import Intent
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import LiveProfile
from btcbot.domain.state import (
    BooksRestored,
    CapitalMoved,
    DayTurned,
    EntriesCounted,
    EntryMade,
    FillBooked,
    LedgerOpened,
    MarkSeen,
    OrderChanged,
    PeakRestored,
    SetupChanged,
    StateEvent,
    SubmitMade,
    TradingState,
    apply,
)
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.wiring import ExecutionSet, connect_execution
from btcbot.market_data.candles import KEPT_MAX
from btcbot.market_data.market import MarketData
from btcbot.persistence.sqlite.live_store import LiveStore, TradingHistory
from btcbot.risk.gate import form_reasons
from btcbot.services.breakers import capital_at_last, restored_breakers
from btcbot.services.decision import DecisionParams, DecisionState
from btcbot.services.event_log import EventLog
from btcbot.services.floors import with_kept_floors
from btcbot.services.halting import Halting
from btcbot.services.live_feed import Vitals
from btcbot.services.off_record import OffRecordCancels
from btcbot.services.order_desk import OrderDesk
from btcbot.services.reconciliation import Reconciler, SealingRule
from btcbot.services.run_loop import SWEPT, LiveParts, Readiness
from btcbot.services.runtime import Runtime
from btcbot.services.strategy_loading import load_strategy
from btcbot.services.trading_book import TradingBook
from btcbot.services.transfers import TransferBooks, capital_changes
from btcbot.strategy.protection import StopLoss
from btcbot.strategy.strategy import NEVER, Strategy

# Below the exchange's smallest order: what cannot be sold is not a reason to keep a pair.
DUST = MappingProxyType({Asset("TRY"): Decimal(100), Asset("USDT"): Decimal(10)})
NO_MARKET_AGAIN = datetime.max.replace(tzinfo=UTC)  # the last mark of a pair that is not followed any more


def restored_state(history: TradingHistory, currency: Asset, window: timedelta) -> TradingState:
    """What trading stood at when the process before ended, from what was booked and nothing else.

    `window` is how long marks are remembered for the volatility pause. Halt and pause are not in it: every cycle reads
    both from their latches before it decides.
    """
    state = TradingState(currency)
    events: list[StateEvent] = []
    if history.opening is not None:
        events.append(LedgerOpened(history.opening.get(currency, Decimal(0))))
        events.append(CapitalMoved(history.books.transfers.get(currency, Decimal(0))))
        events.extend(capital_changes(history.transfers, currency))
    events.append(BooksRestored(history.books.trading.instruments, history.books.trading.fees))
    events.append(CapitalMoved(history.books.assigned))
    events.extend(_bookings(history))
    events.extend(EntryMade(pair, at) for pair, at in history.entries)
    events.extend(OrderChanged(order) for order in history.orders)
    events.extend(SubmitMade(at) for at in history.submits)
    events.extend(restored_breakers(history.breakers, window))
    if history.last_cycle is not None:
        events.append(DayTurned(history.last_cycle.day, history.last_cycle.day_opening_pnl))
    events.append(EntriesCounted(history.entries_of_day))
    if history.unchanged_since is not None:
        events.append(SetupChanged(history.unchanged_since))
    for event in events:
        state = apply(state, event)
    if history.last_cycle is None:
        return state
    capital_then = capital_at_last(history.breakers)
    moved = ZERO if capital_then is None else state.capital - capital_then
    return apply(state, PeakRestored(history.last_cycle.equity_peak + moved))


def _bookings(history: TradingHistory) -> Iterator[StateEvent]:
    """Fills and assignments in the order in which they were booked."""
    assigned = list(history.assigned)
    for number, fill in enumerate(history.fills):
        while assigned and assigned[0][0] <= number:
            yield assigned.pop(0)[1]
        yield FillBooked(fill)
    yield from (event for _, event in assigned)


def connect_exchange(
    profile: LiveProfile,
    policy: TradingArmedPolicy,
    runtime: Runtime,
    observer: Observer,
    watched: tuple[str, ...] = (),
) -> tuple[MarketData, ExecutionSet]:
    """The two clients, each with its own connections and budgets. Nothing is sent yet.

    Of pairs that are only watched the market shows candles, and nothing else.
    """
    common = profile.common
    market = MarketData.connect(
        common.endpoints, common.pairs, common.candle_interval, runtime.clock, runtime.sleeper, observer,
        watched=watched,
    )  # fmt: skip
    return market, connect_execution(profile, policy, runtime.clock, runtime.sleeper, observer)


def decision_params(profile: LiveProfile) -> DecisionParams:
    """What `decide` is told once and for all; `ConfigurationError` where the strategy makes no sense."""
    return _params(profile, load_strategy(profile.strategy, profile.limits.currency))


def protecting_params(profile: LiveProfile) -> DecisionParams:
    """No entries, and the default stop: for positions whose strategy cannot be had."""
    nothing = Amount(Decimal(0), profile.limits.currency)
    return _params(profile, Strategy("no_strategy", NEVER, NEVER, nothing, adds_to_position=False, shown=()))


def _params(profile: LiveProfile, strategy: Strategy) -> DecisionParams:
    common = profile.common
    try:
        params = DecisionParams(
            strategy=strategy,
            pairs=common.pairs,
            limits=profile.limits,
            candle_interval=common.candle_interval,
            order_age_max=profile.order_age_max,
            fee_ratio=published_ratio(profile.limits.currency),
            default_stop=StopLoss(profile.default_stop_ratio),
        )
        warm_up = params.strategy.warm_up
    except ValueError as error:
        raise ConfigurationError(f"{strategy.name} does not fit BTCBOT_CANDLE_INTERVAL: {error}") from error
    if warm_up > KEPT_MAX:
        raise ConfigurationError(
            f"{strategy.name} needs {warm_up} candles to warm up, and {KEPT_MAX} are kept: choose shorter periods or a "
            "longer BTCBOT_CANDLE_INTERVAL"
        )
    return params


class LiveWiring:
    """Builds the parts in the order in which they need each other."""

    def __init__(
        self, profile: LiveProfile, params: DecisionParams, runtime: Runtime, store: LiveStore, events: EventLog
    ) -> None:
        self._profile = profile
        self._params = params
        self._runtime = runtime
        self._store = store
        self._observer = events
        self.watched = params.watched_only
        self.readiness = Readiness()
        self.halting = Halting(store, profile.common.run_dir, events)
        self.policy = TradingArmedPolicy(profile, self._blocked_by)
        self.vitals = Vitals()

    def parts(self, market: MarketData, execution: ExecutionSet, notify_feed: Callable[[], None]) -> LiveParts:
        profile, clock = self._profile, self._runtime.clock
        history = self._store.history()
        currency, window = profile.limits.currency, profile.limits.volatility_window
        trading = require_listed(restored_state(history, currency, window), profile.common.pairs, currency)
        state = DecisionState.at(with_kept_floors(self._store, trading))
        book = TradingBook(self._store.journal, state, self._observer)
        reconciler = Reconciler(
            book, self._store.ledger_balances, execution.reader, profile.common.pairs, profile.common.deployment_id,
            SealingRule(profile.sealing, profile.seal_quiet), swept_before(self._store, profile.common.pairs),
            TransferBooks(self._store, book, profile.limits.currency, self._observer).take, clock, self._observer,
        )  # fmt: skip
        desk = OrderDesk(
            book, self._store.require_fence, execution.execution, self.policy,
            lambda intent, decided_at: unfit_to_send(
                market, intent, clock.now() - decided_at, profile, book.state.trading.ticked
            ),
            self._observer,
        )  # fmt: skip
        off_record = OffRecordCancels(
            execution.reader, execution.execution, profile.common.deployment_id,
            lambda: tuple(book.state.trading.orders.values()), self._runtime.sleeper, self._observer,
        )  # fmt: skip
        return LiveParts(
            profile, self._runtime, self._store, book, market, reconciler, desk, off_record, self.halting, self.policy,
            execution.hints, self._params, self.vitals, notify_feed, self._observer,
        )  # fmt: skip

    def _blocked_by(self) -> str | None:
        """What forbids submits right now besides the settings: a latched halt, or not being ready."""
        halted = self.halting.reason()
        if halted is not None:
            return f"trading is halted: {halted}"
        if self.readiness.waits_for is not None:
            return f"waiting for {self.readiness.waits_for}"
        return None


def unfit_to_send(
    market: MarketData, intent: Intent, decision_age: timedelta, profile: LiveProfile, ticked: frozenset[str]
) -> str | None:
    """What has changed between decision and send: a decision never outlives its data, a wrong clock, or its grids."""
    pair = intent.pair
    listed = market.instruments.get(pair)
    if listed is None:
        return f"{pair} is not listed any more"
    unfit = form_reasons(intent, listed.on_ticks() if pair in ticked else listed)
    if unfit:
        return f"the exchange's rules of {pair} changed: {'; '.join(map(str, unfit))}"
    age_max = profile.limits.market_age_max
    if decision_age > age_max:
        return f"the decision is {decision_age.total_seconds():.1f} s old"
    age = market.ages().get(pair)
    if age is None:
        return f"{pair} has no market data"
    if age > age_max:
        return f"{pair} market data is {age.total_seconds():.1f} s old"
    offset = market.last_offset
    if offset is None or abs(offset.offset) > profile.common.clock_offset_max:
        return "the clock is not known to be near the exchange's"
    return None


def swept_before(store: LiveStore, pairs: Iterable[str]) -> dict[str, datetime]:
    """Up to when the process before had read each pair's orders and trades in full."""
    cursors = {pair: store.cursor(f"{SWEPT}/{pair}") for pair in pairs}
    return {pair: datetime.fromisoformat(text) for pair, text in cursors.items() if text is not None}


def require_listed(state: TradingState, pairs: tuple[str, ...], currency: Asset) -> TradingState:
    """A pair that is no longer traded but still held could never be sold or valued: refused. Dust is let be."""
    for pair, instrument in state.instruments.items():
        if pair in pairs or instrument.position == 0:
            continue
        assert instrument.mark is not None, "the fill that made the position left a mark"
        if instrument.position * instrument.mark >= DUST[currency]:
            raise ConfigurationError(f"BTCBOT_PAIRS lacks {pair}, of which {plain(instrument.position)} is held")
        state = apply(state, MarkSeen(pair, instrument.mark, NO_MARKET_AGAIN, timedelta()))
    return state


def published_ratio(currency: Asset) -> Ratio:
    ratio = WORST_PUBLISHED.get(currency)
    if ratio is None:
        raise ConfigurationError(
            f"BTCBOT_RISK_CURRENCY {currency} has no published fee; use one of {sorted(WORST_PUBLISHED)}"
        )
    return ratio
