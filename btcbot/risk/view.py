"""What the gate sees when it judges: the market of one instrument, all of our own state, and the limits."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from btcbot.domain.market import MarketView
from btcbot.domain.money import ZERO, Amount, Asset, Ratio
from btcbot.domain.orders.intents import ApprovedOrderIntent, Side
from btcbot.domain.orders.records import OrderRecord
from btcbot.domain.orders.states import OrderState
from btcbot.domain.profiles import RiskLimits
from btcbot.domain.state import InstrumentState, OrderChanged, SubmitMade, TradingState, apply


@dataclass(frozen=True, slots=True)
class RiskView:
    """One moment. `market` is nothing when nothing usable came of the pair."""

    pair: str
    market: MarketView | None
    state: TradingState
    limits: RiskLimits
    now: datetime
    fee_ratio: Ratio  # the worst that the exchange takes of a trade, tax included

    @property
    def instrument_state(self) -> InstrumentState:
        return self.state.instrument(self.pair)

    @property
    def mid(self) -> Decimal | None:
        return None if self.market is None else self.market.book.mid

    @property
    def last_good_mark(self) -> Decimal | None:
        """The last middle that was fit to decide on, whichever process saw it; a fill's price is not one."""
        marks = self.instrument_state.marks
        return marks[-1][1] if marks else None

    def unvalued(self) -> Iterator[str]:
        """Pairs whose position has not been valued since the start."""
        for pair, instrument in sorted(self.state.instruments.items()):
            if instrument.position != 0 and (not instrument.marks or instrument.are_marks_carried):
                yield pair

    def held(self, pair: str) -> Amount:
        """The position at mark. A negative one, which only a defect can make, counts in full."""
        instrument = self.state.instrument(pair)
        if instrument.position == 0:
            return self.money(ZERO)
        assert instrument.mark is not None, "the fill that made the position left a mark"
        return self.money(abs(instrument.position) * instrument.mark)

    def held_in_all(self) -> Amount:
        return self.money(sum((self.held(pair).number for pair in self.state.instruments), start=ZERO))

    def reserved_by_buys(self, pair: str | None = None) -> Amount:
        """What unfinished buys, of one pair or of all, may still spend; whatever became of them."""
        return self.state.reserved(self.limits.currency, pair)

    def own_cash(self) -> Amount:
        """What our own books say is left of the capital: unlike the exchange's word it never lags behind our fills."""
        flows = (instrument.cash_flow for instrument in self.state.instruments.values())
        return self.money(self.state.capital + sum(flows, start=ZERO))

    def spendable(self) -> Amount | None:
        """The smaller of both words on the balance, less our reservations; nothing when the exchange's is missing."""
        available = self.state.available.get(self.limits.currency)
        if available is None:
            return None
        return self.money(min(available, self.own_cash().number)) - self.reserved_by_buys()

    def sellable(self, base: Asset) -> Decimal:
        """The position less what unfinished sells may still take of it."""
        return self.instrument_state.position - self.state.reserved(base, self.pair).number

    def money(self, number: Decimal) -> Amount:
        return Amount(number, self.limits.currency)

    def after(self, approved: ApprovedOrderIntent) -> "RiskView":
        """The view as if this order were already working: nothing filled, everything it may use up reserved.

        It counts as answered for, so that a decision may hold several orders of a pair. Should the first of them get no
        answer, the journal takes in no other: it asks again, in the transaction that reserves.
        """
        intent = approved.intent
        order = OrderRecord(
            order_id=intent.decision_id, client_order_id=intent.decision_id, decision_id=intent.decision_id,
            pair=intent.pair, side=intent.side, purpose=intent.purpose, quantity=intent.quantity, price=intent.price,
            reservation=approved.reservation, state=OrderState.OPEN, created_at=self.now, changed_at=self.now,
        )  # fmt: skip
        return replace(self, state=apply(apply(self.state, OrderChanged(order)), SubmitMade(self.now)))

    def crossing(self, side: Side, price: Decimal) -> Iterator[OrderRecord]:
        """Our own unfinished orders that an order on this side, at this price, would trade against."""
        for order in self.state.working(self.pair):
            if order.side is not side and (order.price <= price if side is Side.BUY else order.price >= price):
                yield order
