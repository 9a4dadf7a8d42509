"""Stops: when they fire, and what they become (protocol 6.4).

A stop that fires is canceled with its whole quantity left, and a new order stands in its place: another id, the same
label, limit or market, dated at the stop's end, with the stop's hold and at the stop's fee rates. So there is always
money for it. It is not judged again: price band, minimum and grids were those of the moment when the stop came. Where
nobody is there to trade with, or only its own account, it ends as any market order does.
"""

from collections.abc import Iterable

from btcbot.domain.orders.intents import Side
from btcbot.simulation.books import Print
from btcbot.simulation.happenings import Method, OrderAccepted
from btcbot.simulation.judging import Judge
from btcbot.simulation.matching import Matching
from btcbot.simulation.order_book import OPPOSITE, OrderBook
from btcbot.simulation.orders import Order
from btcbot.simulation.rules import TriggeredBy, VenueRules
from btcbot.simulation.state import State


class Triggers:
    def __init__(self, state: State, judge: Judge, matching: Matching, rules: VenueRules) -> None:
        self._state = state
        self._judge = judge
        self._matching = matching
        self._rules = rules

    def look(self, book: OrderBook, now_ms: int, prints: Iterable[Print] = ()) -> None:
        """Fire what the market has reached by now, with what was printed on the way. One stop may set off the next."""
        if not book.has_stops:
            return
        pair = book.listing.pair
        prints = [print_ for print_ in prints if print_.pair == pair]
        for side, stops in book.stops.items():
            while stops:
                reached = self._reached(book, side, prints)
                stop = None if reached is None else stops.reached(reached)
                if stop is None:
                    break
                self._fire(stop, now_ms)

    def _reached(self, book: OrderBook, side: Side, prints: Iterable[Print]) -> int | None:
        """The highest price for stop buys, the lowest for stop sells (A9)."""
        if self._rules.triggered_by is TriggeredBy.TOUCH:
            return book.touch(OPPOSITE[side])
        last = self._judge.last_ticks(book.listing.pair)
        prices = [print_.ticks for print_ in prints] if last is None else [last, *(print_.ticks for print_ in prints)]
        if not prices:
            return None
        return max(prices) if side is Side.BUY else min(prices)

    def _fire(self, stop: Order, now_ms: int) -> None:
        was = stop.accepted
        method = Method.LIMIT if was.method is Method.STOP_LIMIT else Method.MARKET
        order_id = self._state.next_order_id
        self._state.happen(
            OrderAccepted(
                order_id, was.account_id, was.pair, was.side, method,
                was.price, was.quantity, stop.held, was.client_order_id, now_ms, was.stop_price, was.is_in_base,
                was.order_id,
            )
        )  # fmt: skip
        self._matching.enter(self._state.orders[order_id], now_ms)
