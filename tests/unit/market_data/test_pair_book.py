"""Freshness by what arrives: seconds are given, never read."""

import math
import random
from collections import deque
from datetime import timedelta
from decimal import Decimal

import pytest

from btcbot.domain.market import Book, Level
from btcbot.exchange.wire import NEW, REMOVED, BookUpdateFrame
from btcbot.market_data.book import DEPTH_SHOWN
from btcbot.market_data.cross_check import Verdict
from btcbot.market_data.pair_book import KnownBook, PairBook
from tests.unit.exchange.builders import d
from tests.unit.market_data.test_book import full, update

TOUCH = (d("99"), d("101"))
DISPROVED = Verdict.DISPROVED


def kept_at(moment: float) -> PairBook:
    book = PairBook()
    book.replace(full(1, {"99": "1"}, {"101": "1"}), moment)
    return book


def rest(bid: str = "98", ask: str = "102") -> Book:
    return Book((Level(d(bid), d("1")),), (Level(d(ask), d("1")),))


def age(book: PairBook, now: float) -> float:
    known = book.known(now)
    assert known is not None
    return known.age.total_seconds()


def test_without_any_book_nothing_is_known() -> None:
    assert PairBook().known(0.0) is None
    assert PairBook().age(0.0) is None


def test_an_open_socket_proves_nothing_and_a_frame_does() -> None:
    book = kept_at(100)
    assert age(book, 112) == 12
    book.update(update(2), 111)
    assert age(book, 112) == 1


def test_a_touch_that_is_the_same_elsewhere_proves_a_quiet_book() -> None:
    book = kept_at(100)
    assert book.compare(*TOUCH, 130)
    assert age(book, 131) == 1
    assert book.age(131) == timedelta(seconds=1)


def test_an_older_proof_makes_nothing_older() -> None:
    book = kept_at(100)
    book.compare(*TOUCH, 90)
    assert age(book, 101) == 1


def test_a_touch_that_is_merely_possible_proves_nothing() -> None:
    book = kept_at(100)
    assert book.compare(d("98"), d("100"), 130)
    assert age(book, 131) == 31
    known = book.known(131)
    assert known is not None
    assert not known.is_gapped


def test_a_disagreement_is_told_when_it_repeats_and_disproves_when_it_lasts() -> None:
    book = kept_at(100)
    verdicts = [book.compare(d("120"), d("121"), 100 + second) for second in range(8)]
    assert verdicts == [True] * 6 + [False] * 2
    known = book.known(101)
    assert known is not None
    assert known.is_gapped


def test_one_disagreement_of_two_channels_is_no_news() -> None:
    book = kept_at(100)
    book.compare(d("120"), d("121"), 100)
    known = book.known(100)
    assert known is not None
    assert not known.is_gapped
    for second in range(20):
        assert book.compare(d("120"), d("121"), 100 + second)
        assert book.compare(*TOUCH, 100.5 + second)


def test_the_kept_book_is_preferred_while_it_is_fresh() -> None:
    book = kept_at(100)
    book.read(rest(), 101, 101)
    known = book.known(102)
    assert known is not None
    assert known.book.bids[0].price == 99


def test_rest_serves_when_the_feed_is_silent() -> None:
    book = kept_at(100)
    book.read(rest(), 110, 110)
    known = book.known(111)
    assert known is not None
    assert (known.book.bids[0].price, known.age.total_seconds(), known.is_gapped) == (98, 1, False)


def test_an_older_answer_of_rest_does_not_replace_a_newer_frame() -> None:
    book = kept_at(100)
    book.read(rest(), 90, 90)
    assert age(book, 110) == 10


def test_after_a_gap_the_pair_is_gapped_until_a_whole_book_comes_from_somewhere() -> None:
    book = kept_at(100)
    book.read(rest(), 100, 100)
    book.update(update(3), 101)
    known = book.known(101)
    assert known is not None
    assert known.is_gapped
    assert not book.kept.is_whole
    book.read(rest(), 102, 102)
    known = book.known(102)
    assert known is not None
    assert not known.is_gapped
    book.break_off()
    book.replace(full(9, {"99": "1"}, {"101": "1"}), 103)
    known = book.known(103)
    assert known is not None
    assert not known.is_gapped


def test_one_more_answer_of_rest_does_not_heal_a_book_that_is_disproved_while_kept() -> None:
    book = kept_at(100)
    for second in range(3):
        book.compare(d("120"), d("121"), 100 + second)
    book.read(rest("120", "121"), 103, 103)
    known = book.known(103.5)
    assert known is not None
    assert known.is_gapped


