"""What is known of one pair's book, from two sources, and how old that knowledge is. Pure: times are given.

Age is the time since the last proof that the book is current. A book frame is a proof. So is a best bid and ask from
elsewhere (ticker, REST) that equals ours: that is how a quiet book stays fresh, and an open socket alone never does.
A touch from elsewhere that cannot stand beside ours, again and again, disproves the book.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.market import Book
from btcbot.exchange.wire import BookFullFrame, BookUpdateFrame
from btcbot.market_data.book import DEPTH_SHOWN, KeptBook, Taken

PREFERRED_SECONDS = 3.0  # the kept book is used while it is this fresh, whatever REST says
DISAGREEMENTS_TOLD = 2  # frames of two channels are up to 0.8 s apart: one disagreement may be no more than that
DISAGREEMENTS_MAX = 4
DISAGREEING_SECONDS_MAX = 5.0


Touch = tuple[Decimal | None, Decimal | None]
"""Best bid and best ask, where there are any."""


@dataclass(frozen=True, slots=True)
class KnownBook:
    book: Book
    age: timedelta
    is_gapped: bool


class PairBook:
    def __init__(self, saw_bid: Callable[[Decimal | None], None] = lambda bid: None) -> None:
        """`saw_bid` hears the best bid of every book that is taken."""
        self.kept = KeptBook()
        self._saw_bid = saw_bid
        self._kept_proven_at = 0.0
        self._read: Book | None = None
        self._read_proven_at = 0.0
        self._is_broken = True  # no whole book since a gap, a loss, or the start
        self._disagreements = 0
        self._disagreeing_since = 0.0

    def replace(self, frame: BookFullFrame, at: float) -> Taken:
        return self._taken(self.kept.replace(frame), at)

    def update(self, frame: BookUpdateFrame, at: float) -> Taken:
        return self._taken(self.kept.update(frame), at)

    def break_off(self) -> None:
        """The kept book is no longer kept: the connection went, or the book was disproved."""
        self.kept.invalidate()
        self._is_broken = True
        self._disagreements = 0

    def read(self, book: Book, at: float) -> None:
        """A whole book from REST, true at `at` as far as the exchange's own time says."""
        self._read, self._read_proven_at = book, at
        if not self.kept.is_whole:
            self._is_broken = False
            self._saw_bid(book.bids[0].price if book.bids else None)

    def compare(self, bid: Decimal | None, ask: Decimal | None, at: float) -> bool:
        """Hold the kept book against a best bid and ask from elsewhere; false when it is disproved."""
        if not self.kept.is_whole:
            return True
        ours = self.kept.touch()
        if (bid, ask) == ours:
            self._kept_proven_at = max(self._kept_proven_at, at)
            self._disagreements = 0
            return True
        if _can_stand_beside(ours, (bid, ask)):
            self._disagreements = 0
            return True
        if self._disagreements == 0:
            self._disagreeing_since = at
        self._disagreements += 1
        is_long = at - self._disagreeing_since > DISAGREEING_SECONDS_MAX
        return not (is_long and self._disagreements >= DISAGREEMENTS_MAX)

    def age(self, now: float) -> timedelta | None:
        """Of the freshest source; nothing when there never was a book."""
        proofs = [self._kept_proven_at] if self.kept.is_whole else []
        if self._read is not None:
            proofs.append(self._read_proven_at)
        return timedelta(seconds=max(now - max(proofs), 0.0)) if proofs else None

    def kept_age_seconds(self, now: float) -> float | None:
        return now - self._kept_proven_at if self.kept.is_whole else None

    def known(self, now: float) -> KnownBook | None:
        """The best there is, however old: the gate judges its age."""
        is_kept_fresh = self.kept.is_whole and now - self._kept_proven_at <= PREFERRED_SECONDS
        is_kept_newer = self._read is None or self._kept_proven_at >= self._read_proven_at
        if self.kept.is_whole and (is_kept_fresh or is_kept_newer):
            book, proven_at = self.kept.top(), self._kept_proven_at
        elif self._read is not None:
            book, proven_at = self._read, self._read_proven_at
        else:
            return None
        is_gapped = self._is_broken or self._disagreements >= DISAGREEMENTS_TOLD
        return KnownBook(book, timedelta(seconds=max(now - proven_at, 0.0)), is_gapped)

    def _taken(self, taken: Taken, at: float) -> Taken:
        if taken is Taken.APPLIED:
            self._kept_proven_at = at
            self._is_broken = False
            self._saw_bid(self.kept.touch()[0])
        elif taken is not Taken.IGNORED:
            self.break_off()
        return taken


def top_of(book: Book) -> Book:
    """As much of a book as a decision sees."""
    return Book(book.bids[:DEPTH_SHOWN], book.asks[:DEPTH_SHOWN])


def _can_stand_beside(ours: Touch, theirs: Touch) -> bool:
    """Whether two touches can be of one market a moment apart: neither bid reaches the other's ask."""
    (our_bid, our_ask), (their_bid, their_ask) = ours, theirs
    is_under = our_bid is None or their_ask is None or our_bid < their_ask
    is_over = their_bid is None or our_ask is None or their_bid < our_ask
    return is_under and is_over
