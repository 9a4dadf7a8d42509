"""A kept book against REST: what differs once is time, what differs every time is wrong."""

from btcbot.domain.market import Book, Level
from btcbot.market_data.book import DEPTH_SHOWN
from btcbot.market_data.cross_check import CrossCheck, Verdict
from tests.unit.exchange.builders import d

AGREES, UNSETTLED, DISPROVED = Verdict.AGREES, Verdict.UNSETTLED, Verdict.DISPROVED


def book(bids: str, asks: str) -> Book:
    """`99:1 98:2` is one side, best first."""

    def side(text: str) -> tuple[Level, ...]:
        return tuple(Level(*(d(number) for number in level.split(":"))) for level in text.split())

    return Book(side(bids), side(asks))


OURS = book("99:1 98:2 97:3", "101:1 102:2")


def test_equal_books_agree() -> None:
    check = CrossCheck()
    assert [check.judge(OURS, OURS) for _ in range(9)] == [AGREES] * 9


def test_differences_that_move_on_are_no_contradiction() -> None:
    check = CrossCheck()
    for number in range(2, 12):
        assert check.judge(OURS, book(f"99:{number} 98:2 97:3", "101:1 102:2")) is not DISPROVED
        assert check.judge(OURS, OURS) is AGREES


def test_a_level_of_ours_that_rest_never_shows_disproves_the_book_and_is_looked_at_again_soon() -> None:
    check = CrossCheck()
    theirs = book("99:1 97:3 96:1", "101:1 102:2")
    verdicts = []
    suspicions = []
    for _ in range(4):
        verdicts.append(check.judge(OURS, theirs))
        suspicions.append(check.is_suspicious)
    assert verdicts == [AGREES, UNSETTLED, UNSETTLED, DISPROVED]
    assert suspicions == [False, True, True, False]
    assert check.judge(OURS, OURS) is AGREES


def test_a_level_that_only_rest_shows_disproves_the_book_whatever_its_amount() -> None:
    check = CrossCheck()
    verdicts = [check.judge(OURS, book(f"99:1 98:2 97:3 96:{number}", "101:1 102:2")) for number in range(1, 5)]
    assert verdicts[-1] is DISPROVED


def test_an_amount_of_ours_that_changes_in_between_was_alive() -> None:
    check = CrossCheck()
    for number in range(1, 20):
        ours = book(f"99:{number} 98:2 97:3", "101:1 102:2")
        assert check.judge(ours, book("99:50 98:2 97:3", "101:1 102:2")) is not DISPROVED


def test_books_that_have_little_in_common_do_not_agree() -> None:
    levels = " ".join(f"{price}:1" for price in range(500, 500 - DEPTH_SHOWN, -1))
    others = " ".join(f"{price}.5:1" for price in range(500, 500 - DEPTH_SHOWN, -1))
    assert CrossCheck().judge(book(levels, ""), book(others, "")) is UNSETTLED


def test_what_lies_deeper_than_a_decision_sees_is_not_compared() -> None:
    levels = " ".join(f"{price}:1" for price in range(500, 440, -1))
    check = CrossCheck()
    assert [check.judge(book(levels, "501:1"), book(levels[:-12], "501:1")) for _ in range(9)] == [AGREES] * 9


def test_a_book_made_anew_is_suspected_of_nothing() -> None:
    check = CrossCheck()
    theirs = book("99:1 97:3", "101:1 102:2")
    for _ in range(3):
        check.judge(OURS, theirs)
    check.reset()
    assert check.judge(OURS, theirs) is AGREES