def test_a_fast_market_contradicts_the_batch_before_and_proves_nothing_against_the_book() -> None:
    book = kept_at(100)
    for number in range(2, 40):
        moment = 100 + number
        assert book.compare(d(str(100 * number + 1)), d(str(100 * number + 2)), moment)
        known = book.known(moment)
        assert known is not None
        assert not known.is_gapped
        book.replace(full(number, {str(100 * number + 1): "1"}, {str(100 * number + 2): "1"}), moment + 0.1)


def test_a_best_bid_that_never_goes_is_doubted_while_the_asks_move() -> None:
    book = kept_at(100)
    verdicts = []
    for number in range(2, 10):
        book.update(update(number, ("ask", 1, str(200 - number), "1")), 100 + number)
        verdicts.append(book.compare(d("90"), d("98"), 100 + number))
    assert False in verdicts


class FrozenFeed:
    """A feed that was cut off from the market and repeats itself; REST is asked as often as the book wants it."""

    def __init__(self) -> None:
        self.book = kept_at(0)
        self.now = 0.0
        self._asked_at = 0.0
        self.verdicts: list[Verdict] = []

    def passes(self, seconds: float, theirs: Book, tickers: tuple[str, str] = ("99", "101")) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self.book.compare(d(tickers[0]), d(tickers[1]), self.now)
            age = self.book.kept_age_seconds(self.now)
            if age is None or age > 3 or self.now - self._asked_at > self.book.check_every_seconds(self.now):
                self._asked_at = self.now
                self.verdicts.append(self.book.read(theirs, self.now, self.now))
                if self.verdicts[-1] is DISPROVED:
                    self.book.break_off()
                    self.book.replace(full(1, {"99": "1"}, {"101": "1"}), self.now)  # the same again

    def known(self) -> tuple[Decimal, float, bool]:
        known = self.book.known(self.now)
        assert known is not None
        return known.book.bids[0].price, known.age.total_seconds(), known.is_gapped


def test_a_feed_that_repeats_itself_is_found_out_by_rest_and_rest_serves_alone() -> None:
    feed = FrozenFeed()
    moved = rest("120", "121")
    feed.passes(13, moved)
    assert feed.known()[2], "told within the age that a book may have, and two looks"
    feed.passes(7, moved)
    assert DISPROVED in feed.verdicts
    for _ in range(60):
        feed.passes(1, moved)
        price, age, is_gapped = feed.known()
        assert (price, is_gapped) == (120, False)
        assert age <= 1.5
    feed.passes(4, rest("99", "101"))  # the market came back to it: they agree
    assert feed.known() == (99, 0, False)
    assert feed.book.kept_age_seconds(feed.now) == 0


def test_a_level_behind_the_touch_that_rest_shows_otherwise_stays_found_out() -> None:
    """One look that agrees by and large is not enough to trust the feed again."""
    feed = FrozenFeed()
    feed.book.replace(full(2, {"99": "1", "98": "1"}, {"101": "1", "102": "1"}), 0)
    theirs = Book((Level(d("99"), d("1")), Level(d("98"), d("7"))), rest("99", "101").asks)
    feed.passes(60, theirs)
    assert DISPROVED in feed.verdicts
    assert feed.book.known(feed.now) == KnownBook(theirs, timedelta(), is_gapped=False, still_for=timedelta())


def test_the_bid_of_a_book_that_is_not_trusted_wakes_nobody_and_the_one_of_rest_does() -> None:
    seen: list[Decimal | None] = []
    book = PairBook(seen.append)
    book.replace(full(1, {"99": "1"}, {"101": "1"}), 0)
    while book.read(rest("120", "121"), 1, 1) is not DISPROVED:
        pass
    book.break_off()
    seen.clear()
    book.replace(full(1, {"99": "1"}, {"101": "1"}), 2)
    book.update(update(2), 2)
    assert seen == []
    book.read(rest("118", "119"), 3, 3)
    assert seen == [118]


def test_a_ticker_that_stands_still_is_overruled_by_rest() -> None:
    """Two against one: trading stops now and then, and the book is not made anew for hours."""
    feed = FrozenFeed()
    feed.book.replace(full(2, {"119": "1"}, {"121": "1"}), 0)
    truth = rest("119", "121")
    usable = 0
    for _ in range(120):
        feed.passes(0.5, truth)
        assert feed.book.compare(d("99"), d("101"), feed.now)
        usable += not feed.known()[2]
    assert DISPROVED not in feed.verdicts
    assert usable > 20


def test_an_answer_of_before_the_last_frame_disproves_nothing() -> None:
    book = kept_at(100)
    for second in range(20):
        book.update(update(2 + second), 100 + second)
        assert book.read(rest("120", "121"), 97 + second, 100 + second) is Verdict.UNSETTLED
    known = book.known(120)
    assert known is not None
    assert not known.is_gapped


