"""Frames handed to the feed as a hostile or an unlucky network would: no socket, moments are given."""

import asyncio
import json
from unittest.mock import patch

import pytest

from btcbot.domain.events import Event
from btcbot.domain.market import Book, Level
from btcbot.exchange.errors import Malformed
from btcbot.exchange.stream import Channel, Stream
from btcbot.market_data.book import LEVELS_MAX
from btcbot.market_data.book_feed import BookFeed
from btcbot.market_data.numbering import GAPS_TO_RELAX
from btcbot.market_data.pair_book import PairBook
from tests.unit.exchange.builders import ManualClock, Remembering, d
from tests.unit.exchange.memory_network import LoopTime, in_background

PAIR, OTHER = "BTCTRY", "ETHTRY"


def level(price: str, amount: str = "1", kind: int | None = None) -> dict[str, object]:
    return {"A": amount, "P": price} | ({} if kind is None else {"CP": kind})


def whole(number: int, bid: str = "99", ask: str = "101", pair: str = PAIR, **more: object) -> bytes:
    return json.dumps([431, {"CS": number, "PS": pair, "AO": [level(ask)], "BO": [level(bid)]} | more]).encode()


def change(number: int, *bids: dict[str, object], asks: tuple[object, ...] = (), pair: str = PAIR) -> bytes:
    return json.dumps([432, {"CS": number, "PS": pair, "AO": asks, "BO": bids}]).encode()


def ticker(bid: str = "99", ask: str = "101", **more: object) -> bytes:
    body = dict.fromkeys(("H", "L", "LA", "O", "V", "AV", "D", "DP"), "1")
    return json.dumps(
        [402, body | {"B": bid, "A": ask, "PS": PAIR, "DS": "TRY", "NS": "BTC", "PId": 1} | more]
    ).encode()


def ack(message: str, *, ok: bool = True) -> bytes:
    return json.dumps([100, {"type": 100, "ok": ok, "message": message}]).encode()


def rest(bid: str = "99", ask: str = "101") -> Book:
    return Book((Level(d(bid), d("1")),), (Level(d(ask), d("1")),))


