"""When numbers have to follow one another, and when they only have to rise: a blotter of gaps and of what REST says."""

from btcbot.market_data.numbering import CLEAN_SECONDS, DISTRUST_SECONDS, Numbering


def gapping(*moments: float) -> Numbering:
    numbering = Numbering()
    for moment in moments:
        numbering.gapped(moment)
    return numbering


def test_a_rule_is_not_relaxed_without_gaps() -> None:
    numbering = Numbering()
    assert not numbering.agreed(10)
    assert numbering.is_strict


def test_five_gaps_within_a_minute_and_an_agreeing_book_relax_the_rule() -> None:
    numbering = gapping(100, 101, 102, 103)
    assert not numbering.agreed(104)
    numbering.gapped(105)
    assert numbering.agreed(106)
    assert not numbering.is_strict
    assert not numbering.agreed(107)  # told once


def test_five_gaps_in_two_minutes_are_gaps() -> None:
    numbering = gapping(0, 30, 60, 90, 120)
    assert not numbering.agreed(121)


def test_gaps_of_long_ago_do_not_count_when_rest_agrees() -> None:
    numbering = gapping(0, 1, 2, 3, 4)
    assert not numbering.agreed(61)


def test_a_book_that_rest_contradicts_is_strict_again_and_stays_so_for_long() -> None:
    numbering = gapping(0, 1, 2, 3, 4)
    assert not numbering.contradicted(4)  # it was strict all the time
    assert numbering.agreed(5)
    assert numbering.contradicted(20)
    assert numbering.is_strict
    for moment in range(21, 26):
        numbering.gapped(moment)
    assert not numbering.agreed(26)
    later = 20 + DISTRUST_SECONDS
    for moment in range(5):
        numbering.gapped(later + moment)
    assert numbering.agreed(later + 5)


def test_a_clean_spell_restores_the_rule() -> None:
    numbering = gapping(0, 1, 2, 3, 4)
    numbering.agreed(5)
    numbering.jumped(100)
    assert not numbering.cleared(100 + CLEAN_SECONDS - 1)
    assert numbering.cleared(100 + CLEAN_SECONDS)
    assert numbering.is_strict
    assert not numbering.cleared(100 + 2 * CLEAN_SECONDS)  # told once


def test_more_than_one_gap_in_a_minute_is_worth_a_look() -> None:
    assert not gapping(100).is_gapping(101)
    assert gapping(100, 130).is_gapping(131)
    assert not gapping(100, 130).is_gapping(170)
