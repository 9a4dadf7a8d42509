"""What comes off the socket, as the client takes it: read, applied to books, taken for hints, recorded.

Besides the errors, exactness is looked at: an amount that was read is the value of the digits that came, and those are
written as the exchange writes numbers (protocol, section 2). A second, slow reader says so.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import SimpleNamespace

import msgspec

from btcbot.exchange.frame_text import kind_of, pair_of, read_frame
from btcbot.exchange.wire import BOOK_FULL, BOOK_UPDATE, Frame
from btcbot.execution.hints import AccountHints
from btcbot.market_data.book_feed import BookFeed
from btcbot.market_data.pair_book import PairBook
from btcbot.market_data.tape import PublicTape
from btcbot.sandbox.mirror import Mirror
from btcbot.simulation.generator import generated_market
from tests.fuzz.target import Target, samples, typed

PLAIN = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
PAIRS = ("BTCUSDT", "ETHUSDT", "LTCUSDT")
NOW_MS = 1_793_620_800_000
FULL = (
    '[431,{"CS":7,"PS":"BTCUSDT","AO":[{"A":"1","P":"102"}],"BO":[{"A":"1","P":"100"}],"channel":"obdiff",'
    '"event":"BTCUSDT","type":431}]'
)
UPDATE = (
    '[432,{"CS":8,"PS":"BTCUSDT","AO":[{"CP":1,"P":"101","A":"2.5"}],"BO":[{"CP":3,"P":"100","A":"1"}],'
    '"channel":"obdiff","event":"BTCUSDT","type":432}]'
)
ONE_FRAME_EACH = tuple(seed for seed in samples("ws") if not seed.startswith(b"[\n"))


class Aside:
    """A clock that stands, and an observer and a listener that do nothing."""

    def monotonic(self) -> float:
        return 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW_MS / 1000, UTC)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_told, **_more: None


def exactly(data: bytes) -> None:
    frame = read_frame(data)
    if frame is not None:
        # Of two like names the last one counts; a name that nobody asked for need not even be text.
        text = data.decode("utf-8", "replace")
        compare(json.loads(text, parse_float=Number, parse_int=Number, strict=False)[1], frame)


class Number(str):
    """A number in a JSON text, as it was written."""

    __slots__ = ()


def compare(written: object, read: object) -> None:
    if isinstance(read, Frame):
        assert isinstance(written, dict)
        for field in msgspec.structs.fields(read):
            value = getattr(read, field.name)
            if field.encode_name in written and value is not None:
                compare(written[field.encode_name], value)
    elif isinstance(read, tuple):
        assert isinstance(written, list)
        for each, value in zip(written, read, strict=True):
            compare(each, value)
    elif isinstance(read, Decimal):
        assert isinstance(written, str)
        assert read.is_finite()
        if isinstance(written, Number):
            assert Decimal(written) == read, f"{written!r} was read as {read}"
            assert read.adjusted() < 30
        else:
            assert PLAIN.fullmatch(written), f"{written[:50]!r} is no plain number and was read as {read}"
            assert Decimal(written) == read, f"{written!r} was read as {read}"
    elif isinstance(read, bool):
        assert written is read
    elif isinstance(read, int):
        assert isinstance(written, str)
        assert Decimal(written) == read, f"{written!r} was read as {read}"


def outlines(data: bytes) -> None:
    pair_of(data)
    kind_of(data)


def into_books(data: bytes) -> None:
    """Every line is a frame. Whatever comes, a book that is whole is a book: positive, not crossed."""
    books = {pair: PairBook() for pair in PAIRS}
    aside = Aside()
    feed = BookFeed("ws://127.0.0.1:1", books, aside, aside, aside)  # type: ignore[arg-type]
    feed.connected()
    for line in (FULL.encode(), *data.split(b"\n")):
        typed(feed.frame)(line)
        for book in books.values():
            if book.kept.is_whole:
                bid, ask = book.kept.touch()
                assert bid is None or ask is None or bid < ask
                top = book.kept.top()
                assert all(level.price > 0 and level.quantity > 0 for level in (*top.bids, *top.asks))


def into_hints(data: bytes) -> None:
    aside = Aside()
    channel = SimpleNamespace(signer=None)
    hints = AccountHints("ws://127.0.0.1:1", channel, aside, aside, aside)  # type: ignore[arg-type]
    hints.frame(data)


def onto_tape(data: bytes) -> None:
    aside = Aside()
    endpoints = SimpleNamespace(api_url="http://127.0.0.1:1", graph_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:1")
    tape = PublicTape(endpoints, PAIRS, aside, aside, aside, aside)  # type: ignore[arg-type]
    tape.frame(data)


@cache
def mirror() -> Mirror:
    """One for all runs of a process: it opens connections, though it never uses them here."""
    aside = Aside()
    endpoints = SimpleNamespace(api_url="http://127.0.0.1:1", graph_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:1")
    listings = generated_market(("BTCUSDT",), 1).listings
    return Mirror(endpoints, listings, aside, aside, aside)  # type: ignore[arg-type]


def into_mirror(data: bytes) -> None:
    """Every line is a frame, behind a whole book."""
    there = mirror()
    there.lost()
    for line in (FULL.encode(), *data.split(b"\n")):
        typed(there.frame)(line)
    there.advance(NOW_MS)
    there.depth("BTCUSDT")


assert str(BOOK_FULL) in FULL
assert str(BOOK_UPDATE) in UPDATE
TARGETS = (
    Target("frame", typed(exactly), ONE_FRAME_EACH),
    Target("frame-outline", typed(outlines), ONE_FRAME_EACH),
    Target("frame-books", into_books, (UPDATE.encode(), *ONE_FRAME_EACH), cost=3),
    Target("frame-hints", typed(into_hints), ONE_FRAME_EACH, cost=3),
    Target("frame-tape", typed(onto_tape), ONE_FRAME_EACH, cost=3),
    Target("frame-mirror", into_mirror, (UPDATE.encode(), *ONE_FRAME_EACH), cost=3),
)
