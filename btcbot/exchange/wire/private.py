"""Private REST: balances, orders, our fills, transfers (protocol, section 5)."""

from typing import Annotated

from pydantic import AliasChoices, Field, StrictBool, StrictStr

from btcbot.exchange.wire.envelope import Wire
from btcbot.exchange.wire.numbers import (
    ROWS_MAX,
    BalanceText,
    DecimalNumber,
    DecimalText,
    Milliseconds,
    MillisecondsOrZero,
    Name,
    OrderId,
    Whole,
)


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

    id: OrderId
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

    id: OrderId
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
    asks: Annotated[tuple[OrderRow, ...], Field(max_length=ROWS_MAX)]  # own sells
    bids: Annotated[tuple[OrderRow, ...], Field(max_length=ROWS_MAX)]  # own buys


class UserTradeRow(Wire):
    id: OrderId
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
