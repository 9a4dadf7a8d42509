"""The shape of every answer and frame that is read, as the protocol's samples have them in 2026 (sections 4, 5 and 10).

Names are the exchange's. What older samples lack is optional here only where newer ones lack it, too. The wire models
say what a client can live with; this table says what it was shown.
"""

from collections.abc import Mapping
from types import MappingProxyType

from btcbot.exchange.shapes import Kind, Shape
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
)


def _of(*kinds: Kind) -> Shape:
    return Shape(frozenset(kinds))


def obj(fields: Mapping[str, Shape]) -> Shape:
    return Shape(frozenset({Kind.OBJECT}), fields)


def many(item: Shape) -> Shape:
    return Shape(frozenset({Kind.LIST}), item=item)


FLAG = _of(Kind.FLAG)
WHOLE = _of(Kind.WHOLE)
NUMBER = _of(Kind.WHOLE, Kind.NUMBER)
DECIMAL = _of(Kind.DECIMAL)
TEXT = _of(Kind.TEXT, Kind.DECIMAL, Kind.COMMA)
# What an open question is about is looked at by itself, and told with its number.
BALANCE = _of(Kind.DECIMAL, Kind.COMMA)  # B5
BOOK_TIME = NUMBER  # protocol 4.3

# --------------------------------------------------------------------------------------------------- envelopes, errors

_ENVELOPE = {"success": FLAG, "message": TEXT.or_null(), "code": _of(Kind.WHOLE, Kind.TEXT)}
REFUSAL = obj(_ENVELOPE | {"success": FLAG, "message": TEXT})


def enveloped(data: Shape, **more: Shape) -> Shape:
    return obj(_ENVELOPE | {"data": data} | more)


# --------------------------------------------------------------------------------------------------------- public REST

TIME = obj({"serverTime": WHOLE, "serverTime2": TEXT})
PING = obj({"pong": FLAG})

_FILTER = obj(
    {"filterType": TEXT, "minAmount": DECIMAL.or_null(), "maxAmount": DECIMAL.or_null()}
    | dict.fromkeys(("minPrice", "maxPrice", "tickSize", "minExchangeValue"), DECIMAL)
)
_SYMBOL = obj(
    dict.fromkeys(("id", "numeratorScale", "denominatorScale", "order"), WHOLE)
    | dict.fromkeys(("name", "nameNormalized", "status", "numerator", "denominator", "displayFormat"), TEXT)
    | dict.fromkeys(("hasFraction", "commissionFromNumerator", "priceRounding", "isNew"), FLAG)
    | {
        "filters": many(_FILTER),
        "orderMethods": many(TEXT),
        "marketPriceWarningThresholdPercentage": NUMBER,
        "maximumOrderAmount": NUMBER.or_null(),
        "maximumLimitOrderPrice": NUMBER,
        "minimumLimitOrderPrice": NUMBER,
    }
)
_LENGTHS = {"minLen": WHOLE.or_null(), "maxLen": WHOLE.or_null()}
_CURRENCY = obj(
    {"id": WHOLE, "minWithdrawal": NUMBER, "minDeposit": NUMBER, "precision": WHOLE}
    | dict.fromkeys(("symbol", "currencyType", "color", "name"), TEXT)
    | dict.fromkeys(("isAddressRenewable", "getAutoAddressDisabled", "isPartialWithdrawalEnabled", "isNew"), FLAG)
    | {"address": obj(_LENGTHS), "tag": obj({"enable": FLAG, "name": TEXT.or_null()} | _LENGTHS)}
)
_BLOCK = obj({"currencySymbol": TEXT, "withdrawalDisabled": FLAG, "depositDisabled": FLAG})
EXCHANGE_INFO = enveloped(
    obj(
        {
            "timeZone": TEXT,
            "serverTime": WHOLE,
            "symbols": many(_SYMBOL),
            "currencies": many(_CURRENCY),
            "currencyOperationBlocks": many(_BLOCK),
        }
    ),
    extensions=_of(Kind.NULL).maybe(),  # protocol 2; whether it is there is told by itself
)
_TICKER = obj(
    dict.fromkeys(("pair", "pairNormalized", "denominatorSymbol", "numeratorSymbol"), TEXT)
    | {"timestamp": WHOLE, "order": WHOLE.maybe()}
    | dict.fromkeys(("last", "high", "low", "bid", "ask", "open", "volume", "average", "daily", "dailyPercent"), NUMBER)
)
TICKERS = enveloped(many(_TICKER))
BOOK = enveloped(obj({"timestamp": BOOK_TIME, "bids": many(many(DECIMAL)), "asks": many(many(DECIMAL))}))
TRADES = enveloped(
    many(
        obj(
            dict.fromkeys(("pair", "pairNormalized", "numerator", "denominator", "tid", "side"), TEXT)
            | {"date": WHOLE, "price": DECIMAL, "amount": DECIMAL}
        )
    )
)
CANDLES = obj({"s": TEXT, "t": many(WHOLE)} | dict.fromkeys("hlocv", many(NUMBER)))
DAYS = many(
    obj(
        {"pair": TEXT, "time": WHOLE}
        | dict.fromkeys(("open", "high", "low", "close", "volume", "total", "average"), NUMBER)
        | dict.fromkeys(("dailyChangeAmount", "dailyChangePercentage"), NUMBER)
    )
)

