"""What is known of one pair's book, from two sources, and how old that knowledge is. Pure: times are given.

Age is the time since the last proof that the book is current. A book frame is a proof. So is a best bid and ask from
elsewhere (ticker, REST) that equals ours: that is how a quiet book stays fresh, and an open socket alone never does.

What disproves the kept book:

1. A ticker that makes the same best price of ours impossible, again and again (`doubt`).
2. A level that REST shows otherwise every time it is asked (`cross_check`). Book and ticker come from one feed, which
   may be cut off from the market and repeat itself: so a ticker takes nothing back that REST has said, and a book that
   REST disproved is not used again, however often the feed sends it anew, before REST agrees with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from btcbot.domain.market import Book
from btcbot.exchange.wire import BookFullFrame, BookUpdateFrame
from btcbot.market_data.book import DEPTH_SHOWN, LEVELS_MAX, KeptBook, Taken
from btcbot.market_data.cross_check import CrossCheck, Verdict
from btcbot.market_data.doubt import Doubt, Touch
from btcbot.market_data.numbering import Numbering

PREFERRED_SECONDS = 3.0  # the kept book is used while it is this fresh, whatever REST says
DOUBTS_TOLD = 2  # two sources are up to 0.8 s apart: one contradiction may be no more than that
DOUBTS_MAX = 4
DOUBTING_SECONDS_MAX = 5.0
CROSS_CHECK_SECONDS = 10.0  # a feed that repeats itself looks fresh: REST is what shows its age (fault matrix, row 81)
RELAXED_CHECK_SECONDS = 5.0  # while numbers only have to rise, REST is what shows a lost frame
AGREEMENTS_TO_TRUST = 2  # in a row: one look cannot see what differs every time
SETTLING_CHECK_SECONDS = 2.0  # while another look soon would settle something
COMPARABLE_SECONDS_MAX = 2.0  # an older book over REST says nothing about levels that changed since


@dataclass(frozen=True, slots=True)
class KnownBook:
    book: Book
    age: timedelta
    is_gapped: bool
    still_for: timedelta  # since it was last seen to differ from the one shown before


class PairBook:
    def __init__(self, saw_bid: Callable[[Decimal | None], None] = lambda bid: None) -> None:
        """`saw_bid` hears the best bid of every book that is taken."""
        self.kept = KeptBook()
        self.numbering = Numbering()
        self._check = CrossCheck()
        self._saw_bid = saw_bid
        self._kept_proven_at = 0.0
        self._changed_at = 0.0  # when the last frame was applied
        self._read: Book | None = None
        self._read_proven_at = 0.0
        self._shown: Book | None = None
        self._shown_since = 0.0
        self._is_broken = True  # no whole book since a gap, a loss, or the start
        self._is_distrusted = False  # REST disproved what the feed says, and has not agreed since
        self._agreements = 0  # of REST with the kept book, in a row
        self._by_ticker, self._by_rest = Doubt(), Doubt()

    @property
    def is_kept(self) -> bool:
        """Whether the feed keeps a book that can be used."""
        return self.kept.is_whole and not self._is_distrusted

    # ------------------------------------------------------------------------------------------ the feed

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

    def compare(self, bid: Decimal | None, ask: Decimal | None, at: float) -> bool:
        """Hold the kept book against the ticker's best bid and ask; false when that disproves it."""
        if not self.kept.is_whole:
            return True
        ours, doubt = self.kept.touch(), self._by_ticker
        if (bid, ask) == ours:
            self._kept_proven_at = max(self._kept_proven_at, at)
        doubt.hear(ours, (bid, ask), at)
        return doubt.times < DOUBTS_MAX or doubt.seconds(at) <= DOUBTING_SECONDS_MAX

    def break_off(self) -> None:
        """The kept book is no longer kept: the connection went, or the book was disproved."""
        self.kept.invalidate()
        if not self._is_distrusted:  # or it was not in use anyway
            self._is_broken = True
        self._by_ticker.clear()
        self._by_rest.clear()
        self._check.reset()
        self._agreements = 0

    # ---------------------------------------------------------------------------------------------- REST

    def read(self, book: Book, at: float, now: float) -> Verdict:
        """A whole book from REST, true at `at` as far as the exchange's own time says: what it says of the kept one."""
        self._read, self._read_proven_at = Book(book.bids[:DEPTH_SHOWN], book.asks[:DEPTH_SHOWN]), at
        touch = _best(book)
        if not self.is_kept:
            self._is_broken = False
            self._saw_bid(touch[0])
        verdict = self._held_against(book, touch, at, now) if self.kept.is_whole else Verdict.UNSETTLED
        self._agreements = self._agreements + 1 if verdict is Verdict.AGREES else 0
        if verdict is Verdict.DISPROVED:
            self._is_distrusted = True
        elif self._agreements >= AGREEMENTS_TO_TRUST:
            self._is_distrusted = False
        return verdict

    def check_every_seconds(self, now: float) -> float:
        """How long REST may go unasked while the feed keeps the book fresh."""
        is_doubted = self._by_rest.times > 0 or self._by_ticker.times >= DOUBTS_TOLD
        if is_doubted or self._check.is_suspicious or self.numbering.is_gapping(now):
            return SETTLING_CHECK_SECONDS
        return CROSS_CHECK_SECONDS if self.numbering.is_strict else RELAXED_CHECK_SECONDS

    def _held_against(self, book: Book, touch: Touch, at: float, now: float) -> Verdict:
        ours = self.kept.touch()
        if touch == ours:
            self._kept_proven_at = max(self._kept_proven_at, at)
            self._by_ticker.clear()
        if now - at > COMPARABLE_SECONDS_MAX and at < self._changed_at:
            return Verdict.UNSETTLED
        self._by_rest.hear(ours, touch, at)
        verdict = self._check.judge(self.kept.top(LEVELS_MAX), book)
        return Verdict.UNSETTLED if verdict is Verdict.AGREES and self._by_rest.times else verdict

    # ------------------------------------------------------------------------------------- what is known

    def age(self, now: float) -> timedelta | None:
        """Of the freshest source; nothing when there never was a book."""
        proofs = [self._kept_proven_at] if self.is_kept else []
        if self._read is not None:
            proofs.append(self._read_proven_at)
        return timedelta(seconds=max(now - max(proofs), 0.0)) if proofs else None

    def kept_age_seconds(self, now: float) -> float | None:
        return now - self._kept_proven_at if self.is_kept else None

    def known(self, now: float) -> KnownBook | None:
        """The best there is, however old and however long the same: the gate judges both."""
        is_kept_fresh = now - self._kept_proven_at <= PREFERRED_SECONDS
        is_kept_newer = self._read is None or self._kept_proven_at >= self._read_proven_at
        if self.is_kept and (is_kept_fresh or is_kept_newer):
            book, proven_at = self.kept.top(), self._kept_proven_at
        elif self._read is not None:
            book, proven_at = self._read, self._read_proven_at
        else:
            return None
        is_doubted = self.is_kept and max(self._by_ticker.times, self._by_rest.times) >= DOUBTS_TOLD
        if book != self._shown:
            self._shown, self._shown_since = book, now
        age, still_for = (timedelta(seconds=max(now - since, 0.0)) for since in (proven_at, self._shown_since))
        return KnownBook(book, age, self._is_broken or is_doubted, still_for)

    def _taken(self, taken: Taken, at: float) -> Taken:
        if taken is Taken.APPLIED:
            self._kept_proven_at = self._changed_at = at
            if not self._is_distrusted:
                self._is_broken = False
                self._saw_bid(self.kept.touch()[0])
        elif taken is not Taken.IGNORED:
            self.break_off()
        return taken


def _best(book: Book) -> Touch:
    return book.bids[0].price if book.bids else None, book.asks[0].price if book.asks else None
