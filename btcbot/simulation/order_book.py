"""One pair: what the source shows, what our accounts took of it, who rests in it, and which stops wait.

Quantities are grains, except those of a source and of what everybody sees: these are lots.
"""

import heapq
from collections.abc import Iterator, Mapping
from itertools import groupby, islice, takewhile

from btcbot.domain.orders.intents import Side
from btcbot.simulation.books import EMPTY, LEVELS_MAX, Depth
from btcbot.simulation.listings import Listing
from btcbot.simulation.orders import Order
from btcbot.simulation.resting import Resting, WaitingStops

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}

Offer = tuple[int, int, Order | None]  # price, grains, and whose they are: nobody's means the market's


class OrderBook:
    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.is_frozen = False
        self.depth = EMPTY
        self.resting: Mapping[Side, Resting] = {side: Resting(side) for side in Side}
        self.stops: Mapping[Side, WaitingStops] = {side: WaitingStops(side) for side in Side}
        self._taken: Mapping[Side, dict[int, tuple[int, int]]] = {side: {} for side in Side}
        self._lot: int = 10 ** (listing.grain_decimals - listing.lot_decimals)  # in grains
        self._shown = EMPTY
        self._is_shown = False  # nothing changed since then

    @property
    def has_stops(self) -> bool:
        return bool(self.stops[Side.BUY] or self.stops[Side.SELL])

    # ------------------------------------------------------------------------------------------- the market's part

    def show(self, depth: Depth) -> None:
        """The source has a new depth. Where it differs from what was seen when we took, the level is fresh.

        What it shows at our orders' prices is the most that can be before them: a shrinking level moves them forward.
        """
        self.depth = depth
        self.changed()
        for side, taken in self._taken.items():
            levels = self.levels(side)
            for ticks in [ticks for ticks, (_, seen) in taken.items() if levels.get(ticks) != seen]:
                del taken[ticks]
            for ticks, last in self.resting[side].lasts():
                shown = self.market_grains(side, ticks)
                if last.queue_ahead is None or last.queue_ahead > shown:  # nobody has more before him than the last one
                    for order in self.resting[side].at(ticks):
                        order.queue_ahead = shown if order.queue_ahead is None else min(order.queue_ahead, shown)

    def levels(self, side: Side) -> Mapping[int, int]:
        return self.depth.bids if side is Side.BUY else self.depth.asks

    def market_grains(self, side: Side, ticks: int) -> int:
        """What the source shows at a price and nobody of ours has taken."""
        grains = self.levels(side).get(ticks, 0) * self._lot
        taken = self._taken[side].get(ticks)
        return grains if taken is None else max(grains - taken[0], 0)

    def market_offers(self, side: Side, limit_ticks: int) -> Iterator[tuple[int, int]]:
        """What the source alone offers on a side, best first, down to the limit with it."""
        for ticks in self._within(side, limit_ticks):
            if grains := self.market_grains(side, ticks):
                yield ticks, grains

    def take(self, side: Side, ticks: int, grains: int) -> None:
        """Our accounts took this from the source: it stays taken, and who waits behind it moves forward."""
        before = self._taken[side].get(ticks, (0, 0))[0]
        self._taken[side][ticks] = (before + grains, self.levels(side)[ticks])
        self.changed()
        self.pass_queue(side, ticks, grains)

    def pass_queue(self, side: Side, ticks: int, grains: int) -> None:
        """So much of what the market had at a price is gone from before our orders there."""
        for order in self.resting[side].at(ticks):
            order.queue_ahead = max((order.queue_ahead or 0) - grains, 0)

    def grains_of_lots(self, lots: int) -> int:
        return lots * self._lot

    # ------------------------------------------------------------------------------------------- both together

    def rest(self, order: Order) -> None:
        """The order came to stay: what the market shows at its price is before it."""
        order.queue_ahead = self.market_grains(order.accepted.side, order.ticks)

    def offers(self, side: Side, limit_ticks: int | None, passed_over: int | None) -> Iterator[Offer]:
        """What one side offers down to a limit, in order of priority; without the orders of one account.

        Whoever takes may do so while he goes through them.
        """
        resting = self.resting[side]
        for ticks in self._prices(side, limit_ticks):
            left, passed = self.market_grains(side, ticks), 0
            for order, ahead in [(order, order.queue_ahead or 0) for order in resting.at(ticks)]:
                waits = min(max(ahead - passed, 0), left)
                if waits:
                    yield ticks, waits, None
                    left, passed = left - waits, passed + waits
                if order.accepted.account_id != passed_over:
                    yield ticks, order.left_grains, order
            if left:
                yield ticks, left, None

    def touch(self, side: Side) -> int | None:
        """The best price of a side, whoever's it is."""
        ours = self.resting[side].best
        market = next((ticks for ticks in self.levels(side) if self.market_grains(side, ticks)), None)
        if ours is None or market is None:
            return market if ours is None else ours
        return max(ours, market) if side is Side.BUY else min(ours, market)

    def changed(self) -> None:
        """What everybody sees may be another book by now: an order came, went or was filled."""
        self._is_shown = False

    def shown(self) -> Depth:
        """What everybody sees: the market without what was taken, and all resting orders. The same object as long as
        it is the same.
        """
        if not self._is_shown:
            depth = Depth(self._shown_side(Side.BUY), self._shown_side(Side.SELL))
            self._shown = self._shown if depth == self._shown else depth
            self._is_shown = True
        return self._shown

    def _shown_side(self, side: Side) -> Mapping[int, int]:
        """A level that is no whole number of lots is shown as the next one."""
        levels, resting = self.levels(side), self.resting[side]
        if not self._taken[side] and not resting:
            return levels if len(levels) <= LEVELS_MAX else dict(islice(levels.items(), LEVELS_MAX))
        grains = (
            (ticks, self.market_grains(side, ticks) + sum(order.left_grains for order in resting.at(ticks)))
            for ticks in self._prices(side, None)
        )
        return dict(islice(((ticks, -(-level // self._lot)) for ticks, level in grains if level), LEVELS_MAX))

    def _prices(self, side: Side, limit_ticks: int | None) -> Iterator[int]:
        """Each price of the source's and of ours once, best first, down to the limit with it."""
        market = iter(self.levels(side)) if limit_ticks is None else self._within(side, limit_ticks)
        ours = self.resting[side].prices(limit_ticks)
        if not ours:
            return market
        return (ticks for ticks, _ in groupby(heapq.merge(market, ours, reverse=side is Side.BUY)))

    def _within(self, side: Side, limit_ticks: int) -> Iterator[int]:
        if side is Side.BUY:
            return takewhile(lambda ticks: ticks >= limit_ticks, self.levels(side))
        return takewhile(lambda ticks: ticks <= limit_ticks, self.levels(side))