class Wire:
    """A feed without a socket: what it would send is kept."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.observer = Remembering()
        self.books = {PAIR: PairBook(), OTHER: PairBook()}
        self.feed = BookFeed("ws://exchange.test", self.books, self.clock, LoopTime(), self.observer)
        self.feed.connected()

    def hears(self, *frames: bytes, seconds: float = 0.0) -> None:
        """So many seconds before each of them."""
        for frame in frames:
            self.clock.elapsed += seconds
            self.feed.frame(frame)

    def cannot_read(self, frame: bytes) -> None:
        with pytest.raises(Malformed):
            self.feed.frame(frame)

    @property
    def kept(self) -> list[str]:
        """Bids and asks, as they would be shown; nothing where there is no book."""
        book = self.books[PAIR].kept.top(LEVELS_MAX)
        return [f"{level.quantity} @ {level.price}" for level in (*book.bids, *book.asks)]

    def is_gapped(self, pair: str = PAIR) -> bool:
        known = self.books[pair].known(self.clock.monotonic())
        return known is None or known.is_gapped

    def reasons(self) -> list[object]:
        return [fields["reason"] for fields in self.observer.named(Event.BOOK_GAPPED)]


@pytest.fixture
def wire() -> Wire:
    return Wire()


def test_a_change_before_the_whole_book_is_nothing(wire: Wire) -> None:
    wire.hears(change(8, level("98", kind=1)))
    assert wire.kept == []
    wire.hears(whole(8), change(9, level("98", "2", 1)))
    assert wire.kept == ["1 @ 99", "2 @ 98", "1 @ 101"]


def test_a_whole_book_that_comes_twice_and_late_is_not_taken_for_the_present(wire: Wire) -> None:
    wire.hears(whole(8), change(9, level("99", kind=3), level("98", kind=1)), whole(8))
    assert wire.kept == []
    assert wire.is_gapped()


def test_a_whole_book_that_comes_twice_at_once_changes_nothing(wire: Wire) -> None:
    wire.hears(whole(8), whole(8), change(9, level("98", kind=1)))
    assert wire.kept == ["1 @ 99", "1 @ 98", "1 @ 101"]


def test_what_is_heard_of_a_lost_connection_makes_no_book(wire: Wire) -> None:
    wire.hears(whole(8))
    wire.feed.lost()
    wire.hears(change(9, level("98", kind=1)))
    assert wire.kept == []
    assert wire.is_gapped()


def test_a_book_of_a_pair_or_a_channel_that_nobody_joined_is_nothing(wire: Wire) -> None:
    wire.hears(whole(8, pair="SOLTRY"), whole(8, channel="orderbook"), change(9, pair="SOLTRY"))
    assert wire.kept == []
    wire.hears(whole(8, channel="obdiff"), change(9, level("50", kind=1), pair=OTHER))
    assert wire.kept == ["1 @ 99", "1 @ 101"]


def test_what_comes_of_a_book_that_is_being_left_is_not_kept(wire: Wire) -> None:
    wire.hears(whole(8), change(11), whole(20), ack(f"leave|obdiff:{PAIR}"))
    assert wire.kept == []
    assert wire.is_gapped()
    wire.hears(ticker())
    assert wire.is_gapped()
    wire.hears(whole(3))
    assert not wire.is_gapped()


def test_acknowledgements_in_any_order_and_of_anything_end_in_one_leave_and_one_join(wire: Wire) -> None:
    wire.hears(whole(8), change(11))
    assert wire.feed._to_send == {("obdiff", PAIR): False}
    wire.hears(ack(f"join|obdiff:{PAIR}"), ack("leave|obdiff:SOLTRY"), ack("leave|"), ack(""), ack("|||:::"))
    assert wire.feed._to_send == {("obdiff", PAIR): False}
    wire.hears(ack(f"leave|obdiff:{PAIR}", ok=False), ack(f"leave|obdiff:{PAIR}"))
    assert wire.feed._to_send == {("obdiff", PAIR): True}
    assert wire.reasons() == ["gapped"]


@pytest.mark.parametrize(
    "frame",
    [
        change(9, level("101", kind=1)), change(9, level("98", "0", 1)), change(9, level("98", "-1", 1)),
        change(9, level("98", kind=2)), change(9, asks=(level("99", kind=1),)),
        change(9, *(level(str(price / 10), kind=1) for price in range(100, 200))),
        whole(9, "101", "101"), whole(9, "99", "98"), whole(9, "0", "98"),
    ],
)  # fmt: skip
def test_a_book_that_cannot_be_is_not_kept_and_asked_for_again(wire: Wire, frame: bytes) -> None:
    wire.hears(whole(8))
    seen: list[object] = []
    wire.books[PAIR]._saw_bid = seen.append
    wire.hears(frame)
    assert (wire.kept, seen) == ([], [])
    assert wire.is_gapped()


@pytest.mark.parametrize("written", ['"1e400"', "1e400", '"NaN"', '"-Infinity"', '"1_0"', "null", '"' + "9" * 31 + '"'])
def test_a_number_that_cannot_be_ends_the_book(wire: Wire, written: str) -> None:
    wire.hears(whole(8), whole(8, pair=OTHER))
    wire.cannot_read(change(9, level("98", kind=1)).replace(b'"98"', written.encode()))
    assert wire.is_gapped()
    assert not wire.is_gapped(OTHER)
    assert wire.reasons() == ["a frame of it could not be read"]


@pytest.mark.parametrize("frame", [b"", b"[432,{", change(9)[:-9], b"\xff", b'[432,{"CS":9}]', b"[[[[", b"{}"])
def test_a_frame_that_names_no_pair_may_have_been_of_any(wire: Wire, frame: bytes) -> None:
    wire.hears(whole(8), whole(8, pair=OTHER))
    wire.cannot_read(frame)
    assert wire.is_gapped()
    assert wire.is_gapped(OTHER)


@pytest.mark.parametrize(
    "frame", [ticker(B=None), ticker(H="NaN"), b'[100,{"ok":1}]', b"[422,{}]", change(9, pair="X" * 65)]
)
def test_a_frame_that_is_of_no_book_of_ours_ends_none(wire: Wire, frame: bytes) -> None:
    wire.hears(whole(8), whole(8, pair=OTHER))
    wire.cannot_read(frame)
    assert not wire.is_gapped()
    assert not wire.is_gapped(OTHER)


def test_padded_zeros_make_no_second_level(wire: Wire) -> None:
    wire.hears(whole(8), change(9, level("99.0000", "2", 0), level("99.00", kind=3), level("99.000", "3.00", 1)))
    assert wire.kept == ["3.00 @ 99.000", "1 @ 101"]


def test_numbers_that_go_back_for_good_are_another_book(wire: Wire) -> None:
    wire.hears(whole(800))
    wire.hears(*(change(number, level("98", str(number), 1)) for number in range(1, 9)), seconds=0.8)
    assert wire.kept == ["1 @ 99", "1 @ 101"]
    wire.hears(change(9), seconds=0.8)
    assert wire.kept == []
    assert wire.books[PAIR].numbering.is_strict


def gapping(wire: Wire, agreeing: Book | None) -> None:
    """Gaps enough to relax the rule, and after each a whole book at which REST looks."""
    for _ in range(GAPS_TO_RELAX):
        wire.hears(change(99), ack(f"leave|obdiff:{PAIR}"), whole(8), seconds=1)
        if agreeing is not None:
            wire.feed.check(PAIR, agreeing, wire.clock.monotonic())


def test_gaps_alone_relax_nothing(wire: Wire) -> None:
    wire.hears(whole(8))
    gapping(wire, agreeing=None)
    assert wire.books[PAIR].numbering.is_strict
    wire.feed.check(PAIR, rest("120", "121"), wire.clock.monotonic())
    wire.feed.check(PAIR, rest("99.5", "100.5"), wire.clock.monotonic())
    wire.feed.check(PAIR, rest(), wire.clock.monotonic() - 30)  # of before the gaps
    assert wire.books[PAIR].numbering.is_strict
    wire.hears(ticker())
    assert wire.books[PAIR].numbering.is_strict


def test_gaps_and_an_agreeing_rest_relax_the_rule_until_the_ticker_contradicts(wire: Wire) -> None:
    wire.hears(whole(8))
    gapping(wire, agreeing=rest())
    assert not wire.books[PAIR].numbering.is_strict
    wire.hears(change(20, level("98", kind=1)))
    assert wire.kept == ["1 @ 99", "1 @ 98", "1 @ 101"]
    wire.hears(*[ticker("90", "91")] * 6, seconds=1.1)
    assert wire.books[PAIR].numbering.is_strict
    assert wire.reasons()[-1] == "the ticker contradicts it"
    assert [fields["reason"] for fields in wire.observer.named(Event.BOOK_NUMBERS_RESTORED)] == [
        "the ticker contradicts the book"
    ]


def test_a_number_from_far_ahead_cannot_freeze_a_book_whose_numbers_only_have_to_rise(wire: Wire) -> None:
    wire.hears(whole(8))
    gapping(wire, agreeing=rest())
    wire.hears(change(2**62))
    wire.hears(*(change(number, level("99", kind=3)) for number in range(20, 30)), seconds=0.8)
    assert wire.kept == []


def test_pings_and_what_is_no_news_of_the_book_keep_nothing_fresh(wire: Wire) -> None:
    wire.hears(whole(8))
    noise = (ack("join|x:y"), b'[991,{"current":"6","min":"2"}]', change(8), ticker("98", "100"), whole(9, pair=OTHER))
    wire.hears(*noise * 4, seconds=1)
    known = wire.books[PAIR].known(wire.clock.monotonic())
    assert known is not None
    assert known.age.total_seconds() == 20


@pytest.mark.looptime
async def test_what_is_asked_for_is_sent_once_and_a_new_connection_forgets_it() -> None:
    wire, sent = Wire(), list[tuple[Channel, bool]]()

    async def join(stream: Stream, channel: Channel, *, join: bool = True) -> None:
        sent.append((channel, join))

    with patch.object(Stream, "join", join):
        wire.hears(whole(8), change(11))
        wire.feed.connected()
        async with in_background(wire.feed._repair()):
            await asyncio.sleep(0.1)
            assert sent == []
            wire.hears(whole(8), change(11), change(12), change(13))
            await asyncio.sleep(0.1)
            wire.hears(ack(f"leave|obdiff:{PAIR}"))
            await asyncio.sleep(0.1)
    assert sent == [(("obdiff", PAIR), False), (("obdiff", PAIR), True)]
