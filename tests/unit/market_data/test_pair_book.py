"""Freshness by what arrives: seconds are given, never read."""

from datetime import timedelta

from btcbot.domain.market import Book, Level
from btcbot.market_data.pair_book import PairBook
from tests.unit.exchange.builders import d
from tests.unit.market_data.test_book import full, update

TOUCH = (d("99"), d("101"))


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
