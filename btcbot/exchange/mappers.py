"""From wire models to our words. What a value means is decided here and nowhere else.

Raises `Malformed` where a payload has the right shape and says something that cannot be.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

from btcbot.domain.balances import Balance
from btcbot.domain.instruments import Instrument
from btcbot.domain.ledger import EntryKind, LedgerEntry
from btcbot.domain.market import Book, Candle, Level, Ticker, Trade
from btcbot.domain.money import ZERO, Amount, Asset, Price, Quantity
from btcbot.domain.orders.evidence import Fill, VenueOrder, VenueStatus
from btcbot.domain.orders.intents import Side
from btcbot.exchange.errors import Malformed
from btcbot.exchange.wire import (
    BalanceRow,
    Klines,
    OrderBookData,
    OrderRow,
    SymbolRow,
    TickerRow,
    TradeRow,
    TransferRow,
    UserTradeRow,
)

# The exchange lists 99.91 and 9.91, users meet round numbers: whichever holds, an order of these is taken (A10).
NOTIONAL_MIN_IN_PRACTICE = MappingProxyType({"TRY": Decimal(100), "USDT": Decimal(10)})
_BALANCE_TOLERANCE = Decimal("0.00000001")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUSES = {status.value: status for status in VenueStatus if status is not VenueStatus.OTHER}
_SIDES = {side.value: side for side in Side}


def time_of(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=milliseconds)


def milliseconds_of(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def instrument_of(row: SymbolRow) -> Instrument:
    """Grids from the scales; of two bounds the narrower counts. `tickSize` is a hint and no grid (protocol 4.1)."""
    price_filter = next((each for each in row.filters if each.filter_type == "PRICE_FILTER"), None)
    if price_filter is None:
        raise Malformed(f"{row.name} has no price filter")
    is_trading = row.status == "TRADING" and "LIMIT" in row.order_methods and not row.commission_from_numerator
    return Instrument(
        pair=row.name,
        base=Asset(row.numerator),
        quote=Asset(row.denominator),
        price_step=_step(row.denominator_scale if row.has_fraction else 0),
        lot_step=_step(row.numerator_scale),
        price_min=max(price_filter.min_price, row.minimum_limit_order_price or ZERO),
        price_max=min(price_filter.max_price, row.maximum_limit_order_price or price_filter.max_price),
        notional_min=max(price_filter.min_exchange_value, NOTIONAL_MIN_IN_PRACTICE.get(row.denominator, ZERO)),
        is_trading=is_trading,
        price_tick=price_filter.tick_size if price_filter.tick_size > 0 else None,
    )


def book_of(data: OrderBookData) -> Book:
    bids = tuple(Level(price, quantity) for price, quantity in data.bids)
    asks = tuple(Level(price, quantity) for price, quantity in data.asks)
    return Book(bids, asks)


def trade_of(row: TradeRow) -> Trade:
    """The exchange's `tid` is text; its side is missing from older samples (protocol 4.4)."""
    if row.price <= 0 or row.amount <= 0:
        raise Malformed(f"trade {row.tid[:40]} of {row.pair} has an impossible price or amount")
    side = None if row.side is None else side_of(row.side)
    return Trade(row.tid, row.pair, side, row.price, row.amount, time_of(row.date))


def ticker_of(row: TickerRow) -> Ticker:
    """A pair that was not traded yet has zeros; nothing has less."""
    numbers = (row.last, row.bid, row.ask, row.high, row.low, row.volume)
    if min(numbers) < 0:
        raise Malformed(f"the ticker of {row.pair} has a negative number")
    return Ticker(row.pair, *numbers, time_of(row.timestamp))


def candles_of(columns: Klines) -> Iterator[Candle]:
    """Rows of the parallel columns, in the exchange's order. A range without candles has none (protocol 4.5)."""
    if columns.s == "no_data" or (columns.s is None and not columns.t):
        return
    if columns.s != "ok":
        raise Malformed(f"candles have the state {str(columns.s)[:40]!r}")
    lists = (columns.o, columns.h, columns.l, columns.c, columns.v)
    if any(len(values) != len(columns.t) for values in lists):
        raise Malformed("the columns of candles differ in length")
    for opened, first, high, low, last, volume in zip(columns.t, *lists, strict=True):
        if min(first, low, last) <= 0 or low > high or volume < 0:
            raise Malformed(f"the candle of {opened} contradicts itself")
        yield Candle(time_of(opened * 1000), first, high, low, last, volume)


