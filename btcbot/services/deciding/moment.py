"""One decision under way: what has been taken in, found and judged so far. Lives as long as one call of `decide`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count

from btcbot.domain.market import MarketSnapshot, MarketView
from btcbot.domain.money import Price
from btcbot.domain.orders.intents import ApprovedOrderIntent, Intent, Purpose, Side
from btcbot.domain.state import TradingState
from btcbot.risk import reasons
from btcbot.risk.gate import Refused, assess, market_reasons
from btcbot.risk.ramp_up import limits_in_force
from btcbot.risk.reasons import Reason
from btcbot.risk.sizing import Quote
from btcbot.risk.view import RiskView
from btcbot.services.deciding.plan import DecisionParams, DecisionState
from btcbot.strategy.strategy import IndicatorState

_UNPRICEABLE = (
    reasons.MarketMissing, reasons.MarketOfAnother, reasons.BookSideEmpty, reasons.BookMalformed, reasons.BookCrossed,
    reasons.RuleFailed,
)  # fmt: skip


class Moment:
    """The state as it grows, and the verdicts. `trading` is the state as if what was approved were already working."""

    def __init__(self, state: DecisionState, snapshot: MarketSnapshot, params: DecisionParams, cycle_id: str) -> None:
        self.state = state
        self.snapshot = snapshot
        self.params = params
        self.now: datetime = snapshot.taken_at
        self._limits = limits_in_force(state.trading, params.limits, self.now)
        self.pairs = tuple(sorted(params.pairs))
        self.notes: list[str] = []
        self.verdicts: list[ApprovedOrderIntent | Refused] = []
        self.halted_by: str | None = None
        self._approved: TradingState | None = None
        self._cycle_id = cycle_id
        self._ordinals = {pair: count() for pair in self.pairs}
        self._unfit: dict[str, tuple[Reason, ...]] = {}

    @property
    def trading(self) -> TradingState:
        return self.state.trading if self._approved is None else self._approved

    def view(self, pair: str, trading: TradingState | None = None) -> RiskView:
        return RiskView(
            pair=pair,
            market=self.market(pair),
            state=self.trading if trading is None else trading,
            limits=self._limits,
            now=self.now,
            fee_ratio=self.state.trading.fees.planning_ratio(self.params.fee_ratio),
        )

    def market(self, pair: str) -> MarketView | None:
        """The market by the grid that the exchange was found to hold prices to."""
        market = self.snapshot.views.get(pair)
        if market is None or pair not in self.state.trading.ticked:
            return market
        return replace(market, instrument=market.instrument.on_ticks())

    def indicators(self, pair: str) -> IndicatorState:
        held = self.state.indicators.get(pair)
        return self.params.strategy.initial() if held is None else held

    def unfit(self, pair: str) -> tuple[Reason, ...]:
        """Why this reading is not fit to value a position by; judged once, for each level of each book is asked."""
        found = self._unfit.get(pair)
        if found is None:
            found = self._unfit[pair] = market_reasons(self.view(pair))
        return found

    def unpriceable(self, pair: str) -> list[str]:
        return [str(reason) for reason in self.unfit(pair) if isinstance(reason, _UNPRICEABLE)]

    def priceable(self, pair: str, side: Side) -> MarketView | None:
        """The market, if its book can be priced by at all; whether it may be traded on is the gate's to say."""
        market, blocking = self.market(pair), self.unpriceable(pair)
        if blocking or market is None:
            self.note(pair, f"{side} not tried: {'; '.join(blocking)}")
            return None
        return market

    def intent(self, market: MarketView, side: Side, purpose: Purpose, quote: Quote) -> Intent:
        mid = market.book.mid
        assert mid is not None, "a book that was priced has both sides"
        pair = market.instrument.pair
        return Intent(
            decision_id=f"{self._cycle_id}/{pair}/{next(self._ordinals[pair])}",
            instrument=market.instrument,
            side=side,
            purpose=purpose,
            quantity=quote.quantity,
            price=quote.price,
            reference_price=Price(mid),
        )

    def judge(self, intent: Intent) -> bool:
        """Put an intent before the gate, after all that were approved before it; whether it was approved."""
        if self.halted_by is not None:
            self.note(intent.pair, f"{intent.side} not tried, trading is halted: {self.halted_by}")
            return False
        view = self.view(intent.pair)
        verdict = assess(intent, view)
        self.verdicts.append(verdict)
        if isinstance(verdict, Refused):
            return False
        self._approved = view.after(verdict).state
        return True

    def views_of(
        self, verdicts: Sequence[ApprovedOrderIntent | Refused]
    ) -> Iterator[tuple[ApprovedOrderIntent | Refused, RiskView]]:
        """The views that verdicts were given by, once they are known."""
        trading = self.state.trading
        for verdict in verdicts:
            view = self.view(verdict.intent.pair, trading)
            yield verdict, view
            if isinstance(verdict, ApprovedOrderIntent):
                trading = view.after(verdict).state

    def note(self, pair: str, text: str) -> None:
        self.notes.append(f"{pair}: {text}")
