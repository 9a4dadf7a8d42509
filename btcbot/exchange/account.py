"""The private reads (protocol, section 5), one request each. Both roles use them; nothing here can change anything."""

from datetime import datetime

from pydantic import TypeAdapter

from btcbot.domain.balances import Balance
from btcbot.domain.ledger import LedgerEntry
from btcbot.domain.orders.evidence import Fill, VenueOrder
from btcbot.exchange.answers import BAD_REQUEST, data_of, envelope_of
from btcbot.exchange.errors import ORDER_NOT_FOUND, Malformed
from btcbot.exchange.limits import Endpoint
from btcbot.exchange.mappers import balance_of, fill_of, milliseconds_of, order_of, transfer_entries
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.wire import BalanceRow, OpenOrdersData, OrderRow, TransferRow, UserTradeRow

ORDERS_PER_PAGE = 100
FILLS_MAX = 200  # more are cut without a word (open question B4)

_BALANCES: TypeAdapter[tuple[BalanceRow, ...]] = TypeAdapter(tuple[BalanceRow, ...])
_OPEN_ORDERS: TypeAdapter[OpenOrdersData] = TypeAdapter(OpenOrdersData)
_ORDERS: TypeAdapter[tuple[OrderRow, ...]] = TypeAdapter(tuple[OrderRow, ...])
_ORDER: TypeAdapter[OrderRow] = TypeAdapter(OrderRow)
_FILLS: TypeAdapter[tuple[UserTradeRow, ...]] = TypeAdapter(tuple[UserTradeRow, ...])
_TRANSFERS: TypeAdapter[tuple[TransferRow, ...]] = TypeAdapter(tuple[TransferRow, ...])


class AccountClient:
    """Every method raises what `PrivateChannel.read` raises, or `ReadFailed`; an empty answer means empty."""

    def __init__(self, channel: PrivateChannel) -> None:
        self._channel = channel

    async def balances(self) -> tuple[Balance, ...]:
        answer = await self._channel.read(Endpoint.BALANCES, "/api/v1/users/balances")
        return tuple(balance_of(row) for row in data_of(answer, _BALANCES, Endpoint.BALANCES))

    async def open_orders(self, pair: str) -> tuple[VenueOrder, ...]:
        answer = await self._channel.read(Endpoint.OPEN_ORDERS, "/api/v1/openOrders", (("pairSymbol", pair),))
        data = data_of(answer, _OPEN_ORDERS, Endpoint.OPEN_ORDERS)
        orders = (order_of(row, is_listed_open=True) for row in (*data.bids, *data.asks))
        return tuple(order for order in orders if order.pair == pair)

    async def orders_page(self, pair: str, since: datetime, page: int) -> tuple[VenueOrder, ...]:
        """One page of all orders since a moment, whatever their state. `startTime` is in seconds (protocol 5.6)."""
        query = (
            ("pairSymbol", pair), ("startTime", str(int(since.timestamp()))),
            ("page", str(page)), ("limit", str(ORDERS_PER_PAGE)),
        )  # fmt: skip
        answer = await self._channel.read(Endpoint.ALL_ORDERS, "/api/v1/allOrders", query)
        rows = data_of(answer, _ORDERS, Endpoint.ALL_ORDERS)
        return tuple(order_of(row, is_listed_open=False) for row in rows)

    async def order(self, exchange_order_id: int) -> VenueOrder | None:
        """One order; nothing when the exchange says that there is none (which may also be lag)."""
        answer = await self._channel.read(Endpoint.ORDER, f"/api/v1/order/{exchange_order_id}")
        if answer.status == BAD_REQUEST and envelope_of(answer, Endpoint.ORDER).message == ORDER_NOT_FOUND:
            return None
        order = order_of(data_of(answer, _ORDER, Endpoint.ORDER), is_listed_open=False)
        if order.exchange_order_id != exchange_order_id:
            raise Malformed(f"order {exchange_order_id} was asked for and {order.exchange_order_id} came")
        return order

    async def fills(self, pair: str, since: datetime, until: datetime) -> tuple[Fill, ...]:
        """Own trades in a window, at most `FILLS_MAX`: that many means that some may be missing."""
        return await self._fills((("pairSymbol", pair), *_window(since, until)))

    async def fills_of(self, exchange_order_id: int) -> tuple[Fill, ...]:
        """Own trades of one order. Empty is not "no fill": this list lags by seconds (protocol 5.7)."""
        fills = await self._fills((("orderId", str(exchange_order_id)),))
        return tuple(fill for fill in fills if fill.exchange_order_id == exchange_order_id)

    async def transfers(self, since: datetime, until: datetime) -> tuple[LedgerEntry, ...]:
        """Deposits and withdrawals of coins and of money."""
        window = _window(since, until)
        entries: list[LedgerEntry] = []
        for endpoint, kind in ((Endpoint.CRYPTO, "crypto"), (Endpoint.FIAT, "fiat")):
            types = (("type", "deposit"), ("type", "withdrawal"))
            answer = await self._channel.read(endpoint, f"/api/v1/users/transactions/{kind}", (*types, *window))
            for row in data_of(answer, _TRANSFERS, endpoint):
                entries.extend(transfer_entries(row, kind))
        return tuple(entry for entry in entries if since <= entry.at <= until)

    async def _fills(self, query: tuple[tuple[str, str], ...]) -> tuple[Fill, ...]:
        answer = await self._channel.read(Endpoint.USER_TRADES, "/api/v1/users/transactions/trade", query)
        return tuple(fill_of(row) for row in data_of(answer, _FILLS, Endpoint.USER_TRADES))


def _window(since: datetime, until: datetime) -> tuple[tuple[str, str], tuple[str, str]]:
    """In milliseconds; a millisecond longer than asked, for nobody says whether the end belongs to it."""
    return ("startDate", str(milliseconds_of(since))), ("endDate", str(milliseconds_of(until) + 1))
