"""What goes over the wire, as the exchange spells it: one frozen model per payload (protocol, sections 4, 5 and 10).

Attributes are ours (`left_amount`), aliases are theirs (`leftAmount`). Rules for every model:

1. Numbers are `Decimal`, read from a decimal string or from the digits of a JSON number, never through a float.
   `model_dump(by_alias=True)` gives a decimal string for a `DecimalText` and a `Decimal` for a `DecimalNumber`.
2. Unknown fields are tolerated. A field that is missing, of another kind, or beyond what can be true is an error.
3. Times carry their unit: a value of the wrong magnitude (seconds for milliseconds) is an error.
4. Models say what a payload looks like, not what it means: success is judged in `errors`, meaning in `mappers`.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StrictBool, StrictStr
from pydantic.alias_generators import to_camel

DIGITS_MAX: Final = 30  # on either side of the point: money to 60 digits stays exact
_PLAIN = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_INT64 = 2**63
_SECONDS_FIRST, _SECONDS_LAST = 946_684_800, 4_102_444_800  # the years 2000 and 2100
_LEVELS_MAX = 1_000
_ROWS_MAX = 20_000


def _read_decimal(value: object) -> Decimal:
    """A decimal string with a point, or a JSON number; neither NaN nor anything that money could not hold exactly."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) is None:
            raise ValueError("not a plain decimal number")
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise ValueError("not a number")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and (exponent < -DIGITS_MAX or (value != 0 and value.adjusted() >= DIGITS_MAX)):
        raise ValueError("more digits than money has")
    return value


def _read_balance(value: object) -> Decimal:
    """As above, or with one decimal comma (open question B5); two separators are ambiguous and refused."""
    if isinstance(value, str) and value.count(",") == 1 and "." not in value:
        value = value.replace(",", ".")
    return _read_decimal(value)


def _read_whole(value: object) -> int:
    """A whole number of 64 bits, also when it is written as a string or with a zero fraction."""
    if isinstance(value, str) and _WHOLE.fullmatch(value) is not None:
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and abs(value) < _INT64 and value == int(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_INT64 <= value < _INT64:
        raise ValueError("not a whole number of 64 bits")
    return value


def _read_seconds(value: object) -> int:
    whole = _read_whole(value)
    if not _SECONDS_FIRST <= whole < _SECONDS_LAST:
        raise ValueError("not a time in seconds")
    return whole


def _read_milliseconds(value: object) -> int:
    whole = _read_whole(value)
    if not _SECONDS_FIRST * 1000 <= whole < _SECONDS_LAST * 1000:
        raise ValueError("not a time in milliseconds")
    return whole


def _read_milliseconds_or_zero(value: object) -> int:
    return 0 if _read_whole(value) == 0 else _read_milliseconds(value)


def _write_decimal(number: Decimal) -> str:
    return format(number, "f")


DecimalText = Annotated[Decimal, BeforeValidator(_read_decimal), PlainSerializer(_write_decimal)]
"""A decimal string on the wire (orders, books, balances)."""
BalanceText = Annotated[Decimal, BeforeValidator(_read_balance), PlainSerializer(_write_decimal)]
"""A decimal string, perhaps with a decimal comma."""
DecimalNumber = Annotated[Decimal, BeforeValidator(_read_decimal)]
"""A JSON number on the wire (ticker, candles, preciseAmount)."""
Whole = Annotated[int, BeforeValidator(_read_whole)]
Seconds = Annotated[int, BeforeValidator(_read_seconds)]
Milliseconds = Annotated[int, BeforeValidator(_read_milliseconds)]
MillisecondsOrZero = Annotated[int, BeforeValidator(_read_milliseconds_or_zero)]
Code = StrictStr | Annotated[int, BeforeValidator(_read_whole)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=64)]


