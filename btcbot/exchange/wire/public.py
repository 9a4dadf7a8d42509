"""Public REST: rules, tickers, books, trades, candles (protocol, section 4)."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictStr

from btcbot.exchange.wire.envelope import Wire
from btcbot.exchange.wire.numbers import (
    LEVELS_MAX,
    ROWS_MAX,
    DecimalNumber,
    DecimalText,
    Milliseconds,
    Name,
    Scale,
    Seconds,
    Whole,
)


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
    numerator_scale: Scale
    denominator_scale: Scale
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
    symbols: Annotated[tuple[SymbolRow, ...], Field(max_length=ROWS_MAX)]
    currencies: Annotated[tuple[CurrencyRow, ...], Field(max_length=ROWS_MAX)] = ()
    currency_operation_blocks: Annotated[tuple[CurrencyBlockRow, ...], Field(max_length=ROWS_MAX)] = ()


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
    bids: Annotated[tuple[PriceLevel, ...], Field(max_length=LEVELS_MAX)]  # best first
    asks: Annotated[tuple[PriceLevel, ...], Field(max_length=LEVELS_MAX)]


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


_Column = Annotated[tuple[DecimalNumber, ...], Field(max_length=ROWS_MAX)]


class Klines(Wire):
    """Parallel columns; the last candle is the running one. No envelope."""

    s: StrictStr | None  # ok, or no_data, or null with empty columns
    t: Annotated[tuple[Seconds, ...], Field(max_length=ROWS_MAX)] = ()
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
