"""Orders, trades, balances and transfers as rows of the private answers (protocol 5), in the shapes of their year."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from btcbot.domain.money import Asset, plain, round_half_even
from btcbot.domain.orders.intents import Side
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.profiles import FinalStatus, Shapes
from btcbot.sandbox.public_api import NAMES
from btcbot.sandbox.wire import padded
from btcbot.simulation.happenings import Direction, Means, OrderMatched, Transferred
from btcbot.simulation.listings import Listing
from btcbot.simulation.orders import Order, Status

Row = dict[str, object]

LEFT_DECIMALS = 16
ORDER_OF_2019 = ("id", "price", "amount", "quantity", "type", "method", "orderClientId", "time", "updateTime", "status")
BALANCE_OF_2019 = ("asset", "assetname", "balance", "locked", "free")
TRADE_OF_2021 = (
    "price", "numeratorSymbol", "denominatorSymbol", "orderType", "orderId", "id", "timestamp", "amount", "fee", "tax"
)  # fmt: skip


def order_row(floor: Floor, order: Order) -> Row:
    """As order/{id} and allOrders show it."""
    accepted = order.accepted
    listing = floor.venue.listing(accepted.pair)
    row: Row = {
        "id": accepted.order_id,
        "price": plain(_shown_price(order)),
        "amount": plain(order.amount),
        "quantity": plain(accepted.quantity - order.spent if order.is_market_buy else order.amount),
        "stopPrice": plain(_stop_price(floor, order)),
        "pairSymbol": accepted.pair,
        "pairSymbolNormalized": _normalized(listing),
        "type": accepted.side,
        "method": accepted.method,
        "orderClientId": accepted.client_order_id,
        "time": accepted.at_ms,
        "updateTime": order.updated_ms,
        "status": _status(floor, order),
        "leftAmount": padded(order.left, LEFT_DECIMALS),
    }
    return _order_of_2019(row) if floor.profile.shapes is Shapes.OF_2019 else row


def open_order_row(floor: Floor, order: Order) -> Row:
    """As openOrders shows it: its time is 0 there (protocol 5.5)."""
    row = order_row(floor, order)
    return row if floor.profile.shapes is Shapes.OF_2019 else row | {"time": 0, "leftAmount": plain(order.left)}


def receipt(floor: Floor, order: Order, texts: Mapping[str, str]) -> Row:
    """The answer to a submit: numbers as they were written, no fills (protocol 5.2)."""
    accepted = order.accepted
    has_limit, is_stop = accepted.method.has_limit, accepted.method.is_stop
    missing_stop = None if floor.profile.is_missing_stop_null else "0"
    row: Row = {
        "id": accepted.order_id,
        "quantity": texts["quantity"],
        "price": texts["price"] if has_limit else "0",
        "stopPrice": texts["stopPrice"] if is_stop else missing_stop,
        "newOrderClientId": accepted.client_order_id,
        "type": accepted.side,
        "method": accepted.method,
        "pairSymbol": accepted.pair,
        "pairSymbolNormalized": _normalized(floor.venue.listing(accepted.pair)),
        "datetime": accepted.at_ms,
    }
    if floor.profile.shapes is Shapes.OF_2019:
        row |= {"type": accepted.side.capitalize(), "method": accepted.method.capitalize()}
    return row


def trade_row(floor: Floor, match: OrderMatched) -> Row:
    """One of our trades, as frame 423 tells it: amount signed, fee and tax negative on both sides."""
    listing = floor.venue.listing(match.pair)
    signed = match.quantity if match.side is Side.BUY else -match.quantity
    return {
        "id": match.trade_id,
        "timestamp": match.at_ms,
        "amount": plain(round_half_even(signed, Decimal(1).scaleb(-listing.lot_decimals))),
        "preciseAmount": signed,
        "fee": _negative(match.fee),
        "tax": _negative(match.tax),
        "price": plain(match.price),
        "numeratorSymbol": listing.base,
        "denominatorSymbol": listing.quote,
        "orderType": match.side,
        "orderId": match.order_id,
        "orderClientId": floor.venue.orders[match.order_id].accepted.client_order_id,
    }


def listed_trade_row(floor: Floor, match: OrderMatched) -> Row:
    """The same as users/transactions/trade lists it."""
    row = trade_row(floor, match)
    if not floor.profile.is_label_in_trades:
        row["orderClientId"] = None
    match floor.profile.shapes:
        case Shapes.NOW:
            return row
        case Shapes.OF_2021:
            return _only(row, TRADE_OF_2021)
        case Shapes.OF_2019:
            older = _only(row, TRADE_OF_2021)
            del older["orderId"]
            return _with_numbers(older, "price", "amount", "fee", "tax")


def balance_row(floor: Floor, asset: Asset, total: Decimal, held: Decimal, requested: Decimal, now_ms: int) -> Row:
    """`requested` is what withdrawals hold; open orders hold the rest (protocol 5.1)."""
    text: Callable[[Decimal], str] = _with_comma if floor.profile.is_decimal_comma else plain
    row: Row = {
        "asset": asset,
        "assetname": NAMES.get(asset, asset),
        "balance": text(total),
        "locked": text(held),
        "free": text(total - held),
        "orderFund": text(held - requested),
        "requestFund": text(requested),
        "precision": 2 if asset == "TRY" else 8,
        "timestamp": now_ms,
    }
    return _only(row, BALANCE_OF_2019) if floor.profile.shapes is Shapes.OF_2019 else row


def transfer_row(floor: Floor, transfer: Transferred) -> Row:
    """A deposit or a withdrawal: amounts of withdrawals and all fees have a minus (protocol 5.8)."""
    is_crypto = transfer.means is Means.CRYPTO
    signed = transfer.number if transfer.direction is Direction.DEPOSIT else -transfer.number
    row: Row = {
        "balanceType": transfer.direction,
        "currencySymbol": transfer.asset,
        "address": f"sandbox{transfer.account_id:026d}" if is_crypto else None,
        "tag": str(transfer.account_id) if is_crypto else None,
        "txHash": f"{transfer.transfer_id:064x}" if is_crypto else None,
        "confirmationCount": 0 if is_crypto else None,
        "isConfirmed": False,
        "id": transfer.transfer_id,
        "timestamp": transfer.at_ms,
        "amount": plain(signed),
        "fee": _negative(transfer.fee),
        "tax": _negative(transfer.tax),
    }
    if floor.profile.shapes is not Shapes.OF_2019:
        return row
    older = _only(row, ("balanceType", "currencySymbol", "id", "timestamp", "amount", "fee", "tax"))
    older |= {"balanceType": transfer.direction.capitalize(), "funds": transfer.number}
    return _with_numbers(older, "amount", "fee", "tax")


def _shown_price(order: Order) -> Decimal:
    """The first trade's where there is no limit; a stop that waits for the market shows where (protocol 6.4)."""
    accepted = order.accepted
    if accepted.method.has_limit:
        return accepted.price
    return accepted.stop_price if accepted.method.is_stop else order.first_price


def _stop_price(floor: Floor, order: Order) -> Decimal:
    """What a stop became goes on showing where it fired (ISS#616)."""
    accepted = order.accepted
    return (
        floor.venue.orders[accepted.stop_order_id].accepted.stop_price
        if accepted.stop_order_id
        else accepted.stop_price
    )


def _status(floor: Floor, order: Order) -> str:
    if order.status is Status.CANCELED and order.filled and floor.profile.final_status is FinalStatus.PARTIAL:
        return Status.PARTIAL
    return order.status


def _order_of_2019(row: Row) -> Row:
    older = _only(row, ORDER_OF_2019)
    older["pairsymbol"] = row["pairSymbol"]
    return older | {name: str(older[name]).capitalize() for name in ("type", "method")}


def _normalized(listing: Listing) -> str:
    return f"{listing.base}_{listing.quote}"


def _only(row: Row, names: tuple[str, ...]) -> Row:
    return {name: row[name] for name in names}


def _with_numbers(row: Row, *names: str) -> Row:
    return row | {name: Decimal(str(row[name])) for name in names}


def _with_comma(number: Decimal) -> str:
    return plain(number).replace(".", ",")


def _negative(number: Decimal) -> str:
    return format(-number, "f") if number else "0"
