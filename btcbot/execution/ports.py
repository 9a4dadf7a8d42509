"""What the services need of an exchange account that can trade."""

from typing import Protocol

from btcbot.domain.errors import BtcbotError
from btcbot.domain.orders.evidence import Answer, CancelReceipt, CancelTurnedDown, Silent
from btcbot.domain.orders.records import JournaledOrder


class NotForSending(BtcbotError):
    """An order was handed over that must not be sent: not journaled as SENDING by this process, or sent before."""


class Execution(Protocol):
    """Each call puts at most one request on the wire."""

    async def submit(self, order: JournaledOrder) -> Answer:
        """Send one order, once in its life.

        Raises `TradeBlockedError` or `NotForSending` before anything left. Cancelled from outside it raises
        `CancelledError` although the request may be on the wire: the caller records `Silent`.
        """
        ...

    async def cancel(self, exchange_order_id: int, pair: str) -> CancelReceipt | CancelTurnedDown | Silent:
        """Ask for a cancel. Never blocked by arming; what became of the order is read."""
        ...
