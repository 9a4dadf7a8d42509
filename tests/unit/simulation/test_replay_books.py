"""Recorded books and tapes: shown when they are due, for every pair at once, and not where nobody looked."""

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest

from btcbot.domain.money import Asset, parse
from btcbot.simulation.listings import Listing
from btcbot.simulation.replay import Rerun, UnusableRecord
from btcbot.simulation.replay_books import RecordedBooks, books_of_one_pair
from btcbot.simulation.replay_pair import BookSnapshot, BookUpdate, Gap, Message, TapeTrade

STARTED_MS = 1_795_000_020_000
BTC_TRY = Listing("BTCTRY", 1, Asset("BTC"), Asset("TRY"), 0, 8, parse("99.91"))
SOL_TRY = Listing("SOLTRY", 40, Asset("SOL"), Asset("TRY"), 1, 8, parse("99.91"))
LISTINGS = {"BTCTRY": BTC_TRY, "SOLTRY": SOL_TRY}
AT_ONCE = Rerun(STARTED_MS, parse("1"))


def whole(pair: str, at_ms: int, bid: str = "100", ask: str = "102", number: int = 7) -> BookSnapshot:
    return BookSnapshot(pair, at_ms, number, [(bid, "1.5")], [(ask, "2")])


def trade(pair: str, at_ms: int, number: int, price: str = "101") -> TapeTrade:
    return TapeTrade(pair, at_ms, number, price, "0.25", is_buy=True)


def played(*messages: Message) -> RecordedBooks:
    return RecordedBooks(LISTINGS, messages, AT_ONCE)


END = BookUpdate("BTCTRY", 10_000_000, 99, [], [])


def one_pair() -> list[Message]:
    return [
        BookUpdate("BTCUSDT", 1_000, 5, [("100.10", "9.00000000")], []),
        BookUpdate("BTCUSDT", 2_000, 8, [("100.00", "4.00000000")], []),
        BookSnapshot("BTCUSDT", 3_000, 7, [("100.10", "1.00000000"), ("100.00", "2.0")], [("100.20", "3.00000000")]),
        BookUpdate("BTCUSDT", 4_000, 9, [("100.10", "0.00000000")], [("100.15", "1.5")]),
        TapeTrade("BTCUSDT", 5_000, 77, "100.15", "0.25", is_buy=True),
        BookUpdate("BTCUSDT", 9_000, 10, [], [("100.15", "0")]),
    ]


def test_updates_that_came_before_the_snapshot_are_applied_if_they_are_newer() -> None:
    source = books_of_one_pair("BTCUSDT", one_pair(), AT_ONCE)
    source.advance(STARTED_MS)
    assert dict(source.depth("BTCUSDT").bids) == {1001: 100_000_000, 1000: 400_000_000}
    assert source.listings["BTCUSDT"].price_decimals == 1


def test_recorded_levels_and_trades_come_when_they_are_due() -> None:
    messages = [*one_pair(), BookUpdate("BTCUSDT", 60_000, 11, [], [])]
    snapshot = BookSnapshot("BTCUSDT", 3_000, 7, [("100.10", "1.0"), ("100.01", "2.0")], [("100.20", "3.0")])
    source = books_of_one_pair("BTCUSDT", [snapshot, *messages[3:]], Rerun(STARTED_MS, parse("2")))
    assert list(source.advance(STARTED_MS + 400)) == []
    assert list(source.depth("BTCUSDT").asks) == [10020]
    (print_,) = source.advance(STARTED_MS + 1_000)
    assert (print_.at_ms, print_.number, print_.ticks, print_.is_buy) == (STARTED_MS + 1_000, 77, 10015, True)
    assert list(source.depth("BTCUSDT").asks) == [10015, 10020]
    assert source.bars("BTCUSDT", 0, STARTED_MS * 2)[0].volume == 25_000_000
    source.advance(STARTED_MS + 60_000)
    assert source.is_ended
    assert not source.depth("BTCUSDT").asks


def test_messages_without_a_snapshot_are_no_book() -> None:
    with pytest.raises(UnusableRecord, match="no snapshot"):
        books_of_one_pair("BTCUSDT", one_pair()[:2], AT_ONCE)


def test_the_record_begins_when_every_pair_has_a_whole_book() -> None:
    source = played(
        whole("BTCTRY", 1_000), whole("SOLTRY", 1_200), BookUpdate("SOLTRY", 1_500, 8, [("99.5", "3")], []), END
    )
    source.advance(STARTED_MS + 299)
    assert dict(source.depth("SOLTRY").bids) == {1000: 150_000_000}
    source.advance(STARTED_MS + 300)
    assert dict(source.depth("SOLTRY").bids) == {1000: 150_000_000, 995: 300_000_000}
    assert dict(source.depth("BTCTRY").asks) == {102: 200_000_000}


