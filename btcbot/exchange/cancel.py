"""DELETE order: a request, and a receipt. What became of the order is read, never concluded from the receipt.

Imported by `execution.live` and `execution.disarmed` only. Cancels are never blocked by arming and have an own budget.
"""

from btcbot.domain.orders.evidence import CancelReceipt, CancelTurnedDown, Silent
from btcbot.exchange.answers import BAD_REQUEST, OK, envelope_of
from btcbot.exchange.errors import (
    CANCEL_REFUSALS,
    Malformed,
    NoAnswer,
    NotSent,
    NotTheExchange,
    RateLimited,
    StampsAhead,
    Unavailable,
    is_about_nonce,
    is_unauthorized,
    snippet,
)
from btcbot.exchange.http import HttpAnswer
from btcbot.exchange.limits import Endpoint
from btcbot.exchange.private import PrivateChannel, message_of

CANCEL_SECONDS = 15.0
NOBODYS_ORDER = 1  # the exchange counts orders in hundreds of millions since long before us


class CancelClient:
    def __init__(self, channel: PrivateChannel) -> None:
        self._channel = channel

    async def cancel(self, exchange_order_id: int) -> CancelReceipt | CancelTurnedDown | Silent:
        """Ask once. A cancel is idempotent at the exchange, so the caller may ask again after silence."""
        answer = await self._asked(exchange_order_id)
        return answer if isinstance(answer, Silent) else receipt_of(answer)

    async def may_trade(self) -> bool | None:
        """Whether the key may submit and cancel, or nothing when the answer does not tell.

        Asked by one cancel of an order that is not ours: refused as unknown, it was let in (protocol, section 3).
        """
        answer = await self._asked(NOBODYS_ORDER)
        message = None if isinstance(answer, Silent) else message_of(answer)
        if isinstance(answer, Silent) or message is None:
            return None
        if is_unauthorized(answer.status, message):
            return None if is_about_nonce(message) else False
        return True if answer.status in (OK, BAD_REQUEST) else None

    async def _asked(self, exchange_order_id: int) -> HttpAnswer | Silent:
        obstacle = self._channel.obstacle(Endpoint.CANCEL)
        if obstacle is not None:
            return Silent(obstacle)
        try:
            await self._channel.admit(Endpoint.CANCEL)
            return await self._channel.send_once(
                # The number belongs in the query: in a body it is not seen (protocol 5.3).
                Endpoint.CANCEL, "DELETE", "/api/v1/order", (("id", str(exchange_order_id)),), None, CANCEL_SECONDS,
            )  # fmt: skip
        except (RateLimited, StampsAhead, NotSent, NoAnswer, NotTheExchange) as error:
            return Silent(str(error))


def receipt_of(answer: HttpAnswer) -> CancelReceipt | CancelTurnedDown | Silent:
    try:
        envelope = envelope_of(answer, Endpoint.CANCEL)
    except (NotTheExchange, Unavailable, Malformed) as error:
        return Silent(str(error))
    message = envelope.message or ""
    if answer.status == BAD_REQUEST and message in CANCEL_REFUSALS:
        return CancelTurnedDown(message)
    is_success = answer.status == OK and envelope.success is True and envelope.code in (0, "", "SUCCESS")
    if is_success and not is_unauthorized(answer.status, message):
        return CancelReceipt()
    return Silent(f"HTTP {answer.status}: {snippet(answer.body)}")
