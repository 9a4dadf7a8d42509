"""The only way an order leaves."""

from datetime import timedelta

from btcbot.domain.orders.evidence import Answer, CancelReceipt, CancelTurnedDown, Silent
from btcbot.domain.orders.records import JournaledOrder
from btcbot.domain.orders.states import OrderState
from btcbot.exchange.cancel import CancelClient
from btcbot.exchange.private import PrivateChannel
from btcbot.exchange.submit import SubmitClient
from btcbot.execution.policy import TradingArmedPolicy
from btcbot.execution.ports import NotForSending

SENT_KEPT = 1_000  # an order is SENDING for seconds; of those long ago the journal knows that they are not


class LiveExecution:
    def __init__(self, channel: PrivateChannel, policy: TradingArmedPolicy, submit_timeout: timedelta) -> None:
        self._submits = SubmitClient(channel, submit_timeout.total_seconds())
        self._cancels = CancelClient(channel)
        self._policy = policy
        self._sent: dict[str, None] = {}  # the last ones, oldest first

    async def submit(self, order: JournaledOrder) -> Answer:
        """See `Execution.submit`. The arming is checked first, and again when nothing but the sending is left to do."""
        self._take(order)
        self._policy.require_armed()
        obstacle = await self._submits.admit()
        if obstacle is not None:
            return obstacle
        self._policy.require_armed()
        return await self._submits.submit(order)

    async def cancel(self, exchange_order_id: int, pair: str) -> CancelReceipt | CancelTurnedDown | Silent:
        return await self._cancels.cancel(exchange_order_id)

    async def may_trade(self) -> bool | None:
        """Whether the exchange lets the key submit and cancel, or nothing when it does not tell; see `CancelClient`."""
        return await self._cancels.may_trade()

    def _take(self, order: JournaledOrder) -> None:
        """One order, one try, whatever comes of it: nothing is ever sent again."""
        if not isinstance(order, JournaledOrder):
            raise NotForSending(f"a {type(order).__name__} is not an order that this process made durable")
        if order.state is not OrderState.SENDING:
            raise NotForSending(f"order {order.order_id} is {order.state}, not {OrderState.SENDING}")
        if order.order_id in self._sent:
            raise NotForSending(f"order {order.order_id} was handed over before")
        self._sent[order.order_id] = None
        if len(self._sent) > SENT_KEPT:
            del self._sent[next(iter(self._sent))]