# -------------------------------------------------------------------------------------------------------- private REST

BALANCES = enveloped(
    many(
        obj(
            {"asset": TEXT, "assetname": TEXT, "precision": WHOLE, "timestamp": WHOLE}
            | dict.fromkeys(("balance", "locked", "free", "orderFund", "requestFund"), BALANCE)
        )
    )
)
_ORDER = obj(
    dict.fromkeys(("id", "time", "updateTime"), WHOLE)
    | dict.fromkeys(("price", "amount", "quantity", "leftAmount"), DECIMAL)
    | dict.fromkeys(("pairSymbol", "pairSymbolNormalized", "type", "method", "status"), TEXT)
    | {"stopPrice": DECIMAL.or_null(), "orderClientId": TEXT.or_null()}
)
OPEN_ORDERS = enveloped(obj({"asks": many(_ORDER), "bids": many(_ORDER)}))
ORDERS = enveloped(many(_ORDER))
ORDER = enveloped(_ORDER)
_OWN_TRADE = (
    {"id": WHOLE, "orderId": WHOLE, "timestamp": WHOLE, "preciseAmount": NUMBER, "orderClientId": TEXT.or_null()}
    | dict.fromkeys(("amount", "fee", "tax", "price"), DECIMAL)
    | dict.fromkeys(("numeratorSymbol", "denominatorSymbol", "orderType"), TEXT)
)
USER_TRADES = enveloped(many(obj(_OWN_TRADE)))
TRANSFERS = enveloped(
    many(
        obj(
            {"id": WHOLE, "timestamp": WHOLE, "preciseAmount": NUMBER.maybe()}
            | dict.fromkeys(("balanceType", "currencySymbol"), TEXT)
            | dict.fromkeys(("amount", "fee", "tax"), DECIMAL)
            | dict.fromkeys(("address", "tag", "txHash"), TEXT.or_null())
            | {"confirmationCount": WHOLE.or_null(), "isConfirmed": FLAG.or_null()}
        )
    )
)

# -------------------------------------------------------------------------------------------------------------- frames


def _frame(fields: dict[str, Shape]) -> Shape:
    return obj({"type": WHOLE} | fields)


def _channelled(fields: dict[str, Shape]) -> Shape:
    return _frame({"channel": TEXT, "event": TEXT} | fields)


_QUOTE = (
    dict.fromkeys(("B", "A", "BA", "AA", "H", "L", "LA", "O", "V", "AV", "D", "DP"), DECIMAL)
    | dict.fromkeys(("PS", "DS", "NS"), TEXT)
    | {"PId": WHOLE}
)
_PRINT = {"D": DECIMAL, "I": TEXT, "A": DECIMAL, "P": DECIMAL, "S": WHOLE}
_BOOK_OF = {"CS": WHOLE, "PS": TEXT}
_LEVEL = obj({"A": DECIMAL, "P": DECIMAL})
_CHANGE = obj({"CP": WHOLE, "A": DECIMAL, "P": DECIMAL})
_OWN_ORDER = _frame(
    dict.fromkeys(("pairId", "id", "method", "userId", "orderType"), WHOLE)
    | dict.fromkeys(("price", "amount", "numLeft", "denomLeft"), DECIMAL)
    | {"symbol": TEXT, "newOrderClientId": TEXT.or_null(), "timestamp": WHOLE.maybe()}
)
FRAMES: Mapping[int, Shape] = MappingProxyType(
    {
        WELCOME: _frame({"current": TEXT, "min": TEXT}),
        ACK: _frame({"ok": FLAG, "message": TEXT, "id": WHOLE.maybe()}),
        LOGIN: _frame({"id": WHOLE, "ok": FLAG, "message": TEXT.or_null()}),
        TICKER_ALL: _channelled({"items": many(obj(_QUOTE | {"Ord": WHOLE}))}),
        TICKER_PAIR: _channelled(_QUOTE),
        TRADE_LIST: _channelled({"symbol": TEXT, "items": many(obj(_PRINT))}),
        TRADE_SINGLE: _channelled(_PRINT | {"PS": TEXT}),
        USER_TRADE: obj(_OWN_TRADE),
        KLINE: _channelled(
            {"P": TEXT, "D": _of(Kind.WHOLE, Kind.DECIMAL), "R": _of(Kind.WHOLE, Kind.TEXT, Kind.DECIMAL)}
            | dict.fromkeys("OHLCV", _of(Kind.DECIMAL, Kind.WHOLE, Kind.NUMBER))
        ),
        BOOK_FULL: _channelled(_BOOK_OF | {"AO": many(_LEVEL), "BO": many(_LEVEL)}),
        BOOK_UPDATE: _channelled(_BOOK_OF | {"AO": many(_CHANGE), "BO": many(_CHANGE)}),
        ORDER_INSERT: _OWN_ORDER,
        ORDER_DELETE: _OWN_ORDER,
        ORDER_UPDATE: _OWN_ORDER,
        ORDER_MATCH: _frame(
            dict.fromkeys(("id", "user", "method", "pair"), WHOLE)
            | {"isBid": FLAG, "symbol": TEXT, "amount": DECIMAL, "price": DECIMAL, "clientId": TEXT.or_null()}
            | {"timestamp": WHOLE.maybe()}
        ),
    }
)
