"""What a decision is made of, and what it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.market import Candle
from btcbot.domain.money import Ratio
from btcbot.domain.orders.intents import ApprovedOrderIntent
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.signals import Signal
from btcbot.domain.state import StateEvent, TradingState, apply
from btcbot.risk.gate import Refused
from btcbot.risk.reasons import EntriesOfDayAtMax
from btcbot.strategy.protection import StopLoss
from btcbot.strategy.strategy import IndicatorState, Strategy

DEFAULT_STOP = StopLoss(Ratio(Decimal("0.2")))


@dataclass(frozen=True, slots=True)
class Watching:
    """Candles that wait to be taken in together: ours with those of the other pairs that the strategy looks at."""

    seen: Mapping[str, datetime] = field(default_factory=dict)  # when the last candle of a watched pair opened
    held_back: Mapping[str, tuple[Candle, ...]] = field(
        default_factory=dict
    )  # of ours, until what they look at is there
    waiting: Mapping[str, Mapping[str, tuple[Candle, ...]]] = field(default_factory=dict)  # of others, for ours to come


@dataclass(frozen=True, slots=True)
class DecisionState:
    """All that one decision carries to the next. The journal rebuilds `trading`, a backfill the rest."""

    trading: TradingState
    indicators: Mapping[str, IndicatorState]
    candles_seen: Mapping[str, datetime]  # when the last candle taken in opened
    suspects: Mapping[str, Decimal]  # a jumped mid that the next reading must confirm
    signals: Mapping[str, Signal] = field(default_factory=dict)  # what the last candle of each pair said
    watching: Watching = field(default_factory=Watching)

    @classmethod
    def at(cls, trading: TradingState) -> "DecisionState":
        """Before the first candle."""
        return cls(trading, {}, {}, {})

    def after(self, event: StateEvent) -> "DecisionState":
        return replace(self, trading=apply(self.trading, event))


@dataclass(frozen=True, slots=True)
class DecisionParams:
    strategy: Strategy
    pairs: tuple[str, ...]
    limits: RiskLimits
    candle_interval: timedelta
    order_age_max: timedelta
    fee_ratio: Ratio  # the worst published taker rate, tax included: until our own fills have shown another
    default_stop: StopLoss = DEFAULT_STOP  # of a position for which the strategy declares no stop

    def __post_init__(self) -> None:
        """Raises `ValueError` where the strategy cannot be asked on candles of this interval."""
        object.__setattr__(self, "strategy", self.strategy.over(self.candle_interval))

    @property
    def history(self) -> Mapping[str, int]:
        """How many closed candles of each pair, watched ones included, are to be seen before the first decision."""
        watched = self.strategy.watched
        return {**watched, **{pair: max(self.strategy.own_history, watched.get(pair, 0)) for pair in self.pairs}}

    @property
    def watched_only(self) -> tuple[str, ...]:
        """Pairs that the strategy looks at and that are not traded."""
        return tuple(sorted(set(self.strategy.watched) - set(self.pairs)))


@dataclass(frozen=True, slots=True)
class CancelWish:
    order_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class StrategyFailure:
    """A strategy's code failed on the candle that was just taken in. No entry is made of it; exits go on."""

    pair: str
    error: str
    in_a_row: int


@dataclass(frozen=True, slots=True)
class CyclePlan:
    """What one decision came to. `state` has taken the market in; none of the approved intents is in it yet."""

    state: DecisionState
    signals: tuple[Signal, ...]  # of every pair that took in a new candle
    verdicts: tuple[ApprovedOrderIntent | Refused, ...]  # in the order in which they were judged
    cancels: tuple[CancelWish, ...]
    notes: tuple[str, ...]  # why something was done that no signal explains, or was not done
    halt_reason: str | None  # a breaker tripped: to be latched before anything is sent
    stops: Mapping[str, Decimal]  # not crossed yet, by pair: a bid at or below it asks for a decision at once
    failures: tuple[StrategyFailure, ...] = ()

    @property
    def pause_reason(self) -> str | None:
        """More entries were wanted than a day may see: entries are to be paused, durably, before anything is sent."""
        for verdict in self.verdicts:
            for reason in verdict.reasons if isinstance(verdict, Refused) else ():
                if isinstance(reason, EntriesOfDayAtMax):
                    return f"{verdict.intent.pair}: {reason}"
        return None

    @property
    def approved(self) -> tuple[ApprovedOrderIntent, ...]:
        return tuple(verdict for verdict in self.verdicts if isinstance(verdict, ApprovedOrderIntent))
