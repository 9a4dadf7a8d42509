"""The books as they are shown, over REST and the feed: the floor's own, unless a fault spoils them."""

from collections.abc import Mapping
from itertools import islice

from btcbot.domain.orders.intents import Side
from btcbot.sandbox.faults import FaultName
from btcbot.sandbox.feed_faults import FeedFaults
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.wire import Literal
from btcbot.simulation.books import LEVELS_MAX, Depth, Levels
from btcbot.simulation.listings import Listing


class ShownBooks:
    """One for each host: a book that stands still does so where it was last seen."""

    def __init__(self, floor: Floor, faults: FeedFaults, endpoint: str) -> None:
        self._floor = floor
        self._faults = faults
        self._endpoint = endpoint
        self._last: dict[str, Depth] = {}
        self.still: set[str] = set()  # pairs whose book stood still at its last showing

    def depth(self, pair: str) -> Depth:
        depth = self._floor.depth(pair)
        self.still.discard(pair)
        if self._faults:
            facts = {"endpoint": self._endpoint, "pair": pair}
            if self._faults.strike(FaultName.STALE_BOOK, facts):
                self.still.add(pair)
                depth = self._last.get(pair, depth)
            depth = self._emptied(self._crossed(depth, facts), facts)
        self._last[pair] = depth
        return depth

    def _crossed(self, depth: Depth, facts: dict[str, str]) -> Depth:
        """A bid one step above the best ask."""
        if not depth.asks or not depth.bids or not self._faults.strike(FaultName.CROSSED_BOOK, facts):
            return depth
        best_ask, best_bid = next(iter(depth.asks)), next(iter(depth.bids))
        bids = {best_ask + 1: depth.bids[best_bid]} | dict(list(depth.bids.items())[: LEVELS_MAX - 1])
        return Depth(bids, depth.asks)

    def _emptied(self, depth: Depth, facts: dict[str, str]) -> Depth:
        """Without the side that the fault names, or without both."""
        fault = None
        for side in Side:
            fault = fault or self._faults.strike(FaultName.EMPTY_BOOK, facts | {"side": side})
        if fault is None:
            return depth
        emptied = fault.match.get("side")
        return Depth(depth.bids if emptied == Side.SELL else {}, depth.asks if emptied == Side.BUY else {})


class BookTexts:
    """Books as REST writes them: made once for all who ask before the book changes."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Depth, dict[int, Mapping[str, Literal]]]] = {}  # by pair, then by limit

    def of(self, listing: Listing, depth: Depth, limit: int) -> Mapping[str, Literal]:
        """`bids` and `asks`, so many levels of each."""
        known = self._made.get(listing.pair)
        if known is None or known[0] is not depth:
            known = self._made[listing.pair] = (depth, {})
        if limit not in known[1]:
            known[1][limit] = {
                "bids": _levels(listing, depth.bids, limit),
                "asks": _levels(listing, depth.asks, limit),
            }
        return known[1][limit]


def _levels(listing: Listing, levels: Levels, limit: int) -> Literal:
    texts = (
        f'["{listing.price_text(ticks)}","{listing.quantity_text(lots)}"]'
        for ticks, lots in islice(levels.items(), limit)
    )
    return Literal(f"[{','.join(texts)}]")
