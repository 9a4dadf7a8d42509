"""The market as one decision sees it: normalised, judged for freshness elsewhere, stored by content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from btcbot.domain.instruments import Instrument
from btcbot.domain.money import plain


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
class MarketView:
    """One instrument at one moment."""

    instrument: Instrument
    book: Book
    book_age: timedelta  # since the last proof that the book is current, on the monotonic clock
    new_candles: tuple[Candle, ...]  # closed since the last snapshot that was decided on, oldest first
    is_gapped: bool  # a sequence gap, a resubscription under way, or a cross-check that failed


@dataclass(frozen=True, slots=True)
class MarketSnapshot:
    """All that one decision reads of the market. A pair without a view had nothing usable."""

    taken_at: datetime
    views: Mapping[str, MarketView]

    def content(self) -> str:
        """Canonical JSON of everything that `decide` reads, numbers as text."""
        return json.dumps(
            {
                "taken_at": self.taken_at.isoformat(),
                "views": {pair: _view_content(view) for pair, view in sorted(self.views.items())},
            },
            separators=(",", ":"),
        )

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
        ],
        "bids": [[plain(level.price), plain(level.quantity)] for level in view.book.bids],
        "asks": [[plain(level.price), plain(level.quantity)] for level in view.book.asks],
        "book_age_us": view.book_age // timedelta(microseconds=1),
        "candles": [
            [c.opened_at.isoformat(), *(plain(number) for number in (c.open, c.high, c.low, c.close, c.volume))]
            for c in view.new_candles
        ],
        "is_gapped": view.is_gapped,
    }  # fmt: skip