def balance_of(row: BalanceRow) -> Balance:
    """`balance = free + locked` is checked: a misread separator would show here (open question B5)."""
    if abs(row.balance - row.free - row.locked) > _BALANCE_TOLERANCE:
        raise Malformed(f"the balance of {row.asset} is not the sum of its parts")
    return Balance(Asset(row.asset), total=row.balance, available=row.free, held=row.locked)


def order_of(row: OrderRow, *, is_listed_open: bool) -> VenueOrder:
    """An unknown status stays `OTHER`: open until a listing says otherwise (protocol 6.5)."""
    status = _STATUSES.get(row.status.lower(), VenueStatus.OTHER)
    left = row.left_amount
    if left is None and status in (VenueStatus.UNTOUCHED, VenueStatus.CLOSED):  # listings of 2019
        left = row.amount if status is VenueStatus.UNTOUCHED else ZERO
    if left is None or not 0 <= left <= row.amount or row.price < 0:
        raise Malformed(f"order {row.id} has impossible amounts")
    moment = row.time or row.update_time  # openOrders says 0 for the first
    return VenueOrder(
        exchange_order_id=row.id,
        client_order_id=row.order_client_id or None,
        pair=row.pair_symbol,
        side=side_of(row.type),
        price=Price(row.price),
        quantity=Quantity(row.amount),
        left=left,
        status=status,
        is_listed_open=is_listed_open,
        time_exchange=time_of(moment) if moment else None,
    )


def fill_of(row: UserTradeRow) -> Fill:
    """The unrounded amount counts; fee and tax are negative on the wire and a cost on both sides (protocol 5.7, 7)."""
    if row.order_id is None:
        raise Malformed(f"trade {row.id} names no order")
    side = side_of(row.order_type)
    signed = row.amount if row.precise_amount is None else row.precise_amount
    if signed == 0 or row.price <= 0 or (signed < 0) != (side is Side.SELL):
        raise Malformed(f"trade {row.id} has an impossible amount or price")
    return Fill(
        trade_id=row.id,
        exchange_order_id=row.order_id,
        client_order_id=row.order_client_id or None,
        pair=f"{row.numerator_symbol}{row.denominator_symbol}",
        side=side,
        price=Price(row.price),
        quantity=Quantity(abs(signed)),
        fee=abs(row.fee),
        tax=abs(row.tax),
        time_exchange=time_of(row.timestamp),
    )


def transfer_entries(row: TransferRow, kind: str) -> tuple[LedgerEntry, ...]:
    """What a deposit or withdrawal changed. A coin deposit counts once it is confirmed: before, it is in no balance."""
    direction = row.balance_type.lower()
    if direction not in ("deposit", "withdrawal"):
        raise Malformed(f"transfer {row.id} is neither a deposit nor a withdrawal")
    if direction == "deposit" and kind == "crypto" and row.is_confirmed is not True:
        return ()
    asset, source, moment = Asset(row.currency_symbol.upper()), f"{kind}/{row.id}", time_of(row.timestamp)
    size = abs(row.amount if row.precise_amount is None else row.precise_amount)
    moves = (
        (EntryKind.TRANSFER, size if direction == "deposit" else -size),
        (EntryKind.FEE, -abs(row.fee)),
        (EntryKind.TAX, -abs(row.tax)),
    )
    return tuple(LedgerEntry(entry, Amount(number, asset), source, moment) for entry, number in moves if number != 0)


def side_of(text: str) -> Side:
    side = _SIDES.get(text.lower())
    if side is None:
        raise Malformed(f"{text[:20]!r} is neither buy nor sell")
    return side


def _step(scale: int) -> Decimal:
    return Decimal((0, (1,), -scale))
