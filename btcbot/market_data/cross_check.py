"""A kept book held against the whole book over REST, again and again. Pure.

The two are never of the same moment: frames come in batches 0.8 s apart, an answer takes a while, and in a busy market
some levels always differ. A level that is wrong because an update was lost or misread differs every time, with the same
amount on our side: that, and not a difference as such, is a contradiction.
"""

from decimal import Decimal
from enum import StrEnum

from btcbot.domain.market import Book, Level
from btcbot.market_data.book import DEPTH_SHOWN

CHECKS_TO_DISPROVE = 4
Difference = tuple[str, Decimal, Decimal | None]
"""Side, price, and our amount there, if any."""


class Verdict(StrEnum):
    AGREES = "agrees"
    UNSETTLED = "unsettled"  # differences that may be a matter of time
    DISPROVED = "disproved"


class CrossCheck:
    def __init__(self) -> None:
        self._suspects: frozenset[Difference] = frozenset()
        self._in_a_row = 0

    @property
    def is_suspicious(self) -> bool:
        """The same difference was seen more than once: another look soon settles it."""
        return self._in_a_row > 1

    def reset(self) -> None:
        """The kept book was made anew."""
        self._suspects, self._in_a_row = frozenset(), 0

    def judge(self, ours: Book, theirs: Book) -> Verdict:
        """Both as deep as they are known, best levels first; the best of each are looked for in the other."""
        compared = _compared("bid", ours.bids, theirs.bids) | _compared("ask", ours.asks, theirs.asks)
        differing = frozenset(difference for difference, is_same in compared.items() if not is_same)
        lasting = self._suspects & differing
        self._in_a_row = self._in_a_row + 1 if lasting else min(len(differing), 1)
        self._suspects = lasting or differing
        if self._in_a_row >= CHECKS_TO_DISPROVE:
            self.reset()
            return Verdict.DISPROVED
        are_mostly_equal = 2 * len(differing) <= len(compared)
        return Verdict.AGREES if are_mostly_equal and not lasting else Verdict.UNSETTLED


def _compared(side: str, ours: tuple[Level, ...], theirs: tuple[Level, ...]) -> dict[Difference, bool]:
    """What we have at each of the best prices of either book, and whether the other book has the same there."""
    our_amounts = {level.price: level.quantity for level in ours}
    their_amounts = {level.price: level.quantity for level in theirs}
    best = {level.price for level in (*ours[:DEPTH_SHOWN], *theirs[:DEPTH_SHOWN])}
    return {(side, price, our_amounts.get(price)): our_amounts.get(price) == their_amounts.get(price) for price in best}