class Wire(BaseModel):
    """Base of every payload."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


# ------------------------------------------------------------------------------------------------ envelope (section 2)


class Envelope(Wire):
    """What the API host wraps everything in. `success` alone proves nothing."""

    data: Any = None
    success: StrictBool | None = None
    message: StrictStr | None = None
    code: Code | None = None


class RateLimitBody(Wire):
    """The body of a 429 (section 9)."""

    message: StrictStr
    success: StrictBool = False
    code: Code = 429
    details: StrictStr | None = None
    limit: StrictStr | None = None
    period: StrictStr | None = None
    policy: StrictStr | None = None  # ip or account


# ------------------------------------------------------------------------------------------- public REST (section 4)


class ServerTime(Wire):
    """No envelope."""

    server_time: Milliseconds
    server_time2: StrictStr | None = None


class ServerPing(Wire):
    """No envelope."""

    pong: StrictBool


class PriceFilter(Wire):
    filter_type: StrictStr
    min_price: DecimalText
    max_price: DecimalText
    tick_size: DecimalText  # a hint for people, not enforced
    min_exchange_value: DecimalText
    min_amount: DecimalText | None = None
    max_amount: DecimalText | None = None


class SymbolRow(Wire):
    """One pair of `exchangeinfo`."""

    id: Whole
    name: Name
    name_normalized: Name
    status: Name
    numerator: Name
    denominator: Name
    numerator_scale: Annotated[int, BeforeValidator(_read_whole), Field(ge=0, le=18)]
    denominator_scale: Annotated[int, BeforeValidator(_read_whole), Field(ge=0, le=18)]
    has_fraction: StrictBool
    filters: Annotated[tuple[PriceFilter, ...], Field(min_length=1, max_length=16)]
    order_methods: Annotated[tuple[StrictStr, ...], Field(max_length=32)]
    display_format: StrictStr | None = None
    commission_from_numerator: StrictBool = False
    order: Whole | None = None
    price_rounding: StrictBool = False
    is_new: StrictBool = False
    market_price_warning_threshold_percentage: DecimalNumber | None = None
    maximum_order_amount: DecimalNumber | None = None
    maximum_limit_order_price: DecimalNumber | None = None  # dynamic: about ten times the price
    minimum_limit_order_price: DecimalNumber | None = None


class AddressLengths(Wire):
    min_len: Whole | None = None
    max_len: Whole | None = None


class TagRules(Wire):
    enable: StrictBool
    name: StrictStr | None = None
    min_len: Whole | None = None
    max_len: Whole | None = None


class CurrencyRow(Wire):
    id: Whole
    symbol: Name
    min_withdrawal: DecimalNumber
    min_deposit: DecimalNumber
    precision: Whole
    address: AddressLengths | None = None
    currency_type: StrictStr  # FIAT or CRYPTO
    tag: TagRules | None = None
    color: StrictStr | None = None
    name: StrictStr | None = None
    is_address_renewable: StrictBool | None = None
    get_auto_address_disabled: StrictBool | None = None
    is_partial_withdrawal_enabled: StrictBool | None = None
    is_new: StrictBool | None = None


class CurrencyBlockRow(Wire):
    currency_symbol: Name
    withdrawal_disabled: StrictBool
    deposit_disabled: StrictBool


class ExchangeInfo(Wire):
    time_zone: StrictStr
    server_time: Milliseconds  # up to 30 s old: never set a clock by it
    symbols: Annotated[tuple[SymbolRow, ...], Field(max_length=_ROWS_MAX)]
    currencies: Annotated[tuple[CurrencyRow, ...], Field(max_length=_ROWS_MAX)] = ()
    currency_operation_blocks: Annotated[tuple[CurrencyBlockRow, ...], Field(max_length=_ROWS_MAX)] = ()


class TickerRow(Wire):
    """The reply is always a list, empty for an unknown pair."""

    pair: Name
    pair_normalized: Name
    timestamp: Milliseconds
    last: DecimalNumber
    high: DecimalNumber
    low: DecimalNumber
    bid: DecimalNumber
    ask: DecimalNumber
    open: DecimalNumber
    volume: DecimalNumber
    average: DecimalNumber
    daily: DecimalNumber
    daily_percent: DecimalNumber
    denominator_symbol: Name
    numerator_symbol: Name
    order: Whole | None = None


PriceLevel = tuple[DecimalText, DecimalText]
"""Price, amount."""


class OrderBookData(Wire):
    timestamp: Milliseconds  # sometimes a float literal
    bids: Annotated[tuple[PriceLevel, ...], Field(max_length=_LEVELS_MAX)]  # best first
    asks: Annotated[tuple[PriceLevel, ...], Field(max_length=_LEVELS_MAX)]


class TradeRow(Wire):
    """One print of the public tape, newest first in the reply."""

    pair: Name
    pair_normalized: Name
    numerator: Name
    denominator: Name
    date: Milliseconds
    tid: StrictStr
    price: DecimalText
    amount: DecimalText
    side: StrictStr | None = None


_Column = Annotated[tuple[DecimalNumber, ...], Field(max_length=_ROWS_MAX)]


class Klines(Wire):
    """Parallel columns; the last candle is the running one. No envelope."""

    s: StrictStr  # ok, or no_data
    t: Annotated[tuple[Seconds, ...], Field(max_length=_ROWS_MAX)] = ()
    h: _Column = ()
    o: _Column = ()
    l: _Column = ()  # noqa: E741 - the exchange's name
    c: _Column = ()
    v: _Column = ()


class OhlcRow(Wire):
    """One day, in a bare list."""

    pair: Name
    time: Seconds
    open: DecimalNumber
    high: DecimalNumber
    low: DecimalNumber
    close: DecimalNumber
    volume: DecimalNumber
    total: DecimalNumber
    average: DecimalNumber
    daily_change_amount: DecimalNumber
    daily_change_percentage: DecimalNumber


# ------------------------------------------------------------------------------------------ private REST (section 5)


class BalanceRow(Wire):
    asset: Name
    asset_name: Annotated[StrictStr | None, Field(alias="assetname")] = None
    balance: BalanceText  # free + locked
    locked: BalanceText
    free: BalanceText
    order_fund: BalanceText | None = None
    request_fund: BalanceText | None = None
    precision: Whole | None = None
    timestamp: Milliseconds | None = None


class SubmitRequest(Wire):
    """The body of POST order. Numbers leave as plain decimal strings; what is not used is left out."""

    pair_symbol: Name
    order_type: Name  # buy or sell
    order_method: Name  # limit, market, stoplimit, stopmarket
    quantity: DecimalText  # base; quote for a market buy
    price: DecimalText | None = None
    stop_price: DecimalText | None = None
    new_order_client_id: Name | None = None


class SubmitData(Wire):
    """The exchange took the order in; this never says what was filled."""

    id: Annotated[int, BeforeValidator(_read_whole), Field(gt=0)]
    quantity: DecimalText
    price: DecimalText
    stop_price: DecimalText | None = None
    new_order_client_id: StrictStr | None = None
    type: Name
    method: Name
    pair_symbol: Name
    pair_symbol_normalized: StrictStr | None = None
    datetime: Milliseconds


class OrderRow(Wire):
    """An order of ours, in openOrders, allOrders and order/{id}."""

    id: Annotated[int, BeforeValidator(_read_whole), Field(gt=0)]
    price: DecimalText  # of the first partial trade when there were several: not an average
    amount: DecimalText
    quantity: DecimalText
    stop_price: DecimalText | None = None
    pair_symbol: Annotated[
        Name, Field(validation_alias=AliasChoices("pairSymbol", "pairsymbol"), serialization_alias="pairSymbol")
    ]  # pairsymbol in 2019
    pair_symbol_normalized: StrictStr | None = None
    type: Name
    method: Name
    order_client_id: StrictStr | None = None
    time: MillisecondsOrZero  # always 0 in openOrders
    update_time: MillisecondsOrZero
    status: Name
    left_amount: DecimalText | None = None


class OpenOrdersData(Wire):
    asks: Annotated[tuple[OrderRow, ...], Field(max_length=_ROWS_MAX)]  # own sells
    bids: Annotated[tuple[OrderRow, ...], Field(max_length=_ROWS_MAX)]  # own buys


class UserTradeRow(Wire):
    id: Annotated[int, BeforeValidator(_read_whole), Field(gt=0)]
    order_id: Whole | None = None  # absent in 2019
    timestamp: Milliseconds
    numerator_symbol: Name
    denominator_symbol: Name
    order_type: Name
    price: DecimalText
    amount: DecimalText  # signed, rounded to the scale
    precise_amount: DecimalNumber | None = None  # signed, unrounded
    fee: DecimalText  # negative on buys and sells alike
    tax: DecimalText
    order_client_id: StrictStr | None = None


class TransferRow(Wire):
    """One row of users/transactions/crypto or fiat."""

    balance_type: Name  # deposit or withdrawal
    currency_symbol: Name
    id: Whole
    timestamp: Milliseconds
    amount: DecimalText  # signed
    fee: DecimalText
    tax: DecimalText
    precise_amount: DecimalNumber | None = None
    address: StrictStr | None = None
    tag: StrictStr | None = None
    tx_hash: StrictStr | None = None
    confirmation_count: Whole | None = None
    is_confirmed: StrictBool | None = None


# --------------------------------------------------------------------------------------------- WebSocket (section 10)
# A frame is `[type, object]`; these are the objects.

WELCOME = 991
ACK = 100
LOGIN = 114
SUBSCRIBE = 151
TICKER_ALL = 401
TICKER_PAIR = 402
TRADE_LIST = 421
TRADE_SINGLE = 422
USER_TRADE = 423
KLINE = 428
BOOK_FULL = 431
BOOK_UPDATE = 432
ORDER_MATCH = 441
ORDER_INSERT = 451
ORDER_DELETE = 452
ORDER_UPDATE = 453

CHANGED, NEW, REMOVED = 0, 1, 3  # CP of an updated level


class WelcomeFrame(Wire):
    type: Whole = WELCOME
    current: StrictStr
    min: StrictStr


class AckFrame(Wire):
    """`ok: true` proves nothing; `ok: false` means joined twice."""

    type: Whole = ACK
    ok: StrictBool
    message: StrictStr  # join|channel:EVENT


class SubscribeFrame(Wire):
    type: Whole = SUBSCRIBE
    channel: StrictStr
    event: StrictStr
    join: StrictBool


class LoginFrame(Wire):
    """Never logged: the signature does not depend on the time, so whoever has it can log in."""

    type: Whole = LOGIN
    public_key: StrictStr
    timestamp: Milliseconds
    nonce: Whole
    signature: StrictStr


class LoginReplyFrame(Wire):
    type: Whole = LOGIN
    id: Whole = 0
    ok: StrictBool
    message: StrictStr | None = None


class _Channelled(Wire):
    channel: StrictStr | None = None
    event: StrictStr | None = None


class _TickerFields(Wire):
    bid: Annotated[DecimalText, Field(alias="B")]
    ask: Annotated[DecimalText, Field(alias="A")]
    bid_amount: Annotated[DecimalText | None, Field(alias="BA")] = None
    ask_amount: Annotated[DecimalText | None, Field(alias="AA")] = None
    pair: Annotated[Name, Field(alias="PS")]
    high: Annotated[DecimalText, Field(alias="H")]
    low: Annotated[DecimalText, Field(alias="L")]
    last: Annotated[DecimalText, Field(alias="LA")]
    open: Annotated[DecimalText, Field(alias="O")]
    volume: Annotated[DecimalText, Field(alias="V")]
    average: Annotated[DecimalText, Field(alias="AV")]
    daily: Annotated[DecimalText, Field(alias="D")]
    daily_percent: Annotated[DecimalText, Field(alias="DP")]
    denominator: Annotated[Name, Field(alias="DS")]
    numerator: Annotated[Name, Field(alias="NS")]
    pair_id: Annotated[Whole, Field(alias="PId")]


class TickerItem(_TickerFields):
    order: Annotated[Whole | None, Field(alias="Ord")] = None


class TickerAllFrame(_Channelled):
    items: Annotated[tuple[TickerItem, ...], Field(max_length=_ROWS_MAX)]
    type: Whole = TICKER_ALL


class TickerFrame(_TickerFields):
    channel: StrictStr | None = None
    event: StrictStr | None = None
    type: Whole = TICKER_PAIR


class TradeItem(Wire):
    date: Annotated[Milliseconds, Field(alias="D")]  # a string on the wire
    id: Annotated[StrictStr, Field(alias="I")]
    amount: Annotated[DecimalText, Field(alias="A")]
    price: Annotated[DecimalText, Field(alias="P")]
    side: Annotated[Whole, Field(alias="S")]  # open question E3: calibrate, never decide on it


class TradeListFrame(_Channelled):
    symbol: Name
    items: Annotated[tuple[TradeItem, ...], Field(max_length=_ROWS_MAX)]
    type: Whole = TRADE_LIST


class TradeFrame(TradeItem):
    pair: Annotated[Name, Field(alias="PS")]
    channel: StrictStr | None = None
    event: StrictStr | None = None
    type: Whole = TRADE_SINGLE


class KlineFrame(_Channelled):
    date: Annotated[Seconds, Field(alias="D")]
    pair: Annotated[Name, Field(alias="P")]
    resolution: Annotated[Code, Field(alias="R")]
    open: Annotated[DecimalText, Field(alias="O")]
    high: Annotated[DecimalText, Field(alias="H")]
    low: Annotated[DecimalText, Field(alias="L")]
    close: Annotated[DecimalText, Field(alias="C")]
    volume: Annotated[DecimalText, Field(alias="V")]
    type: Whole = KLINE


class LevelItem(Wire):
    amount: Annotated[DecimalText, Field(alias="A")]
    price: Annotated[DecimalText, Field(alias="P")]


class LevelChange(Wire):
    """One level of an update: `A` is the whole amount at that price, and no amount at all when the level is removed."""

    kind: Annotated[Whole, Field(alias="CP")]
    price: Annotated[DecimalText, Field(alias="P")]
    amount: Annotated[DecimalText, Field(alias="A")]


class BookFullFrame(_Channelled):
    change_set: Annotated[Whole, Field(alias="CS")]
    pair: Annotated[Name, Field(alias="PS")]
    asks: Annotated[tuple[LevelItem, ...], Field(alias="AO", max_length=_LEVELS_MAX)]
    bids: Annotated[tuple[LevelItem, ...], Field(alias="BO", max_length=_LEVELS_MAX)]
    type: Whole = BOOK_FULL


class BookUpdateFrame(_Channelled):
    change_set: Annotated[Whole, Field(alias="CS")]
    pair: Annotated[Name, Field(alias="PS")]
    asks: Annotated[tuple[LevelChange, ...], Field(alias="AO", max_length=_LEVELS_MAX)]
    bids: Annotated[tuple[LevelChange, ...], Field(alias="BO", max_length=_LEVELS_MAX)]
    type: Whole = BOOK_UPDATE


class UserTradeFrame(Wire):
    """Does not repeat its type."""

    id: Whole
    order_id: Whole
    timestamp: Milliseconds
    numerator_symbol: Name
    denominator_symbol: Name
    amount: DecimalText
    precise_amount: DecimalNumber | None = None
    fee: DecimalText
    tax: DecimalText
    price: DecimalText
    order_type: Name
    order_client_id: StrictStr | None = None


class OrderMatchFrame(Wire):
    """One match; `id` is the order's, so matches cannot be told apart."""

    type: Whole = ORDER_MATCH
    id: Whole
    user: Whole
    is_bid: StrictBool
    method: Whole
    pair: Whole
    symbol: Name
    amount: DecimalText
    price: DecimalText
    client_id: StrictStr | None = None
    timestamp: Milliseconds | None = None


class OrderFrame(Wire):
    """451 inserted, 452 deleted, 453 updated."""

    type: Whole
    pair_id: Whole
    symbol: Name
    id: Whole
    method: Whole
    user_id: Whole
    order_type: Whole | None = None  # 0 buy, 1 sell
    price: DecimalText
    amount: DecimalText
    num_left: DecimalText
    denom_left: DecimalText
    new_order_client_id: StrictStr | None = None
