"""What another source says against our best prices, again and again. Pure: times are given.

A best price of ours that their touch reaches cannot be of the same market. In a fast market every batch contradicts the
one before, and a price that moved on was not wrong: only the same price, contradicted again, is a reason to doubt.
"""

from decimal import Decimal

Touch = tuple[Decimal | None, Decimal | None]
"""Best bid and best ask, where there are any."""


class Doubt:
    """Of one source. Each has its own: what one of them says does not take back what the other said."""

    def __init__(self) -> None:
        self.times = 0  # in a row, of the same price
        self._since = 0.0
        self._prices: frozenset[tuple[str, Decimal]] = frozenset()

    def hear(self, ours: Touch, theirs: Touch, at: float) -> None:
        impossible = _impossible_beside(ours, theirs)
        lasting = self._prices & impossible
        if not lasting:
            self.times, self._since = 0, at
        self._prices = lasting or impossible
        self.times += bool(impossible)

    def seconds(self, at: float) -> float:
        """How long the same price has been doubted."""
        return at - self._since if self.times else 0.0

    def clear(self) -> None:
        self.times, self._prices = 0, frozenset()


def _impossible_beside(ours: Touch, theirs: Touch) -> frozenset[tuple[str, Decimal]]:
    """Which of our best prices the other's touch reaches."""
    (our_bid, our_ask), (their_bid, their_ask) = ours, theirs
    impossible = set()
    if our_bid is not None and their_ask is not None and our_bid >= their_ask:
        impossible.add(("bid", our_bid))
    if our_ask is not None and their_bid is not None and our_ask <= their_bid:
        impossible.add(("ask", our_ask))
    return frozenset(impossible)
