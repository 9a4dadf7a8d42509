"""Frames of the feed between their text and their types: read in one step, amounts exact from their digits.

Two things keep this strict at a few microseconds a frame:

1. msgspec makes the `Decimal`s, and takes whatever Python takes for one: `NaN`, `1_0`, ` 1`, Arabic digits. So a glance
   over the bytes comes first. Every amount is the value of a key: what follows a colon is a plain number, a word, or
   looked at closely. A value that reads as a number and is not written as `wire.numbers` wants it makes the frame
   malformed.
2. One decoder knows all types by the leading number, so that nothing is parsed twice.

A key that comes twice counts as it came last. Whole numbers may be written as text (open question E6).
"""

import json
import re
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final, Union

import msgspec

from btcbot.exchange.errors import Malformed
from btcbot.exchange.json_text import BYTES_MAX
from btcbot.exchange.wire import (
    ACK,
    BOOK_FULL,
    BOOK_UPDATE,
    KLINE,
    LOGIN,
    ORDER_DELETE,
    ORDER_INSERT,
    ORDER_MATCH,
    ORDER_UPDATE,
    TICKER_ALL,
    TICKER_PAIR,
    TRADE_LIST,
    TRADE_SINGLE,
    USER_TRADE,
    WELCOME,
    AckFrame,
    BookFullFrame,
    BookUpdateFrame,
    Frame,
    KlineFrame,
    LoginFrame,
    LoginReplyFrame,
    OrderDeleteFrame,
    OrderInsertFrame,
    OrderMatchFrame,
    OrderUpdateFrame,
    SubscribeFrame,
    TickerAllFrame,
    TickerFrame,
    TradeFrame,
    TradeListFrame,
    UserTradeFrame,
    WelcomeFrame,
    read_decimal,
)

SHAPES: Final = MappingProxyType[int, type[Frame]]({
    BOOK_UPDATE: BookUpdateFrame, TICKER_PAIR: TickerFrame, BOOK_FULL: BookFullFrame, TICKER_ALL: TickerAllFrame,
    TRADE_SINGLE: TradeFrame, TRADE_LIST: TradeListFrame, KLINE: KlineFrame, ACK: AckFrame, WELCOME: WelcomeFrame,
    LOGIN: LoginReplyFrame, USER_TRADE: UserTradeFrame, ORDER_MATCH: OrderMatchFrame, ORDER_INSERT: OrderInsertFrame,
    ORDER_DELETE: OrderDeleteFrame, ORDER_UPDATE: OrderUpdateFrame,
})  # fmt: skip
"""What each type of frame that is sent to us looks like."""


UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidOperation)
"""What the decoder raises: of its own, and what goes through it from below."""


class _AnyFrame(msgspec.Struct, array_like=True):
    kind: int
    body: msgspec.Raw


class _Pair(msgspec.Struct):
    pair: str = msgspec.field(name="PS")


class _AnyPair(msgspec.Struct, array_like=True):
    kind: int
    body: _Pair


def _tagged(kind: int, shape: type[Frame]) -> Any:
    """`[kind, shape]`, as msgspec says it."""
    return msgspec.defstruct(f"Tagged{kind}", [("body", shape)], array_like=True, tag=kind, frozen=True, gc=False)


_FRAME: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    Union[tuple(_tagged(kind, shape) for kind, shape in SHAPES.items())],  # noqa: UP007 - made from a table
    strict=False,
)
_ANY = msgspec.json.Decoder(_AnyFrame)
_ANY_PAIR = msgspec.json.Decoder(_AnyPair)

_LOOKED_AT_CLOSELY = re.compile(
    rb"""
    :(?! "-?[0-9]{1,30}+(?:"|\.[0-9]{1,30}+")     # a plain number as text
       | "(?!(?i:s?nan|inf))[A-Za-z]              # a word, and none that Decimal knows
       | [0-9]{1,19}+[,}]                         # a whole number
       | [\[{tfn] )                               # a list, an object, true, false, null
     (?=\s*+(?: "(?P<text>(?:[^"\\]++|\\.)*+)" | (?P<number>-?[0-9][0-9.eE+-]*+) ))
    """,
    re.VERBOSE | re.DOTALL,
)


def read_frame(text: bytes) -> Frame | None:
    """The frame, or nothing for a type that is not known: those are ignored. Raises `Malformed` for all else."""
    if len(text) > BYTES_MAX:
        raise Malformed(f"a frame of {len(text)} bytes is larger than any frame")
    if _LOOKED_AT_CLOSELY.search(text) is not None:
        for value in _LOOKED_AT_CLOSELY.finditer(text):
            _require_plain(value)
    try:
        frame: Frame = _FRAME.decode(text).body
    except UNREADABLE as error:
        if kind_of(text) not in SHAPES:
            return None
        raise Malformed(f"a frame is not what its type says: {error}") from None
    return frame


def write_frame(frame: SubscribeFrame | LoginFrame) -> str:
    return msgspec.json.encode((frame.type, frame)).decode()


def kind_of(text: bytes) -> int:
    """The type of a frame, whatever it holds. Raises `Malformed` when it is not a list of type and object."""
    try:
        frame = _ANY.decode(text)
    except UNREADABLE as error:
        raise Malformed(f"a frame is not a list of type and object: {error}") from None
    if not bytes(frame.body).startswith(b"{"):
        raise Malformed("a frame is not a list of type and object")
    return frame.kind


def pair_of(text: bytes) -> str | None:
    """Of which pair a frame is that could not be read, if it says so."""
    try:
        return _ANY_PAIR.decode(text).body.pair
    except UNREADABLE:
        return None


def _require_plain(value: re.Match[bytes]) -> None:
    """A value that reads as a number has to be one as the exchange writes them."""
    try:
        written: object = _as_text(value["text"]) if value["number"] is None else Decimal(value["number"].decode())
        if isinstance(written, str):
            Decimal(written)
    except (InvalidOperation, ValueError):
        return  # no number: whatever it is, the decoder judges it
    try:
        read_decimal(written)
    except ValueError as error:
        raise Malformed(f"a number in a frame is {error}") from None


def _as_text(token: bytes) -> str:
    """What stands between two quotation marks."""
    return str(json.loads(b'"' + token + b'"', strict=False))