def test_an_old_answer_counts_where_the_book_is_older_still() -> None:
    book = kept_at(100)
    verdicts = [book.read(rest("120", "121"), moment, moment + 9) for moment in (101, 103, 105, 107)]
    assert verdicts[-1] is DISPROVED


class Market:
    """A busy book of twenty levels a side; the feed tells it in batches, and REST as it is."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.middle = 10_000
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for _ in range(200):
            self.moves()

    def moves(self) -> None:
        chance = self.chance
        self.middle += chance.choice((-2, -1, 0, 0, 0, 0, 1, 2))
        for side, step in zip(self.sides, (-1, 1), strict=True):
            for price in [price for price in side if (price - self.middle) * step <= 0]:
                del side[price]
            while len(side) < 25:
                side[self.middle + step * chance.randint(1, 120)] = chance.randint(1, 99)
            if chance.random() < 0.5:
                side[chance.choice(list(side))] = chance.randint(1, 99)
            if chance.random() < 0.3:
                del side[chance.choice(list(side))]

    def shown(self) -> Book:
        bids, asks = self.sides
        return Book(
            tuple(Level(Decimal(price), Decimal(bids[price])) for price in sorted(bids, reverse=True)),
            tuple(Level(Decimal(price), Decimal(asks[price])) for price in sorted(asks)),
        )


def difference(number: int, before: Book, after: Book) -> BookUpdateFrame:
    changes: list[tuple[str, int, str, str]] = []
    for name, old, new in (("bid", before.bids, after.bids), ("ask", before.asks, after.asks)):
        was, now = ({level.price: level.quantity for level in side} for side in (old, new))
        changes += [(name, REMOVED, str(price), "1") for price in was if price not in now]
        changes += [(name, NEW, str(price), str(now[price])) for price in now if was.get(price) != now[price]]
    return update(number, *changes)


def raced(seed: int, seconds: int, lost_from: float = math.inf) -> tuple[list[float], float, bool]:
    """When REST disproved the book, the share of moments at which it was called gapped, and whether it is true.

    True as far as a decision sees it. Ten moves a second, batches of 0.8 s, answers of REST that are 0.2 s old. From
    `lost_from` on the numbers only have to rise, and one batch of it is lost.
    """
    market, book = Market(seed), PairBook()
    told = market.shown()
    book.replace(
        full(1, *({str(level.price): str(level.quantity) for level in side} for side in (told.bids, told.asks))), 0
    )
    number, asked_at, gapped, disproved = 1, 0.0, 0, list[float]()
    recent = deque([told] * 3, maxlen=3)
    for tick in range(1, seconds * 10):
        now = tick / 10
        market.moves()
        recent.append(market.shown())
        if tick % 8 == 0:
            number += 1
            is_lost = lost_from <= now < lost_from + 0.8
            book.numbering.is_strict = now < lost_from
            if not is_lost:
                book.update(difference(number, told, recent[-1]), now)
            told = recent[-1]
            book.compare(told.bids[0].price, told.asks[0].price, now)
        if now - asked_at > book.check_every_seconds(now):
            asked_at = now
            if book.read(recent[0], now - 0.2, now) is DISPROVED:
                disproved.append(now)
        known = book.known(now)
        assert known is not None
        gapped += known.is_gapped
        if not book.kept.is_whole:  # what was lost made it cross
            return [now], 0.0, False
    return disproved, gapped / (seconds * 10), book.kept.top() == Book(told.bids[:DEPTH_SHOWN], told.asks[:DEPTH_SHOWN])


@pytest.mark.parametrize("seed", range(2))
def test_a_market_that_is_faster_than_rest_can_follow_is_not_disproved(seed: int) -> None:
    disproved, gapped, is_true = raced(seed, seconds=300)
    assert disproved == []
    assert gapped < 0.01
    assert is_true


@pytest.mark.parametrize("seed", range(4))
def test_a_batch_that_was_lost_unnoticed_is_found_in_a_fast_market_too(seed: int) -> None:
    disproved, _, is_true = raced(seed, seconds=120, lost_from=40)
    assert is_true or 40 < disproved[0] < 60, "what was lost has been overwritten since, or was found"


def test_a_book_that_shows_no_change_says_for_how_long() -> None:
    book = PairBook()
    first = rest("99", "101")
    book.read(first, 100, 100)
    assert still_for(book, 100) == 0
    book.read(rest("99", "101"), 160, 160)
    assert still_for(book, 160) == 60
    book.read(rest("99", "102"), 170, 170)
    assert still_for(book, 170) == 0
    assert still_for(book, 175) == 5


def still_for(book: PairBook, now: float) -> float:
    known = book.known(now)
    assert known is not None
    return known.still_for.total_seconds()
