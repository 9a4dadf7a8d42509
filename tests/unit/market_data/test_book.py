"""A book kept by differences: scenarios, then a property against a book that is simply replaced."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btcbot.domain.market import Book, Level
from btcbot.exchange.frame_text import read_frame
from btcbot.exchange.wire import CHANGED, NEW, REMOVED, BookFullFrame, BookUpdateFrame, LevelChange, LevelItem
from btcbot.market_data.book import DEPTH_SHOWN, LEVELS_MAX, KeptBook, Taken
from tests.unit.exchange.builders import d, sample_bytes


def full(number: int, bids: dict[str, str], asks: dict[str, str]) -> BookFullFrame:
    def items(side: dict[str, str]) -> tuple[LevelItem, ...]:
        return tuple(LevelItem(price=d(price), amount=d(amount)) for price, amount in side.items())

    return BookFullFrame(change_set=number, pair="BTCTRY", bids=items(bids), asks=items(asks))


def update(number: int, *changes: tuple[str, int, str, str]) -> BookUpdateFrame:
    def side(name: str) -> tuple[LevelChange, ...]:
        return tuple(
            LevelChange(kind=kind, price=d(price), amount=d(amount))
            for which, kind, price, amount in changes
            if which == name
        )

    return BookUpdateFrame(change_set=number, pair="BTCTRY", bids=side("bid"), asks=side("ask"))


def kept() -> KeptBook:
    book = KeptBook()
    assert book.replace(full(10, {"99": "1", "98": "2"}, {"101": "3", "102": "4"})) is Taken.APPLIED
    return book


def shown(book: KeptBook) -> tuple[list[str], list[str]]:
    top = book.top()
    return [f"{level.quantity} @ {level.price}" for level in top.bids], [
        f"{level.quantity} @ {level.price}" for level in top.asks
    ]


def test_updates_before_a_full_book_are_ignored() -> None:
    book = KeptBook()
    assert book.update(update(11, ("bid", NEW, "99", "1"))) is Taken.IGNORED
    assert not book.is_whole


def test_an_amount_is_the_whole_amount_and_a_removal_has_none() -> None:
    book = kept()
    changes = (("bid", CHANGED, "99", "5"), ("bid", NEW, "97", "7"), ("ask", REMOVED, "101", "3"))
    assert book.update(update(11, *changes)) is Taken.APPLIED
    assert shown(book) == (["5 @ 99", "2 @ 98", "7 @ 97"], ["4 @ 102"])


def test_prices_are_the_same_whatever_their_zeros() -> None:
    book = kept()
    assert book.update(update(11, ("bid", CHANGED, "99.00", "5"))) is Taken.APPLIED
    assert book.update(update(12, ("bid", REMOVED, "98.0", "0"))) is Taken.APPLIED
    assert book.touch() == (d("99"), d("101"))
    assert [level.quantity for level in book.top().bids] == [5]


def test_changes_of_prices_that_are_not_there_are_taken_as_they_come() -> None:
    book = kept()
    assert book.update(update(11, ("bid", CHANGED, "90", "1"), ("ask", REMOVED, "500", "1"))) is Taken.APPLIED
    assert len(book.top().bids) == 3


@pytest.mark.parametrize("number", [10, 9, 1])
def test_an_older_update_is_ignored(number: int) -> None:
    book = kept()
    assert book.update(update(number, ("bid", CHANGED, "99", "5"))) is Taken.IGNORED
    assert book.is_whole
    assert shown(book)[0] == ["1 @ 99", "2 @ 98"]


def test_a_gap_ends_the_book_until_it_is_whole_again() -> None:
    book = kept()
    assert book.update(update(12, ("bid", CHANGED, "99", "5"))) is Taken.GAPPED
    assert not book.is_whole
    assert shown(book) == ([], [])
    assert book.update(update(13, ("bid", CHANGED, "99", "5"))) is Taken.IGNORED
    assert book.replace(full(3, {"99": "1"}, {"101": "1"})) is Taken.APPLIED
    assert book.update(update(4)) is Taken.APPLIED


@pytest.mark.parametrize(
    "change",
    [
        ("bid", NEW, "101", "1"), ("bid", NEW, "150", "1"), ("ask", NEW, "99", "1"), ("ask", NEW, "1", "1"),
        ("bid", NEW, "97", "0"), ("bid", NEW, "97", "-1"), ("bid", NEW, "-97", "1"), ("bid", 2, "97", "1"),
        ("ask", 7, "120", "1"),
    ],
)  # fmt: skip
def test_a_book_that_cannot_be_is_not_kept(change: tuple[str, int, str, str]) -> None:
    book = kept()
    assert book.update(update(11, change)) is Taken.IMPOSSIBLE
    assert not book.is_whole


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ({"101": "1"}, {"101": "1"}),
        ({"102": "1"}, {"101": "1"}),
        ({"99": "0"}, {"101": "1"}),
        ({str(price): "1" for price in range(1, 102)}, {"500": "1"}),
    ],
)
def test_a_full_book_that_cannot_be_is_not_kept(bids: dict[str, str], asks: dict[str, str]) -> None:
    book = KeptBook()
    assert book.replace(full(1, bids, asks)) is Taken.IMPOSSIBLE
    assert not book.is_whole


def test_an_empty_side_is_told_and_not_judged() -> None:
    book = KeptBook()
    assert book.replace(full(1, {}, {"101": "1"})) is Taken.APPLIED
    assert book.touch() == (None, d("101"))
    assert book.top().mid is None


def test_no_more_than_the_best_levels_are_shown() -> None:
    book = KeptBook()
    book.replace(full(1, {str(price): "1" for price in range(1, 101)}, {"500": "1"}))
    assert [level.price for level in book.top().bids] == list(range(100, 100 - DEPTH_SHOWN, -1))


def test_recorded_frames_are_taken() -> None:
    frame = read_frame(sample_bytes("ws/431.obdiff_snapshot.json"))
    book = KeptBook()
    assert isinstance(frame, BookFullFrame)
    assert book.replace(frame) is Taken.APPLIED
    assert book.touch() == (d("86689"), d("86699"))


def test_the_gaps_of_a_recorded_trace_are_noticed() -> None:
    trace = json.loads(sample_bytes("ws/432.trace.2022_with_gaps.json"))
    frames = [frame for text in trace if isinstance(frame := read_frame(json.dumps(text).encode()), BookUpdateFrame)]
    book = KeptBook()
    book.replace(full(frames[0].change_set - 1, {"50": "1"}, {"103": "1"}))
    assert [book.update(frame) for frame in frames] == [Taken.APPLIED, Taken.GAPPED, Taken.IGNORED]


amounts = st.integers(min_value=1, max_value=9)
sides = st.dictionaries(st.integers(min_value=1, max_value=60), amounts, max_size=40)


@given(st.lists(st.tuples(sides, sides), min_size=1, max_size=12))
def test_differences_rebuild_every_book_exactly(books: list[tuple[dict[int, int], dict[int, int]]]) -> None:
    """Bids lie below 100 and asks above, so that no book crosses."""
    rebuilt = KeptBook()
    before: tuple[dict[int, int], dict[int, int]] = ({}, {})
    rebuilt.replace(full(0, {}, {}))
    for number, (low, high) in enumerate(books, start=1):
        now = (low, {price + 100: amount for price, amount in high.items()})
        changes = [
            change
            for name, old, new in zip(("bid", "ask"), before, now, strict=True)
            for change in _differences(name, old, new)
        ]
        assert rebuilt.update(update(number, *changes)) is Taken.APPLIED
        assert rebuilt.top(LEVELS_MAX) == Book(
            tuple(Level(Decimal(price), Decimal(now[0][price])) for price in sorted(now[0], reverse=True)),
            tuple(Level(Decimal(price), Decimal(now[1][price])) for price in sorted(now[1])),
        )
        before = now


def _differences(name: str, old: dict[int, int], new: dict[int, int]) -> list[tuple[str, int, str, str]]:
    gone = [(name, REMOVED, str(price), str(amount)) for price, amount in old.items() if price not in new]
    return gone + [
        (name, CHANGED if price in old else NEW, str(price), str(amount))
        for price, amount in new.items()
        if old.get(price) != amount
    ]