@pytest.mark.parametrize(
    "messages",
    [[], [whole("BTCTRY", 1_000), trade("BTCTRY", 2_000, 1)], [whole("BTCTRY", 0), whole("SOLTRY", 60_001)]],
)
def test_a_pair_without_a_book_makes_the_record_unusable(messages: list[Message]) -> None:
    with pytest.raises(UnusableRecord, match=r"without a whole book of .*SOLTRY"):
        played(*messages)


def test_a_gap_empties_the_books_until_the_next_whole_one() -> None:
    source = played(
        whole("BTCTRY", 1_000), whole("SOLTRY", 1_000), Gap(None, 2_000),
        BookUpdate("BTCTRY", 3_000, 8, [("99", "1")], []), whole("BTCTRY", 4_000, "98", "99"),
        Gap("BTCTRY", 5_000), END,
    )  # fmt: skip
    for seconds, bids in ((0, {100: 150_000_000}), (1, {}), (2, {}), (3, {98: 150_000_000}), (4, {})):
        source.advance(STARTED_MS + seconds * 1_000)
        assert dict(source.depth("BTCTRY").bids) == bids
    assert not source.depth("SOLTRY").bids
    assert not source.is_ended


def test_what_was_traded_before_the_start_is_history() -> None:
    messages: list[Message] = [
        trade("BTCTRY", 500, 1), whole("BTCTRY", 1_000), whole("SOLTRY", 1_000), trade("SOLTRY", 900, 2),
        trade("SOLTRY", 3_000, 3), END,
    ]  # fmt: skip
    source = played(*messages)
    assert list(source.advance(STARTED_MS + 100)) == []
    assert [print_.at_ms - STARTED_MS for print_ in source.recent("BTCTRY")] == [-500]
    assert [print_.at_ms - STARTED_MS for print_ in source.recent("SOLTRY")] == [-100]
    assert [print_.number for print_ in source.advance(STARTED_MS + 2_000)] == [3]


def test_a_restart_plays_nothing_twice() -> None:
    messages: list[Message] = [
        whole("BTCTRY", 0),
        whole("SOLTRY", 0),
        *(trade("BTCTRY", 1_000 * n, n) for n in range(1, 60)),
        END,
    ]
    first, again = played(*messages), played(*messages)
    first.advance(STARTED_MS)
    assert len(first.advance(STARTED_MS + 30_000)) == 30
    assert list(again.advance(STARTED_MS + 30_000)) == []
    assert again.recent("BTCTRY") == first.recent("BTCTRY")
    assert again.bars("BTCTRY", 0, 2 * STARTED_MS) == first.bars("BTCTRY", 0, 2 * STARTED_MS)
    assert again.advance(STARTED_MS + 31_000) == first.advance(STARTED_MS + 31_000)


def test_less_than_a_lot_is_not_shown() -> None:
    source = played(
        whole("BTCTRY", 0), whole("SOLTRY", 0), BookUpdate("BTCTRY", 1, 8, [("99", "0.000000004")], []), END
    )
    source.advance(STARTED_MS + 1)
    assert dict(source.depth("BTCTRY").bids) == {100: 150_000_000}


def an_hour(pairs: Iterable[str]) -> Iterator[Message]:
    """A change of each book and a trade every second, of levels that come and go."""
    for pair in pairs:
        yield whole(pair, 0)
    for step in range(1, 3_600):
        for pair in pairs:
            price = str(50 + step % 50)
            yield BookUpdate(
                pair, step * 1_000, step, [(price, str(step % 7))], [(str(103 + step % 50), str(step % 5))]
            )
        yield trade("BTCTRY", step * 1_000, step)


def test_an_hour_of_a_record_takes_no_memory() -> None:
    source = RecordedBooks(LISTINGS, an_hour(tuple(LISTINGS)), AT_ONCE)
    source.advance(STARTED_MS)
    for minute in range(1, 6):
        source.advance(STARTED_MS + minute * 60_000)
        source.depth("BTCTRY")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for minute in range(6, 60):
            source.advance(STARTED_MS + minute * 60_000)
            source.depth("BTCTRY")
        assert tracemalloc.get_traced_memory()[0] - before < 200_000
    finally:
        tracemalloc.stop()
