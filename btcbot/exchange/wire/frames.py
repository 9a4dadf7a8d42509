"""Frames of the WebSocket feed (protocol, section 10). A frame is `[type, object]`; these are the objects.

They are msgspec structs and not pydantic models: a feed is hundreds of frames a second, and these are read from the
bytes in one step (`exchange.frame_text`). The type is the class; what we send carries it as a field as well.
"""

from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct

from btcbot.exchange.wire.numbers import (
    LEVELS_MAX,
    MILLISECONDS_FIRST,
    MILLISECONDS_LAST,
    ROWS_MAX,
    SECONDS_FIRST,
    SECONDS_LAST,
)

WELCOME: Final = 991
ACK: Final = 100
LOGIN: Final = 114
SUBSCRIBE: Final = 151
TICKER_ALL: Final = 401
TICKER_PAIR: Final = 402
TRADE_LIST: Final = 421
TRADE_SINGLE: Final = 422
USER_TRADE: Final = 423
KLINE: Final = 428
BOOK_FULL: Final = 431
BOOK_UPDATE: Final = 432
ORDER_MATCH: Final = 441
ORDER_INSERT: Final = 451
ORDER_DELETE: Final = 452
ORDER_UPDATE: Final = 453

CHANGED, NEW, REMOVED = 0, 1, 3  # CP of an updated level

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
ShortText = Annotated[str, Meta(min_length=1, max_length=64)]
LongText = Annotated[str, Meta(max_length=1_000)]
TimeMs = Annotated[int, Meta(ge=MILLISECONDS_FIRST, lt=MILLISECONDS_LAST)]
TimeSeconds = Annotated[int, Meta(ge=SECONDS_FIRST, lt=SECONDS_LAST)]


class Frame(Struct, frozen=True, gc=False):
    """Base of every frame and of its parts. None of them can lie on a cycle, so the collector need not look."""


class Channelled(Frame, frozen=True, kw_only=True):
    channel: LongText | None = None
    event: LongText | None = None


# ---------------------------------------------------------------------------------------------- what opens a session


class WelcomeFrame(Frame, frozen=True, kw_only=True):
    current: LongText
    min: LongText


class AckFrame(Frame, frozen=True, kw_only=True):
    """`ok: true` proves nothing; `ok: false` means joined twice."""

    ok: bool
    message: LongText  # join|channel:EVENT


class SubscribeFrame(Frame, frozen=True, kw_only=True):
    type: int = SUBSCRIBE
    channel: str
    event: str
    join: bool


class LoginFrame(Frame, frozen=True, kw_only=True, rename="camel"):
    """Never shown: the signature does not depend on the time, so whoever has it can log in."""

    type: int = LOGIN
    public_key: str
    timestamp: int
    nonce: int
    signature: str

    def __repr__(self) -> str:
        return "LoginFrame(***)"


class LoginReplyFrame(Frame, frozen=True, kw_only=True):
    id: Int64 = 0
    ok: bool
    message: LongText | None = None


# ---------------------------------------------------------------------------------------------------------- tickers

_TICKER_NAMES: Final = {
    "bid": "B", "ask": "A", "bid_amount": "BA", "ask_amount": "AA", "pair": "PS", "high": "H", "low": "L", "last": "LA",
    "open": "O", "volume": "V", "average": "AV", "daily": "D", "daily_percent": "DP", "denominator": "DS",
    "numerator": "NS", "pair_id": "PId", "order": "Ord",
}  # fmt: skip


class _Ticker(Frame, frozen=True, kw_only=True, rename=_TICKER_NAMES):
    bid: Decimal
    ask: Decimal
    bid_amount: Decimal | None = None  # added later
    ask_amount: Decimal | None = None
    pair: ShortText
    high: Decimal
    low: Decimal
    last: Decimal
    open: Decimal
    volume: Decimal  # base
    average: Decimal
    daily: Decimal
    daily_percent: Decimal
    denominator: ShortText
    numerator: ShortText
    pair_id: Int64


class TickerItem(_Ticker, frozen=True, kw_only=True, rename=_TICKER_NAMES):
    order: Int64 | None = None


class TickerAllFrame(Channelled, frozen=True, kw_only=True):
    items: Annotated[tuple[TickerItem, ...], Meta(max_length=ROWS_MAX)]


class TickerFrame(_Ticker, frozen=True, kw_only=True, rename=_TICKER_NAMES):
    channel: LongText | None = None
    event: LongText | None = None


