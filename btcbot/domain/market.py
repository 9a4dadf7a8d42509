"""The market as one decision sees it: normalised, judged for freshness elsewhere, stored by content."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from btcbot.domain.instruments import Instrument
from btcbot.domain.money import Asset, plain
from btcbot.domain.orders.intents import Side


@dataclass(frozen=True, slots=True)
class Level:
    price: Decimal
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Book:
    """Best levels first on both sides. May be crossed or empty: the gate judges, this only tells."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def mid(self) -> Decimal | None:
        """The middle of best bid and best ask, exact; nothing when a side is empty."""
        if not self.bids or not self.asks:
            return None
        return (self.bids[0].price + self.asks[0].price) / 2


@dataclass(frozen=True, slots=True)
class Candle:
    """One closed candle. `opened_at` is its start, UTC."""

    opened_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Trade:
    """One print of the public tape, never ours. `side` is the taker's, where the exchange says it."""

    trade_id: str
    pair: str
    side: Side | None
    price: Decimal
    quantity: Decimal
    time_exchange: datetime


@dataclass(frozen=True, slots=True)
class Ticker:
    """The exchange's summary of a pair over a day: for people and for comparisons, never to order by."""

    pair: str
    last: Decimal
    bid: Decimal
    ask: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal  # base
    time_exchange: datetime


@dataclass(frozen=True, slots=True)
class MarketView:
    """One instrument at one moment."""

    instrument: Instrument
    book: Book
    book_age: timedelta  # since the last proof that the book is current, on the monotonic clock
    new_candles: tuple[Candle, ...]  # closed since the last snapshot that was decided on, oldest first
    is_gapped: bool  # a sequence gap, a resubscription under way, or a cross-check that failed
    still_for: timedelta = timedelta()  # since the book last changed, on the monotonic clock
    rules_age: timedelta = timedelta()  # since the instrument's rules were read


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """All that one decision reads of the market. A pair without a view had nothing usable."""

    taken_at: datetime
    views: Mapping[str, MarketView]
    _content: list[str] = field(default_factory=list, init=False, repr=False, compare=False)  # once it was asked for

    def content(self) -> str:
        """Canonical JSON of everything that `decide` reads, numbers as text."""
        if not self._content:
            document = {
                "taken_at": self.taken_at.isoformat(),
                "views": {pair: _view_content(view) for pair, view in sorted(self.views.items())},
            }
            self._content.append(json.dumps(document, separators=(",", ":")))
        return self._content[0]

    @property
    def snapshot_id(self) -> str:
        """The content's own name: sha256, so that equal snapshots are stored once."""
        return hashlib.sha256(self.content().encode()).hexdigest()


def _view_content(view: MarketView) -> dict[str, object]:
    instrument = view.instrument
    return {
        "instrument": [
            instrument.pair, instrument.base, instrument.quote, plain(instrument.price_step),
            plain(instrument.lot_step), plain(instrument.price_min), plain(instrument.price_max),
            plain(instrument.notional_min), instrument.is_trading,
            None if instrument.price_tick is None else plain(instrument.price_tick),
        ],
        "bids": [[plain(level.price), plain(level.quantity)] for level in view.book.bids],
        "asks": [[plain(level.price), plain(level.quantity)] for level in view.book.asks],
        "book_age_us": view.book_age // timedelta(microseconds=1),
        "candles": [
            [c.opened_at.isoformat(), *(plain(number) for number in (c.open, c.high, c.low, c.close, c.volume))]
            for c in view.new_candles
        ],
        "is_gapped": view.is_gapped,
        "still_for_us": view.still_for // timedelta(microseconds=1),
        "rules_age_us": view.rules_age // timedelta(microseconds=1),
    }  # fmt: skip


def read_snapshot(content: str) -> MarketSnapshot:
    """The reverse of `MarketSnapshot.content`. Raises `ValueError`, `TypeError` or `LookupError` for another text."""
    document = json.loads(content)
    views = {pair: _read_view(view) for pair, view in document["views"].items()}
    return MarketSnapshot(datetime.fromisoformat(document["taken_at"]), views)


def _read_view(view: Mapping[str, Any]) -> MarketView:
    return MarketView(
        instrument=_read_instrument(*view["instrument"]),
        book=Book(_read_levels(view["bids"]), _read_levels(view["asks"])),
        book_age=timedelta(microseconds=view["book_age_us"]),
        new_candles=tuple(
            Candle(datetime.fromisoformat(opened_at), *map(Decimal, numbers)) for opened_at, *numbers in view["candles"]
        ),
        is_gapped=view["is_gapped"],
        still_for=timedelta(microseconds=view.get("still_for_us", 0)),
        rules_age=timedelta(microseconds=view.get("rules_age_us", 0)),
    )


def _read_levels(levels: Sequence[Sequence[str]]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in levels)


@lru_cache(maxsize=64)
def _read_instrument(
    pair: str, base: str, quote: str, price_step: str, lot_step: str, price_min: str, price_max: str,
    notional_min: str, is_trading: bool, price_tick: str | None = None,
) -> Instrument:  # fmt: skip
    """Cached: a pair's instrument is the same in thousands of snapshots."""
    return Instrument(
        pair, Asset(base), Asset(quote), Decimal(price_step), Decimal(lot_step), Decimal(price_min),
        Decimal(price_max), Decimal(notional_min), is_trading, None if price_tick is None else Decimal(price_tick),
    )  # fmt: skip
