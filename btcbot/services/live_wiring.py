"""Where live is put together. `LiveExecution` is chosen only when the settings arm it (design, section 4)."""

from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType

from btcbot.domain.errors import ConfigurationError
from btcbot.domain.money import Asset, Ratio
from btcbot.domain.ports import Observer
from btcbot.domain.profiles import LiveProfile
from btcbot.domain.state import (
    DayTurned,
    EntryMade,
    FillBooked,
    LedgerOpened,
    OrderChanged,
    PeakRestored,
    StateEvent,
    TradingState,
    apply,
)
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.wiring import ExecutionSet, connect_execution
from btcbot.market_data.market import MarketData
from btcbot.persistence.sqlite.live_store import LiveStore, TradingHistory
from btcbot.services.decision import DecisionParams, DecisionState
from btcbot.services.halting import Halting
from btcbot.services.live_feed import Vitals
from btcbot.services.order_desk import OrderDesk
from btcbot.services.reconciliation import FIRST_LOOK_BACK, Reconciler, SealingRule
from btcbot.services.run_loop import LiveParts, Readiness
from btcbot.services.runtime import Runtime
from btcbot.services.trading_book import TradingBook
from btcbot.strategy.registry import build_strategy

# The worst published taker rate with tax, per quote (protocol, section 7): what an order may cost at most.
TAKER_RATIOS = MappingProxyType({Asset("TRY"): Ratio(Decimal("0.0024")), Asset("USDT"): Ratio(Decimal("0.0014"))})


def restored_state(history: TradingHistory, currency: Asset) -> TradingState:
    """What trading stood at when the process before ended, from what was booked and nothing else."""
    state = TradingState(currency)
    events: list[StateEvent] = []
    if history.opening is not None:
        events.append(LedgerOpened(history.opening.get(currency, Decimal(0))))
    events.extend(FillBooked(fill) for fill in history.fills)
    events.extend(EntryMade(pair, at) for pair, at in history.entries)
    events.extend(OrderChanged(order) for order in history.orders)
    if history.last_cycle is not None:
        events.append(PeakRestored(history.last_cycle.equity_peak))
        events.append(DayTurned(history.last_cycle.day, history.last_cycle.day_opening_pnl))
    for event in events:
        state = apply(state, event)
    return state


def connect_exchange(
    profile: LiveProfile, policy: TradingArmedPolicy, runtime: Runtime, observer: Observer
) -> tuple[MarketData, ExecutionSet]:
    """The two clients, each with its own connections and budgets. Nothing is sent yet."""
    common = profile.common
    market = MarketData.connect(
        common.endpoints, common.pairs, common.candle_interval, runtime.clock, runtime.sleeper, observer
    )
    return market, connect_execution(profile, policy, runtime.clock, runtime.sleeper, observer)


def decision_params(profile: LiveProfile) -> DecisionParams:
    """What `decide` is told once and for all; `ConfigurationError` where the strategy or its parameters make no sense."""
    return DecisionParams(
        strategy=build_strategy(profile.strategy, profile.limits.currency),
        pairs=profile.common.pairs,
        limits=profile.limits,
        candle_interval=profile.common.candle_interval,
        order_age_max=profile.order_age_max,
        fee_ratio=taker_ratio(profile.limits.currency),
    )


class LiveWiring:
    """Builds the parts in the order in which they need each other."""

    def __init__(
        self, profile: LiveProfile, params: DecisionParams, runtime: Runtime, store: LiveStore, observer: Observer
    ) -> None:
        self._profile = profile
        self._params = params
        self._runtime = runtime
        self._store = store
        self._observer = observer
        self.readiness = Readiness()
        self.halting = Halting(store, profile.common.run_dir, observer)
        self.policy = TradingArmedPolicy(profile, self._blocked_by)
        self.vitals = Vitals()

    def parts(self, market: MarketData, execution: ExecutionSet, notify_feed: Callable[[], None]) -> LiveParts:
        profile, clock = self._profile, self._runtime.clock
        history = self._store.history()
        state = DecisionState.at(restored_state(history, profile.limits.currency))
        book = TradingBook(self._store.journal, state, self._observer)
        read_since = clock.now() - FIRST_LOOK_BACK if history.last_cycle is None else history.last_cycle.ended_at
        reconciler = Reconciler(
            book, self._store.ledger_balances, execution.reader, profile.common.pairs, profile.common.deployment_id,
            SealingRule(profile.sealing, profile.seal_quiet), read_since, clock, self._observer,
        )  # fmt: skip
        desk = OrderDesk(
            book, self._store.require_fence, execution.execution, self.policy,
            lambda pair: stale_data(market, pair, profile), self._observer,
        )  # fmt: skip
        return LiveParts(
            profile, self._runtime, self._store, book, market, reconciler, desk, self.halting, self.policy,
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


def stale_data(market: MarketData, pair: str, profile: LiveProfile) -> str | None:
    """What has gone stale between decision and send: a decision never outlives its data."""
    age = market.ages().get(pair)
    if age is None:
        return f"{pair} has no market data"
    if age > profile.limits.market_age_max:
        return f"{pair} market data is {age.total_seconds():.1f} s old"
    return None


def taker_ratio(currency: Asset) -> Ratio:
    ratio = TAKER_RATIOS.get(currency)
    if ratio is None:
        raise ConfigurationError(f"BTCBOT_RISK_CURRENCY {currency} has no published fee; use one of {sorted(TAKER_RATIOS)}")
    return ratio
