"""A live worker that may not trade: it reads and cancels, and refuses every submit."""

from typing import NoReturn

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.orders.evidence import CancelReceipt, CancelTurnedDown, Silent
from btcbot.domain.orders.records import JournaledOrder
from btcbot.exchange.cancel import CancelClient
from btcbot.exchange.private import PrivateChannel


class DisarmedExecution:
    """Has no submit client to send with: the refusal does not depend on a check."""

    def __init__(self, channel: PrivateChannel) -> None:
        self._cancels = CancelClient(channel)

    async def submit(self, order: JournaledOrder) -> NoReturn:
        raise TradeBlockedError(f"order {order.order_id} was not sent: this worker is not armed by its settings")

    async def cancel(self, exchange_order_id: int, pair: str) -> CancelReceipt | CancelTurnedDown | Silent:
        return await self._cancels.cancel(exchange_order_id)
