"""What is known of one pair's book, from two sources, and how old that knowledge is. Pure: times are given.

Age is the time since the last proof that the book is current. A book frame is a proof. So is a best bid and ask from
elsewhere (ticker, REST) that equals ours: that is how a quiet book stays fresh, and an open socket alone never does.
A best price of ours that a touch from elsewhere makes impossible, the same one again and again, disproves the book: in
a fast market every batch contradicts the one before, and a price that moved on was not wrong. So does a level that REST
shows otherwise every time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.market import Book
from btcbot.exchange.wire import BookFullFrame, BookUpdateFrame
from btcbot.market_data.book import DEPTH_SHOWN, LEVELS_MAX, KeptBook, Taken
from btcbot.market_data.cross_check import CrossCheck, Verdict
from btcbot.market_data.numbering import Numbering

PREFERRED_SECONDS = 3.0  # the kept book is used while it is this fresh, whatever REST says
DISAGREEMENTS_TOLD = 2  # frames of two channels are up to 0.8 s apart: one disagreement may be no more than that
DISAGREEMENTS_MAX = 4
DISAGREEING_SECONDS_MAX = 5.0
CROSS_CHECK_SECONDS = 30.0
RELAXED_CHECK_SECONDS = 10.0  # while numbers only have to rise, REST is what shows a lost frame
SETTLING_CHECK_SECONDS = 2.0  # while another look soon would settle something
COMPARABLE_SECONDS_MAX = 2.0  # an older book over REST says nothing about the levels of the kept one


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
        self.numbering = Numbering()
        self._check = CrossCheck()
        self._saw_bid = saw_bid
        self._kept_proven_at = 0.0
        self._read: Book | None = None
        self._read_proven_at = 0.0
        self._is_broken = True  # no whole book since a gap, a loss, or the start
        self._disagreements = 0
        self._disagreeing_since = 0.0
        self._doubted: frozenset[tuple[str, Decimal]] = frozenset()

    def replace(self, frame: BookFullFrame, at: float) -> Taken:
        return self._taken(self.kept.replace(frame), at)

    def update(self, frame: BookUpdateFrame, at: float) -> Taken:
        self.kept.is_strict = self.numbering.is_strict
        jumps = self.kept.jumps
        taken = self.kept.update(frame)
        if taken is Taken.GAPPED:
            self.numbering.gapped(at)
        elif self.kept.jumps > jumps:
            self.numbering.jumped(at)
        return self._taken(taken, at)

    def break_off(self) -> None:
        """The kept book is no longer kept: the connection went, or the book was disproved."""
        self.kept.invalidate()
        self._is_broken = True
        self._disagreements = 0
        self._check.reset()

    def read(self, book: Book, at: float, now: float) -> Verdict:
        """A whole book from REST, true at `at` as far as the exchange's own time says: what it says of the kept one."""
        self._read, self._read_proven_at = Book(book.bids[:DEPTH_SHOWN], book.asks[:DEPTH_SHOWN]), at
        bid = book.bids[0].price if book.bids else None
        ask = book.asks[0].price if book.asks else None
        if not self.kept.is_whole:
            self._is_broken = False
            self._saw_bid(bid)
            return Verdict.UNSETTLED
        if not self.compare(bid, ask, at):
            return Verdict.DISPROVED
        if self._disagreements or now - at > COMPARABLE_SECONDS_MAX:
            return Verdict.UNSETTLED
        return self._check.judge(self.kept.top(LEVELS_MAX), book)

    def check_every_seconds(self, now: float) -> float:
        """How long REST may go unasked while the feed keeps the book fresh."""
        if self._check.is_suspicious or self.numbering.is_gapping(now):
            return SETTLING_CHECK_SECONDS
        return CROSS_CHECK_SECONDS if self.numbering.is_strict else RELAXED_CHECK_SECONDS

    def compare(self, bid: Decimal | None, ask: Decimal | None, at: float) -> bool:
        """Hold the kept book against a best bid and ask from elsewhere; false when it is disproved."""
        if not self.kept.is_whole:
            return True
        ours = self.kept.touch()
        if (bid, ask) == ours:
            self._kept_proven_at = max(self._kept_proven_at, at)
            self._disagreements = 0
            return True
        impossible = _impossible_beside(ours, (bid, ask))
        if not impossible:
            self._disagreements = 0
            return True
        lasting = self._doubted & impossible if self._disagreements else frozenset()
        if not lasting:
            self._disagreeing_since, self._disagreements = at, 0
        self._doubted = lasting or impossible
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


def _impossible_beside(ours: Touch, theirs: Touch) -> frozenset[tuple[str, Decimal]]:
    """Which of our best prices cannot be of the same market a moment apart: those that the other's touch reaches."""
    (our_bid, our_ask), (their_bid, their_ask) = ours, theirs
    impossible = set()
    if our_bid is not None and their_ask is not None and our_bid >= their_ask:
        impossible.add(("bid", our_bid))
    if our_ask is not None and their_bid is not None and our_ask <= their_bid:
        impossible.add(("ask", our_ask))
    return frozenset(impossible)