# ----------------------------------------------------------------------------------------------- trades and candles

_TRADE_NAMES: Final = {"date": "D", "id": "I", "amount": "A", "price": "P", "side": "S", "pair": "PS"}
_KLINE_NAMES: Final = {
    "date": "D", "pair": "P", "resolution": "R", "open": "O", "high": "H", "low": "L", "close": "C", "volume": "V",
}  # fmt: skip


class TradeItem(Frame, frozen=True, kw_only=True, rename=_TRADE_NAMES):
    date: TimeMs  # a string on the wire
    id: ShortText  # the `tid` of REST
    amount: Decimal
    price: Decimal
    side: Int64  # open question E3: calibrate, never decide on it


class TradeListFrame(Channelled, frozen=True, kw_only=True):
    symbol: ShortText
    items: Annotated[tuple[TradeItem, ...], Meta(max_length=ROWS_MAX)]


class TradeFrame(TradeItem, frozen=True, kw_only=True, rename=_TRADE_NAMES):
    pair: ShortText
    channel: LongText | None = None
    event: LongText | None = None


class KlineFrame(Channelled, frozen=True, kw_only=True, rename=_KLINE_NAMES):
    date: TimeSeconds
    pair: ShortText
    resolution: Int64 | ShortText
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


# ------------------------------------------------------------------------------------------------------------ books

_BOOK_NAMES: Final = {"change_set": "CS", "pair": "PS", "asks": "AO", "bids": "BO"}


class LevelItem(Frame, frozen=True, kw_only=True, rename={"amount": "A", "price": "P"}):
    amount: Decimal
    price: Decimal


class LevelChange(Frame, frozen=True, kw_only=True, rename={"kind": "CP", "amount": "A", "price": "P"}):
    """One level of an update: `A` is the whole amount at that price, and no amount at all when the level is removed."""

    kind: Int64
    price: Decimal
    amount: Decimal


class BookFullFrame(Channelled, frozen=True, kw_only=True, rename=_BOOK_NAMES):
    change_set: Int64
    pair: ShortText
    asks: Annotated[tuple[LevelItem, ...], Meta(max_length=LEVELS_MAX)]
    bids: Annotated[tuple[LevelItem, ...], Meta(max_length=LEVELS_MAX)]


class BookUpdateFrame(Channelled, frozen=True, kw_only=True, rename=_BOOK_NAMES):
    change_set: Int64
    pair: ShortText
    asks: Annotated[tuple[LevelChange, ...], Meta(max_length=LEVELS_MAX)]
    bids: Annotated[tuple[LevelChange, ...], Meta(max_length=LEVELS_MAX)]


# ------------------------------------------------------------------------------------------------------- our orders


class UserTradeFrame(Frame, frozen=True, kw_only=True, rename="camel"):
    """The only one that does not repeat its type."""

    id: Int64
    order_id: Int64
    timestamp: TimeMs
    numerator_symbol: ShortText
    denominator_symbol: ShortText
    amount: Decimal
    precise_amount: Decimal | None = None
    fee: Decimal
    tax: Decimal
    price: Decimal
    order_type: ShortText
    order_client_id: LongText | None = None


class OrderMatchFrame(Frame, frozen=True, kw_only=True, rename="camel"):
    """One match; `id` is the order's, so matches cannot be told apart."""

    id: Int64
    user: Int64
    is_bid: bool
    method: Int64
    pair: Int64
    symbol: ShortText
    amount: Decimal
    price: Decimal
    client_id: LongText | None = None
    timestamp: TimeMs | None = None


class OrderFrame(Frame, frozen=True, kw_only=True, rename="camel"):
    pair_id: Int64
    symbol: ShortText
    id: Int64
    method: Int64
    user_id: Int64
    order_type: Int64 | None = None  # 0 buy, 1 sell
    price: Decimal
    amount: Decimal
    num_left: Decimal
    denom_left: Decimal
    new_order_client_id: LongText | None = None


class OrderInsertFrame(OrderFrame, frozen=True, kw_only=True, rename="camel"):
    """Taken in."""


class OrderDeleteFrame(OrderFrame, frozen=True, kw_only=True, rename="camel"):
    """`num_left` is a snapshot of when the cancel was queued, and may be stale."""


class OrderUpdateFrame(OrderFrame, frozen=True, kw_only=True, rename="camel"):
    """Documented, and never seen."""
