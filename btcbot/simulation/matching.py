"""Who trades with whom: price first, then time, the market's displayed queue before whoever came after it.

- What our accounts take of a level stays taken until the source shows another quantity there.
- A resting order fills at its own price when the market trades through it or its book reaches it.
- Fee and tax are taken in quote, at the rates that the order was accepted with. A buy holds price x left x (1 + taker
  rate); what a better price or the maker's rate leaves of that is released with each match.
"""

from decimal import Decimal

from btcbot.domain.money import ZERO, divide_down, round_up
from btcbot.domain.orders.intents import Side
from btcbot.simulation.books import Print
from btcbot.simulation.fees import FEE_STEP, Charge, charge
from btcbot.simulation.happenings import HoldReleased, Liquidity, Method, OrderCanceled, OrderClosed, OrderMatched
from btcbot.simulation.judging import guard_ticks
from btcbot.simulation.order_book import OPPOSITE, OrderBook
from btcbot.simulation.orders import Order
from btcbot.simulation.rules import MarketRest, SelfTrade, VenueRules
from btcbot.simulation.state import State


class Matching:
    def __init__(self, state: State, rules: VenueRules) -> None:
        self._state = state
        self._rules = rules

    # ------------------------------------------------------------------------------------------- our accounts move

    def enter(self, order: Order, now_ms: int) -> None:
        """An accepted order takes what it can, and stays with the rest if it is a limit."""
        book = self._state.books[order.accepted.pair]
        if order.accepted.method is Method.MARKET:
            self._take_at_market(book, order, now_ms)
            return
        self._take(book, order, order.ticks, now_ms)
        if order.is_open:
            book.rest(order)

    def _take_at_market(self, book: OrderBook, order: Order, now_ms: int) -> None:
        accepted = order.accepted
        first = next(book.offers(OPPOSITE[accepted.side], None, self._passed_over(order)), None)
        if first is not None:
            self._take(book, order, guard_ticks(accepted.side, first[0]), now_ms)
        if order.is_open:
            is_done = order.is_in_quote and self._is_spent(book, order)
            if is_done or self._rules.market_rest is MarketRest.CLOSED:
                self._state.happen(OrderClosed(accepted.order_id, now_ms))
            else:
                self._state.happen(OrderCanceled(accepted.order_id, now_ms, now_ms))
        if order.held:
            self._state.happen(HoldReleased(accepted.order_id, order.held, now_ms))

    def _take(self, book: OrderBook, order: Order, limit_ticks: int, now_ms: int) -> None:
        opposite = OPPOSITE[order.accepted.side]
        for ticks, offered, maker in book.offers(opposite, limit_ticks, self._passed_over(order)):
            traded = min(offered, self._wanted(book, order, ticks))
            if traded == 0:
                return
            if maker is None:
                book.take(opposite, ticks, traded)
            else:
                self._match(book, maker, ticks, traded, Liquidity.MAKER, now_ms, order)
            self._match(book, order, ticks, traded, Liquidity.TAKER, now_ms, maker)
            if not order.is_open or self._is_spent(book, order):
                return

    def _wanted(self, book: OrderBook, order: Order, ticks: int) -> int:
        """In grains. A market buy wants no more than it can pay for."""
        if not order.is_paid_as_it_goes:
            return order.left_grains
        affordable = self._affordable(book, order, order.held, book.listing.price(ticks))
        return affordable if order.is_in_quote else min(affordable, order.left_grains)

    def _is_spent(self, book: OrderBook, order: Order) -> bool:
        """A market buy has nothing left but what rounding fee and tax may leave over."""
        if not order.is_paid_as_it_goes or not order.matches:
            return False
        return self._affordable(book, order, order.held - FEE_STEP, order.matches[-1].price) <= 0

    @staticmethod
    def _affordable(book: OrderBook, order: Order, funds: Decimal, price: Decimal) -> int:
        """How many grains the money pays for, with the fee."""
        grain = Decimal(1).scaleb(-book.listing.grain_decimals)
        return book.listing.grains(divide_down(funds, price * (1 + order.rates.taker), grain))

    def _passed_over(self, order: Order) -> int | None:
        """Whose resting orders this one does not meet: its own account's, as long as that is the rule (A12)."""
        return order.accepted.account_id if self._rules.self_trade is not SelfTrade.TRADED else None

    # ------------------------------------------------------------------------------------------- the market moves

    def meet(self, book: OrderBook, now_ms: int) -> None:
        """The market's book came to resting orders: it fills them, best price and longest wait first."""
        for side, opposite in OPPOSITE.items():
            best = next((ticks for ticks in book.levels(opposite) if book.market_grains(opposite, ticks)), None)
            if best is None:
                continue
            for price in book.resting[side].prices(best):
                for order in tuple(book.resting[side].at(price)):
                    for ticks, offered in book.market_offers(opposite, price):
                        traded = min(offered, order.left_grains)
                        book.take(opposite, ticks, traded)
                        self._match(book, order, price, traded, Liquidity.MAKER, now_ms)
                        if not order.is_open:
                            break

    def trade_through(self, print_: Print) -> None:
        """A print takes from the queue at its price, and fills orders that it would have met before."""
        book = self._state.books[print_.pair]
        side = Side.SELL if print_.is_buy else Side.BUY
        left, passed = book.grains_of_lots(print_.lots), 0
        for price in book.resting[side].prices(print_.ticks):
            if left == 0:
                return
            for order in tuple(book.resting[side].at(price)):
                if price == print_.ticks:
                    ahead = max((order.queue_ahead or 0) - passed, 0)
                    waited = min(ahead, left)
                    left, passed = left - waited, passed + waited
                    order.queue_ahead = ahead - waited
                traded = min(order.left_grains, left)
                if traded:
                    left -= traded
                    self._match(book, order, price, traded, Liquidity.MAKER, print_.at_ms)

    def force(self, order: Order, grains: int, now_ms: int) -> None:
        """The market comes to one resting order, whatever it shows. Whoever is before that order fills first."""
        book, side = self._state.books[order.accepted.pair], order.accepted.side
        for price in book.resting[side].prices(order.ticks):
            for other in tuple(book.resting[side].at(price)):
                if price == order.ticks:
                    book.pass_queue(side, price, other.queue_ahead or 0)
                traded = grains if other is order else other.left_grains
                self._match(book, other, price, traded, Liquidity.MAKER, now_ms)
                if other is order:
                    return

    # ------------------------------------------------------------------------------------------- one match

    def _match(
        self,
        book: OrderBook,
        order: Order,
        ticks: int,
        grains: int,
        liquidity: Liquidity,
        now_ms: int,
        counter: Order | None = None,
    ) -> None:
        listing, accepted, rates = book.listing, order.accepted, order.rates
        price, quantity = listing.price(ticks), listing.quantity_of_grains(grains)
        notional = price * quantity
        is_taker = liquidity is Liquidity.TAKER or (self._rules.is_rest_charged_as_taker and order.has_taken)
        taken = charge(notional, rates.taker if is_taker else rates.maker)
        if accepted.side is Side.SELL:
            released = quantity
        elif order.is_paid_as_it_goes:
            taken = _payable(taken, notional, order.held)
            released = notional + taken.total
        else:
            left = listing.quantity_of_grains(order.left_grains - grains)
            released = order.held - accepted.price * left * (1 + rates.taker)
            available = self._state.accounts[accepted.account_id].available(listing.quote)
            taken = _payable(taken, notional, released + available)
        self._state.happen(
            OrderMatched(
                self._state.next_trade_id, accepted.order_id, accepted.account_id, accepted.pair, accepted.side, price,
                quantity, taken.fee, taken.tax, liquidity, released, now_ms,
                0 if counter is None else counter.accepted.order_id,
            )
        )  # fmt: skip


def _payable(taken: Charge, notional: Decimal, funds: Decimal) -> Charge:
    """Rounding up must not overdraw an account that has nothing left: tax, then fee give way by that last digit."""
    short = notional + taken.total - funds
    if short <= 0:
        return taken
    cut = round_up(short, FEE_STEP)
    tax = max(taken.tax - cut, ZERO)
    return Charge(taken.fee - (cut - (taken.tax - tax)), tax)
